"""The day after the last reconciled one, as if nothing came but one file: the very judging code on it, with the file and without.

What such a day lacks (instructions, flows, the others' files) it lacks both times, so that the difference of the two is the file's
doing alone. A file of instructions is posted first, and so is the day without it. Its outputs lie beside attempts in the lake, no register row names them, and they are taken away again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.bootstrap import Wiring
from connectors.lake import Lake, StepWriter, table_of
from connectors.lease import Lease
from custody.names import MONTHLY
from custody.ports import Row
from custody.services.outputs import Seal, seal_of
from custody.steps import StepRef, reads
from jobs.post.step import STEP as POST
from jobs.reconcile.step import STEP as RECONCILE
from jobs.step import Step, StepContext
from schemas.tables import TABLES

Tables = Mapping[str, pa.Table]


class _TrialLake(Lake):
    """The lake, but that an output of the trial has only the tables that are the trial's own: the others are those of the real
    output ``behind`` it."""

    def __init__(self, lake: Lake, behind: Mapping[str, str], own: Mapping[str, frozenset[str]]) -> None:
        super().__init__(lake.files)
        self._behind, self._own = behind, own

    def parquet(self, relative: str, table: str) -> str:
        return super().parquet(self._at(relative, table), table)

    def parts(self, relative: str, table: str) -> list[str]:
        return super().parts(self._at(relative, table), table)

    def pieces(
        self,
        relative: str,
        table: str,
        within: Mapping[str, tuple[Any, Any]],
        columns: Sequence[str] | None = None,
        coded: bool = False,
        words: Collection[str] = (),
    ) -> Iterator[pa.Table]:
        return super().pieces(self._at(relative, table), table, within, columns, coded, words)

    def _table(self, relative: str, table: str, schema: pa.Schema | None, words: Collection[str] = ()) -> pa.Table:
        return super()._table(self._at(relative, table), table, schema, words)

    def _at(self, relative: str, table: str) -> str:
        return relative if table in self._own.get(relative, (table,)) else self._behind[relative]


@dataclass
class Trial:
    """``last``: the last reconciled day; ``on``: the day after it."""

    wiring: Wiring
    lease: Lease
    last: date
    writers: list[StepWriter] = field(default_factory=list)

    @property
    def on(self) -> date:
        return self.last + timedelta(days=1)

    def judged(
        self, name: str, landed: Tables, outcomes: list[Row], superseded: list[Row], posted: Tables | None
    ) -> tuple[list[Row], pa.Table]:
        """What stands on the trial's day, and its legs. ``landed``: tables of `land` that have rows; ``posted``: snapshots of `post`
        that are not those of the last day, or None where the day is posted too."""
        inputs = self._earlier()
        lands = self._emptied(inputs[StepRef(self.last, "land")], frozenset({"customer_aliases"}))
        lands |= {**landed, "file_outcomes": table_of(TABLES["file_outcomes"], self._waited_for() + outcomes)}
        lands["superseded_files"] = table_of(TABLES["superseded_files"], self._rows("land", "superseded_files") + superseded)
        own = {
            "cut_off": self._emptied(inputs[StepRef(self.last, "cut_off")], frozenset({"reference"})),
            "land": lands,
            "extract": {name: _empty(name) for name in ("core_flow", "e_account_flow")},
        }
        if posted is not None:
            nothing = {table: _empty(table) for table in ("journal", "reversed_legs")}
            own["post"] = {**nothing, "ledger_txn": self._still_waiting(), **posted}
        behind, tables = {}, {}
        for step, of_step in own.items():
            real = inputs[StepRef(self.last, step)]
            writer = self._writer(f"{name}-{step}")
            for table, rows in of_step.items():
                writer.table(table, rows)
            manifest = writer.finish()
            behind[writer.folder], tables[writer.folder] = real.path, frozenset(of_step)
            inputs[StepRef(self.on, step)] = Seal(self.on, step, 1, manifest.digest, writer.folder)
        wiring = self.wiring.with_lake(_TrialLake(self.wiring.lake, behind, tables))
        if posted is None:
            inputs[StepRef(self.on, POST.name)] = self._run(POST, f"{name}-post", wiring, inputs)
        legs = wiring.lake.read(inputs[StepRef(self.on, POST.name)].path, "ledger_txn")
        reconciled = self._run(RECONCILE, f"{name}-reconcile", wiring, inputs)
        return self.wiring.lake.rows(reconciled.path, "breaks"), legs

    def _run(self, step: Step, name: str, wiring: Wiring, inputs: Mapping[StepRef, Seal]) -> Seal:
        writer = self._writer(name)
        step.run(StepContext(wiring, self.on, dict(inputs), self.lease, writer=writer))
        return Seal(self.on, step.name, 1, writer.finish().digest, writer.folder)

    def _earlier(self) -> dict[StepRef, Seal]:
        with self.wiring.register.transaction() as tx:
            outputs = tx.find("step_output", ("version",))
        committed = {StepRef(row["custody_date"], row["step"]): seal_of(row) for row in outputs}
        wanted = reads(RECONCILE.name, self.on, self.wiring.settings.instance.go_live)
        found = {ref: committed[ref] for ref in wanted if ref.custody_date < self.on and ref in committed}
        return found | {StepRef(self.last, step): committed[StepRef(self.last, step)] for step in ("cut_off",)}

    def _rows(self, step: str, table: str) -> list[Row]:
        return self.wiring.lake.rows(self._earlier()[StepRef(self.last, step)].path, table)

    def posted(self, table: str) -> pa.Table:
        """A snapshot of the last day."""
        return self.wiring.lake.read(self._earlier()[StepRef(self.last, "post")].path, table)

    def _emptied(self, seal: Seal, but: frozenset[str]) -> dict[str, pa.Table]:
        return {table: _empty(table) for table in self.wiring.lake.manifest(seal.path).tables if table not in but}

    def _still_waiting(self) -> pa.Table:
        legs = self.posted("ledger_txn")
        return legs.filter(pc.equal(legs["outcome"], "WAITING"))

    def _waited_for(self) -> list[Row]:
        """What had not come yet, and what every party owes for the trial's own day."""
        outcomes = self._rows("land", "file_outcomes")
        late = [o for o in outcomes if o["outcome"] == "EXPECTED"]
        owed = {
            (o["party"], o["file_type"]): o for o in outcomes if o["custody_date"] == self.last and o["file_type"] not in MONTHLY
        }
        none = {"file_name": "", "sha256": "", "outcome": "EXPECTED", "rule": None, "words_en": None, "words_zh": None, "batch": 0,
                "batches": None, "custody_date": self.on, "figures": '{"landed":[]}'}  # fmt: skip
        zeros = dict.fromkeys(("rows", "rows_landed", "rows_rejected", "total_minor", "landed_minor", "rejected_minor"), 0)
        return late + [{**o, **none, **zeros} for o in owed.values()]

    def _writer(self, name: str) -> StepWriter:
        writer = self.wiring.lake.attempt(self.on, "trial", name, self.lease.fence)
        self.writers.append(writer)
        return writer


@contextmanager
def trial_after(wiring: Wiring, lease: Lease, last: date) -> Iterator[Trial]:
    """What the trial wrote is taken away at the end, however it ends."""
    trial = Trial(wiring, lease, last)
    try:
        yield trial
    finally:
        for writer in trial.writers:
            writer.abandon()


def _empty(table: str) -> pa.Table:
    return table_of(TABLES[table], [])
