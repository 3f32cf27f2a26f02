"""Templates of the pages. Everything that is put into them is escaped; there is no way round it here."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from console.pages.words import term
from custody.calendar import CHINA
from custody.counting import counted
from custody.money import grouped_amount


def amount(minor: int, currency: str = "CNY") -> str:
    """1234567 -> 12,345.67"""
    return grouped_amount(minor, currency, "−")


_environment = Environment(
    loader=PackageLoader("console.pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def when(moment: datetime) -> str:
    """A time of the market: UTC+8, to the second."""
    return f"{moment.astimezone(CHINA):%Y-%m-%d %H:%M:%S}"


def moment(text: str) -> str:
    """The same of a time that the register keeps as text."""
    return when(datetime.fromisoformat(text))


def pair(value: str) -> tuple[str, str]:
    """A choice that is called as it is written."""
    return value, value


def coded(item: tuple[str, tuple[str, str]]) -> tuple[str, str]:
    """A choice of a code with its words: the code itself, and its Chinese."""
    code, (_, chinese) = item
    return code, f"{code} {chinese}"


_environment.filters.update(amount=amount, coded=coded, counted=counted, moment=moment, pair=pair, term=term, when=when)


def page(template: str, **values: Any) -> str:
    return _environment.get_template(template).render(**values)
