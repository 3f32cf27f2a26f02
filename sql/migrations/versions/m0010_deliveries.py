"""Deliveries: tries, proof, and when the party took a file

What was delivered before was put under its name by a rename; it is not looked at any more (LEFT).
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TEXTS = ("next_attempt_at", "wire_name", "wire_sha256", "wire_ref", "sent_at", "proved_at", "taken_at")


def upgrade() -> None:
    with op.batch_alter_table("outbound") as outbound:
        outbound.add_column(sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"))
        outbound.add_column(sa.Column("last_reason", sa.Text(), nullable=True))
        outbound.add_column(sa.Column("wire_bytes", sa.BigInteger(), nullable=True))
        for name in _TEXTS:
            outbound.add_column(sa.Column(name, sa.String(200), nullable=True))
    op.execute(
        "UPDATE outbound SET state = 'LEFT', sent_at = delivered_at, proved_at = delivered_at, wire_name = file_name, "
        "wire_sha256 = sha256, wire_ref = archive_ref WHERE state = 'DELIVERED'"
    )
    with op.batch_alter_table("outbound") as outbound:
        outbound.alter_column("attempts", server_default=None)
        outbound.drop_column("delivered_at")
    op.create_index("ix_outbound_state", "outbound", ["state", "party"])


def downgrade() -> None:
    op.drop_index("ix_outbound_state", "outbound")
    with op.batch_alter_table("outbound") as outbound:
        outbound.add_column(sa.Column("delivered_at", sa.String(200), nullable=True))
    op.execute("UPDATE outbound SET state = 'DELIVERED', delivered_at = sent_at WHERE sent_at IS NOT NULL")
    op.execute("UPDATE outbound SET state = 'QUEUED' WHERE state <> 'DELIVERED'")
    with op.batch_alter_table("outbound") as outbound:
        for name in ("attempts", "last_reason", "wire_bytes", *_TEXTS):
            outbound.drop_column(name)
