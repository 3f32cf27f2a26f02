"""A clock of the test's own."""

from __future__ import annotations

from datetime import datetime, timedelta

from custody.calendar import CHINA


class SteppingClock:
    """One second later at each look."""

    def __init__(self) -> None:
        self._at = datetime(2019, 12, 30, 8, 0, tzinfo=CHINA)

    def now(self) -> datetime:
        self._at += timedelta(seconds=1)
        return self._at
