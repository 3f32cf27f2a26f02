"""CLAIMED, UNIQUE: the platform's TXN says row for row what was instructed; request numbers are unique for ever."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, time, timedelta

from world_reader import Row

from world_checker.view import SUSPENSE, Platform, Violation, named, payee, payer

Key = tuple[str, int, str]
_LATE_FROM = time(23, 50)


def violations(platform: Platform) -> Iterator[Violation]:
    claimed, twice = _by_key(platform, platform.txn)
    yield from twice
    true, twice = _by_key(platform, platform.instructions)
    yield from twice
    for key, (day, row) in true.items():
        own = any(side not in (None, SUSPENSE) for side in (payer(row), payee(row)))
        if not own and key in claimed:
            yield platform.says("CLAIMED", day, f"{named(row)} is the bank's own and stands in TXN")
        if own and key not in claimed:
            if day != platform.dates[-1]:
                yield platform.says("CLAIMED", day, f"{named(row)} is not in TXN")
            elif not _is_late(row):
                yield platform.says("CLAIMED", day, f"{named(row)} is not in TXN and was not late")
    for key, (filed_on, row) in claimed.items():
        if key not in true:
            yield platform.says("CLAIMED", filed_on, f"{named(row)} was not instructed")
            continue
        day, instruction = true[key]
        differing = [name for name, value in row.items() if name != "line_no" and instruction[name] != value]
        if differing:
            yield platform.says("CLAIMED", filed_on, f"{named(row)} differs from the instruction in {differing}")
        if filed_on != day and (filed_on - day != timedelta(days=1) or not _is_late(row)):
            yield platform.says("CLAIMED", filed_on, f"{named(row)} of {row['event_time']} is filed on {filed_on}")
    yield from _unique(platform)


def _is_late(row: Row) -> bool:
    return bool(row["event_time"].time() >= _LATE_FROM)


def _by_key(platform: Platform, lines: dict[date, list[Row]]) -> tuple[dict[Key, tuple[date, Row]], list[Violation]]:
    found: dict[Key, tuple[date, Row]] = {}
    twice = []
    for day in platform.dates:
        for row in lines[day]:
            key = (row["request_no"], row["leg"], row["status"])
            if key in found:
                twice.append(platform.says("UNIQUE", day, f"{named(row)} stands twice"))
            found[key] = (day, row)
    return found, twice


def _unique(platform: Platform) -> Iterator[Violation]:
    """A request number belongs to one request; only a withdrawal comes again, with its last word, on a later date."""
    first: dict[str, tuple[date, Row]] = {}
    for day, row in platform.events():
        number = row["request_no"]
        if number not in first:
            first[number] = (day, row)
            continue
        since, before = first[number]
        same = row["txn_type"] == before["txn_type"] and row["event_time"] == before["event_time"]
        came_again = row["txn_type"] == before["txn_type"] == "WITHDRAW" and before["status"] != "SUCCESS" and day > since
        if not same and not came_again:
            yield platform.says("UNIQUE", day, f"{named(row)} has the number of {named(before)} of {since}")
        for name in ("amount_minor", "from_user_no", "channel", "related_request_no"):
            if came_again and row[name] != before[name]:
                yield platform.says("UNIQUE", day, f"{named(row)} comes again with another {name}")
