"""Tables that reports ask for and no step seals: made of sealed ones when a row set names them (``step`` left out)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from custody.disclosure import AMOUNTS, FIGURE_WORDS, SHARES
from custody.money import format_amount
from custody.names import BreakKind, PartyKind, TxnType
from custody.ports import Row
from custody.services.outputs import Seal
from jobs.reconcile.disclosures import figures_of
from jobs.reference import Reference
from jobs.step import StepContext
from reports.build import ten_thousandths
from reports.definition import ReportDefinition
from reports.periods import Period

_CURRENCY = "CNY"
_PARTIES = pa.schema([pa.field(name, pa.string()) for name in ("party", "kind", "status", "branch")])
_EVENTS = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("platform", "event", "subject")),
        pa.field("amount_minor", pa.int64()),
        pa.field("share", pa.int64()),
        pa.field("since", pa.date32()),
        pa.field("days", pa.int64()),
    ]
)
_DISCLOSURES = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("platform", "figure", "ours", "published", "verdict")),
        pa.field("position", pa.int64()),
        pa.field("loans", pa.int64()),
    ]
)
# Money is short (domain.md §4, 13; §8); that the core's balance is not the books' is an event from some amount on.
_SHORT = frozenset({BreakKind.SHORTFALL, BreakKind.INV_13})
_SHOWN_FILES = 3


@dataclass(frozen=True)
class MadeTables(Mapping[str, pa.Table]):
    """Each is made when it is first asked for. ``thresholds``: figures of the report's occasion, by their name."""

    context: StepContext
    reference: Reference
    period: Period
    thresholds: Mapping[str, int]

    def __getitem__(self, name: str) -> pa.Table:
        return self._made[name]()

    def __iter__(self) -> Any:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)

    @cached_property
    def _made(self) -> dict[str, Callable[[], pa.Table]]:
        return {"parties": self._parties, "our_disclosures": self._disclosures, "major_events": self._events}

    def seals(self, name: str) -> list[Seal]:
        """What it is made from, beside the date's cut-off."""
        last = self.period.last
        steps = {"our_disclosures": ("post", "land", "reconcile"), "major_events": ("post", "land", "reconcile")}.get(name, ())
        found = [seal for step in steps if (seal := self.context.seal(step, last)) is not None]
        if name == "our_disclosures":
            found += [seal for seal in self.context.seals_of("reconcile") if seal.custody_date > last]
        return found

    def _parties(self) -> pa.Table:
        """Each organisation with its kind, status and the bank's branch that keeps its contract ("" where that states none)."""
        rows = [
            {"party": party, "kind": body["kind"], "status": body["status"], "branch": body["contract"].get("branch", "")}
            for party, body in sorted(self.reference.parties.items())
        ]
        return pa.Table.from_pylist(rows, schema=_PARTIES)

    def _disclosures(self) -> pa.Table:
        """Each figure that a platform must publish, by our books of the period's last date, beside the last file of it that has landed."""
        last = self.period.last
        paid = self.context.table("reconcile", "repayments", on=last)
        published: dict[tuple[str, str], Row] = {}
        for seal in self.context.seals_of("reconcile"):
            if seal.custody_date >= last:
                for row in self.context.rows("reconcile", "disclosures", on=seal.custody_date):
                    if row["as_of"] == last:
                        published[row["platform"], row["figure"]] = row
        rows = []
        for platform in self.reference.of_kind(PartyKind.PLATFORM) if paid is not None else ():
            ours = figures_of(self, platform, last, paid)
            for position, name in enumerate(FIGURE_WORDS, start=1):
                figure, said = ours.get(name), published.get((platform, name))
                value = None if figure is None or figure.value is None else str(figure.value)
                rows.append(
                    {
                        "platform": platform,
                        "figure": name,
                        "position": position,
                        "ours": _shown(name, value),
                        "published": _shown(name, said["published"]) if said else None,
                        "verdict": said["verdict"] if said else "NOT_PUBLISHED" if value is not None else "NOT_JUDGED",
                        "loans": 0 if figure is None else len(figure.loans),
                    }
                )
        return pa.Table.from_pylist(rows, schema=_DISCLOSURES)

    @property
    def today(self) -> date:
        """What ``figures_of`` calls so: of no date are our payments still in the making."""
        return self.context.custody_date

    def _events(self) -> pa.Table:
        events = sorted([*self._short(), *self._run(), *self._lost()], key=lambda e: (e["platform"], e["event"], e["subject"]))
        for event in events:
            event["days"] = (self.period.last - event["since"]).days
        return pa.Table.from_pylist(events, schema=_EVENTS)

    def _short(self) -> Iterable[dict[str, Any]]:
        for row in self.context.rows("reconcile", "breaks", on=self.period.last):
            apart = row["kind"] == BreakKind.INV_01 and row["amount_minor"] >= self.thresholds["apart_least_minor"]
            if row["kind"] in _SHORT or apart:
                yield _event(row["platform"], "SHORTFALL", row["subject"], row["amount_minor"], None, row["as_of"])

    def _run(self) -> Iterable[dict[str, Any]]:
        """Withdrawals of the date that are much of what customers held the day before."""
        legs = self.context.table("post", "ledger_txn", self.period.last, ("platform", "txn_type", "outcome", "amount_minor"))
        balances = self.context.table("post", "balances", self.period.last, ("platform", "account", "opening_minor"))
        if legs is None or balances is None:
            return
        out = legs.filter(pc.and_(pc.equal(legs["txn_type"], str(TxnType.WITHDRAW)), pc.equal(legs["outcome"], "POSTED")))
        held = _sums(balances.filter(pc.match_substring(balances["account"], ".")), "opening_minor")
        for platform, withdrawn in sorted(_sums(out, "amount_minor").items()):
            before = held.get(platform, 0)
            share = ten_thousandths(withdrawn, before) if before else None
            if withdrawn >= self.thresholds["run_least_minor"] and share is not None and share >= self.thresholds["run_share"]:
                yield _event(platform, "RUN", str(TxnType.WITHDRAW), withdrawn, share, self.period.last)

    def _lost(self) -> Iterable[dict[str, Any]]:
        """Platforms of which files have been missing too long."""
        missing: dict[str, list[tuple[date, str]]] = {}
        for row in self.context.rows("land", "file_outcomes", on=self.period.last):
            late = (self.period.last - row["custody_date"]).days
            is_platform = self.reference.parties.get(row["party"], {}).get("kind") == PartyKind.PLATFORM
            if row["outcome"] == "EXPECTED" and is_platform and late >= self.thresholds["lost_days"]:
                missing.setdefault(row["party"], []).append((row["custody_date"], row["file_type"]))
        for party, files in sorted(missing.items()):
            files.sort()
            named = ", ".join(f"{kind} {on}" for on, kind in files[:_SHOWN_FILES])
            more = f" + {len(files) - _SHOWN_FILES}" if len(files) > _SHOWN_FILES else ""
            yield _event(party, "LOST_CONTACT", named + more, None, None, files[0][0])


def made_tables(context: StepContext, reference: Reference, definition: ReportDefinition, period: Period) -> MadeTables:
    """For one report of one period."""
    return MadeTables(context, reference, period, definition.occasion.figures if definition.occasion else {})


def _event(platform: str, event: str, subject: str, amount_minor: int | None, share: int | None, since: date) -> dict[str, Any]:
    return {
        "platform": platform,
        "event": event,
        "subject": subject,
        "amount_minor": amount_minor,
        "share": share,
        "since": since,
    }


def _sums(table: pa.Table, column: str) -> dict[str, int]:
    found = table.group_by("platform").aggregate([(column, "sum")])
    return dict(zip(found["platform"].to_pylist(), found[f"{column}_sum"].to_pylist(), strict=True))


def _shown(name: str, value: str | None) -> str | None:
    """A figure as people read it: amounts in yuan, shares and numbers as they are."""
    if value is None or name in SHARES:
        return value
    return f"{_thousands(format_amount(int(value), _CURRENCY))}" if name in AMOUNTS else f"{int(value):,}"


def _thousands(amount: str) -> str:
    whole, _, decimals = amount.partition(".")
    return f"{int(whole):,}.{decimals}"
