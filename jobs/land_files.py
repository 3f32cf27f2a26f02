"""Files of one type to landed rows: what one process does of ``land``, whichever process it is.

A file comes from the archive in blocks. Their good rows become parts of the type's table, and what is rejected rows of its own, as they
are read and laid by, so that a file of any length takes the memory of a few blocks; a file that is refused whole takes its rows with it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.bootstrap import Wiring
from connectors.laid_by import Pile, Shelf
from connectors.lake import Part, conform, table_of
from custody.calendar import CHINA, custody_date_of
from custody.customer_decisions import personal_digest
from custody.digest import canonical_json
from custody.findings import RowFault
from custody.money import parse_amount
from custody.names import FileType
from custody.ports import Row, Secrets
from schemas.columnar import ROW_WISE_BYTES, FileReader, batch_of, prove_together, proved_file
from schemas.content import Content
from schemas.landing import CanonicalReader, canonical_layout
from schemas.layout import Layout, load_layout
from schemas.layout_file import MAX_REJECTED, ParsedFile, Rejected, RowReader, too_many_rejected
from schemas.tables import TABLES, TableSpec

# A task of several files is at most this large, so that its rows make one part.
TASK_BYTES = 32_000_000
TASK_FILES = 500
_PART_ROWS = 262_144
_REJECTED_ROWS = 8_192
_SAID = pa.schema(
    [
        (name, pa.date32() if name == "custody_date" else pa.string())
        for name in ("customer_id", "party", "custody_date", "source", "body")
    ]
)


@dataclass(frozen=True)
class Task:
    """Accepted files of one type in the order of their names, and the dialect of each, by party and custody date. ``aliases``: customer
    ids that two people found to be another's. ``folder``: where another process may find what is laid by."""

    file_type: str
    files: tuple[Row, ...]
    dialects: Mapping[tuple[str, date], Mapping[str, Any]]
    aliases: Mapping[str, str]
    folder: Path | None = None


class Landed:
    """``parts`` of the type's table; ``rejected`` rows, each table of one file, in the order of files and lines; an outcome for each file;
    of customers, ``said``: each one's personal data (customer_id, party, custody_date, source, body) in the order of files and lines."""

    def __init__(self, folder: Path | None) -> None:
        shelf = Shelf(folder)
        self.parts: Pile[Part] = Pile(shelf)
        self.rejected: Pile[pa.Table] = Pile(shelf)
        self.said: Pile[pa.Table] = Pile(shelf)
        self.outcomes: list[Row] = []


def table_name(file_type: str) -> str:
    return f"land_{file_type.lower()}"


# By party and custody date what a foreign layout needs to become ours, as the contract of that date says.
DialectOf = Callable[[str, date], Mapping[str, Any]]


def tasks_of(
    files: Sequence[Row], dialect_of: DialectOf, aliases: Mapping[str, str], folder: Path | None = None
) -> Iterator[Task]:
    """Types in the order of their names; of each, many small files or one large one at a time, the same whoever lands them."""
    by_type: dict[str, list[Row]] = defaultdict(list)
    for file in sorted(files, key=lambda f: str(f["file_name"])):
        by_type[file["file_type"]].append(file)
    for file_type, of_type in sorted(by_type.items()):
        held: list[Row] = []
        size = 0
        for file in of_type:
            if held and (size + file["bytes"] > TASK_BYTES or len(held) == TASK_FILES):
                yield _task(file_type, held, dialect_of, aliases, folder)
                held, size = [], 0
            held.append(file)
            size += file["bytes"]
        yield _task(file_type, held, dialect_of, aliases, folder)


def _task(file_type: str, files: Sequence[Row], dialect_of: DialectOf, aliases: Mapping[str, str], folder: Path | None) -> Task:
    dialects = {key: dialect_of(*key) for key in sorted({(f["party"], f["custody_date"]) for f in files})}
    return Task(file_type, tuple(files), dialects, aliases, folder)


def land_files(wiring: Wiring, task: Task) -> Landed:
    """Read the task's files from the archive and judge them. Raises what the archive raises."""
    out = Landed(task.folder)
    rows = _Rows(TABLES[table_name(task.file_type)], out.parts)
    proved = _proved(wiring, task.files)
    for file in task.files:
        rows.begin()
        said = len(out.said)
        layout = load_layout(file["layout"])
        data, batch = proved.pop(file["file_name"], (None, None))
        content = Content(partial(wiring.archive.chunks, file["archive_ref"])) if data is None else Content.of(data)
        dialect = task.dialects[file["party"], file["custody_date"]]
        reading = _Reading(file, layout, content, dialect, batch, out.rejected)
        for table in reading.tables():
            if task.file_type == FileType.CUSTOMER:
                table, personal = _split_off_personal(wiring.secrets, layout, table, task.aliases)
                out.said.append(personal)
            rows.add(table)
        if reading.parsed.file_faults:
            rows.drop()
            out.said.take_away(said)
        out.outcomes.append(reading.outcome())
    rows.finish()
    return out


def _proved(wiring: Wiring, files: Sequence[Row]) -> dict[str, tuple[bytes, pa.RecordBatch | None]]:
    """Of the small files, by name: the bytes, and the rows where all lines were proved together with those of the others."""
    alike: dict[tuple[str, str], dict[str, bytes]] = defaultdict(dict)
    for file in files:
        if file["bytes"] <= ROW_WISE_BYTES:
            alike[file["layout"], file["encoding"]][file["file_name"]] = wiring.archive.read(file["archive_ref"])
    found: dict[str, tuple[bytes, pa.RecordBatch | None]] = {}
    for (layout, encoding), data in alike.items():
        batches = prove_together(load_layout(layout), encoding, list(data.values()))
        found |= {name: (raw, batch) for (name, raw), batch in zip(data.items(), batches, strict=True)}
    return found


class _Rows:
    """Rows of a table on their way into parts; full parts are made before a file's end, and have no other file's rows then."""

    def __init__(self, spec: TableSpec, parts: Pile[Part]) -> None:
        self._spec, self._parts = spec, parts
        self._tables: list[pa.Table] = []
        self._held = 0
        # Where the file's tables begin, and its parts.
        self._begun = self._first_part = 0

    def begin(self) -> None:
        """A file's rows follow."""
        self._begun, self._first_part = len(self._tables), len(self._parts)

    def add(self, table: pa.Table) -> None:
        self._tables.append(table)
        self._held += table.num_rows
        if self._held >= _PART_ROWS and self._begun:
            self._make_part(self._begun)
            self._first_part = len(self._parts)
        if self._held >= _PART_ROWS:
            self._make_part(len(self._tables))

    def drop(self) -> None:
        """What came since ``begin`` is no rows after all."""
        self._parts.take_away(self._first_part)
        del self._tables[self._begun :]
        self._held = sum(t.num_rows for t in self._tables)

    def finish(self) -> None:
        self._make_part(len(self._tables))

    def _make_part(self, count: int) -> None:
        """Of the first tables, if there are any."""
        if count:
            rows = pa.concat_tables(self._tables[:count])
            self._parts.append(Part.of(self._spec, conform(self._spec, rows)))
            del self._tables[:count]
            self._held -= rows.num_rows
            self._begun = max(self._begun - count, 0)


class _Reading:
    """One file: its rows as tables, then what became of it."""

    def __init__(
        self,
        file: Row,
        layout: Layout,
        content: Content,
        dialect: Mapping[str, Any],
        proved: pa.RecordBatch | None,
        rejected: Pile[pa.Table],
    ) -> None:
        self._file, self._proved = file, proved
        self._target = target = canonical_layout(layout)
        self._is_ours = layout is target
        self._total = target.totals[0] if target.totals else None
        self._sealed = json.loads(file["totals"])
        name, encoding, on, rows = (file[n] for n in ("file_name", "encoding", "custody_date", "rows"))
        self._reader: FileReader | CanonicalReader
        if self._is_ours:
            self._reader = FileReader(layout, name, content, encoding, on, rows, self._sealed)
        else:
            sent = RowReader(layout, name, content, encoding, on, rows, self._sealed)
            self._reader = CanonicalReader(layout, sent, on, file["party"], dialect)
        self._rejected = _RejectedRows(file, rejected)
        self._rows = self._landed_minor = self._other_day_minor = 0

    @property
    def parsed(self) -> ParsedFile:
        return self._reader.rest

    def tables(self) -> Iterator[pa.Table]:
        """Good rows of the day as tables with the landed columns. Behind the last one ``parsed`` is complete, and what was rejected is laid
        by."""
        file = self._file
        said = [(name, file[name], pa.string()) for name in ("party", "file_name")]
        said.append(("custody_date", file["custody_date"], pa.date32()))
        is_too_much = False
        for batch in self._batches():
            self._rejected.add(self.parsed.take_rejected())
            batch = self._of_the_day(batch)
            if batch.num_rows:
                if self._total is not None:
                    self._landed_minor += pc.sum(batch[self._target.field(self._total).column]).as_py() or 0
                self._rows += batch.num_rows
                table = pa.Table.from_batches([batch])
                for name, value, kind in said:
                    table = table.append_column(name, pa.repeat(pa.scalar(value, kind), batch.num_rows))
                yield table
            unusable = self.parsed.rows_rejected
            if unusable < MAX_REJECTED <= unusable + self._rejected.other_day:
                is_too_much = True
                self.parsed.file_faults.append(too_many_rejected(file["file_name"]))
                break
        self._rejected.add(self.parsed.take_rejected())
        # Of a file that is refused for anything else, its reader's faults alone.
        self._rejected.finish(is_too_much or not self.parsed.file_faults)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        if self._proved is not None:
            file = self._file
            self._reader.rest = proved_file(self._target, file["file_name"], self._proved, file["rows"], self._sealed)
            yield self._proved
        elif isinstance(self._reader, FileReader):
            yield from self._reader.batches()
        else:
            yield from (batch_of(self._target, rows) for rows in self._reader.blocks())

    def _of_the_day(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch without rows that happened after the file's custody date; they are faults."""
        if "event_time" not in batch.schema.names:
            return batch
        midnight = datetime.combine(self._file["custody_date"] + timedelta(days=1), time(), CHINA)
        later = pc.greater_equal(batch["event_time"], pa.scalar(midnight, batch.schema.field("event_time").type)).fill_null(False)
        if not pc.any(later).as_py():
            return batch
        faults = []
        # No more of them than it takes to refuse the file.
        for row in batch.filter(later).slice(0, MAX_REJECTED - self._rejected.other_day).to_pylist():
            happened = row["event_time"].astimezone(CHINA)
            dates: dict[str, object] = {
                "event_date": custody_date_of(happened).isoformat(),
                "custody_date": self._file["custody_date"].isoformat(),
            }
            faults.append(RowFault(row["line_no"], "event_time", str(happened), "other_date", dates))
            if self._total is not None:
                self._other_day_minor += row[self._target.field(self._total).column]
        self._rejected.add_other_day(faults)
        return batch.filter(pc.invert(later))

    def outcome(self) -> Row:
        """The file's row of ``file_outcomes``."""
        file, parsed = self._file, self.parsed
        sealed_minor = self._sealed_minor()
        row: Row = {
            **{n: file[n] for n in ("party", "file_type", "custody_date", "file_name", "sha256", "batch", "batches", "rows")},
            "outcome": "LANDED",
            "rule": None,
            "words_en": None,
            "words_zh": None,
            "figures": "{}",
            "rows_landed": 0,
            "rows_rejected": file["rows"],
            "total_minor": sealed_minor,
            "landed_minor": 0,
            "rejected_minor": sealed_minor,
        }
        if parsed.file_faults:
            first = parsed.file_faults[0]
            english, chinese = first.words
            figures = canonical_json(first.figures)
            return row | {"outcome": "REFUSED", "rule": first.rule, "words_en": english, "words_zh": chinese, "figures": figures}
        rejected_minor = self._other_day_minor
        if self._total is not None:
            rejected_minor += parsed.rejected_totals_minor[self._total]
        if not parsed.totals_complete:
            # An amount that could not be read is in the seal's total and nowhere else: what is left of it was rejected.
            rejected_minor = sealed_minor - self._landed_minor
        return row | {
            "rows_landed": self._rows,
            "rows_rejected": parsed.rows_rejected + self._rejected.other_day,
            "landed_minor": self._landed_minor,
            "rejected_minor": rejected_minor,
        }

    def _sealed_minor(self) -> int:
        """The trailer: what the seal says, not what we counted, since the proof compares the two. A seal of another's layout
        speaks in that layout's totals, which its reader has compared; then it is what its rows come to in ours. A seal that says
        nothing, or no amount, is a fault that the reader found: the file is refused, at an amount that nobody knows."""
        if self._total is None:
            return 0
        if not self._is_ours:
            return self.parsed.totals_minor.get(self._total, 0)
        try:
            return parse_amount(self._sealed[self._total])
        except (KeyError, ValueError):
            if not self.parsed.file_faults:
                raise
            return 0


class _RejectedRows:
    """A row for each fault of a file, laid by in the order of lines as they come."""

    def __init__(self, file: Row, pile: Pile[pa.Table]) -> None:
        self._of = {n: file[n] for n in ("party", "file_name", "file_type", "custody_date")}
        self._pile, self._first = pile, len(pile)
        self._held: list[Row] = []
        # Fewer than it takes to refuse a file, and one fault of each.
        self._other_day: list[pa.Table] = []
        self.other_day = 0

    def add(self, rejected: Rejected) -> None:
        """Of lines behind those of earlier ones."""
        self._held += self._rows(sorted(rejected.faults, key=lambda fault: fault.line_no), rejected)
        if len(self._held) >= _REJECTED_ROWS:
            self._lay_by()

    def add_other_day(self, faults: Sequence[RowFault]) -> None:
        """Of rows that are good but for their date; they may stand among the others."""
        self._other_day.append(_rejected_table(self._rows(faults, Rejected([], {}, {}))))
        self.other_day += len(faults)

    def finish(self, with_other_day: bool) -> None:
        self._lay_by()
        if self._other_day and with_other_day:
            count = len(self._pile)
            before = (self._pile[number] for number in range(self._first, count))
            self._pile.extend(_among(before, pa.concat_tables(self._other_day)))
            self._pile.take_away(self._first, count)

    def _lay_by(self) -> None:
        if self._held:
            self._pile.append(_rejected_table(self._held))
            self._held = []

    def _rows(self, faults: Sequence[RowFault], rejected: Rejected) -> list[Row]:
        numbers: dict[int, int] = defaultdict(int)
        rows = []
        for fault in faults:
            numbers[fault.line_no] += 1
            english, chinese = fault.words
            rows.append(
                {
                    **self._of,
                    "line_no": fault.line_no,
                    "fault_no": numbers[fault.line_no],
                    "field": fault.field,
                    "value": fault.value,
                    "rule": fault.rule,
                    "words_en": english,
                    "words_zh": chinese,
                    "row_key": rejected.keys.get(fault.line_no),
                    "shown": rejected.lines.get(fault.line_no, ""),
                }
            )
        return rows


def _rejected_table(rows: Sequence[Row]) -> pa.Table:
    return table_of(TABLES["rejected_rows"], rows)


def _among(tables: Iterable[pa.Table], others: pa.Table) -> Iterator[pa.Table]:
    """The tables with those of the others, whose lines are theirs neither, where they belong."""
    for table in tables:
        before = pc.less_equal(others["line_no"], table["line_no"][-1])
        both = pa.concat_tables([table, others.filter(before)])
        yield conform(TABLES["rejected_rows"], both)
        others = others.filter(pc.invert(before))
    if others.num_rows:
        yield others


def _split_off_personal(
    secrets: Secrets, layout: Layout, table: pa.Table, aliases: Mapping[str, str]
) -> tuple[pa.Table, pa.Table]:
    """The rows without personal data, which customer each is and a digest of what was said; and what was said."""
    personal = [f.name for f in canonical_layout(layout).fields if f.personal]
    ids, digests, bodies = [], [], []
    for row in table.select(personal).to_pylist():
        customer_id = secrets.identity_digest(str(row["id_type"]), str(row["id_no"]))
        customer_id = aliases.get(customer_id, customer_id)
        body = canonical_json(row)
        ids.append(customer_id)
        digests.append(personal_digest(secrets, customer_id, row))
        bodies.append(body)
    bare = table.drop_columns(personal)
    bare = bare.append_column("customer_id", pa.array(ids, pa.string())).append_column(
        "personal_digest", pa.array(digests, pa.string())
    )
    source = pc.binary_join_element_wise(table["file_name"], pc.cast(table["line_no"], pa.string()), ":")
    said = [pa.array(ids, pa.string()), table["party"], table["custody_date"], source, pa.array(bodies, pa.string())]
    return bare, pa.table(said, schema=_SAID)
