"""The SFTP drop from both its sides: the bank's collector (the Drop port), and a party that sends and fetches."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

from connectors.settings import Settings
from connectors.sftp_session import SftpSession, checked, is_safe_name, list_folder, read_bounded, write_whole
from custody.errors import RetryLater


class SftpDrop:
    """Implements custody.ports.Drop: the collector sees <PARTY>/in and <PARTY>/out."""

    def __init__(self, settings: Settings) -> None:
        sftp = settings.sftp
        self._session = SftpSession(
            sftp.host,
            sftp.port,
            sftp.account(sftp.collector_user),
            settings.path(sftp.collector_key),
            settings.path(sftp.known_hosts),
            sftp.timeout_seconds,
        )

    def parties(self) -> list[str]:
        """Parties that have a folder. Raises RetryLater, StopRun (as all below)."""
        with self._session.use("list the drop") as sftp:
            entries = sftp.listdir_attr("/")
        return sorted(
            e.filename for e in entries if is_safe_name(e.filename) and e.st_mode is not None and stat.S_ISDIR(e.st_mode)
        )

    def inbound(self, party: str) -> list[tuple[str, int]]:
        return self._listing(party)[0]

    def unsafe(self, party: str) -> list[str]:
        return self._listing(party)[1]

    def _listing(self, party: str) -> tuple[list[tuple[str, int]], list[str]]:
        folder = f"/{checked(party)}/in"
        try:
            with self._session.use(f"list {folder}") as sftp:
                return list_folder(sftp, folder)
        except FileNotFoundError as error:
            raise RetryLater(f"{folder} does not exist") from error

    def read(self, party: str, name: str, limit_bytes: int) -> bytes:
        path = f"/{checked(party)}/in/{checked(name)}"
        try:
            with self._session.use(f"read {path}") as sftp:
                return read_bounded(sftp, path, limit_bytes)
        except FileNotFoundError as error:
            raise RetryLater(f"{path} left while the folder was read") from error

    def remove(self, party: str, name: str) -> None:
        path = f"/{checked(party)}/in/{checked(name)}"
        try:
            with self._session.use(f"remove {path}") as sftp:
                sftp.remove(path)
        except FileNotFoundError:
            return

    def deliver(self, party: str, name: str, data: bytes) -> None:
        folder = f"/{checked(party)}/out"
        try:
            with self._session.use(f"deliver {folder}/{name}") as sftp:
                write_whole(sftp, folder, checked(name), data)
        except FileNotFoundError as error:
            raise RetryLater(f"{folder} does not exist") from error

    def close(self) -> None:
        self._session.close()


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
                return list_folder(sftp, "/out")[0]
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
