"""Who gets what of a repayment: our own split from the claim register (domain.md §3, Allocation).

Principal, interest and penalty are each split pro rata to the principal that lenders still hold, by largest remainder, ties
by claim id, so that the parts sum to the whole and no fen is left over. What a guarantor holds is repaid to him apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from custody.ledger_state import Claim
from custody.money import split_largest_remainder
from custody.names import Role, role_of


class Leg(Protocol):
    """A leg of a repayment: an instruction, or what is known of one that was posted."""

    @property
    def leg(self) -> int: ...
    @property
    def to_account(self) -> str | None: ...
    @property
    def principal_minor(self) -> int: ...
    @property
    def interest_minor(self) -> int: ...
    @property
    def penalty_minor(self) -> int: ...


@dataclass(frozen=True)
class Share:
    claim_id: str
    holder: str
    principal_minor: int
    interest_minor: int
    penalty_minor: int

    @property
    def parts(self) -> tuple[int, int, int]:
        return self.principal_minor, self.interest_minor, self.penalty_minor


def allocate(claims: Sequence[Claim], principal_minor: int, interest_minor: int, penalty_minor: int) -> list[Share]:
    """The lenders' shares in order of claim id. Raises ValueError when there is an amount and nothing to split it over."""
    ordered = sorted((c for c in claims if role_of(c.holder) == Role.LENDER), key=lambda c: c.claim_id)
    weights, keys = [c.principal_minor for c in ordered], [c.claim_id for c in ordered]
    split = (split_largest_remainder(part, weights, keys) for part in (principal_minor, interest_minor, penalty_minor))
    return [Share(c.claim_id, c.holder, *parts) for c, *parts in zip(ordered, *split, strict=True)]


def share_of_each(claims: Sequence[Claim], legs: Sequence[Leg]) -> dict[int, Share | None]:
    """By leg of one repayment: the share that it stands for, None where there is no claim of its payee for it.

    A holder's legs stand for those of his claims that get something, in order of claim id.
    """
    ours: dict[str, list[Share]] = {}
    if any(role_of(c.holder) == Role.LENDER for c in claims):
        totals = (sum(x.principal_minor for x in legs), sum(x.interest_minor for x in legs), sum(x.penalty_minor for x in legs))
        for mine in allocate(claims, *totals):
            if any(mine.parts):
                ours.setdefault(mine.holder, []).append(mine)
    shares: dict[int, Share | None] = {}
    for leg in sorted(legs, key=lambda x: x.leg):
        left = ours.get(str(leg.to_account), [])
        shares[leg.leg] = left.pop(0) if left else None
    return shares


def differs(leg: Leg, share: Share | None) -> bool:
    """Whether the leg's split is not ours."""
    return share is None or share.parts != (leg.principal_minor, leg.interest_minor, leg.penalty_minor)
