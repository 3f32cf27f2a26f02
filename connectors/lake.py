"""The lake: immutable Parquet under a local folder, one folder for each attempt of a step (design.md §2).

What a register row does not name does not exist; what it names is checked against its manifest when it is verified.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors.archive import sync_file, sync_folder, write_durably
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

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # An earlier attempt under the same fence can only be our own, killed before its commit.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._tables: dict[str, dict[str, Any]] = {}
        self._files: dict[str, dict[str, Any]] = {}
        self._physical: dict[str, str] = {}

    def table(self, name: str, rows: Sequence[Mapping[str, Any]] | pa.Table) -> pa.Table:
        """Write one declared table (schemas.tables); rows may come in any order."""
        spec = TABLES[name]
        table = conform(spec, rows) if isinstance(rows, pa.Table) else table_of(spec, rows)
        folder = self.folder / name
        folder.mkdir()
        path = folder / "part-00000.parquet"
        pq.write_table(table, path, compression="zstd")
        sums = {c.name: str(pc.sum(table[c.name]).as_py() or 0) for c in spec.columns if c.name.endswith("_minor")}
        self._tables[name] = {"rows": table.num_rows, "content": content_digest(table), "sums": sums}
        sync_file(path)
        self._physical[f"{name}/{path.name}"] = sha256_hex(path.read_bytes())
        return table

    def file(self, name: str, data: bytes) -> None:
        """Write one file for people or parties; its bytes are part of the content."""
        (self.folder / "files").mkdir(exist_ok=True)
        write_durably(self.folder / "files" / name, data, 0o444)
        self._files[name] = {"bytes": len(data), "sha256": sha256_hex(data)}
        self._physical[f"files/{name}"] = sha256_hex(data)

    def finish(self) -> Manifest:
        digest = manifest_digest(self._tables, self._files)
        body = {"digest": digest, "tables": self._tables, "files": self._files, "physical": self._physical}
        for folder in (*self.folder.iterdir(), self.folder):
            sync_folder(folder)
        write_durably(self.folder / "manifest.json", (canonical_json(body) + "\n").encode(), 0o444)
        return Manifest(digest, self._tables, self._files, self._physical)


def manifest_digest(tables: Mapping[str, Mapping[str, Any]], files: Mapping[str, Mapping[str, Any]]) -> str:
    return digest_of_json({"tables": dict(tables), "files": dict(files)})


class Lake:
    """Reads committed outputs, and makes the folder of a new attempt."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def attempt(self, custody_date: date, step: str, run_digest: str, fence: int) -> StepWriter:
        return StepWriter(self._root / self.relative(custody_date, step, run_digest, fence))

    @staticmethod
    def relative(custody_date: date, step: str, run_digest: str, fence: int) -> str:
        return f"{custody_date.isoformat()}/{step}/run={run_digest[:32]}/fence={fence}"

    def path(self, relative: str) -> Path:
        return self._root / relative

    def parquet(self, relative: str, table: str) -> str:
        """The path of a table's Parquet folder, for an engine to read."""
        return str(self._root / relative / table)

    def read(self, relative: str, table: str) -> pa.Table:
        return pq.read_table(self._root / relative / table, schema=arrow_schema(TABLES[table]))

    def rows(self, relative: str, table: str) -> list[Row]:
        rows: list[Row] = self.read(relative, table).to_pylist()
        return rows

    def manifest(self, relative: str) -> Manifest:
        try:
            raw = json.loads((self._root / relative / "manifest.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError) as error:
            raise SealBroken(f"{relative}/manifest.json cannot be read: {error}") from error
        return Manifest(raw["digest"], raw["tables"], raw["files"], raw["physical"])

    def verify(self, relative: str, committed_digest: str) -> list[str]:
        """What differs between the committed digest and what lies in the lake, in words; empty when all is whole."""
        manifest = self.manifest(relative)
        wrong: list[str] = []
        if manifest_digest(manifest.tables, manifest.files) != committed_digest or manifest.digest != committed_digest:
            wrong.append(f"{relative}/manifest.json does not have the committed digest {committed_digest[:16]}")
        for name, sha256 in manifest.physical.items():
            path = self._root / relative / name
            if not path.is_file():
                wrong.append(f"{relative}/{name} is missing")
            elif sha256_hex(path.read_bytes()) != sha256:
                wrong.append(f"{relative}/{name} was changed")
        for name, entry in manifest.tables.items():
            if not any(w.startswith(f"{relative}/{name}/") for w in wrong):
                found = content_digest(self.read(relative, name))
                if found != entry["content"]:
                    wrong.append(f"{relative}/{name}: content digest {found[:16]} instead of {entry['content'][:16]}")
        return wrong


def rows_by(rows: Iterable[Row], *names: str) -> dict[tuple[Any, ...], Row]:
    """Rows by a key that identifies them; a repeated key is a programming error."""
    out: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        key = tuple(row[n] for n in names)
        if key in out:
            raise LookupError(f"two rows with {dict(zip(names, key, strict=True))}")
        out[key] = row
    return out
