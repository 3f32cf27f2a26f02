"""What the engine did not match: what only waits goes on as columns, and the core judges each key's items of the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import pyarrow as pa

from connectors.lake import table_of
from custody.cascade import Judged, cascade, suggestions
from custody.matching import Bucket, Relation, Verdict, case_id, group_id, judge_group
from custody.names import UNDER_WAY
from custody.ports import Row
from custody.stages import is_posted_stage, stages
from jobs.reconcile.breaks import Breaks, add_flow
from jobs.reconcile.day import Day
from jobs.reconcile.flows import FlowMatches
from jobs.reconcile.waiting import split_waiting
from schemas.tables import TABLES

# The rule of rows whose case two people settled.
RESOLVED = "resolved"
_MATCH = ("relation", "side", "row_ref", "item_date", "platform", "subject", "match_key", "amount_minor")


@dataclass
class FlowVerdicts:
    """``waiting``: items that only wait, with their ``rule``. ``rows``: of the matches table, for all others; ``open_items``: those of
    them that tomorrow takes in; ``breaks``: each case id with its items; ``suggestions``: rows of that table, for a person only."""

    waiting: pa.Table
    rows: list[Row] = field(default_factory=list)
    open_items: list[Row] = field(default_factory=list)
    breaks: list[tuple[str, list[Row]]] = field(default_factory=list)
    suggestions: list[Row] = field(default_factory=list)

    def matched_hashes(self) -> dict[str, list[int]]:
        """By relation the hashes of the keys that matched here. A movement still under way will come with a new status."""
        found: dict[str, set[int]] = defaultdict(set)
        for row in self.rows:
            if row["bucket"] == Bucket.MATCHED and row["match_key"] is not None and row["status"] not in UNDER_WAY:
                found[row["relation"]].add(row["key_hash"])
        return {relation: sorted(hashes) for relation, hashes in found.items()}

    def matches(self) -> pa.Table:
        many = self.waiting.num_rows
        waiting = pa.table(
            {name: self.waiting[name] for name in (*_MATCH, "rule")}
            | {"bucket": pa.repeat(str(Bucket.CARRIED), many), "group_id": pa.nulls(many, pa.string())}
        )
        judged = table_of(TABLES["matches"], self.rows)
        return pa.concat_tables([waiting.select(judged.schema.names).cast(judged.schema), judged])

    def carried_out(self) -> pa.Table:
        judged = table_of(TABLES["open_items"], self.open_items)
        return pa.concat_tables([self.waiting.select(judged.schema.names).cast(judged.schema), judged])


def judge_flows(day: Day, flows: FlowMatches, waiting: frozenset[str], paid_out: frozenset[str], breaks: Breaks) -> FlowVerdicts:
    """``waiting``: keys of instructions that could not be posted yet; ``paid_out``: see jobs.reconcile.returns."""
    rejected = {(r["party"], r["row_key"]): r for r in day.context.rows("land", "rejected_rows") if r["row_key"]}
    causes = {b["case_id"]: b["cause"] for b in day.breaks_before}
    waits, rest = split_waiting(flows.rest, day.today, day.missing, flows.before, waiting)
    found = FlowVerdicts(waits)
    before = frozenset(flows.before)
    relations = day.reference.rules.relations
    each = [Judged(*one) for one in judge_rest(relations, rest.to_pylist(), day.today, day.missing, before, waiting)]
    judged = cascade(each, paid_out)
    found.suggestions = [suggestion._asdict() for suggestion in suggestions(judged)]
    for relation, items, verdict in judged:
        if verdict.bucket == Bucket.BREAK:
            known = case_id(items[0]["platform"], relation.sides, items[0]["subject"])
            cause = _cause(items, rejected) or causes.get(known)
            found.breaks.append((add_flow(breaks, relation, items, verdict, cause), items))
        group = group_id(item["row_ref"] for item in items) if len(items) > 1 else None
        said = {"bucket": str(verdict.bucket), "rule": str(verdict.rule), "group_id": group}
        found.rows += [{n: item[n] for n in (*_MATCH, "status", "key_hash")} | said for item in items]
        if verdict.bucket != Bucket.MATCHED:
            found.open_items += items
    return found


def judge_rest(
    relations: Sequence[Relation],
    rest: Iterable[Row],
    as_of: date,
    files_missing: frozenset[str],
    matched_before: frozenset[tuple[str, str]],
    waiting_keys: frozenset[str],
) -> Iterator[tuple[Relation, list[Row], Verdict]]:
    """Each key's unmatched items with their verdict, in order of relation and key. A null key is a group of its own."""
    by_name = {relation.name: relation for relation in relations}
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for item in sorted(rest, key=lambda i: (i["relation"], i["side"], i["row_ref"])):
        alone = item["row_ref"] if item["match_key"] is None else ""
        groups[item["relation"], item["match_key"] or "", alone].append(item)
    for (name, key, _alone), items in sorted(groups.items()):
        relation = by_name[name]
        for stage in stages(relation, items):
            # What we posted of a movement under way is no repetition of what matched since.
            again = (name, key) in matched_before and not is_posted_stage(stage)
            yield relation, stage, judge_group(relation, stage, as_of, files_missing, again, key in waiting_keys)


def may_be_settled(found: FlowVerdicts, resolved: frozenset[tuple[str, str]]) -> bool:
    """Whether any of its cases is one that two people settled, with whatever evidence."""
    settled = {identity for identity, _ in resolved}
    return any(identity in settled for identity, _ in found.breaks)


def settled_by_decision(found: FlowVerdicts, cases: list[Row], resolved: frozenset[tuple[str, str]]) -> FlowVerdicts:
    """The same, where the items of cases that two people settled match as ``resolved`` and are open no more."""
    settled = {r["case_id"] for r in cases if (r["case_id"], r["evidence_digest"]) in resolved}
    refs = frozenset(item["row_ref"] for identity, items in found.breaks if identity in settled for item in items)
    rows = [{**row, "bucket": Bucket.MATCHED, "rule": RESOLVED} if row["row_ref"] in refs else row for row in found.rows]
    return replace(found, rows=rows, open_items=[item for item in found.open_items if item["row_ref"] not in refs])


def _cause(items: list[Row], rejected: dict[tuple[str, str], Row]) -> str | None:
    """A row that was rejected at landing explains why its counterpart stands alone."""
    request, leg = items[0]["subject"].split("|")[1:3] if items[0]["relation"] == "AB_TXN" else ("", "")
    found = rejected.get((items[0]["platform"], f"request_no={request}|leg={leg}"))
    return f"row_rejected:{found['file_name']}:{found['line_no']}" if found else None
