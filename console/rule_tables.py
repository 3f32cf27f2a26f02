"""Rules, and what a trial of them showed, as tables for a person: both languages, amounts in yuan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from console.ledger_tables import console
from custody.match_rules import Rule
from custody.money import format_amount
from custody.rule_trial import APPEARS, VANISHES
from custody.rule_words import CHANGES, STATES, TOLD_CHANGES, condition_words, told_of

_STYLES = {"IN_FORCE": "green", "TO_COME": "yellow", "PAST": "dim", "WITHDRAWN": "dim"}
_CHANGE_STYLES = {APPEARS: "red", VANISHES: "green"}


def show_rules(rules: Sequence[tuple[Rule, str]]) -> None:
    """One line for each version: when it holds, who answers for it, and what it says."""
    table = Table(title="Rules / 对账规则", box=SIMPLE_HEAD, pad_edge=False, title_justify="left")
    for heading in (
        "rule 规则",
        "state 状态",
        "valid 有效期",
        "form 形式",
        "prio 优先级",
        "owner 负责人",
        "says 条件",
        "words 说明",
    ):
        table.add_column(heading, overflow="fold")
    for rule, state in rules:
        span = f"{rule.valid_from} – {rule.valid_to or ''}"
        form = f"{rule.form} {rule.relation or ''}".strip()
        words = f"{rule.words_en} / {rule.words_zh}"
        cells = (rule.id, " ".join(STATES[state]), span, form, str(rule.priority), rule.owner, condition_words(rule)[0], words)
        table.add_row(*(escape(cell) for cell in cells), style=_STYLES[state])
    console().print(table)


def show_rule(rule: Rule, state: str) -> None:
    """All of one version."""
    out, (en, zh) = console(), condition_words(rule)
    style = _STYLES[state]
    out.print(f"[bold]{escape(rule.id)}[/]  [{style}]{' '.join(STATES[state])}[/]  {rule.valid_from} – {rule.valid_to or ''}")
    form = f"{rule.form} {rule.relation or ''}".strip()
    lines = [
        f"{rule.words_en} / {rule.words_zh}",
        f"form 形式 {form}  priority 优先级 {rule.priority}  owner 负责人 {rule.owner}",
        f"basis 依据 {rule.basis}",
        f"says 条件 {en} / {zh}",
        f"digest 摘要 {rule.digest}",
    ]
    for line in lines:
        out.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)


def show_trial(found: Mapping[str, Any]) -> None:
    """What would have been different, by day and platform, and in one sentence whether anything would."""
    out = console()
    names = ", ".join(rule["id"] for rule in found["rules"])
    span = f"{found['from']} … {found['to']}"
    if found["days"]:
        out.print(_changed(found))
    for day in found["days"]:
        for one in [*day["breaks"], *day["rows"]]:
            for example in one["examples"]:
                shown = example.get("row_ref") or example["case_id"]
                amount = example.get("amount_minor", (example.get("after") or example.get("before") or {}).get("amount_minor"))
                line = f"  {day['date']} {day['platform']}  {shown}  {example['subject']}  {format_amount(amount)}"
                out.print(line, markup=False, highlight=False, soft_wrap=True, style="dim")
    if found["differs"]:
        out.print(
            f"[bold yellow]{escape(names)} would have changed what these days found[/] ({span}) / 新规则会改变这些账务日的结果"
        )
    else:
        out.print(f"[bold green]{escape(names)} would have changed nothing[/] ({span}) / 新规则不会改变任何结果")
    out.print(f"trial 试算摘要 {found['digest']}", style="dim", highlight=False)


def _changed(found: Mapping[str, Any]) -> Table:
    table = Table(title="What would be different / 试算差异", box=SIMPLE_HEAD, pad_edge=False, title_justify="left")
    for heading in ("date 账务日", "platform 平台", "what 变化", "before 原规则", "after 新规则"):
        table.add_column(heading, overflow="fold")
    for heading in ("count 笔数", "amount 金额"):
        table.add_column(heading, justify="right", no_wrap=True)
    for day in found["days"]:
        place = (day["date"], day["platform"])
        for one in day["breaks"]:
            cells = (*place, f"breaks 差异 {' '.join(CHANGES[one['what']])}", one["before"] or "–", one["after"] or "–")
            style = _CHANGE_STYLES.get(one["what"], "yellow")
            table.add_row(*cells, str(one["count"]), format_amount(one["amount_minor"]), style=style)
        for one in day.get("findings", []):
            cells = (*place, f"findings 合规发现 {' '.join(CHANGES[one['what']])}", one["rule"], one["rule"])
            style = _CHANGE_STYLES.get(one["what"], "yellow")
            table.add_row(*cells, str(one["count"]), format_amount(one["amount_minor"]), style=style)
        for one in day.get("messages", []):
            times = [" … ".join(sorted({e[side] for e in one["examples"] if e[side]})[:2]) or "–" for side in ("before", "after")]
            cells = (*place, f"{told_of(one)}: {' '.join(TOLD_CHANGES[one['what']])}", *times)
            table.add_row(*cells, str(one["count"]), "–", style=_CHANGE_STYLES.get(one["what"], "yellow"))
        for one in day["rows"]:
            cells = (*place, f"rows 明细 {one['relation']} {one['side']}", one["before"], one["after"])
            table.add_row(*cells, str(one["count"]), format_amount(one["amount_minor"]))
    return table
