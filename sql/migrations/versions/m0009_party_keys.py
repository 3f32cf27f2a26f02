"""Keys of organisations, each with the dates on which it works

The one key that each had until now works from the beginning and has no end.
"""

import base64
import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_KEYS = sa.table("party_key", *(sa.column(n) for n in ("party", "key_use", "fingerprint", "public_key", "state")))


def upgrade() -> None:
    op.create_table(
        "party_key",
        sa.Column("party", sa.String(10), primary_key=True),
        sa.Column("key_use", sa.String(20), primary_key=True),
        sa.Column("fingerprint", sa.String(100), primary_key=True),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("state", sa.String(200), nullable=False),
    )
    for party, key in op.get_bind().execute(sa.text("SELECT party, public_key FROM party")).all():
        row = {"party": party, "key_use": "SSH", "fingerprint": _fingerprint(key), "public_key": key, "state": "ACTIVE"}
        op.get_bind().execute(sa.insert(_KEYS).values(row))
    with op.batch_alter_table("party") as batch:
        batch.drop_column("public_key")


def downgrade() -> None:
    with op.batch_alter_table("party") as batch:
        batch.add_column(sa.Column("public_key", sa.Text(), nullable=False, server_default=""))
    # The newest that works; a party that has none is locked out, as the older program does with a key that is none.
    newest = "SELECT public_key FROM party_key k WHERE k.party = party.party AND k.key_use = 'SSH' AND k.state = 'ACTIVE'"
    op.execute(f"UPDATE party SET public_key = coalesce(({newest} ORDER BY valid_from IS NULL, valid_from DESC LIMIT 1), '')")
    with op.batch_alter_table("party") as batch:
        batch.alter_column("public_key", server_default=None)
    op.drop_table("party_key")


def _fingerprint(line: str) -> str:
    """As ssh-keygen -l shows it."""
    digest = hashlib.sha256(base64.b64decode(line.split()[1])).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"
