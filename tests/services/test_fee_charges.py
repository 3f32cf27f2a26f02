"""A charge from its proposal to the core's answer: two people, one try for each file, shortage tried again, and nothing twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from typing import Any

import pytest
from sqlalchemy.exc import SQLAlchemyError
from stepping_clock import SteppingClock

from connectors.register import SqlRegister
from custody.errors import NotPermitted, UsageError
from custody.fee_positions import recovery_number
from custody.fees import ComponentState, FeeState
from custody.names import FileType
from custody.ports import RegisterTx, Row
from custody.services import fee_answers, fee_charges
from custody.services.fee_answers import take_answers
from custody.services.fee_charges import CHARGE, Charge, Sending, charge_of, charges, propose_charge, send_charges
from custody.services.fee_periods import Period, due_charges, rated_periods
from custody.services.fee_surplus import SURPLUS_BACK, WRITE_OFF, propose_give_back, propose_write_off
from custody.services.four_eyes import approve, reject
from custody.services.outputs import Seal
from jobs.charges import charge_file, notice_file
from schemas.exchange import ExchangeName, sha256_hex
from schemas.layout import load_layout
from schemas.layout_file import parse_file

LAST, DUE = date(2019, 12, 31), date(2020, 1, 2)
# 1,000.00 and VAT 60.00; the maximum cuts 5.00.
TERMS: dict[str, Any] = {
    "platform": "P001", "period": "2019-12", "currency": "CNY", "net_minor": 100_000, "vat_minor": 6_000,
    "components": {"balance": 100_500, "maximum": -500}, "accrued_on": LAST, "seal": "d" * 64, "due_on": DUE,
}  # fmt: skip
DRAWN = Charge(**TERMS)
CONTRACT = {
    "valid_from": "2019-01-01", "valid_to": None, "currency": "CNY", "vat_rate": "0.06", "rounding": "half_even", "charged": "monthly",
    "charge_business_day": 1,
}  # fmt: skip


class Files:
    """Bytes that were kept, by digest."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def keep(self, data: bytes) -> tuple[str, str]:
        self.kept[sha256_hex(data)] = data
        return sha256_hex(data), f"ref-{sha256_hex(data)}"

    @property
    def sending(self) -> Sending:
        return Sending(charge_file, notice_file, self.keep, lambda p, kind, on, batch: str(ExchangeName(p, kind, on, batch, 1)))


@pytest.fixture
def desk(register: SqlRegister) -> Iterator[SqlRegister]:
    """A fee officer, a live gateway, and December's fees sealed."""
    with register.transaction() as tx:
        for person, duties in (("fee1", '["fee_officer"]'), ("fee2", '["fee_officer", "supervisor"]')):
            tx.insert("person", {"person_id": person, "display_name": person, "roles": duties, "active": True})
        for party, kind in (("GW", "GATEWAY"), ("P001", "PLATFORM")):
            tx.insert("party", {"party": party, "kind": kind, "name_en": party, "name_zh": party})
            tx.insert("party_status", {"party": party, "valid_from": date(2019, 1, 1), "status": "LIVE"})
            contract = json.dumps({"fee_contract": CONTRACT})
            tx.insert("party_contract", {"party": party, "valid_from": date(2019, 1, 1), "contract": contract})
        rated(tx, "d" * 64)
    yield register


def rated(tx: RegisterTx, seal: str, net: int = 100_000, vat: int = 6_000, on: date = LAST) -> None:
    """December comes to this, by the fees step of ``on``."""
    components = {"balance": ComponentState(fee=Fraction(net + 500))}
    bill = (Fraction(-500), Fraction(0), Fraction(0))
    of = FeeState(
        date(2019, 12, 1), LAST, LAST, "CNY", components, free=Fraction(net + 500), bill=bill, net_minor=net, vat_minor=vat
    )
    rated_periods(tx, Seal(on, "fees", 1, seal, ""), [Period("P001", of, on)])


def approved(register: SqlRegister, clock: SteppingClock, charge: Charge = DRAWN) -> None:
    approve(register, clock, "sup1", CHARGE, propose_charge(register, clock, "fee1", charge, "December"), "checked")


def rows(register: SqlRegister, table: str) -> list[Row]:
    with register.transaction() as tx:
        return tx.find(table)


def leg(request_no: str, amount_minor: int, outcome: str = "POSTED", number: int = 1, direction: str = "OUT") -> Row:
    return {"platform": "P001", "request_no": request_no, "leg": number, "direction": direction, "amount_minor": amount_minor,
            "currency": "CNY", "outcome": outcome}  # fmt: skip


def answered(register: SqlRegister, on: date, *of: Any, recovered: int = 0, **more: Any) -> None:
    with register.transaction() as tx:
        one = leg(*of, **more)
        take_answers(tx, on, [one], {("P001", recovery_number(one["request_no"], one["leg"])): recovered} if recovered else {})


def state(register: SqlRegister, charge_no: str = "P001-2019-12") -> tuple[str, int, int]:
    (row,) = (row for row in rows(register, "fee_charge") if row["charge_no"] == charge_no)
    return row["state"], row["collected_minor"], row["attempts"]


def rules(register: SqlRegister) -> list[str]:
    return sorted(alert["rule"] for alert in rows(register, "alert") if alert["state"] == "OPEN")


def test_nothing_is_charged_until_another_person_approves(desk: SqlRegister, clock: SteppingClock) -> None:
    proposal = propose_charge(desk, clock, "fee2", DRAWN, "December")
    assert propose_charge(desk, clock, "fee2", DRAWN, "December") == proposal
    files = Files()
    assert send_charges(desk, clock, "fee1", DUE, files.sending) == []
    with pytest.raises(NotPermitted, match="proposed"):
        approve(desk, clock, "fee2", CHARGE, proposal, "my own")
    with pytest.raises(NotPermitted):
        approve(desk, clock, "fee1", CHARGE, proposal, "no supervisor")
    with pytest.raises(NotPermitted):
        propose_charge(desk, clock, "op1", DRAWN, "no fee officer")
    assert rows(desk, "fee_charge") == []
    approve(desk, clock, "sup1", CHARGE, proposal, "checked")
    assert state(desk) == ("APPROVED", 0, 0)
    with pytest.raises(UsageError, match="charged already"):
        propose_charge(desk, clock, "fee1", DRAWN, "again")


def test_a_proposal_is_bound_to_the_days_that_it_was_drawn_from(desk: SqlRegister, clock: SteppingClock) -> None:
    proposal = propose_charge(desk, clock, "fee1", DRAWN, "December")
    with pytest.raises(UsageError, match="other figures"):
        propose_charge(desk, clock, "fee1", Charge(**TERMS | {"due_on": date(2020, 1, 3)}), "December")
    with desk.transaction() as tx:
        rated(tx, "e" * 64)
    with pytest.raises(UsageError, match="computed anew"):
        approve(desk, clock, "sup1", CHARGE, proposal, "checked")
    reject(desk, clock, "sup1", CHARGE, proposal, "stale")
    approved(desk, clock, Charge(**TERMS | {"seal": "e" * 64}))
    with pytest.raises(UsageError, match="nothing is due"):
        propose_charge(desk, clock, "fee1", Charge(**TERMS | {"net_minor": 0, "vat_minor": 0}), "nothing")


def test_one_file_goes_to_the_core_and_a_notice_to_the_platform(desk: SqlRegister, clock: SteppingClock) -> None:
    approved(desk, clock)
    files = Files()
    # The first of January is a holiday, and so is the day before no day after the period.
    assert send_charges(desk, clock, "fee1", date(2020, 1, 1), files.sending) == []
    (one,) = send_charges(desk, clock, "fee1", DUE, files.sending)
    assert (one["request_no"], one["amount_minor"], one["vat_minor"]) == ("P001-2019-12-1", 106_000, 6_000)
    assert send_charges(desk, clock, "fee1", DUE, files.sending) == []
    out = {row["file_name"]: row for row in rows(desk, "outbound")}
    assert {name: row["party"] for name, row in out.items()} == {
        "GW_CHARGE_20200102_01_v1.csv": "GW",
        "P001_FEE_NOTICE_20200102_01_v1.csv": "P001",
    }
    sent = {row["party"]: files.kept[row["sha256"]] for row in out.values()}
    charge = parse_file(load_layout("bank_charge/1"), "charge", sent["GW"], "utf-8", DUE)
    assert [(row["request_no"], row["platform"], row["amount_minor"]) for row in charge.rows] == [
        ("P001-2019-12-1", "P001", 106_000)
    ]
    notice = parse_file(load_layout("bank_fee_notice/1"), "notice", sent["P001"], "utf-8", DUE)
    assert [(row["component"], row["amount_minor"]) for row in notice.rows] == [
        ("balance", 100_500), ("maximum", -500), ("vat", 6_000), ("total", 106_000),
    ]  # fmt: skip
    assert "按余额" in sent["P001"].decode()


def test_the_answer_settles_the_charge_once(desk: SqlRegister, clock: SteppingClock) -> None:
    approved(desk, clock)
    send_charges(desk, clock, "fee1", DUE, Files().sending)
    for _ in range(2):
        answered(desk, DUE, "P001-2019-12-1", 106_000)
        assert state(desk) == ("COLLECTED", 106_000, 1)
    assert rules(desk) == []
    # Taken again on another day: it is money, and a person hears of it.
    answered(desk, date(2020, 1, 3), "P001-2019-12-1", 106_000, number=2)
    assert state(desk) == ("OVERPAID", 212_000, 1)
    assert rules(desk) == sorted([fee_answers.TWICE_RULE, fee_answers.AMOUNT_RULE])
    answered(desk, date(2020, 1, 3), "X77", 5)
    assert fee_answers.UNKNOWN_RULE in rules(desk)


def test_a_shortage_is_tried_again_each_business_day_and_told_when_it_lasts(desk: SqlRegister, clock: SteppingClock) -> None:
    approved(desk, clock)
    files = Files()
    send_charges(desk, clock, "fee1", DUE, files.sending)
    # The core takes 500.00 of 1,060.00.
    answered(desk, DUE, "P001-2019-12-1", 50_000)
    assert state(desk) == ("ARREARS", 50_000, 1)
    assert rules(desk) == []
    assert send_charges(desk, clock, "fee1", DUE, files.sending) == []
    friday, monday = date(2020, 1, 3), date(2020, 1, 6)
    (second,) = send_charges(desk, clock, "fee1", friday, files.sending)
    # VAT 6000 x 50000/106000 = 2830.2 was in what was collected: 3170 is left.
    assert (second["request_no"], second["amount_minor"], second["vat_minor"]) == ("P001-2019-12-2", 56_000, 3_170)
    answered(desk, friday, "P001-2019-12-2", 56_000, "NO_POSTING")
    assert state(desk) == ("ARREARS", 50_000, 2)
    assert rules(desk) == [fee_answers.ARREARS_RULE]
    assert send_charges(desk, clock, "fee1", date(2020, 1, 4), files.sending) == []
    (third,) = send_charges(desk, clock, "fee1", monday, files.sending)
    answered(desk, monday, third["request_no"], 56_000)
    assert state(desk) == ("COLLECTED", 106_000, 3)
    names = [row["file_name"] for row in rows(desk, "outbound")]
    assert len([name for name in names if FileType.FEE_NOTICE in name]) == 1
    with desk.transaction() as tx:
        assert [(t["attempt"], t["collected_minor"]) for t in charge_of(tx, "P001-2019-12").tries] == [
            (1, 50_000),
            (2, 0),
            (3, 56_000),
        ]
        assert [c["charge_no"] for c in charges(tx, "P001", "COLLECTED")] == ["P001-2019-12"]
        assert charges(tx, "", "ARREARS") == []
        with pytest.raises(UsageError, match="no charge"):
            charge_of(tx, "P001-2019-11")


def test_more_than_was_asked_is_told(desk: SqlRegister, clock: SteppingClock) -> None:
    approved(desk, clock)
    send_charges(desk, clock, "fee1", DUE, Files().sending)
    answered(desk, DUE, "P001-2019-12-1", 107_000)
    assert state(desk) == ("OVERPAID", 107_000, 1)
    assert rules(desk) == [fee_answers.AMOUNT_RULE]
    # Two people give it back, once.
    proposal = propose_give_back(desk, clock, "fee1", "P001-2019-12", DUE, "taken too much")
    assert propose_give_back(desk, clock, "fee1", "P001-2019-12", DUE, "taken too much") == proposal
    with pytest.raises(NotPermitted):
        approve(desk, clock, "fee1", SURPLUS_BACK, proposal, "my own")
    approve(desk, clock, "sup1", SURPLUS_BACK, proposal, "agreed")
    assert state(desk) == ("COLLECTED", 107_000, 1)
    with pytest.raises(UsageError, match="nothing was taken beyond it"):
        propose_give_back(desk, clock, "fee1", "P001-2019-12", DUE, "again")
    friday = date(2020, 1, 3)
    files = Files()
    (back,) = send_charges(desk, clock, "fee1", friday, files.sending)
    assert (back["request_no"], back["direction"], back["amount_minor"], back["vat_minor"]) == ("P001-G1-1", "IN", 1_000, 0)
    (notice,) = (
        files.kept[r["sha256"]].decode() for r in rows(desk, "outbound") if r["party"] == "P001" and "20200103" in r["file_name"]
    )
    assert "-10.00" in notice and notice.rstrip().endswith("P001-2019-12")
    answered(desk, friday, "P001-G1-1", 1_000, direction="IN")
    assert state(desk, "P001-G1") == ("GIVEN_BACK", -1_000, 1)
    with pytest.raises(UsageError, match="neither a charge"):
        propose_give_back(desk, clock, "fee1", "X1", DUE, "none such")


def test_what_nobody_asked_for_is_given_back_too(desk: SqlRegister, clock: SteppingClock) -> None:
    answered(desk, DUE, "X77", 500)
    assert rules(desk) == [fee_answers.UNKNOWN_RULE]
    proposal = propose_give_back(desk, clock, "fee1", "X77", DUE, "nobody asked")
    approve(desk, clock, "sup1", SURPLUS_BACK, proposal, "agreed")
    (charge,) = rows(desk, "fee_charge")
    assert (charge["charge_no"], charge["gross_minor"], charge["cites"], charge["due_on"]) == (
        "P001-G1",
        -500,
        "X77",
        date(2020, 1, 3),
    )
    with pytest.raises(UsageError, match="neither a charge"):
        propose_give_back(desk, clock, "fee1", "X77", DUE, "again")


def test_a_try_that_the_core_does_not_answer_is_told_until_it_does(desk: SqlRegister, clock: SteppingClock) -> None:
    approved(desk, clock)
    send_charges(desk, clock, "fee1", DUE, Files().sending)
    with desk.transaction() as tx:
        take_answers(tx, date(2020, 1, 1), [], {})
        assert tx.find("alert") == []
        take_answers(tx, DUE, [], {})
    assert rules(desk) == [fee_answers.UNANSWERED_RULE]
    answered(desk, date(2020, 1, 3), "P001-2019-12-1", 106_000)
    assert (state(desk)[0], rules(desk)) == ("COLLECTED", [])


def test_it_is_paid_in_parts_and_what_had_failed_is_collected_after_all(desk: SqlRegister, clock: SteppingClock) -> None:
    approved(desk, clock)
    send_charges(desk, clock, "fee1", DUE, Files().sending)
    with desk.transaction() as tx:
        take_answers(tx, DUE, [leg("P001-2019-12-1", 50_000), leg("P001-2019-12-1", 30_000, number=2)], {})
    assert state(desk) == ("ARREARS", 80_000, 1)
    # The rest comes under the number of the first try, while the second is under way, which then fails.
    friday = date(2020, 1, 3)
    send_charges(desk, clock, "fee1", friday, Files().sending)
    answered(desk, friday, "P001-2019-12-1", 20_000, number=3)
    assert state(desk) == ("SENT", 100_000, 2)
    answered(desk, friday, "P001-2019-12-2", 6_000, "NO_POSTING")
    assert state(desk) == ("ARREARS", 100_000, 2)
    answered(desk, date(2020, 1, 4), "P001-2019-12-2", 6_000)
    assert state(desk) == ("COLLECTED", 106_000, 2)


def in_arrears(desk: SqlRegister, clock: SteppingClock) -> None:
    approved(desk, clock)
    send_charges(desk, clock, "fee1", DUE, Files().sending)
    answered(desk, DUE, "P001-2019-12-1", 50_000)


def test_what_is_in_arrears_is_written_off_by_two_people_and_may_be_paid_after_all(
    desk: SqlRegister, clock: SteppingClock
) -> None:
    approved(desk, clock)
    with pytest.raises(UsageError, match="APPROVED: what is in arrears"):
        propose_write_off(desk, clock, "fee1", "P001-2019-12", "too early")
    with pytest.raises(UsageError, match="no charge"):
        propose_write_off(desk, clock, "fee1", "P001-2019-11", "none such")
    send_charges(desk, clock, "fee1", DUE, Files().sending)
    answered(desk, DUE, "P001-2019-12-1", 50_000)
    proposal = propose_write_off(desk, clock, "fee1", "P001-2019-12", "insolvent")
    # Paid in part since: what two people saw is not what is left.
    answered(desk, date(2020, 1, 3), "P001-2019-12-1", 6_000, number=2)
    with pytest.raises(UsageError, match="has changed"):
        approve(desk, clock, "sup1", WRITE_OFF, proposal, "agreed")
    reject(desk, clock, "sup1", WRITE_OFF, proposal, "paid in part")
    proposal = propose_write_off(desk, clock, "fee1", "P001-2019-12", "insolvent")
    with pytest.raises(NotPermitted):
        approve(desk, clock, "fee1", WRITE_OFF, proposal, "my own")
    approve(desk, clock, "sup1", WRITE_OFF, proposal, "agreed")
    assert state(desk) == ("WRITTEN_OFF", 56_000, 1)
    assert send_charges(desk, clock, "fee1", date(2020, 1, 6), Files().sending) == []
    answered(desk, date(2020, 1, 6), "P001-2019-12-1", 10_000, number=3, recovered=10_000)
    assert state(desk) == ("WRITTEN_OFF", 66_000, 1)
    assert fee_answers.RECOVERED_RULE in rules(desk)
    answered(desk, date(2020, 1, 7), "P001-2019-12-1", 40_000, number=4, recovered=40_000)
    assert state(desk) == ("COLLECTED", 106_000, 1)


def difference(desk: SqlRegister, on: date) -> Charge:
    with desk.transaction() as tx:
        (charge,) = due_charges(tx, on)
    return charge


def test_a_period_that_is_rated_anew_is_charged_the_difference(desk: SqlRegister, clock: SteppingClock) -> None:
    with desk.transaction() as tx:
        assert due_charges(tx, date(2020, 1, 1)) == []
    assert difference(desk, DUE) == DRAWN
    approved(desk, clock)
    with desk.transaction() as tx:
        assert due_charges(tx, DUE) == []
        rated(tx, "e" * 64, 101_000, 6_060, date(2020, 1, 5))
        # An older day that says it again knows no better.
        rated(tx, "f" * 64, 1, 1, date(2020, 1, 4))
        assert due_charges(tx, date(2020, 1, 5)) == []
    monday = date(2020, 1, 6)
    charge = difference(desk, monday)
    assert (charge.charge_no, charge.net_minor, charge.vat_minor, charge.cites) == ("P001-2019-12-R1", 1_000, 60, "P001-2019-12")
    assert charge.components == {"balance": 1_000}
    approved(desk, clock, charge)
    files = Files()
    assert {one["request_no"] for one in send_charges(desk, clock, "fee1", monday, files.sending)} == {
        "P001-2019-12-1", "P001-2019-12-R1-1",
    }  # fmt: skip
    notices = [files.kept[r["sha256"]].decode() for r in rows(desk, "outbound") if r["party"] == "P001"]
    assert any("P001-2019-12-R1" in text and text.rstrip().endswith("P001-2019-12") for text in notices)
    with desk.transaction() as tx:
        assert due_charges(tx, monday) == []


def test_a_difference_below_nothing_is_set_off_and_the_rest_given_back(desk: SqlRegister, clock: SteppingClock) -> None:
    in_arrears(desk, clock)
    with desk.transaction() as tx:
        rated(tx, "e" * 64, 30_000, 1_800, DUE)
    friday = date(2020, 1, 3)
    charge = difference(desk, friday)
    # 742.00 less: 560.00 of it was never paid.
    assert (charge.gross_minor, charge.set_off) == (-74_200, {"P001-2019-12": 56_000})
    proposal = propose_charge(desk, clock, "fee1", charge, "rated anew")
    answered(desk, DUE, "P001-2019-12-1", 6_000, number=2)
    with pytest.raises(UsageError, match="was sent or paid since"):
        approve(desk, clock, "sup1", CHARGE, proposal, "agreed")
    reject(desk, clock, "sup1", CHARGE, proposal, "paid since")
    approved(desk, clock, difference(desk, friday))
    assert state(desk)[0] == "COLLECTED"
    (back,) = send_charges(desk, clock, "fee1", friday, Files().sending)
    assert (back["request_no"], back["direction"], back["amount_minor"]) == ("P001-2019-12-R1-1", "IN", 24_200)
    answered(desk, friday, "P001-2019-12-R1-1", 24_200, direction="IN")
    assert state(desk, "P001-2019-12-R1") == ("GIVEN_BACK", -24_200, 1)


def test_a_difference_that_is_all_set_off_goes_nowhere(desk: SqlRegister, clock: SteppingClock) -> None:
    in_arrears(desk, clock)
    with desk.transaction() as tx:
        rated(tx, "e" * 64, 90_000, 5_400, DUE)
    friday = date(2020, 1, 3)
    approved(desk, clock, difference(desk, friday))
    assert state(desk, "P001-2019-12-R1") == ("GIVEN_BACK", 0, 0)
    (again,) = send_charges(desk, clock, "fee1", friday, Files().sending)
    # 1,060.00 less 106.00 less 500.00.
    assert (again["request_no"], again["amount_minor"]) == ("P001-2019-12-2", 45_400)


class Dies(Exception):
    pass


def test_killed_while_it_sends_nothing_is_lost_or_doubled(
    desk: SqlRegister, clock: SteppingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dead at each file that is queued, and at each row that is written: then all goes out once."""
    approved(desk, clock)
    real = fee_charges._queued
    for survives in (0, 1):
        left = [survives]

        def queued(*args: Any, left: list[int] = left, **kwargs: Any) -> str:
            if not left[0]:
                raise Dies
            left[0] -= 1
            return real(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(fee_charges, "_queued", queued)
            with pytest.raises(Dies):
                send_charges(desk, clock, "fee1", DUE, Files().sending)
        assert rows(desk, "outbound") == [] == rows(desk, "fee_attempt")
        assert state(desk) == ("APPROVED", 0, 0)
    send_charges(desk, clock, "fee1", DUE, Files().sending)
    assert (len(rows(desk, "outbound")), len(rows(desk, "fee_attempt"))) == (2, 1)
    with pytest.raises(SQLAlchemyError), desk.transaction() as tx:
        take_answers(
            tx,
            DUE,
            [leg("P001-2019-12-1", 1)],
            {},
        )
        raise SQLAlchemyError  # the transaction of an answer is lost whole
    assert state(desk) == ("SENT", 0, 1)
