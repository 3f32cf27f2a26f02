"""The operator's handbook: for each alert, what it means and what to do about it, in English and Chinese.

Page, command line and the printed handbook show the same words. ``{subject}`` and ``{platform}`` stand for the alert's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Words = tuple[str, str]


@dataclass(frozen=True)
class Entry:
    """``means``: what has happened and what it puts at risk. ``steps``: in this order. ``ends``: by what the alert is over."""

    means: Words
    steps: tuple[Words, ...]
    ends: Words


_BY_PERSON: Words = ("a person closes it with a reason", "人工填写原因后关闭")
_BY_DAY: Words = ("it ends by itself with the first day that no longer finds it", "后续账务日不再出现时自动解除")
_ASK_PLATFORM: Words = (
    "Ask the platform's contact on page Organisations what happened and by when it is put right; note the answer on the alert.",
    "通过机构页面所列联系人询问平台原因及整改时限，并在预警中记录答复。",
)

HANDBOOK: Mapping[str, Entry] = {
    "BORROWER_SHORT": Entry(
        ("An instalment falls due soon and the borrower's balance does not cover it: lenders may not be paid in time.",
         "借款人余额不足以支付即将到期的应还款，出借人可能无法按时收款。"),
        (("Page Loans: the loan's schedule, what was paid, and who stands behind it.", "标的页面：查看还款计划、已还情况与增信方。"),
         _ASK_PLATFORM,
         ("Never move another customer's or the platform's money to cover it.", "不得动用其他客户或平台资金垫付。")),
        _BY_DAY,
    ),
    "DAYS_PAST_DUE": Entry(
        ("An instalment was not paid in full by its due date; the loan moves through the buckets 1, 30, 60, 90, 180 days.",
         "应还款到期未足额支付，标的按逾期 1、30、60、90、180 天分档。"),
        (("Page Loan: which instalment, how much is missing, partial payments.", "标的页面：查看欠缴期次、金额与部分还款。"),
         _ASK_PLATFORM,
         ("From 90 days: the risk officer decides whether the regulator is told.", "逾期 90 天以上：风控岗决定是否报告监管机构。")),
        _BY_DAY,
    ),
    "REPEATED_COMPENSATION": Entry(
        ("Others pay one borrower's instalments again and again: the borrower may be unable to pay, or not exist.",
         "同一借款人反复由他人代偿：借款人可能无力偿还，甚至并不存在。"),
        (("The alert's rows: which requests, who paid; page Loans: the borrower's loans.", "预警明细：哪些请求、由谁代偿；标的页面：该借款人的标的。"),
         ("Page Compliance: whether the compensator is related to the platform.", "合规页面：代偿人是否为平台关联方。"),
         _ASK_PLATFORM),
        _BY_DAY,
    ),
    "RESERVE_GROWS": Entry(
        ("The platform's compensation account holds more than the day before, though it may only run off.",
         "平台风险备付金账户余额较前一日增加，而备付金只减不增。"),
        (("Page Transactions: what came into the account, by which instruction.", "交易页面：查明入账来源与指令。"),
         ("Tell the risk officer: new guarantees by a platform are forbidden.", "通知风控岗：平台不得新增担保。"),
         _ASK_PLATFORM),
        _BY_PERSON,
    ),
    "OWN_FUNDS_SHORT": Entry(
        ("The platform's own-funds account does not cover the fees that come due, the channels' among them, which must not fall on customers' money.",
         "平台自有资金账户不足以支付到期费用（含须补足的渠道手续费），费用不得由客户资金承担。"),
        (("Page Alerts, Platforms' money: from which day, and which fees.", "预警页面“平台资金”：自何日起不足、涉及哪些费用。"),
         ("Ask the platform to fund its account before that day.", "要求平台在该日前补足自有资金。"),
         ("Page Fees: arrears and the next try.", "存管费页面：欠费情况与下次扣收。")),
        _BY_DAY,
    ),
    "ADVANCE_SHORT": Entry(
        ("Withdrawals in flight rest on money that is not settled yet, beyond what the platform's advance covers.",
         "在途提现使用了尚未清算的资金，且超出平台垫付额度。"),
        (("Page Alerts, Platforms' money: until when the money is settled.", "预警页面“平台资金”：资金何时清算到账。"),
         ("Ask the platform to fund P_ADVANCE, or let the withdrawals wait.", "要求平台补充垫付资金，或暂缓提现。")),
        _BY_DAY,
    ),
    "OWN_ACCOUNT_SHORT": Entry(
        ("The platform withdraws more from an account of its own than that holds.", "平台从其账户提取的金额超过余额。"),
        (("Page Transactions: the withdrawal; ask the gateway how it stands.", "交易页面：查看该提现并向网关核实状态。"), _ASK_PLATFORM),
        _BY_DAY,
    ),
    "COVER_SHORT": Entry(
        ("What is owed under custody is not covered by cash and receivables that are neither late nor disputed: customers' money is at stake.",
         "存管应付未被现金及有效应收覆盖，客户资金存在风险。"),
        (("Page Day: custody money against the core; page Cases: the channel's breaks and late settlements.",
          "账务日页面：存管资金与核心差额；案件页面：渠道差错与逾期清算。"),
         ("The platform funds the shortfall the same day; the supervisor decides whether payouts are stopped.",
          "平台当日补足缺口；复核岗决定是否暂停出金。"),
         ("The risk officer decides whether the regulator is told at once.", "风控岗决定是否立即报告监管机构。")),
        _BY_DAY,
    ),
    "PAYOUT_SHORT": Entry(
        ("Cash and what channels are to settle do not cover what is to be paid out.", "现金及渠道待清算款不足以覆盖待付资金。"),
        (("Page Day, what can be paid out: by platform and status of withdrawals.", "账务日页面“当日支付头寸”：按平台与提现状态查看。"),
         ("Ask the channels for what is due; tell the supervisor before payouts go on.", "催收渠道清算款；继续出金前通知复核岗。")),
        _BY_DAY,
    ),
    "RESULT_UNCONFIRMED": Entry(
        ("The platform did not confirm the result of reconciliation that it was sent.", "平台未确认已发送的对账结果。"),
        (("Page Results: was the file delivered, and taken?", "对账结果页面：文件是否送达、取走。"), _ASK_PLATFORM),
        _BY_DAY,
    ),
    "RESULT_DISPUTED": Entry(
        ("The platform says that rows of our result are wrong.", "平台对对账结果中的部分记录提出异议。"),
        (("Each disputed row stands on its case: compare the sides, comment, and propose a resolution.",
          "异议记录列于相应案件：核对各方数据，备注并提出处理方案。"), _ASK_PLATFORM),
        _BY_DAY,
    ),
    "RESULT_UNKNOWN": Entry(
        ("The platform confirmed a result that we did not send it, or another version of it.", "平台确认的对账结果并非我行所发或版本不符。"),
        (("Page Results: compare the seal that it states with ours; let it fetch the right file.", "对账结果页面：比对封签，请平台重新取件。"), _ASK_PLATFORM),
        _BY_PERSON,
    ),
    "FILE_MISSING": Entry(
        ("A file that contract and calendar promise has not come by its time; the day closes without it and its rows wait.",
         "按合同与日历应报的文件逾时未到；当日将不含该文件关闭，相关记录结转。"),
        (("Page Files: did the seal come, was a file refused or quarantined?", "文件页面：封签是否到达，是否被拒收或隔离。"),
         _ASK_PLATFORM,
         ("It comes late: nothing to do, the next day takes it up. It will never come: `custody file give-up`, two people decide.",
          "迟到则无需处理，次日自动纳入；确定不再报送时执行 `custody file give-up`，须两人决定。")),
        ("it ends when the file lands or is given up", "文件到达或放弃后自动解除"),
    ),
    "FILE_QUARANTINED": Entry(
        ("A file came under a name that stands already, with other content: one of the two is wrong, or somebody tampers.",
         "收到同名但内容不同的文件：其中之一有误，或存在篡改。"),
        (("Page File: both digests, and when each came. Do not use the second.", "文件页面：比对两者摘要与到达时间，勿使用后到文件。"),
         ("Call the sender by the known number, not by an address in the file; the right content comes as the next version.",
          "按已登记电话联系发送方（勿用文件内地址）；正确内容以新版本号重报。"),
         ("If the sender knows nothing of it: page Organisations, revoke its key, tell the administrator.", "发送方不知情的：在机构页面吊销密钥并通知管理员。")),
        _BY_PERSON,
    ),
    "BATCH_FAILED": Entry(
        ("A batch as a whole is unlike anything that this sender sent before (rows, sums, share of rejects).", "批次整体与该机构以往报送差异过大（笔数、金额、拒绝比例）。"),
        (("Page Files, the batch: which expectation failed and by how much.", "文件页面批次：查看未通过的检查项及偏差。"), _ASK_PLATFORM,
         ("It is right: close with the reason. It is wrong: a restatement as the next version.", "数据无误的写明原因后关闭；有误的以新版本号重报。")),
        _BY_PERSON,
    ),
    "TASK_FAILED": Entry(
        ("A task ended with an error that trying again does not mend; the day stands at this step.", "任务失败且重试无效，当日停在该步骤。"),
        (("Open the task's log in Airflow: its last line says what stopped it and what to do.", "在 Airflow 打开任务日志，最后一行为原因与处理办法。"),
         ("Put it right, then clear the task: every step can be run again without harm.", "排除后清除任务重跑；任何步骤均可安全重跑。"),
         ("By hand: the command stands in the DAG's description.", "也可按 DAG 说明中的命令手工执行。")),
        _BY_PERSON,
    ),
    "DEADLINE_MISSED": Entry(
        ("A run has not ended by its deadline: later steps, results and reports will be late.", "运行超过时限，后续步骤、结果与报表将延误。"),
        (("Airflow, the run: does it run, wait for a slot, or retry? Its log says how far it is.", "在 Airflow 查看该运行：进行中、排队或重试；日志显示进度。"),
         ("It waits for a person: Required Actions.", "等待人工的见 Required Actions。")),
        _BY_PERSON,
    ),
    "OUTBOUND_LATE": Entry(
        ("Files that a party is owed could not be delivered for too long.", "应发送给机构的文件长时间未能送达。"),
        (("Page Organisation: last reason and next try.", "机构页面：查看最近失败原因与下次发送时间。"),
         ("The party's host or our drop is put right: `custody outbound send` tries at once.", "排除后执行 `custody outbound send` 立即重发。")),
        _BY_PERSON,
    ),
    "DROP_UNREAD": Entry(
        ("Intake could not look into a party's folder for several sweeps: files may lie there that nobody reads.", "多次扫描均无法读取该机构目录，其中可能有未读文件。"),
        (("Is the SFTP server up, do account, key and folder exist? The alert says the reason.", "检查 SFTP 服务、账户、密钥与目录；预警中列明原因。"),
         ("`custody collect` looks again at once.", "执行 `custody collect` 立即重试。")),
        ("it ends with the first sweep that can read it", "首次成功读取后自动解除"),
    ),
    "HOST_STOPPED": Entry(
        ("A party's own host failed so often that it is dialled no more, or shows another host key.", "机构主机多次连接失败已停止连接，或主机密钥改变。"),
        (("Another host key: call the party by the known number before anything else.", "主机密钥改变的，先按已登记电话核实。"),
         ("Page Organisation: resume dialling once it is put right.", "排除后在机构页面恢复连接。")),
        _BY_PERSON,
    ),
    "CONFIDENTIAL": Entry(
        ("A finding under the law against money laundering waits for the risk officer. Platform and customer are never told.",
         "有反洗钱保密事项待风控岗处理，不得向平台或客户透露。"),
        (("Risk officer: page Compliance. Everybody else: pass it on, ask nothing, tell nobody.", "风控岗在合规页面处理；其他人员只转交，不询问、不外传。"),),
        _BY_PERSON,
    ),
    "FEE_ARREARS": Entry(
        ("A custody fee could not be collected in full from the platform's own funds.", "存管费未能从平台自有资金账户足额扣收。"),
        (("Page Fees, the charge: what is missing and when it is tried again.", "存管费页面：查看欠额与下次扣收日。"),
         _ASK_PLATFORM,
         ("Never from customers' money.", "不得从客户资金扣收。")),
        _BY_PERSON,
    ),
    "FEE_ANSWER_UNKNOWN": Entry(
        ("The core reports a collected fee that we did not ask for.", "核心系统反馈了未请求的扣费。"),
        (("Compare the core's voucher with page Fees; what was not ours two people give back: custody fee give-back NUMBER.",
          "将核心凭证与存管费页面核对；非我方请求的由双人退还：custody fee give-back 请求号。"),),
        _BY_PERSON,
    ),
    "FEE_AMOUNT": Entry(
        ("The core collected another amount than was asked for.", "核心系统扣收金额与请求不符。"),
        (("Page Fees, the charge: propose to give back what was taken too much; another person decides.", "存管费页面：提出退还多扣，由他人复核。"),
         ("What the core gave back too much is put right with the core.", "核心多退的与核心更正。")),
        _BY_PERSON,
    ),
    "FEE_ANSWERED_TWICE": Entry(
        ("The core reports one charge as collected twice: money may have been taken twice.", "核心系统对同一扣费重复反馈，可能重复扣款。"),
        (("Look at the own-funds account's flows of the day; page Fees, the charge: propose to give the second debit back.",
          "核对自有资金账户当日流水；在存管费页面提出退还重复扣款。"),),
        _BY_PERSON,
    ),
    "FEE_UNANSWERED": Entry(
        ("The core has not said what it did with a charge on the day on which it got it.", "核心未于发出当日应答扣收。"),
        (("Ask the core's desk whether it has the CHARGE file and what it booked; it is not sent again before it answers.",
          "向核心查询是否收到扣收文件及入账情况；应答前不再发送。"),),
        ("it closes itself when the core answers", "核心应答后自动关闭"),
    ),
    "FEE_PAID_AFTER_WRITE_OFF": Entry(
        ("The platform paid what had been written off; the books have taken the loss back by that amount.", "平台偿付了已核销的存管费，账上已按此金额冲回。"),
        (("Page Fees, the charge: what stays written off. Tell those who decided the write-off.", "存管费页面：查看仍核销金额，并告知核销决定人。"),),
        _BY_PERSON,
    ),
    "KEY_ENDS": Entry(
        ("A key with which a party logs in, signs or encrypts ends soon: after that its files cannot come or go.", "机构的登录、签名或加密密钥即将到期，到期后文件无法收发。"),
        (("Ask the party for its next key; page Organisation: propose it, another person approves.", "请机构提供新密钥；在机构页面提议，由他人复核。"),),
        _BY_PERSON,
    ),
    "CALENDAR_ENDS": Entry(
        ("The calendar of bank business days is known for less than 90 days more: beyond its end each day counts as a holiday, and channels, "
         "fees and reports get no due dates.",
         "工作日日历剩余不足 90 天：其后的日期一律按休息日处理，清算、扣费与报送日期无法推定。"),
        (("Take the holidays and swapped working days of the next year from the State Council's notice (usually in November).",
          "依据国务院办公厅放假通知（通常 11 月发布）整理下一年度节假日与调休。"),
         ("Page Calendar: propose the next year as a whole, or `custody calendar propose`; another person approves it.",
          "日历页面整年提议，或用 `custody calendar propose`；由他人复核。")),
        ("it ends by itself when the next year is decided", "下一年度日历通过后自动解除"),
    ),
    "REPORT_DUE": Entry(
        ("A report is due on a bank business day and is not released.", "报表临近或超过报送期限尚未发布。"),
        (("Page Reports: the draft, its checks, what lacks an explanation; propose the release, another person approves.",
          "报表页面：查看草稿、检查结果与待说明事项；提议发布，由他人复核。"),),
        _BY_PERSON,
    ),
    "REPORT_DUE_SOON": Entry(
        ("A report falls due within a few bank business days and is not released.", "报表数个工作日内到期，尚未发布。"),
        (("Page Reports: the draft, its checks, what lacks an explanation; propose the release, another person approves.",
          "报表页面：查看草稿、检查结果与待说明事项；提议发布，由他人复核。"),),
        _BY_PERSON,
    ),
    "REPORT_REFUSED": Entry(
        ("Whoever a report was sent to refused it; the reason stands in the receipt.", "报表被接收方拒收，原因见回执。"),
        (("Page Reports, the release: the receipt's reason. Ask the recipient where it is unclear.", "报表页面：查看回执原因；不明之处向接收方核实。"),
         ("Put it right and release a new version, which says what differs.", "更正后发布新版本，并附差异说明。")),
        _BY_PERSON,
    ),
    "REPORT_RESTATED": Entry(
        ("A file was restated after the period of a report was over: closed days stay as they are, what changed stands in the later period.",
         "报表期间结束后文件被重报：已关账日不改动，变化计入其后的期间。"),
        (("Page Reports, the report: what was taken back, posted and withdrawn since; `custody restatement show` before it is accepted. Tell the "
          "recipients where it matters, and explain it in the next report.",
          "报表页面查看该报表：其后冲回、新记、撤回的笔数与金额；重报受理前可用 `custody restatement show` 查看。影响重大的，告知接收方并在下期报表中说明。"),),
        _BY_PERSON,
    ),
    "REPORT_RECEIPT_UNKNOWN": Entry(
        ("A receipt names a report or a digest that was never sent.", "回执所列报表或摘要并非我行所发。"),
        (("Compare it with page Reports; ask the recipient what it received, and from whom.", "与报表页面核对；询问接收方收到的内容与来源。"),),
        _BY_PERSON,
    ),
    "ALERT_UNDELIVERED": Entry(
        ("Messages about alerts were given up: their gateway stayed away, or an address is wrong.", "预警通知发送失败已放弃：网关不可用或地址有误。"),
        (("Page Alerts says which; tell the people by other means. Administrator: the gateway's settings, page Organisations: the address.",
          "预警页面列明；先以其他方式通知。管理员检查网关设置与机构联系方式。"),),
        _BY_PERSON,
    ),
}  # fmt: skip
# Rules of compliance are data (page Compliance has each with its citation): what to do is alike.
COMPLIANCE = Entry(
    ("A rule of compliance found a pattern in the flows; its citation, figures and rows stand on page Compliance.",
     "合规规则在资金流中发现可疑情形；依据、数据与明细见合规页面。"),
    (("Read the rows behind it: does the pattern hold, or has it a plain reason?", "核对明细：情形是否成立，或有合理解释。"),
     ("It holds: the risk officer decides whom to tell; never platform or customer where it is confidential.", "成立的由风控岗决定报告对象；保密事项不得告知平台或客户。"),
     ("It does not: close with the reason, which the next trial of the rule is measured by.", "不成立的写明原因关闭，作为规则试算的依据。")),
    _BY_DAY,
)  # fmt: skip


def entry_of(rule: str) -> Entry:
    """What to do about an alert of a rule; those of the compliance book share one."""
    return HANDBOOK.get(rule, COMPLIANCE)
