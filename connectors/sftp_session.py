"""One SFTP connection to the drop: host key pinned, reused from call to call, and its errors in our terms."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko

from connectors.ssh_keys import host_name
from custody.errors import RetryLater, SettingsError, StopRun, UsageError

PART = ".part"
_MAX_NAME = 100
_MAX_REQUESTS = 64
# What paramiko asks for at a time.
_REQUEST_BYTES = 32_768
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def is_safe_name(name: str) -> bool:
    """Letters, digits, ``_ - .``; not starting with a dot; so never a path, a control character or an option."""
    return len(name) <= _MAX_NAME and _SAFE.fullmatch(name) is not None


def checked(name: str) -> str:
    """The name, or UsageError: nothing else ever becomes part of a remote path."""
    if not is_safe_name(name):
        raise UsageError(f"{name!r} is not a file name that the drop takes")
    return name


class SftpSession:
    """A user's session, opened when first used and again after any error. Not for use by several threads."""

    def __init__(self, host: str, port: int, user: str, key: Path, known_hosts: Path, timeout_seconds: int) -> None:
        self._host, self._port, self._user = host, port, user
        self._key, self._known_hosts = key, known_hosts
        self._timeout = timeout_seconds
        self._client: paramiko.SSHClient | None = None
        self._sftp: paramiko.SFTPClient | None = None

    @contextmanager
    def use(self, what: str) -> Iterator[paramiko.SFTPClient]:
        """The connection for one piece of work, named in its errors.

        Raises RetryLater for whatever another try may cure; StopRun when the host shows another key than the pinned
        one or does not take ours. FileNotFoundError passes through, for the caller to weigh.
        """
        try:
            yield self._connected()
        except FileNotFoundError:
            raise
        except paramiko.BadHostKeyException as error:
            self.close()
            raise StopRun(f"{self._host} shows another host key than {self._known_hosts} pins: {error}") from error
        except paramiko.AuthenticationException as error:
            self.close()
            raise StopRun(f"{self._host} does not take {self._user}'s key: {error}") from error
        except (OSError, EOFError, paramiko.SSHException, UnicodeDecodeError) as error:
            # After an error the connection's state is unknown; the next use makes a new one.
            self.close()
            raise RetryLater(f"{what}: {type(error).__name__}: {error}") from error

    def _connected(self) -> paramiko.SFTPClient:
        if self._sftp is not None:
            return self._sftp
        client = paramiko.SSHClient()
        self._client = client
        if not self._known_hosts.is_file():
            raise SettingsError(f"{self._known_hosts} does not exist: pin the drop's host key first")
        client.load_host_keys(str(self._known_hosts))
        if client.get_host_keys().lookup(host_name(self._host, self._port)) is None:
            raise StopRun(f"{self._known_hosts} pins no host key for {host_name(self._host, self._port)}")
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        try:
            key = paramiko.Ed25519Key.from_private_key_file(str(self._key))
        except (OSError, paramiko.SSHException) as error:
            raise SettingsError(f"{self._key} is not our key for {self._host}: {error}") from error
        client.connect(
            self._host,
            self._port,
            self._user,
            pkey=key,
            allow_agent=False,
            look_for_keys=False,
            timeout=self._timeout,
            banner_timeout=self._timeout,
            auth_timeout=self._timeout,
            channel_timeout=self._timeout,
        )
        sftp = client.open_sftp()
        channel = sftp.get_channel()
        assert channel is not None
        channel.settimeout(self._timeout)
        self._sftp = sftp
        return sftp

    def close(self) -> None:
        """Close the connection; closing twice is harmless."""
        if self._client is not None:
            self._client.close()
        self._client = self._sftp = None


def list_folder(sftp: paramiko.SFTPClient, folder: str) -> tuple[list[tuple[str, int]], list[str]]:
    """(plain files with their bytes, names that are none or that we do not take), sorted; unfinished and dot files left out."""
    files: list[tuple[str, int]] = []
    unsafe: list[str] = []
    for entry in sftp.listdir_attr(folder):
        name = entry.filename
        if name.startswith(".") or name.endswith(PART):
            continue
        # The listing's attributes are those of the name itself (lstat): a link shows as a link.
        if is_safe_name(name) and entry.st_mode is not None and stat.S_ISREG(entry.st_mode):
            files.append((name, entry.st_size or 0))
        else:
            unsafe.append(name)
    return sorted(files), sorted(unsafe)


def read_bounded(sftp: paramiko.SFTPClient, path: str, limit_bytes: int) -> bytes:
    """At most limit_bytes + 1 bytes of a plain file; raises FileNotFoundError, and OSError for anything but a plain file."""
    found = sftp.lstat(path)
    if found.st_mode is None or not stat.S_ISREG(found.st_mode):
        raise OSError(f"{path} is not a plain file")
    left = limit_bytes + 1
    expected = min(found.st_size or 0, left)
    parts: list[bytes] = []
    with sftp.open(path, "rb") as file:
        file.prefetch(expected, _MAX_REQUESTS)
        # Piece by piece: one read of it all makes paramiko copy what it has so far for every piece that comes.
        while left > 0 and (data := file.read(min(left, _REQUEST_BYTES))):
            parts.append(data)
            left -= len(data)
    whole = b"".join(parts)
    if len(whole) < expected:
        raise OSError(f"{path} ended after {len(whole)} of {expected} bytes")
    return whole


def write_whole(sftp: paramiko.SFTPClient, folder: str, name: str, data: bytes) -> None:
    """Under NAME.part, then renamed over: a reader sees all of it or nothing. Repeating is harmless."""
    part = f"{folder}/{name}{PART}"
    with sftp.open(part, "wb") as file:
        file.set_pipelined(True)
        file.write(data)
    if sftp.stat(part).st_size != len(data):
        raise OSError(f"{part} has not the {len(data)} bytes that were written")
    sftp.posix_rename(part, f"{folder}/{name}")
