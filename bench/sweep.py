"""Thousands of organisations, each with the five files of a day and their seal, in one sweep of the collector over SFTP, and their landing.

The peers do of it what a standard library does on one thread, and nothing of the rest: copying and hashing the same files (ours claims,
checks the seal, encrypts, keeps them durably, judges, registers, answers and removes each over SSH), and reading their cells
(ours types, checks and seals every row). Neither waits for the disk; so their ratios say what all that costs, not who is faster.
"""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from bench.harness import Run
from bench.land import write_txn
from simulator.memory import peak_mib

# Organisations.
ROWS = 500
_DAY = date(2020, 1, 2)
_FIRST = "P0001"
# Rows of each of a party's files.
_FILES = {"TXN": 40, "CLAIM": 20, "BALANCE": 20, "LOAN": 5, "CUSTOMER": 5}
# The column by which rows and parties differ.
_NAMED = {"CLAIM": "claim_id", "BALANCE": "user_no", "LOAN": "loan_id", "CUSTOMER": "user_no"}


def prepare(folder: Path, organisations: int) -> int:
    """An instance with so many live platforms, and what they send; returns the number of files, seals among them."""
    home = folder / "home"
    _make_instance(home, [f"P{number:04d}" for number in range(1, organisations + 1)])
    for number in range(1, organisations + 1):
        _write_set(folder / "sent" / f"P{number:04d}", number)
    return organisations * (len(_FILES) + 1)


def _make_instance(home: Path, names: list[str]) -> None:
    """By init and the onboarding of one; the register's rows of the others are as its own."""
    from cluster.machine import Ports
    from connectors.bootstrap import wire
    from connectors.drop_accounts import follow_register
    from connectors.register_tables import metadata
    from connectors.ssh_keys import make_key, public_key_line
    from console.airflow.command import CustodyProcess
    from custody.services.four_eyes import approve
    from custody.services.organisations import ONBOARD, propose_party

    os.environ["CUSTODY_HOME"] = str(home.resolve())
    said: list[str] = []
    init = [
        "init",
        "--bank",
        "Bench",
        "--go-live",
        _DAY.isoformat(),
        "--sftp-port",
        str(Ports(home.parent.resolve())["sftp"]),
        "--json",
    ]
    if CustodyProcess(init).run(said.append).exit_code != 0:
        raise RuntimeError(f"custody init: {said}")
    make_key(home.parent / "key")
    wiring = wire(home)
    try:
        key = public_key_line(home.parent / "key")
        proposal = propose_party(
            wiring.register,
            wiring.clock,
            "maker",
            _FIRST,
            "PLATFORM",
            "Platform",
            "平台",
            _contract(),
            key,
            "bench",
            live_untested=True,
        )
        approve(wiring.register, wiring.clock, "checker", ONBOARD, proposal, "bench")
        with wiring.register.transaction() as tx:
            for table in sorted(name for name, of in metadata.tables.items() if "party" in of.c):
                rows = tx.find(table, party=_FIRST)
                tx.insert_all(table, [{**row, "party": name} for row in rows for name in names if name != _FIRST])
        follow_register(wiring.settings, wiring.register, _DAY)
    finally:
        wiring.close()


def _contract() -> dict[str, object]:
    fees = {
        "valid_from": "2019-01-01", "valid_to": None, "currency": "CNY", "per_mille_year": "1.5", "day_count": "actual/365",
        "per_transaction_minor": {}, "vat_rate": "0.06", "rounding": "half_even", "charged": "monthly", "charge_business_day": 1,
    }  # fmt: skip
    return {
        "encoding": "utf-8", "layouts": {name: [f"platform_{name.lower()}/1"] for name in _FILES}, "dialect": {}, "file_types": list(_FILES),
        "core_model": "HUB", "fee_contract": fees,
    }  # fmt: skip


def _write_set(folder: Path, number: int) -> None:
    from schemas.exchange import ExchangeName, Seal, SealedFile, sha256_hex
    from schemas.layout import load_layout
    from schemas.layout_example import example_rows
    from schemas.layout_file import control_totals, parse_file, write_file

    folder.mkdir(parents=True)
    entries = []
    for file_type, rows in _FILES.items():
        layout = load_layout(f"platform_{file_type.lower()}/1")
        name = str(ExchangeName(folder.name, file_type, _DAY, 1, 1))
        if file_type == "TXN":
            write_txn(folder / name, number * rows, rows)
        else:
            row = example_rows(layout, "utf-8")[0]
            many: list[dict[str, Any]] = [{**row, _NAMED[file_type]: f"N{number:05d}{n:03d}"} for n in range(rows)]
            (folder / name).write_bytes(write_file(layout, many, "utf-8", _DAY))
        data = (folder / name).read_bytes()
        totals = control_totals(layout, parse_file(layout, name, data, "utf-8", _DAY).rows)
        entries.append(
            SealedFile(
                name=name,
                layout=layout.id,
                encoding="utf-8",
                bytes=len(data),
                rows=rows,
                sha256=sha256_hex(data),
                totals=totals,
                batches=1,
            )
        )
    seal = Seal(party=folder.name, custody_date=_DAY.isoformat(), batch=1, version=1, files=entries)
    (folder / str(ExchangeName(folder.name, "SEAL", _DAY, 1, 1))).write_bytes(seal.to_bytes())


def ours(folder: Path) -> Run:
    from connectors.bootstrap import wire
    from custody.services.access import SYSTEM
    from custody.services.intake import collect
    from jobs.registry import step_named
    from jobs.step import run_step

    home = Path(shutil.copytree(folder / "home", folder / "run", symlinks=True))
    try:
        for party in (folder / "sent").iterdir():
            for path in party.iterdir():
                os.link(path, home / "drop" / party.name / "in" / path.name)
        wiring = wire(home)
        with _serving(home):
            wiring.drop.parties()
            started = time.perf_counter()
            result = collect(wiring.exchange_ports, wiring.exchange_rules, SYSTEM, _DAY, wiring.collect_limits)
            swept = time.perf_counter() - started
        peak = {"sweep": peak_mib()}
        assert not result.troubles and not result.waiting and not result.unsafe, result.troubles[:1]
        run_step(wiring, step_named("cut_off"), _DAY, SYSTEM)
        started = time.perf_counter()
        landed = run_step(wiring, step_named("land"), _DAY, SYSTEM).tables
        seconds = {"sweep": swept, "sweep_land": time.perf_counter() - started}
        peak["sweep_land"] = peak_mib()
        wiring.close()
        rows = sum(landed[f"land_{name.lower()}"]["rows"] for name in _FILES)
        return Run(seconds, {"files": result.counts()["ACCEPTED"] + len(result.seals), "rows": rows}, peak)
    finally:
        shutil.rmtree(home)


@contextmanager
def _serving(home: Path) -> Iterator[None]:
    """The SFTP server in a process of its own, whose work and memory are not counted as the collector's."""
    command = [sys.executable, "-c", "from console.cli import main; main()", "serve-sftp"]
    server = subprocess.Popen(command, env={**os.environ, "CUSTODY_HOME": str(home.resolve())})
    try:
        _wait_for(home)
        yield
    finally:
        server.terminate()
        server.wait()


def _wait_for(home: Path) -> None:
    from connectors.settings import load_settings
    from connectors.sftp_drop import SftpDrop
    from custody.errors import RetryLater

    until = time.monotonic() + 60
    while True:
        drop = SftpDrop(load_settings(home))
        try:
            drop.parties()
            return
        except RetryLater:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
        finally:
            drop.close()


def copied_and_hashed(folder: Path) -> Run:
    """What the standard library does of it: a copy of each file with its SHA-256, and the cells of each line."""
    copies = folder / "copies"
    paths = sorted((folder / "sent").glob("*/*"))
    try:
        started = time.perf_counter()
        for path in paths:
            data = path.read_bytes()
            hashlib.sha256(data).digest()
            to = copies / path.parent.name / path.name
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(data)
        copied = time.perf_counter() - started
        rows = 0
        started = time.perf_counter()
        for path in paths:
            if path.suffix == ".csv":
                with path.open(encoding="utf-8", newline="") as file:
                    rows += sum(1 for _ in csv.reader(file)) - 1
        return Run({"sweep": copied, "sweep_land": time.perf_counter() - started}, {"files": len(paths), "rows": rows})
    finally:
        shutil.rmtree(copies)


SIDES = {"ours": ours, "copy, SHA-256, csv": copied_and_hashed}
