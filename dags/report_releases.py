"""Wiring: one draft of a report with its checks and explanations, a second person's decision, and what was released goes out."""

from __future__ import annotations

from airflow.sdk import chain

from console.airflow.approval import PROPOSAL, approval, approval_settings
from console.airflow.defaults import CustodyDag
from console.airflow.tasks import CustodyCommand

# Our pages stand beside Airflow's own (console/airflow/plugin.py).
_AT_HAND = (
    "\n\n[Open the report: figures, checks, files to download / 打开报表：数字、检查与文件下载]"
    "(/custody/{{ ti.xcom_pull(task_ids='show').get('page', 'reports') }})"
)

DOC = """
### What it does
Started by hand with the number of a proposal to release a report (`custody report release`, or the page Reports). Shows what stands out with
the maker's explanations and a link to the report, its checks and its files; waits under **Required Actions** until another person approves
or rejects it with a note. The decision is made by `custody proposal approve` or `reject` as the person who answered, so the maker is refused
here as everywhere, and so is a draft that has a newer one. What was approved is handed over to its recipients at once.
Nothing is approved by silence: the run waits.
### When it fails
`show`: there is no such proposal; see `custody proposal list`. `decide`: the log's last line says why the service refused: let the right
person answer: clear `ask` and `decide`; where there is a newer draft, propose that one. `send`, WITH FINDINGS: no reporting platform is
onboarded for it; exit 3: the file waits to be delivered and is tried again by itself. By hand: `custody report send`.

### 做什么
手工触发，填写报表放行提案编号；显示异常变动与经办说明，并附报表链接（数字、检查、文件下载），在 **Required Actions** 等待另一人复核（须写理由）。
复核即以答复人身份执行 `custody proposal approve` 或 `reject`；提案人本人会被拒绝，已有更新草稿的亦须重新提出。通过后立即报送。无人答复则一直等待。
### 失败时
`show`：无此提案，见 `custody proposal list`。`decide`：日志最后一行为拒绝原因，由合适人员答复：清除 `ask` 与 `decide` 后重来。
`send` 出现 WITH FINDINGS：无接收该报表的监管报送平台；退出码 3：文件待送达，会自动重试。手工执行 `custody report send`。
"""

with CustodyDag(
    dag_id="report_releases",
    schedule=None,
    catchup=False,
    **approval_settings(
        english="ask a second person to release a report, with the report at hand, and hand it over",
        chinese="报表放行复核与报送",
        doc=DOC,
        topic="reports",
        or_page=(" or the page Reports", " 或报表页面"),
    ),
):
    send = CustodyCommand(task_id="send", command=("report", "send"), dated=False)
    chain(*approval(PROPOSAL, f"Proposal {PROPOSAL}, to release a report", _AT_HAND), send)
