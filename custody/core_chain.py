"""The core's own balances must follow from its own flows: opening(d) = closing(d-1), opening + flows = closing (domain.md §4.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

from custody.invariants import Violation
from custody.names import BreakKind, platform_of

Row = Mapping[str, Any]


def core_chain(on: date, balances: Iterable[Row], day_before: Iterable[Row], flows: Mapping[str, int]) -> Iterator[Violation]:
    """``flows``: by account, what the core booked on the date as far as it is known. An account that was not shown the day before
    opens with what it says."""
    closed: dict[str, int] = {b["account"]: b["closing_minor"] for b in day_before}
    for b in sorted(balances, key=lambda row: str(row["account"])):
        account: str = b["account"]
        opening: int = b["opening_minor"]
        closing: int = b["closing_minor"]
        before, booked = closed.get(account, opening), flows.get(account, 0)
        if opening != before or opening + booked != closing:
            figures: dict[str, int | str] = {
                "date": on.isoformat(),
                "day_before": before,
                "opening": opening,
                "flows": booked,
                "closing": closing,
            }
            off = abs(opening + booked - closing) or abs(opening - before)
            yield Violation(BreakKind.BALANCE_CHAIN, platform_of(account), "BC", f"CHAIN|{account}", off, figures)
