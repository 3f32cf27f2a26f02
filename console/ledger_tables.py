"""Loans, transactions and statements as tables for a person: user numbers masked, amounts in yuan, both languages."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from console.pages.words import term
from custody.counting import counted
from custody.funds_paths import CARD_MARK, LENDERS, Way
from custody.loan_history import ClaimLife
from custody.masking import mask_user_numbers
from custody.money import format_amount
from custody.ports import Row
from custody.services.lender_money import HolderMoney
from custody.services.loan_funds import FundsPath
from custody.services.loans import Check, LoanLife
from custody.services.statements import Balance, BalanceAt, Statement
from custody.services.transactions import RequestView, TxnPage
from custody.use_of_funds import WRONG_ENDS

# Of a thousand claims a screen shows these many; the others are counted.
_MOST = 12
_WIDTH = 190
_GOOD, _BAD, _QUIET = "green", "bold red", "dim"
_STATE_STYLES = {"SETTLED": _GOOD, "OVERDUE": _BAD, "MISCARRIED": "yellow", "REFUSED": _BAD, "WAITING": "yellow", "POSTED": _GOOD}


def console() -> Console:
    """Wide enough for the tables where nobody's terminal says how wide it is."""
    found = Console()
    return found if found.is_terminal else Console(width=_WIDTH)


def show_loan(life: LoanLife, everything: bool) -> None:
    """The loan from its terms to what is outstanding, and whether its sums agree."""
    out, terms, currency = console(), life.terms, life.terms["currency"]
    owed = life.outstanding
    out.print(
        Text.assemble(
            (f"{life.platform} {life.loan_id}  ", "bold"),
            _state(life.state, "loan_state"),
            (f"  as of {life.up_to} 截至", _QUIET),
        )
    )
    out.print(
        f"{_yuan(terms['amount_minor'])} {currency}  {terms['annual_rate']} {terms['method']} {terms['periods']} x {terms['every']} "
        f"{terms['day_count']}  {terms['purpose']}  borrower 借款人 {_account(terms['borrower'])}"
        + "".join(f"  {words} {_account(terms[name])}" for name, words in _PARTIES if terms[name])
    )
    out.print("states 状态: " + "  ".join(f"{s.since} {' '.join(term(s.state, 'loan_state'))}" for s in life.states))
    _tenders(out, life)
    if life.disbursal is not None:
        paid = life.disbursal
        entrusted = "".join(f"; paid on to 受托支付 {_account(t.to_account)} {_yuan(t.amount_minor)}" for t in paid.entrusted)
        out.print(
            f"disbursed 放款 {paid.on}: gross {_yuan(paid.gross_minor)}, of which coupons 红包 {_yuan(paid.coupon_minor)}, "
            f"{counted(paid.tenders, 'tender')}{entrusted}"
        )
    if life.instalments:
        _section(out, everything, "schedule 还款计划", _SCHEDULE, [
            (i.number, i.due, _yuan(i.principal_minor), _yuan(i.interest_minor), _yuan(i.paid_principal_minor),
             _yuan(i.paid_interest_minor), _yuan(i.waived_minor), _owed(i.owed_minor, i.overdue_minor), i.days_past_due or "",
             _yuan(i.penalty_minor) if i.penalty_minor else "", i.paid_on or "")
            for i in life.instalments
        ])  # fmt: skip
    if life.payments:
        _section(out, everything, "repayments and compensation 还款与代偿", _PAYMENTS, [
            (p.on, " ".join(term(p.txn_type, "txn_type")), p.request_no, _account(p.payer), p.creditors, _yuan(p.principal_minor),
             _yuan(p.interest_minor), _yuan(p.penalty_minor), _yuan(p.amount_minor))
            for p in life.payments
        ])  # fmt: skip
    if life.assignments:
        _section(out, everything, "assignments 债权转让", _ASSIGNMENTS, [
            (a.on, a.request_no, _account(a.seller), _account(a.buyer), a.claim_id, _yuan(a.principal_minor), _yuan(a.price_minor))
            for a in life.assignments
        ])  # fmt: skip
    # Those with a story first.
    claims = sorted(life.claims, key=lambda c: (-len(c.events), c.claim_id))
    _section(out, everything, "claims 债权", _CLAIMS, [_claim_cells(c) for c in claims])
    if life.not_posted:
        _section(out, everything, "not posted 未入账", _NOT_POSTED, [
            (n.on, " ".join(term(n.txn_type, "txn_type")), f"{n.request_no}/{n.leg}", _yuan(n.amount_minor),
             " ".join(term(n.outcome, "outcome")), f"{n.file_name}:{n.line_no}")
            for n in life.not_posted
        ])  # fmt: skip
    held = ", ".join(f"{' '.join(term(role, 'role'))} {_yuan(minor)}" for role, minor in owed.held_by_minor.items())
    out.print(
        Text.assemble(
            ("outstanding 未偿本金 ", "bold"),
            f"{_yuan(owed.principal_minor)} {currency}" + (f" (held by 持有: {held})" if held else ""),
            (f"  overdue 逾期 {_yuan(owed.overdue_minor)} since {owed.overdue_since}, {counted(owed.days_past_due, 'day')}", _BAD)
            if owed.overdue_since
            else "",
            f"  penalty 罚息: accrued 应计 {_yuan(owed.penalty_accrued_minor)}, paid 已付 {_yuan(owed.penalty_paid_minor)}"
            if owed.penalty_accrued_minor or owed.penalty_paid_minor
            else "",
            f"  next 下期 {owed.next_due}: {_yuan(owed.next_due_minor)}" if owed.next_due else "",
        )
    )
    _checks(out, life.checks)


def show_funds(funds: FundsPath) -> None:
    """The path as a tree: each place with what came, each leg with its share, and what ended or lies where."""
    out = console()
    out.print(
        Text.assemble(
            (f"{funds.platform} {funds.loan_id}  ", "bold"), f"{funds.purpose}  ", (f"as of {funds.up_to} 截至", _QUIET)
        )
    )
    if not funds.lent_minor:
        out.print("nothing is disbursed yet 尚未放款")
        return
    for place in funds.places:
        indent = "    " * place.hop
        lies = f"  lies 尚存 {_yuan(place.lies_minor)}" if place.lies_minor else ""
        out.print(Text.assemble(f"{indent}{_place(place.node)}  ", (f"{_yuan(place.came_minor)}{lies}", "bold")))
        for leg in place.legs:
            words = " ".join(term(leg.way, "way"))
            to = f" → {_place(leg.target)}" if leg.target else f" {leg.other_loan}" if leg.other_loan else ""
            line = (
                f"{indent}  └ {leg.on}  {words}{to}  {_yuan(leg.amount_minor)}  {_percent(leg.share_bp)}  {leg.request_no or ''}"
            )
            out.print(Text(line, _BAD if leg.way in WRONG_ENDS and leg.way is not Way.TO_PLATFORM else ""), soft_wrap=True)
    ended = [f"{' '.join(term(way, 'way'))} {_yuan(minor)}" for way, minor in funds.ends.items()]
    out.print(f"lent 放款 {_yuan(funds.lent_minor)} = " + " + ".join([*ended, f"lies 尚存 {_yuan(funds.lies_minor)}"]))
    agreed = "lent = ended + lies 放款 = 去向合计 + 尚存"
    out.print(Text(f"{'✓' if funds.agrees else '✗'} {agreed}", _GOOD if funds.agrees else _BAD))
    for finding in funds.findings:
        figures = json.loads(finding["evidence"])[0]
        said = f"✗ {figures['rule']}  {figures['words_en']} {figures['words_zh']}  {_yuan(finding['amount_minor'])}"
        out.print(Text(f"{said}  case 案件 {finding['case_id']}", _BAD), soft_wrap=True)


def _place(node: str) -> str:
    """An account masked; a card as its owner's, of whom the screen says no more than the start of his id."""
    if node == LENDERS:
        return "lenders 出借人"
    platform, is_one, customer = node.partition(CARD_MARK)
    return f"card of 绑定卡 {customer[:7]}… ({platform})" if is_one else _account(node)


def _percent(basis_points: int) -> str:
    return f"{basis_points // 100}.{basis_points % 100:02d} %"


def show_money(money: HolderMoney, everything: bool) -> None:
    """What a holder gave to each loan, what came back, what he still holds."""
    out = console()
    out.print(Text.assemble((_account(money.holder), "bold"), (f"  as of {money.up_to} 截至", _QUIET)))
    names = ("lent", "coupon", "bought", "advanced", "repaid", "compensated", "sold", "frozen", "claims")
    rows = [(m.loan_id, *(_blank(getattr(m, f"{name}_minor")) for name in names)) for m in money.loans]
    _section(out, everything, "money through loans 资金去向", _MONEY, rows)
    if money.detail is None:
        return
    _section(out, everything, "posting by posting 逐笔", _STEPS, [
        (s.event.on, " ".join(term(s.event.txn_type, "txn_type")), s.event.request_no, s.claim_id, _account(s.event.counterparty),
         _yuan(s.event.principal_minor), _blank(s.event.interest_minor), _blank(s.event.penalty_minor), _yuan(s.event.paid_minor),
         _yuan(s.event.left_minor))
        for s in money.detail.steps
    ])  # fmt: skip
    out.print(
        f"principal back 已收本金 {_yuan(money.detail.principal_back_minor)}  interest 利息 {_yuan(money.detail.interest_minor)}  "
        f"penalty 罚息 {_yuan(money.detail.penalty_minor)}"
    )
    _checks(out, money.detail.checks)


def show_page(page: TxnPage) -> None:
    """Transactions, each with its outcome and where it stands in which file."""
    out = console()
    rows = [_txn_cells(row) for row in page.rows]
    out.print(_table("transactions 交易", _TXNS, rows, len(rows)))
    if page.next is not None:
        out.print(f"more 还有更多: --after {page.next}", style=_QUIET)


def show_request(view: RequestView, everything: bool) -> None:
    """One request: its legs, entries, holds, and the requests before and after it."""
    out = console()
    out.print(Text.assemble((f"{view.platform} {view.request_no}", "bold"), (f"  as of {view.up_to} 截至", _QUIET)))
    for title, found in (
        ("legs 明细", view.legs),
        ("it settles, cancels or pays from 其所对应的请求", view.related),
        ("named by 被引用", view.followed_by),
    ):
        if found:
            _section(out, everything, title, _TXNS, [_txn_cells(row) for row in found])
    entries = [
        (e["posting_date"], f"{e['entry_no']}.{e['move_no']}", e["book"], _account(e["from_account"]), _account(e["to_account"]),
         _yuan(e["amount_minor"]), e["core_ref"] or "")
        for e in view.entries
    ]  # fmt: skip
    if entries:
        _section(out, everything, "entries 分录", _ENTRIES, entries)
    holds = [(h["hold_id"], _account(h["account"]), h["kind"], _yuan(h["amount_minor"]), h["placed_on"]) for h in view.holds]
    if holds:
        out.print(_table("still frozen 仍冻结", _HOLDS, holds, len(holds)))
    if view.core_refs:
        out.print("core 核心流水: " + " ".join(view.core_refs))


def show_statement(found: Statement, everything: bool) -> None:
    """One line for each posting, from the opening to the closing balance."""
    out = console()
    out.print(
        Text.assemble(
            (_account(found.account), "bold"),
            f"  {found.first} – {found.last}  {found.currency}",
            (f"  as of {found.up_to}", _QUIET),
        )
    )
    rows: list[Sequence[object]] = [("", "", "opening 期初", "", "", "", "", "", *_balance_cells(found.opening))]
    rows += [
        (line.posting_date, line.value_date, " ".join(term(line.txn_type, "txn_type")), line.request_no, line.loan_id or "",
         _accounts(line.counterparty), _blank(line.available_change_minor), _blank(line.frozen_change_minor),
         _yuan(line.available_minor), _yuan(line.frozen_minor), _yuan(line.balance_minor))
        for line in (found.lines if everything else found.lines[: 10 * _MOST])
    ]  # fmt: skip
    rows.append(("", "", "closing 期末", "", "", "", "", "", *_balance_cells(found.closing)))
    out.print(_table("statement 对账单", _STATEMENT, rows, len(found.lines) + 2))
    out.print(f"in 收入 {_yuan(found.in_minor)}  out 支出 {_yuan(found.out_minor)}")
    agreed = "opening + movements = closing 期初 + 发生额 = 期末"
    out.print(Text(f"✓ {agreed}", _GOOD) if found.agrees else Text("✗ " + "; ".join(found.differences), _BAD))


def show_balance(at: BalanceAt) -> None:
    """The balance at the end of a date, available and frozen apart."""
    since = f"standing since 自 {at.moved_on}" if at.moved_on else "never moved 从未变动"
    console().print(
        f"{_account(at.account)}  {at.on}  available 可用 {_yuan(at.balance.available_minor)} (unsettled 未清算 "
        f"{_yuan(at.balance.unsettled_minor)})  frozen 冻结 {_yuan(at.balance.frozen_minor)}  total 合计 "
        f"{_yuan(at.balance.total_minor)}  {since}"
    )


_PARTIES = (("guarantor", "guarantor 担保人"), ("payee", "payee 受托收款人"))
_SCHEDULE = "no 期,due 应还日,principal 本金,interest 利息,paid principal 已还本金,paid interest 已还利息,waived 免息,owed 未还,days past due 逾期天数,penalty 罚息,paid on 还清日"
_PAYMENTS = (
    "date 日期,type 类型,request 请求号,payer 付款方,creditors 收款人数,principal 本金,interest 利息,penalty 罚息,amount 金额"
)
_ASSIGNMENTS = "date 日期,request 请求号,seller 转让方,buyer 受让方,claim 债权,principal 本金,price 价格"
_CLAIMS = "claim 债权,holder 持有人,from claim 来自,since 起,until 止,original 原始,left 剩余,events 变动"
_NOT_POSTED = "date 日期,type 类型,request/leg 请求/明细,amount 金额,outcome 结果,file:line 文件:行"
_MONEY = "loan 标的,lent 出借,coupon 红包,bought 买入,advanced 代偿支出,repaid 回款,compensated 获代偿,sold 卖出,frozen 冻结,claims 债权余额"
_STEPS = "date 日期,type 类型,request 请求号,claim 债权,counterparty 对方,principal 本金,interest 利息,penalty 罚息,cash 现金,left 剩余"
_TXNS = "processed 处理,type 类型,request/leg 请求/明细,from 付款方,to 收款方,amount 金额,loan 标的,channel 渠道,status 状态,outcome 结果,file:line 文件:行"
_ENTRIES = "date 日期,entry 分录号,book 账簿,from 减,to 增,amount 金额,core ref 核心流水"
_HOLDS = "hold 冻结号,account 账户,kind 种类,amount 金额,since 起"
_STATEMENT = "posted 记账日,value 起息日,type 类型,request 请求号,loan 标的,counterparty 对方,available ± 可用变动,frozen ± 冻结变动,available 可用,frozen 冻结,balance 余额"
_RIGHT = ("principal", "interest", "paid p", "paid i", "owed", "penalty", "amount", "price", "original", "left", "lent", "coupon",
          "bought", "advanced", "repaid", "compensated", "sold", "frozen", "claims", "available", "balance", "cash", "waived")  # fmt: skip


def _table(title: str, columns: str, rows: Iterable[Sequence[object]], count: int) -> Table:
    shown = list(rows)
    more = f" (first {len(shown)} of {count}; all with --all 显示前 {len(shown)} 条)" if count > len(shown) else f" ({count})"
    table = Table(title=title + more, title_justify="left", title_style="bold cyan", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in columns.split(","):
        whole = name.startswith(("processed", "posted", "date", "request", *_RIGHT))
        table.add_column(name, justify="right" if name.startswith(_RIGHT) else "left", overflow="fold", no_wrap=whole)
    for row in shown:
        table.add_row(*(cell if isinstance(cell, Text) else str(cell) for cell in row))
    return table


def _section(out: Console, everything: bool, title: str, columns: str, rows: Sequence[Sequence[object]]) -> None:
    out.print(_table(title, columns, rows if everything else rows[:_MOST], len(rows)))


def _tenders(out: Console, life: LoanLife) -> None:
    count, amount = Counter[str](), Counter[str]()
    for tender in life.tenders:
        count[tender.state] += 1
        amount[tender.state] += tender.amount_minor
    by_mandate = sum(t.originator == "MANDATE" for t in life.tenders)
    told = ", ".join(f"{state} {count[state]} ({_yuan(amount[state])})" for state in sorted(count))
    out.print(
        f"tenders 投标 {len(life.tenders)}: {told or 'none 无'}" + (f"; by mandate 授权投标 {by_mandate}" if by_mandate else "")
    )


def _claim_cells(claim: ClaimLife) -> tuple[object, ...]:
    events = "; ".join(f"{e.on:%m-%d} {e.txn_type} {_yuan(e.principal_minor)}" for e in claim.events)
    came = claim.came_from[0] + (f" +{len(claim.came_from) - 1}" if len(claim.came_from) > 1 else "") if claim.came_from else ""
    if len(claim.events) > _MOST:
        events = f"{counted(len(claim.events), 'change')} 次变动"
    figures = (_yuan(claim.original_minor), _yuan(claim.principal_minor))
    return (claim.claim_id, _account(claim.holder), came, claim.since, claim.until or "", *figures, events)


def _txn_cells(row: Row) -> tuple[object, ...]:
    number = str(row["txn_no"])
    return (
        f"{number[:4]}-{number[4:6]}-{number[6:8]} #{int(number[8:])}", " ".join(term(row["txn_type"], "txn_type")),
        f"{row['request_no']}/{row['leg']}", _account(row["from_account"]), _account(row["to_account"]), _yuan(row["amount_minor"]),
        row["loan_id"] or "", row["channel"] or "", row["status"], _state(row["outcome"], "outcome"),
        f"{row['file_name']}:{row['line_no']}",
    )  # fmt: skip


def _checks(out: Console, checks: Iterable[Check]) -> None:
    for check in checks:
        words = f"{check.rule} {check.words[0]} {check.words[1]}"
        figure = _yuan if check.unit == "minor" else str
        if check.agree:
            out.print(Text(f"✓ {words}: {figure(check.left)}", _GOOD))
        else:
            out.print(Text(f"✗ {words}: {figure(check.left)} – {figure(check.right)} = {figure(check.difference)}", _BAD))


def _state(code: str, of: str) -> Text:
    return Text(" ".join(term(code, of)).strip(), _STATE_STYLES.get(code, ""))


def _owed(minor: int, overdue: int) -> Text:
    return Text(_yuan(minor), _BAD if overdue else "")


def _balance_cells(balance: Balance) -> tuple[str, ...]:
    return _yuan(balance.available_minor), _yuan(balance.frozen_minor), _yuan(balance.total_minor)


def _yuan(minor: int) -> str:
    return format_amount(minor)


def _blank(minor: int) -> str:
    return format_amount(minor) if minor else ""


def _account(account: str | None) -> str:
    return mask_user_numbers(account) if account else ""


def _accounts(names: str) -> str:
    return " ".join(map(_account, names.split()))
