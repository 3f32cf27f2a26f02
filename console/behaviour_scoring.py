"""What compliance, the risk step and the tracing of loans' money found against what people and platforms of a simulated world did; and, of kinds that are a matter of degree, recall
and precision over a figure of their rule (each point is a trial of the rule on the sealed days)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from connectors.bootstrap import Wiring
from console.pages.plot import RatePoint, rates_svg
from custody.compensation import REPEATED, Compensated, repeated
from custody.errors import UsageError
from custody.match_rules import Rule, read_rule
from custody.ports import Row
from custody.risk_alerts import Alert
from custody.rule_forms import ComplianceTerms, RiskFigures
from custody.services.outputs import latest_seal
from simulator.score import Score, score

# Of kinds that are a matter of degree: the figure that says how much, and the values over which it is tried.
CURVES: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "structuring": ("sum_bp", (12_500, 15_000, 17_500, 20_000, 25_000)),
    "fast_in_out": ("minor", (2_000_000, 3_000_000, 5_000_000, 8_000_000, 13_000_000)),
    "super_lender": ("buyers", (1, 2, 3, 4, 6)),
    "packaged_assignment": ("few", (2, 3, 4, 5, 7)),
    "pooling": ("share_bp", (500, 1000, 2000, 3000, 5000)),
    "new_for_old": ("share_bp", (250, 1000, 2000, 4000, 8000)),
    "shared_contact": ("borrowers", (2, 3, 4, 5, 6)),
    "term_splitting": ("loans", (2, 3, 4, 5)),
    "repeated_compensation": ("times", (1, 2, 3, 4, 5)),
}
# Of the other steps' findings those kinds that are done here.
_OF_RISK, _OF_FUNDS = "repeated_compensation", "borrower_is_related"


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


def findings_of(on: date, rows: Iterable[Row]) -> list[dict[str, Any]]:
    """A date's findings as simulator.score takes them."""
    return [
        _item(row["platform"], row["rule"], row["subject"]) | {"found_on": on.isoformat(), "rows": [row["words_en"]]}
        for row in rows
    ]


def _found(days: Iterable[tuple[date, list[Row]]]) -> list[dict[str, Any]]:
    return [item for on, rows in days for item in findings_of(on, rows)]


def behaviour_score(wiring: Wiring, labels: list[dict[str, Any]]) -> tuple[Score, date]:
    """By the rules that were in force; and up to which date."""
    days = [(on, _rows(wiring, on, "compliance", "compliance_findings")) for on in _days(wiring)]
    if not days:
        raise UsageError("compliance has not run on any date yet / 尚未运行合规监测")
    found = _found(days)
    for on, _ in days:
        alerts = [row for row in _rows(wiring, on, "risk", "alerts") if row["rule"] == REPEATED]
        found += _found([(on, [row | {"rule": _OF_RISK} for row in alerts])])
        breaks = [row for row in _rows(wiring, on, "reconcile", "breaks") if row["subject"].endswith(f"|{_OF_FUNDS}")]
        found += _found([(on, [row | {"rule": _OF_FUNDS, "words_en": row["subject"]} for row in breaks])])
    return score(labels, found, days[-1][0].isoformat()), days[-1][0]


def _rows(wiring: Wiring, on: date, step: str, table: str) -> list[Row]:
    """Of the step's newest output of the date; none where it has not run."""
    with wiring.register.transaction() as tx:
        seal = latest_seal(tx, on, step)
    return [] if seal is None else wiring.lake.rows(seal.path, table)


def curves(
    wiring: Wiring, labels: list[dict[str, Any]], kinds: Iterable[str], progress: Callable[[str], None] = lambda words: None
) -> list[dict[str, Any]]:
    """Recall and precision of kinds at each value of their figures; ``operating``: whether it is the rule's own. No rule looks at another, so
    that one trial has a value of each."""
    # The trial loads the jobs.
    from jobs.rule_trial import trial_days

    kinds, days = list(kinds), _days(wiring)
    rules = {kind: _in_force(kind, days[-1]) for kind in kinds if kind != _OF_RISK}
    values = {kind: sorted({*CURVES[kind][1], _figures(rule)[CURVES[kind][0]]}) for kind, rule in rules.items()}
    points = []
    for n in range(max(map(len, values.values()), default=0)):
        at = {kind: of[n] for kind, of in values.items() if n < len(of)}
        progress(", ".join(f"{kind} {CURVES[kind][0]} {value}" for kind, value in at.items()))
        changed = [_with(rules[kind], CURVES[kind][0], value) for kind, value in at.items()]
        with trial_days(wiring, changed, days[0], days[-1], step="compliance") as (lake, tried):
            rows = [(day.on, lake.rows(day.tried.path, "compliance_findings")) for day in tried]
        for kind, value in at.items():
            found = _found((on, [row for row in of if row["rule"] == kind]) for on, of in rows)
            line = score(labels, found, days[-1].isoformat()).kinds
            is_own = value == _figures(rules[kind])[CURVES[kind][0]]
            points.append(_point(kind, CURVES[kind][0], value, is_own, line))
    if _OF_RISK in kinds:
        points += _compensated_curve(wiring, labels, *CURVES[_OF_RISK])
    return sorted(points, key=lambda point: (point["kind"], point["value"]))


def _in_force(kind: str, on: date) -> Rule:
    """The newest version that is shipped and has begun."""
    from schemas.rule_book import shipped_rules

    return [rule for rule in shipped_rules() if rule.rule_id == kind and rule.valid_from <= on][-1]


def _figures(rule: Rule) -> Mapping[str, int]:
    assert isinstance(rule.says, ComplianceTerms)
    return rule.says.figures


def _compensated_curve(wiring: Wiring, labels: list[dict[str, Any]], name: str, values: Iterable[int]) -> list[dict[str, Any]]:
    """The risk step is not tried anew: what it judges by is sealed whole (table compensations), and judged by the same function."""
    from schemas.rule_book import shipped_rules

    says = [rule.says for rule in shipped_rules() if rule.rule_id == _OF_RISK][-1]
    assert isinstance(says, RiskFigures)
    days = _days(wiring)
    paid = [(on, [Compensated(**row) for row in _rows(wiring, on, "risk", "compensations")]) for on in days]
    points = []
    for value in sorted({*values, says.figures[name]}):
        figures = {**says.figures, name: value}
        told = [(on, [_alert(alert) for alert in repeated(rows, figures, on)]) for on, rows in paid]
        line = score(labels, _found(told), days[-1].isoformat()).kinds
        points.append(_point(_OF_RISK, name, value, value == says.figures[name], line))
    return points


def _alert(alert: Alert) -> Row:
    return {"platform": alert.platform, "rule": _OF_RISK, "subject": alert.subject, "words_en": alert.words[0]}


def _point(kind: str, name: str, value: int, is_own: bool, line: Mapping[str, Any]) -> dict[str, Any]:
    return (
        {"kind": kind, "figure": name, "value": value, "operating": is_own}
        | {n: line[kind][n] for n in ("planted", "found", "recall")}
        | _precision(line, kind)
    )


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


def _with(rule: Rule, name: str, value: int) -> Rule:
    entry = dict(rule.entry)
    return read_rule({**entry, "figures": {**entry["figures"], name: value}}, f"{rule.id} with {name} {value}")


def _days(wiring: Wiring) -> list[date]:
    with wiring.register.transaction() as tx:
        return sorted({row["custody_date"] for row in tx.find("step_output", step="compliance")})
