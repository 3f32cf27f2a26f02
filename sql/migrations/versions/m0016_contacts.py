"""Whom to call at an organisation; names and numbers are sealed"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "party_contact",
        sa.Column("party", sa.String(10), primary_key=True),
        sa.Column("role", sa.String(20), primary_key=True),
        sa.Column("rank", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("shown", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("wrapped_key", sa.Text(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("party_contact")
