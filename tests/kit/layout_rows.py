"""Hypothesis strategies for rows of any layout: every value that its declaration lets stand in a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from custody.calendar import CHINA
from custody.identity_numbers import id_check_digit, luhn_check_digit, uscc_check_digit
from custody.money import parse_amount
from schemas.field_types import Field, Value
from schemas.layout import Layout

# A January file: its December rows are of the year before.
FILE_DATE = date(2020, 1, 15)
DAYS = st.dates(date(1950, 1, 1), date(2099, 12, 31))
DAYS_WITHOUT_YEAR = st.dates(date(2019, 12, 1), date(2020, 11, 30))
_DIGITS = "0123456789"
_USCC = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def without_checks(layout: Layout) -> Layout:
    """The layout with its rows' own rules only: what fields say of each other is not drawn here."""
    return replace(layout, checks=())


def bare(layout: Layout) -> Layout:
    """The same without what it comes wrapped in."""
    return replace(without_checks(layout), envelope=())


def rows_of(layout: Layout, encoding: str, min_size: int = 0) -> st.SearchStrategy[list[dict[str, Value]]]:
    """Rows by landed column, their keys unique, that the layout can write in the encoding."""
    cells = {f.column: _cells(layout, f, encoding) for f in layout.fields if f.is_kept}
    unique = (lambda row: tuple(row[name] for name in layout.key_columns)) if layout.key else None
    rows = st.fixed_dictionaries(cells).map(lambda row: _signed(layout, row))
    return st.lists(rows, min_size=min_size, max_size=3, unique_by=unique)


def _signed(layout: Layout, row: dict[str, Value]) -> dict[str, Value]:
    for column, mark, sign in layout.signed_fields:
        value = row[column]
        if isinstance(value, int):
            row[column] = -abs(value) if row[mark] == sign.minus else abs(value)
    return row


def _cells(layout: Layout, field: Field, encoding: str) -> st.SearchStrategy[Any]:
    def fits(value: Any) -> bool:
        cell = field.format(value, FILE_DATE)
        try:
            raw = cell.encode(encoding)
        except UnicodeEncodeError:
            return False
        return cell not in ("", field.blank) and (not field.width or len(raw) <= field.width)

    values = (_texts(layout, field, encoding) if field.type == "text" else _VALUES[field.type](layout, field)).filter(fits)
    return values if field.required else st.one_of(st.none(), values)


def _texts(layout: Layout, field: Field, encoding: str) -> st.SearchStrategy[str]:
    free = layout.quoting != "none" or layout.cell_prefix or not layout.delimiter
    letters = st.characters(codec=encoding, exclude_categories=("C", "Z"), exclude_characters="" if free else layout.delimiter)
    longest, room = int(str(field.max)), field.width or 10**6
    # Two bytes for each of the common ones, so that a field is filled to its last byte; up to four for the others.
    common = st.text(
        st.sampled_from("张王李赵·公司丂亄"), min_size=1, max_size=min(longest, room // (3 if encoding == "utf-8" else 2))
    )
    words = st.one_of(common, st.text(letters, min_size=1, max_size=min(longest, max(1, room // 4))))
    parting = layout.delimiter + layout.cell_prefix
    return words.filter(lambda s: s.isprintable() and s[0] not in "=+-@＝＋－＠" and (not layout.cell_prefix or parting not in s))


@st.composite
def _identities(draw: st.DrawFn) -> str:
    if draw(st.booleans()):
        first17 = f"{draw(st.integers(110000, 659999))}{draw(DAYS):%Y%m%d}{draw(st.integers(0, 999)):03d}"
        return first17 + id_check_digit(first17)
    body = draw(st.text(_USCC, min_size=17, max_size=17))
    return body + uscc_check_digit(body)


@st.composite
def _cards(draw: st.DrawFn) -> str:
    body = draw(st.sampled_from("123456789")) + draw(st.text(_DIGITS, min_size=11, max_size=17))
    return body + luhn_check_digit(body)


def _amounts(layout: Layout, field: Field) -> st.SearchStrategy[int]:
    room = 10 ** (field.width - (2 if field.negative or (field.sign and not field.sign.field) else 1)) if field.width else 10**13
    least = parse_amount(field.min) if field.min else (0 if field.sign else -room + 1)
    most = min(parse_amount(field.max) if field.max else room - 1, 10**13)
    magnitudes = st.integers(least, most)
    if field.sign is None or field.sign.field is not None:
        return magnitudes
    return st.one_of(magnitudes, magnitudes.map(lambda minor: -minor))


def _rates(layout: Layout, field: Field) -> st.SearchStrategy[str]:
    places = min(field.decimals if field.decimals is not None else 6, 6)
    most = int(Decimal(field.max or 9) * 10**places)
    return st.integers(0, most).map(lambda n: f"{(Decimal(n) / 10**places).normalize():f}")


def _integers(layout: Layout, field: Field) -> st.SearchStrategy[int]:
    room = 10**field.width - 1 if field.width else 10**17
    return st.integers(int(field.min or (0 if field.width else -room)), min(int(field.max or room), room))


def _times(layout: Layout, field: Field) -> st.SearchStrategy[datetime]:
    if field.lacks_year:
        midnights = DAYS_WITHOUT_YEAR.map(lambda day: datetime.combine(day, time(), CHINA))
        return st.builds(lambda midnight, s: midnight + timedelta(seconds=s), midnights, st.integers(0, 86_399))
    return st.integers(0, 4 * 10**9).map(lambda s: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=s))


def _clocks(layout: Layout, field: Field) -> st.SearchStrategy[str]:
    clocks = st.times(time(0), time(23, 59, 59)).map(lambda at: f"{at:%H:%M:%S}")
    return clocks if field.written_form == "hhmmss" else st.builds("{}.{:02d}".format, clocks, st.integers(0, 99))


_VALUES: dict[str, Callable[[Layout, Field], st.SearchStrategy[Any]]] = {
    "code": lambda layout, f: st.from_regex(f"(?a:{f.pattern})", fullmatch=True),
    "enum": lambda layout, f: st.sampled_from(f.codes),
    "integer": _integers,
    "amount": _amounts,
    "rate": _rates,
    "date": lambda layout, f: DAYS_WITHOUT_YEAR if f.lacks_year else DAYS,
    "time": _times,
    "clock": _clocks,
    "identity": lambda layout, f: _identities(),
    "phone": lambda layout, f: st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True),
    "card": lambda layout, f: _cards(),
}
