"""Reading a declaration strictly: a key that is missing, of another kind, or not known is an error naming file and key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from custody.errors import UsageError

_T = TypeVar("_T")


class BadDeclaration(UsageError):
    """A declaration (a layout, a rule) does not follow its language; the words name the file and the key."""


class Declared:
    """One mapping of a declaration, read key by key; ``close`` refuses what nobody asked for."""

    def __init__(self, raw: object, where: str) -> None:
        if not isinstance(raw, dict):
            raise BadDeclaration(f"{where}: a mapping is expected, not {raw!r}")
        for key in raw:
            if not isinstance(key, str):
                raise BadDeclaration(f"{where}: the key {key!r} must be text; quote it")
        self._raw, self.where, self._asked = raw, where, set[str]()

    @property
    def raw(self) -> Mapping[str, object]:
        """The mapping as it was written."""
        return self._raw

    def __contains__(self, key: str) -> bool:
        return key in self._raw

    def need(self, key: str, kind: type[_T]) -> _T:
        """The value under a key that must be there."""
        if key not in self._raw:
            raise BadDeclaration(f"{self.where}: the key {key!r} is missing")
        self._asked.add(key)
        return self._of_kind(key, self._raw[key], kind)

    def get(self, key: str, kind: type[_T], default: _T) -> _T:
        """The value under a key that may be left out."""
        return self.need(key, kind) if key in self._raw else default

    def one_of(self, key: str, words: tuple[str, ...], default: str | None = None) -> str:
        """A text that is one of some words."""
        word = self.need(key, str) if default is None else self.get(key, str, default)
        if word not in words:
            raise BadDeclaration(f"{self.where}: {key} is {word!r}, which is not one of {', '.join(words)}")
        return word

    def texts(self, key: str, default: list[str] | None = None) -> tuple[str, ...]:
        """A list of texts."""
        listed = self.need(key, list) if default is None else self.get(key, list, default)
        for text in listed:
            if not isinstance(text, str):
                raise BadDeclaration(f"{self.where}: {key} lists {text!r}, which is not text; quote it")
        return tuple(listed)

    def figure(self, key: str) -> str | None:
        """A number that may be written with or without quotes, as text."""
        if key not in self._raw:
            return None
        found = self.need(key, object)
        if isinstance(found, bool) or not isinstance(found, (str, int)):
            raise BadDeclaration(f"{self.where}: {key} is {found!r}; write a whole number or quoted text")
        return str(found)

    def part(self, key: str) -> Declared:
        """The mapping under a key."""
        return Declared(self.need(key, object), f"{self.where}: {key}")

    def parts(self, key: str) -> list[Declared]:
        """The mappings of the list under a key; none where the key is not there."""
        return [Declared(raw, f"{self.where}: {key} {n}") for n, raw in enumerate(self.get(key, list, []), start=1)]

    def members(self) -> Iterator[tuple[str, object]]:
        """Every key with its value, for mappings whose keys are the writer's own."""
        self._asked.update(self._raw)
        yield from self._raw.items()

    def wrong(self, why: str) -> BadDeclaration:
        """The error to raise, with the place before the words."""
        return BadDeclaration(f"{self.where}: {why}")

    def close(self) -> None:
        """Refuse keys that nobody asked for."""
        unknown = [key for key in self._raw if key not in self._asked]
        if unknown:
            raise BadDeclaration(f"{self.where}: unknown key {', '.join(map(repr, unknown))}")

    def _of_kind(self, key: str, value: object, kind: type[_T]) -> _T:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise BadDeclaration(f"{self.where}: {key} is {value!r}, not {kind.__name__}")
        return value
