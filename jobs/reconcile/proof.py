"""The completeness proof (domain.md §4.10): every accepted input row is in exactly one bucket, in count and in amount.

For each relation and side: carried in + reopened + new = matched + broken + carried out + withdrawn. A restated file's earlier
version is withdrawn: what of it had matched, and what it had matched, comes back (reopened) to be judged anew. For each side that comes from files:
rows of the files' trailers = landed + rejected, and landed = new.
"""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import timedelta

import pyarrow as pa

from custody.adjustments import DECISION, KIND
from custody.matching import is_claimed
from custody.ports import Row
from jobs.step import StepContext

# (relation, side) -> the file type whose trailers must equal it
_TRAILERS = {
    ("AB_TXN", "A"): "TXN",
    ("BC_CHANNEL", "C"): "SETTLEMENT",
    ("AB_BALANCE", "A"): "BALANCE",
    ("AB_CLAIM", "A"): "CLAIM",
    ("AB_LOAN", "A"): "LOAN",
    ("AB_CUSTOMER", "A"): "CUSTOMER",
    ("POSTING", "B"): "INSTRUCTION",
    ("MANDATE", "B"): "MANDATE",
    ("LEGAL_ORDER", "B"): "LEGAL_ORDER",
    ("CONFIRMATION", "A"): "CONFIRMATION",
}
# What is kept as it came and has no counterpart: (table, relation and side, amount).
_REGISTERED = (
    ("land_mandate", ("MANDATE", "B"), None),
    ("land_legal_order", ("LEGAL_ORDER", "B"), "amount_minor"),
    ("land_confirmation", ("CONFIRMATION", "A"), None),
)
# The trailer's sum is the layout's first control total; of these relations the items' amount is the same figure.
_SUMS_AGREE = frozenset(
    {("AB_TXN", "A"), ("BC_CHANNEL", "C"), ("AB_CLAIM", "A"), ("AB_LOAN", "A"), ("POSTING", "B"), ("LEGAL_ORDER", "B")}
)
_POSTING_BUCKETS = {"POSTED": "MATCHED", "REPEATED": "MATCHED", "NO_POSTING": "MATCHED", "REFUSED": "BREAK", "WAITING": "CARRIED"}


def prove(context: StepContext, matches: pa.Table, outcomes: list[Row], withdrawn: list[Row]) -> list[Row]:
    """One row for each relation and side; ``holds`` says whether its equations are true. ``withdrawn``: rows of that table."""
    counts: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    grouped = matches.group_by(["relation", "side", "bucket"]).aggregate([("amount_minor", "sum"), ("amount_minor", "count")])
    for r in grouped.to_pylist():
        counts[r["relation"], r["side"], r["bucket"]] = [r["amount_minor_count"], r["amount_minor_sum"]]
    for t in context.rows("post", "ledger_txn"):
        _count(counts, ("POSTING", "B", _POSTING_BUCKETS[t["outcome"]]), t["amount_minor"])
    for table, side, amount in _REGISTERED:
        for row in context.rows("land", table):
            _count(counts, (*side, "MATCHED"), row[amount] if amount else 0)
    carried_in: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    yesterday = context.custody_date - timedelta(days=1)
    for item in context.rows("reconcile", "open_items", on=yesterday):
        _count(carried_in, (item["relation"], item["side"]), item["amount_minor"])
    waited = {(t["file_name"], t["line_no"]): t for t in context.rows("post", "ledger_txn", on=yesterday)}
    for p in context.rows("post", "pending_instructions", on=yesterday):
        _count(carried_in, ("POSTING", "B"), waited[p["file_name"], p["line_no"]]["amount_minor"])
    new = _new_rows(context)
    moved: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for row in withdrawn:
        entry = moved[row["relation"], row["side"]]
        for at, name in enumerate(("reopened", "reopened_minor", "withdrawn", "withdrawn_minor")):
            entry[at] += row[name]
    sides = sorted({(relation, side) for relation, side, _ in counts} | set(carried_in) | set(_TRAILERS) | set(new) | set(moved))
    files = [*outcomes, _decided(context)]
    return [_equation(side, counts, carried_in[side], new.get(side), moved[side], files) for side in sides]


def _is_claimed(t: Row) -> bool:
    """Whether the platform must have it in its file: an adjusting entry is the bank's own remedy."""
    return is_claimed(t["from_account"], t["to_account"]) and not t["file_name"].startswith(DECISION)


def _decided(context: StepContext) -> Row:
    """What two people approved of adjusting entries, as the cut-off sealed it, in the shape of one more file's trailer."""
    rows = [d for d in context.rows("cut_off", "decisions") if d["kind"] == KIND and d["outcome"] == "APPROVED"]
    total = sum(json.loads(d["payload"])["amount_minor"] for d in rows)
    return {
        "outcome": "LANDED",
        "file_type": "INSTRUCTION",
        "rows": len(rows),
        "total_minor": total,
        "rows_rejected": 0,
        "rejected_minor": 0,
    }


def _count(
    into: dict[tuple[str, ...], list[int]] | dict[tuple[str, str], list[int]] | dict[tuple[str, str, str], list[int]],
    key: tuple[str, ...],
    amount_minor: int,
) -> None:
    entry = into[key]  # type: ignore[index]
    entry[0] += 1
    entry[1] += amount_minor


def _new_rows(context: StepContext) -> dict[tuple[str, str], list[int]]:
    """New rows of the sides, counted from the inputs themselves and not from what the matcher made of them."""
    new: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for table, side, amount in (
        ("land_txn", ("AB_TXN", "A"), "amount_minor"),
        ("land_settlement", ("BC_CHANNEL", "C"), "gross_minor"),
        ("land_claim", ("AB_CLAIM", "A"), "principal_minor"),
        ("land_loan", ("AB_LOAN", "A"), "amount_minor"),
        ("land_instruction", ("POSTING", "B"), "amount_minor"),
        ("decided_adjustments", ("POSTING", "B"), "amount_minor"),
        *_REGISTERED,
    ):
        for row in context.rows("land", table):
            _count(new, side, row[amount] if amount else 0)
    for row in context.rows("land", "land_balance"):
        _count(new, ("AB_BALANCE", "A"), row["available_minor"] + row["frozen_minor"])
    for _row in context.rows("land", "land_customer"):
        _count(new, ("AB_CUSTOMER", "A"), 0)
    for flow in context.rows("extract", "core_flow"):
        _count(new, ("BC_CORE", "C"), flow["amount_minor"])
    for t in context.rows("post", "ledger_txn"):
        if t["outcome"] in ("POSTED", "NO_POSTING") and _is_claimed(t):
            _count(new, ("AB_TXN", "B"), t["amount_minor"])
        if t["outcome"] == "POSTED" and t["settle_date"] is not None:
            _count(new, ("BC_CHANNEL", "B"), t["amount_minor"])
    for move in context.rows("post", "journal"):
        if move["core_ref"] is not None:
            into = [move[a].endswith((":CORE_CASH", ":OWN_CASH")) for a in ("from_account", "to_account")]
            if any(into):
                _count(new, ("BC_CORE", "B"), move["amount_minor"] if into[0] else -move["amount_minor"])
    return new


def _equation(
    side: tuple[str, str],
    counts: dict[tuple[str, str, str], list[int]],
    carried_in: list[int],
    new: list[int] | None,
    moved: list[int],
    outcomes: list[Row],
) -> Row:
    reopened, withdrawn = moved[:2], moved[2:]
    matched, broken, carried = (counts[(*side, bucket)] for bucket in ("MATCHED", "BREAK", "CARRIED"))
    fresh = new or [0, 0]
    balanced = all(carried_in[i] + reopened[i] + fresh[i] == matched[i] + broken[i] + carried[i] + withdrawn[i] for i in (0, 1))
    files = [o for o in outcomes if o["outcome"] == "LANDED" and o["file_type"] == _TRAILERS.get(side)]
    trailer = [sum(o["rows"] for o in files), sum(o["total_minor"] for o in files)]
    rejected = [sum(o["rows_rejected"] for o in files), sum(o["rejected_minor"] for o in files)]
    if side in _TRAILERS:
        balanced &= trailer[0] == fresh[0] + rejected[0]
    if side in _SUMS_AGREE:
        balanced &= trailer[1] == fresh[1] + rejected[1]
    return {
        "relation": side[0],
        "side": side[1],
        "carried_in": carried_in[0],
        "reopened": reopened[0],
        "new": fresh[0],
        "matched": matched[0],
        "broken": broken[0],
        "carried": carried[0],
        "withdrawn": withdrawn[0],
        "rejected": rejected[0],
        "carried_in_minor": carried_in[1],
        "reopened_minor": reopened[1],
        "new_minor": fresh[1],
        "matched_minor": matched[1],
        "broken_minor": broken[1],
        "carried_minor": carried[1],
        "withdrawn_minor": withdrawn[1],
        "rejected_minor": rejected[1],
        "trailer_rows": trailer[0],
        "trailer_minor": trailer[1],
        "holds": balanced,
    }
