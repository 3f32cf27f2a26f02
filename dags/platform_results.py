"""Wiring: send each platform its results, once the day is reconciled."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import PartitionedAssetTimetable

from console.airflow.assets import DAY_RECONCILED
from console.airflow.defaults import CustodyDag, dag_settings
from console.airflow.tasks import CustodyCommand

DOC = """
### What it does
Puts the reconciliation results of the custody date, and the statement of its sub-accounts, into each platform's outbound folder.
### When it fails
By hand: `custody results --date D`; a file already sent is not sent twice. Exit 3: the exchange server is away and the task
repeats itself. A platform that has no results by nine o'clock will ring: tell it the new time.

### 做什么
将当日对账结果与子账户对账单发送到各平台的发件目录。
### 失败时
手工执行 `custody results --date D`，已发送的文件不会重复发送。退出码 3：文件服务器不可用，自动重试。
"""

with CustodyDag(
    dag_id="platform_results",
    schedule=PartitionedAssetTimetable(assets=DAY_RECONCILED),
    catchup=False,
    **dag_settings(
        english="send the reconciliation results to the platforms",
        chinese="向平台回发对账结果",
        doc=DOC,
        tags=["files", "reconciliation"],
        due_within=timedelta(hours=1),
        dated=True,
    ),
):
    CustodyCommand(task_id="results", command=("results",))
