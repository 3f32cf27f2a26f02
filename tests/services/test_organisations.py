"""A contract is adopted only when every day's steps can read it; and there is one gateway."""

from __future__ import annotations

import base64
from datetime import date
from typing import Any

import pytest
from stepping_clock import SteppingClock

from connectors.register import SqlRegister
from console.commands.organisations import contract_of
from custody.errors import NotPermitted, UsageError
from custody.services.four_eyes import approve
from custody.services.organisations import (
    LIVE,
    ONBOARD,
    STATUS,
    SUSPENDED,
    contract_faults,
    parties,
    propose_party,
    propose_status,
)
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
    return propose_party(register, clock, actor, party, kind, party, "机构", WORLD[kind], key_of(party), "new")


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
    approve(register, clock, "sup1", ONBOARD, proposed(register, clock, "GW"), "a change of the one that stands")
    assert gateways(register) == [("GW", LIVE)]


def test_a_gateway_is_replaced_by_suspending_it_first(register: SqlRegister, clock: SteppingClock) -> None:
    approve(register, clock, "sup1", ONBOARD, proposed(register, clock, "GW"), "")
    suspend = propose_status(register, clock, "op1", "GW", SUSPENDED, "")
    approve(register, clock, "sup1", STATUS, suspend, "")
    resume = propose_status(register, clock, "op1", "GW", LIVE, "")
    approve(register, clock, "sup1", ONBOARD, proposed(register, clock, "GW2"), "")
    with pytest.raises(UsageError, match="GW2 is the live gateway"):
        approve(register, clock, "sup1", STATUS, resume, "")
    with pytest.raises(UsageError, match="GW2 is the live gateway"):
        propose_status(register, clock, "op1", "GW", LIVE, "again")
    approve(register, clock, "sup1", ONBOARD, proposed(register, clock, "GW"), "a suspended one may change")
    assert gateways(register) == [("GW", SUSPENDED), ("GW2", LIVE)]


def test_a_refusal_is_on_record_whatever_was_asked(register: SqlRegister, clock: SteppingClock) -> None:
    for ask in (
        lambda: proposed(register, clock, "P001", "PLATFORM", "audit1"),
        lambda: propose_status(register, clock, "audit1", "X", LIVE, ""),
    ):
        with pytest.raises(NotPermitted):
            ask()
    with register.transaction() as tx:
        events = tx.find("audit_event", ("event_no",))
    assert [(e["actor"], e["action"], e["subject"]) for e in events] == [
        ("audit1", "refused:party.propose", "P001"), ("audit1", "refused:party.propose", "X"),
    ]  # fmt: skip


def test_days_that_were_cut_off_keep_the_form_of_the_core_that_they_had(register: SqlRegister, clock: SteppingClock) -> None:
    def e_accounts(since: str) -> str:
        contract = {**WORLD["PLATFORM"], "core_model": "E_ACCOUNT", "core_model_from": since}
        return propose_party(register, clock, "op1", "P001", "PLATFORM", "P001", "机构", contract, key_of("P001"), "e-accounts")

    approve(register, clock, "sup1", ONBOARD, proposed(register, clock, "P001", "PLATFORM"), "")
    early = e_accounts("2020-01-02")
    with register.transaction() as tx:
        output = {"custody_date": date(2020, 1, 2), "step": "cut_off", "version": 1, "committed_at": "", "reason": "", "fence": 1}
        digests = dict.fromkeys(("run_digest", "inputs_digest", "manifest_digest", "code_digest", "path"), "x")
        tx.insert("step_output", {**output, **digests})
    # What was in time when it was proposed may be too late when it is approved.
    with pytest.raises(UsageError, match="core_model of P001 would change for 2020-01-02"):
        approve(register, clock, "sup1", ONBOARD, early, "")
    with pytest.raises(UsageError, match="name a core_model_from after the last custody date that was cut off"):
        e_accounts("2019-12-31")
    approve(register, clock, "sup1", ONBOARD, e_accounts("2020-01-03"), "")
