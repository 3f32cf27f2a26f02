"""What is tampered with is found, and the finding says where: the register's rows, the chain, a root, a byte of the lake.

The days go through the real commit protocol and the real close; the other steps write nothing, since nothing here is about
what they compute.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from shutil import copytree, rmtree
from typing import Any

import pytest
from typer.testing import CliRunner

from connectors.bootstrap import Wiring, wire
from connectors.lake import StepWriter
from connectors.lake_files import lake_files
from console.cli import app
from custody.audit import event_hash
from custody.digest import canonical_json
from custody.ports import Row
from custody.services.access import SYSTEM
from custody.services.outputs import Seal
from custody.services.verification import case_faults, decision_faults
from custody.services.verifications import Verification, last_verification
from custody.steps import STEPS
from jobs.close import STEP as CLOSE
from jobs.step import Step, StepContext, run_step
from reports.seal import make_seal
from schemas.store_keys import LEDGER_TABLES, SALTS, WATERMARK, WATERMARK_KEY, watermark_row
from schemas.store_proof import StoreSum
from schemas.store_records import RECORDS

FIRST, SECOND = date(2019, 12, 30), date(2019, 12, 31)


def _write(context: StepContext) -> None:
    assert context.writer is not None
    # Every step's output is another one; a report that drafts nothing has no files.
    context.writer.file("which.txt", context.writer.folder.split("/")[-3].encode() + context.custody_date.isoformat().encode())


def _cut_off(context: StepContext) -> None:
    context.write("accepted_files", [])
    context.write("refused_files", [])


def _reconcile(context: StepContext) -> None:
    context.write("proof", [])
    context.write("breaks", [])


def _project(context: StepContext) -> None:
    nothing = StoreSum()
    figures = {"rows": 0, "sum_minor": 0, "digest": nothing.digest}
    figures |= {f"total_{name}": value for name, value in figures.items()}
    places = [(table, salt) for table in LEDGER_TABLES for salt in range(SALTS)]
    context.write(
        "projected",
        [{"store_table": table, "salt": salt, "record_version": RECORDS[table].version, **figures} for table, salt in places],
    )


def _mark(context: StepContext, seal: Seal) -> None:
    """The keyed store holds the day, which has no row."""
    context.wiring.keyed.put_many(WATERMARK, [(WATERMARK_KEY, watermark_row(seal.custody_date))], context.lease.fence)


@pytest.fixture(scope="module")
def two_closed_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("verification") / "home"
    command = ["init", "--bank", "b", "--go-live", FIRST.isoformat(), "--sftp-port", "2222"]
    assert CliRunner().invoke(app, command, env={"CUSTODY_HOME": str(home)}).exit_code == 0
    wiring = wire(home)
    others = {
        "cut_off": Step("cut_off", _cut_off),
        "reconcile": Step("reconcile", _reconcile),
        "project": Step("project", _project, _mark),
        "close": CLOSE,
    }
    for on in (FIRST, SECOND):
        for name in STEPS:
            run_step(wiring, others.get(name, Step(name, _write)), on, SYSTEM)
    wiring.close()
    return home


@dataclass
class Copy:
    """One instance that a test may damage."""

    home: Path
    wiring: Wiring

    def verify(self, *arguments: str) -> tuple[int, list[str]]:
        done = CliRunner().invoke(app, ["verify", "--json", *arguments], env={"CUSTODY_HOME": str(self.home)})
        said = json.loads(done.stdout.splitlines()[-1])
        return done.exit_code, said["wrong"]

    def output(self, step: str, on: date) -> Row:
        with self.wiring.register.transaction() as tx:
            row = tx.get("step_output", step=step, custody_date=on)
        assert row is not None
        return row

    def change(self, table: str, key: dict[str, Any], **values: object) -> None:
        with self.wiring.register.transaction() as tx:
            assert tx.update(table, key, values) == 1

    def event_of(self, step: str, on: date) -> Row:
        with self.wiring.register.transaction() as tx:
            (row,) = tx.find("audit_event", action=f"step.{step}", subject=on.isoformat())
        return row

    def forge_chain(self, number: int, **values: object) -> None:
        """A forger who can compute: the event is changed, and every hash from there on is made to fit."""
        with self.wiring.register.transaction() as tx:
            previous = ""
            for event in tx.find("audit_event", ("event_no",)):
                if event["event_no"] >= number:
                    changed = {**event, **(values if event["event_no"] == number else {})}
                    changed["previous_hash"] = previous or changed["previous_hash"]
                    changed["hash"] = event_hash(changed)
                    tx.update("audit_event", {"event_no": event["event_no"]}, changed)
                    previous = changed["hash"]

    def forge_close(self, on: date, rows: Callable[[list[Row]], list[Row]]) -> None:
        """A forger who can compute replaces a day's root, its manifest, its row and its event, so that all of them fit."""
        output = self.output("close", on)
        root = rows(self.wiring.lake.rows(output["path"], "day_root"))
        writer = StepWriter(lake_files(self.wiring.settings.stores.lake, self.home), output["path"])
        writer.table("day_root", root)
        digest = writer.finish().digest
        self.change("step_output", {"step": "close", "custody_date": on}, manifest_digest=digest)
        details = canonical_json({"version": output["version"], "manifest": digest, "reason": ""})
        self.forge_chain(self.event_of("close", on)["event_no"], details=details)


@pytest.fixture
def copy(two_closed_days: Path, tmp_path: Path) -> Iterator[Copy]:
    home = Path(copytree(two_closed_days, tmp_path / "home"))
    wiring = wire(home)
    yield Copy(home, wiring)
    wiring.close()


def test_what_nobody_touched_is_whole(copy: Copy) -> None:
    assert copy.verify() == (0, [])
    assert copy.verify("--date", FIRST.isoformat()) == (0, [])


def test_a_changed_step_output_is_found(copy: Copy) -> None:
    copy.change("step_output", {"step": "post", "custody_date": FIRST}, manifest_digest="0" * 64)
    code, wrong = copy.verify()
    number = copy.event_of("post", FIRST)["event_no"]
    assert code == 1
    assert any(w.startswith(f"step_output post of 2019-12-30 v1 has manifest {'0' * 16}, audit event {number}") for w in wrong)
    assert any(w.startswith("day_root of 2019-12-30 v1 has") and "post of 2019-12-30 v1" in w for w in wrong)
    assert not any("2019-12-31" in w for w in wrong)


def test_a_removed_and_an_added_step_output_are_found(copy: Copy) -> None:
    row = copy.output("statement", SECOND)
    with copy.wiring.register.transaction() as tx:
        tx.delete("step_output", step="statement", custody_date=SECOND)
        tx.insert("step_output", {**row, "version": 2})
    wrong = copy.verify()[1]
    number = copy.event_of("statement", SECOND)["event_no"]
    assert f"audit event {number} tells of statement of 2019-12-31 v1, which the register lacks" in wrong
    assert "step_output statement of 2019-12-31 v2: no audit event tells of its commit" in wrong
    assert any(w.startswith("day_root of 2019-12-31 v1 has") and w.endswith("the register has nothing") for w in wrong)


def test_a_changed_audit_event_is_found(copy: Copy) -> None:
    number = copy.event_of("land", FIRST)["event_no"]
    copy.change("audit_event", {"event_no": number}, actor="somebody else")
    assert copy.verify() == (1, [f"audit event {number} does not follow from the one before"])


def test_an_audit_event_changed_with_the_whole_chain_after_it_is_found(copy: Copy) -> None:
    event = copy.event_of("land", FIRST)
    copy.forge_chain(event["event_no"], details=canonical_json({"version": 1, "manifest": "f" * 64, "reason": ""}))
    wrong, *signed = copy.verify()[1]
    assert wrong.startswith("step_output land of 2019-12-30 v1 has manifest") and wrong.endswith("f" * 16)
    # He has made the chain whole again; what the bank had signed of it says otherwise.
    assert [w.partition(" for ")[0] for w in signed] == [
        f"the signed statement of {on} v1 has another hash" for on in ("2019-12-30", "2019-12-31")
    ]
    copy.forge_chain(event["event_no"], details="[]")
    wrong_words = copy.verify()[1]
    assert f"audit event {event['event_no']}: its details are not those of a committed step" in wrong_words
    copy.forge_chain(event["event_no"], action="step.post", details=event["details"])
    # A second event for one commit: the later of the two is the one that is named.
    assert any("tells of post of 2019-12-30 v1 again, after event" in w for w in copy.verify()[1])


def test_a_changed_root_is_found_even_when_all_its_digests_were_made_to_fit(copy: Copy) -> None:
    def other(rows: list[Row]) -> list[Row]:
        return [{**r, "manifest_digest": "a" * 64} if r["step"] == "fees" else r for r in rows]

    copy.forge_close(FIRST, other)
    wrong = copy.verify()[1]
    roots = [w for w in wrong if w.startswith("day_root")]
    assert [w.split(" has ")[0] for w in roots] == ["day_root of 2019-12-30 v1", "day_root of 2019-12-31 v1"]
    assert "fees of 2019-12-30 v1" in roots[0] and "close of 2019-12-30 v1" in roots[1]
    assert any(w.startswith("the signed statement of 2019-12-30 v1 has root") for w in wrong)


@pytest.mark.parametrize(
    ("on", "forge", "words"),
    [
        (SECOND, lambda rows: [r for r in rows if r["step"] != "risk"], "day_root of 2019-12-31 v1 names close_of_yesterday, compliance, cut_off"),
        (SECOND, lambda rows: [{**r, "version": 0, "manifest_digest": "0" * 64} if r["step"] == "close_of_yesterday" else r
                               for r in rows], "for close of 2019-12-30 v0, the register has nothing"),
        (FIRST, lambda rows: [{**r, "version": 1} if r["step"] == "close_of_yesterday" else r for r in rows],
         "names a day before the first one"),
    ],
)  # fmt: skip
def test_a_root_that_leaves_something_out_is_found(
    copy: Copy, on: date, forge: Callable[[list[Row]], list[Row]], words: str
) -> None:
    copy.forge_close(on, forge)
    assert any(words in w for w in copy.verify("--date", on.isoformat())[1])


def test_a_changed_byte_in_the_lake_is_found(copy: Copy) -> None:
    path = copy.output("close", SECOND)["path"]
    parquet = copy.home / "lake" / path / "day_root" / "part-00000.parquet"
    data = bytearray(parquet.read_bytes())
    data[len(data) // 2] ^= 1
    parquet.chmod(0o600)
    parquet.write_bytes(data)
    assert copy.verify() == (1, [f"{path}/day_root/part-00000.parquet was changed"])
    assert copy.verify("--date", FIRST.isoformat()) == (0, [])


def test_a_missing_manifest_is_one_finding_among_others(copy: Copy) -> None:
    path = copy.output("extract", FIRST)["path"]
    (copy.home / "lake" / path / "manifest.json").unlink()
    other = copy.output("land", SECOND)["path"]
    (copy.home / "lake" / other / "files" / "which.txt").unlink()
    code, wrong = copy.verify()
    assert code == 1 and len(wrong) == 2
    assert wrong[0].startswith(f"{path}/manifest.json cannot be read") and wrong[1] == f"{other}/files/which.txt is missing"


def test_a_rewritten_decision_is_found() -> None:
    events = [
        {"actor": "checker", "details": canonical_json({"proposal": "p1", "maker": "maker", "outcome": "APPROVED", "note": ""})}
    ]
    row = {"proposal_id": "p1", "state": "APPROVED", "maker": "maker", "checker": "checker"}
    assert decision_faults([row, {**row, "proposal_id": "p2", "state": "PROPOSED"}], events) == []
    for change in ({"maker": "admin"}, {"checker": "auditor"}, {"state": "REJECTED"}, {"proposal_id": "p3"}):
        assert len(decision_faults([{**row, **change}], events)) == 1


def test_a_case_that_was_edited_is_found() -> None:
    sealed = [{"case_id": "c", "kind": "AMOUNT", "amount_minor": 5}]
    case = {"case_id": "c", "kind": "AMOUNT", "amount_minor": 5, "state": "OPEN"}
    assert case_faults([case, {**case, "case_id": "old", "state": "CLOSED"}], sealed) == []
    for change in ({"state": "CLOSED"}, {"amount_minor": 1}, {"kind": "FEE"}, {"case_id": "other"}):
        assert case_faults([{**case, **change}], sealed)


def test_a_seal_that_fits_its_files_and_is_not_ours_is_found(copy: Copy, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_bytes(b"1")
    seal = make_seal({"f.csv": b"1"}, [], "custody_monthly", "2019-12")
    (tmp_path / "f_seal.json").write_bytes(seal)
    code, wrong = copy.verify(str(tmp_path / "f_seal.json"))
    assert code == 1
    assert wrong[-1] == "f_seal.json is not a seal that this instance committed"


def test_days_that_an_earlier_program_closed_are_signed_when_the_instance_is_brought_to_the_newest(copy: Copy) -> None:
    rmtree(copy.home / "seals")
    rmtree(copy.home / "keys" / "seals")
    assert CliRunner().invoke(app, ["verify"], env={"CUSTODY_HOME": str(copy.home)}).exit_code == 2
    assert CliRunner().invoke(app, ["init"], env={"CUSTODY_HOME": str(copy.home)}).exit_code == 0
    assert copy.verify() == (0, [])
    assert len(list((copy.home / "seals").glob("*.sig"))) == 2


def test_what_a_verification_found_is_written_down_and_alerted(copy: Copy) -> None:
    def last(on: date | None) -> Verification | None:
        with copy.wiring.register.transaction() as tx:
            return last_verification(tx, on)

    assert copy.verify("--record") == (0, [])
    assert last(FIRST) is None
    said = last(None)
    assert said is not None
    assert (said.actor, said.outputs, said.store, said.count, said.faults) == ("system", 26, True, 0, ())
    copy.change("person", {"person_id": "maker"}, roles='["supervisor"]')
    assert copy.verify("--date", FIRST.isoformat(), "--no-store", "--record", "--as", "checker")[0] == 1
    said = last(FIRST)
    assert said is not None
    fault = ("masters", "person maker was changed since then: no audit event tells of it")
    assert (said.actor, said.outputs, said.store, said.count, said.faults) == ("checker", 13, False, 1, (fault,))
    with copy.wiring.register.transaction() as tx:
        (alert,) = tx.find("alert", rule="VERIFY_FAULTS")
    assert (alert["severity"], alert["subject"]) == ("CRITICAL", FIRST.isoformat())
    assert "person maker" in alert["words_en"] and "person maker" in alert["words_zh"]
    # Who may change nothing may verify all the same, and writes nothing down.
    with copy.wiring.register.transaction() as tx:
        before = len(tx.find("audit_event"))
    assert copy.verify("--no-store")[0] == 1
    with copy.wiring.register.transaction() as tx:
        assert len(tx.find("audit_event")) == before
