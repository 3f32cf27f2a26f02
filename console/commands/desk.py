"""The desk's work: the day at a glance, calendar, reports, scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from console.commands import calendar, fees, proposals
from console.commands.results import day_results
from console.commands.steps import step_callback
from console.output import ActorOption, DateOption, JsonOption, NoteOption, command, emit, parse_date, wired
from custody.services import releases
from custody.services.outputs import days_begun
from custody.steps import STEPS


def add_desk(app: typer.Typer) -> None:
    groups: dict[str, tuple[str, dict[str, Callable[..., None]]]] = {
        "day": ("The custody day at a glance. 日终一览", {"status": day_status, "results": day_results}),
        "calendar": ("The bank's own holidays and working days. 日历", {"show": calendar.show, "propose": calendar.propose}),
        "report": (
            "Drafts of the date (--date), releases, due dates. 报表",
            {"list": report_list, "release": report_release, "due": report_due},
        ),
        "proposal": (
            "What waits for a second person. 待复核",
            {
                "list": proposals.list_them,
                "show": proposals.show,
                "approve": proposals.decide,
                "reject": proposals.turn_down,
            },
        ),
        "fees": ("The day's accrual (--date), and how it came about. 存管费", {"explain": fees.explain}),
        "fee": (
            "Charging custody fees: due, proposed, sent, answered. 存管费扣收",
            {"due": fees.due, "propose": fees.propose, "send": fees.send, "list": fees.list_charges, "show": fees.show},
        ),
    }
    for name, (words, commands) in groups.items():
        # `custody fees --date` and `custody report --date` run the step; their sub-commands look at what it made.
        is_step = name in STEPS
        group = typer.Typer(help=words, no_args_is_help=True, invoke_without_command=is_step)
        if is_step:
            group.callback()(step_callback(name))
        for verb, function in commands.items():
            group.command(verb)(function)
        app.add_typer(group, name=name)


@command
def day_status(
    date_: Annotated[str, typer.Option("--date", help="Custody date; else every day so far. 账务日期")] = "",
    as_json: JsonOption = False,
) -> int:
    """Each day's state, and for each platform: files in, breaks, alerts. 每日状态"""
    from console.overview import day_at_a_glance

    with wired() as wiring:
        with wiring.register.transaction() as tx:
            seen = days_begun(tx)
        wanted = [parse_date(date_)] if date_ else seen or [wiring.settings.instance.go_live]
        days = [day_at_a_glance(wiring, on) for on in wanted]
    words = []
    for day in days:
        words.append(f"{day['date']}  {day['state']}")
        for p in day["platforms"]:
            # Not known yet is not 0.
            known = {name: "–" if figure is None else figure for name, figure in p.items()}
            words.append(
                f"   {p['platform']:<6} files {p['landed']}/{p['expected']}  batches not to be trusted {known['untrusted']}, "
                f"unusual {known['unusual']}  breaks {known['breaks']}  alerts {known['alerts']}"
            )
            if p["promised"]:
                said = ", ".join(f"{count} {state}" for state, count in p["promised"].items())
                words.append(f"          promised: {said}")
    emit({"days": days}, as_json, words)
    return 0


@command
def report_list(as_json: JsonOption = False) -> int:
    from console.overview import report_rows

    with wired() as wiring:
        rows = report_rows(wiring)
    emit({"reports": rows}, as_json, [f"{r['period']} {r['name']:<40} {r['state']:<10} {r['path']}" for r in rows] or ["none 无"])
    return 0


@command
def report_release(
    report_id: Annotated[str, typer.Argument(help="Report id. 报表编号")],
    date_: DateOption,
    actor: ActorOption,
    note: NoteOption,
    as_json: JsonOption = False,
) -> int:
    """Propose the release of the draft whose period ends on the date; another person approves it. 报表发布"""
    from console.overview import draft_of

    with wired() as wiring:
        on = parse_date(date_)
        digest = draft_of(wiring, report_id, on)["manifest_digest"]
        proposal = releases.propose_release(wiring.register, wiring.clock, actor, report_id, f"{on:%Y-%m}", digest, note)
    emit({"proposal": proposal}, as_json, [f"proposal {proposal}"])
    return 0


@command
def report_due(date_: DateOption, as_json: JsonOption = False) -> int:
    """Reports that are due or overdue on a bank business day and not released; each raises an alert. 应报送报表"""
    from console.overview import reports_due

    with wired() as wiring:
        due = reports_due(wiring, parse_date(date_))
    emit({"due": due}, as_json, [f"{d['report']} {d['period']} due {d['due']}" for d in due] or ["nothing is due 无到期报表"])
    return 1 if due else 0
