"""Wiring: which periods' fees are to be charged, and what was approved goes to the core, each bank business day at half past eight."""

from __future__ import annotations

from datetime import time, timedelta

from airflow.sdk import chain

from console.airflow.defaults import CustodyDag, dag_settings, first_instant
from console.airflow.tasks import CustodyCommand
from console.airflow.timetables import BankBusinessDayTimetable

DOC = """
### What it does
On each bank business day at 08:30 UTC+8 (swapped working days too): lists periods whose fee is to be charged and is not proposed
yet; then sends what two people approved, and what the core could not collect before, to the core. Each try has a number of its own,
so running it again sends nothing twice.
### When it fails
`due`: a contract or the bank's calendar is missing, the log's last line names it. `send`, exit 3: the file waits to be delivered and
is tried again by itself; exit 2: no gateway is live. By hand: `custody fee send --date D`.
### Findings
WITH FINDINGS in the log of `due`: the fee officer proposes the charges (`custody fee propose`, or the page Fees), another person
approves them.

### 做什么
每个银行工作日（含调休上班日）08:30（UTC+8）列出应收而未提出收费的期间；随后把已复核的、此前未收足的收费发往核心扣收。
每次扣收有独立编号，重跑不会重复发送。
### 失败时
`due`：合同或日历缺失，见日志最后一行。`send` 退出码 3：文件待送达，会自动重试；退出码 2：无可用网关。手工执行 `custody fee send --date D`。
`due` 日志出现 WITH FINDINGS：由计费岗提出收费（`custody fee propose` 或存管费页面），另一人复核。
"""

with CustodyDag(
    dag_id="fee_charges",
    schedule=BankBusinessDayTimetable(clock=time(8, 30), overrides={}),
    start_date=first_instant(),
    catchup=False,
    **dag_settings(
        english="charge custody fees: what is due, and what was approved goes to the core, each business day at 08:30",
        chinese="每个工作日 08:30 提示应收存管费并发送扣收文件",
        doc=DOC,
        tags=["fees"],
        due_within=timedelta(minutes=45),
        dated=True,
    ),
):
    chain(
        CustodyCommand(task_id="due", command=("fee", "due")),
        CustodyCommand(task_id="send", command=("fee", "send")),
    )
