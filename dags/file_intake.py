"""Wiring: sweep the parties' drops, all day long."""

from __future__ import annotations

from datetime import timedelta

from console.airflow.defaults import CustodyDag, dag_settings, first_instant
from console.airflow.tasks import CustodyCommand

DOC = """
### What it does
Every ten minutes: takes every sealed file set from the parties' drops, archives the raw bytes, registers the files and
answers each with a receipt. It judges no content; that is `land`. Then the log-ins of the drop follow the register, so that a
key works from its first date on and ends with its last; keys that end soon are alerts.
Beside it, `outbound` sends what could not be delivered before, sees what parties took, and raises an alert for what is not delivered by
its deadline.
Then it writes down what each contract promises of the dates that have begun, and calls missing what is not here when its
grace is over: an alert for the desk, which the DAG `alert_delivery` sends, and a FILE_NOTICE for the sender. The alert
closes itself when the file comes: see `custody file expected --state MISSING`.
`reports`, behind it, hands over reports that two people released, and takes the receipts of their recipients; WITH FINDINGS: one was refused,
see the page Reports. `filings`, beside it, sends large values and suspicious transactions that two risk officers released; WITH FINDINGS: one of them changed
since, see `custody compliance filing list`.
### When it fails
Look at the log of `collect`. Nothing is lost: a file stays in the drop until it is archived, and the next sweep takes it.
If it fails for an hour, check the drop's disk and the SFTP server. By hand: `custody collect`.
If `log_ins` fails, its log has the commands that an administrator runs on the drop's machine. By hand: `custody org admit`.
### Findings
The task is green and its log says WITH FINDINGS when a file was refused or quarantined: see `custody file list`; or when
a delivery failed: see `custody outbound list`.

### 做什么
每十分钟扫描各机构的收件目录：归档原始文件、登记、发出回执。不判断内容，内容由 `land` 校验。随后按登记簿同步登录权限：公钥自生效日起可用，失效日后停用；即将失效的公钥产生预警。`outbound` 与之并行：重发未送达的文件、查看对方是否取走，超过时限未送达则预警。
`collect` 还按合同与日历登记应报文件，宽限期满仍未收到的列为缺失：产生预警（由 `alert_delivery` 发送）并以 FILE_NOTICE 通知报送方；文件到达后预警自动销记，见 `custody file expected --state MISSING`。
`reports` 在其后报送已双人放行的报表并接收回执；出现 WITH FINDINGS 表示有报表被拒收，见报表页面。`filings` 发送经两名风控人员通过的大额与可疑交易报送；出现 WITH FINDINGS 表示内容已变，见 `custody compliance filing list`。
### 失败时
看 `collect` 的日志。文件不会丢失：归档之前一直留在收件目录，下一次扫描会再取。
连续失败一小时以上，请检查磁盘和 SFTP 服务。手工执行：`custody collect`。
`log_ins` 失败时，日志中列有须由管理员在收件服务器上执行的命令。手工执行：`custody org admit`。
"""

with CustodyDag(
    dag_id="file_intake",
    schedule="*/10 * * * *",
    start_date=first_instant(),
    catchup=False,
    **dag_settings(
        english="sweep the drops for sealed files every ten minutes",
        chinese="每十分钟收取各机构文件",
        doc=DOC,
        tags=["files"],
        due_within=timedelta(minutes=30),
        dated=False,
    ),
):
    collect = CustodyCommand(task_id="collect", command=("collect",), dated=False)
    # Behind the sweep: where making accounts takes an administrator, files are taken all the same.
    collect >> CustodyCommand(task_id="log_ins", command=("org", "admit"), dated=False)
    # It waits for neither: what is owed to a party does not depend on what came.
    outbound = CustodyCommand(task_id="outbound", command=("outbound", "send"), dated=False)
    # Reports that two people released since, and what their recipients answer.
    outbound >> CustodyCommand(task_id="reports", command=("report", "send"), dated=False)
    # What two risk officers released for the authority; neither waits for the other.
    outbound >> CustodyCommand(task_id="filings", command=("compliance", "filing", "send"), dated=False)
