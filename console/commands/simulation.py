"""Test data whose truth is known, schedules, and the score of what was found against what was planted."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Annotated

import typer

from console.output import JsonOption, command, emit, parse_date, wired
from console.world_progress import world_progress
from custody.errors import RetryLater, UsageError


def add_simulation(app: typer.Typer) -> None:
    app.command("demo", help="Four custody days of a little market, through SFTP and Airflow. 演示")(demo)
    app.command("simulate", help="Make a consistent world: files, core flows, labelled faults. 生成模拟数据")(simulate)
    app.command("score", help="What was found against what was planted. 检出率")(score)
    app.command("schedule", help="A repayment schedule. 还款计划")(schedule)


@command
def demo() -> int:
    """Makes everything anew under build/demo of the current folder, which must be the project's."""
    from console.demo import main

    return main()


@command
def simulate(
    platforms: Annotated[int, typer.Option("--platforms", min=1, max=9_999)],
    channels: Annotated[int, typer.Option("--channels", min=1, max=20)],
    days: Annotated[int, typer.Option("--days", min=1, max=366)],
    start: Annotated[str, typer.Option("--start", help="First custody date. 起始日期")],
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same world. 随机种子")],
    out: Annotated[str, typer.Option("--out", help="Folder to write. 输出目录")],
    lenders: Annotated[int | None, typer.Option("--lenders", min=1, help="Lenders on each platform. 每平台出借人数")] = None,
    loans: Annotated[int | None, typer.Option("--loans", min=1, help="Loans on each platform. 每平台标的数")] = None,
    transactions: Annotated[
        int | None, typer.Option("--transactions", min=1, help="In all, instead of lenders and loans. 交易总数")
    ] = None,
    batches: Annotated[
        int | None, typer.Option("--batches", min=1, help="In how many the gateway and channels send a date. 每日批次数")
    ] = None,
    e_accounts: Annotated[
        int | None,
        typer.Option("--e-accounts", min=1, help="Number of the platform with e-accounts at the core. 电子账户平台序号"),
    ] = None,
    disclosures: Annotated[
        bool, typer.Option("--disclosures", help="Platforms publish their figures of each month. 按月披露")
    ] = False,
    behaviours: Annotated[
        bool, typer.Option("--behaviours", help="People and platforms misbehave over weeks, labelled. 行为样本")
    ] = False,
    contract_change: Annotated[
        str, typer.Option("--contract-change", help="From this date platforms of odd number have other fee terms. 费率变更日")
    ] = "",
    faults: Annotated[str, typer.Option("--faults", help="YAML list of faults to plant. 植入差错清单")] = "",
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes; else one for each core. The files are the same. 进程数")
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Its size is --lenders and --loans for each platform, or --transactions in all. 规模：每平台出借人与标的数，或交易总数"""
    from simulator.faults import load_faults
    from simulator.simulate import SimulationConfig, WorkerLost
    from simulator.simulate import simulate as run

    if faults and not Path(faults).is_file():
        raise UsageError(f"{faults} is not a file")
    began = time.perf_counter()
    try:
        config = SimulationConfig(
            platforms=platforms,
            channels=channels,
            lenders=lenders,
            loans=loans,
            transactions=transactions,
            batches=batches,
            e_account_platform=e_accounts,
            disclosures=disclosures,
            behaviours=behaviours,
            contract_change=parse_date(contract_change) if contract_change else None,
            days=days,
            start=parse_date(start),
            seed=seed,
        )
        asked = load_faults(Path(faults)) if faults else []
        cores = workers or len(os.sched_getaffinity(0))
        with world_progress(platforms) as told:
            made = run(config=config, faults=asked, out=Path(out), workers=cores, told=told)
    except (ValueError, FileExistsError) as error:
        raise UsageError(str(error)) from None
    except WorkerLost as error:
        raise RetryLater(f"{error}; remove {out} and start again") from None
    seconds = time.perf_counter() - began
    emit({"out": out, **made, "seconds": round(seconds, 1), "rows_per_second": int(made["rows"] / seconds)}, as_json)
    return 0


@command
def score(
    truth: Annotated[str, typer.Option("--truth", help="The world's truth folder. 真值目录")],
    as_of: Annotated[
        str, typer.Option("--as-of", help="What was found up to this date; else the last closed date. 截至账务日期")
    ] = "",
    as_json: JsonOption = False,
) -> int:
    """Ends with 1 when a fault that can be known was missed or came late, or when something was raised for nothing."""
    from rich.console import Console

    from console.scoring import found_items, last_closed, show
    from simulator.score import score as compare

    path = Path(truth) / "faults.json"
    if not path.is_file():
        raise UsageError(f"{path} is not a file")
    planted = json.loads(path.read_text(encoding="utf-8"))
    with wired() as wiring:
        found = found_items(wiring)
        up_to = parse_date(as_of) if as_of else last_closed(wiring)
    if up_to is None:
        raise UsageError("no date is closed yet: run its steps first, or name one with --as-of")
    result = compare(planted, found, up_to.isoformat())
    if as_json:
        emit({"as_of": up_to, **result.as_json()}, as_json)
    else:
        show(Console(), result)
    return 0 if result.is_perfect else 1


@command
def schedule(
    principal: Annotated[str, typer.Option("--principal", help="In yuan. 本金（元）")],
    rate: Annotated[str, typer.Option("--rate", help="Annual rate as a fraction: 0.08. 年利率")],
    periods: Annotated[int, typer.Option("--periods")],
    every: Annotated[str, typer.Option("--every", help="day, month, quarter. 周期")],
    method: Annotated[str, typer.Option("--method", help="equal_instalment, equal_principal, interest_first, bullet")],
    day_count: Annotated[str, typer.Option("--day-count", help="30/360, actual/360, actual/365, actual/actual")],
    start: Annotated[str, typer.Option("--start", help="Day of disbursal. 放款日")],
    rounding: Annotated[str, typer.Option("--rounding")] = "half_even",
    as_json: JsonOption = False,
) -> int:
    from custody.money import format_amount, parse_amount
    from custody.names import DayCount, RepaymentMethod
    from custody.schedule import schedule as make

    try:
        plan = make(
            parse_amount(principal),
            rate,
            periods,
            every,  # type: ignore[arg-type]
            RepaymentMethod(method),
            DayCount(day_count),
            parse_date(start),
            rounding,  # type: ignore[arg-type]
        )
    except ValueError as error:
        raise UsageError(str(error)) from None
    rows = [
        {
            "number": i.number,
            "due": i.due.isoformat(),
            "days": i.days,
            "principal": format_amount(i.principal_minor),
            "interest": format_amount(i.interest_minor),
            "total": format_amount(i.total_minor),
            "outstanding": format_amount(i.outstanding_minor),
        }
        for i in plan
    ]
    words = ["  #  due         days     principal      interest         total   outstanding"]
    words += [
        f"{r['number']:>3}  {r['due']}  {r['days']:>4}  {r['principal']:>12}  {r['interest']:>12}  {r['total']:>12}  {r['outstanding']:>12}"
        for r in rows
    ]
    emit({"schedule": rows}, as_json, words)
    return 0
