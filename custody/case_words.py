"""What a case says to people, in English and Chinese: kinds of break, fields of evidence, events, severities, how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from custody.case_life import CaseEvent
from custody.disclosure import FIGURE_WORDS
from custody.verdict_words import KIND_WORDS

Words = tuple[str, str]

SEVERITIES: dict[str, Words] = {
    "LOW": ("low", "低"),
    "MEDIUM": ("medium", "中"),
    "HIGH": ("high", "高"),
    "CRITICAL": ("critical", "紧急"),
}
STATES: dict[str, Words] = {"OPEN": ("open", "未结"), "CLOSED": ("closed", "已结")}
SIDES: dict[str, Words] = {
    "A": ("A platform", "A 平台"),
    "B": ("B ledger", "B 账簿"),
    "C": ("C core, channel", "C 核心/渠道"),
    "-": ("figures", "数据"),
}
FIELDS: dict[str, Words] = {
    "amount_minor": ("amount", "金额"),
    "currency": ("currency", "币种"),
    "available_minor": ("available", "可用"),
    "frozen_minor": ("frozen", "冻结"),
    "closing_minor": ("balance at the end of the day", "日终余额"),
    "fee_minor": ("fee", "手续费"),
    "principal_minor": ("principal", "本金"),
    "interest_minor": ("interest", "利息"),
    "penalty_minor": ("penalty", "罚息"),
    "coupon_minor": ("coupon", "红包"),
    "paid_on": ("paid on", "还款日"),
    "due_principal_minor": ("principal due", "应还本金"),
    "due_interest_minor": ("interest due", "应还利息"),
    "due_penalty_minor": ("penalty due", "应还罚息"),
    "from_account": ("from", "付款方"),
    "to_account": ("to", "收款方"),
    "loan_id": ("loan", "标的"),
    "holder": ("holder", "持有人"),
    "status": ("status", "状态"),
    "txn_type": ("type", "交易类型"),
    "item_date": ("custody date", "账务日"),
    "event_time": ("event", "交易时间"),
    "as_of": ("as of", "时点"),
    "customer_id": ("customer", "客户号"),
    "says": ("says", "内容"),
    "rule": ("rule", "规则"),
    "words_en": ("in words", "说明（英文）"),
    "words_zh": ("in Chinese", "说明"),
    "sha256": ("digest", "摘要"),
    "instead_of": ("stands for", "对应"),
    "expected": ("expected", "应收"),
    "custody_date": ("custody date", "账务日"),
    "loans_behind": ("loans behind it", "涉及标的数"),
    "borrower": ("borrower", "借款人"),
    "guarantor": ("guarantor", "担保人"),
    "payee": ("payee", "受托支付收款人"),
    "payer": ("payer", "付款方"),
    "annual_rate": ("annual rate", "年利率"),
    "method": ("repayment method", "还款方式"),
    "periods": ("instalments", "期数"),
    "every": ("length of a period", "周期单位"),
    "day_count": ("day count", "计息基准"),
    "minimum_minor": ("least amount at which it may be disbursed", "最低成标金额"),
    "penalty_rate": ("penalty a day", "逾期日罚息率"),
    "purpose": ("stated use", "借款用途"),
    "raised_minor": ("raised", "已募集金额"),
    "state": ("state", "状态"),
    "overdue_since": ("overdue since", "逾期起始日"),
    "disbursed_on": ("disbursed on", "放款日"),
    "movements": ("movements", "交易笔数"),
    "silent_since": ("shows nothing since", "自何日起无数据"),
    "date": ("date", "日期"),
    "posted_later_minor": ("posted later, of this date", "事后入账（归属当日）"),
    **FIGURE_WORDS,
}
# Figures of an invariant (custody.invariants, custody.life_invariants, custody.settlement ...): amounts in minor units all of them.
SUMS: dict[str, Words] = {
    "ledger": ("ledger", "分户账"),
    "core": ("core", "核心"),
    "yesterday": ("yesterday's balance", "上日余额"),
    "today": ("today's balance", "当日余额"),
    "day_before": ("closing of the day before", "上日日终余额"),
    "opening": ("opening", "日初余额"),
    "in": ("in", "转入"),
    "out": ("out", "转出"),
    "flows": ("flows", "流水合计"),
    "closing": ("closing", "日终余额"),
    "frozen": ("frozen", "冻结"),
    "holds": ("holds", "冻结明细合计"),
    "balance": ("balance", "余额"),
    "items": ("sum of its items", "明细合计"),
    "debt": ("debt", "未偿债务"),
    "claims": ("claims", "债权合计"),
    "fee_receivable": ("fee to be restored", "待补手续费"),
    "funded": ("lent", "已放款"),
    "still_frozen": ("still frozen", "仍冻结"),
    "amount": ("loan's amount", "标的金额"),
    "least": ("least amount", "最低成标金额"),
    "principal": ("principal", "本金"),
    "original": ("originally", "原始本金"),
    "shares": ("shares", "份额合计"),
    "lent_less_repaid": ("lent less repaid", "放款减已还"),
    "accrued": ("accrued", "已计提"),
    "collected_written_off_and_due": ("collected, written off and due", "已收、核销与应收合计"),
    "collected": ("collected", "已收"),
    "booked": ("booked", "已入账"),
    "charged": ("charged", "已收费"),
    "written_off": ("written off", "已核销"),
    "to_give_back": ("to be given back", "应退还"),
    "unsettled": ("unsettled", "未到账"),
    "held": ("held", "持有"),
    "left_unsettled": ("left before it was settled", "未到账即转出"),
    "past_due": ("past due", "逾期未清算"),
    "gross_less_fee": ("gross less fee", "总额减手续费"),
    "net": ("net", "清算净额"),
    "instructed": ("instructed", "指令金额"),
    "settled": ("settled", "渠道清算金额"),
    "left": ("left", "剩余"),
    "sum": ("sum", "合计"),
    "paid": ("paid", "已付"),
    "share": ("share due", "应得份额"),
    "credit": ("credit", "结息金额"),
}
# What three rows of a platform's own ledger are to each other (jobs.reconcile.shadow).
OWN_LEDGER: tuple[Words, ...] = (
    ("A as filed for the day before", "A 上日申报余额"),
    ("A as filed for the day", "A 当日申报余额"),
    ("A net of its own movements", "A 自报流水净额"),
)
EVENTS: dict[str, Words] = {
    CaseEvent.OPENED: ("opened", "立案"),
    CaseEvent.FOUND_AGAIN: ("found again", "再次发现"),
    CaseEvent.KIND: ("kind changed", "差错种类变更"),
    CaseEvent.AMOUNT: ("amount changed", "金额变更"),
    CaseEvent.EVIDENCE: ("evidence changed", "证据变更"),
    CaseEvent.SEVERITY: ("severity changed", "级别变更"),
    CaseEvent.CLOSED: ("closed", "结案"),
    CaseEvent.ASSIGNED: ("assigned", "指派"),
    CaseEvent.COMMENTED: ("comment", "备注"),
    CaseEvent.PROPOSED: ("proposed", "提出处理"),
    CaseEvent.APPROVED: ("approved", "复核通过"),
    CaseEvent.REJECTED: ("rejected", "复核拒绝"),
    CaseEvent.REOPENED: ("reopened", "重新打开"),
    CaseEvent.ADJUSTED: ("adjusting entry posted", "调账入账"),
    CaseEvent.NOT_ADJUSTED: ("adjusting entry refused", "调账未入账"),
    CaseEvent.DISPUTED: ("disputed by the platform", "平台提出异议"),
}
REMEDIES: dict[str, Words] = {
    "case": ("settle", "结案"),
    "adjustment": ("adjusting entry", "调账"),
    "adjustment_withdrawal": ("withdraw the adjusting entry", "撤回调账"),
}
# The first word of closed_by.
_ENDS: dict[str, Words] = {
    "decision": ("settled by two people", "经双人复核结案"),
    "adjustment": ("put right by an adjusting entry", "经调账更正"),
    "row": ("a later row matched it", "后到记录已匹配"),
    "file": ("the file came", "文件已到"),
    "restated": ("the file was restated", "文件已重报"),
    "given_up": ("two people decided that the file will not come", "经双人复核确认文件不会到达"),
    "no_longer_found": ("no longer found", "差异已消除"),
}


def kind_words(kind: str) -> Words:
    """A break kind for people; its own name where it has no words."""
    return KIND_WORDS.get(kind, (kind, ""))


def field_words(name: str) -> Words:
    """A field of evidence; what nobody has put into words keeps its name."""
    return FIELDS.get(name) or SUMS.get(name) or (name.removesuffix("_minor").replace("_", " "), "")


def is_amount(name: str) -> bool:
    """Whether a whole number under this name is money, in minor units."""
    return name.endswith("_minor") or name in SUMS


def column_words(subject: str, columns: Sequence[str]) -> tuple[Words, ...]:
    """What stands above the columns of evidence, of these sides."""
    if subject.startswith("SHADOW|") and len(columns) == len(OWN_LEDGER):
        return OWN_LEDGER
    return tuple(SIDES[side] for side in columns)


def event_words(event: str) -> Words:
    """An event of a case's history."""
    return EVENTS.get(event, (event, ""))


def closed_words(closed_by: str | None) -> Words | None:
    """How a case ended, and by what; None while it is open."""
    if not closed_by:
        return None
    word, _, what = closed_by.partition(" ")
    english, chinese = _ENDS.get(word, (word, ""))
    return (f"{english}: {what}", f"{chinese}：{what}") if what else (english, chinese)


def detail_words(event: str, details: Mapping[str, Any]) -> str:
    """What an event changed, in few signs: ``before → after``, a proposal's number, what closed it."""
    if "before" in details:
        before, after = (_short(event, details[name]) for name in ("before", "after"))
        return f"{before} → {after}"
    if "closed_by" in details and event == CaseEvent.CLOSED:
        english, chinese = closed_words(details["closed_by"]) or ("", "")
        return f"{english} / {chinese}"
    if event == CaseEvent.DISPUTED:
        return f"{details['row']} ({details['said_in']})"
    return ", ".join(" ".join(filter(None, _detail(name, details[name]))) for name in _DETAILS if details.get(name) is not None)


_DETAILS: dict[str, Words] = {
    "kind": ("", ""),
    "severity": ("severity", "级别"),
    "due_on": ("due", "限期"),
    "episode": ("episode", "第几次"),
    "proposal": ("proposal", "提案"),
    "remedy": ("", ""),
    "request_no": ("request", "流水号"),
    "outcome": ("outcome", "结果"),
}


def _detail(name: str, value: Any) -> Words | tuple[str, ...]:
    known = {"kind": KIND_WORDS, "severity": SEVERITIES, "remedy": REMEDIES}.get(name, {})
    if name == "kind":
        return str(value), kind_words(str(value))[1]
    return (*_DETAILS[name], *known.get(value, (str(value),)))


def _short(event: str, value: Any) -> str:
    """Of a digest its first signs."""
    if value is None:
        return "–"
    if event == CaseEvent.SEVERITY and value in SEVERITIES:
        return " ".join(SEVERITIES[value])
    return str(value)[:8] if event == CaseEvent.EVIDENCE else str(value)
