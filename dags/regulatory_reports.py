"""Wiring: the day's reports and its close, once fees and risk are done for the same date."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import PartitionedAssetTimetable, chain

from console.airflow.assets import DAY_CLOSED, FEES_ACCRUED, RISK_ASSESSED
from console.airflow.defaults import CustodyDag, dag_settings
from console.airflow.tasks import CustodyCommand

DOC = """
### What it does
When fees and risk are both done for one custody date: builds the reports due from that date, then closes it and seals its root.
Release to the regulator is not here: it needs two people (`custody report release`).
### When it fails
By hand: `custody report --date D`, then `custody close --date D`; both repeat safely. `close` exits 2 when a step of the day
is missing; its last line names the step. **The next day cannot post until this day is closed**: treat it before anything else.

### 做什么
同一托管日的计费与风控均完成后：生成当日应出的报表，然后关账并封存。向监管报送不在此处，须双人放行（`custody report release`）。
### 失败时
手工依次执行 `custody report --date D`、`custody close --date D`，可重复运行。`close` 退出码 2 表示缺步骤，见日志最后一行。
**当日未关账，次日不能记账**，请优先处理。
"""

with CustodyDag(
    dag_id="regulatory_reports",
    schedule=PartitionedAssetTimetable(assets=FEES_ACCRUED & RISK_ASSESSED),
    catchup=False,
    **dag_settings(
        english="build the reports of a custody date and close it",
        chinese="生成托管日报表并关账",
        doc=DOC,
        tags=["reports", "day"],
        due_within=timedelta(hours=3),
        dated=True,
    ),
):
    chain(
        CustodyCommand(task_id="report", command=("report",)),
        CustodyCommand(task_id="close", command=("close",), outlets=[DAY_CLOSED]),
    )
