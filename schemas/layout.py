"""File layouts as data: one YAML file for each layout and version under ``schemas/layouts/``.

A layout says its fields, their types and rules, its checks, its key and its control totals, and for another's dialect how
its rows land as ours. Parser, writer, checks and documents all work from it (schemas.layout_file), so adding a layout
needs no code. What the language knows is what the loader below reads; anything else in a declaration is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Literal, get_args

import yaml

from custody.declared import BadDeclaration, Declared
from custody.masking import mask, visible
from schemas import envelope, row_checks
from schemas.content import MAX_LINE_BYTES
from schemas.expressions import Expression, read_expression
from schemas.field_types import FORMS, NUMBERS, BadValue, Code, Field, FieldType, Padding, Sign
from schemas.row_checks import FILE_DATE, Check, signed

# The C loader where PyYAML was built with it: layouts are read at the start of every command.
_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

RECORD_ENDS = {"lf": b"\n", "crlf": b"\r\n", "none": b""}
# Stands for the file's date where an example without a year is tried: a leap day, so that 0229 passes.
_SOME_DAY = date(2020, 2, 29)
_ENCODINGS = ("utf-8", "gb18030", "gbk")
HeaderRule = Literal["exact", "none", "by_name"]


class UnknownLayout(KeyError):
    """No layout of that name and version is declared."""


@dataclass(frozen=True)
class SummaryField:
    """A figure of the summary line: typed as ``field``, compared with the rows where ``rows`` or ``sum_of`` is given, over
    the rows for which ``where`` holds."""

    field: Field
    rows: bool
    sum_of: str | None
    where: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Summary:
    at: Literal["before", "after"]
    fields: tuple[SummaryField, ...]


@dataclass(frozen=True)
class Lands:
    """How a row becomes a row of the canonical layout: its fields from ours, and our fields from its where ``write`` says."""

    layout: str
    fields: Mapping[str, Expression]
    write: Mapping[str, Expression]


@dataclass(frozen=True)
class FileName:
    pattern: str
    example: str


@dataclass(frozen=True, eq=False)
class Layout:
    name: str
    version: int
    file_type: str
    sender: str
    format: Literal["delimited", "fixed_width"]
    encodings: tuple[str, ...]
    key: tuple[str, ...]
    totals: tuple[str, ...]
    rejects_repeated_key: bool
    fields: tuple[Field, ...]
    title_en: str
    title_zh: str
    file_name: FileName | None
    record_end: Literal["lf", "crlf", "none"]
    last_record_end: Literal["required", "optional"]
    checks: tuple[Check, ...]
    envelope: tuple[envelope.Step, ...]
    # delimited
    delimiter: str
    header_rule: HeaderRule
    quoting: Literal["none", "doubled"]
    cell_prefix: str
    bom: bool
    extra_columns: tuple[str, ...]
    summary: Summary | None
    # fixed width, in bytes
    record_length: int
    filler: int
    lands_raw: Mapping[str, object] | None

    @property
    def id(self) -> str:
        return f"{self.name}/{self.version}"

    def shown(self, cell: str) -> str:
        """A rejected cell as a finding may show it: printable, its length bounded. In a layout with personal fields every cell is
        masked: columns that stand in each other's place are a common fault, and a phone in the wrong one is still a phone."""
        return visible(mask(cell[:80]) if self.is_personal else cell, 80)

    @cached_property
    def is_personal(self) -> bool:
        """Whether any field is personal data."""
        return any(f.personal for f in self.fields)

    @cached_property
    def needs_date(self) -> bool:
        """Whether the file's date is needed to read or check a row."""
        return any(f.lacks_year for f in self.fields) or any(c.kind == "recent" or FILE_DATE in c.names for c in self.checks)

    @cached_property
    def is_plain(self) -> bool:
        """Whether it uses nothing beyond our own delimited files: exact header, no quotes, no checks, fields in their plain
        forms. Such a file is its header line and its cells joined by the delimiter."""
        plain_file = self.format == "delimited" and self.header_rule == "exact" and self.quoting == "none"
        return (
            plain_file
            and not (self.cell_prefix or self.bom or self.summary or self.checks or self.envelope)
            and (self.record_end, self.last_record_end) == ("lf", "required")
            and all(
                (f.heading, f.blank, f.unit, f.decimals, f.sign, f.form, f.is_kept)
                == (None, None, "yuan", None, None, None, True)
                for f in self.fields
            )
        )

    @cached_property
    def headings(self) -> tuple[str, ...]:
        return tuple(f.heading or f.name for f in self.fields)

    @property
    def header(self) -> str:
        return self.delimiter.join(self.headings)

    @cached_property
    def by_name(self) -> dict[str, Field]:
        return {f.name: f for f in self.fields}

    @cached_property
    def key_columns(self) -> tuple[str, ...]:
        return tuple(self.by_name[name].column for name in self.key)

    @cached_property
    def signed_fields(self) -> tuple[tuple[str, str, Sign], ...]:
        """(amount's column, mark's column, sign) of amounts whose sign stands in a field of its own."""
        return tuple((f.column, self.by_name[f.sign.field].column, f.sign) for f in self.fields if f.sign and f.sign.field)

    @cached_property
    def lands(self) -> Lands | None:
        """How rows land as a canonical layout's, or None for a canonical one. Raises BadDeclaration."""
        return None if self.lands_raw is None else _lands(self, Declared(self.lands_raw, f"layout {self.id}: lands"))

    def field(self, name: str) -> Field:
        found = self.by_name.get(name)
        if found is None:
            raise KeyError(f"layout {self.id} has no field {name!r}")
        return found


@cache
def load_layout(layout_id: str) -> Layout:
    """The layout ``name/version``. Raises UnknownLayout."""
    found = all_layouts().get(layout_id)
    if found is None:
        raise UnknownLayout(layout_id)
    return found


@cache
def all_layouts() -> dict[str, Layout]:
    """Every declared layout by id."""
    loaded: dict[str, Layout] = {}
    for resource in sorted(files("schemas").joinpath("layouts").iterdir(), key=lambda r: r.name):
        if resource.name.endswith(".yaml"):
            layout = _from_text(resource.read_text(encoding="utf-8"), resource.name)
            if layout.id in loaded:
                raise BadDeclaration(f"{resource.name}: layout {layout.id} is declared twice")
            loaded[layout.id] = layout
    return loaded


def load_declaration(path: Path) -> Layout:
    """The layout that a file of its own declares. Raises BadDeclaration, naming file and key."""
    layout = _from_text(path.read_text(encoding="utf-8"), path.name)
    _ = layout.lands
    return layout


def layouts_for(file_type: str) -> list[str]:
    return [layout.id for layout in all_layouts().values() if layout.file_type == file_type]


def layouts_named(file_name: str) -> list[str]:
    """Layouts whose files are named so. Several versions may be: which one it is, contract and date say."""
    return [x.id for x in all_layouts().values() if x.file_name and re.fullmatch(x.file_name.pattern, file_name)]


def _from_text(text: str, where: str) -> Layout:
    try:
        raw = yaml.load(text, _Loader)
    except yaml.YAMLError as why:
        raise BadDeclaration(f"{where}: not YAML: {why}") from None
    declared = Declared(raw, where)
    layout = _layout(declared)
    declared.close()
    _refuse_contradictions(layout, where)
    return layout


def _layout(d: Declared) -> Layout:
    form = d.one_of("format", ("delimited", "fixed_width"))
    title_en, title_zh = _title(d)
    fields = tuple(_field(part) for part in d.parts("fields"))
    by_name = {f.name: f for f in fields}
    if len(by_name) != len(fields):
        raise d.wrong("two fields have one name")
    delimited = form == "delimited"
    delimiter = d.need("delimiter", str) if delimited else ""
    if delimited and (len(delimiter) != 1 or delimiter in '\r\n"'):
        raise d.wrong(f"delimiter {delimiter!r} is not one character that can part cells")
    return Layout(
        name=d.need("layout", str),
        version=d.need("version", int),
        file_type=d.need("file_type", str),
        sender=d.need("sender", str),
        format=form,  # type: ignore[arg-type]
        encodings=_among(d, "encodings", _ENCODINGS),
        key=_among(d, "key", tuple(by_name)),
        totals=_among(d, "totals", tuple(by_name)),
        rejects_repeated_key=d.one_of("repeated_key", ("reject", "reconcile")) == "reject",
        fields=fields,
        title_en=title_en,
        title_zh=title_zh,
        file_name=_file_name(d.part("file_name")) if "file_name" in d else None,
        record_end=d.one_of("record_end", tuple(RECORD_ENDS), "lf"),  # type: ignore[arg-type]
        last_record_end=d.one_of("last_record_end", ("required", "optional"), "required"),  # type: ignore[arg-type]
        checks=tuple(_check(part, by_name) for part in d.parts("checks")),
        envelope=tuple(_step(part) for part in d.parts("envelope")),
        delimiter=delimiter,
        header_rule=_header_rule(d) if delimited else "none",
        quoting=d.one_of("quoting", ("none", "doubled"), "none") if delimited else "none",  # type: ignore[arg-type]
        cell_prefix=d.get("cell_prefix", str, "") if delimited else "",
        bom=d.get("bom", bool, False) if delimited else False,
        extra_columns=d.texts("extra_columns", []) if delimited else (),
        summary=_summary(d.part("summary"), by_name) if delimited and "summary" in d else None,
        record_length=0 if delimited else d.need("record_length", int),
        filler=0 if delimited else d.get("filler", int, 0),
        lands_raw=d.need("lands", dict) if "lands" in d else None,
    )


def _title(d: Declared) -> tuple[str, str]:
    title = d.part("title")
    found = title.need("en", str), title.need("zh", str)
    title.close()
    return found


def _among(d: Declared, key: str, words: tuple[str, ...]) -> tuple[str, ...]:
    found = d.texts(key)
    for word in found:
        if word not in words:
            raise d.wrong(f"{key}: {word!r} is not one of {', '.join(words)}")
    return found


def _header_rule(d: Declared) -> HeaderRule:
    said = d.need("header", object)
    if said is True:
        return "exact"
    if said is False:
        return "none"
    if said == "by_name":
        return "by_name"
    raise d.wrong(f"header is {said!r}, which is not true, false or by_name")


def _file_name(d: Declared) -> FileName:
    found = FileName(_pattern(d, "pattern"), d.need("example", str))
    d.close()
    if not re.fullmatch(found.pattern, found.example):
        raise d.wrong(f"the example {found.example!r} does not match the pattern")
    return found


def _pattern(d: Declared, key: str) -> str:
    found = d.need(key, str)
    try:
        re.compile(found)
    except re.error as why:
        raise d.wrong(f"{key} is no regular expression: {why}") from None
    return found


def _field(d: Declared, close: bool = True) -> Field:
    title_en, title_zh = _title(d)
    kind: FieldType = d.one_of("type", get_args(FieldType))  # type: ignore[assignment]
    codes = _codes(d) if "codes" in d else {}
    field = Field(
        name=d.need("name", str),
        type=kind,
        required=False if kind == "reserved" else d.need("required", bool),
        title_en=title_en,
        title_zh=title_zh,
        pattern=_pattern(d, "pattern") if "pattern" in d else None,
        codes=tuple(codes),
        min=d.figure("min"),
        max=d.figure("max"),
        personal=d.get("personal", bool, False),
        code_words={code: words for code, words in codes.items() if words is not None},
        heading=d.need("heading", str) if "heading" in d else None,
        optional_column=d.get("optional_column", bool, False),
        width=d.get("width", int, 0),
        padding=d.one_of("padding", get_args(Padding)) if "padding" in d else None,  # type: ignore[arg-type]
        blank=d.need("blank", str) if "blank" in d else None,
        example=d.need("example", str) if "example" in d else None,
        unit=d.one_of("unit", ("yuan", "fen"), "yuan"),  # type: ignore[arg-type]
        decimals=d.need("decimals", int) if "decimals" in d else None,
        negative=d.get("negative", bool, False),
        sign=_sign(d.part("sign")) if "sign" in d else None,
        form=d.one_of("form", tuple(FORMS.get(kind, ()))) if "form" in d else None,
    )
    if close:
        d.close()
    _refuse_odd_field(field, d)
    return field


def _codes(d: Declared) -> dict[str, Code | None]:
    """Codes in order, with their words where they are given."""
    if isinstance(d.need("codes", object), list):
        return dict.fromkeys(d.texts("codes"))
    found: dict[str, Code | None] = {}
    listed = d.part("codes")
    for code, raw in listed.members():
        words = Declared(raw, f"{listed.where} {code}")
        found[code] = Code(
            en=words.need("en", str),
            zh=words.need("zh", str),
            means=words.need("means", str) if "means" in words else None,
            direction=words.one_of("direction", ("IN", "OUT")) if "direction" in words else None,  # type: ignore[arg-type]
        )
        words.close()
    return found


def _sign(d: Declared) -> Sign:
    first = d.get("first", bool, False)
    name = None if first else d.need("field", str)
    found = Sign(name, d.need("plus", str), d.need("minus", str))
    d.close()
    if len(found.plus) != 1 or len(found.minus) != 1 or found.plus == found.minus:
        raise d.wrong("plus and minus are two different characters")
    return found


def _refuse_odd_field(field: Field, d: Declared) -> None:
    """What a field's keys may not say together."""
    kind = field.type
    wanted = {"code": field.pattern is not None, "text": field.max is not None, "enum": bool(field.codes)}
    number = kind in NUMBERS
    odd = {
        "a code needs a pattern, a text its max, an enum its codes": not wanted.get(kind, True),
        "an amount says min, or negative: true": kind == "amount" and field.min is None and not field.negative and not field.sign,
        "unit and sign belong to amounts": kind != "amount" and (field.unit != "yuan" or field.sign is not None),
        "decimals belong to rates, and to amounts in yuan": field.decimals is not None
        and not (kind == "rate" or (kind == "amount" and field.unit == "yuan" and field.decimals >= 2)),
        "zeros_left is for numbers, spaces_right for everything else": (field.padding == "zeros_left" and not number)
        or (field.padding == "spaces_right" and number),
        "a blank text is not for zero-padded numbers": field.blank is not None and number,
        "a column that may be missing is not required": field.optional_column and field.required,
        "codes belong to enums": kind != "enum" and bool(field.codes),
    }
    for why, is_so in odd.items():
        if is_so:
            raise d.wrong(f"field {field.name}: {why}")


def _check(d: Declared, fields: Mapping[str, Field]) -> Check:
    kinds = [kind for kind in row_checks.KINDS if kind in d]
    if len(kinds) != 1:
        raise d.wrong(f"one of {', '.join(row_checks.KINDS)} is expected")
    kind = kinds[0]
    arguments: dict[str, str] = {}
    if kind == "sum":
        inner = d.part("sum")
        names: tuple[str, ...] = (inner.need("of", str), *inner.texts("is"))
        inner.close()
    elif kind == "recent":
        inner = d.part("recent")
        names, arguments = (inner.need("field", str),), {"days": str(inner.need("days", int))}
        inner.close()
    elif kind == "direction":
        inner = d.part("direction")
        names = (inner.need("code", str), inner.need("mark", str))
        arguments = {"IN": inner.need("IN", str), "OUT": inner.need("OUT", str)}
        inner.close()
    else:
        names = d.texts(kind)
    conditions = {key: _condition(d.part(key), fields) if key in d else {} for key in ("when", "unless")}
    d.close()
    check = Check(kind, names, fields, arguments, **conditions)
    _refuse_odd_check(check, fields, d)
    return check


def _refuse_odd_check(check: Check, fields: Mapping[str, Field], d: Declared) -> None:
    kinds = set()
    for name in (signed(name)[1] for name in check.names):
        if name == FILE_DATE and check.kind == "order":
            kinds.add("date")
        elif name not in fields or not fields[name].is_kept:
            raise d.wrong(f"{name!r} is not a kept field")
        else:
            kinds.add("date" if fields[name].type == "time" else fields[name].type)
    if check.kind == "sum" and kinds != {"amount"}:
        raise d.wrong("a sum is of amounts")
    if check.kind == "order" and kinds not in ({"date"}, {"amount"}, {"integer"}):
        raise d.wrong("an order is of dates and times, of amounts, or of integers")
    if check.kind == "recent" and kinds != {"date"}:
        raise d.wrong("recent is for a date or a time")
    if check.kind == "direction" and fields[check.names[0]].type != "enum":
        raise d.wrong("a direction is that of an enum's codes")
    if not any(name != FILE_DATE for name in check.names):
        raise d.wrong("the check names no field")


def _condition(d: Declared, fields: Mapping[str, Field]) -> dict[str, tuple[str, ...]]:
    found = {}
    for name, _ in d.members():
        if name not in fields or fields[name].type not in ("enum", "code", "integer"):
            raise d.wrong(f"{name!r} is not an enum, code or integer field")
        found[name] = d.texts(name)
        for text in found[name]:
            if fields[name].type == "enum" and text not in ("", *fields[name].codes):
                raise d.wrong(f"{name} has no code {text!r}")
    return found


def _step(d: Declared) -> envelope.Step:
    kinds = [kind for kind in envelope.KINDS if kind in d]
    if len(kinds) != 1:
        raise d.wrong(f"one of {', '.join(envelope.KINDS)} is expected")
    inner = d.part(kinds[0])
    if kinds[0] in ("form", "json"):
        step = envelope.Step(kinds[0], member=inner.need("member", str))
    elif kinds[0] == "base64":
        step = envelope.Step("base64", max_bytes=inner.need("max_bytes", int))
    else:
        entry, written = _pattern(inner, "entry"), inner.need("write_as", str)
        step = envelope.Step("zip", entry=entry, write_as=written, max_bytes=inner.need("max_bytes", int))
    inner.close()
    d.close()
    return step


def _summary(d: Declared, fields: Mapping[str, Field]) -> Summary:
    found = []
    for part in d.parts("fields"):
        field = _field(part, close=False)
        rows, sum_of = part.get("rows", bool, False), part.need("sum_of", str) if "sum_of" in part else None
        where = _condition(part.part("where"), fields) if "where" in part else {}
        part.close()
        if sum_of is not None and (rows or field.type != "amount" or sum_of not in fields or fields[sum_of].type != "amount"):
            raise part.wrong("sum_of is for an amount over an amount field, and not beside rows")
        if rows and field.type != "integer":
            raise part.wrong("a number of rows is an integer")
        if (rows or sum_of) and not field.required:
            raise part.wrong("a figure that is compared is required")
        found.append(SummaryField(field, rows, sum_of, where))
    summary = Summary(d.one_of("at", ("before", "after")), tuple(found))  # type: ignore[arg-type]
    d.close()
    return summary


def _refuse_contradictions(layout: Layout, where: str) -> None:
    """What the parts of a layout may not say together."""

    def refuse(why: str) -> None:
        raise BadDeclaration(f"{where}: {why}")

    for name in layout.key:
        if not layout.by_name[name].required:
            refuse(f"key field {name!r} is not required")
    for name in layout.totals:
        if (layout.by_name[name].type, layout.by_name[name].required) != ("amount", True):
            refuse(f"total {name!r} is not a required amount")
    for field in (*layout.fields, *(s.field for s in (layout.summary.fields if layout.summary else ()))):
        if field.sign is not None and field.sign.field is not None:
            mark = layout.by_name.get(field.sign.field)
            if mark is None or not mark.required or mark.type != "enum" or {field.sign.plus, field.sign.minus} - set(mark.codes):
                refuse(f"the mark {field.sign.field!r} of {field.name} is not a required enum with both codes")
        if field.example is not None:
            try:
                field.parse(field.example, _SOME_DAY)
            except BadValue as bad:
                refuse(f"the example of {field.name} breaks the rule {bad.rule}")
    if layout.format == "fixed_width":
        _refuse_odd_widths(layout, where)
        return
    if layout.record_end == "none":
        refuse("delimited rows need a record end")
    if layout.cell_prefix and layout.quoting != "none":
        refuse("cell_prefix and quoting exclude each other")
    if layout.bom and layout.encodings != ("utf-8",):
        refuse("a byte order mark is UTF-8's")
    if layout.extra_columns and layout.header_rule != "by_name":
        refuse("extra_columns are for header: by_name")
    if layout.envelope and layout.envelope[-1].kind == "json" and layout.encodings != ("utf-8",):
        refuse("text inside JSON is UTF-8")
    for field in layout.fields:
        if field.width or field.padding:
            refuse(f"field {field.name}: width and padding are for fixed_width")
        if field.optional_column and layout.header_rule != "by_name":
            refuse(f"field {field.name}: optional_column is for header: by_name")
    if len(set(layout.headings)) != len(layout.headings):
        refuse("two fields have one heading")


def _refuse_odd_widths(layout: Layout, where: str) -> None:
    for field in layout.fields:
        if field.width < 1 or field.heading is not None or field.optional_column:
            raise BadDeclaration(f"{where}: field {field.name} needs a width, and has neither heading nor optional_column")
    length = sum(f.width for f in layout.fields) + layout.filler * (len(layout.fields) - 1)
    if length > MAX_LINE_BYTES:
        raise BadDeclaration(f"{where}: a record has at most {MAX_LINE_BYTES} bytes")
    if length != layout.record_length:
        raise BadDeclaration(f"{where}: the widths add up to {length} bytes, record_length is {layout.record_length}")


def _lands(layout: Layout, d: Declared) -> Lands:
    target_id = d.need("layout", str)
    if target_id not in all_layouts():
        raise d.wrong(f"layout {target_id!r} is not declared")
    target = all_layouts()[target_id]
    fields, write = d.part("fields"), d.part("write") if "write" in d else Declared({}, f"{d.where}: write")
    read = {
        n: read_expression(Declared(raw, f"{fields.where} {n}"), _read_by(raw, layout, target)) for n, raw in fields.members()
    }
    back = {n: read_expression(Declared(raw, f"{write.where} {n}"), target.by_name) for n, raw in write.members()}
    d.close()
    if set(read) != set(target.by_name):
        raise d.wrong(f"fields missing or not in {target_id}: {', '.join(sorted(set(read) ^ set(target.by_name)))}")
    for name in back:
        if name not in layout.by_name:
            raise d.wrong(f"write: {name!r} is not a field")
    return Lands(target_id, read, back)


def _read_by(raw: object, layout: Layout, target: Layout) -> Mapping[str, Field]:
    """The fields that an expression may read: a template those of the row that the others made, all others the dialect's."""
    return target.by_name if isinstance(raw, dict) and "template" in raw else layout.by_name
