"""Deletions of customers: who was erased, and what that took out of the keyed store's proved tables

No customer of before was ever erased.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "erased_customer",
        sa.Column("proposal_id", sa.String(64), primary_key=True),
        sa.Column("customer_id", sa.String(60), nullable=False),
        sa.Column("erased_up_to", sa.Date(), nullable=False),
        sa.Column("kept", sa.Text(), nullable=False),
        sa.Column("approved_at", sa.String(200), nullable=False),
        sa.Column("erased_at", sa.String(200), nullable=True),
        sa.Column("purged_at", sa.String(200), nullable=True),
    )
    op.create_table(
        "removed_rows",
        sa.Column("proposal_id", sa.String(64), primary_key=True),
        sa.Column("store_table", sa.String(40), primary_key=True),
        sa.Column("salt", sa.Integer(), primary_key=True),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("sum_minor", sa.String(200), nullable=False),
        sa.Column("digest", sa.String(200), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("removed_rows")
    op.drop_table("erased_customer")
