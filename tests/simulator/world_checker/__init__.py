"""Proves a world sound on its files alone: domain.md §4, and what every type of movement must look like in them.

It shares no rule with the simulator or the system: its bookkeeping, schedules, splits and calendars of fees are its own.
``check`` returns every violation in words; a sound world has none.
"""

from __future__ import annotations

from world_reader import World

from world_checker import authority, bank, channels, claimed, files, loans, money, people, references, shapes
from world_checker.view import Violation, platforms

_PARTS = (shapes, claimed, references, money, channels, loans, people, authority, bank)


def check(world: World) -> list[Violation]:
    found = list(files.violations(world))
    for platform in platforms(world):
        for part in _PARTS:
            found += part.violations(platform)
    return sorted(set(found))


__all__ = ["Violation", "check"]
