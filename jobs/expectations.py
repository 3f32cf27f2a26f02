"""Great Expectations over a day's committed tables: a second opinion on what the writer should never have let through.

It reads the Parquet as it lies in the lake, not as the schema would have it. Suites are schemas.expectations.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from custody.errors import OutOfOrder, StopRun
from custody.services.outputs import latest_seal
from schemas.expectations import Suite, suites
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


def check_tables(wiring: Wiring, custody_date: date, steps: Sequence[str] = ()) -> list[Unexpected]:
    """Check the latest committed tables of one custody date, of all steps that have suites or of those named.

    Raises OutOfOrder when such a step is not committed, StopRun when an expectation cannot be evaluated.
    """
    wanted = [suite for suite in suites() if not steps or suite.step in steps]
    found: list[Unexpected] = []
    for suite in wanted:
        with wiring.register.transaction() as tx:
            seal = latest_seal(tx, custody_date, suite.step)
        if seal is None:
            raise OutOfOrder(f"{suite.step} of {custody_date} is not committed: there is nothing to check yet")
        found += check_table(suite, wiring.lake.read_as_it_lies(seal.path, suite.table))
    return found


def check_table(suite: Suite, table: pa.Table) -> list[Unexpected]:
    """What of the suite the table does not meet. A table with other columns is told only that."""
    results = _validate(suite, table)
    if table.num_columns and set(table.column_names) != set(TABLES[suite.table].names):
        # Whatever else was expected of a column that is not there cannot be answered.
        results = [result for result in results if result["expectation_config"]["type"] == _COLUMN_SET]
    return [_unexpected(suite, table, result) for result in results if not _is_met(suite, result)]


def _validate(suite: Suite, table: pa.Table) -> list[dict[str, Any]]:
    # Read at import: nothing of ours is told to anybody.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    import pandas as pd

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    asset = context.data_sources.add_pandas("lake").add_dataframe_asset(suite.table)
    # Whole numbers stay whole where some are null; pandas would make them floats.
    frame = table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch(batch_parameters={"dataframe": frame})
    expected = [{"type": type_, "kwargs": dict(arguments)} for type_, arguments in suite.expectations]
    validated = batch.validate(
        gx.ExpectationSuite(name=suite.table, expectations=expected),
        result_format={"result_format": "SUMMARY", "partial_unexpected_count": _EXAMPLES},
    )
    results: list[dict[str, Any]] = validated.to_json_dict()["results"]
    return results


def _is_met(suite: Suite, result: Mapping[str, Any]) -> bool:
    raised = result["exception_info"]
    if raised.get("raised_exception", True):
        told = raised.get("exception_message") or next(iter(raised.values()))["exception_message"]
        raise StopRun(f"expectation {result['expectation_config']['type']} of {suite.table} cannot be evaluated: {told}")
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
