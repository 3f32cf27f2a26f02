"""Ports that count their calls, and end the process right after the n-th: nothing is flushed, closed or rolled back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from custody.ports import RegisterTx


class Countdown:
    """``die`` is called right after the n-th call."""

    def __init__(self, calls: int, die: Callable[[], object]) -> None:
        self._left, self._die = calls, die

    def tick(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._die()


class Counted:
    """The real port; each call of a method counts when it has returned."""

    def __init__(self, real: object, countdown: Countdown) -> None:
        self._real, self._countdown = real, countdown

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._real, name)

        def call(*args: object, **named: object) -> object:
            result = method(*args, **named)
            self._countdown.tick()
            return result

        return call


class CountedRegister:
    """The real register; beginning, each call inside, and the commit count."""

    def __init__(self, real: Any, countdown: Countdown) -> None:
        self._real, self._countdown = real, countdown

    @contextmanager
    def transaction(self) -> Iterator[RegisterTx]:
        with self._real.transaction() as tx:
            self._countdown.tick()
            yield Counted(tx, self._countdown)
        self._countdown.tick()
