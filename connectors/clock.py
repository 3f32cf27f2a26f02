"""The wall clock. Only facts about a run itself (who, when) may use it."""

from __future__ import annotations

from datetime import datetime

from custody.calendar import CHINA


class SystemClock:
    """Implements custody.ports.Clock."""

    def now(self) -> datetime:
        return datetime.now(CHINA)
