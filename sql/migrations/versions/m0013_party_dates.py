"""Status and contract of organisations hold from a custody date on

Those that each had until now hold from the beginning.
"""

from datetime import date

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_BEGINNING = date(1900, 1, 1)
_COLUMNS = {"party_status": ("status", sa.String(200)), "party_contract": ("contract", sa.Text())}


def upgrade() -> None:
    for table, (name, kind) in _COLUMNS.items():
        op.create_table(
            table,
            sa.Column("party", sa.String(10), primary_key=True),
            sa.Column("valid_from", sa.Date(), primary_key=True),
            sa.Column(name, kind, nullable=False),
        )
        made = sa.table(table, sa.column("party"), sa.column("valid_from", sa.Date()), sa.column(name))
        for party, value in op.get_bind().execute(sa.text(f"SELECT party, {name} FROM party")).all():
            op.get_bind().execute(sa.insert(made).values({"party": party, "valid_from": _BEGINNING, name: value}))
    with op.batch_alter_table("party") as batch:
        for name, _ in _COLUMNS.values():
            batch.drop_column(name)


def downgrade() -> None:
    with op.batch_alter_table("party") as batch:
        for name, kind in _COLUMNS.values():
            batch.add_column(sa.Column(name, kind, nullable=False, server_default=""))
    for table, (name, _) in _COLUMNS.items():
        newest = f"SELECT v.{name} FROM {table} v WHERE v.party = party.party ORDER BY v.valid_from DESC LIMIT 1"
        op.execute(f"UPDATE party SET {name} = ({newest})")
    with op.batch_alter_table("party") as batch:
        for name, _ in _COLUMNS.values():
            batch.alter_column(name, server_default=None)
    for table in reversed(_COLUMNS):
        op.drop_table(table)
