"""The workbook, read back by another library: exact amounts, text that stays text, the same bytes twice."""

import hashlib
import io
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.worksheet.worksheet import Worksheet
from sample_figures import FIRST, SECOND, pdf_of, sample_report

from custody.errors import UsageError
from reports.catalogue import Words
from reports.model import Amount, Column, Report, Share, Table, Text
from reports.xlsx import FIRST_ROW, MAX_EXACT_MINOR, address, render

FIRST_LINE = FIRST_ROW + 1
PLATFORMS = "分平台 By platform"
NAME, AMOUNT = Column("name", Words(en="Name", zh="名"), 9), Column("amount", Words(en="Amount", zh="金额"), 20, True, "sum")


def opened(data: bytes, values: bool = True) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(data), data_only=values)


def column_of(page: Worksheet, title: str) -> int:
    return next(int(cell.column) for row in page.iter_rows() for cell in row if str(cell.value).endswith(f"\n{title}"))


def of_rows(columns: tuple[Column, ...], rows: tuple[tuple[Text | Amount | Share, ...], ...], **more: object) -> Report:
    sheet = Table("amounts", Words(en="Amounts", zh="金额"), None, columns, rows, **more)  # type: ignore[arg-type]
    return replace(sample_report(), tables=(sheet,))


def amounts_report(minors: list[int]) -> Report:
    rows = tuple((Text("x"), Amount(minor)) for minor in minors)
    return of_rows((NAME, AMOUNT), rows, total=(Text("Total"), Amount(sum(minors))))


def amounts_of(data: bytes) -> Worksheet:
    return opened(data)["金额 Amounts"]


def test_amounts_survive_to_the_fen() -> None:
    page = opened(render(sample_report()))[PLATFORMS]
    column = column_of(page, "Loan balance")
    found = [Decimal(repr(page.cell(row, column).value)) * 100 for row in (FIRST_LINE, FIRST_LINE + 1)]
    assert found == [FIRST["loan_balance"], SECOND["loan_balance"]]


@pytest.mark.parametrize(
    "minor", [0, 1, -1, 10, 99, 100, 78_356, 123_456_789_012_345, MAX_EXACT_MINOR, MAX_EXACT_MINOR - 1, -MAX_EXACT_MINOR]
)
def test_any_exact_amount_reads_back(minor: int) -> None:
    page = amounts_of(render(amounts_report([minor])))
    assert Decimal(repr(page.cell(FIRST_LINE, 2).value)) * 100 == minor
    assert page.cell(FIRST_LINE, 2).number_format == "#,##0.00"


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(-MAX_EXACT_MINOR // 50, MAX_EXACT_MINOR // 50), min_size=50, max_size=50))
def test_every_amount_within_the_bound_reads_back(minors: list[int]) -> None:
    page = amounts_of(render(amounts_report(minors)))
    assert [Decimal(repr(page.cell(FIRST_LINE + row, 2).value)) * 100 for row in range(50)] == minors
    assert Decimal(repr(page.cell(FIRST_LINE + 50, 2).value)) * 100 == sum(minors)


def test_the_file_itself_holds_the_exact_decimal() -> None:
    with zipfile.ZipFile(io.BytesIO(render(amounts_report([78_356])))) as archive:
        assert "<v>783.56</v>" in archive.read("xl/worksheets/sheet2.xml").decode()


def test_an_amount_that_would_not_be_exact_is_refused() -> None:
    with pytest.raises(UsageError, match="exactly"):
        render(amounts_report([MAX_EXACT_MINOR + 1]))
    with pytest.raises(UsageError, match="exactly"):  # each fits, their sum does not
        render(amounts_report([MAX_EXACT_MINOR, 1]))


def test_totals_are_formulas_with_their_value() -> None:
    data = render(sample_report())
    line = FIRST_LINE + 2
    page = opened(data)[PLATFORMS]
    column = column_of(page, "Transaction volume")
    assert page.cell(line, 1).value == "合计 Total"
    assert Decimal(repr(page.cell(line, column).value)) == Decimal("1234568.19")
    assert opened(data, values=False)[PLATFORMS].cell(line, column).value == f"=SUM(B{FIRST_LINE}:B{line - 1})"
    # Persons do not add up: their total is a number of its own.
    borrowers = opened(data, values=False)[PLATFORMS].cell(line, column_of(page, "Borrowers"))
    assert (borrowers.value, borrowers.data_type) == (7, "n")


def test_only_our_totals_are_formulas() -> None:
    book = opened(render(sample_report()), values=False)
    formulas = {
        (page.title, cell.row) for page in book.worksheets for row in page.iter_rows() for cell in row if cell.data_type == "f"
    }
    assert formulas == {(PLATFORMS, FIRST_LINE + 2)}


@pytest.mark.parametrize("text", ["=1+1", "=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "http://x", "\t=1"])
def test_whatever_a_party_writes_stays_text(text: str) -> None:
    page = opened(render(of_rows((NAME,), ((Text(text),),))), values=False)["金额 Amounts"]
    cell = page.cell(FIRST_LINE, 1)
    assert (cell.data_type, cell.quotePrefix, cell.hyperlink) == ("s", True, None)
    assert cell.value == text


def test_headings_are_bilingual_and_stay_in_sight() -> None:
    page = opened(render(sample_report()))[PLATFORMS]
    assert page.cell(FIRST_ROW, 2).value == "交易金额\nTransaction volume"
    assert page.freeze_panes == f"B{FIRST_LINE}"
    assert page.column_dimensions["B"].width > 15
    assert page.auto_filter.ref is not None
    assert (page.cell(FIRST_LINE, 2).number_format, page.cell(FIRST_LINE, 3).number_format) == ("#,##0.00", "#,##0")


def test_dates_and_shares_are_typed() -> None:
    data = render(of_rows((NAME, AMOUNT), ((Text("x"), Share(1234)),)))
    cell = amounts_of(data).cell(FIRST_LINE, 2)
    assert (cell.value, cell.number_format) == (0.1234, "0.00%")
    inputs = [cell for row in opened(data)["封面 Cover"].iter_rows() for cell in row if isinstance(cell.value, datetime)]
    assert [cell.value.isoformat()[:10] for cell in inputs] == ["2019-12-30", "2019-12-31"]


def test_every_figure_stands_where_its_address_says() -> None:
    report = sample_report()
    book = opened(render(report))
    seen = 0
    for table in report.tables:
        for place in table.places:
            sheet, _, cell = address(table, place).rpartition("!")
            value = Decimal(repr(book[sheet][cell].value))
            assert (value * 100 if place.figure.unit == "amount" else value) == place.value
            seen += 1
    assert seen == 16 + 3 * 16 + 2 * 2 + 3 * 2


def test_the_chart_stands_under_its_table() -> None:
    with zipfile.ZipFile(io.BytesIO(render(sample_report()))) as archive:
        charts = [archive.read(name).decode() for name in sorted(archive.namelist()) if name.startswith("xl/charts/chart")]
    assert len(charts) == 2
    assert f"'分类交易 By transaction type'!$C${FIRST_LINE}:$C${FIRST_LINE + 1}" in charts[1]
    assert "1234568.09" in charts[1]  # the cached value that a viewer draws


def test_the_same_report_gives_the_same_bytes_in_any_process() -> None:
    here = [render(sample_report()), pdf_of(sample_report(), "zh")]
    code = (
        "import hashlib, sys\nfrom sample_figures import pdf_of, sample_report\nfrom reports import xlsx\n"
        "for data in (xlsx.render(sample_report()), pdf_of(sample_report(), 'zh')): print(hashlib.sha256(data).hexdigest())"
    )
    tests, root = Path(__file__).parent, Path(__file__).parents[2]
    other = {"PYTHONHASHSEED": "2", "TZ": "Asia/Shanghai", "PYTHONPATH": os.pathsep.join(map(str, (tests, root)))}
    found = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | other, capture_output=True, text=True, check=True
    ).stdout
    assert found.split() == [hashlib.sha256(data).hexdigest() for data in here]


def test_no_clock_inside() -> None:
    book = opened(render(sample_report()))
    assert book.properties.created.isoformat() == "2019-12-31T00:00:00"
    assert book.properties.modified.isoformat() == "2019-12-31T00:00:00"


def test_a_text_too_long_for_a_cell_is_refused_not_left_out() -> None:
    with pytest.raises(UsageError, match="does not fit"):
        render(of_rows((NAME,), ((Text("x" * 32_768),),)))


def test_a_long_text_is_whole_and_an_empty_table_says_so() -> None:
    """No program is asked to make a row as high as its text."""
    words = Column("words", Words(en="Words", zh="说明"), 20)
    long, short = (
        Text("what a reader has to see to its very end, however narrow the column", "读者须看到末尾"),
        Text("short", "短"),
    )
    page = opened(render(of_rows((words,), ((long,), (short,)))))["金额 Amounts"]
    first, second = (page.row_dimensions[FIRST_LINE + n].height for n in (0, 1))
    assert first is not None and first >= 4 * 15 and (second is None or second == 15)
    assert opened(render(of_rows((words,), ())))["金额 Amounts"].cell(FIRST_LINE, 1).value == "无 None"


def test_what_is_too_wide_for_a_page_is_printed_on_several() -> None:
    """Each begins with the keys, and no comparison stands away from its figure; what is a little too wide is made smaller."""
    compared = replace(AMOUNT, follows=True, total="none")
    groups = [column for _ in range(5) for column in (AMOUNT, compared, compared)]
    wide = opened(render(of_rows((NAME, *groups), ((Text("x"), *[Amount(1)] * 15),), keys=1)))["金额 Amounts"]
    breaks = [one.id for one in wide.col_breaks.brk]
    assert breaks and all((at - 1) % 3 == 0 for at in breaks)
    assert wide.print_title_cols == "$A:$A" and not wide.sheet_properties.pageSetUpPr.fitToPage
    wider = opened(render(of_rows((NAME, *groups[:6]), ((Text("x"), *[Amount(1)] * 6),), keys=1)))["金额 Amounts"]
    assert not wider.col_breaks.brk and wider.sheet_properties.pageSetUpPr.fitToPage
