"""A report as CSV: the tidy figures, one row for each platform and figure, and the dictionary of what they mean.

UTF-8 with a byte order mark, since a spreadsheet takes Chinese for another encoding without it. A text that a spreadsheet
would run as a formula gets an apostrophe before it; numbers are numbers, also negative ones.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Sequence

from custody.money import format_amount
from reports.definition import ReportDefinition
from reports.model import Report

FIGURE_HEADER = ("period", "platform", "figure_id", "name_en", "name_zh", "unit", "value")
DICTIONARY_HEADER = ("figure_id", "unit", "name_en", "name_zh", "meaning_en", "meaning_zh", "source_en", "source_zh")

# The full-width forms too: a spreadsheet in a Chinese locale reads them as their ASCII twins.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def render_figures(report: Report) -> bytes:
    """The report's facts in their order; an amount is in major units of the currency that ``unit`` names."""
    rows = []
    for fact in report.facts:
        is_amount = fact.unit == "amount"
        unit = report.currency if is_amount else fact.unit
        value = format_amount(fact.value, report.currency) if is_amount else str(fact.value)
        texts = (report.period, fact.platform, fact.figure_id, fact.name_en, fact.name_zh, unit)
        rows.append((*map(safe_text, texts), value))
    return csv_bytes(FIGURE_HEADER, rows)


def render_dictionary(definition: ReportDefinition) -> bytes:
    """What each figure id means, in both languages; ``unit`` is amount or count."""
    rows = [
        (d.id, d.unit, d.name.en, d.name.zh, d.meaning.en, d.meaning.zh, d.source.en, d.source.zh) for d in definition.figures
    ]
    by_id = {d.id: d for d in definition.figures}
    for txn_type, words in definition.transaction_types.items():
        counted_en = "counts as volume" if words.volume else "does not count as volume"
        counted_zh = "计入交易规模" if words.volume else "不计入交易规模"
        for figure_id, what_en, what_zh in (("volume", "Volume", "金额"), ("count", "Count", "笔数")):
            whole = by_id[figure_id]
            names = (f"{what_en}: {words.en}", f"{what_zh}：{words.zh}")
            meanings = (f"{txn_type} alone; {counted_en}", f"仅 {txn_type}；{counted_zh}")
            rows.append((f"{figure_id}.{txn_type}", whole.unit, *names, *meanings, whole.source.en, whole.source.zh))
    return csv_bytes(DICTIONARY_HEADER, [tuple(map(safe_text, row)) for row in rows])


def safe_text(text: str) -> str:
    """The text as a spreadsheet will show it and not run it."""
    return "'" + text if text.lstrip(" ").startswith(_FORMULA_STARTS) else text


def csv_bytes(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """A CSV file whose texts have been made safe."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return codecs.BOM_UTF8 + out.getvalue().encode("utf-8")
