"""Wiring: one proposed rule, shown with what its trial found, and a second person's decision."""

from __future__ import annotations

from airflow.sdk import chain

from console.airflow.approval import PROPOSAL, approval, approval_settings
from console.airflow.defaults import CustodyDag

DOC = """
### What it does
Started by hand with the number of a proposal that changes a rule of reconciliation (`custody rules propose`). Shows the entry and what
the trial on past days would have changed; waits under **Required Actions** until another person approves or rejects it with a note.
The decision is made by `custody proposal approve` or `reject` as the person who answered, so the proposal's own maker is refused here
as everywhere. The rule holds from its first day, which is not cut off yet. Nothing is approved by silence: the run waits.
### When it fails
`show`: there is no such proposal; see `custody proposal list`. `decide`: the log's last line says why the service refused (his own
work, a duty that he lacks, decided already, a first day that is cut off meanwhile): let the right person answer: clear `ask` and
`decide`; where the first day has passed, propose again from a later one. By hand: `custody proposal approve ID --as NAME --note ...`.

### 做什么
手工触发，填写对账规则变更提案编号；显示规则内容与历史账务日试算差异，在 **Required Actions** 等待另一人复核（须写理由）。
复核即以答复人身份执行 `custody proposal approve` 或 `reject`，提案人本人会被拒绝。规则自其生效日起适用，无人答复则一直等待。
### 失败时
`show`：无此提案，见 `custody proposal list`。`decide`：日志最后一行为拒绝原因，由合适人员答复：清除 `ask` 与 `decide` 后重来；
生效日已日切的须以更晚日期重新提出。手工执行 `custody proposal approve ID --as NAME --note ...`。
"""

with CustodyDag(
    dag_id="rule_approvals",
    schedule=None,
    catchup=False,
    **approval_settings(
        english="ask a second person to decide on a change of a reconciliation rule",
        chinese="对账规则变更复核",
        doc=DOC,
        topic="rules",
        or_page=(" or the page Rules", " 或规则页面"),
    ),
):
    chain(*approval(PROPOSAL, f"Proposal {PROPOSAL}, of a rule"))
