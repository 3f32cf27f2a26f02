"""Ending a process at the n-th point that it passes, inside the test's own process: stores that have such points around what they do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

# What of a register's transaction leaves something behind.
WRITES = ("insert", "insert_all", "update", "update_all", "delete", "audit")


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Fuse:
    """Ends the process at the n-th point it passes; 0 never does."""

    at: int
    passed: int = 0

    def point(self) -> None:
        self.passed += 1
        if self.passed == self.at:
            raise Killed


class FusedRegister:
    """Before, at the end of, and after each transaction; with ``writes`` after each write of it too."""

    def __init__(self, inner: Any, fuse: Fuse, writes: bool = False) -> None:
        self._inner, self._fuse, self._writes = inner, fuse, writes

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        self._fuse.point()
        with self._inner.transaction() as tx:
            yield Around(tx, self._fuse, WRITES, before=False) if self._writes else tx
            self._fuse.point()
        self._fuse.point()

    def close(self) -> None:
        self._inner.close()


class Around:
    """Before and after each call of these names, or after it alone."""

    def __init__(self, inner: Any, fuse: Fuse, names: tuple[str, ...], before: bool = True) -> None:
        self._inner, self._fuse, self._names, self._before = inner, fuse, names, before

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in self._names:
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            if self._before:
                self._fuse.point()
            result = found(*args, **kwargs)
            self._fuse.point()
            return result

        return call
