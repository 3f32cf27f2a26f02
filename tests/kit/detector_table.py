"""Recall and precision of each behaviour over several worlds, and of those that are a matter of degree the curve behind.

    python tests/kit/detector_table.py --seeds 303 404 --out build/detectors [--platforms 12] [--days 13] [--curves KIND ...]

A world is lived and its days are run once; what stands in the folder is scored again. A finding that belongs to no label counts
against its own rule. Rules that have an earlier version are tried by it too: what the newer one is worth. The table of all worlds is
OUT/table.json, what was missed or raised for nothing stands in it with how bold it was.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from instance_kit import GO_LIVE, make_instance, make_world, opened

from connectors.bootstrap import Wiring
from console.behaviour_scoring import CURVES, behaviour_labels, behaviour_score, curves, findings_of
from custody.compliance_rules import NEEDS
from custody.ports import Row
from jobs.rule_trial import trial_days
from schemas.rule_book import shipped_rules
from simulator.score import TOTAL, UNEXPLAINED, Score, rate, score

_SIZE = {"channels": 1, "lenders": 12, "loans": 5}


def lived(folder: Path, seed: int, platforms: int, days: int) -> Path:
    """The instance that has run the world of a seed up to its last day."""
    home, done = folder / "home", folder / "done"
    if not done.is_file():
        world = make_world(folder / "world", [], seed=seed, platforms=platforms, days=days, behaviours=True, **_SIZE)
        with opened(make_instance(home, world)) as instance:
            for n in range(days):
                on = GO_LIVE + timedelta(days=n)
                instance.deliver(world, on)
                instance.run_day(on)
            broken = instance.failing_proofs()
        assert not broken, broken
        done.touch()
    return home


def counted(result: Score) -> dict[str, Counter[str]]:
    """By kind; what is false is counted with the rule that said it."""
    lines = {kind: line for kind, line in result.kinds.items() if kind not in (TOTAL, UNEXPLAINED)}
    counts = {kind: Counter({n: line[n] for n in ("planted", "not_due", "found", "late")}) for kind, line in lines.items()}
    for finding in result.false:
        counts.setdefault(finding["kind"], Counter())["false"] += 1
    return counts


def scored_before(wiring: Wiring, labels: list[dict[str, Any]]) -> dict[str, Counter[str]]:
    """The same days by the version before of each rule that has one."""
    last = {rule.rule_id: rule for rule in shipped_rules() if rule.rule_id in NEEDS and rule.valid_from <= GO_LIVE}
    earlier = [rule for rule in shipped_rules() if (now := last.get(rule.rule_id)) and rule.version == now.version - 1]
    days = sorted({row["custody_date"] for row in _outputs(wiring)})
    with trial_days(wiring, earlier, days[0], days[-1], step="compliance") as (lake, tried):
        found = [item for day in tried for item in findings_of(day.on, lake.rows(day.tried.path, "compliance_findings"))]
    counts = counted(score(labels, found, days[-1].isoformat()))
    return {rule.rule_id: counts[rule.rule_id] for rule in earlier if rule.rule_id in counts}


def _outputs(wiring: Wiring) -> list[Row]:
    with wiring.register.transaction() as tx:
        return tx.find("step_output", step="compliance")


def rates(counts: Mapping[str, int]) -> dict[str, Any]:
    due = counts["planted"] - counts["not_due"]
    said = {name: counts[name] for name in ("planted", "not_due", "found", "late", "false")}
    return said | {"recall": rate(counts["found"], due), "precision": rate(counts["found"], counts["found"] + counts["false"])}


def curve_table(points: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The points of several worlds at one value of one figure, as one."""
    of: dict[tuple[str, str, int, bool], Counter[str]] = defaultdict(Counter)
    for point in points:
        key = point["kind"], point["figure"], point["value"], point["operating"]
        of[key].update({name: point[name] for name in ("planted", "found", "false")})
    return [
        {"kind": kind, "figure": figure, "value": value, "operating": own, **counts}
        | {
            "recall": rate(counts["found"], counts["planted"]),
            "precision": rate(counts["found"], counts["found"] + counts["false"]),
        }
        for (kind, figure, value, own), counts in sorted(of.items())
    ]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--seeds", type=int, nargs="+", required=True)
    asked.add_argument("--out", type=Path, required=True)
    asked.add_argument("--platforms", type=int, default=12)
    asked.add_argument("--days", type=int, default=13)
    asked.add_argument("--curves", nargs="*", default=sorted(CURVES), choices=sorted(CURVES))
    said = asked.parse_args()
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    before: dict[str, Counter[str]] = defaultdict(Counter)
    points: list[dict[str, Any]] = []
    worlds = {}
    for seed in said.seeds:
        folder, began = said.out / f"seed-{seed}", time.process_time()
        folder.mkdir(parents=True, exist_ok=True)
        with opened(lived(folder, seed, said.platforms, said.days)) as instance:
            labels = behaviour_labels(instance.wiring, folder / "world" / "truth")
            result, last = behaviour_score(instance.wiring, labels)
            for kind, counts in counted(result).items():
                kinds[kind].update(counts)
            for kind, counts in scored_before(instance.wiring, labels).items():
                before[kind].update(counts)
            points += curves(instance.wiring, labels, said.curves)
        worlds[seed] = {"up_to": last.isoformat(), "missed": result.missed, "late": result.late, "false": result.false}
        print(f"seed {seed}: {len(labels)} labels, {time.process_time() - began:.0f} CPU seconds", flush=True)
    table = {kind: rates(counts) for kind, counts in sorted(kinds.items())}
    earlier = {kind: rates(counts) for kind, counts in sorted(before.items())}
    whole = {
        "seeds": said.seeds,
        "platforms": said.platforms,
        "days": said.days,
        "kinds": table,
        "by_earlier_versions": earlier,
        "curves": curve_table(points),
    }
    (said.out / "table.json").write_text(json.dumps({**whole, "worlds": worlds}, indent=1, ensure_ascii=False) + "\n", "utf-8")
    for title, lines in (("", table), ("by the version before: ", earlier)):
        for kind, line in lines.items():
            said_of = (f"{name} {line[name]:<8}" for name in ("planted", "found", "late", "false", "recall", "precision"))
            print(f"{title}{kind:<24}", *said_of)
    for p in whole["curves"]:
        mark = "  <- operating point" if p["operating"] else ""
        print(f"{p['kind']:<22} {p['figure']:<10} {p['value']:>10}  recall {p['recall']}  precision {p['precision']}{mark}")


if __name__ == "__main__":
    main()
