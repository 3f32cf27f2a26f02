"""Making a proof for somebody outside the bank: of a report, or of one row of a sealed table (reports/proof_check.py checks it).

A proof is a few files, the same each time that it is made of the same committed days: nothing in it is of the moment.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from importlib.resources import files
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.bootstrap import Wiring
from connectors.table_digest import HASH_BYTES, TableDigest, row_hashes
from custody.digest import canonical_text
from custody.errors import UsageError
from custody.ports import Row
from custody.services.outputs import Seal, seal_of
from custody.services.seal_keys import allowed_signers, seal_keys
from reports.proof_check import FORMAT
from reports.proof_readme import README
from schemas.tables import TABLES

_SEAL_ENDING = "_seal.json"
_EMPTY_BUCKET = bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)

Files = dict[str, bytes]


def report_proof(wiring: Wiring, file_name: str) -> Files:
    """The proof of the report that has this file, by any of its files' names. Raises UsageError where there is none, or where its day is
    not closed and signed yet."""
    output, seal_name = _report_with(wiring, file_name)
    seal_bytes = wiring.lake.file(output.path, seal_name)
    seal = json.loads(seal_bytes)
    decided = _release(wiring, output, seal_bytes)
    release = None if decided is None else _row(wiring, decided[0], "decisions", {"proposal_id": decided[1]})
    dates = [output.custody_date, *(date.fromisoformat(item["custody_date"]) for item in seal["inputs"])]
    if decided is not None:
        dates.append(decided[0].custody_date)
    found = _days(wiring, min(dates), max(dates))
    _named_by_its_day(found, output)
    for name in (seal_name, *(file["name"] for file in seal["files"])):
        found[f"files/{name}"] = wiring.lake.file(output.path, name)
    outputs = [output, *([decided[0]] if decided is not None else [])]
    report = {"custody_date": output.custody_date.isoformat(), "seal": seal_name, "release": release}
    what = (
        f"证明对象：报表 {seal['report_id']} {seal['period']} 的文件，{output.custody_date} 封存。",
        f"It proves the files of report {seal['report_id']} {seal['period']}, sealed on {output.custody_date}.",
    )
    return _whole(wiring, found, outputs, "report", report, what)


def row_proof(wiring: Wiring, custody_date: date, step: str, table: str, wanted: Mapping[str, str]) -> Files:
    """The proof of the one row whose columns have these values, as text. Raises UsageError where there is none or more than one, or as
    report_proof does."""
    if table not in TABLES:
        raise UsageError(f"no table {table!r}")
    found = _days(wiring, custody_date, custody_date)
    output = _output_of_day(wiring, found, custody_date, step)
    row = _row(wiring, output, table, wanted)
    what = (
        f"证明对象：{custody_date} 封存的表 {table} 中的一行。",
        f"It proves one row of the table {table}, sealed on {custody_date}.",
    )
    return _whole(wiring, found, [output], "row", row, what)


def zipped(found: Files) -> bytes:
    """The files as one ZIP, whose bytes depend on nothing else."""
    sink = BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(found):
            entry = zipfile.ZipInfo(name, _ZIP_TIME)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, found[name])
    return sink.getvalue()


def _whole(
    wiring: Wiring, found: Files, outputs: list[Seal], kind: str, about: Mapping[str, object], what: tuple[str, str]
) -> Files:
    with wiring.register.transaction() as tx:
        keys = seal_keys(tx, wiring.seals.first())
    for output in outputs:
        manifest = wiring.lake.manifest(output.path)
        said = {"tables": dict(manifest.tables), "files": dict(manifest.files)}
        found[f"outputs/{output.custody_date}_{output.step}.json"] = _json(said)
    days = sorted(name[5:15] for name in found if name.startswith("days/") and len(name) == len("days/2019-12-31.json"))
    found["proof.json"] = _json(
        {"format": FORMAT, "kind": kind, "bank": wiring.settings.instance.bank, "days": days, kind: about}
    )
    found["allowed_signers"] = allowed_signers(keys).encode()
    found["verify.py"] = files("reports").joinpath("proof_check.py").read_bytes()
    found["README.md"] = README.format(what_zh=what[0], what_en=what[1]).encode()
    return found


def _json(value: object) -> bytes:
    return (json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode()


def _days(wiring: Wiring, first: date, last: date) -> Files:
    """The roots from one date to another, each the one that the next day's names, with what the bank signed of them."""
    with wiring.register.transaction() as tx:
        closes = {(r["custody_date"], r["version"]): seal_of(r) for r in tx.find("step_output", ("version",), step="close")}
    versions = [version for on, version in closes if on == last]
    if not versions:
        raise UsageError(f"{last} is not closed yet: a proof begins with the signed root of its days")
    found: Files = {}
    on, version = last, max(versions)
    while on >= first:
        close = closes.get((on, version))
        if close is None:
            raise UsageError(f"the close of {on} v{version} is not in the register: custody verify says more")
        manifest = wiring.lake.manifest(close.path)
        root = {row["step"]: row for row in wiring.lake.rows(close.path, "day_root")}
        day = {
            "version": version,
            "root": [[row["step"], row["version"], row["manifest_digest"]] for row in root.values()],
            "output": {"tables": dict(manifest.tables), "files": dict(manifest.files)},
        }
        found[f"days/{on}.json"] = _json(day)
        found[f"days/{on}_v{version}.json"], found[f"days/{on}_v{version}.json.sig"] = wiring.seals.read(on, version)
        on, version = on - timedelta(days=1), root["close_of_yesterday"]["version"]
    return found


def _steps_of(found: Files, on: date) -> dict[str, tuple[int, str]]:
    """What the root of a date names."""
    return {step: (version, digest) for step, version, digest in json.loads(found[f"days/{on}.json"])["root"]}


def _output_of_day(wiring: Wiring, found: Files, on: date, step: str) -> Seal:
    named = _steps_of(found, on).get(step)
    if named is None:
        raise UsageError(f"the root of {on} names no step {step!r}")
    with wiring.register.transaction() as tx:
        row = tx.get("step_output", custody_date=on, step=step, version=named[0])
    if row is None:
        raise UsageError(f"{step} of {on} v{named[0]} is not in the register: custody verify says more")
    return seal_of(row)


def _named_by_its_day(found: Files, output: Seal) -> None:
    if _steps_of(found, output.custody_date).get(output.step) != (output.version, output.manifest_digest):
        raise UsageError(
            f"{output.step} of {output.custody_date} v{output.version} is not in that day's root yet: close the day again"
        )


def _report_with(wiring: Wiring, file_name: str) -> tuple[Seal, str]:
    """The newest output that has a file of this name, and the name of the seal that covers it."""
    with wiring.register.transaction() as tx:
        outputs = [seal_of(r) for r in tx.find("step_output", ("custody_date", "version"), step="report")]
    for output in reversed(outputs):
        names = wiring.lake.manifest(output.path).files
        if file_name not in names:
            continue
        for seal_name in (name for name in sorted(names) if name.endswith(_SEAL_ENDING)):
            seal = json.loads(wiring.lake.file(output.path, seal_name))
            if file_name in (seal_name, *(file["name"] for file in seal["files"])):
                return output, seal_name
    raise UsageError(f"no report has a file {file_name!r}; see: custody report list")


def _release(wiring: Wiring, output: Seal, seal_bytes: bytes) -> tuple[Seal, str] | None:
    """The cut-off that sealed the approval of this draft's release, and the proposal; None while no cut-off has."""
    from schemas.exchange import sha256_hex

    wanted = {output.manifest_digest, sha256_hex(seal_bytes)}
    with wiring.register.transaction() as tx:
        proposals = tx.find("proposal", ("decision_no",), kind="release", state="APPROVED")
        cut_offs = [seal_of(r) for r in tx.find("step_output", ("custody_date", "version"), step="cut_off")]
        closed = {r["custody_date"] for r in tx.find("step_output", step="close")}
    approved = {
        row["proposal_id"]
        for row in proposals
        if wanted & {value for value in json.loads(row["payload"]).values() if isinstance(value, str)}
    }
    newest = {seal.custody_date: seal for seal in cut_offs if seal.custody_date in closed} if approved else {}
    for seal in newest.values():
        for row in wiring.lake.rows(seal.path, "decisions"):
            if row["proposal_id"] in approved and row["outcome"] == "APPROVED":
                return seal, row["proposal_id"]
    return None


def _row(wiring: Wiring, output: Seal, table: str, wanted: Mapping[str, str]) -> dict[str, object]:
    """The one row, and what leads from it to the table's digest: its bucket's row hashes, every bucket's digest."""
    names = TABLES[table].names
    unknown = sorted(set(wanted) - set(names))
    if unknown or not wanted:
        raise UsageError(f"{table} has no column {', '.join(unknown) or '(none given)'}; it has {', '.join(names)}")
    if table not in wiring.lake.manifest(output.path).tables:
        raise UsageError(f"{output.step} of {output.custody_date} has no table {table!r}")
    digest = TableDigest()
    found: list[tuple[Row, bytes]] = []
    for part in wiring.lake.batches(output.path, table):
        hashes = row_hashes(part)
        digest.add(hashes)
        for at in _matching(part, wanted):
            found.append((part.slice(at, 1).to_pylist()[0], hashes[at * HASH_BYTES : (at + 1) * HASH_BYTES]))
    if len(found) != 1:
        said = ", ".join(f"{name}={value}" for name, value in wanted.items())
        raise UsageError(f"{len(found)} rows of {table} of {output.custody_date} have {said}: name the columns of one row")
    row, hashed = found[0]
    digests = digest.bucket_digests()
    buckets = [digests[at : at + HASH_BYTES] for at in range(0, len(digests), HASH_BYTES)]
    return {
        "custody_date": output.custody_date.isoformat(),
        "step": output.step,
        "table": table,
        "columns": names,
        "cells": [canonical_text(row[name]) for name in names],
        "bucket": [one.hex() for one in digest.bucket_of(hashed)],
        "buckets": {str(n): one.hex() for n, one in enumerate(buckets) if one != _EMPTY_BUCKET},
    }


def _matching(part: pa.Table, wanted: Mapping[str, str]) -> Iterator[int]:
    """The places of the rows whose columns have these texts; ``""`` is a null as well."""
    mask: Any = None
    for name, value in wanted.items():
        column = part[name]
        text = column.cast(pa.int64()).cast(pa.string()) if pa.types.is_timestamp(column.type) else column.cast(pa.string())
        same = pc.equal(pc.fill_null(text, ""), value)
        mask = same if mask is None else pc.and_(mask, same)
    yield from pc.indices_nonzero(mask).to_pylist()
