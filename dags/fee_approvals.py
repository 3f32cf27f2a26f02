"""Wiring: one computed charge of custody fees, shown with its components, and a second person's decision."""

from __future__ import annotations

from airflow.sdk import chain

from console.airflow.approval import PROPOSAL, approval, approval_settings
from console.airflow.defaults import CustodyDag
from console.airflow.tasks import CustodyCommand

DOC = """
### What it does
Started by hand with the number of a proposal to charge a platform's custody fee (`custody fee propose`, or the page Fees). Shows the
components, VAT and the sealed day that they were drawn from; waits under **Required Actions** until another person approves or rejects
it with a note. The decision is made by `custody proposal approve` or `reject` as the person who answered, so the proposal's own maker is
refused here as everywhere, and so is an approval of fees that were computed anew since. An approved charge goes out at once, or,
before its bank business day, with the next `custody fee send`. Nothing is approved by silence: the run waits.
### When it fails
`show`: there is no such proposal; see `custody proposal list`. `decide`: the log's last line says why the service refused: let the right
person answer: clear `ask` and `decide`; where fees were computed anew, reject it and propose again. By hand: `custody proposal approve
ID --as NAME --note ...`. `send`, exit 3: the file waits to be delivered and is tried again by itself.

### 做什么
手工触发，填写存管费收费提案编号；显示计费项、增值税及所依据的封存账务日，在 **Required Actions** 等待另一人复核（须写理由）。
复核即以答复人身份执行 `custody proposal approve` 或 `reject`；提案人本人会被拒绝，费用重新计算后亦须重新提出。通过后立即发出；未到扣收日的随后以 `custody fee send` 发出。无人答复则一直等待。
### 失败时
`show`：无此提案，见 `custody proposal list`。`decide`：日志最后一行为拒绝原因，由合适人员答复：清除 `ask` 与 `decide` 后重来；
费用已重新计算的，先拒绝再重新提出。手工执行 `custody proposal approve ID --as NAME --note ...`。
"""

with CustodyDag(
    dag_id="fee_approvals",
    schedule=None,
    catchup=False,
    **approval_settings(
        english="ask a second person to decide on a charge of custody fees",
        chinese="存管费收费复核",
        doc=DOC,
        topic="fees",
        or_page=(" or the page Fees", " 或存管费页面"),
    ),
):
    send = CustodyCommand(task_id="send", command=("fee", "send"), dated=False)
    chain(*approval(PROPOSAL, f"Proposal {PROPOSAL}, to charge a custody fee"), send)
