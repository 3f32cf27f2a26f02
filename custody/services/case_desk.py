"""How the desk finds its cases: by what they are, whose they are and when they are due; and what comes next."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from custody.case_life import OPEN
from custody.errors import UsageError
from custody.match_rules import LEVELS
from custody.ports import RegisterTx, Row

# The order in which a list may be asked for; the first is the desk's own: what is due first, then what weighs most.
SORTS: dict[str, Callable[[Row], Any]] = {
    "urgency": lambda r: (_due(r), -LEVELS.index(r["severity"]), -r["amount_minor"], r["case_id"]),
    "severity": lambda r: (-LEVELS.index(r["severity"]), -r["amount_minor"], r["case_id"]),
    "amount": lambda r: (-r["amount_minor"], r["case_id"]),
    "age": lambda r: (r["opened_on"], r["case_id"]),
    "kind": lambda r: (r["kind"], r["platform"], r["case_id"]),
    "platform": lambda r: (r["platform"], _due(r), r["case_id"]),
    "owner": lambda r: (r["owner"] or "", _due(r), r["case_id"]),
}


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
    if sort not in SORTS:
        raise UsageError(f"{sort!r} is no order of cases: write one of {', '.join(SORTS)}")
    equals: dict[str, object] = {
        name: value for name in ("platform", "state", "kind", "severity") if (value := getattr(wanted, name))
    }
    on = standing_on(tx)
    rows = tx.find("recon_case", (), **equals)
    return sorted((row for row in rows if _is_wanted(row, wanted, on)), key=SORTS[sort])


def _is_wanted(row: Row, wanted: CaseFilter, on: date | None) -> bool:
    if wanted.owner and (row["owner"] or NOBODY) != wanted.owner:
        return False
    if wanted.cause and (row["cause"] or "").partition(":")[0] != wanted.cause:
        return False
    if wanted.overdue and not is_overdue(row, on):
        return False
    return not wanted.min_age_days or age_days(row, on) >= wanted.min_age_days


def is_overdue(row: Row, on: date | None) -> bool:
    """Whether an open case's last day is past on a date."""
    return on is not None and row["state"] == OPEN and row["due_on"] is not None and row["due_on"] < on


def age_days(row: Row, on: date | None) -> int:
    """Calendar days for which it has stood, or stood until it was closed."""
    opened: date = row["opened_on"]
    end: date = row["closed_on"] or on or opened
    return max(0, (end - opened).days)


def next_case(rows: Iterable[Row], actor: str, after: str = "") -> Row | None:
    """The most urgent open case that is the actor's or nobody's, but for the one he is at; None when there is none."""
    mine = [r for r in rows if r["state"] == OPEN and r["owner"] in (None, actor) and r["case_id"] != after]
    return min(mine, key=SORTS["urgency"], default=None)


def _due(row: Row) -> date:
    return row["due_on"] or date.max
