"""Files that came as OpenPGP messages: their content beside them"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("file") as file:
        file.add_column(sa.Column("plain_bytes", sa.BigInteger(), nullable=True))
        file.add_column(sa.Column("plain_sha256", sa.String(64), nullable=True))
        file.add_column(sa.Column("plain_ref", sa.String(200), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("file") as file:
        for name in ("plain_ref", "plain_sha256", "plain_bytes"):
            file.drop_column(name)
