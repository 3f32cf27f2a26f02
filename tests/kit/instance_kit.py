"""A whole instance inside the test's process: made by the command line itself, fed over a drop in memory, run step by step.

The SFTP server, the log-ins and the collector's behaviour under failure have tests of their own (tests/exchange); here the
drop is a dictionary, and everything behind it is the real thing.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from connectors.bootstrap import Wiring, wire
from connectors.settings import FILE_NAME, changed
from console.cli import app
from custody.ports import Inbox, Lying, Outgoing, Row, TakenFile
from custody.services.access import SYSTEM
from custody.services.fee_charges import CHARGE, propose_charge
from custody.services.fee_periods import due_charges
from custody.services.four_eyes import approve
from custody.services.intake import CollectResult, collect
from custody.services.outbound import SEAL_SUFFIX
from custody.steps import STEPS
from jobs.charges import send
from jobs.registry import step_named
from jobs.step import StepResult, run_step
from schemas.exchange import parse_name
from schemas.store_keys import OWN_TABLES
from simulator.simulate import FaultRequest, SimulationConfig, simulate

GO_LIVE = date(2019, 12, 30)
# The report that stands for all where a test is of whole days.
MONTHLY = ("custody_monthly",)
# As `python -m cluster` names it: the bank stands in what a day seals.
BANK = "示范银行 Example Bank"
# What differs from run to run by its nature: times, fences, folders named by a fence, and hashes over those.
_OF_THE_RUN = {
    "received_at", "queued_at", "sent_at", "proved_at", "taken_at", "at", "hash", "previous_hash", "proposed_at", "decided_at", "committed_at",
    "published_at", "fence", "path", "code_digest", "run_digest", "missed_at", "ended_at", "end_sent_at",
}  # fmt: skip
REPEATABLE_TABLES = (
    "step_output", "publication", "recon_case", "case_event", "alert", "file", "file_event", "proposal", "party", "outbound", "audit_event",
    "expected_file",
)  # fmt: skip
_ALL_KEYS = (b"", b"\xff" * 32)


def seeds(default: int) -> range:
    """How many seeds a test runs: CUSTODY_SEEDS, or a few. A seed that failed is run again by its number, with pytest -k."""
    return range(int(os.environ.get("CUSTODY_SEEDS", default)))


@dataclass
class MemoryDrop:
    """Implements custody.ports.Drop: folders of bytes, party by party."""

    arrived: dict[str, dict[str, bytes]] = field(default_factory=dict)
    taken: dict[str, dict[tuple[str, str], bytes]] = field(default_factory=dict)
    sent: dict[str, dict[str, bytes]] = field(default_factory=dict)
    seals: dict[str, dict[str, bytes]] = field(default_factory=dict)

    def put(self, party: str, name: str, data: bytes) -> None:
        self.arrived.setdefault(party, {})[name] = data

    def receipts(self, party: str) -> list[dict[str, Any]]:
        return [json.loads(data) for name, data in sorted(self.sent.get(party, {}).items()) if "_RECEIPT_" in name]

    def parties(self) -> list[str]:
        return sorted(self.arrived)

    def held_back(self) -> dict[str, str]:
        return {}

    def dialled(self) -> list[str]:
        return []

    def reachable(self, party: str) -> bool:
        return True

    def inbox(self, party: str) -> Inbox:
        waiting = {name: len(data) for name, data in sorted(self.arrived.get(party, {}).items())}
        return Inbox(waiting, [TakenFile(mark, name) for mark, name in sorted(self.taken.get(party, {}))], [])

    def take(self, party: str, name: str, mark: str) -> bool:
        if name not in self.arrived[party]:
            return False
        self.taken.setdefault(party, {})[mark, name] = self.arrived[party].pop(name)
        return True

    def give_back(self, party: str, name: str, mark: str) -> None:
        self.arrived[party].setdefault(name, self.taken[party].pop((mark, name)))

    def pieces(self, party: str, name: str, mark: str, start: int) -> Generator[bytes, None, None]:
        yield self.taken[party][mark, name][start:]

    def remove(self, party: str, name: str, mark: str) -> None:
        self.taken.get(party, {}).pop((mark, name), None)

    def deliver(self, party: str, name: str, content: Outgoing) -> None:
        kept = self.seals if name.endswith(SEAL_SUFFIX) else self.sent
        kept.setdefault(party, {})[name] = b"".join(content.pieces(0))

    def lying(self, party: str) -> Mapping[str, Lying]:
        found = {**self.sent.get(party, {}), **self.seals.get(party, {})}
        return {name: Lying(len(data), False) for name, data in found.items()}

    def close(self) -> None:
        return


@dataclass
class Instance:
    """One instance, open in this process. ``drop`` lives only here; everything else is in its folder."""

    wiring: Wiring
    drop: MemoryDrop

    def step(self, name: str, on: date, reason: str = "") -> StepResult:
        return run_step(self.wiring, step_named(name), on, SYSTEM, reason)

    def run_day(self, on: date, steps: Sequence[str] = STEPS) -> list[StepResult]:
        self.charge_fees(on)
        return [self.step(name, on) for name in steps]

    def charge_fees(self, on: date) -> list[str]:
        """What the desk does on a bank business day before the core answers: all that is due is charged by two people and sent."""
        wiring = self.wiring
        with wiring.register.transaction() as tx:
            due = due_charges(tx, on)
        for charge in due:
            proposal = propose_charge(wiring.register, wiring.clock, "fees", charge, "due")
            approve(wiring.register, wiring.clock, "checker", CHARGE, proposal, "as accrued")
        return [one["request_no"] for one in send(wiring, on, SYSTEM)["tries"]] if self.find("fee_charge") else []

    def deliver(self, world: Path, on: date, without: Sequence[str] = ()) -> CollectResult:
        """Every party's files of the date but those of parties named in ``without``, and the core's flows; then a sweep."""
        folder = world / on.isoformat()
        for party in sorted(p for p in folder.iterdir() if p.name != "CORE" and p.name not in without):
            for path in party.iterdir():
                assert parse_name(path.name) is not None
                self.drop.put(party.name, path.name, path.read_bytes())
        copy_core(self, world, on)
        return self.collect(on)

    def deliver_party(self, world: Path, on: date, party: str, today: date) -> CollectResult:
        for path in (world / on.isoformat() / party).iterdir():
            self.drop.put(party, path.name, path.read_bytes())
        return self.collect(today)

    def collect(self, today: date) -> CollectResult:
        """One party after another, so that what happened has the same numbers on every run."""
        result = collect(
            self.wiring.exchange_ports, self.wiring.exchange_rules, SYSTEM, today, replace(self.wiring.collect_limits, threads=1)
        )
        assert not result.troubles and not result.waiting and not result.unsafe, result
        return result

    def find(self, table: str, **equals: object) -> list[Row]:
        with self.wiring.register.transaction() as tx:
            return tx.find(table, (), **equals)

    def lake_rows(self, on: date, step: str, table: str) -> list[Row]:
        """A table of the latest committed version."""
        seals = self.find("step_output", custody_date=on, step=step)
        return self.wiring.lake.rows(seals[-1]["path"], table)

    def register_rows(self) -> dict[str, list[Row]]:
        """All of the register that must be the same on every run; in an order of its own, since SQL promises none."""
        return {
            table: sorted(({k: v for k, v in row.items() if k not in _OF_THE_RUN} for row in self.find(table)), key=str)
            for table in REPEATABLE_TABLES
        }

    def keyed_rows(self) -> dict[str, list[tuple[bytes, dict[bytes, bytes]]]]:
        """All of the keyed store; personal data opened, since each customer's key is drawn at random."""
        found = {table: list(self.wiring.keyed.scan(table, *_ALL_KEYS)) for table in OWN_TABLES}
        found["customer"] = [(key, self._opened(key, columns)) for key, columns in found["customer"]]
        return found

    def _opened(self, key: bytes, columns: dict[bytes, bytes]) -> dict[bytes, bytes]:
        secrets = self.wiring.secrets
        data_key = secrets.unwrap(columns[b"key"])
        # The key is one salt byte and the customer id, to which the sealed bytes are bound.
        return {name: secrets.open(data_key, cell, key[1:]) for name, cell in columns.items() if name != b"key"}

    def damage(self) -> list[str]:
        """What verification finds wrong with all committed outputs; empty when everything is whole."""
        return [w for row in self.find("step_output") for w in self.wiring.lake.verify(row["path"], row["manifest_digest"])]

    def failing_proofs(self) -> list[Row]:
        outputs = self.find("step_output", step="reconcile")
        return [p for row in outputs for p in self.wiring.lake.rows(row["path"], "proof") if not p["holds"]]


@contextmanager
def opened(home: Path, drop: MemoryDrop | None = None) -> Iterator[Instance]:
    """The instance in this folder; its stores are closed at the end, so that the folder can be copied."""
    wiring = wire(home)
    instance = Instance(wiring, drop if drop is not None else MemoryDrop())
    wiring.__dict__["drop"] = instance.drop  # fills the cached property: no SFTP client is ever made
    try:
        yield instance
    finally:
        wiring.close()


def copy_of(home: Path, to: Path) -> Path:
    """A closed instance's folder is the whole instance."""
    return Path(shutil.copytree(home, to))


def change_settings(home: Path, changes: Mapping[str, str | int]) -> Path:
    """Set ``section.name`` to other values in a closed instance's settings file."""
    path = home / FILE_NAME
    path.write_text(changed(path.read_text(encoding="utf-8"), changes), encoding="utf-8")
    return home


def make_world(out: Path, faults: list[FaultRequest], seed: int, start: date = GO_LIVE, **size: Any) -> Path:
    config = SimulationConfig(**{**SMALL, **size}, start=start, seed=seed)
    simulate(config=config, faults=faults, out=out)
    return out


SMALL = {"platforms": 3, "channels": 2, "lenders": 12, "loans": 5, "days": 4}


def make_instance(
    home: Path, world: Path, go_live: date = GO_LIVE, settings: Path | None = None, reports: Sequence[str] = ()
) -> Path:
    """Init, then every party of the world proposed by one person and approved by another, through the command line.

    ``settings``: a prepared settings file instead of the embedded default. ``reports``: what is drafted, named by the tests whose subject it
    is (MONTHLY); setting one in print takes a third of the time of a small month's last day, and all of them most of it.
    """
    ours = ["--bank", BANK, "--go-live", go_live.isoformat(), "--sftp-port", "2222"]
    _custody(home, "init", *(ours if settings is None else ["--settings", str(settings)]))
    draft_only(home, reports)
    proposed = _custody(home, "org", "onboard", "--from", str(world), "--as", "maker", "--note", "test")
    for number in proposed["proposals"].values():
        _custody(home, "proposal", "approve", number, "--as", "checker", "--note", "test")
    for party in json.loads((world / "world.json").read_text(encoding="utf-8"))["parties"]:
        for change in party.get("changes", []):
            _change_contract(home, party["party"], change)
    return home


def _change_contract(home: Path, party: str, change: Mapping[str, Any]) -> None:
    """What the world says is agreed anew from a date on, by two people."""
    contract = _custody(home, "org", "contract", "show", party)["versions"][-1]["contract"]
    path = home / "contract.json"
    path.write_text(json.dumps({**contract, "fee_contract": change["fee_contract"]}), encoding="utf-8")
    said = ("--from", change["valid_from"], "--as", "maker", "--note", "test")
    proposed = _custody(home, "org", "contract", "propose", party, "--file", str(path), *said)
    _custody(home, "proposal", "approve", proposed["proposal"], "--as", "checker", "--note", "test")
    path.unlink()


def draft_only(home: Path, reports: Sequence[str]) -> None:
    """Of a new instance, whose settings say that all reports are drafted."""
    file = home / FILE_NAME
    said = file.read_text(encoding="utf-8")
    assert 'reports = ["*"]' in said
    file.write_text(said.replace('reports = ["*"]', f"reports = {json.dumps(list(reports))}"), encoding="utf-8")


def _custody(home: Path, *arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, [*arguments, "--json"], env={"CUSTODY_HOME": str(home)})
    if done.exit_code != 0:
        raise AssertionError(f"custody {' '.join(arguments)} ended {done.exit_code}: {done.output}") from done.exception
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def copy_core(instance: Instance, world: Path, on: date) -> None:
    """The core's flows and balances of a date into the core's own tables."""
    folder = world / on.isoformat() / "CORE"
    flows, balances = (_core_rows(folder / f"{name}.jsonl") for name in ("flow", "balance"))
    instance.wiring.core.load(flows, balances)


def _core_rows(path: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [{**row, "core_date": row["custody_date"]} for row in rows]
