"""A contract as a form: what it says comes back as it was, and what is wrong stands beside its field."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from instance_kit import GO_LIVE, copy_of, opened
from pages_kit import Desk, read

from console.pages.contract_form import contract_of, groups_of, values_of
from custody.services.organisations import contract_faults, parties

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

SINCE = (GO_LIVE + timedelta(days=5)).isoformat()
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
# Each term that has fields of its own besides those of every contract.
MORE: dict[str, Any] = {
    "schedule": {"TXN": {"days": "every_day", "batches": [{"cut_off": "12:00", "due": "D 12:30"}, {"cut_off": "24:00", "due": "T+1 10:00"}], "grace_minutes": 15}},
    "openpgp": {"in": ["ENCRYPTED", "SIGNED"], "out": ["SIGNED"]},
    "external_host": {
        "host": "sftp.example.cn", "port": 2222, "user": "bank", "host_key": HOST_KEY, "inbound": "/to_bank", "outbound": "/from_bank", "claim": "READ",
    },
    "related_parties": ["C0123456789abcdef01234567", "C0123456789abcdef01234568"],
    "repayment_order": ["principal", "interest", "penalty", "costs"],
    "core_model_from": "2020-01-01",
}  # fmt: skip


@pytest.fixture
def desk(pages: TestClient, morning: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    yield from Desk.at(pages, copy_of(morning, tmp_path / "home"), monkeypatch)


def test_every_contract_of_the_market_comes_back_from_its_form_as_it_was(desk: Desk) -> None:
    with opened(desk.home) as instance, instance.wiring.register.transaction() as tx:
        known = parties(tx)
    assert {one.kind for one in known} == {"PLATFORM", "CHANNEL", "GATEWAY"}
    platform = next(one for one in known if one.kind == "PLATFORM")

    richest = {**platform.contract, **MORE}
    for kind, contract in [*((one.kind, dict(one.contract)) for one in known), ("PLATFORM", richest)]:
        expected = contract_faults(kind, contract)
        assert contract_of(kind, contract, values_of(contract)) == (contract, expected)
        # What the form shows is all that it needs to say the same again.
        groups, _ = groups_of(kind, contract, values_of(contract), ())
        shown = {
            field.name: field.value
            for group in groups
            for _, row in group.rows
            for field in row
            if field.kind != "tick" or field.value
        }
        assert contract_of(kind, contract, shown) == (contract, expected)


def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_stays(desk: Desk) -> None:
    desk.who = "maker"
    with opened(desk.home) as instance, instance.wiring.register.transaction() as tx:
        contract = next(one for one in parties(tx) if one.party == "P003").contract
    good = {"party": "P003", "since": SINCE, "note": "tried", **values_of(contract)}
    assert "organisation-contract" in desk.get("organisation", party="P003").text
    for wrong, beside, words in [
        ({"schedule.TXN.days": "every_day", "schedule.TXN.batches": "24:00 D+1 01:00", "schedule.TXN.grace_minutes": "soon"}, "schedule.TXN.grace_minutes", "soon"),
        ({"core_model": "E_ACCOUNT"}, "core_model", "core_model_from"),
        ({"external_host.host": "sftp.example.cn", "external_host.port": "x"}, "external_host.port", "x"),
        ({"dialect": "{"}, "dialect", "no JSON"),
        ({"related_parties": "zhang san"}, "related_parties", "customer ids"),
        ({"file_types.TXN": ""}, "layouts.TXN", "layouts of TXN"),
    ]:  # fmt: skip
        answer = desk.post("organisation-contract", **{**good, **wrong})
        assert answer.status_code == 400
        page = read(answer.text)
        fields = {
            attrs["name"]: attrs for tag, attrs in page.tags if tag in ("input", "select", "textarea") and attrs.get("name")
        }
        marked = [name for name, attrs in fields.items() if attrs.get("aria-invalid")]
        assert beside in marked, (beside, marked)
        assert f'id="{fields[beside]["aria-describedby"]}"' in answer.text and words in answer.text and "此项有误" in answer.text
        assert 'value="tried"' in answer.text and f'value="{SINCE}"' in answer.text
    with opened(desk.home) as instance:
        assert instance.find("proposal", kind="party_contract", subject="P003") == []
    # Who may not propose does not get as far as the form.
    desk.who = "auditor"
    assert desk.post("organisation-contract", **good).status_code == 403
