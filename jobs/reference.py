"""The day's reference data as its cut-off sealed it: parties with their contracts, the calendar, the rules, the instance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from typing import Any

from custody.calendar import SettlementCalendar
from custody.cause_proofs import Rate
from custody.core_model import Period, e_account_period
from custody.errors import StopRun
from custody.match_rules import RuleBook, RuleSet, read_rule
from custody.names import FileType, PartyKind
from custody.party_status import LANDS, PartyStatus
from custody.repayment import USUAL_ORDER, PartName
from jobs.step import StepContext

_RATE_UNIT = 1_000_000


@dataclass(frozen=True)
class Reference:
    on: date
    bank: str
    risk_horizon_business_days: int
    calendar: SettlementCalendar
    # party id -> {kind, name_en, name_zh, status, contract}, and ``since`` of one that is not live
    parties: dict[str, dict[str, Any]]
    # party id -> (first custody date, contract) in order, of each that has had another one than today's
    versions: dict[str, list[tuple[date, Mapping[str, Any]]]]
    # as the date's cut-off sealed them, texts of JSON
    sealed_rules: tuple[str, ...]
    # Ids of the reports that the bank drafts; "*": all.
    reports: tuple[str, ...]

    @cached_property
    def rule_book(self) -> RuleBook:
        return _rule_book(self.sealed_rules, f"the cut-off of {self.on}")

    @cached_property
    def rules(self) -> RuleSet:
        """The rules in force on the date, of the versions that its cut-off sealed."""
        if not self.rule_book.rules:
            raise StopRun(f"the cut-off of {self.on} sealed no rules: make a new version of it by cut-off --reason")
        return self.rule_book.rules_on(self.on)

    def gateways(self) -> list[str]:
        """The live gateway (organisations admits one at a time); none while it is suspended."""
        return [g for g in self.of_kind(PartyKind.GATEWAY) if self.parties[g]["status"] == PartyStatus.LIVE]

    def confirming(self) -> list[str]:
        """Platforms whose files are awaited and whose contract lets them confirm results, and so asks it of them."""
        platforms = self.of_kind(PartyKind.PLATFORM)
        layouts = {p: self.parties[p]["contract"]["layouts"] for p in platforms if self.parties[p]["status"] in LANDS}
        return [p for p in platforms if FileType.CONFIRMATION in layouts.get(p, ())]

    def of_kind(self, kind: str) -> list[str]:
        """All parties of a kind, suspended ones too: their money is still there."""
        return sorted(p for p, body in self.parties.items() if body["kind"] == kind)

    def is_closed(self, party: str) -> bool:
        return bool(self.parties[party]["status"] == PartyStatus.CLOSED)

    def restricted(self) -> dict[str, tuple[str, date]]:
        """Of each platform that is not live: its status, and since when it has not been live."""
        found = {p: self.parties[p] for p in self.of_kind(PartyKind.PLATFORM)}
        return {p: (b["status"], date.fromisoformat(b["since"])) for p, b in found.items() if b.get("since") is not None}

    def contract_on(self, party: str, on: date) -> Mapping[str, Any]:
        """The contract that holds for what is of an earlier custody date."""
        held = [contract for since, contract in self.versions.get(party, ()) if since <= on]
        contract: Mapping[str, Any] = held[-1] if held else self.parties[party]["contract"]
        return contract

    def related_parties(self, platform: str) -> frozenset[str]:
        """Those of the platform that its contract states, as customer ids."""
        return frozenset(self.parties[platform]["contract"].get("related_parties", ()))

    def repayment_order(self, platform: str) -> tuple[PartName, ...]:
        """In which a payment covers the parts of an instalment, by the platform's contract."""
        return tuple(self.parties[platform]["contract"].get("repayment_order", USUAL_ORDER))

    def e_account_periods(self) -> dict[str, Period]:
        """Of each platform whose core is or was in E_ACCOUNT form: the dates."""
        found = {p: e_account_period(self.parties[p]["contract"]) for p in self.of_kind(PartyKind.PLATFORM)}
        return {platform: period for platform, period in found.items() if period is not None}

    def channel_rates(self) -> list[Rate]:
        """What each channel's contract asks for what customers pay in."""
        contracts = {channel: self.parties[channel]["contract"] for channel in self.of_kind(PartyKind.CHANNEL)}
        return [
            Rate(channel, parse_rate(contract["channel_fee_rate"]), int(contract["channel_fee_min_minor"]), self.on)
            for channel, contract in contracts.items()
        ]


def parse_rate(text: str) -> int:
    """A rate such as "0.0025" in millionths, exactly. Raises ValueError when it has more than six decimals."""
    whole, _, decimals = text.partition(".")
    if len(decimals) > 6:
        raise ValueError(f"rate {text!r} has more than six decimals")
    return int(whole) * _RATE_UNIT + int(decimals.ljust(6, "0"))


def load_reference(context: StepContext, on: date | None = None) -> Reference:
    parties: dict[str, dict[str, Any]] = {}
    overrides: dict[date, bool] = {}
    instance: dict[str, Any] = {}
    day = on or context.custody_date
    rules = []
    versions: dict[str, list[tuple[date, Mapping[str, Any]]]] = {}
    for row in context.rows("cut_off", "reference", on=on):
        if row["kind"] == "rule":
            rules.append(row["payload"])
            continue
        payload = json.loads(row["payload"])
        if row["kind"] == "party":
            parties[row["id"]] = payload
        elif row["kind"] == "contract":
            versions[row["id"]] = [(date.fromisoformat(since), contract) for since, contract in payload]
        elif row["kind"] == "holiday":
            overrides[date.fromisoformat(row["id"])] = payload["business_day"]
        else:
            instance = payload
    horizon = instance["risk_horizon_business_days"]
    return Reference(
        on=day,
        bank=instance["bank"],
        risk_horizon_business_days=horizon,
        calendar=SettlementCalendar(overrides),
        parties=parties,
        versions=versions,
        sealed_rules=tuple(rules),
        reports=tuple(instance["reports"]),
    )


@lru_cache(maxsize=16)
def _rule_book(sealed: tuple[str, ...], where: str) -> RuleBook:
    """Read once in a process: each step of a day asks for it."""
    return RuleBook.of([read_rule(json.loads(payload), where) for payload in sealed])
