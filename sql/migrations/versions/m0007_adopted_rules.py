"""Versions of reconciliation rules that two people adopted

Up to here the program's own rules held on every date.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "adopted_rule",
        sa.Column("rule_id", sa.String(60), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("entry", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(200), nullable=False),
        sa.Column("proposal_id", sa.String(200), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("adopted_rule")
