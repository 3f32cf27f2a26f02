"""Wiring: one proposal about a customer, from its plan through a second person's decision to its execution."""

from __future__ import annotations

from airflow.sdk import chain

from console.airflow.approval import PROPOSAL, approval, approval_settings
from console.airflow.defaults import CustodyDag
from console.airflow.tasks import CustodyCommand

DOC = """
### What it does
Started by hand with the number of a proposal that adds, changes, merges or deletes a customer (`custody customer ...`, or the
page Customers). Shows the plan; waits under **Required Actions** until another person approves or rejects it with a note;
then carries it out. The decision is made by `custody proposal approve` or `reject` as the person who answered, so the
proposal's own maker is refused here as everywhere. Nothing is approved by silence: the run waits.
### When it fails
`show`: there is no such proposal; see `custody proposal list`. `decide`: the log's last line says why the service refused
(his own work, a duty that he lacks, decided already, a plan that has changed since); let the right person answer: clear `ask` and
`decide`. `carry_out`: exit 3 means that the custody day holds the lease, it is repeated by itself; exit 2 names what a person must
change. By hand: `custody customer carry-out ID`, which repeats safely.

### 做什么
手工触发，填写客户新增、变更、合并或注销提案编号；显示方案，在 **Required Actions** 等待另一人复核（须写理由），通过后执行。
复核即以答复人身份执行 `custody proposal approve` 或 `reject`，提案人本人会被拒绝。无人答复则一直等待，不会默认通过。
### 失败时
`show`：无此提案，见 `custody proposal list`。`decide`：日志最后一行为拒绝原因，由合适人员答复：清除 `ask` 与 `decide` 后重来。
`carry_out`：退出码 3 为日终占用，自动重试；退出码 2 需人工改正。手工执行 `custody customer carry-out ID`，可重复运行。
"""

with CustodyDag(
    dag_id="customer_maintenance",
    schedule=None,
    catchup=False,
    **approval_settings(
        english="carry out a proposal about a customer, once a second person has approved it",
        chinese="客户资料维护：方案、复核、执行",
        doc=DOC,
        topic="customers",
        or_page=(" or the page Customers", " 或客户页面"),
    ),
):
    chain(
        *approval(PROPOSAL, f"Proposal {PROPOSAL}, about a customer"),
        CustodyCommand(task_id="carry_out", command=("customer", "carry-out", PROPOSAL), dated=False),
    )
