"""Parties' own SFTP hosts, dialled with the key that our collector has; each with the one host key that its contract pins."""

from __future__ import annotations

import stat
from collections import defaultdict, deque
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import paramiko

from connectors.settings import Settings
from connectors.sftp_session import (
    SftpSession,
    at_most,
    checked,
    is_safe_name,
    list_folder,
    listed,
    put_proved,
    read_pieces,
)
from custody.errors import RetryLater, UsageError
from custody.external_hosts import ExternalHost
from custody.ports import Lying, Outgoing, RemoteFile

_PART = ".part"


class SftpHosts:
    """Implements custody.ports.RemoteHosts."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # Sessions that nobody uses now; a thread takes one, or makes one.
        self._idle: dict[ExternalHost, deque[SftpSession]] = defaultdict(deque)

    @contextmanager
    def _use(self, host: ExternalHost, what: str) -> Iterator[paramiko.SFTPClient]:
        sftp = self._settings.sftp
        try:
            session = self._idle[host].pop()
        except IndexError:
            key = self._settings.path(sftp.collector_key)
            session = SftpSession(host.host, host.port, host.user, key, host.host_key, sftp.timeout_seconds)
        try:
            with session.use(f"{host.host}: {what}") as client:
                yield client
        finally:
            self._idle[host].append(session)

    def listing(self, host: ExternalHost) -> list[RemoteFile]:
        try:
            with self._use(host, f"list {host.inbound}") as sftp:
                found = list(listed(sftp, host.inbound))
        except FileNotFoundError as error:
            raise RetryLater(f"{host.host} has no folder {host.inbound}") from error
        files = [_file(raw.decode("utf-8", "backslashreplace"), attributes) for raw, attributes in found]
        return [file for file in files if not file.name.endswith(_PART)]

    def stat(self, host: ExternalHost, name: str) -> RemoteFile | None:
        path = _path(host, name)
        try:
            with self._use(host, f"look at {path}") as sftp:
                return _file(name, sftp.lstat(path))
        except FileNotFoundError:
            return None

    def rename(self, host: ExternalHost, old: str, new: str) -> bool:
        try:
            with self._use(host, f"rename {old}") as sftp:
                # Never over another file: the plain request, which fails where there is one.
                sftp.rename(_path(host, old), _path(host, new))
        except FileNotFoundError:
            return False
        return True

    def pieces(self, host: ExternalHost, name: str, start: int) -> Generator[bytes, None, None]:
        path, sftp_settings = _path(host, name), self._settings.sftp
        try:
            with self._use(host, f"read {path}") as sftp:
                pieces = read_pieces(sftp, path, start, sftp_settings.max_file_bytes + 1)
                yield from at_most(sftp_settings.max_bytes_per_second, pieces)
        except FileNotFoundError as error:
            raise RetryLater(f"{path} left while it was read") from error

    def remove(self, host: ExternalHost, name: str) -> None:
        try:
            with self._use(host, f"remove {name}") as sftp:
                sftp.remove(_path(host, name))
        except FileNotFoundError:
            return

    def deliver(self, host: ExternalHost, name: str, content: Outgoing) -> None:
        rate = self._settings.sftp.max_bytes_per_second
        slowed = replace(content, pieces=lambda start: at_most(rate, content.pieces(start)))
        try:
            with self._use(host, f"deliver {name}") as sftp:
                put_proved(sftp, host.outbound, checked(name), slowed)
        except FileNotFoundError as error:
            raise RetryLater(f"{host.host} has no folder {host.outbound}") from error

    def lying(self, host: ExternalHost) -> Mapping[str, Lying]:
        try:
            with self._use(host, f"list {host.outbound}") as sftp:
                found = list_folder(sftp, host.outbound)
        except FileNotFoundError as error:
            raise RetryLater(f"{host.host} has no folder {host.outbound}") from error
        return {entry.name: Lying(entry.bytes, entry.was_read) for entry in found if entry.bytes is not None}

    def close(self) -> None:
        for sessions in self._idle.values():
            while sessions:
                sessions.pop().close()


def _path(host: ExternalHost, name: str) -> str:
    """Only names that cannot be anything but a file's ever become part of a path; ours begin with one dot."""
    if not is_safe_name(name.removeprefix(".")):
        raise UsageError(f"{name!r} is not a file name that we take")
    return f"{host.inbound}/{name}"


def _file(name: str, attributes: paramiko.SFTPAttributes) -> RemoteFile:
    """Nothing but a plain file with a name that we take has bytes."""
    mode = attributes.st_mode
    plain = is_safe_name(name.removeprefix(".")) and mode is not None and stat.S_ISREG(mode)
    return RemoteFile(name, (attributes.st_size or 0) if plain else None, attributes.st_mtime or 0)
