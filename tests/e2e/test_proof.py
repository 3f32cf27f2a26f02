"""A report, and a row, proved to somebody who has a bare Python and OpenSSH and nothing of ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from instance_kit import Instance, copy_of, opened
from kill_kit import TwoDays
from openssh import ASKS_SSH_KEYGEN
from release_kit import proposed
from typer.testing import CliRunner

from console.cli import app
from custody.services.access import SYSTEM
from custody.services.four_eyes import approve
from custody.services.releases import RELEASE
from custody.steps import STEPS
from jobs.proof import report_proof, row_proof, zipped
from jobs.registry import step_named
from jobs.step import Step, StepContext, run_step
from reports.proof_check import Wrong
from reports.proof_check import check as check_here

WITH_SIGNATURES = pytest.param(True, marks=ASKS_SSH_KEYGEN, id="with signatures")


def check(folder: Path, signers: Path | None = None, keys: bool = True) -> tuple[int, str]:
    """As its README says: in its folder, isolated, without the environment's packages, with nothing of ours to import."""
    options = ["--signers", str(signers)] if signers else [] if keys else ["--without-signatures"]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "verify.py", *options],
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def laid_out(files: dict[str, bytes], folder: Path) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture(scope="module")
def released(two_days: TwoDays, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The month's report released on the day after, which is cut off and closed as well: what its other steps do is nothing to a proof."""
    home = copy_of(two_days.home, tmp_path_factory.mktemp("released") / "home")
    on = two_days.days[2]
    with opened(home) as instance:
        wiring = instance.wiring
        proposal = proposed(wiring)
        approve(wiring.register, wiring.clock, "checker", RELEASE, proposal, "")
        for name in STEPS:
            real = name in ("cut_off", "close")
            run_step(wiring, step_named(name) if real else Step(name, _nothing_but_a_proof), on, SYSTEM)
    return home


def _nothing_but_a_proof(context: StepContext) -> None:
    context.write("proof", [])


def report_file(instance: Instance) -> str:
    output = instance.find("step_output", step="report")[1]
    return min(name for name in instance.wiring.lake.manifest(output["path"]).files if name.endswith(".csv"))


@pytest.fixture(scope="module")
def of_report(released: Path) -> dict[str, bytes]:
    with opened(released) as instance:
        files = report_proof(instance.wiring, report_file(instance))
        assert zipped(files) == zipped(report_proof(instance.wiring, report_file(instance)))
    return files


@pytest.fixture(scope="module")
def of_row(released: Path, two_days: TwoDays) -> dict[str, bytes]:
    with opened(released) as instance:
        on = two_days.days[1]
        line = next(row for row in instance.lake_rows(on, "statement", "statement_lines") if row["line_no"] == 1)
        wanted = {"sub_account": line["sub_account"], "line_no": "1"}
        return row_proof(instance.wiring, on, "statement", "statement_lines", wanted)


@pytest.mark.parametrize("keys", [False, WITH_SIGNATURES])
def test_a_released_report_is_proved_whole(of_report: dict[str, bytes], tmp_path: Path, keys: bool) -> None:
    code, said = check(laid_out(of_report, tmp_path), keys=keys)
    assert code == 0, said
    assert "3 days, each root following from the one before" in said
    assert "released by maker and checker, sealed with 2020-01-01" in said
    assert said.endswith("ALL AGREES 核验通过\n")
    assert ("each signed by 示范银行 Example Bank" in said) is keys and ("SIGNATURES NOT CHECKED" in said) is not keys


@pytest.mark.parametrize("keys", [False, WITH_SIGNATURES])
def test_one_line_of_a_customers_statement_is_proved_alone(of_row: dict[str, bytes], tmp_path: Path, keys: bool) -> None:
    code, said = check(laid_out(of_row, tmp_path), keys=keys)
    assert code == 0, said
    assert "this row is in statement_lines of 2019-12-31" in said and "line_no = 1" in said
    # Nobody else's row leaves the house, and nothing of the register's.
    text = b"".join(data for name, data in of_row.items() if name.endswith(".json"))
    account = json.loads(of_row["proof.json"])["row"]["cells"][0]
    others = {word for word in text.split(b'"') if word.count(b".") == 2 and word.startswith(b"P0")}
    assert others == {account.encode()} and b"maker" not in text


def _flip(data: bytes) -> bytes:
    """One digit of a digest, or one byte, is another."""
    at = data.rfind(b"a") if b"a" in data else len(data) // 2
    return data[:at] + (b"b" if data[at : at + 1] == b"a" else bytes([data[at] ^ 1])) + data[at + 1 :]


@pytest.mark.parametrize("keys", [False, WITH_SIGNATURES])
@pytest.mark.parametrize("name", ["of_report", "of_row"])
@pytest.mark.parametrize("how", [_flip, None], ids=["changed", "missing"])
def test_whatever_is_changed_or_missing_in_a_proof_is_named(
    name: str, how: Callable[[bytes], bytes] | None, keys: bool, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Of a statement, whose every byte is signed, some change nothing but the signature."""
    whole: dict[str, bytes] = request.getfixturevalue(name)
    folder = laid_out(whole, tmp_path)
    signers = folder / "allowed_signers" if keys else None
    assert check_here(folder, signers)
    signed = [n for n in whole if n.startswith("days/") and "_v" in n]
    others = [n for n in whole if n.split("/")[0] in ("outputs", "files") or (n.startswith("days/") and n not in signed)]
    chosen = signed if keys else others
    assert len(chosen) >= 2
    for one in chosen:
        laid_out({one: how(whole[one])}, folder) if how is not None else (folder / one).unlink()
        with pytest.raises(Wrong, match=one.split("/")[1].removesuffix(".sig").split(".")[0] if how is None else "."):
            check_here(folder, signers)
        laid_out({one: whole[one]}, folder)


@ASKS_SSH_KEYGEN
def test_who_signs_with_another_key_proves_nothing(of_row: dict[str, bytes], released: Path, tmp_path: Path) -> None:
    """A forger makes everything fit, his own list of keys among it; who had the bank's list by another way is not deceived."""
    from connectors.ssh_keys import make_key
    from connectors.ssh_signature import public_line, sign, signing_key
    from custody.day_seal import NAMESPACE

    folder = laid_out(of_row, tmp_path / "forged")
    bank = tmp_path / "bank"
    shutil.copy(released / "seals" / "allowed_signers", bank)
    assert check(folder, bank)[0] == 0
    make_key(tmp_path / "forger")
    for path in folder.glob("days/*.sig"):
        path.write_text(sign(signing_key(tmp_path / "forger"), path.with_suffix("").read_bytes(), NAMESPACE))
    mine = bank.read_text().rsplit(" ", 2)[0] + " " + public_line(signing_key(tmp_path / "forger")) + "\n"
    (folder / "allowed_signers").write_text(mine)
    code, said = check(folder)
    assert code == 0 and "compare them with the bank's own list" in said
    code, said = check(folder, bank)
    assert code == 1 and "not signed by a key of" in said


def test_the_command_makes_the_same_zip_and_records_who_took_it(released: Path, two_days: TwoDays, tmp_path: Path) -> None:
    with opened(released) as instance:
        name = report_file(instance)
    digests = set()
    for out in ("one.zip", "two.zip", "folder"):
        command = ["proof", "report", name, "--out", str(tmp_path / out), "--as", "auditor", "--json"]
        done = CliRunner().invoke(app, command, env={"CUSTODY_HOME": str(released)})
        assert done.exit_code == 0, done.output
        digests.add(json.loads(done.stdout.splitlines()[-1])["sha256"])
    assert len(digests) == 1
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        archive.extractall(tmp_path / "taken_out")
    assert check(tmp_path / "taken_out", keys=False)[0] == check(tmp_path / "folder", keys=False)[0] == 0
    with opened(released) as instance:
        events = instance.find("audit_event", action="proof.made")
        assert [(e["actor"], e["subject"], json.loads(e["details"])["sha256"]) for e in events] == [
            ("auditor", name, *digests)
        ] * 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["report", "nothing.csv"], "no report has a file 'nothing.csv'"),
        (["row", "post", "journal", "entry_no=0", "--date", "2019-12-31"], "0 rows of journal of 2019-12-31 have entry_no=0"),
        (["row", "post", "journal", "colour=1", "--date", "2019-12-31"], "journal has no column colour"),
        (["row", "post", "journal", "entry_no", "--date", "2019-12-31"], "'entry_no' is not column=value"),
        (["row", "post", "nothing", "a=1", "--date", "2019-12-31"], "no table 'nothing'"),
        (["row", "land", "journal", "entry_no=1", "--date", "2019-12-31"], "land of 2019-12-31 has no table 'journal'"),
        (["row", "post", "journal", "entry_no=1", "--date", "2020-01-02"], "2020-01-02 is not closed yet"),
    ],
)
def test_what_cannot_be_proved_is_said(released: Path, tmp_path: Path, arguments: list[str], words: str) -> None:
    command = ["proof", *arguments, "--out", str(tmp_path / "out"), "--as", "maker"]
    done = CliRunner().invoke(app, command, env={"CUSTODY_HOME": str(released)})
    assert done.exit_code == 2 and words in done.output
    assert not (tmp_path / "out").exists()
