"""The audit chain shows every change, removal, insertion and swap."""

from collections.abc import Callable
from typing import Any

import pytest

from custody.audit import GENESIS, event_hash, first_broken

Event = dict[str, Any]


def chain(length: int) -> list[Event]:
    events: list[Event] = []
    previous = GENESIS
    for number in range(1, length + 1):
        event: Event = {
            "event_no": number,
            "at": f"2019-12-30T08:00:{number:02d}+08:00",
            "actor": "op1",
            "action": "case.propose",
            "subject": f"S{number}",
            "details": '{"n":1}',
            "previous_hash": previous,
        }
        event["hash"] = previous = event_hash(event)
        events.append(event)
    return events


def test_a_whole_chain_holds() -> None:
    assert first_broken([]) is None
    assert first_broken(chain(5)) is None


@pytest.mark.parametrize("name", ["at", "actor", "action", "subject", "details", "previous_hash", "hash"])
def test_every_field_is_covered(name: str) -> None:
    events = chain(5)
    events[2][name] = "changed"
    assert first_broken(events) == 3


def rehash(events: list[Event]) -> list[Event]:
    """A forger who changes event 3 and recomputes its own hash."""
    events[2]["actor"] = "someone else"
    events[2]["hash"] = event_hash(events[2])
    return events


@pytest.mark.parametrize(
    ("forge", "broken_at"),
    [
        (lambda e: e[:2] + e[3:], 3),
        (lambda e: e[1:], 1),
        (lambda e: [e[0], e[2], e[1], *e[3:]], 2),
        (lambda e: [*e[:3], e[2], *e[3:]], 4),
        (rehash, 4),
    ],
)
def test_forgeries_show(forge: Callable[[list[Event]], list[Event]], broken_at: int) -> None:
    assert first_broken(forge(chain(5))) == broken_at
