"""What a correction changes: each figure that is another now, each row that was added or taken out of a table of rows, and why: which of the
report's sealed inputs has another version, for the reason that was given for it.

Pure. Figures are known by what they are (table, key, figure), not by where they stand, so that a row more does not change all below it.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from custody.release_checks import FigureValue, SealedInput
from reports.csv_file import csv_bytes, safe_text

HEADER = ("file", "table", "key", "figure", "cell_before", "cell_now", "before", "now", "why")
# (table, key as JSON, figure, whether it is the total)
FigureKey = tuple[str, str, str, bool]


@dataclass(frozen=True)
class InputChange:
    """An input that has another version; ``reason``: of the newer one, as the register keeps it."""

    custody_date: str
    step: str
    before: int
    now: int
    reason: str

    @property
    def words(self) -> str:
        versions = (
            f"v{self.before} → v{self.now}"
            if self.before and self.now
            else f"v{self.now} added"
            if self.now
            else "no input any more"
        )
        return f"{self.custody_date} {self.step} {versions}" + (f": {self.reason}" if self.reason else "")


@dataclass(frozen=True)
class Change:
    """``key``: JSON list of the values that tell the figure apart, or of a row all its cells. ``before`` or ``now`` is "" where there was or is
    none; ``cell``: sheet and cell of the workbook, "" for a row, which stands in ``file``."""

    file: str
    table: str
    key: str
    figure: str
    cell_before: str
    cell_now: str
    before: str
    now: str
    why: tuple[str, ...]


def input_changes(
    before: Sequence[SealedInput], now: Sequence[SealedInput], reasons: Mapping[tuple[str, str, int], str]
) -> list[InputChange]:
    """``reasons``: of (date, step, version)."""
    was = {(one.custody_date.isoformat(), one.step): one for one in before}
    is_ = {(one.custody_date.isoformat(), one.step): one for one in now}
    found = []
    for key in sorted(set(was) | set(is_)):
        old, new = was.get(key), is_.get(key)
        if old is None or new is None or old.manifest_digest != new.manifest_digest:
            version = new.version if new else 0
            found.append(InputChange(*key, old.version if old else 0, version, reasons.get((*key, version), "")))
    return found


def figure_changes(
    before: Iterable[Mapping[str, Any]],
    now: Iterable[Mapping[str, Any]],
    inputs: Sequence[InputChange],
    steps_of: Mapping[str, frozenset[str]],
    currency: str = "CNY",
) -> list[Change]:
    """``before`` and ``now``: rows of report_figures of the two drafts; ``steps_of``: from which steps a figure is made."""
    was, is_ = _by_key(before), _by_key(now)
    found = []
    for key in sorted(set(was) | set(is_)):
        old, new = was.get(key), is_.get(key)
        if old is not None and new is not None and old["value"] == new["value"]:
            continue
        some = new or old
        assert some is not None
        table, values, figure, _ = key
        why = tuple(one.words for one in inputs if one.step in steps_of.get(figure, frozenset()))
        found.append(
            Change(
                some["file_name"],
                table,
                values,
                figure,
                _cell(old),
                _cell(new),
                _shown(old, currency),
                _shown(new, currency),
                why,
            )
        )
    return found


def row_changes(
    name: str, table: str, before: bytes, now: bytes, inputs: Sequence[InputChange], steps: frozenset[str]
) -> list[Change]:
    """Of a table of rows in its CSV file: lines that are there no more, and lines that were not there before."""
    was, is_ = _lines(before), _lines(now)
    why = tuple(one.words for one in inputs if one.step in steps)
    gone = [Change(name, table, _joined(line), "", "", "", "row", "", why) for line in (was - is_).elements()]
    new = [Change(name, table, _joined(line), "", "", "", "", "row", why) for line in (is_ - was).elements()]
    return [*sorted(gone, key=lambda one: one.key), *sorted(new, key=lambda one: one.key)]


def render(changes: Iterable[Change]) -> bytes:
    """As CSV, for people and parties: the same changes give the same bytes."""
    rows = [(c.file, c.table, c.key, c.figure, c.cell_before, c.cell_now, c.before, c.now, "; ".join(c.why)) for c in changes]
    return csv_bytes(
        HEADER, [tuple(safe_text(cell) if at not in (6, 7) else cell for at, cell in enumerate(row)) for row in rows]
    )


def _by_key(rows: Iterable[Mapping[str, Any]]) -> dict[FigureKey, Mapping[str, Any]]:
    return {(row["table_id"], row["key"], row["figure"], row["is_total"]): row for row in rows}


def _cell(row: Mapping[str, Any] | None) -> str:
    return row["cell"] if row is not None else ""


def _shown(row: Mapping[str, Any] | None, currency: str) -> str:
    return FigureValue(row["unit"], row["value"]).shown(currency) if row is not None and row["value"] is not None else ""


def _lines(data: bytes) -> Counter[tuple[str, ...]]:
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    return Counter(tuple(row) for row in rows[1:])


def _joined(line: tuple[str, ...]) -> str:
    return " | ".join(line)
