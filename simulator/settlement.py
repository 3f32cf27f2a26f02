"""How a channel settles: what it lists for a bank business day, its fee, and the batch under which the core is credited."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from custody.names import TxnStatus
from simulator.accounts import Unsettled
from simulator.movement import CURRENCY, Row

FEE_RATE = "0.0025"  # of each recharge; all else is free of charge to the platform
_RATE = Fraction(FEE_RATE)
MIN_FEE_MINOR = 1


@dataclass(frozen=True, slots=True)
class Batch:
    """All requests of one platform, channel and direction that settle on one day."""

    batch_id: str
    channel: str
    direction: str
    gross_minor: int
    fee_minor: int
    rows: list[Row]


def fee_minor(item: Unsettled) -> int:
    """The channel's fee in fen: a quarter of one per cent of a recharge, rounded half_even, at least one fen; else nothing."""
    if not item.is_charged:
        return 0
    # Whole numbers, not Fractions: worlds hold millions of recharges.
    fee, rest = divmod(item.gross_minor * _RATE.numerator, _RATE.denominator)
    if 2 * rest > _RATE.denominator or (2 * rest == _RATE.denominator and fee % 2):
        fee += 1
    return max(MIN_FEE_MINOR, fee)


def batches(platform: str, due: list[Unsettled], settle_date: date) -> list[Batch]:
    """The batches of the day, all inward ones first: cash comes in before it goes out."""
    groups: dict[tuple[str, str], list[Unsettled]] = {}
    for item in due:
        groups.setdefault((item.direction, item.channel), []).append(item)
    return [_batch(platform, groups[key], settle_date) for key in sorted(groups)]


def _batch(platform: str, items: list[Unsettled], settle_date: date) -> Batch:
    channel, direction = items[0].channel, items[0].direction
    batch_id = f"{channel}{platform}{settle_date:%Y%m%d}{direction[0]}"
    rows: list[Row] = []
    fees = 0
    for item in sorted(items, key=lambda item: item.request_no):
        fee = fee_minor(item)
        fees += fee
        rows.append(
            {
                "platform": platform,
                "request_no": item.request_no,
                "direction": direction,
                "gross_minor": item.gross_minor,
                "fee_minor": fee,
                "net_minor": item.gross_minor - fee,
                "currency": CURRENCY,
                "settlement_batch": batch_id,
                "trade_date": item.trade_date,
                "settle_date": settle_date,
                "status": TxnStatus.SUCCESS.value,
            }
        )
    gross = sum(item.gross_minor for item in items)
    return Batch(batch_id, channel, direction, gross, fees, rows)
