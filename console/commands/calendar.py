"""``custody calendar``: the bank's own holidays and working days, shown, and proposed day by day or as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from console.output import ActorOption, DateOption, JsonOption, NoteOption, command, emit, emit_proposal, parse_date, wired
from custody.calendar import dates
from custody.calendar_table import DecidedDay, read_table, whole_year
from custody.errors import UsageError
from custody.services import calendars
from custody.texts import to_do

_KIND = {True: "business day 工作日", False: "holiday 休息日"}


@command
def show(
    date_: DateOption, days: Annotated[int, typer.Option("--days", help="How many. 天数")] = 14, as_json: JsonOption = False
) -> int:
    """Which days are bank business days, what the bank decided itself, and how far the calendar reaches. 查看日历"""
    with wired() as wiring, wiring.register.transaction() as tx:
        calendar = calendars.settlement_calendar(tx)
        decided = {row["day"]: row["reason"] for row in tx.find("holiday")}
    until = calendars.known_until(calendar)
    shown = [
        {"day": d, "business_day": calendar.is_business_day(d), "decided": decided.get(d)} for d in dates(parse_date(date_), days)
    ]
    words = [f"{s['day']}  {_KIND[bool(s['business_day'])]}" + (f"  {s['decided']}" if s["decided"] else "") for s in shown]
    emit({"days": shown, "known_until": until}, as_json, [*words, f"the calendar is known until {until} 日历已知至 {until}"])
    return 0


@command
def propose(
    actor: ActorOption,
    note: NoteOption,
    date_: Annotated[str, typer.Option("--date", help="One day. 单日")] = "",
    business_day: Annotated[bool, typer.Option("--business-day/--holiday", help="What that day is. 工作日或休息日")] = False,
    file: Annotated[str, typer.Option("--from", help="A table in UTF-8: day,what,reason. 日历表文件")] = "",
    year: Annotated[
        int, typer.Option("--year", help="The table decides this year whole: Monday to Friday are worked but for it. 全年")
    ] = 0,
    as_json: JsonOption = False,
) -> int:
    """Propose holidays and working days, one or a table of them; another person approves it. 提议日历调整"""
    if bool(date_) == bool(file):
        raise UsageError("name one day by --date, or a table by --from / 请以 --date 指定单日或以 --from 指定表")
    days = _from_file(Path(file), year) if file else [DecidedDay(parse_date(date_), business_day, note)]
    with wired() as wiring:
        proposal = calendars.propose_days(wiring.register, wiring.clock, actor, days, note)
    emit_proposal(proposal, as_json)
    return 0


def _from_file(path: Path, year: int) -> list[DecidedDay]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as why:
        raise UsageError(
            f"{path.name}: {type(why).__name__}: a calendar is a CSV file in UTF-8 / 日历表应为 UTF-8 编码的 CSV"
        ) from None
    days, faults = read_table(text)
    if not faults and year:
        days, faults = whole_year(year, days)
    if faults:
        lines = [
            f"{path.name} line {f.line_no}, {f.field or 'line'} {f.value!r}: {' / '.join(f.words)}: {' / '.join(to_do(f.rule))}"
            for f in faults
        ]
        raise UsageError("\n".join(lines))
    return days
