"""The SFTP drop from both its sides: the bank's collector (the Drop port), and a party that sends and fetches."""

from __future__ import annotations

import stat
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import paramiko

from connectors.settings import TAKEN, Settings
from connectors.sftp_session import (
    SftpSession,
    at_most,
    checked,
    is_safe_name,
    list_folder,
    put_proved,
    read_bounded,
    read_pieces,
    write_whole,
)
from custody.errors import RetryLater
from custody.ports import Inbox, Lying, Outgoing, TakenFile


class SftpDrop:
    """Implements custody.ports.Drop: the collector sees <PARTY>/in, <PARTY>/out and .taken/<PARTY>."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # Sessions that nobody uses now; a thread takes one, or makes one.
        self._idle: deque[SftpSession] = deque()

    @contextmanager
    def _use(self, what: str) -> Iterator[paramiko.SFTPClient]:
        try:
            session = self._idle.pop()
        except IndexError:
            sftp = self._settings.sftp
            session = SftpSession(
                sftp.host,
                sftp.port,
                sftp.account(sftp.collector_user),
                self._settings.path(sftp.collector_key),
                self._settings.path(sftp.known_hosts),
                sftp.timeout_seconds,
            )
        try:
            with session.use(what) as client:
                yield client
        finally:
            self._idle.append(session)

    def parties(self) -> list[str]:
        """Parties that have a folder. Raises RetryLater, StopRun (as all below)."""
        with self._use("list the drop") as sftp:
            entries = sftp.listdir_attr("/")
        return sorted(
            e.filename for e in entries if is_safe_name(e.filename) and e.st_mode is not None and stat.S_ISDIR(e.st_mode)
        )

    def dialled(self) -> list[str]:
        return []

    def held_back(self) -> Mapping[str, str]:
        return {}

    def reachable(self, party: str) -> bool:
        return True

    def inbox(self, party: str) -> Inbox:
        folders = f"/{checked(party)}/in", f"/{TAKEN}/{party}"
        try:
            with self._use(f"list {folders[0]}") as sftp:
                inbound, aside = (list_folder(sftp, folder) for folder in folders)
        except FileNotFoundError as error:
            raise RetryLater(f"{' or '.join(folders)} does not exist") from error
        taken = [TakenFile(*entry.name.split(_MARK_ENDS, 1)) for entry in aside if entry.bytes is not None]
        waiting = {entry.name: entry.bytes for entry in inbound if entry.bytes is not None}
        return Inbox(waiting, taken, [entry.name for entry in inbound if entry.bytes is None])

    def take(self, party: str, name: str, mark: str) -> bool:
        path = f"/{checked(party)}/in/{checked(name)}"
        try:
            with self._use(f"take {path}") as sftp:
                # A link that took the file's place since it was listed would be moved, not followed: it is never opened.
                sftp.posix_rename(path, _taken(party, name, mark))
        except FileNotFoundError:
            return False
        return True

    def give_back(self, party: str, name: str, mark: str) -> None:
        path = f"/{checked(party)}/in/{checked(name)}"
        try:
            with self._use(f"give back {path}") as sftp:
                if name in (entry.name for entry in list_folder(sftp, f"/{party}/in")):
                    sftp.remove(_taken(party, name, mark))
                else:
                    sftp.posix_rename(_taken(party, name, mark), path)
        except FileNotFoundError:
            return

    def pieces(self, party: str, name: str, mark: str, start: int) -> Generator[bytes, None, None]:
        path = _taken(checked(party), checked(name), mark)
        most = self._settings.sftp.max_file_bytes + 1
        try:
            with self._use(f"read {path}") as sftp:
                yield from at_most(self._settings.sftp.max_bytes_per_second, read_pieces(sftp, path, start, most))
        except FileNotFoundError as error:
            raise RetryLater(f"{path} left while it was read") from error

    def remove(self, party: str, name: str, mark: str) -> None:
        path = _taken(checked(party), checked(name), mark)
        try:
            with self._use(f"remove {path}") as sftp:
                sftp.remove(path)
        except FileNotFoundError:
            return

    def deliver(self, party: str, name: str, content: Outgoing) -> None:
        folder, rate = f"/{checked(party)}/out", self._settings.sftp.max_bytes_per_second
        slowed = replace(content, pieces=lambda start: at_most(rate, content.pieces(start)))
        try:
            with self._use(f"deliver {folder}/{name}") as sftp:
                put_proved(sftp, folder, checked(name), slowed)
        except FileNotFoundError as error:
            raise RetryLater(f"{folder} does not exist") from error

    def lying(self, party: str) -> Mapping[str, Lying]:
        folder = f"/{checked(party)}/out"
        try:
            with self._use(f"list {folder}") as sftp:
                found = list_folder(sftp, folder)
        except FileNotFoundError as error:
            raise RetryLater(f"{folder} does not exist") from error
        return {entry.name: Lying(entry.bytes, entry.was_read) for entry in found if entry.bytes is not None}

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()


_MARK_ENDS = "."


def _taken(party: str, name: str, mark: str) -> str:
    return f"/{TAKEN}/{party}/{checked(mark)}{_MARK_ENDS}{name}"


class PartyClient:
    """What a platform, channel or gateway does: put its files, the seal last, and fetch what the bank wrote for it."""

    def __init__(self, settings: Settings, party: str, key: Path) -> None:
        sftp = settings.sftp
        self._session = SftpSession(
            sftp.host, sftp.port, sftp.account(checked(party)), key, settings.path(sftp.known_hosts), sftp.timeout_seconds
        )

    def put(self, name: str, data: bytes) -> None:
        """Into in/, as NAME.part and then renamed. Repeating is harmless. Raises RetryLater, StopRun (as all below)."""
        try:
            with self._session.use(f"put {name}") as sftp:
                write_whole(sftp, "/in", checked(name), data)
        except FileNotFoundError as error:
            raise RetryLater(f"put {name}: the drop has no in/ folder") from error

    def put_set(self, files: Mapping[str, bytes], seals: Mapping[str, bytes]) -> None:
        """The data files first, then their seals: a seal never stands before what it names."""
        for group in (files, seals):
            for name in sorted(group):
                self.put(name, group[name])

    def list_out(self) -> list[tuple[str, int]]:
        """(name, bytes) of what the bank has delivered."""
        try:
            with self._session.use("list out/") as sftp:
                return [(entry.name, entry.bytes) for entry in list_folder(sftp, "/out") if entry.bytes is not None]
        except FileNotFoundError as error:
            raise RetryLater("the drop has no out/ folder") from error

    def get(self, name: str, limit_bytes: int) -> bytes:
        """One delivered file, at most limit_bytes + 1 bytes of it."""
        try:
            with self._session.use(f"get {name}") as sftp:
                return read_bounded(sftp, f"/out/{checked(name)}", limit_bytes)
        except FileNotFoundError as error:
            raise RetryLater(f"out/{name} is not there yet") from error

    def close(self) -> None:
        self._session.close()
