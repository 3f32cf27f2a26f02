"""One share of the platforms: their legs go through the ledger in order, what comes of them into parts of the step's tables.

Posted from INSTRUCTIONs, never from the platform's claim (domain.md §6). Platforms share nothing, so it does not matter who
posts which, nor how many legs are taken at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.lake import arrow_schema, table_of
from custody.allocation import Share, differs
from custody.begun_requests import Landed
from custody.calendar import SettlementCalendar
from custody.digest import canonical_json
from custody.instruction import Entry, Instruction, Refusal
from custody.ledger import Ledger
from custody.names import UNDER_WAY, BreakKind, PartyKind, TxnStatus, TxnType
from custody.party_status import Judged, PartyStatus, judge
from custody.ports import Row
from custody.posting_rules import RULES, rule_of
from custody.texts import text
from jobs.post.columns import instructions_of, with_accounts
from jobs.post.legs import LANDED, Ints, Legs
from jobs.post.refusals import against_status, allocation, later_cause, stranger
from jobs.post.reversals import ReversalKey
from jobs.post.scratch import Spool
from jobs.post.splits import Splits
from jobs.post.totals import Totals
from jobs.post.waiting import WaitingLeg, WaitingLegs
from schemas.tables import TABLES

# Statuses that move no money: the attempt is kept, nothing is posted.
_NO_POSTING = UNDER_WAY | {TxnStatus.FAIL}
_SETTLING = frozenset(txn_type for (txn_type, _), rule in RULES.items() if rule.settles is not None)
_OF_THE_LEG = ("platform", "currency", "txn_type", "request_no", "leg", "loan_id", "value_date", "event_time")
_OF_THE_MOVE = (
    "entry_no",
    "move_no",
    "book",
    "from_account",
    "to_account",
    "amount_minor",
    "from_balance_minor",
    "to_balance_minor",
    "core_ref",
)
# Asked of every leg.
_REVERSAL = TxnType.REVERSAL
_JOURNAL = arrow_schema(TABLES["journal"])
TxnKey = tuple[str, str, int]


@dataclass(frozen=True)
class Day:
    """What the posting of any platform must know. ``first_no``: the number with which each platform's entries and legs begin;
    ``own``: what the bank itself enters, by platform; ``posted_before``: content hash, by key, of those of today's legs that an earlier day
    posted; ``landed``: what landing says of the instructions; ``repeated``: hashes of keys that stand more than once in the day, or in it and in an earlier one; ``aliases``: customer id -> the id that it became.
    ``reversals`` and ``told_before``: of restated files, as jobs.post.reversals has them. ``restricted``: of each platform that is not
    live its status, and since when it has not been live. ``held``: customers whose money may not leave (custody.aml_holds)."""

    on: date
    calendar: SettlementCalendar
    platforms: frozenset[str]
    channels: frozenset[str]
    first_no: Mapping[str, int]
    own: Mapping[str, Sequence[Instruction]]
    posted_before: Mapping[TxnKey, str]
    repeated: frozenset[int]
    aliases: Mapping[str, str]
    landed: Landed
    reversals: Mapping[ReversalKey, tuple[Instruction, str]]
    told_before: frozenset[str]
    restricted: Mapping[str, tuple[str, date]]
    held: frozenset[str]


class Posting:
    """``came``: for each account, what moves brought to it; ``posted``: by place, which legs were."""

    def __init__(self, day: Day, ledger: Ledger, legs: Legs, open_splits: Iterable[Row], begun: Iterable[Row], spool: Spool):
        self.came = Totals()
        self.posted = np.zeros(legs.count, np.bool_)
        self._day, self._ledger, self._legs, self._spool = day, ledger, legs, spool
        self._splits = Splits(ledger, self._legs_of, open_splits, begun, day.posted_before)
        self._known: dict[TxnKey, str] = dict(day.posted_before)
        self._settle_dates: dict[date, date] = {}
        self._own = sorted(day.own, reverse=True)
        self._platform = ""
        self._waiting = WaitingLegs(ledger.balance)
        self._taken_back: list[Row] = []
        self._met = self._entry_no = self._txn_no = 0
        self._begin([], np.empty(0, np.int64))

    def run(self, rows: int) -> None:
        """All legs of the share, ``rows`` at a time, and the accruals of its platforms."""
        for chunk in self._legs.chunks(rows):
            landed = self._rows = with_accounts(chunk)
            self._begin(instructions_of(landed), landed["place"].to_numpy())
            self._post(landed)
            self._flush(landed)
        self._begin([], np.empty(0, np.int64))
        self._turn_to(None)
        self._flush(None)

    def _begin(self, instructions: list[Instruction], places: Ints) -> None:
        """A chunk follows."""
        self._chunk, self._places = instructions, places
        self._rows_by_place: dict[int, int] | None = None
        # In the order in which legs are done with: where each lies (below zero: among those that waited), number, outcome,
        # entry, settlement date.
        self._done: list[tuple[int, int, str, int | None, date | None]] = []
        self._moves: list[tuple[Any, ...]] = []
        self._accruals: list[Row] = []
        self._findings: list[tuple[int, Instruction, Refusal]] = []
        self._split_rows: list[Row] = []
        self._begun_rows: list[Row] = []
        self._reversed_rows: list[Row] = []
        self._woken: list[pa.Table] = []
        self._new_waiting: list[WaitingLeg] = []

    def _post(self, chunk: pa.Table) -> None:
        repeated, platform = self._day.repeated, self._platform
        columns = [chunk[name].to_pylist() for name in ("key_hash", "request_hash")]
        for row, (instruction, key_hash, request_hash) in enumerate(zip(self._chunk, *columns, strict=True)):
            if instruction.platform != platform:
                platform = instruction.platform
                self._turn_to(platform)
            if instruction.txn_type is _REVERSAL and self._reverse(row, instruction):
                continue
            content = chunk["content_hash"][row].as_py() if key_hash in repeated else None
            if instruction.status in _NO_POSTING and self._told_before(row, instruction, chunk):
                continue
            if content is not None and self._was_posted(row, instruction, content):
                continue
            if instruction.status in _NO_POSTING:
                self._tell(row, instruction)
                continue
            entry = self._try(row, instruction, request_hash, content)
            if isinstance(entry, Entry):
                if self._waiting:
                    self._wake(entry)
            elif entry.waits:
                self._met += 1
                leg = WaitingLeg(self._met, instruction, request_hash, content, row, entry)
                self._new_waiting.append(leg)
                self._waiting.add(leg)

    def _tell(self, source: int, instruction: Instruction) -> None:
        """A status that moves no money: what waits for the end of its request may go on now."""
        refusal = self._ledger.tell(instruction)
        self._record(source, instruction, "NO_POSTING" if refusal is None else "REFUSED", None)
        if refusal is not None:
            self._find(instruction, refusal)
        elif self._waiting:
            self._wake(Entry(instruction, (), None))

    def _reverse(self, source: int, reversal: Instruction) -> bool:
        """Take back what a restated file says no more; False when the leg comes from no such file. Of a leg that posted nothing,
        or after which something else was posted under its number, nothing is there to be taken back."""
        found = self._day.reversals.get((reversal.platform, reversal.request_no, reversal.leg, str(reversal.status)))
        if found is None:
            return False
        original, content = found
        key = original.platform, original.request_no, original.leg
        if original.status in _NO_POSTING:
            self._ledger.untell(original)
        if original.status in _NO_POSTING or self._known.get(key) != content:
            self._record(source, reversal, "NO_POSTING", None)
            return True
        result = self._ledger.reverse(reversal, original)
        if isinstance(result, Refusal):
            self._record(source, reversal, "REFUSED", None)
            self._find(reversal, result)
            return True
        self._enter(result)
        self._record(source, reversal, "POSTED", self._entry_no)
        self._entry_no += 1
        del self._known[key]
        self._taken_back.append(dict(zip(("platform", "request_no", "leg"), key, strict=True)))
        if self._waiting:
            self._wake(result)
        return True

    def _told_before(self, source: int, instruction: Instruction, chunk: pa.Table) -> bool:
        """Whether a status says nothing now: the version that was withdrawn had told it, or it is of an earlier day and the movement
        has ended since."""
        if self._day.told_before and chunk["content_hash"][source].as_py() in self._day.told_before:
            self._record(source, instruction, "REPEATED", None)
            return True
        key = instruction.platform, instruction.request_no, instruction.leg
        if instruction.status in UNDER_WAY and instruction.value_date < self._day.on and key in self._known:
            self._record(source, instruction, "NO_POSTING", None)
            return True
        return False

    def _was_posted(self, source: int, instruction: Instruction, content: str) -> bool:
        """Whether the leg's key was posted before: harmless with the same content, a finding with another."""
        before = self._known.get((instruction.platform, instruction.request_no, instruction.leg))
        if before is None:
            return False
        self._record(source, instruction, "REPEATED" if before == content else "REFUSED", None)
        if before != content:
            figures: dict[str, object] = {"request_no": instruction.request_no, "leg": instruction.leg}
            self._find(instruction, Refusal(BreakKind.DUPLICATE, "posted_before", figures, False))
        return True

    def _try(self, source: int, instruction: Instruction, request_hash: int, content: str | None) -> Entry | Refusal:
        """Post one leg, or refuse it for good, or return what it waits for. ``content``: where its key may come again."""
        split: dict[int, Share | None] = {}
        is_split = instruction.txn_type == TxnType.REPAYMENT and instruction.loan_id is not None
        if is_split:
            split = self._splits.of(instruction, request_hash)
        share = split.get(instruction.leg)
        compared = instruction.leg in split
        against, judged = self._by_status(instruction) if self._day.restricted else (None, Judged.POSTED)
        barred = self._unknown_party(instruction) or (against if judged is Judged.REFUSED else None)
        result = barred or self._ledger.apply(instruction, share.claim_id if share else None)
        if isinstance(result, Refusal):
            if result.waits:
                if is_split:
                    self._splits.again_later(instruction)
                return result
            self._record(source, instruction, "REFUSED", None)
            self._find(instruction, result)
        else:
            self._enter(result)
            self._record(source, instruction, "POSTED", self._entry_no)
            self._entry_no += 1
            if content is not None:
                self._known[instruction.platform, instruction.request_no, instruction.leg] = content
            for finding in (*result.findings, *((against,) if against is not None else ())):
                self._find(instruction, finding)
            begun = self._splits.begun(instruction) if is_split else None
            if begun is not None:
                begun.posted(instruction, *self._place(source))
            elif compared and differs(instruction, share):
                self._find(instruction, allocation(share))
        if is_split:
            self._splits.done(instruction, posted=isinstance(result, Entry))
        return result

    def _place(self, source: int) -> tuple[str, int]:
        """File and line of a leg of this chunk, or of one that waited (below zero)."""
        rows, row = (self._rows, source) if source >= 0 else (self._woken[-source - 1], 0)
        return rows["file_name"][row].as_py(), rows["line_no"][row].as_py()

    def _enter(self, entry: Entry) -> None:
        at, entry_no, core_ref = len(self._done), self._entry_no, entry.core_ref
        for move_no, move in enumerate(entry.moves, start=1):
            self._moves.append((at, entry_no, move_no, *move, core_ref))

    def _wake(self, entry: Entry) -> None:
        """Try again what waited for this entry, and what waited for that."""
        causes = [entry]
        while causes:
            cause = causes.pop()
            again: list[WaitingLeg] = []
            for leg in self._waiting.woken_by(cause):
                source = leg.row
                if leg.rows is not None:
                    self._woken.append(leg.rows.slice(leg.row, 1))
                    source = -len(self._woken)
                if leg.content is not None and self._was_posted(source, leg.instruction, leg.content):
                    continue
                result = self._try(source, leg.instruction, leg.request_hash, leg.content)
                if isinstance(result, Entry):
                    causes.append(result)
                    if cause.instruction.event_time > leg.instruction.event_time:
                        self._find(leg.instruction, later_cause(leg.instruction, cause.instruction))
                elif result.waits:
                    leg.refusal = result
                    again.append(leg)
            for leg in again:
                self._waiting.add(leg)

    def _turn_to(self, platform: str | None) -> None:
        """The legs of a platform follow, or nothing (None): those before it are through."""
        still = self._waiting.rest()
        for leg in still:
            if leg.rows is not None:
                self._woken.append(leg.rows.slice(leg.row, 1))
                leg.row = -len(self._woken)
            if leg.content is None or not self._was_posted(leg.row, leg.instruction, leg.content):
                self._record(leg.row, leg.instruction, "WAITING", None)
                self._find(leg.instruction, leg.refusal)
        self._reversed_rows += self._taken_back
        self._taken_back = []
        waiting = [leg.instruction for leg in still]
        self._split_rows += self._splits.close(waiting)
        self._begun_rows += self._splits.end_of_day(platform, self._day.on, self._day.landed, waiting)
        self._waiting = WaitingLegs(self._ledger.balance)
        while self._own and (platform is None or self._own[-1] <= platform):
            self._enter_own(self._own.pop())
        if platform is not None:
            self._platform = platform
            self._txn_no = self._day.first_no[platform]
            self._entry_no = self._txn_no + len(self._day.own.get(platform, ()))

    def _enter_own(self, platform: str) -> None:
        """What the bank itself enters of yesterday goes into the BANK book before the platform's legs, with its own value date."""
        for number, instruction in enumerate(self._day.own[platform]):
            entry = self._ledger.apply(instruction)
            if isinstance(entry, Refusal):
                raise AssertionError(f"what the bank itself enters is never refused: {entry}")
            of_the_leg = {name: str(v) if isinstance(v, StrEnum) else v for name, v in entry.instruction._asdict().items()}
            numbers = {"entry_no": self._day.first_no[platform] + number, "core_ref": None, "posting_date": self._day.on}
            for move_no, move in enumerate(entry.moves, start=1):
                self._accruals.append({**of_the_leg, **move._asdict(), **numbers, "book": str(move.book), "move_no": move_no})

    def _unknown_party(self, instruction: Instruction) -> Refusal | None:
        """An instruction for a platform or channel that is not onboarded waits: its contract may still come."""
        if instruction.platform not in self._day.platforms:
            return stranger(instruction.platform, PartyKind.PLATFORM)
        if instruction.channel is not None and instruction.channel not in self._day.channels:
            return stranger(instruction.channel, PartyKind.CHANNEL)
        return None

    def _by_status(self, instruction: Instruction) -> tuple[Refusal | None, Judged]:
        """What its platform's status has against it; what is of a date on which the platform was live is posted as ever."""
        status, since = self._day.restricted.get(instruction.platform, (PartyStatus.LIVE, date.max))
        judged = Judged.POSTED if instruction.value_date < since else judge(status, instruction)
        return None if judged is Judged.POSTED else against_status(instruction, status, since), judged

    def _legs_of(self, instruction: Instruction, request_hash: int) -> list[Instruction]:
        """All legs of the repayment's request that came today, in order."""
        hashes, places = self._legs.repayments
        first, end = np.searchsorted(hashes, request_hash, "left"), np.searchsorted(hashes, request_hash, "right")
        if end - first == 1:
            return [instruction]
        if self._rows_by_place is None:
            self._rows_by_place = {place: row for row, place in enumerate(self._places.tolist())}
        members = places[first:end].tolist()
        here = {place: self._chunk[self._rows_by_place[place]] for place in members if place in self._rows_by_place}
        elsewhere = [place for place in members if place not in here]
        if elsewhere:
            # A request as large as this is mostly in the chunk; what is not is fetched once for all its legs.
            found = instructions_of(with_accounts(self._legs.take(np.array(elsewhere))))
            here |= dict(zip(elsewhere, found, strict=True))
        same = [(leg.event_time, place, leg) for place, leg in here.items() if leg.request_no == instruction.request_no]
        return [leg for *_, leg in sorted(same, key=lambda x: x[:2])]

    def _record(self, source: int, instruction: Instruction, outcome: str, entry_no: int | None) -> None:
        settle_date = None
        if instruction.txn_type in _SETTLING:
            rule = rule_of(instruction)
            if rule is not None and rule.settles is not None:
                settle_date = self._settle_dates.get(instruction.value_date)
                if settle_date is None:
                    settle_date = self._day.calendar.next_business_day(instruction.value_date)
                    self._settle_dates[instruction.value_date] = settle_date
        self._done.append((source, self._txn_no, outcome, entry_no, settle_date))
        self._txn_no += 1

    def _find(self, instruction: Instruction, refusal: Refusal) -> None:
        """A finding about the leg that was recorded last."""
        self._findings.append((len(self._done) - 1, instruction, refusal))

    def _flush(self, chunk: pa.Table | None) -> None:
        """What came of a chunk, as parts."""
        lying = ([] if chunk is None else [chunk]) + self._woken
        legs = None
        if self._done:
            sources, numbers, outcomes, entries, settled = zip(*self._done, strict=True)
            at = np.array(sources, np.int64)
            behind = 0 if chunk is None else chunk.num_rows
            legs = pa.concat_tables(lying).combine_chunks().take(pa.array(np.where(at < 0, behind - at - 1, at)))
            legs = (
                legs.append_column("txn_no", pa.array(numbers, pa.int64()))
                .append_column("outcome", pa.array(outcomes, pa.string()))
                .append_column("entry_no", pa.array(entries, pa.int64()))
                .append_column("settle_date", pa.array(settled, pa.date32()))
            )
            self._spool.write("ledger_txn", legs)
            self.posted[legs["place"].to_numpy()[pc.equal(legs["outcome"], "POSTED").to_numpy()]] = True
            self._spool.write("posting_findings", self._found(legs))
            self._spool.write("pending_instructions", self._pending(legs.filter(pc.equal(legs["outcome"], "WAITING"))))
        self._spool.write("journal", self._journal(legs))
        self._spool.write("reversed_keys", table_of(TABLES["reversed_keys"], self._reversed_rows))
        self._spool.write("open_splits", table_of(TABLES["open_splits"], self._split_rows))
        self._spool.write("begun_requests", table_of(TABLES["begun_requests"], self._begun_rows))
        if chunk is not None and self._new_waiting:
            # Legs that go on waiting must not keep their whole chunk in memory.
            kept = chunk.take(pa.array([leg.row for leg in self._new_waiting], pa.int64()))
            for row, leg in enumerate(self._new_waiting):
                leg.rows, leg.row = kept, row

    def _journal(self, legs: pa.Table | None) -> pa.Table:
        journal = table_of(TABLES["journal"], self._accruals)
        if legs is not None and self._moves:
            at, *columns = zip(*self._moves, strict=True)
            rows = legs.select(_OF_THE_LEG).take(pa.array(at, pa.int64()))
            for name, column in zip(_OF_THE_MOVE, columns, strict=True):
                rows = rows.append_column(name, pa.array(column, _JOURNAL.field(name).type))
            rows = rows.append_column("posting_date", pa.array([self._day.on] * rows.num_rows, pa.date32()))
            journal = pa.concat_tables([journal, rows.select(_JOURNAL.names).cast(_JOURNAL)])
        self.came.add(journal)
        return journal

    def _pending(self, waiting: pa.Table) -> pa.Table:
        landed = self._legs.take(waiting["place"].to_numpy(), LANDED.names) if waiting.num_rows else LANDED.empty_table()
        return table_of(TABLES["pending_instructions"], [_pending(row) for row in landed.select(LANDED.names).to_pylist()])

    def _found(self, legs: pa.Table) -> pa.Table:
        rows = []
        names, lines, numbers = (legs[name] for name in ("file_name", "line_no", "txn_no"))
        for at, instruction, refusal in self._findings:
            english, chinese = text(refusal.rule, refusal.figures)
            rows.append(
                {
                    "platform": instruction.platform,
                    "txn_no": numbers[at].as_py(),
                    "request_no": instruction.request_no,
                    "leg": instruction.leg,
                    "txn_type": str(instruction.txn_type),
                    "kind": str(refusal.kind),
                    "rule": refusal.rule,
                    "figures": canonical_json(refusal.figures),
                    "words_en": english,
                    "words_zh": chinese,
                    "amount_minor": instruction.amount_minor,
                    "file_name": names[at].as_py(),
                    "line_no": lines[at].as_py(),
                    "value_date": instruction.value_date,
                }
            )
        return table_of(TABLES["posting_findings"], rows)


def _pending(landed: Row) -> Row:
    payload = {k: v.isoformat() if isinstance(v, (date, datetime)) else v for k, v in landed.items()}
    kept = {n: landed[n] for n in ("platform", "party", "file_name", "line_no", "custody_date")}
    return {**kept, "payload": canonical_json(payload)}
