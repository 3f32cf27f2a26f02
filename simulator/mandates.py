"""Mandates: what customers let be done without their password, within limits, until they expire or are revoked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from custody.names import MandateScope, Originator
from simulator import hours
from simulator.movement import YUAN, Holder, Row
from simulator.states import MANDATE, MandateState
from simulator.today import Today

_LASTS_DAYS = (30, 180, 365)
_AUTO_TENDER_ONE_IN, _TENDER_ITEM_MINOR, _TENDER_TOTAL_MINOR = 5, 20_000 * YUAN, 100_000 * YUAN
_AUTO_ASSIGN_ONE_IN, _ASSIGN_ITEM_MINOR, _ASSIGN_TOTAL_MINOR = 7, 100_000 * YUAN, 500_000 * YUAN
_REVOKED_ONE_IN = 40  # of those that stand, a day


@dataclass(slots=True)
class Mandate:
    mandate_id: str
    holder: Holder
    scope: MandateScope
    item_limit_minor: int
    total_limit_minor: int
    expires_on: date
    used_minor: int = 0
    state: MandateState = MandateState.GRANTED


class Mandates:
    """One mandate at most stands for a customer and scope."""

    def __init__(self) -> None:
        self._standing: dict[tuple[Holder, MandateScope], Mandate] = {}

    def grant(self, today: Today, holder: Holder, scope: MandateScope, item_minor: int, total_minor: int) -> None:
        """In the morning, before its first use; nothing when one stands."""
        if (holder, scope) in self._standing:
            return
        expires_on = today.day + timedelta(days=today.one_of(_LASTS_DAYS))
        mandate = Mandate(f"M{today.next_request_no()}", holder, scope, item_minor, total_minor, expires_on)
        self._standing[holder, scope] = mandate
        today.mandates.append(_row(today, mandate, "GRANT", hours.GRANTS))

    def begin(self, today: Today) -> None:
        """On the first day some lenders let the platform tender and buy for them."""
        for holder in today.people.lenders[::_AUTO_TENDER_ONE_IN]:
            self.grant(today, holder, MandateScope.AUTO_TENDER, _TENDER_ITEM_MINOR, _TENDER_TOTAL_MINOR)
        for holder in today.people.lenders[::_AUTO_ASSIGN_ONE_IN]:
            self.grant(today, holder, MandateScope.AUTO_ASSIGN, _ASSIGN_ITEM_MINOR, _ASSIGN_TOTAL_MINOR)

    def holders(self, scope: MandateScope) -> list[Holder]:
        return [holder for holder, own in self._standing if own is scope]

    def use(self, today: Today, holder: Holder, scope: MandateScope, amount_minor: int) -> dict[str, Any]:
        """Who authorises a movement of that amount: the mandate, if one covers it, and then it is used; else the customer.
        Fields of a Movement."""
        mandate = self._standing.get((holder, scope))
        if mandate is None or not self._covers(mandate, today.day, amount_minor):
            return {}
        mandate.state = MANDATE.step(mandate.mandate_id, mandate.state, MandateState.GRANTED)
        mandate.used_minor += amount_minor
        return {"originator": Originator.MANDATE, "authorisation_id": mandate.mandate_id}

    def revoke_some(self, today: Today) -> None:
        """At the end of a day; what expired is forgotten."""
        for key in [key for key, mandate in self._standing.items() if mandate.expires_on <= today.day]:
            del self._standing[key]
        # An entrusted payment is made on the day of disbursal, whenever that is: it is not revoked before.
        open_ones = [key for key in self._standing if key[1] is not MandateScope.ENTRUSTED]
        count = len(open_ones) // _REVOKED_ONE_IN
        if today.index == 1 and open_ones:
            count = max(1, count)
        for key in today.some(open_ones, count):
            mandate = self._standing.pop(key)
            mandate.state = MANDATE.step(mandate.mandate_id, mandate.state, MandateState.REVOKED)
            today.mandates.append(_row(today, mandate, "REVOKE", hours.REVOCATIONS))

    @staticmethod
    def _covers(mandate: Mandate, day: date, amount_minor: int) -> bool:
        within = amount_minor <= mandate.item_limit_minor and mandate.used_minor + amount_minor <= mandate.total_limit_minor
        return within and day <= mandate.expires_on


def _row(today: Today, mandate: Mandate, action: str, when: hours.Hours) -> Row:
    return {
        "platform": today.platform,
        "mandate_id": mandate.mandate_id,
        "action": action,
        "role": mandate.holder[0],
        "user_no": mandate.holder[1],
        "scope": mandate.scope.value,
        "item_limit_minor": mandate.item_limit_minor,
        "total_limit_minor": mandate.total_limit_minor,
        "expires_on": mandate.expires_on,
        "event_time": today.time(when),
    }
