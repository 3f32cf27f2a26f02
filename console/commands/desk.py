"""The desk's work: the day at a glance, calendar, reports, scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from console.commands import calendar, fees, proposals, reports
from console.commands.results import day_results
from console.commands.steps import step_callback
from console.output import JsonOption, command, emit, parse_date, wired
from custody.services.outputs import days_begun
from custody.steps import STEPS


def add_desk(app: typer.Typer) -> None:
    groups: dict[str, tuple[str, dict[str, Callable[..., None]]]] = {
        "day": ("The custody day at a glance. 日终一览", {"status": day_status, "results": day_results}),
        "calendar": ("The bank's own holidays and working days. 日历", {"show": calendar.show, "propose": calendar.propose}),
        "report": (
            "Drafts of the date (--date), releases, due dates. 报表",
            {
                "list": reports.list_them,
                "show": reports.show,
                "release": reports.release,
                "differences": reports.differences,
                "download": reports.download,
                "make": reports.make,
                "trace": reports.trace,
                "send": reports.send,
                "due": reports.due,
            },
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
            {
                "due": fees.due,
                "propose": fees.propose,
                "send": fees.send,
                "list": fees.list_charges,
                "show": fees.show,
                "write-off": fees.write_off,
                "give-back": fees.give_back,
                "amend": fees.amend,
                "usage": fees.usage,
            },
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
