"""The audit chain: each event's hash covers the one before, so that any change to the past shows (domain.md §10)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from custody.digest import digest_of_json

GENESIS = "0" * 64
_COVERED = ("event_no", "at", "actor", "action", "subject", "details", "previous_hash")


def event_hash(event: Mapping[str, object]) -> str:
    """SHA-256 over the canonical JSON of the covered fields; ``details`` is itself canonical JSON text."""
    return digest_of_json({name: event[name] for name in _COVERED})


def first_broken(events: Iterable[Mapping[str, object]]) -> int | None:
    """The number of the first event, in order, that does not follow from the one before; None when the chain is whole."""
    previous, expected_no = GENESIS, 1
    for event in events:
        if event["event_no"] != expected_no or event["previous_hash"] != previous or event["hash"] != event_hash(event):
            return expected_no
        previous, expected_no = str(event["hash"]), expected_no + 1
    return None
