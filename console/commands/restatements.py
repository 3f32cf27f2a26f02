"""``custody restatement``: restated files, what each would change, and two people's decision; ``custody file give-up``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.case_view import yuan
from console.output import ActorOption, JsonOption, NoteOption, command, emit, emit_proposal, parse_date, wired
from custody.case_words import kind_words
from custody.masking import mask_user_numbers
from custody.services import absent_files, restatements
from custody.services.access import check_permission

if TYPE_CHECKING:
    from jobs.restatement.effect import Difference

_NameArgument = Annotated[str, typer.Argument(help="File name. 文件名")]
_EFFECTS = {"close": "closes 结案", "open": "opens 新增", "change": "changes 变化"}


def add_restatements(app: typer.Typer, file_app: typer.Typer) -> None:
    restate = typer.Typer(help="Restated files: two people accept them. 重报", no_args_is_help=True)
    restate.command("list", help="What waits for two people. 待处理重报")(list_them)
    restate.command("show", help="What a restated file would change: its rows, and which cases. 重报影响")(show)
    restate.command("propose", help="Propose to accept it with that effect. 提议接受")(propose)
    restate.command("approve", help="Approve another person's proposal. 复核通过")(approve)
    app.add_typer(restate, name="restatement")
    file_app.command("give-up", help="Propose to wait for a file no longer. 提议不再等待文件")(give_up)


@command
def list_them(as_json: JsonOption = False) -> int:
    with wired() as wiring, wiring.register.transaction() as tx:
        rows = restatements.pending(tx)
    emit({"pending": rows}, as_json, [r["file_name"] for r in rows] or ["none 无"])
    return 0


@command
def show(name: _NameArgument, as_json: JsonOption = False) -> int:
    from jobs.restatement.effect import difference_of

    with wired() as wiring:
        found = difference_of(wiring, name)
    said = {"file": found.file_name, "base": found.base, "digest": found.effect.digest, **found.summary}
    emit({**said, "first_rows": found.rows.first, "cases_in_all": found.cases}, as_json, _words(found))
    return 0


def _words(found: Difference) -> list[str]:
    counts = f"added 新增 {found.rows.added}, removed 删除 {found.rows.removed}, changed 变更 {found.rows.changed}, same 相同 {found.rows.same}"
    day = "no sealed day holds its rows 尚未入账" if found.landed_on is None else f"landed on 入账于 {found.landed_on}"
    lines = [f"{found.file_name} replaces 替换 {found.replaces} ({day})", f"rows 行: {counts}"]
    lines += _rejected_words(found.rows_rejected, found.rejected)
    lines += [mask_user_numbers(_row_words(row)) for row in found.rows.first]
    lines += _leg_words(found.legs)
    lines.append(f"cases 差错: {len(found.cases)}")
    lines += [mask_user_numbers(_case_words(case)) for case in found.cases]
    return [*lines, f"digest 摘要 {found.effect.digest}"]


def _row_words(row: dict[str, Any]) -> str:
    key = " ".join(str(value) for value in row["key"].values())
    lines = " -> ".join("-" if line is None else str(line) for line in row["lines"])
    fields = row["fields"] if row["difference"] == "changed" else {}
    return f"  {row['difference']} {key} (line 行 {lines})" + "".join(f" {n}: {a} -> {b}" for n, (a, b) in fields.items())


def _rejected_words(rows: int, faults: Sequence[dict[str, Any]]) -> list[str]:
    """Rows that landing would not take: to accept the file is to do without them."""
    if not rows:
        return []
    said = [
        f"  line 行 {fault['line_no']}, {fault['field']}, {fault['rule']}: {fault['words_en']} / {fault['words_zh']}"
        for fault in faults
    ]
    return [
        f"rejected 拒收: {rows} of its rows would not be taken, they stay out / 其中 {rows} 行不被接收",
        *map(mask_user_numbers, said),
    ]


_LEGS = {
    "posted": "posted 入账",
    "as_before": "as before 不变",
    "told": "status only 仅状态",
    "refused": "refused 拒绝",
    "waiting": "waiting 待入账",
    "reversed": "reversed 冲正",
    "was_not_posted": "was not posted 原未入账",
    "cannot_be_reversed": "cannot be reversed 无法冲正",
}


def _leg_words(legs: Mapping[str, int]) -> list[str]:
    """What a restated file of instructions would do to the ledger; nothing of other files."""
    return ["ledger 账务: " + ", ".join(f"{_LEGS[name]} {count}" for name, count in legs.items())] if legs else []


def _case_words(case: dict[str, Any]) -> str:
    return f"  {_EFFECTS[case['effect']]} {case['subject']}: {_side(case['before'])} -> {_side(case['after'])}"


def _side(said: dict[str, Any] | None) -> str:
    return "-" if said is None else f"{said['kind']} {kind_words(said['kind'])[1]} {yuan(said['amount_minor'])}"


@command
def propose(name: _NameArgument, actor: ActorOption, note: NoteOption, as_json: JsonOption = False) -> int:
    from jobs.restatement.effect import difference_of

    with wired() as wiring:
        check_permission(wiring.register, actor, restatements.RESTATEMENT.propose_action, name)
        effect = difference_of(wiring, name).effect
        proposal = restatements.propose_restatement(wiring.register, wiring.clock, actor, name, note, effect)
    emit_proposal(proposal, as_json)
    return 0


@command
def approve(
    proposal: Annotated[str, typer.Argument(help="Proposal id. 提案编号")],
    actor: ActorOption,
    note: NoteOption,
    as_json: JsonOption = False,
) -> int:
    from custody.services.four_eyes import approve as approve_it

    with wired() as wiring:
        row = approve_it(wiring.register, wiring.clock, actor, restatements.RESTATEMENT, proposal, note)
    emit({"proposal": row["proposal_id"], "state": row["state"]}, as_json)
    return 0


@command
def give_up(
    party: Annotated[str, typer.Argument(help="Sender. 报送机构")],
    file_type: Annotated[str, typer.Argument(help="File type. 文件类型")],
    on: Annotated[str, typer.Argument(help="Custody date, YYYY-MM-DD. 账务日期")],
    actor: ActorOption,
    note: NoteOption,
    as_json: JsonOption = False,
) -> int:
    with wired() as wiring:
        asked = party, file_type, parse_date(on)
        proposal = absent_files.propose_give_up(wiring.register, wiring.clock, actor, *asked, note)
    emit_proposal(proposal, as_json)
    return 0


def effect_words(payload: str) -> list[str]:
    """What the second person must see of a restatement's proposal, beside who proposed it."""
    effect = json.loads(payload)["effect"]
    summary = effect["summary"]
    rows, cases = (" ".join(f"{name} {count}" for name, count in summary[part].items()) for part in ("rows", "cases"))
    lines = [f"rows 行: {rows}", f"cases 差错: {cases}"]
    lines += _rejected_words(summary.get("rows_rejected", 0), summary.get("first_rejected", []))
    lines += [mask_user_numbers(_row_words(row)) for row in summary["first_rows"]]
    lines += _leg_words(summary.get("legs", {}))
    lines += [mask_user_numbers(_case_words(case)) for case in summary["first_cases"]]
    return [*lines, f"all of it 全部: custody restatement show; digest 摘要 {effect['digest']}"]
