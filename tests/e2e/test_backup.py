"""The restore drill: from a backup an empty machine becomes an instance that equals the seals, and goes on as the old one would have."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from instance_kit import Instance, copy_of, opened
from kill_kit import CopyOf, TwoDays, content_of
from typer.testing import CliRunner

from connectors.settings import load_settings
from console.cli import app
from console.commands.instance import bring_register_to_newest
from custody.errors import SealBroken
from custody.services.access import SYSTEM
from custody.services.alerts import raise_alert
from jobs.backup import Backup, back_up, faults_of, restore_stores, states

# What a backup and a restore themselves write.
OWN_EVENTS = ("audit_event",)


def custody(home: Path, *arguments: str) -> Any:
    return CliRunner().invoke(app, [*arguments, "--as", "admin", "--json"], env={"CUSTODY_HOME": str(home)})


def answer(done: Any) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def empty_machine(home: Path, to: Path) -> Path:
    """Nothing but the keys, as the bank's safe has them."""
    shutil.copytree(home / "keys", to / "keys")
    return to


@pytest.fixture(scope="module")
def backed_up(two_days: TwoDays, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An instance after two days, and its backup."""
    folder = tmp_path_factory.mktemp("backed_up")
    home = copy_of(two_days.home, folder / "home")
    done = custody(home, "backup")
    assert done.exit_code == 0, done.output
    return home, home / load_settings(home).backup.folder


def content(home: Path) -> dict[str, Any]:
    with opened(home) as instance:
        found = content_of(instance)
    return {name: rows for name, rows in found.items() if name not in OWN_EVENTS}


def made_and_not_told(instance: Instance, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Backup:
    """The first state, by a run that was ended before it could tell of it."""

    def ended(*of: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("jobs.backup._tell", ended)
        back_up(instance.wiring, "admin", folder, 2, lambda words: None)
    (made,) = states(folder)
    return made


def test_where_nothing_happened_since_the_newest_state_is_the_backup_and_is_told_once(
    two_days: TwoDays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = copy_of(two_days.home, tmp_path / "home")
    folder = home / load_settings(home).backup.folder

    with opened(home) as instance:
        made = made_and_not_told(instance, folder, monkeypatch)
        again = back_up(instance.wiring, "admin", folder, 2, lambda words: None)
        assert again == made and states(folder) == [made]
        assert [e["subject"] for e in instance.find("audit_event", action="store.backup")] == [made.state]
        # One that was told, too: its run may have been ended after that.
        assert back_up(instance.wiring, "admin", folder, 2, lambda words: None) == made and states(folder) == [made]
        assert len(instance.find("audit_event", action="store.backup")) == 1
        # A row that no event tells of is enough for another.
        with instance.wiring.register.transaction() as tx:
            (person, *_) = tx.find("person")
            tx.update("person", {"person_id": person["person_id"]}, {"display_name": "another"})
        second = back_up(instance.wiring, "admin", folder, 2, lambda words: None)
        assert states(folder) == [made, second]
        # And so is a newest one that is not whole.
        (folder / second.state / "persons.gz").write_bytes(b"")
        third = back_up(instance.wiring, "admin", folder, 2, lambda words: None)
        assert states(folder) == [second, third] and not list(faults_of(folder, third))


def test_an_event_that_is_not_the_backups_own_is_kept(two_days: TwoDays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run was ended before it could tell: the event that came since is somebody else's."""
    home = copy_of(two_days.home, tmp_path / "home")
    folder = home / load_settings(home).backup.folder

    with opened(home) as instance:
        made = made_and_not_told(instance, folder, monkeypatch)
        with instance.wiring.register.transaction() as tx:
            tx.audit("auditor", "customer.view", "C1", {})
        second = back_up(instance.wiring, "admin", folder, 2, lambda words: None)
        assert states(folder) == [made, second] and second.rows["audit_event"] == made.rows["audit_event"] + 1


def test_an_empty_machine_becomes_the_instance_and_goes_on_like_it(
    backed_up: tuple[Path, Path], two_days: TwoDays, tmp_path: Path, fresh: CopyOf
) -> None:
    old, backups = fresh(backed_up[0]), backed_up[1]
    new = empty_machine(old, tmp_path / "new")
    done = custody(new, "restore", "--in", str(backups))
    assert done.exit_code == 0, done.output
    assert answer(done)["closed"] == str(two_days.days[1]) and answer(done)["wrong"] == []
    assert content(new) == content(old)
    assert not (new / "restoring").exists()
    shutil.copytree(old / "core", new / "core", dirs_exist_ok=True)  # the bank's own
    sealed = []
    for home in (old, new):
        with opened(home) as instance:
            instance.deliver(two_days.world, two_days.days[2])
            instance.run_day(two_days.days[2])
            rows = instance.find("step_output", custody_date=two_days.days[2])
            sealed.append({row["step"]: row["manifest_digest"] for row in rows})
            assert instance.damage() == []
    # A day's close names the chain of what happened, and here a restore did.
    for one in sealed:
        one.pop("close")
    assert sealed[0] == sealed[1]


def test_the_next_state_copies_what_is_new_and_destroys_what_the_archive_destroyed(
    backed_up: tuple[Path, Path], two_days: TwoDays, tmp_path: Path, fresh: CopyOf
) -> None:
    home, backups = fresh(backed_up[0]), copy_of(backed_up[1], tmp_path / "backups")
    key = next(path for path in sorted((home / "archive").glob("??/*.key")))
    name = f"archive/{key.relative_to(home / 'archive')}"
    assert (backups / name).is_file()
    key.unlink()
    said: list[str] = []
    with opened(home) as instance:
        back_up(instance.wiring, "admin", backups, 2, said.append)
    assert said[0].startswith("0 files of lake and archive copied")
    assert not (backups / name).exists() and len(states(backups)) == 2
    with opened(home) as instance:
        raise_alert(
            instance.wiring.register, SYSTEM, "TASK_FAILED", "custody_day.post", two_days.days[1], "post failed", "记账失败"
        )
        back_up(instance.wiring, "admin", backups, 1, said.append)
    assert [state.state for state in states(backups)] == ["state-000003"]
    assert sorted(path.name for path in backups.iterdir()) == ["archive", "lake", "state-000003"]


@pytest.mark.parametrize("part", ["register/alert.gz", "persons.gz", "lake", "archive", "seals"])
def test_a_backup_that_is_not_whole_is_not_put_back_and_says_where(
    backed_up: tuple[Path, Path], tmp_path: Path, part: str
) -> None:
    home, backups = backed_up[0], copy_of(backed_up[1], tmp_path / "backups")
    (state,) = states(backups)
    name = next(n for n in sorted(state.files) if n.startswith((part, f"{state.state}/{part}")))
    path = backups / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)
    new = empty_machine(home, tmp_path / "new")
    done = custody(new, "restore", "--in", str(backups))
    assert done.exit_code == SealBroken.exit_code and name in done.output + done.stderr
    assert not (new / "register.db").exists() and not (new / "lake").exists()


def test_nothing_is_put_over_an_instance_or_without_its_keys(backed_up: tuple[Path, Path], tmp_path: Path, fresh: CopyOf) -> None:
    home, backups = fresh(backed_up[0]), backed_up[1]
    before = (home / "register.db").read_bytes()
    done = custody(home, "restore", "--in", str(backups))
    assert done.exit_code == 2 and "has rows" in done.output + done.stderr
    assert (home / "register.db").read_bytes() == before
    # The folder may not even be there.
    done = custody(tmp_path / "bare" / "home", "restore", "--in", str(backups))
    assert done.exit_code == 2 and "keys" in done.output + done.stderr
    assert custody(empty_machine(home, tmp_path / "new"), "restore", "--in", str(tmp_path / "none")).exit_code == 2


class Ended(Exception):
    """The process ends here."""


def ended_at(number: int) -> Callable[[str], None]:
    left = [number]

    def told(_words: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Ended

    return told


@pytest.mark.parametrize("number", [2, 3])
def test_a_restore_that_was_ended_is_gone_on_with(backed_up: tuple[Path, Path], tmp_path: Path, number: int) -> None:
    home, backups = backed_up
    new = empty_machine(home, tmp_path / "new")
    (state,) = states(backups)
    shutil.copy(backups / state.state / "settings.toml", new)
    with pytest.raises(Ended):
        restore_stores(load_settings(new), backups, state, bring_register_to_newest, ended_at(number))
    done = custody(new, "restore", "--in", str(backups))
    assert done.exit_code == 0, done.output
    assert content(new) == content(home)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_backup_that_was_ended_leaves_the_one_before(
    backed_up: tuple[Path, Path], two_days: TwoDays, tmp_path: Path, fresh: CopyOf, number: int
) -> None:
    home, backups = fresh(backed_up[0]), copy_of(backed_up[1], tmp_path / "backups")
    before = states(backups)
    with opened(home) as instance:
        raise_alert(
            instance.wiring.register, SYSTEM, "TASK_FAILED", "custody_day.post", two_days.days[1], "post failed", "记账失败"
        )
        with pytest.raises(Ended):
            back_up(instance.wiring, "admin", backups, 1, ended_at(number))
        assert states(backups) == before
        done = back_up(instance.wiring, "admin", backups, 1, lambda _: None)
    assert states(backups) == [done] != before
    assert not list(backups.rglob(".*"))
