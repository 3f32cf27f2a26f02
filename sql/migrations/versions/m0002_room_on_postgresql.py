"""Room for what SQLite takes anyway and PostgreSQL holds to: long reasons, large files, times after 2038

The numbers of file events come from the register, not from a sequence: a sequence leaves gaps when a transaction is undone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# table -> column -> (type before, type after, nullable)
_WIDER = {
    "file": {
        "bytes": (sa.Integer(), sa.BigInteger(), False),
        "rows": (sa.Integer(), sa.BigInteger(), True),
    },
    "holiday": {"reason": (sa.String(length=200), sa.Text(), False)},
    "lease": {"expires_at": (sa.Integer(), sa.BigInteger(), False)},
}
_SEQUENCE = "file_event_event_no_seq"


def upgrade() -> None:
    for table, columns in _WIDER.items():
        with op.batch_alter_table(table) as batch:
            for name, (before, after, nullable) in columns.items():
                batch.alter_column(name, existing_type=before, type_=after, existing_nullable=nullable)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE file_event ALTER COLUMN event_no DROP DEFAULT")
        op.execute(f"DROP SEQUENCE {_SEQUENCE}")


def downgrade() -> None:
    """Fails on PostgreSQL, and changes nothing, when a value no longer fits."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"CREATE SEQUENCE {_SEQUENCE} OWNED BY file_event.event_no")
        op.execute(f"SELECT setval('{_SEQUENCE}', coalesce(max(event_no), 0) + 1, false) FROM file_event")
        op.execute(f"ALTER TABLE file_event ALTER COLUMN event_no SET DEFAULT nextval('{_SEQUENCE}')")
    for table, columns in _WIDER.items():
        with op.batch_alter_table(table) as batch:
            for name, (before, after, nullable) in columns.items():
                batch.alter_column(name, existing_type=after, type_=before, existing_nullable=nullable)
