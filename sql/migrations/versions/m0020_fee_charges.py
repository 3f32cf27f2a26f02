"""Custody fees that were charged, and each try"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "fee_charge",
        sa.Column("charge_no", sa.String(60), primary_key=True),
        sa.Column("platform", sa.String(10), nullable=False),
        sa.Column("period", sa.String(200), nullable=False),
        sa.Column("currency", sa.String(200), nullable=False),
        sa.Column("net_minor", sa.BigInteger(), nullable=False),
        sa.Column("vat_minor", sa.BigInteger(), nullable=False),
        sa.Column("gross_minor", sa.BigInteger(), nullable=False),
        sa.Column("components", sa.Text(), nullable=False),
        sa.Column("accrued_on", sa.Date(), nullable=False),
        sa.Column("seal", sa.String(200), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(200), nullable=False),
        sa.Column("collected_minor", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_on", sa.Date(), nullable=True),
    )
    op.create_table(
        "fee_attempt",
        sa.Column("request_no", sa.String(60), primary_key=True),
        sa.Column("charge_no", sa.String(60), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("vat_minor", sa.BigInteger(), nullable=False),
        sa.Column("file_name", sa.String(200), nullable=False),
        sa.Column("sent_on", sa.Date(), nullable=False),
        sa.Column("answered_on", sa.Date(), nullable=True),
        sa.Column("collected_minor", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_fee_attempt_charge_no", "fee_attempt", ["charge_no"])


def downgrade() -> None:
    op.drop_index("ix_fee_attempt_charge_no", "fee_attempt")
    op.drop_table("fee_attempt")
    op.drop_table("fee_charge")
