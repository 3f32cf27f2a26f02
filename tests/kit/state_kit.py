"""Where the servers of one test run keep their state: below the folder that sshd and PostgreSQL's user accept, and away at the end."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cluster.machine import state_folder


@contextmanager
def server_folder(server: str) -> Iterator[Path]:
    """The server's own folder in this run's; stop the server before the block ends."""
    folder = state_folder(f"test-{os.getpid()}") / server
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
        with suppress(OSError):
            folder.parent.rmdir()  # unless another server's folder is there
