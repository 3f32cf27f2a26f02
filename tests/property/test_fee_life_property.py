"""Whatever order people, days and the core come in: money is exact on all sides, and INV_11 holds each day.

Three tell the same story: the register's charges, the positions that days seal, and the ledger's BANK book by the posting rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from fee_parties import PLATFORM as P
from fee_parties import put_fee_parties
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.clock import SystemClock
from connectors.register import SqlRegister
from connectors.register_tables import metadata
from custody.fee_life import ARREARS, OVERPAID
from custody.fee_positions import Entry, Moved, Position, moved
from custody.fee_rerating import differences
from custody.fees import ComponentState, FeeState
from custody.instruction import Entry as Posted
from custody.instruction import Instruction
from custody.ledger import Ledger
from custody.ledger_state import LedgerState
from custody.life_invariants import fees_add_up
from custody.money import round_minor
from custody.names import Book, Originator, TxnStatus, TxnType
from custody.ports import Row
from custody.services.fee_answers import take_answers
from custody.services.fee_charges import CHARGE, RATED, Sending, left_of, propose_charge, send_charges
from custody.services.fee_periods import Period, due_charges, rated_periods
from custody.services.fee_surplus import SURPLUS_BACK, WRITE_OFF, propose_give_back, propose_write_off
from custody.services.four_eyes import DecisionKind, approve
from custody.services.outputs import Seal
from jobs.post.accrual import own_entries

FIRST, LAST = date(2019, 12, 1), date(2019, 12, 31)
START = date(2020, 1, 2)
TABLES = ("fee_period", "fee_charge", "fee_attempt", "fee_answer", "proposal", "alert", "alert_event", "outbound", "audit_event")
SENDING = Sending(
    lambda rows, on: b"", lambda rows, on: b"", lambda data: ("0" * 64, "ref"), lambda p, t, on, n: f"{p}_{t}_{on}_{n}"
)

OPS = st.tuples(
    st.sampled_from(["rate", "charge", "send", "send", "pay", "pay", "pay", "unknown", "write_off", "give_back"]),
    st.integers(0, 999),
)
DAYS = st.lists(st.lists(OPS, max_size=4), min_size=3, max_size=10)


@pytest.fixture(scope="module")
def register(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlRegister]:
    path: Path = tmp_path_factory.mktemp("fees") / "register.db"
    opened = SqlRegister(f"sqlite:///{path}", SystemClock())
    metadata.create_all(opened.engine)
    with opened.transaction() as tx:
        put_fee_parties(tx, FIRST)
    yield opened
    opened.close()


class Bank:
    """A bank day by day: what is decided and answered today, and what stood yesterday evening."""

    def __init__(self, register: SqlRegister) -> None:
        self.register, self.clock, self.on = register, SystemClock(), START
        self.ledger = Ledger(LedgerState())
        self.state = FeeState(FIRST, LAST, LAST, "CNY")
        self.yesterday, self.entries, self.legs, self.sealed = Moved(), list[Entry](), list[Row](), 0
        self.ratings = self.unknown = 0
        with register.transaction() as tx:
            for table in TABLES:
                tx.delete(table)
        self.rate(500)

    def find(self, table: str, **equals: object) -> list[Row]:
        with self.register.transaction() as tx:
            return tx.find(table, **equals)

    def decide(self, kind: DecisionKind, proposal: str) -> None:
        approve(self.register, self.clock, "sup1", kind, proposal, "agreed")

    def rate(self, number: int) -> None:
        """December comes to something else from now on."""
        self.ratings += 1
        net = number * 7
        now = replace(
            self.state,
            components={"balance": ComponentState(fee=Fraction(net))},
            free=Fraction(net),
            net_minor=net,
            vat_minor=round_minor(Fraction(net * 6, 100), "half_even"),
        )
        known = self.on - timedelta(days=1)
        self.entries += differences(P, known, f"2019-12-{self.ratings}", self.state, now)
        self.state = now
        with self.register.transaction() as tx:
            rated_periods(tx, Seal(known, "fees", 1, f"seal{self.ratings}", ""), [Period(P, now, known)])

    def charge(self, number: int) -> None:
        with self.register.transaction() as tx:
            due = due_charges(tx, self.on)
        for one in due:
            if one.gross_minor > 0 or one.cites:
                self.decide(CHARGE, propose_charge(self.register, self.clock, "fee1", one, "due"))

    def send(self, number: int) -> None:
        send_charges(self.register, self.clock, "fee1", self.on, SENDING)

    def pay(self, number: int) -> None:
        """A leg of an answer to some try: all that it asks for, a part, more, or nothing."""
        tries = self.find("fee_attempt")
        if not tries:
            return
        one = sorted(tries, key=lambda row: str(row["request_no"]))[number % len(tries)]
        (of,) = self.find("fee_charge", charge_no=one["charge_no"])
        amount = (one["amount_minor"], one["amount_minor"] // 2 + 1, one["amount_minor"] + number, 0)[number % 4]
        taken = [leg for leg in (*self.find("fee_answer"), *self.legs) if leg["request_no"] == one["request_no"]]
        self.leg(one["request_no"], amount, "OUT" if of["gross_minor"] > 0 else "IN", 1 + len(taken))

    def unknown_(self, number: int) -> None:
        self.unknown += 1
        self.leg(f"X{self.unknown}", 1 + number, "OUT", 1)

    def leg(self, request_no: str, amount: int, direction: str, number: int) -> None:
        posted = {"amount_minor": amount, "outcome": "POSTED"} if amount else {"amount_minor": 77, "outcome": "NO_POSTING"}
        self.legs.append(
            {"platform": P, "request_no": request_no, "leg": number, "direction": direction, "currency": "CNY", **posted}
        )

    def write_off(self, number: int) -> None:
        for row in self.find("fee_charge", state=ARREARS):
            if row["gross_minor"] > 0:
                self.decide(WRITE_OFF, propose_write_off(self.register, self.clock, "fee1", row["charge_no"], "insolvent"))

    def give_back(self, number: int) -> None:
        numbers = [row["charge_no"] for row in self.find("fee_charge", state=OVERPAID) if row["gross_minor"] > 0]
        numbers += [row["request_no"] for row in self.find("fee_answer", charge_no=None) if row["amount_minor"] > 0]
        for one in numbers:
            proposal = propose_give_back(self.register, self.clock, "fee1", one, self.on, "too much")
            self.decide(SURPLUS_BACK, proposal)

    def evening(self, accrued_before: int) -> Moved:
        """Posting, reconciliation's look at INV_11, fees, and their publication."""
        yesterday = self.on - timedelta(days=1)
        own = own_entries([], [vars(entry) for entry in self.entries], yesterday)
        for instruction in own.get(P, []):
            assert isinstance(self.ledger.apply(instruction), Posted)
        posted = [leg for leg in self.legs if leg["outcome"] == "POSTED"]
        for leg in posted:
            assert isinstance(self.ledger.apply(self.instruction(leg)), Posted)
        decided = sorted((row for row in self.find("proposal", state="APPROVED")), key=lambda row: int(row["decision_no"]))
        fresh = [row | {"outcome": "APPROVED"} for row in decided if row["decision_no"] > self.sealed]
        self.sealed = max((row["decision_no"] for row in decided), default=0)
        found = moved(self.yesterday.positions.values(), self.yesterday.write_offs.values(), fresh, posted)
        position = replace(found.positions.get(P, Position(P)), accrued_minor=accrued_before)
        found.positions[P] = position
        balances = [
            {"platform": P, "book": book, "account": account, "closing_minor": minor}
            for (book, account), minor in self.ledger.state.balances.items()
        ]
        violations = list(fees_add_up(balances, [position]))
        assert [v.amount_minor for v in violations if v.subject != f"INV|INV_11|{P}"] == []
        assert sum(v.amount_minor for v in violations) == position.surplus_minor
        recovered = {(e.platform, e.request_no): e.amount_minor for e in found.entries if e.direction == "RECOVER"}
        for _ in range(2):  # killed before it was said that they were taken: taking them again changes nothing
            with self.register.transaction() as tx:
                take_answers(tx, self.on, self.legs, recovered)
                told = [tx.find(table) for table in TABLES[:4]]
        assert told == [self.find(table) for table in TABLES[:4]]
        self.entries, self.legs = list(found.entries), []
        self.on += timedelta(days=1)
        return found

    def instruction(self, leg: Row) -> Instruction:
        unused: dict[str, Any] = dict.fromkeys(
            ("from_account", "to_account", "loan_id", "related_request_no", "channel", "settlement_batch")
        )
        parts: dict[str, Any] = dict.fromkeys(("principal_minor", "interest_minor", "penalty_minor", "coupon_minor"), 0)
        made = next(iter(own_entries([], [leg | {"fee_minor": 0}], self.on).values()))[0]
        return made._replace(
            txn_type=TxnType.CUSTODY_FEE, originator=Originator.BANK, status=TxnStatus.SUCCESS, **unused, **parts
        )

    def check(self, found: Moved) -> None:
        """The register's charges, and the sealed positions, say the same."""
        charges, answers = self.find("fee_charge"), self.find("fee_answer")
        position = found.positions[P]
        assert position.charged_minor == sum(row["gross_minor"] for row in charges if row["kind"] == RATED)
        assert position.collected_minor == sum(row["amount_minor"] for row in answers)
        assert position.written_off_minor == sum(row["written_off_minor"] for row in charges)
        assert position.to_give_back_minor == -sum(left_of(row) for row in charges if row["gross_minor"] < 0)
        nobodys = sum(row["amount_minor"] for row in answers if row["charge_no"] is None)
        assert position.outstanding_minor == sum(left_of(row) for row in charges) - nobodys
        assert {of.charge_no: of.left_minor for of in found.write_offs.values() if of.left_minor} == {
            row["charge_no"]: row["written_off_minor"] for row in charges if row["written_off_minor"]
        }
        for book in Book:
            assert sum(minor for (of, _), minor in self.ledger.state.balances.items() if of == book) == 0
        (period,) = self.find("fee_period")
        charged = period["charged_net_minor"] + period["charged_vat_minor"]
        assert (charged, period["is_open"]) == (position.charged_minor, charged != self.state.gross_minor)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(days=DAYS)
def test_money_is_exact_whatever_happens(register: SqlRegister, days: list[list[tuple[str, int]]]) -> None:
    bank = Bank(register)
    for ops in days:
        accrued = bank.state.gross_minor
        entered = len(bank.entries)
        for op, number in ops:
            {"unknown": bank.unknown_}.get(op, getattr(bank, op, None))(number)  # type: ignore[misc]
        # What was rated today is entered tomorrow.
        later, bank.entries = bank.entries[entered:], bank.entries[:entered]
        found = bank.evening(accrued)
        bank.entries += later
        bank.check(found)
        bank.yesterday = found
