"""What a date seals for filing goes out once, named and whole, to nobody but the gateway, when two risk officers have said so."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from compliance_day import FIRST, UNTIL, first_day
from hand_made import hand_made_instance, put
from instance_kit import Instance, copy_of, opened
from typer.testing import CliRunner

from console.cli import app
from console.filing_view import filing_named, grounds_of
from custody.errors import RetryLater, UsageError
from custody.services import aml_filings
from custody.services.aml_filings import FILING, answer, propose_filing, send_filings, standing
from custody.services.deliveries import deliver_pending
from custody.services.four_eyes import approve, reject
from custody.services.outbound import send_again
from jobs.filings import _sending, due_by, filings_on, send, warn_of_due

LARGE = f"LV-{FIRST:%Y%m%d}"
DUE = date(2020, 1, 7)  # five bank business days after the 30th, the 1st being a holiday and the 4th a Saturday


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filings")
    made = hand_made_instance(folder / "home", folder / "world", FIRST)
    with opened(made) as instance:
        put(instance, first_day())
        instance.run_day(FIRST, UNTIL)
    return made


@pytest.fixture
def instance(sealed: Path, tmp_path: Path) -> Iterator[Instance]:
    with opened(copy_of(sealed, tmp_path / "home")) as found:
        yield found


def proposed(instance: Instance) -> str:
    w = instance.wiring
    return propose_filing(w.register, w.clock, "risk", filing_named(w, "risk", LARGE).filing, "n")


def approved(instance: Instance) -> None:
    approve(instance.wiring.register, instance.wiring.clock, "risk2", FILING, proposed(instance), "n")


def stands(instance: Instance) -> aml_filings.Standing:
    with instance.wiring.register.transaction() as tx:
        return standing(tx, LARGE)


def test_it_is_proposed_by_one_approved_by_another_and_sent_once_with_the_persons_name(instance: Instance) -> None:
    w = instance.wiring
    (filing,) = filings_on(w, FIRST)
    assert (filing.filing_no, filing.due_on, stands(instance).state) == (LARGE, DUE, "DUE")
    assert not {"id_no", "name"} & filing.rows[0].keys()
    number = proposed(instance)
    with pytest.raises(Exception, match="another person must"):
        approve(w.register, w.clock, "risk", FILING, number, "n")
    for nobody in ("checker", "auditor"):
        with pytest.raises(Exception, match="may not"):
            approve(w.register, w.clock, nobody, FILING, number, "n")
    assert send(w, FIRST, "system")["sent"] == []
    approve(w.register, w.clock, "risk2", FILING, number, "n")
    assert send(w, FIRST, "system")["sent"] == [f"GW_LARGE_VALUE_{FIRST:%Y%m%d}_01_v1.csv"]
    assert send(w, FIRST, "system")["sent"] == []
    assert {party: [n for n in names if "RECEIPT" not in n] for party, names in instance.drop.sent.items()}["GW"] == [
        f"GW_LARGE_VALUE_{FIRST:%Y%m%d}_01_v1.csv"
    ]
    assert not any("LARGE_VALUE" in name for party, names in instance.drop.sent.items() for name in names if party != "GW")
    (row,) = csv.DictReader(io.StringIO(instance.drop.sent["GW"][f"GW_LARGE_VALUE_{FIRST:%Y%m%d}_01_v1.csv"].decode()))
    assert (row["filing_no"], row["amount"], row["way"], row["on_date"], row["due_on"]) == (
        LARGE, "600000.00", "IN", str(FIRST), str(DUE),
    )  # fmt: skip
    assert row["name"] == "测试" and len(row["id_no"]) == 18
    # The list has been dealt with: its alert closes itself, and says no more than that.
    (alert,) = (a for a in instance.find("alert", rule="CONFIDENTIAL") if a["subject"].startswith("LIST|"))
    assert alert["state"] == "CLOSED" and alert["ended_en"] == "it has been filed"
    told = str([{**p} for p in instance.find("proposal", kind=FILING.kind)] + [{**e} for e in instance.find("audit_event")])
    assert row["id_no"] not in told and "600000" not in told


def test_a_crash_between_keeping_the_bytes_and_the_register_sends_it_once(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    approved(instance)
    w = instance.wiring

    def dies(*_: object) -> None:
        raise OSError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(aml_filings, "queue", dies)
        with pytest.raises(OSError, match="gone"):
            send_filings(w.register, w.clock, "system", FIRST, _sending(w))
    assert stands(instance).state == "APPROVED" and not instance.find(
        "outbound", file_name=f"GW_LARGE_VALUE_{FIRST:%Y%m%d}_01_v1.csv"
    )
    assert len(send(w, FIRST, "system")["sent"]) == 1 and stands(instance).state == "SENT"


def test_a_receipt_is_recorded_and_what_is_refused_goes_out_again(instance: Instance) -> None:
    w = instance.wiring
    with pytest.raises(UsageError, match="has not been sent"):
        answer(w.register, "risk", LARGE, "ACCEPTED", "")
    approved(instance)
    send(w, FIRST, "system")
    with pytest.raises(UsageError, match="already"):
        proposed(instance)
    with pytest.raises(UsageError, match="with its reason"):
        answer(w.register, "risk", LARGE, "REFUSED", " ")
    answer(w.register, "risk", LARGE, "REFUSED", "field 7")
    assert (stands(instance).state, stands(instance).reason) == ("REFUSED", "field 7")
    approved(instance)
    assert send(w, FIRST, "system")["sent"] == [f"GW_LARGE_VALUE_{FIRST:%Y%m%d}_02_v1.csv"]
    answer(w.register, "risk", LARGE, "ACCEPTED", "")
    assert stands(instance).state == "ACCEPTED"


def test_nobody_can_have_answered_what_was_not_delivered(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    w, name = instance.wiring, f"GW_LARGE_VALUE_{FIRST:%Y%m%d}_01_v1.csv"
    approved(instance)
    # It is made and queued; the gateway's drop is away.
    with monkeypatch.context() as patched:
        patched.setattr(instance.drop, "deliver", _away)
        assert send(w, FIRST, "system") == {"sent": [name], "stay": [], "delivered": []}
    (queued,) = instance.find("outbound", file_name=name)
    for outcome in ("ACCEPTED", "REFUSED"):
        with pytest.raises(
            UsageError, match=f"{name} has not been delivered to GW .{queued['state']}.: nobody can have answered"
        ):
            answer(w.register, "risk", LARGE, outcome, "field 7")
    assert stands(instance).state == "SENT" and not instance.find("audit_event", action="aml_filing.answer")
    send_again(w.register, w.clock, "checker", name, "the drop is back")
    assert name in deliver_pending(w.exchange_ports).delivered
    answer(w.register, "risk", LARGE, "ACCEPTED", "")
    assert stands(instance).state == "ACCEPTED"


def _away(*_: object) -> None:
    raise RetryLater("no route to host")


def test_why_it_is_filed_is_read_in_both_languages_while_the_file_has_the_chinese(instance: Instance) -> None:
    (filing,) = filings_on(instance.wiring, FIRST)
    ((rule, (english, chinese)),) = grounds_of(instance.wiring, filing)
    assert rule == "large_value" and english.isascii() and "came in on" in english and "须于" in chinese
    (row,) = filing.rows
    assert row["grounds"] == chinese


def test_what_is_due_and_not_filed_is_an_alert_that_ends_with_the_filing(instance: Instance) -> None:
    w = instance.wiring
    assert due_by(w, date(2020, 1, 6)) == []
    due = due_by(w, DUE)
    with w.register.transaction() as tx:
        warn_of_due(tx, due, DUE)
    (alert,) = (a for a in instance.find("alert", rule="CONFIDENTIAL") if a["subject"].startswith("FILING|"))
    assert (alert["severity"], alert["platform"], alert["words_en"]) == ("HIGH", "", f"a confidential filing is due on {DUE}")
    approved(instance)
    send(w, DUE, "system")
    assert {a["state"] for a in instance.find("alert", rule="CONFIDENTIAL")} == {"CLOSED"}


def test_a_proposal_holds_for_the_version_of_the_day_that_was_seen(instance: Instance) -> None:
    w = instance.wiring
    number = proposed(instance)
    reject(w.register, w.clock, "risk2", FILING, number, "n")
    assert stands(instance).state == "DUE"
    payload = json.loads(instance.find("proposal", proposal_id=proposed(instance))[0]["payload"])
    with w.register.transaction() as tx, pytest.raises(UsageError, match="another version since"):
        assert FILING.apply is not None
        FILING.apply(tx, LARGE, payload | {"seal": "0" * 64})


def test_the_command_line_lists_it_for_those_who_may_know(sealed: Path) -> None:
    def custody(*arguments: str) -> tuple[int, Any]:
        done = CliRunner().invoke(app, ["compliance", "filing", *arguments, "--json"], env={"CUSTODY_HOME": str(sealed)})
        return done.exit_code, json.loads(done.stdout.splitlines()[-1]) if done.exit_code == 0 else done.output

    code, listed = custody("list", "--as", "auditor")
    assert code == 0 and [(row["filing"], row["state"], row["due_on"], row["rows"]) for row in listed["filings"]] == [
        (LARGE, "DUE", str(DUE), 1)
    ]
    assert custody("list", "--as", "maker")[0] == 2 == custody("propose", LARGE, "--as", "auditor", "--note", "n")[0]
    with opened(sealed) as instance:
        assert [row["actor"] for row in instance.find("audit_event", action="aml_filing.view")] == ["auditor", "auditor"]
