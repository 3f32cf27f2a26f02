"""The suites pass on what a real day commits, find what is planted past the writer, and say the same as schemas and names."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner, Result

sys.path.insert(0, str(Path(__file__).parents[1] / "kit"))

from instance_kit import GO_LIVE, Instance, copy_of, make_instance, make_world, opened

from connectors.lake import arrow_schema
from console.commands.expectations import add_expectations
from custody.errors import StopRun
from custody.money import MAX_MINOR, MINOR_DIGITS
from custody.names import Book, BreakKind, DayCount, HoldKind, LoanState, Originator, RepaymentMethod, Role, TxnStatus, TxnType
from custody.steps import STEPS
from jobs.expectations import Unexpected, check_table, check_tables
from schemas.expectations import Suite, suite_of, suites
from schemas.layout import all_layouts
from schemas.tables import TABLES

NOT_NULL = "expect_column_values_to_not_be_null"
BETWEEN = "expect_column_values_to_be_between"
IN_SET = "expect_column_values_to_be_in_set"
COLUMNS = "expect_table_columns_to_match_set"
UNIQUE = "expect_column_values_to_be_unique"
COMPOUND = "expect_compound_columns_to_be_unique"
Row = dict[str, Any]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed instance whose first day is committed as far as the suites reach."""
    folder = tmp_path_factory.mktemp("expectations")
    world = make_world(folder / "world", [], seed=3, platforms=2, days=1)
    made = make_instance(folder / "home", world)
    with opened(made) as instance:
        instance.deliver(world, GO_LIVE)
        instance.run_day(GO_LIVE, STEPS[: STEPS.index("reconcile") + 1])
    return made


@pytest.fixture(scope="module")
def instance(home: Path) -> Iterator[Instance]:
    with opened(home) as found:
        yield found


def test_a_real_day_is_as_expected_and_nothing_is_sent(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("checking tables opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert instance.lake_rows(GO_LIVE, "post", "journal")
    assert check_tables(instance.wiring, GO_LIVE) == []


def _null(rows: list[Row]) -> None:
    rows[1]["txn_type"] = None


def _negative(rows: list[Row]) -> None:
    rows[1]["amount_minor"] = -1


def _zero(rows: list[Row]) -> None:
    rows[1]["amount_minor"] = 0


def _too_large(rows: list[Row]) -> None:
    rows[1]["amount_minor"] = MAX_MINOR + 1


def _largest(rows: list[Row]) -> None:
    rows[1]["amount_minor"] = MAX_MINOR


def _currency(rows: list[Row]) -> None:
    rows[1]["currency"] = "XXX"


def _type(rows: list[Row]) -> None:
    rows[1]["txn_type"] = "GIFT"


def _repeated(rows: list[Row]) -> None:
    rows.append(rows[1])


@pytest.mark.parametrize(
    ("plant", "expectation", "column", "count", "shown"),
    [
        (_null, NOT_NULL, "txn_type", 1, "txn_type=null"),
        (_negative, BETWEEN, "amount_minor", 1, "amount_minor=-1"),
        (_zero, BETWEEN, "amount_minor", 1, "amount_minor=0"),
        (_too_large, BETWEEN, "amount_minor", 1, f"amount_minor={MAX_MINOR + 1}"),
        (_currency, IN_SET, "currency", 1, "currency=XXX"),
        (_type, IN_SET, "txn_type", 1, "txn_type=GIFT"),
        (_repeated, COMPOUND, "key", 2, ""),
    ],
)
@pytest.mark.parametrize("name", ["land_instruction", "journal"])
def test_what_is_planted_is_found_with_its_row(
    instance: Instance,
    name: str,
    plant: Callable[[list[Row]], None],
    expectation: str,
    column: str,
    count: int,
    shown: str,
) -> None:
    suite, rows = suite_of(name), _rows(instance, name)
    key = ", ".join(f"{k}={rows[1][k]}" for k in TABLES[name].key)
    plant(rows)
    found = check_table(suite, _table(name, rows))
    column = "+".join(TABLES[name].key) if column == "key" else column
    examples = (f"{key}, {shown}",) if shown else (key, key)
    assert found == [Unexpected(name, expectation, column, count, examples)]
    assert all(found[0].words)


def test_the_largest_amount_that_may_stand_is_no_finding(instance: Instance) -> None:
    rows = _rows(instance, "journal")
    _largest(rows)
    assert check_table(suite_of("journal"), _table("journal", rows)) == []


def test_at_most_three_examples_are_shown_but_all_are_counted(instance: Instance) -> None:
    rows = [{**row, "currency": "XXX"} for row in _rows(instance, "journal")]
    (found,) = check_table(suite_of("journal"), _table("journal", rows))
    assert (found.count, len(found.examples)) == (len(rows), 3)


def test_other_columns_are_the_only_finding(instance: Instance) -> None:
    table = _table("journal", _rows(instance, "journal"))
    other = table.drop_columns(["currency"]).append_column("note", pa.nulls(table.num_rows, pa.string()))
    assert check_table(suite_of("journal"), other) == [
        Unexpected("journal", COLUMNS, "", 2, ("missing: currency", "unexpected: note"))
    ]


def test_an_expectation_that_cannot_be_evaluated_stops_the_run(instance: Instance) -> None:
    broken = Suite("journal", "post", (("expect_column_values_to_match_regex", {"column": "amount_minor", "regex": "("}),))
    with pytest.raises(StopRun, match="cannot be evaluated"):
        check_table(broken, _table("journal", _rows(instance, "journal")))


def test_the_command_says_what_lies_in_the_lake(home: Path, tmp_path: Path) -> None:
    changed = copy_of(home, tmp_path / "home")
    (path,) = changed.glob(f"lake/{GO_LIVE}/post/*/*/balances/*.parquet")
    rows = pq.read_table(path).to_pylist()
    rows[0]["in_minor"] = -5
    path.chmod(0o644)
    pq.write_table(_table("balances", rows), path)
    done = _custody(changed, "--date", GO_LIVE.isoformat(), "--step", "post", "--json")
    told = json.loads(done.stdout.splitlines()[-1])
    assert done.exit_code == 1
    assert [(f["suite"], f["expectation"], f["column"], f["count"]) for f in told["findings"]] == [
        ("balances", BETWEEN, "in_minor", 1)
    ]
    assert told["tables"] == [suite.table for suite in suites() if suite.step == "post"]
    assert _custody(changed, "--date", GO_LIVE.isoformat(), "--step", "land").exit_code == 0


@pytest.mark.parametrize(
    "arguments", [("--date", (GO_LIVE + timedelta(days=1)).isoformat()), ("--date", "2019-12-30", "--step", "x")]
)
def test_what_cannot_be_checked_is_refused(home: Path, arguments: tuple[str, ...]) -> None:
    assert _custody(home, *arguments).exit_code == 2


@pytest.mark.parametrize("suite", suites(), ids=lambda suite: suite.table)
def test_a_suite_says_the_same_as_the_table(suite: Suite) -> None:
    spec = TABLES[suite.table]
    assert _arguments(suite, COLUMNS) == [{"column_set": spec.names, "exact_match": True}]
    assert [a["column"] for a in _arguments(suite, NOT_NULL)] == [c.name for c in spec.columns if not c.nullable]
    keys = [[a["column"]] for a in _arguments(suite, UNIQUE)] + [a["column_list"] for a in _arguments(suite, COMPOUND)]
    assert keys == [list(spec.key)]
    bounded = {a["column"]: a for a in _arguments(suite, BETWEEN) if a["column"].endswith("_minor")}
    assert sorted(bounded) == sorted(name for name in spec.names if name.endswith("_minor"))
    assert {a["max_value"] for a in bounded.values()} <= {MAX_MINOR}
    for column, allowed in _sets(suite).items():
        assert allowed == _NAMED[suite.table, column], column


_ENUMS: dict[str, type[StrEnum]] = {
    "txn_type": TxnType,
    "status": TxnStatus,
    "book": Book,
    "originator": Originator,
    "method": RepaymentMethod,
    "day_count": DayCount,
    "state": LoanState,
}  # fmt: skip
_PARTY_ROLES = [*Role, "PLATFORM"]


class _Named(dict[tuple[str, str], list[str]]):
    """(table, column) -> the values that the one place which names them knows."""

    def __missing__(self, at: tuple[str, str]) -> list[str]:
        table, column = at
        if column == "currency":
            return list(MINOR_DIGITS)
        return list(_ENUMS[column]) if column in _ENUMS else self._of_layout(table, column)

    @staticmethod
    def _of_layout(table: str, column: str) -> list[str]:
        # Our own layouts name the tables; dialects land in the same ones.
        own = {id_: x for id_, x in all_layouts().items() if id_ == f"{x.sender}_{x.file_type.lower()}/1"}
        same = {f"land_{layout.file_type.lower()}": layout for layout in own.values()}
        return list(same[_LANDED_AS.get(table, table)].field(column).codes)


_LANDED_AS = {"ledger_txn": "land_instruction", "loans": "land_loan", "sub_accounts": "land_customer"}
_NAMED = _Named(
    {
        ("holds", "kind"): list(HoldKind),
        ("breaks", "kind"): list(BreakKind),
        ("breaks", "sides"): ["AB", "BC", "B", "FILE"],
        ("ledger_txn", "outcome"): ["POSTED", "REPEATED", "WAITING", "REFUSED", "NO_POSTING"],
        **{(t, c): _PARTY_ROLES for t in ("land_txn", "land_instruction") for c in ("from_role", "to_role")},
    }
)


def _arguments(suite: Suite, expectation: str) -> list[dict[str, Any]]:
    return [arguments for type_, arguments in suite.expectations if type_ == expectation]


def _sets(suite: Suite) -> dict[str, list[str]]:
    return {a["column"]: a["value_set"] for a in _arguments(suite, IN_SET)}


def _rows(instance: Instance, name: str) -> list[Row]:
    return [dict(row) for row in instance.lake_rows(GO_LIVE, suite_of(name).step, name)]


def _table(name: str, rows: list[Row]) -> pa.Table:
    """As the writer would make it, but without its refusals."""
    return pa.Table.from_pylist(rows, pa.schema([pa.field(f.name, f.type) for f in arrow_schema(TABLES[name])]))


def _custody(home: Path, *arguments: str) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    add_expectations(app)
    return CliRunner().invoke(app, ["expect", *arguments], env={"CUSTODY_HOME": str(home)})
