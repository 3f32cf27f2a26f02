"""What every part of the step knows about the day: who takes part, what has landed, what is missing, what was decided."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta

from custody.ports import Row
from jobs.reconcile.adjustments import settled_by_adjustment
from jobs.reconcile.breaks import file_key
from jobs.reconcile.states import STATE_RELATIONS
from jobs.reference import Reference, load_reference
from jobs.step import StepContext


@dataclass(frozen=True)
class Day:
    """``missing``: ``party|type|date`` of files that have not come. ``resolved``: (case id, evidence digest) of cases that two
    people settled, bound to the evidence they saw."""

    context: StepContext
    reference: Reference
    outcomes: list[Row]
    missing: frozenset[str]
    breaks_before: list[Row]
    resolved: frozenset[tuple[str, str]]

    @property
    def today(self) -> date:
        return self.context.custody_date

    @property
    def yesterday(self) -> date:
        return self.today - timedelta(days=1)

    def lacks_instructions(self, day: date) -> bool:
        """Without a date's instructions our own side of it is not known, so nothing is judged against it."""
        return any(f"{gateway}|INSTRUCTION|{day.isoformat()}" in self.missing for gateway in self.reference.gateways())

    def judged_parties(self) -> dict[str, frozenset[str]]:
        """For each state subject's first word, the platforms whose whole state of today landed and is judged anew.

        CUSTOMER is not among them: its file says what changed and is silent about the rest. Without today's instructions
        nothing is judged at all.
        """
        unjudged = self.lacks_instructions(self.today)
        landed: dict[str, set[str]] = defaultdict(set)
        for o in self.outcomes:
            if o["outcome"] == "LANDED" and o["custody_date"] == self.today and not unjudged:
                landed[o["file_type"]].add(o["party"])
        landed["CUSTOMER"] = set()
        return {file_type: frozenset(landed[file_type]) for file_type in STATE_RELATIONS.values()}


def read_day(context: StepContext) -> Day:
    outcomes = context.rows("land", "file_outcomes")
    return Day(
        context=context,
        reference=load_reference(context),
        outcomes=outcomes,
        missing=frozenset(file_key(o) for o in outcomes if o["outcome"] == "EXPECTED"),
        breaks_before=context.rows("reconcile", "breaks", on=context.custody_date - timedelta(days=1)),
        resolved=frozenset(
            (d["subject"], json.loads(d["payload"])["evidence_digest"])
            for d in context.rows("cut_off", "decisions")
            if d["kind"] == "case" and d["outcome"] == "APPROVED"
        )
        | settled_by_adjustment(context),
    )
