"""Personal data of a customer: which fields, who said them when, and what may be shown of them (design.md §4.6, domain.md §10)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from custody.masking import mask, mask_name

FIELDS = ("id_type", "id_no", "name", "phone", "card_no")
# A person can be found by these, through a keyed digest of the value; the name is no key.
INDEXED = ("id_no", "phone", "card_no")
# What is no secret by itself.
_OPEN = ("id_type",)


@dataclass(frozen=True)
class Said:
    """What one party said of a customer for one custody date. ``sources``: ``file:line``, or ``proposal:ID`` of a decision."""

    party: str
    on: date
    fields: Mapping[str, str | None]
    sources: tuple[str, ...]


def latest(said: Iterable[Said], as_of: date | None = None) -> dict[str, Said]:
    """By party: its last word up to a date, or so far."""
    found: dict[str, Said] = {}
    for word in sorted(said, key=lambda s: (s.party, s.on)):
        if as_of is None or word.on <= as_of:
            found[word.party] = word
    return found


def keys_of(said: Iterable[Said]) -> set[tuple[str, str]]:
    """(field, value) by which the customer is found now: every party's last word."""
    words = latest(said).values()
    return {(name, value) for word in words for name in INDEXED if (value := word.fields.get(name))}


def changed_fields(before: Said | None, after: Said) -> list[str]:
    """The fields in which a party's word differs from its last one; all it names where there is none."""
    old = before.fields if before is not None else {}
    return [name for name in FIELDS if after.fields.get(name) != old.get(name)]


def masked(fields: Mapping[str, str | None]) -> dict[str, str]:
    """As a screen shows it; a field that was left blank is blank."""
    shown = {}
    for name in FIELDS:
        value = fields.get(name) or ""
        shown[name] = value if name in _OPEN else mask_name(value) if name == "name" else mask(value)
    return shown
