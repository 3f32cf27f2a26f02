"""The archive of raw bytes: encrypted for each file, read-only, named by the plain bytes' SHA-256 (domain.md §5).

``<ref>.key`` is the file's own wrapped key, ``<ref>.enc`` its bytes, sealed a chunk at a time so that memory never follows a
file's size. Destroying the key destroys the file, which is how retention ends (design.md §4.6). What is still arriving lies under
``arriving/``, sealed alike. Nothing is ever overwritten; keeping the same bytes again is harmless.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO

from connectors.disk import room_for
from custody.errors import BusyElsewhere, DiskFull, SealBroken
from custody.ports import Secrets, StagedFile

# Plain bytes that are sealed at a time; each sealed chunk stands behind its length, in four octets.
CHUNK_BYTES = 1024 * 1024
_LENGTH = 4
_ARRIVING = "arriving"
# Nothing lies there but locks: who takes a party's files, and who brings it some.
_COLLECTING, _LEAVING = "collecting", "leaving"
# Its folder among the parties': what the bank itself writes. No party is named so: parties are capitals.
_OURS = "ours"
# The same of what is made while it is written, which may take its time.
_OURS_MADE = "ours_made"
_LOCK = ".lock"


class FolderArchive:
    """Implements custody.ports.Archive."""

    def __init__(self, root: Path, secrets: Secrets) -> None:
        self._root = root
        self._secrets = secrets

    def keep(self, data: bytes, sha256: str) -> str:
        if hashlib.sha256(data).hexdigest() != sha256:
            raise SealBroken("the bytes to archive do not have the digest given")
        reference = _reference(sha256)
        if _stands(self._root, reference):
            return reference
        with self._staged(_OURS, sha256, wait=True) as staged:
            staged.restart()
            staged.append(data)
            return staged.keep()[1]

    def keep_pieces(self, name: str, pieces: Iterable[bytes]) -> tuple[str, str]:
        """The same of bytes of ours that are made piece by piece, so that no more than one of them is in memory; ``name``: what they are
        meanwhile. Returns SHA-256 and reference."""
        with self._staged(_OURS_MADE, name, wait=True) as staged:
            staged.restart()
            for piece in pieces:
                staged.append(piece)
            return staged.keep()

    @contextmanager
    def stage(self, party: str, name: str) -> Iterator[StagedFile]:
        with self._staged(party, name, wait=False) as staged:
            yield staged

    @contextmanager
    def _staged(self, party: str, name: str, wait: bool) -> Iterator[_Staged]:
        folder = self._root / _ARRIVING / party
        with room_for("a folder of the archive", folder, CHUNK_BYTES):
            folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / _LOCK, wait):
            staged = _Staged(self._root, folder / name, self._secrets)
            try:
                yield staged
            finally:
                staged.close()

    def forget_stages(self, party: str) -> None:
        folder = self._root / _ARRIVING / party
        if folder.is_dir():
            with _locked(folder / _LOCK, wait=False):
                for path in folder.iterdir():
                    if path.name != _LOCK:
                        path.unlink()

    def collecting(self, party: str) -> AbstractContextManager[None]:
        return self._turn(_COLLECTING, party)

    def leaving(self, party: str) -> AbstractContextManager[None]:
        return self._turn(_LEAVING, party)

    @contextmanager
    def _turn(self, kind: str, party: str) -> Iterator[None]:
        folder = self._root / kind / party
        with room_for("a folder of the archive", folder, CHUNK_BYTES):
            folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / _LOCK, wait=False):
            yield

    def read(self, reference: str) -> bytes:
        return b"".join(self.chunks(reference))

    def chunks(self, reference: str) -> Generator[bytes]:
        key = self._secrets.unwrap(self._bytes(f"{reference}.key"))
        sha256 = hashlib.sha256()
        try:
            file = (self._root / f"{reference}.enc").open("rb")
        except FileNotFoundError as error:
            raise SealBroken(f"the archive has no {reference}") from error
        with file:
            for number, sealed in enumerate(_records(file)):
                chunk = self._secrets.open(key, sealed, _context(number))
                sha256.update(chunk)
                yield chunk
        if _reference(sha256.hexdigest()) != reference:
            raise SealBroken(f"archived {reference} is not what it is named by")

    def _bytes(self, name: str) -> bytes:
        try:
            return (self._root / name).read_bytes()
        except FileNotFoundError as error:
            raise SealBroken(f"the archive has no {name.rpartition('.')[0]}") from error


class _Staged:
    """Implements custody.ports.StagedFile. Held by one process at a time; after a crash its whole chunks are still there."""

    def __init__(self, root: Path, path: Path, secrets: Secrets) -> None:
        self._root, self._secrets = root, secrets
        self._key_path, self._path = path.with_name(f"{path.name}.key"), path.with_name(f"{path.name}.enc")
        try:
            self._open()
        except SealBroken:
            # Nothing of it was flushed before it is kept: a power cut leaves anything, and its sender has it still.
            self._file.close()
            self._key_path.unlink()
            self._open()

    def _open(self) -> None:
        self._buffer = bytearray()
        self._sha256 = hashlib.sha256()
        self._chunks = self._size = 0
        if self._key_path.exists() and self._path.exists():
            self._file = self._path.open("r+b")
            self._key = self._secrets.unwrap(self._key_path.read_bytes())
            self._go_on()
        else:
            self._key, wrapped = self._secrets.new_data_key()
            with room_for("a file of the archive", self._path, CHUNK_BYTES):
                self._key_path.write_bytes(wrapped)
                self._file = self._path.open("w+b")

    def _go_on(self) -> None:
        """Behind the last whole chunk of the run that ended here."""
        end = 0
        for sealed in _records(self._file, torn_is_end=True):
            chunk = self._secrets.open(self._key, sealed, _context(self._chunks))
            if len(chunk) < CHUNK_BYTES:
                break  # a last one, of a run that did not come to keep it
            self._sha256.update(chunk)
            self._chunks += 1
            self._size += len(chunk)
            end += _LENGTH + len(sealed)
        self._file.seek(end)
        self._file.truncate()

    @property
    def size(self) -> int:
        return self._size + len(self._buffer)

    def append(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= CHUNK_BYTES:
            self._write(bytes(self._buffer[:CHUNK_BYTES]))
            del self._buffer[:CHUNK_BYTES]

    def _write(self, chunk: bytes) -> None:
        sealed = self._secrets.seal(self._key, chunk, _context(self._chunks))
        with room_for(f"a file of {self.size:,} bytes", self._path, len(sealed)):
            self._file.write(len(sealed).to_bytes(_LENGTH) + sealed)
            self._file.flush()
        self._sha256.update(chunk)
        self._chunks += 1
        self._size += len(chunk)

    def restart(self) -> None:
        self._file.close()
        self._key_path.unlink(missing_ok=True)
        self._open()

    def keep(self) -> tuple[str, str]:
        if self._buffer or not self._chunks:
            chunk = bytes(self._buffer)
            self._buffer.clear()
            self._write(chunk)
        os.fsync(self._file.fileno())
        sync_file(self._key_path)
        sha256 = self._sha256.hexdigest()
        reference = _reference(sha256)
        sealed_path, key_path = self._root / f"{reference}.enc", self._root / f"{reference}.key"
        with room_for("a folder of the archive", sealed_path, CHUNK_BYTES):
            sealed_path.parent.mkdir(parents=True, exist_ok=True)
        # The lock pairs key and bytes. Nobody is told of them before both names are durable: bytes without their key, which a power cut may
        # leave, are put in their place again, and a key alone counts for nothing.
        with _locked(sealed_path.parent / _LOCK, wait=True):
            if _stands(self._root, reference):
                self._path.unlink()
                self._key_path.unlink()
            else:
                for path in (self._key_path, self._path):
                    path.chmod(0o400)
                self._key_path.replace(key_path)
                self._path.replace(sealed_path)
                sync_folder(sealed_path.parent)
        return sha256, reference

    def close(self) -> None:
        self._file.close()


def _reference(sha256: str) -> str:
    return f"{sha256[:2]}/{sha256}"


def _stands(root: Path, reference: str) -> bool:
    return all((root / f"{reference}.{part}").exists() for part in ("enc", "key"))


def _context(number: int) -> bytes:
    """What a chunk is bound to: its place. The key binds it to its file, the digest of the whole to how many there are."""
    return f"chunk {number}".encode()


def _records(file: BinaryIO, torn_is_end: bool = False) -> Iterator[bytes]:
    """The sealed chunks of an open file. Raises SealBroken where one is cut short, unless that is the end."""
    while head := file.read(_LENGTH):
        length = int.from_bytes(head)
        # Whatever stands there, no more is read than a chunk can have.
        sealed = file.read(length) if len(head) == _LENGTH and length <= 2 * CHUNK_BYTES else b""
        if len(sealed) < length or not sealed:
            if torn_is_end:
                return
            raise SealBroken("an archived file is cut short")
        yield sealed


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """A lock of this machine, waited for, that ends with its process."""
    with _locked(path, wait=True):
        yield


@contextmanager
def _locked(path: Path, wait: bool) -> Iterator[None]:
    """A lock that ends with its process. Raises BusyElsewhere when another holds it and ``wait`` is false."""
    with path.open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BusyElsewhere(f"another process is at the files of {path.parent.name}") from error
        yield


def write_durably(path: Path, data: bytes, mode: int) -> None:
    """Write whole under a temporary name, flush to disk, rename, flush the folder: after a crash it is there or not.

    Raises DiskFull, and leaves nothing behind then.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    try:
        with room_for(f"a file of {len(data):,} bytes", path, len(data)):
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
            sync_folder(path.parent)
    except DiskFull:
        part.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to disk."""
    sync_file(folder)


def sync_file(path: Path) -> None:
    """Flush what was written to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
