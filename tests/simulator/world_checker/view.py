"""One platform's part of a world, cut out of its files; and how a violation is told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any

from world_reader import Row, World

from custody.calendar import SettlementCalendar

Holder = tuple[str, str]
Lines = dict[date, list[Row]]
CALENDAR = SettlementCalendar()
SUSPENSE: Holder = ("PLATFORM", "SUSPENSE")
P_MARKETING: Holder = ("PLATFORM", "P_MARKETING")
P_ACCOUNTS = ("P_INCOME", "P_MARKETING", "P_COMPENSATION", "P_ADVANCE")
CUSTOMERS = ("LENDER", "BORROWER", "GUARANTOR", "PAYEE")


@dataclass(frozen=True, order=True)
class Violation:
    """``rule``: INV_nn of domain.md §4, or the name of a rule of the files' contract. ``words`` give the rows and figures."""

    rule: str
    platform: str
    day: date
    words: str

    def __str__(self) -> str:
        return f"{self.rule} {self.platform} {self.day}: {self.words}"


@dataclass
class Platform:
    """What the world's files say of one platform, by custody date. ``instructions`` stand in order of event time."""

    name: str
    fee_contracts: list[tuple[str, dict[str, Any]]]
    channel_rates: dict[str, str]
    dates: list[date]
    customers: Lines = field(default_factory=dict)
    loans: Lines = field(default_factory=dict)
    txn: Lines = field(default_factory=dict)
    claims: Lines = field(default_factory=dict)
    balances: Lines = field(default_factory=dict)
    instructions: Lines = field(default_factory=lambda: defaultdict(list))
    mandates: Lines = field(default_factory=lambda: defaultdict(list))
    orders: Lines = field(default_factory=lambda: defaultdict(list))
    settlements: Lines = field(default_factory=lambda: defaultdict(list))
    flows: Lines = field(default_factory=lambda: defaultdict(list))
    core_balances: Lines = field(default_factory=lambda: defaultdict(list))

    def events(self) -> Iterator[tuple[date, Row]]:
        """Every instruction of the world, in order of event time."""
        for day in self.dates:
            for row in self.instructions[day]:
                yield day, row

    def posted(self) -> Iterator[tuple[date, Row]]:
        """Those that move money."""
        return ((day, row) for day, row in self.events() if row["status"] == "SUCCESS")

    def says(self, rule: str, day: date, words: str) -> Violation:
        return Violation(rule, self.name, day, words)


def payer(row: Row) -> Holder | None:
    return _holder(row["from_role"], row["from_user_no"])


def payee(row: Row) -> Holder | None:
    return _holder(row["to_role"], row["to_user_no"])


def _holder(role: str | None, user_no: str | None) -> Holder | None:
    """None when both are blank; one blank alone is an account that nobody has."""
    return None if role is None and user_no is None else (role or "?", user_no or "?")


def in_order(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row["event_time"], row["request_no"], row["leg"]))


def named(row: Row) -> str:
    return f"{row['txn_type']} {row['request_no']}/{row['leg']}"


def split(total: int, weights: dict[str, int]) -> dict[str, int]:
    """By largest remainder, ties by key; written for this checker alone."""
    whole = sum(weights.values())
    shares = {key: total * weight // whole for key, weight in weights.items()}
    rest = sorted(weights, key=lambda key: (-(total * weights[key] % whole), key))
    for key in rest[: total - sum(shares.values())]:
        shares[key] += 1
    return shares


def half_even(exact: Fraction | int) -> int:
    """To the nearest integer, halves to the even one."""
    return round(exact)


def platforms(world: World) -> list[Platform]:
    rates = {party["party"]: party["fee_rate"] for party in world.about["parties"] if party["kind"] == "CHANNEL"}
    contracts = {
        party["party"]: [("", party["fee_contract"]), *((c["valid_from"], c["fee_contract"]) for c in party.get("changes", []))]
        for party in world.about["parties"]
        if party["kind"] == "PLATFORM"
    }
    found = {name: Platform(name, contract, rates, world.dates) for name, contract in contracts.items()}
    for day in world.dates:
        for name, own in found.items():
            lines = (own.customers, own.loans, own.txn, own.claims, own.balances)
            for kind, target in zip(("CUSTOMER", "LOAN", "TXN", "CLAIM", "BALANCE"), lines, strict=True):
                target[day] = world.tables.get((name, kind, day), [])
        for kind, attribute in (("INSTRUCTION", "instructions"), ("MANDATE", "mandates"), ("LEGAL_ORDER", "orders")):
            for row in world.tables.get(("GW", kind, day), []):
                getattr(found[row["platform"]], attribute)[day].append(row)
        for channel in rates:
            for row in world.tables.get((channel, "SETTLEMENT", day), []):
                found[row["platform"]].settlements[day].append(row | {"channel": channel})
        for flow in world.core[day]["flow"]:
            found[flow["account"].partition(":")[0]].flows[day].append(flow)
        for balance in world.core[day]["balance"]:
            found[balance["account"].partition(":")[0]].core_balances[day].append(balance)
        for own in found.values():
            own.instructions[day] = in_order(own.instructions[day])
            own.mandates[day].sort(key=lambda row: row["event_time"])
            own.orders[day].sort(key=lambda row: row["event_time"])
    return list(found.values())
