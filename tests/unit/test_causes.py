"""Each cause is named when its figures prove it, and not when one of them is otherwise."""

from datetime import date
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from custody.cause_proofs import PROOFS, Facts, Rate
from custody.causes import LONGEST, TOLD, cause_words, is_derived, probable_cause
from custody.match_rules import RuleBook
from custody.names import BreakKind
from jobs.reconcile.breaks import Breaks
from schemas.rule_book import shipped_rules

DAY = date(2019, 12, 30)
CAUSES = RuleBook.of(shipped_rules()).rules_on(date(2019, 12, 30)).causes


def row(side: str, **other: Any) -> dict[str, Any]:
    return {"side": side, "row_ref": f"{side}.csv:1", "amount_minor": 123_456, "item_date": "2019-12-30", **other}


def cause(kind: str, *evidence: dict[str, Any], subject: str = "TXN|R1|1", rates: tuple[Rate, ...] = ()) -> str | None:
    return probable_cause(Facts(kind, subject, evidence, rates), CAUSES)


ACCOUNTS = {"from_account": "P001.LENDER.u1", "to_account": "P001.BORROWER.b1"}
TURNED = {"from_account": "P001.BORROWER.b1", "to_account": "P001.LENDER.u1"}
NOON, LATE = "2019-12-30T12:00:00+08:00", "2019-12-30T23:20:00+08:00"
OTHER_RATE = (Rate("CH01", 2_500, 1, DAY), Rate("CH02", 3_000, 1, DAY))


@pytest.mark.parametrize(
    ("kind", "evidence", "found"),
    [
        (BreakKind.DUPLICATE, [row("A"), row("A", row_ref="A.csv:9"), row("B")], "duplicate_send:A.csv:1/A.csv:9"),
        (BreakKind.DUPLICATE, [row("A")], "duplicate_send:A.csv:1"),
        (BreakKind.DUPLICATE, [row("A"), row("A", status="FAIL"), row("B")], "key_reused:A.csv:1/A.csv:1"),
        (BreakKind.DUPLICATE, [row("A"), row("B", amount_minor=123_000), row("B", amount_minor=456)], "batch_split:123456=123000+456"),
        (BreakKind.DUPLICATE, [row("A"), row("B", amount_minor=123_000), row("B", amount_minor=457)], "key_reused:B.csv:1/B.csv:1"),
        (BreakKind.DIRECTION, [row("A", **ACCOUNTS), row("B", **TURNED)], "swapped_accounts"),
        (BreakKind.WRONG_ACCOUNT, [row("A", **ACCOUNTS), row("B", **TURNED, amount_minor=1)], "swapped_accounts"),
        (BreakKind.WRONG_ACCOUNT, [row("A", **ACCOUNTS), row("B", **{**TURNED, "to_account": "P001.LENDER.u2"})], None),
        (BreakKind.DIRECTION, [row("B", amount_minor=-50), row("C", amount_minor=50)], "sign:-50/50"),
        (BreakKind.AMOUNT, [row("A", amount_minor=5_000), row("B", amount_minor=500_000)], "yuan_for_fen:5000/500000"),
        (BreakKind.AMOUNT, [row("A", amount_minor=5_000), row("B", amount_minor=500_100)], None),
        (BreakKind.AMOUNT, [row("B", fee_minor=309), row("C", amount_minor=123_147, fee_minor=309)], "net_for_gross:123456/123147 fee 309"),
        (BreakKind.AMOUNT, [row("A"), row("B", amount_minor=124_356)], "transposed_digits:123456/124356"),
        (BreakKind.AMOUNT, [row("A"), row("B", amount_minor=125_436)], None),
        (BreakKind.AMOUNT, [row("A"), row("B", amount_minor=723_456)], "single_digit:123456/723456"),
        (BreakKind.AMOUNT, [row("A", amount_minor=123), row("B", amount_minor=723)], None),
        (BreakKind.AMOUNT, [row("A"), row("A"), row("B", amount_minor=723_456)], None),
        (
            BreakKind.CLAIM,
            [row("A", amount_minor=None, principal_minor=98_765), row("B", amount_minor=None, principal_minor=98_675)],
            "transposed_digits:98765/98675",
        ),
        (
            BreakKind.AMOUNT,
            [{"side": "A", "available_minor": 90, "frozen_minor": 10}, {"side": "B", "available_minor": 100, "frozen_minor": 0}],
            "held_elsewhere:10/0",
        ),
        (BreakKind.TIMING, [row("A", item_date="2019-12-31", event_time=LATE), row("B", event_time=LATE)], f"cut_off:{LATE} 2019-12-31/2019-12-30"),
        (BreakKind.TIMING, [row("A", item_date="2019-12-31", event_time=NOON), row("B", event_time=NOON)], f"filed_late:{NOON} 2019-12-31/2019-12-30"),
        (BreakKind.TIMING, [row("A", item_date="2020-01-01", event_time=LATE), row("B", event_time=LATE)], None),
        (BreakKind.TIMING, [row("A", item_date="2019-12-31", event_time=LATE), row("B", event_time=NOON)], None),
        (BreakKind.INV_01, [{"side": "-", "core": 123_456, "ledger": 124_356}], None),
        (BreakKind.MISSING_IN_PLATFORM, [row("B")], None),
        (BreakKind.ROUNDING, [row("A"), row("B", amount_minor=123_457)], None),
    ],
)  # fmt: skip
def test_a_cause_is_named_where_its_figures_prove_it(kind: str, evidence: list[dict[str, Any]], found: str | None) -> None:
    assert cause(kind, *evidence) == found


def test_a_fee_by_another_contracted_rate() -> None:
    ours, theirs = row("B", fee_minor=309), row("C", fee_minor=370)
    assert cause(BreakKind.FEE, ours, theirs, rates=OTHER_RATE) == "fee_changed:370 = 123456 × 3000/1000000 (CH02 2019-12-30)"
    assert cause(BreakKind.FEE, ours, {**theirs, "fee_minor": 371}, rates=OTHER_RATE) is None
    assert cause(BreakKind.FEE, ours, {**theirs, "amount_minor": 123_400}, rates=OTHER_RATE) is None


def test_a_fee_by_the_contract_of_another_date() -> None:
    """Whose contract said something else when the money moved: the movement's date speaks first."""
    asked: list[date] = []

    def rates_on(on: date) -> list[Rate]:
        asked.append(on)
        return [Rate("CH01", 3_000 if on == DAY else 2_500, 1, on)]

    breaks = Breaks(date(2020, 1, 2), CAUSES, rates_on)
    ours = row("B", fee_minor=309)
    breaks.add("P001", "BC", "CHANNEL|CH01|R1", BreakKind.FEE, 61, [row("C", fee_minor=370, item_date="2019-12-31"), ours])
    breaks.add("P001", "AB", "TXN|R1|1", BreakKind.AMOUNT, 1, [row("A"), row("B", amount_minor=1)])
    assert {b["subject"]: b["cause"] for b in breaks.rows()}["CHANNEL|CH01|R1"] == (
        "fee_changed:370 = 123456 × 3000/1000000 (CH01 2019-12-30)"
    )
    assert asked == [DAY, date(2019, 12, 31), date(2020, 1, 2)]


def test_a_late_file_is_named() -> None:
    late = cause(BreakKind.LATE_FILE, {"side": "A", "expected": "TXN"}, subject="LATE|P001|TXN|2019-12-30")
    assert late == "late_file:P001|TXN|2019-12-30"


@given(st.integers(1_000, 10**15), st.data())
def test_two_neighbouring_digits_that_changed_places_are_always_seen(amount: int, data: st.DataObject) -> None:
    digits = list(str(amount))
    at = data.draw(st.integers(0, len(digits) - 2))
    assume(digits[at] != digits[at + 1] and not (at == 0 and digits[1] == "0"))
    digits[at], digits[at + 1] = digits[at + 1], digits[at]
    wrong = int("".join(digits))
    assert (
        cause(BreakKind.AMOUNT, row("A", amount_minor=amount), row("B", amount_minor=wrong))
        == f"transposed_digits:{amount}/{wrong}"
    )


@given(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12))
def test_what_is_named_of_two_amounts_is_true_of_them(left: int, right: int) -> None:
    found = cause(BreakKind.AMOUNT, row("A", amount_minor=left), row("B", amount_minor=right))
    word = (found or "").partition(":")[0]
    if word == "sign":
        assert left == -right and left
    elif word == "yuan_for_fen":
        assert left == 100 * right or right == 100 * left
    elif word == "transposed_digits":
        assert sorted(str(left)) == sorted(str(right)) and (left - right) % 9 == 0 and left != right
    elif word == "single_digit":
        assert sum(a != b for a, b in zip(str(left), str(right), strict=True)) == 1
    else:
        assert found is None
    # A cause is about the pair, whichever side says which.
    turned = cause(BreakKind.AMOUNT, row("A", amount_minor=right), row("B", amount_minor=left))
    assert (turned or "").partition(":")[0] == word


def test_the_rule_book_decides_which_causes_are_asked_for_and_in_which_order() -> None:
    facts = Facts(BreakKind.AMOUNT, "TXN|R1|1", [row("A", amount_minor=5_000), row("B", amount_minor=500_000)])
    assert probable_cause(facts, CAUSES) == "yuan_for_fen:5000/500000"
    assert probable_cause(facts, [("yuan_for_fen", {"times": 1_000})]) is None and probable_cause(facts, []) is None


@given(st.integers(-(10**9), 10**9))
def test_amounts_that_agree_have_no_cause(amount: int) -> None:
    assert cause(BreakKind.AMOUNT, row("A", amount_minor=amount), row("B", amount_minor=amount)) is None


def test_every_cause_has_words_and_says_what_to_do() -> None:
    # Beside those that figures prove there are some that the finding itself says.
    said = {"row_rejected", "follows", "core_shows_nothing", "core_shows_no_e_account", "contract_without_e_accounts"}
    assert {word for word, _ in CAUSES} == set(PROOFS) == set(TOLD) - said
    for word in PROOFS:
        told = cause_words(f"{word}:x=1")
        assert told is not None and all("{" not in text and text for pair in told for text in pair)
        assert is_derived(f"{word}:x=1")
    told = cause_words("row_rejected:P001_TXN_20191230_01_v1.csv:4")
    assert told is not None and "P001_TXN_20191230_01_v1.csv:4" in told[0][0]
    assert not is_derived("row_rejected:P001_TXN_20191230_01_v1.csv:4")
    assert cause_words("posted_before") is None and cause_words(None) is None


def test_a_cause_of_many_figures_is_no_longer_than_the_register_takes() -> None:
    rows = [{"side": "C", "row_ref": f"core:{n}", "amount_minor": 100 + n} for n in range(90)]
    whole = {"side": "B", "row_ref": "journal:1", "amount_minor": sum(row["amount_minor"] for row in rows)}
    cause = probable_cause(Facts("AMOUNT", "CORE|P001:CUSTODY|S1", [whole, *rows]), [("batch_split", {})])
    assert cause is not None and cause.startswith("batch_split:13005=100+101+") and len(cause) == LONGEST
    assert cause_words(cause) is not None
