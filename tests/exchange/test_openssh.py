"""The drop on the machine's sshd: what its accounts, folders and sessions must hold to, beyond what every drop does."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import paramiko
import pytest
from exchange_kit import Exchange, make_home, outgoing
from real_sshd import RealSshd

from connectors import system_accounts
from connectors.drop_accounts import admit, make_server_keys, remove_accounts
from connectors.processes import process_user
from connectors.settings import Settings
from connectors.ssh_keys import make_key, public_key_line
from connectors.system_accounts import Login
from custody.errors import RetryLater, SettingsError, StopRun
from custody.ports import Inbox

pytestmark = pytest.mark.real
_MEGABYTE = 1024 * 1024


def _login(settings: Settings, name: str = "P001") -> Login:
    key = settings.home / "party_keys" / name
    make_key(key)
    return Login(name, (public_key_line(key),))


def _owner_and_mode(path: Path) -> tuple[str, str, str]:
    found = path.stat()
    return pwd.getpwuid(found.st_uid).pw_name, grp.getgrgid(found.st_gid).gr_name, f"{found.st_mode & 0o7777:04o}"


@contextmanager
def _when(happened: Callable[[], bool], then: Callable[[], int]) -> Iterator[None]:
    """Beside the block, does ``then`` as soon as ``happened``; it must have done something to somebody."""

    def watch() -> int:
        until = time.monotonic() + 60
        while not happened():
            assert time.monotonic() < until, "it never happened"
            time.sleep(0.002)
        return then()

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(watch)
        yield
        assert done.result() > 0


def _bytes_read_by(uid: int) -> int:
    """The most that one process of this user has read from anywhere."""
    found = [0]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process_user(int(process.name)) == uid:
                found.append(int((process / "io").read_text().split()[1]))
        except OSError:
            continue  # it ended while we looked
    return max(found)


def test_a_session_killed_in_the_middle_of_a_put(openssh: Exchange, sshd: RealSshd) -> None:
    data = os.urandom(_MEGABYTE) * 40
    part, account = openssh.folder() / "a.csv.part", openssh.settings.sftp.account("P001")
    client = openssh.client()

    def is_under_way() -> bool:
        return part.exists() and part.stat().st_size > _MEGABYTE

    with _when(is_under_way, lambda: sshd.server.kill_sessions(account)), pytest.raises(RetryLater):
        client.put("a.csv", data)
    assert 0 < part.stat().st_size < len(data)
    assert openssh.drop.inbox("P001") == Inbox({}, [], [])
    client.put("a.csv", data)
    assert openssh.drop.inbox("P001").waiting == {"a.csv": len(data)}
    assert openssh.drop.take("P001", "a.csv", "m")
    assert b"".join(openssh.drop.pieces("P001", "a.csv", "m", 0)) == data
    client.close()


# paramiko asks ahead in a thread of its own, whose end nobody waits for; the reader is told all the same.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_session_killed_in_the_middle_of_a_get(openssh: Exchange, sshd: RealSshd) -> None:
    size, path = 300 * _MEGABYTE, openssh.folder() / "a.csv"
    with path.open("wb") as file:
        file.truncate(size)
    account = openssh.settings.sftp.account("collector")
    uid = pwd.getpwnam(account).pw_uid
    assert openssh.drop.take("P001", "a.csv", "m")

    def is_under_way() -> bool:
        return _bytes_read_by(uid) > 10 * _MEGABYTE

    with _when(is_under_way, lambda: sshd.server.kill_sessions(account)), pytest.raises(RetryLater):
        for _ in openssh.drop.pieces("P001", "a.csv", "m", 0):
            pass


def test_a_server_that_was_killed_is_a_later_try(openssh: Exchange, sshd: RealSshd) -> None:
    client = openssh.client()
    client.put("a.csv", b"1")
    sshd.server.kill()
    with pytest.raises(RetryLater):
        client.put("b.csv", b"2")
    with pytest.raises(RetryLater):
        openssh.drop.inbox("P001")
    sshd.server.start()
    client.put("b.csv", b"2")
    assert openssh.drop.inbox("P001").waiting == {"a.csv": 1, "b.csv": 1}
    client.close()


def test_a_file_belongs_to_its_writer_and_is_read_by_the_other_side_only(openssh: Exchange) -> None:
    openssh.send({"a.csv": b"1"}, {})
    openssh.drop.deliver("P001", "r.json", outgoing(b"2"))
    party, other, collector = (openssh.settings.sftp.account(user) for user in ("P001", "P002", "collector"))
    drop = openssh.folder().parent.parent
    assert {str(path.relative_to(drop)): _owner_and_mode(path) for path in [drop, *(drop / "P001").rglob("*")]} == {
        ".": ("root", collector, "0750"),
        "P001/in": (party, collector, "2770"),
        "P001/out": (collector, party, "2750"),
        "P001/in/a.csv": (party, collector, "0640"),
        "P001/out/r.json": (collector, party, "0640"),
    }
    # Not even outside its root folder would one party read another's file.
    for user, path, ends in ((collector, "in/a.csv", 0), (other, "in/a.csv", 1), (other, "out/r.json", 1), ("nobody", "in", 1)):
        entry = pwd.getpwnam(user)
        groups = os.getgrouplist(user, entry.pw_gid)
        command = ["test", "-r", str(drop / "P001" / path)]
        assert subprocess.run(command, user=entry.pw_uid, group=entry.pw_gid, extra_groups=groups).returncode == ends


def test_a_party_without_a_key_is_cut_off_where_it_is(openssh: Exchange) -> None:
    client = openssh.client()
    client.put("a.csv", b"1")
    admit(openssh.settings, [Login("P001", ())])
    with pytest.raises(RetryLater):
        client.put("b.csv", b"2")
    with pytest.raises(StopRun, match="does not take"):
        client.put("b.csv", b"2")
    assert openssh.waiting() == ["a.csv"]
    admit(openssh.settings, [_login(openssh.settings)])
    client.put("b.csv", b"2")
    client.close()


@pytest.mark.parametrize("account", ["nobody", "root"])
def test_an_account_that_is_not_the_instances_own_stays_outside_even_with_a_key(openssh: Exchange, account: str) -> None:
    sftp = openssh.settings.sftp
    key = openssh.settings.home / "party_keys" / "P001"
    (openssh.settings.path(sftp.authorized_keys) / account).write_text(f"{public_key_line(key)}\n")
    client = paramiko.SSHClient()
    client.load_host_keys(str(openssh.settings.path(sftp.known_hosts)))
    pkey = paramiko.Ed25519Key.from_private_key_file(str(key))
    with pytest.raises(paramiko.AuthenticationException):
        client.connect(sftp.host, sftp.port, account, pkey=pkey, allow_agent=False, look_for_keys=False)
    client.close()


def _accounts(prefix: str) -> tuple[list[str], list[str]]:
    users = [a.pw_name for a in pwd.getpwall() if a.pw_name.startswith(prefix)]
    return sorted(users), sorted(g.gr_name for g in grp.getgrall() if g.gr_name.startswith(prefix))


@pytest.fixture
def other_home(sshd: RealSshd) -> Iterator[Settings]:
    """Another instance on the same machine: no server, accounts of its own."""
    folder = sshd.folder / "other"
    prefix = f"u{os.getpid()}-"
    settings = make_home(folder / "home", {**sshd.changes, "sftp.account_prefix": prefix, "sftp.drop_root": str(folder / "drop")})
    yield settings
    remove_accounts(settings)
    assert _accounts(prefix) == ([], [])


def test_accounts_are_removed_and_nobody_elses(other_home: Settings, openssh: Exchange) -> None:
    prefix, neighbours = other_home.sftp.account_prefix, _accounts(openssh.settings.sftp.account_prefix)
    admit(other_home, [_login(other_home)])
    assert _accounts(prefix) == (
        [f"{prefix}P001", f"{prefix}collector"],
        [f"{prefix}P001", f"{prefix}collector", f"{prefix}drop"],
    )
    foreign = f"{prefix}P009"
    subprocess.run(["useradd", "--system", "--badname", "--home-dir", "/nonexistent", "--no-create-home", foreign], check=True)
    try:
        with pytest.raises(StopRun, match=r"account .*P009 with the home /nonexistent"):
            admit(other_home, [_login(other_home, "P009")])
        remove_accounts(other_home)
        assert _accounts(prefix) == ([foreign], [foreign])
    finally:
        subprocess.run(["userdel", foreign], check=True)
    assert _accounts(openssh.settings.sftp.account_prefix) == neighbours
    # Files stay, and making the accounts again takes them up.
    make_server_keys(other_home)
    admit(other_home, [_login(other_home)])
    drop = other_home.path(other_home.sftp.drop_root)
    assert _owner_and_mode(drop / "P001" / "in") == (f"{prefix}P001", f"{prefix}collector", "2770")


def test_who_is_not_root_is_told_what_an_administrator_must_run(other_home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    admit(other_home, [_login(other_home)])
    monkeypatch.setattr(system_accounts.os, "geteuid", lambda: 1000)
    # What is right already takes no administrator.
    admit(other_home, [_login(other_home)])
    for logins in ([_login(other_home), _login(other_home, "P002")], [Login("P001", ())]):
        with pytest.raises(StopRun, match="Let an administrator run this") as stopped:
            admit(other_home, logins)
        subprocess.run(["sh", "-e"], input=str(stopped.value).partition("\n")[2], text=True, check=True)
        admit(other_home, logins)
    keys = other_home.path(other_home.sftp.authorized_keys)
    prefix = other_home.sftp.account_prefix
    assert sorted(path.name for path in keys.iterdir()) == [f"{prefix}P002", f"{prefix}collector"]


def test_a_place_that_sshd_would_refuse_is_refused_at_once(sshd: RealSshd, tmp_path: Path) -> None:
    with pytest.raises(StopRun, match="root alone may write in every folder above it"):
        make_home(tmp_path / "home", sshd.changes)
    with pytest.raises(SettingsError, match="account_prefix"):
        make_home(sshd.folder / "nameless", {**sshd.changes, "sftp.account_prefix": ""})
