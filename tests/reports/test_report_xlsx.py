"""The workbook, read back by another library: exact amounts, text that stays text, the same bytes twice."""

import hashlib
import io
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.worksheet.worksheet import Worksheet
from sample_figures import FIRST, SECOND, sample_report

from custody.errors import UsageError
from reports.model import Amount, Column, Report, Sheet, Text
from reports.xlsx import MAX_EXACT_MINOR, render


def opened(data: bytes, values: bool = True) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(data), data_only=values)


def column_of(page: Worksheet, title: str) -> int:
    return next(int(cell.column) for row in page.iter_rows() for cell in row if cell.value == title)


def amounts_report(minors: list[int]) -> Report:
    rows = tuple((Text("x"), Amount(minor)) for minor in minors)
    sheet = Sheet("Amounts", (), (Column("Name", "名", 9), Column("Amount", "金额", 20, total=True)), rows)
    return replace(sample_report(), sheets=(sheet,))


def test_amounts_survive_to_the_fen() -> None:
    page = opened(render(sample_report()))["Platforms 平台"]
    column = column_of(page, "Loan balance")
    found = [Decimal(repr(page.cell(row, column).value)) * 100 for row in (6, 7)]
    assert found == [FIRST.loan_balance_minor, SECOND.loan_balance_minor]


@pytest.mark.parametrize(
    "minor", [0, 1, -1, 10, 99, 100, 78_356, 123_456_789_012_345, MAX_EXACT_MINOR, MAX_EXACT_MINOR - 1, -MAX_EXACT_MINOR]
)
def test_any_exact_amount_reads_back(minor: int) -> None:
    page = opened(render(amounts_report([minor])))["Amounts"]
    assert Decimal(repr(page.cell(4, 2).value)) * 100 == minor
    assert page.cell(4, 2).number_format == "#,##0.00"


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(-MAX_EXACT_MINOR // 50, MAX_EXACT_MINOR // 50), min_size=50, max_size=50))
def test_every_amount_within_the_bound_reads_back(minors: list[int]) -> None:
    data = render(amounts_report(minors))
    page = opened(data)["Amounts"]
    assert [Decimal(repr(page.cell(row, 2).value)) * 100 for row in range(4, 54)] == minors
    assert Decimal(repr(page.cell(54, 2).value)) * 100 == sum(minors)


def test_the_file_itself_holds_the_exact_decimal() -> None:
    with zipfile.ZipFile(io.BytesIO(render(amounts_report([78_356])))) as archive:
        assert "<v>783.56</v>" in archive.read("xl/worksheets/sheet1.xml").decode()


def test_an_amount_that_would_not_be_exact_is_refused() -> None:
    with pytest.raises(UsageError, match="exactly"):
        render(amounts_report([MAX_EXACT_MINOR + 1]))
    with pytest.raises(UsageError, match="exactly"):  # each fits, their sum does not
        render(amounts_report([MAX_EXACT_MINOR, 1]))


def test_totals_are_formulas_with_their_value() -> None:
    data = render(sample_report())
    column = column_of(opened(data)["Platforms 平台"], "Transaction volume")
    assert opened(data)["Platforms 平台"].cell(8, 1).value == "Total 合计"
    assert Decimal(repr(opened(data)["Platforms 平台"].cell(8, column).value)) == Decimal("1234568.19")
    assert opened(data, values=False)["Platforms 平台"].cell(8, column).value == "=SUM(C6:C7)"


def test_only_our_totals_are_formulas() -> None:
    book = opened(render(sample_report()), values=False)
    formulas = {
        (page.title, cell.row) for page in book.worksheets for row in page.iter_rows() for cell in row if cell.data_type == "f"
    }
    assert formulas == {("Platforms 平台", 8)}
    name = book["Platforms 平台"].cell(6, 2)
    assert (name.value, name.data_type, name.quotePrefix) == ("=1+1", "s", True)


def test_headers_are_bilingual_and_frozen() -> None:
    page = opened(render(sample_report()))["Platforms 平台"]
    assert [page.cell(row, 3).value for row in (4, 5)] == ["Transaction volume", "交易金额"]
    assert page.freeze_panes == "C6"
    assert page.column_dimensions["C"].width > 15
    assert page.cell(6, 3).number_format == "#,##0.00"
    assert page.cell(6, 4).number_format == "#,##0"


def test_the_chart_stands_beside_its_table() -> None:
    data = render(sample_report())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        charts = [archive.read(name).decode() for name in archive.namelist() if name.startswith("xl/charts/chart")]
    assert len(charts) == 1
    assert "'By type 分类交易'!$E$5:$E$7" in charts[0]
    assert "1234568.09" in charts[0]  # the cached value that a viewer draws


def test_the_same_report_gives_the_same_bytes_in_any_process() -> None:
    here = render(sample_report())
    assert render(sample_report()) == here
    code = (
        "import hashlib, sys\nfrom sample_figures import sample_report\nfrom reports.xlsx import render\n"
        "sys.stdout.write(hashlib.sha256(render(sample_report())).hexdigest())"
    )
    tests, root = Path(__file__).parent, Path(__file__).parents[2]
    for seed, zone in (("1", "UTC"), ("2", "Asia/Shanghai")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "PYTHONPATH": os.pathsep.join(map(str, (tests, root)))}
        found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout
        assert found == hashlib.sha256(here).hexdigest()


def test_no_clock_inside() -> None:
    book = opened(render(sample_report()))
    assert book.properties.created.isoformat() == "2019-12-31T00:00:00"
    assert book.properties.modified.isoformat() == "2019-12-31T00:00:00"


def test_a_text_too_long_for_a_cell_is_refused_not_left_out() -> None:
    report = sample_report()
    sheet = Sheet("Long", (), (Column("Name", "名", 9),), ((Text("x" * 32_768),),))
    with pytest.raises(UsageError, match="does not fit"):
        render(replace(report, sheets=(sheet,)))
