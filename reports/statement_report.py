"""A customer's statement as a report: for each of his sub-accounts opening, one line for each posting, closing (domain.md §9)."""

from __future__ import annotations

from collections.abc import Sequence

from custody.errors import UsageError
from custody.services.statements import Balance, Statement
from reports.catalogue import Words
from reports.model import Amount, Cell, Column, Day, Moment, Nothing, Report, Table, Text
from reports.periods import Period
from reports.terms import Terms

VERSION = 1
_TITLE = Words(en="Statement of account", zh="客户对账单")
_COLUMNS = (
    Column("posting_date", Words(en="Date", zh="账务日期"), 12),
    Column("event_time", Words(en="Time", zh="交易时间"), 20),
    Column("txn_type", Words(en="Type", zh="交易类型"), 22),
    Column("request_no", Words(en="Request", zh="流水号"), 24),
    Column("loan_id", Words(en="Loan", zh="标的号"), 16),
    Column("change", Words(en="In and out", zh="收支金额"), 16, True),
    Column("available", Words(en="Available", zh="可用余额"), 16, True),
    Column("frozen", Words(en="Frozen", zh="冻结余额"), 16, True),
    Column("balance", Words(en="Balance", zh="余额"), 16, True),
)
_NOTE = Words(
    en="A freeze moves nothing in or out: it shows 0 and turns available into frozen money",
    zh="冻结与解冻不涉及收支，收支金额为 0，仅在可用与冻结之间转移",
)


def statement_report(statements: Sequence[Statement], bank_name: str, terms: Terms) -> Report:
    """All sub-accounts' statements of one period in one report. Raises UsageError for none, or for statements of different periods."""
    if not statements or len({(one.first, one.last, one.currency) for one in statements}) != 1:
        raise UsageError("a statement is of at least one sub-account, and of one period and currency")
    first = statements[0]
    name = first.first.isoformat() if first.first == first.last else f"{first.first.isoformat()}..{first.last.isoformat()}"
    cover = (
        (Words(en="Custodian bank", zh="存管银行"), Text(bank_name)),
        (Words(en="Sub-accounts", zh="子账户"), Text(", ".join(one.account for one in statements))),
        (Words(en="Period", zh="账单期间"), Text(f"{first.first} … {first.last}")),
        (Words(en="Currency and unit", zh="币种与单位"), Text(f"{first.currency}, yuan", f"{first.currency}，元")),
        (Words(en="Books up to", zh="账簿截至"), Text(first.up_to.isoformat())),
    )
    return Report(
        title=_TITLE,
        version=VERSION,
        period=Period("day", name, first.first, first.last),
        party="",
        currency=first.currency,
        bank_name=bank_name,
        cover=cover,
        tables=(_summary(statements), *(_lines(one, terms) for one in statements)),
        meanings=None,
        inputs=None,
        seals=(),
    )


def _summary(statements: Sequence[Statement]) -> Table:
    names = (
        ("Opening", "期初余额"),
        ("In", "收入合计"),
        ("Out", "支出合计"),
        ("Closing", "期末余额"),
        ("Of it frozen", "其中冻结"),
    )
    columns = (
        Column("account", Words(en="Sub-account", zh="子账户"), 34),
        *(Column("", Words(en=english, zh=chinese), 18, True) for english, chinese in names),
    )
    rows: list[tuple[Cell, ...]] = []
    for one in statements:
        minors = (one.opening.total_minor, one.in_minor, one.out_minor, one.closing.total_minor, one.closing.frozen_minor)
        rows.append((Text(one.account), *(Amount(minor) for minor in minors)))
    return Table("summary", Words(en="Summary", zh="汇总"), None, columns, tuple(rows))


def _lines(one: Statement, terms: Terms) -> Table:
    rows: list[tuple[Cell, ...]] = [_standing(one.opening, Text("Opening", "期初"), Day(one.first))]
    for line in one.lines:
        words = terms.words("txn_type", line.txn_type)
        rows.append(
            (
                Day(line.posting_date),
                Moment(line.event_time),
                Text(words.en, words.zh),
                Text(line.request_no),
                Text(line.loan_id) if line.loan_id else Nothing(),
                Amount(line.change_minor),
                Amount(line.available_minor),
                Amount(line.frozen_minor),
                Amount(line.balance_minor),
            )
        )
    rows.append(_standing(one.closing, Text("Closing", "期末"), Day(one.last)))
    return Table(one.account, Words(en=one.account, zh=one.account), _NOTE, _COLUMNS, tuple(rows), 3)


def _standing(balance: Balance, word: Text, on: Day) -> tuple[Cell, ...]:
    amounts = (Amount(balance.available_minor), Amount(balance.frozen_minor), Amount(balance.total_minor))
    return (on, Nothing(), word, Nothing(), Nothing(), Nothing(), *amounts)
