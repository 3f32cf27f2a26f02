"""What was planted against what was found, by fault kind, with the rows of what was missed and of what was raised for nothing.

Pure, and blind to what the system can do: a kind that nothing detects stands as a miss.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

UNEXPLAINED = "unexplained"
TOTAL = "total"
Item = tuple[str, str, str, str]  # (platform or party, sides, kind, subject)


@dataclass
class _Tally:
    planted: int = 0
    not_due: int = 0
    found: int = 0
    late: int = 0
    false: int = 0

    def line(self) -> dict[str, Any]:
        """Rates are text with four decimals, cut, so that 1.0000 means all; of nothing planted, or nothing raised, they are 1."""
        due = self.planted - self.not_due
        return {
            "planted": self.planted,
            "not_due": self.not_due,
            "found": self.found,
            "late": self.late,
            "missed": due - self.found,
            "false": self.false,
            "recall": rate(self.found, due),
            "precision": rate(self.found, self.found + self.false),
        }


@dataclass(frozen=True)
class Score:
    """``kinds``: a line for each fault kind in alphabetical order, "unexplained" where findings belong to no fault, and
    "total" at the end. ``missed``, ``late`` and ``not_due`` are labels, ``false`` are findings."""

    kinds: dict[str, dict[str, Any]]
    missed: list[dict[str, Any]] = field(default_factory=list)
    late: list[dict[str, Any]] = field(default_factory=list)
    not_due: list[dict[str, Any]] = field(default_factory=list)
    false: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_perfect(self) -> bool:
        return not (self.missed or self.late or self.false)

    def as_json(self) -> dict[str, Any]:
        rows = {name: getattr(self, name) for name in ("missed", "late", "not_due", "false")}
        return {"kinds": self.kinds, **rows}


def score(planted: Iterable[Mapping[str, Any]], found: Iterable[Mapping[str, Any]], as_of: str | None = None) -> Score:
    """``planted``: labels of faults.json. ``found``: {platform, sides, kind, subject, found_on, ...}; repeated ones count once,
    with their earliest date. Dates are ISO text; ``found_on`` is null where it was not noted. ``as_of``: what is found later
    does not count, and what can be known only later is not due; without it everything counts and is due.

    A fault is found when all that it expects was found, and late when one of these came after its ``known_by``. A finding that
    no fault expects, allows or brings with it (``follows``: such as several may) is false: it goes to the kind that was planted
    on the same subject, else to "unexplained".
    """
    labels = list(planted)
    first: dict[Item, Mapping[str, Any]] = {}
    for finding in found:
        on = finding.get("found_on")
        if as_of is not None and on is not None and on > as_of:
            continue
        before = first.get(_item(finding))
        if before is None or (on or "") < (before.get("found_on") or ""):
            first[_item(finding)] = finding
    tallies: dict[str, _Tally] = {label["kind"]: _Tally() for label in labels}
    missed, late, not_due = [], [], []
    for label in labels:
        tally, wanted = tallies[label["kind"]], [_item(expect) for expect in label["expects"]]
        tally.planted += 1
        lacking = [expect for expect in label["expects"] if _item(expect) not in first]
        if as_of is not None and label["known_by"] > as_of:
            tally.not_due += 1
            not_due.append(dict(label))
        elif lacking:
            missed.append({**label, "lacking": lacking})
        else:
            tally.found += 1
            found_on = max((first[item].get("found_on") or "" for item in wanted), default="")
            if found_on > label["known_by"]:
                tally.late += 1
                late.append({**label, "found_on": found_on})
    false = _false(labels, first)
    for finding in false:
        tallies.setdefault(finding["fault_kind"], _Tally()).false += 1
    kinds = {kind: tallies[kind].line() for kind in sorted(tallies)}
    return Score({**kinds, TOTAL: _total(tallies.values()).line()}, missed, late, not_due, false)


def _false(labels: list[Mapping[str, Any]], first: Mapping[Item, Mapping[str, Any]]) -> list[dict[str, Any]]:
    explained = {_item(one) for label in labels for one in (*label["expects"], *label["allows"], *label["follows"])}
    planted_on = {(one["platform"], one["subject"]): label["kind"] for label in labels for one in label["expects"]}
    return [
        {**first[item], "fault_kind": planted_on.get((item[0], item[3]), UNEXPLAINED)}
        for item in sorted(first)
        if item not in explained
    ]


def _item(entry: Mapping[str, Any]) -> Item:
    return str(entry["platform"]), str(entry["sides"]), str(entry["kind"]), str(entry["subject"])


def _total(tallies: Iterable[_Tally]) -> _Tally:
    out = _Tally()
    for tally in tallies:
        for name in ("planted", "not_due", "found", "late", "false"):
            setattr(out, name, getattr(out, name) + getattr(tally, name))
    return out


def rate(part: int, whole: int) -> str:
    """A share as text with four decimals, cut; all of nothing is 1."""
    if whole == 0:
        return "1.0000"
    cut = part * 10_000 // whole
    return f"{cut // 10_000}.{cut % 10_000:04d}"
