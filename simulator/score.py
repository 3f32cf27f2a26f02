"""What was planted against what was found, by fault kind. Rates are text with four decimals, cut, so 1.0000 means all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

UNEXPLAINED = "unexplained"
Item = tuple[str, str, str]


def score(planted: list[dict[str, Any]], found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """``planted``: labels of faults.json. ``found``: {sides, kind, subject, platform}, repeated ones count once.

    Returns, by fault kind in alphabetical order and at the end for "total": planted, found, false, recall, precision. A fault
    is found when all that it expects was found. A found item that no fault expects is false: it goes to the fault kind that
    was planted on the same subject, else to "unexplained". Recall of nothing planted, and precision of nothing reported, is 1.
    """
    items = sorted({(*_item(entry), str(entry["platform"])) for entry in found})
    seen = {(sides, kind, subject) for sides, kind, subject, _ in items}
    expected = {_item(expect) for label in planted for expect in label["expects"]}
    kind_of_subject = {expect["subject"]: label["kind"] for label in planted for expect in label["expects"]}
    tally: dict[str, list[int]] = {label["kind"]: [0, 0, 0] for label in planted}
    for label in planted:
        tally[label["kind"]][0] += 1
        tally[label["kind"]][1] += all(_item(expect) in seen for expect in label["expects"])
    for sides, kind, subject, _ in items:
        if (sides, kind, subject) not in expected:
            tally.setdefault(kind_of_subject.get(subject, UNEXPLAINED), [0, 0, 0])[2] += 1
    out = {kind: _line(tally[kind]) for kind in sorted(tally)}
    out["total"] = _line([sum(column) for column in zip(*tally.values(), strict=True)] or [0, 0, 0])
    return out


def _item(entry: dict[str, Any]) -> Item:
    return str(entry["sides"]), str(entry["kind"]), str(entry["subject"])


def _line(counts: Iterable[int]) -> dict[str, Any]:
    planted, found, false = counts
    return {
        "planted": planted,
        "found": found,
        "false": false,
        "recall": _rate(found, planted),
        "precision": _rate(found, found + false),
    }


def _rate(part: int, whole: int) -> str:
    if whole == 0:
        return "1.0000"
    cut = part * 10_000 // whole
    return f"{cut // 10_000}.{cut % 10_000:04d}"
