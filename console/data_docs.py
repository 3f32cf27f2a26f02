"""Data Docs: what Great Expectations says of a day's batches, as pages that open from a folder in a closed network.

The pages are ours and the verdicts its own. Its own pages take styles and scripts from seven other hosts, and where these cannot
be reached its index is empty; they also carry the clock's time, so that no two builds are equal, and speak English only.
"""

from __future__ import annotations

from datetime import date
from importlib.resources import files
from pathlib import Path

from connectors.bootstrap import Wiring
from console.pages.render import amount, page
from jobs.expectations import BatchDay, Verdict, check_batches

# (English, Chinese) of what an expectation looks at: a column of batch_statistics
MEASURES: dict[str, tuple[str, str]] = {
    "low_bp": ("rows to the quietest such day", "行数与最少同类日之比"),
    "high_bp": ("rows to the busiest such day", "行数与最多同类日之比"),
    "amount_bp": ("amounts to the usual for such rows", "金额与同类记录通常金额之比"),
    "mix_bp": ("rows of other kinds than usual", "种类与通常不同的记录占比"),
    "absent_bp": ("rows empty, or filled, unlike usual", "空缺情况与通常不同的记录占比"),
    "repeated_rows": ("rows that repeat a key", "主键重复行数"),
    "repeated_bp": ("rows that repeat a key, share", "主键重复记录占比"),
    "rejected_bp": ("rows that were rejected, share", "被拒绝记录占比"),
    "days_back": ("days back to the oldest event", "最早事件距账务日天数"),
    "amount_max_minor": ("largest amount, yuan", "最大金额（元）"),
}
_STATIC = ("pages.css", "pages.js")


def write_data_docs(wiring: Wiring, custody_date: date) -> Path:
    """Build the date's pages under the instance's folder, in place of those that were there; returns the index.

    Raises what check_batches raises; then the pages that were there stay.
    """
    days = check_batches(wiring, custody_date)
    folder = wiring.settings.home / "data_docs" / custody_date.isoformat()
    (folder / "static").mkdir(parents=True, exist_ok=True)
    for name in _STATIC:
        (folder / "static" / name).write_bytes(files("console.pages").joinpath("static", name).read_bytes())
    head = {"bank": wiring.settings.instance.bank, "on": custody_date, "measures": MEASURES, "shown": shown}
    for day in days:
        text = page("data_docs_batch.html", **head, day=day, failed=failed(day))
        (folder / f"{day.suite.file_type.lower()}.html").write_text(text, encoding="utf-8")
    index = folder / "index.html"
    index.write_text(page("data_docs.html", **head, days=days, failed=failed), encoding="utf-8")
    return index


def failed(day: BatchDay) -> list[Verdict]:
    """The expectations that some batch does not meet."""
    return [verdict for verdict in day.verdicts if verdict.outside]


def shown(column: str, value: int | None) -> str:
    """A figure for people: basis points as per cent, amounts in yuan, "–" where there is none."""
    if value is None:
        return "–"
    if column.endswith("_bp"):
        return f"{value // 100:,}.{value % 100:02d} %"
    return amount(value) if column.endswith("_minor") else f"{value:,}"
