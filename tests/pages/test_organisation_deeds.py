"""What people do about an organisation on its page: one proposes, another decides, nothing changes by GET or from elsewhere."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from instance_kit import GO_LIVE, copy_of, opened
from pages_kit import Desk

from console.pages.contract_form import values_of
from custody.ports import Row
from custody.services.contract_changes import CONTRACT
from custody.services.organisations import standing_party
from custody.services.party_contacts import CONTACT
from custody.services.party_keys import KEY, REVOKE, keys
from custody.services.status_changes import STATUS

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

PARTY = "P003"
SINCE = (GO_LIVE + timedelta(days=5)).isoformat()
LINE = "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0 " + b"page".rjust(32)).decode()


@pytest.fixture
def desk(pages: TestClient, morning: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """An instance of the test's own: what is decided here nobody else sees."""
    yield from Desk.at(pages, copy_of(morning, tmp_path / "home"), monkeypatch)


def _waiting(desk: Desk, kind: str) -> Row:
    with opened(desk.home) as instance:
        (row,) = instance.find("proposal", kind=kind, subject=PARTY, state="PROPOSED")
    return row


def _decide(desk: Desk, kind: str, answer: str = "approve") -> None:
    desk.who = "checker"
    assert "approve" in desk.get("organisation", party=PARTY).text
    said = {"party": PARTY, "proposal": _waiting(desk, kind)["proposal_id"], "note": "checked", "answer": answer}
    assert desk.post("organisation-decide", **said).status_code == 303
    desk.who = "maker"


def test_status_contract_key_and_contact_take_two_people(desk: Desk) -> None:
    desk.who = "maker"
    assert desk.post("organisation-status", party=PARTY, status="SUSPENDED", since=SINCE, note="a dispute").status_code == 303
    # Who proposed it does not decide it, neither on the page nor past it.
    assert "须由他人复核" in desk.get("organisation", party=PARTY).text
    own = {"party": PARTY, "proposal": _waiting(desk, STATUS.kind)["proposal_id"], "note": "x", "answer": "approve"}
    assert desk.post("organisation-decide", **own).status_code == 403
    _decide(desk, STATUS.kind)
    with opened(desk.home) as instance, instance.wiring.register.transaction() as tx:
        dated = standing_party(tx, PARTY)
    assert [dated.status_on(GO_LIVE), dated.on(None).status] == ["LIVE", "SUSPENDED"]

    form = values_of(dated.on(None).contract) | {"encoding": "gb18030"}
    body = {"party": PARTY, "since": SINCE, "note": "GB18030", **form}
    assert desk.post("organisation-contract", **body).status_code == 303
    assert json.loads(_waiting(desk, CONTRACT.kind)["payload"])["contract"] == {**dated.on(None).contract, "encoding": "gb18030"}
    _decide(desk, CONTRACT.kind)
    # The same again is no other version, which no field of the form stands for.
    again = desk.post("organisation-contract", **body)
    assert again.status_code == 400 and "already" in again.text and "未提出" in again.text
    assert SINCE in desk.get("organisation", party=PARTY).text

    assert desk.post("organisation-key", party=PARTY, key=LINE, note="a second one").status_code == 303
    _decide(desk, KEY.kind)
    with opened(desk.home) as instance, instance.wiring.register.transaction() as tx:
        second = next(key for key in keys(tx, PARTY) if key.public_key == LINE)
    written = desk.home / "keys" / "authorized" / PARTY
    assert LINE in written.read_text()
    assert desk.post("organisation-key-revoke", party=PARTY, fingerprint=second.fingerprint, note="lost").status_code == 303
    assert LINE not in written.read_text()
    _decide(desk, REVOKE.kind, "reject")
    assert LINE in written.read_text()

    said = {"role": "OPERATIONS", "rank": "1", "name": "王小明", "phone": "13812345678", "mail": "wang@example.cn"}
    assert desk.post("organisation-contact", party=PARTY, **said, note="new", answer="set").status_code == 303
    _decide(desk, CONTACT.kind)
    shown = desk.get("organisation", party=PARTY).text
    assert "王**" in shown and "138******78" in shown and "13812345678" not in shown
    clear = desk.post("organisation-contacts", party=PARTY)
    assert "13812345678" in clear.text and "王小明" in clear.text and clear.headers["cache-control"] == "no-store"
    desk.who = "auditor"
    assert desk.post("organisation-contacts", party=PARTY).status_code == 403
    with opened(desk.home) as instance:
        written_down = str(instance.find("audit_event")) + str(instance.find("proposal")) + str(instance.find("party_contact"))
        assert [e["actor"] for e in instance.find("audit_event", action="contact.reveal")] == ["maker"]
    assert "13812345678" not in written_down and "小明" not in written_down and "wang@" not in written_down


@pytest.mark.parametrize(
    ("path", "said", "words"),
    [
        ("organisation-status", {"status": "LIVE"}, "may become"),
        ("organisation-status", {"status": "WINDING_DOWN", "since": "2019-12-30"}, "cut off already"),
        ("organisation-status", {"status": "CLOSED"}, "cannot be closed by the books"),
        ("organisation-status", {"status": "SUSPENDED", "since": "x"}, "日期"),
        ("organisation-status", {"status": "GONE"}, "请选择状态"),
        ("organisation-key", {"key": "ssh-rsa AAAA"}, "公钥"),
        ("organisation-contact", {"role": "OPERATIONS", "rank": "1", "name": "x", "phone": "none", "mail": "x"}, "phone must be"),
        ("organisation-contact", {"role": "EMERGENCY", "rank": "1", "answer": "remove"}, "no contact EMERGENCY 1"),
        ("organisation-decide", {"proposal": "none", "answer": "approve"}, "无此提案"),
    ],
)
def test_what_cannot_be_is_refused_in_words(desk: Desk, path: str, said: dict[str, str], words: str) -> None:
    desk.who = "checker" if path == "organisation-decide" else "maker"
    answer = desk.post(path, party="P002", note="why", **said)
    assert answer.status_code == 400 and words in answer.text


def test_nothing_changes_by_get_and_who_only_reads_is_offered_nothing(desk: Desk) -> None:
    desk.who = "auditor"
    shown = desk.get("organisation", party="P002").text
    assert "organisation-status" not in shown and "organisation-contacts" not in shown
    desk.who = "maker"
    for path in ("status", "contract", "key", "key-revoke", "contact", "contacts", "decide"):
        assert desk.get(f"organisation-{path}", party="P002").status_code in (404, 405)


def test_organisations_are_found_by_what_is_asked(desk: Desk) -> None:
    desk.who = "maker"
    every = desk.get("organisations").text
    assert all(party in every for party in ("P001", "P002", "GW"))
    found = desk.get("organisations", layout="channel_settlement").text
    assert ">CH01<" in found and ">P001<" not in found
    assert ">P001<" not in desk.get("organisations", key_ends="30").text
    assert ">P001<" not in desk.get("organisations", dialect="yes").text
    assert ">P001<" in desk.get("organisations", dialect="no", status="LIVE", kind="PLATFORM").text
