"""A disk that is full under the lake, the keyed store, the register, the archive or the temporary files: the command says which, how
much is free and wanted, and what to do; with room the same command ends with the same content.

Real disks: a tmpfs of the test's own for each place.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from instance_kit import Instance, change_settings, copy_of, opened
from kill_kit import CopyOf, TwoDays, assert_same, content_of, start
from real_disk import SmallDisk

from connectors.settings import load_settings
from connectors.table_digest import TableDigest
from custody.errors import DiskFull
from custody.steps import STEPS

pytestmark = pytest.mark.real

PAGE = 4096
LEDGER = ("post", "project")
Run = Callable[[Path, str, date], str | None]


@dataclass(frozen=True)
class ThirdDay:
    """The third day as it stands before ``post``, and its content when ``project`` is done."""

    on: date
    delivered: Path
    before: Path
    after: dict[str, Any]


@pytest.fixture(scope="module")
def third_day(two_days: TwoDays, tmp_path_factory: pytest.TempPathFactory) -> ThirdDay:
    folder, on = tmp_path_factory.mktemp("third_day"), two_days.days[2]
    home = copy_of(two_days.home, folder / "home")
    with opened(home) as instance:
        instance.deliver(two_days.world, on)
    delivered = copy_of(home, folder / "delivered")
    with opened(home) as instance:
        instance.run_day(on, STEPS[: STEPS.index("post")])
    before = copy_of(home, folder / "before")
    with opened(home) as instance:
        instance.run_day(on, LEDGER)
        return ThirdDay(on, delivered, before, content_of(instance))


def here(home: Path, step: str, on: date) -> str | None:
    """Run the step; what it said of a full disk, or None when it is done."""
    try:
        with opened(home) as instance:
            instance.step(step, on)
            return None
    except DiskFull as full:
        return str(full)


def in_its_own_process(home: Path, step: str, on: date) -> str | None:
    """The same. A lease that a full register could not take back is known to be dead only by its process."""
    child = start(home, step, on, "start")
    out, words = child.communicate("go\n", timeout=120)
    answer = json.loads(out)
    if answer.get("outcome") == "committed":
        return None
    assert (child.returncode, answer) == (DiskFull.exit_code, {"error": "DiskFull"}), words
    return words


def run_until_there_is_room(home: Path, disk: SmallDisk, on: date, step: str, run: Run, more_bytes: int) -> list[str]:
    """The same step again and again, each time with more room, until it is done; what it said on the way."""
    said: list[str] = []
    settings = load_settings(home)
    while len(said) < 50:
        disk.leave(len(said) * more_bytes)
        words = run(home, step, on)
        if words is None:
            return said
        said.append(words)
        # A try that failed keeps no room in the lake.
        assert [path for path in (settings.path(settings.stores.lake) / str(on) / step).rglob("*") if path.is_file()] == []
    raise AssertionError(f"{step} of {on} never found room: {said[-1]}")


def assert_says(words: str, place: Path) -> None:
    """Which path, how much is wanted and free, and what to do."""
    found = re.search(r"the disk of (.*) is full: (.*) wants ([0-9,]+) bytes, ([0-9,]+) are free\. Make room there", words)
    assert found, words
    assert Path(found[1]).is_relative_to(place), words


def finished(home: Path, on: date, *steps: str) -> dict[str, Any]:
    with opened(home) as instance:
        for step in steps:
            instance.step(step, on)
        return content_of(instance)


def test_under_the_lake(third_day: ThirdDay, fresh: CopyOf, small_disk: SmallDisk) -> None:
    home = fresh(third_day.before)
    lake = small_disk.take_over(home / "lake")
    change_settings(home, {"stores.lake": str(lake)})
    said = [words for step in LEDGER for words in run_until_there_is_room(home, small_disk, third_day.on, step, here, 8 * PAGE)]
    assert len(said) > 1
    for words in said:
        assert_says(words, lake)
    assert_same(finished(home, third_day.on), third_day.after, "a full disk under the lake")


def test_under_the_register(third_day: ThirdDay, fresh: CopyOf, small_disk: SmallDisk) -> None:
    home = fresh(third_day.before)
    register = small_disk.take_over(home / "register.db")
    change_settings(home, {"register.url": f"sqlite:///{register}"})
    said = run_until_there_is_room(home, small_disk, third_day.on, "post", in_its_own_process, 12 * PAGE)
    assert len(said) > 1
    for words in said:
        assert_says(words, register)
    small_disk.make_room()
    assert_same(finished(home, third_day.on, "project"), third_day.after, "a full disk under the register")


def test_under_everything(third_day: ThirdDay, fresh: CopyOf, small_disk: SmallDisk) -> None:
    """One disk for all: whoever meets it first says so, and giving back the lease does not talk over him."""
    home = small_disk.take_over(fresh(third_day.before))
    change_settings(home, {"stores.keyed": str(copy_of(home / "keyed", home.parent.parent / "keyed"))})
    said = run_until_there_is_room(home, small_disk, third_day.on, "post", in_its_own_process, 24 * PAGE)
    places = {"the register" if "the register" in words else "a file" for words in said}
    assert places == {"the register", "a file"}
    small_disk.make_room()
    assert_same(finished(home, third_day.on, "project"), third_day.after, "a full disk under everything")


def test_under_the_keyed_store(third_day: ThirdDay, fresh: CopyOf, small_disk: SmallDisk) -> None:
    home = fresh(third_day.before)
    keyed = small_disk.take_over(home / "keyed")
    change_settings(home, {"stores.keyed": str(keyed)})
    with opened(home) as instance:
        instance.step("post", third_day.on)
        # It fills up behind the open store.
        small_disk_full_under(instance, small_disk)
        with pytest.raises(DiskFull) as full:
            instance.step("project", third_day.on)
    assert_says(str(full.value), keyed)
    with opened(home) as instance, pytest.raises(DiskFull, match=r"wants 268,435,456 bytes") as full:
        instance.step("project", third_day.on)
    assert_says(str(full.value), keyed)
    small_disk.make_room()
    assert_same(finished(home, third_day.on, "project"), third_day.after, "a full disk under the keyed store")


def small_disk_full_under(instance: Instance, disk: SmallDisk) -> None:
    assert instance.wiring.keyed.get("watermark", b"none") is None
    disk.leave(2 * PAGE)


def test_under_the_archive(third_day: ThirdDay, two_days: TwoDays, fresh: CopyOf, small_disk: SmallDisk) -> None:
    home = fresh(two_days.home)
    archive = small_disk.take_over(home / "archive")
    change_settings(home, {"stores.archive": str(archive)})
    with opened(home) as instance:
        small_disk.leave(8 * PAGE)
        with pytest.raises(DiskFull) as full:
            instance.deliver(two_days.world, third_day.on)
        assert_says(str(full.value), archive)
        assert not list(archive.rglob("*.part"))
        small_disk.make_room()
        instance.collect(third_day.on)
        found = content_of(instance)
    with opened(third_day.delivered) as instance:
        assert_same(found, content_of(instance), "a full disk under the archive")


def test_under_what_the_steps_lay_by(third_day: ThirdDay, fresh: CopyOf, small_disk: SmallDisk) -> None:
    home, scratch = fresh(third_day.before), small_disk.folder / "scratch"
    change_settings(home, {"post.scratch": str(scratch)})
    for step in LEDGER:
        said = run_until_there_is_room(home, small_disk, third_day.on, step, here, 8 * PAGE)
        assert said, step
        for words in said:
            assert_says(words, scratch)
        assert [path for path in scratch.rglob("*") if path.is_file()] == []
    assert_same(finished(home, third_day.on), third_day.after, "a full disk under what the steps lay by")


def test_under_temporary_files(small_disk: SmallDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk.folder))
    hashes = b"".join(n.to_bytes(32) for n in range(2_000))
    small_disk.leave(4 * PAGE)
    with pytest.raises(DiskFull) as full:
        TableDigest(run_rows=1_000).add(hashes)
    assert_says(str(full.value), small_disk.folder)
    small_disk.make_room()
    spilled, held = TableDigest(run_rows=1_000), TableDigest()
    for digest in (spilled, held):
        digest.add(hashes)
    assert spilled.root() == held.root()
