"""The invariants of domain.md §4 that hold on a day's snapshot, checked every custody date; each violation is a named break.

Pure functions over rows of the day's tables (schemas.tables). Amounts are minor units.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from custody.names import Book, BreakKind, platform_of
from custody.posting_rules import core_account, is_asset

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Violation:
    """``sides`` names who disagrees; ``figures`` are what a person checks by hand. ``cause``: what is known where it is found: a
    rule of FINAL_REFUSALS where nothing that comes later can heal it, or another (custody.causes)."""

    kind: BreakKind
    platform: str
    sides: str
    subject: str
    amount_minor: int
    figures: dict[str, int | str] = field(default_factory=dict)
    cause: str | None = None


def core_balance_equal(balances: Iterable[Row], core_balances: Iterable[Row]) -> Iterator[Violation]:
    """INV_01: -CORE_CASH = the core's custody balance exactly; -OWN_CASH = its own-funds balance."""
    ours = {core_account(b["account"]): -b["closing_minor"] for b in balances if core_account(b["account"])}
    theirs = {c["account"]: c["closing_minor"] for c in core_balances}
    for account in sorted(set(ours) | set(theirs), key=str):
        ledger, core = ours.get(account, 0), theirs.get(str(account))
        if core is None or ledger != core:
            figures: dict[str, int | str] = {"ledger": ledger, "core": "absent" if core is None else core}
            platform = str(account).partition(":")[0]
            yield Violation(BreakKind.INV_01, platform, "BC", f"INV|INV_01|{account}", abs(ledger - (core or 0)), figures)


def books_sum_to_zero(balances: Iterable[Row]) -> Iterator[Violation]:
    """INV_01, our side of it: what customers, P_*, SUSPENSE and payables hold is covered by cash and receivables."""
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for b in balances:
        sums[b["platform"], b["book"]] += b["closing_minor"]
    for (platform, book), total in sorted(sums.items()):
        if total:
            yield Violation(BreakKind.INV_01, platform, "B", f"INV|INV_01|{platform}:{book}", abs(total), {"sum": total})


def balances_chain(balances: Iterable[Row], yesterday: Iterable[Row]) -> Iterator[Violation]:
    """INV_02: opening + in - out = closing for every account, and closing(d) = opening(d+1)."""
    before = {(b["book"], b["account"]): b["closing_minor"] for b in yesterday}
    for b in balances:
        opening = before.pop((b["book"], b["account"]), 0)
        chained = b["opening_minor"] + b["in_minor"] - b["out_minor"]
        if b["opening_minor"] != opening or chained != b["closing_minor"]:
            figures: dict[str, int | str] = {
                "yesterday": opening,
                "opening": b["opening_minor"],
                "in": b["in_minor"],
                "out": b["out_minor"],
                "closing": b["closing_minor"],
            }
            off = abs(chained - b["closing_minor"]) or abs(opening - b["opening_minor"])
            yield Violation(BreakKind.INV_02, b["platform"], "B", f"INV|INV_02|{b['account']}", off, figures)
    for (_book, account), closing in sorted(before.items()):
        if closing:
            figures = {"yesterday": closing, "today": "absent"}
            yield Violation(BreakKind.INV_02, platform_of(account), "B", f"INV|INV_02|{account}", abs(closing), figures)


def signs_and_holds(balances: Iterable[Row], holds: Iterable[Row]) -> Iterator[Violation]:
    """INV_03: liabilities >= 0, assets <= 0, available >= 0, and frozen = the sum of open holds. Of FEE_DUE INV_11 speaks: what was
    collected beyond what is accrued may be on its way back."""
    held: dict[str, int] = defaultdict(int)
    for hold in holds:
        held[f"{hold['account']}:frozen"] += hold["amount_minor"]
    for b in balances:
        closing, account = b["closing_minor"], b["account"]
        if (closing > 0 and not account.endswith(":FEE_DUE")) if is_asset(account) else (closing < 0):
            figures: dict[str, int | str] = {"closing": closing}
            yield Violation(BreakKind.INV_03, b["platform"], "B", f"INV|INV_03|{account}", abs(closing), figures)
        expected = held.pop(account, 0)
        if account.endswith(":frozen") and closing != expected:
            figures = {"frozen": closing, "holds": expected}
            subject = f"INV|INV_03|{account}|holds"
            yield Violation(BreakKind.INV_03, b["platform"], "B", subject, abs(closing - expected), figures)
    for account, amount in sorted(held.items()):
        figures = {"frozen": "absent", "holds": amount}
        yield Violation(BreakKind.INV_03, platform_of(account), "B", f"INV|INV_03|{account}|holds", amount, figures)


def debt_equals_claims(loans: Iterable[Row], claims: Iterable[Row]) -> Iterator[Violation]:
    """INV_05: the borrower's debt = funded - his principal repaid = the sum of claims, lenders' and compensators'."""
    owned: dict[tuple[str, str], int] = defaultdict(int)
    for claim in claims:
        owned[claim["platform"], claim["loan_id"]] += claim["principal_minor"]
    for loan in loans:
        debt = loan["funded_minor"] - loan["principal_repaid_minor"]
        sum_of_claims = owned[loan["platform"], loan["loan_id"]]
        if debt != sum_of_claims:
            figures: dict[str, int | str] = {"debt": debt, "claims": sum_of_claims}
            subject = f"INV|INV_05|{loan['loan_id']}"
            yield Violation(BreakKind.INV_05, loan["platform"], "B", subject, abs(debt - sum_of_claims), figures)


def closed_accounts_are_empty(sub_accounts: Iterable[Row], balances: Iterable[Row], claims: Iterable[Row]) -> Iterator[Violation]:
    """INV_14: no sub-account closes with a balance, a hold (which is frozen balance) or a claim."""
    left: dict[str, int] = defaultdict(int)
    for b in balances:
        left[b["account"].partition(":")[0]] += b["closing_minor"]
    for c in claims:
        left[c["holder"]] += c["principal_minor"]
    for account in sub_accounts:
        if account["closed_on"] is not None and left[account["sub_account"]]:
            amount = left[account["sub_account"]]
            subject = f"INV|INV_14|{account['sub_account']}"
            yield Violation(BreakKind.INV_14, account["platform"], "B", subject, abs(amount), {"left": amount})


def channel_fees_restored(balances: Iterable[Row]) -> Iterator[Violation]:
    """Channel fees never fall on customers' money: FEE_RECEIVABLE is cleared the same business day, else SHORTFALL (§3)."""
    for b in balances:
        if b["book"] == Book.CUSTODY and b["account"].endswith(":FEE_RECEIVABLE") and b["closing_minor"]:
            figures: dict[str, int | str] = {"fee_receivable": -b["closing_minor"]}
            subject = f"INV|SHORTFALL|{b['account']}"
            yield Violation(BreakKind.SHORTFALL, b["platform"], "B", subject, -b["closing_minor"], figures)
