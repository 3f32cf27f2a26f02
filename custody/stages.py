"""A movement under way is said again with each new status (ACCEPTED, UNKNOWN, then SUCCESS): one key, several rows on each side.

Such rows are judged stage by stage, so that a stage whose file comes late meets its own counterpart and not the next one's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from custody.matching import Relation, pair_kind
from custody.names import UNDER_WAY

Item = dict[str, Any]


def stages(relation: Relation, items: list[Item]) -> list[list[Item]]:
    """The items of one key as groups to be judged by themselves: all of them, unless some are of a movement under way.

    First the pairs that agree in everything, one row on each side with that status; what is left, date by date.
    """
    if relation.nets or len(items) < 2 or not any(is_under_way(item) for item in items):
        return [items]
    left: list[Item] = []
    pairs: list[list[Item]] = []
    by_status: dict[Any, list[Item]] = defaultdict(list)
    for item in items:
        by_status[item["status"]].append(item)
    for of_status in by_status.values():
        if _agree(relation, of_status):
            pairs.append(of_status)
        else:
            left += of_status
    by_date: dict[Any, list[Item]] = defaultdict(list)
    for item in left:
        by_date[item["item_date"]].append(item)
    return [*pairs, *(of_date for _, of_date in sorted(by_date.items()))]


def is_under_way(item: Item) -> bool:
    return item["status"] in UNDER_WAY


def is_posted_stage(items: Sequence[Item]) -> bool:
    """Whether these are rows of a movement under way, ours among them: the ledger posts no stage twice."""
    return any(is_under_way(item) for item in items) and any(item["side"] == "B" for item in items)


def _agree(relation: Relation, items: Sequence[Item]) -> bool:
    if len(items) != 2 or items[0]["side"] == items[1]["side"]:
        return False
    first, second = items if items[0]["side"] == relation.left else (items[1], items[0])
    return pair_kind(relation, first, second) is None
