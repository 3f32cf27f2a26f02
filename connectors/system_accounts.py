"""Log-ins to a drop that the machine's own sshd serves: each party, and the collector, is a locked account of the system.

An account has no password and no shell, only a key; sshd shuts it into its home (cluster/sshd.py). Who reaches what:

    drop/            root:COLLECTOR   0750  the collector's root
    drop/.taken/     root:COLLECTOR   0750  and in it PARTY/, COLLECTOR:COLLECTOR 0700: what it has moved out of in/
    drop/PARTY/      root:root        0755  the party's root
    drop/PARTY/in/   PARTY:COLLECTOR  2770  files become PARTY:COLLECTOR 0640: the collector reads and removes them
    drop/PARTY/out/  COLLECTOR:PARTY  2750  files become COLLECTOR:PARTY 0640: the party reads them

Only root makes accounts. What is to be done is worked out as commands first: root's process runs them, anybody else's stops
and names them for an administrator. What is right already needs no command, so that repeating is harmless.
"""

from __future__ import annotations

import grp
import os
import pwd
import shlex
import stat
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from connectors.authorized_keys import as_file, keys_named
from connectors.processes import process_user
from connectors.settings import TAKEN, Settings
from custody.errors import SettingsError, StopRun

# Behind the prefix: the group whose members sshd lets in. No party is named so: parties are capitals.
_LOGIN_GROUP = "drop"
_NO_SHELL = "/usr/sbin/nologin"
_COMMAND_SECONDS = 60
# pkill's answer when there was nothing left to end.
_NOTHING_TO_END = 1


@dataclass(frozen=True)
class _Command:
    words: Sequence[str]
    text: str = ""

    def __str__(self) -> str:
        line = shlex.join(self.words)
        return f"printf '%s' {shlex.quote(self.text)} | {line}" if self.text else line


@dataclass(frozen=True)
class Login:
    """Who gets in: a party or the collector, with the lines of its authorized keys (connectors.authorized_keys); none locks it out."""

    user: str
    lines: tuple[str, ...]


def login_group(settings: Settings) -> str:
    """The group of all of this instance's accounts. Raises SettingsError without an account prefix."""
    if not settings.sftp.account_prefix:
        raise SettingsError("sftp.server openssh needs sftp.account_prefix: it marks this instance's accounts on the machine")
    return f"{settings.sftp.account_prefix}{_LOGIN_GROUP}"


def admit_accounts(settings: Settings, logins: Iterable[Login]) -> None:
    """Make accounts, folders and keys follow ``logins``. Raises StopRun: not root, or something on the machine is in the way."""
    group = login_group(settings)
    drop, keys = settings.path(settings.sftp.drop_root), settings.path(settings.sftp.authorized_keys)
    for folder in (drop, keys):
        _check_only_root_writes(folder)
    plan = [*_group(group), *_folder(keys, "root", "root", 0o755)]
    for login in logins:
        plan += _login(settings, drop, keys, login)
    _run(plan)


def remove_accounts(settings: Settings) -> None:
    """Delete every account and group that this instance made, and end their sessions. Files stay. Raises StopRun: not root."""
    prefix = settings.sftp.account_prefix
    group = login_group(settings)
    drop = settings.path(settings.sftp.drop_root)
    ours = [a for a in pwd.getpwall() if a.pw_name.startswith(prefix) and drop in (Path(a.pw_dir), Path(a.pw_dir).parent)]
    _run([command for account in ours for command in (*_end_sessions(account.pw_name), _Command(["userdel", account.pw_name]))])
    # Most groups have left with their account.
    in_use = {account.pw_gid for account in pwd.getpwall()}
    names = {group, *(account.pw_name for account in ours)}
    left = [g.gr_name for g in grp.getgrall() if g.gr_name in names and g.gr_gid not in in_use]
    _run([_Command(["groupdel", name]) for name in left])


def _login(settings: Settings, drop: Path, keys: Path, login: Login) -> list[_Command]:
    account = settings.sftp.account(login.user)
    collector = settings.sftp.account(settings.sftp.collector_user)
    key = keys / account
    if account == collector:
        home = drop
        plan = [
            *_account(settings, account, home),
            *_folder(drop, "root", collector, 0o750),
            *_folder(drop / TAKEN, "root", collector, 0o750),
        ]
    else:
        home = drop / login.user
        plan = [
            *_account(settings, account, home),
            *_folder(home, "root", "root", 0o755),
            *_folder(home / "in", account, collector, 0o2770),
            *_folder(home / "out", collector, account, 0o2750),
            *_folder(drop / TAKEN / login.user, collector, collector, 0o700),
        ]
    if not login.lines:
        return [*plan, *_locked_out(account, key)]
    wanted = as_file(login.lines)
    return [*plan, *_file(key, wanted), *_end_sessions_of_gone_keys(account, key, wanted)]


def _group(name: str) -> list[_Command]:
    return [] if _gid(name) is not None else [_Command(["groupadd", "--system", name])]


def _account(settings: Settings, name: str, home: Path) -> list[_Command]:
    try:
        standing = pwd.getpwnam(name)
    except KeyError:
        # Password "*": locked for passwords only; the "!" that useradd would write locks out keys too.
        useradd = [
            "useradd", "--system", "--badname", "--no-create-home", "--home-dir", str(home), "--shell", _NO_SHELL,
            "--password", "*", "--gid", name, "--groups", login_group(settings), name,
        ]  # fmt: skip
        return [*_group(name), _Command(useradd)]
    if Path(standing.pw_dir) != home:
        raise StopRun(f"the machine has an account {name} with the home {standing.pw_dir}: choose another sftp.account_prefix")
    group = _group_entry(login_group(settings))
    if group is not None and name in group.gr_mem:
        return []
    return [_Command(["usermod", "--append", "--groups", login_group(settings), name])]


def _folder(path: Path, owner: str, group: str, mode: int) -> list[_Command]:
    """Kept as it is where it is right; its files are never touched."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        right = False
    else:
        if not stat.S_ISDIR(found.st_mode):
            raise StopRun(f"{path} is not a folder")
        right = (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (_uid(owner), _gid(group), mode)
    return [] if right else [_Command(["install", "-d", "-o", owner, "-g", group, "-m", f"{mode:04o}", str(path)])]


def _file(path: Path, text: str) -> list[_Command]:
    """Readable by all: sshd reads it as the user who logs in. A public key is no secret."""
    if path.is_file() and path.read_text(encoding="ascii") == text and stat.S_IMODE(path.stat().st_mode) == 0o644:
        return []
    return [_Command(["install", "-o", "root", "-g", "root", "-m", "0644", "/dev/stdin", str(path)], text)]


def _locked_out(account: str, key: Path) -> list[_Command]:
    return [*([_Command(["rm", "-f", str(key)])] if key.exists() else []), *_end_sessions(account)]


def _end_sessions_of_gone_keys(account: str, key: Path, wanted: str) -> list[_Command]:
    """A session does not say by which key it began: where one is taken away, all of them log in again."""
    if not key.is_file() or keys_named(key.read_text(encoding="ascii")) <= keys_named(wanted):
        return []
    return _end_sessions(account)


def _end_sessions(account: str) -> list[_Command]:
    """Who is logged in stays in, whatever becomes of his key: a session ends with its processes, which run as the account."""
    uid = _uid(account)
    return [_Command(["pkill", "-KILL", "-u", str(uid)])] if uid is not None and _has_processes(uid) else []


def _has_processes(uid: int) -> bool:
    return any(process_user(int(path.name)) == uid for path in Path("/proc").glob("[0-9]*"))


def _check_only_root_writes(folder: Path) -> None:
    """sshd refuses a root folder or a key that anybody but root could exchange by renaming a folder above it."""
    for parent in folder.parents:
        try:
            found = parent.stat()
        except FileNotFoundError:
            continue
        if found.st_uid != 0 or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise StopRun(f"{folder}: sshd demands that root alone may write in every folder above it, and {parent} is not so")


def _run(plan: Sequence[_Command]) -> None:
    if not plan:
        return
    if os.geteuid() != 0:
        lines = "\n".join(str(command) for command in plan)
        raise StopRun(f"accounts of the machine are made by root. Let an administrator run this, then repeat:\n{lines}")
    for command in plan:
        done = subprocess.run(command.words, input=command.text, capture_output=True, text=True, timeout=_COMMAND_SECONDS)
        if done.returncode != 0 and not (command.words[0] == "pkill" and done.returncode == _NOTHING_TO_END):
            raise StopRun(f"{command} ended {done.returncode}: {done.stderr.strip()}")


def _uid(name: str) -> int | None:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


def _gid(name: str) -> int | None:
    group = _group_entry(name)
    return None if group is None else group.gr_gid


def _group_entry(name: str) -> grp.struct_group | None:
    try:
        return grp.getgrnam(name)
    except KeyError:
        return None
