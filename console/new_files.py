"""Files that a command makes for whoever asked: no other user reads them, and nothing that is there is written over."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from custody.errors import UsageError


def write_new(path: str | Path, data: bytes) -> None:
    """Raises UsageError when it cannot be made, or is there already."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
    except OSError as error:
        raise UsageError(f"{path} cannot be made: {error.strerror}") from error


def write_new_files(folder: str | Path, files: Mapping[str, bytes]) -> list[str]:
    """Into a folder, which is made when it is not there; their paths. Raises UsageError as write_new does."""
    into = Path(folder)
    try:
        into.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{into} cannot be made: {error.strerror}") from error
    for name, data in sorted(files.items()):
        write_new(into / name, data)
    return [str(into / name) for name in sorted(files)]
