"""Great Expectations over a day's committed tables: a second opinion, and what Data Docs are made of.

Over landed and posted tables it looks for what the writer should never have let through, in the Parquet as it lies in the
lake, not as the schema would have it. Over ``batch_statistics`` it judges what ``validate`` judged, one validation for each file
type over all parties. Suites are schemas.expectations.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from custody.errors import OutOfOrder, StopRun
from custody.ports import Row
from custody.services.outputs import latest_seal
from schemas.expectations import BatchExpectation, BatchSuite, Suite, batch_suites, suites
from schemas.tables import TABLES

if TYPE_CHECKING:
    from connectors.bootstrap import Wiring

_EXAMPLES = 3
_COLUMN_SET = "expect_table_columns_to_match_set"
_WORDS = {
    _COLUMN_SET: ("columns are missing or unknown", "列缺失或多余"),
    "expect_column_values_to_not_be_null": ("values are null", "存在空值"),
    "expect_column_values_to_be_between": ("values are out of range", "取值超出范围"),
    "expect_column_values_to_be_in_set": ("values are unknown", "取值不在允许范围内"),
    "expect_column_values_to_match_regex": ("values are malformed", "取值格式不符"),
    "expect_column_values_to_be_unique": ("rows repeat a key", "主键重复"),
    "expect_compound_columns_to_be_unique": ("rows repeat a key", "主键重复"),
}


@dataclass(frozen=True)
class Unexpected:
    """One expectation that one table does not meet. ``column`` joins a key's columns with ``+``; ``examples`` (at most
    three) give a row's key and the value, or a column's name."""

    suite: str
    expectation: str
    column: str
    count: int
    examples: tuple[str, ...]

    @property
    def words(self) -> tuple[str, str]:
        """(English, Chinese)"""
        return _WORDS[self.expectation]


@dataclass(frozen=True)
class Verdict:
    """What Great Expectations says of one expectation. ``judged``: batches that have the figure; ``outside``: the rows of
    ``batch_statistics`` that do not meet it."""

    expectation: BatchExpectation
    judged: int
    outside: tuple[Row, ...]


@dataclass(frozen=True)
class BatchDay:
    """One file type's batches of one day: their rows of ``batch_statistics``, the verdicts, and what the day sealed as findings."""

    suite: BatchSuite
    rows: tuple[Row, ...]
    verdicts: tuple[Verdict, ...]
    findings: tuple[Row, ...]

    @property
    def without_history(self) -> int:
        """Batches that could not be compared with the usual, which nobody knows yet."""
        return sum(row["usual_rows"] is None for row in self.rows)


def check_batches(wiring: Wiring, custody_date: date) -> list[BatchDay]:
    """Validate the day's sealed batch statistics, one file type after the other.

    Raises OutOfOrder when ``validate`` is not committed, StopRun when an expectation cannot be evaluated, or when Great
    Expectations finds other batches than the day's sealed findings name.
    """
    path = _path(wiring, custody_date, "validate")
    table = wiring.lake.read(path, "batch_statistics")
    sealed = wiring.lake.rows(path, "batch_findings")
    return [_batch_day(suite, table, [f for f in sealed if f["file_type"] == suite.file_type]) for suite in batch_suites()]


def _batch_day(suite: BatchSuite, table: pa.Table, sealed: Sequence[Row]) -> BatchDay:
    of_type = table.filter(pc.equal(table["file_type"], suite.file_type))
    verdicts = verdicts_on(suite, of_type)
    told = {(row["party"], row["custody_date"], v.expectation.rule) for v in verdicts for row in v.outside}
    if told != {(f["party"], f["custody_date"], f["rule"]) for f in sealed}:
        raise StopRun(f"Great Expectations judges the {suite.file_type} batches otherwise than the day's sealed findings do")
    return BatchDay(suite, tuple(of_type.to_pylist()), verdicts, tuple(sealed))


def verdicts_on(suite: BatchSuite, table: pa.Table) -> tuple[Verdict, ...]:
    """Great Expectations' verdict on each expectation; ``table`` is ``batch_statistics`` of the suite's file type."""
    shown = {"result_format": "COMPLETE"}
    results = {_range(r["expectation_config"]["kwargs"]): r for r in _validate(suite.table, suite.raw, table, shown)}
    found = []
    for expectation in suite.expectations:
        result = results[expectation.column, expectation.at_least, expectation.at_most]
        met = _is_met(suite.table, result)
        outside = () if met else tuple(table.take(result["result"]["unexpected_index_list"]).to_pylist())
        found.append(Verdict(expectation, table.num_rows - table[expectation.column].null_count, outside))
    return tuple(found)


def _range(arguments: Mapping[str, Any]) -> tuple[str, float | None, float | None]:
    return arguments["column"], arguments.get("min_value"), arguments.get("max_value")


def check_tables(wiring: Wiring, custody_date: date, steps: Sequence[str] = ()) -> list[Unexpected]:
    """Check the latest committed tables of one custody date, of all steps that have suites or of those named.

    Raises OutOfOrder when such a step is not committed, StopRun when an expectation cannot be evaluated.
    """
    wanted = [suite for suite in suites() if not steps or suite.step in steps]
    found: list[Unexpected] = []
    for suite in wanted:
        found += check_table(suite, wiring.lake.read_as_it_lies(_path(wiring, custody_date, suite.step), suite.table))
    return found


def _path(wiring: Wiring, custody_date: date, step: str) -> str:
    with wiring.register.transaction() as tx:
        seal = latest_seal(tx, custody_date, step)
    if seal is None:
        raise OutOfOrder(f"{step} of {custody_date} is not committed: there is nothing to check yet")
    return seal.path


def check_table(suite: Suite, table: pa.Table) -> list[Unexpected]:
    """What of the suite the table does not meet. A table with other columns is told only that."""
    expected = [{"type": type_, "kwargs": dict(arguments)} for type_, arguments in suite.expectations]
    shown = {"result_format": "SUMMARY", "partial_unexpected_count": _EXAMPLES}
    results = _validate(suite.table, expected, table, shown)
    if table.num_columns and set(table.column_names) != set(TABLES[suite.table].names):
        # Whatever else was expected of a column that is not there cannot be answered.
        results = [result for result in results if result["expectation_config"]["type"] == _COLUMN_SET]
    return [_unexpected(suite, table, result) for result in results if not _is_met(suite.table, result)]


def _validate(
    name: str, expected: Sequence[Mapping[str, Any]], table: pa.Table, shown: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """A result for each expectation, in their order. ``shown``: Great Expectations' result format."""
    # Read at import: nothing of ours is told to anybody.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    import pandas as pd

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    asset = context.data_sources.add_pandas("lake").add_dataframe_asset(name)
    # Whole numbers stay whole where some are null; pandas would make them floats.
    frame = table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch(batch_parameters={"dataframe": frame})
    suite = gx.ExpectationSuite(name=name, expectations=[dict(one) for one in expected])
    validated = batch.validate(suite, result_format=dict(shown))
    results: list[dict[str, Any]] = validated.to_json_dict()["results"]
    return results


def _is_met(table: str, result: Mapping[str, Any]) -> bool:
    raised = result["exception_info"]
    if raised.get("raised_exception", True):
        told = raised.get("exception_message") or next(iter(raised.values()))["exception_message"]
        raise StopRun(f"expectation {result['expectation_config']['type']} of {table} cannot be evaluated: {told}")
    return bool(result["success"])


def _unexpected(suite: Suite, table: pa.Table, result: Mapping[str, Any]) -> Unexpected:
    expectation, arguments = result["expectation_config"]["type"], result["expectation_config"]["kwargs"]
    if expectation == _COLUMN_SET:
        names = [f"{what}: {name}" for what, names in sorted(result["result"]["details"]["mismatched"].items()) for name in names]
        return Unexpected(suite.table, expectation, "", len(names), tuple(names[:_EXAMPLES]))
    columns = arguments.get("column_list") or [arguments["column"]]
    examples = tuple(_examples(suite, table, columns, result["result"]["partial_unexpected_index_list"]))
    return Unexpected(suite.table, expectation, "+".join(columns), result["result"]["unexpected_count"], examples)


def _examples(suite: Suite, table: pa.Table, columns: Sequence[str], positions: Sequence[int]) -> Iterator[str]:
    """Each row by its key, then what stands in the columns that the key does not show."""
    key = TABLES[suite.table].key
    shown = [*key, *(name for name in columns if name not in key)]
    for position in positions[:_EXAMPLES]:
        row = table.select(shown).slice(position, 1).to_pylist()[0]
        yield ", ".join(f"{name}={'null' if row[name] is None else row[name]}" for name in shown)
