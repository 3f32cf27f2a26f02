"""What each movement does to a platform's books, by world_spec's table: plain sums, shared with nothing else."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from world_reader import Row

from world_checker.view import P_MARKETING, SUSPENSE, Holder, named, payee, payer

COUPON = "#COUPON"
NOBODY: Holder = ("?", "?")
_FREEZES = ("WITHDRAW_FREEZE", "REPAY_FREEZE", "LEGAL_FREEZE")
_RELEASES = ("WITHDRAW_CANCEL", "LEGAL_RELEASE")
_PAID_FROM_HOLD = ("REPAYMENT", "COMPENSATION_REPAYMENT")
_PAID_FROM_AVAILABLE = (
    "ENTRUSTED_PAYMENT", "COMPENSATION", "CREDIT_ASSIGNMENT", "COMMISSION", "MARKETING", "ADJUSTMENT",
)  # fmt: skip


@dataclass
class Books:
    """Minor units. ``receivable`` and ``payable``: what each channel owes and is owed, by its request. ``flows``: what the core
    must show, as (account, amount, reference, time). ``troubles``: (rule, words) of what could not be."""

    available: dict[Holder, int] = field(default_factory=lambda: defaultdict(int))
    frozen: dict[Holder, int] = field(default_factory=lambda: defaultdict(int))
    holds: dict[str, tuple[Holder, int]] = field(default_factory=dict)
    receivable: dict[tuple[str, str], int] = field(default_factory=dict)
    payable: dict[tuple[str, str], int] = field(default_factory=dict)
    fee_receivable: int = 0
    cash: int = 0
    own: int = 0
    flows: list[tuple[str, int, str, Any]] = field(default_factory=list)
    troubles: list[tuple[str, str]] = field(default_factory=list)

    def post(self, row: Row, settled: dict[str, list[str]]) -> None:
        """``settled``: the requests in each settlement batch."""
        if row["status"] != "SUCCESS":
            return
        self._move(row, settled)
        for holder in (payer(row), payee(row), SUSPENSE, P_MARKETING):
            if holder and (self.available[holder] < 0 or self.frozen[holder] < 0):
                figures = f"{self.available[holder]} available, {self.frozen[holder]} frozen"
                self.troubles.append(("INV_03", f"{named(row)} leaves {holder[1]} {figures}"))
        if self.cash < 0 or self.own < 0:
            self.troubles.append(("INV_13", f"{named(row)} leaves the core {self.cash} of custody and {self.own} of own money"))

    def liabilities(self) -> int:
        return sum(self.available.values()) + sum(self.frozen.values()) + sum(self.payable.values())

    def _move(self, row: Row, settled: dict[str, list[str]]) -> None:
        kind, amount, who, to = row["txn_type"], row["amount_minor"], payer(row), payee(row)
        coupon, related = row["coupon_minor"] or 0, row["related_request_no"]
        item = (row["channel"], row["request_no"])
        if kind == "RECHARGE":
            self._give(to, amount)
            if row["channel"]:
                self.receivable[item] = amount
            else:
                self._custody(row, amount)
        elif kind == "BACKROLL_RECHARGE":
            self._take(who, amount)
            self.payable[item] = amount
        elif kind in _FREEZES:
            self._freeze(row["request_no"], who, amount)
        elif kind in _RELEASES:
            self._give(self._unfreeze(row, related, amount, to), amount)
        elif kind == "WITHDRAW":
            self._unfreeze(row, related, amount, who)
            self.payable[item] = amount
        elif kind == "WITHDRAW_RETURN":
            self._give(to, amount)
            self.receivable[item] = amount
        elif kind == "TENDER_FREEZE":
            self._freeze(row["request_no"], who, amount - coupon)
            if coupon:
                self._freeze(row["request_no"] + COUPON, P_MARKETING, coupon)
        elif kind == "TENDER_CANCEL":
            self._give(self._unfreeze(row, related, amount - coupon, to), amount - coupon)
            if coupon:
                self._give(self._unfreeze(row, related + COUPON, coupon, P_MARKETING), coupon)
        elif kind == "TENDER_SETTLE":
            self._unfreeze(row, related, amount - coupon, who)
            if coupon:
                self._unfreeze(row, related + COUPON, coupon, P_MARKETING)
            self._give(to, amount)
        elif kind in _PAID_FROM_HOLD:
            self._unfreeze(row, related, amount, who)
            self._give(to, amount)
        elif kind in _PAID_FROM_AVAILABLE:
            self._take(who, amount)
            self._give(to, amount)
        elif kind == "REVERSAL":
            self._take(who, amount)
            if to:
                self._give(to, amount)
            else:
                self._custody(row, -amount)
        elif kind == "PLATFORM_RECHARGE":
            self._own(row, -amount)
            self._custody(row, amount)
            self._give(to, amount)
        elif kind == "PLATFORM_WITHDRAW":
            self._take(who, amount)
            self._custody(row, -amount)
            self._own(row, amount)
        elif kind == "BANK_INTEREST":
            if to:
                self._take(SUSPENSE, amount)
                self._give(to, amount)
            else:
                self._custody(row, amount)
                self._give(SUSPENSE, amount)
        elif kind == "LEGAL_DEDUCT":
            self._unfreeze(row, related, amount, who)
            self._custody(row, -amount)
        elif kind == "CUSTODY_FEE":
            self._own(row, -amount)
        elif kind == "OWN_FUNDS_MOVEMENT":
            self._own(row, amount if row["direction"] == "IN" else -amount)
        elif kind == "CHANNEL_FEE_TOPUP":
            self.fee_receivable -= amount
            self._own(row, -amount)
            self._custody(row, amount)
        elif kind == "CHANNEL_SETTLEMENT":
            self._settle(row, settled.get(row["settlement_batch"], []))
        else:
            raise AssertionError(kind)

    def _settle(self, row: Row, requests: list[str]) -> None:
        inward = row["direction"] == "IN"
        items = self.receivable if inward else self.payable
        gone = sum(items.pop((row["channel"], request), 0) for request in requests)
        if gone != row["amount_minor"]:
            self.troubles.append(("INV_09", f"{named(row)} settles {row['amount_minor']}, its requests are open with {gone}"))
        fee = (row["fee_minor"] or 0) if inward else 0
        self.fee_receivable += fee
        cash = row["amount_minor"] - fee if inward else -row["amount_minor"]
        self.cash += cash
        self.flows.append(("CUSTODY", cash, row["settlement_batch"], row["event_time"]))

    def _custody(self, row: Row, amount: int) -> None:
        self.cash += amount
        self.flows.append(("CUSTODY", amount, row["request_no"], row["event_time"]))

    def _own(self, row: Row, amount: int) -> None:
        self.own += amount
        self.flows.append(("OWN", amount, row["request_no"], row["event_time"]))

    def _give(self, holder: Holder | None, amount: int) -> None:
        if holder:
            self.available[holder] += amount

    def _take(self, holder: Holder | None, amount: int) -> None:
        if holder:
            self.available[holder] -= amount

    def _freeze(self, hold: str, whose: Holder | None, amount: int) -> None:
        holder = whose or NOBODY
        self.available[holder] -= amount
        self.frozen[holder] += amount
        self.holds[hold] = (holder, amount)

    def _unfreeze(self, row: Row, hold: str, amount: int, whose: Holder | None) -> Holder | None:
        """Less of the hold; returns whose it was."""
        if hold not in self.holds:
            if amount:
                self.troubles.append(("INV_03", f"{named(row)} takes {amount} of hold {hold}, which is not open"))
            return whose
        holder, held = self.holds.pop(hold)
        if held > amount:
            self.holds[hold] = (holder, held - amount)
        if held < amount:
            self.troubles.append(("INV_03", f"{named(row)} takes {amount} of hold {hold}, which has {held}"))
        if holder != whose:
            self.troubles.append(("INV_08", f"{named(row)} takes the hold {hold} of {holder[1]} for {whose}"))
        self.frozen[holder] -= amount
        return holder
