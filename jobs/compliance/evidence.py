"""The rows behind findings: where each stands, and the entries that a day's sum is made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from custody.compliance import MOST_ROWS, Behind, Finding, Source
from custody.ports import Row
from jobs.compliance.columns import IN, OUT, SOLD, is_one_of, owner_of
from jobs.compliance.day import ComplianceDay

_SUMS = {Source.MONEY_IN: ("to_account", IN), Source.MONEY_OUT: ("from_account", OUT), Source.SALE: ("to_account", SOLD)}
_ENTRY = ("entry_no", "platform", "from_account", "to_account", "amount_minor", "txn_type", "request_no")
_PLACE = ("platform", "entry_no", "request_no", "txn_type", "file_name", "line_no")
_BLANK: Row = dict.fromkeys(("entry_no", "request_no", "txn_type", "file_name", "line_no"))


def rows_behind(day: ComplianceDay, findings: Sequence[Finding]) -> dict[str, tuple[list[Row], int]]:
    """By finding: its first rows, and how many there are."""
    entries = _entries(day, [behind for finding in findings for behind in finding.behind if behind.source in _SUMS])
    told: dict[str, tuple[list[Row], int]] = {}
    for finding in findings:
        rows = [row for behind in finding.behind for row in _rows_of(behind, entries)]
        told[finding.finding_id] = (rows[:MOST_ROWS], len(rows))
    _add_places(day, [row for rows, _ in told.values() for row in rows])
    return told


_Sum = tuple[date, Source, str]


def _rows_of(behind: Behind, entries: dict[_Sum, list[Row]]) -> Iterator[Row]:
    said = _BLANK | {
        "source": str(behind.source),
        "platform": behind.platform,
        "ref": behind.ref,
        "on_date": behind.on,
        "amount_minor": behind.amount_minor,
        "entry_no": behind.entry_no,
        "file_name": behind.file_name,
        "line_no": behind.line_no,
    }
    if behind.source not in _SUMS:
        yield said
        return
    for entry in entries[behind.on, behind.source, behind.ref]:
        yield said | {name: entry[name] for name in ("entry_no", "request_no", "txn_type", "amount_minor")}


def _entries(day: ComplianceDay, sums: Iterable[Behind]) -> dict[_Sum, list[Row]]:
    """The entries of each account's sum, by the day on which they were posted."""
    wanted: dict[date, dict[Source, set[str]]] = defaultdict(lambda: defaultdict(set))
    for behind in sums:
        wanted[behind.on][behind.source].add(behind.ref)
    found: dict[_Sum, list[Row]] = defaultdict(list)
    for on, by_source in sorted(wanted.items()):
        for piece in day.journal(_ENTRY, on):
            for source, accounts in by_source.items():
                side, types = _SUMS[source]
                some = piece.filter(is_one_of(piece["txn_type"], types))
                owners = owner_of(some[side])
                some = some.append_column("owner", owners).filter(pc.is_in(owners, pa.array(sorted(accounts), pa.string())))
                for row in some.to_pylist():
                    found[on, source, row["owner"]].append(row)
    return found


def _add_places(day: ComplianceDay, rows: Iterable[Row]) -> None:
    """The file and line of each entry and each loan that does not say it yet."""
    by_day: dict[date, list[Row]] = defaultdict(list)
    loans: list[Row] = []
    for row in rows:
        if row["entry_no"] is not None and (row["file_name"] is None or row["request_no"] is None):
            by_day[row["on_date"]].append(row)
        elif row["source"] == Source.LOAN:
            loans.append(row)
    lake = day.context.wiring.lake
    for on, of_day in sorted(by_day.items()):
        seal = day.context.seal("post", on)
        assert seal is not None
        numbers = pa.array(sorted({row["entry_no"] for row in of_day}), pa.int64())
        places: dict[tuple[str, int], Row] = {}
        for piece in lake.pieces(seal.path, "ledger_txn", {}, _PLACE):
            for leg in piece.filter(pc.is_in(piece["entry_no"], numbers)).to_pylist():
                places[leg["platform"], leg["entry_no"]] = leg
        for row in of_day:
            leg = places.get((row["platform"], row["entry_no"]))
            if leg is not None:  # what the bank posts of itself, such as interest, stands in no file
                row.update({name: leg[name] for name in ("request_no", "txn_type", "file_name", "line_no")})
    if loans:
        claimed = day.claimed.filter(is_one_of(day.claimed["loan_id"], {row["ref"] for row in loans})).to_pylist()
        said = {(row["platform"], row["loan_id"]): row for row in claimed}
        for row in loans:
            place = said.get((row["platform"], row["ref"]))
            if place is not None:
                row.update({name: place[name] for name in ("file_name", "line_no")})
