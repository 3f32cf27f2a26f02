"""A party may send several batches of a type a day; the last of them says how many there are

What came before there was such a mark came in one batch. A seal's own row has none.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("file") as batch:
        batch.add_column(sa.Column("batches", sa.Integer(), nullable=True))
    op.execute("UPDATE file SET batches = 1 WHERE file_type <> 'SEAL'")


def downgrade() -> None:
    with op.batch_alter_table("file") as batch:
        batch.drop_column("batches")
