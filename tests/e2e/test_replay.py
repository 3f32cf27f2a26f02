"""From the archive and the sealed decisions alone the ledger comes out again, digest for digest; what does not is named.

The live instance has four days with refused files, a party that delivers a day late, a restatement that two people accepted, a
case that two people settled, and a cut-off of two versions.
"""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from instance_kit import Instance, copy_of, opened
from kill_kit import CopyOf, TwoDays
from typer.testing import CliRunner

from console.cli import app
from custody.adjustments import DECISION
from custody.case_patterns import accounts_of
from custody.errors import RetryLater
from custody.services import cases, restatements
from custody.services.access import SYSTEM
from custody.services.four_eyes import approve
from custody.steps import LEDGER_STEPS, reads
from jobs.restatement.effect import difference_of
from jobs.step import Step, StepContext, run_step
from jobs.store_proof import store_faults
from schemas.exchange import Seal, sha256_hex
from schemas.layout import load_layout
from schemas.layout_file import control_totals, parse_file, write_file
from schemas.store_keys import PERSON_TABLES

LATE, RESTATED = "P001", "P002"


@pytest.fixture(scope="module")
def live(two_days: TwoDays, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = copy_of(two_days.home, tmp_path_factory.mktemp("live") / "home")
    third, fourth = two_days.days[2:]
    with opened(home) as instance:
        settle_a_case(instance)
        adjust_a_case(instance)
        instance.deliver(two_days.world, third, without=[LATE])
        restate(instance, two_days.world, third)
        instance.run_day(third)
        instance.step("cut_off", third, "a contract was looked at again")
        instance.deliver_party(two_days.world, third, LATE, today=fourth)
        instance.deliver(two_days.world, fourth)
        instance.run_day(fourth)
        states = {file["state"] for file in instance.find("file")}
        assert {"ACCEPTED", "REFUSED", "LATE", "SUPERSEDED"} <= states
        decided = [row["kind"] for on in two_days.days for row in instance.lake_rows(on, "cut_off", "decisions")]
        assert {"case", "adjustment", "restatement"} <= set(decided)
        posted = [leg for leg in instance.lake_rows(third, "post", "ledger_txn") if leg["file_name"].startswith(DECISION)]
        assert [leg["outcome"] for leg in posted] == ["POSTED"]
    return home


def settle_a_case(instance: Instance) -> None:
    register, clock = instance.wiring.register, instance.wiring.clock
    case = next(
        row for row in instance.find("recon_case", state="OPEN") if row["sides"] == "AB" and row["subject"].startswith("TXN")
    )
    proposal = cases.propose_settlement(register, clock, "maker", case["case_id"], "the platform agreed")
    approve(register, clock, "checker", cases.CASE, proposal, "seen")


def adjust_a_case(instance: Instance) -> None:
    """Goodwill from the platform to a customer whom an open case names."""
    register, clock = instance.wiring.register, instance.wiring.clock
    case = next(row for row in instance.find("recon_case", state="OPEN", kind="WRONG_ACCOUNT"))
    wanted = cases.Adjustment(f"{case['platform']}:P_MARKETING", accounts_of(case)[0], 1_00)
    proposal = cases.propose_adjustment(register, clock, "maker", case["case_id"], wanted, "for the trouble")
    approve(register, clock, "checker", cases.ADJUSTMENT, proposal, "seen")


def restate(instance: Instance, world: Path, on: date) -> None:
    """A second version of one file, a row shorter, that two people accept before the cut-off."""
    folder = world / on.isoformat() / RESTATED
    first = Seal.model_validate_json((folder / f"{RESTATED}_SEAL_{on:%Y%m%d}_01_v1.json").read_bytes())
    entry = next(file for file in first.files if "_TXN_" in file.name)
    layout, name = load_layout(entry.layout), entry.name.replace("_v1", "_v2")
    rows = parse_file(layout, entry.name, (folder / entry.name).read_bytes(), entry.encoding, on).rows[:-1]
    data = write_file(layout, rows, entry.encoding, on)
    said = {"bytes": len(data), "rows": len(rows), "sha256": sha256_hex(data), "totals": control_totals(layout, rows)}
    second = first.model_copy(update={"version": 2, "files": [entry.model_copy(update={"name": name, **said})]})
    instance.drop.put(RESTATED, name, data)
    instance.drop.put(RESTATED, f"{RESTATED}_SEAL_{on:%Y%m%d}_01_v2.json", second.to_bytes())
    instance.collect(on)
    register, clock = instance.wiring.register, instance.wiring.clock
    seen = difference_of(instance.wiring, name).effect
    proposal = restatements.propose_restatement(register, clock, "maker", name, "they found a bug", seen)
    approve(register, clock, "checker", restatements.RESTATEMENT, proposal, "seen")


def replayed(home: Path, into: Path, *more: str, code: int = 0) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["replay", "--into", str(into), "--json", *more], env={"CUSTODY_HOME": str(home)})
    assert done.exit_code == code, done.output
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_the_ledger_of_awkward_days_comes_out_again(live: Path, two_days: TwoDays, fresh: CopyOf, tmp_path: Path) -> None:
    home, into = fresh(live), tmp_path / "rebuilt"
    with opened(home) as instance:
        wanted = instance.keyed_rows()
        newest = {(row["custody_date"], row["step"]): row for row in instance.find("step_output")}
        sealed = {newest[on, step]["manifest_digest"] for on in two_days.days for step in LEDGER_STEPS}
        cut_offs = [newest[on, "cut_off"]["path"] for on in two_days.days]
    hide_all_but(home, cut_offs)
    answer = replayed(home, into)
    assert answer["equal"] and {step["replay_digest"] for step in answer["steps"]} == sealed
    assert len(answer["steps"]) == len(two_days.days) * len(LEDGER_STEPS)
    with opened(into) as rebuilt:
        found = rebuilt.keyed_rows()
        assert rebuilt.damage() == [] and list(store_faults(rebuilt.wiring)) == []
    # No person in it, and of the ledger everything.
    for table in PERSON_TABLES:
        assert found.pop(table) == [] and wanted.pop(table) != []
    assert found == wanted


def hide_all_but(home: Path, kept: list[str]) -> None:
    """Leave of the instance what a replay may read: register, keys, archive and the outputs of these paths."""
    shutil.rmtree(home / "keyed")
    shutil.rmtree(home / "core")
    shutil.move(home / "lake", home / "hidden")
    for path in kept:
        shutil.copytree(home / "hidden" / path, home / "lake" / path)
    shutil.rmtree(home / "hidden")


def test_a_replay_that_was_ended_goes_on_in_its_folder_and_takes_no_other(live: Path, two_days: TwoDays, tmp_path: Path) -> None:
    into = tmp_path / "rebuilt"
    first = replayed(live, into, "--until", str(two_days.days[0]))
    assert {step["custody_date"] for step in first["steps"]} == {str(two_days.days[0])}
    whole = replayed(live, into, "--until", str(two_days.days[1]))
    assert whole["equal"] and len(whole["steps"]) == 2 * len(LEDGER_STEPS)
    for taken in (live, two_days.home, two_days.world):
        assert replayed(live, taken, code=2)["error"] == "UsageError"
    with opened(into) as rebuilt, pytest.raises(RetryLater, match=f"needs close of {two_days.days[1]}"):
        # Who would go on posting there meets the live rule.
        rebuilt.step("post", two_days.days[2])


def test_a_posting_that_does_not_follow_from_the_archive_is_named(
    live: Path, two_days: TwoDays, fresh: CopyOf, tmp_path: Path
) -> None:
    home, on = fresh(live), two_days.days[3]
    with opened(home) as instance:
        (posted,) = instance.find("step_output", custody_date=on, step="post")
        favoured = instance.lake_rows(on, "post", "balances")[0]

        def post_otherwise(context: StepContext) -> None:
            for table in context.wiring.lake.manifest(posted["path"]).tables:
                rows = context.wiring.lake.rows(posted["path"], table)
                if table == "balances":
                    rows[0]["closing_minor"] += 1
                context.write(table, rows)

        run_step(instance.wiring, Step("post", post_otherwise), on, SYSTEM, "somebody's favour")
    answer = replayed(home, tmp_path / "rebuilt", code=1)
    (differing,) = [step for step in answer["steps"] if not step["equal"]]
    key = f"platform={favoured['platform']} book={favoured['book']} account={favoured['account']}"
    assert (differing["custody_date"], differing["step"]) == (str(on), "post")
    (difference,) = differing["differences"]
    assert difference["table"] == "balances"
    assert (difference["only_live"], difference["only_replay"]) == (1, 1)
    assert set(key.split()) <= set(difference["live_keys"][0].split()) and difference["live_keys"] == difference["replay_keys"]
    words = CliRunner().invoke(app, ["replay", "--into", str(tmp_path / "rebuilt")], env={"CUSTODY_HOME": str(home)})
    assert words.exit_code == 1 and "balances: 1 row only live" in words.output and "1 of 20 outputs differ" in words.output


def test_what_is_not_what_was_committed_is_not_replayed(live: Path, two_days: TwoDays, fresh: CopyOf, tmp_path: Path) -> None:
    changed, rewritten = fresh(live), fresh(live)
    with opened(changed) as instance:
        path = instance.find("step_output", custody_date=two_days.days[0], step="cut_off")[0]["path"]
    manifest = changed / "lake" / path / "manifest.json"
    manifest.chmod(0o644)
    manifest.write_text(manifest.read_text().replace('"rows":', '"rows": 1', 1))
    assert replayed(changed, tmp_path / "one", code=2)["error"] == "SealBroken"
    with opened(rewritten) as instance, instance.wiring.register.transaction() as tx:
        tx.update("step_output", {"custody_date": two_days.days[0], "step": "cut_off"}, {"manifest_digest": "0" * 64})
    answer = replayed(rewritten, tmp_path / "two", code=2)
    assert answer["error"] == "SealBroken" and "audit event" in answer["words"]


def test_of_what_no_replay_runs_the_ledger_waits_for_the_close_alone() -> None:
    """Else a replay would post without something that the live day had read."""
    first, day = date(2019, 12, 30), date(2020, 1, 2)
    for step in LEDGER_STEPS:
        left_out = {ref.step for ref in reads(step, day, first)} - set(LEDGER_STEPS)
        assert left_out <= {"close"}
        assert [ref for ref in reads(step, day, first) if ref.step != "close"] == reads(step, day, first, LEDGER_STEPS)
