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

import pyarrow as pa

from connectors.bootstrap import Wiring
from connectors.lake import table_of
from jobs.step import Step, StepContext
from jobs.workers import in_order
from schemas.store_keys import SALTS
from schemas.tables import TABLES

# A flow with these equal is the one we have.
_SAME_FLOW = ["account", "core_date", "seq", "amount_minor", "core_ref"]
# core_flow, core_balance
Core = tuple[pa.Table, pa.Table]
# first date, last date, salts
Share = tuple[date, date, Sequence[int]]


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
    shares = [(first, on, range(SALTS)[SALTS * n // processes : SALTS * (n + 1) // processes]) for n in range(processes)]
    if processes == 1:
        return _read_share(wiring, shares[0])
    with closing(in_order(wiring.settings.home, _read_share, shares, processes)) as answers:
        flows, balances = zip(*answers, strict=True)
    return pa.concat_tables(flows), pa.concat_tables(balances)


def _read_share(wiring: Wiring, share: Share) -> Core:
    first, on, salts = share
    dates = [first + timedelta(days=n) for n in range((on - first).days + 1)]
    flows = [{**flow, "extracted_for": on} for core_date in dates for flow in wiring.core.flows(core_date, salts)]
    return table_of(TABLES["core_flow"], flows), table_of(TABLES["core_balance"], list(wiring.core.balances(on, salts)))


STEP = Step("extract", _run)
