"""Custody days of organisations that are suspended, wind down, change their contract: what each day lands, posts and awaits."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from changed_days import Market, breaks, market_after_its_first_day
from instance_kit import GO_LIVE, Instance, opened
from kill_kit import CopyOf

from console.fee_view import base_rows, fee_days, fee_period
from custody.calendar import dates
from custody.errors import UsageError
from custody.party_status import PartyStatus
from custody.services.contract_changes import CONTRACT, propose_contract
from custody.services.four_eyes import DecisionKind, approve
from custody.services.organisations import standing_party
from custody.services.status_changes import STATUS, propose_status

FIRST, SECOND, THIRD = dates(GO_LIVE, 3)
P = "P001"


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Market:
    return market_after_its_first_day(tmp_path_factory.mktemp("statuses"))


def _decided(instance: Instance, kind: DecisionKind, proposal: str) -> None:
    approve(instance.wiring.register, instance.wiring.clock, "checker", kind, proposal, "yes")


def _to(instance: Instance, status: PartyStatus) -> None:
    register, clock = instance.wiring.register, instance.wiring.clock
    _decided(instance, STATUS, propose_status(register, clock, "maker", P, status, "why", books=instance.wiring.books))


def _landed_of_platform(instance: Instance, on: object) -> set[tuple[str, str, str]]:
    outcomes = instance.lake_rows(on, "land", "file_outcomes")  # type: ignore[arg-type]
    return {(o["file_type"], o["custody_date"].isoformat(), o["outcome"]) for o in outcomes if o["party"] == P}


def test_a_suspended_platforms_files_wait_and_are_landed_when_it_is_live_again(market: Market, fresh: CopyOf) -> None:
    with opened(fresh(market.home)) as instance:
        _to(instance, PartyStatus.SUSPENDED)
        taken = instance.deliver(market.world, SECOND)
        assert {f.rule for seal in taken.seals if seal.party == P for f in seal.files} == {"taken_held"}
        instance.run_day(SECOND)
        assert {outcome for _, _, outcome in _landed_of_platform(instance, SECOND)} == {"EXPECTED"}
        # Nothing is judged against files that are kept: the case says that they are not there.
        assert {kind for kind, subject in breaks(instance, SECOND) if P in subject} - {"UNAUTHORISED"} == {"LATE_FILE"}
        posted = [t for t in instance.lake_rows(SECOND, "post", "ledger_txn") if t["platform"] == P]
        refused = {t["txn_type"] for t in posted if t["outcome"] == "REFUSED"}
        assert refused <= {"TENDER_FREEZE", "TENDER_SETTLE", "CREDIT_ASSIGNMENT"}
        assert "POSTED" in {t["outcome"] for t in posted}
        _to(instance, PartyStatus.LIVE)
        instance.deliver(market.world, THIRD)
        instance.run_day(THIRD)
        came = _landed_of_platform(instance, THIRD)
        assert {(t, d) for t, d, outcome in came if outcome == "LANDED"} >= {("TXN", str(SECOND)), ("TXN", str(THIRD))}
        assert "EXPECTED" not in {outcome for _, _, outcome in came}
        assert not [b for b in breaks(instance, THIRD) if b[0] == "LATE_FILE"]
        assert instance.failing_proofs() == []


def test_a_platform_that_winds_down_does_no_new_business_and_pays_people_out(market: Market, fresh: CopyOf) -> None:
    with opened(fresh(market.home)) as instance:
        _to(instance, PartyStatus.WINDING_DOWN)
        instance.deliver(market.world, SECOND)
        instance.run_day(SECOND)
        posted = [t for t in instance.lake_rows(SECOND, "post", "ledger_txn") if t["platform"] == P]
        new = {"TENDER_FREEZE", "TENDER_SETTLE", "CREDIT_ASSIGNMENT"}
        findings = [f for f in instance.lake_rows(SECOND, "post", "posting_findings") if f["rule"] == "party_status"]
        assert not [t for t in posted if t["txn_type"] in new and t["outcome"] == "POSTED"]
        assert [t for t in posted if t["txn_type"] not in new and t["outcome"] == "POSTED"]
        assert findings and {f["kind"] for f in findings} == {"UNAUTHORISED"}
        said = next(f for f in findings if f["txn_type"] == "CREDIT_ASSIGNMENT")
        assert f"WINDING_DOWN since {SECOND}" in said["words_en"] and "不得再办理新业务" in said["words_zh"]
        # A lender's recharge has moved money: it is in the books, and a finding; a borrower recharges to repay.
        recharged = {t["request_no"]: t["outcome"] for t in posted if t["txn_type"] == "RECHARGE"}
        found = {f["request_no"] for f in findings if f["txn_type"] == "RECHARGE"}
        assert set(recharged.values()) == {"POSTED"} and found and found < set(recharged)
        with pytest.raises(UsageError, match=r"cannot be closed by the books of .*: .* accounts that are not zero"):
            _to(instance, PartyStatus.CLOSED)
        assert instance.failing_proofs() == []


def test_a_contract_changes_on_a_date_and_each_day_keeps_its_own(market: Market, fresh: CopyOf) -> None:
    """The fee of each day is that of the contract of the day; a file that comes late is read under the older one."""
    with opened(fresh(market.home)) as instance:
        register, clock = instance.wiring.register, instance.wiring.clock
        with register.transaction() as tx:
            before = standing_party(tx, P).on(None).contract
        dearer = {
            **before,
            "fee_contract": {**before["fee_contract"], "per_mille_year": "36.5"},
            "file_types": ["TXN", "CLAIM", "BALANCE"],
        }
        dearer["layouts"] = {t: before["layouts"][t] for t in dearer["file_types"]}
        _decided(instance, CONTRACT, propose_contract(register, clock, "maker", P, dearer, THIRD, "a new agreement"))
        # Its customers' file of the second date comes a day late; the new contract does not name that type at all.
        late = f"{P}_SEAL_{SECOND:%Y%m%d}_01_v1.json"
        instance.deliver(market.world, SECOND, without=(P,))
        instance.run_day(SECOND)
        assert _per_mille(instance, SECOND) == "1.5 per mille / 365"
        for path in sorted((Path(market.world) / SECOND.isoformat() / P).iterdir()):
            instance.drop.put(P, path.name, path.read_bytes())
        assert late in instance.drop.arrived[P]
        taken = instance.collect(THIRD)
        assert {f.rule for seal in taken.seals for f in seal.files} == {"taken_late"}
        instance.deliver(market.world, THIRD)
        instance.run_day(THIRD)
        came = _landed_of_platform(instance, THIRD)
        assert ("CUSTOMER", str(SECOND), "LANDED") in came
        refused = [o for o in instance.lake_rows(THIRD, "land", "file_outcomes") if o["party"] == P and o["outcome"] == "REFUSED"]
        assert {(o["file_type"], o["custody_date"], o["rule"]) for o in refused} == {
            ("CUSTOMER", THIRD, "unknown_layout"), ("LOAN", THIRD, "unknown_layout"),
        }  # fmt: skip
        assert _per_mille(instance, THIRD) == "36.5 per mille / 365"
        _fee_is_explained_down_to_its_rows(instance, THIRD)
        rows = [r for r in instance.lake_rows(THIRD, "cut_off", "reference") if r["kind"] == "contract"]
        assert [(r["id"], len(json.loads(r["payload"]))) for r in rows] == [(P, 2)]
        # The second day says what it said, however often it is asked.
        assert {r.outcome for r in instance.run_day(SECOND)} == {"unchanged"}


def _per_mille(instance: Instance, on: date) -> str:
    lines = instance.lake_rows(on, "fees", "fee_lines")
    (terms,) = [line["terms"] for line in lines if (line["platform"], line["component"]) == (P, "balance")]
    return str(terms)


def _fee_is_explained_down_to_its_rows(instance: Instance, on: date) -> None:
    """The rows behind each component of a day add up to what came in, and the days to the period."""
    (day,) = fee_days(instance.wiring, P, on, on)
    for line in day.lines:
        rows = base_rows(instance.wiring, P, on, line["component"])
        minor = sum(row.get("minor", 0) for row in rows)
        assert line["quantity"] == (minor if line["component"] == "balance" else len(rows)) > 0
    balances = base_rows(instance.wiring, P, on, "balance")
    assert all("**" in row["account"] for row in balances)
    period = fee_period(instance.wiring, P, f"{on:%Y-%m}")
    assert period.state.through == on
    assert sum(day.accrual["net_minor"] for day in period.days) == period.state.net_minor == sum(period.whole.values())
    with pytest.raises(UsageError, match="no fee of"):
        fee_period(instance.wiring, P, "2030-01")
