"""A share of the platforms, posted by one process from yesterday's state to today's."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from connectors.bootstrap import Wiring
from connectors.lake import arrow_schema
from custody.ledger import Ledger
from custody.registers import registers_of
from jobs.post.legs import Legs, Run, Source
from jobs.post.posting import Day, Posting
from jobs.post.scratch import Spool, Spooled
from jobs.post.snapshots import LANDED, YESTERDAY, load_state, sub_accounts_of, write_state
from schemas.tables import TABLES

# Legs that are in memory at once, as Arrow and as Python sees them.
CHUNK_ROWS = 50_000


@dataclass(frozen=True)
class Share:
    """The platforms after ``after`` and up to ``upto``; ``sources``: the parts that may hold rows of theirs, by table."""

    after: str
    upto: str
    runs: Sequence[Run]
    sources: Mapping[str, Sequence[Source]]
    day: Day
    spool: Path
    chunk_rows: int


def post_share(wiring: Wiring, share: Share) -> list[Spooled]:
    """The parts of the step's tables that are the share's, each table's in order."""
    # What is made here by the million holds no circles: looking for some would take longer than the posting.
    gc.disable()
    try:
        return _post(wiring, share)
    finally:
        gc.enable()


def _post(wiring: Wiring, share: Share) -> list[Spooled]:
    tables = {name: _rows(wiring, share, name, column) for name, column in (YESTERDAY | LANDED).items()}
    tables["sub_accounts"] = sub_accounts_of(tables, share.day.aliases)
    state = load_state(tables, share.day.on)
    if share.day.held:
        accounts = tables["sub_accounts"]
        are_held = pc.is_in(accounts["customer_id"], pa.array(sorted(share.day.held), pa.string()))
        state.held = frozenset(accounts.filter(are_held)["sub_account"].to_pylist())
    spool = Spool(share.spool.parent, share.spool.name)
    legs = Legs(share.runs, share.after, share.upto)
    # Each platform's accrual is entered by the one share that has it.
    day = replace(share.day, own={p: own for p, own in share.day.own.items() if share.after < p <= share.upto})
    posting = Posting(
        day,
        Ledger(state, registers_of(state, day.calendar)),
        legs,
        tables["open_splits"].to_pylist(),
        tables["begun_requests"].to_pylist(),
        spool,
    )
    posting.run(share.chunk_rows)
    for keys in legs.by_key(posting.posted, share.chunk_rows):
        spool.write("posted_keys", keys)
    platforms = sorted(p for p in share.day.platforms if share.after < p <= share.upto)
    write_state(state, tables, posting.came, platforms, spool)
    return spool.parts


def _rows(wiring: Wiring, share: Share, table: str, column: str) -> pa.Table:
    """A table's rows of the share's platforms; none on the first day."""
    found = [arrow_schema(TABLES[table]).empty_table()]
    for source in share.sources.get(table, ()):
        rows = wiring.lake.part(source.output, source.table, source.part)
        mine = pc.and_(pc.greater(rows[column], share.after), pc.less_equal(rows[column], share.upto))
        found.append(rows.filter(mine))
    return pa.concat_tables(found)
