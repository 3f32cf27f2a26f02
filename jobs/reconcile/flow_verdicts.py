"""What the engine did not match, judged by the core: each key's items become breaks, stay open, or match as a group."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from custody.cascade import Judged, cascade, suggestions
from custody.matching import Bucket, case_id
from custody.ports import Row
from jobs.reconcile.breaks import Breaks, add_flow
from jobs.reconcile.day import Day
from jobs.reconcile.flows import FlowMatches, judge_rest


@dataclass
class FlowVerdicts:
    """``rows``: of the matches table, with the item's status.
    ``open_items``: what tomorrow takes in. ``breaks``: each case id with its items.
    ``suggestions``: rows of that table, for a person only."""

    rows: list[Row] = field(default_factory=list)
    open_items: list[Row] = field(default_factory=list)
    breaks: list[tuple[str, list[Row]]] = field(default_factory=list)
    suggestions: list[Row] = field(default_factory=list)


def judge_flows(day: Day, flows: FlowMatches, paid_out: frozenset[str], breaks: Breaks) -> FlowVerdicts:
    """``paid_out``: see jobs.reconcile.returns."""
    context = day.context
    waiting = frozenset(
        f"{t['platform']}|{t['request_no']}|{t['leg']}" for t in context.rows("post", "ledger_txn") if t["outcome"] == "WAITING"
    )
    rejected = {(r["party"], r["row_key"]): r for r in context.rows("land", "rejected_rows") if r["row_key"]}
    causes = {b["case_id"]: b["cause"] for b in day.breaks_before}
    found = FlowVerdicts()
    rules = day.reference.rules.relations
    each = [Judged(*one) for one in judge_rest(rules, flows.rest, day.today, day.missing, flows.seen, waiting)]
    judged = cascade(each, paid_out)
    found.suggestions = [suggestion._asdict() for suggestion in suggestions(judged)]
    for relation, items, verdict in judged:
        if verdict.bucket == Bucket.BREAK:
            known = case_id(items[0]["platform"], relation.sides, items[0]["subject"])
            cause = _cause(items, rejected) or causes.get(known)
            found.breaks.append((add_flow(breaks, relation, items, verdict, cause), items))
        found.rows += [match_row(item, verdict.bucket, verdict.rule) for item in items]
        if verdict.bucket != Bucket.MATCHED:
            found.open_items += items
    return found


def settled_by_decision(found: FlowVerdicts, cases: list[Row], resolved: frozenset[tuple[str, str]]) -> FlowVerdicts:
    """The same, where the items of cases that two people settled match as ``resolved`` and are open no more."""
    settled = {r["case_id"] for r in cases if (r["case_id"], r["evidence_digest"]) in resolved}
    refs = frozenset(item["row_ref"] for identity, items in found.breaks if identity in settled for item in items)
    rows = [{**row, "bucket": Bucket.MATCHED, "rule": "resolved"} if row["row_ref"] in refs else row for row in found.rows]
    return replace(found, rows=rows, open_items=[item for item in found.open_items if item["row_ref"] not in refs])


def match_row(item: Row, bucket: str, rule: str) -> Row:
    kept = ("relation", "side", "row_ref", "item_date", "platform", "subject", "match_key", "amount_minor", "status")
    return {n: item[n] for n in kept} | {"bucket": str(bucket), "rule": str(rule)}


def _cause(items: list[Row], rejected: dict[tuple[str, str], Row]) -> str | None:
    """A row that was rejected at landing explains why its counterpart stands alone."""
    request, leg = items[0]["subject"].split("|")[1:3] if items[0]["relation"] == "AB_TXN" else ("", "")
    found = rejected.get((items[0]["platform"], f"request_no={request}|leg={leg}"))
    return f"row_rejected:{found['file_name']}:{found['line_no']}" if found else None
