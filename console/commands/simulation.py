"""Test data whose truth is known, schedules, and the score of what was found against what was planted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from console.output import JsonOption, command, emit, parse_date, wired
from custody.errors import UsageError


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
    platforms: Annotated[int, typer.Option("--platforms", min=1, max=99)],
    channels: Annotated[int, typer.Option("--channels", min=1, max=20)],
    lenders: Annotated[int, typer.Option("--lenders", min=1, help="Lenders on each platform. 每平台出借人数")],
    loans: Annotated[int, typer.Option("--loans", min=1, help="Loans on each platform. 每平台标的数")],
    days: Annotated[int, typer.Option("--days", min=1, max=366)],
    start: Annotated[str, typer.Option("--start", help="First custody date. 起始日期")],
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same world. 随机种子")],
    out: Annotated[str, typer.Option("--out", help="Folder to write. 输出目录")],
    faults: Annotated[str, typer.Option("--faults", help="YAML list of faults to plant. 植入差错清单")] = "",
    as_json: JsonOption = False,
) -> int:
    from simulator.faults import load_faults
    from simulator.simulate import SimulationConfig
    from simulator.simulate import simulate as run

    config = SimulationConfig(
        platforms=platforms, channels=channels, lenders=lenders, loans=loans, days=days, start=parse_date(start), seed=seed
    )
    if faults and not Path(faults).is_file():
        raise UsageError(f"{faults} is not a file")
    made = run(config=config, faults=load_faults(Path(faults)) if faults else [], out=Path(out))
    emit({"out": out, **made}, as_json)
    return 0


@command
def score(
    truth: Annotated[str, typer.Option("--truth", help="The world's truth folder. 真值目录")], as_json: JsonOption = False
) -> int:
    from simulator.score import score as compare

    path = Path(truth) / "faults.json"
    if not path.is_file():
        raise UsageError(f"{path} is not a file")
    planted = json.loads(path.read_text(encoding="utf-8"))
    with wired() as wiring:
        found = found_items(wiring)
    table = compare(planted, found)
    words = [f"{kind:<22} planted {s['planted']:>3} found {s['found']:>3} false {s['false']:>3}" for kind, s in table.items()]
    emit(table, as_json, words)
    return 0 if all(s["found"] == s["planted"] and not s["false"] for s in table.values()) else 1


def found_items(wiring: Any) -> list[dict[str, str]]:
    """Every distinct case that any day's reconciliation found, and every rejected row."""
    found: set[tuple[str, str, str, str]] = set()
    with wiring.register.transaction() as tx:
        outputs = tx.find("step_output", ("custody_date", "version"), step=["land", "reconcile"])
    for row in outputs:
        if row["step"] == "reconcile":
            for b in wiring.lake.rows(row["path"], "breaks"):
                found.add((b["platform"], b["sides"], b["kind"], b["subject"]))
        else:
            for r in wiring.lake.rows(row["path"], "rejected_rows"):
                found.add((r["party"], "FILE", "REJECTED_ROW", f"ROW|{r['file_name']}|{r['line_no']}"))
    names = ("platform", "sides", "kind", "subject")
    return [dict(zip(names, item, strict=True)) for item in sorted(found)]


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
