"""A report's release: what two people approved is what was looked at, goes out once, is answered, and is corrected by a later draft."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from instance_kit import MemoryDrop
from release_kit import KEY, MONTH_END, REG, Regulator, begin, day, draft, onboard, proposed, released, sent, state
from typer.testing import CliRunner

from connectors.bootstrap import Wiring, wire
from console.cli import app
from console.report_release import SealedDrafts, difference, due_reports
from custody.errors import NotPermitted, StopRun, UsageError
from custody.release_life import RELEASE_LIFE, check_move
from custody.services.access import SYSTEM
from custody.services.four_eyes import approve, reject
from custody.services.releases import (
    DUE_RULE,
    RELEASE,
    SOON_RULE,
    ReportKey,
    assess,
    newest,
    tell_due,
    versions,
)

FIRST = {"": {"volume": 500, "lenders": 3}, "P001": {"volume": 300, "lenders": 2}, "P002": {"volume": 200, "lenders": 2}}
SECOND = {"": {"volume": 510, "lenders": 3}, "P001": {"volume": 310, "lenders": 2}, "P002": {"volume": 200, "lenders": 2}}
PACKAGE = "custody_monthly_2019-12_r1.zip"
FILE = "custody_monthly_2019-12_v2.csv"


@pytest.fixture
def wiring(tmp_path: Path) -> Iterator[Wiring]:
    """One closed date that ends a month, with a draft of its report; the exchange is in memory."""
    home = tmp_path / "home"
    begin(home)
    opened = wire(home)
    opened.__dict__["drop"] = MemoryDrop()
    day(opened, MONTH_END, FIRST)
    yield opened
    opened.close()


@pytest.fixture
def regulator(wiring: Wiring, tmp_path: Path) -> Regulator:
    onboard(wiring, tmp_path)
    drop = wiring.drop
    assert isinstance(drop, MemoryDrop)
    drop.arrived[REG] = {}
    return Regulator(drop)


def events(wiring: Wiring) -> list[str]:
    with wiring.register.transaction() as tx:
        return [f"{row['draft_no']} {row['state']}" for row in tx.find("report_event", ("event_no",))]


def alerts(wiring: Wiring, state: str = "OPEN") -> list[tuple[str, str]]:
    with wiring.register.transaction() as tx:
        return [(row["rule"], row["subject"]) for row in tx.find("alert", ("rule", "subject"), state=state)]


def redrafted(wiring: Wiring, figures: object = None, reason: str = "a restated day") -> None:
    """A new version of what the report was made from, and of the report."""
    from jobs.step import Step, run_step

    def run(context: object) -> None:
        context.writer.file("x.txt", reason.encode())  # type: ignore[attr-defined]

    run_step(wiring, Step("reconcile", run), MONTH_END, SYSTEM, reason)
    draft(wiring, SECOND if figures is None else figures, reason)  # type: ignore[arg-type]
    run_step(wiring, Step("close", lambda _: None), MONTH_END, SYSTEM, reason)


def test_the_whole_way_from_draft_to_receipt(wiring: Wiring, regulator: Regulator) -> None:
    assert state(wiring) == "DRAFT"
    number = proposed(wiring)
    assert proposed(wiring) == number and state(wiring) == "PROPOSED"
    approve(wiring.register, wiring.clock, "checker", RELEASE, number, "agreed")
    assert state(wiring) == "APPROVED"
    done = sent(wiring)
    assert (done["handed_over"], done["delivered"], state(wiring)) == ([PACKAGE], ["custody_monthly|2019-12"], "DELIVERED")
    assert list(regulator.packages()) == [PACKAGE]
    inside = regulator.opened(PACKAGE)
    assert sorted(inside) == [FILE, "custody_monthly_2019-12_v2_seal.json", "release.json"]
    said = json.loads(inside["release.json"])
    assert (said["maker"], said["checker"], said["release_no"], said["corrects"]) == ("maker", "checker", 1, None)
    regulator.answer(PACKAGE, "ACCEPTED")
    assert sent(wiring)["receipts"] == [[REG, f"{PACKAGE}.receipt.json", "ACCEPTED"]]
    assert state(wiring) == "ACCEPTED" and alerts(wiring) == []
    assert sent(wiring)["receipts"] == [] and regulator.drop.arrived[REG] == {}
    assert events(wiring) == ["1 DRAFT", "1 PROPOSED", "1 APPROVED", "1 SENT", "1 DELIVERED", "1 ACCEPTED"]


def test_what_the_third_party_gets_checks_without_us(wiring: Wiring, regulator: Regulator, tmp_path: Path) -> None:
    from reports.seal import verify_seal

    released(wiring)
    sent(wiring)
    for name, data in regulator.opened(PACKAGE).items():
        (tmp_path / name).write_bytes(data)
    seal = tmp_path / "custody_monthly_2019-12_v2_seal.json"
    assert verify_seal(seal.read_bytes(), tmp_path) == []


def test_nobody_releases_his_own_draft_and_refusals_are_on_record(wiring: Wiring) -> None:
    number = proposed(wiring)
    for actor in ("maker", "auditor", "fees"):
        with pytest.raises(NotPermitted):
            approve(wiring.register, wiring.clock, actor, RELEASE, number, "")
    with pytest.raises(NotPermitted):
        proposed(wiring, actor="auditor")
    with wiring.register.transaction() as tx:
        refused = [(e["actor"], e["action"]) for e in tx.find("audit_event", ("event_no",)) if e["action"].startswith("refused")]
    assert refused == [
        ("maker", "refused:report.approve"), ("auditor", "refused:report.approve"), ("fees", "refused:report.approve"), ("auditor", "refused:report.propose"),
    ]  # fmt: skip
    assert state(wiring) == "PROPOSED"


def test_a_rejected_draft_may_be_proposed_again(wiring: Wiring) -> None:
    reject(wiring.register, wiring.clock, "checker", RELEASE, proposed(wiring), "the note says nothing")
    assert state(wiring) == "REJECTED"
    released(wiring)
    assert state(wiring) == "APPROVED"
    with pytest.raises(UsageError, match="APPROVED already: a correction needs a new draft"):
        proposed(wiring)


def test_a_draft_replaced_since_it_was_proposed_cannot_be_approved(wiring: Wiring) -> None:
    number = proposed(wiring)
    redrafted(wiring)
    with pytest.raises(UsageError, match="newest draft of custody_monthly|2019-12 is number 2, not 1"):
        approve(wiring.register, wiring.clock, "checker", RELEASE, number, "")
    reject(wiring.register, wiring.clock, "checker", RELEASE, number, "replaced")
    with wiring.register.transaction() as tx:
        assert [row["state"] for row in versions(tx, KEY)] == ["REPLACED", "DRAFT"]


def test_a_correction_says_every_change_and_why(wiring: Wiring, regulator: Regulator) -> None:
    released(wiring)
    sent(wiring)
    redrafted(wiring)
    with wiring.register.transaction() as tx:
        row = newest(tx, KEY)
    found = difference(wiring, row)
    assert found is not None
    assert [(c.table, c.key, c.figure, c.before, c.now, c.cell_now) for c in found.changes] == [
        ("platforms", '["P001"]', "volume", "3.00", "3.10", "platforms!C6"),
        ("summary", "[]", "volume", "5.00", "5.10", "summary!C5"),
    ]
    assert [one.words for one in found.inputs] == ["2019-12-31 reconcile v1 → v2: a restated day"]
    assert state(wiring) == "DRAFT"
    released(wiring)
    done = sent(wiring)
    second = "custody_monthly_2019-12_r2.zip"
    assert done["handed_over"] == [second] and list(regulator.packages()) == [PACKAGE, second]
    inside = regulator.opened(second)
    lines = inside["custody_monthly_2019-12_v2_differences.csv"].decode("utf-8-sig").splitlines()
    assert len(lines) == 3 and lines[1].startswith("custody_monthly_2019-12_v2.xlsx,platforms,")
    said = json.loads(inside["release.json"])
    assert said["corrects"]["release_no"] == 1 and said["because"] == ["2019-12-31 reconcile v1 → v2: a restated day"]
    with wiring.register.transaction() as tx:
        assert [(row["state"], row["release_no"]) for row in versions(tx, KEY)] == [("CORRECTED", 1), ("DELIVERED", 2)]
    # The answer to the first one comes late: it is recorded, and moves nothing.
    regulator.answer(PACKAGE, "REFUSED", "too late")
    sent(wiring)
    with wiring.register.transaction() as tx:
        assert [row["state"] for row in versions(tx, KEY)] == ["CORRECTED", "DELIVERED"]


def test_a_figure_of_a_table_that_only_moved_is_no_change(wiring: Wiring) -> None:
    released(wiring)
    redrafted(wiring, {**FIRST, "P000": {"volume": 0, "lenders": 0}})
    with wiring.register.transaction() as tx:
        row = newest(tx, KEY)
    found = difference(wiring, row)
    assert found is not None and [(c.key, c.before, c.now) for c in found.changes] == [
        ('["P000"]', "", "0"),
        ('["P000"]', "", "0.00"),
    ]


def test_a_refusal_is_an_alert_that_ends_with_the_acceptance(wiring: Wiring, regulator: Regulator) -> None:
    released(wiring)
    sent(wiring)
    regulator.answer(PACKAGE, "REFUSED", "period missing")
    sent(wiring)
    assert state(wiring) == "REFUSED" and alerts(wiring) == [("REPORT_REFUSED", "custody_monthly|2019-12|REG")]
    regulator.answer(PACKAGE, "ACCEPTED")
    sent(wiring)
    assert state(wiring) == "ACCEPTED" and alerts(wiring) == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{}", "Field required"),
        (b"not json", "Invalid JSON"),
        (json.dumps({"package": "other.zip", "sha256": "0" * 64, "outcome": "ACCEPTED"}).encode(), "no package other.zip"),
        (json.dumps({"package": PACKAGE, "sha256": "0" * 64, "outcome": "ACCEPTED"}).encode(), "has SHA-256"),
        (b" " * 70_000, "larger than"),
        (json.dumps({"package": PACKAGE, "sha256": "0" * 64, "outcome": "REFUSED"}).encode(), "a refusal says its reason"),
    ],
)
def test_a_receipt_that_fits_nothing_is_an_alert(wiring: Wiring, regulator: Regulator, data: bytes, words: str) -> None:
    released(wiring)
    sent(wiring)
    regulator.drop.put(REG, "x.receipt.json", data)
    assert sent(wiring)["receipts"] == [[REG, "x.receipt.json", "UNKNOWN"]]
    with wiring.register.transaction() as tx:
        (alert,) = tx.find("alert", rule="REPORT_RECEIPT_UNKNOWN")
    assert words in alert["words_en"] and state(wiring) == "DELIVERED"


def test_several_recipients_must_all_accept(wiring: Wiring, regulator: Regulator, tmp_path: Path) -> None:
    onboard(wiring, tmp_path, "REG2", reports=["custody_monthly"])
    onboard(wiring, tmp_path, "REG3", reports=["tax"])
    regulator.drop.arrived["REG2"] = {}
    second = Regulator(regulator.drop, "REG2")
    released(wiring)
    sent(wiring)
    assert list(regulator.packages()) == list(second.packages()) == [PACKAGE] and "REG3" not in regulator.drop.sent
    regulator.answer(PACKAGE, "ACCEPTED")
    sent(wiring)
    assert state(wiring) == "DELIVERED"
    second.answer(PACKAGE, "ACCEPTED")
    sent(wiring)
    assert state(wiring) == "ACCEPTED"


def test_without_a_recipient_nothing_leaves_and_it_is_said(wiring: Wiring) -> None:
    released(wiring)
    assert sent(wiring)["nobody_gets"] == ["custody_monthly|2019-12"] and state(wiring) == "APPROVED"


# --- checks


def findings(wiring: Wiring) -> list[str]:
    with wiring.register.transaction() as tx:
        found = assess(tx, newest(tx, KEY), SealedDrafts(wiring), wiring.settings.instance.go_live).findings
    return [f"{one.check} {one.subject}" for one in found]


def test_inputs_that_have_a_newer_version_stop_it(wiring: Wiring) -> None:
    from jobs.step import Step, run_step

    run_step(wiring, Step("reconcile", lambda _: None), MONTH_END, SYSTEM, "a rule was wrong")
    assert findings(wiring) == ["SEALS 2019-12-31 reconcile"]
    with pytest.raises(UsageError, match="has version 2 since; the report was made from version 1"):
        proposed(wiring)


def test_days_that_are_not_closed_or_not_among_the_inputs_stop_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    begin(home, date(2019, 12, 30))
    opened = wire(home)
    day(opened, date(2019, 12, 30))
    day(opened, MONTH_END, FIRST, close=False)
    assert findings(opened) == ["DAYS is not closed"]
    with pytest.raises(UsageError, match="2019-12-31: is not closed"):
        proposed(opened)
    opened.close()


def test_a_file_that_was_changed_stops_it(wiring: Wiring) -> None:
    with wiring.register.transaction() as tx:
        row = newest(tx, KEY)
    path = Path(wiring.lake.url(f"{row['path']}/files/{FILE}").removeprefix("file://"))
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b" ")
    assert findings(wiring)[0].startswith("FILES custody_monthly_2019-12_v2.csv")
    with pytest.raises(UsageError, match="was changed"):
        proposed(wiring)


def test_platforms_that_do_not_add_up_stop_it(wiring: Wiring) -> None:
    redrafted(wiring, {**FIRST, "P002": {"volume": 201, "lenders": 2}})
    # Persons of several platforms count once in the whole, so that of them nothing is said.
    assert findings(wiring) == ["TOTALS custody_monthly|bank/volume"]
    with pytest.raises(UsageError, match="bank/volume is 5.01 by the platforms together and 5.00"):
        proposed(wiring)


LOUD = {"": {"volume": 90_000_000}, "P001": {"volume": 90_000_000}, "P002": {"volume": 0}}


def two_months(home: Path) -> Wiring:
    """November was small, December is not."""
    begin(home)
    opened = wire(home)
    opened.__dict__["drop"] = MemoryDrop()
    day(opened, MONTH_END, LOUD, earlier={**LOUD, "": {"volume": 1_000_000}, "P001": {"volume": 1_000_000}})
    return opened


def test_what_changed_beyond_the_terms_is_explained_by_its_maker_and_goes_out_with_it(tmp_path: Path) -> None:
    opened = two_months(tmp_path / "home")
    assert findings(opened) == ["CHANGE bank/volume", "CHANGE P001/volume"]
    for said in ({}, {"P001": "a large loan"}, {"P001/volume": "a large loan"}, {"P002": "x", "bank": "y"}):
        with pytest.raises(UsageError, match="explain it"):
            proposed(opened, said=said)
    said = {"P001/volume": "a large loan", "bank": "the same loan"}
    number = proposed(opened, said=said)
    with pytest.raises(UsageError, match="is open with other words"):
        proposed(opened, said={"P001": "b", "bank": "c"})
    approve(opened.register, opened.clock, "checker", RELEASE, number, "agreed")
    onboard(opened, tmp_path)
    regulator = Regulator(opened.drop)  # type: ignore[arg-type]
    sent(opened)
    release = json.loads(regulator.opened(PACKAGE)["release.json"])
    assert release["explanations"] == said and [one[1] for one in release["stands_out"]] == ["bank/volume", "P001/volume"]
    opened.close()


def test_a_report_compared_with_another_draft_than_now_is_proposed_again(wiring: Wiring) -> None:
    number = proposed(wiring)
    with wiring.register.transaction() as tx:
        row = newest(tx, KEY)
        tx.insert("report_release", {**row, "report_id": "bank_statistics_monthly", "state": "DRAFT"})
    with pytest.raises(UsageError, match="has another draft since"):
        approve(wiring.register, wiring.clock, "checker", RELEASE, number, "")


# --- due dates


def told(wiring: Wiring, on: date) -> list[str]:
    return [one.key.subject for one in tell_due(wiring.register, SYSTEM, on, due_reports(wiring, on)) if one.key == KEY]


def test_a_warning_before_and_an_alert_after_each_once(wiring: Wiring) -> None:
    """Five bank business days after 2019-12-31: 2, 3, 6, 7, 8 January."""
    subject = "custody_monthly|2019-12"
    assert told(wiring, date(2020, 1, 3)) == []
    for on in (date(2020, 1, 6), date(2020, 1, 7), date(2020, 1, 8)):
        assert told(wiring, on) == [subject]
        assert (SOON_RULE, subject) in alerts(wiring) and (DUE_RULE, subject) not in alerts(wiring)
    for on in (date(2020, 1, 9), date(2020, 1, 10)):
        assert told(wiring, on) == [subject]
        assert (DUE_RULE, subject) in alerts(wiring) and (SOON_RULE, subject) not in alerts(wiring)
    released(wiring)
    assert told(wiring, date(2020, 1, 13)) == [] and not {(DUE_RULE, subject), (SOON_RULE, subject)} & set(alerts(wiring))
    with wiring.register.transaction() as tx:
        assert len(tx.find("alert", rule=DUE_RULE, subject=subject)) == 1
    # A correction that waits does not undo what was released in time.
    redrafted(wiring)
    assert told(wiring, date(2020, 1, 14)) == []


def test_a_report_that_was_never_drafted_is_due_all_the_same(tmp_path: Path) -> None:
    begin(tmp_path / "home")
    opened = wire(tmp_path / "home")
    assert told(opened, date(2020, 1, 9)) == ["custody_monthly|2019-12"]
    opened.close()


# --- the table of moves


def test_every_move_that_is_not_in_the_table_is_refused() -> None:
    for before, after in RELEASE_LIFE.items():
        for state_ in RELEASE_LIFE:
            if state_ is None:
                continue
            if state_ in after:
                check_move(before, state_, "x")
            else:
                with pytest.raises(StopRun):
                    check_move(before, state_, "x")


def test_the_command_line_does_the_same(wiring: Wiring, regulator: Regulator) -> None:
    wiring.register.close()
    home = {"CUSTODY_HOME": str(wiring.settings.home)}

    def run(*words: str, code: int = 0) -> dict[str, object]:
        done = CliRunner().invoke(app, ["report", *words, "--json"], env=home)
        assert done.exit_code == code, done.output
        found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
        return found

    assert [(r["report_id"], r["state"]) for r in run("list")["reports"]] == [("custody_monthly", "DRAFT")]  # type: ignore[attr-defined]
    run("release", "custody_monthly", "2019-11", "--as", "maker", "--note", "n", code=2)
    run("release", "tax", "2019-12", "--as", "maker", "--note", "n", code=2)
    proposal = run("release", "custody_monthly", "2019-12", "--as", "maker", "--note", "n")["proposal"]
    done = CliRunner().invoke(app, ["proposal", "approve", str(proposal), "--as", "checker", "--note", "n", "--json"], env=home)
    assert done.exit_code == 0, done.output
    assert run("show", "custody_monthly", "2019-12")["state"] == "APPROVED"
    assert run("differences", "custody_monthly", "2019-12") == {"corrects": None, "changes": []}
    into = wiring.settings.home / "out"
    assert FILE in run("download", "custody_monthly", "2019-12", "--into", str(into))["files"]  # type: ignore[operator]
    assert run("show", "custody_monthly", "2019-12", "--draft", "7", code=2)["error"] == "UsageError"


def test_a_key_is_read_back() -> None:
    for key in (KEY, ReportKey("a", "2019-12-31", "P001")):
        assert ReportKey.read(key.subject) == key
