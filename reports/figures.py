"""The figures of one platform for one month, as the report step hands them over: amounts in minor units."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TypeVolume:
    """Count and sum of one transaction type's posted transactions in the month."""

    txn_type: str
    count: int
    volume_minor: int


@dataclass(frozen=True)
class PlatformFigures:
    """One platform's month. Balances, borrowers, lenders and breaks are at the end of the month's last custody date.

    What each figure means stands in the report's definition, under the field's name without ``_minor``.
    """

    platform: str
    name: str
    currency: str
    volumes: tuple[TypeVolume, ...]
    loan_balance_minor: int
    custody_customers_minor: int
    p_income_minor: int
    p_marketing_minor: int
    p_compensation_minor: int
    p_advance_minor: int
    suspense_minor: int
    borrowers: int
    lenders: int
    accounts_opened: int
    accounts_closed: int
    open_breaks: int
