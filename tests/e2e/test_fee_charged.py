"""A month's custody fee through the whole system: accrued, drawn, approved by a second person, sent to the core, answered, posted."""

from __future__ import annotations

from pathlib import Path

from instance_kit import GO_LIVE, make_instance, make_world, opened

from console.fee_view import due_charges, standing
from custody.calendar import dates
from custody.services.fee_charges import CHARGE, charge_of, propose_charge
from custody.services.four_eyes import approve
from jobs.charges import send

# 2019-12-30 to 2020-01-02, which is the first bank business day of January.
DAYS = list(dates(GO_LIVE, 4))
LAST, HOLIDAY, DUE = DAYS[1:]
P = "P001"


def test_a_months_fee_is_charged_and_collected(tmp_path: Path) -> None:
    world = make_world(tmp_path / "world", [], seed=5, days=4, lenders=8, loans=4)
    with opened(make_instance(tmp_path / "home", world)) as instance:
        wiring = instance.wiring
        for on in (GO_LIVE, LAST, HOLIDAY):
            instance.deliver(world, on)
            instance.run_day(on)
        assert due_charges(wiring, HOLIDAY) == []
        drawn = {charge.platform: charge for charge in due_charges(wiring, DUE)}
        accrued = [r for on in (GO_LIVE, LAST) for r in instance.lake_rows(on, "fees", "fee_accruals") if r["platform"] == P]
        assert drawn[P].gross_minor == sum(r["gross_minor"] for r in accrued) > 0
        assert (drawn[P].charge_no, drawn[P].due_on) == (f"{P}-2019-12", DUE)
        assert sum(drawn[P].components.values()) == drawn[P].net_minor
        for charge in drawn.values():
            proposal = propose_charge(wiring.register, wiring.clock, "fees", charge, "December")
            approve(wiring.register, wiring.clock, "checker", CHARGE, proposal, "checked")
        sent = send(wiring, DUE, "fees")
        assert {one["charge_no"] for one in sent["tries"]} == {charge.charge_no for charge in drawn.values()}
        assert send(wiring, DUE, "fees")["tries"] == []
        out = instance.drop.sent
        assert f"{P}_FEE_NOTICE_20200102_01_v1.csv" in out[P]
        (charges,) = [data for party in out.values() for name, data in party.items() if "_CHARGE_" in name]
        assert f"{P}-2019-12-1,{P}-2019-12,1,{P}," in charges.decode()
        # The core answers under the number that it was given; the answer is posted, and the charge settled by it, once.
        instance.deliver(world, DUE)
        instance.run_day(DUE)
        with wiring.register.transaction() as tx:
            for charge in drawn.values():
                found = charge_of(tx, charge.charge_no)
                assert (found.row["state"], found.row["collected_minor"]) == ("COLLECTED", charge.gross_minor)
            assert [a["rule"] for a in tx.find("alert") if a["rule"].startswith("FEE_")] == []
            tx.delete("publication", custody_date=DUE, step="fees")
        # Killed before it was said that the answers were taken: taking them again changes nothing.
        instance.step("fees", DUE)
        for position in standing(wiring):
            assert position.outstanding_minor == 0
            assert position.collected_minor == position.charged_minor == drawn[position.platform].gross_minor
            assert position.to_be_charged_minor == position.accrued_minor - position.charged_minor > 0
        balances = {b["account"]: b["closing_minor"] for b in instance.lake_rows(DUE, "post", "balances") if b["book"] == "BANK"}
        assert -balances[f"{P}:BANK_CASH"] == drawn[P].gross_minor
        kinds = {b["kind"] for on in DAYS for b in instance.lake_rows(on, "reconcile", "breaks")}
        assert "INV_11" not in kinds
