"""Expressions of a layout's ``lands``: how one row's field follows from another row's, and back where that is possible.

An expression reads a row by field names; what it lacks there (party, file date, the contract's dialect) is its Setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from string import Formatter
from typing import Any

from custody.calendar import CHINA, custody_date_of
from custody.declared import Declared
from schemas.field_types import BadValue, Field, Value
from schemas.row_checks import signed

ANY_OTHER = "*"
# Names that a template may use besides the row's own.
_SETTING_NAMES = ("party", "custody_date", "ordinal")
_KINDS = (
    "constant", "copy", "absolute", "negated", "map", "means", "sum", "date_of", "time_of", "custody_date", "party",
    "contract", "choose", "template",
)  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """Beside the row: the party whose file it is, the file's custody date, the contract's dialect parameters, the row's number."""

    party: str
    custody_date: date
    dialect: Mapping[str, Any]
    ordinal: int = 0


@dataclass
class Known:
    """What is known of a row while expressions are inverted. Several may speak of one code: it is the first that fits all."""

    values: dict[str, Value] = field(default_factory=dict)
    _codes: dict[str, list[str]] = field(default_factory=dict)

    def narrow(self, name: str, codes: list[str], text: str) -> None:
        """The field is one of these codes. Raises ValueError where none is left."""
        left = [code for code in self._codes.get(name, codes) if code in codes]
        if not left:
            raise ValueError(f"{name}: the dialect has no code for {text!r}")
        self._codes[name] = left
        self.values[name] = left[0]


@dataclass(frozen=True)
class Expression:
    """``name`` is the field it reads (a parameter's or template's text for ``contract`` and ``template``)."""

    kind: str
    name: str = ""
    terms: tuple[str, ...] = ()
    to: Mapping[str, str] = field(default_factory=dict, hash=False)
    cases: Mapping[str, Expression] = field(default_factory=dict, hash=False)
    at: time | None = None
    of: str | None = None

    def reads(self) -> set[str]:
        """The fields of the row that it needs."""
        if self.kind == "template":
            return {n for _, n, _, _ in Formatter().parse(self.name) if n is not None} - set(_SETTING_NAMES)
        if self.kind == "contract":
            return {self.of} if self.of else set()
        if self.kind in ("constant", "custody_date", "party"):
            return set()
        found = {signed(term)[1] for term in self.terms} or {self.name}
        return found.union(*(case.reads() for case in self.cases.values()))

    def value(self, row: Mapping[str, Value], fields: Mapping[str, Field], setting: Setting) -> Value:
        """Its value for a row (by field name). Raises BadValue where a code, a parameter or a kind of value does not fit."""
        kind, name = self.kind, self.name
        if kind == "constant":
            return name
        if kind == "custody_date":
            return setting.custody_date
        if kind == "party":
            return setting.party
        if kind == "sum":
            return sum(sign * _amount(row, part) for sign, part in map(signed, self.terms))
        if kind == "template":
            return name.format(**row, party=setting.party, custody_date=setting.custody_date, ordinal=setting.ordinal)
        if kind == "contract":
            return self._of_contract(row, fields, setting)
        found = row[name]
        if kind == "copy" or (found is None and kind not in ("map", "choose")):
            return found
        if kind in ("absolute", "negated"):
            return abs(_amount(row, name)) if kind == "absolute" else -_amount(row, name)
        if kind == "date_of":
            return custody_date_of(found) if isinstance(found, datetime) else found
        if kind == "time_of":
            assert isinstance(found, date) and self.at is not None
            return datetime.combine(found, self.at, CHINA)
        text = fields[name].format(found)
        if kind == "means":
            return fields[name].code_words[text].means
        if kind == "map":
            if text not in self.to:
                raise BadValue("not_mapped", source=name, value=text)
            return self.to[text]
        return self._case(text).value(row, fields, setting)

    def invert(self, value: Value, text: str, known: Known, fields: Mapping[str, Field], setting: Setting) -> None:
        """Add what ``value`` (as text: ``text``) says of the read row's fields to ``known``; nothing where it says nothing.
        Raises ValueError where no code says it."""
        if self.kind == "copy":
            known.values[self.name] = value
        elif self.kind == "means":
            known.narrow(self.name, [code for code, words in fields[self.name].code_words.items() if words.means == text], text)
        elif self.kind == "map":
            known.narrow(self.name, [code for code, means in self.to.items() if means == text], text)
        elif self.kind == "contract" and self.of is not None:
            known.narrow(self.of, [code for code, means in _parameter(setting, self.name).items() if means == text], text)
        elif self.kind == "choose" and known.values.get(self.name) is not None:
            self._case(fields[self.name].format(known.values[self.name])).invert(value, text, known, fields, setting)

    def _case(self, text: str) -> Expression:
        found = self.cases.get(text, self.cases.get(ANY_OTHER))
        if found is None:
            raise BadValue("not_mapped", source=self.name, value=text)
        return found

    def _of_contract(self, row: Mapping[str, Value], fields: Mapping[str, Field], setting: Setting) -> Value:
        if self.of is None:
            if not isinstance(setting.dialect.get(self.name), str):
                raise BadValue("contract_lacks", parameter=self.name, value="")
            return str(setting.dialect[self.name])
        text = fields[self.of].format(row[self.of])
        found = _parameter(setting, self.name).get(text)
        if found is None:
            raise BadValue("contract_lacks", parameter=self.name, value=text)
        return str(found)


def read_expression(declared: Declared, fields: Mapping[str, Field]) -> Expression:
    """One declared expression over a row with these fields. Raises BadDeclaration."""
    kinds = [kind for kind in _KINDS if kind in declared]
    if len(kinds) != 1:
        raise declared.wrong(f"one of {', '.join(_KINDS)} is expected")
    kind = kinds[0]
    if kind in ("custody_date", "party"):
        if declared.need(kind, bool) is not True:
            raise declared.wrong(f"{kind} can only be true")
        found = Expression(kind)
    elif kind == "sum":
        found = Expression(kind, terms=declared.texts("sum"))
    elif kind == "map":
        found = Expression(kind, declared.need(kind, str), to=_texts(declared.part("to")))
    elif kind == "choose":
        cases = declared.part("cases")
        read = {k: read_expression(Declared(raw, f"{cases.where} {k}"), fields) for k, raw in cases.members()}
        found = Expression(kind, declared.need(kind, str), cases=read)
    elif kind == "contract":
        found = Expression(kind, declared.need(kind, str), of=declared.need("of", str) if "of" in declared else None)
    elif kind == "time_of":
        found = Expression(kind, declared.need(kind, str), at=time.fromisoformat(declared.need("at", str)))
    else:
        found = Expression(kind, declared.need(kind, str))
    declared.close()
    for name in found.reads():
        if name not in fields or not fields[name].is_kept:
            raise declared.wrong(f"{name!r} is not a kept field")
    return found


def _texts(declared: Declared) -> dict[str, str]:
    found = {}
    for key, value in declared.members():
        if not isinstance(value, str):
            raise declared.wrong(f"{key} is {value!r}; quote it")
        found[key] = value
    return found


def _amount(row: Mapping[str, Value], name: str) -> int:
    """An amount in minor units; a blank one counts nothing."""
    found = row[name]
    return found if isinstance(found, int) else 0


def _parameter(setting: Setting, name: str) -> Mapping[str, Any]:
    found = setting.dialect.get(name)
    if not isinstance(found, Mapping):
        raise BadValue("contract_lacks", parameter=name, value="")
    return found
