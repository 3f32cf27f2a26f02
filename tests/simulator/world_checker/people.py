"""NUMBERS, CUSTOMER, INV_14: who has an account, since when, with valid numbers; closed accounts are empty."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

from world_reader import Row

from custody.identity_numbers import is_card_number, is_identity_number, is_phone, is_uscc
from world_checker.view import Holder, Platform, Violation, named, payee, payer

_KEPT = ("kind", "id_type", "id_no", "name")
_OUTWARD = ("WITHDRAW", "BACKROLL_RECHARGE")


class Accounts:
    """Since when, and until when, each account stands; the newest master row of it."""

    def __init__(self, platform: Platform) -> None:
        self.opened: dict[Holder, datetime] = {}
        self.closed: dict[Holder, datetime] = {}
        self.master: dict[Holder, Row] = {}
        self.found: list[Violation] = []
        for day in platform.dates:
            for row in sorted(platform.customers[day], key=lambda one: one["event_time"]):
                self._apply(platform, day, row)

    def _apply(self, platform: Platform, day: date, row: Row) -> None:
        holder: Holder = (row["role"], row["user_no"])
        is_open = holder in self.opened and holder not in self.closed
        if (row["action"] == "OPEN") == (holder in self.opened) or (row["action"] != "OPEN" and not is_open):
            self.found.append(platform.says("CUSTOMER", day, f"{row['user_no']} cannot {row['action']}"))
        if row["event_time"].date() != day:
            self.found.append(platform.says("CUSTOMER", day, f"{row['user_no']} {row['action']} is of {row['event_time']}"))
        if row["action"] == "OPEN":
            self.opened[holder] = row["event_time"]
            if any(other[1] == holder[1] for other in self.opened if other != holder):
                self.found.append(platform.says("NUMBERS", day, f"two accounts have the user number {holder[1]}"))
            if any(other[0] == holder[0] and own["id_no"] == row["id_no"] for other, own in self.master.items()):
                self.found.append(platform.says("NUMBERS", day, f"{holder[1]} is a person who has an account of that role"))
        elif holder in self.master:
            before = self.master[holder]
            changed = [name for name in (*_KEPT, "phone", "card_no") if before[name] != row[name]]
            allowed = {"CHANGE": (["phone"], ["card_no"], ["phone", "card_no"]), "CLOSE": ([],)}[row["action"]]
            if changed not in allowed:
                self.found.append(platform.says("CUSTOMER", day, f"{row['user_no']} {row['action']} has other {changed}"))
        if row["action"] == "CLOSE":
            self.closed[holder] = row["event_time"]
        self.master[holder] = row

    def is_open(self, holder: Holder, when: datetime) -> bool:
        return self.opened.get(holder, when) < when <= self.closed.get(holder, when)


def violations(platform: Platform) -> Iterator[Violation]:
    accounts = Accounts(platform)
    yield from accounts.found
    for day in platform.dates:
        for row in platform.customers[day]:
            yield from _numbers(platform, day, row)
    for day, row in platform.events():
        for side in (payer(row), payee(row)):
            if side and side[0] != "PLATFORM" and not accounts.is_open(side, row["event_time"]):
                yield platform.says("CUSTOMER", day, f"{named(row)}: {side[1]} has no open account then")
        if row["txn_type"] in _OUTWARD:
            holder = payer(row)
            if holder in accounts.master and not accounts.master[holder]["card_no"]:
                yield platform.says("INV_08", day, f"{named(row)}: {holder} has no bound card")
    yield from _open_and_closed(platform, accounts)


def _numbers(platform: Platform, day: date, row: Row) -> Iterator[Violation]:
    is_person = row["kind"] == "PERSON"
    right = is_identity_number(row["id_no"]) if row["id_type"] == "ID" else is_uscc(row["id_no"])
    if not right or is_person != (row["id_type"] == "ID"):
        yield platform.says("NUMBERS", day, f"{row['user_no']}: {row['id_type']} {row['id_no']} is wrong")
    if not is_card_number(row["card_no"] or "") or not is_phone(row["phone"] or ""):
        yield platform.says("NUMBERS", day, f"{row['user_no']}: card {row['card_no']} or phone {row['phone']} is wrong")


def _open_and_closed(platform: Platform, accounts: Accounts) -> Iterator[Violation]:
    """BALANCE lists exactly who is open at the end of the day; who closes has had nothing left."""
    for day in platform.dates:
        filed = {(row["role"], row["user_no"]) for row in platform.balances[day] if row["role"] != "PLATFORM"}
        gone = {holder for holder, when in accounts.closed.items() if when.date() <= day}
        wanted = {holder for holder, when in accounts.opened.items() if when.date() <= day} - gone
        for holder in sorted(filed & gone):
            yield platform.says("INV_14", day, f"{holder[1]} is closed and stands in BALANCE")
        for holder in sorted((filed ^ wanted) - (filed & gone)):
            yield platform.says("CUSTOMER", day, f"{holder[1]} is in BALANCE or open, not both")
        claims = {(row["holder_role"], row["holder_user_no"]) for row in platform.claims[day]}
        borrowers = {
            ("BORROWER", r["borrower_user_no"]) for r in platform.loans[day] if r["state"] not in ("SETTLED", "MISCARRIED")
        }
        for holder in sorted(gone & (claims | borrowers)):
            yield platform.says("INV_14", day, f"{holder[1]} is closed and has a claim or a loan")
