"""Checks of a whole row that a layout declares as data: sums, order of dates, filled fields, direction of a code.

Each check is one kind with its arguments, applied where ``when`` holds and ``unless`` does not. ``broken`` names the
rule that a row breaks and its figures; fields are looked up by their landed columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise

from custody.calendar import custody_date_of
from custody.money import format_amount
from schemas.field_types import BadValue, Field, Value

# The word for the file's own date where a check orders dates.
FILE_DATE = "custody_date"
KINDS = ("sum", "order", "recent", "any_filled", "one_filled", "filled", "empty", "direction")

Row = Mapping[str, Value]


@dataclass(frozen=True)
class Check:
    """``names`` are the fields it reads in order; ``arguments`` what else its kind needs."""

    kind: str
    names: tuple[str, ...]
    fields: Mapping[str, Field] = field(hash=False, repr=False)
    arguments: Mapping[str, str] = field(default_factory=dict, hash=False)
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    unless: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    def broken(self, row: Row, file_date: date | None) -> BadValue | None:
        """What the row breaks, or None. A row is checked only when all its cells could be read."""
        if not all(self._text(row, name) in texts for name, texts in self.when.items()):
            return None
        if self.unless and all(self._text(row, name) in texts for name, texts in self.unless.items()):
            return None
        return _KINDS[self.kind](self, row, file_date)

    @property
    def place(self) -> str:
        """The field that a finding names."""
        return next(name for name in self.names if name != FILE_DATE)

    def value(self, row: Row, name: str, file_date: date | None = None) -> Value:
        return file_date if name == FILE_DATE else row[self.fields[name].column]

    def _text(self, row: Row, name: str) -> str:
        return self.fields[name].format(self.value(row, name))


def signed(term: str) -> tuple[int, str]:
    """A term of a sum: "-fee" is (-1, "fee")."""
    return (-1, term[1:]) if term.startswith("-") else (1, term)


def _sum(check: Check, row: Row, _: date | None) -> BadValue | None:
    of, *terms = check.names
    parts = [(signed(term)[0], check.value(row, signed(term)[1])) for term in terms]
    found = check.value(row, of)
    if found is None:
        return None
    total = sum(sign * int(str(part or 0)) for sign, part in parts)
    if found == total:
        return None
    shown = " ".join(term if term.startswith("-") else f"+{term}" for term in terms).removeprefix("+")
    return BadValue("check_sum", field=of, terms=shown, found=format_amount(int(str(found))), expected=format_amount(total))


def _order(check: Check, row: Row, file_date: date | None) -> BadValue | None:
    filled = [(name, value) for name in check.names if (value := check.value(row, name, file_date)) is not None]
    for (first, low), (second, high) in pairwise(filled):
        if _is_after(low, high):
            return BadValue("check_order", first=first, second=second)
    return None


def _is_after(low: Value, high: Value) -> bool:
    if isinstance(low, datetime) and isinstance(high, datetime):
        return low > high
    if isinstance(low, date) and isinstance(high, date):
        return _day(low) > _day(high)
    return low > high  # type: ignore[operator]  # two of one type: the loader lets no others pass


def _day(value: date) -> date:
    return custody_date_of(value) if isinstance(value, datetime) else value


def _recent(check: Check, row: Row, file_date: date | None) -> BadValue | None:
    value, days = check.value(row, check.names[0]), int(check.arguments["days"])
    if not isinstance(value, date) or file_date is None or (file_date - _day(value)).days <= days:
        return None
    return BadValue("check_recent", field=check.names[0], days=days)


def _filled_names(check: Check, row: Row) -> list[str]:
    return [name for name in check.names if check.value(row, name) is not None]


def _any_filled(check: Check, row: Row, _: date | None) -> BadValue | None:
    return None if _filled_names(check, row) else BadValue("check_any_filled", fields=", ".join(check.names))


def _one_filled(check: Check, row: Row, _: date | None) -> BadValue | None:
    return None if len(_filled_names(check, row)) == 1 else BadValue("check_one_filled", fields=", ".join(check.names))


def _filled(check: Check, row: Row, _: date | None) -> BadValue | None:
    missing = [name for name in check.names if check.value(row, name) is None]
    return BadValue("check_filled", fields=", ".join(missing), when=shown_condition(check.when)) if missing else None


def _empty(check: Check, row: Row, _: date | None) -> BadValue | None:
    found = _filled_names(check, row)
    return BadValue("check_empty", fields=", ".join(found), when=shown_condition(check.when)) if found else None


def shown_condition(condition: Mapping[str, Sequence[str]]) -> str:
    """A ``when`` as a person reads it: "flag = S"."""
    return " & ".join(f"{name} = {' | '.join(texts)}" for name, texts in condition.items()) or "*"


def _direction(check: Check, row: Row, _: date | None) -> BadValue | None:
    code_field, mark_field = check.names
    code, mark = check.value(row, code_field), check.value(row, mark_field)
    if code is None:
        return None
    expected = check.fields[code_field].code_words[str(code)].direction
    if expected is None or check.arguments[expected] == mark:
        return None
    return BadValue("check_direction", code=code, direction=expected, mark=mark, expected=check.arguments[expected])


_KINDS: dict[str, Callable[[Check, Row, date | None], BadValue | None]] = {
    "sum": _sum,
    "order": _order,
    "recent": _recent,
    "any_filled": _any_filled,
    "one_filled": _one_filled,
    "filled": _filled,
    "empty": _empty,
    "direction": _direction,
}
