"""Files of one type to landed rows: what one process does of ``land``, whichever process it is.

Good rows become parts of the type's table as they are read, so that a file of any length takes the memory of a few blocks
beside its own bytes; a file that is refused whole takes its rows with it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.bootstrap import Wiring
from connectors.lake import Part, conform, table_of
from custody.calendar import CHINA, custody_date_of
from custody.customer_decisions import personal_digest
from custody.digest import canonical_json
from custody.findings import RowFault
from custody.money import parse_amount
from custody.names import FileType
from custody.ports import Row, Secrets
from schemas.columnar import ROW_WISE_BYTES, FileReader, batch_of, prove_together, proved_file
from schemas.landing import canonical_file, canonical_layout
from schemas.layout import Layout, load_layout
from schemas.layout_file import ParsedFile, parse_file
from schemas.tables import TABLES, TableSpec

# A task of several files is at most this large, so that its rows make one part.
TASK_BYTES = 32_000_000
TASK_FILES = 500
_PART_ROWS = 262_144
_SAID = pa.schema(
    [
        (name, pa.date32() if name == "custody_date" else pa.string())
        for name in ("customer_id", "party", "custody_date", "source", "body")
    ]
)


@dataclass(frozen=True)
class Task:
    """Accepted files of one type in the order of their names, and the dialect of each, by party and custody date. ``aliases``: customer
    ids that two people found to be another's."""

    file_type: str
    files: tuple[Row, ...]
    dialects: Mapping[tuple[str, date], Mapping[str, Any]]
    aliases: Mapping[str, str]


@dataclass
class Landed:
    """``parts`` of the type's table; ``rejected`` rows; an outcome for each file; of customers, ``said``: each one's personal
    data (customer_id, party, custody_date, source, body) in the order of files and lines."""

    parts: list[Part] = field(default_factory=list)
    rejected: list[pa.Table] = field(default_factory=list)
    outcomes: list[Row] = field(default_factory=list)
    said: list[pa.Table] = field(default_factory=list)


def table_name(file_type: str) -> str:
    return f"land_{file_type.lower()}"


# By party and custody date what a foreign layout needs to become ours, as the contract of that date says.
DialectOf = Callable[[str, date], Mapping[str, Any]]


def tasks_of(files: Sequence[Row], dialect_of: DialectOf, aliases: Mapping[str, str]) -> Iterator[Task]:
    """Types in the order of their names; of each, many small files or one large one at a time, the same whoever lands them."""
    by_type: dict[str, list[Row]] = defaultdict(list)
    for file in sorted(files, key=lambda f: str(f["file_name"])):
        by_type[file["file_type"]].append(file)
    for file_type, of_type in sorted(by_type.items()):
        held: list[Row] = []
        size = 0
        for file in of_type:
            if held and (size + file["bytes"] > TASK_BYTES or len(held) == TASK_FILES):
                yield _task(file_type, held, dialect_of, aliases)
                held, size = [], 0
            held.append(file)
            size += file["bytes"]
        yield _task(file_type, held, dialect_of, aliases)


def _task(file_type: str, files: Sequence[Row], dialect_of: DialectOf, aliases: Mapping[str, str]) -> Task:
    dialects = {key: dialect_of(*key) for key in sorted({(f["party"], f["custody_date"]) for f in files})}
    return Task(file_type, tuple(files), dialects, aliases)


def land_files(wiring: Wiring, task: Task) -> Landed:
    """Read the task's files from the archive and judge them. Raises what the archive raises."""
    out = Landed()
    rows = _Rows(TABLES[table_name(task.file_type)], streams=len(task.files) == 1)
    proved = _proved(wiring, task.files)
    for file in task.files:
        rows.begin()
        said = len(out.said)
        layout = load_layout(file["layout"])
        data, batch = proved.pop(file["file_name"], (None, None))
        if data is None:
            data = wiring.archive.read(file["archive_ref"])
        reading = _Reading(file, layout, data, task.dialects[file["party"], file["custody_date"]], batch)
        for table in reading.tables():
            if task.file_type == FileType.CUSTOMER:
                table, personal = _split_off_personal(wiring.secrets, layout, table, task.aliases)
                out.said.append(personal)
            rows.add(table)
        if reading.parsed.file_faults:
            rows.drop()
            del out.said[said:]
        rejected = reading.rejected()
        if rejected:
            out.rejected.append(table_of(TABLES["rejected_rows"], rejected))
        out.outcomes.append(reading.outcome())
    out.parts = rows.finish()
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
    """Rows of a table on their way into parts. Where it ``streams`` one file, full parts are made before its end."""

    def __init__(self, spec: TableSpec, streams: bool) -> None:
        self._spec, self._streams = spec, streams
        self._tables: list[pa.Table] = []
        self._parts: list[Part] = []
        self._begun = 0

    def begin(self) -> None:
        """A file's rows follow."""
        self._begun = len(self._tables)

    def add(self, table: pa.Table) -> None:
        self._tables.append(table)
        if self._streams and sum(t.num_rows for t in self._tables) >= _PART_ROWS:
            self._make_part()

    def drop(self) -> None:
        """What came since ``begin`` is no rows after all."""
        if self._streams:
            self._parts = []
        del self._tables[self._begun :]

    def finish(self) -> list[Part]:
        self._make_part()
        return self._parts

    def _make_part(self) -> None:
        if self._tables:
            self._parts.append(Part.of(self._spec, conform(self._spec, pa.concat_tables(self._tables))))
            self._tables, self._begun = [], 0


class _Reading:
    """One file: its rows as tables, then what became of it."""

    def __init__(self, file: Row, layout: Layout, data: bytes, dialect: Mapping[str, Any], proved: pa.RecordBatch | None) -> None:
        self._file, self._layout, self._data, self._dialect, self._proved = file, layout, data, dialect, proved
        self._target = canonical_layout(layout)
        self._total = self._target.totals[0] if self._target.totals else None
        self._sealed = json.loads(file["totals"])
        self._other_day: list[RowFault] = []
        self._rows = self._landed_minor = self._other_day_minor = 0
        self.parsed = ParsedFile()

    def tables(self) -> Iterator[pa.Table]:
        """Good rows of the day as tables with the landed columns. ``parsed`` is complete behind the last one."""
        source = {name: self._file[name] for name in ("party", "file_name")}
        for batch in self._batches():
            batch = self._of_the_day(batch)
            if self._total is not None:
                self._landed_minor += pc.sum(batch[self._target.field(self._total).column]).as_py() or 0
            self._rows += batch.num_rows
            table = pa.Table.from_batches([batch])
            for name, value in source.items():
                table = table.append_column(name, _constant(value, pa.string(), batch.num_rows))
            yield table.append_column("custody_date", _constant(self._file["custody_date"], pa.date32(), batch.num_rows))

    def _batches(self) -> Iterator[pa.RecordBatch]:
        file = self._file
        said = file["rows"], self._sealed
        if self._layout is self._target and self._proved is not None:
            self.parsed = proved_file(self._layout, file["file_name"], self._proved, *said)
            yield self._proved
        elif self._layout is self._target:
            reader = FileReader(self._layout, file["file_name"], self._data, file["encoding"], file["custody_date"], *said)
            yield from reader.batches()
            self.parsed = reader.rest
        else:
            sent = parse_file(self._layout, file["file_name"], self._data, file["encoding"], file["custody_date"], *said)
            self.parsed = canonical_file(self._layout, sent, file["custody_date"], file["party"], self._dialect)
            if self.parsed.rows:
                yield batch_of(self._target, self.parsed.rows)
                self.parsed.rows = []

    def _of_the_day(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch without rows that happened after the file's custody date; they are faults."""
        if "event_time" not in batch.schema.names:
            return batch
        midnight = datetime.combine(self._file["custody_date"] + timedelta(days=1), time(), CHINA)
        later = pc.greater_equal(batch["event_time"], pa.scalar(midnight, batch.schema.field("event_time").type)).fill_null(False)
        if not pc.any(later).as_py():
            return batch
        for row in batch.filter(later).to_pylist():
            happened = row["event_time"].astimezone(CHINA)
            dates: dict[str, object] = {
                "event_date": custody_date_of(happened).isoformat(),
                "custody_date": self._file["custody_date"].isoformat(),
            }
            self._other_day.append(RowFault(row["line_no"], "event_time", str(happened), "other_date", dates))
            if self._total is not None:
                self._other_day_minor += row[self._target.field(self._total).column]
        return batch.filter(pc.invert(later))

    def rejected(self) -> list[Row]:
        """A row for each fault. Of a file that is refused whole, its reader's faults alone."""
        faults = self.parsed.faults if self.parsed.file_faults else [*self.parsed.faults, *self._other_day]
        numbers: dict[int, int] = defaultdict(int)
        rows = []
        for fault in faults:
            numbers[fault.line_no] += 1
            english, chinese = fault.words
            rows.append(
                {
                    **{n: self._file[n] for n in ("party", "file_name", "file_type", "custody_date")},
                    "line_no": fault.line_no,
                    "fault_no": numbers[fault.line_no],
                    "field": fault.field,
                    "value": fault.value,
                    "rule": fault.rule,
                    "words_en": english,
                    "words_zh": chinese,
                    "row_key": self.parsed.rejected_keys.get(fault.line_no),
                    "shown": self.parsed.rejected_lines.get(fault.line_no, ""),
                }
            )
        return rows

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
            "rows_rejected": len(parsed.rejected_lines) + len(self._other_day),
            "landed_minor": self._landed_minor,
            "rejected_minor": rejected_minor,
        }

    def _sealed_minor(self) -> int:
        """The trailer: what the seal says, not what we counted, since the proof compares the two. A seal of another's layout
        speaks in that layout's totals, which its reader has compared; then it is what its rows come to in ours. A seal that says
        nothing, or no amount, is a fault that the reader found: the file is refused, at an amount that nobody knows."""
        if self._total is None:
            return 0
        if self._layout is not self._target:
            return self.parsed.totals_minor.get(self._total, 0)
        try:
            return parse_amount(self._sealed[self._total])
        except (KeyError, ValueError):
            if not self.parsed.file_faults:
                raise
            return 0


def _constant(value: str | date, kind: pa.DataType, rows: int) -> pa.Array:
    return pa.repeat(pa.scalar(value, kind), rows)


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
