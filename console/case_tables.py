"""Cases as tables for a person on a screen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from io import StringIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from console.case_view import CaseView, cell, line_words, yuan
from console.ledger_tables import console
from custody.case_patterns import Patterns, Tally
from custody.case_words import SEVERITIES, SIDES, STATES, Words
from custody.counting import counted
from custody.masking import mask_user_numbers
from custody.ports import Row
from custody.services.case_desk import age_days, is_overdue

_LEVELS = {"LOW": "dim", "MEDIUM": "yellow", "HIGH": "red", "CRITICAL": "bold red"}
_PAGE_WIDTH = 120
_DIFFERS, _QUIET, _LATE = "bold red", "dim", "bold red"


def show_list(rows: Sequence[Row], on: date | None) -> None:
    out = console()
    if not rows:
        out.print("no cases 无案件")
        return
    table = _table(
        "case 案件", "severity 级别", "kind 种类", "platform 平台", "due 限期", "age 账龄", "owner 负责人", "amount 金额"
    )
    table.add_column("about 对象", overflow="fold")
    for row in rows:
        due = Text(str(row["due_on"] or "–"), _LATE if is_overdue(row, on) else "")
        table.add_row(
            row["case_id"],
            Text(_both(SEVERITIES[row["severity"]]), _LEVELS[row["severity"]]),
            row["kind"],
            row["platform"],
            due,
            str(age_days(row, on)),
            row["owner"] or "–",
            Text(yuan(row["amount_minor"]), justify="right"),
            mask_user_numbers(row["subject"]),
        )
    out.print(table)
    out.print(Text(f"{counted(len(rows), 'case')} 件" + (f", as of {on} 截至" if on else ""), _QUIET))


def show_case(view: CaseView, out: Console | None = None) -> None:
    """Head, sides side by side, cause, history."""
    out, row = out or console(), view.row
    out.print(Text.assemble((f"{row['case_id']}  ", "bold"), (_both(SEVERITIES[row["severity"]]), _LEVELS[row["severity"]])))
    out.print(f"{row['kind']} {_both(view.kind)}  {row['sides']}  {row['platform']}  {view.subject}", markup=False)
    due = f"due 限期 {row['due_on'] or '–'}{' OVERDUE 逾期' if view.is_overdue else ''}"
    out.print(
        f"{yuan(row['amount_minor'])} CNY  {_both(STATES[row['state']])}  opened 立案 {row['opened_on']} (episode {row['episode']}, "
        f"{counted(view.age_days, 'day')} 天)  {due}  owner 负责人 {row['owner'] or '–'}",
        markup=False,
    )
    if view.ended:
        out.print(f"closed 结案 {row['closed_on']}: {_both(view.ended)}", markup=False)
    if view.cause:
        out.print(f"cause 原因: {_both(view.cause)}", markup=False, soft_wrap=True)
    if view.next_step:
        out.print(f"next 建议: {_both(view.next_step)}", markup=False, soft_wrap=True)
    for told in view.disputes:
        out.print(f"disputed by the platform 平台异议 {told.day}: {told.detail}", markup=False, soft_wrap=True)
    if view.sheet.is_long:
        _print_below_each_other(view, out)
    else:
        out.print(_evidence(view))
    for proposal in view.proposals:
        words = f"{proposal['kind']} {proposal['proposal_id']} {proposal['state']} by {proposal['maker']}: {proposal['note']}"
        out.print(words, markup=False, soft_wrap=True)
    history = _table("day 日期", "who 经办", "what 事项")
    history.add_column("in words 说明", overflow="fold")
    for told in view.history:
        history.add_row(told.day, told.actor, _both(told.what), Text(" ".join(filter(None, (told.detail, told.note)))))
    out.print(history)


def _evidence(view: CaseView) -> Table:
    table = _table("field 字段")
    for words in view.columns:
        table.add_column(_both(words), overflow="fold")
    for name in ("row_ref", "store_key"):
        values = [getattr(column, name) for column in view.sheet.columns]
        if any(values):
            title = "where 位置" if name == "row_ref" else "store key 存储键"
            table.add_row(title, *(Text(mask_user_numbers(value or "–"), _QUIET) for value in values))
    for line in view.sheet.lines:
        style = _DIFFERS if line.differs else ""
        mark = "≠ " if line.differs else ""
        cells = (Text(cell(line.field, value), style) for value in line.cells)
        table.add_row(Text(mark + _both(line_words(line)), style), *cells)
    return table


def _print_below_each_other(view: CaseView, out: Console) -> None:
    fields, rows = view.sheet.below_each_other()
    table = _table("side 方", "where 位置")
    for line in fields:
        table.add_column(
            Text(("≠ " if line.differs else "") + _both(line_words(line)), _DIFFERS if line.differs else ""), overflow="fold"
        )
    for column, values in rows:
        cells = (
            Text(cell(line.field, value), _DIFFERS if line.differs else "") for line, value in zip(fields, values, strict=True)
        )
        table.add_row(_both(SIDES[column.side]), Text(mask_user_numbers(column.row_ref or "–"), _QUIET), *cells)
    out.print(table)
    for line, value in view.sheet.figures():
        out.print(f"{_both(line_words(line))}: {cell(line.field, value)}", markup=False, soft_wrap=True)


def case_lines(view: CaseView) -> list[str]:
    """The same as plain lines, for where nothing but text can be shown."""
    page = Console(file=StringIO(), width=_PAGE_WIDTH, color_system=None)
    show_case(view, page)
    assert isinstance(page.file, StringIO)
    return [line.rstrip() for line in page.file.getvalue().splitlines()]


def show_patterns(patterns: Patterns) -> None:
    out = console()
    _tallies(out, "kind 种类", patterns.kinds)
    _tallies(out, "cause 原因", patterns.causes)
    _tallies(out, "account 账户", patterns.accounts)
    table = _table("opened on 立案日", "cases 件数", "amount 金额")
    for day in patterns.days:
        table.add_row(str(day.on), str(day.cases), yuan(day.amount_minor))
    out.print(table)


def _tallies(out: Console, title: str, tallies: Iterable[Tally]) -> None:
    table = _table("platform 平台", title, "cases 件数", "open 未结", "amount 金额")
    for tally in tallies:
        platform, name = tally.name
        table.add_row(platform, mask_user_numbers(name), str(tally.cases), str(tally.open_cases), yuan(tally.amount_minor))
    if table.row_count:
        out.print(table)


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def _both(words: Words) -> str:
    return " ".join(filter(None, words))
