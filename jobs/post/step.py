"""post: the day's instructions become double entries, and the day's full snapshot of balances, holds, claims and loans.

Posted from INSTRUCTIONs, never from the platform's claim (domain.md §6). A leg that cannot be posted yet waits in
``pending_instructions`` and is tried again the next day; a leg that was posted before with the same content is harmless,
with other content it is a finding.

Platforms share nothing, so that they are posted side by side: the legs are sorted into runs (jobs.post.legs), earlier days are
searched for their keys (jobs.post.earlier), then each process takes a share of the platforms (jobs.post.share) and lays the
parts that it made by until they can be written in order. What is written depends neither on how many processes there are nor
on how the platforms are shared out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.bootstrap import Wiring
from custody.adjustments import DECISION, withdrawn
from custody.begun_requests import Landed
from custody.customer_decisions import aliases_of
from custody.errors import StopRun
from custody.instruction import Instruction
from custody.names import FileType, PartyKind
from custody.services.outputs import Seal
from custody.watch_list import held as held_customers
from jobs.distinct_keys import key_hashes
from jobs.ledger_snapshots import SNAPSHOTS
from jobs.post.accrual import own_entries
from jobs.post.earlier import hashes_of, posted_before
from jobs.post.legs import Run, Source, sort_part, sort_rows
from jobs.post.posting import Day
from jobs.post.reversals import Reversals, reversals_of
from jobs.post.scratch import scratch
from jobs.post.share import CHUNK_ROWS, Share, post_share
from jobs.post.snapshots import LANDED, YESTERDAY
from jobs.reference import load_reference
from jobs.step import Step, StepContext
from jobs.workers import in_order

_T = TypeVar("_T")
_A = TypeVar("_A")
# Below this many legs and accounts in all, starting worker processes costs more than they save.
_POOL_FROM = 150_000
# A share is worth its start from this many legs and accounts.
_SHARE_FROM = 20_000
_SHARES_EACH = 4
_LAST = "~"
# What the step writes, in parts, each table grouped by platform in order of its id.
TABLES = (
    "journal",
    "ledger_txn",
    "posting_findings",
    "pending_instructions",
    "open_splits",
    "begun_requests",
    "posted_keys",
    "reversed_legs",
    "reversed_keys",
    "balances",
    "holds",
    "claims",
    "positions",
    "loans",
    "sub_accounts",
    *SNAPSHOTS,
)


def _run(context: StepContext) -> None:
    assert context.writer is not None
    for table in TABLES:
        context.writer.declare(table)
    with scratch(context.wiring.settings.path(context.wiring.settings.post.scratch)) as folder:
        for parts in _each(context.wiring, post_share, *_shares(context, folder)):
            for spooled in parts:
                context.writer.part(spooled.read())


def _each(wiring: Wiring, work: Callable[[Wiring, _T], _A], tasks: Sequence[_T], processes: int) -> Iterator[_A]:
    """``work`` on each task, in this process where there is nothing to share out; answers in the order of tasks."""
    processes = min(processes, len(tasks))
    if processes < 2:
        yield from (work(wiring, task) for task in tasks)
        return
    with closing(in_order(wiring.settings.home, work, tasks, processes)) as answers:
        yield from answers


def _shares(context: StepContext, folder: Path) -> tuple[list[Share], int]:
    """The work, and by how many processes it is worth to be done."""
    wiring, on = context.wiring, context.custody_date
    today, yesterday = context.seal("land"), context.seal("post", on=on - timedelta(days=1))
    assert today is not None
    rows = _row_counts(wiring, today, ("land_instruction",)) + _row_counts(
        wiring, yesterday, ("pending_instructions", "sub_accounts")
    )
    processes = wiring.settings.post.processes if rows >= _POOL_FROM else 1
    # What waited came on an earlier day: at the same moment it is before what came today.
    parts = [*_parts(wiring, yesterday, "pending_instructions"), *_parts(wiring, today, "land_instruction")]
    parts += _parts(wiring, today, "decided_adjustments")
    reversals = reversals_of(context)
    context.write("reversed_legs", reversals.legs)
    gone = reversals.withdrawn | {f"{DECISION}{proposal}" for proposal in withdrawn(context.rows("cut_off", "decisions"))}
    tasks = [(part, folder / f"run-{number:05d}", gone) for number, part in enumerate(parts)]
    # What a restated file takes back goes before what it says instead.
    runs = sort_rows(reversals.legs, folder / "reversed")
    runs += [run for answer in _each(wiring, sort_part, tasks, processes) for run in answer]
    legs: Counter[str] = Counter()
    for run in runs:
        legs.update(run.legs)
    day = _day(context, runs, legs, reversals, folder, processes)
    tables = {table: _bounded(wiring, yesterday, table, column) for table, column in YESTERDAY.items()}
    tables |= {table: _bounded(wiring, today, table, column) for table, column in LANDED.items()}
    weights = Counter(legs)
    for source, *_ in tables["sub_accounts"]:
        platforms = wiring.lake.part(source.output, source.table, source.part, ["platform"])["platform"]
        weights.update({found["values"]: found["counts"] for found in pc.value_counts(platforms).to_pylist()})
    shares = []
    for number, (after, upto) in enumerate(_cut(weights, processes)):
        mine = {
            table: [source for source, least, most in bounded if after < most and least <= upto]
            for table, bounded in tables.items()
        }
        shares.append(Share(after, upto, runs, mine, day, folder / f"share-{number:05d}", CHUNK_ROWS))
    return shares, processes


def _cut(weights: Mapping[str, int], processes: int) -> list[tuple[str, str]]:
    """Ranges of platforms, each after its first bound and up to its second, together all there may be."""
    enough = max(_SHARE_FROM, sum(weights.values()) // (processes * _SHARES_EACH))
    cuts, held = [""], 0
    for platform, weight in sorted(weights.items()):
        held += weight
        if held >= enough:
            cuts.append(platform)
            held = 0
    return list(zip(cuts, [*cuts[1:], _LAST], strict=True))


def _day(
    context: StepContext, runs: Sequence[Run], legs: Mapping[str, int], reversals: Reversals, folder: Path, processes: int
) -> Day:
    reference = load_reference(context)
    yesterday = context.custody_date - timedelta(days=1)
    aliases = aliases_of(context.rows("land", "customer_aliases"))
    accruals, entries = (context.rows("fees", table, on=yesterday) for table in ("fee_accruals", "fee_entries"))
    own = own_entries(accruals, entries, yesterday)
    taken_back = _hashes(original[:3] for original, _ in reversals.originals.values())
    hashes = np.sort(np.concatenate([hashes_of(runs), np.array(taken_back, np.int64)]))
    before = posted_before(context.wiring, context.seals_of("post"), hashes, folder, processes)
    repeated = {*hashes[:-1][hashes[1:] == hashes[:-1]].tolist(), *_hashes(before)}
    return Day(
        on=context.custody_date,
        calendar=reference.calendar,
        platforms=frozenset(reference.of_kind(PartyKind.PLATFORM)),
        channels=frozenset(reference.of_kind(PartyKind.CHANNEL)),
        first_no=_first_numbers(int(f"{context.custody_date:%Y%m%d}"), legs, own),
        own=own,
        posted_before=before,
        repeated=frozenset(repeated),
        aliases=aliases,
        landed=_landed(context),
        reversals=reversals.originals,
        told_before=reversals.told,
        restricted=reference.restricted(),
        held=held_customers(context.rows("land", "watched"), context.custody_date, aliases),
    )


def _landed(context: StepContext) -> Landed:
    outcomes = context.rows("land", "file_outcomes")
    rejected = (
        dict(part.partition("=")[::2] for part in row["row_key"].split("|"))
        for row in context.rows("land", "rejected_rows")
        if row["file_type"] == FileType.INSTRUCTION and row["row_key"]
    )
    return Landed(
        frozenset(o["custody_date"] for o in outcomes if o["outcome"] == "EXPECTED" and o["file_type"] == FileType.INSTRUCTION),
        frozenset((key["platform"], key["request_no"]) for key in rejected if {"platform", "request_no"} <= key.keys()),
    )


def _hashes(keys: Iterable[tuple[str, str, int]]) -> list[int]:
    rows = [dict(zip(("platform", "request_no", "leg"), key, strict=True)) for key in keys]
    schema = pa.schema([("platform", pa.string()), ("request_no", pa.string()), ("leg", pa.int64())])
    hashes: list[int] = key_hashes(pa.Table.from_pylist(rows, schema)).view(np.int64).tolist()
    return hashes


def _first_numbers(day: int, legs: Mapping[str, int], own: Mapping[str, Sequence[Instruction]]) -> dict[str, int]:
    """Room for each platform's legs and the bank's own, one platform behind the other, in 10^9 numbers of the date."""
    first, number = {}, 1
    for platform in sorted({*legs, *own}):
        first[platform] = day * 10**9 + number
        number += legs.get(platform, 0) + len(own.get(platform, ()))
    if number > 10**9:
        raise StopRun(f"{number} legs in one custody date: their numbers have room for 10^9")
    return first


def _row_counts(wiring: Wiring, seal: Seal | None, tables: Iterable[str]) -> int:
    if seal is None:
        return 0
    manifest = wiring.lake.manifest(seal.path)
    return sum(int(manifest.tables[table]["rows"]) for table in tables)


def _parts(wiring: Wiring, seal: Seal | None, table: str) -> list[Source]:
    return [Source(seal.path, table, name) for name in wiring.lake.parts(seal.path, table)] if seal else []


def _bounded(wiring: Wiring, seal: Seal | None, table: str, column: str) -> list[tuple[Source, str, str]]:
    """A table's parts that have rows, each with the first and last platform in it."""
    found = []
    for source in _parts(wiring, seal, table):
        bounds = pc.min_max(wiring.lake.part(source.output, table, source.part, [column])[column]).as_py()
        if bounds["min"] is not None:
            found.append((source, bounds["min"], bounds["max"]))
    return found


STEP = Step("post", _run)
