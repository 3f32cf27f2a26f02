"""Every figure of every report of a faulted market leads back to sealed rows that come to it exactly, and to lines of archived files."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from instance_kit import GO_LIVE, Instance, make_instance, make_world, opened, seeds
from typer.testing import CliRunner

from connectors.engine import engine
from console.cli import app
from custody.calendar import dates
from custody.errors import SealBroken, UsageError
from custody.services.releases import ReportKey, all_versions, newest
from jobs.reporting.listed import find_listed
from jobs.reporting.trace import Figure, Tracer, figures_of, find_figure
from reports.definition import load_definition
from reports.xlsx import sheet_title
from simulator.simulate import load_faults

FAULTS = Path(__file__).parents[1] / "faults" / "demo.yaml"
MONTH_END = date(2019, 12, 31)
MONTHLY = ReportKey("custody_monthly", "2019-12")


@pytest.fixture(scope="module", params=seeds(1))
def market(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Two days of a market with faults planted; the second ends a month and a year."""
    folder = tmp_path_factory.mktemp("market")
    world = make_world(folder / "world", load_faults(FAULTS), seed=7 + request.param, days=4)
    shipped = ("custody_monthly", "judicial_holds", "limit_breaches")
    with opened(make_instance(folder / "home", world, reports=shipped)) as instance:
        for on in dates(GO_LIVE, 2):
            instance.deliver(world, on)
            instance.run_day(on)
        yield instance


@pytest.fixture(scope="module")
def draft(market: Instance) -> dict[str, Any]:
    with market.wiring.register.transaction() as tx:
        return newest(tx, MONTHLY)


def test_every_figure_is_what_the_rows_behind_it_come_to(market: Instance) -> None:
    with market.wiring.register.transaction() as tx:
        drafts = all_versions(tx)
    seen = 0
    with engine(market.wiring.settings) as spark:
        for row in drafts:
            tracer = Tracer(market.wiring, row, spark)
            for figure in figures_of(market.wiring, row):
                # The trace itself refuses what does not come to the figure; here its pages are added up besides.
                found = tracer.trace(figure, size=1)
                for part in found.parts or [found]:
                    assert found.parts or part.total == figure.said["value"]
                    assert len(part.rows) == min(1, part.rows_in_all)
                seen += 1
    assert seen > 40


def _figure(market: Instance, draft: dict[str, Any], table: str, name: str, key: list[str]) -> Figure:
    for one in figures_of(market.wiring, draft):
        if (one.said["table_id"], one.said["figure"], json.loads(one.said["key"])) == (table, name, key) and not one.said[
            "is_total"
        ]:
            return one
    raise AssertionError((table, name, key))


def test_pages_add_up_and_lead_to_lines_of_archived_files(market: Instance, draft: dict[str, Any]) -> None:
    figure = _figure(market, draft, "platforms", "volume", ["P001"])
    with engine(market.wiring.settings) as spark:
        tracer = Tracer(market.wiring, draft, spark)
        whole = tracer.trace(figure, size=7)
        rows = [row for page in range(1, -(-whole.rows_in_all // 7) + 1) for row in tracer.trace(figure, page, 7).rows]
    assert [row.number for row in rows] == list(range(1, whole.rows_in_all + 1))
    assert sum(row.contributes for row in rows) == figure.said["value"] == whole.total > 0
    legs = {
        (t["txn_no"], t["file_name"], t["line_no"]): t
        for on in dates(GO_LIVE, 2)
        for t in market.lake_rows(on, "post", "ledger_txn")
    }
    for row in rows[:5]:
        (behind,) = row.behind
        leg = legs[row.place["txn_no"], behind.file_name, behind.line_no]
        with market.wiring.register.transaction() as tx:
            file = tx.get("file", file_name=behind.file_name, sha256=behind.sha256)
        assert file is not None and behind.line_no is not None
        line = market.wiring.archive.read(file["archive_ref"]).decode("utf-8").splitlines()[behind.line_no - 1]
        assert leg["request_no"] in line and row.contributes == leg["amount_minor"] == behind.minor


def test_a_balance_is_what_its_movements_come_to(market: Instance, draft: dict[str, Any]) -> None:
    figure = _figure(market, draft, "platforms", "custody_customers", ["P001"])
    with engine(market.wiring.settings) as spark:
        tracer = Tracer(market.wiring, draft, spark)
        (first, *_) = (row for row in tracer.trace(figure, size=200).rows if row.contributes)
        whole = tracer.behind_row(figure, first.number, size=10_000)
    assert sum(one.minor or 0 for one in whole.behind) == first.contributes and len(whole.behind) == whole.behind_in_all
    assert all(one.file_name and one.sha256 for one in whole.behind)


def test_persons_count_once_and_their_accounts_lead_to_the_line_that_opened_them(market: Instance, draft: dict[str, Any]) -> None:
    lenders = _figure(market, draft, "summary", "lenders", [])
    opened_ = _figure(market, draft, "platforms", "accounts_opened", ["P001"])
    with engine(market.wiring.settings) as spark:
        tracer = Tracer(market.wiring, draft, spark)
        found = tracer.trace(lenders, size=10_000)
        assert {row.contributes for row in found.rows} <= {0, 1} and sum(r.contributes for r in found.rows) == lenders.said[
            "value"
        ]
        assert all(row.behind_in_all for row in found.rows)
        for row in tracer.trace(opened_, size=5).rows:
            assert row.behind and all("_CUSTOMER_" in str(one.file_name) for one in row.behind)


def test_cells_of_the_workbook_and_lines_of_the_csv_are_the_same_figures(
    market: Instance, draft: dict[str, Any], tmp_path: Path
) -> None:
    names = json.loads(draft["files"])
    for name in names:
        (tmp_path / name).write_bytes(market.wiring.lake.file(draft["path"], name))
    (book,) = [name for name in names if name.endswith(".xlsx")]
    figure = _figure(market, draft, "platforms", "volume", ["P001"])
    sheet, _, cell = figure.said["cell"].rpartition("!")
    assert openpyxl.load_workbook(tmp_path / book)[sheet][cell].value == figure.said["value"] / 100
    for asked in (figure.said["cell"], f"{sheet[:3]}!{cell.lower()}"):
        assert find_figure(market.wiring, str(tmp_path / book), asked).said == figure.said
    table = book.replace(".xlsx", ".csv")
    lines = (tmp_path / table).read_text(encoding="utf-8-sig").splitlines()
    found = [find_figure(market.wiring, table, str(number)).said for number in range(2, len(lines) + 1)]
    assert sorted(map(str, found)) == sorted(str(one.said) for one in figures_of(market.wiring, draft))


@pytest.mark.parametrize("cell", ["A1", "Nowhere!C5", "B1", "", "x"])
def test_what_is_no_figure_is_said(market: Instance, draft: dict[str, Any], cell: str) -> None:
    (book,) = [name for name in json.loads(draft["files"]) if name.endswith(".xlsx")]
    with pytest.raises(UsageError, match="is no figure|stands in several"):
        find_figure(market.wiring, book, cell)
    with pytest.raises(UsageError, match="write the number of a line"):
        find_figure(market.wiring, book.replace(".xlsx", ".csv"), cell)


def test_a_changed_file_is_not_traced_and_a_changed_row_does_not_come_to_the_figure(
    market: Instance, draft: dict[str, Any], tmp_path: Path
) -> None:
    (book,) = [name for name in json.loads(draft["files"]) if name.endswith(".xlsx")]
    (tmp_path / book).write_bytes(market.wiring.lake.file(draft["path"], book) + b" ")
    with pytest.raises(UsageError, match="it was changed"):
        find_figure(market.wiring, str(tmp_path / book), "A1")
    figure = _figure(market, draft, "platforms", "volume", ["P001"])
    forged = Figure(
        figure.draft, {**figure.said, "value": figure.said["value"] + 1}, figure.table, figure.row_set, figure.defined
    )
    with engine(market.wiring.settings) as spark, pytest.raises(SealBroken, match="the sealed rows behind it come to"):
        Tracer(market.wiring, draft, spark).trace(forged)


def test_every_row_that_a_report_lists_leads_to_a_sealed_row_that_says_the_same(market: Instance) -> None:
    with market.wiring.register.transaction() as tx:
        drafts = all_versions(tx)
    led: dict[str, int] = defaultdict(int)
    with engine(market.wiring.settings) as spark:
        for draft in drafts:
            tracer, names = Tracer(market.wiring, draft, spark), json.loads(draft["files"])
            (book,) = [name for name in names if name.endswith(".xlsx")]
            for table in load_definition(draft["report_id"]).tables:
                name = book.replace(".xlsx", f"_{table.id}.csv")
                if table.rows is None:
                    continue
                lines = market.wiring.lake.file(draft["path"], name).decode("utf-8-sig").splitlines()
                for number in range(2, min(len(lines), 12) + 1):
                    listed = find_listed(market.wiring, draft, name, str(number))
                    # The same row by its place in the workbook, whose rows begin below title, note and headings.
                    assert listed is not None
                    assert listed == find_listed(market.wiring, draft, book, f"{sheet_title(table.title)}!C{number + 3}")
                    led[table.rows] += len(tracer.listed_row(listed).behind)
                    first = next(
                        name for name in table.columns if listed.row_set.column(name).type in ("amount", "count", "date")
                    )
                    with pytest.raises(SealBroken, match=f"says {first} 'another', the sealed row"):
                        tracer.listed_row(replace(listed, line={**listed.line, first: "another"}))
                with pytest.raises(UsageError, match="has no rows|its rows are 2 to"):
                    find_listed(market.wiring, draft, name, str(len(lines) + 1))
    assert led["legal_orders"]


def test_the_command_says_it_in_words_and_in_json(market: Instance, draft: dict[str, Any]) -> None:
    figure = _figure(market, draft, "platforms", "volume", ["P001"])
    home = {"CUSTODY_HOME": str(market.wiring.settings.home)}
    asked = ["report", "trace", figure.said["file_name"], figure.said["cell"], "--size", "3"]
    words = CliRunner().invoke(app, asked, env=home)
    assert words.exit_code == 0 and "sha256" in words.stdout and ".csv:" in words.stdout, words.output
    done = CliRunner().invoke(app, [*asked, "--json"], env=home)
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["total"] == said["value"] == figure.said["value"] and len(said["rows"]) == 3
    orders = CliRunner().invoke(app, ["report", "trace", "judicial_holds_2019-12_v1.xlsx", "文书执行!A5"], env=home)
    assert orders.exit_code == 0 and "_LEGAL_ORDER_" in orders.stdout, orders.output
    one = CliRunner().invoke(app, [*asked, "--row", "2", "--json"], env=home)
    assert json.loads(one.stdout.splitlines()[-1])["row"]["number"] == 2
