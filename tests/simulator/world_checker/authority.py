"""MANDATE, ORDER, UNAUTHORISED: what a mandate or a court lets be done is done within it, after it stands, and never after it ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from world_reader import Row

from world_checker.view import Platform, Violation, named, payee, payer

_SCOPE = {
    "TENDER_FREEZE": "AUTO_TENDER",
    "REPAY_FREEZE": "AUTO_REPAY",
    "CREDIT_ASSIGNMENT": "AUTO_ASSIGN",
    "ENTRUSTED_PAYMENT": "ENTRUSTED",
}
_TERMS = ("role", "user_no", "scope", "item_limit_minor", "total_limit_minor", "expires_on")
_ACTION = {"LEGAL_FREEZE": "FREEZE", "LEGAL_RELEASE": "RELEASE", "LEGAL_DEDUCT": "DEDUCT"}


@dataclass
class _Standing:
    terms: Row
    until: datetime | None = None
    used: int = 0


def violations(platform: Platform) -> Iterator[Violation]:
    standing: dict[str, _Standing] = {}
    for day in platform.dates:
        for row in platform.mandates[day]:
            yield from _granted(platform, day, row, standing)
    for day, row in platform.events():
        if row["originator"] == "MANDATE":
            yield from _used(platform, day, row, standing.get(row["authorisation_id"]))
        elif row["authorisation_id"] in standing:
            yield platform.says("MANDATE", day, f"{named(row)} names a mandate and is the {row['originator']}'s")
    yield from _orders(platform)
    yield from _each_its_own(platform)


def _granted(platform: Platform, day: date, row: Row, standing: dict[str, _Standing]) -> Iterator[Violation]:
    mandate = standing.get(row["mandate_id"])
    if row["event_time"].date() != day:
        yield platform.says("MANDATE", day, f"{row['mandate_id']} is of {row['event_time']}")
    if row["action"] == "GRANT":
        sound = row["item_limit_minor"] <= row["total_limit_minor"] and row["expires_on"] > day
        if mandate is not None or not sound:
            yield platform.says("MANDATE", day, f"{row['mandate_id']} is granted twice or senseless")
        standing[row["mandate_id"]] = _Standing(row)
    elif mandate is None or mandate.until or any(mandate.terms[name] != row[name] for name in _TERMS):
        yield platform.says("MANDATE", day, f"{row['mandate_id']} is revoked; it does not stand so")
    else:
        mandate.until = row["event_time"]


def _used(platform: Platform, day: date, row: Row, mandate: _Standing | None) -> Iterator[Violation]:
    if mandate is None:
        yield platform.says("MANDATE", day, f"{named(row)}: nobody granted {row['authorisation_id']}")
        return
    own, when = mandate.terms, row["event_time"]
    if payer(row) != (own["role"], own["user_no"]) or _SCOPE.get(row["txn_type"]) != own["scope"]:
        yield platform.says("MANDATE", day, f"{named(row)} is outside the mandate of {own['user_no']} for {own['scope']}")
    mandate.used += row["amount_minor"]
    if row["amount_minor"] > own["item_limit_minor"] or mandate.used > own["total_limit_minor"]:
        limits = (own["item_limit_minor"], own["total_limit_minor"])
        yield platform.says("MANDATE", day, f"{named(row)} of {row['amount_minor']}, in all {mandate.used}, is above {limits}")
    if when <= own["event_time"] or day > own["expires_on"] or (mandate.until and when >= mandate.until):
        yield platform.says("MANDATE", day, f"{named(row)}: {own['mandate_id']} does not stand then")


def _orders(platform: Platform) -> Iterator[Violation]:
    """Each order's row has its movement of the same day, person, amount and second, and the other way round."""
    said: list[tuple[object, ...]] = []
    done: list[tuple[object, ...]] = []
    begun: dict[str, Row] = {}
    for day in platform.dates:
        for row in platform.orders[day]:
            whose = (row["role"], row["user_no"])
            said.append((day, row["action"], row["order_no"], *whose, row["amount_minor"], row["event_time"]))
            first = begun.setdefault(row["order_no"], row)
            same = all(first[name] == row[name] for name in ("role", "user_no", "authority"))
            if (first is row) != (row["action"] == "FREEZE") or not same:
                yield platform.says("ORDER", day, f"{row['order_no']} {row['action']} does not follow from its FREEZE")
    for day, row in platform.events():
        if row["txn_type"] in _ACTION:
            role, user_no = payer(row) or payee(row) or ("", "")
            action, order_no = _ACTION[row["txn_type"]], row["authorisation_id"]
            done.append((day, action, order_no, role, user_no, row["amount_minor"], row["event_time"]))
    for key in sorted(set(said) ^ set(done), key=str):
        yield platform.says("ORDER", platform.dates[0], f"{key[1:5]} stands as order or as movement, not both")


def _each_its_own(platform: Platform) -> Iterator[Violation]:
    """A password check or a signed request authorises one request; only mandates and orders stand for several."""
    used: dict[str, str] = {}
    for day, row in platform.events():
        if row["originator"] != "MANDATE" and row["txn_type"] not in _ACTION:
            by, number = row["authorisation_id"], row["request_no"]
            if used.setdefault(by, number) != number:
                yield platform.says("UNAUTHORISED", day, f"{named(row)} is authorised by {by}, as {used[by]} was")
