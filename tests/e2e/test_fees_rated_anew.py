"""A month that was charged and learns something: an instruction comes late, terms are agreed that reach back, messages are counted. The
difference is charged, or given back, by two people, and explained down to the rows; INV_11 holds each day."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from instance_kit import GO_LIVE, Instance, make_instance, make_world, opened
from typer.testing import CliRunner

from console.cli import app
from console.fee_view import fee_difference, standing
from custody.calendar import dates
from custody.services.fee_amendments import AMENDMENT, propose_amendment
from custody.services.fee_charges import CHARGE, propose_charge
from custody.services.fee_periods import due_charges
from custody.services.fee_usages import USAGE, propose_usage, read_usage
from custody.services.four_eyes import approve

DAYS = list(dates(GO_LIVE, 6))
LAST, FRIDAY, SATURDAY = DAYS[1], DAYS[4], DAYS[5]
MONDAY = date(2020, 1, 6)
P, C = "P001", "P001-2019-12"


def decide(instance: Instance, kind: Any, proposal: str) -> None:
    approve(instance.wiring.register, instance.wiring.clock, "checker", kind, proposal, "agreed")


def terms_of(instance: Instance) -> dict[str, Any]:
    (row,) = instance.find("party_contract", party=P)
    terms: dict[str, Any] = json.loads(row["contract"])["fee_contract"]
    return terms


def explained(home: Path, *arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["fees", "explain", *arguments, "--json"], env={"CUSTODY_HOME": str(home)})
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def books(instance: Instance, on: date) -> dict[str, int]:
    rows = instance.lake_rows(on, "post", "balances")
    return {b["account"].partition(":")[2]: -b["closing_minor"] for b in rows if (b["platform"], b["book"]) == (P, "BANK")}


def test_a_charged_month_is_rated_anew(tmp_path: Path) -> None:
    world = make_world(tmp_path / "world", [], seed=5, days=6, lenders=8, loans=4)
    home = make_instance(tmp_path / "home", world)
    with opened(home) as instance:
        wiring = instance.wiring
        register, clock = wiring.register, wiring.clock
        for on in DAYS[:4]:
            instance.deliver(world, on)
            instance.run_day(on)
        (first,) = instance.find("fee_charge", charge_no=C)
        assert first["state"] == "COLLECTED"
        # Two people let in what a component counted on the last of December, and double the price of recharges for that day.
        listed = b"used_on,component,pieces,reference\n2019-12-31,sms,7,batch-1\n"
        terms = terms_of(instance) | {"per_sms_minor": 30}
        terms["per_transaction_minor"] = terms["per_transaction_minor"] | {"RECHARGE": 40}
        rows = read_usage(listed, "december.csv")
        decide(instance, USAGE, propose_usage(register, clock, "fees", P, "december.csv", "ab" * 32, "ref", rows, "counted"))
        decide(instance, AMENDMENT, propose_amendment(register, clock, "fees", P, terms, LAST, LAST, "agreed in writing"))
        instance.deliver(world, FRIDAY)
        instance.run_day(FRIDAY)
        recharges = [
            t for t in instance.lake_rows(LAST, "post", "ledger_txn")
            if (t["platform"], t["txn_type"], t["outcome"]) == (P, "RECHARGE", "POSTED")
        ]  # fmt: skip
        more = 7 * 30 + len(recharges) * 20
        (rated,) = instance.lake_rows(FRIDAY, "fees", "fee_reratings")
        assert (rated["period"], rated["net_minor"] - rated["net_before_minor"]) == ("2019-12", more)
        (entry,) = instance.lake_rows(FRIDAY, "fees", "fee_entries")
        assert (entry["direction"], entry["amount_minor"]) == ("ACCRUE", more + rated["vat_minor"] - rated["vat_before_minor"])
        with register.transaction() as tx:
            (charge,) = due_charges(tx, MONDAY)
            assert (charge.charge_no, charge.cites, charge.net_minor) == (f"{C}-R1", C, more)
            assert charge.components == {"sms": 210, "transaction.RECHARGE": len(recharges) * 20}
        # Down to the rows, before it is charged.
        found = explained(home, P, "2019-12-R")
        assert found["now_minor"][0] - found["before_minor"][0] == more
        (sms,) = (c for c in found["changes"] if c["component"] == "sms")
        assert (sms["before"], sms["now"]) == ("0", "210")
        assert [(r["file_name"], r["line_no"], r["posted_on"]) for r in sms["rows"]] == [("december.csv", 2, FRIDAY.isoformat())]
        decide(instance, CHARGE, propose_charge(register, clock, "fees", charge, "rated anew"))
        # What is not agreed after all: the whole of it is given back.
        without = terms_of(instance) | {"per_sms_minor": 0}
        decide(instance, AMENDMENT, propose_amendment(register, clock, "fees", P, without, LAST, LAST, "withdrawn"))
        instance.deliver(world, SATURDAY)
        instance.run_day(SATURDAY)
        assert books(instance, SATURDAY)["FEE_DUE"] == standing_of(instance, FRIDAY)["accrued_minor"] - first["gross_minor"]
        with register.transaction() as tx:
            (back,) = due_charges(tx, MONDAY)
        assert (back.charge_no, back.net_minor, back.cites) == (f"{C}-R2", -more, C)
        decide(instance, CHARGE, propose_charge(register, clock, "fees", back, "withdrawn"))
        for number in (1, 2):
            found = explained(home, P, f"2019-12-R{number}")
            assert found["now_minor"][0] - found["before_minor"][0] == (more if number == 1 else -more)
        with pytest.raises(Exception, match="no such difference"):
            fee_difference(wiring, P, "2019-12", 3)
        (position,) = (p for p in standing(wiring) if p.platform == P)
        assert position.to_be_charged_minor == position.accrued_minor - position.charged_minor
        kinds = {b["kind"] for on in DAYS for b in instance.lake_rows(on, "reconcile", "breaks")}
        assert not {"INV_11", "INV_03"} & kinds
        assert instance.damage() == []


def standing_of(instance: Instance, on: date) -> dict[str, Any]:
    (row,) = (r for r in instance.lake_rows(on, "fees", "fee_positions") if r["platform"] == P)
    return row
