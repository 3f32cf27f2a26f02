"""One day of the demonstration's market, cut-off to close, on the embedded engine against Apache Spark (a warm Spark Connect
server on this machine). Everything but the engine is the same; both must seal the same content."""

from __future__ import annotations

import os
import shutil
import time
from datetime import date
from pathlib import Path

from bench.harness import Run
from cluster.machine import Ports
from cluster.spark_connect import SparkConnect

# Lenders on each of three platforms.
ROWS = 40
_ON = date(2019, 12, 30)
_TABLES = ("land_txn", "land_instruction", "land_balance", "land_claim", "land_settlement", "core_flow")


def prepare(folder: Path, lenders: int) -> int:
    """An instance that has collected the day; returns how many landed and core rows the day has."""
    from connectors.bootstrap import wire
    from connectors.drop_server import DropServer
    from connectors.settings import load_settings
    from console.airflow.command import CustodyProcess
    from custody.services.access import SYSTEM
    from custody.services.intake import collect

    def custody(*arguments: str) -> dict[str, object]:
        said: list[str] = []
        done = CustodyProcess([*arguments, "--json"]).run(said.append)
        if done.exit_code not in (0, 1) or done.result is None:
            raise RuntimeError(f"custody {arguments[0]} ended {done.exit_code}: {said}")
        return done.result

    home, world = folder / "home", str(folder / "world")
    os.environ["CUSTODY_HOME"] = str(home.resolve())
    size = ["--platforms", "3", "--channels", "2", "--lenders", str(lenders), "--loans", "8", "--days", "1"]
    custody("simulate", *size, "--start", _ON.isoformat(), "--seed", "7", "--out", world)
    custody("init", "--bank", "Bench", "--go-live", _ON.isoformat(), "--sftp-port", str(Ports(folder)["sftp"]))
    proposals = custody("org", "onboard", "--from", world, "--as", "maker", "--note", "bench")["proposals"]
    assert isinstance(proposals, dict)
    for number in proposals.values():
        custody("proposal", "approve", number, "--as", "checker", "--note", "bench")
    with DropServer(load_settings(home)):
        custody("deliver", "--from", world, "--date", _ON.isoformat())
        wiring = wire(home)
        collect(wiring.exchange_ports, wiring.exchange_rules, SYSTEM, _ON, wiring.collect_limits)
        wiring.close()
    server = _spark(folder)
    server.start()
    # The Java server is slow until its code is compiled; a bank's has been up for days.
    return int(_run(folder, server.url).answer["rows"])


def finish(folder: Path) -> None:
    _spark(folder).stop()


def _spark(folder: Path) -> SparkConnect:
    return SparkConnect((folder / "spark").resolve(), Ports(folder.resolve()))


def embedded(folder: Path) -> Run:
    return _run(folder, "")


def apache_spark(folder: Path) -> Run:
    return _run(folder, _spark(folder).url)


def _run(folder: Path, engine_url: str) -> Run:
    from connectors.bootstrap import wire
    from connectors.settings import FILE_NAME, changed
    from custody.services.access import SYSTEM
    from custody.steps import STEPS
    from jobs.registry import step_named
    from jobs.step import run_step

    home = Path(shutil.copytree(folder / "home", folder / f"run_{time.monotonic_ns()}"))
    settings = home / FILE_NAME
    settings.write_text(changed(settings.read_text(encoding="utf-8"), {"engine.url": engine_url}), encoding="utf-8")
    wiring = wire(home)
    started = time.perf_counter()
    done = {step: run_step(wiring, step_named(step), _ON, SYSTEM) for step in STEPS}
    seconds = time.perf_counter() - started
    wiring.close()
    tables = {name: table["rows"] for result in done.values() for name, table in result.tables.items()}
    digests = {step: result.seal.manifest_digest for step, result in done.items()}
    return Run({"day": seconds}, {"rows": sum(tables[name] for name in _TABLES), **digests})


SIDES = {"ours": embedded, "Apache Spark": apache_spark}
