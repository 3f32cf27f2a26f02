"""What messages about alerts say, in Chinese and English, with user numbers masked: nothing of a customer goes through a gateway that
the words of the alert do not need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from custody.alert_rules import Channel, Whom
from custody.counting import counted
from custody.masking import mask_user_numbers
from custody.ports import Row

Words = tuple[str, str]
SEVERITY_WORDS: Mapping[str, Words] = {
    "LOW": ("low", "低"), "MEDIUM": ("medium", "中"), "HIGH": ("high", "高"), "CRITICAL": ("critical", "紧急"),
}  # fmt: skip
EVENT_WORDS: Mapping[str, Words] = {
    "RAISED": ("raised", "产生"),
    "GRAVER": ("graver", "级别上升"),
    "PASSED_ON": ("not answered in time: it is yours now", "逾时未应答，转您处理"),
    "ACKNOWLEDGED": ("acknowledged", "已确认"),
    "CLOSED": ("closed", "已办结"),
    "ENDED": ("over", "已解除"),
    "REOPENED": ("open again", "重新打开"),
}
STATE_WORDS: Mapping[str, Words] = {
    "OPEN": ("open", "待确认"), "ACKNOWLEDGED": ("acknowledged", "处理中"), "CLOSED": ("closed", "已关闭"),
}  # fmt: skip
MESSAGE_STATES: Mapping[str, Words] = {"QUEUED": ("queued", "待发"), "SENT": ("sent", "已发"), "FAILED": ("failed", "失败")}
CHANNEL_WORDS: Mapping[str, Words] = {
    "PAGE": ("page", "页面"), "MAIL": ("mail", "邮件"), "SMS": ("SMS", "短信"), "FILE": ("file", "文件"),
}  # fmt: skip
WHOM_WORDS: Mapping[str, Words] = {
    "DUTY": ("the bank", "本行"), "PLATFORM": ("platform", "平台"), "REGULATOR": ("regulator", "监管机构"), "CUSTOMER": ("customer", "客户"),
}  # fmt: skip
MODE_WORDS: Mapping[str, Words] = {"IMMEDIATE": ("at once", "即时"), "DIGEST": ("digest", "汇总")}
DUTY_WORDS: Mapping[str, Words] = {
    "operator": ("operator", "操作岗"), "supervisor": ("supervisor", "复核岗"), "risk_officer": ("risk officer", "风控岗"),
    "fee_officer": ("fee officer", "费用岗"), "report_officer": ("report officer", "报表岗"), "administrator": ("administrator", "管理员"),
}  # fmt: skip
RULE_WORDS: Mapping[str, Words] = {
    "BORROWER_SHORT": ("a borrower is short of funds", "借款人余额不足"),
    "DAYS_PAST_DUE": ("a loan is overdue", "标的逾期"),
    "OWN_FUNDS_SHORT": ("a platform's own funds do not cover its fees", "平台自有资金不足付费"),
    "ADVANCE_SHORT": ("withdrawals in flight exceed settled money and advance", "在途提现超过已清算及垫付资金"),
    "OWN_ACCOUNT_SHORT": ("a platform withdraws more than its account holds", "平台账户不足支付在途提现"),
    "COVER_SHORT": ("custody money is not covered", "存管资金覆盖不足"),
    "REPEATED_COMPENSATION": ("a borrower is compensated for again and again", "借款人反复被代偿"),
    "RESERVE_GROWS": ("a compensation account grows", "风险备付金增加"),
    "PAYOUT_SHORT": ("pay-outs exceed cash", "待付资金超过现金"),
    "RESULT_UNCONFIRMED": ("results are not confirmed", "对账结果未确认"),
    "RESULT_DISPUTED": ("results are disputed", "对账结果有异议"),
    "RESULT_UNKNOWN": ("results were confirmed that were not sent", "确认了未发送的结果"),
    "FILE_MISSING": ("a file is missing", "文件缺失"),
    "FILE_QUARANTINED": ("a file is quarantined", "文件被隔离"),
    "BATCH_FAILED": ("a batch is not to be trusted", "批次不可信"),
    "TASK_FAILED": ("a task failed", "任务失败"),
    "DEADLINE_MISSED": ("a run is late", "任务超时"),
    "OUTBOUND_LATE": ("files are not delivered", "文件未送达"),
    "DROP_UNREAD": ("a drop cannot be read", "收件目录无法读取"),
    "HOST_STOPPED": ("a party's host is dialled no more", "已停止连接机构主机"),
    "CONFIDENTIAL": ("a confidential finding waits", "有保密事项待处理"),
    "FEE_ARREARS": ("a fee is in arrears", "存管费拖欠"),
    "FEE_ANSWER_UNKNOWN": ("the core answers what was not asked", "核心应答无对应收费"),
    "FEE_AMOUNT": ("the core charged another amount", "核心收费金额不符"),
    "FEE_ANSWERED_TWICE": ("the core answered twice", "核心重复应答"),
    "FEE_UNANSWERED": ("the core has not answered a charge", "核心未应答扣收"),
    "FEE_PAID_AFTER_WRITE_OFF": ("a fee was paid after it was written off", "存管费核销后收回"),
    "KEY_ENDS": ("a key ends soon", "公钥即将失效"),
    "CALENDAR_ENDS": ("the calendar ends soon", "日历即将到期"),
    "REPORT_DUE": ("a report is overdue", "报表逾期未报送"),
    "REPORT_DUE_SOON": ("a report is due soon", "报表即将到期"),
    "REPORT_REFUSED": ("a report was refused by its recipient", "报表被接收方拒收"),
    "REPORT_RESTATED": ("a file of a reported period was restated", "已报期间的文件被重报"),
    "REPORT_RECEIPT_UNKNOWN": ("a receipt fits no report", "回执无法对应报表"),
    "ALERT_UNDELIVERED": ("messages were given up", "通知未送达"),
}
# Of what compliance finds (custody.compliance_rules); what is confidential has no word but that it waits.
COMPLIANCE_WORDS: Mapping[str, Words] = {
    "LIMIT_ON_PLATFORM": ("a borrower is over the limit of a platform", "超过单一平台借款上限"),
    "LIMIT_ON_ALL": ("a borrower is over the limit of all platforms", "超过全部平台借款上限"),
    "RATE_CAP": ("a loan's rate is above the cap", "借款利率超过上限"),
    "TERM_SPLITTING": ("a loan's term is split", "期限拆分"),
    "SHARED_CONTACT": ("borrowers share a card or phone", "多名借款人共用联系方式"),
    "SHARED_IDENTITY": ("a person borrows under several numbers", "同一证件多个借款账户"),
    "SUPER_LENDER": ("a super-lender", "超级放款人"),
    "PACKAGED_ASSIGNMENT": ("claims are sold as a package", "债权打包转让"),
    "POOLING": ("lenders' money waits without a loan", "资金池"),
    "NEW_FOR_OLD": ("old lenders are paid with new money", "以新还旧"),
    "LENDER_IS_RELATED": ("a related party lends", "关联方出借"),
    "BORROWER_NEAR_RELATED": ("a borrower is near a related party", "借款人与关联方关联"),
    "BORROWER_NEAR_GUARANTOR": ("a borrower is near his guarantor", "借款人与担保人关联"),
    "GUARANTEE_BY_RELATED": ("a related party pays lenders", "关联方代偿"),
    "PLATFORM_COMPENSATION": ("the platform pays customers itself", "平台以备付金赔付"),
    "FILL_THAT_NEVER_WAS": ("a loan's fill was never bid", "虚构满标"),
}
# A digest lists so many; the page has them all.
_LISTED = 100
_LONGEST_SMS = 400


def rule_words(rule: str) -> Words:
    return RULE_WORDS.get(rule) or COMPLIANCE_WORDS.get(rule, (rule, rule))


@dataclass(frozen=True)
class Told:
    """One happening that a message tells of, with its alert's row."""

    event: Row
    alert: Row


@dataclass(frozen=True)
class Rendered:
    subject: str
    text: str


def render(whom: str, channel: str, languages: Sequence[str], told: Sequence[Told], bank: str) -> Rendered:
    """The words of one message; ``languages``: in this order, one below the other."""
    order = [0 if language == "en" else 1 for language in languages]
    gravest = max(told, key=lambda one: list(SEVERITY_WORDS).index(one.event["severity"]))
    heads = [_head(told, gravest, at) for at in order]
    subject = mask_user_numbers(f"{bank} " + " / ".join(heads))
    if channel == Channel.SMS:
        text = " / ".join("; ".join(_said(one, at) for one in told[:3]) for at in order)
        return Rendered(subject, mask_user_numbers(text)[:_LONGEST_SMS])
    blocks = []
    for at, head in zip(order, heads, strict=True):
        lines = [head, ""]
        lines += [_line(one, at, whom) for one in told[:_LISTED]]
        if len(told) > _LISTED:
            lines.append((f"... and {len(told) - _LISTED} more", f"……另有 {len(told) - _LISTED} 条")[at])
        blocks.append("\n".join(lines))
    return Rendered(subject, mask_user_numbers("\n\n".join(blocks)) + "\n")


def _head(told: Sequence[Told], gravest: Told, at: int) -> str:
    level = SEVERITY_WORDS[gravest.event["severity"]][at]
    if len({one.alert["alert_id"] for one in told}) == 1:
        last = told[-1]
        about = f" {last.alert['platform']}" if last.alert["platform"] else ""
        return f"[{level}] {rule_words(last.alert['rule'])[at]}{about}: {EVENT_WORDS[last.event['event']][at]}"
    return (f"{counted(len(told), 'alert')}, the gravest {level}", f"{len(told)} 条预警，最高级别 {level}")[at]


def _said(one: Told, at: int) -> str:
    """What happened in one sentence: what the alert says, and of its end how it came about."""
    name = ("words_en", "words_zh")[at]
    words = one.event[name] or one.alert[name]
    if one.event["event"] in ("CLOSED", "ENDED", "REOPENED"):
        return f"{one.alert[name]} — {EVENT_WORDS[one.event['event']][at]}: {words}"
    return str(words)


def _line(one: Told, at: int, whom: str) -> str:
    level, number = SEVERITY_WORDS[one.event["severity"]][at], one.alert["alert_id"][:12]
    line = f"- [{level}] {EVENT_WORDS[one.event['event']][at]} · {_said(one, at)} ({number})"
    if whom == Whom.DUTY and one.event["event"] not in ("CLOSED", "ENDED"):
        line += (f"\n  answer: custody alert acknowledge {number}", f"\n  确认：custody alert acknowledge {number}")[at]
    return line


def notice(party: str, message_id: str, told: Sequence[Told]) -> Row:
    """What a platform's ALERT_NOTICE file says: no time of the run is in it."""
    return {
        "notice": "ALERT_NOTICE",
        "party": party,
        "message": message_id,
        "alerts": [
            {
                "alert": one.alert["alert_id"],
                "rule": one.alert["rule"],
                "event": one.event["event"],
                "severity": one.event["severity"],
                "subject": mask_user_numbers(one.alert["subject"]),
                "words_en": mask_user_numbers(_said(one, 0)),
                "words_zh": mask_user_numbers(_said(one, 1)),
            }
            for one in told
        ],
    }
