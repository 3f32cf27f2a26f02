"""Rules about what a platform does: what each speaks at, and just before that."""

from __future__ import annotations

from typing import Any

import pytest
from compliance_kit import DAY, account_day, before, figures, told

from custody.compliance import Behind, Source
from custody.compliance_platforms import (
    Waiting,
    fills_that_never_were,
    near_guarantors,
    near_related,
    new_for_old,
    packaged,
    platform_payouts,
    pooled,
    related_guarantors,
    related_lenders,
    super_lenders,
)

RELATED = {"P001": frozenset({"C-related"}), "P002": frozenset({"C9"})}
PLACE = {"entry_no": 7, "file_name": "GW", "line_no": 3}


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({}, 1),
        ({"lent_minor": 19_999_999}, 0),
        ({"sold_minor": 9_999_999}, 0),
        ({"sold_count": 9}, 0),
        ({"on": before(29)}, 1),
        ({"on": before(30)}, 0),
    ],
)
def test_who_sells_on_to_many_what_he_lent_first(said: dict[str, Any], found: int) -> None:
    row = account_day(**({"lent_minor": 20_000_000, "sold_minor": 10_000_000, "sold_count": 10} | said))
    findings = list(super_lenders([row], figures("super_lender"), DAY))
    assert [(f.platform, f.subject, f.behind[0].source) for f in findings] == [("P001", "C1", Source.SALE)] * found


def sale(loan: int, buyer: str = "B1", seller: str = "C1", minor: int = 500_000) -> dict[str, Any]:
    return {
        "platform": "P001", "seller": seller, "buyer": buyer, "account": f"P001.LENDER.{seller}", "loan_id": f"L{loan}",
        "amount_minor": minor, "entry_no": loan,
    }  # fmt: skip


def part(loan: int, buyer: str, minor: int, days_ago: int = 0) -> dict[str, Any]:
    return sale(loan, buyer, minor=minor) | {"on": before(days_ago)}


def lent(loan: int, left: int, funded: int, days_ago: int = 9) -> dict[str, Any]:
    """What the seller still holds of a loan, and what was lent in all."""
    said = {"platform": "P001", "loan_id": f"L{loan}", "customer_id": "C1", "since": before(days_ago)}
    return said | {"principal_minor": left, "funded_minor": funded}


THREE = [part(1, "B1", 1_000_000, 3), part(1, "B2", 1_000_000, 2), part(1, "B3", 1_000_000)]


@pytest.mark.parametrize(
    ("sales", "his", "found"),
    [
        (THREE, [lent(1, 2_000_000, 10_000_000)], [3_000_000]),
        (THREE, [lent(1, 1_999_999, 10_000_000)], []),  # others lent the most of it
        (THREE, [lent(1, 9_000_000, 12_000_000, 30)], []),  # long ago
        ([*THREE[:2], part(1, "B2", 1_000_000)], [lent(1, 9_000_000, 12_000_000)], []),  # to two
        ([*THREE[:2], part(1, "B3", 999_999)], [lent(1, 9_000_000, 12_000_000)], []),
        # Whole claims on three loans, each to another: he leaves.
        ([part(n, f"B{n}", 1_000_000) for n in (1, 2, 3)], [lent(n, 0, 1_000_000) for n in (1, 2, 3)], []),
        # Two loans in halves.
        ([part(n, f"B{n}{b}", 800_000) for n in (1, 2) for b in (1, 2)], [lent(n, 0, 1_600_000) for n in (1, 2)], [3_200_000]),
    ],
)
def test_who_splits_among_many_what_he_lent_alone(
    sales: list[dict[str, Any]], his: list[dict[str, Any]], found: list[int]
) -> None:
    findings = list(super_lenders([], figures("super_lender"), DAY, sales, his))
    assert [f.amount_minor for f in findings] == found
    assert [len(f.behind) for f in findings] == [len(sales)] * len(found) and all("all but alone" in f.words[0] for f in findings)
    assert list(super_lenders([], figures("super_lender", 1), DAY, sales, his)) == []


@pytest.mark.parametrize(
    ("moves", "found"),
    [
        ([sale(n) for n in range(10)], [("C1", 5_000_000)]),
        ([sale(n) for n in range(5)], [("C1", 2_500_000)]),
        ([sale(n) for n in range(4)], []),
        ([sale(n, minor=399_999) for n in range(5)], []),
        # Four fifths of what he sells that day go to one.
        ([*(sale(n) for n in range(8)), sale(8, "B2"), sale(9, "B2")], [("C1", 4_000_000)]),
        ([*(sale(n) for n in range(7)), sale(8, "B2"), sale(9, "B2")], []),
        # One claim after the other, to whoever bids; or many of many sellers to one who buys by a mandate.
        ([sale(n, buyer=f"B{n}") for n in range(20)], []),
        ([sale(n, seller=f"C{n}") for n in range(20)], []),
        # Ten parts of one loan are no package of loans.
        ([sale(1) | {"entry_no": n} for n in range(10)], []),
        # Slices of one set to two buyers; the third takes a single one.
        ([*(sale(n, f"B{b}") for n in range(10) for b in (1, 2)), sale(1, "B3")], [("C1", 10_000_000)]),
    ],
)
def test_claims_on_many_loans_that_go_in_one_piece(moves: list[dict[str, Any]], found: list[tuple[str, int]]) -> None:
    told_of = list(packaged(moves, figures("packaged_assignment"), DAY))
    assert [(f.subject, f.amount_minor) for f in told_of] == found and all(f.words and f.occurrence for f in told_of)
    first = [(f.subject, f.amount_minor) for f in packaged(moves, figures("packaged_assignment", 1), DAY)]
    assert first == [(subject, minor) for subject, minor in found if minor >= 5_000_000]


@pytest.mark.parametrize(
    ("idle", "lenders", "lent", "found"), [(200, 5, 1000, 1), (199, 5, 1000, 0), (200, 4, 1000, 0), (1, 5, 0, 1), (0, 5, 0, 0)]
)
def test_money_that_waits_without_a_loan(idle: int, lenders: int, lent: int, found: int) -> None:
    assert len(list(pooled([Waiting("P001", idle, lenders, lent, ())], figures("pooling", 1)))) == found
    # Half of it is enough since.
    assert len(list(pooled([Waiting("P001", idle, lenders, 2 * lent, ())], figures("pooling")))) == found


def test_old_lenders_paid_with_new_money_as_a_share_of_what_is_repaid() -> None:
    days = [{"platform": "P001", "on": before(n), "repaid_minor": 5_000_000, "repaid_by_new_minor": 1_000_000} for n in (0, 29)]
    legs = [{"platform": "P001", "on": DAY, "other_loan": "L2", "entry_no": 9, "amount_minor": 1_000_000}]
    (found,) = new_for_old(days, legs, figures("new_for_old", 1), DAY)
    assert told([found]) == [("new_for_old", "P001", "P001", 2_000_000)]
    assert found.behind == (Behind(Source.ENTRY, "P001", "L2", DAY, 1_000_000, 9),)
    less = {**days[0], "repaid_by_new_minor": 999_999}
    alone = [less, {**days[1], "on": before(30)}]
    assert told(new_for_old(alone, legs, figures("new_for_old", 1), DAY)) == []
    # A tenth of all is enough since, of the same amount.
    tenth = [{**row, "repaid_minor": 10_000_000} for row in days]
    assert told(new_for_old(tenth, legs, figures("new_for_old", 1), DAY)) == []
    assert told(new_for_old(tenth, legs, figures("new_for_old"), DAY)) == [("new_for_old", "P001", "P001", 2_000_000)]
    assert told(new_for_old(alone, legs, figures("new_for_old"), DAY)) == []


def test_a_related_party_neither_lends_nor_guarantees_on_its_own_platform() -> None:
    held = [
        {"platform": p, "customer_id": c, "holder": "x", "loan_id": "L1", "principal_minor": 5}
        for p in RELATED
        for c in ("C-related", "C1")
    ]
    assert told(related_lenders(held, RELATED, figures("lender_is_related"), DAY)) == [
        ("lender_is_related", "P001", "C-related", 5)
    ]
    paid = [{"platform": p, "customer_id": "C-related", "account": "g", "amount_minor": 6, **PLACE} for p in RELATED]
    (found,) = related_guarantors(paid, RELATED, figures("guarantee_by_related"), DAY)
    assert told([found]) == [("guarantee_by_related", "P001", "C-related", 6)]
    assert (found.behind[0].entry_no, found.behind[0].file_name, found.behind[0].line_no) == (7, "GW", 3)


def contact(platform: str, role: str, customer: str, digest: str = "d") -> dict[str, Any]:
    return {
        "field": "phone", "digest": digest, "customer_id": customer, "platform": platform, "role": role,
        "sub_account": f"{platform}.{role}.{customer}", "since": DAY, "file_name": "F", "line_no": 2,
    }  # fmt: skip


def test_a_borrower_under_the_number_of_a_related_party() -> None:
    related = contact("P001", "GUARANTOR", "C-related")
    assert told(near_related([related, contact("P001", "BORROWER", "C1")], RELATED)) == [
        ("borrower_near_related", "P001", "C1", 0)
    ]
    # Itself is another rule's (borrower_is_related); another platform's related party is nobody here.
    assert told(near_related([related, contact("P001", "BORROWER", "C-related")], RELATED)) == []
    assert told(near_related([related, contact("P002", "BORROWER", "C1")], RELATED)) == []
    assert told(near_related([related, contact("P001", "BORROWER", "C1", "other")], RELATED)) == []


def guaranteed(loan_id: str, guarantor: str, minor: int = 5, guarantor_id: str = "") -> dict[str, Any]:
    said = {
        "platform": "P001",
        "loan_id": loan_id,
        "since": DAY,
        "minor": minor,
        "borrower": "P001.BORROWER.C1",
        "borrower_id": "C1",
    }
    return said | {"guarantor": f"P001.GUARANTOR.{guarantor}", "guarantor_id": guarantor_id or guarantor}


def test_a_borrower_and_the_guarantor_of_his_loan_under_one_number() -> None:
    said = figures("borrower_near_guarantor")
    contacts = [
        contact("P001", "BORROWER", "C1"),
        contact("P001", "GUARANTOR", "G1"),
        contact("P001", "GUARANTOR", "G2", "other"),
    ]
    loans = [guaranteed("L1", "G1"), guaranteed("L2", "G2"), guaranteed("L3", "G1", 6)]
    (found,) = near_guarantors(loans, contacts, said)
    assert told([found]) == [("borrower_near_guarantor", "P001", "C1", 11)] and found.occurrence == "G1"
    assert [behind.ref for behind in found.behind] == ["L1", "L3", "P001.BORROWER.C1", "P001.GUARANTOR.G1"]
    assert "phone number of G1" in found.words[0] and "手机号" in found.words[1]
    # He himself, under whatever numbers; and nothing when all is repaid.
    (found,) = near_guarantors([guaranteed("L1", "G9", guarantor_id="C1")], [], said)
    assert told([found]) == [("borrower_near_guarantor", "P001", "C1", 5)] and "identity number" in found.words[0]
    assert list(near_guarantors([guaranteed("L1", "G1", 0)], contacts, said)) == []


def test_any_payout_of_the_compensation_account() -> None:
    paid = [{"platform": "P001", "account": f"P001.LENDER.{n}", "amount_minor": 10, **PLACE, "line_no": n} for n in (1, 2)]
    (found,) = platform_payouts(paid, DAY)
    assert told([found]) == [("platform_compensation", "P001", "P001", 20)] and found.figures["customers"] == 2
    assert found.occurrence == DAY.isoformat()


@pytest.mark.parametrize(("raised", "found"), [(100_000, 1), (19_999, 0)])
def test_a_fill_that_never_was(raised: int, found: int) -> None:
    row = {
        "platform": "P001",
        "loan_id": "L1",
        "state": "FULL",
        "raised_minor": raised,
        "ours_minor": 10_000,
        "custody_date": DAY,
        **PLACE,
    }
    findings = list(fills_that_never_were([row], figures("fill_that_never_was")))
    assert [(f.subject, f.amount_minor, f.behind[0].line_no) for f in findings] == [("L1", raised - 10_000, 3)] * found
