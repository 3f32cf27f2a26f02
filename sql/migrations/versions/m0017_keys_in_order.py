"""Keys of organisations are numbered in the order in which they are registered: of two that begin on one date the later one is the newer

Which of those that stand came first nobody wrote down: they are numbered as they were ordered until now.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_PLACE = ("party", "key_use", "fingerprint")
_KEYS = sa.table("party_key", *(sa.column(name) for name in (*_PLACE, "added_no")), sa.column("valid_from", sa.Date()))


def upgrade() -> None:
    with op.batch_alter_table("party_key") as batch:
        batch.add_column(sa.Column("added_no", sa.Integer(), nullable=False, server_default="0"))
    first = sa.case((_KEYS.c.valid_from.is_(None), 0), else_=1)
    ordered = sa.select(*(_KEYS.c[name] for name in _PLACE)).order_by(
        first, _KEYS.c.valid_from, _KEYS.c.fingerprint, _KEYS.c.party
    )
    for number, row in enumerate(op.get_bind().execute(ordered).all(), start=1):
        where = [_KEYS.c[name] == value for name, value in zip(_PLACE, row, strict=True)]
        op.get_bind().execute(sa.update(_KEYS).where(*where).values(added_no=number))
    with op.batch_alter_table("party_key") as batch:
        batch.alter_column("added_no", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("party_key") as batch:
        batch.drop_column("added_no")
