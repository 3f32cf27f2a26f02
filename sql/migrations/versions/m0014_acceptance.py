"""Acceptance tests of organisations that are being onboarded

Who is live already has passed none; nobody asks for it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "acceptance_test",
        sa.Column("party", sa.String(10), primary_key=True),
        sa.Column("test_no", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("basis", sa.String(64), nullable=False),
        sa.Column("contract_digest", sa.String(64), nullable=False),
        sa.Column("custody_date", sa.Date(), nullable=False),
        sa.Column("outcome", sa.String(200), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("faults", sa.Integer(), nullable=False),
        sa.Column("report_name", sa.String(80), nullable=False),
        sa.Column("tested_by", sa.String(200), nullable=False),
        sa.Column("tested_at", sa.String(200), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("acceptance_test")
