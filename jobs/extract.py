"""extract: the bank core's flows and balances of the date, read once into the lake and sealed (design.md §2).

A flow may reach the core's table after its own date was extracted. Each extract therefore looks back some days and takes
what no earlier extract has; a flow that was changed since is taken again and shows as a second row for its reference.

Rows of e-accounts are tables of their own, and taken for dates on which the platform's contract says E_ACCOUNT (custody.core_model);
others are counted, so that they are not passed over in silence.

A core that is large is read by several processes side by side, each a share of the salts over a connection of its own:
decoding Thrift's answers is work for Python, of which one process does one thing at a time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import date, timedelta
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from connectors.bootstrap import Wiring
from connectors.lake import table_of
from custody.core_model import E_ACCOUNTS, Period
from custody.names import platform_of
from custody.ports import Row
from jobs.reference import load_reference
from jobs.step import Step, StepContext
from jobs.workers import in_order
from schemas.store_keys import SALTS
from schemas.tables import TABLES

# A flow with these equal is the one we have.
_SAME_FLOW = ["account", "core_date", "seq", "amount_minor", "core_ref"]
_SAME_POSTING = ["account", "core_date", "seq", "amount_minor", "flag", "standing", "balance_after_minor"]
_E_ACCOUNT = re.compile(E_ACCOUNTS)


class Core(NamedTuple):
    """What was read, as tables of these names."""

    core_flow: pa.Table
    core_balance: pa.Table
    e_account_flow: pa.Table
    e_account_balance: pa.Table


# first date, last date, salts
Share = tuple[date, date, Sequence[int]]


def _run(context: StepContext) -> None:
    wiring, on = context.wiring, context.custody_date
    first = max(wiring.settings.instance.go_live, on - timedelta(days=wiring.settings.stores.core_lookback_days))
    core = read_core(wiring, first, on)
    flows = core.core_flow
    for seal in context.seals_of("extract"):
        known = wiring.lake.read(seal.path, "core_flow").select(_SAME_FLOW)
        flows = flows.join(known, keys=_SAME_FLOW, join_type="left anti")
    context.write("core_flow", flows)
    context.write("core_balance", core.core_balance)
    _write_e_accounts(context, core, first)


def _write_e_accounts(context: StepContext, core: Core, first: date) -> None:
    periods = load_reference(context).e_account_periods()
    flows, more_flows = _by_contract(core.e_account_flow, periods)
    for seal in context.seals_of("extract"):
        # Earlier extracts have no row of a date that was not there yet.
        if flows.num_rows and seal.custody_date >= first:
            known = context.wiring.lake.read(seal.path, "e_account_flow").select(_SAME_POSTING)
            flows = flows.join(known, keys=_SAME_POSTING, join_type="left anti")
    balances, more_balances = _by_contract(core.e_account_balance, periods)
    context.write("e_account_flow", flows)
    context.write("e_account_balance", balances)
    context.write("e_accounts_refused", _refused(more_flows, more_balances))


def _by_contract(rows: pa.Table, periods: Mapping[str, Period]) -> tuple[pa.Table, pa.Table]:
    """(rows of dates on which the platform's core is in E_ACCOUNT form, all others)."""
    mask = pa.array([False] * rows.num_rows, pa.bool_())
    for platform, (first, last) in sorted(periods.items() if rows.num_rows else ()):
        dates = rows["core_date"]
        within = pc.and_(
            pc.greater_equal(dates, pa.scalar(first, pa.date32())), pc.less_equal(dates, pa.scalar(last, pa.date32()))
        )
        mask = pc.or_(mask, pc.and_(pc.equal(rows["platform"], platform), within))
    return rows.filter(mask), rows.filter(pc.invert(mask))


def _refused(flows: pa.Table, balances: pa.Table) -> list[Row]:
    """Rows and sums by platform and date."""
    by = ["platform", "core_date"]
    found: dict[tuple[str, date], Row] = {}

    def entry(row: Row) -> Row:
        nothing = {"flows": 0, "flow_minor": 0, "balances": 0}
        return found.setdefault((row["platform"], row["core_date"]), {name: row[name] for name in by} | nothing)

    for row in flows.group_by(by).aggregate([([], "count_all"), ("amount_minor", "sum")]).to_pylist():
        entry(row).update(flows=row["count_all"], flow_minor=row["amount_minor_sum"])
    for row in balances.group_by(by).aggregate([([], "count_all")]).to_pylist():
        entry(row).update(balances=row["count_all"])
    return list(found.values())


def read_core(wiring: Wiring, first: date, on: date) -> Core:
    """Flows of the dates from ``first`` to ``on`` and balances of ``on``, in no order, by as many processes as the settings say.

    Raises RetryLater when a process was killed, and what the store raises.
    """
    processes = wiring.settings.stores.core_processes
    shares = [(first, on, range(SALTS)[SALTS * n // processes : SALTS * (n + 1) // processes]) for n in range(processes)]
    if processes == 1:
        return _read_share(wiring, shares[0])
    with closing(in_order(wiring.settings.home, _read_share, shares, processes)) as answers:
        return Core(*map(pa.concat_tables, zip(*answers, strict=True)))


def _read_share(wiring: Wiring, share: Share) -> Core:
    first, on, salts = share
    dates = [first + timedelta(days=n) for n in range((on - first).days + 1)]
    flows: dict[bool, list[Row]] = {True: [], False: []}
    for core_date in dates:
        for flow in wiring.core.flows(core_date, salts):
            flow["extracted_for"] = on
            flows["balance_after_minor" in flow].append(flow)
    balances: dict[bool, list[Row]] = {True: [], False: []}
    for balance in wiring.core.balances(on, salts):
        balances[_E_ACCOUNT.search(balance["account"]) is not None].append(balance)
    for row in (*flows[True], *balances[True]):
        row["platform"] = platform_of(row["account"])
    of = {"core_flow": flows[False], "core_balance": balances[False]}
    of |= {"e_account_flow": flows[True], "e_account_balance": balances[True]}
    return Core(*(table_of(TABLES[name], of[name]) for name in Core._fields))


STEP = Step("extract", _run)
