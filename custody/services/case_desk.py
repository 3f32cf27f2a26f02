"""How the desk finds its cases: by what they are, whose they are and when they are due; and what comes next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date

from custody.calendar import ONE_DAY
from custody.case_life import OPEN
from custody.errors import UsageError
from custody.ports import RegisterTx, Row, Within

# The orders in which a list may be asked for, as custody.ports.RegisterTx.page; the first is the desk's own: what is due first, then what weighs
# most. (A case of before due dates were kept has none, and stands last.)
ORDERS: dict[str, tuple[str, ...]] = {
    "urgency": ("due_on", "-severity", "-amount_minor", "case_id"),
    "severity": ("-severity", "-amount_minor", "case_id"),
    "amount": ("-amount_minor", "case_id"),
    "age": ("opened_on", "case_id"),
    "kind": ("kind", "platform", "case_id"),
    "platform": ("platform", "due_on", "case_id"),
    "owner": ("owner", "due_on", "case_id"),
}
# More than a register's column counts.
_ALL = 2**31 - 1


@dataclass(frozen=True)
class CaseFilter:
    """Empty: any. ``cause`` is a cause's word; ``owner`` "-" means nobody's; ``overdue`` and ``min_age_days`` count to the last date
    that was reconciled."""

    platform: str = ""
    state: str = OPEN
    kind: str = ""
    severity: str = ""
    owner: str = ""
    cause: str = ""
    overdue: bool = False
    min_age_days: int = 0


NOBODY = "-"


def standing_on(tx: RegisterTx) -> date | None:
    """The last custody date that was reconciled: what cases stand as of. None before the first."""
    return max((row["custody_date"] for row in tx.find("step_output", step="reconcile")), default=None)


def find_cases(tx: RegisterTx, wanted: CaseFilter, sort: str = "urgency") -> list[Row]:
    """Raises UsageError for an order that there is none."""
    if sort not in ORDERS:
        raise UsageError(f"{sort!r} is no order of cases: write one of {', '.join(ORDERS)}")
    on = standing_on(tx)
    equals = columns_wanted(wanted, on)
    rows = tx.page("recon_case", ORDERS[sort], 0, _ALL, **equals) if equals is not None else []
    return [row for row in rows if not wanted.min_age_days or age_days(row, on) >= wanted.min_age_days]


def columns_wanted(wanted: CaseFilter, on: date | None) -> dict[str, object] | None:
    """What the register's columns must have, standing on a date, but for the least age; None where no case can be so."""
    equals: dict[str, object] = {
        name: value for name in ("platform", "state", "kind", "severity", "owner") if (value := getattr(wanted, name))
    }
    if wanted.owner == NOBODY:
        equals["owner"] = None
    if wanted.cause:
        # The word alone, or with figures behind a colon.
        equals["cause"] = Within(wanted.cause, f"{wanted.cause}:{_LAST}")
    if wanted.overdue:
        if on is None or wanted.state not in ("", OPEN):
            return None
        equals |= {"state": OPEN, "due_on": Within(last=on - ONE_DAY)}
    return equals


# The last character that there is.
_LAST = chr(0x10FFFF)


@dataclass(frozen=True)
class CaseCounts:
    """Of the cases of a list: all, those past their last day, those of nobody, and what they amount to."""

    cases: int = 0
    overdue: int = 0
    unowned: int = 0
    amount_minor: int = 0


def count_cases(tx: RegisterTx, wanted: CaseFilter) -> CaseCounts:
    """Without their least age."""
    on = standing_on(tx)
    equals, late = columns_wanted(wanted, on), columns_wanted(replace(wanted, overdue=True), on)
    if equals is None:
        return CaseCounts()

    def counted(columns: Mapping[str, object]) -> int:
        return sum(tx.count("recon_case", ["state"], **columns).values())

    every = counted(equals)
    overdue = counted(late) if late is not None else 0
    unowned = counted({**equals, "owner": None}) if wanted.owner in ("", NOBODY) else 0
    return CaseCounts(every, overdue, unowned, tx.total("recon_case", "amount_minor", **equals))


def is_overdue(row: Row, on: date | None) -> bool:
    """Whether an open case's last day is past on a date."""
    return on is not None and row["state"] == OPEN and row["due_on"] is not None and row["due_on"] < on


def age_days(row: Row, on: date | None) -> int:
    """Calendar days for which it has stood, or stood until it was closed."""
    opened: date = row["opened_on"]
    end: date = row["closed_on"] or on or opened
    return max(0, (end - opened).days)


def next_case(rows: Iterable[Row], actor: str, after: str = "") -> Row | None:
    """Of cases in the order of urgency the first open one that is the actor's or nobody's, but for the one he is at; None when there is none."""
    return next((r for r in rows if r["state"] == OPEN and r["owner"] in (None, actor) and r["case_id"] != after), None)
