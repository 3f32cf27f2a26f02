"""Words for people, in English and Chinese, each spelt once and chosen by the rule that was broken."""

from __future__ import annotations

# rule id -> (English, Chinese). {braces} are filled from the finding's figures.
RULES: dict[str, tuple[str, str]] = {
    # a row
    "columns": ("the row has {found} columns, the layout has {expected}", "该行有 {found} 列，版式要求 {expected} 列"),
    "bad_byte": ("byte {position} of the line is not valid {encoding}", "该行第 {position} 字节不是合法的 {encoding} 编码"),
    "line_too_long": ("the line is longer than {limit} bytes", "该行超过 {limit} 字节"),
    "control_character": ("the field has a control character", "字段含控制字符"),
    "formula": (
        "the text starts with {start}, which a spreadsheet runs as a formula",
        "文本以 {start} 开头，会被电子表格当作公式",
    ),
    "required": ("the field is required and is empty", "必填字段为空"),
    "pattern": ("the value must match {pattern}", "取值须符合 {pattern}"),
    "codes": ("the value must be one of {codes}", "取值须为 {codes} 之一"),
    "max_length": ("the value is longer than {max} characters", "取值超过 {max} 个字符"),
    "min": ("the value must be at least {min}", "取值不得小于 {min}"),
    "max": ("the value must be at most {max}", "取值不得大于 {max}"),
    "amount": ("not an amount in yuan such as 1234.50: {why}", "不是合法金额（例：1234.50）：{why}"),
    "integer": ("not a whole number in ASCII digits", "不是整数"),
    "rate": ("not a decimal fraction such as 0.085", "不是小数（例：0.085）"),
    "date": ("not a calendar date YYYY-MM-DD", "不是合法日期 YYYY-MM-DD"),
    "time": ("not a time YYYY-MM-DDTHH:MM:SS (UTC+8)", "不是合法时间 YYYY-MM-DDTHH:MM:SS（东八区）"),
    "identity": (
        "not a valid identity number or unified social credit code (check digit)",
        "证件号码或统一社会信用代码校验不通过",
    ),
    "phone": ("not a mobile number of 11 digits", "不是 11 位手机号"),
    "card": ("not a bank card number (Luhn check)", "不是合法的银行卡号（Luhn 校验）"),
    "duplicate_key": ("the key {key} stands already in line {first_line}", "主键 {key} 已在第 {first_line} 行出现"),
    "other_date": (
        "the event is of {event_date}, the file of {custody_date}",
        "事件日期 {event_date} 与文件账务日期 {custody_date} 不符",
    ),
    # a file
    "name": (
        "the file's name is not PARTY_TYPE_YYYYMMDD_BATCH_vVERSION.csv of this party",
        "文件名不符合“机构_类型_日期_批次_v版本.csv”或不属于该机构",
    ),
    "no_seal": ("no seal file names this file", "没有封签文件列出该文件"),
    "seal_unreadable": ("the seal is not the JSON that the specification asks for: {why}", "封签文件不符合规范：{why}"),
    "announced_missing": ("the seal names the file, but it was not delivered", "封签列出了该文件，但未收到"),
    "size": ("the file has {found} bytes, its seal says {expected}", "文件有 {found} 字节，封签为 {expected} 字节"),
    "too_large": ("the file has {found} bytes; at most {limit} are taken", "文件有 {found} 字节，上限为 {limit} 字节"),
    "digest": ("the file's SHA-256 is {found}, its seal says {expected}", "文件 SHA-256 为 {found}，封签为 {expected}"),
    "unknown_layout": (
        "layout {layout} is not known for {file_type}; known: {known}",
        "未知版式 {layout}（{file_type} 可用：{known}）",
    ),
    "encoding": ("encoding {encoding} is not what the contract names", "编码 {encoding} 与合同约定不符"),
    "header": ("the header line is not the layout's: {found}", "表头与版式不符：{found}"),
    "row_count": ("the file has {found} rows, its seal says {expected}", "文件有 {found} 行，封签为 {expected} 行"),
    "control_total": (
        "the {field} column adds up to {found}, its seal says {expected}",
        "{field} 列合计 {found}，封签为 {expected}",
    ),
    "truncated": ("the last line has no line end: the file is cut off", "末行没有换行符：文件被截断"),
    "same_name_other_digest": (
        "a file of this name was taken before with SHA-256 {first}",
        "同名文件已接收，其 SHA-256 为 {first}",
    ),
    "restatement": (
        "an earlier version was accepted: this is a restatement and waits for two people",
        "较早版本已被接受：属于重报，须两人复核",
    ),
    "future_date": ("the custody date {custody_date} has not ended or is not open", "账务日期 {custody_date} 尚未结束或未开放"),
    "wrong_party": ("the seal is of {found}, the drop of {expected}", "封签机构为 {found}，收件目录属于 {expected}"),
    "same_again": ("the same file was taken before; nothing was done", "相同文件已接收，未作处理"),
    "taken": ("the file was taken", "文件已接收"),
    "taken_late": (
        "the file was taken after the cut-off of its custody date {custody_date}: the next day takes it up",
        "文件已接收，但晚于账务日期 {custody_date} 的截止时间，由下一账务日处理",
    ),
    "seal_name": ("the seal says {found}, its name says {expected}", "封签内容为 {found}，文件名为 {expected}"),
    "not_a_file": ("the name is a link or a folder, which is never opened", "该名称是链接或目录，系统不予打开"),
    "party_not_live": ("the party is {status}: its files are not taken", "机构状态为 {status}，不接收其文件"),
    "older_version": ("version {newer} of the file was taken before", "该文件的版本 {newer} 已被接收，不再接收旧版本"),
    # a posting that the ledger refuses
    "insufficient": (
        "the account {account} holds {available}, the posting needs {needed}",
        "账户 {account} 余额 {available}，所需 {needed}",
    ),
    "unknown_account": ("no sub-account {account} is open", "子账户 {account} 不存在或未开立"),
    "unknown_hold": ("no open hold {hold} of {account}", "没有冻结 {hold}（账户 {account}）"),
    "hold_amount": ("the hold {hold} has {open} open, the posting takes {needed}", "冻结 {hold} 余额 {open}，所需 {needed}"),
    "unknown_loan": ("no loan {loan} is registered", "标的 {loan} 未登记"),
    "loan_amount": (
        "settled tenders {found} would exceed the loan's amount {expected}",
        "放款合计 {found} 超过标的金额 {expected}",
    ),
    "posted_before": (
        "the request {request_no} leg {leg} was posted before with other content",
        "流水 {request_no} 明细 {leg} 已入账且内容不同",
    ),
    "incomplete_instruction": ("the instruction lacks {field}, which {txn_type} needs", "指令缺少 {txn_type} 所需的 {field}"),
    "originator": ("{originator} may not originate {txn_type}", "{originator} 无权发起 {txn_type}"),
    "account_kind": (
        "{account} is not a {expected} account of the platform, as {txn_type} needs",
        "{account} 不是 {txn_type} 所需的本平台 {expected} 账户",
    ),
    "not_the_borrower": ("{account} is not the borrower of loan {loan}", "{account} 不是标的 {loan} 的借款人"),
    "hold_purpose": (
        "the hold {hold} is for loan {purpose}, the posting for {loan}",
        "冻结 {hold} 用于标的 {purpose}，与入账标的 {loan} 不符",
    ),
    "parts": (
        "principal, interest and penalty add up to {parts}, the amount is {amount}",
        "本金、利息、罚息合计 {parts}，与金额 {amount} 不符",
    ),
    "hold_exists": (
        "a hold {hold} stands already: a freeze is one leg under its own number",
        "冻结 {hold} 已存在：每笔冻结须使用独立流水号且只有一条明细",
    ),
    "fee_exceeds_amount": ("the fee {fee} is larger than the amount {amount}", "手续费 {fee} 大于金额 {amount}"),
    "claim_principal": (
        "{account} holds {held} of loan {loan}, the repayment's principal is {principal}",
        "{account} 持有标的 {loan} 债权 {held}，还款本金为 {principal}",
    ),
    "unknown_party": ("{party} is not an onboarded {kind}", "{party} 不是已准入的{kind}"),
    "allocation": (
        "our register gives principal {principal} and interest {interest} to claim {claim}",
        "按本行登记，债权 {claim} 应得本金 {principal}、利息 {interest}",
    ),
}


def text(rule: str, figures: dict[str, object]) -> tuple[str, str]:
    """The rule's words in (English, Chinese). An unknown rule is a programming error and raises KeyError."""
    english, chinese = RULES[rule]
    return english.format(**figures), chinese.format(**figures)
