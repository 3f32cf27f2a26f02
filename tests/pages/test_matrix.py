"""The matrix of duties and deeds over the pages: whoever lacks the duty is refused on record and changes nothing, whatever he posts;
whoever has it is not refused for his duty. A route without a row here fails the test.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from instance_kit import copy_of, opened
from pages_kit import Desk

from custody.permissions import PERMISSIONS, Duty
from custody.services.people import DUTIES, add_person

# What each posted form does; a decision may be of several kinds.
DEEDS = {
    "alert-acknowledge": {"alert.acknowledge"},
    "alert-close": {"alert.close"},
    "calendar-propose": {"calendar.propose"},
    "calendar-decide": {"calendar.approve"},
    "case-assign": {"case.assign"},
    "case-comment": {"case.comment"},
    "case-propose": {"case.propose"},
    "case-adjust": {"case.adjust"},
    "case-withdraw": {"case.adjust", "case.propose"},
    "case-decide": {"case.approve"},
    "case-reopen": {"case.reopen"},
    "propose-change": {"customer.propose"},
    "propose-merger": {"customer.propose"},
    "propose-deletion": {"customer.propose"},
    "decide": {"customer.approve"},
    "reveal": {"customer.reveal"},
    "customers": {"customer.view"},
    "hold-propose": {"aml_hold.propose"},
    "hold-decide": {"aml_hold.approve"},
    "filing-propose": {"aml_filing.propose"},
    "filing-decide": {"aml_filing.approve"},
    "filing-receipt": {"aml_filing.answer"},
    "fee-propose": {"fee.propose"},
    "fee-decide": {"fee.approve"},
    "fee-write-off": {"fee.propose"},
    "fee-give-back": {"fee.propose"},
    "organisation-status": {"party.propose"},
    "organisation-contract": {"party.propose"},
    "organisation-key": {"party.propose"},
    "organisation-key-revoke": {"party.propose"},
    "organisation-contact": {"party.propose"},
    "organisation-contacts": {"contact.reveal"},
    "organisation-decide": {"party.approve"},
    "report-propose": {"report.propose"},
    "report-decide": {"report.approve"},
    "rule-decide": {"rule.approve"},
    "transactions": {"transaction.view"},
}
# What may change although nobody was allowed anything: that he was refused.
_RECORD = ("audit_event",)


@pytest.fixture(scope="module")
def staffed(morning: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One person for each duty, called after it."""
    home = copy_of(morning, tmp_path_factory.mktemp("staffed") / "home")
    with opened(home) as instance:
        for duty in DUTIES:
            add_person(instance.wiring.register, "admin", f"p.{duty}", str(duty), [duty])
    return home


@pytest.fixture
def matrix(desk: Desk, staffed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("CUSTODY_HOME", str(staffed))
    who = desk.who
    yield desk
    desk.who = who


def fields(home: Path) -> dict[str, str]:
    """One form that has what every deed asks for, about what is there."""
    with opened(home) as instance:
        alert, case = instance.find("alert")[0], instance.find("recon_case")[0]
        customer = instance.wiring.keyed.scan("customer", b"", b"\xff" * 8)
        owner = next(iter(customer))[0][1:].split(b"\x00")[0].decode()
    return {
        "id": case["case_id"], "alert": alert["alert_id"], "proposal": "0" * 16, "answer": "approve", "note": "note", "why": "why",
        "reason": "reason", "party": "P001", "customer": owner, "days": "2020-06-01,holiday,x", "year": "2020", "whole": "no",
        "owner": "maker", "comment": "x", "status": "SUSPENDED", "from": "2020-06-01", "next": "x", "until": "2020-06-01",
        "fingerprint": "x", "text": "x", "into": owner, "query": "x", "from_account": "x", "to_account": "y", "amount": "1.00",
    }  # fmt: skip


def written(home: Path) -> dict[str, Any]:
    with opened(home) as instance:
        return {name: rows for name, rows in instance.register_rows().items() if name not in _RECORD}


def test_every_form_has_its_row_in_the_matrix(pages: Any) -> None:
    posted = {route.path.removeprefix("/") for route in pages.app.routes if "POST" in (getattr(route, "methods", None) or ())}
    assert posted == set(DEEDS)
    assert {action for actions in DEEDS.values() for action in actions} <= set(PERMISSIONS)


def test_who_lacks_the_duty_changes_nothing_and_who_has_it_is_not_refused(matrix: Desk, staffed: Path) -> None:
    said = fields(staffed)
    before = written(staffed)
    table: dict[tuple[str, str], int] = {}
    matrix.who = f"p.{Duty.AUDITOR}"
    token = matrix.form_token("transactions")
    for duty in DUTIES:
        matrix.who = f"p.{duty}"
        for deed, actions in DEEDS.items():
            if any(duty in PERMISSIONS[action] for action in actions):
                continue
            form = {**said, "id": said["alert"]} if deed.startswith("alert-") else said
            answer = matrix.client.post(
                f"/{deed}", data={"form_token": token, **form}, headers={"sec-fetch-site": "same-origin"}, follow_redirects=False
            )
            table[deed, duty] = answer.status_code
    # Whatever the form lacks, and whether there is what it speaks of: who may not is told that, and nothing else.
    assert set(table.values()) == {403}, {k: v for k, v in table.items() if v != 403}
    assert written(staffed) == before
    with opened(staffed) as instance:
        refused = [e for e in instance.find("audit_event") if e["action"].startswith("refused:")]
    assert {e["actor"] for e in refused} >= {f"p.{duty}" for duty in DUTIES}
