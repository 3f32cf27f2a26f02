"""What a day leaves for the next: legs that wait, and our shares of requests of which a part is posted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from instance_kit import change_settings
from post_kit import FIRST, Days, customer, fresh_days, home_of, leg, loan

from connectors.bootstrap import Wiring, wire
from custody.begun_requests import begun_of
from custody.ports import Row

BEFORE, SECOND = FIRST - timedelta(days=1), FIRST + timedelta(days=1)
BORROWER = ("BORROWER", "b1")
# Two claims of one lender: without a share, his legs would take them in order of claim id.
CLAIMS = {"T1": ("u1", 300), "T2": ("u2", 100), "T3": ("u2", 200)}


@pytest.fixture(scope="module")
def wiring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wiring]:
    opened = wire(change_settings(home_of(tmp_path_factory.mktemp("over") / "home"), {"post.processes": 1}))
    yield opened
    opened.close()


def snapshots() -> dict[str, list[Row]]:
    """A loan of 600 that was disbursed, 66 of the borrower's money frozen to repay it. The master data of u2 are missing."""
    claims = [
        {"platform": "AA", "claim_id": name, "loan_id": "L1", "holder": f"AA.LENDER.{user}", "principal_minor": minor,
         "original_minor": minor, "currency": "CNY"} for name, (user, minor) in CLAIMS.items()
    ]  # fmt: skip
    hold = {"platform": "AA", "hold_id": "H", "account": "AA.BORROWER.b1", "kind": "REPAY", "loan_id": "L1", "amount_minor": 66}
    accounts = {"AA.BORROWER.b1:frozen": 66, "AA:CORE_CASH": -66}
    balances = [
        {"platform": "AA", "book": "CUSTODY", "account": a, "currency": "CNY", "closing_minor": m} for a, m in accounts.items()
    ]
    registered = {k: v for k, v in loan("AA", "L1", "b1", 600).items() if k not in ("party", "file_name", "borrower_user_no")}
    registered |= {
        "platform": "AA",
        "borrower": "AA.BORROWER.b1",
        "state": "DISBURSED",
        "disbursed_on": BEFORE,
        "funded_minor": 600,
    }
    sub_accounts = [
        {"sub_account": f"AA.{role}.{user}", "platform": "AA", "role": role, "user_no": user, "customer_id": user}
        for role, user in (("LENDER", "u1"), BORROWER)
    ]
    return {"claims": claims, "holds": [hold], "balances": balances, "loans": [registered], "sub_accounts": sub_accounts}


def repayment() -> list[Row]:
    """A tenth of each claim as principal and a hundredth as interest; the second and third legs are of two claims of u2."""
    parts = [("u1", 30, 3), ("u2", 10, 1), ("u2", 20, 2)]
    return [
        leg(n, "AA", "REPAYMENT", "Y", principal + interest, 60, payer=BORROWER, payee=("LENDER", user), leg=n + 1, loan_id="L1",
            related_request_no="H", originator="PLATFORM", principal_minor=principal, interest_minor=interest)
        for n, (user, principal, interest) in enumerate(parts)
    ]  # fmt: skip


def left(days: Days) -> dict[str, int]:
    return {claim["claim_id"]: claim["principal_minor"] for claim in days.rows("claims")}


def outcomes(days: Days) -> list[tuple[int, str]]:
    return [(t["leg"], t["outcome"]) for t in days.rows("ledger_txn")]


def post(days: Days, on: date, **tables: Any) -> None:
    days.land(on, {"land_instruction": [], **tables})
    days.post(on)


def test_a_repayment_whose_legs_post_on_two_days_is_split_once(wiring: Wiring) -> None:
    at_once, by_and_by = fresh_days(wiring), fresh_days(wiring)
    for days, opened in ((at_once, [customer("AA", "LENDER", "u2")]), (by_and_by, [])):
        days.posted(BEFORE, snapshots())
        post(days, FIRST, land_customer=opened, land_instruction=repayment())
        if days is at_once:
            assert left(days) == {"T1": 270, "T2": 90, "T3": 180}
            assert days.rows("open_splits") == days.rows("posting_findings") == []
    assert left(by_and_by) == {"T1": 270, "T2": 100, "T3": 200}
    assert outcomes(by_and_by) == [(1, "POSTED"), (2, "WAITING"), (3, "WAITING")]
    assert {f["rule"] for f in by_and_by.rows("posting_findings")} == {"unknown_account"}
    assert [(s["leg"], s["claim_id"], s["principal_minor"]) for s in by_and_by.rows("open_splits")] == [
        (2, "T2", 10),
        (3, "T3", 20),
    ]
    post(by_and_by, SECOND, land_customer=[customer("AA", "LENDER", "u2")])
    assert left(by_and_by) == {"T1": 270, "T2": 90, "T3": 180}
    assert outcomes(by_and_by) == [(2, "POSTED"), (3, "POSTED")]
    for table in ("open_splits", "posting_findings", "pending_instructions", "holds"):
        assert by_and_by.rows(table) == []


def test_a_wrong_split_is_found_on_whatever_day_its_leg_posts(wiring: Wiring) -> None:
    days = fresh_days(wiring)
    days.posted(BEFORE, snapshots())
    wrong = repayment()
    wrong[1] |= {"principal_minor": 11, "interest_minor": 0}
    wrong[2] |= {"principal_minor": 19, "interest_minor": 3}
    post(days, FIRST, land_instruction=wrong)
    assert {f["rule"] for f in days.rows("posting_findings") if f["leg"] > 1} == {"unknown_account"}
    post(days, SECOND, land_customer=[customer("AA", "LENDER", "u2")])
    assert [(f["leg"], f["rule"]) for f in days.rows("posting_findings")] == [(2, "allocation"), (3, "allocation")]


def by_and_by(days: Days, first: list[Row], *then: tuple[date, list[Row], list[Row]]) -> None:
    """The legs of ``first`` on the first day, then those of each (date, legs, rows that say which files have come)."""
    days.posted(BEFORE, snapshots())
    u2 = customer("AA", "LENDER", "u2")
    late = [{"file_type": "INSTRUCTION", "custody_date": FIRST, "outcome": "EXPECTED", "party": "GW", "file_name": "x"}]
    post(days, FIRST, land_customer=[u2], land_instruction=first, file_outcomes=late)
    for on, legs, outcomes in then:
        post(days, on, land_instruction=legs, file_outcomes=outcomes)


def begun(days: Days) -> dict[str, tuple[str, list[int]]]:
    return {key[1]: (str(r.state), sorted(r.legs)) for key, r in begun_of(days.rows("begun_requests")).items()}


def wrong(days: Days) -> list[tuple[int, str | None]]:
    (request,) = begun_of(days.rows("begun_requests")).values()
    return [(leg.leg, share.claim_id if share else None) for leg, share in request.wrong_shares()]


def test_a_repayment_whose_legs_come_on_two_days_is_split_by_all_of_them(wiring: Wiring) -> None:
    legs, days = repayment(), fresh_days(wiring)
    by_and_by(days, legs[:2], (SECOND, legs[2:], []))
    # On the first day nothing was found, though the two legs alone are no split of their own sum.
    assert days.rows("posting_findings") == [] and outcomes(days) == [(3, "POSTED")]
    assert begun(days) == {"Y": ("WHOLE", [1, 2, 3])} and wrong(days) == []
    assert left(days) == {"T1": 270, "T2": 90, "T3": 180}
    # It is handed on once.
    post(days, SECOND + timedelta(days=1))
    assert days.rows("begun_requests") == []


def test_a_wrong_split_over_two_days_is_found_when_it_is_whole(wiring: Wiring) -> None:
    legs, days = repayment(), fresh_days(wiring)
    legs[0] |= {"principal_minor": 31, "interest_minor": 2}
    legs[2] |= {"principal_minor": 19, "interest_minor": 3}
    by_and_by(days, legs[:2], (SECOND, legs[2:], []))
    assert days.rows("posting_findings") == []
    assert wrong(days) == [(1, "T1"), (3, "T3")]


def test_a_request_that_stays_short_of_its_hold_is_taken_as_it_stands_when_all_instructions_are_there(wiring: Wiring) -> None:
    legs, days = repayment(), fresh_days(wiring)
    late = [{"file_type": "INSTRUCTION", "custody_date": SECOND, "outcome": "EXPECTED", "party": "GW", "file_name": "x"}]
    by_and_by(days, legs[:2], (SECOND, [], late))
    assert begun(days) == {"Y": ("OPEN", [1, 2])}
    post(days, SECOND + timedelta(days=1))
    # 40 of principal over 300, 100, 200: 20, 7, 13. What the holder of two claims got stands for the first.
    assert begun(days) == {"Y": ("WHOLE", [1, 2])} and wrong(days) == [(1, "T1"), (2, "T2")]


def test_a_request_of_which_landing_rejected_a_leg_is_not_compared(wiring: Wiring) -> None:
    legs, days = repayment(), fresh_days(wiring)
    days.posted(BEFORE, snapshots())
    rejected = {
        "party": "GW",
        "file_name": "GW_INSTRUCTION",
        "file_type": "INSTRUCTION",
        "row_key": "platform=AA|request_no=Y|leg=3",
    }
    post(days, FIRST, land_customer=[customer("AA", "LENDER", "u2")], land_instruction=legs[:2], rejected_rows=[rejected])
    assert begun(days) == {"Y": ("OPEN", [1, 2])} and days.rows("posting_findings") == []
    post(days, SECOND)
    assert begun(days) == {"Y": ("REJECTED", [1, 2])}


def test_a_leg_that_waited_is_known_when_it_is_sent_again(wiring: Wiring) -> None:
    days = fresh_days(wiring)
    days.posted(BEFORE, snapshots())
    post(days, FIRST, land_instruction=repayment())
    again = [{**row, "file_name": "GW_LATER"} for row in repayment()]
    again[2]["amount_minor"] += 1
    post(days, SECOND, land_customer=[customer("AA", "LENDER", "u2")], land_instruction=again)
    assert outcomes(days) == [(2, "POSTED"), (3, "POSTED"), (1, "REPEATED"), (2, "REPEATED"), (3, "REFUSED")]
    assert [(f["leg"], f["rule"]) for f in days.rows("posting_findings")] == [(3, "posted_before")]
    assert left(days) == {"T1": 270, "T2": 90, "T3": 180}


def test_a_thousand_legs_that_wait_for_one_account_are_not_tried_a_thousand_times_each(wiring: Wiring) -> None:
    from custody.ledger import Ledger

    many, lender = 400, ("LENDER", "u1")
    waiting = [leg(n, "AA", "WITHDRAW_FREEZE", f"F{n}", 10, 1, payer=lender) for n in range(many)]
    coming = [leg(many + n, "AA", "RECHARGE", f"R{n}", 10, 2, payee=lender) for n in range(many)]
    days, tries, real = fresh_days(wiring), 0, Ledger.apply

    def counted(*args: Any) -> Any:
        nonlocal tries
        tries += 1
        return real(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ledger, "apply", counted)
        post(days, FIRST, land_customer=[customer("AA", *lender)], land_instruction=waiting + coming)
    assert tries == 3 * many
    assert [f["rule"] for f in days.rows("posting_findings")] == ["later_cause"] * many
