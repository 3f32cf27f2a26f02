"""The day's reference data as its cut-off sealed it: parties with their contracts, the calendar, the instance."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import Any

from custody.calendar import SettlementCalendar
from custody.names import PartyKind
from custody.services.organisations import LIVE
from jobs.step import StepContext


@dataclass(frozen=True)
class Reference:
    bank: str
    cut_off_window_minutes: int
    risk_horizon_business_days: int
    calendar: SettlementCalendar
    # party id -> {kind, name_en, name_zh, status, contract}
    parties: dict[str, dict[str, Any]]

    def gateways(self) -> list[str]:
        """The live gateway (organisations admits one at a time); none while it is suspended."""
        return [g for g in self.of_kind(PartyKind.GATEWAY) if self.parties[g]["status"] == LIVE]

    def of_kind(self, kind: str) -> list[str]:
        """All parties of a kind, suspended ones too: their money is still there."""
        return sorted(p for p, body in self.parties.items() if body["kind"] == kind)


def load_reference(context: StepContext, on: date | None = None) -> Reference:
    parties: dict[str, dict[str, Any]] = {}
    overrides: dict[date, bool] = {}
    instance: dict[str, Any] = {}
    for row in context.rows("cut_off", "reference", on=on):
        payload = json.loads(row["payload"])
        if row["kind"] == "party":
            parties[row["id"]] = payload
        elif row["kind"] == "holiday":
            overrides[date.fromisoformat(row["id"])] = payload["business_day"]
        else:
            instance = payload
    return Reference(
        instance["bank"],
        instance["cut_off_window_minutes"],
        instance["risk_horizon_business_days"],
        SettlementCalendar(overrides),
        parties,
    )
