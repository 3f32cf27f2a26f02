"""The batch suites: Great Expectations says of any figures what the step's own ranges say, and the files say what they mean."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.lake import table_of
from console.data_docs import MEASURES
from custody.texts import RULES
from jobs.expectations import verdicts_on
from schemas.expectations import BatchSuite, batch_suites
from schemas.layout import all_layouts
from schemas.tables import TABLES

BATCH = TABLES["batch_statistics"]
BY_NAME = {suite.file_type: suite for suite in batch_suites()}


def _row(suite: BatchSuite, number: int, figures: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = {"text": "", "int": 0, "bool": True, "date": date(2020, 1, 6), "time": None}
    row = {column.name: None if column.nullable else plain[column.type] for column in BATCH.columns}
    return {**row, "party": f"P{number:03d}", "file_type": suite.file_type, **figures}


@st.composite
def batches(draw: st.DrawFn) -> tuple[BatchSuite, list[dict[str, Any]]]:
    """Figures on, just inside, just outside and far from each bound, and none where there may be none."""
    suite = BY_NAME[draw(st.sampled_from(sorted(BY_NAME)))]
    figures = {}
    for column in sorted({e.column for e in suite.expectations}):
        bounds = [b for e in suite.expectations if e.column == column for b in (e.at_least, e.at_most) if b is not None]
        values = st.sampled_from([b + d for b in bounds for d in (-1, 0, 1)]) | st.integers(0, 10**15)
        nullable = next(c.nullable for c in BATCH.columns if c.name == column)
        figures[column] = values | st.none() if nullable else values
    rows = draw(st.lists(st.fixed_dictionaries(figures), max_size=8))
    return suite, [_row(suite, number, row) for number, row in enumerate(rows)]


@given(batches())
@settings(max_examples=20, deadline=None)
def test_great_expectations_and_the_ranges_say_the_same(found: tuple[BatchSuite, list[dict[str, Any]]]) -> None:
    suite, rows = found
    for verdict in verdicts_on(suite, table_of(BATCH, rows)):
        one = verdict.expectation
        assert [r["party"] for r in verdict.outside] == [r["party"] for r in rows if not one.is_met_by(r[one.column])], one
        assert verdict.judged == sum(r[one.column] is not None for r in rows)


@pytest.mark.parametrize("suite", batch_suites(), ids=lambda suite: suite.file_type)
def test_a_suite_says_what_it_means(suite: BatchSuite) -> None:
    landed = TABLES[suite.table]
    assert {*suite.key, *suite.optional} <= set(landed.names)
    assert {name for name in (suite.by, suite.amount, suite.time) if name} <= set(landed.names)
    assert any(layout.key == suite.key for layout in all_layouts().values() if layout.file_type == suite.file_type)
    ranges = [(e.column, e.at_least, e.at_most) for e in suite.expectations]
    assert len(set(ranges)) == len(ranges)
    for one, raw in zip(suite.expectations, suite.raw, strict=True):
        assert one.column in BATCH.names and one.column in MEASURES and one.rule in RULES
        assert (one.at_least, one.at_most) != (None, None)
        assert raw["severity"] == {"fail": "critical", "warn": "warning"}[one.severity]
    for rule in {e.rule for e in suite.expectations}:
        fail, warn = ([e for e in suite.expectations if (e.rule, e.severity) == (rule, s)] for s in ("fail", "warn"))
        assert len(fail) <= 1 and len(warn) <= 1
        # What fails also warns: a bound of fail lies outside that of warn.
        for f, w in [(f, w) for f in fail for w in warn if f.column == w.column]:
            assert f.at_least is None or (w.at_least is not None and f.at_least < w.at_least)
            assert f.at_most is None or (w.at_most is not None and f.at_most > w.at_most)
