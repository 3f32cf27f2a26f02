"""Where the lake's files lie: a local folder or HDFS, behind one small protocol. What they hold is connectors.lake's.

A file is written once, whole: readers see all of it under its name or nothing, and after a crash of the machine it is still
there. Files go in and out as bytes, since one table's Parquet is a fraction of the Arrow table that is in memory anyway.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from concurrent.futures import Future
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from threading import Thread
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import urlsplit

import pyarrow as pa

from connectors.archive import sync_folder, write_durably
from connectors.disk import room_for
from custody.errors import CustodyError, RetryLater, SealBroken, SettingsError, StopRun

if TYPE_CHECKING:
    from hdfs_native._internal import RawClient

_T = TypeVar("_T")


class LakeFiles(Protocol):
    """Files under one root. Paths are relative to it, with ``/`` between names.

    Every method raises RetryLater when the store does not answer, StopRun when it refuses.
    """

    def fresh(self, folder: str) -> None:
        """Make an empty folder; whatever lies there is removed."""
        ...

    def remove(self, folder: str) -> None:
        """Remove a folder with all that lies in it; one that is not there is removed already."""
        ...

    def write(self, path: str, data: bytes) -> None:
        """Write one read-only file, whole and durably, and the folder it lies in."""
        ...

    def read(self, path: str) -> bytes:
        """Raises SealBroken when the file is missing."""
        ...

    def open(self, path: str) -> pa.NativeFile:
        """A file to be read here and there: what is not asked for need not come into memory. Raises SealBroken when it is missing."""
        ...

    def names(self, folder: str) -> list[str]:
        """The paths of all files below a folder, relative to it, sorted. Raises SealBroken when there is no such folder."""
        ...

    def url(self, path: str) -> str:
        """What an engine, or a person, is told to find a file or folder by."""
        ...


def lake_files(location: str, home: Path) -> LakeFiles:
    """The files at ``stores.lake``: a folder (relative ones are under ``home``), ``file:///FOLDER`` or ``hdfs://HOST:PORT/FOLDER``.

    ``hdfs://NAMESERVICE/FOLDER`` is found by the Hadoop configuration that HADOOP_CONF_DIR names. Raises SettingsError.
    """
    scheme, separator, _ = location.partition("://")
    if not separator:
        return LocalFiles(home / location)
    if scheme == "file":
        folder = location.removeprefix("file://")
        if not folder.startswith("/"):
            raise SettingsError(f"stores.lake: {location} must be file:///FOLDER, an absolute folder of this machine")
        return LocalFiles(Path(folder))
    if scheme == "hdfs":
        parts = urlsplit(location)
        if not parts.netloc or not parts.path.strip("/"):
            raise SettingsError(f"stores.lake: {location} must be hdfs://HOST:PORT/FOLDER")
        return HdfsFiles(f"hdfs://{parts.netloc}", "/" + parts.path.strip("/"))
    raise SettingsError(f"stores.lake: {location} is neither a folder nor file:///FOLDER nor hdfs://HOST:PORT/FOLDER")


class LocalFiles:
    """Implements LakeFiles under a folder of this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def fresh(self, folder: str) -> None:
        self.remove(folder)
        _make_durably(self._root / folder)

    def remove(self, folder: str) -> None:
        path = self._root / folder
        if path.exists():
            shutil.rmtree(path)

    def write(self, path: str, data: bytes) -> None:
        target = self._root / path
        _make_durably(target.parent)
        write_durably(target, data, 0o444)

    def read(self, path: str) -> bytes:
        try:
            return (self._root / path).read_bytes()
        except FileNotFoundError as error:
            raise SealBroken(f"{path} is missing") from error

    def open(self, path: str) -> pa.NativeFile:
        try:
            return pa.memory_map(str(self._root / path))
        except FileNotFoundError as error:
            raise SealBroken(f"{path} is missing") from error

    def names(self, folder: str) -> list[str]:
        path = self._root / folder
        if not path.is_dir():
            raise SealBroken(f"{folder} is missing")
        return sorted(str(found.relative_to(path)) for found in path.rglob("*") if not found.is_dir())

    def url(self, path: str) -> str:
        # A bare path would be looked for in HDFS by a Spark whose default file system that is. Neither engine decodes
        # percent signs, so nothing is encoded.
        return f"file://{(self._root / path).absolute()}"


# What a folder takes, more or less: only said when there is no room for one.
_FOLDER_BYTES = 4096


def _make_durably(folder: Path) -> None:
    if not folder.is_dir():
        _make_durably(folder.parent)
        with room_for("a folder of the lake", folder, _FOLDER_BYTES):
            folder.mkdir(exist_ok=True)
            sync_folder(folder.parent)


# A NameNode that is away is given up after some fifteen seconds.
_CLIENT = {
    "dfs.client.socket-timeout": "30000",
    "dfs.client.failover.max.attempts": "5",
    "dfs.client.failover.sleep.base.millis": "500",
    "dfs.client.failover.sleep.max.millis": "5000",
}
_ANSWER_SECONDS = 120
_AT_ONCE_BYTES = 8 << 20
_REMOTE = re.compile(r'(?:Fatal)?RPCError\("(?P<kind>[^"]+)", "(?P<words>.*?)(?:\\n|")')
# What an operator must change first; anything else that HDFS answers may pass: safe mode, no live DataNode, a failover.
_REFUSALS = frozenset(
    {"AccessControlException", "AuthorizationException", "NSQuotaExceededException", "DSQuotaExceededException"}
)


class HdfsFiles:
    """Implements LakeFiles under a folder of HDFS, as the user HADOOP_USER_NAME or whoever runs us."""

    def __init__(self, server: str, root: str) -> None:
        self._server = server
        self._root = PurePosixPath(root)

    @cached_property
    def _client(self) -> RawClient:
        from hdfs_native import Client

        # Its Python wrapper would close a file that failed once more when it is collected, which takes another while.
        return Client(self._server, _CLIENT).inner

    def fresh(self, folder: str) -> None:
        self.remove(folder)
        self._call(folder, lambda: self._client.mkdirs(self._at(folder), 0o755, True))

    def remove(self, folder: str) -> None:
        self._call(folder, lambda: self._client.delete(self._at(folder), True))

    def write(self, path: str, data: bytes) -> None:
        from hdfs_native import WriteOptions

        target = self._root / path
        # Engines pass over names with a leading dot.
        part = str(target.with_name(f".{target.name}.part"))
        options = WriteOptions(overwrite=True, create_parent=True, permission=0o444)
        writer = self._call(path, lambda: self._client.create(part, options))
        for start in range(0, len(data), _AT_ONCE_BYTES):
            self._call(path, partial(writer.write, data[start : start + _AT_ONCE_BYTES]))
        if data:
            # Closing alone leaves the bytes to the DataNodes' page caches.
            self._call(path, writer.hsync)
        self._call(path, writer.close)
        self._call(path, lambda: self._client.rename(part, str(target), True))

    def read(self, path: str) -> bytes:
        reader = self._call(path, lambda: self._client.read(self._at(path)))
        parts = []
        while part := self._call(path, lambda: reader.read(_AT_ONCE_BYTES)):
            parts.append(part)
        return b"".join(parts)

    def open(self, path: str) -> pa.NativeFile:
        return pa.BufferReader(self.read(path))

    def names(self, folder: str) -> list[str]:
        found = self._call(folder, lambda: list(self._client.list_status(self._at(folder), True)))
        return sorted(str(PurePosixPath(entry.path).relative_to(self._at(folder))) for entry in found if not entry.isdir)

    def url(self, path: str) -> str:
        return f"{self._server}{self._at(path)}"

    def _at(self, path: str) -> str:
        return str(self._root / path)

    def _call(self, path: str, work: Callable[[], _T]) -> _T:
        """One call of the client. It waits without end for a NameNode that hangs, so it waits in a thread, and we do not.

        The client raises OSError for what the network did, and RuntimeError with a name in its text for nearly all else.
        """
        answer: Future[_T] = Future()

        def run() -> None:
            try:
                answer.set_result(work())
            except (OSError, RuntimeError) as error:
                answer.set_exception(error)

        Thread(target=run, daemon=True).start()
        try:
            return answer.result(_ANSWER_SECONDS)
        except FileNotFoundError as error:
            raise SealBroken(f"{path} is missing") from error
        except TimeoutError as error:
            raise RetryLater(f"HDFS does not answer for {self.url(path)} within {_ANSWER_SECONDS} s") from error
        except (OSError, RuntimeError) as error:
            raise _meaning(self.url(path), str(error)) from error


def _meaning(url: str, text: str) -> CustodyError:
    if text.startswith('DataTransferError("All DataNodes failed'):
        return RetryLater(f"HDFS does not serve {url}: no DataNode has its blocks whole")
    remote = _REMOTE.match(text)
    if remote is None:
        first_line = text.partition("\n")[0]
        return RetryLater(f"HDFS does not serve {url}: {first_line}")
    kind = remote["kind"].rpartition(".")[2]
    words = f"HDFS refuses {url}: {kind}: {remote['words']}"
    return StopRun(words) if kind in _REFUSALS else RetryLater(words)
