"""The result of a date for the desk: by platform, with its trend."""

from __future__ import annotations

from typing import Annotated

import typer

from console.output import DateOption, JsonOption, command, emit, parse_date, wired

_STYLES = {"AGREED": "green", "DISPUTED": "bold red", "AWAITED": "yellow"}
_BARS = " ▁▂▃▄▅▆▇█"


@command
def day_results(
    date_: DateOption,
    platform: Annotated[str, typer.Option("--platform", help="One platform. 平台")] = "",
    as_json: JsonOption = False,
) -> int:
    """Each platform's rows by verdict, breaks by kind, its answer, and the trend of its breaks. 各平台对账结果"""
    from console.plain import plain
    from console.results_view import results_of

    with wired() as wiring:
        results = results_of(wiring, parse_date(date_), platform)
    if as_json:
        emit(plain(results), True)
        return 0
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from console.ledger_tables import console

    table = Table(box=SIMPLE_HEAD, title=f"{results.on}  results 对账结果")
    for head in ("platform 平台", "matched 一致", "broken 差错", "carried 未达", "rejected 拒收"):
        table.add_column(head, justify="left" if head.startswith("platform") else "right")
    for head in ("breaks by kind 差错类型", "told 回发", "answer 确认", "breaks over the days 差错走势"):
        table.add_column(head)
    for p in results.platforms:
        figures = [str(p.rows.get(bucket, 0)) for bucket in ("MATCHED", "BREAK", "CARRIED", "REJECTED")]
        kinds = ", ".join(f"{k.kind} {k.breaks}" for k in p.kinds) or "–"
        answer = Text(p.answer or "–", style=_STYLES.get(p.answer or "", ""))
        table.add_row(p.platform, *figures, kinds, p.told or "–", answer, _bars([n for _, n in results.trend[p.platform]]))
    console().print(table)
    return 0


def _bars(figures: list[int | None]) -> str:
    """A bar for each date, the largest a whole one; a dot where the date is not reconciled."""
    top = max([figure for figure in figures if figure is not None], default=0) or 1
    return "".join("·" if n is None else _BARS[-(-n * (len(_BARS) - 1) // top)] for n in figures) + f" (≤ {top})"
