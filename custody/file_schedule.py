"""When an organisation's files are due, as its contract says it (domain.md §5, §10).

A contract's ``schedule`` names, for each file type that has terms of its own: ``days`` of which a file is due, ``batches`` through
the day, each with the ``cut_off`` up to which it covers the date and the moment by which it is ``due``, and ``grace_minutes``
before the bank calls it missing. All clocks are UTC+8; ``24:00`` is the date's end. A due moment is written as banks write it:
``D 12:30`` and ``D+1 01:00`` count calendar days from the custody date, ``T+1 10:00`` bank business days after it, which is how a
channel's settlement cycle is said: what it settles over a holiday is due on the business day after.

A type without terms of its own has the USUAL ones. Pure: nothing here reads the register or a clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from typing import Any

from custody.calendar import CHINA, ONE_DAY, SettlementCalendar, at, month_end
from custody.disclosure import DUE_WITHIN_BUSINESS_DAYS
from custody.names import MONTHLY, FileType

# How long after its end a custody date is cut off (dags/custody_day plans it by this): what is due later than that is no late file
# of that day yet.
SETTLED_AFTER = timedelta(hours=2)
# A file's name has two digits for its batch.
MAX_BATCHES = 99
_MAX_GRACE_MINUTES = 24 * 60
_CLOCK = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00")
_DUE = re.compile(rf"(?:D(?:\+(?P<days>[1-9][0-9]?))?|T\+(?P<business>[1-9][0-9]?)) (?P<clock>{_CLOCK.pattern})")
# What of each date is posted, or compared movement by movement: without it the date cannot be judged.
_OF_EVERY_DATE = frozenset(
    {
        FileType.TXN,
        FileType.SETTLEMENT,
        FileType.INSTRUCTION,
        FileType.MANDATE,
        FileType.LEGAL_ORDER,
        FileType.CUSTOMER,
        FileType.LOAN,
    }
)


class Days(StrEnum):
    """Of which custody dates a file is due."""

    EVERY_DAY = "every_day"
    BUSINESS_DAYS = "business_days"
    MONTH_END = "month_end"


@dataclass(frozen=True)
class BatchTerms:
    """One batch of a date, as the contract writes it."""

    cut_off: str
    due: str


@dataclass(frozen=True)
class FileTerms:
    """When one file type of a contract is due."""

    days: Days
    batches: tuple[BatchTerms, ...]
    grace_minutes: int

    def has(self, custody_date: date, calendar: SettlementCalendar) -> bool:
        """Whether a file of this date is due at all."""
        if self.days == Days.BUSINESS_DAYS:
            return calendar.is_business_day(custody_date)
        return self.days == Days.EVERY_DAY or custody_date == month_end(custody_date)


@dataclass(frozen=True, order=True)
class ExpectedFile:
    """One file that a contract promises. It covers the date up to ``cut_off_at``, is to be here by ``due_at``, and is called missing
    from ``missing_from`` on."""

    party: str
    file_type: str
    custody_date: date
    batch: int
    cut_off_at: datetime
    due_at: datetime
    missing_from: datetime


# Each date whole, an hour after its end; what is published of a month within five business days (domain.md §9).
USUAL = FileTerms(Days.EVERY_DAY, (BatchTerms("24:00", "D+1 01:00"),), 30)
USUAL_MONTHLY = FileTerms(Days.MONTH_END, (BatchTerms("24:00", f"T+{DUE_WITHIN_BUSINESS_DAYS} 24:00"),), 0)


def terms_of(contract: Mapping[str, Any], file_type: str) -> FileTerms:
    """Of a type that the contract asks for. The contract holds by ``schedule_faults``."""
    stated = contract.get("schedule", {}).get(file_type)
    if stated is None:
        return USUAL_MONTHLY if file_type in MONTHLY else USUAL
    batches = tuple(BatchTerms(batch["cut_off"], batch["due"]) for batch in stated["batches"])
    return FileTerms(Days(stated["days"]), batches, stated["grace_minutes"])


def scheduled_types(contract: Mapping[str, Any]) -> list[str]:
    """The types that some date is not complete without."""
    return [*contract["file_types"], *sorted(MONTHLY & set(contract["layouts"]))]


def expected_on(
    party: str, contract: Mapping[str, Any], custody_date: date, calendar: SettlementCalendar
) -> Iterator[ExpectedFile]:
    """What a contract promises of one custody date, by type and batch. Raises CalendarUnknown."""
    for file_type in scheduled_types(contract):
        terms = terms_of(contract, file_type)
        if terms.has(custody_date, calendar):
            for number, batch in enumerate(terms.batches, start=1):
                due_at = moment(batch.due, custody_date, calendar)
                grace = timedelta(minutes=terms.grace_minutes)
                yield ExpectedFile(
                    party, file_type, custody_date, number, _clock(custody_date, batch.cut_off), due_at, due_at + grace
                )


def is_due_with(
    contract: Mapping[str, Any], file_type: str, custody_date: date, today: date, calendar: SettlementCalendar
) -> bool:
    """Whether a type of ``custody_date`` is to be there, in its last batch, when ``today`` is cut off."""
    last = terms_of(contract, file_type).batches[-1]
    return moment(last.due, custody_date, calendar) <= at(today + ONE_DAY, time(0, 0)) + SETTLED_AFTER


def moment(due: str, custody_date: date, calendar: SettlementCalendar) -> datetime:
    """The moment that a text such as ``D+1 01:00`` or ``T+1 10:00`` names for a custody date. Raises CalendarUnknown."""
    days, business_days, clock = _parts(due)
    on = calendar.add_business_days(custody_date, business_days) if business_days else custody_date + timedelta(days=days)
    return _clock(on, clock)


def in_words(terms: FileTerms) -> str:
    """As the contract writes it, in one line."""
    batches = ", ".join(f"{batch.cut_off} → {batch.due}" for batch in terms.batches)
    return f"{terms.days}: {batches}; +{terms.grace_minutes} min"


def schedule_faults(schedule: object, scheduled: Sequence[str]) -> list[str]:
    """What is wrong with a contract's ``schedule``, in words; ``scheduled``: the types that it may name."""
    if not isinstance(schedule, Mapping):
        return ["schedule must be an object: file type -> days, batches, grace_minutes"]
    faults = []
    for file_type, terms in schedule.items():
        if file_type not in scheduled:
            faults.append(f"schedule has {file_type}, which the contract does not ask for")
        elif not isinstance(terms, Mapping) or set(terms) != {"days", "batches", "grace_minutes"}:
            faults.append(f"schedule of {file_type} must have days, batches and grace_minutes, and nothing else")
        else:
            faults += [f"schedule of {file_type}: {fault}" for fault in _terms_faults(file_type, terms)]
    return faults


def _terms_faults(file_type: str, terms: Mapping[str, Any]) -> Iterator[str]:
    days, batches, grace = terms["days"], terms["batches"], terms["grace_minutes"]
    if days not in list(Days):
        yield f"days must be one of {', '.join(Days)}, not {days!r}"
    elif file_type in _OF_EVERY_DATE and days != Days.EVERY_DAY:
        yield f"days must be {Days.EVERY_DAY}: no custody date can be judged without it"
    elif file_type in MONTHLY and days != Days.MONTH_END:
        yield f"days must be {Days.MONTH_END}: it says something of a month"
    if isinstance(grace, bool) or not isinstance(grace, int) or not 0 <= grace <= _MAX_GRACE_MINUTES:
        yield f"grace_minutes must be a whole number from 0 to {_MAX_GRACE_MINUTES}, not {grace!r}"
    if not isinstance(batches, list) or not 1 <= len(batches) <= MAX_BATCHES:
        yield f"batches must be a list of 1 to {MAX_BATCHES}"
        return
    before = ""
    for number, batch in enumerate(batches, start=1):
        if not isinstance(batch, Mapping) or set(batch) != {"cut_off", "due"}:
            yield f"batch {number} must have cut_off and due, and nothing else"
            return
        cut_off, due = batch["cut_off"], batch["due"]
        if not (isinstance(cut_off, str) and _CLOCK.fullmatch(cut_off) and cut_off > "00:00"):
            yield f"cut_off of batch {number} must be HH:MM from 00:01 to 24:00, not {cut_off!r}"
            return
        if cut_off <= before:
            yield f"cut_off of batch {number} must be later than the one before it"
        before = cut_off
        if not (isinstance(due, str) and _DUE.fullmatch(due)):
            yield f"due of batch {number} must be such as 'D 12:30', 'D+1 01:00' or 'T+1 10:00', not {due!r}"
        elif _parts(due)[:2] == (0, 0) and _parts(due)[2] < cut_off:
            yield f"batch {number} is due before its own cut-off"


@cache
def _parts(due: str) -> tuple[int, int, str]:
    """(calendar days, bank business days, clock)"""
    found = _DUE.fullmatch(due)
    if found is None:
        raise ValueError(f"{due!r} names no due moment")
    return int(found["days"] or 0), int(found["business"] or 0), found["clock"]


def _clock(on: date, clock: str) -> datetime:
    """An HH:MM of a date in UTC+8; 24:00 is the next date's beginning."""
    hours, minutes = int(clock[:2]), int(clock[3:])
    return datetime.combine(on, time(0, 0), tzinfo=CHINA) + timedelta(hours=hours, minutes=minutes)
