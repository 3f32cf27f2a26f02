"""Each invariant holds on a good day's rows and names its break on a bad one."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from custody.invariants import (
    Violation,
    balances_chain,
    books_sum_to_zero,
    channel_fees_restored,
    closed_accounts_are_empty,
    core_balance_equal,
    debt_equals_claims,
    signs_and_holds,
)
from custody.names import BreakKind

Row = dict[str, Any]
LENDER = "P001.LENDER.u1"


def balance(account: str, closing: int, book: str = "CUSTODY", opening: int = 0, came: int | None = None, went: int = 0) -> Row:
    came = closing - opening + went if came is None else came
    return {
        "platform": account[:4], "book": book, "account": account, "opening_minor": opening, "in_minor": came,
        "out_minor": went, "closing_minor": closing,
    }  # fmt: skip


def found(violations: Iterable[Violation]) -> list[tuple[str, str, str, int]]:
    return [(str(v.kind), v.platform, v.subject, v.amount_minor) for v in violations]


GOOD = [
    balance("P001:CORE_CASH", -900),
    balance("P001:CHANNEL_RECEIVABLE/CH01", -100),
    balance(f"{LENDER}:available", 700),
    balance(f"{LENDER}:frozen", 300),
    balance("P001:OWN_CASH", -50, "OWN"),
    balance("P001:PLATFORM_OWN", 50, "OWN"),
]
CORE = [{"account": "P001:CUSTODY", "closing_minor": 900}, {"account": "P001:OWN", "closing_minor": 50}]
HOLDS = [{"account": LENDER, "amount_minor": 100}, {"account": LENDER, "amount_minor": 200}]


def changed(account: str, **values: int) -> list[Row]:
    return [b | values if b["account"] == account else b for b in GOOD]


def test_a_good_day_has_no_violation() -> None:
    assert found(core_balance_equal(GOOD, CORE)) == []
    assert found(books_sum_to_zero(GOOD)) == []
    assert found(balances_chain(GOOD, [])) == []
    assert found(signs_and_holds(GOOD, HOLDS)) == []
    assert found(channel_fees_restored(GOOD)) == []


def test_inv_01_one_fen_against_the_core() -> None:
    off = [CORE[0] | {"closing_minor": 901}, CORE[1]]
    assert found(core_balance_equal(GOOD, off)) == [("INV_01", "P001", "INV|INV_01|P001:CUSTODY", 1)]
    assert found(core_balance_equal(GOOD, CORE[:1])) == [("INV_01", "P001", "INV|INV_01|P001:OWN", 50)]
    strange = [*CORE, {"account": "P009:CUSTODY", "closing_minor": 7}]
    assert found(core_balance_equal(GOOD, strange)) == [("INV_01", "P009", "INV|INV_01|P009:CUSTODY", 7)]
    zero_and_absent = [*GOOD, balance("P002:CORE_CASH", 0)]
    assert found(core_balance_equal(zero_and_absent, CORE)) == [("INV_01", "P002", "INV|INV_01|P002:CUSTODY", 0)]


def test_inv_01_a_book_that_does_not_sum_to_zero() -> None:
    assert found(books_sum_to_zero(changed("P001:PLATFORM_OWN", closing_minor=49))) == [
        ("INV_01", "P001", "INV|INV_01|P001:OWN", 1)
    ]


def test_inv_02_the_chain() -> None:
    name = f"{LENDER}:available"
    subject = f"INV|INV_02|{name}"
    assert found(balances_chain(changed(name, in_minor=701), [])) == [("INV_02", "P001", subject, 1)]
    assert found(balances_chain(changed(name, out_minor=5), [])) == [("INV_02", "P001", subject, 5)]
    assert found(balances_chain(GOOD, [balance(name, 40)])) == [("INV_02", "P001", subject, 40)]
    gone = "P001.LENDER.u9:available"
    assert found(balances_chain(GOOD, [balance(gone, 8)])) == [("INV_02", "P001", f"INV|INV_02|{gone}", 8)]
    assert found(balances_chain(GOOD, [balance(gone, 0)])) == []
    tomorrow = [balance(name, 650, opening=700, went=50)]
    assert found(balances_chain(tomorrow, [balance(name, 700)])) == []


def test_inv_03_signs_and_holds() -> None:
    assert found(signs_and_holds(changed("P001:CORE_CASH", closing_minor=1), HOLDS)) == [
        ("INV_03", "P001", "INV|INV_03|P001:CORE_CASH", 1)
    ]
    name = f"{LENDER}:available"
    assert found(signs_and_holds(changed(name, closing_minor=-1), HOLDS)) == [("INV_03", "P001", f"INV|INV_03|{name}", 1)]
    held = f"INV|INV_03|{LENDER}:frozen|holds"
    assert found(signs_and_holds(GOOD, HOLDS[:1])) == [("INV_03", "P001", held, 200)]
    assert found(signs_and_holds(GOOD, [])) == [("INV_03", "P001", held, 300)]
    lost = [{"account": "P001.LENDER.u9", "amount_minor": 5}]
    assert found(signs_and_holds(GOOD, [*HOLDS, *lost])) == [("INV_03", "P001", "INV|INV_03|P001.LENDER.u9:frozen|holds", 5)]


def test_inv_03_the_platforms_coupons_are_holds_like_any_other() -> None:
    coupons = [{"account": "P001:P_MARKETING", "amount_minor": 30}]
    frozen = [balance("P001:P_MARKETING:frozen", 30)]
    assert found(signs_and_holds(frozen, coupons)) == []
    subject = "INV|INV_03|P001:P_MARKETING:frozen|holds"
    assert found(signs_and_holds(frozen, [])) == [("INV_03", "P001", subject, 30)]
    assert found(signs_and_holds([], coupons)) == [("INV_03", "P001", subject, 30)]


def test_inv_03_leaves_fees_that_go_back_to_inv_11() -> None:
    assert found(signs_and_holds([balance("P001:FEE_DUE", 1, "BANK"), balance("P001:FEE_WRITTEN_OFF", -5, "BANK")], [])) == []
    for account in ("BANK_CASH", "FEE_WRITTEN_OFF"):
        subject = f"INV|INV_03|P001:{account}"
        assert found(signs_and_holds([balance(f"P001:{account}", 1, "BANK")], [])) == [("INV_03", "P001", subject, 1)]


def test_inv_05_debt_is_the_sum_of_claims() -> None:
    loan = {"platform": "P001", "loan_id": "L1", "funded_minor": 1000, "principal_repaid_minor": 400}
    claims = [{"platform": "P001", "loan_id": "L1", "principal_minor": n} for n in (250, 350)]
    assert found(debt_equals_claims([loan], claims)) == []
    assert found(debt_equals_claims([loan], claims[:1])) == [("INV_05", "P001", "INV|INV_05|L1", 350)]
    elsewhere = [c | {"platform": "P002"} for c in claims]
    assert found(debt_equals_claims([loan], elsewhere)) == [("INV_05", "P001", "INV|INV_05|L1", 600)]


def test_inv_14_an_account_closes_empty() -> None:
    closed = {"sub_account": LENDER, "platform": "P001", "closed_on": date(2019, 12, 30)}
    empty = [balance(f"{LENDER}:available", 0), balance(f"{LENDER}:frozen", 0)]
    assert found(closed_accounts_are_empty([closed], empty, [])) == []
    assert found(closed_accounts_are_empty([closed | {"closed_on": None}], GOOD, [])) == []
    subject = ("INV_14", "P001", f"INV|INV_14|{LENDER}")
    assert found(closed_accounts_are_empty([closed], [balance(f"{LENDER}:available", 1)], [])) == [(*subject, 1)]
    assert found(closed_accounts_are_empty([closed], [balance(f"{LENDER}:frozen", 2)], [])) == [(*subject, 2)]
    claim = {"holder": LENDER, "principal_minor": 3}
    assert found(closed_accounts_are_empty([closed], empty, [claim])) == [(*subject, 3)]
    assert found(closed_accounts_are_empty([closed], empty, [claim | {"holder": f"{LENDER}0"}])) == []


def test_a_channel_fee_left_on_customers_money_is_a_shortfall() -> None:
    left = balance("P001:FEE_RECEIVABLE", -3)
    assert found(channel_fees_restored([*GOOD, left])) == [("SHORTFALL", "P001", "INV|SHORTFALL|P001:FEE_RECEIVABLE", 3)]
    assert [v.kind for v in channel_fees_restored([left])] == [BreakKind.SHORTFALL]
