"""The steps of a custody day, as data: what each one reads, and the day's state that follows from what is committed.

Command line and DAGs both use this list. ``cut_off`` is ours beside design.md §1: it seals which files, decisions and
reference data (parties, contracts, calendar) the day sees, so that every later step reads sealed tables only. ``validate`` is
ours too: what a batch says as a whole is judged against earlier days' sealed figures, apart from what lands, so that judging
anew lands nothing anew.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

STEPS = (
    "cut_off",
    "land",
    "validate",
    "extract",
    "post",
    "project",
    "reconcile",
    "compliance",
    "fees",
    "risk",
    "statement",
    "report",
    "close",
)

# What the ledger is rebuilt from and by, in this order: a replay runs these and no others (jobs/replay.py). Of the rest they wait
# for ``close`` alone, and read no row of it: that yesterday's books are whole, a replay proves by comparing each output.
LEDGER_STEPS = ("cut_off", "land", "post", "project", "fees")

# step -> (steps of the same date, steps of the day before, steps of all earlier dates)
_READS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "cut_off": ((), ("cut_off",), ()),
    "land": (("cut_off",), ("land",), ()),
    "validate": (("cut_off", "land"), (), ("validate",)),
    "extract": (("cut_off",), (), ("extract",)),
    # Days post strictly in order: yesterday must be closed. What a restated file takes back stands in the version that landed before.
    "post": (("cut_off", "land"), ("close", "fees"), ("post", "land")),
    "project": (("land", "post"), ("post", "project"), ()),
    # A late balance file is compared with the snapshot of its own date, hence all earlier postings; a settlement batch is judged
    # when all its files are there, hence what landed of it before. Bank interest is owned by the balances up to yesterday.
    # A fee is explained by the contracts of its movement's date.
    "reconcile": (("cut_off", "land", "extract", "post"), ("fees",), ("reconcile", "post", "extract", "land", "cut_off")),
    # Patterns show over weeks: what earlier days summed up, and the entries behind it.
    "compliance": (("cut_off", "land", "post", "reconcile"), ("compliance",), ("compliance", "post", "reconcile")),
    # What belongs to an earlier day re-rates it: what its days said of themselves, and since of earlier ones.
    "fees": (("cut_off", "post"), (), ("fees", "post")),
    # Whether platforms confirm what they were told: each date's result states the seal of its reconciliation. Of today's it reads which
    # receivables are disputed. What the books have of fees is what accrued up to yesterday.
    "risk": (("cut_off", "land", "extract", "post", "reconcile"), ("risk", "fees"), ("reconcile",)),
    "statement": (("post",), (), ()),
    # What a report says of its period: any sealed table of its dates, and what the reports before it said.
    "report": (
        ("cut_off", "land", "post", "reconcile", "compliance", "fees", "risk"),
        (),
        ("land", "post", "reconcile", "compliance", "fees", "risk", "report"),
    ),
    "close": (tuple(s for s in STEPS if s != "close"), ("close",), ()),
}

STATES = ("OPEN", "CUT_OFF", "LANDED", "POSTED", "RECONCILED", "ASSESSED", "CLOSED")
_STATE_NEEDS: tuple[tuple[str, frozenset[str]], ...] = (
    ("CUT_OFF", frozenset({"cut_off"})),
    ("LANDED", frozenset({"land", "extract"})),
    ("POSTED", frozenset({"post", "project"})),
    ("RECONCILED", frozenset({"reconcile"})),
    ("ASSESSED", frozenset({"validate", "compliance", "fees", "risk", "statement", "report"})),
    ("CLOSED", frozenset({"close"})),
)


@dataclass(frozen=True, order=True)
class StepRef:
    custody_date: date
    step: str


def reads(step: str, custody_date: date, go_live: date, among: Collection[str] = STEPS) -> list[StepRef]:
    """Every committed output that a step of this date reads, where only the steps ``among`` these are run; dates before
    ``go_live`` do not exist."""
    same, day_before, earlier = _READS[step]
    yesterday = custody_date - timedelta(days=1)
    wanted = {StepRef(custody_date, s) for s in same}
    if yesterday >= go_live:
        wanted |= {StepRef(yesterday, s) for s in day_before}
    wanted |= {StepRef(go_live + timedelta(days=n), s) for n in range((custody_date - go_live).days) for s in earlier}
    return sorted(ref for ref in wanted if ref.step in among)


def day_state(committed: Collection[str]) -> str:
    """The day's state from its committed steps; it is derived and never stored (design.md §1)."""
    state = "OPEN"
    for name, needs in _STATE_NEEDS:
        if not needs <= set(committed):
            break
        state = name
    return state
