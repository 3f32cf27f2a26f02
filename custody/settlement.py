"""Settlement batches: many rows of a channel, one instruction, one credit at the core (domain.md §4.9, §6: 1:N and N:1).

A batch is a match group over days: its rows, its instruction and its cash may come on different ones. It stays open, with what
came so far, until gross less fee = net = instructed = booked at the core; then it is closed under the rule ``settlement_batch``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from custody.invariants import Violation
from custody.names import BreakKind

Row = Mapping[str, Any]
# (platform, settlement batch)
Key = tuple[str, str]
AGREES, OPEN = "settlement_batch", "open"


class Batch(NamedTuple):
    """All that came of a batch so far. Sums are signed: positive is money in. ``channel``: "" while nothing named one.
    ``expected_on``: the day on which its cash is due, and its file of which the rows are. ``faulty_rows``: rows that do not agree
    with the ledger one by one."""

    platform: str
    settlement_batch: str
    channel: str
    expected_on: date
    rows: int = 0
    own_minor: int = 0
    net_minor: int = 0
    faulty_rows: int = 0
    instructions: int = 0
    instructed_minor: int = 0
    core_flows: int = 0
    core_minor: int = 0
    last_core_date: date | None = None

    @property
    def key(self) -> Key:
        return self.platform, self.settlement_batch

    @property
    def settled_minor(self) -> int:
        """What the channel settled, by its own rows where each of them is the ledger's too; else what the bank was told to book."""
        by_rows = self.rows and not self.faulty_rows and self.own_minor == self.net_minor
        return self.net_minor if by_rows or not self.instructions else self.instructed_minor

    @property
    def agrees(self) -> bool:
        """Whether gross less fee, net, instruction and cash are one figure."""
        return len({self.own_minor, self.net_minor, self.instructed_minor, self.core_minor}) == 1


@dataclass(frozen=True)
class Judged:
    """``state`` is AGREES or OPEN, or the kind of the break that stands against the batch."""

    batch: Batch
    state: str
    violations: tuple[Violation, ...] = ()


def gather(known: Iterable[Batch], rows: Iterable[Row], instructed: Iterable[Row], core: Iterable[Row]) -> list[Batch]:
    """Add what came today to the batches that are open. ``rows`` and ``instructed`` are sums by batch; of ``core``, sums by
    platform and reference, only those of a batch that something else names: other references are no batches."""
    batches = {batch.key: batch for batch in known}

    def open_batch(row: Row) -> Batch:
        key = row["platform"], row["settlement_batch"]
        there = batches.get(key) or Batch(*key, row["channel"], row["expected_on"])
        return there._replace(channel=there.channel or row["channel"])

    for row in rows:
        batch = open_batch(row)
        batches[batch.key] = batch._replace(
            # The channel's own word for when it settles goes before the day of the instruction.
            expected_on=batch.expected_on if batch.rows else row["expected_on"],
            rows=batch.rows + row["rows"],
            own_minor=batch.own_minor + row["own_minor"],
            net_minor=batch.net_minor + row["net_minor"],
            faulty_rows=batch.faulty_rows + row["faulty_rows"],
        )
    for row in instructed:
        batch = open_batch(row)
        count, minor = batch.instructions + row["rows"], batch.instructed_minor + row["instructed_minor"]
        batches[batch.key] = batch._replace(instructions=count, instructed_minor=minor)
    for row in core:
        booked = batches.get((row["platform"], row["settlement_batch"]))
        if booked is not None:
            last = max(row["core_date"], booked.last_core_date or row["core_date"])
            count, minor = booked.core_flows + row["rows"], booked.core_minor + row["core_minor"]
            batches[booked.key] = booked._replace(core_flows=count, core_minor=minor, last_core_date=last)
    return [batches[key] for key in sorted(batches)]


def judge(batches: Iterable[Batch], as_of: date, missing: frozenset[str], gateway: str) -> Iterator[Judged]:
    """``missing``: ``party|type|date`` of files that have not come, and of dates of which the core shows nothing: a batch whose rows, whose
    instruction or whose cash may be in one of them is not held against it."""
    for batch in batches:
        due = batch.expected_on.isoformat()
        file_is_here = f"{batch.channel}|SETTLEMENT|{due}" not in missing
        told = f"{gateway}|INSTRUCTION|{due}" not in missing
        core_is_here = f"{batch.platform}|CORE|{due}" not in missing
        known = core_is_here and (batch.instructions or (file_is_here and batch.rows))
        violations = list(_cash(batch, as_of)) if known else []
        if file_is_here and told and core_is_here and not batch.agrees and as_of >= batch.expected_on:
            violations.append(_inv_09(batch))
        if violations:
            yield Judged(batch, str(violations[0].kind), tuple(violations))
        else:
            yield Judged(batch, AGREES if file_is_here and told and batch.agrees else OPEN)


def _cash(batch: Batch, as_of: date) -> Iterator[Violation]:
    """Cash that is not there on the day on which it is due, or is less than was settled."""
    if as_of < batch.expected_on or not batch.settled_minor:
        return
    short = batch.settled_minor - batch.core_minor
    if not batch.core_flows:
        yield _found(batch, BreakKind.SETTLEMENT_LATE, abs(short))
    elif batch.settled_minor > batch.core_minor > 0:
        yield _found(batch, BreakKind.SETTLEMENT_SHORT, short)


def _found(batch: Batch, kind: BreakKind, amount_minor: int) -> Violation:
    figures: dict[str, int | str] = {
        "settled": batch.settled_minor,
        "core": batch.core_minor,
        "expected_on": batch.expected_on.isoformat(),
    }
    subject = f"SETTLEMENT|{batch.channel}|{batch.settlement_batch}"
    return Violation(kind, batch.platform, "BC", subject, amount_minor, figures)


def _inv_09(batch: Batch) -> Violation:
    """INV_09: the sum of gross - fee = settled net = the core's credit (or debit)."""
    own, net, instructed, core = batch.own_minor, batch.net_minor, batch.instructed_minor, batch.core_minor
    figures: dict[str, int | str] = {"gross_less_fee": own, "net": net, "instructed": instructed, "core": core}
    off = abs(net - core) or abs(own - net) or abs(net - instructed)
    return Violation(BreakKind.INV_09, batch.platform, "BC", f"INV|INV_09|{batch.settlement_batch}", off, figures)
