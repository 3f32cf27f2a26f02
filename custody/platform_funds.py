"""Whether a platform's own accounts and its custody account will do (domain.md §8: underfunding; §4, invariants 12 and 13): what stands
against what, day by day ahead, and the alerts that follow.

Four questions, each asked of the end of a custody date and of each bank business day ahead. No money is assumed to come but what a
channel owes and nobody disputes.

- OWN_FUNDS: the own-funds account against custody fees (accrued, noticed, in arrear) and the channels' fees that it must restore.
- ADVANCE: withdrawals in flight against their own settled money and what P_ADVANCE can advance for the rest (invariant 12).
- OWN_ACCOUNT: a P_* account against what the platform withdraws from it.
- COVER: what is owed under custody against cash and undisputed receivables not past their settle date (invariant 13). A channel's fee
  comes off what it settles, so that fees to come which own funds cannot restore are lacking from the day on which they fall.
- PAYOUT: cash and what channels are to settle, against what is paid out and is to be paid out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from custody.names import platform_of
from custody.risk_alerts import RULES, Alert, Severity, alert_id


class Concern(StrEnum):
    OWN_FUNDS = "OWN_FUNDS"
    ADVANCE = "ADVANCE"
    OWN_ACCOUNT = "OWN_ACCOUNT"
    COVER = "COVER"
    PAYOUT = "PAYOUT"

    @property
    def rule(self) -> str:
        """The rule of an alert that it is short."""
        return f"{self.value}_SHORT"


# Customers' money itself is at stake, not only the platform's.
_GRAVEST = (Concern.COVER, Concern.PAYOUT)


class Item(StrEnum):
    """What a sum is made of. Of NEEDS it is owed or to be paid; of the others it is there, or comes."""

    OWN_CASH = "OWN_CASH"
    FEE_ARREAR = "FEE_ARREAR"
    FEE_NOTICED = "FEE_NOTICED"
    FEE_ACCRUED = "FEE_ACCRUED"
    CHANNEL_FEE = "CHANNEL_FEE"
    CHANNEL_FEE_TO_COME = "CHANNEL_FEE_TO_COME"
    SETTLED = "SETTLED"
    TO_SETTLE = "TO_SETTLE"
    ADVANCE = "ADVANCE"
    ADVANCE_RESTORED = "ADVANCE_RESTORED"
    BALANCE = "BALANCE"
    CASH = "CASH"
    RECEIVABLE = "RECEIVABLE"
    CUSTOMERS = "CUSTOMERS"
    OWN_ACCOUNTS = "OWN_ACCOUNTS"
    SUSPENSE = "SUSPENSE"
    PAYABLE = "PAYABLE"
    FEES_NOT_RESTORED = "FEES_NOT_RESTORED"
    IN_FLIGHT = "IN_FLIGHT"
    UNKNOWN = "UNKNOWN"
    REMITTING = "REMITTING"
    ACCEPTED = "ACCEPTED"
    REQUESTED = "REQUESTED"


NEEDS = frozenset(
    {
        Item.FEE_ARREAR, Item.FEE_NOTICED, Item.FEE_ACCRUED, Item.CHANNEL_FEE, Item.CHANNEL_FEE_TO_COME, Item.CUSTOMERS,
        Item.OWN_ACCOUNTS, Item.SUSPENSE, Item.PAYABLE, Item.FEES_NOT_RESTORED, Item.IN_FLIGHT, Item.UNKNOWN, Item.REMITTING,
        Item.ACCEPTED, Item.REQUESTED,
    }
)  # fmt: skip


@dataclass(frozen=True)
class FundsDay:
    """One day of one question, minor units: what is there up to it, and what is needed up to it."""

    platform: str
    concern: Concern
    account: str
    currency: str
    on: date
    have_minor: int
    need_minor: int

    @property
    def short_minor(self) -> int:
        return max(0, self.need_minor - self.have_minor)


def alerts_of(days: Iterable[FundsDay], as_of: date, next_business_day: date) -> list[Alert]:
    """One alert for each account and question that is short on some day, in order of (rule, account). It is the same one for as long as it
    is short on any day ahead: what nears is graver, not another.

    ``days``: of the end of ``as_of`` and of days ahead, in any order.
    """
    of: dict[tuple[Concern, str], list[FundsDay]] = {}
    for day in days:
        of.setdefault((day.concern, day.account), []).append(day)
    alerts = []
    for (concern, account), found in of.items():
        ordered = sorted(found, key=lambda day: day.on)
        first = next((day for day in ordered if day.short_minor), None)
        if first is None or RULES[concern.rule].valid_from > as_of:
            continue
        figures: dict[str, str | int] = {
            "currency": first.currency,
            "account": account,
            "short_on": first.on.isoformat(),
            "have_minor": first.have_minor,
            "need_minor": first.need_minor,
            "shortfall_minor": first.short_minor,
            "most_short_minor": max(day.short_minor for day in ordered),
        }
        severity = _severity(concern, first.on, as_of, next_business_day)
        platform = platform_of(account)
        alerts.append(Alert(alert_id(concern.rule, platform, account, None), concern.rule, platform, account, severity, figures))
    return sorted(alerts, key=lambda alert: (alert.rule, alert.subject))


def _severity(concern: Concern, short_on: date, as_of: date, next_business_day: date) -> Severity:
    if short_on <= as_of and concern in _GRAVEST:
        return Severity.CRITICAL
    return Severity.HIGH if short_on <= next_business_day else Severity.MEDIUM


@dataclass(frozen=True)
class PeriodDue:
    """What is due still of a charging period's custody fees, gross. ``due_on``: the bank business day of its charge."""

    period: str
    ends_on: date
    due_on: date
    gross_minor: int
    left_minor: int

    def item(self, as_of: date) -> Item:
        """Accrued until the period has ended, noticed until its charge's day is over, then in arrear."""
        if as_of <= self.ends_on:
            return Item.FEE_ACCRUED
        return Item.FEE_NOTICED if as_of <= self.due_on else Item.FEE_ARREAR


def periods_due(before: Iterable[PeriodDue], newest: PeriodDue, due_minor: int) -> list[PeriodDue]:
    """What is due by charging period, the oldest first: what was collected went to the oldest periods first, so what is left lies in the
    newest ones.

    ``before``: yesterday's; ``newest``: the period of the day with what it has accrued so far; ``due_minor``: all that the books say is
    due. What is due beyond all known periods is the oldest one's.
    """
    periods = [one for one in before if one.period != newest.period] + [newest]
    found: list[PeriodDue] = []
    left = due_minor
    for one in sorted(periods, key=lambda one: one.ends_on, reverse=True):
        mine = min(one.gross_minor, left)
        left -= mine
        found.append(replace(one, left_minor=mine))
    if left > 0:
        found[-1] = replace(found[-1], left_minor=found[-1].left_minor + left)
    return [one for one in reversed(found) if one.left_minor > 0 or one.period == newest.period]
