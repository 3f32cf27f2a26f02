"""What several pages say, in (English, Chinese): the terms of domain.md as people read them."""

from __future__ import annotations

from custody.funds_paths import Way
from custody.names import FileType, HoldKind, LoanState, Originator, RepaymentMethod, Role, TxnStatus
from custody.services.files import SEAL
from custody.txn_words import TXN_TYPES

Words = tuple[str, str]

LOG_IN: Words = ("Log in to Airflow first", "请先登录 Airflow")
MAY_NOT_SEE: Words = ("You may not see this page", "您无权查看本页")
MAY_NOT_DO: Words = ("You may not do that", "您无权执行此操作")
NOT_A_DATE: Words = ("That is no date YYYY-MM-DD that we keep", "账务日无效，格式应为 YYYY-MM-DD")
NOT_SO: Words = ("That cannot be done so", "无法处理")
NOT_FOUND: Words = ("There is no such row", "未找到")
FORGED: Words = ("This form was not sent from our own page", "表单并非由本系统页面提交")
AGAIN: Words = ("The figures cannot be read just now; try again", "暂时无法读取数据，请稍后重试")
CANNOT: Words = ("The figures cannot be shown until somebody puts this right", "须先处理以下问题才能显示")

ROLES: dict[str, str] = {Role.LENDER: "出借人", Role.BORROWER: "借款人", Role.GUARANTOR: "担保人", Role.PAYEE: "受托收款人"}
KINDS: dict[str, str] = {"PERSON": "个人", "COMPANY": "企业"}
HOLDS: dict[str, str] = {
    HoldKind.TENDER: "投标",
    HoldKind.WITHDRAW: "提现",
    HoldKind.REPAY: "还款",
    HoldKind.JUDICIAL: "司法",
    HoldKind.AML: "反洗钱",
}
ORIGINATORS: dict[str, str] = {
    Originator.CUSTOMER: "客户",
    Originator.MANDATE: "授权",
    Originator.PLATFORM: "平台",
    Originator.BANK: "银行",
}
STATUSES: dict[str, str] = {
    TxnStatus.ACCEPTED: "已受理",
    TxnStatus.REMITTING: "划付中",
    TxnStatus.UNKNOWN: "状态不明",
    TxnStatus.SUCCESS: "成功",
    TxnStatus.FAIL: "失败",
}
# What became of an instruction at posting.
OUTCOMES: dict[str, str] = {
    "POSTED": "已入账",
    "REPEATED": "重复，未再入账",
    "WAITING": "等待入账",
    "REFUSED": "拒绝入账",
    "NO_POSTING": "无须入账",
}
LOAN_STATES: dict[str, str] = {
    LoanState.BIDDING: "募集中",
    LoanState.FULL: "满标",
    LoanState.DISBURSED: "已放款",
    LoanState.REPAYING: "还款中",
    LoanState.OVERDUE: "逾期",
    LoanState.SETTLED: "已结清",
    LoanState.MISCARRIED: "流标",
}
TENDER_STATES: dict[str, str] = {"FROZEN": "冻结", "SETTLED": "已放款", "CANCELLED": "已撤销"}
METHODS: dict[str, str] = {
    RepaymentMethod.EQUAL_INSTALMENT: "等额本息",
    RepaymentMethod.EQUAL_PRINCIPAL: "等额本金",
    RepaymentMethod.INTEREST_FIRST: "先息后本",
    RepaymentMethod.BULLET: "到期一次还本付息",
}
WAYS: dict[str, str] = {
    Way.LENT: "放款",
    Way.PAID_ON: "受托支付/转付",
    Way.WITHDRAWN: "提现到绑定卡",
    Way.CAME_BACK: "从绑定卡充值",
    Way.REPAID_OWN: "偿还本标的",
    Way.REPAID_OTHER: "偿还其他标的",
    Way.RELENT: "再投标",
    Way.CLAIM_BOUGHT: "受让债权",
    Way.TO_PLATFORM: "付给平台",
    Way.ORDERED: "司法扣划",
    Way.ELSEWHERE: "其他去向",
    Way.SPENT: "已超过追踪期限",
    Way.BEYOND: "超过追踪层数",
}
# Of a file that goes out.
DELIVERY_STATES: dict[str, Words] = {
    "QUEUED": ("waits to be sent", "待发送"),
    "SENT": ("sent, not sealed yet", "已发送，待封签"),
    "PROVED": ("delivered", "已送达"),
    "TAKEN": ("taken by the party", "对方已取走"),
    "LEFT": ("delivered, never taken", "已送达，对方未取走"),
    "FAILED": ("given up", "已放弃"),
}
EVERY: dict[str, str] = {"day": "日", "month": "月", "quarter": "季"}
PROPOSALS: dict[str, str] = {
    "customer_add": "客户新增",
    "customer_change": "客户变更",
    "customer_merge": "客户合并",
    "customer_delete": "客户删除",
}

_ALL: dict[str, dict[str, str]] = {
    "txn_type": TXN_TYPES,
    "role": ROLES,
    "kind": KINDS,
    "hold": HOLDS,
    "originator": ORIGINATORS,
    "status": STATUSES,
    "outcome": OUTCOMES,
    "loan_state": LOAN_STATES,
    "tender_state": TENDER_STATES,
    "method": METHODS,
    "every": EVERY,
    "way": WAYS,
    "proposal": PROPOSALS,
}


def term(code: str, of: str) -> Words:
    """A code of the domain with its Chinese: ``term("REPAYMENT", "txn_type")``. A code that is none of them is shown as it is."""
    return code, _ALL[of].get(code, "")


# Of what contract and calendar promise.
PROMISES: dict[str, Words] = {
    "EXPECTED": ("expected", "应报"),
    "ARRIVED": ("arrived in time", "按时到达"),
    "LATE": ("arrived late", "迟到"),
    "MISSING": ("missing", "缺失"),
    "GIVEN_UP": ("given up", "不再等待"),
}

# Types of files, as people here call them.
TYPES: dict[str, str] = {
    FileType.CUSTOMER: "客户",
    FileType.LOAN: "标的",
    FileType.TXN: "交易",
    FileType.CLAIM: "债权",
    FileType.BALANCE: "余额",
    FileType.SETTLEMENT: "渠道清算",
    FileType.INSTRUCTION: "指令",
    FileType.MANDATE: "授权",
    FileType.LEGAL_ORDER: "司法协助",
    FileType.CONFIRMATION: "对账确认",
    FileType.DISCLOSURE: "运营信息披露",
    SEAL: "封签",
}
# What a row behind a finding of compliance is (custody.compliance.Source).
COMPLIANCE_SOURCES: dict[str, Words] = {
    "LOAN": ("loan", "标的"),
    "ACCOUNT": ("account", "账户"),
    "MONEY_IN": ("came in", "转入"),
    "MONEY_OUT": ("went out", "转出"),
    "SALE": ("claim sold", "债权转让"),
    "ENTRY": ("entry", "分录"),
    "FILE": ("row of a file", "文件行"),
    "LIST": ("list", "名单"),
}

# Questions about a platform's money, and the sums behind them (custody.platform_funds).
FUNDS: dict[str, Words] = {
    "OWN_FUNDS": ("own funds against fees due", "自有资金与应付费用"),
    "ADVANCE": ("settled money and advance against withdrawals in flight", "已清算及垫付资金与在途提现"),
    "OWN_ACCOUNT": ("platform's account against what it withdraws", "平台账户与在途提现"),
    "COVER": ("cash and good receivables against what is owed", "现金及有效应收与存管应付"),
    "PAYOUT": ("cash and channel money against pay-outs", "现金及渠道清算款与待付"),
}
# What became of a draft of a report (custody.release_life).
REPORT_STATES: dict[str, Words] = {
    "NOT_DRAFTED": ("not drafted", "未编制"),
    "DRAFT": ("draft, nobody has asked for its release", "草稿，未提出放行"),
    "PROPOSED": ("waits for a second person", "待复核"),
    "REJECTED": ("turned down", "复核拒绝"),
    "REPLACED": ("replaced by a newer draft", "已被新草稿取代"),
    "APPROVED": ("released, not handed over yet", "已放行，待报送"),
    "SENT": ("handed over, on its way", "已报送，送达中"),
    "DELIVERED": ("delivered, not answered yet", "已送达，待回执"),
    "ACCEPTED": ("accepted", "已接收"),
    "REFUSED": ("refused by its recipient", "被接收方拒收"),
    "CORRECTED": ("corrected by a later release", "已由后续版本更正"),
}
REPORT_CHECKS: dict[str, Words] = {
    "DAYS": ("days are whole", "天数完整"),
    "SEALS": ("inputs are the newest", "输入为最新版本"),
    "FILES": ("files are as sealed", "文件与封签一致"),
    "TOTALS": ("totals agree", "各报表合计一致"),
    "CHANGE": ("change since the period before", "较上期变动"),
}
