"""extract: the bank core's flows and balances of the date, read once into the lake and sealed (design.md §2).

A flow may reach the core's table after its own date was extracted. Each extract therefore looks back some days and takes
what no earlier extract has; a flow that was changed since is taken again and shows as a second row for its reference.

A core that is large is read by several processes side by side, each a share of the salts over a connection of its own:
decoding Thrift's answers is work for Python, of which one process does one thing at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import date, timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

import pyarrow as pa

from connectors.bootstrap import Wiring, wire
from connectors.core_tables import CoreTables
from connectors.lake import table_of
from custody.errors import CustodyError, RetryLater
from jobs.step import Step, StepContext
from schemas.store_keys import SALTS
from schemas.tables import TABLES

# A flow with these equal is the one we have.
_SAME_FLOW = ["account", "core_date", "seq", "amount_minor", "core_ref"]
# core_flow, core_balance
Core = tuple[pa.Table, pa.Table]


def _run(context: StepContext) -> None:
    wiring, on = context.wiring, context.custody_date
    first = max(wiring.settings.instance.go_live, on - timedelta(days=wiring.settings.stores.core_lookback_days))
    flows, balances = read_core(wiring, first, on)
    for seal in context.seals_of("extract"):
        known = wiring.lake.read(seal.path, "core_flow").select(_SAME_FLOW)
        flows = flows.join(known, keys=_SAME_FLOW, join_type="left anti")
    context.write("core_flow", flows)
    context.write("core_balance", balances)


def read_core(wiring: Wiring, first: date, on: date) -> Core:
    """Flows of the dates from ``first`` to ``on`` and balances of ``on``, in no order, by as many processes as the settings say.

    Raises RetryLater when a process was killed, and what the store raises.
    """
    processes = wiring.settings.stores.core_processes
    if processes == 1:
        return _read_share(wiring.core, first, on, range(SALTS))
    shares = [range(SALTS)[SALTS * n // processes : SALTS * (n + 1) // processes] for n in range(processes)]
    readers = [_start_reader(wiring.settings.home, first, on, share) for share in shares]
    try:
        answers = [_answer(process, answer) for process, answer in readers]
    finally:
        for process, answer in readers:
            answer.close()
            process.kill()
            process.join()
    flows, balances = zip(*answers, strict=True)
    return pa.concat_tables(flows), pa.concat_tables(balances)


def _read_share(core: CoreTables, first: date, on: date, salts: Sequence[int]) -> Core:
    dates = [first + timedelta(days=n) for n in range((on - first).days + 1)]
    flows = [{**flow, "extracted_for": on} for core_date in dates for flow in core.flows(core_date, salts)]
    return table_of(TABLES["core_flow"], flows), table_of(TABLES["core_balance"], list(core.balances(on, salts)))


def _start_reader(home: Path, first: date, on: date, salts: Sequence[int]) -> tuple[SpawnProcess, Connection]:
    # Spawned: a store must not be carried over a fork. Not a pool: its processes would outlive us if we were killed.
    context = get_context("spawn")
    answer, to = context.Pipe(duplex=False)
    process = context.Process(target=_reader, args=(home, first, on, salts, to), daemon=True)
    process.start()
    to.close()
    return process, answer


def _reader(home: Path, first: date, on: date, salts: Sequence[int], to: Connection) -> None:
    try:
        with closing(wire(home)) as wiring:
            to.send(_read_share(wiring.core, first, on, salts))
    except CustodyError as error:
        to.send(error)


def _answer(process: SpawnProcess, answer: Connection) -> Core:
    try:
        found: Core | CustodyError = answer.recv()
    except EOFError:
        process.join()
        words = f"a process that read the core ended with {process.exitcode} before it answered"
        # Below zero: a signal. Otherwise it failed by a fault of ours, and its traceback is above.
        if process.exitcode is not None and process.exitcode < 0:
            raise RetryLater(words) from None
        raise ChildProcessError(words) from None
    if isinstance(found, CustodyError):
        raise found
    return found


STEP = Step("extract", _run)
