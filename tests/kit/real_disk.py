"""A disk that a test makes as full as it likes: a tmpfs of its own, whose size is changed under the files that lie on it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

_PAGE = os.sysconf("SC_PAGE_SIZE")
# Never taken from the machine's memory: only what lies on the disk is.
_ROOMY = 1 << 30


class SmallDisk:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._mount("mount", "-t", "tmpfs", "-o", f"size={_ROOMY}", "tmpfs", str(folder))

    @property
    def used(self) -> int:
        return shutil.disk_usage(self.folder).used

    def leave(self, free_bytes: int) -> None:
        """From now on there is room for this much more, to a page."""
        # A size of 0 would be one without any limit.
        size = max(_PAGE, -(-self.used // _PAGE) * _PAGE + free_bytes // _PAGE * _PAGE)
        self._mount("mount", "-o", f"remount,size={size}", str(self.folder))

    def make_room(self) -> None:
        self._mount("mount", "-o", f"remount,size={_ROOMY}", str(self.folder))

    def take_over(self, path: Path) -> Path:
        """Move a file or folder onto the disk; returns where it lies now."""
        return Path(shutil.move(path, self.folder / path.name))

    def close(self) -> None:
        # Lazily: a store may still have its file mapped.
        self._mount("umount", "--lazy", str(self.folder))

    def _mount(self, *command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, text=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    disk = SmallDisk(tmp_path / "disk")
    yield disk
    disk.close()
