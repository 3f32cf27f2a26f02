"""The lake: immutable Parquet, one folder for each attempt of a step (design.md §2). Where it lies is connectors.lake_files'.

What a register row does not name does not exist; what it names is checked against its manifest when it is verified.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors.item_index import hash_columns, index_columns, indexed
from connectors.lake_files import LakeFiles
from connectors.read_ahead import ahead
from connectors.table_digest import TableDigest, row_hashes
from custody.digest import canonical_json, digest_of_json
from custody.errors import SealBroken
from custody.ports import Row
from schemas.exchange import sha256_hex
from schemas.tables import TABLES, TableSpec

_ARROW_TYPES = {
    "text": pa.string(),
    "int": pa.int64(),
    "bool": pa.bool_(),
    "date": pa.date32(),
    "time": pa.timestamp("us", tz="UTC"),
}


_MANIFEST = "manifest.json"
_WORD = pa.dictionary(pa.int32(), pa.string())
# What is looked through is in memory in pieces of this many rows.
_PIECE_ROWS = 1 << 16
_PART = re.compile(r"([a-z_]+)/part-[0-9]{5}\.parquet")


@dataclass(frozen=True)
class Manifest:
    """What one step output holds. ``digest`` covers content only, so it is the same on every engine and run."""

    digest: str
    tables: Mapping[str, Mapping[str, Any]]
    files: Mapping[str, Mapping[str, Any]]
    physical: Mapping[str, str]

    def parts(self, table: str) -> list[str]:
        """A table's Parquet files, in the order of their rows."""
        found = sorted(name for name in self.physical if (part := _PART.fullmatch(name)) and part[1] == table)
        return found or [_part_of(table, 0)]


def arrow_schema(spec: TableSpec) -> pa.Schema:
    return pa.schema([pa.field(c.name, _ARROW_TYPES[c.type], nullable=c.nullable) for c in spec.columns])


def table_of(spec: TableSpec, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as an Arrow table of exactly the declared columns. Raises ValueError on a null where none may be."""
    columns = {c.name: [row[c.name] for row in rows] for c in spec.columns}
    return conform(spec, pa.table(columns, schema=pa.schema([pa.field(f.name, f.type) for f in arrow_schema(spec)])))


def conform(spec: TableSpec, table: pa.Table) -> pa.Table:
    """The declared columns in their order and type, sorted by key, nulls and repeated keys refused."""
    schema = arrow_schema(spec)
    table = table.select(spec.names).cast(pa.schema([pa.field(f.name, f.type) for f in schema]))
    for column in spec.columns:
        if not column.nullable and table[column.name].null_count:
            raise ValueError(f"table {spec.name}: {column.name} is null in {table[column.name].null_count} rows")
    in_order, repeats = _order(table, spec.key)
    if not in_order:
        table = table.sort_by([(name, "ascending") for name in spec.key])
        _, repeats = _order(table, spec.key)
    if spec.unique and repeats:
        raise ValueError(f"table {spec.name}: {repeats} rows repeat a key {spec.key}")
    return table.cast(schema)


def _order(table: pa.Table, key: Sequence[str]) -> tuple[bool, int]:
    """Whether the rows are in the order of the key, and then how many of them repeat the key of the row before."""
    if table.num_rows < 2:
        return True, 0
    # Of each row and the one before, as far as the key has been looked at.
    less: Any = pa.scalar(False)
    equal: Any = pa.scalar(True)
    for name in key:
        column = table[name]
        before, after = column[:-1], column[1:]
        less = pc.or_(less, pc.and_(equal, pc.less(before, after)))
        equal = pc.and_(equal, pc.equal(before, after))
    return bool(pc.all(pc.or_(less, equal)).as_py()), pc.sum(equal).as_py() or 0


@dataclass(frozen=True)
class Part:
    """Some rows of a table, ready to be written, by whichever process made it: Parquet (with the columns of connectors.item_index
    behind the declared ones), row hashes, sums, first and last key."""

    table: str
    data: bytes
    rows: int
    hashes: bytes
    sums: Mapping[str, int]
    keys: tuple[tuple[Any, ...], tuple[Any, ...]] | None

    @classmethod
    def of(cls, spec: TableSpec, table: pa.Table) -> Part:
        """``table`` as ``conform`` gives it."""
        sums = {c.name: pc.sum(table[c.name]).as_py() or 0 for c in spec.columns if c.name.endswith("_minor")}
        keys = None
        if table.num_rows:
            ends = table.select(list(spec.key)).take([0, table.num_rows - 1]).to_pylist()
            keys = tuple(ends[0].values()), tuple(ends[1].values())
        return cls(spec.name, parquet_of(spec.name, table), table.num_rows, row_hashes(table), sums, keys)


def parquet_of(table: str, rows: pa.Table) -> bytes:
    """Rows of a declared table with their index columns, as one Parquet file."""
    whole = indexed(table, rows)
    # No dictionary and no compression makes hashes shorter: they would only be tried, each time that a file is written.
    rest = [name for name in whole.schema.names if name not in hash_columns(table)]
    sink = pa.BufferOutputStream()
    packed = dict.fromkeys(whole.schema.names, "none") | dict.fromkeys(rest, "zstd")
    pq.write_table(whole, sink, compression=packed, use_dictionary=rest)
    data: bytes = sink.getvalue().to_pybytes()
    return data


@dataclass
class _OpenTable:
    """A table that is being written: what has come of it so far."""

    spec: TableSpec
    sums: dict[str, int]
    digest: TableDigest = field(default_factory=TableDigest)
    rows: int = 0
    parts: int = 0
    last_key: tuple[Any, ...] | None = None


class StepWriter:
    """Collects one attempt's tables and files, then writes the manifest. Nothing of it exists before the register row."""

    def __init__(self, files: LakeFiles, folder: str) -> None:
        self.folder = folder
        self._lake_files = files
        # An earlier attempt under the same fence can only be our own, killed before its commit.
        files.fresh(folder)
        self._open: dict[str, _OpenTable] = {}
        self._files: dict[str, dict[str, Any]] = {}
        self._physical: dict[str, str] = {}

    def table(self, name: str, rows: Sequence[Mapping[str, Any]] | pa.Table) -> pa.Table:
        """Write one declared table (schemas.tables) at once; rows may come in any order."""
        spec = TABLES[name]
        table = conform(spec, rows) if isinstance(rows, pa.Table) else table_of(spec, rows)
        self.part(Part.of(spec, table))
        return table

    def declare(self, name: str) -> None:
        """Begin a table that is written part by part, or stays empty."""
        spec = TABLES[name]
        if name not in self._open:
            self._open[name] = _OpenTable(spec, {c.name: 0 for c in spec.columns if c.name.endswith("_minor")})

    def part(self, part: Part) -> None:
        """Write a table's next part. Parts come in the order of the key: one that begins before, or where a key is unique at,
        the end of the last is refused with ValueError, so that a table read whole is sorted and its keys are what they say."""
        self.declare(part.table)
        table = self._open[part.table]
        spec = table.spec
        if part.keys is not None:
            first, last = part.keys
            if table.last_key is not None and (first < table.last_key or (spec.unique and first == table.last_key)):
                raise ValueError(f"table {spec.name}: a part begins with {first}, the one before ends with {table.last_key}")
            table.last_key = last
        self._write(_part_of(part.table, table.parts), part.data)
        table.digest.add(part.hashes)
        table.rows += part.rows
        table.parts += 1
        for name, added in part.sums.items():
            table.sums[name] += added

    def written(self, table: str, columns: Sequence[str], words: Collection[str] = ()) -> Iterator[pa.Table]:
        """What has been written of a table so far, in pieces, as Lake.pieces gives it: so that whoever writes it part by part need not
        keep it in memory to look at it again."""
        names = [_part_of(table, number) for number in range(self._open[table].parts)]
        yield from ahead(_pieces(self._lake_files, self.folder, table, names, {}, columns, False, words))

    def file(self, name: str, data: bytes) -> None:
        """Write one file for people or parties; its bytes are part of the content."""
        self._write(f"files/{name}", data)
        self._files[name] = {"bytes": len(data), "sha256": sha256_hex(data)}

    def finish(self) -> Manifest:
        for table in self._open.values():
            # An engine reads no folder that has no file.
            if not table.parts:
                self.part(Part.of(table.spec, arrow_schema(table.spec).empty_table()))
        tables: dict[str, Mapping[str, Any]] = {
            name: {"rows": t.rows, "content": t.digest.root(), "sums": {n: str(total) for n, total in t.sums.items()}}
            for name, t in self._open.items()
        }
        digest = manifest_digest(tables, self._files)
        body = {"digest": digest, "tables": tables, "files": self._files, "physical": self._physical}
        self._lake_files.write(f"{self.folder}/{_MANIFEST}", (canonical_json(body) + "\n").encode())
        return Manifest(digest, tables, self._files, self._physical)

    def abandon(self) -> None:
        """Take away what the attempt has written, so that it takes no room; nothing of it was committed."""
        self._lake_files.remove(self.folder)

    def _write(self, name: str, data: bytes) -> None:
        self._lake_files.write(f"{self.folder}/{name}", data)
        self._physical[name] = sha256_hex(data)


def _part_of(table: str, number: int) -> str:
    return f"{table}/part-{number:05d}.parquet"


def manifest_digest(tables: Mapping[str, Mapping[str, Any]], files: Mapping[str, Mapping[str, Any]]) -> str:
    return digest_of_json({"tables": dict(tables), "files": dict(files)})


class Lake:
    """Reads committed outputs, and makes the folder of a new attempt. What lies in it raises as connectors.lake_files says."""

    def __init__(self, files: LakeFiles) -> None:
        self._files = files

    @property
    def files(self) -> LakeFiles:
        return self._files

    def attempt(self, custody_date: date, step: str, run_digest: str, fence: int) -> StepWriter:
        return self.writer(self.relative(custody_date, step, run_digest, fence))

    def writer(self, folder: str) -> StepWriter:
        """Makes an output in a folder of any name."""
        return StepWriter(self._files, folder)

    @staticmethod
    def relative(custody_date: date, step: str, run_digest: str, fence: int) -> str:
        return f"{custody_date.isoformat()}/{step}/run={run_digest[:32]}/fence={fence}"

    def url(self, relative: str) -> str:
        """Where an output, or a file of it, lies: ``file://`` or ``hdfs://``, for people and engines."""
        return self._files.url(relative)

    def parquet(self, relative: str, table: str) -> str:
        """The URL of a table's Parquet folder, for an engine to read."""
        return self.url(f"{relative}/{table}")

    def read(self, relative: str, table: str, columns: Sequence[str] | None = None, words: Collection[str] = ()) -> pa.Table:
        """A table; of its declared columns those that are asked for. ``words``: as of ``pieces``."""
        return self._table(relative, table, _some(arrow_schema(TABLES[table]), columns), words)

    def read_as_it_lies(self, relative: str, table: str) -> pa.Table:
        """A table with whatever columns its files have, but those that are laid by for matching."""
        whole = self._table(relative, table, None)
        return whole.drop_columns([name for name in index_columns(table) if name in whole.schema.names])

    def batches(self, relative: str, table: str, some: slice = slice(None)) -> Iterator[pa.Table]:
        """A table with its declared columns, part by part, in the order of its key; or only some of its parts."""
        for name in self.manifest(relative).parts(table)[some]:
            yield _read_parquet(relative, table, self._files.open(f"{relative}/{name}"), arrow_schema(TABLES[table]))

    def pieces(
        self,
        relative: str,
        table: str,
        within: Mapping[str, tuple[Any, Any]],
        columns: Sequence[str] | None = None,
        coded: bool = False,
        words: Collection[str] = (),
    ) -> Iterator[pa.Table]:
        """A table in pieces of bounded size, in the order of its key; of its declared columns those that are asked for. ``within``: the
        least and greatest value of columns; a row group whose statistics say that all its rows lie outside is passed over unread, the
        others' rows are not filtered. ``coded``: a row group at a time, texts as dictionaries. ``words``: texts of few values, which come
        as dictionaries: a fraction of the work of texts that are laid out row by row."""
        names = self.manifest(relative).parts(table)
        found = _pieces(self._files, relative, table, names, within, columns, coded, words)
        # Of whole row groups two would take too much memory.
        yield from found if coded else ahead(found)

    def parts(self, relative: str, table: str) -> list[str]:
        """The names of a table's parts, in the order of its key."""
        return self.manifest(relative).parts(table)

    def part(self, relative: str, table: str, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """One part of a table; of its declared columns those that are asked for."""
        wanted = _some(arrow_schema(TABLES[table]), columns)
        return _read_parquet(relative, table, self._files.open(f"{relative}/{name}"), wanted)

    def index(self, relative: str, table: str, name: str, columns: Sequence[str]) -> pa.Table:
        """Of one part those columns, declared or of connectors.item_index; texts as dictionaries."""
        source = self._files.open(f"{relative}/{name}")
        texts = [c.name for c in TABLES[table].columns if c.type == "text" and c.name in columns]
        try:
            return pq.ParquetFile(source, read_dictionary=texts).read(columns=list(columns)).select(list(columns))
        except (pa.ArrowException, KeyError) as error:
            raise SealBroken(f"{relative}/{table} cannot be read as Parquet: {error}") from error

    def file(self, relative: str, name: str) -> bytes:
        """One file beside the tables. Raises SealBroken when it is not the one that the manifest names."""
        data = self._files.read(f"{relative}/files/{name}")
        if sha256_hex(data) != self.manifest(relative).files[name]["sha256"]:
            raise SealBroken(f"{relative}/files/{name} was changed")
        return data

    def _table(self, relative: str, table: str, schema: pa.Schema | None, words: Collection[str] = ()) -> pa.Table:
        manifest = self.manifest(relative)
        names = manifest.parts(table)
        if schema is not None and words:
            pieces = _pieces(self._files, relative, table, names, {}, schema.names, False, words)
            whole = pa.concat_tables([_with_words(schema, words).empty_table(), *pieces]).unify_dictionaries()
        else:
            whole = pa.concat_tables(
                [_read_parquet(relative, table, self._files.open(f"{relative}/{name}"), schema) for name in names]
            )
        if table in manifest.tables and whole.num_rows != manifest.tables[table]["rows"]:
            raise SealBroken(f"{relative}/{table} has {whole.num_rows} rows, its manifest says {manifest.tables[table]['rows']}")
        return whole

    def rows(self, relative: str, table: str) -> list[Row]:
        rows: list[Row] = self.read(relative, table).to_pylist()
        return rows

    def manifest(self, relative: str) -> Manifest:
        try:
            raw = json.loads(self._files.read(f"{relative}/{_MANIFEST}"))
            return Manifest(raw["digest"], raw["tables"], raw["files"], raw["physical"])
        except (SealBroken, ValueError, LookupError, TypeError) as error:
            raise SealBroken(f"{relative}/{_MANIFEST} cannot be read: {error}") from error

    def verify(self, relative: str, committed_digest: str) -> list[str]:
        """What differs between the committed digest and what lies in the lake, in words; empty when all is whole."""
        manifest = self.manifest(relative)
        if manifest_digest(manifest.tables, manifest.files) != committed_digest or manifest.digest != committed_digest:
            # What such a manifest names is nothing to compare with.
            return [f"{relative}/{_MANIFEST} does not have the committed digest {committed_digest[:16]}"]
        parts = {part for name in manifest.tables for part in manifest.parts(name)}
        files = {f"files/{name}": entry["sha256"] for name, entry in manifest.files.items()}
        wrong: list[str] = []
        for name in manifest.tables:
            wrong += self._wrong_table(relative, name, manifest)
        for name, sealed in files.items():
            try:
                if sha256_hex(self._files.read(f"{relative}/{name}")) != sealed:
                    wrong.append(f"{relative}/{name} was changed")
            except SealBroken as error:
                wrong.append(str(error))
        # An engine reads whatever lies in a table's folder.
        known = {*parts, *files, _MANIFEST}
        wrong += [f"{relative}/{name} does not belong there" for name in self._files.names(relative) if name not in known]
        return wrong

    def _wrong_table(self, relative: str, table: str, manifest: Manifest) -> list[str]:
        """Of a table its content is sealed; the digest of a file's bytes only tells which file it was that changed."""
        wrong = []
        digest = TableDigest()
        for name in manifest.parts(table):
            try:
                data = self._files.read(f"{relative}/{name}")
                if sha256_hex(data) != manifest.physical.get(name):
                    wrong.append(f"{relative}/{name} was changed")
                else:
                    rows = _read_parquet(relative, table, pa.BufferReader(data), arrow_schema(TABLES[table]))
                    digest.add(row_hashes(rows))
                    if not _is_indexed(table, rows, data):
                        wrong.append(f"{relative}/{name}: what is laid by for matching does not follow from its rows")
            except SealBroken as error:
                wrong.append(str(error))
        sealed = manifest.tables[table]["content"]
        if not wrong and (found := digest.root()) != sealed:
            wrong.append(f"{relative}/{table}: content digest {found[:16]} instead of {sealed[:16]}")
        return wrong


def _is_indexed(table: str, rows: pa.Table, data: bytes) -> bool:
    names = index_columns(table)
    if not names:
        return True
    lying = pq.read_table(pa.BufferReader(data))
    return set(names) <= set(lying.schema.names) and bool(indexed(table, rows).select(names).equals(lying.select(names)))


def _some(schema: pa.Schema, columns: Sequence[str] | None) -> pa.Schema:
    return schema if columns is None else pa.schema([schema.field(name) for name in columns])


def without_rows(table: str, columns: Sequence[str] | None = None, words: Collection[str] = ()) -> pa.Table:
    """A table as ``Lake.read`` gives it where nothing was written."""
    return _with_words(_some(arrow_schema(TABLES[table]), columns), words).empty_table()


def is_word(column: pa.ChunkedArray, word: str) -> pa.ChunkedArray:
    """Of a column of ``words`` which rows are this one: one look into each dictionary, and numbers compared."""
    masks = [pc.equal(chunk.indices, chunk.dictionary.index(pa.scalar(str(word)))) for chunk in column.chunks]
    return pa.chunked_array(masks, pa.bool_())


def is_any_word(column: pa.ChunkedArray, words: Collection[str]) -> pa.ChunkedArray:
    """... which rows are one of these."""
    known = pa.array(sorted(words), pa.string())
    masks = [pc.is_in(chunk.dictionary, value_set=known).take(chunk.indices) for chunk in column.chunks]
    return pa.chunked_array(masks, pa.bool_())


def has_word(column: pa.ChunkedArray, word: str) -> bool:
    """Whether any row of a column of ``words`` is this one."""
    return bool(pc.any(is_word(column, word)).as_py())


def _pieces(
    files: LakeFiles,
    relative: str,
    table: str,
    names: Iterable[str],
    within: Mapping[str, tuple[Any, Any]],
    columns: Sequence[str] | None,
    coded: bool,
    words: Collection[str],
) -> Iterator[pa.Table]:
    schema = _some(arrow_schema(TABLES[table]), columns)
    texts = [f.name for f in schema if pa.types.is_string(f.type) and (coded or f.name in words)]
    schema = schema if coded else _with_words(schema, texts)
    for name in names:
        source = files.open(f"{relative}/{name}")
        try:
            file = pq.ParquetFile(source, read_dictionary=texts)
            groups = [n for n in range(file.num_row_groups) if _may_hold(file.metadata.row_group(n), within)]
            if coded:
                yield from (file.read_row_group(n, schema.names).select(schema.names) for n in groups)
                continue
            # A thread for each column costs more than it saves: pieces are read ahead instead.
            batches = file.iter_batches(_PIECE_ROWS, row_groups=groups, columns=schema.names, use_threads=False) if groups else ()
            for batch in batches:
                yield pa.Table.from_batches([batch]).select(schema.names).cast(schema)
        except pa.ArrowException as error:
            raise SealBroken(f"{relative}/{table} cannot be read as Parquet: {error}") from error


def _with_words(schema: pa.Schema, texts: Collection[str]) -> pa.Schema:
    return pa.schema([field.with_type(_WORD) if field.name in texts else field for field in schema])


def _may_hold(group: Any, within: Mapping[str, tuple[Any, Any]]) -> bool:
    """Whether a row group's statistics leave room for a row inside the bounds; one without statistics does."""
    for n in range(group.num_columns):
        column = group.column(n)
        found = column.statistics
        if column.path_in_schema not in within or found is None or not found.has_min_max:
            continue
        least, greatest = within[column.path_in_schema]
        if found.max < least or found.min > greatest:
            return False
    return True


def _read_parquet(relative: str, table: str, source: pa.NativeFile, schema: pa.Schema | None) -> pa.Table:
    try:
        return pq.read_table(source, schema=schema)
    except pa.ArrowException as error:
        raise SealBroken(f"{relative}/{table} cannot be read as Parquet: {error}") from error
