"""What compliance found against what people and platforms of a simulated world did; and, of kinds that are a matter of degree, recall
and precision over a figure of their rule (each point is a trial of the rule on the sealed days)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from connectors.bootstrap import Wiring
from connectors.lake import Lake
from console.pages.plot import RatePoint, rates_svg
from custody.errors import UsageError
from custody.match_rules import Rule, read_rule
from custody.ports import Row
from custody.rule_forms import ComplianceTerms
from custody.services.outputs import latest_seal
from simulator.score import Score, score

# Of kinds that are a matter of degree: the figure that says how much, and the values over which it is tried.
CURVES: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "structuring": ("share_bp", (6000, 7000, 8000, 9000, 9500)),
    "fast_in_out": ("minor", (2_000_000, 3_000_000, 5_000_000, 8_000_000, 13_000_000)),
    "super_lender": ("sales", (2, 5, 10, 14, 17)),
    "packaged_assignment": ("loans", (5, 8, 10, 15, 20)),
    "pooling": ("share_bp", (500, 1000, 2000, 3000, 5000)),
    "new_for_old": ("share_bp", (250, 1000, 2000, 4000, 8000)),
    "shared_contact": ("borrowers", (2, 3, 4, 5, 6)),
    "term_splitting": ("loans", (2, 3, 4, 5)),
}


def behaviour_labels(wiring: Wiring, truth: Path) -> list[dict[str, Any]]:
    """The labels of a world as simulator.score takes them: whom they name as this instance names him."""
    path = truth / "behaviours.json"
    if not path.is_file():
        raise UsageError(f"{path} is not a file: make a world with custody simulate --behaviours")
    labels = json.loads(path.read_text(encoding="utf-8"))
    return [_label(wiring, number, label) for number, label in enumerate(labels, start=1)]


def _label(wiring: Wiring, number: int, label: Mapping[str, Any]) -> dict[str, Any]:
    subject = label["subject"]
    if label["person"] is not None:
        subject = wiring.secrets.identity_digest(label["person"]["id_type"], label["person"]["id_no"])
    if label["contact"] is not None:
        field, value = label["contact"]
        subject = f"{field}:{wiring.secrets.index_digest(field, value)[:16]}"
    allows = []
    for kind in label["also"]:
        if kind == "new_for_old":
            allows.append(_item(label["home"], kind, label["home"]))
        else:
            allows += [_item("", kind, subject + way) for way in ("", "|IN", "|OUT")]
    way = f"|{label['way']}" if label["way"] else ""
    return {
        "fault_id": f"B{number:04d}",
        "kind": label["kind"],
        "custody_date": label["known_by"],
        "known_by": label["known_by"],
        "words_en": f"{label['home']} {label['bold']}",
        "expects": [_item(label["platform"], label["kind"], subject + way)],
        "allows": allows,
        "follows": [],
    }


def _item(platform: str, kind: str, subject: str) -> dict[str, Any]:
    return {"platform": platform, "sides": "R", "kind": kind, "subject": subject}


def _found(days: Iterable[tuple[date, list[Row]]]) -> list[dict[str, Any]]:
    return [
        _item(row["platform"], row["rule"], row["subject"]) | {"found_on": on.isoformat(), "rows": [row["words_en"]]}
        for on, rows in days
        for row in rows
    ]


def behaviour_score(wiring: Wiring, labels: list[dict[str, Any]]) -> tuple[Score, date]:
    """By the rules that were in force; and up to which date."""
    days = []
    for on in _days(wiring):
        with wiring.register.transaction() as tx:
            seal = latest_seal(tx, on, "compliance")
        assert seal is not None
        days.append((on, wiring.lake.rows(seal.path, "compliance_findings")))
    if not days:
        raise UsageError("compliance has not run on any date yet / 尚未运行合规监测")
    return score(labels, _found(days), days[-1][0].isoformat()), days[-1][0]


def curve(
    wiring: Wiring, labels: list[dict[str, Any]], kind: str, progress: Callable[[str], None] = lambda words: None
) -> list[dict[str, Any]]:
    """Recall and precision of one kind at each value of its figure; ``operating``: whether it is the rule's own."""
    # The trial loads the jobs.
    from jobs.rule_trial import trial_days
    from schemas.rule_book import shipped_rules

    name, values = CURVES[kind]
    rule = [rule for rule in shipped_rules() if rule.rule_id == kind][-1]
    assert isinstance(rule.says, ComplianceTerms)
    own, days = rule.says.figures[name], _days(wiring)
    points = []
    for value in sorted({*values, own}):
        progress(f"{kind} {name} {value}")
        with trial_days(wiring, [_with(rule, name, value)], days[0], days[-1], step="compliance") as (lake, tried):
            found = _found((day.on, _of(lake, day.tried.path, kind)) for day in tried)
        line = score(labels, found, days[-1].isoformat()).kinds
        points.append(
            {"kind": kind, "figure": name, "value": value, "operating": value == own}
            | {n: line[kind][n] for n in ("planted", "found", "recall")}
            | _precision(line, kind)
        )
    return points


def draw_curves(points: Iterable[Mapping[str, Any]], folder: Path) -> list[Path]:
    """A picture for each kind, KIND.svg; returns them. What stood there under these names is replaced."""
    of: dict[str, list[Mapping[str, Any]]] = {}
    for point in points:
        of.setdefault(point["kind"], []).append(point)
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for kind, found in of.items():
        rates = [RatePoint(p["value"], p["recall"], p["precision"], p["operating"]) for p in found]
        path = folder / f"{kind}.svg"
        path.write_text(rates_svg(f"{kind}: {found[0]['figure']}", rates), encoding="utf-8")
        drawn.append(path)
    return drawn


def _precision(lines: Mapping[str, Mapping[str, Any]], kind: str) -> dict[str, Any]:
    """What is raised of the kind and belongs to no label of it, is false."""
    from simulator.score import UNEXPLAINED, rate

    false = lines[kind]["false"] + lines.get(UNEXPLAINED, {"false": 0})["false"]
    return {"false": false, "precision": rate(lines[kind]["found"], lines[kind]["found"] + false)}


def _of(lake: Lake, path: str, kind: str) -> list[Row]:
    return [row for row in lake.rows(path, "compliance_findings") if row["rule"] == kind]


def _with(rule: Rule, name: str, value: int) -> Rule:
    entry = dict(rule.entry)
    return read_rule({**entry, "figures": {**entry["figures"], name: value}}, f"{rule.id} with {name} {value}")


def _days(wiring: Wiring) -> list[date]:
    with wiring.register.transaction() as tx:
        return sorted({row["custody_date"] for row in tx.find("step_output", step="compliance")})
