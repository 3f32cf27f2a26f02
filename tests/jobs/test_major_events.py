"""What the regulator hears of at once: money that is short, customers who run, platforms that do not answer; and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa

from custody.names import BreakKind, PartyKind
from jobs.reference import Reference
from jobs.reporting.made import MadeTables
from jobs.step import StepContext
from reports.definition import load_definition
from reports.periods import parse_period

ON = date(2019, 12, 31)
OCCASION = load_definition("major_event").occasion
assert OCCASION is not None
LIMITS = OCCASION.figures
Rows = Sequence[Mapping[str, Any]]


class Day:
    """The sealed tables of one date, as a step's context gives them."""

    def __init__(self, **tables: Rows) -> None:
        self.tables = tables

    def rows(self, step: str, table: str, on: date) -> Rows:
        assert on == ON
        return self.tables.get(table, [])

    def table(self, step: str, table: str, on: date, columns: Sequence[str]) -> pa.Table | None:
        found = self.tables.get(table)
        return pa.table({name: [row[name] for row in found] for name in columns}) if found else None


def events(**tables: Rows) -> list[tuple[str, str, int | None, int | None, int]]:
    parties = {"P001": {"kind": PartyKind.PLATFORM}, "P002": {"kind": PartyKind.PLATFORM}, "CH01": {"kind": PartyKind.CHANNEL}}
    reference = cast(Reference, SimpleNamespace(parties=parties))
    made = MadeTables(cast(StepContext, Day(**tables)), reference, parse_period(ON.isoformat()), LIMITS)
    return [(r["platform"], r["event"], r["amount_minor"], r["share"], r["days"]) for r in made["major_events"].to_pylist()]


def broken(kind: BreakKind, amount_minor: int, as_of: date = ON) -> dict[str, Any]:
    return {"platform": "P001", "kind": str(kind), "subject": "s", "amount_minor": amount_minor, "as_of": as_of}


def test_a_sound_day_has_none() -> None:
    assert events() == []
    assert events(breaks=[broken(BreakKind.AMOUNT, 10**12)]) == []


def test_a_shortfall_of_any_amount_and_books_that_are_far_apart() -> None:
    least = LIMITS["apart_least_minor"]
    assert events(breaks=[broken(BreakKind.SHORTFALL, 1, date(2019, 12, 29))]) == [("P001", "SHORTFALL", 1, None, 2)]
    assert events(breaks=[broken(BreakKind.INV_01, least)]) == [("P001", "SHORTFALL", least, None, 0)]
    assert events(breaks=[broken(BreakKind.INV_01, least - 1)]) == []


def run(withdrawn: int, held: int, outcome: str = "POSTED") -> list[tuple[str, str, int | None, int | None, int]]:
    legs = [{"platform": "P002", "txn_type": "WITHDRAW", "outcome": outcome, "amount_minor": part} for part in (1, withdrawn - 1)]
    balances = [
        {"platform": "P002", "account": "P002.LENDER.U1:available", "opening_minor": held},
        # What is no customer's does not count.
        {"platform": "P002", "account": "P002:P_INCOME", "opening_minor": 10**13},
    ]
    return events(ledger_txn=legs, balances=balances)


def test_customers_run_when_much_of_what_they_held_leaves_on_one_date() -> None:
    share, least = LIMITS["run_share"], LIMITS["run_least_minor"]
    held = least * 10_000 // share
    assert run(least, held) == [("P002", "RUN", least, share, 0)]
    assert run(least - 1, held) == []
    assert run(least, held + held // 100) == []
    assert run(least, held, "REFUSED") == []
    # From nothing no share can be taken.
    assert run(least, 0) == []


def missing(party: str, on: date, outcome: str = "EXPECTED") -> dict[str, Any]:
    return {"party": party, "file_type": "TXN", "custody_date": on, "outcome": outcome}


def test_a_platform_is_lost_when_its_files_have_been_missing_for_days() -> None:
    first, second = date(2019, 12, 28), date(2019, 12, 29)
    assert events(file_outcomes=[missing("P001", first), missing("P001", second)]) == [("P001", "LOST_CONTACT", None, None, 3)]
    assert events(file_outcomes=[missing("P001", second), missing("CH01", first), missing("P001", first, "LANDED")]) == []
