"""An adjusting entry that two people approve for a case: posted by the next day, shown everywhere, and the case ends by it."""

from __future__ import annotations

from typing import Any

import pytest
from instance_kit import Instance, opened
from kill_kit import CopyOf, TwoDays

from console.case_view import view_case
from custody.errors import NotPermitted, UsageError
from custody.services.cases import Adjustment, decide, propose_adjustment, propose_withdrawal, reopen
from custody.services.statements import statement


def case_of(instance: Instance, kind: str) -> dict[str, Any]:
    return next(row for row in instance.find("recon_case", state="OPEN", kind=kind) if row["subject"].startswith("TXN|"))


def lender(instance: Instance, platform: str, least_minor: int, but: str = "") -> str:
    """A lender's account with so much to spend, by our last snapshot."""
    on = max(row["custody_date"] for row in instance.find("step_output", step="post"))
    for row in instance.lake_rows(on, "post", "balances"):
        account, _, part = row["account"].partition(":")
        if (
            part == "available"
            and account.startswith(f"{platform}.LENDER")
            and account != but
            and row["closing_minor"] >= least_minor
        ):
            return str(account)
    raise AssertionError("nobody has so much")


def test_an_approved_adjustment_is_posted_and_its_case_closes_by_it(two_days: TwoDays, fresh: CopyOf) -> None:
    on = two_days.days[2]
    with opened(fresh(two_days.home)) as instance:
        wiring = instance.wiring
        case, other = case_of(instance, "AMOUNT"), case_of(instance, "WRONG_ACCOUNT")
        payer = lender(instance, case["platform"], 61_09)
        payee = lender(instance, case["platform"], 0, but=payer)
        wanted = Adjustment(payer, payee, 61_09)
        for wrong, why in (
            (Adjustment(payer, payer, 1), "they are the same"),
            (Adjustment(payer, payee, 0), "more than nothing"),
            (Adjustment(payer, f"{case['platform']}:P_INCOME", 1), "no posting rule"),
            (Adjustment("P009.LENDER.u1", "P009.LENDER.u2", 1), "within that platform"),
            (Adjustment(payer, payee, 1, value_date=two_days.days[3]), "lies ahead"),
        ):
            with pytest.raises(UsageError, match=why):
                propose_adjustment(wiring.register, wiring.clock, "maker", case["case_id"], wrong, "why")
        number = propose_adjustment(wiring.register, wiring.clock, "maker", case["case_id"], wanted, "the voucher says so")
        with pytest.raises(NotPermitted):
            decide(wiring.register, wiring.clock, "maker", number, True, "mine")
        decide(wiring.register, wiring.clock, "checker", number, True, "seen")
        with pytest.raises(UsageError, match="waits to be posted"):
            propose_adjustment(wiring.register, wiring.clock, "maker", case["case_id"], wanted, "again")
        # More than anybody has: it waits, which is a finding of its own, and the case stays open.
        rich = lender(instance, other["platform"], 0)
        too_much = Adjustment(rich, lender(instance, other["platform"], 0, but=rich), 10**12)
        never = propose_adjustment(wiring.register, wiring.clock, "maker", other["case_id"], too_much, "all of it")
        decide(wiring.register, wiring.clock, "checker", never, True, "")
        before = {row["account"]: row["closing_minor"] for row in instance.lake_rows(two_days.days[1], "post", "balances")}
        instance.deliver(two_days.world, on)
        instance.run_day(on)
        assert instance.failing_proofs() == [] and instance.damage() == []
        (move,) = [m for m in instance.lake_rows(on, "post", "journal") if m["request_no"] == f"ADJ{number}"]
        assert (move["from_account"], move["to_account"]) == (f"{payer}:available", f"{payee}:available")
        assert (move["amount_minor"], move["txn_type"], move["value_date"], move["core_ref"]) == (61_09, "ADJUSTMENT", on, None)
        assert f"{payer}:available" in before
        shown = statement(wiring.ledger_reader, payer, on, on)
        assert [
            line.request_no for line in shown.lines if line.txn_type == "ADJUSTMENT" and line.available_change_minor == -61_09
        ] == [f"ADJ{number}"]
        with wiring.register.transaction() as tx:
            done, stuck = view_case(tx, case["case_id"]), view_case(tx, other["case_id"])
        assert (done.row["state"], done.row["closed_by"]) == ("CLOSED", f"adjustment ADJ{number}")
        assert [told.what[0] for told in done.history][-4:] == ["proposed", "approved", "adjusting entry posted", "closed"]
        assert stuck.row["state"] == "OPEN"
        assert [told.what[0] for told in stuck.history if told.actor == "system"][-1] == "adjusting entry refused"
        (finding,) = instance.find("recon_case", subject=f"POSTING|ADJ{never}|1")
        assert (finding["kind"], finding["state"]) == ("SHORTFALL", "OPEN")
        # No platform is asked for what it never claimed.
        assert not [b for b in instance.lake_rows(on, "reconcile", "breaks") if number in b["subject"]]
        # Opened again by a person it stays open, though no comparison finds it any more.
        reopen(wiring.register, wiring.clock, "maker", case["case_id"], "the voucher was forged")
        instance.deliver(two_days.world, two_days.days[3])
        instance.run_day(two_days.days[3])
        (again,) = instance.find("recon_case", case_id=case["case_id"])
        assert (again["state"], again["reopened_by"], again["episode"]) == ("OPEN", "maker", 2)
        # What waits is tried again each day, and says so again.
        told = [row["event"] for row in instance.find("case_event", case_id=other["case_id"])]
        assert told.count("NOT_ADJUSTED") == 2


def test_an_approved_entry_that_is_not_posted_is_withdrawn_by_two_people(two_days: TwoDays, fresh: CopyOf) -> None:
    """One that waits since a day that is sealed, and one that no cut-off has sealed yet."""
    third, fourth = two_days.days[2:]
    with opened(fresh(two_days.home)) as instance:
        register, clock = instance.wiring.register, instance.wiring.clock
        case, other = case_of(instance, "AMOUNT"), case_of(instance, "WRONG_ACCOUNT")

        def adjusted(of: dict[str, Any], amount: int) -> str:
            payer = lender(instance, of["platform"], 0)
            wanted = Adjustment(payer, lender(instance, of["platform"], 0, but=payer), amount)
            number = propose_adjustment(register, clock, "maker", of["case_id"], wanted, "the voucher says so")
            decide(register, clock, "checker", number, True, "seen")
            return number

        waits = adjusted(case, 10**12)
        with pytest.raises(UsageError, match="no approved adjusting entry"):
            propose_withdrawal(register, clock, "maker", other["case_id"], waits, "of another case")
        instance.deliver(two_days.world, third)
        instance.run_day(third)
        assert [p["request_no"] for p in finding_of(instance, waits)] == [f"ADJ{waits}"]
        not_sealed = adjusted(other, 5)
        for of, number in ((case, waits), (other, not_sealed)):
            with pytest.raises(UsageError, match="say in --note"):
                propose_withdrawal(register, clock, "maker", of["case_id"], number, " ")
            back = propose_withdrawal(register, clock, "maker", of["case_id"], number, "the voucher was another's")
            with pytest.raises(NotPermitted):
                decide(register, clock, "maker", back, True, "mine")
            decide(register, clock, "checker", back, True, "seen")
            with pytest.raises(UsageError, match="no approved adjusting entry"):
                propose_withdrawal(register, clock, "maker", of["case_id"], number, "once more")
        instance.deliver(two_days.world, fourth)
        instance.run_day(fourth)
        legs = [leg for leg in instance.lake_rows(fourth, "post", "ledger_txn") if leg["request_no"].startswith("ADJ")]
        assert legs == [] and instance.failing_proofs() == [] and instance.damage() == []
        (taken,) = [r for r in instance.lake_rows(fourth, "reconcile", "withdrawn") if r["relation"] == "POSTING"]
        assert (taken["file_name"], taken["withdrawn"], taken["withdrawn_minor"]) == (f"decision:{waits}", 1, 10**12)
        (ended,) = instance.find("recon_case", subject=f"POSTING|ADJ{waits}|1")
        assert ended["state"] == "CLOSED"
        # Another entry may be proposed now.
        assert adjusted(case, 1)


def finding_of(instance: Instance, number: str) -> list[dict[str, Any]]:
    on = max(row["custody_date"] for row in instance.find("step_output", step="post"))
    return [f for f in instance.lake_rows(on, "post", "posting_findings") if f["request_no"] == f"ADJ{number}"]
