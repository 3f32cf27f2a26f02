"""What the channels settle with the bank today, and the platform's own money that makes good their fees the same day."""

from __future__ import annotations

from custody.names import TxnType
from simulator import hours
from simulator.settlement import Batch, batches
from simulator.today import Today

_APART_SECONDS, _TOPUP_AFTER_SECONDS = 10, 5


def due_today(today: Today) -> list[Batch]:
    return batches(today.platform, today.accounts.due.pop(today.day, []), today.day)


def settle_channels(today: Today, due: list[Batch]) -> None:
    second = hours.SETTLEMENT[0]
    for batch in due:
        today.settlements[batch.channel].extend(batch.rows)
        same = {"channel": batch.channel, "settlement_batch": batch.batch_id}
        today.move(
            TxnType.CHANNEL_SETTLEMENT,
            batch.gross_minor,
            today.at_second(second),
            request_no=f"S{batch.batch_id}",
            direction=batch.direction,
            fee_minor=batch.fee_minor,
            **same,
        )
        if batch.fee_minor:
            when = today.at_second(second + _TOPUP_AFTER_SECONDS)
            today.move(TxnType.CHANNEL_FEE_TOPUP, batch.fee_minor, when, request_no=f"T{batch.batch_id}", **same)
        second += _APART_SECONDS
