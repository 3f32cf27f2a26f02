"""What a case says to people, in English and Chinese: kinds of break, fields of evidence, events, severities, how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from custody.case_life import CaseEvent

Words = tuple[str, str]

KINDS: dict[str, Words] = {
    "MISSING_IN_PLATFORM": ("not in the platform's file", "平台缺失"),
    "MISSING_IN_LEDGER": ("not in our ledger", "账簿缺失"),
    "MISSING_IN_CORE": ("not at the bank core", "核心缺失"),
    "MISSING_IN_CHANNEL": ("not in the channel's settlement", "渠道缺失"),
    "AMOUNT": ("amounts differ", "金额不符"),
    "DIRECTION": ("money goes the other way", "方向相反"),
    "DUPLICATE": ("the same number more than once", "重复"),
    "STATUS": ("statuses differ", "状态不符"),
    "WRONG_ACCOUNT": ("another account", "账户不符"),
    "WRONG_LOAN": ("another loan", "标的不符"),
    "TXN_TYPE": ("another type of transaction", "交易类型不符"),
    "FEE": ("fees differ", "手续费不符"),
    "CURRENCY": ("currencies differ", "币种不符"),
    "TIMING": ("dates differ", "日期不符"),
    "RETURNED": ("a payment came back", "退回"),
    "STALE_FREEZE": ("frozen too long", "冻结超期"),
    "ORPHAN": ("nobody's", "无法归属"),
    "LATE_FILE": ("a file has not come", "文件未到"),
    "CONTROL_TOTAL": ("a file was refused", "文件拒收"),
    "BALANCE_CHAIN": ("balances do not chain", "余额不连续"),
    "UNAUTHORISED": ("claimed without authority", "未经授权"),
    "MANDATE": ("outside the mandate", "超出授权"),
    "LIMIT": ("beyond a limit", "超过限额"),
    "ROUNDING": ("rounding differs", "舍入差异"),
    "CLAIM": ("claims differ", "债权不符"),
    "LOAN_TERMS": ("loan terms differ", "标的要素不符"),
    "CUSTOMER": ("customer master differs", "客户信息不符"),
    "ALLOCATION": ("a repayment is split otherwise", "还款分配不符"),
    "UPFRONT_FEE": ("a fee taken up front", "砍头息"),
    "UNSETTLED_USE": ("unsettled money was used", "使用未清算资金"),
    "SETTLEMENT_SHORT": ("settled short", "清算不足"),
    "SETTLEMENT_LATE": ("settled late", "清算迟到"),
    "UNKNOWN_STATUS": ("status unknown too long", "状态不明超期"),
    "SUSPENSE_AGED": ("waits in suspense too long", "挂账超期"),
    "HOLD": ("a hold does not fit", "冻结不符"),
    "SHORTFALL": ("money is short", "资金不足"),
    "DISCLOSURE": ("published figures differ", "披露不符"),
    "USE_OF_FUNDS": ("money used otherwise than stated", "资金用途不符"),
    "INV_01": ("custody money is not what the core holds", "存管资金与核心不符"),
    "INV_02": ("a balance does not follow from its movements", "余额与发生额不符"),
    "INV_03": ("a balance below zero, or holds that do not add up", "余额为负或冻结不平"),
    "INV_04": ("a loan did not begin whole", "放款不完整"),
    "INV_05": ("debt and claims differ", "债务与债权不符"),
    "INV_06": ("shares of a loan are not whole", "债权份额不符"),
    "INV_07": ("a platform's own money in a loan", "平台自有资金出借"),
    "INV_08": ("money went to somebody else", "资金流向他人"),
    "INV_09": ("a settlement batch does not add up", "清算批次不平"),
    "INV_10": ("a row is not accounted for", "存在未归类的行"),
    "INV_11": ("fees do not add up", "费用不平"),
    "INV_12": ("unsettled money left the bank", "未清算资金划出"),
    "INV_13": ("requirement is not covered", "兑付缺口"),
    "INV_14": ("a closed account is not empty", "销户账户未清零"),
}
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
    "fee_minor": ("fee", "手续费"),
    "principal_minor": ("principal", "本金"),
    "interest_minor": ("interest", "利息"),
    "penalty_minor": ("penalty", "罚息"),
    "coupon_minor": ("coupon", "红包"),
    "from_account": ("from", "付款方"),
    "to_account": ("to", "收款方"),
    "loan_id": ("loan", "标的"),
    "holder": ("holder", "持有人"),
    "status": ("status", "状态"),
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
}
REMEDIES: dict[str, Words] = {"case": ("settle", "结案"), "adjustment": ("adjusting entry", "调账")}
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
    return KINDS.get(kind, (kind, ""))


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
    shown = ("kind", "severity", "due_on", "episode", "proposal", "remedy", "request_no", "rule")
    return " ".join(f"{name} {details[name]}" for name in shown if details.get(name) is not None)


def _short(event: str, value: Any) -> str:
    """Of a digest its first signs."""
    if value is None:
        return "–"
    return str(value)[:8] if event == CaseEvent.EVIDENCE else str(value)
