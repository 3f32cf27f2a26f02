"""The archive of raw bytes: encrypted for each file, read-only, named by the plain bytes' SHA-256 (domain.md §5).

``<ref>.key`` is the file's own wrapped key, ``<ref>.enc`` its sealed bytes. Destroying the key destroys the file, which
is how retention ends (design.md §4.6). Nothing is ever overwritten; keeping the same bytes again is harmless.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from connectors.disk import room_for
from custody.errors import DiskFull, SealBroken
from custody.ports import Secrets


class FolderArchive:
    """Implements custody.ports.Archive."""

    def __init__(self, root: Path, secrets: Secrets) -> None:
        self._root = root
        self._secrets = secrets

    def keep(self, data: bytes, sha256: str) -> str:
        if hashlib.sha256(data).hexdigest() != sha256:
            raise SealBroken("the bytes to archive do not have the digest given")
        reference = f"{sha256[:2]}/{sha256}"
        sealed_path = self._root / f"{reference}.enc"
        key_path = self._root / f"{reference}.key"
        if sealed_path.exists():
            return reference
        with room_for("a folder of the archive", sealed_path, len(data)):
            sealed_path.parent.mkdir(parents=True, exist_ok=True)
        # The key is durable before the bytes that need it; a crash between the two leaves a key that is used again.
        if key_path.exists():
            key = self._secrets.unwrap(key_path.read_bytes())
        else:
            key, wrapped = self._secrets.new_data_key()
            write_durably(key_path, wrapped, 0o400)
        write_durably(sealed_path, self._secrets.seal(key, data, sha256.encode()), 0o400)
        return reference

    def read(self, reference: str) -> bytes:
        try:
            wrapped = (self._root / f"{reference}.key").read_bytes()
            sealed = (self._root / f"{reference}.enc").read_bytes()
        except FileNotFoundError as error:
            raise SealBroken(f"the archive has no {reference}") from error
        sha256 = reference.rpartition("/")[2]
        data = self._secrets.open(self._secrets.unwrap(wrapped), sealed, sha256.encode())
        if hashlib.sha256(data).hexdigest() != sha256:
            raise SealBroken(f"archived {reference} is not what it is named by")
        return data


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
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
