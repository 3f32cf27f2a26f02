"""One field of a layout: its type's rule, and how a value stands in a file.

A cell is text without padding. ``parse`` gives its value, ``format`` the text that ``parse`` reads back to the same value.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Literal

from custody.calendar import CHINA
from custody.identity_numbers import is_card_number, is_identity_number, is_phone, is_uscc
from custody.masking import visible
from custody.money import MAX_MINOR, format_amount, parse_amount

FieldType = Literal[
    "code", "text", "enum", "integer", "amount", "rate", "date", "time", "clock", "identity", "phone", "card", "reserved"
]
Padding = Literal["spaces_right", "spaces_left", "zeros_left"]
Value = str | int | date | datetime | None

# How the parts of a form stand in a cell; a form without "yyyy" takes its year from the file's date.
_PARTS = {
    "yyyy": "(?P<year>[0-9]{4})",
    "month": "(?P<month>[0-9]{2})",
    "dd": "(?P<day>[0-9]{2})",
    "hh": "(?P<hour>[0-9]{2})",
    "minute": "(?P<minute>[0-9]{2})",
    "ss": "(?P<second>[0-9]{2})",
}
# form -> (pattern of a cell, strftime pattern that writes it)
FORMS: dict[str, dict[str, tuple[str, str]]] = {
    "date": {
        "yyyy-mm-dd": ("{yyyy}-{month}-{dd}", "%Y-%m-%d"),
        "yyyymmdd": ("{yyyy}{month}{dd}", "%Y%m%d"),
        "mmdd": ("{month}{dd}", "%m%d"),
    },
    "time": {
        "yyyy-mm-ddThh:mm:ss": ("{yyyy}-{month}-{dd}T{hh}:{minute}:{ss}", "%Y-%m-%dT%H:%M:%S"),
        "yyyy-mm-dd hh:mm:ss": ("{yyyy}-{month}-{dd} {hh}:{minute}:{ss}", "%Y-%m-%d %H:%M:%S"),
        "yyyymmddhhmmss": ("{yyyy}{month}{dd}{hh}{minute}{ss}", "%Y%m%d%H%M%S"),
        "mmddhhmmss": ("{month}{dd}{hh}{minute}{ss}", "%m%d%H%M%S"),
    },
    "clock": {"hhmmss": ("", ""), "hhmmsstt": ("", "")},
}
_PATTERNS = {
    form: re.compile(pattern.format(**_PARTS)) for kind in ("date", "time") for form, (pattern, _) in FORMS[kind].items()
}
_CLOCKS = {
    "hhmmss": (re.compile("([0-9]{2})([0-9]{2})([0-9]{2})"), "{}:{}:{}"),
    "hhmmsstt": (re.compile("([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})"), "{}:{}:{}.{}"),
}
# A moment of the year 1 in UTC+8 lies in the year 0 of UTC, which nothing downstream can hold; no date of business is that old.
FIRST_YEAR = 1900
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ISO_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_RATE = re.compile(r"(0|[1-9][0-9]{0,3})(\.[0-9]{1,10})?")
_FEN = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
# Control and format characters (direction marks, zero widths) and line separators; rare ideographs are letters, not these.
_CONTROL = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
NUMBERS = ("integer", "amount", "rate")


class BadValue(ValueError):
    """A cell breaks a rule: ``rule`` and ``figures`` make its words (custody.texts)."""

    def __init__(self, rule: str, **figures: object) -> None:
        super().__init__(rule)
        self.rule, self.figures = rule, figures


@dataclass(frozen=True)
class Code:
    """One entry of a code list: words for the document, our transaction type, and the direction that it must have."""

    en: str
    zh: str
    means: str | None = None
    direction: Literal["IN", "OUT"] | None = None


@dataclass(frozen=True)
class Sign:
    """A C/D mark that gives an amount its sign: a field of its own (``field``), or the cell's first character (None)."""

    field: str | None
    plus: str
    minus: str


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
    code_words: Mapping[str, Code] = dataclass_field(default_factory=dict, hash=False)
    heading: str | None = None
    optional_column: bool = False
    width: int = 0
    padding: Padding | None = None
    blank: str | None = None
    example: str | None = None
    unit: Literal["yuan", "fen"] = "yuan"
    decimals: int | None = None
    negative: bool = False
    sign: Sign | None = None
    form: str | None = None

    @cached_property
    def column(self) -> str:
        """The landed column's name: amounts say their unit."""
        return f"{self.name}_minor" if self.type == "amount" else self.name

    @cached_property
    def is_kept(self) -> bool:
        """Whether the field lands; reserved bytes and columns do not."""
        return self.type != "reserved"

    @cached_property
    def padded_as(self) -> Padding:
        """How it is padded in a fixed-width file where its declaration does not say."""
        return self.padding or ("zeros_left" if self.type in NUMBERS else "spaces_right")

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        return None if self.pattern is None else re.compile(self.pattern)

    @cached_property
    def written_form(self) -> str:
        """The form of a date, time or clock as it stands in the file."""
        return self.form or next(iter(FORMS[self.type]))

    @property
    def lacks_year(self) -> bool:
        return self.type in ("date", "time") and "yyyy" not in self.written_form

    def parse(self, cell: str, file_date: date | None = None) -> Value:
        """Text of one cell to its value (amount: int minor units; rate: normalised text; time: aware, UTC+8).

        ``file_date`` gives a form without a year its year. Raises BadValue."""
        if cell == "" or cell == self.blank:
            if self.required:
                raise BadValue("required")
            return None
        # Nearly every cell is printable, which Python tells at once; only the rest is looked at letter by letter.
        if not cell.isprintable() and any(unicodedata.category(char) in _CONTROL for char in cell):
            raise BadValue("control_character")
        return _PARSERS[self.type](self, cell, file_date)

    def format(self, value: Value, file_date: date | None = None) -> str:
        """A value to the text that ``parse`` reads back to the same value. Raises ValueError where no text does."""
        if value is None:
            return self.blank or ""
        if self.type == "amount":
            assert isinstance(value, int)
            return _amount_text(self, value)
        if self.type == "rate" and self.decimals is not None:
            scaled = Decimal(str(value)).scaleb(self.decimals)
            if scaled != int(scaled):
                raise ValueError(f"{self.name}: {value} has more than {self.decimals} decimals")
            return str(int(scaled))
        if isinstance(value, date):
            local = value.astimezone(CHINA) if isinstance(value, datetime) else value
            pattern = FORMS["time" if isinstance(value, datetime) else "date"][self._form_of(value)][1]
            text = local.strftime(pattern.replace("%Y", f"{local.year:04d}"))
            if self.lacks_year and self.parse(text, file_date) != value:
                raise ValueError(f"{self.name}: {value} cannot be written without its year in a file of {file_date}")
            return text
        if self.type == "clock":
            return re.sub("[:.]", "", str(value))
        return str(value)

    def _form_of(self, value: date) -> str:
        # A time in a date's field (or the reverse) is written in full: reading it is then a fault, not a wrong date.
        same = (self.type == "time") == isinstance(value, datetime) and self.type in FORMS
        return self.written_form if same else next(iter(FORMS["time" if isinstance(value, datetime) else "date"]))


def _bounded(field: Field, number: int | Decimal, bound: Callable[[str], int | Decimal]) -> None:
    if field.min is not None and number < bound(field.min):
        raise BadValue("min", min=field.min)
    if field.max is not None and number > bound(field.max):
        raise BadValue("max", max=field.max)


def _code(field: Field, cell: str, _: date | None) -> Value:
    if field._pattern is not None and not field._pattern.fullmatch(cell):
        raise BadValue("pattern", pattern=field.pattern)
    return cell


def _text(field: Field, cell: str, _: date | None) -> Value:
    if field.max is not None and len(cell) > int(field.max):
        raise BadValue("max_length", max=field.max)
    if cell.startswith(_FORMULA_STARTS):
        raise BadValue("formula", start=cell[0])
    return cell


def _enum(field: Field, cell: str, _: date | None) -> Value:
    if cell not in field.codes:
        raise BadValue("codes", codes=", ".join(field.codes))
    return cell


def _integer(field: Field, cell: str, _: date | None) -> Value:
    if not _INTEGER.fullmatch(cell):
        raise BadValue("integer")
    number = int(cell)
    _bounded(field, number, int)
    return number


def _amount(field: Field, cell: str, _: date | None) -> Value:
    mark = ""
    if field.sign is not None:
        if field.sign.field is None:
            mark, cell = cell[0], cell[1:]
            if mark not in (field.sign.plus, field.sign.minus):
                raise BadValue("sign_mark", plus=field.sign.plus, minus=field.sign.minus)
        if cell.startswith("-"):
            raise BadValue("amount", why="-")
    minor = _fen(cell) if field.unit == "fen" else _yuan(field, cell)
    _bounded(field, minor, parse_amount)
    return -minor if field.sign is not None and mark == field.sign.minus else minor


def _fen(cell: str) -> int:
    if not _FEN.fullmatch(cell) or abs(int(cell)) > MAX_MINOR:
        raise BadValue("amount_fen")
    return int(cell)


def _yuan(field: Field, cell: str) -> int:
    whole, point, places = cell.partition(".")
    if field.decimals is not None and 2 < len(places) <= field.decimals and not places[2:].strip("0"):
        cell = f"{whole}{point}{places[:2]}"
    try:
        return parse_amount(cell)
    except ValueError as why:
        raise BadValue("amount", why=visible(str(why), 160)) from None


def _amount_text(field: Field, minor: int) -> str:
    mark = ""
    if field.sign is not None:
        if field.sign.field is None:
            mark = field.sign.minus if minor < 0 else field.sign.plus
        minor = abs(minor)
    if field.unit == "fen":
        return f"{mark}{minor}"
    return f"{mark}{format_amount(minor)}{'0' * ((field.decimals or 2) - 2)}"


def _rate(field: Field, cell: str, _: date | None) -> Value:
    if field.decimals is not None:
        if not _FEN.fullmatch(cell) or cell.startswith("-"):
            raise BadValue("rate_digits", decimals=field.decimals)
        rate = Decimal(cell).scaleb(-field.decimals)
    elif _RATE.fullmatch(cell):
        rate = Decimal(cell)
    else:
        raise BadValue("rate")
    _bounded(field, rate, Decimal)
    return f"{rate.normalize():f}"


def _moment(field: Field, cell: str, file_date: date | None) -> dict[str, int]:
    """The numbers of a date or time by their names; the year of a form without one is the file's, less one for
    December rows in a January file."""
    found = _PATTERNS[field.written_form].fullmatch(cell)
    if found is None:
        raise BadValue("form", form=field.written_form)
    numbers = {name: int(digits) for name, digits in found.groupdict().items()}
    if "year" not in numbers:
        if file_date is None:
            raise ValueError(f"field {field.name}: a form without a year needs the file's date")
        numbers["year"] = file_date.year - (1 if numbers["month"] == 12 and file_date.month == 1 else 0)
    if numbers["year"] < FIRST_YEAR:
        raise BadValue("form", form=field.written_form)
    return numbers


def _date(field: Field, cell: str, file_date: date | None) -> Value:
    if field.form is None and not (_ISO_DATE.fullmatch(cell) and int(cell[:4]) >= FIRST_YEAR):
        raise BadValue("date")
    try:
        return date.fromisoformat(cell) if field.form is None else date(**_moment(field, cell, file_date))
    except BadValue:
        raise
    except ValueError:
        raise BadValue("date" if field.form is None else "form", form=field.written_form) from None


def _time(field: Field, cell: str, file_date: date | None) -> Value:
    if field.form is None and not (_ISO_TIME.fullmatch(cell) and int(cell[:4]) >= FIRST_YEAR):
        raise BadValue("time")
    try:
        if field.form is None:
            return datetime.fromisoformat(cell).replace(tzinfo=CHINA)
        return datetime(**_moment(field, cell, file_date), tzinfo=CHINA)  # type: ignore[arg-type]
    except BadValue:
        raise
    except ValueError:
        raise BadValue("time" if field.form is None else "form", form=field.written_form) from None


def _clock(field: Field, cell: str, _: date | None) -> Value:
    pattern, shown = _CLOCKS[field.written_form]
    found = pattern.fullmatch(cell)
    if found is None or int(found[1]) > 23 or int(found[2]) > 59 or int(found[3]) > 59:
        raise BadValue("form", form=field.written_form)
    return shown.format(*found.groups())


def _reserved(field: Field, cell: str, _: date | None) -> Value:
    return None


def _checked(rule: str, valid: Callable[[str], bool]) -> Callable[[Field, str, date | None], Value]:
    def check(field: Field, cell: str, _: date | None) -> Value:
        if not valid(cell):
            raise BadValue(rule)
        return cell

    return check


_PARSERS: dict[str, Callable[[Field, str, date | None], Value]] = {
    "code": _code,
    "text": _text,
    "enum": _enum,
    "integer": _integer,
    "amount": _amount,
    "rate": _rate,
    "date": _date,
    "time": _time,
    "clock": _clock,
    "identity": _checked("identity", lambda cell: is_identity_number(cell) or is_uscc(cell)),
    "phone": _checked("phone", is_phone),
    "card": _checked("card", is_card_number),
    "reserved": _reserved,
}
