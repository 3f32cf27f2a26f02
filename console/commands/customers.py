"""``custody customer``: one person at a time. What is shown is masked, but for ``reveal`` and ``export``, which are recorded."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from console.output import ActorOption, ActorSystem, JsonOption, NoteOption, command, emit, emit_proposal, parse_date, wired
from custody.customer_decisions import ADD, CHANGE
from custody.errors import UsageError
from custody.money import format_amount
from custody.services import customer_desk, customer_papers, customer_proposals, erasures
from custody.services.access import SYSTEM
from custody.services.customer_history import history as history_of
from custody.services.customer_proposals import Proposed
from custody.services.customers import AccountView, customer, find_customers
from custody.services.deletion_plan import DeletionPlan, Place, deletion_plan

CustomerArgument = Annotated[str, typer.Argument(help="Customer id. 客户号")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it is recorded. 理由（留痕）")]
PlatformOption = Annotated[str, typer.Option("--platform", help="Whose customer. 平台")]
FileOption = Annotated[str, typer.Option("--from", help="A file like a CUSTOMER file, for many; - reads it. 批量文件")]
RoleOption = Annotated[str, typer.Option("--role", help="LENDER, BORROWER, GUARANTOR, PAYEE. 角色")]
UserOption = Annotated[str, typer.Option("--user", help="User number at the platform. 平台用户号")]


def add_customers(app: typer.Typer) -> None:
    group = typer.Typer(help="Customers: find, show, change, merge, delete. 客户", no_args_is_help=True)
    commands: dict[str, Callable[..., None]] = {
        "find": find, "show": show, "history": history, "reveal": reveal, "export": export, "add": add, "change": change,
        "merge": merge, "plan-delete": plan_delete, "delete": delete, "carry-out": carry_out, "purge": purge,
    }  # fmt: skip
    for name, function in commands.items():
        group.command(name)(function)
    app.add_typer(group, name="customer")


@command
def find(
    query: Annotated[str, typer.Argument(help="Any identifier; - reads it, so that no process list shows it. 任一标识")],
    actor: ActorOption,
    as_json: JsonOption = False,
) -> int:
    """By customer id, sub-account, PLATFORM/user number, identity number, phone or card: exactly. 查找客户"""
    with wired() as wiring:
        found = find_customers(wiring.customer_ports, actor, sys.stdin.readline() if query == "-" else query)
    words = [
        f"{f.customer_id}  {', '.join(f.names) or '–'}  {', '.join(f.accounts) or 'no sub-accounts 无子账户'}" for f in found
    ]
    emit({"customers": [asdict(f) for f in found]}, as_json, words or ["nobody 无此客户"])
    return 0


@command
def show(
    customer_id: CustomerArgument,
    actor: ActorOption,
    as_of: Annotated[str, typer.Option("--as-of", help="At the end of this date. 截至日期")] = "",
    as_json: JsonOption = False,
) -> int:
    """Masked: what each party says, sub-accounts, balances; as of now or of a date. 客户视图"""
    with wired() as wiring:
        view = customer(wiring.customer_ports, actor, customer_id, parse_date(as_of) if as_of else None)
    words = [f"{view.customer_id}  as of 截至 {view.as_of}"]
    for party, fields in view.personal.items():
        words.append(f"   {party} ({view.said_on[party]}): " + "  ".join(f"{n} {v or '–'}" for n, v in fields.items()))
    words += [_account(account) for account in view.accounts]
    if view.merged_into:
        words.append(f"   merged into 已并入 {view.merged_into}")
    if view.merged_from:
        words.append(f"   merged from 由此并入 {', '.join(view.merged_from)}")
    if view.erased_up_to:
        words.append(f"   erased with all of 资料已删除，截至 {view.erased_up_to}")
    emit(asdict(view), as_json, words)
    return 0


def _account(a: AccountView) -> str:
    state = "open 正常" if a.is_open else f"closed 已销户 {a.closed_on}"
    unsettled = f" (unsettled 未到账 {format_amount(a.unsettled_minor)})" if a.unsettled_minor else ""
    balance = f"available 可用 {format_amount(a.available_minor)}{unsettled}, frozen 冻结 {format_amount(a.frozen_minor)}"
    return f"   {a.sub_account}  opened 开户 {a.opened_on}  {state}  {balance}"


@command
def history(customer_id: CustomerArgument, actor: ActorOption, as_json: JsonOption = False) -> int:
    """Accounts opened and closed, data changed (not the data), decisions, who looked. 变更历史"""
    with wired() as wiring:
        events = history_of(wiring.customer_ports, actor, customer_id)
    words = [f"{e.on}  {e.what:<16} {e.subject}  {e.words_en} / {e.words_zh}  [{e.source}]" for e in events]
    emit({"history": [asdict(e) for e in events]}, as_json, words)
    return 0


@command
def reveal(customer_id: CustomerArgument, actor: ActorOption, reason: ReasonOption, as_json: JsonOption = False) -> int:
    """His data in clear, for a reason; recorded first. 查看明文"""
    with wired() as wiring:
        shown = customer_papers.reveal(wiring.customer_ports, actor, customer_id, reason)
    words = [f"{party}: " + "  ".join(f"{n} {v or '–'}" for n, v in fields.items()) for party, fields in shown.items()]
    emit({"customer": customer_id, "personal": shown}, as_json, words)
    return 0


@command
def export(
    customer_id: CustomerArgument,
    actor: ActorOption,
    reason: ReasonOption,
    out: Annotated[str, typer.Option("--out", help="A folder or a new file. 输出位置")] = ".",
    as_json: JsonOption = False,
) -> int:
    """Everything that is held on him, for himself, in one file that only you can read; recorded with its digest. 导出本人资料"""
    path = Path(out)
    with wired() as wiring:
        made = customer_papers.export(wiring.customer_ports, actor, customer_id, reason)
    if path.is_dir():
        path /= made.name
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(made.data)
    except FileExistsError:
        raise UsageError(f"{path} exists already: name another with --out") from None
    except FileNotFoundError:
        raise UsageError(f"{path.parent} is not a folder") from None
    emit({"file": str(path), "sha256": made.sha256}, as_json, [f"{path}  sha256 {made.sha256}"])
    return 0


@command
def add(
    actor: ActorOption,
    note: NoteOption,
    platform: PlatformOption,
    file: FileOption = "",
    role: RoleOption = "",
    user: UserOption = "",
    kind: Annotated[str, typer.Option("--kind", help="PERSON, COMPANY. 客户类型")] = "PERSON",
    id_type: Annotated[str, typer.Option("--id-type", help="ID, USCC. 证件类型")] = "ID",
    id_no: Annotated[str, typer.Option("--id-no", help="Asked for where it is left out. 证件号码")] = "",
    name: Annotated[str, typer.Option("--name", help="Full name. 姓名")] = "",
    phone: Annotated[str, typer.Option("--phone", help="Mobile number. 手机号")] = "",
    card: Annotated[str, typer.Option("--card", help="Bound bank card. 银行卡号")] = "",
    as_json: JsonOption = False,
) -> int:
    """Propose to open a sub-account for a customer, or for each row of a file (OPEN). 新增客户（须复核）"""
    with wired() as wiring:
        ports = wiring.customer_ports
        if file:
            data = _read(file)
        else:
            values = {"user_no": user, "role": role, "action": "OPEN", "kind": kind, "id_type": id_type, "name": name}
            values["id_no"] = id_no or typer.prompt("id_no 证件号码", hide_input=True)
            data = ports.form({**values, "phone": phone, "card_no": card})
        proposed = customer_proposals.propose_rows(ports, actor, ADD, platform, data, note)
    return _proposed(proposed, as_json)


@command
def change(
    actor: ActorOption,
    note: NoteOption,
    platform: PlatformOption,
    file: FileOption = "",
    role: RoleOption = "",
    user: UserOption = "",
    name: Annotated[str | None, typer.Option("--name", help="New name. 姓名")] = None,
    phone: Annotated[str | None, typer.Option("--phone", help="New mobile number, empty for none. 手机号")] = None,
    card: Annotated[str | None, typer.Option("--card", help="New bound card, empty for none. 银行卡号")] = None,
    close: Annotated[bool, typer.Option("--close", help="Close the sub-account. 销户")] = False,
    as_json: JsonOption = False,
) -> int:
    """Propose to change or close what a platform has of a customer, or each row of a file (CHANGE, CLOSE). 变更客户（须复核）"""
    with wired() as wiring:
        ports = wiring.customer_ports
        if file:
            proposed = customer_proposals.propose_rows(ports, actor, CHANGE, platform, _read(file), note)
        else:
            changes = {n: v for n, v in (("name", name), ("phone", phone), ("card_no", card)) if v is not None}
            action = "CLOSE" if close else "CHANGE"
            proposed = customer_proposals.propose_change(ports, actor, platform, role, user, changes, note, action)
    return _proposed(proposed, as_json)


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    if not Path(file).is_file():
        raise UsageError(f"{file} is not a file")
    return Path(file).read_bytes()


def _proposed(proposed: Proposed, as_json: bool) -> int:
    if proposed.proposal is not None:
        return _waits(proposed.proposal, as_json)
    faults = [
        {**{n: getattr(f, n) for n in ("line_no", "field", "value", "rule")}, "words_en": f.words[0], "words_zh": f.words[1]}
        for f in proposed.faults
    ]
    words = [f"line {f['line_no']} {f['field']} {f['value']!r}: {f['words_en']} / {f['words_zh']} [{f['rule']}]" for f in faults]
    emit({"proposal": None, "faults": faults}, as_json, words)
    return 1


def _waits(proposal: str, as_json: bool) -> int:
    emit_proposal(proposal, as_json)
    return 0


@command
def merge(
    old: Annotated[str, typer.Argument(help="The id that ceases. 被并入的客户号")],
    into: Annotated[str, typer.Argument(help="The id that stays. 保留的客户号")],
    actor: ActorOption,
    note: NoteOption,
    as_json: JsonOption = False,
) -> int:
    """Propose that two customers are one person; the note names the evidence. 合并客户（须复核）"""
    with wired() as wiring:
        proposal = customer_proposals.propose_merge(wiring.customer_ports, actor, old, into, note)
    return _waits(proposal, as_json)


@command
def plan_delete(customer_id: CustomerArgument, actor: ActorOption, as_json: JsonOption = False) -> int:
    """What would be deleted, what the law keeps until when, what stands in the way. 删除方案"""
    with wired() as wiring:
        plan = deletion_plan(wiring.customer_ports, actor, customer_id)
    emit(asdict(plan), as_json, plan_words(plan))
    return 1 if plan.blockers else 0


def plan_words(plan: DeletionPlan) -> list[str]:
    words = [f"{plan.customer_id}: deleted now 立即删除"]
    words += [_place(place) for place in plan.deletes]
    words += ["kept 依法留存", *(_place(place) for place in plan.keeps)]
    if plan.blockers:
        words += ["in the way 阻碍", *(f"   {english} / {chinese}" for english, chinese in plan.blockers)]
    else:
        words.append(f"custody customer delete {plan.customer_id} --plan {plan.digest}")
    return words


def _place(place: Place) -> str:
    law = f"  {place.law_en} / {place.law_zh}; until 至 {place.until or 'not known yet 未定'}" if place.law_en else ""
    return f"   {place.store} {place.what} × {place.rows}: {place.words_en} / {place.words_zh}{law}"


@command
def delete(
    customer_id: CustomerArgument,
    plan: Annotated[str, typer.Option("--plan", help="Digest of the plan that you saw. 方案摘要")],
    actor: ActorOption,
    note: NoteOption,
    as_json: JsonOption = False,
) -> int:
    """Propose to delete what the plan says; with its approval it is done. 删除客户（须复核）"""
    with wired() as wiring:
        proposal = erasures.propose_delete(wiring.customer_ports, actor, customer_id, plan, note)
    return _waits(proposal, as_json)


@command
def carry_out(
    proposal: Annotated[str, typer.Argument(help="Proposal id. 提案编号")],
    actor: ActorSystem = SYSTEM,
    as_json: JsonOption = False,
) -> int:
    """What a decided proposal still leaves to do; repeats safely. 执行已复核的提案"""
    with wired() as wiring:
        words = customer_desk.carry_out(wiring.customer_ports, actor, proposal)
    emit({"proposal": proposal, "words": words}, as_json, [f"{proposal}: {words}"])
    return 0


@command
def purge(
    date_: Annotated[str, typer.Option("--date", help="By this date. 日期")],
    actor: ActorSystem = SYSTEM,
    as_json: JsonOption = False,
) -> int:
    """Finish what was approved, and remove what the law kept until before the date. 到期清除"""
    with wired() as wiring:
        done = erasures.purge(wiring.customer_ports, actor, parse_date(date_))
    emit({"customers": done}, as_json, done or ["nothing to remove 无可清除"])
    return 0
