"""Where a loan's money went, as a tree from the lenders on, and what of it still lies where (custody/funds_paths.py).

Told from the legs and lots that each day's reconciliation sealed: what stood open at the end of the last day makes up, with all that
ended, what was lent; whether it does is part of the answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from custody.funds_paths import GOES_ON, LENDERS, Way, is_card
from custody.ports import Row
from custody.use_of_funds import BASIS_POINTS

# Ways that end a path; the others lead on to a further account or card.
_ENDS = frozenset(Way) - GOES_ON - {Way.LENT}


@dataclass(frozen=True)
class FundsLeg:
    """What one request took from a place of the path to the next. ``target``: where it went on to; None where the path ends."""

    on: date
    way: Way
    request_no: str | None
    target: str | None
    other_loan: str | None
    amount_minor: int
    share_bp: int


@dataclass(frozen=True)
class Place:
    """A sub-account or a person's card that the money came to after so many hops: what came, what went which way, what still lies."""

    node: str
    hop: int
    came_minor: int
    lies_minor: int
    legs: tuple[FundsLeg, ...]

    @property
    def is_card(self) -> bool:
        return is_card(self.node)


@dataclass(frozen=True)
class FundsPath:
    """``places`` in the order in which a tree is read: each behind the one from which most of its money came. ``ends``: by way, what
    ended so; ``findings``: open cases about the loan's money."""

    platform: str
    loan_id: str
    purpose: str
    up_to: date
    lent_minor: int
    places: tuple[Place, ...]
    ends: dict[Way, int]
    lies_minor: int
    findings: tuple[Row, ...]

    @property
    def agrees(self) -> bool:
        """Whether all that ended and all that lies make up what was lent."""
        return self.lent_minor == sum(self.ends.values()) + self.lies_minor


def loan_funds(
    loan: Row, days: Iterable[tuple[date, Sequence[Row]]], lots: Sequence[Row], findings: Sequence[Row], up_to: date
) -> FundsPath:
    """``days``: each date's legs of the loan; ``lots``: what lay at the end of the last date."""
    told = [(on, leg) for on, legs in days for leg in legs]
    lent = sum(leg["amount_minor"] for _, leg in told if leg["way"] == Way.LENT)
    leaving: dict[tuple[str, int], list[FundsLeg]] = defaultdict(list)
    came: dict[tuple[str, int], int] = defaultdict(int)
    ends: dict[Way, int] = defaultdict(int)
    for on, leg in told:
        way, amount = Way(leg["way"]), leg["amount_minor"]
        share = amount * BASIS_POINTS // lent
        found = FundsLeg(on, way, leg["request_no"], leg["target"], leg["other_loan"], amount, share)
        leaving[leg["source"], leg["hop"]].append(found)
        if leg["target"] is not None:
            came[leg["target"], leg["hop"] + 1] += amount
        if way in _ENDS:
            ends[way] += amount
    lies: dict[tuple[str, int], int] = defaultdict(int)
    for lot in lots:
        lies[lot["node"], lot["hop"]] += lot["amount_minor"]
    places = tuple(_read_down((LENDERS, 0), lent, leaving, came, lies, set()))
    ordered = dict(sorted(ends.items(), key=lambda one: -one[1]))
    return FundsPath(
        loan["platform"], loan["loan_id"], loan["purpose"], up_to, lent, places, ordered, sum(lies.values()), tuple(findings)
    )


def _read_down(
    at: tuple[str, int],
    came_minor: int,
    leaving: dict[tuple[str, int], list[FundsLeg]],
    came: dict[tuple[str, int], int],
    lies: dict[tuple[str, int], int],
    told: set[tuple[str, int]],
) -> Iterable[Place]:
    """A place and what follows from it; one that several lead to stands behind the first."""
    told.add(at)
    legs = sorted(leaving[at], key=lambda leg: (leg.on, leg.way not in GOES_ON, leg.request_no or ""))
    yield Place(at[0], at[1], came_minor, lies[at], tuple(legs))
    for target in dict.fromkeys(leg.target for leg in legs if leg.target is not None):
        on = target, at[1] + 1
        if on not in told:
            yield from _read_down(on, came[on], leaving, came, lies, told)
