"""Parties into whose drop sweeps cannot look: since when, and how often"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "unread_drop",
        sa.Column("party", sa.String(10), primary_key=True),
        sa.Column("since", sa.String(200), nullable=False),
        sa.Column("sweeps", sa.Integer(), nullable=False),
        sa.Column("last_reason", sa.Text(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("unread_drop")
