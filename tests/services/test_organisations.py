"""A contract is adopted only when every day's steps can read it; and there is one gateway."""

from __future__ import annotations

import base64
import json
from datetime import date
from typing import Any

import pytest
from stepping_clock import SteppingClock

from connectors.register import SqlRegister
from console.commands.organisations import contract_of
from custody.digest import canonical_json
from custody.errors import NotPermitted, UsageError
from custody.party_status import PartyStatus
from custody.services.contract_changes import CONTRACT, propose_contract
from custody.services.four_eyes import approve
from custody.services.organisations import BEGINNING, ONBOARD, contract_faults, parties, party, propose_party, standing_party
from custody.services.status_changes import STATUS, Standing, propose_status
from simulator.parties import make_parties


def key_of(party: str) -> str:
    """Each has its own."""
    return "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0 " + party.encode().rjust(32)).decode()


RELATED = "C" + "0a" * 12
WORLD = {p.kind.value: contract_of(p.as_json(), lambda id_type, id_no: RELATED) for p in make_parties(1, 1)}
Contract = dict[str, Any]


def with_fee(**change: object) -> Contract:
    return {**WORLD["PLATFORM"], "fee_contract": {**WORLD["PLATFORM"]["fee_contract"], **change}}  # type: ignore[dict-item]


def proposed(register: SqlRegister, clock: SteppingClock, party: str, kind: str = "GATEWAY", actor: str = "op1") -> str:
    return propose_party(
        register, clock, actor, party, kind, party, "机构", WORLD[kind], key_of(party), "new", live_untested=True
    )


def gateways(register: SqlRegister) -> list[tuple[str, str]]:
    with register.transaction() as tx:
        return [(p.party, p.status) for p in parties(tx) if p.kind == "GATEWAY"]


@pytest.mark.parametrize("kind", ["PLATFORM", "CHANNEL", "GATEWAY"])
def test_a_simulated_partys_contract_can_be_adopted(kind: str) -> None:
    assert WORLD["PLATFORM"]["related_parties"] == [RELATED]
    assert contract_faults(kind, WORLD[kind]) == []


@pytest.mark.parametrize(
    ("kind", "contract", "words"),
    [
        ("PLATFORM", WORLD["GATEWAY"], "lacks fee_contract"),
        ("PLATFORM", {**WORLD["PLATFORM"], "related_parties": ["91110101MA0000000X"]}, "never numbers of papers"),
        ("GATEWAY", {**WORLD["GATEWAY"], "related_parties": [RELATED]}, "has related_parties, which nobody reads"),
        ("PLATFORM", {**WORLD["PLATFORM"], "fee_contract": None}, "fee_contract must be an object"),
        ("PLATFORM", {**WORLD["PLATFORM"], "fee_contract": {}}, "wrong or missing"),
        ("PLATFORM", {**WORLD["PLATFORM"], "fee_contract": {1: 2, "x": 3}}, "contract: "),
        ("PLATFORM", with_fee(vat_rate=6), "vat_rate must be a rate"),
        ("PLATFORM", with_fee(per_transaction_minor={"TEA": 1}), "'TEA', which is not a transaction type"),
        ("PLATFORM", with_fee(valid_to="2018-01-01"), "before it starts"),
        ("PLATFORM", {**WORLD["PLATFORM"], "channel_fee_rate": "0.01"}, "has channel_fee_rate, which nobody reads"),
        ("PLATFORM", {**WORLD["PLATFORM"], "core_model": "EVE"}, "core_model must be one of HUB, E_ACCOUNT"),
        ("PLATFORM", {**WORLD["PLATFORM"], "core_model": "E_ACCOUNT"}, "needs core_model_from"),
        ("PLATFORM", {**WORLD["PLATFORM"], "core_model_from": "1.1.2020"}, "core_model_from must be a date"),
        ("CHANNEL", {**WORLD["CHANNEL"], "core_model": "E_ACCOUNT"}, "only a platform's customers have e-accounts"),
        ("CHANNEL", WORLD["GATEWAY"], "lacks channel_fee_min_minor"),
        ("CHANNEL", {**WORLD["CHANNEL"], "channel_fee_rate": "0.0000001"}, "at most six decimals"),
        ("CHANNEL", {**WORLD["CHANNEL"], "channel_fee_rate": "1.0"}, "below 1"),
        ("CHANNEL", {**WORLD["CHANNEL"], "channel_fee_rate": 0}, "must be text"),
        ("CHANNEL", {**WORLD["CHANNEL"], "channel_fee_min_minor": -1}, "channel_fee_min_minor must be a whole number"),
        ("CHANNEL", {**WORLD["CHANNEL"], "channel_fee_min_minor": True}, "channel_fee_min_minor must be a whole number"),
        ("CHANNEL", {**WORLD["CHANNEL"], "channel_fee_min_minor": "1"}, "channel_fee_min_minor must be a whole number"),
        ("CHANNEL", {**WORLD["CHANNEL"], "fee_contract": None}, "has fee_contract, which nobody reads"),
        ("GATEWAY", {**WORLD["GATEWAY"], "dialect": []}, "dialect must be an object"),
        (
            "GATEWAY",
            {**WORLD["GATEWAY"], "layouts": dict.fromkeys(WORLD["GATEWAY"]["file_types"], "x/1")},
            "a list of layout ids",
        ),
        ("GATEWAY", {**WORLD["GATEWAY"], "layouts": {t: [] for t in WORLD["GATEWAY"]["file_types"]}}, "a list of layout ids"),
        ("GATEWAY", WORLD["CHANNEL"], "has channel_fee_min_minor, which nobody reads"),
        ("GATEWAY", WORLD["PLATFORM"], "has fee_contract, which nobody reads"),
    ],
)
def test_a_contract_that_a_day_could_not_read_is_refused_in_words(kind: str, contract: Contract, words: str) -> None:
    assert any(words in fault for fault in contract_faults(kind, contract)), contract_faults(kind, contract)


@pytest.mark.parametrize("rate", ["0", "0.1", "0.002500", "0.999999"])
def test_a_channels_rate_is_any_that_reconciliation_reads(rate: str) -> None:
    assert contract_faults("CHANNEL", {**WORLD["CHANNEL"], "channel_fee_rate": rate}) == []


def test_a_second_live_gateway_is_refused(register: SqlRegister, clock: SteppingClock) -> None:
    first, rival = proposed(register, clock, "GW"), proposed(register, clock, "GW2")
    approve(register, clock, "sup1", ONBOARD, first, "")
    with pytest.raises(UsageError, match="GW is the live gateway and there is only one"):
        approve(register, clock, "sup1", ONBOARD, rival, "")
    with pytest.raises(UsageError, match="GW is the live gateway"):
        proposed(register, clock, "GW3")
    with pytest.raises(UsageError, match="GW stands already"):
        proposed(register, clock, "GW")
    assert gateways(register) == [("GW", PartyStatus.LIVE)]


def test_a_gateway_is_replaced_by_suspending_it_first(register: SqlRegister, clock: SteppingClock) -> None:
    approve(register, clock, "sup1", ONBOARD, proposed(register, clock, "GW"), "")
    suspend = propose_status(register, clock, "op1", "GW", PartyStatus.SUSPENDED, "replaced")
    approve(register, clock, "sup1", STATUS, suspend, "")
    resume = propose_status(register, clock, "op1", "GW", PartyStatus.LIVE, "back")
    approve(register, clock, "sup1", ONBOARD, proposed(register, clock, "GW2"), "")
    with pytest.raises(UsageError, match="GW2 is the live gateway"):
        approve(register, clock, "sup1", STATUS, resume, "")
    with pytest.raises(UsageError, match="GW2 is the live gateway"):
        propose_status(register, clock, "op1", "GW", PartyStatus.LIVE, "again")
    with pytest.raises(UsageError, match="may become CLOSED or LIVE, not WINDING_DOWN"):
        propose_status(register, clock, "op1", "GW", PartyStatus.WINDING_DOWN, "it has no money")
    assert gateways(register) == [("GW", PartyStatus.SUSPENDED), ("GW2", PartyStatus.LIVE)]


def test_a_refusal_is_on_record_whatever_was_asked(register: SqlRegister, clock: SteppingClock) -> None:
    for ask in (
        lambda: proposed(register, clock, "P001", "PLATFORM", "audit1"),
        lambda: propose_status(register, clock, "audit1", "X", PartyStatus.LIVE, "why"),
        lambda: propose_contract(register, clock, "audit1", "X", WORLD["PLATFORM"], None, "why"),
    ):
        with pytest.raises(NotPermitted):
            ask()
    with register.transaction() as tx:
        events = tx.find("audit_event", ("event_no",))
    assert [(e["actor"], e["action"], e["subject"]) for e in events] == [
        ("audit1", "refused:party.propose", "P001"), ("audit1", "refused:party.propose", "X"), ("audit1", "refused:party.propose", "X"),
    ]  # fmt: skip


def cut_off(register: SqlRegister, on: date, *steps: str) -> None:
    with register.transaction() as tx:
        for step in ("cut_off", *steps):
            output = {"custody_date": on, "step": step, "version": 1, "committed_at": "", "reason": "", "fence": 1}
            digests = dict.fromkeys(("run_digest", "inputs_digest", "manifest_digest", "code_digest", "path"), f"{step} {on}")
            tx.insert("step_output", {**output, **digests})


def test_days_that_were_cut_off_keep_the_form_of_the_core_that_they_had(register: SqlRegister, clock: SteppingClock) -> None:
    def e_accounts(since: str) -> str:
        contract = {**WORLD["PLATFORM"], "core_model": "E_ACCOUNT", "core_model_from": since}
        return propose_contract(register, clock, "op1", "P001", contract, None, "e-accounts")

    approve(register, clock, "sup1", ONBOARD, proposed(register, clock, "P001", "PLATFORM"), "")
    early = e_accounts("2020-01-02")
    cut_off(register, date(2020, 1, 2))
    # What was in time when it was proposed may be too late when it is approved.
    with pytest.raises(UsageError, match="was cut off under the contract that it had"):
        approve(register, clock, "sup1", CONTRACT, early, "")
    with pytest.raises(UsageError, match="core_model of P001 would change for 2020-01-02"):
        e_accounts("2020-01-02")
    with pytest.raises(UsageError, match="name a core_model_from after the last custody date that was cut off"):
        e_accounts("2019-12-31")
    approve(register, clock, "sup1", CONTRACT, e_accounts("2020-01-03"), "")
    with pytest.raises(UsageError, match="has on 2020-01-03 already"):
        e_accounts("2020-01-03")
    with register.transaction() as tx:
        models = [party(tx, "P001", on).contract["core_model"] for on in (date(2020, 1, 2), date(2020, 1, 3))]  # type: ignore[union-attr]
    assert models == ["HUB", "E_ACCOUNT"]


def test_a_status_follows_allowed_moves_from_dates_that_are_not_cut_off(register: SqlRegister, clock: SteppingClock) -> None:
    def to(status: PartyStatus, since: date | None = None) -> None:
        proposal = propose_status(register, clock, "op1", "P001", status, "why", since)
        approve(register, clock, "sup1", STATUS, proposal, "")

    approve(register, clock, "sup1", ONBOARD, proposed(register, clock, "P001", "PLATFORM"), "")
    cut_off(register, date(2020, 1, 1))
    with pytest.raises(UsageError, match="2020-01-01 was cut off already: the earliest date .* is 2020-01-02"):
        to(PartyStatus.SUSPENDED, date(2020, 1, 1))
    with pytest.raises(
        UsageError, match="P001 is LIVE on 2020-01-02, from which it may become SUSPENDED or WINDING_DOWN, not CLOSED"
    ):
        to(PartyStatus.CLOSED)
    with pytest.raises(UsageError, match="needs a reason"):
        propose_status(register, clock, "op1", "P001", PartyStatus.SUSPENDED, " ")
    to(PartyStatus.SUSPENDED, date(2020, 1, 5))
    with pytest.raises(UsageError, match="decided of P001 from 2020-01-05 on already"):
        to(PartyStatus.WINDING_DOWN, date(2020, 1, 3))
    with pytest.raises(NotPermitted, match="another person must"):
        own = propose_status(register, clock, "both", "P001", PartyStatus.LIVE, "solved", date(2020, 1, 7))
        approve(register, clock, "both", STATUS, own, "")
    to(PartyStatus.WINDING_DOWN, date(2020, 1, 6))
    with register.transaction() as tx:
        dated = standing_party(tx, "P001")
    assert [dated.status_on(date(2020, 1, day)) for day in (1, 4, 5, 6)] == ["LIVE", "LIVE", "SUSPENDED", "WINDING_DOWN"]
    assert dated.on(date(2020, 1, 9)).restricted_since == date(2020, 1, 5) and dated.on(date(2020, 1, 4)).restricted_since is None
    with pytest.raises(UsageError, match="from which it may become CLOSED, not LIVE"):
        to(PartyStatus.LIVE, date(2020, 1, 8))


class TheBooks:
    """Books that say what the test wants of the newest day that was posted."""

    def __init__(self, on: date, *words: str) -> None:
        self._found = Standing(on, f"post {on}", words)

    def standing(self, party: str, kind: str) -> Standing:
        return self._found


def test_an_organisation_closes_when_nothing_stands_with_it(register: SqlRegister, clock: SteppingClock) -> None:
    first, second, third = date(2020, 1, 1), date(2020, 1, 2), date(2020, 1, 3)
    approve(register, clock, "sup1", ONBOARD, proposed(register, clock, "P001", "PLATFORM"), "")
    winding = propose_status(register, clock, "op1", "P001", PartyStatus.WINDING_DOWN, "its owners retire", first)
    approve(register, clock, "sup1", STATUS, winding, "")
    cut_off(register, first, "post")

    def closing(books: TheBooks, since: date | None = None) -> str:
        return propose_status(register, clock, "op1", "P001", PartyStatus.CLOSED, "done", since, books=books)

    # The test's register has an open case of P001.
    with pytest.raises(UsageError, match="has 1 open cases, c1 among them"):
        closing(TheBooks(first))
    with register.transaction() as tx:
        tx.update("recon_case", {"case_id": "c1"}, {"state": "CLOSED"})
    with pytest.raises(UsageError, match="cannot be closed by the books of 2020-01-01: 3 sub-accounts hold 12.00; 1 loan runs"):
        closing(TheBooks(first, "3 sub-accounts hold 12.00", "1 loan runs"))
    with pytest.raises(
        UsageError, match="is closed from the day after the one that was looked at, 2020-01-02, not from 2020-01-03"
    ):
        closing(TheBooks(first), third)
    early = closing(TheBooks(first))
    cut_off(register, second)
    with pytest.raises(UsageError, match="2020-01-02 was cut off already"):
        approve(register, clock, "sup1", STATUS, early, "")
    with pytest.raises(UsageError, match="2020-01-02 is not posted yet"):
        closing(TheBooks(first))
    with register.transaction() as tx:
        tx.delete("step_output", custody_date=second)
    cut_off(register, second, "post")
    with pytest.raises(UsageError, match="the books of 2020-01-02 are not those that were looked at"):
        closing(TheBooks(first))
    approve(register, clock, "sup1", STATUS, closing(TheBooks(second)), "")
    with pytest.raises(UsageError, match="P001 is closed from 2020-01-03 on: nothing is agreed"):
        propose_contract(register, clock, "op1", "P001", with_fee(vat_rate="0.03"), None, "why")
    with pytest.raises(UsageError, match="it may become nothing: that is its end"):
        propose_status(register, clock, "op1", "P001", PartyStatus.LIVE, "again")


def test_who_is_being_onboarded_goes_live_tested_or_for_a_reason(register: SqlRegister, clock: SteppingClock) -> None:
    proposal = propose_party(
        register, clock, "op1", "P002", "PLATFORM", "P002", "机构", WORLD["PLATFORM"], key_of("P002"), "new", live_untested=False
    )
    approve(register, clock, "sup1", ONBOARD, proposal, "")
    cut_off(register, date(2020, 1, 1))
    with pytest.raises(UsageError, match="has passed no acceptance test"):
        propose_status(register, clock, "op1", "P002", PartyStatus.LIVE, "please")
    # Its contract may change as a whole: no custody day has read it.
    propose_contract(register, clock, "op1", "P002", with_fee(vat_rate="0.03"), BEGINNING, "negotiated")
    untested = propose_status(register, clock, "op1", "P002", PartyStatus.LIVE, "moved here from our other branch", untested=True)
    approve(register, clock, "sup1", STATUS, untested, "")
    with register.transaction() as tx:
        dated = standing_party(tx, "P002")
    assert [dated.status_on(date(2020, 1, day)) for day in (1, 2)] == ["ONBOARDING", "LIVE"]
    with pytest.raises(UsageError, match="needs a reason"):
        propose_party(
            register, clock, "op1", "P003", "PLATFORM", "P", "机构", WORLD["PLATFORM"], key_of("P003"), "", live_untested=True
        )


def test_what_was_proposed_before_there_were_tests_and_dates_is_decided_as_it_was_meant(
    register: SqlRegister, clock: SteppingClock
) -> None:
    approve(register, clock, "sup1", ONBOARD, proposed(register, clock, "P001", "PLATFORM"), "")
    second = proposed(register, clock, "P002", "PLATFORM")
    with register.transaction() as tx:
        row = tx.get("proposal", proposal_id=second)
        assert row is not None
        body = {name: said for name, said in json.loads(row["payload"]).items() if name != "live_untested"}
        tx.update("proposal", {"proposal_id": second}, {"payload": canonical_json(body)})
    approve(register, clock, "sup1", ONBOARD, second, "")
    third = propose_status(register, clock, "op1", "P002", PartyStatus.SUSPENDED, "why")
    with register.transaction() as tx:
        tx.update("proposal", {"proposal_id": third}, {"payload": canonical_json({"status": "SUSPENDED"})})
        assert party(tx, "P002").status == "LIVE"  # type: ignore[union-attr]
    cut_off(register, date(2020, 1, 1))
    approve(register, clock, "sup1", STATUS, third, "")
    with register.transaction() as tx:
        dated = standing_party(tx, "P002")
    assert [dated.status_on(date(2020, 1, day)) for day in (1, 2)] == ["LIVE", "SUSPENDED"]
