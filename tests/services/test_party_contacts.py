"""Whom to call: set and removed by two people, sealed before it is written, and found organisations by what is asked of them."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from stepping_clock import SteppingClock
from test_organisations import WORLD, key_of

from connectors.register import SqlRegister
from connectors.secrets import FileSecrets, make_key_file
from custody.errors import NotPermitted, SealBroken, UsageError
from custody.party_status import PartyStatus
from custody.services.four_eyes import approve
from custody.services.organisation_query import OrganisationQuery, find_organisations
from custody.services.organisations import ONBOARD, propose_party
from custody.services.party_contacts import CONTACT, Contact, contacts, propose_contact, propose_removal, reveal_contacts
from custody.services.status_changes import STATUS, propose_status

LI = Contact("EMERGENCY", 1, "李建国", "+86 13900001111", "li@example.cn")
TODAY = date(2020, 1, 2)


@pytest.fixture
def secrets(tmp_path: Path) -> FileSecrets:
    for name in ("identity", "master"):
        make_key_file(tmp_path / name)
    return FileSecrets(tmp_path / "identity", tmp_path / "master")


@pytest.fixture
def parties_(register: SqlRegister, clock: SteppingClock) -> SqlRegister:
    for party, kind in (("P001", "PLATFORM"), ("P002", "PLATFORM"), ("CH01", "CHANNEL"), ("GW", "GATEWAY")):
        args = (party, kind, f"{party} Ltd", f"{party} 公司", WORLD[kind], key_of(party), "new")
        approve(register, clock, "sup1", ONBOARD, propose_party(register, clock, "op1", *args, live_untested=True), "")
    return register


def test_a_contact_is_sealed_masked_and_replaced(parties_: SqlRegister, clock: SteppingClock, secrets: FileSecrets) -> None:
    register = parties_

    def set_to(contact: Contact) -> None:
        approve(register, clock, "sup1", CONTACT, propose_contact(register, clock, secrets, "op1", "P001", contact, "new"), "")

    set_to(LI)
    with register.transaction() as tx:
        (shown,) = contacts(tx, "P001")
        written = str([tx.find(table) for table in ("party_contact", "proposal", "audit_event")])
    assert (shown.name, shown.phone, shown.mail) == ("李**", "+86**********11", "l***@example.cn")
    assert not any(secret in written for secret in ("建国", "13900001111", "li@"))
    assert reveal_contacts(register, secrets, "risk1", "P001") == [LI]
    with pytest.raises(NotPermitted):
        reveal_contacts(register, secrets, "audit1", "P001")
    # What is sealed for one place opens in no other.
    with register.transaction() as tx:
        tx.update("party_contact", {"party": "P001"}, {"rank": 2})
    with pytest.raises(SealBroken):
        reveal_contacts(register, secrets, "op1", "P001")
    with register.transaction() as tx:
        tx.update("party_contact", {"party": "P001"}, {"rank": 1})
    other = Contact("EMERGENCY", 1, "Wang", "010-6655 4433", "w@example.cn")
    set_to(other)
    assert reveal_contacts(register, secrets, "op1", "P001") == [other]
    approve(register, clock, "sup1", CONTACT, propose_removal(register, clock, "op1", "P001", "EMERGENCY", 1, "left"), "")
    assert reveal_contacts(register, secrets, "op1", "P001") == []
    with pytest.raises(UsageError, match="no contact EMERGENCY 1"):
        propose_removal(register, clock, "op1", "P001", "EMERGENCY", 1, "left")


@pytest.mark.parametrize(
    ("contact", "words"),
    [
        (Contact("BOSS", 1, "x", "12345", "a@b"), "role must be one of"),
        (Contact("EMERGENCY", 0, "x", "12345", "a@b"), "rank must be 1 to 9"),
        (Contact("EMERGENCY", 1, " ", "12345", "a@b"), "name must be"),
        (Contact("EMERGENCY", 1, "a\nb", "12345", "a@b"), "name must be"),
        (Contact("EMERGENCY", 1, "x", "call me", "a@b"), "phone must be"),
        (Contact("EMERGENCY", 1, "x", "12345", "a b"), "mail must be"),
    ],
)
def test_a_contact_that_cannot_be_called_is_refused(
    parties_: SqlRegister, clock: SteppingClock, secrets: FileSecrets, contact: Contact, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        propose_contact(parties_, clock, secrets, "op1", "P001", contact, "new")


def test_organisations_are_found_by_what_is_asked(parties_: SqlRegister, clock: SteppingClock) -> None:
    suspended = propose_status(parties_, clock, "op1", "P002", PartyStatus.SUSPENDED, "a dispute", TODAY)
    approve(parties_, clock, "sup1", STATUS, suspended, "")
    with parties_.transaction() as tx:
        tx.update("party_key", {"party": "P001"}, {"valid_to": TODAY + timedelta(days=9)})
        tx.insert("expected_file", {
            "party": "CH01", "file_type": "SETTLEMENT", "custody_date": TODAY, "batch": 1, "state": "MISSING", "cut_off_at": "t",
            "due_at": "t", "missing_from": "t", "misses": 1,
        })  # fmt: skip

        def found(on: date = TODAY, **wanted: object) -> list[str]:
            return [p.party for p in find_organisations(tx, OrganisationQuery(**wanted), on)]  # type: ignore[arg-type]

        assert found() == ["CH01", "GW", "P001", "P002"]
        assert (found(kind="PLATFORM"), found(status="SUSPENDED")) == (["P001", "P002"], ["P002"])
        assert found(TODAY - timedelta(days=1), status="SUSPENDED") == []
        assert (found(text="p001 ltd"), found(text="公司", kind="GATEWAY")) == (["P001"], ["GW"])
        assert (found(layout="channel_settlement"), found(layout="platform_txn/1")) == (["CH01"], ["P001", "P002"])
        assert (found(foreign=True), found(foreign=False)) == ([], ["CH01", "GW", "P001", "P002"])
        assert (found(key_ends_days=10), found(key_ends_days=9)) == (["P001"], [])
        assert (found(missing=True), found(missing=True, kind="PLATFORM")) == (["CH01"], [])
