"""The judgement of what did not match (domain.md §6), by relations that a date's rule set makes (custody.match_rules).

The pair rules are written once, as data, and ``pair_kind`` applies them. Rows that differ in nothing that any rule may compare need
no judge: a test holds that no rule set would find anything in such a pair. Tolerance for money is 0.00; only time has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any

from custody.digest import canonical_json, digest_of_json
from custody.names import BreakKind

Item = Mapping[str, Any]

# The platform claims a movement that touches a customer's sub-account (its id has a dot) or a P_* account; what touches
# neither is the bank's and the channels' own and stands in no TXN file (HUB, domain.md §6).
CLAIMED_ACCOUNT = "[.]|:P_"


class Bucket(StrEnum):
    """Every input row ends in exactly one (domain.md §4.10); REJECTED is decided at landing."""

    MATCHED = "MATCHED"
    BREAK = "BREAK"
    CARRIED = "CARRIED"


@dataclass(frozen=True)
class PairRule:
    """Two items with one key are a break of ``kind`` when any of ``differs`` differs (null equals null only), or when the
    two columns of ``swapped`` stand exchanged. ``unless`` names a bool column that excuses the difference; ``until`` a date up to
    which the left side may come later than the right."""

    kind: BreakKind
    differs: tuple[str, ...] = ()
    swapped: tuple[str, str] | None = None
    unless: str | None = None
    until: str | None = None


@dataclass(frozen=True)
class Relation:
    """Two sides that must tell the same story. ``nets``: rows of one key are summed (1:N, N:1, N:M) before comparing."""

    name: str
    sides: str
    left: str
    right: str
    missing_left: BreakKind
    missing_right: BreakKind
    rules: tuple[PairRule, ...]
    nets: bool = False


def pair_kind(relation: Relation, left: Item, right: Item) -> BreakKind | None:
    """The first rule that the pair breaks, or None when it matches."""
    for rule in relation.rules:
        if rule.unless is not None and (left[rule.unless] or right[rule.unless]):
            continue
        if rule.until is not None and _explained(rule.until, left, right):
            continue
        if rule.swapped is not None:
            a, b = rule.swapped
            if left[a] != left[b] and left[a] == right[b] and left[b] == right[a]:
                return rule.kind
        if any(left[name] != right[name] for name in rule.differs):
            return rule.kind
    return None


def _explained(until: str, left: Item, right: Item) -> bool:
    """Whether the left side's date is the right's, or later up to the date that explains the lag."""
    last = right[until] or left[until]
    return last is not None and bool(right["item_date"] <= left["item_date"] <= last)


def netted_kind(left: Sequence[Item], right: Sequence[Item]) -> BreakKind | None:
    """For a relation that nets: the two sums of each currency agree, or are of opposite sign, or differ."""
    ours, theirs = _sums(left), _sums(right)
    if ours == theirs:
        return None
    if set(ours) != set(theirs):
        return BreakKind.CURRENCY
    return BreakKind.DIRECTION if all(ours[c] == -theirs[c] for c in ours) else BreakKind.AMOUNT


def _sums(items: Sequence[Item]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for item in items:
        sums[item["currency"]] = sums.get(item["currency"], 0) + item["amount_minor"]
    return sums


# What a match group matched by: one to one and alike in everything; the same of another date; sums of one business key.
EXACT, LATER_DATE, NETTING = "exact", "later_date", "netting"


@dataclass(frozen=True)
class Verdict:
    """What becomes of a group of items with one key: its bucket, and why (a break kind, or the rule that carries it)."""

    bucket: Bucket
    rule: str


def judge_group(
    relation: Relation,
    items: Sequence[Item],
    as_of: date,
    files_missing: frozenset[str],
    matched_before: bool,
    waiting: bool,
) -> Verdict:
    """Judge one key's items that the engine did not match one to one.

    ``files_missing`` names sides that are not sealed yet, as ``party|type|date``: absence is never judged against them.
    ``waiting``: the instruction is there but could not be posted yet; its own finding stands.
    """
    left = [item for item in items if item["side"] == relation.left]
    right = [item for item in items if item["side"] == relation.right]
    if items[0]["match_key"] is None:
        # A null key matches nothing.
        return Verdict(Bucket.BREAK, BreakKind.ORPHAN)
    if matched_before:
        return Verdict(Bucket.BREAK, BreakKind.DUPLICATE)
    if left and right:
        return _judge_both(relation, left, right)
    if len(items) > 1 and not relation.nets:
        # Ties are shown, not broken.
        return Verdict(Bucket.BREAK, BreakKind.DUPLICATE)
    item = items[0]
    if waiting:
        return Verdict(Bucket.CARRIED, "instruction_waiting")
    if not files_missing.isdisjoint(_may_stand_in(item)):
        return Verdict(Bucket.CARRIED, "late_file")
    if item["expected_on"] is not None and as_of < item["expected_on"]:
        return Verdict(Bucket.CARRIED, "not_due")
    if item["in_window"] and item["item_date"] == as_of:
        return Verdict(Bucket.CARRIED, "cut_off_window")
    return Verdict(Bucket.BREAK, relation.missing_left if right else relation.missing_right)


def _may_stand_in(item: Item) -> list[str]:
    """The files, as ``party|type|date``, that may hold the item's counterpart: within the cut-off window those beside its own too."""
    named = item["counterpart_file"]
    if named is None:
        return []
    if not item["in_window"]:
        return [named]
    file, _, day = named.rpartition("|")
    return [f"{file}|{date.fromisoformat(day) + timedelta(days=n)}" for n in (-1, 0, 1)]


def _judge_both(relation: Relation, left: Sequence[Item], right: Sequence[Item]) -> Verdict:
    if relation.nets:
        kind = netted_kind(left, right)
    elif len(left) > 1 or len(right) > 1:
        return Verdict(Bucket.BREAK, BreakKind.DUPLICATE)
    else:
        kind = pair_kind(relation, left[0], right[0])
    return Verdict(Bucket.BREAK, kind) if kind else Verdict(Bucket.MATCHED, _matched_by(left, right))


def _matched_by(left: Sequence[Item], right: Sequence[Item]) -> str:
    """The step of the cascade of domain.md §6 that a matching group is of."""
    if len(left) > 1 or len(right) > 1:
        return NETTING
    return EXACT if left[0]["item_date"] == right[0]["item_date"] else LATER_DATE


def group_id(row_refs: Iterable[str]) -> str:
    """The identity of a match group: its rows', whatever their order."""
    return digest_of_json(sorted(row_refs))[:24]


def case_id(platform: str, sides: str, subject: str) -> str:
    """A case's identity for as long as it lives: without the break kind, which may change (design.md §2)."""
    return digest_of_json([platform, sides, subject])[:24]


def evidence_digest(evidence: Sequence[Mapping[str, object]]) -> str:
    """What a person's decision is bound to: a decision on one set of rows never settles another."""
    return sealed_evidence(evidence)["evidence_digest"]


def sealed_evidence(evidence: Sequence[Mapping[str, object]]) -> dict[str, str]:
    """A break's columns ``evidence``, as canonical JSON, and ``evidence_digest``, the SHA-256 of that text."""
    text = canonical_json(list(evidence))
    return {"evidence": text, "evidence_digest": sha256(text.encode()).hexdigest()}
