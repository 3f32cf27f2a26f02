"""A case's severity from its amount and age in calendar days (domain.md §6: T, T+1, T+3, T+5, >30 days)."""

from __future__ import annotations

_BY_AGE_DAYS = ((31, 3), (5, 2), (3, 1))
_BY_AMOUNT_MINOR = ((100_000_00, 2), (1_000_00, 1))
LEVELS = ("LOW", "MEDIUM", "HIGH", "CRITICAL")


def severity(amount_minor: int, age_days: int) -> str:
    """The sum of an age step and an amount step, capped: an old small break and a young large one weigh alike."""
    age = next((step for days, step in _BY_AGE_DAYS if age_days >= days), 0)
    size = next((step for amount, step in _BY_AMOUNT_MINOR if amount_minor >= amount), 0)
    return LEVELS[min(age + size, len(LEVELS) - 1)]
