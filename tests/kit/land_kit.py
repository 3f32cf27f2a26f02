"""Files for landing without a world: kept in a new instance's archive, and named as a cut-off names them."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import pyarrow as pa

from bench.land import write_txn
from connectors import laid_by
from connectors.bootstrap import Wiring, wire
from connectors.lake import Manifest, Part
from custody.money import format_amount
from custody.ports import Row
from jobs import land_files as module
from jobs.land_files import Landed, land_files, tasks_of
from jobs.workers import in_order
from schemas import columnar
from schemas.exchange import sha256_hex
from schemas.tables import TableSpec
from simulator.memory import peak_mib

# What bench.land's rows are dated.
DAY = date(2020, 1, 2)


def new_home(home: Path) -> Path:
    """An instance without parties."""
    # Not at the top: whoever only works here needs no simulator.
    from instance_kit import BANK, GO_LIVE, _custody

    _custody(home, "init", "--bank", BANK, "--go-live", GO_LIVE.isoformat(), "--sftp-port", "2222")
    return home


def txn_bytes(folder: Path, first: int, rows: int) -> bytes:
    path = folder / "txn.csv"
    write_txn(path, first, rows)
    return path.read_bytes()


def accepted(
    wiring: Wiring, party: str, data: bytes, file_type: str = "TXN", layout: str = "platform_txn/1", **seal: object
) -> Row:
    """A file in the archive, as ``accepted_files`` has it: sealed with what it holds, or with what ``seal`` says instead."""
    sha256 = sha256_hex(data)
    amounts = re.findall(rb",([0-9]+)\.([0-9]{2}),CNY,", data)
    totals = {"amount": format_amount(sum(int(yuan + fen) for yuan, fen in amounts))} if file_type == "TXN" else {}
    return {
        "file_name": f"{party}_{file_type}_{DAY:%Y%m%d}_01_v1.csv", "party": party, "file_type": file_type, "custody_date": DAY,
        "batch": 1, "version": 1, "layout": layout, "encoding": "utf-8", "bytes": len(data), "rows": data.count(b"\n") - 1,
        "sha256": sha256, "totals": json.dumps(totals), "batches": 1, "archive_ref": wiring.archive.keep(data, sha256), **seal,
    }  # fmt: skip


def land(wiring: Wiring, files: Iterable[Row], processes: int, fence: int) -> tuple[str, Manifest, list[Landed]]:
    """What ``land`` writes of the rows, by this many processes: (folder, manifest, what they answered)."""
    files = list(files)
    tasks = list(tasks_of(files, lambda party, on: {}, {}))
    home = wiring.settings.home
    answers = list(in_order(home, land_files, tasks, processes) if processes > 1 else (land_files(wiring, t) for t in tasks))
    writer = wiring.lake.attempt(DAY, "land", "ab" * 32, fence)
    writer.declare("land_txn")
    for answer in answers:
        for part in answer.parts:
            writer.part(part)
    return wiring.lake.relative(DAY, "land", "ab" * 32, fence), writer.finish(), answers


def dies(wiring: Wiring, task: int) -> int:
    """Work at which a process is killed by its third task, and only then."""
    if task == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def fails(wiring: Wiring, task: int) -> int:
    """Work that has a fault of ours."""
    return 1 // (task - 3)


def doubles(wiring: Wiring, task: int) -> int:
    """Work that takes longer for every fifth task."""
    time.sleep(0.05 if task % 5 == 0 else 0)
    return 2 * task


def land_in_little_memory(home: str, files: str) -> int:
    """Land files (JSON of what ``accepted`` gave); the peak memory of this process in MiB. Run in a process of its own."""
    wiring = wire(Path(home))
    rows = [row | {"custody_date": DAY} for row in json.loads(files)]
    writer = wiring.lake.attempt(DAY, "land", "cd" * 32, 1)
    landed = 0
    for task in tasks_of(rows, lambda party, on: {}, {}):
        for part in land_files(wiring, task).parts:
            landed += part.rows
            writer.part(part)
    writer.finish()
    assert landed == sum(row["rows"] for row in rows)
    return peak_mib()


def land_until_killed(home: str, file: str, folder: str) -> None:
    """Land a file whose third part the process does not live to see whole; what came before it lies on disk."""
    laid_by.Shelf.__init__.__defaults__ = (0,)  # type: ignore[misc]
    module._PART_ROWS = 1_000
    columnar.FileReader.__init__.__kwdefaults__["block_bytes"] = 50_000
    made = Part.of

    def at_last(spec: TableSpec, table: pa.Table) -> Part:
        if at_last.left == 0:  # type: ignore[attr-defined]
            os.kill(os.getpid(), signal.SIGKILL)
        at_last.left -= 1  # type: ignore[attr-defined]
        return made(spec, table)

    at_last.left = 2  # type: ignore[attr-defined]
    Part.of = at_last  # type: ignore[method-assign, assignment]
    row = json.loads(file) | {"custody_date": DAY}
    (task,) = tasks_of([row], lambda party, on: {}, {}, Path(folder))
    land_files(wire(Path(home)), task)
