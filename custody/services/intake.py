"""Collecting what parties put into the drop: the only way in for files (domain.md §5).

Each seal, and then what it names, is moved out of its sender's reach, archived piece by piece and judged; file rows, their
events, the audit event and the queued receipt are one register transaction; then the moved files are
removed, the seal last; then the receipt is delivered, now or by a later run. A run that dies anywhere is repaired by the next one: what was moved together has one mark, and from
the commit until its files are removed the seal's row says CLEARING. So a crash is never taken for a party that sends the same
files again, and what a sender puts under the same names meanwhile is the next to be judged, never lost.

Only bytes that the archive holds are removed. A file that no seal names, and the files of a seal that cannot be used, stay where
they are; so does a seal of a name of which an earlier one is not yet cleared. Parties are swept side by side, each for a
bounded time: one that is slow or away holds up nobody, and what is left of its files waits for the next sweep, which goes on
where this one stopped. Two collectors at once do no harm: one of them at a time serves a party.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import partial

from custody.calendar import custody_date_of
from custody.digest import canonical_json, digest_of
from custody.errors import RetryLater
from custody.file_life import ANNOUNCED, CHECKED, CONTENT, LANDED, MISSING, QUARANTINED, REFUSED, check_step
from custody.ports import Inbox, Opened, RegisterTx, Row, StagedFile
from custody.protection import Protection, Way, asked
from custody.risk_alerts import Severity
from custody.services.access import check_permission
from custody.services.alerts import put_alert
from custody.services.deliveries import deliver_pending
from custody.services.file_moves import Happening, event_row
from custody.services.files import CLEARING, READ, SEAL
from custody.services.intake_checks import (
    IN_ORDER,
    NOT_AS_SEALED,
    SAME_AGAIN,
    AnnouncedFile,
    Arrival,
    Content,
    ExchangeRules,
    NameParts,
    SealContent,
    Seen,
    Standing,
    is_held,
    judge_file,
    own_name,
    printable,
    register_name,
    seal_fault,
)
from custody.services.organisations import DatedParty, parties
from custody.services.outbound import QUEUED, RECEIPT_MARK, SENT, ExchangePorts, queue_answer
from custody.services.party_keys import KeyUse, PartyKey, keys
from custody.services.promises import hold_against
from custody.services.receipts import Outcome, receipt_bytes
from custody.services.unread_drops import OUR_DROP, note_looks
from custody.texts import text

_ACTION = "file.collect"
FILE_QUARANTINED = "FILE_QUARANTINED"
_UNKNOWN_TYPE = "UNKNOWN"
# Files that a seal names are announced by a commit of its own when they are larger together: they take a while.
_AT_ONCE_BYTES = 4 * 1024 * 1024
_UNKNOWN_PARTY = "the drop has a folder for a party that the register does not know"


@dataclass(frozen=True)
class TakenSeal:
    """One seal that this run judged, with the receipt that answers it."""

    party: str
    seal: Outcome
    files: tuple[Outcome, ...]
    receipt_name: str


@dataclass
class CollectResult:
    """What one sweep did. ``troubles``: (party, why) to be tried again; ``unread``: (party, why) into whose folder it could not look, also
    since its host is left alone for now, ``looked``: into whose it could; ``waiting`` and ``unsafe``: (party, name) left in in/."""

    seals: list[TakenSeal] = field(default_factory=list)
    delivered: list[str] = field(default_factory=list)
    troubles: list[tuple[str, str]] = field(default_factory=list)
    unread: list[tuple[str, str]] = field(default_factory=list)
    looked: list[str] = field(default_factory=list)
    waiting: list[tuple[str, str]] = field(default_factory=list)
    unsafe: list[tuple[str, str]] = field(default_factory=list)

    def add(self, part: CollectResult) -> None:
        for name in ("seals", "delivered", "troubles", "unread", "looked", "waiting", "unsafe"):
            getattr(self, name).extend(getattr(part, name))

    def counts(self) -> dict[str, int]:
        """Files by outcome, in order of name."""
        outcomes = sorted(f.outcome for seal in self.seals for f in seal.files)
        return {name: outcomes.count(name) for name in dict.fromkeys(outcomes)}


@dataclass(frozen=True)
class CollectLimits:
    """How large a file may be; how many parties are swept at once, and how many hosts dialled, and how long a sweep stays with one."""

    max_file_bytes: int
    threads: int
    dial_threads: int
    party_seconds: int


def collect(ports: ExchangePorts, rules: ExchangeRules, actor: str, today: date, limits: CollectLimits) -> CollectResult:
    """Sweep every party's in/ folder; ``today`` is the latest custody date that a file may have.

    A party whose folder or receipt gives trouble is listed and tried again by the next sweep; the others go on. Raises
    NotPermitted; RetryLater when the drop as a whole is away; SealBroken when the archive does not hold what it should.
    """
    check_permission(ports.register, actor, _ACTION, "drop")
    result = CollectResult()
    dialled = ports.drop.dialled()
    try:
        folders = ports.drop.parties()
    except RetryLater as trouble:
        # Parties that do not drop with us do not wait for those that do.
        if not dialled:
            note_looks(ports.register, ports.clock, actor, {OUR_DROP: str(trouble)}, ())
            raise
        folders = []
        result.troubles.append((OUR_DROP, str(trouble)))
        result.unread.append((OUR_DROP, str(trouble)))
    with ports.register.transaction() as tx:
        known = frozenset(one.party for one in parties(tx))
        clearing: dict[str, list[Row]] = {}
        for row in tx.find("file", state=CLEARING):
            clearing.setdefault(row["party"], []).append(row)
        busy = clearing.keys() | {row["party"] for row in tx.find("outbound", state=[QUEUED, SENT])}
    result.troubles += [(one, _UNKNOWN_PARTY) for one in folders if one not in known]

    def sweep(party_id: str) -> CollectResult:
        return _Sweep(ports, rules, actor, today, limits, party_id, clearing.get(party_id, ())).run(party_id in busy)

    # Hosts that are dialled have threads of their own: one that hangs keeps no party of ours waiting.
    with (
        ThreadPoolExecutor(limits.dial_threads, thread_name_prefix="dial") as dialling,
        ThreadPoolExecutor(limits.threads, thread_name_prefix="sweep") as sweeping,
    ):
        far = dialling.map(sweep, [one for one in dialled if one in known])
        near = sweeping.map(sweep, [one for one in folders if one in known])
        for part in (*near, *far):
            result.add(part)
    result.troubles.sort()
    result.unread += [(one, why) for one, why in ports.drop.held_back().items() if one in known and one not in dialled]
    result.unread.sort()
    unread = dict(result.unread)
    looked = result.looked if OUR_DROP in unread else [*result.looked, OUR_DROP]
    note_looks(ports.register, ports.clock, actor, unread, looked)
    return result


class _Sweep:
    """One party's turn. Never used by two threads."""

    def __init__(
        self, ports: ExchangePorts, rules: ExchangeRules, actor: str, today: date, limits: CollectLimits, party_id: str,
        clearing: Sequence[Row],
    ) -> None:  # fmt: skip
        """``clearing``: the party's seals that an earlier sweep judged and did not come to clear."""
        self._ports, self._rules = ports, rules
        self._actor, self._today, self._limits = actor, today, limits
        self.party = party_id
        self._result = CollectResult()
        # Its contracts as they stood when the seal was read.
        self._dated: DatedParty | None = None
        # (name, SHA-256) of seals that were judged -> the rule of their row: done with once their files are removed.
        self._judged = {(row["file_name"], row["sha256"]): row["rule"] for row in clearing}
        self._until = ports.clock.now()

    def run(self, busy: bool) -> CollectResult:
        """``busy``: something of an earlier sweep is left to be done."""
        self._until = self._ports.clock.now() + timedelta(seconds=self._limits.party_seconds)
        try:
            # Nobody else may move a file between our look into the folder and our judgement of what its seal names.
            with self._ports.archive.collecting(self.party):
                try:
                    inbox = self._ports.drop.inbox(self.party)
                except RetryLater as trouble:
                    self._result.unread.append((self.party, str(trouble)))
                    raise
                self._result.looked.append(self.party)
                self._result.unsafe += [(self.party, name) for name in inbox.unsafe]
                gone = self._take_all(inbox) if inbox.waiting or inbox.taken or busy else frozenset()
                self._result.waiting += [(self.party, name) for name in sorted(inbox.waiting) if name not in gone]
        except RetryLater as trouble:
            self._result.troubles.append((self.party, str(trouble)))
        return self._result

    def _take_all(self, inbox: Inbox) -> frozenset[str]:
        """Returns the names that left in/."""
        folder = _Folder(inbox)
        for mark, name, parts in self._seals(folder):
            self._check_time("its next seal")
            self._take(folder, mark, name, parts)
        self._clear(folder)
        self._ports.archive.forget_stages(self.party)
        delivery = deliver_pending(self._ports, self.party)
        self._result.delivered += delivery.delivered
        self._result.troubles += [(self.party, why) for _, why in delivery.failed[:1]]
        return frozenset(folder.left)

    def _seals(self, folder: _Folder) -> list[tuple[str, str, NameParts]]:
        """(mark, name, parts), by date, batch and version, so that a version is judged before the one that restates it."""
        standing = {name for _, name in folder.taken}
        # A mark is of this sweep alone: what lies aside is never covered by what comes after it.
        now = f"{self._ports.clock.now():%Y%m%dT%H%M%S%f}"
        fresh = [(f"{now}-{number}", name) for number, name in enumerate(folder.waiting) if name not in standing]
        parsed = [(mark, name, self._rules.parse_name(name)) for mark, name in (*folder.taken, *fresh)]
        seals = [(mark, name, parts) for mark, name, parts in parsed if parts is not None and parts.is_seal]
        return sorted(seals, key=lambda s: (s[2].custody_date, s[2].batch, s[2].version, s[1], s[0]))

    def _take(self, folder: _Folder, mark: str, name: str, parts: NameParts) -> None:
        found = self._archived(folder, mark, name)
        if found is None:
            return  # it left since the folder was read
        if isinstance(found, _TooLarge):
            why = f"{name} is larger than {self._limits.max_file_bytes} bytes and was not read"
            self._result.troubles.append((self.party, why))
            return
        size, sha256, reference = found
        register_as = register_name(self.party, name, parts)
        content = self._seal_content(reference)
        fault = seal_fault(self.party, parts, content)
        sealed = () if fault is not None or isinstance(content, str) else content.files
        named = [(file, own_name(self._rules, parts, file.name)) for file in sealed]
        foreign = [register_name(self.party, file.name, own) for file, own in named if own is None]
        with self._ports.register.transaction() as tx:
            seen = Seen.read(tx, self.party, parts, foreign)
            if seen.of is None or self._is_clearing(seen, register_as, sha256):
                return
            # What is here in a moment is announced and judged in one breath.
            if sum(file.bytes for file, _ in named) > _AT_ONCE_BYTES:
                standing = Standing(seen)
                self._announce(standing, register_as, named)
                standing.write(tx)
                seen = Seen.read(tx, self.party, parts, foreign)
        self._dated = seen.of
        announced: list[_Fetched] = []
        try:
            for file, own in named:
                announced.append((file, own, self._fetch(folder, mark, file, own)))
        except RetryLater:
            self._note_landed(register_as, parts, foreign, named, announced)
            raise
        state, rule, figures = fault or (READ, "taken", {})
        of = _SealFound(parts, name, Outcome(register_as, sha256, state, rule, figures), size, reference)
        judged = self._judge(seen, of, announced)
        # Flushed to disk before the register is locked; what is kept again there costs nothing.
        self._ports.archive.keep(judged.receipt, digest_of("sha256", [judged.receipt]))
        with self._ports.register.transaction() as tx:
            # Another collector, landing, or a person may have been faster since the first look.
            again = Seen.read(tx, self.party, parts, foreign)
            if again != seen:
                if self._is_clearing(again, register_as, sha256):
                    return
                judged = self._judge(again, of, announced)
            receipt_name = self._record(tx, judged, of)
        self._judged[register_as, sha256] = None if state == READ else rule
        self._result.seals.append(TakenSeal(self.party, of.outcome, judged.files, receipt_name))

    def _judge(self, seen: Seen, of: _SealFound, announced: Sequence[_Fetched]) -> _Judged:
        """Of the seal and what it names; nothing is written."""
        assert seen.of is not None
        standing, seal, dated = Standing(seen), of.outcome, seen.of
        self._announce(standing, seal.name, [(file, own) for file, own, _ in announced])
        files = tuple(self._judge_file(standing, dated, seal.name, of.parts, *one) for one in announced)
        receipt = receipt_bytes(self.party, seal, of.parts.custody_date.isoformat(), files)
        return _Judged(standing, files, receipt)

    def _record(self, tx: RegisterTx, judged: _Judged, of: _SealFound) -> str:
        """What was judged, and what follows from it; returns the receipt's name."""
        seal, parts = of.outcome, of.parts
        self._put_seal(judged.standing, of)
        judged.standing.write(tx)
        hold_against(tx, self._happening(seal.name), self.party, parts.custody_date)
        seal_event = event_row(self._happening(None), seal.name, seal.sha256, seal.outcome, seal.rule, seal.figures)
        tx.insert("file_event", seal_event)
        base_name = f"{self.party}_RECEIPT_{of.sent_as.partition('_SEAL_')[2].removesuffix('.json')}"
        receipt_name = queue_answer(tx, self._ports, self.party, base_name, judged.receipt)
        details = {
            "party": self.party,
            "seal": [seal.sha256, seal.outcome, seal.rule],
            "files": [[f.name, f.sha256, f.outcome, f.rule] for f in judged.files],
            "receipt": receipt_name,
        }
        tx.audit(self._actor, _ACTION, seal.name, details)
        for one in (seal, *judged.files):
            if one.outcome == QUARANTINED:
                self._alert(tx, parts.custody_date, one)
        return receipt_name

    def _is_clearing(self, seen: Seen, file_name: str, sha256: str) -> bool:
        """Whether the seal was judged by an earlier run that did not come to clear it; then it is cleared now."""
        for row in seen.rows:
            if (row["file_name"], row["sha256"], row["state"]) == (file_name, sha256, CLEARING):
                self._judged[file_name, sha256] = row["rule"]
                return True
        return False

    def _seal_content(self, reference: str) -> SealContent | str:
        """It went into the archive piece by piece, whatever its size; of one that is none by its size, no more is read again than shows it."""
        data = bytearray()
        with closing(self._ports.archive.chunks(reference)) as chunks:
            for chunk in chunks:
                data += chunk
                if len(data) > self._rules.max_seal_bytes:
                    break
        return self._rules.parse_seal(bytes(data))

    def _fetch(self, folder: _Folder, mark: str, file: AnnouncedFile, own: NameParts | None) -> Arrival:
        """Take and archive an announced file. A name that is not the seal's own never reaches the drop."""

        def absent(rule: str, **figures: object) -> Arrival:
            return Arrival(file.digest[1], file.digest[1], 0, None, rule, figures)

        if own is None:
            return absent("name")
        if file.name in folder.unsafe:
            return absent("not_a_file")
        found = self._archived(folder, mark, file.name, file.digest)
        if found is None:
            return absent("announced_missing")
        if isinstance(found, _TooLarge):
            return absent("too_large", found=found.bytes, limit=self._limits.max_file_bytes)
        size, sha256, reference = found
        arrival = Arrival(sha256, self._digest(file.digest[0], sha256, reference), size, reference, None, {})
        # What is not the file of which the seal speaks is refused as it is.
        if (arrival.digest, arrival.bytes) != (file.digest[1], file.bytes):
            return arrival
        return self._opened(arrival, own, f"{mark}.{file.name}.content")

    def _opened(self, arrival: Arrival, name: NameParts, stage: str) -> Arrival:
        """With its content, of an OpenPGP message as the contract of its date asks for it; with what is wrong about that otherwise."""
        day, limit = custody_date_of(self._ports.clock.now()), self._limits.max_file_bytes
        is_openpgp = name.is_openpgp
        wanted = frozenset[Protection]() if self._dated is None else asked(self._dated.on(name.custody_date).contract, Way.IN)
        if is_openpgp != bool(wanted):
            return replace(arrival, locked=Opened("openpgp_not_agreed" if is_openpgp else "openpgp_missing", {}))
        if not wanted:
            return arrival
        reference = arrival.archive_ref or ""
        with self._ports.register.transaction() as tx:
            own = keys(tx, self.party, KeyUse.OPENPGP)
        with self._ports.archive.stage(self.party, stage) as staged:
            staged.restart()
            message = partial(self._ports.archive.chunks, reference)
            opened = self._ports.openpgp.open(message, wanted, own, self._others, day, limit, staged.append)
            if opened.rule is not None:
                staged.restart()  # nothing of it is kept but the message
                return replace(arrival, locked=opened)
            size = staged.size
            return replace(arrival, plain=Content(size, *staged.keep()), locked=opened)

    def _others(self) -> list[PartyKey]:
        with self._ports.register.transaction() as tx:
            return [key for key in keys(tx, None, KeyUse.OPENPGP) if key.party != self.party]

    def _digest(self, algorithm: str, sha256: str, reference: str) -> str:
        return sha256 if algorithm == "sha256" else digest_of(algorithm, self._ports.archive.chunks(reference))

    def _archived(
        self, folder: _Folder, mark: str, name: str, expected: tuple[str, str] | None = None
    ) -> tuple[int, str, str] | _TooLarge | None:
        """(bytes, SHA-256, reference) of a file that is out of its sender's reach; None when it is not there. One that is too large stays
        in, or returns to, in/.

        What an earlier run had read of it is not read again, unless the whole is not ``expected`` (algorithm, digest): a sender who
        held the file open may have gone on writing.
        """
        limit = self._limits.max_file_bytes
        if (mark, name) not in folder.taken:
            if folder.waiting.get(name, 0) > limit:
                return _TooLarge(folder.waiting[name])
            if name not in folder.waiting or not self._ports.drop.take(self.party, name, mark):
                return None
            folder.take(mark, name)
        with self._ports.archive.stage(self.party, f"{mark}.{name}") as staged:
            resumed = staged.size > 0
            self._read_on(staged, mark, name)
            size = staged.size
            if size <= limit:
                sha256, reference = staged.keep()
        if size > limit:
            self._ports.drop.give_back(self.party, name, mark)
            folder.give_back(mark, name)
            return _TooLarge(size)
        if resumed and expected is not None and self._digest(expected[0], sha256, reference) != expected[1]:
            return self._archived(folder, mark, name)
        return size, sha256, reference

    def _read_on(self, staged: StagedFile, mark: str, name: str) -> None:
        with closing(self._ports.drop.pieces(self.party, name, mark, staged.size)) as pieces:
            for piece in pieces:
                staged.append(piece)
                if staged.size > self._limits.max_file_bytes:
                    return
                self._check_time(name)

    def _check_time(self, what: str) -> None:
        if self._ports.clock.now() > self._until:
            raise RetryLater(f"{self._limits.party_seconds} seconds with this party are over before {what} is read to its end")

    def _announce(self, standing: Standing, seal_name: str, named: Sequence[tuple[AnnouncedFile, NameParts | None]]) -> None:
        """What the seal names is on its way: known by the digest that the seal says, until its bytes are here. What is held already,
        or was announced before, stays as it is."""
        for file, own in named:
            if own is None:
                continue
            name, digest = register_name(self.party, file.name, own), file.digest[1]
            before = standing.content(name, digest)
            if before is not None and before["state"] != REFUSED:
                continue
            # Why it was refused stays with it until it is judged anew.
            facts: Row = {"seal_name": seal_name}
            if before is None:
                facts = {
                    **self._facts(file, own, seal_name, own),
                    "bytes": file.bytes,
                    "figures": "{}",
                    "received_at": self._now(),
                }
            self._step(standing, seal_name, name, digest, ANNOUNCED, "announced", {"bytes": file.bytes, "rows": file.rows}, facts)

    def _step(
        self, standing: Standing, seal_name: str, name: str, sha256: str, state: str, rule: str, figures: Mapping[str, object],
        values: Row,
    ) -> None:  # fmt: skip
        """A content takes another state, and ``values`` with it. Raises StopRun for a step that cannot be."""
        before = standing.content(name, sha256)
        check_step(CONTENT, None if before is None else before["state"], state, name)
        standing.put(name, sha256, {**values, "state": state})
        standing.events.append(event_row(self._happening(seal_name), name, sha256, state, rule, figures))

    def _unannounce(self, standing: Standing, seal_name: str, name: str, digest: str) -> None:
        """The content that was announced never was: what came has another digest, is known by its SHA-256 from now on, or is that of
        a file in force. One that was refused before is refused as it was."""
        row = standing.content(name, digest)
        if row is None or row["state"] not in (ANNOUNCED, LANDED):
            return
        if row["rule"] is None:
            standing.drop(name, digest)
        else:
            self._step(standing, seal_name, name, digest, REFUSED, row["rule"], json.loads(row["figures"]), {})

    def _note_landed(
        self, seal_name: str, parts: NameParts, foreign: Sequence[str], named: Sequence[tuple[AnnouncedFile, NameParts | None]],
        fetched: Sequence[_Fetched],
    ) -> None:  # fmt: skip
        """The sweep ends before all that the seal names is here: what is, is seen to be."""
        with self._ports.register.transaction() as tx:
            standing = Standing(Seen.read(tx, self.party, parts, foreign))
            self._announce(standing, seal_name, named)
            for file, own, arrival in fetched:
                name, digest = register_name(self.party, file.name, own), file.digest[1]
                row = standing.content(name, digest)
                is_here = arrival.archive_ref is not None and arrival.digest == digest
                if is_here and row is not None and row["state"] == ANNOUNCED:
                    reference: Row = {"archive_ref": arrival.archive_ref}
                    self._step(standing, seal_name, name, digest, LANDED, "landed", {"bytes": arrival.bytes}, reference)
            standing.write(tx)

    def _judge_file(
        self, standing: Standing, of: DatedParty, seal_name: str, seal: NameParts, file: AnnouncedFile, own: NameParts | None,
        arrival: Arrival,
    ) -> Outcome:  # fmt: skip
        outcome = _said_when_missed(standing, own, judge_file(standing, self._rules, of, self._today, own, file, arrival))
        before = standing.content(outcome.name, outcome.sha256)
        happening, announced = self._happening(seal_name), file.digest[1]
        if outcome.sha256 != announced or outcome.outcome == SAME_AGAIN:
            self._unannounce(standing, seal_name, outcome.name, announced)
        if outcome.outcome == SAME_AGAIN or (before is not None and is_held(before)):
            # What was taken or quarantined stays as it is, whatever a later seal says of the same bytes.
            digest = outcome.sha256 if outcome.outcome == SAME_AGAIN else announced
            standing.events.append(event_row(happening, outcome.name, digest, outcome.outcome, outcome.rule, outcome.figures))
            return outcome
        # In force there is nothing to explain; a refusal carries its rule to the receipt, the day and the desk.
        is_fault = outcome.rule not in IN_ORDER
        row: Row = {
            **self._facts(file, own, seal_name, seal),
            "state": outcome.outcome,
            "rule": outcome.rule if is_fault else None,
            "figures": canonical_json(outcome.figures if is_fault else {}),
            "bytes": arrival.bytes,
            "archive_ref": arrival.archive_ref,
            "plain_bytes": arrival.plain.bytes if arrival.plain is not None else None,
            "plain_sha256": arrival.plain.sha256 if arrival.plain is not None else None,
            "plain_ref": arrival.plain.archive_ref if arrival.plain is not None else None,
            "received_at": self._now(),
        }
        if outcome.outcome != REFUSED:
            row["cut_off_date"] = None
        standing.events += _steps(happening, None if before is None else before["state"], file, arrival, outcome)
        standing.put(outcome.name, outcome.sha256, row)
        return outcome

    def _facts(self, file: AnnouncedFile, own: NameParts | None, seal_name: str, seal: NameParts) -> Row:
        """What the seal says of a file, as the register keeps it."""
        return {
            "party": self.party,
            "file_type": own.file_type if own is not None else _UNKNOWN_TYPE,
            "custody_date": seal.custody_date,
            "batch": seal.batch,
            "version": seal.version,
            "layout": printable(file.layout, 60),
            "encoding": printable(file.encoding, 20),
            "rows": file.rows,
            "totals": canonical_json(dict(file.totals)),
            "batches": file.batches,
            "seal_name": seal_name,
        }

    def _put_seal(self, standing: Standing, of: _SealFound) -> None:
        seal, parts = of.outcome, of.parts
        is_fault = seal.outcome != READ
        row: Row = {
            "party": self.party,
            "file_type": SEAL,
            "custody_date": parts.custody_date,
            "batch": parts.batch,
            "version": parts.version,
            "state": CLEARING,
            "rule": seal.rule if is_fault else None,
            "figures": canonical_json(seal.figures if is_fault else {}),
            "bytes": of.bytes,
            "totals": "{}",
            "batches": None,
            "archive_ref": of.archive_ref,
            "received_at": self._now(),
        }
        standing.put(seal.name, seal.sha256, row)

    def _alert(self, tx: RegisterTx, on: date, quarantined: Outcome) -> None:
        """Once for a name and a content, however often it is sent."""
        english, chinese = text(quarantined.rule, quarantined.figures)
        named = {"name": quarantined.name, "party": self.party}
        words = text("alert_quarantined", {**named, "why": english})[0], text("alert_quarantined", {**named, "why": chinese})[1]
        put_alert(tx, self._actor, FILE_QUARANTINED, quarantined.name, on, words, Severity.HIGH, self.party, quarantined.sha256)

    def _happening(self, seal_name: str | None) -> Happening:
        return Happening(self._actor, self._now(), seal_name)

    def _now(self) -> str:
        return self._ports.clock.now().isoformat(timespec="microseconds")

    def _clear(self, folder: _Folder) -> None:
        """Remove what the judged seals took, each seal last. Everything taken was archived before it was judged."""
        by_mark: dict[str, list[tuple[bool, str]]] = {}
        for mark, name in folder.taken:
            parts = self._rules.parse_name(name)
            by_mark.setdefault(mark, []).append((parts is not None and parts.is_seal, name))
        for mark, names in sorted(by_mark.items()):
            for _, name in sorted(names):
                self._ports.drop.remove(self.party, name, mark)
        if self._judged:
            with self._ports.register.transaction() as tx:
                for (name, sha256), rule in sorted(self._judged.items()):
                    state = {None: READ, "seal_unreadable": QUARANTINED}.get(rule, REFUSED)
                    tx.update("file", {"file_name": name, "sha256": sha256, "state": CLEARING}, {"state": state})


class _Folder:
    """A party's folder as this run found it and changes it. ``taken``: (mark, name); ``left``: names that left in/."""

    def __init__(self, inbox: Inbox) -> None:
        self.waiting = dict(inbox.waiting)
        self.taken = {(file.mark, file.name) for file in inbox.taken if not file.mark.endswith(RECEIPT_MARK)}
        self.unsafe = frozenset(inbox.unsafe)
        self.left: set[str] = set()

    def take(self, mark: str, name: str) -> None:
        del self.waiting[name]
        self.taken.add((mark, name))
        self.left.add(name)

    def give_back(self, mark: str, name: str) -> None:
        self.taken.discard((mark, name))
        self.left.discard(name)


def _said_when_missed(standing: Standing, own: NameParts | None, outcome: Outcome) -> Outcome:
    """Of a file that was called missing the receipt says so."""
    promise = standing.promises.get(own.file_type) if own is not None and outcome.rule == "taken" else None
    if promise is None or promise["state"] != MISSING:
        return outcome
    return replace(outcome, rule="taken_overdue", figures={"due": promise["due_at"][:16].replace("T", " ")})


def _steps(of: Happening, before: str | None, file: AnnouncedFile, arrival: Arrival, outcome: Outcome) -> list[Row]:
    """The events of a content that is judged now, from the state in which it stood."""
    steps: list[tuple[str, str, dict[str, object]]] = []
    if arrival.archive_ref is not None:
        if before != LANDED:
            steps.append((LANDED, "landed", {"bytes": arrival.bytes}))
        if outcome.rule not in NOT_AS_SEALED:
            steps.append((CHECKED, "checked", {"algorithm": file.digest[0], "bytes": arrival.bytes}))
    steps.append((outcome.outcome, outcome.rule, outcome.figures))
    events = []
    for state, rule, figures in steps:
        check_step(CONTENT, before, state, outcome.name)
        events.append(event_row(of, outcome.name, outcome.sha256, state, rule, figures))
        before = state
    return events


@dataclass(frozen=True)
class _TooLarge:
    bytes: int


# What a seal names, the parts of its name where it is the seal's own, and what came of it.
_Fetched = tuple[AnnouncedFile, NameParts | None, Arrival]


@dataclass(frozen=True)
class _SealFound:
    """``outcome``: of the seal itself; ``sent_as``: its name in the drop."""

    parts: NameParts
    sent_as: str
    outcome: Outcome
    bytes: int
    archive_ref: str


@dataclass(frozen=True)
class _Judged:
    """What is to be written of a seal and its files, what becomes of each file, and the receipt that says so."""

    standing: Standing
    files: tuple[Outcome, ...]
    receipt: bytes
