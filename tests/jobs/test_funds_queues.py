"""Tracing by columns follows loans' money as the plain rule of custody.funds_paths does, over days that carry open lots."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from funds_kit import DAY, KINDS, PERSON, journal_of, move_of
from instance_kit import seeds

from custody.errors import StopRun
from custody.funds_paths import Leg, Lot, Way, trace
from jobs.reconcile.funds_queues import LEGS, LOTS, MOVE_COLUMNS, OPENING_COLUMNS, PERSON_COLUMNS, DayMoves, trace_day


def by_columns(rows: list[dict[str, Any]], opening: dict[str, int], lots: list[Lot], today: date) -> tuple[list[Leg], list[Lot]]:
    moves, balances, people = tables_of(rows, opening)
    before = pa.Table.from_pylist([{"platform": "P1", **lot._asdict()} for lot in lots], LOTS)
    traced = trace_day(today, before, day_of([moves.slice(start, 7) for start in range(0, moves.num_rows, 7)], balances, people))
    assert traced.legs.schema == LEGS and traced.lots.schema == LOTS
    assert set(traced.legs["platform"].to_pylist()) | set(traced.lots["platform"].to_pylist()) <= {"P1"}
    legs = [Leg(**{**row, "way": Way(row["way"])}) for row in traced.legs.drop_columns(["platform"]).to_pylist()]
    return sorted(legs, key=order), sorted(Lot(**row) for row in traced.lots.drop_columns(["platform"]).to_pylist())


def tables_of(rows: list[dict[str, Any]], opening: dict[str, int]) -> tuple[pa.Table, pa.Table, pa.Table]:
    """The day's moves, its balances and its people."""
    numbers = ("entry_no", "move_no", "amount_minor")
    schema = pa.schema([(name, pa.int64() if name in numbers else pa.string()) for name in MOVE_COLUMNS])
    balances = {
        "platform": ["P1"] * len(opening),
        "account": [f"{a}:available" for a in opening],
        "opening_minor": list(opening.values()),
    }
    people = {"platform": ["P1"] * len(PERSON), "sub_account": list(PERSON), "customer_id": list(PERSON.values())}
    types = (pa.string(), pa.string(), pa.int64())
    return (
        pa.Table.from_pylist(rows, schema),
        pa.table(balances, pa.schema(list(zip(OPENING_COLUMNS, types, strict=True)))),
        pa.table(people, pa.schema([(name, pa.string()) for name in PERSON_COLUMNS])),
    )


def day_of(moves: list[pa.Table], balances: pa.Table, people: pa.Table) -> DayMoves:
    return DayMoves(
        lambda columns: (piece.select(columns) for piece in moves),
        lambda _first, _last: [balances],
        lambda _first, _last: [people],
    )


def order(leg: Leg) -> tuple[Any, ...]:
    return (*leg[:5], leg.request_no or "", leg.target or "", leg.other_loan or "")


@pytest.mark.parametrize("seed", seeds(2), ids=lambda seed: f"seed{seed}")
def test_columns_trace_as_the_rule_says(seed: int) -> None:
    assert days_agree(seed) > 1, "the days are worth comparing"


def days_agree(seed: int) -> int:
    """Three days of one market traced by both; returns how many hops its money went."""
    rng, today = Random(seed), DAY
    held: dict[str, int] = dict.fromkeys(PERSON, 0)
    lots: list[Lot] = []
    hops = 0
    for number in range(1, 4):
        # Now and then longer than a card remembers.
        today += timedelta(days=rng.choice((1, 1, 2, 31)))
        accounts, loans = range(len(PERSON)), ("L1", "L2")
        drafts = [
            (rng.randrange(len(KINDS)), rng.choice(accounts), rng.choice(accounts), rng.randrange(1, 41), rng.choice(loans))
            for _ in range(80)
        ]
        opening = dict(held)
        rows = journal_of(drafts, held, number)
        legs, after = trace([move_of(row) for row in rows], lots, opening, today)
        assert by_columns(rows, opening, lots, today) == (sorted(legs, key=order), after)
        lots, hops = after, max([hops, *(leg.hop for leg in legs)])
    return hops


def of_platform(table: pa.Table, platform: str) -> pa.Table:
    """The same of a platform of another name."""
    columns = {
        name: pc.replace_substring_regex(table[name], "^P1", platform) if pa.types.is_string(table[name].type) else table[name]
        for name in table.column_names
    }
    return pa.table(columns, table.schema)


@pytest.mark.parametrize("share_rows", [1, 100, 10_000])
def test_platforms_are_traced_each_by_itself_in_shares_of_any_size(share_rows: int) -> None:
    held: dict[str, int] = dict.fromkeys(PERSON, 0)
    rng = Random(4)
    drafts = [(rng.randrange(len(KINDS)), rng.randrange(5), rng.randrange(5), rng.randrange(1, 41), "L1") for _ in range(120)]
    first = tables_of(journal_of(drafts, held, 1), dict.fromkeys(PERSON, 0))
    lots = trace_day(DAY, LOTS.empty_table(), day_of([first[0]], *first[1:])).lots
    opening = dict(held)
    moves, balances, people = tables_of(journal_of(drafts[::-1], held, 2), opening)
    alone = trace_day(DAY + timedelta(days=1), lots, day_of([moves], balances, people))
    assert alone.legs.num_rows > 30 and alone.lots.num_rows > 5
    names = ("P0", "P1", "P5", "P9")
    # P5 has lots and no moves today.
    pieces = [of_platform(moves, name).slice(start, 7) for name in names if name != "P5" for start in range(0, moves.num_rows, 7)]
    before, *snapshots = (pa.concat_tables([of_platform(table, name) for name in names]) for table in (lots, balances, people))
    whole = trace_day(DAY + timedelta(days=1), before, day_of(pieces, *snapshots), share_rows)
    for name in names:
        legs, after = (table.filter(pc.equal(table["platform"], name)) for table in (whole.legs, whole.lots))
        wanted = (
            (LEGS.empty_table(), of_platform(lots, name))
            if name == "P5"
            else (of_platform(alone.legs, name), of_platform(alone.lots, name))
        )
        assert [sorted(map(str, table.to_pylist())) for table in (legs, after)] == [
            sorted(map(str, t.to_pylist())) for t in wanted
        ]


def test_a_journal_in_which_a_platform_comes_back_is_refused() -> None:
    held: dict[str, int] = dict.fromkeys(PERSON, 0)
    moves, balances, people = tables_of(journal_of([(0, 3, 3, 10, "L1"), (2, 0, 0, 10, "L1")], held, 1), {})
    pieces = [of_platform(moves, name) for name in ("P1", "P2", "P1")]
    for journal in (pieces, [pa.concat_tables(pieces)]):
        with pytest.raises(StopRun, match="platforms must stand together"):
            trace_day(DAY, LOTS.empty_table(), day_of(journal, balances, people))
