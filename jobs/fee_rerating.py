"""Days of fees that are rated anew, because a day learnt something of them: which, from what, and what the periods come to now."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from custody.fee_amendments import amendments_of
from custody.fee_contract import FeeContract
from custody.fee_positions import Entry
from custody.fee_rerating import Amendment, Rated, differences, rate_anew, terms_on
from custody.fees import DayFacts, FeeState, period_name
from custody.ports import Row
from jobs.fee_facts import by_day, summed
from jobs.reference import Reference
from jobs.step import StepContext

_ONE_DAY = timedelta(days=1)


@dataclass
class Anew:
    """``states``: by platform, how it stands after yesterday by what is known now; ``entries``: the differences; the others are rows of
    tables."""

    states: dict[str, FeeState] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    reratings: list[Row] = field(default_factory=list)
    lines: list[Row] = field(default_factory=list)


class Terms:
    """Which terms hold for whom on a date, as is known today."""

    def __init__(self, reference: Reference, amendments: Iterable[Amendment]) -> None:
        self._reference = reference
        self._amendments: dict[str, list[Amendment]] = defaultdict(list)
        for one in amendments:
            self._amendments[one.platform].append(one)
        self._of: dict[int, FeeContract] = {}
        self._read: dict[str, FeeContract] = {}

    def on(self, platform: str, day: date) -> FeeContract | None:
        said = self._reference.contract_on(platform, day)["fee_contract"]
        if id(said) not in self._of:
            self._of[id(said)] = self._parsed(said)
        return terms_on(day, self._of[id(said)], self._amendments[platform])

    def _parsed(self, said: Mapping[str, Any]) -> FeeContract:
        """Thousands of platforms have signed one of some dozens: each is read once."""
        text = repr(said)
        if text not in self._read:
            self._read[text] = FeeContract.parse(said)
        return self._read[text]


def amendments_until(context: StepContext) -> tuple[list[Row], list[Amendment]]:
    """Rows of table fee_amendments: yesterday's and those that today's cut-off sealed; and the same read."""
    yesterday = context.custody_date - _ONE_DAY
    rows = context.rows("fees", "fee_amendments", on=yesterday) + list(amendments_of(context.rows("cut_off", "decisions")))
    read = [
        Amendment(r["decision_no"], r["platform"], r["valid_from"], r["valid_to"], FeeContract.parse(json.loads(r["terms"])))
        for r in rows
    ]
    return rows, read


def touched(context: StepContext, facts: pa.Table, amendments: Iterable[Amendment]) -> dict[str, date]:
    """Of each platform of whose earlier days something became known today: the first such day."""
    on = context.custody_date
    late = facts.filter(pc.less(facts["fact_date"], pa.scalar(on, pa.date32())))
    sums = late.group_by("platform").aggregate([("fact_date", "min")])
    found = dict(zip(sums["platform"].to_pylist(), sums["fact_date_min"].to_pylist(), strict=True))
    known = {row["decision_no"] for row in context.rows("fees", "fee_amendments", on=on - _ONE_DAY)}
    for one in amendments:
        if one.decision_no not in known and one.valid_from < on:
            found[one.platform] = min(one.valid_from, found.get(one.platform, on))
    return found


def rated_anew(
    context: StepContext, facts: pa.Table, since: Mapping[str, date], before: Mapping[str, FeeState], terms: Terms
) -> Anew:
    """``facts``: of today; ``since``: by platform, its first day of which something new is known; ``before``: by platform, yesterday's state."""
    anew = Anew()
    carried = {(r["platform"], r["period"]): r for r in context.rows("fees", "fee_reratings", on=_yesterday(context))}
    since = {platform: day for platform, day in since.items() if platform in before}
    if since:
        days = _Days(context, since)
        known = _known(context, facts, days)
        for platform in sorted(since):
            _rate(context, platform, days, known, before[platform], terms, carried, anew)
    anew.reratings = [carried[key] for key in sorted(carried)]
    return anew


class _Days:
    """``of``: by platform, its rows of fee_accruals from the beginning of the period in which its first touched day lies; ``start``: the row
    of the day before these, where there is one."""

    def __init__(self, context: StepContext, since: Mapping[str, date]) -> None:
        self.of: dict[str, dict[date, Row]] = {platform: {} for platform in since}
        self.start: dict[str, Row] = {}
        waiting: dict[str, date | None] = dict.fromkeys(since)
        on = _yesterday(context)
        while waiting and context.seal("fees", on=on) is not None:
            rows = {row["platform"]: row for row in _accruals(context, on, waiting)}
            for platform, begins in list(waiting.items()):
                row = rows.get(platform)
                if row is None or (begins is not None and on < begins):
                    self.start |= {platform: row} if row is not None else {}
                    del waiting[platform]
                    continue
                self.of[platform][on] = row
                if begins is None and on <= since[platform]:
                    waiting[platform] = FeeState.parse(row["state"]).first
            on -= _ONE_DAY

    @property
    def first(self) -> date:
        return min(day for of in self.of.values() for day in of)


def _rate(
    context: StepContext,
    platform: str,
    days: _Days,
    known: Mapping[tuple[str, date], DayFacts],
    yesterday: FeeState,
    terms: Terms,
    carried: dict[tuple[str, str], Row],
    anew: Anew,
) -> None:
    rows, start = days.of[platform], None
    if platform in days.start:
        start = FeeState.parse(days.start[platform]["state"])
        newest = carried.get((platform, period_name(start.first, start.last)))
        start = FeeState.parse(newest["state"]) if newest else start
    rated = rate_anew(
        start, sorted(rows), lambda day: terms.on(platform, day), lambda day: known.get((platform, day), DayFacts(0))
    )
    assert rated.state is not None
    for name, now in rated.ended.items():
        _ended(context, platform, name, now, FeeState.parse(rows[now.last]["state"]), carried, rated, anew)
    if yesterday.last >= context.custody_date:
        name = period_name(yesterday.first, yesterday.last)
        anew.entries += differences(platform, context.custody_date, name, yesterday, rated.state)
    anew.states[platform] = rated.state


def _ended(
    context: StepContext,
    platform: str,
    period: str,
    now: FeeState,
    first_said: FeeState,
    carried: dict[tuple[str, str], Row],
    rated: Rated,
    anew: Anew,
) -> None:
    """A period that ended before today, by what is known now."""
    row = carried.get((platform, period))
    said = FeeState.parse(row["state"]) if row else first_said
    if said == now:
        return
    anew.entries += differences(platform, context.custody_date, period, said, now)
    carried[platform, period] = {
        "platform": platform,
        "period": period,
        "first": now.first,
        "last": now.last,
        "rated_on": context.custody_date,
        "before_on": row["rated_on"] if row else now.last,
        "net_before_minor": said.net_minor,
        "vat_before_minor": said.vat_minor,
        "net_minor": now.net_minor,
        "vat_minor": now.vat_minor,
        "currency": now.currency,
        "state": now.as_text(),
    }
    for day, lines in rated.lines.items():
        if now.first <= day <= now.last:
            anew.lines += [
                {"platform": platform, "accrual_date": day, "line_no": number, "component": line.component, "quantity": line.quantity,
                 "terms": line.terms, "remaining": str(line.left), "fee": str(line.fee)}
                for number, line in enumerate(lines, start=1)
            ]  # fmt: skip


def _known(context: StepContext, facts: pa.Table, days: _Days) -> dict[tuple[str, date], DayFacts]:
    """What is known today of the days, by platform and date: of each what it said itself, and what was said of it since."""
    platforms = pa.array(sorted(days.of))
    found = [facts.filter(pc.is_in(facts["platform"], platforms))]
    for seal in context.seals_of("fees"):
        if seal.custody_date >= days.first:
            found += [
                part.filter(pc.is_in(part["platform"], platforms))
                for part in context.wiring.lake.pieces(seal.path, "fee_facts", _bounds(days.of))
            ]
    return by_day(summed(found))


def _accruals(context: StepContext, on: date, platforms: Collection[str]) -> Iterator[Row]:
    seal = context.seal("fees", on=on)
    assert seal is not None
    for part in context.wiring.lake.pieces(seal.path, "fee_accruals", _bounds(platforms)):
        yield from part.filter(pc.is_in(part["platform"], pa.array(sorted(platforms)))).to_pylist()


def _bounds(platforms: Collection[str]) -> dict[str, tuple[Any, Any]]:
    return {"platform": (min(platforms), max(platforms))}


def _yesterday(context: StepContext) -> date:
    return context.custody_date - _ONE_DAY
