"""What becomes of a charge, killed before and after each transaction and after each write: a payment in part, a write-off, a payment after it,
what was taken too much given back, and a period rated anew, charged and given back. Begun again it ends as if nothing had been."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from fractions import Fraction
from pathlib import Path
from shutil import copy
from typing import Any

from fee_parties import PLATFORM as P
from fee_parties import put_fee_parties
from fuse import Fuse, FusedRegister, Killed
from instance_kit import seeds
from stepping_clock import SteppingClock

from connectors.register import SqlRegister
from connectors.register_tables import metadata
from custody.fee_life import ARREARS, OVERPAID
from custody.fee_positions import recovery_number
from custody.fees import ComponentState, FeeState
from custody.services.fee_answers import take_answers
from custody.services.fee_charges import CHARGE, Sending, propose_charge, send_charges
from custody.services.fee_periods import Period, due_charges, rated_periods
from custody.services.fee_surplus import SURPLUS_BACK, WRITE_OFF, propose_give_back, propose_write_off
from custody.services.four_eyes import approve
from custody.services.outputs import Seal
from jobs.charges import charge_file, notice_file
from schemas.exchange import ExchangeName, sha256_hex

LAST, THURSDAY, FRIDAY, MONDAY, TUESDAY, WEDNESDAY = (
    date(2019, 12, 31), date(2020, 1, 2), date(2020, 1, 3), date(2020, 1, 6), date(2020, 1, 7), date(2020, 1, 8),
)  # fmt: skip
C = f"{P}-2019-12"
SENDING = Sending(
    charge_file,
    notice_file,
    lambda data: (sha256_hex(data), f"ref-{sha256_hex(data)}"),
    lambda party, kind, on, batch: str(ExchangeName(party, kind, on, batch, 1)),
)


def begun(path: Path) -> None:
    """People, a live gateway, December's fees sealed and their charge proposed."""
    register = SqlRegister(f"sqlite:///{path}", SteppingClock())
    metadata.create_all(register.engine)
    with register.transaction() as tx:
        put_fee_parties(tx, date(2019, 1, 1))
    rated(register, 100_000, LAST)
    register.close()


def rated(register: Any, net: int, on: date) -> None:
    """December comes to this by the fees step of ``on``, with 6 % of VAT."""
    state = FeeState(
        date(2019, 12, 1), LAST, LAST, "CNY", {"balance": ComponentState(fee=Fraction(net))}, free=Fraction(net),
        bill=(Fraction(0), Fraction(0), Fraction(0)), net_minor=net, vat_minor=net * 6 // 100,
    )  # fmt: skip
    with register.transaction() as tx:
        rated_periods(tx, Seal(on, "fees", 1, f"{on}", ""), [Period(P, state, on)])


def answered(register: Any, on: date, number: str, amount: int, leg: int = 1, direction: str = "OUT", recovered: int = 0) -> None:
    """What a date's publication says; it is said again until it is through."""
    one = {
        "platform": P, "request_no": number, "leg": leg, "direction": direction, "amount_minor": amount, "currency": "CNY",
        "outcome": "POSTED",
    }  # fmt: skip
    with register.transaction() as tx:
        take_answers(tx, on, [one], {(P, recovery_number(number, leg)): recovered} if recovered else {})


def charge(register: Any, number: str = C) -> dict[str, Any]:
    with register.transaction() as tx:
        return tx.get("fee_charge", charge_no=number) or {"state": None, "written_off_minor": 0}


def charge_what_is_due(register: Any, clock: Any, on: date) -> None:
    with register.transaction() as tx:
        due = due_charges(tx, on)
    for one in due:
        approve(register, clock, "sup1", CHARGE, propose_charge(register, clock, "fee1", one, "n"), "n")
    send_charges(register, clock, "fee1", on, SENDING)


def the_whole_way(register: Any, clock: Any) -> None:
    """What scheduler and people do, who look first whether it has been done."""
    charge_what_is_due(register, clock, THURSDAY)
    answered(register, THURSDAY, f"{C}-1", 50_000)
    if charge(register)["state"] == ARREARS and not charge(register)["written_off_minor"]:
        approve(register, clock, "sup1", WRITE_OFF, propose_write_off(register, clock, "fee1", C, "n"), "n")
    # Paid after all, in two parts, of which the second is 10.00 too much.
    answered(register, FRIDAY, f"{C}-1", 10_000, leg=2, recovered=10_000)
    answered(register, FRIDAY, f"{C}-1", 47_000, leg=3, recovered=46_000)
    if charge(register)["state"] == OVERPAID:
        approve(register, clock, "sup1", SURPLUS_BACK, propose_give_back(register, clock, "fee1", C, FRIDAY, "n"), "n")
    send_charges(register, clock, "fee1", MONDAY, SENDING)
    answered(register, MONDAY, f"{P}-G1-1", 1_000, direction="IN")
    # December is rated anew, twice: 10.60 more, then 53.00 less.
    rated(register, 101_000, MONDAY)
    charge_what_is_due(register, clock, TUESDAY)
    answered(register, TUESDAY, f"{C}-R1-1", 1_060)
    rated(register, 96_000, TUESDAY)
    charge_what_is_due(register, clock, WEDNESDAY)
    answered(register, WEDNESDAY, f"{C}-R2-1", 5_300, direction="IN")


# Moments differ from run to run, and what is named after them.
_OF_THE_MOMENT = {
    "proposed_at", "decided_at", "at", "queued_at", "opened_at", "proposal_id", "event_no", "message_id", "alert_event_id", "previous_hash", "hash",
    "digest", "due_at", "created_at", "next_at", "changed_at", "seen_at", "closed_at", "ended_at", "escalate_at", "next_attempt_at",
}  # fmt: skip
_TABLES = ("fee_charge", "fee_attempt", "fee_answer", "fee_period", "proposal", "outbound", "alert", "alert_event", "audit_event")


def ends(register: SqlRegister) -> dict[str, list[str]]:
    def lasting(rows: Iterable[dict[str, Any]]) -> list[str]:
        return sorted(str({name: value for name, value in row.items() if name not in _OF_THE_MOMENT}) for row in rows)

    with register.transaction() as tx:
        return {table: lasting(tx.find(table)) for table in _TABLES}


def run(begin: Path, to: Path, at: int) -> tuple[dict[str, list[str]], int]:
    """Killed at the ``at``-th point, begun again until it is through; how many points there are."""
    copy(begin, to)
    clock, fuse = SteppingClock(), Fuse(at)
    register = SqlRegister(f"sqlite:///{to}", clock)
    for _ in range(2):
        try:
            the_whole_way(FusedRegister(register, fuse, writes=True), clock)
            break
        except Killed:
            pass
    found = ends(register)
    register.close()
    return found, fuse.passed


def test_killed_at_each_write_of_a_charge_it_ends_as_if_nothing_had_been(tmp_path: Path) -> None:
    begun(tmp_path / "begin.db")
    undisturbed, points = run(tmp_path / "begin.db", tmp_path / "0.db", 0)
    again = SqlRegister(f"sqlite:///{tmp_path / '0.db'}", SteppingClock())
    with again.transaction() as tx:
        charges = {row["charge_no"]: row for row in tx.find("fee_charge")}
    again.close()
    assert {number: (row["state"], row["collected_minor"], row["written_off_minor"]) for number, row in charges.items()} == {
        C: ("COLLECTED", 107_000, 0),
        f"{P}-G1": ("GIVEN_BACK", -1_000, 0),
        f"{C}-R1": ("COLLECTED", 1_060, 0),
        f"{C}-R2": ("GIVEN_BACK", -5_300, 0),
    }
    assert [row["cites"] for number, row in sorted(charges.items())] == [None, C, C, C] and points > 150
    # All of them in `make soak`.
    for at in range(1, points + 1, 1 if len(seeds(1)) > 1 else 17):
        assert run(tmp_path / "begin.db", tmp_path / f"{at}.db", at)[0] == undisturbed, f"killed at point {at} of {points}"
