"""Servers as processes: started once, found again, stopped whole; and what the machine offers them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cluster.daemon import Daemon, ServiceFailed
from cluster.machine import STATE, MachineLacks, Ports, listens, state_folder
from cluster.processes import group_members
from cluster.programs import Program, require


def sleeper(folder: Path, script: str = "sleep 100") -> Daemon:
    return Daemon("sleeper", folder, ["sh", "-c", script])


def test_it_is_started_once_and_stopped_with_all_that_it_started(tmp_path: Path) -> None:
    daemon = sleeper(tmp_path, "sleep 100 & sleep 100 & wait")
    daemon.start()
    leader = daemon.pid
    assert leader is not None
    daemon.start()
    assert sleeper(tmp_path).pid == leader
    until = time.monotonic() + 10
    while len(group_members(leader)) < 3 and time.monotonic() < until:
        time.sleep(0.02)
    daemon.stop()
    assert daemon.pid is None and group_members(leader) == []
    daemon.stop()


def test_what_outlives_its_leader_is_stopped_too(tmp_path: Path) -> None:
    daemon = sleeper(tmp_path, "sleep 100 & exit 0")
    daemon.start()
    leader = json.loads((tmp_path / "sleeper.pid").read_text())["pid"]
    until = time.monotonic() + 10
    while daemon.pid is not None and time.monotonic() < until:
        time.sleep(0.02)
    assert len(group_members(leader)) == 1
    daemon.stop()
    assert group_members(leader) == []


def test_who_does_not_heed_is_killed_after_the_wait(tmp_path: Path) -> None:
    daemon = sleeper(tmp_path, "trap '' TERM; echo ready; while :; do sleep 1; done")
    daemon.start()
    daemon.wait_until(lambda: None if "ready" in daemon.tail() else "not ready", 10)
    leader = daemon.pid
    assert leader is not None
    daemon.stop(wait_seconds=0.3)
    until = time.monotonic() + 10
    while group_members(leader) and time.monotonic() < until:
        time.sleep(0.02)
    assert group_members(leader) == []


@pytest.mark.parametrize("_again", range(20))
def test_one_that_dies_at_once_is_seen_to_have_died(_again: int, tmp_path: Path) -> None:
    daemon = Daemon("true", tmp_path, ["sh", "-c", "echo last words; exit 3"])
    daemon.start()
    with pytest.raises(ServiceFailed, match=r"true ended before it was usable[\s\S]*last words"):
        daemon.wait_until(lambda: "not yet", 30)
    assert daemon.pid is None


def test_one_that_is_never_usable_is_given_up_with_its_reason(tmp_path: Path) -> None:
    daemon = sleeper(tmp_path)
    daemon.start()
    with pytest.raises(ServiceFailed, match=r"not usable after 0 s \(port 1: refused\)"):
        daemon.wait_until(lambda: "port 1: refused", 0.2)
    daemon.kill()
    assert daemon.pid is None


@pytest.mark.parametrize("change", [{"started": "1"}, {"boot": "another"}], ids=["pid given to another", "another boot"])
def test_a_process_that_is_not_ours_is_never_signalled(change: dict[str, str], tmp_path: Path) -> None:
    stranger = subprocess.Popen(["sleep", "100"], start_new_session=True)
    try:
        daemon = sleeper(tmp_path)
        daemon.start()
        daemon.kill()
        pid_file = tmp_path / "sleeper.pid"
        known = {**json.loads(pid_file.read_text()), "pid": stranger.pid, **change}
        pid_file.write_text(json.dumps(known))
        assert daemon.pid is None
        daemon.kill()
        daemon.stop()
        assert stranger.poll() is None
    finally:
        os.killpg(stranger.pid, signal.SIGKILL)
        stranger.wait()


def test_a_command_that_is_a_function_is_asked_only_when_the_server_starts(tmp_path: Path) -> None:
    def command() -> list[str]:
        raise MachineLacks("no such program")

    daemon = Daemon("lacking", tmp_path, command)
    daemon.stop()
    with pytest.raises(MachineLacks):
        daemon.start()


def test_ports_are_free_different_and_kept(tmp_path: Path) -> None:
    names = [f"server{n}" for n in range(24)]
    with ThreadPoolExecutor(8) as pool:
        drawn = list(pool.map(lambda name: Ports(tmp_path)[name], names))
    assert len(set(drawn)) == len(names)
    assert [Ports(tmp_path)[name] for name in names] == drawn
    assert all(listens(port) is not None for port in drawn)


@pytest.mark.parametrize("name", ["", ".", "..", "/etc", "a/b", "default/home", "A", "-a", "a" * 42, "a\n"])
def test_no_name_leads_out_of_the_state_folder(name: str) -> None:
    with pytest.raises(MachineLacks, match="no cluster's name"):
        state_folder(name)


def test_a_name_is_a_folder_of_the_state_folder() -> None:
    assert state_folder("test-1") == STATE / "test-1"


def test_a_missing_program_is_named_with_the_package_that_has_it() -> None:
    require([Program("sh", "dash")])
    with pytest.raises(MachineLacks, match="not found: nonesuch. Debian: apt-get install some-package"):
        require([Program("sh", "dash"), Program("nonesuch", "some-package")])
    folder = str(Path(sys.executable).parent)
    assert Program("python", "python3", [folder]).path() == shutil.which("python", path=folder)
