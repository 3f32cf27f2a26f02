"""Findings of compliance as tables for a person: both languages, amounts in yuan."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from console.compliance_view import Explained
from console.ledger_tables import console
from custody.figure_words import figure_words
from custody.money import format_amount
from custody.ports import Row

_STYLES = {"CRITICAL": "bold red", "HIGH": "red", "MEDIUM": "yellow", "LOW": "dim"}


def show_findings(findings: Sequence[Row]) -> None:
    table = Table(title="Compliance / 合规发现", box=SIMPLE_HEAD, pad_edge=False, title_justify="left")
    for heading in ("finding 编号", "rule 规则", "severity 级别", "platform 平台", "told to 告知范围", "words 说明"):
        table.add_column(heading, overflow="fold")
    for row in findings:
        words = escape(f"{row['words_en']}\n{row['words_zh']}")
        rule = f"{row['rule']}/{row['version']}"
        cells = (row["finding_id"], rule, row["severity"], row["platform"] or "–", row["disclosure"], words)
        table.add_row(*cells, style=_STYLES[row["severity"]] if row["severity"] in ("CRITICAL", "HIGH") else None)
    if findings:
        console().print(table)
    else:
        console().print("none 无")


def show_explained(found: Explained) -> None:
    finding, rule = found.finding, found.rule
    told_en, told_zh = found.terms.disclosure.words
    lines = [
        f"[b]{finding['finding_id']}[/b]  {found.on}  [{_STYLES[finding['severity']]}]{finding['severity']}[/]",
        escape(finding["words_en"]),
        escape(finding["words_zh"]),
        "",
        f"rule 规则  {rule.id}: {escape(rule.words_en)} / {escape(rule.words_zh)}",
        f"by 依据  {escape(found.terms.citation.regulation)}, {escape(found.terms.citation.article)}",
        f"basis 说明  {escape(rule.basis)}",
        f"told 告知  {told_en} / {told_zh}",
        "figures 参数  " + " / ".join(figure_words(found.terms.figures)),
    ]
    console().print("\n".join(lines))
    table = Table(
        title=f"rows behind it 依据明细: {len(found.rows)} of {finding['rows_in_all']}",
        box=SIMPLE_HEAD,
        pad_edge=False,
        title_justify="left",
    )
    for heading in ("row 类型", "date 日期", "platform 平台", "what 对象", "entry 分录", "request 流水号", "where 文件:行"):
        table.add_column(heading, overflow="fold")
    table.add_column("amount 金额", justify="right")
    for row in found.rows:
        place = f"{row['file_name']}:{row['line_no']}" if row["file_name"] else "–"
        entry = str(row["entry_no"]) if row["entry_no"] is not None else "–"
        cells = (row["source"], str(row["on_date"]), row["platform"], row["ref"], entry, row["request_no"] or "–", place)
        table.add_row(*cells, format_amount(row["amount_minor"], "CNY"))
    console().print(table)
