"""Wiring: the day's custody fees, once the day is reconciled."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import PartitionedAssetTimetable

from console.airflow.assets import DAY_RECONCILED, FEES_ACCRUED
from console.airflow.defaults import CustodyDag, dag_settings
from console.airflow.tasks import CustodyCommand

DOC = """
### What it does
Accrues the custody date's fees by the contracts in force. One run for each `day_reconciled`.
### When it fails
By hand: `custody fees --date D`; it repeats safely. Exit 2: a contract or a rate is missing or contradicts itself, the log's
last line names it; tell the fee officer. The day cannot close until this is done, so the next day's posting waits too.

### 做什么
按有效合同计提当日托管费；每个 `day_reconciled` 触发一次。
### 失败时
手工执行 `custody fees --date D`，可重复运行。
退出码 2：合同或费率缺失、矛盾，见日志最后一行，请联系计费岗。未完成则当日不能关账，次日记账也须等待。
"""

with CustodyDag(
    dag_id="custody_fees",
    schedule=PartitionedAssetTimetable(assets=DAY_RECONCILED),
    catchup=False,
    **dag_settings(
        english="accrue the custody fees of a reconciled day",
        chinese="计提已对账日的托管费",
        doc=DOC,
        tags=["fees"],
        due_within=timedelta(hours=2),
        dated=True,
    ),
):
    CustodyCommand(task_id="fees", command=("fees",), outlets=[FEES_ACCRUED])
