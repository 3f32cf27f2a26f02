"""What several keys together say (domain.md §6): the steps of the match cascade after each key was judged by itself.

A residue that went to another leg; a withdrawal that came back; legs of one request that the platform cut differently, netted
(N:M) inside that request. Never across requests, never where a key has both its sides: same id with another amount is a break.
What only looks alike is a suggestion for a person and matches nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

from custody.matching import NETTING, Bucket, Relation, Verdict
from custody.names import BreakKind
from custody.ports import Row

_MONEY = ("amount_minor", "principal_minor", "interest_minor", "penalty_minor", "coupon_minor")
_SAME = ("currency", "txn_type", "from_account", "to_account", "loan_id", "status", "item_date")
_ALONE = (BreakKind.MISSING_IN_PLATFORM, BreakKind.UNAUTHORISED)
_CLAIMS, _CHANNELS = "AB_TXN", "BC_CHANNEL"
# So many rows of one amount tell nobody which belong together.
_MOST_ALIKE = 20
_SHORTEST_FUZZY = 6


class Judged(NamedTuple):
    """One key's items, or those of a group of keys, with their verdict."""

    relation: Relation
    items: list[Row]
    verdict: Verdict


class Suggestion(NamedTuple):
    """Two rows that stand alone and may be one movement. ``rule``: ``normalised_id`` or ``fuzzy_id``."""

    relation: str
    platform: str
    left_ref: str
    right_ref: str
    left_subject: str
    right_subject: str
    amount_minor: int
    rule: str


def cascade(judged: Sequence[Judged], paid_out: Container[str]) -> list[Judged]:
    """The same with the verdicts that only other keys explain. ``paid_out``: keys of pay-outs by which a channel's row may be told
    to be their return. Each item stays in one group."""
    residues = _residues(judged)
    netted = _netted(judged)
    out = []
    for one in judged:
        key = one.items[0]["match_key"]
        if one.relation.name == _CLAIMS and key in residues:
            out.append(one._replace(verdict=Verdict(Bucket.BREAK, BreakKind.ROUNDING)))
        elif _is_return(one, paid_out):
            out.append(one._replace(verdict=Verdict(Bucket.BREAK, BreakKind.RETURNED)))
        elif one.relation.name != _CLAIMS or key not in netted:
            out.append(one)
        elif netted[key][0] is one:
            items = sorted((i for part in netted[key] for i in part.items), key=lambda i: (i["side"], i["row_ref"]))
            out.append(Judged(one.relation, items, Verdict(Bucket.MATCHED, NETTING)))
    return out


def return_of(key: str) -> str | None:
    """Of the key of a channel's row that pays in, the key that the pay-out with the same request number has."""
    request, _, direction = key.rpartition("|")
    return f"{request}|OUT" if direction == "IN" else None


def _is_return(one: Judged, paid_out: Container[str]) -> bool:
    if one.relation.name != _CHANNELS or one.verdict.rule != BreakKind.MISSING_IN_LEDGER:
        return False
    return return_of(one.items[0]["match_key"]) in paid_out


def _request(item: Row) -> tuple[str, str]:
    return item["platform"], item["subject"].rpartition("|")[0]


def _residues(judged: Sequence[Judged]) -> set[str]:
    """Keys of legs that differ from ours by what a division left: over the request the differences sum to zero, and none is as
    large as the number of legs that differ."""
    off: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for relation, items, verdict in judged:
        if relation.name == _CLAIMS and verdict.rule == BreakKind.AMOUNT and len(items) == 2:
            left, right = (i["amount_minor"] for i in sorted(items, key=lambda i: bool(i["side"] != relation.left)))
            off[_request(items[0])][items[0]["match_key"]] = left - right
    found: set[str] = set()
    for by_key in off.values():
        small = {key: by for key, by in by_key.items() if abs(by) < len(by_key)}
        if small and sum(small.values()) == 0:
            found |= set(small)
    return found


def _netted(judged: Sequence[Judged]) -> dict[str, list[Judged]]:
    """By key the group it nets in: rows of one request whose keys stand on one side only, and whose sums agree over all rows with
    the same accounts, type, loan, status and date."""
    alone: dict[tuple[object, ...], list[Judged]] = defaultdict(list)
    for one in judged:
        if one.relation.name == _CLAIMS and one.verdict.rule in _ALONE and len(one.items) == 1:
            item = one.items[0]
            alone[(*_request(item), *(item[name] for name in _SAME))].append(one)
    groups: dict[str, list[Judged]] = {}
    for parts in alone.values():
        sums: dict[str, Counter[str]] = defaultdict(Counter)
        for one in parts:
            item = one.items[0]
            sums[item["side"]].update({name: item[name] for name in _MONEY})
        relation = parts[0].relation
        if len(sums) == 2 and sums[relation.left] == sums[relation.right]:
            groups.update({one.items[0]["match_key"]: parts for one in parts})
    return groups


def suggestions(judged: Iterable[Judged]) -> Iterator[Suggestion]:
    """Rows that stand alone on either side with one amount, and whose numbers differ in how they are written (normalised) or in
    one character (fuzzy). Several that fit are all shown."""
    alike: dict[tuple[object, ...], tuple[list[Row], list[Row]]] = defaultdict(lambda: ([], []))
    for relation, items, verdict in judged:
        if verdict.bucket is Bucket.BREAK and len(items) == 1 and verdict.rule in (relation.missing_left, relation.missing_right):
            item = items[0]
            place = relation.name, item["platform"], item["currency"], item["amount_minor"]
            alike[place][item["side"] != relation.left].append(item)
    for (relation_name, platform, _, amount), (left, right) in sorted(alike.items(), key=lambda entry: str(entry[0])):
        if len(left) > _MOST_ALIKE or len(right) > _MOST_ALIKE:
            continue
        for ours, theirs in product(left, right):
            rule = _likeness(_number(ours), _number(theirs))
            if rule is not None:
                refs = ours["row_ref"], theirs["row_ref"], ours["subject"], theirs["subject"]
                yield Suggestion(str(relation_name), str(platform), *refs, int(str(amount)), rule)


def _number(item: Row) -> str:
    """The request number, or the core's reference."""
    parts = item["subject"].split("|")
    return str(parts[1] if parts[0] == "TXN" else parts[2])


def _likeness(one: str, other: str) -> str | None:
    if _normal(one) == _normal(other):
        return "normalised_id"
    if min(len(one), len(other)) >= _SHORTEST_FUZZY and _one_slip(_normal(one), _normal(other)):
        return "fuzzy_id"
    return None


def _normal(number: str) -> str:
    """Without case, marks and leading zeros."""
    return "".join(c for c in number.upper() if c.isalnum()).lstrip("0")


def _one_slip(one: str, other: str) -> bool:
    """One character more, less or other, or two neighbours exchanged."""
    if abs(len(one) - len(other)) > 1:
        return False
    at = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    a, b = one[at:], other[at:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])
