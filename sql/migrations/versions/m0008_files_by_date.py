"""Files are found by their custody date, so that a day never reads those of other days"""

from alembic import op

revision = "0008"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_file_custody_date", "file", ["custody_date", "party"])


def downgrade() -> None:
    op.drop_index("ix_file_custody_date", "file")
