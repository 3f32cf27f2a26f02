"""Who gets what of a repayment: our own split from the claim register (domain.md §3, Allocation).

Principal and interest are each split pro rata to the principal still held, by largest remainder, ties by claim id, so
that the parts sum to the whole and no fen is left over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from custody.ledger import Claim, Instruction
from custody.money import split_largest_remainder


@dataclass(frozen=True)
class Share:
    claim_id: str
    holder: str
    principal_minor: int
    interest_minor: int


def allocate(claims: Sequence[Claim], principal_minor: int, interest_minor: int) -> list[Share]:
    """Shares in order of claim id. Raises ValueError when there is an amount and nothing to split it over."""
    ordered = sorted(claims, key=lambda c: c.claim_id)
    weights, keys = [c.principal_minor for c in ordered], [c.claim_id for c in ordered]
    principal = split_largest_remainder(principal_minor, weights, keys)
    interest = split_largest_remainder(interest_minor, weights, keys)
    return [Share(c.claim_id, c.holder, p, i) for c, p, i in zip(ordered, principal, interest, strict=True)]


def differing_legs(claims: Sequence[Claim], legs: Sequence[Instruction]) -> list[tuple[Instruction, Share | None]]:
    """The legs of one repayment whose split is not ours, each with our share of the claim (None: no such claim).

    A holder's legs stand for his claims in order of claim id.
    """
    if not claims:
        return [(leg, None) for leg in legs]
    ours: dict[str, list[Share]] = {}
    for mine in allocate(claims, sum(x.principal_minor for x in legs), sum(x.interest_minor for x in legs)):
        ours.setdefault(mine.holder, []).append(mine)
    wrong: list[tuple[Instruction, Share | None]] = []
    for leg in sorted(legs, key=lambda x: x.leg):
        shares = ours.get(str(leg.to_account), [])
        share = shares.pop(0) if shares else None
        if share is None or (share.principal_minor, share.interest_minor) != (leg.principal_minor, leg.interest_minor):
            wrong.append((leg, share))
    return wrong
