"""Why a row is not matched, or is not yet: each kind of break and each rule in words for the desk and for the platforms, in
(English, Chinese). What a party must do is said where it can do something."""

from __future__ import annotations

from custody.names import BreakKind

Words = tuple[str, str]

KIND_WORDS: dict[str, Words] = {
    BreakKind.MISSING_IN_PLATFORM: ("the bank posted it, the platform's file does not have it", "银行已记账，平台文件无此记录"),
    BreakKind.MISSING_IN_LEDGER: ("the other side has it, the bank's ledger does not", "对方有此记录，银行分户账无"),
    BreakKind.MISSING_IN_CORE: ("the bank core has no flow for it", "核心系统无对应流水"),
    BreakKind.MISSING_IN_CHANNEL: ("the channel's settlement does not have it", "渠道清算文件无此记录"),
    BreakKind.AMOUNT: ("the amounts differ", "金额不符"),
    BreakKind.DIRECTION: ("payer and payee stand exchanged", "收付方向相反"),
    BreakKind.DUPLICATE: ("the same request stands more than once", "同一请求重复出现"),
    BreakKind.STATUS: ("the statuses differ", "状态不符"),
    BreakKind.WRONG_ACCOUNT: ("another account is named", "账户不符"),
    BreakKind.WRONG_LOAN: ("another loan is named", "标的不符"),
    BreakKind.TXN_TYPE: ("the movement is called by another type", "交易类型不符"),
    BreakKind.FEE: ("the fee is not the contract's", "手续费与合同不符"),
    BreakKind.CURRENCY: ("the currencies differ", "币种不符"),
    BreakKind.TIMING: ("the dates differ by more than the cut-off window explains", "日期不符，且超出日切窗口"),
    BreakKind.RETURNED: ("the channel returned it", "渠道已退回"),
    BreakKind.STALE_FREEZE: ("money has been frozen longer than is allowed", "冻结超过规定期限"),
    BreakKind.ORPHAN: ("it has no number by which to find its counterpart", "缺少关联号，无法匹配"),
    BreakKind.LATE_FILE: ("the file has not come: send it", "文件未到，请补送"),
    BreakKind.CONTROL_TOTAL: ("the file was refused: correct it and send it again", "文件被拒收，请更正后重发"),
    BreakKind.BALANCE_CHAIN: (
        "the balance does not follow from the day before and the movements",
        "余额与上日余额及发生额不衔接",
    ),
    BreakKind.UNAUTHORISED: ("the bank was never instructed to do it", "银行未收到该笔指令"),
    BreakKind.MANDATE: ("the mandate does not cover it", "授权不覆盖该笔业务"),
    BreakKind.LIMIT: ("it is beyond a limit", "超出限额"),
    BreakKind.ROUNDING: ("parts differ by a rounding residue; the total agrees", "分项尾差，总额相符"),
    BreakKind.CLAIM: ("the claims differ: holder, loan or principal", "债权不符（持有人、标的或本金）"),
    BreakKind.LOAN_TERMS: ("the loan's terms or state differ", "标的要素或状态不符"),
    BreakKind.CUSTOMER: ("the customer's data differ", "客户资料不符"),
    BreakKind.ALLOCATION: ("principal, interest and penalty are split otherwise", "本金、利息、罚息的分配不符"),
    BreakKind.UPFRONT_FEE: ("money was withheld from the principal", "疑似砍头息：从本金中扣费"),
    BreakKind.UNSETTLED_USE: ("money was withdrawn before it was settled", "未清算资金被提现"),
    BreakKind.SETTLEMENT_SHORT: ("less than the net was settled", "清算资金短款"),
    BreakKind.SETTLEMENT_LATE: ("the settlement has not come on its day", "清算资金逾期未到"),
    BreakKind.UNKNOWN_STATUS: ("the withdrawal's outcome is still unknown", "提现结果不明"),
    BreakKind.SUSPENSE_AGED: ("money without an owner waits longer than is allowed", "挂账资金超期未处理"),
    BreakKind.HOLD: ("the hold differs, or there is none", "冻结记录不符"),
    BreakKind.SHORTFALL: ("money is short", "资金短缺"),
    BreakKind.DISCLOSURE: ("the published figure is not ours", "披露数据与银行数据不符"),
    BreakKind.USE_OF_FUNDS: ("the money of the loan did not go where it was said to go", "借款资金实际流向与申报用途不符"),
    BreakKind.INV_01: ("the bank core's balance is not the ledger's", "核心余额与分户账总额不符"),
    BreakKind.INV_02: ("opening and movements do not give the closing balance", "期初加发生额不等于期末"),
    BreakKind.INV_03: ("a balance has the wrong sign, or holds do not add up", "余额方向错误或冻结合计不符"),
    BreakKind.INV_04: ("the loan was not disbursed whole and in time", "放款未满标、超额或超期"),
    BreakKind.INV_05: ("debt and claims differ", "债务与债权不符"),
    BreakKind.INV_06: ("an assignment changed the sum of shares", "转让前后份额合计不符"),
    BreakKind.INV_07: ("the platform's own money and customers' money mix", "平台资金与客户资金混同"),
    BreakKind.INV_08: ("money left to somebody whose it is not", "资金流向非本人账户"),
    BreakKind.INV_09: ("the batch's gross less fee is not what was settled", "清算批次轧差不符"),
    BreakKind.INV_10: ("a row is in no bucket, or in two", "记录未归入唯一结果"),
    BreakKind.INV_11: ("fees accrued are not what was charged and is to be charged", "费用计提与收取不符"),
    BreakKind.INV_12: ("more was paid out than was settled and advanced", "提现超过已清算及垫付资金"),
    BreakKind.INV_13: ("the requirement is not covered", "应付资金缺口"),
    BreakKind.INV_14: ("a closed account is not empty", "已销户账户仍有余额"),
}

RULE_WORDS: dict[str, Words] = {
    "late_file": ("waits for a file that has not come", "等待未到文件"),
    "not_due": ("its settlement day has not come", "未到清算日"),
    "cut_off_window": (
        "happened around midnight: its counterpart may stand in the next day's file",
        "日切前后发生，对方记录可能在次日文件中",
    ),
    "instruction_waiting": ("the instruction is there and waits to be posted", "指令已收到，待记账"),
    "exact": ("agrees in everything", "完全一致"),
    "netting": ("the sums of the rows with one number agree", "同号记录合计一致"),
    "later_date": ("the same of another date, which the cut-off or the settlement explains", "日期不同，可由日切或清算日解释"),
    "later_postings": (
        "more was posted of it since: what stood on its date cannot be told any more",
        "其后又有入账，无法判断当日余额",
    ),
    "resolved": ("settled by two people", "经双人复核处理"),
}


def why(rule: str) -> Words:
    """Of a verdict's rule: a kind of break, or what carries or settles the row. Raises KeyError for a rule without words."""
    found = KIND_WORDS.get(rule)
    return RULE_WORDS[rule] if found is None else found
