"""Wiring: one proposal about a case, shown with the rows of each side, and a second person's decision."""

from __future__ import annotations

from airflow.sdk import chain

from console.airflow.approval import PROPOSAL, approval, approval_settings
from console.airflow.defaults import CustodyDag

DOC = """
### What it does
Started by hand with the number of a proposal that settles a case or posts an adjusting entry for one (`custody case propose`,
`custody case adjust`, or the page Cases). Shows what is proposed beside the case's evidence, side by side; waits under **Required
Actions** until another person approves or rejects it with a note. The decision is made by `custody proposal approve` or `reject` as
the person who answered, so the proposal's own maker is refused here as everywhere, and so is an approval on evidence that has
changed since. The next custody day that is cut off takes it up. Nothing is approved by silence: the run waits.
### When it fails
`show`: there is no such proposal; see `custody proposal list`. `decide`: the log's last line says why the service refused (his own
work, a duty that he lacks, decided already, evidence that has changed): let the right person answer: clear `ask` and `decide`; where
the evidence changed, propose again. By hand: `custody case approve ID --as NAME --note ...`.

### 做什么
手工触发，填写案件结案或调账提案编号；将提案与案件各方证据并列显示，在 **Required Actions** 等待另一人复核（须写理由）。
复核即以答复人身份执行 `custody proposal approve` 或 `reject`；提案人本人会被拒绝，证据变更后亦须重新提出。下一账务日生效，无人答复则一直等待。
### 失败时
`show`：无此提案，见 `custody proposal list`。`decide`：日志最后一行为拒绝原因，由合适人员答复：清除 `ask` 与 `decide` 后重来；
证据已变更的须重新提出。手工执行 `custody case approve ID --as NAME --note ...`。
"""

with CustodyDag(
    dag_id="case_approvals",
    schedule=None,
    catchup=False,
    **approval_settings(
        english="ask a second person to decide on a case's settlement or adjusting entry",
        chinese="案件结案与调账复核",
        doc=DOC,
        topic="cases",
        or_page=(" or the page Cases", " 或案件页面"),
    ),
):
    chain(*approval(PROPOSAL, f"Proposal {PROPOSAL}, about a case"))
