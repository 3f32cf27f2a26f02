"""What a case says to people, in English and Chinese: kinds of break, fields of evidence, events, severities, how it ended."""

from __future__ import annotations

from collections.abc import Mapping
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
    **FIGURE_WORDS,
}
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
    """A field of evidence; figures of an invariant keep their names."""
    return FIELDS.get(name, (name.removesuffix("_minor").replace("_", " "), ""))


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
    shown = ("kind", "severity", "due_on", "episode", "proposal", "remedy", "request_no", "outcome")
    return " ".join(f"{name} {details[name]}" for name in shown if details.get(name) is not None)


def _short(event: str, value: Any) -> str:
    """Of a digest its first signs."""
    if value is None:
        return "–"
    return str(value)[:8] if event == CaseEvent.EVIDENCE else str(value)
