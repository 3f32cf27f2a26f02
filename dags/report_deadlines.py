"""Wiring: which reports are due, each bank business day at eight."""

from __future__ import annotations

from datetime import time, timedelta

from console.airflow.defaults import CustodyDag, dag_settings, first_instant
from console.airflow.tasks import CustodyCommand
from console.airflow.timetables import BankBusinessDayTimetable

DOC = """
### What it does
On each bank business day at 08:00 UTC+8 (swapped working days too): lists reports that are due soon or overdue and not released, each with an
alert: a warning some business days before, another when the due date is past. Its date is that business day; started by hand on a
holiday, the business day before.
### When it fails
By hand: `custody report due --date D`. It changes nothing but alerts, so run it as often as you like.
### Findings
WITH FINDINGS in the log: reports are due. Prepare and release them with two people (`custody report release`).

### 做什么
每个银行工作日（含调休上班日）08:00（UTC+8）列出即将到期、已逾期而未放行的报表并预警（到期前提示，逾期后告警）；日期取该工作日，节假日手工触发取前一工作日。
### 失败时
手工执行 `custody report due --date D`，可随时重跑。
日志出现 WITH FINDINGS 表示有报表到期，须双人放行（`custody report release`）。
"""

with CustodyDag(
    dag_id="report_deadlines",
    schedule=BankBusinessDayTimetable(clock=time(8, 0), overrides={}),
    start_date=first_instant(),
    catchup=False,
    **dag_settings(
        english="what must be reported today, each business day at 08:00",
        chinese="每个工作日 08:00 提示到期报表",
        doc=DOC,
        tags=["reports"],
        due_within=timedelta(minutes=30),
        dated=True,
    ),
):
    CustodyCommand(task_id="report_due", command=("report", "due"))
