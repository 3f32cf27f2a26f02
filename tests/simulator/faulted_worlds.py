"""Worlds with faults for tests: sizes that hold every kind, labels, and what differs between two worlds, line by line."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from schemas.exchange import parse_name
from simulator.simulate import SimulationConfig
from simulator.spoil import FILE_SPOILERS

FAULTS = Path(__file__).parents[1] / "faults"
# Ten days, so that what is known only after five business days falls due.
ROOMY = SimulationConfig(platforms=6, channels=3, lenders=40, loans=24, days=10, start=date(2019, 12, 30), seed=1)


def labels_of(world: Path) -> list[dict[str, Any]]:
    labels: list[dict[str, Any]] = json.loads((world / "truth" / "faults.json").read_text(encoding="utf-8"))
    return labels


@dataclass(frozen=True)
class Difference:
    """Of one file that both worlds have: line number -> text of lines only the faulty one has; texts only the sound one has."""

    added: dict[int, str]
    removed: list[str]


def difference(sound: Path, faulty: Path) -> Difference:
    """By line; a line that stands once more than in the sound file counts as added, at its last place."""
    before, after = _lines(sound), _lines(faulty)
    extra, lost = Counter(after) - Counter(before), Counter(before) - Counter(after)
    added = {}
    for number in range(len(after), 0, -1):
        if extra[after[number - 1]]:
            extra[after[number - 1]] -= 1
            added[number] = after[number - 1]
    return Difference(added, list(lost.elements()))


def contradictions(sound: Path, faulty: Path, labels: list[dict[str, Any]]) -> list[str]:
    """In words: differences between data files that no label names, and rows that a label names and that do not differ."""
    spoilt = _spoilt_files(labels)
    named = {place for label in labels for place in label["keys"].get("lines", [])}
    found, seen = [], set()
    for path in sorted(path for path in sound.rglob("*.csv") if path.name not in spoilt):
        twin = faulty / path.relative_to(sound)
        if not twin.exists():
            found.append(f"{path.name} is not there")
            continue
        change = difference(path, twin)
        for number, text in change.added.items():
            seen.add(f"{path.name}:{number}")
            if f"{path.name}:{number}" not in named and not _is_moved(path.name, text, labels):
                found.append(f"{path.name}:{number} differs: {text}")
        found += [
            f"{path.name}: gone: {text}" for text in change.removed if not any(_names(one, path.name, text) for one in labels)
        ]
    return found + [f"{place} does not differ" for place in sorted(named - seen) if place.partition(":")[0] not in spoilt]


def _lines(path: Path) -> list[str]:
    """Bytes as they are, one character each: spoilt lines are no text."""
    return path.read_bytes().decode("latin-1").split("\n")


def _spoilt_files(labels: list[dict[str, Any]]) -> set[str]:
    """Names of files that are spoilt, withheld or replaced as a whole."""
    return {label["keys"]["file"] for label in labels if label["kind"] in FILE_SPOILERS}


def _is_moved(file_name: str, text: str, labels: list[dict[str, Any]]) -> bool:
    """A balance that follows from a planted movement."""
    parts = parse_name(file_name)
    assert parts is not None
    role, user, *_ = text.split(",")
    return any(
        f"{role}.{user}" in label["keys"].get("balances", [])
        and label["platform"] == parts.party
        and label["custody_date"] <= parts.custody_date.isoformat()
        for label in labels
    )


def _names(label: dict[str, Any], file_name: str, text: str) -> bool:
    """Whether the label's keys stand in the sound line that is gone, or a balance of it follows from the label's movement."""
    if "_BALANCE_" in file_name and _is_moved(file_name, text, [label]):
        return True
    if label["party"] != file_name.partition("_")[0] and not file_name.startswith("GW_"):
        return False
    cells = set(text.split(","))
    values = [v for name, v in label["keys"].items() if name not in ("lines", "balances", "leg", "type", "file", "batch")]
    # A row's key counts as a whole, of a list each one.
    wholes = [part for value in values for part in (value if isinstance(value, list) else [value])]
    return any(set(str(whole).split("|")) <= cells for whole in wholes)
