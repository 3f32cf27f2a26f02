"""Words for people, in English and Chinese, each spelt once and chosen by the rule that was broken."""

from __future__ import annotations

from collections.abc import Mapping

from custody.counting import told

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
    "date": ("not a calendar date YYYY-MM-DD (from 1900)", "不是合法日期 YYYY-MM-DD（1900年起）"),
    "time": ("not a time YYYY-MM-DDTHH:MM:SS (UTC+8, from 1900)", "不是合法时间 YYYY-MM-DDTHH:MM:SS（东八区，1900年起）"),
    "identity": (
        "not a valid identity number or unified social credit code (check digit)",
        "证件号码或统一社会信用代码校验不通过",
    ),
    "phone": ("not a mobile number of 11 digits", "不是 11 位手机号"),
    "card": ("not a bank card number (Luhn check)", "不是合法的银行卡号（Luhn 校验）"),
    "duplicate_key": ("the key {key} stands already in line {first_line}", "主键 {key} 已在第 {first_line} 行出现"),
    "other_year": ("the day lies outside {year}, which this table decides whole", "日期不在本表所定年份 {year} 内"),
    # a row of a form about customers
    "form_action": ("this form takes {expected} only", "本表单只接受 {expected}"),
    "account_exists": ("the sub-account exists already", "该子账户已存在"),
    "account_unknown": ("there is no such sub-account", "无此子账户"),
    "account_closed": ("the sub-account was closed on {closed_on}", "该子账户已于 {closed_on} 销户"),
    "other_person": (
        "the sub-account is another person's: a wrong identity number is put right by a merger of the two customers",
        "该子账户属于另一客户：证件号有误时应合并两个客户",
    ),
    "customer_kind": ("the sub-account is a {expected}'s", "该子账户的客户类型为 {expected}"),
    "account_not_empty": ("the sub-account still has {what}", "该子账户尚有 {what}"),
    "customer_merged": ("the customer was merged into {into}", "该客户已并入 {into}"),
    "other_date": (
        "the event is of {event_date}, the file of {custody_date}",
        "事件日期 {event_date} 与文件账务日期 {custody_date} 不符",
    ),
    "form": ("not a valid date or time of the form {form}", "不是合法的日期或时间，格式应为 {form}"),
    "amount_fen": ("not an amount in fen in ASCII digits, or too large", "不是以分为单位的数字金额，或金额过大"),
    "rate_digits": (
        "not a rate in ASCII digits with {decimals} implied decimals",
        "不是利率：应为数字，末 {decimals} 位为小数",
    ),
    "sign_mark": ("the amount's mark must be {plus} or {minus}", "金额标志须为 {plus} 或 {minus}"),
    "record_length": (
        "the record at byte {position} of the file has {found} bytes, the layout has {expected}",
        "文件第 {position} 字节处的记录有 {found} 字节，版式要求 {expected} 字节",
    ),
    "filler": (
        "byte {position} of the record parts two fields and must be a space",
        "记录第 {position} 字节为字段间隔，须为空格",
    ),
    "cell_prefix": ("the row does not begin with {prefix}", "该行未以 {prefix} 开头"),
    "quotes": ("a quote is not closed, or stands where none may", "引号未闭合或位置有误"),
    "check_sum": (
        "{field} is {found}, but {terms} is {expected}",
        "{field} 为 {found}，而 {terms} 为 {expected}",
    ),
    "check_order": ("{first} is after or above {second}", "{first} 晚于或大于 {second}"),
    "check_recent": (
        "{field} is more than {days} days before the file's date",
        "{field} 早于文件日期超过 {days} 天",
    ),
    "check_any_filled": ("one of {fields} must be filled", "{fields} 至少填写一项"),
    "check_one_filled": ("exactly one of {fields} must be filled", "{fields} 须且仅须填写一项"),
    "check_filled": ("{fields} must be filled where {when}", "当 {when} 时 {fields} 必填"),
    "check_empty": ("{fields} must be empty where {when}", "当 {when} 时 {fields} 须为空"),
    "check_direction": (
        "code {code} moves money {direction}, which is marked {expected}; the row says {mark}",
        "代码 {code} 的资金方向为 {direction}（标志 {expected}），而该行标志为 {mark}",
    ),
    "not_mapped": (
        "{source} is {value}, for which the layout names nothing of ours",
        "{source} 取值 {value} 未在版式中定义对应关系",
    ),
    "contract_lacks": (
        "the contract's dialect has no {parameter} for {value}",
        "合同方言参数 {parameter} 中没有 {value}",
    ),
    # a file
    "header_columns": (
        "the header's columns do not fit: unknown {unknown}; missing {missing}; repeated {repeated}",
        "表头列不符：未知 {unknown}；缺少 {missing}；重复 {repeated}",
    ),
    "summary_header": ("the summary's header line is not the layout's: {found}", "汇总表头与版式不符：{found}"),
    "summary_unreadable": ("the summary line cannot be read: {field}", "汇总行无法读取：{field}"),
    "summary": ("the summary says {said} for {field}, the rows give {found}", "汇总行 {field} 为 {said}，明细合计为 {found}"),
    "record_alignment": (
        "the file has {bytes:#byte}, which leaves {rest} behind records of {length}: from byte {position} on nothing is certain",
        "文件有 {bytes} 字节，按每条 {length} 字节切分余 {rest} 字节：自第 {position} 字节起无法对齐",
    ),
    "envelope_member": ("the reply has no text {member}", "报文中没有文本项 {member}"),
    "envelope_json": ("the reply is not JSON", "报文不是合法的 JSON"),
    "envelope_base64": ("the content is not base64", "内容不是合法的 base64"),
    "envelope_zip": ("the content is not a zip file that can be read", "内容不是可读取的 zip 文件"),
    "envelope_entry": (
        "{found} entries of the zip file match {pattern}, one is expected",
        "zip 中有 {found} 个条目符合 {pattern}，应为一个",
    ),
    "envelope_too_large": ("unpacked it is larger than {limit}", "解包后超过上限 {limit}"),
    "name": (
        "the file's name is not PARTY_TYPE_YYYYMMDD_BATCH_vVERSION.csv of this party",
        "文件名不符合“机构_类型_日期_批次_v版本.csv”或不属于该机构",
    ),
    "openpgp_missing": (
        "the contract asks for an OpenPGP message, and the file is none",
        "合同约定使用 OpenPGP 报文，而该文件不是",
    ),
    "openpgp_not_agreed": (
        "the file is an OpenPGP message, which the contract does not name",
        "该文件为 OpenPGP 报文，合同未作此约定",
    ),
    "openpgp_not_encrypted": ("the message is not encrypted, and the contract asks that it is", "报文未加密，合同约定须加密"),
    "openpgp_not_for_us": ("the message is not encrypted to the bank's key", "报文不是用银行公钥加密的"),
    "openpgp_unreadable": ("the message cannot be read: {why}", "报文无法读取：{why}"),
    "openpgp_too_large": ("unpacked the message is larger than {limit} bytes", "报文解开后超过 {limit} 字节"),
    "openpgp_unsigned": ("the message is not signed, and the contract asks that it is", "报文未签名，合同约定须签名"),
    "openpgp_bad_signature": (
        "the signature by key {key} is wrong: the content is not what was signed",
        "密钥 {key} 的签名有误：内容与签名不符",
    ),
    "openpgp_unknown_key": ("the message is signed by key {key}, which is not registered", "报文由未登记的密钥 {key} 签名"),
    "openpgp_other_party": (
        "the message is signed by key {key}, which is another organisation's",
        "报文由另一机构的密钥 {key} 签名",
    ),
    "openpgp_key_not_in_force": (
        "the message is signed by key {key}, which does not work today: it has ended, was revoked, or has not begun",
        "报文由密钥 {key} 签名，该密钥今日无效：已到期、已停用或尚未生效",
    ),
    "no_seal": ("no seal file names this file", "没有封签文件列出该文件"),
    "seal_unreadable": ("the seal is not the JSON that the specification asks for: {why}", "封签文件不符合规范：{why}"),
    "announced_missing": ("the seal names the file, but it was not delivered", "封签列出了该文件，但未收到"),
    "size": ("the file has {found} bytes, its seal says {expected}", "文件有 {found} 字节，封签为 {expected} 字节"),
    "too_large": ("the file has {found} bytes; at most {limit} are taken", "文件有 {found} 字节，上限为 {limit} 字节"),
    "too_many_rejected": (
        "{limit} rows are unusable, so the file is refused as a whole; the first of them are listed",
        "不合格行数已达 {limit} 行，整份文件拒收；仅列出前面的差错",
    ),
    "digest_sm3": ("the file's SM3 is {found}, its seal says {expected}", "文件 SM3 为 {found}，封签为 {expected}"),
    "digest": ("the file's SHA-256 is {found}, its seal says {expected}", "文件 SHA-256 为 {found}，封签为 {expected}"),
    "unknown_layout": (
        "layout {layout} is not known for {file_type}; known: {known}",
        "未知版式 {layout}（{file_type} 可用：{known}）",
    ),
    "encoding": ("encoding {encoding} is not what the contract names", "编码 {encoding} 与合同约定不符"),
    "header": ("the header line is not the layout's: {found}", "表头与版式不符：{found}"),
    "row_count": ("the file has {found:#row}, its seal says {expected}", "文件有 {found} 行，封签为 {expected} 行"),
    "control_total": (
        "the {field} column adds up to {found}, its seal says {expected}",
        "{field} 列合计 {found}，封签为 {expected}",
    ),
    "total_too_large": (
        "the {field} column adds up to {found}; one file may carry {limit}",
        "{field} 列合计 {found}，单个文件上限为 {limit}",
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
    "same_content": (
        "its content is that of {first}, which is in force: nothing was done",
        "内容与有效文件 {first} 相同，未作处理",
    ),
    "taken": ("the file was taken", "文件已接收"),
    "taken_late": (
        "the file was taken after the cut-off of its custody date {custody_date}: the next day takes it up",
        "文件已接收，但晚于账务日期 {custody_date} 的截止时间，由下一账务日处理",
    ),
    "taken_overdue": (
        "the file was taken; it was due {due} and had been called missing, which is settled herewith",
        "文件已接收；该文件应于 {due} 前报送，此前已列为缺失，现予销记",
    ),
    # what happens to a file, and to what contract and calendar promise
    "announced": ("a seal names it: {rows:#row}, {bytes:#byte}", "封签列出该文件：{rows} 行，{bytes} 字节"),
    "landed": ("its {bytes:#byte} are in the archive", "{bytes} 字节已归档"),
    "checked": ("size and {algorithm} digest are those of the seal", "字节数与 {algorithm} 摘要与封签一致"),
    "superseded": ("two people put {by} in its place", "经两人复核，由 {by} 取代"),
    "restated": ("two people accepted it, in place of {instead}", "经两人复核接受，取代 {instead}"),
    "put_back": ("the version that had taken its place was refused: it is in force again", "取代它的版本被拒收，本版本恢复有效"),
    "expected": ("due by {due}", "应于 {due} 前报送"),
    "expected_again": ("{file} is not in force any more: it is waited for anew", "{file} 已失效，重新等待报送"),
    "came": ("{file} came; due was {due}", "{file} 已到；应到时间 {due}"),
    "came_late": ("{file} came after it had been called missing; due was {due}", "{file} 在列为缺失后报到；应到时间 {due}"),
    "missing": ("it was due {due} and is not here", "应于 {due} 前报送，尚未收到"),
    "given_up": ("two people decided that it will not come", "经两人复核，不再等待"),
    "alert_missing": (
        "{party} is late: its {file_type} file of {date}, batch {batch}, was due {due} (UTC+8) and is missing since {since}.",
        "{party} 迟报：{date} 的 {file_type} 文件（第 {batch} 批）应于 {due}（东八区）前报送，自 {since} 起列为缺失。",
    ),
    "missing_unheard": ("Nothing of it came.", "未收到任何相关文件。"),
    "missing_announced": (
        "Its seal {seal} came; its bytes are still on their way.",
        "封签 {seal} 已到，文件仍在传输。",
    ),
    "alert_missing_cut_off": (
        "The date {date} was cut off without it: its counterparts are carried forward.",
        "账务日 {date} 已日切，对应记录结转后续日。",
    ),
    "alert_missing_to_do": (
        "The sender was told by a FILE_NOTICE in its out/. Call its contact; if the file will not come: "
        "custody file give-up {party} {file_type} {date}.",
        "已通过 out/ 目录中的 FILE_NOTICE 通知报送方。请联系其联系人；确认不再报送时：custody file give-up {party} {file_type} {date}。",
    ),
    "alert_drop_unread": (
        "The drop of {party} could not be read in {sweeps} sweeps, since {since} (UTC+8): {why}. Nothing of it is called missing "
        "meanwhile. See that the host or folder is there; call its contact where the host is its own.",
        "自 {since}（东八区）起已连续 {sweeps} 次无法读取 {party} 的投递目录：{why}。其间不判定其文件缺失。请检查主机或目录；主机属对方的，请联系其联系人。",
    ),
    "alert_our_drop_unread": (
        "The bank's own drop could not be read in {sweeps} sweeps, since {since} (UTC+8): {why}. No file of the parties that drop there "
        "comes in meanwhile. See that the SFTP server runs and takes the collector's key.",
        "自 {since}（东八区）起已连续 {sweeps} 次无法读取本行投递服务器：{why}。其间在此报送的各方文件均未接收。请检查 SFTP 服务及收取账户密钥。",
    ),
    "drop_read_again": (
        "It was read again, after {sweeps} sweeps that could not, since {since} (UTC+8)",
        "已恢复读取；此前自 {since}（东八区）起连续 {sweeps} 次无法读取",
    ),
    "alert_quarantined": (
        "{name} of {party} is quarantined: {why}. Look at it with its sender: custody file show {name}.",
        "{party} 的 {name} 已隔离：{why}。请与报送方核实：custody file show {name}。",
    ),
    "notice_missing": ("{name} was due {due} (UTC+8) and has not been taken", "{name} 应于 {due}（东八区）前报送，尚未接收"),
    "notice_late": ("{name} was due {due} (UTC+8) and came late", "{name} 应于 {due}（东八区）前报送，已迟到接收"),
    "notice_settled": (
        "{name} was due {due} (UTC+8); the bank waits for it no longer",
        "{name} 应于 {due}（东八区）前报送，银行不再等待",
    ),
    "notice_to_do": (
        "send {name}, then its seal; if your receipt says that it was refused, do what the receipt says; if it cannot be sent, call the bank",
        "请报送 {name} 及其封签；如回执显示拒收，请按回执处理；如无法报送，请致电银行",
    ),
    "notice_nothing": ("nothing to do", "无需处理"),
    "seal_name": ("the seal says {found}, its name says {expected}", "封签内容为 {found}，文件名为 {expected}"),
    "not_a_file": ("the name is a link or a folder, which is never opened", "该名称是链接或目录，系统不予打开"),
    "taken_held": (
        "the organisation is suspended: the file is kept, and taken up with the first custody date on which it is not",
        "机构处于暂停状态：文件已留存，待恢复后的首个账务日处理",
    ),
    "taken_sample": (
        "taken as a sample: it is tested and answered, and enters no custody day",
        "已作为样本文件接收：仅用于准入测试并反馈结果，不进入任何账务日",
    ),
    "sample_missing": (
        "of {file_type}, which the contract promises every day, no sample has come",
        "合同约定每日报送的 {file_type} 尚未收到样本文件",
    ),
    "party_not_live": (
        "on {custody_date} the organisation was not live yet: files of that date are not taken",
        "{custody_date} 该机构尚未上线，不接收该账务日的文件",
    ),
    "party_closed": ("the organisation is closed: its files are not taken", "机构已终止，不接收其文件"),
    "party_status": (
        "{party} is {status} since {since}: {txn_type} is new business, which it does not do any more",
        "{party} 自 {since} 起状态为 {status}，不得再办理新业务（{txn_type}）",
    ),
    "older_version": ("version {newer} of the file was taken before", "该文件的版本 {newer} 已被接收，不再接收旧版本"),
    # a posting that the ledger refuses
    "insufficient": (
        "the account {account} holds {available}, the posting needs {needed}",
        "账户 {account} 余额 {available}，所需 {needed}",
    ),
    "not_carried_out": (
        "the bank has not carried out this {txn_type} yet: it is tried again each day",
        "银行尚未办理该笔 {txn_type}，将逐日重试",
    ),
    "left_meanwhile": (
        "this {txn_type} was under way already and has been paid: the bank looks into it",
        "该笔 {txn_type} 此前已在途并已付出，由银行核查",
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
    "unknown_mandate": ("mandate {mandate} was never granted", "授权 {mandate} 未签订"),
    "mandate_of_another": (
        "mandate {mandate} is {holder}'s, not {account}'s",
        "授权 {mandate} 属于 {holder}，而非 {account}",
    ),
    "mandate_scope": ("mandate {mandate} covers {scope}, not {txn_type}", "授权 {mandate} 的范围为 {scope}，不含 {txn_type}"),
    "mandate_not_yet": ("mandate {mandate} was granted only at {granted_at}", "授权 {mandate} 于 {granted_at} 才签订"),
    "mandate_revoked": ("mandate {mandate} was revoked at {revoked_at}", "授权 {mandate} 已于 {revoked_at} 撤销"),
    "mandate_expired": ("mandate {mandate} expired on {expires_on}", "授权 {mandate} 已于 {expires_on} 到期"),
    "mandate_item_limit": (
        "mandate {mandate} allows {limit} fen for an item, this is {amount}",
        "授权 {mandate} 单笔限额 {limit} 分，本笔为 {amount} 分",
    ),
    "mandate_total_limit": (
        "mandate {mandate} allows {limit} fen in total; {used} are used, this is {amount}",
        "授权 {mandate} 累计限额 {limit} 分，已用 {used} 分，本笔为 {amount} 分",
    ),
    "platform_lends": (
        "{account} is the platform's own and funds no loan ({loan})",
        "{account} 为平台自有账户，不得出借（标的 {loan}）",
    ),
    "no_legal_order": ("there is no legal order {order} to {action}", "无 {order} 号司法文书（{action}）"),
    "legal_order_account": (
        "legal order {order} ({action}) is about {account}",
        "{order} 号司法文书（{action}）所涉账户为 {account}",
    ),
    "legal_order_amount": (
        "legal order {order} ({action}) is about {ordered} fen; {done} are done, this is {needed}",
        "{order} 号司法文书（{action}）金额 {ordered} 分，已执行 {done} 分，本笔 {needed} 分",
    ),
    "status_order": ("{status} cannot follow {before}", "状态 {before} 之后不得为 {status}"),
    "still_under_way": (
        "request {request} on hold {hold} is {status}: nothing is sent again or released until the channel proves its end",
        "冻结 {hold} 的请求 {request} 状态为 {status}：渠道证实结果前不得重发或解冻",
    ),
    "unsettled_use": (
        "{unsettled} fen of the {amount} that left the bank rest on cash that has not come",
        "转出的 {amount} 分中有 {unsettled} 分资金尚未清算到账",
    ),
    "unknown_receipt": ("no receipt {receipt} is open in SUSPENSE", "暂收款中无未结来账 {receipt}"),
    "receipt_amount": (
        "receipt {receipt} has {left} fen left, the instruction needs {needed}",
        "来账 {receipt} 余 {left} 分，指令需 {needed} 分",
    ),
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
    # a reversal by a restated file of instructions
    "reversal_by_hand": (
        "the {txn_type} {request_no}/{leg} stands in no file any more, and is put right by people only: what it posted stays",
        "重报后 {txn_type} {request_no}/{leg} 已无授权，须人工更正：原记账保留",
    ),
    "reversal_claim": (
        "claim {claim} on loan {loan} has been repaid, sold or merged since: what was posted stays, for people to put right",
        "标的 {loan} 的债权 {claim} 其后已还款、转让或合并：原记账保留，须人工更正",
    ),
    "reversal_hold_gone": (
        "the hold {hold} of {account} was released and is gone: money is not frozen again by itself",
        "{account} 的冻结 {hold} 已全部解冻，不自动恢复冻结",
    ),
    "reversal_hold_used": (
        "of the hold {hold} of {account} {open} is left, the reversal needs {needed}: what was posted stays",
        "{account} 的冻结 {hold} 余 {open}，冲正需 {needed}：原记账保留",
    ),
    "reversal_lot": (
        "unsettled money of {request_no}/{leg} has moved on from {account} or has left: what was posted stays",
        "{request_no}/{leg} 的未清算资金已从 {account} 转出：原记账保留",
    ),
    "reversal_receipt": (
        "the receipt {receipt} has been identified or returned since: what was posted stays",
        "来账 {receipt} 其后已认领或退回：原记账保留",
    ),
    "reversal_settled": (
        "{channel} has settled {request_no}/{leg} since: what was posted stays, for people to put right",
        "{channel} 其后已清算 {request_no}/{leg}：原记账保留，须人工更正",
    ),
    "reversal_short": (
        "{account} has {available} left, the reversal needs {needed}: what was posted stays, for people to put right",
        "{account} 余 {available}，冲正需 {needed}：原记账保留，须人工更正",
    ),
    "fee_exceeds_amount": ("the fee {fee} is larger than the amount {amount}", "手续费 {fee} 大于金额 {amount}"),
    "claim_principal": (
        "{account} holds {held} of loan {loan}, the repayment's principal is {principal}",
        "{account} 持有标的 {loan} 债权 {held}，还款本金为 {principal}",
    ),
    "unknown_claim": ("no claim {claim} is registered", "债权 {claim} 未登记"),
    "claim_holder": (
        "the claim {claim} on loan {loan} is not held by {account}",
        "{account} 不是标的 {loan} 债权 {claim} 的持有人",
    ),
    "claim_share": (
        "{account} holds {held} of claim {claim} and passes on {principal}",
        "{account} 持有债权 {claim} 的份额为 {held}，转出 {principal}",
    ),
    "claim_exists": ("a claim {claim} of {account} stands already", "债权编号 {claim} 已属于 {account}"),
    "not_the_payee": ("{account} is not the payee that loan {loan} names", "{account} 不是标的 {loan} 约定的受托支付收款人"),
    "not_the_guarantor": ("{account} is not the guarantor of loan {loan}", "{account} 不是标的 {loan} 的担保人"),
    "coupon_exceeds_amount": (
        "the coupon {coupon} leaves nothing of the amount {amount} for the lender to pay",
        "红包 {coupon} 不小于投标金额 {amount}",
    ),
    "unknown_party": ("{party} is not an onboarded {kind}", "{party} 不是已准入的{kind}"),
    "allocation": (
        "our register gives principal {principal}, interest {interest} and penalty {penalty} to claim {claim}",
        "按本行登记，债权 {claim} 应得本金 {principal}、利息 {interest}、罚息 {penalty}",
    ),
    # the keyed store against the lake
    "store_mark": (
        "the keyed store holds days up to {mark}, sealed is {newest}: `custody store rebuild` makes it anew",
        "键值库水位为 {mark}，已封存至 {newest}：请执行 custody store rebuild 重建",
    ),
    "store_no_day": ("{date} is no day that the keyed store holds (up to {mark})", "键值库中没有 {date}（水位 {mark}）"),
    "store_beyond": (
        "{table}, salt {salt}: {rows:#row} of {date} lie beyond the watermark {mark}; nobody reads them, `custody project --date {date}` completes them",
        "{table} 分片 {salt}：{date} 有 {rows} 行超出水位 {mark}，不会被读取；请执行 custody project --date {date} 补齐",
    ),
    "store_missing": (
        "{table}, salt {salt}, {date}: {rows:#row} of the lake are not there: {keys}",
        "{table} 分片 {salt}，{date}：缺少数据湖中的 {rows} 行：{keys}",
    ),
    "store_extra": (
        "{table}, salt {salt}, {date}: {rows:#row} that the lake does not have: {keys}",
        "{table} 分片 {salt}，{date}：多出数据湖中没有的 {rows} 行：{keys}",
    ),
    "store_differs": (
        "{table}, salt {salt}, {date}: {rows:#row} are other than the lake's: {keys}",
        "{table} 分片 {salt}，{date}：{rows} 行与数据湖不一致：{keys}",
    ),
    "store_figures": (
        "{table}, salt {salt}: {found} rows with {found_minor} are not the sealed {expected} with {expected_minor}, though each is the lake's of today",
        "{table} 分片 {salt}：实有 {found} 行合计 {found_minor}，封存为 {expected} 行合计 {expected_minor}，但逐行与现有数据湖一致",
    ),
    "later_cause": (
        "happened at {event_time}, but could only be posted after {cause} of {cause_time}, which is later",
        "发生于 {event_time}，但须在更晚的 {cause}（{cause_time}）之后才能入账，时序不可能",
    ),
    # a batch: all that a party landed of one file type for one date, against its last days of the same kind
    "batch_low": (
        "{rows:#row}; the quietest of the last {history_days} comparable days had {low_rows}, usually {usual_rows}",
        "共 {rows} 行；最近 {history_days} 个同类日最少 {low_rows} 行，通常 {usual_rows} 行",
    ),
    "batch_high": (
        "{rows:#row}; the busiest of the last {history_days} comparable days had {high_rows}, usually {usual_rows}",
        "共 {rows} 行；最近 {history_days} 个同类日最多 {high_rows} 行，通常 {usual_rows} 行",
    ),
    "batch_amounts": (
        "the amounts are {amount_bp} of what as many rows of these kinds usually come to",
        "金额为同类同量记录通常合计的 {amount_bp}",
    ),
    "batch_mix": ("{mix_bp} of the rows are of other kinds than usual", "{mix_bp} 的记录种类与通常不同"),
    "batch_absent": (
        "{absent_column} is empty, or filled, in {absent_bp} of the rows where it usually is not",
        "{absent_bp} 的记录中 {absent_column} 的空缺情况与通常不符",
    ),
    "batch_repeated": ("{repeated_rows} of {rows:#row} repeat a key", "{rows} 行中有 {repeated_rows} 行主键重复"),
    "batch_rejected": (
        "{rejected_bp} of the rows were rejected: {rejected_rows}",
        "{rejected_bp} 的记录被拒绝，共 {rejected_rows} 行",
    ),
    "batch_old": ("the oldest event lies {days_back} days back", "最早事件距账务日 {days_back} 天"),
    "batch_largest": ("the largest amount is {amount_max_minor} yuan", "最大金额为 {amount_max_minor} 元"),
}


def text(rule: str, figures: Mapping[str, object]) -> tuple[str, str]:
    """The rule's words in (English, Chinese). An unknown rule is a programming error and raises KeyError."""
    english, chinese = RULES[rule]
    return told(english, figures), chinese.format(**figures)


# What a sender does about a finding, for every rule that the reading of a file can raise.
_CORRECT_AND_RESEND = ("correct the file and send it as the next version", "更正后以新版本号重新发送")
_WRITE_BY_LAYOUT = (
    "write the value as the layout's document shows, and send the next version",
    "按版式文档填写后以新版本号重新发送",
)
_CHECK_RECORD = ("look at how the row's columns or bytes were cut, and write it anew", "核对该行的列或字节切分后重新生成")
_UNPACK = ("pack the file as the layout's document says, and send it again", "按版式文档打包后重新发送")
_SEND_WHOLE = ("write the whole file anew and send it as the next version", "重新生成完整文件并以新版本号发送")
_TO_DO: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("columns", "line_too_long", "record_length", "filler", "cell_prefix", "quotes"), _CHECK_RECORD),
    **dict.fromkeys(
        (
            "required",
            "pattern",
            "codes",
            "max_length",
            "min",
            "max",
            "amount",
            "amount_fen",
            "integer",
            "rate",
            "rate_digits",
            "date",
            "time",
            "form",
            "sign_mark",
        ),
        _WRITE_BY_LAYOUT,
    ),
    **dict.fromkeys(
        ("check_sum", "check_order", "check_recent", "check_any_filled", "check_one_filled", "check_filled", "check_empty"),
        ("make the row's fields agree, and send the next version", "使该行各字段一致后以新版本号重新发送"),
    ),
    "total_too_large": ("send the rows in several batches", "分多个批次发送"),
    **dict.fromkeys(("truncated", "row_count", "control_total", "size", "digest", "digest_sm3", "record_alignment"), _SEND_WHOLE),
    "too_many_rejected": _CORRECT_AND_RESEND,
    **dict.fromkeys(
        ("envelope_member", "envelope_json", "envelope_base64", "envelope_zip", "envelope_entry", "envelope_too_large"), _UNPACK
    ),
    **dict.fromkeys(
        ("header", "header_columns", "summary_header", "summary_unreadable"),
        ("write the header lines exactly as the layout's document shows", "表头须与版式文档完全一致"),
    ),
    "summary": ("find the row that is missing or changed, or correct the summary", "查找缺失或被改动的明细，或更正汇总行"),
    "bad_byte": ("write the file in the contract's encoding, and cut no character in two", "按合同约定编码写出，且不得截断汉字"),
    "control_character": ("remove the invisible character", "去除不可见字符"),
    "formula": ("let the text begin with another character", "文本须以其他字符开头"),
    "identity": ("check the number against the identity paper", "与证件原件核对号码"),
    "phone": ("check the number with the customer", "与客户核对手机号"),
    "card": ("check the number against the card", "与银行卡核对卡号"),
    "duplicate_key": ("send each key once in a file", "同一文件内主键不得重复"),
    "other_date": ("send the row in the file of its own date", "将该行放入其所属日期的文件"),
    "check_direction": (
        "find out whether the code or the mark is wrong; the bank books neither until then",
        "查明代码或标志何者有误；查明前不入账",
    ),
    "not_mapped": ("ask the bank to agree on the code before it is used", "新代码须先与银行约定后方可使用"),
    "contract_lacks": ("ask the bank to enter it in the contract", "请银行在合同中登记"),
}


def to_do(rule: str) -> tuple[str, str]:
    """What the sender of a file does about a finding, in (English, Chinese)."""
    return _TO_DO.get(rule, _CORRECT_AND_RESEND)
