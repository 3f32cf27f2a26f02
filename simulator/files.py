"""Each party's file set for a date: true rows, edited where the plan says so, to sealed files; and sets to their folders."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from custody.names import FileType, PartyKind
from schemas.exchange import ExchangeName, SealedFile, sha256_hex
from schemas.fast_writer import write_columns
from schemas.layout import Layout, load_layout
from simulator.edits import FaultPlan, apply_line_edits, apply_row_edits
from simulator.movement import DayTruth, PlatformDay, Row
from simulator.parties import SendingParty
from simulator.spoil import FileSet, Sent


@dataclass(frozen=True, slots=True)
class Batch:
    """Number ``number`` of the ``of`` sets that a party sends for a date; the last one says how many they are."""

    number: int
    of: int


WHOLE = Batch(1, 1)
# What is published of a month comes beside the sets of its last date: its number is above theirs, and above what comes again of them.
OF_A_MONTH = Batch(60, 1)


def each_row(party: SendingParty, file_type: FileType, truth: DayTruth) -> Iterable[Row]:
    """The true rows of one party's file, movements as they are asked for: as rows they take far more memory."""
    if party.kind is PartyKind.GATEWAY and file_type is not FileType.INSTRUCTION:
        rows = [row for own in truth.platforms.values() for row in _of_customers(own, file_type)]
        return sorted(rows, key=lambda row: (row["event_time"], row["platform"]))  # type: ignore[arg-type]
    if party.kind is PartyKind.GATEWAY:
        moves = [move for platform in truth.platforms.values() for move in platform.instructions]
        moves.sort(key=lambda move: (move.event_time, move.platform, move.request_no, move.leg))
        return (move.instruction_row() for move in moves)
    if party.kind is PartyKind.CHANNEL:
        return [row for platform in truth.platforms.values() for row in platform.settlements[party.party]]
    own = truth.platforms[party.party]
    if file_type is FileType.TXN:
        return (move.txn_row() for move in own.txn)
    tables = {
        FileType.CUSTOMER: own.customers,
        FileType.LOAN: own.loans,
        FileType.CLAIM: own.claims,
        FileType.BALANCE: own.balances,
        FileType.DISCLOSURE: [own.published.row] if own.published is not None else [],
    }
    return tables[file_type]


def _of_customers(own: PlatformDay, file_type: FileType) -> list[Row]:
    return own.mandates if file_type is FileType.MANDATE else own.legal_orders


def rows_of(party: SendingParty, file_type: FileType, truth: DayTruth) -> list[Row]:
    return list(each_row(party, file_type, truth))


def key_columns(layout: Layout) -> tuple[str, ...]:
    return tuple(layout.field(name).column for name in layout.key)


def file_set(party: SendingParty, truth: DayTruth, plan: FaultPlan, batch: Batch = WHOLE) -> FileSet:
    """What the party seals for the date, before anything happens to whole files or on the way."""
    sent = tuple(_file(party, file_type, truth, plan, batch) for file_type in party.file_types)
    return FileSet(ExchangeName(party.party, "SEAL", truth.day, batch.number, 1), sent)


def monthly_set(party: SendingParty, truth: DayTruth, plan: FaultPlan) -> FileSet | None:
    """What a platform publishes at the month's end; None of other dates, and of a month of which it sends nothing."""
    if truth.platforms[party.party].published is None:
        return None
    sent = _file(party, FileType.DISCLOSURE, truth, plan, OF_A_MONTH)
    return FileSet(ExchangeName(party.party, "SEAL", truth.day, OF_A_MONTH.number, 1), (sent,)) if sent[0].rows else None


def _file(party: SendingParty, file_type: FileType, truth: DayTruth, plan: FaultPlan, batch: Batch) -> Sent:
    key = (party.party, file_type.value, truth.day)
    layout = load_layout(party.layout(file_type))
    rows = each_row(party, file_type, truth)
    if key in plan.rows:
        rows = apply_row_edits(list(rows), key_columns(layout), plan.rows_about(key, truth.platforms))
    written = write_columns(layout, rows, party.encoding, truth.day)
    data = apply_line_edits(written.data, layout.delimiter, plan.lines.get(key, []))
    entry = SealedFile(
        name=str(ExchangeName(party.party, file_type.value, truth.day, batch.number, 1)),
        layout=layout.id,
        encoding=party.encoding,
        bytes=len(data),
        rows=written.rows,
        sha256=sha256_hex(data),
        totals=written.totals,
        batches=batch.of if batch.number >= batch.of else None,
    )
    return entry, data


Deliver = Callable[[date, FileSet], None]


@dataclass
class Drop:
    """Folders of a world by delivery date and party, which are there. ``files`` counts data files, without seals."""

    out: Path
    files: int = 0

    def deliver(self, delivery: date, arriving: FileSet) -> None:
        folder = self.out / delivery.isoformat() / arriving.name.party
        for name, data in arriving.contents().items():
            (folder / name).write_bytes(data)
        self.files += len(arriving.files)
