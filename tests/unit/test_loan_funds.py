"""A loan's path as a tree: places behind those that lead to them, and sums that make up what was lent."""

from __future__ import annotations

from datetime import date
from typing import Any

from custody.funds_paths import LENDERS, Way
from custody.services.loan_funds import loan_funds

DAY, NEXT = date(2020, 1, 1), date(2020, 1, 2)
LOAN = {"platform": "P1", "loan_id": "L1", "purpose": "trade"}
B, CARD, OTHER = "P1.BORROWER.b1", "P1.CARD.c1", "P1.BORROWER.b2"


def leg(hop: int, source: str, way: Way, amount: int, target: str | None = None, other: str | None = None) -> dict[str, Any]:
    base = {"platform": "P1", "loan_id": "L1", "entry_no": hop, "request_no": f"R{hop}{way}"}
    return base | {"hop": hop, "source": source, "way": str(way), "target": target, "other_loan": other, "amount_minor": amount}


def test_the_tree_follows_the_money_and_adds_up() -> None:
    first = [leg(0, LENDERS, Way.LENT, 1_000, B), leg(1, B, Way.WITHDRAWN, 600, CARD), leg(1, B, Way.TO_PLATFORM, 5)]
    second = [leg(2, CARD, Way.CAME_BACK, 300, OTHER), leg(3, OTHER, Way.REPAID_OTHER, 250, other="L2")]
    lots = [
        {"node": node, "hop": hop, "amount_minor": minor} for node, hop, minor in ((B, 1, 395), (CARD, 2, 300), (OTHER, 3, 50))
    ]
    path = loan_funds(LOAN, [(DAY, first), (NEXT, second)], lots, [], NEXT)
    assert [(place.node, place.hop, place.came_minor, place.lies_minor) for place in path.places] == [
        (LENDERS, 0, 1_000, 0), (B, 1, 1_000, 395), (CARD, 2, 600, 300), (OTHER, 3, 300, 50)
    ]  # fmt: skip
    assert [leg.share_bp for leg in path.places[1].legs] == [6_000, 50]
    assert path.ends == {Way.REPAID_OTHER: 250, Way.TO_PLATFORM: 5} and path.lies_minor == 745 and path.agrees
    assert not loan_funds(LOAN, [(DAY, first), (NEXT, second)], lots[1:], [], NEXT).agrees


def test_money_that_comes_to_a_place_by_two_ways_is_told_once() -> None:
    legs = [leg(0, LENDERS, Way.LENT, 100, B), leg(1, B, Way.WITHDRAWN, 60, CARD), leg(1, B, Way.WITHDRAWN, 40, CARD)]
    path = loan_funds(LOAN, [(DAY, legs)], [{"node": CARD, "hop": 2, "amount_minor": 100}], [], DAY)
    assert [(place.node, place.came_minor) for place in path.places] == [(LENDERS, 100), (B, 100), (CARD, 100)] and path.agrees


def test_a_loan_that_is_not_disbursed_has_no_path() -> None:
    path = loan_funds(LOAN, [], [], [], DAY)
    assert path.lent_minor == 0 and path.ends == {} and path.agrees
