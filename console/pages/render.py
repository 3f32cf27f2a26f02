"""Templates of the pages. Everything that is put into them is escaped; there is no way round it here."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from custody.money import format_amount


def amount(minor: int, currency: str = "CNY") -> str:
    """1234567 -> 12,345.67"""
    whole, _, cents = format_amount(minor, currency).partition(".")
    sign, digits = ("−", whole[1:]) if whole.startswith("-") else ("", whole)
    return f"{sign}{int(digits):,}" + (f".{cents}" if cents else "")


_environment = Environment(
    loader=PackageLoader("console.pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_environment.filters["amount"] = amount


def page(template: str, **values: Any) -> str:
    return _environment.get_template(template).render(**values)
