"""INV_09: what each channel settles, its fee, its batch, the core's credit; every item once, on the next business day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from typing import Any

from world_reader import Row

from world_checker.view import CALENDAR, Platform, Violation, half_even, named

_IN, _OUT = ("RECHARGE", "WITHDRAW_RETURN"), ("WITHDRAW", "BACKROLL_RECHARGE")
_COMPARED = ("channel", "direction", "gross_minor", "fee_minor", "net_minor", "trade_date", "settle_date", "currency", "status")


def violations(platform: Platform) -> Iterator[Violation]:
    expected = dict(_expected(platform))
    seen: set[str] = set()
    for day in platform.dates:
        batches: dict[str, list[Row]] = defaultdict(list)
        for row in platform.settlements[day]:
            request = row["request_no"]
            stated = tuple(row[name] for name in _COMPARED)
            if stated != expected.get(request):
                yield platform.says("INV_09", day, f"{request} settles as {stated}; by its request {expected.get(request)}")
            elif row["settle_date"] != day or request in seen:
                yield platform.says("INV_09", day, f"{request} is listed on {day}, again or not on its date")
            seen.add(request)
            batches[row["settlement_batch"]].append(row)
        yield from _batches(platform, day, batches)
    for request, (_, _, _, _, _, trade, settle, *_) in expected.items():
        if settle <= platform.dates[-1] and request not in seen:
            yield platform.says("INV_09", settle, f"{request} of {trade} is not settled")


def _expected(platform: Platform) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """By request number: the values of _COMPARED."""
    for day, row in platform.posted():
        kind, gross, channel = row["txn_type"], row["amount_minor"], row["channel"]
        if kind not in _IN + _OUT or channel is None:
            continue
        inward, fee = kind in _IN, 0
        if kind == "RECHARGE":
            fee = max(1, half_even(gross * Fraction(platform.channel_rates[channel])))
        settle = CALENDAR.next_business_day(day)
        yield row["request_no"], (channel, "IN" if inward else "OUT", gross, fee, gross - fee, day, settle, "CNY", "SUCCESS")


def _batches(platform: Platform, day: date, batches: dict[str, list[Row]]) -> Iterator[Violation]:
    own = [row for row in platform.instructions[day] if row["settlement_batch"]]
    settled = {row["settlement_batch"]: row for row in own if row["txn_type"] == "CHANNEL_SETTLEMENT"}
    topped_up = {
        row["settlement_batch"]: (row["channel"], row["amount_minor"]) for row in own if row["txn_type"] == "CHANNEL_FEE_TOPUP"
    }
    cash = {flow["core_ref"]: flow["amount_minor"] for flow in platform.flows[day] if flow["account"].endswith(":CUSTODY")}
    for batch in sorted(batches.keys() ^ settled.keys()):
        yield platform.says("INV_09", day, f"batch {batch} has rows or an instruction, not both")
    if not CALENDAR.is_business_day(day) and (batches or settled):
        yield platform.says("INV_09", day, "a channel settles on a day on which the bank is closed")
    for batch, row in settled.items():
        rows = batches.get(batch, [])
        gross, fee = (sum(one[name] for one in rows) for name in ("gross_minor", "fee_minor"))
        if (row["amount_minor"], row["fee_minor"]) != (gross, fee):
            yield platform.says(
                "INV_09", day, f"{named(row)} says {row['amount_minor']} and {row['fee_minor']}, its rows {gross}, {fee}"
            )
        if len({(one["channel"], one["direction"]) for one in rows} | {(row["channel"], row["direction"])}) != 1:
            yield platform.says("INV_09", day, f"batch {batch} is of more than one channel or direction")
        net = gross - fee if row["direction"] == "IN" else -gross
        if cash.get(batch) != net:
            yield platform.says("INV_09", day, f"the core booked {cash.get(batch)} for batch {batch}, its net is {net}")
        wanted = (row["channel"], fee) if fee else None
        if topped_up.get(batch) != wanted:
            yield platform.says("INV_09", day, f"batch {batch} has a fee of {wanted}, {topped_up.get(batch)} was made good")
