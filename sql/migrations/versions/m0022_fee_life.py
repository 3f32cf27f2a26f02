"""Custody fees: what periods come to, each leg of an answer, and charges that correct others"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "fee_period",
        sa.Column("platform", sa.String(10), primary_key=True),
        sa.Column("period", sa.String(10), primary_key=True),
        sa.Column("last", sa.Date(), nullable=False),
        sa.Column("currency", sa.String(200), nullable=False),
        sa.Column("net_minor", sa.BigInteger(), nullable=False),
        sa.Column("vat_minor", sa.BigInteger(), nullable=False),
        sa.Column("components", sa.Text(), nullable=False),
        sa.Column("rated_on", sa.Date(), nullable=False),
        sa.Column("seal", sa.String(200), nullable=False),
        sa.Column("charged_net_minor", sa.BigInteger(), nullable=False),
        sa.Column("charged_vat_minor", sa.BigInteger(), nullable=False),
        sa.Column("charges", sa.Integer(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
    )
    op.create_index("ix_fee_period_is_open", "fee_period", ["is_open"])
    op.create_table(
        "fee_answer",
        sa.Column("platform", sa.String(10), primary_key=True),
        sa.Column("request_no", sa.String(200), primary_key=True),
        sa.Column("leg", sa.Integer(), primary_key=True),
        sa.Column("posted_on", sa.Date(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("charge_no", sa.String(60), nullable=True),
    )
    with op.batch_alter_table("fee_charge") as table:
        table.add_column(sa.Column("kind", sa.String(200), nullable=False, server_default="RATED"))
        table.add_column(sa.Column("cites", sa.String(200), nullable=True))
        table.add_column(sa.Column("set_off_minor", sa.BigInteger(), nullable=False, server_default="0"))
        table.add_column(sa.Column("written_off_minor", sa.BigInteger(), nullable=False, server_default="0"))
    with op.batch_alter_table("fee_charge") as table:
        for name in ("kind", "set_off_minor", "written_off_minor"):
            table.alter_column(name, server_default=None)
    op.create_index("ix_fee_attempt_answered_on", "fee_attempt", ["answered_on"])
    # What was charged so far is all that its periods came to.
    op.execute(
        "insert into fee_period select platform, period, accrued_on, currency, net_minor, vat_minor, components, accrued_on, seal, "
        "net_minor, vat_minor, 1, false from fee_charge"
    )
    op.execute(
        "insert into fee_answer select c.platform, a.request_no, 1, a.answered_on, a.collected_minor, a.charge_no "
        "from fee_attempt a join fee_charge c on c.charge_no = a.charge_no where a.answered_on is not null"
    )


def downgrade() -> None:
    op.drop_index("ix_fee_attempt_answered_on", "fee_attempt")
    with op.batch_alter_table("fee_charge") as table:
        for name in ("written_off_minor", "set_off_minor", "cites", "kind"):
            table.drop_column(name)
    op.drop_table("fee_answer")
    op.drop_index("ix_fee_period_is_open", "fee_period")
    op.drop_table("fee_period")
