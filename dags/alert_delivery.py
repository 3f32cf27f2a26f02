"""Wiring: tell people of alerts, all day long."""

from __future__ import annotations

from datetime import timedelta

from console.airflow.defaults import CustodyDag, dag_settings, first_instant
from console.airflow.tasks import CustodyCommand

DOC = """
### What it does
Every five minutes: alerts that nobody answered in time go to the next duty; what was acknowledged and not closed, or closed though
it lasts, is open again; every message that may go leaves by SMS, mail, file and page. Who, by what and when: `custody rules show`.
### When it fails
A gateway is away (exit 3): nothing is lost or doubled, the messages wait and the task repeats itself. By hand: `custody alert send`.
What waits, and why: `custody alert messages --state QUEUED`. After half an hour the page says so: call whoever runs the gateway, and the
duty's people, since they are not told.
### Findings
WITH FINDINGS: messages have nobody to go to (`custody org contact set BANK RISK_OFFICER ...`), or were given up after days.

### 做什么
每五分钟：逾时未应答的预警转下一岗位；已确认而未办结、已关闭而仍存在的重新打开；短信、邮件、文件、页面通知到时即发。规则见 `custody rules show`。
### 失败时
网关不可用（退出码 3）：通知不丢失、不重复，留待重试。手工执行 `custody alert send`；待发清单 `custody alert messages --state QUEUED`。
半小时未恢复请联系网关运维，并电话通知值班岗位。
日志出现 WITH FINDINGS 表示有通知无收件人或已放弃。
"""

with CustodyDag(
    dag_id="alert_delivery",
    schedule="*/5 * * * *",
    start_date=first_instant(),
    catchup=False,
    **dag_settings(
        english="send alerts every five minutes, and pass on what nobody answered",
        chinese="每五分钟发送预警，逾时未应答的升级",
        doc=DOC,
        tags=["alerts"],
        due_within=timedelta(minutes=45),
        dated=False,
    ),
):
    CustodyCommand(task_id="send", command=("alert", "send"), dated=False)
