"""What landing does with personal data: it goes to the keyed store only, under a key for each customer (design.md §4.6).

Written before the step's commit and safe to repeat: keys are made once, sealing is deterministic, and each word has its own date.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Protocol

import pyarrow as pa

from custody.errors import StopRun
from custody.personal import Said
from custody.ports import Row
from custody.services.erasures import erased_up_to
from jobs.step import StepContext


class Persons(Protocol):
    """What a landing does with what was said of persons."""

    def keep(self, said: pa.Table) -> None:
        """What parties said, in the order of files and lines."""

    def take_up(self, decided: Iterable[Row]) -> None:
        """What forms say that two people decided on, as the platform's word of today."""

    def move(self, merged: Iterable[Row]) -> None:
        """All that was said of customers who were found to be another."""


class NoPersons:
    """A replay's: it makes the ledger again and nobody's data, so that nobody who was erased comes back."""

    def keep(self, said: pa.Table) -> None:
        return

    def take_up(self, decided: Iterable[Row]) -> None:
        return

    def move(self, merged: Iterable[Row]) -> None:
        return


class KeptPersons:
    """Whoever was erased stays so: of a day up to his erasure nothing is kept, whatever lands again. If he comes back later, he is
    a new customer."""

    def __init__(self, context: StepContext) -> None:
        self._store, self._fence, self._today = context.wiring.persons, context.lease.fence, context.custody_date
        with context.wiring.register.transaction() as tx:
            self._erased = erased_up_to(tx)
            self._later = [r["custody_date"] for r in tx.find("step_output", step="land") if r["custody_date"] > self._today]

    def keep(self, said: pa.Table) -> None:
        if said.num_rows and self._later:
            words = "would keep persons under ids that they had then"
            raise StopRun(f"{max(self._later)} has landed: landing {self._today} again {words}")
        self._store.keep(self._words(said), self._fence)

    def _words(self, said: pa.Table) -> Iterator[tuple[str, Said]]:
        for batch in said.to_batches():
            for row in batch.to_pylist():
                if not self._is_erased(row["customer_id"], row["custody_date"]):
                    word = Said(row["party"], row["custody_date"], json.loads(row["body"]), (row["source"],))
                    yield row["customer_id"], word

    def _is_erased(self, customer_id: str, on: date) -> bool:
        return customer_id in self._erased and on <= self._erased[customer_id]

    def take_up(self, decided: Iterable[Row]) -> None:
        for row in decided:
            if self._is_erased(row["customer_id"], self._today):
                continue
            fields = self._store.pending(row["said_of"], row["reference"])
            if fields is not None:
                word = Said(row["party"], self._today, fields, (f"proposal:{row['proposal_id']}",))
                self._store.keep([(row["said_of"], word)], self._fence)
                self._store.drop_pending(row["said_of"], row["reference"], self._fence)
            elif not self._is_taken_up(row):
                raise StopRun(
                    f"the data of proposal {row['proposal_id']} are not in the keyed store: restore it as it was when they were approved"
                )

    def _is_taken_up(self, row: Row) -> bool:
        """By an earlier run of today's landing; a customer who became another has them there."""
        source = f"proposal:{row['proposal_id']}"
        return any(source in said.sources for said in self._store.said(row["customer_id"]))

    def move(self, merged: Iterable[Row]) -> None:
        for row in merged:
            self._store.move(row["old"], row["new"], self._fence)
