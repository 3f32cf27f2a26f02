"""A release is bound to the newest draft: what two people approved is what was looked at, and says nothing of a later draft."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from connectors.bootstrap import Wiring, wire
from connectors.lake import manifest_digest
from console.cli import app
from console.overview import draft_of, report_rows, reports_due
from custody.errors import NotPermitted, UsageError
from custody.services.access import SYSTEM
from custody.services.four_eyes import approve, reject
from custody.services.releases import EMPTY_OUTPUT, RELEASE, draft_for, propose_release, release_of
from jobs.step import Step, StepContext, run_step

MONTH_END, PERIOD, REPORT = date(2019, 12, 31), "2019-12", "custody_monthly"
FILE = "custody_monthly_2019-12_v1.csv"
LATER = date(2020, 1, 20)


@pytest.fixture
def wiring(tmp_path: Path) -> Iterator[Wiring]:
    home = tmp_path / "home"
    command = ["init", "--bank", "b", "--go-live", MONTH_END.isoformat(), "--sftp-port", "2222"]
    assert CliRunner().invoke(app, command, env={"CUSTODY_HOME": str(home)}).exit_code == 0
    opened = wire(home)
    for name in ("cut_off", "land", "extract", "post", "reconcile", "compliance", "fees", "risk"):
        run_step(opened, Step(name, lambda _: None), MONTH_END, SYSTEM)
    yield opened
    opened.close()


def draft(wiring: Wiring, words: str | None, reason: str = "") -> str:
    """Commit a draft with this content (None: nothing is due) through the commit protocol; returns its digest."""

    def run(context: StepContext) -> None:
        assert context.writer is not None
        if words is not None:
            context.writer.file(FILE, words.encode())

    return run_step(wiring, Step("report", run), MONTH_END, SYSTEM, reason).seal.manifest_digest


def proposed(wiring: Wiring, digest: str, period: str = PERIOD, actor: str = "maker") -> str:
    return propose_release(wiring.register, wiring.clock, actor, REPORT, period, digest, "checked")


def release(wiring: Wiring, digest: str) -> None:
    approve(wiring.register, wiring.clock, "checker", RELEASE, proposed(wiring, digest), "")


def states(wiring: Wiring) -> list[tuple[str, str]]:
    return [(r["name"], r["state"]) for r in report_rows(wiring)]


def test_a_released_draft_is_approved_and_no_longer_due(wiring: Wiring) -> None:
    digest = draft(wiring, "first")
    assert states(wiring) == [(FILE, "DRAFT")]
    number = proposed(wiring, digest)
    assert states(wiring) == [(FILE, "PROPOSED")]
    assert [d["period"] for d in reports_due(wiring, LATER)] == [PERIOD]
    approve(wiring.register, wiring.clock, "checker", RELEASE, number, "")
    assert states(wiring) == [(FILE, "APPROVED")]
    assert reports_due(wiring, LATER) == []


def test_a_new_draft_after_the_release_is_a_draft_again(wiring: Wiring) -> None:
    first = draft(wiring, "first")
    release(wiring, first)
    second = draft(wiring, "second", "a restated day")
    assert states(wiring) == [(FILE, "DRAFT")]
    assert [d["period"] for d in reports_due(wiring, LATER)] == [PERIOD]
    with wiring.register.transaction() as tx:
        old = release_of(tx, REPORT, PERIOD, first)
        assert old is not None and old["state"] == "APPROVED"
        assert release_of(tx, REPORT, PERIOD, second) is None
    release(wiring, second)
    assert states(wiring) == [(FILE, "APPROVED")]


def test_a_draft_replaced_since_it_was_proposed_cannot_be_approved(wiring: Wiring) -> None:
    number = proposed(wiring, draft(wiring, "first"))
    draft(wiring, "second", "a restated day")
    with pytest.raises(UsageError, match=r"newest draft of custody_monthly 2019-12 is .* \(version 2\)"):
        approve(wiring.register, wiring.clock, "checker", RELEASE, number, "")
    assert states(wiring) == [(FILE, "DRAFT")]
    reject(wiring.register, wiring.clock, "checker", RELEASE, number, "replaced")


def test_an_approval_stays_whatever_is_proposed_afterwards(wiring: Wiring) -> None:
    digest = draft(wiring, "first")
    release(wiring, digest)
    again = proposed(wiring, digest)
    reject(wiring.register, wiring.clock, "checker", RELEASE, again, "it is released already")
    assert states(wiring) == [(FILE, "APPROVED")]


@pytest.mark.parametrize(
    ("period", "digest", "words"),
    [
        (PERIOD, "0" * 64, "look at it and propose again"),
        ("2019-11", None, "no report was drafted"),
        ("2019-12-31", None, "is not a month"),
        ("x", None, "is not a month"),
    ],
)
def test_what_cannot_be_proposed(wiring: Wiring, period: str, digest: str | None, words: str) -> None:
    newest = draft(wiring, "first")
    with pytest.raises(UsageError, match=words):
        proposed(wiring, digest or newest, period)


def test_an_empty_draft_is_none(wiring: Wiring) -> None:
    assert manifest_digest({}, {}) == EMPTY_OUTPUT
    digest = draft(wiring, None)
    assert digest == EMPTY_OUTPUT
    with pytest.raises(UsageError, match="no report was drafted"):
        proposed(wiring, digest)
    assert states(wiring) == [] and reports_due(wiring, LATER) == []


def test_a_date_that_ends_no_period_and_a_report_that_was_not_drafted(wiring: Wiring) -> None:
    draft(wiring, "first")
    with pytest.raises(UsageError, match="not the last day of a month"), wiring.register.transaction() as tx:
        draft_for(tx, date(2019, 12, 30))
    with pytest.raises(UsageError, match="'tax' was not drafted .* drafted: custody_monthly"):
        draft_of(wiring, "tax", MONTH_END)
    for report, on in ((REPORT, "2019-12-30"), ("tax", "2019-12-31")):
        command = ["report", "release", report, "--date", on, "--as", "maker", "--note", "n", "--json"]
        done = CliRunner().invoke(app, command, env={"CUSTODY_HOME": str(wiring.settings.home)})
        assert done.exit_code == 2 and json.loads(done.stdout.splitlines()[-1])["error"] == "UsageError"


def test_who_may_not_propose_is_on_record(wiring: Wiring) -> None:
    digest = draft(wiring, "first")
    with pytest.raises(NotPermitted):
        proposed(wiring, digest, actor="auditor")
    with wiring.register.transaction() as tx:
        (event,) = tx.find("audit_event", action="refused:report.propose")
    assert event["subject"] == "custody_monthly|2019-12"


def test_a_report_that_stays_due_is_one_alert(wiring: Wiring) -> None:
    draft(wiring, "first")
    for on in (date(2020, 1, 9), date(2020, 1, 10), LATER):
        assert len(reports_due(wiring, on)) == 1
    assert reports_due(wiring, date(2020, 1, 2)) == []
    with wiring.register.transaction() as tx:
        (alert,) = tx.find("alert")
    assert (alert["rule"], alert["raised_on"], alert["last_seen_on"]) == ("REPORT_DUE", date(2020, 1, 9), LATER)


def test_a_task_that_fails_on_two_dates_is_two_alerts(wiring: Wiring) -> None:
    command = ["alert", "raise", "--rule", "TASK_FAILED", "--subject", "custody_day.land", "--json", "--date"]
    for on in ("2020-01-01", "2020-01-02", "2020-01-02"):
        assert CliRunner().invoke(app, [*command, on], env={"CUSTODY_HOME": str(wiring.settings.home)}).exit_code == 0
    with wiring.register.transaction() as tx:
        assert [a["raised_on"] for a in tx.find("alert", ("raised_on",))] == [date(2020, 1, 1), date(2020, 1, 2)]
