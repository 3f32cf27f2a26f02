"""One SFTP connection to the drop: host key pinned, reused from call to call, and its errors in our terms."""

from __future__ import annotations

import base64
import hashlib
import re
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import paramiko
from paramiko.sftp import CMD_CLOSE, CMD_HANDLE, CMD_NAME, CMD_OPENDIR, CMD_READDIR

from connectors.ssh_keys import host_name
from custody.errors import RetryLater, SettingsError, StopRun, UsageError
from custody.ports import Outgoing

PART = ".part"
_MAX_NAME = 100
_MAX_REQUESTS = 64
# What paramiko asks for at a time.
_REQUEST_BYTES = 32_768
# What one request and its answer carry: no folder of a usual day has a larger file.
_SMALL_BYTES = _REQUEST_BYTES
# A host on which a file seems read however often it is written anew keeps other times than we think; nothing is owed by that.
_UNREAD_TRIES = 5
_TICKS_SECONDS = 0.02
# What paramiko still offers and nobody should take: CBC, SHA-1, MD5.
_OF_YESTERDAY = {
    "ciphers": ["aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc"],
    "macs": ["hmac-sha1", "hmac-md5", "hmac-sha1-96", "hmac-md5-96"],
}
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class _Transport(paramiko.Transport):  # type: ignore[misc]
    """GCM first, which brings its own proof of each packet: paramiko compares another's octet by octet, in Python, and for small files
    that is most of a connection's work."""

    _preferred_ciphers = tuple(sorted(paramiko.Transport._preferred_ciphers, key=lambda name: "gcm" not in name))


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

    def __init__(self, host: str, port: int, user: str, key: Path, pinned: Path | str, timeout_seconds: int) -> None:
        """``pinned``: a file of known hosts, or the one host key itself as a line."""
        self._host, self._port, self._user = host, port, user
        self._key, self._pinned = key, pinned
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
            raise StopRun(f"{self._host} shows another host key than {self._pinned} pins: {error}") from error
        except paramiko.ssh_exception.IncompatiblePeer as error:
            self.close()
            raise StopRun(f"{self._host} offers no algorithm that is safe today: {error}") from error
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
        name = host_name(self._host, self._port)
        if isinstance(self._pinned, str):
            kind, _, key_text = self._pinned.partition(" ")
            client.get_host_keys().add(name, kind, paramiko.PKey.from_type_string(kind, base64.b64decode(key_text)))
        else:
            if not self._pinned.is_file():
                raise SettingsError(f"{self._pinned} does not exist: pin the drop's host key first")
            client.load_host_keys(str(self._pinned))
            if client.get_host_keys().lookup(name) is None:
                raise StopRun(f"{self._pinned} pins no host key for {name}")
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
            disabled_algorithms=_OF_YESTERDAY,
            transport_factory=_Transport,
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


@dataclass(frozen=True)
class Entry:
    """A name in a folder, and what it is: a plain file's bytes, else None. A link is none."""

    name: str
    bytes: int | None
    was_read: bool


def list_folder(sftp: paramiko.SFTPClient, folder: str) -> list[Entry]:
    """By name; unfinished and dot files left out. A name that is no UTF-8 is shown escaped, and is no file that we take."""
    found = []
    for raw, attributes in listed(sftp, folder):
        name = raw.decode("utf-8", "backslashreplace")
        if name.startswith(".") or name.endswith(PART):
            continue
        plain = is_safe_name(name) and attributes.st_mode is not None and stat.S_ISREG(attributes.st_mode)
        found.append(Entry(name, (attributes.st_size or 0) if plain else None, _was_read(attributes)))
    return sorted(found, key=lambda entry: entry.name)


def _was_read(attributes: paramiko.SFTPAttributes) -> bool:
    """Files are written in one go: a host that keeps times of access says by a later one that somebody has read it since."""
    return (attributes.st_atime or 0) > (attributes.st_mtime or 0)


def listed(sftp: paramiko.SFTPClient, folder: str) -> Iterator[tuple[bytes, paramiko.SFTPAttributes]]:
    """(name, attributes) as the server says them. paramiko's own listing decodes names strictly, so that one name in another encoding
    would hide a whole folder; the attributes are those of the name itself (lstat)."""
    kind, answer = sftp._request(CMD_OPENDIR, folder)
    if kind != CMD_HANDLE:
        raise paramiko.SFTPError("expected a handle")
    handle = answer.get_binary()
    while True:
        try:
            kind, answer = sftp._request(CMD_READDIR, handle)
        except EOFError:
            break
        if kind != CMD_NAME:
            raise paramiko.SFTPError("expected names")
        for _ in range(answer.get_int()):
            name, _ = answer.get_binary(), answer.get_binary()
            attributes = paramiko.SFTPAttributes._from_msg(answer)
            if name not in (b".", b".."):
                yield name, attributes
    sftp._request(CMD_CLOSE, handle)


def read_bounded(sftp: paramiko.SFTPClient, path: str, limit_bytes: int) -> bytes:
    """At most limit_bytes + 1 bytes of a plain file; raises as read_pieces."""
    parts: list[bytes] = []
    left = limit_bytes + 1
    for piece in read_pieces(sftp, path, 0, left):
        parts.append(piece)
        left -= len(piece)
        if left <= 0:
            break
    return b"".join(parts)[: limit_bytes + 1]


def read_pieces(sftp: paramiko.SFTPClient, path: str, start: int, most: int) -> Iterator[bytes]:
    """A plain file from ``start`` to the size that it has now, of which at most ``most`` bytes are asked for ahead. Raises
    FileNotFoundError, and OSError for anything but a plain file or for one that ends before its size."""
    found = sftp.lstat(path)
    if found.st_mode is None or not stat.S_ISREG(found.st_mode):
        raise OSError(f"{path} is not a plain file")
    size = found.st_size or 0
    with sftp.open(path, "rb") as file:
        file.seek(start)
        # Asking ahead takes a thread of its own.
        if size - start > _SMALL_BYTES:
            file.prefetch(min(size, start + most), _MAX_REQUESTS)
        # Piece by piece: one read of it all makes paramiko copy what it has so far for every piece that comes.
        while start < size and (data := file.read(min(_REQUEST_BYTES, size - start))):
            start += len(data)
            yield data
    if start < size:
        raise OSError(f"{path} ended after {start} of {size} bytes")


def put_proved(sftp: paramiko.SFTPClient, folder: str, name: str, content: Outgoing) -> None:
    """Under NAME.part, of which what an earlier try left is gone on from, unless it is small; read back; then renamed. Raises OSError when
    what is read back is not what was written."""
    part, target = f"{folder}/{name}{PART}", f"{folder}/{name}"
    is_small = content.size < _SMALL_BYTES
    for start in [0] * _UNREAD_TRIES if is_small else dict.fromkeys((_plain_bytes(sftp, part), 0)):
        if start > content.size:
            continue
        _write_from(sftp, part, start, content)
        is_proved = _read_back(sftp, part, content.size) == (content.size, content.sha256)
        # When a second passes between our writing and our reading back, that would pass for the party's reading (of a seal, which is small).
        if is_proved and not (is_small and _was_read(sftp.lstat(part))):
            break
    if not is_proved:
        raise OSError(f"{part} is not read back as it was written")
    if is_small:
        # Linux hosts (relatime) move a time of access only when it is not newer than the file's last change, and note changes by the tick of
        # a clock: renamed within the tick of our reading back, the party's reading would not show.
        time.sleep(_TICKS_SECONDS)
    _rename_over(sftp, part, target)


def _rename_over(sftp: paramiko.SFTPClient, part: str, target: str) -> None:
    """In one piece where the host can (OpenSSH's extension); else the older file goes first, which nobody may read without its seal."""
    try:
        sftp.posix_rename(part, target)
    except FileNotFoundError:
        raise
    except OSError:
        try:
            sftp.remove(target)
        except FileNotFoundError:
            pass  # there was none
        sftp.rename(part, target)


def at_most(bytes_per_second: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """No faster than that: one party's large file leaves the line to others."""
    started, passed = time.monotonic(), 0
    for piece in pieces:
        yield piece
        passed += len(piece)
        ahead = passed / bytes_per_second - (time.monotonic() - started)
        if ahead > 0:
            time.sleep(ahead)


def _plain_bytes(sftp: paramiko.SFTPClient, path: str) -> int:
    try:
        found = sftp.lstat(path)
    except FileNotFoundError:
        return 0
    return (found.st_size or 0) if found.st_mode is not None and stat.S_ISREG(found.st_mode) else 0


def _write_from(sftp: paramiko.SFTPClient, path: str, start: int, content: Outgoing) -> None:
    with sftp.open(path, "r+b" if start else "wb") as file:
        file.set_pipelined(True)
        file.seek(start)
        for piece in content.pieces(start):
            file.write(piece)


def _read_back(sftp: paramiko.SFTPClient, path: str, most: int) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    for piece in [_read_once(sftp, path)] if most < _SMALL_BYTES else read_pieces(sftp, path, 0, most + 1):
        size += len(piece)
        digest.update(piece)
        if size > most:
            break
    return size, digest.hexdigest()


def _read_once(sftp: paramiko.SFTPClient, path: str) -> bytes:
    """What one request brings: the whole of a plain file that is smaller, as the protocol has it (draft-ietf-secsh-filexfer-02 §6.4)."""
    with sftp.open(path, "rb") as file:
        try:
            return bytes(file._read(_SMALL_BYTES))
        except EOFError:
            return b""


def write_whole(sftp: paramiko.SFTPClient, folder: str, name: str, data: bytes) -> None:
    """Under NAME.part, then renamed over: a reader sees all of it or nothing. Repeating is harmless."""
    part = f"{folder}/{name}{PART}"
    with sftp.open(part, "wb") as file:
        file.set_pipelined(True)
        file.write(data)
    if sftp.stat(part).st_size != len(data):
        raise OSError(f"{part} has not the {len(data)} bytes that were written")
    sftp.posix_rename(part, f"{folder}/{name}")
