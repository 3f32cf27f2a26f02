"""A customer's statement: each posting a line, in the words of his language, with the balances of the books."""

import io
from datetime import UTC, date, datetime

import openpyxl
import pypdfium2
import pytest

from custody.errors import UsageError
from custody.services.statements import Balance, Line, Statement
from reports.statement_files import statement_files
from reports.statement_report import statement_report
from reports.terms import load_terms

ACCOUNT, FIRST, LAST = "P001.LENDER.U001000004", date(2019, 12, 1), date(2019, 12, 31)
ON, AT = date(2019, 12, 30), datetime(2019, 12, 30, 16, 4, 5, tzinfo=UTC)
RECHARGED = Line(1, ON, ON, AT, "RECHARGE", "=R1", 1, None, "P001:CHANNEL_RECEIVABLE/CH01", 100_001, 0, 100_001, 0)
TENDERED = Line(2, ON, ON, AT, "TENDER_FREEZE", "R2", 1, "P001LN00001", ACCOUNT, -50_000, 50_000, 50_001, 50_000)


def of(account: str = ACCOUNT, first: date = FIRST) -> Statement:
    return Statement(account, first, LAST, LAST, "CNY", Balance(0, 0, 0), (RECHARGED, TENDERED), Balance(50_001, 50_000, 0), ())


def test_a_workbook_and_a_document_in_each_language() -> None:
    files = statement_files(ACCOUNT, [of()], "示例银行 Example Bank")
    stem = "statement_P001-LENDER-U001000004_2019-12-01..2019-12-31"
    assert set(files) == {f"{stem}.xlsx", f"{stem}_zh.pdf", f"{stem}_en.pdf"}
    page = openpyxl.load_workbook(io.BytesIO(files[f"{stem}.xlsx"]))[ACCOUNT]
    # Times are those of the bank's clock; a freeze moves nothing in or out.
    assert [str(cell.value) for cell in page[6]] == [
        "2019-12-30 00:00:00", "2019-12-31 00:04:05", "充值 Recharge", "=R1", "–", "1000.01", "1000.01", "0", "1000.01",
    ]  # fmt: skip
    assert page["D6"].data_type == "s"
    assert [page.cell(7, column).value for column in (6, 7, 8, 9)] == [0, 500.01, 500, 1000.01]
    for language, said in (
        ("zh", ("客户对账单", "投标冻结", "1,000.01")),
        ("en", ("Statement of account", "Tender frozen", "1,000.01")),
    ):
        text = "".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(files[f"{stem}_{language}.pdf"]))
        assert all(words in text for words in said)
    assert statement_files(ACCOUNT, [of()], "示例银行 Example Bank") == files


def test_several_sub_accounts_are_of_one_period() -> None:
    both = statement_report([of(), of("P001.BORROWER.B001000001")], "b", load_terms())
    assert [table.id for table in both.tables] == ["summary", ACCOUNT, "P001.BORROWER.B001000001"]
    with pytest.raises(UsageError, match="one period"):
        statement_report([of(), of(first=ON)], "b", load_terms())
    with pytest.raises(UsageError, match="at least one"):
        statement_report([], "b", load_terms())
