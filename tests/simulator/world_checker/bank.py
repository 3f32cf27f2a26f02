"""INV_11, INV_12, INTEREST, SUSPENSE, INV_13: what the bank itself does and owes by the calendar."""

from __future__ import annotations

from calendar import isleap
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, time, timedelta
from fractions import Fraction

from world_reader import Row

from world_checker.view import CALENDAR, SUSPENSE, Holder, Platform, Violation, half_even, named, payee, payer, split

_SUSPENSE_DAYS = 5
_FEES_FROM = time(10)
_MONTHS = (3, 6, 9, 12)
_ALL_IN = ("RECHARGE", "WITHDRAW_RETURN")
_OUTWARD = ("WITHDRAW", "BACKROLL_RECHARGE", "LEGAL_DEDUCT", "PLATFORM_WITHDRAW", "REVERSAL")


def violations(platform: Platform) -> Iterator[Violation]:
    yield from _fees(platform)
    yield from _interest(platform)
    yield from _suspense(platform)
    yield from _settled_money(platform)
    yield from _items_not_past_due(platform)


def _fees(platform: Platform) -> Iterator[Violation]:
    """Collected on the first business day of a month: what the contract gives for the month before."""
    exact: dict[tuple[int, int], Fraction] = defaultdict(Fraction)
    for day in platform.dates:
        contract = [terms for since, terms in platform.fee_contracts if since <= day.isoformat()][-1]
        prices = contract["per_transaction_minor"]
        for row in platform.instructions[day]:
            if row["txn_type"] == "CUSTODY_FEE" and (row["event_time"].time() < _FEES_FROM or not _collects(day)):
                yield platform.says("INV_11", day, f"{named(row)} is collected at {row['event_time']}")
        if _collects(day):
            before = day.replace(day=1) - timedelta(days=1)
            net = half_even(exact[before.year, before.month])
            vat = half_even(net * Fraction(contract["vat_rate"]))
            due = [(net + vat, vat)] if net + vat else []
            got = [(r["amount_minor"], r["fee_minor"]) for r in platform.instructions[day] if r["txn_type"] == "CUSTODY_FEE"]
            if got != due:
                yield platform.says("INV_11", day, f"custody fees {got} are collected, by contract and balances {due}")
        base = sum(r["available_minor"] + r["frozen_minor"] for r in platform.balances[day] if r["role"] != "PLATFORM")
        year = {"actual/360": 360, "actual/365": 365, "actual/actual": 366 if isleap(day.year) else 365}[contract["day_count"]]
        if contract["valid_from"] <= day.isoformat() <= (contract["valid_to"] or "9999"):
            counts = Counter(row["txn_type"] for row in platform.instructions[day] if row["status"] == "SUCCESS")
            exact[day.year, day.month] += Fraction(contract["per_mille_year"]) * base / 1000 / year
            exact[day.year, day.month] += sum(counts[kind] * price for kind, price in prices.items())


def _collects(day: date) -> bool:
    first: date = CALENDAR.next_business_day(day.replace(day=1) - timedelta(days=1))
    return first == day


def _interest(platform: Platform) -> Iterator[Violation]:
    """One credit on the 21st that ends a quarter's interest; its shares are split by the daily balances since the last."""
    weights: Counter[str] = Counter()
    last: set[str] = set()
    for day in platform.dates:
        rows = [row for row in platform.instructions[day] if row["txn_type"] == "BANK_INTEREST"]
        credits = [row for row in rows if row["direction"] == "IN"]
        shares = [row for row in rows if row["direction"] == "OUT"]
        is_day = day.day == 21 and day.month in _MONTHS
        if len(credits) > is_day:
            yield platform.says("INTEREST", day, f"{len(credits)} credits of interest")
        if is_day and not credits and sum(weights.values()) > 10**7:
            yield platform.says("INTEREST", day, "no interest is credited")
        paid = {f"{row['to_role']}|{row['to_user_no']}": row["amount_minor"] for row in shares}
        whole = sum(row["amount_minor"] for row in credits)
        if sum(row["amount_minor"] for row in shares) != whole:
            yield platform.says("INTEREST", day, f"{whole} came in, {sum(paid.values())} went out")
        elif credits:
            wanted = split(whole, {key: weight for key, weight in weights.items() if weight and key in last})
            if paid != {key: share for key, share in wanted.items() if share}:
                yield platform.says("INTEREST", day, f"shares {paid}; by the daily balances {wanted}")
        if is_day:
            weights.clear()
        last = set()
        for row in platform.balances[day]:
            key = f"{row['role']}|{row['user_no']}"
            weights[key] += row["available_minor"] + row["frozen_minor"]
            last.add(key)


def _suspense(platform: Platform) -> Iterator[Violation]:
    open_since: dict[str, date] = {}
    for day in platform.dates:
        for row in platform.instructions[day]:
            if row["txn_type"] == "RECHARGE" and payee(row) == SUSPENSE:
                open_since[row["request_no"]] = day
            elif row["txn_type"] in ("ADJUSTMENT", "REVERSAL") and payer(row) == SUSPENSE:
                open_since.pop(row["related_request_no"], None)
        for request, since in list(open_since.items()):
            if CALENDAR.add_business_days(since, _SUSPENSE_DAYS) < day:
                del open_since[request]
                yield platform.says("SUSPENSE", day, f"receipt {request} of {since} has waited more than five business days")


def _settled_money(platform: Platform) -> Iterator[Violation]:
    """INV_12: nothing leaves that rests on cash which has not come. What is unsettled stays so in the next owner's hands, and always
    moves first: the receiver's worst case. A withdrawal that is under way rests on what its owner had when he froze it."""
    unsettled: dict[Holder, dict[date, int]] = defaultdict(lambda: defaultdict(int))
    total: dict[Holder, int] = defaultdict(int)
    for day, row in platform.posted():
        amount, who, to, coupon = row["amount_minor"], payer(row), payee(row), row["coupon_minor"] or 0
        if row["txn_type"] in _ALL_IN and to:
            total[to] += amount
            if row["channel"]:
                unsettled[to][CALENDAR.next_business_day(day)] += amount
        elif row["txn_type"] in _OUTWARD and who and to is None:
            waiting = sum(part for settles, part in unsettled[who].items() if settles > day)
            if total[who] - waiting < amount:
                yield platform.says(
                    "INV_12", day, f"{named(row)} of {amount}: {who[1]} has {total[who]}, {waiting} of it unsettled"
                )
            total[who] -= amount
        elif row["txn_type"] == "TENDER_SETTLE" and who and to:
            _pass(unsettled, total, who, to, amount - coupon)
            _pass(unsettled, total, ("PLATFORM", "P_MARKETING"), to, coupon)
        elif row["txn_type"] in ("PLATFORM_RECHARGE",) and to:
            total[to] += amount
        elif row["txn_type"] == "BANK_INTEREST" and to is None:
            total[SUSPENSE] += amount
        elif who and to:
            _pass(unsettled, total, who, to, amount)


def _pass(unsettled: dict[Holder, dict[date, int]], total: dict[Holder, int], who: Holder, to: Holder, amount: int) -> None:
    total[who] -= amount
    total[to] += amount
    left = amount
    for settles in sorted(unsettled[who], reverse=True):
        moved = min(left, unsettled[who][settles])
        unsettled[who][settles] -= moved
        unsettled[to][settles] += moved
        left -= moved


def _items_not_past_due(platform: Platform) -> Iterator[Violation]:
    """INV_13: at the end of each day, no receivable that counts as a resource is past its settlement day."""
    waiting: dict[str, tuple[date, Row]] = {}
    for day in platform.dates:
        for row in platform.instructions[day]:
            if row["txn_type"] in _ALL_IN and row["channel"]:
                waiting[row["request_no"]] = (CALENDAR.next_business_day(day), row)
        for row in platform.settlements[day]:
            waiting.pop(row["request_no"], None)
        for request, (settles, row) in list(waiting.items()):
            if settles <= day:
                del waiting[request]
                yield platform.says("INV_13", day, f"{named(row)} of {row['amount_minor']} should have settled on {settles}")
