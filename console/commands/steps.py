"""The steps of a custody day from the command line, one by one or the whole day; the DAGs run these very commands."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

import typer

from connectors.bootstrap import Wiring
from connectors.run_log import log_of
from console.output import ActorSystem, DateOption, JsonOption, command, emit, parse_date, progress, wired
from custody.errors import UsageError
from custody.services.access import SYSTEM, check_permission
from custody.services.outputs import seals_of_day
from custody.steps import STEPS, day_state

ReasonOption = Annotated[str, typer.Option("--reason", help="Make a new version of a committed step, and why. 重算原因")]

OptionalDate = Annotated[str, typer.Option("--date", help="Custody date, YYYY-MM-DD. 账务日期")]
# Steps whose name is also a group of commands (console.commands.desk, console.commands.ledger).
_WITH_SUB_COMMANDS = ("compliance", "fees", "report", "statement")

_HELP = {
    "cut_off": "Seal what the day sees: files, decisions, reference data. 日切",
    "land": "Turn accepted files into typed rows; keep every bad row. 落地",
    "validate": "Judge each party's batch against its usual. 批次校验",
    "extract": "Read the core's flows and balances of the date. 抽取核心流水",
    "post": "Post the day's instructions in double entry. 记账",
    "project": "Put the journal and balances into the keyed store. 投影",
    "reconcile": "Compare platform, ledger, core and channels. 对账",
    "compliance": "Judge the day against limits, red lines and patterns. 合规监测",
    "fees": "Accrue the day's custody fees. 计提存管费",
    "risk": "Find borrowers short of funds and past due. 风险监测",
    "statement": "Make every sub-account's daily statement. 对账单",
    "report": "Draft the reports whose period ends today. 报表",
    "close": "Seal the day. 日终关闭",
}


def add_steps(app: typer.Typer) -> None:
    for step in STEPS:
        if step in _WITH_SUB_COMMANDS:
            continue
        app.command(step.replace("_", "-"), help=_HELP[step])(_step_command(step))
    app.command("run-day", help="The whole custody day without Airflow. 运行整个账务日")(run_day)


def step_callback(step: str) -> Callable[..., None]:
    """The step as the callback of a group of the same name: it runs when no sub-command is named."""

    def run(
        context: typer.Context,
        date_: OptionalDate = "",
        reason: ReasonOption = "",
        actor: ActorSystem = SYSTEM,
        as_json: JsonOption = False,
    ) -> None:
        if context.invoked_subcommand is None:
            _step_command(step)(date_=date_, reason=reason, actor=actor, as_json=as_json)

    return run


def _step_command(step: str) -> Callable[..., None]:
    def run(date_: DateOption, reason: ReasonOption = "", actor: ActorSystem = SYSTEM, as_json: JsonOption = False) -> int:
        with wired() as wiring:
            result = run_one(wiring, step, parse_date(date_), actor, reason)
        emit(result, as_json)
        return 1 if result["findings"] else 0

    run.__name__ = step
    return command(run)


@command
def run_day(
    date_: DateOption,
    from_step: Annotated[str, typer.Option("--from", help="First step. 起始步骤")] = STEPS[0],
    until_step: Annotated[str, typer.Option("--until", help="Last step. 结束步骤")] = STEPS[-1],
    reason: ReasonOption = "",
    actor: ActorSystem = SYSTEM,
    as_json: JsonOption = False,
) -> int:
    names = [name.replace("-", "_") for name in (from_step, until_step)]
    for name in names:
        if name not in STEPS:
            raise UsageError(f"no step {name!r}; steps are {', '.join(STEPS)}")
    chosen = STEPS[STEPS.index(names[0]) : STEPS.index(names[1]) + 1]
    with wired() as wiring:
        results = [run_one(wiring, step, parse_date(date_), actor, reason) for step in chosen]
        with wiring.register.transaction() as tx:
            state = day_state(seals_of_day(tx, parse_date(date_)))
    findings = sum(r["findings"] for r in results)
    emit({"date": date_, "state": state, "findings": findings, "steps": results}, as_json)
    return 1 if findings else 0


def run_one(wiring: Wiring, step: str, custody_date: date, actor: str, reason: str) -> dict[str, Any]:
    """Run one step and say what came of it. ``findings`` counts what needs a person."""
    from jobs.registry import step_named
    from jobs.step import run_step

    check_permission(wiring.register, actor, "day.rerun" if reason else "day.run", f"{custody_date} {step}")
    started = time.monotonic()
    result = run_step(wiring, step_named(step), custody_date, actor, reason)
    rows = {name: entry["rows"] for name, entry in result.tables.items()}
    findings = sum(rows.get(table, 0) for table in _FINDINGS.get(step, ()))
    told = ", ".join(f"{name} {count}" for name, count in rows.items()) or "nothing due"
    log_of(wiring.settings).info(
        "step", custody_date=custody_date.isoformat(), step=step, outcome=result.outcome, version=result.seal.version,
        manifest_digest=result.seal.manifest_digest, rows=rows, findings=findings, seconds=round(time.monotonic() - started, 3),
    )  # fmt: skip
    progress(f"{custody_date} {step}: {result.outcome} in {time.monotonic() - started:.1f} s ({told})")
    return {
        "date": custody_date.isoformat(),
        "step": step,
        "outcome": result.outcome,
        "version": result.seal.version,
        "manifest_digest": result.seal.manifest_digest,
        "rows": rows,
        "findings": findings,
    }


# The tables of each step whose rows are findings that a person looks at.
_FINDINGS = {
    "land": ("rejected_rows",),
    "validate": ("batch_findings",),
    "post": ("posting_findings",),
    "reconcile": ("breaks",),
    "compliance": ("compliance_findings",),
    "risk": ("alerts",),
}
