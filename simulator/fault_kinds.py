"""Every kind of fault that can be planted, as data: whom it is asked of, where its places are, and its words.

What a kind must raise, and by when that can be known, stands with its places (simulator.victims_*): it depends on the place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from custody.names import PartyKind
from simulator import victims_answers as answers
from simulator import victims_channel as channel
from simulator import victims_circular as circular
from simulator import victims_core as core
from simulator import victims_disclosures as disclosures
from simulator import victims_e_accounts as e_accounts
from simulator import victims_fees as fees
from simulator import victims_files as files
from simulator import victims_funds as funds
from simulator import victims_lines as lines
from simulator import victims_orders as orders
from simulator import victims_parts as parts
from simulator import victims_states as states
from simulator import victims_stories as stories
from simulator import victims_together as both
from simulator import victims_txn as txn
from simulator.spoil import NAMES_IN_SEAL
from simulator.victim import CORE, Scene, Victim


@dataclass(frozen=True, slots=True)
class FaultKind:
    """``at``: kinds of party that can be named in a request: the one that errs, or the platform whose books show it.
    ``senders``: whose dates are looked at for places. ``is_sized``: a size in yuan has a meaning."""

    name: str
    victims: Callable[[Scene], Iterator[Victim]]
    en: str
    zh: str
    at: frozenset[str]
    senders: frozenset[PartyKind]
    is_sized: bool = False


_PLATFORM, _CHANNEL, _GATEWAY = PartyKind.PLATFORM, PartyKind.CHANNEL, PartyKind.GATEWAY
_SENDERS_OF_FILES = (_PLATFORM, _CHANNEL)


def _kind(
    name: str,
    victims: Callable[[Scene], Iterator[Victim]],
    en: str,
    zh: str,
    at: tuple[str, ...] = (_PLATFORM,),
    *,
    sized: bool = False,
) -> FaultKind:
    return FaultKind(name, victims, en, zh, frozenset({*at, _PLATFORM}), frozenset({_PLATFORM}), sized)


def _file(name: str, victims: Callable[[Scene], Iterator[Victim]], en: str, zh: str) -> FaultKind:
    return FaultKind(name, victims, en, zh, frozenset(_SENDERS_OF_FILES), frozenset(_SENDERS_OF_FILES))


_GW, _CH, _CORE = (_GATEWAY.value,), (_CHANNEL.value,), (CORE,)

_KINDS = (
    # whole files: what the seal says and what is there
    _file("file_truncated", files.refused_and_late, "the file is cut off on its way", "文件传输中被截断"),
    _file("file_digest", files.refused_and_late, "a digit of the file changed after it was sealed", "文件在封签后被改动"),
    _file("file_cut_before_seal", files.cut_before_seal, "the file was cut off before it was sealed", "文件封签前已被截断"),
    _file("seal_digest", files.refused_and_late, "the seal says another digest", "封签摘要错误"),
    _file("seal_size", files.refused_and_late, "the seal says another size", "封签文件大小错误"),
    _file("seal_row_count", files.refused_and_late, "the seal says one row more", "封签记录数错误"),
    _file("seal_encoding", files.refused_and_late, "the seal says another encoding than the contract", "封签编码与合同不符"),
    _file("control_total", files.refused_by_totals, "the seal says another control total", "封签控制总额错误"),
    _file("control_total_absent", files.refused_by_totals, "the seal leaves a control total out", "封签缺少控制总额"),
    _file("layout_version", files.refused_and_late, "the seal says a layout version that nobody declared", "未知版式版本"),
    _file("layout_of_other_type", files.refused_and_late, "the seal says another file type's layout", "版式与文件类型不符"),
    _file("header_missing", files.refused_and_late, "the header line is missing", "缺少表头"),
    _file("header_columns", files.refused_and_late, "two columns of the header are exchanged", "表头列次序错误"),
    _file("file_announced_only", files.refused_and_late, "the seal names a file that is not delivered", "封签所列文件未送达"),
    _file("name_of_other_party", files.foreign_name(NAMES_IN_SEAL["name_of_other_party"]), "the seal names a file of another party", "封签列出其他机构的文件"),
    _file("name_of_other_date", files.foreign_name(NAMES_IN_SEAL["name_of_other_date"]), "the seal names a file of a date that does not exist", "封签所列文件日期不存在"),
    _file("name_with_path", files.foreign_name(NAMES_IN_SEAL["name_with_path"]), "the seal names a file outside the sender's folder", "封签所列文件名含路径"),
    # deliveries and time
    _file("missing_file", files.late_a_day, "the file comes a day late", "文件迟到一日"),
    _file("late_file", files.late_two_days, "the file comes two days late", "文件迟到两日"),
    _file("file_of_tomorrow", files.sent_early, "a file is sent the day before its custody date", "文件早于账务日期报送"),
    _file("file_sent_again", files.same_again, "the same file is sent again the day after", "同一文件次日重复报送"),
    _file("file_other_content", files.other_content, "under a name that was taken other bytes are sent", "同名文件内容不同"),
    _file("file_restated", files.restated, "the day after a second version comes, with a row less", "次日重报，少一条记录"),
    # seals
    _file("seal_missing", files.set_late, "the files come without their seal, which follows a day later", "缺封签文件，次日补送"),
    _file("seal_unreadable", files.seal_refused, "the seal is cut off", "封签文件不完整"),
    _file("seal_unknown_field", files.seal_refused, "the seal has a field that the specification does not know", "封签含未定义字段"),
    _file("seal_of_other_party", files.seal_refused, "the seal says another party", "封签机构错误"),
    _file("seal_of_other_date", files.seal_refused, "the seal says another custody date", "封签日期错误"),
    _file("seal_names_twice", files.seal_refused, "the seal names a file twice", "封签重复列出同一文件"),
    _file("batches_out_of_order", files.batches_out_of_order, "the last batch of a date comes a day before the first", "批次次序颠倒，首批迟到一日"),
    _file("set_sent_again", files.set_again, "the whole file set is sent again the day after", "整批文件次日重复报送"),
    # lines
    _kind("bad_byte", lines.loan_purpose(lines.bad_byte), "a byte is no character of the encoding", "非法字节"),
    _kind("wrong_encoding", lines.wrong_encoding, "lines are written in another encoding than agreed", "部分记录编码与约定不符"),
    _kind("formula_cell", lines.loan_purpose(lines.before("=1+")), "a text begins as a spreadsheet formula", "文本以公式开头"),
    _kind("control_character", lines.loan_purpose(lines.before("\u0007")), "a text holds a control character", "文本含控制字符"),
    _kind("direction_mark", lines.loan_purpose(lines.after("\u202e")), "a text holds a mark that turns the reading direction", "文本含反向控制符"),
    _kind("text_too_long", lines.loan_purpose(lines.after("长" * 100)), "a text is longer than its field", "文本超长"),
    _kind("line_too_long", lines.loan_purpose(lines.after("x" * 70_000)), "a line is longer than any line may be", "记录超长"),
    _kind("nul_byte", lines.txn_cell("request_no", lines.after("\x00")), "a request number holds a NUL byte", "流水号含空字符"),
    _kind("impossible_date", lines.txn_cell("event_time", lines.impossible_date), "a date that does not exist", "不存在的日期"),
    _kind("code_unknown", lines.txn_cell("txn_type", lines.instead("LOTTERY")), "a transaction type that nobody knows", "未知交易类型"),
    _kind("currency_unknown", lines.txn_cell("currency", lines.instead("USD")), "a currency that the layout does not admit", "币种不符"),
    _kind("amount_decimals", lines.txn_cell("amount_minor", lines.after("0")), "an amount with three decimals", "金额三位小数"),
    _kind("amount_negative", lines.txn_cell("amount_minor", lines.before("-")), "a negative amount", "金额为负"),
    _kind("amount_full_width", lines.txn_cell("amount_minor", lines.full_width), "an amount in full-width digits", "金额为全角数字"),
    _kind("value_blank", lines.txn_cell("status", lines.instead("")), "a required value is blank", "必填项为空"),
    _kind("column_extra", lines.txn_cell("status", lines.after(",x")), "a row has a column more", "记录多一列"),
    _kind("event_of_tomorrow", lines.event_of_tomorrow, "a movement of the next day in today's file", "事件日期晚于账务日期"),
    _kind("balance_repeated", states.repeated, "a sub-account stands twice in the balances", "余额记录主键重复"),
    # what the platform claims
    _kind("txn_missing", txn.missing, "the platform does not report a movement", "平台漏报交易"),
    _kind("txn_unauthorised", txn.unauthorised, "the platform claims a bonus that nobody instructed", "平台虚报红包"),
    _kind("txn_amount", txn.amount, "the platform reports another amount", "交易金额不符", sized=True),
    _kind("txn_status", txn.status, "the platform reports a success as failed", "交易状态不符"),
    _kind("txn_wrong_account", txn.wrong_account, "the platform names another customer", "交易账户不符"),
    _kind("txn_wrong_loan", txn.wrong_loan, "the platform names another loan", "交易标的不符"),
    _kind("txn_type", txn.txn_type, "the platform calls a movement by another type", "交易类型不符"),
    _kind("txn_direction", txn.direction, "the platform exchanges payer and payee", "收付方向颠倒"),
    _kind("txn_duplicate", txn.duplicate, "the platform reports a movement twice", "交易重复报送"),
    _kind("txn_sent_again", txn.sent_again, "yesterday's movement stands in today's file again", "昨日交易今日重复报送"),
    _kind("txn_filed_late", txn.filed_late, "a movement of midday stands in the next day's file", "交易计入次日文件"),
    _kind("txn_allocation", txn.allocation, "a part of principal is called interest", "还款本息拆分不符", sized=True),
    _kind("txn_rounding", txn.rounding, "a fen of interest goes to another claim", "还款尾差分配不符"),
    _kind("txn_most_missing", txn.most_missing, "nearly all movements of a date are left out", "当日交易大部分漏报"),
    # what the platform says stands at the end of the day
    _kind("balance_wrong", states.balance_wrong, "a sub-account shows more than it holds", "余额不符", sized=True),
    _kind("balance_frozen", states.balance_frozen, "free money is shown as frozen", "可用与冻结不符", sized=True),
    _kind("balance_missing", states.balance_missing, "a sub-account with money is left out", "漏报余额"),
    _kind("balance_unknown", states.balance_unknown, "money of a customer whom the bank does not know", "余额账户不存在", sized=True),
    _kind("claim_wrong", states.claim_wrong, "a claim shows more than is held", "债权金额不符", sized=True),
    _kind("claim_missing", states.claim_missing, "a claim is left out", "漏报债权"),
    _kind("claim_unknown", states.claim_unknown, "a claim that no tender made", "虚构债权"),
    _kind("claim_holder", states.claim_holder, "a claim is shown as another's", "债权人不符"),
    _kind("loan_rate", states.loan_rate, "a loan's rate is not the registered one", "标的利率不符"),
    _kind("loan_periods", states.loan_periods, "a loan's periods are not the registered ones", "标的期数不符"),
    _kind("loan_borrower", states.loan_borrower, "a loan names another borrower", "标的借款人不符"),
    _kind("loan_raised", states.loan_raised, "more is shown as raised than was settled", "募集金额不符", sized=True),
    _kind("loan_state", states.loan_state, "a running loan is shown as settled", "标的状态不符"),
    _kind("loan_delay_hidden", states.loan_delay_hidden, "a loan that is overdue is shown as repaid as agreed", "隐瞒标的逾期"),
    _kind("loan_bids", states.loan_bids, "more is shown as bid than is frozen", "虚报投标金额", sized=True),
    _kind("loan_missing", states.loan_missing, "a running loan is left out", "漏报标的"),
    _kind("customer_identity", states.customer_identity, "an account is given another customer's identity", "客户身份不符"),
    _kind("customer_unknown", states.customer_unknown, "a change of an account that was never opened", "变更不存在的账户"),
    _kind("closed_with_money", states.closed_with_money, "an account is closed while it holds money", "账户未清销户"),
    # what channels settle
    _kind("channel_missing", channel.missing, "the channel does not settle a payment", "渠道漏清算", _CH),
    _kind("channel_amount", channel.amount, "the channel settles another amount", "渠道清算金额不符", _CH, sized=True),
    _kind("channel_fee", channel.fee, "the channel keeps a higher fee", "渠道手续费不符", _CH, sized=True),
    _kind("channel_net", channel.net, "a net is not gross less fee", "清算净额不符", _CH, sized=True),
    _kind("channel_status", channel.status, "the channel reports a success as failed", "渠道状态不符", _CH),
    _kind("channel_duplicate", channel.duplicate, "the channel settles a payment twice", "渠道重复清算", _CH),
    _kind("channel_unknown", channel.unknown, "the channel settles a payment that nobody instructed", "渠道清算无指令交易", _CH),
    _kind("channel_returned", channel.returned, "the channel returns a withdrawal, of which the bank was not told", "提现退回未通知", _CH),
    # what the bank core books
    _kind("core_missing", core.missing, "the core lacks a flow", "核心漏记流水", _CORE),
    _kind("core_unknown", core.unknown, "the core has a flow that nobody instructed", "核心不明流水", _CORE, sized=True),
    _kind("core_amount", core.amount, "the core booked another amount", "核心记账金额不符", _CORE, sized=True),
    _kind("core_direction", core.direction, "the core booked the other way round", "核心记账方向相反", _CORE),
    _kind("core_currency", core.currency, "the core booked in another currency", "核心记账币种不符", _CORE),
    _kind("core_balance", core.balance, "the core's balance does not follow from its flows", "核心余额与流水不符", _CORE, sized=True),
    _kind("core_chain", core.chain, "a date opens with another balance than the one before closed with", "核心余额不连续", _CORE, sized=True),
    _kind("settlement_short", core.settlement_short, "the core is credited less than the channel's net", "清算到账不足", _CORE, sized=True),
    _kind("settlement_late", core.settlement_late, "the core is credited a business day late", "清算到账延迟", _CORE),
    # what the bank core books on e-accounts
    _kind("e_account_missing", e_accounts.missing, "the core lacks a row of an e-account", "核心漏记电子账户流水", _CORE),
    _kind("e_account_unknown", e_accounts.unknown, "an e-account has a row that nobody instructed", "电子账户不明流水", _CORE, sized=True),
    _kind("e_account_amount", e_accounts.amount, "another amount was booked on an e-account", "电子账户记账金额不符", _CORE, sized=True),
    _kind("e_account_direction", e_accounts.direction, "an e-account was booked the other way round", "电子账户记账方向相反", _CORE),
    _kind("e_account_currency", e_accounts.currency, "an e-account was booked in another currency", "电子账户记账币种不符", _CORE),
    _kind("e_account_duplicate", e_accounts.duplicate, "a posting was booked twice on an e-account", "电子账户重复记账", _CORE),
    _kind("e_account_other", e_accounts.wrong_account, "a posting was booked on another customer's e-account", "记入他人电子账户", _CORE),
    _kind("e_account_type", e_accounts.txn_type, "a row of an e-account has another type", "电子账户交易类型不符", _CORE),
    _kind("e_account_reversed", e_accounts.reversed_row, "a row of an e-account is marked as reversed and is not", "电子账户冲正标志不符", _CORE),
    _kind("e_account_after", e_accounts.balance_after, "a row says another balance after it", "电子账户交易后余额不符", _CORE, sized=True),
    _kind("e_account_balance", e_accounts.balance, "an e-account's balance does not follow from its rows", "电子账户余额与流水不符", _CORE, sized=True),
    _kind("e_account_chain", e_accounts.chain, "an e-account opens with another balance than it closed with", "电子账户余额不连续", _CORE, sized=True),
    _kind("e_account_silent", e_accounts.silent, "the core shows no e-account of the platform", "核心未提供电子账户数据", _CORE),
    # faults that meet
    _kind("late_amount", both.late_amount, "another amount in a file that comes late", "迟到文件中金额不符", sized=True),
    _kind("late_missing", both.late_missing, "a movement is left out of a file that comes late", "迟到文件中漏报交易"),
    _kind("late_duplicate", both.late_duplicate, "a movement stands twice in a file that comes late", "迟到文件中重复报送"),
    _kind("duplicate_status", both.duplicate_status, "a movement stands twice, once as failed", "重复报送且状态不一"),
    _kind("amount_status", both.amount_status, "another amount, and failed besides", "金额与状态均不符", sized=True),
    _kind("account_amount", both.account_amount, "another customer and another amount", "账户与金额均不符", sized=True),
    _kind("amount_balance", both.amount_balance, "another amount and a wrong balance on one day", "同日交易金额与余额均不符", sized=True),
    _kind("core_reference", both.core_reference, "the core booked under an unknown reference", "核心流水号不符", _CORE),
    _kind("core_amount_currency", both.core_amount_currency, "the core booked another amount in another currency", "核心金额与币种均不符", _CORE, sized=True),
    _kind("short_fee", both.short_fee, "a higher fee is kept of a batch whose credit is short", "清算到账不足且手续费不符", _CORE, sized=True),
    _kind("short_unproved", both.short_unproved, "a credit is short while the channel's file is late", "清算文件迟到且到账不足", _CORE, sized=True),
    # what the gateway hands on
    _kind("order_originator", orders.originator, "a customer disposes of the platform's money", "指令发起方无权", _GW, sized=True),
    _kind("order_unknown_account", orders.unknown_account, "an instruction names an account that is not open", "指令账户不存在", _GW, sized=True),
    _kind("order_short_of_funds", orders.short_of_funds, "an instruction takes more than the account holds", "指令超出余额", _GW),
    _kind("order_unknown_hold", orders.unknown_hold, "an instruction releases a hold that does not exist", "解冻不存在的冻结", _GW, sized=True),
    _kind("order_hold_exceeded", orders.hold_exceeded, "an instruction releases more than the hold", "解冻超过冻结金额", _GW, sized=True),
    _kind("order_posted_before", orders.posted_before, "a posted instruction comes again with another amount", "已入账指令内容变更", _GW, sized=True),
    _kind("order_overfunded", orders.overfunded, "more is to be disbursed than the loan", "放款超过标的金额", _GW, sized=True),
    _kind("order_not_the_borrower", orders.not_the_borrower, "a tender is to be paid to another than the loan's borrower", "放款对象非借款人", _GW, sized=True),
    _kind("order_oversold", orders.oversold, "a claim is sold for more than is held", "转让超过持有债权", _GW, sized=True),
    _kind("order_platform_lends", orders.platform_lends, "the platform tenders with its own account", "平台自有资金投标", _GW, sized=True),
    _kind("order_fee_above_amount", orders.fee_above_amount, "a settlement's fee is more than its amount", "手续费大于清算金额", _GW, sized=True),
    _kind("order_wrong_payee", orders.wrong_payee, "an entrusted payment goes to a payee whom the loan does not name", "受托支付对象不符", _GW, sized=True),
    _kind("mandate_unknown", orders.mandate_unknown, "a mandate that was never granted is used", "引用不存在的授权", _GW),
    _kind("mandate_limit", orders.mandate_limit, "a mandate is used beyond its limit", "超过授权限额", _GW),
    _kind("mandate_expired", orders.mandate_expired, "a mandate is used after it expired", "授权已过期", _GW),
    _kind("mandate_scope", orders.mandate_scope, "a mandate is used for what it does not cover", "超出授权范围", _GW),
    _kind("freeze_without_order", orders.freeze_without_order, "money is frozen without a legal order", "无司法文书冻结", _GW),
    # what all sides agree on and a rule forbids
    _kind("upfront_fee", stories.upfront_fee, "a commission is taken on the day of disbursal", "放款当日收取费用", sized=True),
    _kind("parts_penalty_first", parts.penalty_first, "a late payment covers penalty before interest", "还款先冲罚息后冲利息"),
    _kind("parts_principal_first", parts.principal_first, "a payment covers principal before interest", "还款先冲本金后冲利息"),
    _kind("share_rounded", parts.share_rounded, "a fen of interest and one of penalty go to each other's lender", "还款尾差在债权人间错配"),
    _kind("stale_freeze", stories.stale_freeze, "a withdrawal stays frozen and is neither paid nor cancelled", "提现长期冻结", sized=True),
    _kind("unknown_status", stories.unknown_status, "a withdrawal's status stays unknown", "提现状态长期未明", _CH, sized=True),
    _kind("unsettled_use", stories.unsettled_use, "money is withdrawn before its cash has arrived", "未到账资金提现", sized=True),
    _kind("above_settled", stories.above_settled, "more is withdrawn than has settled in all", "提现超过已清算资金", sized=True),
    _kind("suspense_aged", stories.suspense_aged, "a receipt without an owner is left lying", "不明来款长期挂账", _GW, sized=True),
    _kind("fee_not_restored", stories.fee_not_restored, "the channel's fee is not made good from own funds", "渠道手续费未补足"),
    # how the core answers what it is charged to collect
    _kind("custody_fee_short", fees.short, "less custody fee is collected than was charged, and the next try fails", "存管费少收", _GW, sized=True),
    _kind("custody_fee_amount", fees.another_amount, "more custody fee is collected than was charged", "存管费多收", _GW, sized=True),
    _kind("custody_fee_first_terms", fees.by_first_terms, "a custody fee is collected by the terms of before the contract changed", "按变更前合同费率扣收", _GW),
    _kind("custody_fee_twice", fees.twice, "a custody fee is collected twice", "存管费重复扣收", _GW),
    _kind("custody_fee_unknown", fees.unknown_charge, "a custody fee is collected that nobody charged", "扣收无收费记录", _GW, sized=True),
    _kind("custody_fee_late", fees.late, "the core answers a charge a day late", "扣收应答迟到", _GW),
    # what a platform answers to the bank's result
    _kind("result_unanswered", answers.unanswered, "the platform never confirms a result", "平台未确认对账结果"),
    _kind("result_disputed", answers.disputed, "the platform disputes a result", "平台对对账结果提出异议"),
    # what a platform publishes of a month
    _kind("disclosure_figure", disclosures.figure, "a figure of a month is published wrongly", "月度披露数据有误"),
    _kind("disclosure_missing", disclosures.missing, "the figures of a month are never sent", "月度披露数据未报送"),
    # where a loan's money goes
    _kind("payee_is_related", funds.payee_is_related, "loans are paid to a company of the platform's owners", "受托支付对象为平台关联方"),
    _kind("borrower_is_related", funds.borrower_is_related, "the platform's owners borrow on it", "平台关联方借款（自融）"),
    _kind("payee_is_guarantor", funds.payee_is_guarantor, "a loan is paid to its guarantor", "受托支付对象为担保人"),
    _kind("payee_is_borrower", funds.payee_is_borrower, "a loan's payee is the borrower himself", "受托支付对象为借款人本人"),
    _kind("payee_short", funds.payee_short, "a part of a loan is not paid on to its payee", "受托支付金额不足"),
    _kind("purpose_forbidden", funds.purpose_forbidden, "a loan is for stocks on margin", "借款用途为股票配资"),
    _kind("funds_back_to_platform", circular.back_to_platform, "a fifth of a loan comes to the platform as a commission", "借款资金以佣金回流平台"),
    _kind("funds_repay_other_loan", circular.repays_other, "a loan repays another of the same person", "借新还旧"),
    _kind("funds_relent", circular.relends, "a borrower buys a claim with his loan", "借款资金用于受让债权（转贷）"),
)  # fmt: skip

FAULT_KINDS: dict[str, FaultKind] = {kind.name: kind for kind in _KINDS}
