"""What compensation tells (domain.md §8): a borrower whose instalments others pay again and again; and a platform's own compensation
account, which only runs off."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from custody.names import platform_of
from custody.risk_alerts import RULES, Alert, Severity, alert_id

REPEATED, GROWS = "REPEATED_COMPENSATION", "RESERVE_GROWS"


@dataclass(frozen=True)
class Compensated:
    """One request by which another paid a borrower's lenders, minor units; ``borrower`` and ``compensator`` are sub-accounts."""

    platform: str
    loan_id: str
    request_no: str
    borrower: str
    compensator: str
    currency: str
    on_date: date
    amount_minor: int


@dataclass(frozen=True)
class Reserve:
    """A platform's P_COMPENSATION at the end of the day before and of the date, minor units."""

    platform: str
    currency: str
    before_minor: int
    closing_minor: int


def repeated(paid: Iterable[Compensated], figures: Mapping[str, int], as_of: date) -> list[Alert]:
    """Borrowers for whom others paid ``times`` or oftener within ``days`` up to ``as_of``, in order of borrower: one alert each for as long as
    it is so."""
    of: dict[str, list[Compensated]] = defaultdict(list)
    for one in paid:
        if (as_of - one.on_date).days < figures["days"]:
            of[one.borrower].append(one)
    alerts = []
    for borrower, found in sorted(of.items()):
        if len(found) < figures["times"] or RULES[REPEATED].valid_from > as_of:
            continue
        said: dict[str, str | int] = {
            "currency": found[0].currency,
            "borrower": borrower,
            "times": len(found),
            "days": figures["days"],
            "loans": len({one.loan_id for one in found}),
            "compensators": len({one.compensator for one in found}),
            "paid_minor": sum(one.amount_minor for one in found),
            "last_on": max(one.on_date for one in found).isoformat(),
        }
        platform = platform_of(borrower)
        alerts.append(Alert(alert_id(REPEATED, platform, borrower, None), REPEATED, platform, borrower, Severity.HIGH, said))
    return alerts


def growing(reserves: Iterable[Reserve], as_of: date) -> list[Alert]:
    """Accounts that hold more than the day before, in order of platform: each such date is an alert of its own."""
    alerts = []
    for one in sorted(reserves, key=lambda one: one.platform):
        if one.closing_minor > one.before_minor and RULES[GROWS].valid_from <= as_of:
            subject = f"{one.platform}:P_COMPENSATION"
            said: dict[str, str | int] = {
                "currency": one.currency,
                "before_minor": one.before_minor,
                "closing_minor": one.closing_minor,
                "grown_minor": one.closing_minor - one.before_minor,
                "on": as_of.isoformat(),
            }
            alerts.append(Alert(alert_id(GROWS, one.platform, subject, as_of), GROWS, one.platform, subject, Severity.HIGH, said))
    return alerts
