"""In whatever shares a day is looked at, it is the same; and when each customer last did anything is known although a day tells it of a
sixteenth of them alone."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.lake import Lake
from connectors.lake_files import lake_files
from connectors.lease import DAY_LEASE, Lease
from custody.errors import StopRun
from custody.ports import Row
from custody.services.outputs import Seal
from custody.steps import StepRef
from jobs.compliance.acts import LAST_ACTS, TURNS, last_told, told_anew, told_before, whose_turn
from jobs.compliance.shares import id_ranges, of_platforms, together
from jobs.step import StepContext

if TYPE_CHECKING:
    from connectors.bootstrap import Wiring

FIRST = date(2020, 1, 1)


def rows_of_platforms(platforms: list[str]) -> pa.Table:
    return pa.table({"platform": pa.array(platforms, pa.string()), "n": pa.array(range(len(platforms)), pa.int64())})


def cut(table: pa.Table, size: int) -> list[pa.Table]:
    return [table.slice(at, size) for at in range(0, table.num_rows, size)]


@given(st.lists(st.sampled_from(("P1", "P2", "P3", "P4")), max_size=30).map(sorted), st.integers(1, 9), st.integers(1, 40))
def test_a_share_has_its_platforms_whole(platforms: list[str], piece: int, share_rows: int) -> None:
    whole = rows_of_platforms(platforms)
    shares = list(of_platforms(cut(whole, piece), share_rows))
    assert [n for _, share in shares for n in share["n"].to_pylist()] == list(range(len(platforms)))
    of = [set(share["platform"].to_pylist()) for _, share in shares]
    assert sum(len(names) for names in of) == len(set(platforms))
    assert [upto for upto, _ in shares] == [max(names) for names in of]
    put = list(together(cut(whole, piece), share_rows))
    assert all(some.num_rows >= share_rows for some in put[:-1])
    assert [n for some in put for n in some["n"].to_pylist()] == list(range(len(platforms)))


def test_a_platform_that_does_not_stand_together_is_refused() -> None:
    for pieces in (["P1", "P2", "P1"], ["P2"], ["P1"]), (["P2"], ["P1"]), (["P1", "P2", "P1"],):
        with pytest.raises(StopRun, match="platforms must stand together"):
            list(of_platforms([rows_of_platforms(piece) for piece in pieces], 1))


@given(st.lists(st.text(max_size=3), max_size=9), st.sampled_from((1, 3, 16, 256)))
def test_every_text_lies_in_one_range(texts: list[str], count: int) -> None:
    ids = pa.array([text.encode("utf-8", "replace").decode() for text in texts], pa.string())
    held = [pc.cast(among.holds(ids), pa.int64()).to_pylist() for among in id_ranges(count)]
    assert [sum(of) for of in zip(*held, strict=True)] == [1] * len(texts)


CUSTOMERS = ("00aa", "1f00", "7e11", "7e12", "c000", "ffff", "somebody")
DAYS = 40


class _Days:
    """Days of compliance as the step sees them, of a lake in a folder: what each sealed of last acts, and nothing else."""

    def __init__(self, folder: Path) -> None:
        self._lake = Lake(lake_files(f"file://{folder}", folder))
        self._seals: dict[StepRef, Seal] = {}

    def context(self, on: date) -> StepContext:
        wiring, lease = SimpleNamespace(lake=self._lake), Lease(DAY_LEASE, "test", 0)
        return StepContext(cast("Wiring", wiring), on, dict(self._seals), lease)

    def seal(self, on: date, table: pa.Table) -> None:
        path = self._lake.relative(on, "compliance", on.isoformat(), 1)
        writer = self._lake.writer(path)
        writer.table("last_acts", table)
        self._seals[StepRef(on, "compliance")] = Seal(on, "compliance", 1, writer.finish().digest, path)

    def sealed(self, on: date) -> list[Row]:
        return self._lake.rows(self._seals[StepRef(on, "compliance")].path, "last_acts")


# Each day is written to a lake on the disk and read there by bounds.
@settings(max_examples=settings().max_examples // 4)
@given(
    st.lists(st.tuples(st.integers(0, DAYS - 1), st.sampled_from(CUSTOMERS), st.integers(0, 3)), max_size=40),
    st.one_of(st.none(), st.integers(0, DAYS - 1)),
)
def test_last_acts_are_what_each_day_of_all_would_tell(acts: list[tuple[int, str, int]], whole_until: int | None) -> None:
    """``acts``: the day that posted it, who, how many days earlier by value. ``whole_until``: up to then an earlier program sealed the
    days, which told of everybody each day."""
    posted: dict[date, list[tuple[str, date]]] = defaultdict(list)
    for day, customer, earlier in acts:
        on = FIRST + timedelta(days=day)
        posted[on].append((customer, on - timedelta(days=earlier)))
    with tempfile.TemporaryDirectory() as folder:
        _live(_Days(Path(folder)), posted, whole_until)


def _live(days: _Days, posted: Mapping[date, list[tuple[str, date]]], whole_until: int | None) -> None:
    known: dict[str, date] = {}
    for n in range(DAYS):
        on = FIRST + timedelta(days=n)
        context = days.context(on)
        since = [on - timedelta(days=back) for back in range(min(n, TURNS - 1), 0, -1)]
        # As the step does: what was told, and what was posted on the days since, says all that is known.
        for among in id_ranges(2) if on.toordinal() % 3 else ():
            told = last_told(context, among, pa.array(CUSTOMERS, pa.string()))
            mine = [c for c in CUSTOMERS if among.has(c)]
            found = told_anew(told, _acts((c, d) for day in since for c, d in posted.get(day, ()) if c in mine)).to_pylist()
            assert {r["customer_id"]: r["last_on"] for r in found if r["customer_id"] in mine} == {
                c: d for c, d in known.items() if c in mine
            }
        for customer, when in posted.get(on, ()):
            known[customer] = max(when, known.get(customer, when))
        if whole_until is not None and n <= whole_until:
            days.seal(on, _acts(known.items()))
            continue
        turn = whose_turn(on)
        did = _acts((c, d) for day in [*since, on] for c, d in posted.get(day, ()))
        days.seal(on, told_anew(told_before(context), did.filter(turn.holds(did["customer_id"]))))
        mine = [c for c in known if turn.has(c)]
        assert {r["customer_id"]: r["last_on"] for r in days.sealed(on)} == {c: known[c] for c in mine}


def _acts(rows: Any) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(LAST_ACTS.names, row, strict=True)) for row in rows], LAST_ACTS)
