"""From a dialect's row to a row of one of our own layouts, as the dialect's ``lands`` says, and back.

The row that comes out is judged by the canonical layout's own fields and checks, as if it had been sent so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from custody.findings import RowFault
from schemas.expressions import Known, Setting
from schemas.field_types import BadValue, Field, Value
from schemas.layout import Lands, Layout, load_layout
from schemas.layout_file import MAX_REJECTED, FirstLines, ParsedFile, RowReader, count_rejected, has_too_many_rejected

Row = dict[str, Value]


def canonical_layout(layout: Layout) -> Layout:
    """The layout whose rows a file of this layout becomes: itself, where it lands as it stands."""
    return layout if layout.lands is None else load_layout(layout.lands.layout)


def to_canonical(
    layout: Layout, row: Mapping[str, Value], custody_date: date, party: str, dialect: Mapping[str, Any]
) -> Row | list[RowFault]:
    """A parsed row (by landed columns) as a canonical row, or what stands against it. ``dialect`` is the contract's."""
    lands, target = _lands(layout)
    line_no = row.get("line_no", 0)
    assert isinstance(line_no, int)
    setting = Setting(party, custody_date, dialect)
    source = {f.name: row[f.column] for f in layout.fields if f.is_kept}
    found: dict[str, Value] = {}
    faults: list[RowFault] = []
    # Templates read the row that the others made, so they come last; without one of its parts a template says nothing.
    for name, expression in sorted(lands.fields.items(), key=lambda item: item[1].kind == "template"):
        template = expression.kind == "template"
        if template and not expression.reads() <= found.keys():
            continue
        field = target.by_name[name]
        text = ""
        try:
            value = (
                expression.value(found, target.by_name, setting)
                if template
                else expression.value(source, layout.by_name, setting)
            )
            text = value if isinstance(value, str) else _text(field, value)
            found[name] = field.parse(text, custody_date)
        except BadValue as bad:
            faults.append(RowFault(line_no, name, layout.shown(text), bad.rule, bad.figures))
    if faults:
        return faults
    canonical: Row = {f.column: found[f.name] for f in target.fields}
    broken = [(check.place, why) for check in target.checks if (why := check.broken(canonical, custody_date)) is not None]
    if broken:
        return [RowFault(line_no, place, layout.shown(str(found[place])), why.rule, why.figures) for place, why in broken]
    return {**canonical, "line_no": line_no} if "line_no" in row else canonical


def from_canonical(
    layout: Layout, row: Mapping[str, Value], custody_date: date, party: str, dialect: Mapping[str, Any], ordinal: int
) -> Row:
    """A canonical row in the dialect; ``ordinal`` is its number in the file, from 1. What the canonical row does not say
    takes the field's declared example. Raises ValueError for a row that the dialect cannot carry."""
    lands, target = _lands(layout)
    setting = Setting(party, custody_date, dialect, ordinal)
    canonical = {f.name: row[f.column] for f in target.fields}
    known = Known()
    try:
        # A choice is undone by the field that it looks at, which another expression gives.
        for name, expression in sorted(lands.fields.items(), key=lambda item: item[1].kind == "choose"):
            if canonical[name] is not None:
                expression.invert(canonical[name], target.by_name[name].format(canonical[name]), known, layout.by_name, setting)
        for name, expression in lands.write.items():
            known.values[name] = expression.value(canonical, target.by_name, setting)
    except BadValue as bad:
        raise ValueError(f"layout {layout.id} cannot carry the row: {bad.rule} {bad.figures}") from None
    written: Row = {f.column: _given(f, known.values, custody_date) for f in layout.fields if f.is_kept}
    again = to_canonical(layout, written, custody_date, party, dialect)
    if again != {column: row[column] for column in (f.column for f in target.fields)}:
        raise ValueError(f"layout {layout.id} cannot carry the row {dict(row)}: it reads back as {again}")
    return written


class CanonicalReader:
    """A file of a dialect as canonical rows, block by block, as RowReader gives them; what cannot become one is rejected. Totals are the
    canonical layout's."""

    def __init__(self, layout: Layout, sent: RowReader, custody_date: date, party: str, dialect: Mapping[str, Any]) -> None:
        self._layout, self._sent = layout, sent
        self._date, self._party, self._dialect = custody_date, party, dialect
        self._target = canonical_layout(layout)
        self._keys = FirstLines(self._target)
        totals = self._target.totals
        self.rest = ParsedFile(totals_minor=dict.fromkeys(totals, 0), rejected_totals_minor=dict.fromkeys(totals, 0))

    def blocks(self) -> Iterator[list[Row]]:
        out, sent = self.rest, self._sent.rest
        for rows in self._sent.blocks():
            rejected = sent.take_rejected()
            out.faults += rejected.faults
            out.rejected_lines |= rejected.lines
            out.rejected_keys |= rejected.keys
            out.rows_rejected += len(rejected.lines)
            yield self._block(rows)
            if out.rows_rejected >= MAX_REJECTED:
                break
        out.rows_seen, out.file_faults = sent.rows_seen, list(sent.file_faults)
        if sent.rows_rejected < MAX_REJECTED:
            has_too_many_rejected(self._sent.file_name, out)
        out.totals_complete &= sent.totals_complete and not sent.rows_rejected

    def _block(self, rows: Sequence[Row]) -> list[Row]:
        layout, target, out = self._layout, self._target, self.rest
        landed = [(row, to_canonical(layout, row, self._date, self._party, self._dialect)) for row in rows]
        repeats = self._keys.faults([(_line(row), found) for row, found in landed if isinstance(found, dict)])
        good = []
        for row, found in landed:
            line_no = _line(row)
            faults = found if isinstance(found, list) else [repeats[line_no]] if line_no in repeats else []
            if isinstance(found, dict):
                for name in target.totals:
                    out.totals_minor[name] += int(str(found[target.by_name[name].column]))
                if not faults:
                    good.append(found)
                    continue
                count_rejected(target, line_no, found, out)
            else:
                out.totals_complete = False
            cells = (layout.shown(f.format(row[f.column], self._date)) for f in layout.fields if f.is_kept)
            out.reject(line_no, faults, "|".join(cells)[:2000])
        return good


def _line(row: Row) -> int:
    return int(str(row["line_no"]))


def _lands(layout: Layout) -> tuple[Lands, Layout]:
    if layout.lands is None:
        raise ValueError(f"layout {layout.id} lands as it stands")
    return layout.lands, load_layout(layout.lands.layout)


def _text(field: Field, value: Value) -> str:
    """A value as the cell that the canonical field would have had."""
    if field.type == "amount" and value is not None and not isinstance(value, int):
        raise BadValue("amount", why=f"{value!r}")
    return field.format(value)


def _given(field: Field, known: Mapping[str, Value], custody_date: date) -> Value:
    """A field's value in a row that is written: what is known of it, else its example, else blank."""
    if field.name not in known:
        return None if field.example is None else field.parse(field.example, custody_date)
    value = known[field.name]
    if not isinstance(value, str) or field.type in ("rate", "clock"):
        return value  # text of the canonical row is their value, not their cell
    try:
        return field.parse(value, custody_date)
    except BadValue as bad:
        raise ValueError(f"{field.name}: {value!r} breaks the rule {bad.rule}") from None
