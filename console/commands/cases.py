"""``custody case``: differences, whose they are, what happened to them, and how they are settled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from console.case_tables import show_case, show_list, show_patterns
from console.case_view import as_plain, view_case, yuan_of
from console.commands import proposals
from console.output import ActorOption, JsonOption, NoteOption, command, emit, emit_proposal, parse_date, wired
from console.plain import plain
from custody.case_patterns import patterns_of
from custody.services import cases as case_service
from custody.services.case_desk import CaseFilter, age_days, find_cases, is_overdue, next_case, standing_on

CaseArgument = Annotated[str, typer.Argument(help="Case id. 案件编号")]
PlatformOption = Annotated[str, typer.Option("--platform", help="Platform. 平台")]


def add_cases(app: typer.Typer) -> None:
    group = typer.Typer(help="Differences, and how they are settled. 差错案件", no_args_is_help=True)
    commands: dict[str, Callable[..., None]] = {
        "list": list_them,
        "show": show,
        "next": what_next,
        "assign": assign,
        "comment": comment,
        "propose": propose,
        "adjust": adjust,
        "withdraw": withdraw,
        "approve": proposals.decide,
        "reject": proposals.turn_down,
        "reopen": reopen,
        "patterns": patterns,
    }
    for verb, function in commands.items():
        group.command(verb)(function)
    app.add_typer(group, name="case")


@command
def list_them(
    platform: PlatformOption = "",
    state: Annotated[str, typer.Option("--state", help="OPEN, CLOSED; empty for both. 状态")] = "OPEN",
    kind: Annotated[str, typer.Option("--kind", help="Break kind, e.g. AMOUNT. 差错种类")] = "",
    severity: Annotated[str, typer.Option("--severity", help="LOW, MEDIUM, HIGH, CRITICAL. 级别")] = "",
    owner: Annotated[str, typer.Option("--owner", help="A person's id, or - for nobody's. 负责人")] = "",
    cause: Annotated[str, typer.Option("--cause", help="A cause's word, e.g. duplicate_send. 原因")] = "",
    overdue: Annotated[bool, typer.Option("--overdue", help="Past its last day only. 仅逾期")] = False,
    min_age: Annotated[int, typer.Option("--min-age", min=0, help="Open for so many days at least. 最少账龄（天）")] = 0,
    sort: Annotated[str, typer.Option("--sort", help="urgency, severity, amount, age, kind, platform, owner. 排序")] = "urgency",
    as_json: JsonOption = False,
) -> int:
    """Cases by what they are, whose they are and when they are due; the most urgent first. 案件清单"""
    wanted = CaseFilter(platform, state, kind, severity, owner, cause, overdue, min_age)
    with wired() as wiring, wiring.register.transaction() as tx:
        rows, on = find_cases(tx, wanted, sort), standing_on(tx)
    if as_json:
        emit({"cases": [{**r, "age_days": age_days(r, on), "overdue": is_overdue(r, on)} for r in rows]}, as_json)
    else:
        show_list(rows, on)
    return 0


@command
def show(case_id: CaseArgument, as_json: JsonOption = False) -> int:
    """The rows of each side side by side, the probable cause, and all that happened. 案件详情"""
    with wired() as wiring, wiring.register.transaction() as tx:
        view = view_case(tx, case_id)
    if as_json:
        emit(as_plain(view), as_json)
    else:
        show_case(view)
    return 0


@command
def what_next(actor: ActorOption, platform: PlatformOption = "", as_json: JsonOption = False) -> int:
    """The most urgent case that is yours or nobody's. 下一件"""
    with wired() as wiring, wiring.register.transaction() as tx:
        found = next_case(find_cases(tx, CaseFilter(platform=platform)), actor)
        view = view_case(tx, found["case_id"]) if found else None
    if as_json or view is None:
        emit({"case": as_plain(view) if view else None}, as_json, ["no case waits 无待办案件"])
    else:
        show_case(view)
    return 0


@command
def assign(
    case_id: CaseArgument,
    actor: ActorOption,
    to: Annotated[str, typer.Option("--to", help="Person. 负责人")],
    as_json: JsonOption = False,
) -> int:
    """Make a person responsible for it. 指派"""
    with wired() as wiring:
        case_service.assign(wiring.register, wiring.clock, actor, case_id, to)
    emit({"case": case_id, "owner": to}, as_json)
    return 0


@command
def comment(case_id: CaseArgument, actor: ActorOption, note: NoteOption, as_json: JsonOption = False) -> int:
    """Say something about it that stays: no personal data. 备注"""
    with wired() as wiring:
        case_service.comment(wiring.register, wiring.clock, actor, case_id, note)
    emit({"case": case_id, "comment": note}, as_json)
    return 0


@command
def propose(case_id: CaseArgument, actor: ActorOption, note: NoteOption, as_json: JsonOption = False) -> int:
    """Propose to settle it as it stands; another person approves. 提出结案"""
    with wired() as wiring:
        proposal = case_service.propose_settlement(wiring.register, wiring.clock, actor, case_id, note)
    emit_proposal(proposal, as_json)
    return 0


@command
def adjust(
    case_id: CaseArgument,
    actor: ActorOption,
    note: NoteOption,
    pays: Annotated[
        str, typer.Option("--from", help="Account that pays: P001.LENDER.U1, P001:P_MARKETING, P001:SUSPENSE. 付款方")
    ],
    gets: Annotated[str, typer.Option("--to", help="Account that is paid. 收款方")],
    amount: Annotated[str, typer.Option("--amount", help="In yuan, e.g. 12.30. 金额（元）")],
    related: Annotated[str, typer.Option("--related", help="The request that this puts right. 原流水号")] = "",
    value_date: Annotated[str, typer.Option("--value-date", help="Not later than the day that posts it. 起息日")] = "",
    as_json: JsonOption = False,
) -> int:
    """Propose an adjusting entry that puts it right; approved, the next day posts it. 提出调账"""
    on = parse_date(value_date) if value_date else None
    wanted = case_service.Adjustment(pays, gets, yuan_of(amount), related or None, on)
    with wired() as wiring:
        proposal = case_service.propose_adjustment(wiring.register, wiring.clock, actor, case_id, wanted, note)
    emit_proposal(proposal, as_json)
    return 0


@command
def withdraw(
    case_id: CaseArgument,
    adjustment: Annotated[str, typer.Argument(help="The approved adjusting entry's proposal. 调账提案编号")],
    actor: ActorOption,
    note: NoteOption,
    as_json: JsonOption = False,
) -> int:
    """Propose that an approved adjusting entry, not posted yet, be withdrawn; another person approves. 提出撤回调账"""
    with wired() as wiring:
        proposal = case_service.propose_withdrawal(wiring.register, wiring.clock, actor, case_id, adjustment, note)
    emit_proposal(proposal, as_json)
    return 0


@command
def reopen(case_id: CaseArgument, actor: ActorOption, note: NoteOption, as_json: JsonOption = False) -> int:
    """Open a settled case again; it stays open until two people settle it anew. 重新打开"""
    with wired() as wiring:
        case_service.reopen(wiring.register, wiring.clock, actor, case_id, note)
    emit({"case": case_id, "state": "OPEN"}, as_json)
    return 0


@command
def patterns(
    platform: PlatformOption = "",
    since: Annotated[str, typer.Option("--since", help="Opened on this date or later. 立案起始日")] = "",
    as_json: JsonOption = False,
) -> int:
    """What comes again: by platform, kinds, causes, accounts, days. 规律"""
    first = parse_date(since) if since else None
    with wired() as wiring, wiring.register.transaction() as tx:
        found = patterns_of(find_cases(tx, CaseFilter(platform=platform, state="")), first)
    if as_json:
        emit(plain(found), as_json)
    else:
        show_patterns(found)
    return 0
