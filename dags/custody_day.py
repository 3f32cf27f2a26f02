"""Wiring: the custody day, from cut-off to the statements."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import chain

from console.airflow.assets import DAY_RECONCILED
from console.airflow.defaults import RETRIES_WHEN_WAITING, SETTLE_MINUTES, CustodyDag, dag_settings, first_instant, last_date
from console.airflow.tasks import CustodyCommand
from console.airflow.timetables import CustodyDateTimetable

DOC = """
### What it does
One run for each calendar day UTC+8, holidays too, two hours after the day has ended: cut off, land the files, judge each
batch against its usual, extract the core's flows, post the journal, project it into the keyed store, reconcile, write the
statements. Then `day_reconciled` starts fees, risk and the platforms' results.
### When it fails
Each task is `custody <step> --date D`, can be run by hand, and repeats safely: a committed step returns its seal.
Exit 2 (red at once): the log's last line says what a person must change. Exit 3: repeated by itself. `post` waits for the day
before to be closed: if it goes on retrying, look at `regulatory_reports` of that day. Clear the failed task to go on.
### Past days
Trigger, Backfill, or by hand with a custody date. In the form of a backfill a day is named by its first moment: switch Airflow's clock (at the
bottom left) to Asia/Shanghai and choose 00:00 of the first and of the last custody date. Only one day runs at a time, in order; days that are
committed return their seals, and a day waits in `post` until the one before it is closed. The followers run by themselves.
### Findings
Breaks, missing files and batches that are not to be trusted do not make the day red: tasks are green, their logs say WITH FINDINGS;
see `custody day status --date D`.

### 做什么
每个自然日（UTC+8，含节假日）日终两小时后运行一次：切日、入库、批次校验、抽取核心流水、记账、投影、对账、出账单；完成后触发计费、风控与对账结果回发。
### 失败时
每个任务即 `custody <步骤> --date D`，可手工重跑，已提交的步骤只返回封存结果。
退出码 2：日志最后一行说明需人工改正之处；退出码 3：自动重试。
`post` 须等前一日关账：若一直重试，请查看前一日的 `regulatory_reports`。改正后清除（Clear）失败任务即可继续。
### 补跑
在 Trigger 中选 Backfill，或手工触发并填写托管日。补跑表单以每日起始时刻表示：先将左下角时钟切换为 Asia/Shanghai，再选首日与末日的 00:00。
逐日按序运行；已提交的日期只返回封存结果；`post` 等前一日关账；后续 DAG 自动跟随。
### 发现
对账差异、缺文件、批次不可信均不会使任务变红，请看 `custody day status --date D`。
"""

with CustodyDag(
    dag_id="custody_day",
    schedule=CustodyDateTimetable(settle_minutes=SETTLE_MINUTES, last=last_date()),
    start_date=first_instant(),
    catchup=True,
    **dag_settings(
        english="the custody day: cut-off to reconciliation and statements",
        chinese="托管日处理：切日至对账、账单",
        doc=DOC,
        tags=["day", "reconciliation"],
        due_within=timedelta(hours=4),
        dated=True,
    ),
):
    chain(
        CustodyCommand(task_id="cut_off", command=("cut-off",)),
        CustodyCommand(task_id="land", command=("land",)),
        CustodyCommand(task_id="validate", command=("validate",)),
        CustodyCommand(task_id="extract", command=("extract",)),
        CustodyCommand(task_id="post", command=("post",), retries=RETRIES_WHEN_WAITING),
        CustodyCommand(task_id="project", command=("project",)),
        CustodyCommand(task_id="reconcile", command=("reconcile",)),
        CustodyCommand(task_id="statement", command=("statement",), outlets=[DAY_RECONCILED]),
    )
