"""The whole ledger anew from the archive and the sealed decisions alone, held against the live one digest for digest.

What each cut-off sealed (files, refusals, decisions, parties and calendar) is taken over once it is proved to be what was committed;
from there the ledger's steps run as they run on any day, in an instance of its own. Of the live instance nothing else is read,
unless a digest differs: then the live table is, to name the rows.

No personal data is written: a customer whose key was destroyed stays erased, and his data lies in no third place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa

from connectors.bootstrap import Wiring
from connectors.lake import Manifest
from connectors.table_digest import HASH_BYTES, row_hashes
from custody.errors import SealBroken, StopRun
from custody.ports import Row
from custody.services import verification
from custody.services.access import SYSTEM
from custody.services.outputs import Seal, seal_of
from custody.steps import LEDGER_STEPS, StepRef
from jobs.land import WITHOUT_PERSONAL
from jobs.registry import step_named
from jobs.step import Step, StepContext, StepResult, code_digest, run_step
from schemas.tables import TABLES

CUT_OFF = "cut_off"
_SHOWN_ROWS = 5


@dataclass(frozen=True)
class Difference:
    """A table whose rows are not the same: how many are only here, only there, and the keys of a few of each."""

    table: str
    only_live: int
    only_replay: int
    live_keys: tuple[str, ...] = ()
    replay_keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Compared:
    """One step of one date, live and replayed. ``why``: what is known of a difference beside the rows."""

    custody_date: date
    step: str
    live_digest: str
    replay_digest: str
    rows: int
    differences: tuple[Difference, ...] = ()
    why: str = ""

    @property
    def is_equal(self) -> bool:
        return self.live_digest == self.replay_digest


def replay(live: Wiring, rebuilt: Wiring, until: date | None) -> Iterator[Compared]:
    """Replay the dates of ``live`` in order into ``rebuilt``, a fresh instance with the archive and the keys of ``live``.

    It ends before the first step that ``live`` has not committed, or after ``until``. Running it again into the same instance goes
    on where it ended. Raises SealBroken when what a cut-off sealed is not what the register and the audit chain say was
    committed, StopRun when ``live`` has sealed no day, and what the steps raise.
    """
    committed = _committed(live)
    on = live.settings.instance.go_live
    if StepRef(on, CUT_OFF) not in committed:
        raise StopRun(f"nothing to replay: the instance's first day {on} is not cut off")
    while until is None or on <= until:
        for step in LEDGER_STEPS:
            row = committed.get(StepRef(on, step))
            if row is None:
                return
            yield _replayed(live, rebuilt, row)
        on += timedelta(days=1)


def _committed(live: Wiring) -> dict[StepRef, Row]:
    """The newest version of each output, once the audit chain says the same as the register."""
    with live.register.transaction() as tx:
        outputs = tx.find("step_output", ("custody_date", "step", "version"))
        events = tx.find("audit_event", ("event_no",))
    wrong = [*verification.chain_faults(events), *verification.commit_faults(outputs, events)]
    if wrong:
        raise SealBroken(f"the register is not what was committed: {'; '.join(wrong[:_SHOWN_ROWS])} (custody verify says it all)")
    return {StepRef(row["custody_date"], row["step"]): row for row in outputs}


def _replayed(live: Wiring, rebuilt: Wiring, committed: Row) -> Compared:
    seal = seal_of(committed)
    result = run_step(rebuilt, _step(live, seal), seal.custody_date, SYSTEM, among=LEDGER_STEPS)
    rows = sum(table["rows"] for table in result.tables.values())
    compared = Compared(seal.custody_date, seal.step, seal.manifest_digest, result.seal.manifest_digest, rows)
    if compared.is_equal:
        return compared
    if seal.step == CUT_OFF:
        raise SealBroken(f"what {seal.path} holds is not what was committed as {CUT_OFF} of {seal.custody_date}")
    return _explained(live, rebuilt, compared, committed, result)


def _step(live: Wiring, seal: Seal) -> Step:
    if seal.step == CUT_OFF:
        return _taken_over(live, seal)
    return WITHOUT_PERSONAL if seal.step == WITHOUT_PERSONAL.name else step_named(seal.step)


def _taken_over(live: Wiring, seal: Seal) -> Step:
    """The live cut-off's tables as they were sealed; written through a new seal, which must come out the same."""

    def run(context: StepContext) -> None:
        wrong = live.lake.verify(seal.path, seal.manifest_digest)
        if wrong:
            raise SealBroken(f"{CUT_OFF} of {seal.custody_date} cannot be replayed from: {'; '.join(wrong[:_SHOWN_ROWS])}")
        for table in live.lake.manifest(seal.path).tables:
            context.write(table, live.lake.read(seal.path, table))

    return Step(CUT_OFF, run)


def _explained(live: Wiring, rebuilt: Wiring, compared: Compared, committed: Row, result: StepResult) -> Compared:
    """Name the rows as far as the live output can be read."""
    why = []
    if committed["code_digest"] != code_digest():
        why.append("it was sealed by another version of the program")
    differences: list[Difference] = []
    try:
        sealed = live.lake.manifest(committed["path"])
        for table in sorted({*sealed.tables, *result.tables}):
            if _content(sealed.tables, table) != _content(result.tables, table):
                there = _table(live, committed["path"], table, sealed)
                here = _table(rebuilt, result.seal.path, table, rebuilt.lake.manifest(result.seal.path))
                differences.append(_difference(table, there, here))
    except SealBroken as error:
        why.append(f"its live rows cannot be read: {error}")
    return Compared(
        compared.custody_date,
        compared.step,
        compared.live_digest,
        compared.replay_digest,
        compared.rows,
        tuple(differences),
        "; ".join(why),
    )


def _content(tables: Mapping[str, Mapping[str, object]], name: str) -> object:
    return tables[name]["content"] if name in tables else None


def _table(wiring: Wiring, path: str, name: str, manifest: Manifest) -> pa.Table | None:
    return wiring.lake.read_as_it_lies(path, name) if name in manifest.tables else None


def _difference(name: str, live: pa.Table | None, replayed: pa.Table | None) -> Difference:
    only_live, only_replay = _beyond(live, replayed), _beyond(replayed, live)
    return Difference(name, len(only_live), len(only_replay), _keys(name, live, only_live), _keys(name, replayed, only_replay))


def _beyond(table: pa.Table | None, other: pa.Table | None) -> list[int]:
    """The numbers of the rows that the other table lacks; of rows that are alike, as many as it lacks."""
    left = Counter(_hashes(other))
    beyond = []
    for number, found in enumerate(_hashes(table)):
        if left[found]:
            left[found] -= 1
        else:
            beyond.append(number)
    return beyond


def _hashes(table: pa.Table | None) -> list[bytes]:
    if table is None or not table.num_rows:
        return []
    whole = row_hashes(table)
    return [whole[start : start + HASH_BYTES] for start in range(0, len(whole), HASH_BYTES)]


def _keys(name: str, table: pa.Table | None, numbers: list[int]) -> tuple[str, ...]:
    """The first few rows' keys: they name no person."""
    if table is None:
        return ()
    shown = table.select(list(TABLES[name].key)).take(numbers[:_SHOWN_ROWS]).to_pylist()
    return tuple(" ".join(f"{column}={value}" for column, value in row.items()) for row in shown)
