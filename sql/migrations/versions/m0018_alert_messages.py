"""An alert's whole life, and each message of it to each recipient

Of alerts of before, what has not left yet is to be told; those that left are told already.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alert_event",
        sa.Column("event_no", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("alert_id", sa.String(64), nullable=False),
        sa.Column("at", sa.String(200), nullable=False),
        sa.Column("actor", sa.String(60), nullable=False),
        sa.Column("event", sa.String(20), nullable=False),
        sa.Column("severity", sa.String(10), nullable=False),
        sa.Column("words_en", sa.Text(), nullable=False),
        sa.Column("words_zh", sa.Text(), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
    )
    op.create_index("ix_alert_event_alert_id", "alert_event", ["alert_id"])
    op.create_index("ix_alert_event_told", "alert_event", ["told"])
    op.create_table(
        "alert_message",
        sa.Column("message_id", sa.String(64), primary_key=True),
        sa.Column("whom", sa.String(10), nullable=False),
        sa.Column("recipient", sa.String(80), nullable=False),
        sa.Column("contact", sa.String(20), nullable=False),
        sa.Column("channel", sa.String(10), nullable=False),
        sa.Column("languages", sa.String(20), nullable=False),
        sa.Column("mode", sa.String(10), nullable=False),
        sa.Column("severity", sa.String(10), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("queued_at", sa.String(200), nullable=False),
        sa.Column("not_before", sa.String(200), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.String(200), nullable=True),
        sa.Column("tried_at", sa.String(200), nullable=True),
        sa.Column("last_reason", sa.Text(), nullable=True),
        sa.Column("gateway_away", sa.Boolean(), nullable=False),
        sa.Column("in_doubt", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.String(200), nullable=True),
        sa.Column("address", sa.String(200), nullable=True),
        sa.Column("proof", sa.Text(), nullable=True),
    )
    op.create_index("ix_alert_message_state", "alert_message", ["state", "channel", "not_before"])
    op.create_table(
        "alert_told",
        sa.Column("message_id", sa.String(64), primary_key=True),
        sa.Column("event_no", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("alert_id", sa.String(64), nullable=False),
    )
    op.create_index("ix_alert_told_alert_id", "alert_told", ["alert_id"])
    # Whether it ended by itself is told too; one that ended before it left is told of in the one message.
    number = "(SELECT count(*) FROM alert b WHERE b.alert_id <= alert.alert_id)"
    op.execute(
        "INSERT INTO alert_event (event_no, alert_id, at, actor, event, severity, words_en, words_zh, told) "
        f"SELECT {number}, alert_id, COALESCE(sent_at, '1900-01-01T00:00:00.000000+08:00'), 'system', 'RAISED', severity, words_en, "
        f"words_zh, (sent_at IS NOT NULL) FROM alert"
    )
    op.execute(
        "INSERT INTO alert_event (event_no, alert_id, at, actor, event, severity, words_en, words_zh, told) "
        f"SELECT (SELECT count(*) FROM alert) + {number}, alert_id, ended_at, 'system', 'ENDED', severity, ended_en, ended_zh, "
        "(end_sent_at IS NOT NULL) FROM alert WHERE ended_at IS NOT NULL"
    )
    with op.batch_alter_table("alert") as alert:
        alert.add_column(sa.Column("turn", sa.Integer(), nullable=False, server_default="0"))
        alert.add_column(sa.Column("duty", sa.String(20), nullable=True))
        alert.add_column(sa.Column("answer_by", sa.String(200), nullable=True))
        alert.add_column(sa.Column("closed_by", sa.String(60), nullable=True))
        alert.add_column(sa.Column("closed_reason", sa.Text(), nullable=True))
        alert.add_column(sa.Column("closed_seen_on", sa.Date(), nullable=True))
        alert.drop_column("sent_at")
        alert.drop_column("end_sent_at")
        alert.create_index("ix_alert_state", ["state", "answer_by"])
    with op.batch_alter_table("alert") as alert:
        alert.alter_column("turn", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("alert") as alert:
        alert.drop_index("ix_alert_state")
        for name in ("closed_seen_on", "closed_reason", "closed_by", "answer_by", "duty", "turn"):
            alert.drop_column(name)
        alert.add_column(sa.Column("sent_at", sa.String(200), nullable=True))
        alert.add_column(sa.Column("end_sent_at", sa.String(200), nullable=True))
    # What is told is not to be sent again.
    told = "(SELECT min(at) FROM alert_event e WHERE e.alert_id = alert.alert_id AND e.told AND e.event"
    op.execute(f"UPDATE alert SET sent_at = {told} <> 'ENDED'), end_sent_at = {told} = 'ENDED')")
    for name in ("alert_told", "alert_message", "alert_event"):
        op.drop_table(name)
