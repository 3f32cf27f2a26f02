"""What one user may do in the drop over SFTP: the rules, apart from the server that runs them.

A party sees its own folder: it writes, renames and removes files in ``in/``, reads ``out/`` and removes what it took there. The collector sees every
party's folder: it reads and removes in ``<PARTY>/in``, moves files from there to ``.taken/<PARTY>`` and back, and writes in
``<PARTY>/out``. Nobody makes folders or links, changes modes or owners, or follows a link; a file larger than the limit cannot be
written.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO, NoReturn, cast

import asyncssh
from asyncssh import FXF_APPEND, FXF_CREAT, FXF_EXCL, FXF_TRUNC, FXF_WRITE, SFTPAttrs, SFTPName

from connectors.settings import TAKEN

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_WRITES = FXF_WRITE | FXF_APPEND | FXF_CREAT | FXF_TRUNC | FXF_EXCL


class DropFolder(asyncssh.SFTPServer):  # type: ignore[misc]
    """One session of one user. ``depth`` is where in/ and out/ stand below the root: 0 for a party, 1 for the collector."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], root: Path, depth: int, limit_bytes: int) -> None:
        super().__init__(channel, chroot=os.fsencode(root))
        self._root = root.resolve()
        self._depth = depth
        self._limit_bytes = limit_bytes
        self._writable = "in" if depth == 0 else "out"
        self._removable = {"in", "out"} if depth == 0 else {"in", "out", TAKEN}

    def map_path(self, path: bytes) -> bytes:
        """The local path; a ``..`` cannot climb above the root, and a link, on the way or at the end, is refused."""
        found = self._locate(path)
        if found.is_symlink():
            _refuse("links are not followed")
        return os.fsencode(found)

    def _locate(self, path: bytes) -> Path:
        """The local path, whose last part may itself be a link, to be looked at or removed but not followed."""
        found = Path(os.fsdecode(super().map_path(path)))
        if found != self._root and found.parent.resolve() != found.parent:
            _refuse("links are not followed")
        return found

    def open(self, path: bytes, pflags: int, attrs: SFTPAttrs) -> object:
        found = self._locate(path)
        if pflags & _WRITES:
            self._require_folder(found, {self._writable})
            _require_name(found)
        if os.path.lexists(found) and not stat.S_ISREG(found.lstat().st_mode):
            _refuse("only plain files can be opened")
        # The sender's wish for a file's mode is not followed: it could make a file that we cannot read.
        return super().open(path, pflags, SFTPAttrs(permissions=0o600))

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        if offset + len(data) > self._limit_bytes:
            raise asyncssh.SFTPFailure(f"a file may have at most {self._limit_bytes} bytes")
        return cast(int, super().write(file_obj, offset, data))

    def close(self, file_obj: object) -> None:
        file = cast(BinaryIO, file_obj)
        # What a sender was told is written must outlive a power cut, since he may delete his copy.
        if file.writable():
            os.fsync(file.fileno())
        file.close()

    async def scandir(self, path: bytes) -> AsyncIterator[SFTPName]:
        """Names with what they are; a link is shown as a link."""
        for entry in sorted(Path(os.fsdecode(self.map_path(path))).iterdir()):
            try:
                found = entry.lstat()
            except FileNotFoundError:
                continue  # it left between the listing and the look
            yield SFTPName(os.fsencode(entry.name), attrs=SFTPAttrs.from_local(found))

    def stat(self, path: bytes) -> os.stat_result:
        return self._locate(path).lstat()

    def lstat(self, path: bytes) -> os.stat_result:
        return self._locate(path).lstat()

    def remove(self, path: bytes) -> None:
        found = self._locate(path)
        self._require_folder(found, self._removable)
        found.unlink()

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        self._require_rename(oldpath, newpath)
        super().rename(oldpath, newpath)

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        self._require_rename(oldpath, newpath)
        super().posix_rename(oldpath, newpath)

    def _require_rename(self, oldpath: bytes, newpath: bytes) -> None:
        old, new = self._locate(oldpath), self._locate(newpath)
        taking = {"in", TAKEN} if self._depth == 1 else set()
        if {self._kind(old), self._kind(new)} != taking:
            for path in (old, new):
                self._require_folder(path, {self._writable})
        _require_name(new)

    def _require_folder(self, found: Path, allowed: set[str]) -> None:
        """The path must be a file's, directly in an allowed folder of a party."""
        if self._kind(found) not in allowed:
            _refuse("this folder is not yours to change")

    def _kind(self, found: Path) -> str | None:
        """Which of a party's folders a file lies in; None where it lies in none."""
        parts = found.relative_to(self._root).parts
        if len(parts) != self._depth + 2:
            return None
        return TAKEN if self._depth == 1 and parts[0] == TAKEN else parts[self._depth]

    def mkdir(self, path: bytes, attrs: SFTPAttrs) -> None:
        _refuse("folders are made by the bank")

    def rmdir(self, path: bytes) -> None:
        _refuse("folders are made by the bank")

    def symlink(self, oldpath: bytes, newpath: bytes) -> None:
        _refuse("links are not taken")

    def link(self, oldpath: bytes, newpath: bytes) -> None:
        _refuse("links are not taken")

    def readlink(self, path: bytes) -> bytes:
        _refuse("links are not followed")

    def setstat(self, path: bytes, attrs: SFTPAttrs) -> None:
        _refuse("modes, owners and times are the bank's")

    def lsetstat(self, path: bytes, attrs: SFTPAttrs) -> None:
        _refuse("modes, owners and times are the bank's")

    def fsetstat(self, file_obj: object, attrs: SFTPAttrs) -> None:
        _refuse("modes, owners and times are the bank's")


def _require_name(found: Path) -> None:
    if not _FILE_NAME.fullmatch(found.name):
        _refuse("a file's name has letters, digits, _ - and . only")


def _refuse(why: str) -> NoReturn:
    raise asyncssh.SFTPPermissionDenied(why)
