"""A full disk in words: where it is, how much is free and how much was wanted, and what to do."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from custody.errors import DiskFull

_FULL = (errno.ENOSPC, errno.EDQUOT)


def disk_full(what: str, path: Path, wanted_bytes: int) -> DiskFull:
    """``what`` was about to be written at ``path``."""
    return DiskFull(
        f"the disk of {path} is full: {what} wants {wanted_bytes:,} bytes, {free_bytes(path):,} are free. Make room there, then give "
        "the same command again: what was begun counts for nothing until it is committed"
    )


def free_bytes(path: Path) -> int:
    """What is free on the disk on which the path lies, or will lie."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


@contextmanager
def room_for(what: str, path: Path, wanted_bytes: int) -> Iterator[None]:
    """Turn what the system says of a full disk, or of a quota, into DiskFull; other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise disk_full(what, path, wanted_bytes) from error
