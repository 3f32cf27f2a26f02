"""One kind of work over many tasks by several processes, the answers in the order of the tasks.

Processes are spawned: a store must not be carried over a fork. They are not a pool of the standard library: its processes
outlive a parent that is killed, and it cannot tell a killed process from a fault of ours. Ours end with it: one that worked on
would write among the files of the run that comes after.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Generic, NoReturn, TypeVar

from connectors.bootstrap import Wiring, wire
from connectors.processes import end_with
from custody.errors import CustodyError, RetryLater

_Task = TypeVar("_Task")
_Answer = TypeVar("_Answer")
# Answers that wait for an earlier one, for each process: what they hold stays in our memory meanwhile.
_AHEAD = 4


@dataclass
class _Worker(Generic[_Task]):
    process: SpawnProcess
    pipe: Connection
    # The number of the task it works on.
    task: int | None = None


def in_order(home: Path, work: Callable[[Wiring, _Task], _Answer], tasks: Iterable[_Task], processes: int) -> Generator[_Answer]:
    """``work`` (a function of a module) on each task, with the wiring of the instance at ``home``; answers in the order of tasks.

    Closing the generator ends the processes. Raises what the work raises of ours, RetryLater when a process was killed, ChildProcessError when it failed otherwise.
    """
    workers: list[_Worker[_Task]] = []
    try:
        for _ in range(processes):
            workers.append(_start(home, work))
        yield from _answers(workers, iter(tasks))
    finally:
        for worker in workers:
            worker.pipe.close()
            worker.process.kill()
            worker.process.join()


def _answers(workers: list[_Worker[_Task]], tasks: Iterator[_Task]) -> Iterator[_Answer]:
    done: dict[int, _Answer] = {}
    given = wanted = 0
    more = True
    while True:
        for worker in workers:
            if worker.task is not None or not more or given - wanted >= _AHEAD * len(workers):
                continue
            try:
                task = next(tasks)
            except StopIteration:
                more = False
                continue
            worker.task = given
            given += 1
            _send(worker, task)
        while wanted in done:
            yield done.pop(wanted)
            wanted += 1
        busy = {worker.pipe: worker for worker in workers if worker.task is not None}
        if not busy and not more:
            return
        for pipe in wait(list(busy)) if busy else ():
            worker = busy[pipe]  # type: ignore[index]  # they are the connections that were given
            assert worker.task is not None
            done[worker.task] = _receive(worker)
            worker.task = None


def _start(home: Path, work: Callable[[Wiring, _Task], _Answer]) -> _Worker[_Task]:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(home, work, theirs, os.getpid()), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _work(home: Path, work: Callable[[Wiring, _Task], _Answer], pipe: Connection, parent: int) -> None:
    end_with(parent)
    with closing(wire(home)) as wiring:
        while True:
            try:
                task = pipe.recv()
            except EOFError:
                return
            try:
                answer: _Answer | CustodyError = work(wiring, task)
            except CustodyError as error:
                answer = error
            pipe.send(answer)


def _send(worker: _Worker[_Task], task: _Task) -> None:
    try:
        worker.pipe.send(task)
    except OSError:
        _ended(worker)


def _receive(worker: _Worker[Any]) -> Any:
    try:
        answer = worker.pipe.recv()
    except (EOFError, OSError):
        _ended(worker)
    if isinstance(answer, CustodyError):
        raise answer
    return answer


def _ended(worker: _Worker[_Task]) -> NoReturn:
    worker.process.join()
    words = f"a process at work on a share of the step ended with {worker.process.exitcode} before it answered"
    # Below zero: a signal. Otherwise it failed by a fault of ours, and its traceback is above.
    if worker.process.exitcode is not None and worker.process.exitcode < 0:
        raise RetryLater(words) from None
    raise ChildProcessError(words) from None
