"""A trace as words and as a tree for JSON, with numbers of users masked: what stands behind a figure names accounts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from custody.counting import counted
from custody.masking import mask_user_numbers
from custody.release_checks import FigureValue
from jobs.reporting.trace import Behind, Trace, TracedRow


def as_json_tree(found: Trace | TracedRow) -> dict[str, Any]:
    """Amounts are minor units."""
    if isinstance(found, TracedRow):
        return {"row": _row(found)}
    said, figure = found.figure.said, found.figure
    return {
        "report": said["report"],
        "period": said["period"],
        "party": said["party"],
        "draft": figure.draft["draft_no"],
        "file": said["file_name"],
        "cell": said["cell"],
        "figure": figure.defined.id,
        "name_en": figure.defined.name.en,
        "name_zh": figure.defined.name.zh,
        "meaning_en": figure.defined.meaning.en,
        "meaning_zh": figure.defined.meaning.zh,
        "key": figure.key,
        "unit": figure.defined.unit,
        "value": said["value"],
        "total": found.total,
        "rows_in_all": found.rows_in_all,
        "page": found.page,
        "size": found.size,
        "rows": [_row(row) for row in found.rows],
        "parts": [as_json_tree(part) for part in found.parts],
    }


def _row(row: TracedRow) -> dict[str, Any]:
    return {
        "number": row.number,
        "place": {name: _plain(value) for name, value in row.place.items()},
        "contributes": row.contributes,
        "sealed_in": row.sealed_in,
        "behind_in_all": row.behind_in_all,
        "behind": [_behind(one) for one in row.behind],
    }


def _behind(one: Behind) -> dict[str, Any]:
    what = mask_user_numbers(one.what)
    return {"file": one.file_name, "line": one.line_no, "sha256": one.sha256, "what": what, "minor": one.minor}


def _plain(value: Any) -> Any:
    if isinstance(value, date | datetime):
        return value.isoformat()
    return mask_user_numbers(value) if isinstance(value, str) else value


def lines(found: Trace | TracedRow) -> list[str]:
    """A readable table."""
    return list(_row_lines(found, "count") if isinstance(found, TracedRow) else _lines(found))


def _lines(found: Trace) -> Iterator[str]:
    figure, said = found.figure, found.figure.said
    told = ", ".join(f"{name} {value}" for name, value in figure.key.items()) or "the whole bank 全行"
    yield f"{figure.defined.name.en} {figure.defined.name.zh} ({figure.defined.id}), {told}"
    yield f"  {figure.defined.meaning.en} / {figure.defined.meaning.zh}"
    if found.parts:
        value = FigureValue("share", said["value"]).shown() if said["value"] is not None else "–"
        yield f"  {said['cell']}: {value}, a share of two figures 占比，由以下两项相除："
        for part in found.parts:
            yield from (f"  {line}" for line in _lines(part))
        return
    yield f"  {said['cell']}: {FigureValue(figure.defined.unit, found.total).shown()} from {counted(found.rows_in_all, 'row')} 行; page {found.page} of {max(1, -(-found.rows_in_all // found.size))}"
    for row in found.rows:
        yield from _row_lines(row, figure.defined.unit)


def _row_lines(row: TracedRow, unit: str) -> Iterator[str]:
    place = " ".join(str(_plain(value)) for value in row.place.values())
    yield f"  {row.number:>6}  {FigureValue(unit, row.contributes).shown():>16}  {place}  [{row.sealed_in}]"
    for one in row.behind:
        where = (
            f"{one.file_name}:{one.line_no}  sha256 {(one.sha256 or '–')[:16]}"
            if one.file_name
            else "the bank's own entry 银行自身分录"
        )
        minor = FigureValue("amount", one.minor).shown() if one.minor is not None else ""
        yield f"          {minor:>16}  {where}  {mask_user_numbers(one.what)}"
    if row.behind_in_all > len(row.behind):
        yield f"          … {row.behind_in_all} in all: --row {row.number} --page N"
