"""The history of cases, when they are due, and who reopened one

Cases of before have no due date until the next day is reconciled, and their history begins with it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "case_event",
        sa.Column("event_no", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("case_id", sa.String(64), nullable=False),
        sa.Column("event", sa.String(200), nullable=False),
        sa.Column("custody_date", sa.Date(), nullable=True),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("at", sa.String(200), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
    )
    op.create_index("ix_case_event_case_id", "case_event", ["case_id"])
    with op.batch_alter_table("recon_case") as case:
        case.add_column(sa.Column("due_on", sa.Date(), nullable=True))
        case.add_column(sa.Column("reopened_by", sa.String(60), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("recon_case") as case:
        case.drop_column("reopened_by")
        case.drop_column("due_on")
    op.drop_index("ix_case_event_case_id", "case_event")
    op.drop_table("case_event")
