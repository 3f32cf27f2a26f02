"""What every part of the step knows about the day: who takes part, what has landed, what is missing, what was decided."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from custody.calendar import dates
from custody.cause_proofs import Rate
from custody.matching import Relation
from custody.names import BreakKind, PartyKind, platform_of
from custody.ports import Row
from jobs.reconcile.adjustments import settled_by_adjustment
from jobs.reconcile.breaks import file_key
from jobs.reconcile.e_accounts import RELATION, SHOWN, shown_on, silent_core
from jobs.reconcile.relations import HUB, silent_hub
from jobs.reconcile.states import STATE_RELATIONS
from jobs.reference import Reference, load_reference
from jobs.step import StepContext


@dataclass(frozen=True)
class Day:
    """``missing``: ``party|type|date`` of files that have not come. ``resolved``: (case id, evidence digest) of cases that two
    people settled, bound to the evidence they saw. ``silent_cores``: platforms of whose e-accounts the core shows none today, though the
    contract says that it does, each with the first such date. ``silent_hubs``: platforms of whose general accounts it shows neither balance nor flow of today, though it
    did before."""

    context: StepContext
    reference: Reference
    outcomes: list[Row]
    missing: frozenset[str]
    breaks_before: list[Row]
    resolved: frozenset[tuple[str, str]]
    silent_cores: Mapping[str, date] = field(default_factory=dict)
    silent_hubs: Mapping[str, date] = field(default_factory=dict)

    @property
    def today(self) -> date:
        return self.context.custody_date

    @property
    def yesterday(self) -> date:
        return self.today - timedelta(days=1)

    @cached_property
    def relations(self) -> tuple[Relation, ...]:
        """The flow relations that there is anything of: of e-accounts there is nothing where no contract names them."""
        return tuple(r for r in self.reference.rules.relations if r.name != RELATION or self.has_e_accounts)

    @cached_property
    def has_e_accounts(self) -> bool:
        """Whether the core of some platform is in E_ACCOUNT form, or was and left rows open."""
        if self.reference.e_account_periods():
            return True
        return any(
            row["relation"] == RELATION and row["carried"] for row in self.context.rows("reconcile", "proof", on=self.yesterday)
        )

    def rates_on(self, on: date) -> list[Rate]:
        """What the channels' contracts asked on a date, as its cut-off sealed them; nothing of a date before the first."""
        if on == self.today:
            return self.reference.channel_rates()
        return load_reference(self.context, on).channel_rates() if self.context.seal("cut_off", on) else []

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
    reference = load_reference(context)
    before = context.rows("reconcile", "breaks", on=context.custody_date - timedelta(days=1))
    silent, hubs = _silent_cores(context, reference, before), _silent_hubs(context, reference, before)
    # Near midnight a row may be of tomorrow; a general account's is of its date.
    not_shown = _not_shown(context, silent, SHOWN, 1) | _not_shown(context, hubs, HUB, 0)
    return Day(
        context=context,
        reference=reference,
        outcomes=outcomes,
        # What is not due yet is waited for like what is late; only of the latter is there a case.
        missing=frozenset(file_key(o) for o in outcomes if o["outcome"] in ("EXPECTED", "AWAITED")) | not_shown,
        silent_cores=silent,
        silent_hubs=hubs,
        breaks_before=before,
        resolved=frozenset(
            (d["subject"], json.loads(d["payload"])["evidence_digest"])
            for d in context.rows("cut_off", "decisions")
            if d["kind"] == "case" and d["outcome"] == "APPROVED"
        )
        | settled_by_adjustment(context),
    )


def _silent_cores(context: StepContext, reference: Reference, before: Sequence[Row]) -> dict[str, date]:
    on = context.custody_date
    due = {platform for platform, period in reference.e_account_periods().items() if on in period}
    balances = context.table("extract", "e_account_balance") if due else None
    silent = due if balances is None else due - shown_on(balances)
    return dict.fromkeys(sorted(silent), on) | {
        p: first for p, first in _silent_since(context, before, silent_core).items() if p in silent
    }


def _silent_hubs(context: StepContext, reference: Reference, before: Sequence[Row]) -> dict[str, date]:
    """Of platforms that are not closed; what the core shows of others is no platform's account."""
    on, yesterday = context.custody_date, context.custody_date - timedelta(days=1)
    since = dict.fromkeys(_shown_by_core(context, yesterday), on) | _silent_since(context, before, silent_hub)
    shown = _shown_by_core(context, on)
    expected = {platform for platform in reference.of_kind(PartyKind.PLATFORM) if not reference.is_closed(platform)}
    return {platform: first for platform, first in sorted(since.items()) if platform in expected - shown}


def _silent_since(context: StepContext, before: Sequence[Row], about: Callable[[str], str]) -> dict[str, date]:
    """By platform the first date of a silence that lasted until yesterday. ``before``: yesterday's breaks; ``about``: what its case is about."""
    found: dict[str, date] = {}
    for row in before:
        if row["subject"] == about(row["platform"]) and row["kind"] == BreakKind.MISSING_IN_CORE:
            told = [date.fromisoformat(e["silent_since"]) for e in json.loads(row["evidence"]) if "silent_since" in e]
            found[row["platform"]] = min(told) if told else _waited_since(context, row)
    return found


def _waited_since(context: StepContext, silence: Row) -> date:
    """Of a case that was sealed when such cases did not say since when: the first date of our rows that were left to wait."""
    columns = ["relation", "side", "platform", "item_date"]
    items = context.table("reconcile", "open_items", on=context.custody_date - timedelta(days=1), columns=columns)
    assert items is not None  # it was sealed with the case
    of_platform = (pc.field("side") == "B") & (pc.field("platform") == silence["platform"])
    waiting = items.filter((pc.field("relation") == RELATION) & of_platform)["item_date"]
    first: date = min([silence["as_of"], *waiting.to_pylist()])
    return first


def _shown_by_core(context: StepContext, on: date) -> set[str]:
    """Platforms of whose general accounts there is a balance or a flow of the date."""
    balances = context.table("extract", "core_balance", on=on, columns=["account"])
    flows = context.table("extract", "core_flow", on=on, columns=["account", "core_date"])
    if balances is None or flows is None:
        return set()
    of_date = flows.filter(pc.equal(flows["core_date"], pa.scalar(on, pa.date32())))
    return {platform_of(account) for table in (balances, of_date) for account in pc.unique(table["account"]).to_pylist()}


def _not_shown(context: StepContext, silent: Mapping[str, date], shown: str, beyond: int) -> frozenset[str]:
    """The dates of which a silent core may still show rows, in the form of files that have not come: since it is silent, and so many days
    beyond today. What it did not show before that is missing."""
    today = context.custody_date
    return frozenset(
        f"{platform}|{shown}|{on.isoformat()}"
        for platform, since in silent.items()
        for on in dates(since, (today - since).days + 1 + beyond)
    )
