"""The bank's own holidays and working days as a table that people write: one line for each day (domain.md §10).

    day,what,reason
    2027-01-01,holiday,元旦 New Year

Each year the State Council says which days are holidays and which weekend days are worked instead; a bank may decide otherwise.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from custody.calendar import COVER_FROM, ONE_DAY, dates
from custody.findings import RowFault

HEADING = ("day", "what", "reason")
WHAT = {"holiday": False, "business_day": True}
MOST_DAYS = 1_000
MAX_REASON = 200
_SATURDAY = 5
_AS_A_SPREADSHEET_RUNS = ("=", "+", "-", "@")


@dataclass(frozen=True)
class DecidedDay:
    """``business_day``: whether the bank works on ``day``."""

    day: date
    business_day: bool
    reason: str

    def as_payload(self) -> dict[str, object]:
        return {"day": self.day.isoformat(), "business_day": self.business_day, "reason": self.reason}


def read_table(text: str) -> tuple[list[DecidedDay], list[RowFault]]:
    """The days in order, or what is wrong with which line. A table with a fault decides nothing."""
    found: dict[date, DecidedDay] = {}
    faults: list[RowFault] = []
    lines: dict[date, int] = {}
    rows = csv.reader(text.splitlines())
    for number, cells in enumerate(rows, start=1):
        cells = [cell.strip() for cell in cells]
        if not any(cells):
            continue
        if number == 1:
            if tuple(cells) != HEADING:
                faults.append(RowFault(1, "", ",".join(cells), "codes", {"codes": ",".join(HEADING)}))
            continue
        if len(cells) != len(HEADING):
            faults.append(RowFault(number, "", ",".join(cells), "columns", {"found": len(cells), "expected": len(HEADING)}))
            continue
        ours = list(_faults(number, *cells))
        faults += ours
        if ours:
            continue
        day = date.fromisoformat(cells[0])
        if day in found:
            faults.append(RowFault(number, "day", cells[0], "duplicate_key", {"key": cells[0], "first_line": lines[day]}))
            continue
        found[day], lines[day] = DecidedDay(day, WHAT[cells[1]], cells[2]), number
    if not faults and not found:
        faults.append(RowFault(2, "day", "", "required"))
    if len(found) > MOST_DAYS:
        faults.append(RowFault(MOST_DAYS + 2, "", "", "max", {"max": MOST_DAYS}))
    return ([] if faults else sorted(found.values(), key=lambda d: d.day)), faults


def _faults(number: int, day: str, what: str, reason: str) -> Iterable[RowFault]:
    try:
        good = date.fromisoformat(day) >= COVER_FROM and len(day) == len("2027-01-01")
    except ValueError:
        good = False
    if not good:
        yield RowFault(number, "day", day[:40], "date")
    if what not in WHAT:
        yield RowFault(number, "what", what[:40], "codes", {"codes": ", ".join(WHAT)})
    if not reason:
        yield RowFault(number, "reason", "", "required")
    elif len(reason) > MAX_REASON:
        yield RowFault(number, "reason", f"{reason[:40]}…", "max_length", {"max": MAX_REASON})
    elif reason.startswith(_AS_A_SPREADSHEET_RUNS):
        yield RowFault(number, "reason", reason[:40], "formula", {"start": reason[0]})


def whole_year(year: int, named: Sequence[DecidedDay]) -> tuple[list[DecidedDay], list[RowFault]]:
    """A year of which the table names what differs from Monday to Friday: every other day is decided as the week has it."""
    beyond = [d for d in named if d.day.year != year]
    if beyond:
        return [], [RowFault(0, "day", d.day.isoformat(), "other_year", {"year": year}) for d in beyond]
    by_day = {d.day: d for d in named}
    first = date(year, 1, 1)
    days = dates(first, (date(year + 1, 1, 1) - first) // ONE_DAY)
    usual = {True: "Monday to Friday 周一至周五", False: "weekend 周末"}
    return [by_day.get(d) or DecidedDay(d, works := d.weekday() < _SATURDAY, usual[works]) for d in days], []
