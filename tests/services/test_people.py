"""The administrator adds people; readers only read; and every refusal is on record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from connectors.clock import SystemClock
from connectors.register import SqlRegister
from console.cli import app
from custody.errors import NotPermitted, UsageError
from custody.services.access import check_permission
from custody.services.people import add_person, people


def test_an_added_person_may_act(register: SqlRegister) -> None:
    add_person(register, "both", "wang.li", "王丽 Wang Li", ["risk_officer", "operator"])
    check_permission(register, "wang.li", "case.assign", "c1")
    with register.transaction() as tx:
        (added,) = [p for p in people(tx) if p["person_id"] == "wang.li"]
        (event,) = tx.find("audit_event")
    assert added["duties"] == ["operator", "risk_officer"] and added["active"]
    assert (event["actor"], event["action"], event["subject"]) == ("both", "person.add", "wang.li")


def test_adding_again_changes_nothing_and_nobody_is_replaced(register: SqlRegister) -> None:
    for _ in range(2):
        add_person(register, "both", "li", "Li", ["supervisor"])
    with register.transaction() as tx:
        assert len(tx.find("audit_event")) == 1
    for name, duties in (("Li", ["operator"]), ("Other", ["supervisor"])):
        with pytest.raises(UsageError, match="somebody else's id"):
            add_person(register, "both", "li", name, duties)
    with pytest.raises(UsageError, match="somebody else's id"):
        add_person(register, "both", "gone", "gone", ["operator", "supervisor"])


@pytest.mark.parametrize(
    ("person_id", "name", "duties", "words"),
    [
        ("system", "n", ["operator"], "not a person's id"),
        ("Wang", "n", ["operator"], "not a person's id"),
        ("a\n", "n", ["operator"], "not a person's id"),
        ("", "n", ["operator"], "not a person's id"),
        ("w", " ", ["operator"], "the name must be"),
        ("w", "n", [], "duties must be"),
        ("w", "n", ["king"], "king"),
        ("w", "n", ["system"], "not system"),
        ("w", "n", ["operator", "operator"], "each once"),
        ("w", "n", ["auditor", "operator"], "stands alone"),
        ("w", "n", ["regulator", "administrator"], "stands alone"),
    ],
)
def test_who_cannot_be_added(register: SqlRegister, person_id: str, name: str, duties: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        add_person(register, "both", person_id, name, duties)
    with register.transaction() as tx:
        assert tx.find("audit_event") == []


@pytest.mark.parametrize("actor", ["op1", "sup1", "audit1", "system"])
def test_only_an_administrator_adds(register: SqlRegister, actor: str) -> None:
    with pytest.raises(NotPermitted):
        add_person(register, actor, "w", "n", ["operator"])
    with register.transaction() as tx:
        assert [(e["actor"], e["action"], e["subject"]) for e in tx.find("audit_event")] == [(actor, "refused:person.add", "w")]


def test_from_the_command_line(tmp_path: Path) -> None:
    def custody(*arguments: str) -> tuple[int, dict[str, object]]:
        done = CliRunner().invoke(app, [*arguments, "--json"], env={"CUSTODY_HOME": str(tmp_path / "home")})
        return done.exit_code, json.loads(done.stdout.splitlines()[-1])

    assert custody("init", "--bank", "b", "--go-live", "2019-12-30", "--sftp-port", "2222")[0] == 0
    added = custody("person", "add", "chen", "--name", "Chen", "--duty", "operator", "--duty", "fee_officer", "--as", "admin")
    assert added == (0, {"person": "chen", "duties": ["fee_officer", "operator"]})
    assert custody("person", "add", "x", "--name", "X", "--duty", "operator", "--as", "maker")[0] == 2
    code, listed = custody("person", "list")
    assert code == 0
    found = listed["people"]
    assert isinstance(found, list) and [p["person_id"] for p in found] == [
        "admin",
        "auditor",
        "checker",
        "chen",
        "fees",
        "maker",
        "risk",
        "risk2",
    ]
    # What no person or job may do is refused, and stands in the chain: commands and steps alike.
    for arguments in (
        ("run-day", "--date", "2019-12-30", "--as", "auditor"),
        ("cut-off", "--date", "2019-12-30", "--reason", "again", "--as", "maker"),
        ("results", "--date", "2019-12-30", "--as", "auditor"),
        ("collect", "--as", "auditor"),
        ("alert", "send", "--as", "auditor"),
        ("alert", "raise", "--rule", "R", "--subject", "S", "--date", "2019-12-30", "--as", "auditor"),
        ("alert", "ack", "nope", "--as", "auditor"),
        ("case", "assign", "nope", "--to", "maker", "--as", "auditor"),
        ("case", "propose", "nope", "--note", "n", "--as", "auditor"),
        ("restatement", "propose", "nope", "--note", "n", "--as", "auditor"),
    ):
        code, said = custody(*arguments)
        assert (code, said["error"]) == (2, "NotPermitted"), arguments
    opened = SqlRegister(f"sqlite:///{tmp_path / 'home' / 'register.db'}", SystemClock())
    with opened.transaction() as tx:
        refused = [e["action"].removeprefix("refused:") for e in tx.find("audit_event") if e["action"].startswith("refused:")]
    opened.close()
    assert refused == [
        "person.add", "day.run", "day.rerun", "results.send", "file.collect", "alert.send", "alert.raise", "alert.acknowledge",
        "case.assign", "case.propose", "restatement.propose",
    ]  # fmt: skip
