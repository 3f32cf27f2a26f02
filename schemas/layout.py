"""File layouts as data: one YAML file for each layout and version under ``schemas/layouts/``.

A layout says its fields, their types and rules, its key and its control totals. Parser, writer and checks all work
from it (schemas.delimited), so adding a layout needs no code.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml

from custody.calendar import CHINA
from custody.identity_numbers import is_card_number, is_identity_number, is_phone, is_uscc
from custody.masking import mask
from custody.money import format_amount, parse_amount

FieldType = Literal["code", "text", "enum", "integer", "amount", "rate", "date", "time", "identity", "phone", "card"]
Value = str | int | date | datetime | None

# The C loader where PyYAML was built with it: layouts are read at the start of every command.
_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_RATE = re.compile(r"(0|[1-9][0-9]{0,3})(\.[0-9]{1,10})?")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
# Control and format characters (direction marks, zero widths) and line separators; rare ideographs are letters, not these.
_CONTROL = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


class UnknownLayout(KeyError):
    """No layout of that name and version is declared."""


class BadValue(ValueError):
    """A cell breaks a rule: ``rule`` and ``figures`` make its words (custody.texts)."""

    def __init__(self, rule: str, **figures: object) -> None:
        super().__init__(rule)
        self.rule, self.figures = rule, figures


@dataclass(frozen=True)
class Field:
    name: str
    type: FieldType
    required: bool
    title_en: str
    title_zh: str
    pattern: str | None = None
    codes: tuple[str, ...] = ()
    min: str | None = None
    max: str | None = None
    personal: bool = False

    @property
    def column(self) -> str:
        """The landed column's name: amounts say their unit."""
        return f"{self.name}_minor" if self.type == "amount" else self.name

    def parse(self, cell: str) -> Value:
        """Text of one cell to its value (amount: int minor units; rate: normalised text; time: aware, UTC+8)."""
        if cell == "":
            if self.required:
                raise BadValue("required")
            return None
        # Nearly every cell is printable, which Python tells at once; only the rest is looked at letter by letter.
        if not cell.isprintable() and any(unicodedata.category(char) in _CONTROL for char in cell):
            raise BadValue("control_character")
        return _PARSERS[self.type](self, cell)

    def format(self, value: Value) -> str:
        """A value to the text that ``parse`` reads back to the same value."""
        if value is None:
            return ""
        if self.type == "amount":
            assert isinstance(value, int)
            return format_amount(value)
        if isinstance(value, datetime):
            return value.astimezone(CHINA).strftime("%Y-%m-%dT%H:%M:%S")
        if isinstance(value, date):
            return value.isoformat()
        return str(value)


@dataclass(frozen=True)
class Layout:
    name: str
    version: int
    file_type: str
    sender: str
    delimiter: str
    encodings: tuple[str, ...]
    key: tuple[str, ...]
    totals: tuple[str, ...]
    rejects_repeated_key: bool
    fields: tuple[Field, ...]
    title_en: str
    title_zh: str

    @property
    def id(self) -> str:
        return f"{self.name}/{self.version}"

    def shown(self, cell: str) -> str:
        """A rejected cell as a finding may show it, its length bounded. In a layout with personal fields every cell is
        masked: columns that stand in each other's place are a common fault, and a phone in the wrong one is still a phone."""
        return mask(cell[:80]) if self.is_personal else cell[:80]

    @property
    def is_personal(self) -> bool:
        """Whether any field is personal data."""
        return any(f.personal for f in self.fields)

    @property
    def header(self) -> str:
        return self.delimiter.join(f.name for f in self.fields)

    def field(self, name: str) -> Field:
        for found in self.fields:
            if found.name == name:
                return found
        raise KeyError(f"layout {self.id} has no field {name!r}")


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
    loaded = {}
    for resource in sorted(files("schemas").joinpath("layouts").iterdir(), key=lambda r: r.name):
        if resource.name.endswith(".yaml"):
            layout = _from_declaration(yaml.load(resource.read_text(encoding="utf-8"), _Loader))
            loaded[layout.id] = layout
    return loaded


def layouts_for(file_type: str) -> list[str]:
    return [layout.id for layout in all_layouts().values() if layout.file_type == file_type]


def _from_declaration(raw: dict[str, Any]) -> Layout:
    fields = tuple(
        Field(
            name=f["name"],
            type=f["type"],
            required=f["required"],
            title_en=f["title"]["en"],
            title_zh=f["title"]["zh"],
            pattern=f.get("pattern"),
            codes=tuple(f.get("codes", ())),
            min=None if f.get("min") is None else str(f["min"]),
            max=None if f.get("max") is None else str(f["max"]),
            personal=f.get("personal", False),
        )
        for f in raw["fields"]
    )
    names = {f.name for f in fields}
    for used in (*raw["key"], *raw["totals"]):
        if used not in names:
            raise ValueError(f"layout {raw['layout']}: {used!r} is not a field")
    return Layout(
        name=raw["layout"],
        version=raw["version"],
        file_type=raw["file_type"],
        sender=raw["sender"],
        delimiter=raw["delimiter"],
        encodings=tuple(raw["encodings"]),
        key=tuple(raw["key"]),
        totals=tuple(raw["totals"]),
        rejects_repeated_key={"reject": True, "reconcile": False}[raw["repeated_key"]],
        fields=fields,
        title_en=raw["title"]["en"],
        title_zh=raw["title"]["zh"],
    )


def _bounded(field: Field, number: int | Decimal, bound: Callable[[str], int | Decimal]) -> None:
    if field.min is not None and number < bound(field.min):
        raise BadValue("min", min=field.min)
    if field.max is not None and number > bound(field.max):
        raise BadValue("max", max=field.max)


def _code(field: Field, cell: str) -> Value:
    if field.pattern is not None and not re.fullmatch(field.pattern, cell):
        raise BadValue("pattern", pattern=field.pattern)
    return cell


def _text(field: Field, cell: str) -> Value:
    if field.max is not None and len(cell) > int(field.max):
        raise BadValue("max_length", max=field.max)
    if cell.startswith(_FORMULA_STARTS):
        raise BadValue("formula", start=cell[0])
    return cell


def _enum(field: Field, cell: str) -> Value:
    if cell not in field.codes:
        raise BadValue("codes", codes=", ".join(field.codes))
    return cell


def _integer(field: Field, cell: str) -> Value:
    if not _INTEGER.fullmatch(cell):
        raise BadValue("integer")
    number = int(cell)
    _bounded(field, number, int)
    return number


def _amount(field: Field, cell: str) -> Value:
    try:
        minor = parse_amount(cell)
    except ValueError as why:
        raise BadValue("amount", why=str(why)) from None
    _bounded(field, minor, parse_amount)
    return minor


def _rate(field: Field, cell: str) -> Value:
    if not _RATE.fullmatch(cell):
        raise BadValue("rate")
    rate = Decimal(cell)
    _bounded(field, rate, Decimal)
    return f"{rate.normalize():f}"


def _date(field: Field, cell: str) -> Value:
    if not _DATE.fullmatch(cell):
        raise BadValue("date")
    try:
        return date.fromisoformat(cell)
    except ValueError:
        raise BadValue("date") from None


def _time(field: Field, cell: str) -> Value:
    if not _TIME.fullmatch(cell):
        raise BadValue("time")
    try:
        return datetime.fromisoformat(cell).replace(tzinfo=CHINA)
    except ValueError:
        raise BadValue("time") from None


def _checked(rule: str, valid: Callable[[str], bool]) -> Callable[[Field, str], Value]:
    def check(field: Field, cell: str) -> Value:
        if not valid(cell):
            raise BadValue(rule)
        return cell

    return check


_PARSERS: dict[str, Callable[[Field, str], Value]] = {
    "code": _code,
    "text": _text,
    "enum": _enum,
    "integer": _integer,
    "amount": _amount,
    "rate": _rate,
    "date": _date,
    "time": _time,
    "identity": _checked("identity", lambda cell: is_identity_number(cell) or is_uscc(cell)),
    "phone": _checked("phone", is_phone),
    "card": _checked("card", is_card_number),
}
