"""A loan of 1,050 lenders followed to the fen: tenders, disbursal, instalments, an assignment, default, compensation, settlement.

What must come out is computed here in whole numbers, by the words of domain.md §3 and by nothing of the system.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hand_made import Day, P, hand_made_instance, run_ledger
from instance_kit import Instance, opened
from typer.testing import CliRunner

from console.cli import app
from custody import invariants
from custody.calendar import dates
from custody.names import TxnType
from custody.services.lender_money import money_of
from custody.services.loans import loan_life
from custody.services.statements import balance_at, statement

DAYS = tuple(dates(date(2019, 12, 30), 6))
LENDERS, COMPENSATED = 1_050, 40
LOAN = "L1"
T = TxnType
COUPON = 1_234
BORROWER, GUARANTOR, PAYEE = ("BORROWER", "B1"), ("GUARANTOR", "G1"), ("PAYEE", "Y1")
BUYER = ("LENDER", "buyer")


def account(who: tuple[str, str]) -> str:
    return f"{P}.{who[0]}.{who[1]}"


def lender(number: int) -> tuple[str, str]:
    return ("LENDER", f"u{number:04d}")


def tender_no(number: int) -> str:
    return f"T{number:04d}"


def tendered(number: int) -> int:
    """Odd amounts from 100.01 yuan on."""
    return 10_001 + number * 7_919 % 90_001


def split(total: int, shares: dict[str, int]) -> dict[str, int]:
    """Pro rata by largest remainder, ties by claim id (domain.md §3)."""
    whole = sum(shares.values())
    parts = {claim: total * share // whole for claim, share in shares.items()}
    order = sorted(shares, key=lambda claim: (-(total * shares[claim] % whole), claim))
    for claim in order[: total - sum(parts.values())]:
        parts[claim] += 1
    return parts


def half_even(numerator: int, denominator: int) -> int:
    whole, rest = divmod(numerator, denominator)
    return whole + (2 * rest > denominator or (2 * rest == denominator and whole % 2))


class Story:
    """The market's own book beside ours: who has how much, who holds which claim."""

    def __init__(self) -> None:
        self.available: dict[str, int] = defaultdict(int)
        self.frozen: dict[str, int] = defaultdict(int)
        self.claims: dict[str, int] = {}
        self.holders: dict[str, tuple[str, str]] = {}
        self.lines: dict[str, int] = defaultdict(int)
        self.days = [Day(on) for on in DAYS]
        self.amount = sum(tendered(n) for n in range(LENDERS))
        # Four equal parts of principal, by days; a year's 8 % over 365.
        self.parts = [half_even(self.amount, 4)] * 3
        self.parts.append(self.amount - sum(self.parts))
        left = [self.amount - sum(self.parts[:n]) for n in range(4)]
        self.interest = [half_even(x * 8, 100 * 365) for x in left]
        self.received: dict[str, int] = defaultdict(int)
        for tell in (self.bid, self.disburse, self.first_instalment, self.partly, self.compensate, self.settle):
            tell()

    def recharge(self, day: Day, who: tuple[str, str], amount: int) -> None:
        day.sends(T.RECHARGE, f"R{day.on:%d}{who[1]}", amount, payee=who)
        self.available[account(who)] += amount
        self.lines[account(who)] += 1

    def bid(self) -> None:
        day = self.days[0]
        for number, who in enumerate([*(lender(n) for n in range(LENDERS + 1)), BUYER, BORROWER, GUARANTOR, PAYEE]):
            day.opens(*who, number)
        day.loan(
            loan_id=LOAN, borrower_user_no="B1", amount_minor=self.amount, annual_rate="0.08", method="equal_principal", periods=4,
            every="day", day_count="actual/365", penalty_rate="0.0005", guarantor_user_no="G1", payee_user_no="Y1",
            purpose="经营周转", raised_minor=self.amount, state="FULL",
        )  # fmt: skip
        for holder, scope in ((lender(7), "AUTO_TENDER"), (BORROWER, "ENTRUSTED")):
            day.mandate(
                mandate_id=f"M{holder[1]}", action="GRANT", role=holder[0], user_no=holder[1], scope=scope,
                item_limit_minor=self.amount, total_limit_minor=self.amount, expires_on=date(2020, 12, 31),
            )  # fmt: skip
        day.sends(T.OWN_FUNDS_MOVEMENT, "PO", 5_000, direction="IN")
        day.sends(T.PLATFORM_RECHARGE, "PM", 5_000, payee=("PLATFORM", "P_MARKETING"))
        self.available[f"{P}:P_MARKETING"] += 5_000
        # The last one is beyond what the loan takes.
        for n in range(LENDERS + 1):
            self.recharge(day, lender(n), tendered(n) + 50)
            by = {"originator": "MANDATE", "authorisation_id": "Mu0007"} if n == 7 else {}
            coupon = COUPON if n == 3 else 0
            day.sends(T.TENDER_FREEZE, tender_no(n), tendered(n), payer=lender(n), loan_id=LOAN, coupon_minor=coupon, **by)
            self.freeze(account(lender(n)), tendered(n) - coupon)
            self.lines[account(lender(n))] += 1
        self.freeze(f"{P}:P_MARKETING", COUPON)

    def disburse(self) -> None:
        day = self.days[1]
        for n in range(LENDERS):
            coupon = COUPON if n == 3 else 0
            day.sends(
                T.TENDER_SETTLE, "S1", tendered(n), leg=n + 1, payer=lender(n), payee=BORROWER, loan_id=LOAN,
                coupon_minor=coupon, related_request_no=tender_no(n),
            )  # fmt: skip
            self.frozen[account(lender(n))] -= tendered(n) - coupon
            self.claims[tender_no(n)], self.holders[tender_no(n)] = tendered(n), lender(n)
            self.lines[account(lender(n))] += 1
        self.frozen[f"{P}:P_MARKETING"] -= COUPON
        self.available[account(BORROWER)] += self.amount
        day.sends(
            T.TENDER_CANCEL, "X1", tendered(LENDERS), payee=lender(LENDERS), loan_id=LOAN, related_request_no=tender_no(LENDERS)
        )
        self.freeze(account(lender(LENDERS)), -tendered(LENDERS))
        self.lines[account(lender(LENDERS))] += 1
        paid_on = self.amount - 12_345
        day.sends(T.ENTRUSTED_PAYMENT, "E1", paid_on, payer=BORROWER, payee=PAYEE, loan_id=LOAN, authorisation_id="MB1")
        self.available[account(BORROWER)] -= paid_on
        self.available[account(PAYEE)] += paid_on

    def first_instalment(self) -> None:
        day = self.days[2]
        self.repay(day, "P1", self.parts[0], self.interest[0], 0)
        # The day after their first instalment lender 5 sells a third of what he has left, at a premium.
        self.sold = self.claims[tender_no(5)] // 3
        price = self.sold + 99
        self.recharge(day, BUYER, price + 1)
        day.sends(
            T.CREDIT_ASSIGNMENT, "C1", price, payer=BUYER, payee=lender(5), loan_id=LOAN, principal_minor=self.sold,
            related_request_no=tender_no(5),
        )  # fmt: skip
        self.available[account(BUYER)] -= price
        self.available[account(lender(5))] += price
        self.claims[tender_no(5)] -= self.sold
        self.claims["C1"], self.holders["C1"] = self.sold, BUYER
        for who in (BUYER, lender(5)):
            self.lines[account(who)] += 1

    def partly(self) -> None:
        """Of the second instalment the interest and four tenths of the principal: the day after it is overdue."""
        self.repay(self.days[3], "P2", self.parts[1] * 4 // 10, self.interest[1], 0)

    def compensate(self) -> None:
        day = self.days[4]
        owed = {claim: self.claims[claim] for claim in sorted(self.claims)[:COMPENSATED]}
        self.advanced = {claim: principal + principal * 8 // (100 * 365) for claim, principal in owed.items()}
        self.recharge(day, GUARANTOR, sum(self.advanced.values()) + 7)
        for leg, (claim, principal) in enumerate(owed.items(), start=1):
            amount, who = self.advanced[claim], self.holders[claim]
            day.sends(
                T.COMPENSATION, "G1", amount, leg=leg, payer=GUARANTOR, payee=who, loan_id=LOAN, principal_minor=principal,
                interest_minor=amount - principal, related_request_no=claim,
            )  # fmt: skip
            self.available[account(GUARANTOR)] -= amount
            self.available[account(who)] += amount
            self.lines[account(who)] += 1
            self.lines[account(GUARANTOR)] += 1
            self.claims[claim] = 0
        self.taken_over = sum(owed.values())
        self.claims["G1"], self.holders["G1"] = self.taken_over, GUARANTOR

    def settle(self) -> None:
        """The borrower pays the guarantor back, with a day's penalty, and everybody else before the term ends."""
        day = self.days[5]
        late = self.parts[1] - self.parts[1] * 4 // 10
        interest, self.penalty = half_even(self.taken_over * 8, 100 * 365), half_even(late * 5, 10_000)
        self.back = self.taken_over + interest
        rest = sum(self.claims.values()) - self.taken_over
        self.recharge(day, BORROWER, self.back)
        day.sends(T.REPAY_FREEZE, "FG", self.back, payer=BORROWER, loan_id=LOAN)
        day.sends(
            T.COMPENSATION_REPAYMENT, "PG", self.back, payer=BORROWER, payee=GUARANTOR, loan_id=LOAN,
            principal_minor=self.taken_over, interest_minor=interest, related_request_no="FG",
        )  # fmt: skip
        self.available[account(BORROWER)] -= self.back
        self.available[account(GUARANTOR)] += self.back
        self.lines[account(GUARANTOR)] += 1
        self.claims["G1"] = 0
        self.last_interest = half_even(rest * 8 * 2, 100 * 365)
        self.repay(day, "P3", rest, self.last_interest, self.penalty)

    def repay(self, day: Day, request: str, principal: int, interest: int, penalty: int) -> None:
        """The borrower brings the money, and every lender gets his part of each part."""
        total = principal + interest + penalty
        day.sends(T.RECHARGE, f"R{request}", total, payee=BORROWER)
        day.sends(T.REPAY_FREEZE, f"F{request}", total, payer=BORROWER, loan_id=LOAN)
        held = {claim: share for claim, share in self.claims.items() if share and self.holders[claim] != GUARANTOR}
        split_parts = [split(part, held) for part in (principal, interest, penalty)]
        for leg, claim in enumerate(sorted(held), start=1):
            p, i, late = (parts[claim] for parts in split_parts)
            who = self.holders[claim]
            if p + i + late:
                day.sends(
                    T.REPAYMENT, request, p + i + late, leg=leg, payer=BORROWER, payee=who, loan_id=LOAN, principal_minor=p,
                    interest_minor=i, penalty_minor=late, related_request_no=f"F{request}",
                )  # fmt: skip
                self.available[account(who)] += p + i + late
                self.received[account(who)] += p + i + late
                self.lines[account(who)] += 1
            self.claims[claim] -= p

    def freeze(self, owner: str, amount: int) -> None:
        self.available[owner] -= amount
        self.frozen[owner] += amount


@pytest.fixture(scope="module")
def story() -> Story:
    return Story()


@pytest.fixture(scope="module")
def lived(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    folder = tmp_path_factory.mktemp("thousand")
    home = hand_made_instance(folder / "home", folder / "world", DAYS[0])
    with opened(home) as instance:
        for day in story.days:
            run_ledger(instance, day)
        yield instance


def rows(lived: Instance, table: str, on: date = DAYS[-1]) -> list[dict[str, Any]]:
    return lived.lake_rows(on, "post", table)


def test_every_instruction_is_posted_and_none_is_found_fault_with(lived: Instance) -> None:
    for on in DAYS:
        assert rows(lived, "posting_findings", on) == []
        assert {t["outcome"] for t in rows(lived, "ledger_txn", on)} == {"POSTED"}


def test_the_invariants_hold_at_the_end_of_every_day(lived: Instance) -> None:
    days = [{name: rows(lived, name, on) for name in ("balances", "holds", "loans", "claims", "sub_accounts")} for on in DAYS]
    for yesterday, today in pairwise([{"balances": []}, *days]):
        found = [
            *invariants.books_sum_to_zero(today["balances"]),
            *invariants.balances_chain(today["balances"], yesterday["balances"]),
            *invariants.signs_and_holds(today["balances"], today["holds"]),
            *invariants.debt_equals_claims(today["loans"], today["claims"]),
            *invariants.closed_accounts_are_empty(today["sub_accounts"], today["balances"], today["claims"]),
        ]
        assert found == []


def test_every_account_holds_what_it_must_to_the_fen(lived: Instance, story: Story) -> None:
    reader = lived.wiring.ledger_reader
    everybody = [account(lender(n)) for n in range(LENDERS + 1)]
    everybody += [account(who) for who in (BUYER, BORROWER, GUARANTOR, PAYEE)] + [f"{P}:P_MARKETING"]
    kept = {owner: balance_at(reader, owner, DAYS[-1]).balance for owner in everybody}
    assert {owner: (b.available_minor, b.frozen_minor) for owner, b in kept.items()} == {
        owner: (story.available[owner], story.frozen[owner]) for owner in everybody
    }


def test_every_lenders_statement_is_one_line_for_each_posting_and_closes(lived: Instance, story: Story) -> None:
    reader = lived.wiring.ledger_reader
    for who in (*(lender(n) for n in range(LENDERS + 1)), BUYER, GUARANTOR):
        found = statement(reader, account(who), DAYS[0], DAYS[-1])
        assert found.agrees, found.differences
        assert len(found.lines) == story.lines[account(who)]
        assert found.closing.total_minor == story.available[account(who)] + story.frozen[account(who)]


def test_the_loans_life_is_the_story(lived: Instance, story: Story) -> None:
    life = loan_life(lived.wiring.ledger_reader, P, LOAN)
    assert [c for c in life.checks if not c.agree] == []
    assert [(s.since, s.state) for s in life.states] == [
        (DAYS[0], "FULL"), (DAYS[1], "DISBURSED"), (DAYS[2], "REPAYING"), (DAYS[4], "OVERDUE"), (DAYS[5], "SETTLED"),
    ]  # fmt: skip
    states = [t.state for t in life.tenders]
    assert (states.count("SETTLED"), states.count("CANCELLED"), len(states)) == (LENDERS, 1, LENDERS + 1)
    assert [t.request_no for t in life.tenders if t.originator == "MANDATE"] == [tender_no(7)]
    assert life.disbursal is not None
    assert (life.disbursal.gross_minor, life.disbursal.coupon_minor) == (story.amount, COUPON)
    assert [(t.to_account, t.amount_minor) for t in life.disbursal.entrusted] == [(account(PAYEE), story.amount - 12_345)]
    planned = [(i.principal_minor, i.interest_minor) for i in life.instalments]
    assert planned == list(zip(story.parts, story.interest, strict=True))
    assert [(i.paid_on, i.owed_minor) for i in life.instalments] == [(DAYS[2], 0), *[(DAYS[5], 0)] * 3]
    # Two days late with what was left of the second, one with the third.
    late = story.parts[1] - story.parts[1] * 4 // 10
    assert [i.penalty_minor for i in life.instalments] == [
        0, half_even(late * 2 * 5, 10_000), half_even((story.parts[2] + story.interest[2]) * 5, 10_000), 0,
    ]  # fmt: skip
    figures = [(p.txn_type, p.request_no, p.principal_minor, p.interest_minor, p.penalty_minor) for p in life.payments]
    assert figures == [
        (T.REPAYMENT, "P1", story.parts[0], story.interest[0], 0),
        (T.REPAYMENT, "P2", story.parts[1] * 4 // 10, story.interest[1], 0),
        (T.COMPENSATION, "G1", story.taken_over, sum(story.advanced.values()) - story.taken_over, 0),
        (T.COMPENSATION_REPAYMENT, "PG", story.taken_over, story.back - story.taken_over, 0),
        (T.REPAYMENT, "P3", life.payments[4].principal_minor, story.last_interest, story.penalty),
    ]
    assert sum(p.principal_minor for p in life.payments if p.reduces_debt) == story.amount
    assert {c.claim_id: (c.holder, c.principal_minor) for c in life.claims} == {
        claim: (account(story.holders[claim]), 0) for claim in story.claims
    }
    assert life.outstanding.principal_minor == 0


def test_who_held_which_share_from_when_to_when(lived: Instance, story: Story) -> None:
    life = loan_life(lived.wiring.ledger_reader, P, LOAN)
    for on, following in pairwise(DAYS[1:]):
        held = [h.principal_minor for h in life.holdings if h.since <= on and (h.until is None or h.until > on)]
        repaid = sum(p.principal_minor for p in life.payments if p.reduces_debt and p.on <= on)
        assert sum(held) == story.amount - repaid, following
    (bought,) = [c for c in life.claims if c.claim_id == "C1"]
    assert (bought.holder, bought.came_from, bought.original_minor) == (account(BUYER), [tender_no(5)], story.sold)
    (compensator,) = [c for c in life.claims if c.claim_id == "G1"]
    assert (compensator.since, compensator.until, compensator.original_minor) == (DAYS[4], DAYS[5], story.taken_over)
    assert len(compensator.came_from) == COMPENSATED


def test_a_lenders_money_comes_back_to_the_fen(lived: Instance, story: Story) -> None:
    reader = lived.wiring.ledger_reader
    for n in range(LENDERS):
        owner = account(lender(n))
        money = money_of(reader, owner, LOAN)
        (loan,), detail = money.loans, money.detail
        assert detail is not None
        assert [c for c in detail.checks if not c.agree] == []
        coupon = COUPON if n == 3 else 0
        assert (loan.lent_minor, loan.coupon_minor, loan.frozen_minor) == (tendered(n) - coupon, coupon, 0)
        assert loan.repaid_minor == story.received[owner]
        assert loan.compensated_minor == story.advanced.get(tender_no(n), 0)
        assert loan.sold_minor == (story.sold + 99 if n == 5 else 0)
        # Each posting leaves what the one before left, less its own.
        assert all(a.event.left_minor + b.event.principal_minor == b.event.left_minor for a, b in pairwise(detail.steps))
        # What was lent came back: repaid, compensated, or sold.
        assert detail.principal_back_minor == tendered(n)
        assert loan.claims_minor == 0
    (bought,) = money_of(reader, account(BUYER), LOAN).loans
    assert (bought.bought_minor, bought.repaid_minor + bought.compensated_minor) == (
        story.sold + 99, story.received[account(BUYER)] + story.advanced.get("C1", 0),
    )  # fmt: skip
    (guaranteed,) = money_of(reader, account(GUARANTOR), LOAN).loans
    assert (guaranteed.advanced_minor, guaranteed.repaid_minor) == (sum(story.advanced.values()), story.back)
    (cancelled,) = money_of(reader, account(lender(LENDERS))).loans
    assert (cancelled.tendered_minor, cancelled.released_minor, cancelled.lent_minor) == (tendered(LENDERS), tendered(LENDERS), 0)


def custody(home: Path, *arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments), env={"CUSTODY_HOME": str(home)})
    assert done.exit_code == 0, (arguments, done.output, done.exception)
    return done.stdout


def answer(home: Path, *arguments: str) -> Any:
    return json.loads(custody(home, *arguments, "--json").splitlines()[-1])


def test_the_commands_say_the_same(lived: Instance, story: Story, tmp_path: Path) -> None:
    # LMDB opens an environment once in a process, and the commands run in this one.
    lived.wiring.__dict__.pop("keyed").close()
    home = lived.wiring.settings.home
    life = answer(home, "loan", "show", P, LOAN)
    assert (life["state"], life["agrees"], len(life["claims"])) == ("SETTLED", True, LENDERS + 2)
    shown = custody(home, "loan", "show", P, LOAN)
    assert "SETTLED" in shown
    assert "u0003" not in shown
    money = answer(home, "loan", "money", account(lender(5)), "--loan", LOAN)
    assert [s["event"]["txn_type"] for s in money["detail"]["steps"]] == [
        "TENDER_SETTLE", "REPAYMENT", "CREDIT_ASSIGNMENT", "REPAYMENT", "COMPENSATION",
    ]  # fmt: skip
    assert "u0005" not in custody(home, "loan", "money", account(lender(5)), "--loan", LOAN)
    file = tmp_path / "statement.csv"
    said = answer(home, "statement", "show", account(lender(5)), "--month", "2020-01", "--csv", str(file))
    assert (said["first"], said["last"], said["agrees"]) == ("2020-01-01", DAYS[-1].isoformat(), True)
    lines = list(csv.reader(file.read_text(encoding="utf-8-sig").splitlines()))
    assert len(lines) == len(said["lines"]) + 3
    balance = answer(home, "statement", "balance", account(lender(5)), "--at", DAYS[0].isoformat())
    assert (balance["balance"]["available_minor"], balance["balance"]["frozen_minor"]) == (50, tendered(5))
    mine = find_all(home, "--lender", account(lender(5)))
    assert mine[1:3] == [(tender_no(5), 1), ("S1", 6)]
    assert find_all(home, "--loan", LOAN, "--lender", account(lender(5))) == mine[1:]
    # The same question to the sealed days, which know no owner.
    assert find_all(home, "--platform", P, "--type", "CREDIT_ASSIGNMENT") == [("C1", 1)]
    view = answer(home, "txn", "show", P, tender_no(5))
    assert [row["request_no"] for row in view["followed_by"]] == ["S1", "C1", "G1"]


def find_all(home: Path, *asked: str) -> list[tuple[str, int]]:
    """Every page of an answer, three at a time."""
    found, after = [], ""
    while True:
        page = answer(home, "txn", "find", *asked, "--limit", "3", *(["--after", after] if after else []))
        found += [(row["request_no"], row["leg"]) for row in page["rows"]]
        after = page["next"]
        if not after:
            return found
