"""Outputs that a bench makes for the step that it measures, in an instance of its own, without running the steps before it."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from connectors.lake import Part, StepWriter, arrow_schema, conform, parquet_of
from custody.services.outputs import Seal
from schemas.tables import TABLES

_RUN = "be" * 32
_FILLERS: Mapping[str, Any] = {"int": 0, "text": "x", "time": 0, "bool": False}


@contextmanager
def new_instance(home: Path, go_live: date) -> Generator[Any]:
    """The wiring of an instance that has just been made."""
    from typer.testing import CliRunner

    from connectors.bootstrap import wire
    from console.cli import app

    arguments = ["init", "--bank", "Bench", "--go-live", go_live.isoformat(), "--sftp-port", "2222"]
    made = CliRunner().invoke(app, arguments, env={"CUSTODY_HOME": str(home)})
    assert made.exit_code == 0, made.output
    wiring = wire(home)
    try:
        yield wiring
    finally:
        wiring.close()


def cut_off(
    writer: StepWriter, contracts: Iterable[tuple[str, Mapping[str, Any]]], rules: bool, *more: Mapping[str, Any]
) -> None:
    """A cut-off that sealed these platforms with their contracts, the shipped rules if asked, and ``more`` rows of reference."""
    from schemas.rule_book import shipped_rules

    writer.declare("decisions")
    rows: list[Mapping[str, Any]] = [
        {"kind": "party", "id": name, "payload": json.dumps({"kind": "PLATFORM", "status": "LIVE", "contract": contract})}
        for name, contract in contracts
    ]
    if rules:
        rows += [
            {"kind": "rule", "id": rule.id, "payload": json.dumps(dict(rule.entry), default=str)} for rule in shipped_rules()
        ]
    instance = {"bank": "Bench", "risk_horizon_business_days": 3, "reports": []}
    writer.table("reference", [*rows, *more, {"kind": "instance", "id": "instance", "payload": json.dumps(instance)}])


def lay(writer: StepWriter, table: str, found: Mapping[str, Any] | pa.Table, on: date) -> None:
    """The next part of a table, from its columns that matter; of the others a cell is null, or stands for nothing.

    It carries no digests of its rows: the step that is measured reads it and verifies nothing, and ten million rows' digests
    would cost more than all that is measured.
    """
    spec = TABLES[table]
    names = found.column_names if isinstance(found, pa.Table) else list(found)
    size, filled = len(found[names[0]]), {}
    for field, column in zip(arrow_schema(spec), spec.columns, strict=True):
        if field.name in names:
            given = found[field.name]
            filled[field.name] = given.cast(field.type) if hasattr(given, "cast") else pa.array(given, field.type)
        else:
            filler = None if column.nullable else on if column.type == "date" else _FILLERS[column.type]
            filled[field.name] = pa.repeat(pa.scalar(filler, field.type), size)
    rows = conform(spec, pa.table(filled))
    ends = rows.select(list(spec.key)).take([0, size - 1]).to_pylist() if size else []
    keys = (tuple(ends[0].values()), tuple(ends[1].values())) if ends else None
    writer.part(Part(table, parquet_of(table, rows), size, b"", {}, keys))


def commit(wiring: Any, on: date, step: str, write: Callable[[Any], None]) -> Seal:
    """One step of a date: what ``write`` puts into the lake is committed and published."""
    writer = wiring.lake.attempt(on, step, _RUN, 1)
    write(writer)
    manifest = writer.finish()
    key = {"custody_date": on, "step": step, "version": 1}
    row = {**key, "run_digest": _RUN, "inputs_digest": "", "manifest_digest": manifest.digest, "code_digest": "", "fence": 1}
    path = wiring.lake.relative(on, step, _RUN, 1)
    row |= {"path": path, "reason": "", "committed_at": ""}
    with wiring.register.transaction() as tx:
        tx.insert("step_output", row)
        tx.insert("publication", {**key, "manifest_digest": manifest.digest, "published_at": ""})
    return Seal(on, step, 1, manifest.digest, path)
