"""A count in English, as people write it: 1 case, 2 cases, 1,200 cases; in code, and in the texts that are data."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter


def counted(number: int, one: str, many: str = "") -> str:
    """``many``: the plural where it is not ``one`` with an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


class _Counting(Formatter):
    def format_field(self, value: object, format_spec: str) -> str:
        if format_spec.startswith("#"):
            return counted(int(str(value)), *format_spec[1:].split("/"))
        return str(super().format_field(value, format_spec))


def told(text: str, figures: Mapping[str, object]) -> str:
    """``text`` with its figures; ``{rows:#row}`` counts: 1 row, 2 rows, and ``{parties:#party/parties}`` where an s will not do."""
    return _Counting().vformat(text, (), figures)
