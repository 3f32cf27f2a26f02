"""What the sub-ledger says: a loan's life, a lender's money, transactions, statements. Nothing here changes anything.

Tables mask user numbers; ``--json`` carries them, for machines.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

import typer

from console.commands.steps import step_callback
from console.loan_funds import funds_of
from console.output import JsonOption, command, emit, parse_date, wired
from console.plain import plain
from custody.errors import UsageError
from custody.names import PartyKind
from custody.services import organisations
from custody.services.lender_money import money_of
from custody.services.loans import loan_life
from custody.services.statements import balance_at, month_of, statement
from custody.services.transactions import MOST, find_transactions, show_transaction
from custody.transaction_query import TxnQuery

PlatformArgument = Annotated[str, typer.Argument(help="Platform. 平台")]
AccountArgument = Annotated[str, typer.Argument(help="Sub-account, P001.LENDER.u000123, or P001:P_INCOME. 台账子账户")]
AllOption = Annotated[bool, typer.Option("--all", help="Every row, not the first of each table. 显示全部")]


def add_ledger(app: typer.Typer) -> None:
    groups: dict[str, tuple[str, dict[str, Callable[..., None]]]] = {
        "loan": (
            "A loan's whole life, and a lender's money through it. 标的",
            {"show": loan_show, "funds": loan_funds, "money": loan_money},
        ),
        "txn": (
            "Transactions by any key, and one request with all that belongs to it. 交易",
            {"find": txn_find, "show": txn_show},
        ),
        "statement": (
            "The day's statements (--date); one account's, and its balance at any date. 对账单",
            {"show": statement_show, "make": statement_make, "balance": statement_balance},
        ),
    }
    for name, (words, commands) in groups.items():
        is_step = name == "statement"
        group = typer.Typer(help=words, no_args_is_help=True, invoke_without_command=is_step)
        if is_step:
            group.callback()(step_callback(name))
        for verb, function in commands.items():
            group.command(verb)(function)
        app.add_typer(group, name=name)


@command
def loan_show(
    platform: PlatformArgument,
    loan_id: Annotated[str, typer.Argument(help="Loan id. 标的号")],
    everything: AllOption = False,
    as_json: JsonOption = False,
) -> int:
    """Terms, states, tenders, disbursal, claims, repayments against the schedule, compensation, assignments, sums. 标的全生命周期"""
    with wired() as wiring:
        life = loan_life(wiring.ledger_reader, platform, loan_id)
    _show(life, as_json, "show_loan", everything)
    return 0 if life.agrees else 1


@command
def loan_funds(
    platform: PlatformArgument,
    loan_id: Annotated[str, typer.Argument(help="Loan id. 标的号")],
    as_json: JsonOption = False,
) -> int:
    """The path of the loan's money: from the lenders on, hop by hop, to where it ended or still lies. 资金流向"""
    with wired() as wiring:
        funds = funds_of(wiring, platform, loan_id)
    _show(funds, as_json, "show_funds")
    return 1 if funds.findings or not funds.agrees else 0


@command
def loan_money(
    account: AccountArgument,
    loan_id: Annotated[str, typer.Option("--loan", help="One loan, posting by posting. 标的号")] = "",
    everything: AllOption = False,
    as_json: JsonOption = False,
) -> int:
    """A lender's or guarantor's money through his loans: given, back, still held. 出借人资金去向"""
    with wired() as wiring:
        money = money_of(wiring.ledger_reader, account, loan_id or None)
    _show(money, as_json, "show_money", everything)
    return 0 if money.detail is None or money.detail.agrees else 1


@command
def txn_find(
    request_no: Annotated[str, typer.Option("--request", help="Request number. 请求流水号")] = "",
    loan_id: Annotated[str, typer.Option("--loan", help="Loan id. 标的号")] = "",
    lender: Annotated[str, typer.Option("--lender", help="Lender's sub-account. 出借人子账户")] = "",
    borrower: Annotated[str, typer.Option("--borrower", help="Borrower's sub-account. 借款人子账户")] = "",
    account: Annotated[str, typer.Option("--account", help="Any account, on either side. 账户")] = "",
    platform: Annotated[str, typer.Option("--platform", help="Platform. 平台")] = "",
    channel: Annotated[str, typer.Option("--channel", help="Payment channel. 支付渠道")] = "",
    txn_type: Annotated[str, typer.Option("--type", help="RECHARGE, REPAYMENT, ... 交易类型")] = "",
    status: Annotated[str, typer.Option("--status", help="SUCCESS, UNKNOWN, ... 状态")] = "",
    outcome: Annotated[str, typer.Option("--outcome", help="POSTED, WAITING, REFUSED, ... 入账结果")] = "",
    first: Annotated[str, typer.Option("--from", help="First custody date. 起始账务日")] = "",
    last: Annotated[str, typer.Option("--to", help="Last custody date. 截止账务日")] = "",
    limit: Annotated[int, typer.Option("--limit", help=f"How many, up to {MOST}. 条数")] = 50,
    after: Annotated[str, typer.Option("--after", help="Go on where an answer ended: its `next`. 续查位置")] = "",
    as_json: JsonOption = False,
) -> int:
    """Transactions with every outcome: posted, repeated, waiting, refused, under way; each with its file and line. 交易查询"""
    filled = {
        "request_no": request_no, "loan_id": loan_id, "lender": lender, "borrower": borrower, "account": account,
        "platform": platform, "channel": channel, "txn_type": txn_type, "status": status, "outcome": outcome,
    }  # fmt: skip
    texts = {name: value for name, value in filled.items() if value}
    query = TxnQuery(**texts, first=_date(first), last=_date(last))
    with wired() as wiring:
        with wiring.register.transaction() as tx:
            platforms = [p.party for p in organisations.parties(tx) if p.kind == PartyKind.PLATFORM]
        sealed = wiring.sealed_transactions
        page = find_transactions(wiring.ledger_reader, sealed, platforms, query, limit, after or None)
    _show(page, as_json, "show_page")
    return 0


@command
def txn_show(
    platform: PlatformArgument,
    request_no: Annotated[str, typer.Argument(help="Request number. 请求流水号")],
    everything: AllOption = False,
    as_json: JsonOption = False,
) -> int:
    """All legs of a request, its entries and holds, what it settles or cancels, what the core must quote. 请求详情"""
    with wired() as wiring:
        view = show_transaction(wiring.ledger_reader, wiring.sealed_transactions, platform, request_no)
    _show(view, as_json, "show_request", everything)
    return 0


@command
def statement_show(
    account: AccountArgument,
    date_: Annotated[str, typer.Option("--date", help="One custody date. 账务日")] = "",
    month: Annotated[str, typer.Option("--month", help="A month, YYYY-MM. 月份")] = "",
    first: Annotated[str, typer.Option("--from", help="First custody date. 起始账务日")] = "",
    last: Annotated[str, typer.Option("--to", help="Last custody date. 截止账务日")] = "",
    csv_: Annotated[str, typer.Option("--csv", help="Write it into this file as CSV, besides. 另存 CSV 文件")] = "",
    everything: AllOption = False,
    as_json: JsonOption = False,
) -> int:
    """One line for each posting; opening plus movements equals closing. 子账户对账单"""
    period = _period(date_, month, first, last)
    with wired() as wiring:
        found = statement(wiring.ledger_reader, account, *period)
    if csv_:
        from console.new_files import write_new
        from reports.statement_csv import render_statement

        write_new(csv_, render_statement(found))
    _show(found, as_json, "show_statement", everything)
    return 0 if found.agrees else 1


@command
def statement_make(
    who: Annotated[str, typer.Argument(help="A sub-account, or a customer's number for all of his. 子账户或客户编号")],
    into: Annotated[str, typer.Option("--into", help="Folder. 目录")],
    date_: Annotated[str, typer.Option("--date", help="One custody date. 账务日")] = "",
    month: Annotated[str, typer.Option("--month", help="A month, YYYY-MM. 月份")] = "",
    first: Annotated[str, typer.Option("--from", help="First custody date. 起始账务日")] = "",
    last: Annotated[str, typer.Option("--to", help="Last custody date. 截止账务日")] = "",
    as_json: JsonOption = False,
) -> int:
    """A customer's daily or monthly statement for him: XLSX, and PDF in both languages. 客户对账单（XLSX、PDF）"""
    from console.new_files import write_new_files
    from reports.statement_files import statement_files

    period = _period(date_, month, first, last)
    with wired() as wiring:
        reader = wiring.ledger_reader
        accounts = [who] if "." in who else sorted(row["sub_account"] for row in reader.accounts_of(who))
        if not accounts:
            raise UsageError(f"no customer is called {who!r}, or none with a sub-account")
        found = [statement(reader, account, *period) for account in accounts]
        files = statement_files(who, found, wiring.settings.instance.bank)
    written = write_new_files(into, files)
    wrong = [words for one in found for words in one.differences]
    emit({"files": sorted(files), "differences": wrong}, as_json, [*written, *wrong])
    return 1 if wrong else 0


@command
def statement_balance(
    account: AccountArgument,
    at: Annotated[str, typer.Option("--at", help="Custody date. 账务日")],
    as_json: JsonOption = False,
) -> int:
    """Available, of which unsettled, and frozen at the end of any date. 任意日余额"""
    with wired() as wiring:
        found = balance_at(wiring.ledger_reader, account, parse_date(at))
    _show(found, as_json, "show_balance")
    return 0


def _show(answer: Any, as_json: bool, table: str, *how: bool) -> None:
    if as_json:
        emit(plain(answer), as_json)
        return
    from console import ledger_tables

    getattr(ledger_tables, table)(answer, *how)


def _date(text: str) -> date | None:
    return parse_date(text) if text else None


def _period(date_: str, month: str, first: str, last: str) -> tuple[date, date]:
    """Exactly one of a date, a month, and two ends."""
    if [bool(date_), bool(month), bool(first or last)].count(True) != 1 or bool(first) != bool(last):
        raise UsageError("say --date, or --month, or --from and --to")
    if month:
        return month_of(month)
    return (parse_date(date_), parse_date(date_)) if date_ else (parse_date(first), parse_date(last))
