"""Each invariant on a day that is sound, and on one where a single figure is wrong."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from custody.calendar import SettlementCalendar
from custody.fee_positions import Position
from custody.life_invariants import (
    fees_add_up,
    itemised,
    loans_begin_whole,
    money_went_its_way,
    requirement_is_covered,
    settled_money_only,
    shares_stay_whole,
)
from custody.match_rules import RuleBook
from schemas.rule_book import shipped_rules

DAY = date(2019, 12, 30)
CALENDAR = SettlementCalendar()
AGES = RuleBook.of(shipped_rules()).ages
Row = dict[str, Any]


def balance(account: str, closing: int, book: str = "CUSTODY") -> Row:
    return {"platform": "P001", "book": book, "account": account, "closing_minor": closing}


def item(account: str, amount: int, due: date = DAY, name: str = "r1|1") -> Row:
    return {"platform": "P001", "account": account, "item": name, "settle_date": due, "amount_minor": amount}


def loan(**other: Any) -> Row:
    row = {
        "platform": "P001", "loan_id": "L1", "amount_minor": 1_000, "minimum_minor": None, "disbursed_on": DAY,
        "funded_minor": 1_000, "principal_repaid_minor": 0,
    }  # fmt: skip
    return row | other


def claim(principal: int, claim_id: str = "t1", original: int = 1_000) -> Row:
    return {"platform": "P001", "claim_id": claim_id, "loan_id": "L1", "principal_minor": principal, "original_minor": original}


def hold(hold_id: str = "t1", amount: int = 5, **other: Any) -> Row:
    row = {
        "platform": "P001", "hold_id": hold_id, "account": "P001.LENDER.u1", "kind": "TENDER", "loan_id": "L1",
        "amount_minor": amount, "placed_on": DAY,
    }  # fmt: skip
    return row | other


@pytest.mark.parametrize(
    ("receivable", "payable", "suspense", "wrong"),
    [
        (70, 20, 9, []),
        (69, 20, 9, ["P001:CHANNEL_RECEIVABLE/CH01"]),
        (70, 21, 9, ["P001:CHANNEL_PAYABLE/CH01"]),
        (70, 20, 0, ["P001:SUSPENSE"]),
    ],
)
def test_inv_01_each_receivable_and_payable_is_its_items(receivable: int, payable: int, suspense: int, wrong: list[str]) -> None:
    balances = [
        balance("P001:CHANNEL_RECEIVABLE/CH01", -70),
        balance("P001:CHANNEL_PAYABLE/CH01", 20),
        balance("P001:SUSPENSE", 9),
        balance("P001.LENDER.u1:available", 3),
    ]
    items = [
        item("P001:CHANNEL_RECEIVABLE/CH01", receivable - 1),
        item("P001:CHANNEL_RECEIVABLE/CH01", 1, name="r2|1"),
        item("P001:CHANNEL_PAYABLE/CH01", payable),
    ]
    receipts = [{"platform": "P001", "left_minor": suspense}]
    assert [v.subject for v in itemised(balances, items, receipts)] == [f"INV|INV_01|{account}|items" for account in wrong]


def test_inv_01_items_without_an_account_are_noticed() -> None:
    (found,) = itemised([], [item("P001:FEE_RECEIVABLE", 3)], [])
    assert (found.kind, found.amount_minor) == ("INV_01", 3)


def begun(loans: list[Row], **other: Any) -> list[str]:
    given: dict[str, Any] = {"holds": [], "holds_before": [], "settled": [], "miscarried": []} | other
    return [v.subject for v in loans_begin_whole(loans, **given, on=DAY, calendar=CALENDAR, ages=AGES)]


@pytest.mark.parametrize(
    ("terms", "is_wrong"),
    [
        ({}, False),
        ({"funded_minor": 999}, True),
        ({"funded_minor": 1_001}, True),
        ({"funded_minor": 600, "minimum_minor": 600}, False),
        ({"funded_minor": 599, "minimum_minor": 600}, True),
        # Begun on another day it was judged then; not begun it is not judged.
        ({"funded_minor": 999, "disbursed_on": date(2019, 12, 29)}, False),
        ({"funded_minor": 0, "disbursed_on": None}, False),
    ],
)
def test_inv_04_a_loan_begins_when_full_or_at_its_minimum(terms: Row, is_wrong: bool) -> None:
    assert begun([loan(**terms)]) == ["INV|INV_04|L1"] * is_wrong


def test_inv_04_what_has_begun_or_failed_keeps_nobodys_money_frozen() -> None:
    assert begun([loan()], holds=[hold()]) == ["INV|INV_04|L1|holds"]
    bidding = loan(funded_minor=0, disbursed_on=None)
    assert begun([bidding], holds=[hold()]) == []
    failed = [{"party": "P001", "loan_id": "L1", "state": "MISCARRIED"}]
    assert begun([bidding], holds=[hold()], miscarried=failed) == ["INV|INV_04|L1|holds"]
    assert begun([bidding], miscarried=failed) == []
    assert begun([loan()], holds=[hold(kind="WITHDRAW", loan_id=None), hold(loan_id="L2")]) == []


def test_inv_04_a_tender_is_settled_within_twenty_working_days() -> None:
    leg = {"platform": "P001", "loan_id": "L1", "related_request_no": "t1", "amount_minor": 5, "value_date": DAY}
    # The twentieth working day after 2 December is Monday the 30th.
    assert begun([loan()], settled=[leg], holds_before=[hold(placed_on=date(2019, 12, 2))]) == []
    assert begun([loan()], settled=[leg], holds_before=[hold(placed_on=date(2019, 11, 29))]) == ["INV|INV_04|L1|t1"]


@pytest.mark.parametrize(
    ("claims", "terms", "wrong"),
    [
        ([claim(600), claim(400, "a1")], {}, []),
        ([claim(600), claim(401, "a1")], {}, ["L1"]),
        ([claim(500), claim(400, "a1")], {"principal_repaid_minor": 100}, []),
        ([claim(1_001)], {"funded_minor": 1_001}, ["t1"]),
        ([claim(-1), claim(1_001, "a1", 1_001)], {}, ["t1"]),
    ],
)
def test_inv_06_shares_change_only_by_what_was_lent_and_repaid(claims: list[Row], terms: Row, wrong: list[str]) -> None:
    found = shares_stay_whole(claims, [claim(1_000)], [loan(**terms)], [loan()])
    assert [v.subject for v in found] == [f"INV|INV_06|{subject}" for subject in wrong]


@pytest.mark.parametrize(
    ("txn_type", "payer", "payee", "kind"),
    [
        ("COMMISSION", "LENDER", "P_INCOME", None),
        ("REVERSAL", "LENDER", "P_MARKETING", None),
        ("TENDER_SETTLE", "P_MARKETING", "LENDER", None),
        ("REPAYMENT", "BORROWER", "LENDER", None),
        ("ENTRUSTED_PAYMENT", "BORROWER", "PAYEE", None),
        ("WITHDRAW", "PAYEE", "CHANNEL_PAYABLE", None),
        ("TENDER_SETTLE", "P_MARKETING", "BORROWER", "INV_07"),
        ("REPAYMENT", "BORROWER", "P_INCOME", "INV_07"),
        ("COMPENSATION", "P_COMPENSATION", "LENDER", "INV_07"),
        ("WITHDRAW", "LENDER", "CORE_CASH", "INV_08"),
        ("MARKETING", "LENDER", "BORROWER", "INV_08"),
        ("REPAYMENT", "BORROWER", "CHANNEL_PAYABLE", "INV_08"),
    ],
)
def test_inv_07_and_08_money_goes_only_where_its_type_sends_it(txn_type: str, payer: str, payee: str, kind: str | None) -> None:
    path = {"platform": "P001", "txn_type": txn_type, "payer": payer, "payee": payee, "amount_minor": 8}
    assert [v.kind for v in money_went_its_way([path])] == ([kind] if kind else [])


def books(due: int, cash: int, lost: int = 0) -> list[Row]:
    accounts = (("FEE_DUE", due), ("BANK_CASH", cash), ("FEE_WRITTEN_OFF", lost), ("VAT", -6))
    return [balance(f"P001:{name}", -minor, "BANK") for name, minor in accounts]


@pytest.mark.parametrize(
    ("due", "cash", "lost", "wrong_by"), [(40, 60, 0, 0), (100, 0, 0, 0), (30, 60, 10, 0), (39, 60, 0, 1), (60, 60, 0, 20)]
)
def test_inv_11_accrued_fees_are_collected_written_off_or_due(due: int, cash: int, lost: int, wrong_by: int) -> None:
    position = Position("P001", accrued_minor=100, charged_minor=100, collected_minor=cash, written_off_minor=lost)
    found = list(fees_add_up(books(due, cash, lost), [position]))
    assert [(v.kind, v.subject, v.amount_minor) for v in found] == [("INV_11", "INV|INV_11|P001|accrued", wrong_by)] * bool(
        wrong_by
    )
    # Accrued and nowhere in the books.
    assert [v.amount_minor for v in fees_add_up([], [Position("P001", 5), Position("P002")])] == [5]


@pytest.mark.parametrize(
    ("charged", "collected", "written_off", "to_give_back", "surplus"),
    # All paid; an arrear is no violation; written off; too much; too much that is on its way back; nobody charged; rated down, approved.
    [
        (60, 60, 0, 0, 0),
        (60, 50, 0, 0, 0),
        (60, 50, 10, 0, 0),
        (60, 61, 0, 0, 1),
        (60, 61, 0, 1, 0),
        (0, 60, 0, 0, 60),
        (50, 60, 0, 10, 0),
        (60, 55, 10, 0, 5),
    ],
)
def test_inv_11_what_is_collected_was_charged(
    charged: int, collected: int, written_off: int, to_give_back: int, surplus: int
) -> None:
    position = Position("P001", 100, charged, collected, written_off, to_give_back)
    assert position.surplus_minor == surplus
    found = list(fees_add_up(books(100 - collected - written_off, collected, written_off), [position]))
    assert [(v.subject, v.amount_minor) for v in found] == [("INV|INV_11|P001", surplus)] * bool(surplus)


def test_inv_11_the_books_hold_the_money_that_the_legs_said() -> None:
    found = list(fees_add_up(books(40, 60), [Position("P001", 100, 60, 59)]))
    assert [(v.subject, v.amount_minor) for v in found] == [("INV|INV_11|P001|cash", 1)]


def lot(account: str, amount: int, hold_id: str = "") -> Row:
    return {"platform": "P001", "account": account, "hold_id": hold_id, "amount_minor": amount}


@pytest.mark.parametrize(
    ("lots", "wrong"),
    [
        ([lot("P001.LENDER.u1", 90), lot("P001.LENDER.u1", 5, "t1"), lot("P001:P_ADVANCE", 30)], []),
        ([lot("P001.LENDER.u1", 91)], ["P001.LENDER.u1|"]),
        ([lot("P001.LENDER.u1", 6, "t1")], ["P001.LENDER.u1|t1"]),
        ([lot("P001:P_ADVANCE", 31)], ["P001:P_ADVANCE|"]),
        ([lot("P001:CHANNEL_PAYABLE/CH01", 4)], ["P001"]),
        ([lot("P001:CORE_CASH", 4)], ["P001"]),
        ([lot("P001:CHANNEL_PAYABLE/CH01", 4, "REFUNDED")], []),
    ],
)
def test_inv_12_only_settled_money_leaves(lots: list[Row], wrong: list[str]) -> None:
    balances = [balance("P001.LENDER.u1:available", 90), balance("P001.LENDER.u1:frozen", 5), balance("P001:P_ADVANCE", 30)]
    found = settled_money_only(balances, [hold()], lots)
    assert [v.subject for v in found] == [f"INV|INV_12|{subject}" for subject in wrong]


def test_inv_13_a_channel_settles_by_the_end_of_its_day() -> None:
    later = date(2019, 12, 31)
    items = [
        item("P001:CHANNEL_RECEIVABLE/CH01", 70, later),
        item("P001:CHANNEL_PAYABLE/CH01", 7),
        item("P001:FEE_RECEIVABLE", 1),
    ]
    assert list(requirement_is_covered(items, DAY)) == []
    (found,) = requirement_is_covered(items, later)
    assert (found.kind, found.subject, found.amount_minor) == ("INV_13", "INV|INV_13|P001", 70)
