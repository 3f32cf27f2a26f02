"""Work cut into pieces, done by processes that wait for one piece after another. Which process did which piece leaves no trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")


class WorkerLost(RuntimeError):
    """A process ended before it answered: killed, or by a fault of ours whose traceback it left."""


def spread(work: Callable[[Piece], Result], pieces: Sequence[Piece], processes: int) -> Iterator[Result]:
    """Each piece's result, as they come. With one process (or piece) the work is done here. ``work`` and pieces are pickled.

    Raises WorkerLost; the other processes are stopped then.
    """
    if min(processes, len(pieces)) == 1:
        yield from map(work, pieces)
        return
    waiting = list(reversed(pieces))
    # Spawned, so that no thread or open store is carried over; not a pool, whose processes outlive us when we are killed.
    started = [_start(work) for _ in range(min(processes, len(pieces)))]
    busy: dict[Connection, SpawnProcess] = {}
    try:
        for process, line in started:
            line.send(waiting.pop())
            busy[line] = process
        while busy:
            for line in [ready for ready in wait(list(busy)) if isinstance(ready, Connection)]:
                found: Result = _answer(line, busy[line])
                yield found
                if waiting:
                    line.send(waiting.pop())
                else:
                    del busy[line]
                    line.close()
    finally:
        for process, line in started:
            line.close()
            if line in busy:
                process.kill()
            process.join()


def _start(work: Callable[[Piece], Result]) -> tuple[SpawnProcess, Connection]:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(work, theirs), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _serve(work: Callable[[Piece], Result], line: Connection) -> None:
    """Until the other end is closed, be it on purpose or by its death."""
    while True:
        try:
            piece = line.recv()
        except EOFError:
            return
        line.send(work(piece))


def _answer(line: Connection, process: SpawnProcess) -> Any:
    try:
        return line.recv()
    except EOFError:
        process.join()
        raise WorkerLost(f"a process that made part of the world ended with {process.exitcode} before it answered") from None
