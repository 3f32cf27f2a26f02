"""A charge from its proposal to the core's answer: two people, one try for each file, shortage tried again, and nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from sqlalchemy.exc import SQLAlchemyError
from stepping_clock import SteppingClock

from connectors.register import SqlRegister
from custody.errors import NotPermitted, UsageError
from custody.names import FileType
from custody.ports import Row
from custody.services import fee_charges
from custody.services.fee_charges import (
    CHARGE,
    Charge,
    Sending,
    charge_of,
    charges,
    positions,
    propose_charge,
    send_charges,
    take_answers,
)
from custody.services.four_eyes import approve, reject
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
            tx.insert("party_contract", {"party": party, "valid_from": date(2019, 1, 1), "contract": "{}"})
        seal_fees(tx, 1, "d" * 64)
    yield register


def seal_fees(tx: Any, version: int, digest: str) -> None:
    texts = dict.fromkeys(("run_digest", "inputs_digest", "path", "code_digest", "reason", "committed_at"), "")
    tx.insert(
        "step_output", texts | {"custody_date": LAST, "step": "fees", "version": version, "manifest_digest": digest, "fence": 1}
    )


def approved(register: SqlRegister, clock: SteppingClock, charge: Charge = DRAWN) -> None:
    approve(register, clock, "sup1", CHARGE, propose_charge(register, clock, "fee1", charge, "December"), "checked")


def rows(register: SqlRegister, table: str) -> list[Row]:
    with register.transaction() as tx:
        return tx.find(table)


def answered(register: SqlRegister, on: date, request_no: str, amount_minor: int, outcome: str = "POSTED") -> None:
    leg = {"platform": "P001", "request_no": request_no, "amount_minor": amount_minor, "currency": "CNY", "outcome": outcome}
    with register.transaction() as tx:
        take_answers(tx, on, [leg])


def state(register: SqlRegister) -> tuple[str, int, int]:
    (row,) = rows(register, "fee_charge")
    return row["state"], row["collected_minor"], row["attempts"]


def rules(register: SqlRegister) -> list[str]:
    return sorted(alert["rule"] for alert in rows(register, "alert"))


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
        propose_charge(desk, clock, "fee1", Charge(**TERMS | {"vat_minor": 1}), "December")
    with desk.transaction() as tx:
        seal_fees(tx, 2, "e" * 64)
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
    # Answered again on another day: the first answer stands, and a person hears of it.
    answered(desk, date(2020, 1, 3), "P001-2019-12-1", 106_000)
    assert state(desk) == ("COLLECTED", 106_000, 1)
    assert rules(desk) == [fee_charges.TWICE_RULE]
    answered(desk, date(2020, 1, 3), "X77", 5)
    assert rules(desk) == sorted([fee_charges.TWICE_RULE, fee_charges.UNKNOWN_RULE])


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
    assert rules(desk) == [fee_charges.ARREARS_RULE]
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
        (position,) = positions(tx, {"P001": 120_000})
        assert [c["charge_no"] for c in charges(tx, "P001", "COLLECTED")] == ["P001-2019-12"]
        assert charges(tx, "", "ARREARS") == []
        with pytest.raises(UsageError, match="no charge"):
            charge_of(tx, "P001-2019-11")
    assert (position.to_be_charged_minor, position.outstanding_minor) == (14_000, 0)


def test_more_than_was_asked_is_told(desk: SqlRegister, clock: SteppingClock) -> None:
    approved(desk, clock)
    send_charges(desk, clock, "fee1", DUE, Files().sending)
    answered(desk, DUE, "P001-2019-12-1", 107_000)
    assert state(desk) == ("COLLECTED", 107_000, 1)
    assert rules(desk) == [fee_charges.AMOUNT_RULE]


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
            [{"platform": "P001", "request_no": "P001-2019-12-1", "amount_minor": 1, "currency": "CNY", "outcome": "POSTED"}],
        )
        raise SQLAlchemyError  # the transaction of an answer is lost whole
    assert state(desk) == ("SENT", 0, 1)
