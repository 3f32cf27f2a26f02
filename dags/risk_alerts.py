"""Wiring: the day's risk assessment, once the day is reconciled."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import PartitionedAssetTimetable, chain

from console.airflow.assets import DAY_RECONCILED, RISK_ASSESSED
from console.airflow.defaults import CustodyDag, dag_settings
from console.airflow.tasks import CustodyCommand

DOC = """
### What it does
Applies the rules of risk (underfunding, default) and of compliance (limits, red lines, suspicious patterns) to the reconciled day, raises the alerts, and hands them to the gateways.
### When it fails
By hand: `custody risk --date D`, `custody compliance --date D`; they repeat safely, an alert is raised once. Until it has run nobody is warned about
that day: tell the risk officer if it stays red for two hours.
### Findings
Green with WITH FINDINGS in the log means that alerts were raised: `custody alert list`; what is confidential is shown to the risk officer by `custody compliance list --date D`.

### 做什么
对已对账日执行风控规则（资金不足、逾期）与合规规则（限额、红线、可疑交易），产生告警并交给短信、邮件网关。
### 失败时
手工执行 `custody risk --date D`、`custody compliance --date D`，可重复运行，同一告警只产生一次。两小时未恢复请通知风控岗。
日志出现 WITH FINDINGS 表示产生了告警：`custody alert list`。
"""

with CustodyDag(
    dag_id="risk_alerts",
    schedule=PartitionedAssetTimetable(assets=DAY_RECONCILED),
    catchup=False,
    **dag_settings(
        english="assess risk on a reconciled day and raise alerts",
        chinese="对已对账日做风险评估并告警",
        doc=DOC,
        tags=["risk"],
        due_within=timedelta(hours=2),
        dated=True,
    ),
):
    chain(
        CustodyCommand(task_id="risk", command=("risk",)),
        CustodyCommand(task_id="compliance", command=("compliance",), outlets=[RISK_ASSESSED]),
        # The alerts stand in the register already; a gateway that is away only delays their leaving (exit 3, retried).
        CustodyCommand(task_id="send", command=("alert", "send"), dated=False),
    )
