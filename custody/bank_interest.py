"""The interest that the core pays on a custody account, and whose it is (domain.md §3, BANK_INTEREST).

Every customer's sub-account and every P_* account has its part by the sum of its balances at the ends of the days since the last
credit (its balance-days), by largest remainder, ties by account: the parts sum to the credit. SUSPENSE owns nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from custody.invariants import Row, Violation
from custody.money import split_largest_remainder
from custody.names import BreakKind


@dataclass(frozen=True)
class InterestShares:
    """``of``: by account, none of nothing. ``rounded_up``: who got a fen of the residue beyond the whole part of his share."""

    of: Mapping[str, int]
    rounded_up: tuple[str, ...]


def interest_shares(credit_minor: int, balance_days: Mapping[str, int]) -> InterestShares:
    """The split of one credit. Raises ValueError when there is a credit and nobody held anything."""
    accounts = sorted(account for account, weight in balance_days.items() if weight)
    weights = [balance_days[account] for account in accounts]
    parts = split_largest_remainder(credit_minor, weights, accounts)
    whole = sum(weights)
    up = tuple(a for a, part, weight in zip(accounts, parts, weights, strict=True) if part > credit_minor * weight // whole)
    return InterestShares({a: part for a, part in zip(accounts, parts, strict=True) if part}, up)


def interest_as_owned(credits: Iterable[Row], legs: Iterable[Row], balance_days: Iterable[Row]) -> Iterator[Violation]:
    """ALLOCATION: posted legs of BANK_INTEREST OUT that are not the shares of the credit that they name.

    ``credits``: posted BANK_INTEREST IN; ``balance_days``: as of the day before. Credits whose legs have not come are not
    judged: what waits in SUSPENSE ages there.
    """
    paid: dict[tuple[str, str], dict[str, list[Row]]] = {}
    for leg in legs:
        paid.setdefault((leg["platform"], leg["related_request_no"]), {}).setdefault(leg["to_account"], []).append(leg)
    weights: dict[str, dict[str, int]] = {}
    for row in balance_days:
        weights.setdefault(row["platform"], {})[row["account"]] = row["minor_days"]
    for credit in credits:
        platform, request = credit["platform"], credit["request_no"]
        if (platform, request) not in paid or not weights.get(platform):
            continue
        ours = interest_shares(credit["amount_minor"], weights[platform]).of
        theirs = paid[platform, request]
        for account in sorted({*ours, *theirs}):
            got, share = sum(leg["amount_minor"] for leg in theirs.get(account, ())), ours.get(account, 0)
            if got != share:
                figures: dict[str, int | str] = {
                    "account": account,
                    "paid": got,
                    "share": share,
                    "credit": credit["amount_minor"],
                }
                subject = f"INTEREST|{request}|{account}"
                yield Violation(BreakKind.ALLOCATION, platform, "B", subject, abs(got - share), figures)
