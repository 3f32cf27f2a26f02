"""The lake: immutable Parquet, one folder for each attempt of a step (design.md §2). Where it lies is connectors.lake_files'.

What a register row does not name does not exist; what it names is checked against its manifest when it is verified.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors.lake_files import LakeFiles
from custody.digest import ContentDigest, canonical_json, digest_of_json
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


@dataclass(frozen=True)
class Manifest:
    """What one step output holds. ``digest`` covers content only, so it is the same on every engine and run."""

    digest: str
    tables: Mapping[str, Mapping[str, Any]]
    files: Mapping[str, Mapping[str, Any]]
    physical: Mapping[str, str]


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
    if spec.unique and table.num_rows:
        distinct = table.select(list(spec.key)).group_by(list(spec.key)).aggregate([]).num_rows
        if distinct != table.num_rows:
            raise ValueError(f"table {spec.name}: {table.num_rows - distinct} rows repeat a key {spec.key}")
    return table.sort_by([(name, "ascending") for name in spec.key]).cast(schema)


def content_digest(table: pa.Table) -> str:
    """custody.digest over a whole table, with the rows' preimages built by Arrow: only SHA-256 is left to Python."""
    digest = ContentDigest()
    for batch in table.to_batches(max_chunksize=65_536):
        preimages = pc.binary_join_element_wise(*(_netstrings(column) for column in batch.columns), "").cast(pa.binary())
        for preimage in preimages.to_pylist():
            digest.add_hash(hashlib.sha256(preimage).digest())
    return digest.root()


def _netstrings(column: pa.Array) -> pa.Array:
    """``<octets>:<text>,`` of each cell, ``~`` for null; a timestamp's canonical text is its epoch microseconds."""
    plain = column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
    text = plain.cast(pa.string())
    sized = pc.binary_join_element_wise(pc.binary_length(text).cast(pa.string()), text, ":")
    return pc.binary_join_element_wise(sized, ",", "").fill_null("~")


class StepWriter:
    """Collects one attempt's tables and files, then writes the manifest. Nothing of it exists before the register row."""

    def __init__(self, files: LakeFiles, folder: str) -> None:
        self.folder = folder
        self._lake_files = files
        # An earlier attempt under the same fence can only be our own, killed before its commit.
        files.fresh(folder)
        self._tables: dict[str, dict[str, Any]] = {}
        self._files: dict[str, dict[str, Any]] = {}
        self._physical: dict[str, str] = {}

    def table(self, name: str, rows: Sequence[Mapping[str, Any]] | pa.Table) -> pa.Table:
        """Write one declared table (schemas.tables); rows may come in any order."""
        spec = TABLES[name]
        table = conform(spec, rows) if isinstance(rows, pa.Table) else table_of(spec, rows)
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        self._write(_part_of(name), sink.getvalue().to_pybytes())
        sums = {c.name: str(pc.sum(table[c.name]).as_py() or 0) for c in spec.columns if c.name.endswith("_minor")}
        self._tables[name] = {"rows": table.num_rows, "content": content_digest(table), "sums": sums}
        return table

    def file(self, name: str, data: bytes) -> None:
        """Write one file for people or parties; its bytes are part of the content."""
        self._write(f"files/{name}", data)
        self._files[name] = {"bytes": len(data), "sha256": sha256_hex(data)}

    def finish(self) -> Manifest:
        digest = manifest_digest(self._tables, self._files)
        body = {"digest": digest, "tables": self._tables, "files": self._files, "physical": self._physical}
        self._lake_files.write(f"{self.folder}/{_MANIFEST}", (canonical_json(body) + "\n").encode())
        return Manifest(digest, self._tables, self._files, self._physical)

    def _write(self, name: str, data: bytes) -> None:
        self._lake_files.write(f"{self.folder}/{name}", data)
        self._physical[name] = sha256_hex(data)


def _part_of(table: str) -> str:
    return f"{table}/part-00000.parquet"


def manifest_digest(tables: Mapping[str, Mapping[str, Any]], files: Mapping[str, Mapping[str, Any]]) -> str:
    return digest_of_json({"tables": dict(tables), "files": dict(files)})


class Lake:
    """Reads committed outputs, and makes the folder of a new attempt. What lies in it raises as connectors.lake_files says."""

    def __init__(self, files: LakeFiles) -> None:
        self._files = files

    def attempt(self, custody_date: date, step: str, run_digest: str, fence: int) -> StepWriter:
        return StepWriter(self._files, self.relative(custody_date, step, run_digest, fence))

    @staticmethod
    def relative(custody_date: date, step: str, run_digest: str, fence: int) -> str:
        return f"{custody_date.isoformat()}/{step}/run={run_digest[:32]}/fence={fence}"

    def url(self, relative: str) -> str:
        """Where an output, or a file of it, lies: ``file://`` or ``hdfs://``, for people and engines."""
        return self._files.url(relative)

    def parquet(self, relative: str, table: str) -> str:
        """The URL of a table's Parquet folder, for an engine to read."""
        return self.url(f"{relative}/{table}")

    def read(self, relative: str, table: str) -> pa.Table:
        """A table with its declared columns."""
        return _read_parquet(relative, table, self._files.read(f"{relative}/{_part_of(table)}"), arrow_schema(TABLES[table]))

    def read_as_it_lies(self, relative: str, table: str) -> pa.Table:
        """A table with whatever columns its file has."""
        return _read_parquet(relative, table, self._files.read(f"{relative}/{_part_of(table)}"), None)

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
        parts = {_part_of(name): name for name in manifest.tables}
        files = {f"files/{name}": entry["sha256"] for name, entry in manifest.files.items()}
        wrong: list[str] = []
        for name in [*parts, *files]:
            try:
                data = self._files.read(f"{relative}/{name}")
                # Of a file the bytes are sealed; of a table its content is, and the bytes' digest only tells which it was.
                if sha256_hex(data) != (files.get(name) or manifest.physical.get(name)):
                    wrong.append(f"{relative}/{name} was changed")
                elif table := parts.get(name):
                    sealed = manifest.tables[table]["content"]
                    found = content_digest(_read_parquet(relative, table, data, arrow_schema(TABLES[table])))
                    if found != sealed:
                        wrong.append(f"{relative}/{table}: content digest {found[:16]} instead of {sealed[:16]}")
            except SealBroken as error:
                wrong.append(str(error))
        # An engine reads whatever lies in a table's folder.
        known = {*parts, *files, _MANIFEST}
        wrong += [f"{relative}/{name} does not belong there" for name in self._files.names(relative) if name not in known]
        return wrong


def _read_parquet(relative: str, table: str, data: bytes, schema: pa.Schema | None) -> pa.Table:
    try:
        return pq.read_table(pa.BufferReader(data), schema=schema)
    except pa.ArrowException as error:
        raise SealBroken(f"{relative}/{table} cannot be read as Parquet: {error}") from error


def rows_by(rows: Iterable[Row], *names: str) -> dict[tuple[Any, ...], Row]:
    """Rows by a key that identifies them; a repeated key is a programming error."""
    out: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        key = tuple(row[n] for n in names)
        if key in out:
            raise LookupError(f"two rows with {dict(zip(names, key, strict=True))}")
        out[key] = row
    return out
