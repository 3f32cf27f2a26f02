"""Versions of what was said of a (party, date): a file that came late or was restated, instructions that came late, a file that was
given up, each makes a new one; what it changed is sealed as counts and sums by bucket and rule, before and after.

The first version is the date's own reconciliation. Closed days are never edited: a new version belongs to the day that made it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import pyarrow as pa
import pyarrow.compute as pc

from custody.calendar import dates
from custody.matching import Bucket
from custody.names import FileType, PartyKind
from custody.ports import Row
from jobs.reconcile.day import Day
from jobs.reconcile.states import STATE_RELATIONS

# file type -> (relation, the side for which it speaks, what its amounts are)
_SPEAKS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    FileType.TXN: ("AB_TXN", "A", ("amount_minor",)),
    FileType.SETTLEMENT: ("BC_CHANNEL", "C", ("gross_minor",)),
    FileType.BALANCE: ("AB_BALANCE", "A", ("available_minor", "frozen_minor")),
    FileType.CLAIM: ("AB_CLAIM", "A", ("principal_minor",)),
    FileType.LOAN: ("AB_LOAN", "A", ("amount_minor",)),
    FileType.CUSTOMER: ("AB_CUSTOMER", "A", ()),
}
_NONE = (0, 0)
_Figures = dict[tuple[str, str, str, str], tuple[int, int]]


class Cause(StrEnum):
    LATE = "late"
    RESTATED = "restated"
    GIVEN_UP = "given_up"
    INSTRUCTIONS_LATE = "instructions_late"
    INSTRUCTIONS_RESTATED = "instructions_restated"


@dataclass(frozen=True)
class _Unit:
    """``file_name`` is "" where nothing came; ``replaces``: the version that it took out, landed on ``landed_on``."""

    party: str
    on: date
    cause: Cause
    file_type: str
    file_name: str = ""
    replaces: str | None = None
    landed_on: date | None = None


def assessments(day: Day, matches: pa.Table) -> list[Row]:
    """``matches``: today's rows of that table."""
    units = list(_units(day))
    if not units:
        return []
    before = day.context.table("reconcile", "matches", on=day.yesterday)
    yesterday = matches.slice(0, 0) if before is None else before
    versions = _versions(day, {(unit.party, unit.on) for unit in units})
    rows = []
    for unit in units:
        was, now = _before(day, unit, yesterday), _after(day, unit, matches)
        for relation, side, bucket, rule in sorted(was.keys() | now.keys()):
            key = relation, side, bucket, rule
            rows_before, minor_before = was.get(key, _NONE)
            rows_after, minor_after = now.get(key, _NONE)
            rows.append(
                {
                    "party": unit.party,
                    "assessed_date": unit.on,
                    "version": versions[unit.party, unit.on],
                    "cause": str(unit.cause),
                    "file_type": unit.file_type,
                    "file_name": unit.file_name,
                    "replaces": unit.replaces,
                    "relation": relation,
                    "side": side,
                    "bucket": bucket,
                    "rule": rule,
                    "rows_before": rows_before,
                    "rows_after": rows_after,
                    "minor_before": minor_before,
                    "minor_after": minor_after,
                }
            )
    return rows


def _units(day: Day) -> Iterator[_Unit]:
    superseded = {r["replaced_by"]: r for r in day.context.rows("land", "superseded_files") if r["superseded_on"] == day.today}
    for o in day.outcomes:
        party, on, file_type = o["party"], o["custody_date"], o["file_type"]
        if o["outcome"] == "GIVEN_UP" and file_type in _SPEAKS:
            yield _Unit(party, on, Cause.GIVEN_UP, file_type)
        if o["outcome"] != "LANDED" or on == day.today:
            continue
        gone = superseded.get(o["file_name"])
        if gone is not None and file_type in _SPEAKS:
            yield _Unit(party, on, Cause.RESTATED, file_type, o["file_name"], gone["file_name"], gone["landed_on"])
        elif file_type in _SPEAKS:
            yield _Unit(party, on, Cause.LATE, file_type, o["file_name"])
        elif file_type == FileType.INSTRUCTION:
            cause = Cause.INSTRUCTIONS_LATE if gone is None else Cause.INSTRUCTIONS_RESTATED
            for platform in day.reference.of_kind(PartyKind.PLATFORM):
                yield _Unit(platform, on, cause, file_type, o["file_name"])


def _versions(day: Day, wanted: set[tuple[str, date]]) -> dict[tuple[str, date], int]:
    newest = dict.fromkeys(wanted, 1)
    first = min(on for _, on in wanted)
    for on in dates(first, (day.today - first).days):
        for row in day.context.rows("reconcile", "assessments", on=on):
            unit = row["party"], row["assessed_date"]
            if unit in newest:
                newest[unit] = max(newest[unit], row["version"])
    return {unit: version + 1 for unit, version in newest.items()}


def _before(day: Day, unit: _Unit, yesterday: pa.Table) -> _Figures:
    found = _counterparts(unit, yesterday)
    if unit.replaces is not None and unit.landed_on is not None:
        relation = _SPEAKS[unit.file_type][0]
        # Movements stay open from day to day; what was compared with a snapshot was judged on the day on which it landed.
        judged = yesterday
        if relation in STATE_RELATIONS:
            table = day.context.table("reconcile", "matches", on=unit.landed_on)
            assert table is not None
            judged = table
        found |= _of_file(day, unit.file_type, unit.replaces, unit.landed_on, judged)
    return found


def _after(day: Day, unit: _Unit, today: pa.Table) -> _Figures:
    found = _counterparts(unit, today)
    if unit.file_name and unit.file_type in _SPEAKS:
        found |= _of_file(day, unit.file_type, unit.file_name, day.today, today)
    return found


def _of_file(day: Day, file_type: str, file_name: str, landed_on: date, judged: pa.Table) -> _Figures:
    """The file's rows by bucket: those that are not open are matched."""
    relation, side, amounts = _SPEAKS[file_type]
    landed = day.context.table("land", f"land_{file_type.lower()}", on=landed_on)
    assert landed is not None
    mine = landed.filter(pc.equal(landed["file_name"], file_name))
    rows, minor = mine.num_rows, sum(pc.sum(mine[column]).as_py() or 0 for column in amounts)
    of_file = pc.and_(pc.equal(judged["relation"], relation), pc.starts_with(judged["row_ref"], f"{file_name}:"))
    found = _open(judged.filter(of_file))
    left = rows - sum(n for n, _ in found.values()), minor - sum(m for _, m in found.values())
    return found | ({(relation, side, str(Bucket.MATCHED), ""): left} if left[0] else {})


def _counterparts(unit: _Unit, judged: pa.Table) -> _Figures:
    """What stands open on the other side of the file's: our movements of the date; or the platform's, where ours came late."""
    if unit.file_type not in (FileType.TXN, FileType.INSTRUCTION):
        return {}
    side = "B" if unit.file_type == FileType.TXN else "A"
    kept = pc.and_(pc.equal(judged["relation"], "AB_TXN"), pc.equal(judged["side"], side))
    kept = pc.and_(kept, pc.equal(judged["platform"], unit.party))
    return _open(judged.filter(pc.and_(kept, pc.equal(judged["item_date"], pa.scalar(unit.on, pa.date32())))))


def _open(judged: pa.Table) -> _Figures:
    found: dict[tuple[str, str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    still = judged.filter(pc.not_equal(judged["bucket"], str(Bucket.MATCHED)))
    groups = still.group_by(["relation", "side", "bucket", "rule"]).aggregate(
        [("amount_minor", "sum"), ("amount_minor", "count")]
    )
    for row in groups.to_pylist():
        entry = found[row["relation"], row["side"], row["bucket"], row["rule"]]
        entry[0], entry[1] = row["amount_minor_count"], row["amount_minor_sum"]
    return {key: (rows, minor) for key, (rows, minor) in found.items()}
