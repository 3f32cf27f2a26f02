"""What would have been different under other rules: a day's outcome against the same day's under a trial's (design.md §4.7)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from custody.masking import mask_user_numbers
from custody.match_rules import RuleSet
from custody.ports import Row

# What became of a break under the trial's rules.
APPEARS, VANISHES, KIND, AMOUNT, CAUSE, WEIGHT = "APPEARS", "VANISHES", "KIND", "AMOUNT", "CAUSE", "WEIGHT"
# Rows that matched cleanly one to one are sealed as sums, not row by row: a row that is not listed is one of them.
CLEAN = ("MATCHED", "exact")


@dataclass(frozen=True)
class Outcome:
    """What the reconciliation of one date found: its breaks, the rows that it lists with their bucket, and the rules it ran by."""

    breaks: list[Row]
    rows: list[Row]
    rules: RuleSet


def day_difference(
    on: date, sealed: Outcome, tried: Outcome, opened_on: Callable[[str], date], examples: int
) -> list[dict[str, Any]]:
    """For each platform where something differs: breaks and rows, counted whole, with up to ``examples`` of each sort.

    ``opened_on``: since when a case has stood by that date, which its severity depends on.
    """
    breaks: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for change in _break_changes(on, sealed, tried, opened_on):
        breaks[change["platform"]].append(change)
    moves: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for platform, move in _moves(sealed.rows, tried.rows, examples):
        moves[platform].append(move)
    return [
        {
            "date": on.isoformat(),
            "platform": platform,
            "breaks": _summed(breaks[platform], examples),
            "rows": moves[platform],
        }
        for platform in sorted({*breaks, *moves})
    ]


def findings_difference(on: date, sealed: Iterable[Row], tried: Iterable[Row]) -> list[dict[str, Any]]:
    """For each platform ("" where none is named) the findings of compliance that would appear or vanish, or have other figures: counted
    by rule. Nobody is named: who decides on a rule need not be one who may see whom it finds."""
    before, after = ({row["finding_id"]: row for row in rows} for rows in (sealed, tried))
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for finding_id in sorted({*before, *after}):
        was, would = before.get(finding_id), after.get(finding_id)
        what = APPEARS if was is None else VANISHES if would is None else AMOUNT if was["figures"] != would["figures"] else None
        if what is not None:
            row = would or was
            assert row is not None
            groups[row["platform"], row["rule"], what].append(row)
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for (platform, rule, what), rows in sorted(groups.items()):
        total = sum(row["amount_minor"] for row in rows)
        found[platform].append({"what": what, "rule": rule, "count": len(rows), "amount_minor": total})
    return [
        {"date": on.isoformat(), "platform": platform, "breaks": [], "rows": [], "findings": findings}
        for platform, findings in sorted(found.items())
    ]


def _break_changes(on: date, sealed: Outcome, tried: Outcome, opened_on: Callable[[str], date]) -> list[dict[str, Any]]:
    before, after = ({row["case_id"]: row for row in outcome.breaks} for outcome in (sealed, tried))
    found = []
    for case_id in sorted({*before, *after}):
        shown = [
            None if row is None else _shown(row, outcome.rules, (on - opened_on(case_id)).days)
            for row, outcome in ((before.get(case_id), sealed), (after.get(case_id), tried))
        ]
        what = _what(*shown)
        if what is not None:
            row = after.get(case_id) or before[case_id]
            place = {n: row[n] for n in ("platform", "case_id", "sides", "subject")}
            found.append({"what": what, **place, "before": shown[0], "after": shown[1]})
    return found


def _shown(row: Row, rules: RuleSet, age_days: int) -> dict[str, Any]:
    level = rules.severity(row["amount_minor"], max(age_days, 0))
    return {
        "kind": row["kind"],
        "amount_minor": row["amount_minor"],
        "cause": row["cause"],
        "severity": level,
        "due_business_days": rules.due_business_days(level),
    }


def _what(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str | None:
    if before is None:
        return APPEARS
    if after is None:
        return VANISHES
    if before["kind"] != after["kind"]:
        return KIND
    if before["amount_minor"] != after["amount_minor"]:
        return AMOUNT
    if before["cause"] != after["cause"]:
        return CAUSE
    return WEIGHT if before != after else None


def _summed(changes: list[dict[str, Any]], examples: int) -> list[dict[str, Any]]:
    """Changes of one platform by what they are and from which kind to which."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for change in changes:
        kinds = [side["kind"] if side else "" for side in (change["before"], change["after"])]
        groups[change["what"], *kinds].append(change)
    return [
        {
            "what": what,
            "before": before,
            "after": after,
            "count": len(group),
            "amount_minor": sum((c["after"] or c["before"])["amount_minor"] for c in group),
            "examples": [
                {**{n: c[n] for n in ("case_id", "sides", "before", "after")}, "subject": mask_user_numbers(c["subject"])}
                for c in sorted(group, key=lambda c: (-(c["after"] or c["before"])["amount_minor"], c["case_id"]))[:examples]
            ],
        }
        for (what, before, after), group in sorted(groups.items())
    ]


def _moves(sealed: Iterable[Row], tried: Iterable[Row], examples: int) -> list[tuple[str, dict[str, Any]]]:
    """Rows that end in another bucket, or there by another rule, by platform, relation and side."""
    before, after = ({(r["relation"], r["side"], r["row_ref"]): r for r in rows} for rows in (sealed, tried))
    groups: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for key in sorted({*before, *after}):
        places = [CLEAN if found is None else (found["bucket"], found["rule"]) for found in (before.get(key), after.get(key))]
        if places[0] != places[1]:
            row = after.get(key) or before[key]
            groups[row["platform"], row["relation"], row["side"], *places[0], *places[1]].append(row)
    return [
        (
            platform,
            {
                "relation": relation,
                "side": side,
                "before": f"{bucket_before} {rule_before}",
                "after": f"{bucket_after} {rule_after}",
                "count": len(rows),
                "amount_minor": sum(row["amount_minor"] for row in rows),
                "examples": [
                    {"row_ref": r["row_ref"], "subject": mask_user_numbers(r["subject"]), "amount_minor": r["amount_minor"]}
                    for r in rows[:examples]
                ],
            },
        )
        for (platform, relation, side, bucket_before, rule_before, bucket_after, rule_after), rows in sorted(groups.items())
    ]
