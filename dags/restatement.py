"""Wiring: a restated file, or one that will not come, shown with what it would change, and a second person's decision."""

from __future__ import annotations

from airflow.sdk import chain

from console.airflow.approval import PROPOSAL, approval, approval_settings
from console.airflow.defaults import CustodyDag

DOC = """
### What it does
Started by hand with the number of a proposal to accept a restated file (`custody restatement propose`) or to wait for a file no
longer (`custody file give-up`). Shows what it would change: rows added, removed and changed, cases that would close, open or change;
waits under **Required Actions** until another person approves or rejects it with a note. The decision is made by `custody proposal
approve` or `reject` as the person who answered, so the proposal's own maker is refused here as everywhere, and so is an approval
after another day was reconciled: what he saw is then no longer what would happen. The next custody day that is cut off takes it up;
closed days stay as they are. Nothing is approved by silence: the run waits.
### When it fails
`show`: there is no such proposal; see `custody proposal list`. `decide`: the log's last line says why the service refused (his own
work, a duty that he lacks, decided already, a day reconciled since): let the right person answer: clear `ask` and `decide`; where a
day was reconciled since, propose again. By hand: `custody proposal approve ID --as NAME --note ...`.

### 做什么
手工触发，填写接受重报文件（`custody restatement propose`）或不再等待文件（`custody file give-up`）的提案编号；列示影响：
新增、删除、变更的行，将结案、新增、变化的差错；在 **Required Actions** 等待另一人复核（须写理由）。复核以答复人身份执行，
提案人本人会被拒绝；其间若有新的账务日完成对账，须重新提出。下一账务日切点生效，已关闭账务日不变；无人答复则一直等待。
### 失败时
`show`：无此提案，见 `custody proposal list`。`decide`：日志最后一行为拒绝原因，由合适人员答复：清除 `ask` 与 `decide` 后重来；
其间已有新的对账，须重新提出。手工执行 `custody proposal approve ID --as NAME --note ...`。
"""

with CustodyDag(
    dag_id="restatement",
    schedule=None,
    catchup=False,
    **approval_settings(
        english="ask a second person to decide on a restated file, or on one that will not come",
        chinese="文件重报与放弃等待复核",
        doc=DOC,
        topic="files",
    ),
):
    chain(*approval(PROPOSAL, f"Proposal {PROPOSAL}, about a file"))
