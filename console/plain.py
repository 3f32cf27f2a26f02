"""Answers of services as plain data for ``--json``: dataclasses with their properties and named tuples by name, all the way down."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from typing import Any


def plain(value: Any) -> Any:
    """Mappings, lists and scalars only; dates stay dates, as console.output prints them."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: plain(getattr(value, name)) for name in _names(type(value))}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


@cache
def _names(kind: type) -> tuple[str, ...]:
    """Fields, then properties, in the order of their declaration."""
    fields = [field.name for field in dataclasses.fields(kind)]
    return (*fields, *(name for name, member in vars(kind).items() if isinstance(member, property)))
