"""Starts `custody` from a process that has its imports done already: still one process for each command, a second sooner.

The standard library's fork server imports the command line once; each command is forked from it, in a session of its own,
and ends by itself. Used where many commands follow each other on one machine (the demo). The scheduler's tasks start the
executable instead (console.airflow.command), and both run the same `main`.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO

# What the commands import sooner or later; none of it starts a thread or opens a store when it is imported.
_PRELOADED = ["console.cli", "jobs.step", "connectors.lmdb_store", "custody.services.intake", "pyspark.sql.connect.session"]

_context = multiprocessing.get_context("forkserver")


class _Forked:
    """Implements console.airflow.command.Running."""

    def __init__(self, arguments: Sequence[str], output: Path, run: Callable[[], None]) -> None:
        reader, writer = _context.Pipe(duplex=False)
        # Not daemonic: a command may start processes of its own.
        self._process = _context.Process(target=_run, args=(list(arguments), writer, str(output), run), daemon=False)
        self._process.start()
        writer.close()
        assert self._process.pid is not None
        self.pid = self._process.pid
        self.stderr: IO[bytes] | None = os.fdopen(os.dup(reader.fileno()), "rb")
        reader.close()

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int:
        self._process.join()
        code = self._process.exitcode
        assert code is not None
        return code


def launch_preloaded(arguments: Sequence[str], output: Path, run: Callable[[], None] | None = None) -> _Forked:
    """A new `custody` from the fork server, which is started by the first call and ends with this process. ``run``: what the child does in
    its stead, with the command's words in ``sys.argv``."""
    _context.set_forkserver_preload(_PRELOADED)
    return _Forked(arguments, output, run or _custody)


def _custody() -> None:
    from console.cli import main

    main()


def _run(arguments: list[str], stderr: Connection, output: str, run: Callable[[], None]) -> None:
    """The forked child: takes over its streams, then is the command."""
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 1)
    os.dup2(stderr.fileno(), 2)
    stderr.close()
    sys.argv = ["custody", *arguments]
    run()
