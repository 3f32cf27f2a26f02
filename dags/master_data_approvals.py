"""Wiring: a proposed change of the calendar or of an organisation, shown, and a second person's decision."""

from __future__ import annotations

from airflow.sdk import chain

from console.airflow.approval import PROPOSAL, approval, approval_settings
from console.airflow.defaults import CustodyDag

DOC = """
### What it does
Started by hand with the number of a proposal that changes master data: holidays and working days (`custody calendar propose`, page
Calendar), an organisation, its contract, status, contacts or keys (`custody org ...`, page Organisations), a watch list. Shows what is
proposed; waits under **Required Actions** until another person approves or rejects it with a note. The decision is made by `custody
proposal approve` or `reject` as the person who answered, so the proposal's own maker is refused here as everywhere. What was approved
holds from the next day that is cut off, or from the date that it names. Nothing is approved by silence: the run waits.
### When it fails
`show`: there is no such proposal; see `custody proposal list`. `decide`: the log's last line says why the service refused (his own
work, a duty that he lacks, decided already, a day that is cut off meanwhile): let the right person answer: clear `ask` and `decide`.
By hand: `custody proposal approve ID --as NAME --note ...`.

### 做什么
手工触发，填写主数据变更提案编号：节假日与工作日（`custody calendar propose` 或日历页面）、机构及其合同、状态、联系人、密钥（`custody org ...`
或机构页面）、监控名单；显示提案内容，在 **Required Actions** 等待另一人复核（须写理由）。复核即以答复人身份执行 `custody proposal approve`
或 `reject`，提案人本人会被拒绝。通过后自下一日切或其所定日期起生效，无人答复则一直等待。
### 失败时
`show`：无此提案，见 `custody proposal list`。`decide`：日志最后一行为拒绝原因，由合适人员答复：清除 `ask` 与 `decide` 后重来。
手工执行 `custody proposal approve ID --as NAME --note ...`。
"""

with CustodyDag(
    dag_id="master_data_approvals",
    schedule=None,
    catchup=False,
    **approval_settings(
        english="ask a second person to decide on a change of the calendar, an organisation or a watch list",
        chinese="日历、机构与名单变更复核",
        doc=DOC,
        topic="master-data",
        or_page=(", or the pages Calendar and Organisations", "，或日历、机构页面"),
    ),
):
    chain(*approval(PROPOSAL, f"Proposal {PROPOSAL}, of master data"))
