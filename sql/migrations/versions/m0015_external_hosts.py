"""Parties' own hosts: what is known against one, and what we are reading there"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dialled_host",
        sa.Column("party", sa.String(10), primary_key=True),
        sa.Column("terms_digest", sa.String(200), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_dial_at", sa.String(200), nullable=False),
        sa.Column("stopped", sa.Boolean(), nullable=False),
        sa.Column("last_reason", sa.Text(), nullable=False),
    )
    op.create_table(
        "host_claim",
        sa.Column("party", sa.String(10), primary_key=True),
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("mark", sa.String(200), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("modified", sa.BigInteger(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("host_claim")
    op.drop_table("dialled_host")
