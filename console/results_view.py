"""The result of a date for the desk: each platform's rows by verdict, its breaks by kind, whether it was told and agrees, and how
its days have gone so far. From sealed steps and the register; for the command line and the page alike."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from connectors.bootstrap import Wiring
from custody.errors import UsageError
from custody.services.outputs import Seal, days_begun, seals_of_day
from schemas.exchange import result_name

_TREND_DAYS = 30
_BUCKETS = ("MATCHED", "BREAK", "CARRIED")


@dataclass(frozen=True)
class KindCount:
    kind: str
    breaks: int
    amount_minor: int


@dataclass(frozen=True)
class PlatformResult:
    """``rows``: of the platform's own rows, by verdict; REJECTED ones were refused at landing. ``told``: state of its
    RECON_RESULT among the files that go out, None where none was queued. ``answer``: how its confirmation of this date's result
    stood on ``answer_on``, None where its contract asks for none or no later date has been assessed."""

    platform: str
    rows: Mapping[str, int]
    kinds: list[KindCount]
    told: str | None
    answer: str | None
    answer_on: date | None

    @property
    def breaks(self) -> int:
        return sum(kind.breaks for kind in self.kinds)

    @property
    def judged(self) -> int:
        return sum(self.rows.values())


@dataclass(frozen=True)
class Results:
    """``trend``: (date, breaks) of each platform over the days up to ``on``; None where a date is not reconciled."""

    on: date
    platforms: list[PlatformResult]
    trend: Mapping[str, list[tuple[date, int | None]]]


def results_of(wiring: Wiring, on: date, platform: str = "") -> Results:
    """Raises UsageError for a date that is not reconciled."""
    with wiring.register.transaction() as tx:
        begun = [day for day in days_begun(tx) if day <= on][-_TREND_DAYS:]
        seals = {day: seals_of_day(tx, day) for day in begun}
        later = [day for day in days_begun(tx) if day > on]
        assessed = [(day, found["risk"]) for day in later if "risk" in (found := seals_of_day(tx, day))]
        outbound = {row["file_name"]: row["state"] for row in tx.find("outbound")}
    today = seals.get(on, {})
    if "reconcile" not in today:
        raise UsageError(f"{on} is not reconciled; run: custody reconcile --date {on}")
    answers = _answers(wiring, assessed, on)
    trend = _trend(wiring, {day: found.get("reconcile") for day, found in seals.items()})
    rows, kinds = _rows_by_verdict(wiring, today["land"], today["reconcile"]), _kinds(wiring, today["reconcile"])
    wanted = [p for p in sorted(set(rows) | set(kinds)) if not platform or p == platform]
    return Results(
        on,
        [
            PlatformResult(
                p,
                rows.get(p, {}),
                kinds.get(p, []),
                outbound.get(result_name(p, on, today["reconcile"].version)),
                *answers.get(p, (None, None)),
            )
            for p in wanted
        ],
        {p: [(day, None if counts is None else counts[p]) for day, counts in trend] for p in wanted},
    )


def _rows_by_verdict(wiring: Wiring, land: Seal, reconcile: Seal) -> dict[str, dict[str, int]]:
    """Counted by Arrow: what is not clean has a row for each row of a file."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys((*_BUCKETS, "REJECTED"), 0))
    table = wiring.lake.read(reconcile.path, "matches")
    own: pa.Table = table.filter(pc.equal(table["side"], "A"))
    for row in own.group_by(["platform", "bucket"]).aggregate([("row_ref", "count")]).to_pylist():
        counts[row["platform"]][row["bucket"]] += row["row_ref_count"]
    for total in wiring.lake.rows(reconcile.path, "match_totals"):
        if total["side"] == "A":
            counts[total["platform"]]["MATCHED"] += total["rows"]
    for outcome in wiring.lake.rows(land.path, "file_outcomes"):
        if outcome["rows_rejected"] and outcome["party"] in counts:
            counts[outcome["party"]]["REJECTED"] += outcome["rows_rejected"]
    return dict(counts)


def _kinds(wiring: Wiring, reconcile: Seal) -> dict[str, list[KindCount]]:
    """The most frequent kind first."""
    counts: Counter[tuple[str, str]] = Counter()
    amounts: Counter[tuple[str, str]] = Counter()
    for row in wiring.lake.rows(reconcile.path, "breaks"):
        counts[row["platform"], row["kind"]] += 1
        amounts[row["platform"], row["kind"]] += row["amount_minor"]
    kinds: dict[str, list[KindCount]] = defaultdict(list)
    for (platform, kind), count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        kinds[platform].append(KindCount(kind, count, amounts[platform, kind]))
    return dict(kinds)


def _answers(wiring: Wiring, assessed: list[tuple[date, Seal]], on: date) -> dict[str, tuple[str, date]]:
    """As the newest assessed date knows it."""
    if not assessed:
        return {}
    day, seal = assessed[-1]
    rows = wiring.lake.rows(seal.path, "confirmations")
    return {row["platform"]: (row["state"], day) for row in rows if row["result_date"] == on}


def _trend(wiring: Wiring, reconciled: Mapping[date, Seal | None]) -> list[tuple[date, Counter[str] | None]]:
    return [
        (day, None if seal is None else Counter(wiring.lake.read(seal.path, "breaks")["platform"].to_pylist()))
        for day, seal in sorted(reconciled.items())
    ]
