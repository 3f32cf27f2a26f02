"""Files that contract and calendar promise, who did what to a file, and how an alert ended

Of files of before, nothing was promised in the register: their dates are past. An index leads from a file to its events.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "expected_file",
        sa.Column("party", sa.String(10), primary_key=True),
        sa.Column("file_type", sa.String(40), primary_key=True),
        sa.Column("custody_date", sa.Date(), primary_key=True),
        sa.Column("batch", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("state", sa.String(200), nullable=False),
        sa.Column("cut_off_at", sa.String(200), nullable=False),
        sa.Column("due_at", sa.String(200), nullable=False),
        sa.Column("missing_from", sa.String(200), nullable=False),
        sa.Column("file_name", sa.String(80), nullable=True),
        sa.Column("sha256", sa.String(64), nullable=True),
        sa.Column("misses", sa.Integer(), nullable=False),
        sa.Column("missed_at", sa.String(200), nullable=True),
        sa.Column("alert_id", sa.String(64), nullable=True),
    )
    op.create_index("ix_expected_file_custody_date", "expected_file", ["custody_date", "party"])
    op.create_index("ix_expected_file_state", "expected_file", ["state", "missing_from"])
    with op.batch_alter_table("file_event") as event:
        event.add_column(sa.Column("actor", sa.String(60), nullable=True))
        event.create_index("ix_file_event_file_name", ["file_name"])
    with op.batch_alter_table("alert") as alert:
        alert.add_column(sa.Column("ended_at", sa.String(200), nullable=True))
        alert.add_column(sa.Column("ended_en", sa.Text(), nullable=True))
        alert.add_column(sa.Column("ended_zh", sa.Text(), nullable=True))
        alert.add_column(sa.Column("end_sent_at", sa.String(200), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("alert") as alert:
        for name in ("end_sent_at", "ended_zh", "ended_en", "ended_at"):
            alert.drop_column(name)
    with op.batch_alter_table("file_event") as event:
        event.drop_index("ix_file_event_file_name")
        event.drop_column("actor")
    op.drop_table("expected_file")
