"""A new platform from nothing to its first balanced day, over the machine's own sshd; run with -s it tells what happens."""

from __future__ import annotations

import io
import json
import shlex
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from instance_kit import GO_LIVE, make_world
from real_sshd import RealSshd
from typer.testing import CliRunner

from connectors.onboarding_kit import kit_name
from connectors.settings import FILE_NAME, changed, initial_settings, load_settings
from connectors.sftp_drop import PartyClient
from connectors.ssh_keys import make_key, pin_host, public_key_line
from console.cli import app
from custody.services.party_keys import ssh_key
from schemas.exchange import Seal, sha256_hex

pytestmark = pytest.mark.real
NEW = "P001"
SAMPLE_DAY = GO_LIVE - timedelta(days=3)


@dataclass
class Story:
    """Runs the command line as people do, and keeps what a reader should see of it."""

    home: Path
    lines: list[str] = field(default_factory=list)

    def tell(self, words: str) -> None:
        self.lines.append(words)

    def do(self, *arguments: str, ends: int = 0) -> dict[str, Any]:
        done = CliRunner().invoke(app, [*arguments, "--json"], env={"CUSTODY_HOME": str(self.home)})
        assert done.exit_code == ends, f"custody {arguments} ended {done.exit_code}: {done.output}"
        # Folders of the test's own say nothing to a reader.
        shown = [Path(word).name if word.startswith("/") else word for word in arguments]
        self.tell(f"$ custody {shlex.join(shown)}")
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        if "words" in result and ends:
            self.tell(f"  {result['words']}")
        return result

    def decided(self, proposal: str) -> None:
        self.do("proposal", "approve", proposal, "--as", "checker", "--note", "checked")


@pytest.fixture
def story(sshd: RealSshd) -> Iterator[Story]:
    home = sshd.fresh_home()
    home.mkdir(parents=True)
    settings = home.parent / "onboarding.toml"
    settings.write_text(changed(initial_settings("示范银行 Example Bank", GO_LIVE, 0), sshd.changes))
    told = Story(home)
    told.do("init", "--settings", str(settings))
    loaded = load_settings(home)
    sftp = loaded.sftp
    pin_host(loaded.path(sftp.known_hosts), sftp.host, sftp.port, loaded.path(sftp.host_key))
    yield told
    (home / FILE_NAME).unlink()


def _set_of(world: Path, on: date) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (world / on.isoformat() / NEW).iterdir()}


def _put(story: Story, key: Path, files: dict[str, bytes]) -> None:
    """The platform puts its files, the seal last."""
    client = PartyClient(load_settings(story.home), NEW, key)
    seals = {name: data for name, data in files.items() if "_SEAL_" in name}
    client.put_set({name: data for name, data in files.items() if name not in seals}, seals)
    client.close()
    story.tell(f"  {NEW} puts {len(files)} files into in/, the seal last")


def _out(story: Story, key: Path) -> dict[str, bytes]:
    client = PartyClient(load_settings(story.home), NEW, key)
    found = {name: client.get(name, 10_000_000) for name, _ in client.list_out()}
    client.close()
    return found


def _spoiled(files: dict[str, bytes]) -> dict[str, bytes]:
    """The same set, but for an amount in the first row of TXN that is none; the seal fits the bytes."""
    (name,) = [n for n in files if "_TXN_" in n]
    (seal_name,) = [n for n in files if "_SEAL_" in n]
    head, row, *rest = files[name].decode().split("\n")
    cells = row.split(",")
    column = head.split(",").index("amount")
    cells[column] = "12;5"
    data = "\n".join([head, ",".join(cells), *rest]).encode()
    seal = Seal.model_validate_json(files[seal_name])
    said = {"bytes": len(data), "sha256": sha256_hex(data)}
    entries = [e.model_copy(update=said) if e.name == name else e for e in seal.files]
    return {**files, name: data, seal_name: seal.model_copy(update={"files": entries}).to_bytes()}


def test_a_new_platform_from_nothing_to_its_first_balanced_day(story: Story, tmp_path: Path) -> None:
    world = make_world(tmp_path / "world", [], seed=7, platforms=1, channels=1, days=1)
    practice = make_world(tmp_path / "practice", [], seed=3, start=SAMPLE_DAY, platforms=1, channels=1, days=1)
    key = world / "keys" / NEW

    story.tell("# The gateway and a channel stand; the platform is new: proposed by one person, approved by another")
    others = [p["party"] for p in json.loads((world / "world.json").read_text())["parties"] if p["party"] != NEW]
    only = [word for party in others for word in ("--party", party)]
    standing = story.do("org", "onboard", "--from", str(world), *only, "--as", "maker", "--note", "they stand since 2015")
    for proposal in standing["proposals"].values():
        story.decided(proposal)
    proposed = story.do(
        "org",
        "onboard",
        "--from",
        str(world),
        "--party",
        NEW,
        "--to-be-tested",
        "--as",
        "maker",
        "--note",
        "contract of December",
    )
    story.decided(proposed["proposals"][NEW])
    assert story.do("org", "show", NEW)["status"] == "ONBOARDING"

    story.do("collect")
    kit = _out(story, key)[kit_name(NEW)]
    parts = zipfile.ZipFile(io.BytesIO(kit))
    host = ssh_key(public_key_line(load_settings(story.home).path(load_settings(story.home).sftp.host_key)))
    assert host is not None and host.fingerprint in parts.read("LETTER.md").decode()
    story.tell(
        f"  {NEW} logs in with its own key; in out/: {kit_name(NEW)} with {len(parts.namelist())} files: letter, layouts, samples"
    )
    # What is shown as an example is good by the bank's own rules.
    example = {Path(n).name: parts.read(n) for n in parts.namelist() if n.startswith("samples/")}
    (tmp_path / "example").mkdir()
    for name, data in example.items():
        (tmp_path / "example" / name).write_bytes(data)
    for name in example:
        if name.endswith(".csv"):
            assert CliRunner().invoke(app, ["check-file", str(tmp_path / "example" / name)]).exit_code == 0, name
    story.tell(f"  the letter's host key: {host.fingerprint}")

    story.tell("# Not without a passed test")
    refused = story.do("org", "status", NEW, "LIVE", "--from", GO_LIVE.isoformat(), "--as", "maker", "--note", "please", ends=2)
    assert "has passed no acceptance test" in refused["words"]

    story.tell("# Samples with a fault")
    good = _set_of(practice, SAMPLE_DAY)
    _put(story, key, _spoiled(good))
    assert story.do("collect")["tested"] == {NEW: "FAILED"}
    (name,) = [n for n in _out(story, key) if "_ACCEPTANCE_" in n and n.endswith(".json")]
    report = json.loads(_out(story, key)[name])
    (bad,) = [f for f in report["files"] if f["outcome"] == "FAILED"]
    (fault, *_) = bad["faults"]
    assert (fault["line"], fault["field"], fault["rule"]) == (2, "amount", "amount") and fault["words_zh"] and fault["to_do_zh"]
    story.tell(
        f"  out/{name}: {bad['name']} FAILED, line {fault['line']} {fault['field']} {fault['value']!r}: {fault['words_en']}"
    )
    story.tell(f"  {fault['words_zh']} → {fault['to_do_zh']}")
    story.do("org", "status", NEW, "LIVE", "--from", GO_LIVE.isoformat(), "--as", "maker", "--note", "please", ends=2)

    story.tell("# Corrected, under the same names")
    _put(story, key, good)
    assert story.do("collect")["tested"] == {NEW: "PASSED"}
    told = _out(story, key)
    report = json.loads(told[max(n for n in told if "_ACCEPTANCE_" in n and n.endswith(".json"))])
    assert report["outcome"] == "PASSED" and {f["outcome"] for f in report["files"]} == {"PASSED"}
    story.tell(
        f"  out/: ACCEPTANCE {report['outcome']}: {len(report['files'])} files, {sum(f['rows'] for f in report['files'])} rows read as a day reads them"
    )

    story.tell("# A second key, before anything depends on one")
    second = tmp_path / "second"
    make_key(second)
    (tmp_path / "second.pub").write_text(public_key_line(second))
    story.decided(
        story.do("org", "key", "add", NEW, "--file", str(tmp_path / "second.pub"), "--as", "maker", "--note", "spare")["proposal"]
    )
    assert _out(story, second).keys() == _out(story, key).keys()

    story.tell("# Live from the first custody date")
    live = story.do("org", "status", NEW, "LIVE", "--from", GO_LIVE.isoformat(), "--as", "maker", "--note", "passed its test")
    story.decided(live["proposal"])

    story.tell("# Its first custody date")
    story.do("deliver", "--from", str(world), "--date", GO_LIVE.isoformat())
    taken = story.do("collect")
    assert set(taken["files"]) == {"ACCEPTED"} and taken["tested"] == {}
    story.tell(f"  {taken['files']} taken, {taken['receipts']} receipts delivered")
    story.do("run-day", "--date", GO_LIVE.isoformat())
    (day,) = story.do("day", "status", "--date", GO_LIVE.isoformat())["days"]
    (mine,) = [p for p in day["platforms"] if p["platform"] == NEW]
    assert (day["state"], mine["balanced"], mine["breaks"], mine["landed"]) == ("CLOSED", True, 0, mine["expected"])
    story.tell(
        f"  {day['date']} {day['state']}: {NEW} files {mine['landed']}/{mine['expected']}, balanced, {mine['breaks']} breaks"
    )
    # Its samples stand apart: no custody day ever saw them.
    files = story.do("file", "list", "--party", NEW, "--date", SAMPLE_DAY.isoformat())["files"]
    assert {f["state"] for f in files} == {"SAMPLE"} and {f["cut_off_date"] for f in files} == {None}
    print("\n" + "\n".join(story.lines))
