"""Collecting what parties put into the drop: the only way in for files (domain.md §5).

For each seal: read what it names, archive the bytes, judge, and commit in one register transaction the file rows, their
events, the audit event and the queued receipt; then deliver the receipt; then remove from the drop the data files and,
last, the seal. A run that dies anywhere is repaired by the next one: before the commit nothing counts, and after it the
seal's row says CLEARING until the drop is clear. So a crash is never taken for a party that sends the same files again.

Only bytes that the archive holds are removed: a name is removed when what was read under it in this run, or is read now,
has a digest that the register names. (SFTP cannot remove on condition: a sender who replaces a sealed file in the seconds
between its reading and its removal loses the replacement, and finds no receipt for it.) A file that no seal names, and
the files of a seal that cannot be used, stay where they are. One collector runs at a time; two at once would do no harm
but may send a needless SAME_AGAIN receipt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from custody.digest import canonical_json
from custody.errors import RetryLater
from custody.ports import RegisterTx, Row
from custody.services.access import check_permission
from custody.services.files import CLEARING, QUARANTINED, READ, REFUSED, SEAL
from custody.services.intake_checks import (
    SAME_AGAIN,
    AnnouncedFile,
    Arrival,
    ExchangeRules,
    NameParts,
    SealContent,
    judge_file,
    own_name,
    printable,
    register_name,
    seal_fault,
)
from custody.services.organisations import Party, party
from custody.services.outbound import ExchangePorts, deliver_pending, queue_answer
from custody.services.receipts import Outcome, receipt_bytes

_ACTION = "file.collect"
_UNKNOWN_TYPE = "UNKNOWN"


@dataclass(frozen=True)
class TakenSeal:
    """One seal that this run judged, with the receipt that answers it."""

    party: str
    seal: Outcome
    files: tuple[Outcome, ...]
    receipt_name: str


@dataclass
class CollectResult:
    """What one sweep did. ``troubles``: (party, why) to be tried again; ``waiting`` and ``unsafe``: (party, name) left in in/."""

    seals: list[TakenSeal] = field(default_factory=list)
    delivered: list[str] = field(default_factory=list)
    troubles: list[tuple[str, str]] = field(default_factory=list)
    waiting: list[tuple[str, str]] = field(default_factory=list)
    unsafe: list[tuple[str, str]] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Files by outcome, in order of name."""
        outcomes = sorted(f.outcome for seal in self.seals for f in seal.files)
        return {name: outcomes.count(name) for name in dict.fromkeys(outcomes)}


@dataclass
class _Inbox:
    """A party's in/ folder as this run found it. ``digests``: SHA-256 of what was read and archived in this run."""

    sizes: Mapping[str, int]
    unsafe: list[str]
    digests: dict[str, str] = field(default_factory=dict)


def collect(ports: ExchangePorts, rules: ExchangeRules, actor: str, today: date, max_file_bytes: int) -> CollectResult:
    """Sweep every party's in/ folder; ``today`` is the latest custody date that a file may have.

    A party whose folder or receipt gives trouble is listed and tried again by the next sweep; the others go on. Raises
    NotPermitted; RetryLater when the drop as a whole is away; SealBroken when the archive does not hold what it should.
    """
    check_permission(ports.register, actor, _ACTION, "drop")
    sweep = _Sweep(ports, rules, actor, today, max_file_bytes)
    for party_id in ports.drop.parties():
        try:
            sweep.party(party_id)
        except RetryLater as trouble:
            sweep.result.troubles.append((party_id, str(trouble)))
    return sweep.result


class _Sweep:
    def __init__(self, ports: ExchangePorts, rules: ExchangeRules, actor: str, today: date, limit_bytes: int) -> None:
        self._ports, self._rules = ports, rules
        self._actor, self._today, self._limit_bytes = actor, today, limit_bytes
        self.result = CollectResult()

    def party(self, party_id: str) -> None:
        with self._ports.register.transaction() as tx:
            known = party(tx, party_id)
        if known is None:
            self.result.troubles.append((party_id, "the drop has a folder for a party that the register does not know"))
            return
        inbox = _Inbox(dict(self._ports.drop.inbound(party_id)), self._ports.drop.unsafe(party_id))
        self.result.unsafe += [(party_id, name) for name in inbox.unsafe]
        for name, parts in self._seals(inbox):
            self._take(party_id, inbox, name, parts)
        delivery = deliver_pending(self._ports, party_id)
        self.result.delivered += delivery.delivered
        if delivery.failed:
            raise RetryLater(delivery.failed[0][1])
        removed = self._clear(party_id, inbox)
        self.result.waiting += [(party_id, name) for name in sorted(inbox.sizes) if name not in removed]

    def _seals(self, inbox: _Inbox) -> list[tuple[str, NameParts]]:
        """By date, batch and version, so that a version is judged before the one that restates it."""
        parsed = [(name, self._rules.parse_name(name)) for name in inbox.sizes]
        seals = [(name, parts) for name, parts in parsed if parts is not None and parts.is_seal]
        return sorted(seals, key=lambda s: (s[1].custody_date, s[1].batch, s[1].version, s[0]))

    def _take(self, party_id: str, inbox: _Inbox, name: str, parts: NameParts) -> None:
        data = self._ports.drop.read(party_id, name, self._limit_bytes)
        if len(data) > self._limit_bytes:
            self.result.troubles.append((party_id, f"{name} is larger than {self._limit_bytes} bytes and was not read"))
            return
        sha256 = hashlib.sha256(data).hexdigest()
        inbox.digests[name] = sha256
        register_as = register_name(party_id, name, parts)
        with self._ports.register.transaction() as tx:
            if _is_clearing(tx, register_as, sha256):
                return
        reference = self._ports.archive.keep(data, sha256)
        content = self._rules.parse_seal(data)
        fault = seal_fault(party_id, parts, content)
        announced: list[tuple[AnnouncedFile, NameParts | None, Arrival]] = []
        if fault is None and not isinstance(content, str):
            for file in content.files:
                own = own_name(self._rules, parts, file.name)
                announced.append((file, own, self._fetch(party_id, inbox, file, own)))
        state, rule, figures = fault or (READ, "taken", {})
        seal = Outcome(register_as, sha256, state, rule, figures)
        with self._ports.register.transaction() as tx:
            current = party(tx, party_id)
            # Another collector may have been faster since the first look.
            if current is None or _is_clearing(tx, register_as, sha256):
                return
            files = tuple(self._record_file(tx, current, seal.name, parts, *one) for one in announced)
            self._record_seal(tx, party_id, parts, seal, len(data), reference)
            receipt = receipt_bytes(party_id, seal, parts.custody_date.isoformat(), files)
            base_name = f"{party_id}_RECEIPT_{name.partition('_SEAL_')[2].removesuffix('.json')}"
            receipt_name = queue_answer(tx, self._ports, party_id, base_name, receipt)
            details = {
                "party": party_id,
                "seal": [sha256, state, rule],
                "files": [[f.name, f.sha256, f.outcome, f.rule] for f in files],
                "receipt": receipt_name,
            }
            tx.audit(self._actor, _ACTION, register_as, details)
        self.result.seals.append(TakenSeal(party_id, seal, files, receipt_name))

    def _fetch(self, party_id: str, inbox: _Inbox, file: AnnouncedFile, own: NameParts | None) -> Arrival:
        """Read and archive an announced file. A name that is not the seal's own never reaches the drop."""

        def absent(rule: str, **figures: object) -> Arrival:
            return Arrival(file.sha256, 0, None, rule, figures)

        if own is None:
            return absent("name")
        if file.name in inbox.unsafe:
            return absent("not_a_file")
        size = inbox.sizes.get(file.name)
        if size is None:
            return absent("announced_missing")
        if size > self._limit_bytes:
            return absent("too_large", found=size, limit=self._limit_bytes)
        data = self._ports.drop.read(party_id, file.name, self._limit_bytes)
        if len(data) > self._limit_bytes:
            return absent("too_large", found=len(data), limit=self._limit_bytes)
        sha256 = hashlib.sha256(data).hexdigest()
        reference = self._ports.archive.keep(data, sha256)
        inbox.digests[file.name] = sha256
        return Arrival(sha256, len(data), reference, None, {})

    def _record_file(
        self, tx: RegisterTx, of: Party, seal_name: str, seal: NameParts, file: AnnouncedFile, own: NameParts | None,
        arrival: Arrival,
    ) -> Outcome:  # fmt: skip
        outcome = judge_file(tx, self._rules, of, self._today, own, file, arrival)
        standing = tx.get("file", file_name=outcome.name, sha256=outcome.sha256)
        # What was taken or quarantined stays as it is, whatever a later seal says of the same bytes.
        if outcome.outcome != SAME_AGAIN and (standing is None or standing["state"] == REFUSED):
            # In force there is nothing to explain; a refusal carries its rule to the receipt, the day and the desk.
            is_fault = outcome.rule not in ("taken", "taken_late")
            row: Row = {
                "party": of.party,
                "file_type": own.file_type if own is not None else _UNKNOWN_TYPE,
                "custody_date": seal.custody_date,
                "batch": seal.batch,
                "version": seal.version,
                "state": outcome.outcome,
                "rule": outcome.rule if is_fault else None,
                "figures": canonical_json(outcome.figures if is_fault else {}),
                "layout": printable(file.layout, 60),
                "encoding": printable(file.encoding, 20),
                "bytes": arrival.bytes,
                "rows": file.rows,
                "totals": canonical_json(dict(file.totals)),
                "batches": file.batches,
                "archive_ref": arrival.archive_ref,
                "seal_name": seal_name,
            }
            if outcome.outcome != REFUSED:
                row["cut_off_date"] = None
            self._put(tx, outcome, row)
        self._event(tx, outcome, {"seal": seal_name})
        return outcome

    def _record_seal(self, tx: RegisterTx, party_id: str, parts: NameParts, seal: Outcome, size: int, reference: str) -> None:
        is_fault = seal.outcome != READ
        row: Row = {
            "party": party_id,
            "file_type": SEAL,
            "custody_date": parts.custody_date,
            "batch": parts.batch,
            "version": parts.version,
            "state": CLEARING,
            "rule": seal.rule if is_fault else None,
            "figures": canonical_json(seal.figures if is_fault else {}),
            "bytes": size,
            "totals": "{}",
            "batches": None,
            "archive_ref": reference,
        }
        self._put(tx, seal, row)
        self._event(tx, seal, {})

    def _put(self, tx: RegisterTx, of: Outcome, row: Row) -> None:
        row = {**row, "received_at": self._now()}
        if tx.update("file", {"file_name": of.name, "sha256": of.sha256}, row) == 0:
            tx.insert("file", {"file_name": of.name, "sha256": of.sha256, **row})

    def _event(self, tx: RegisterTx, of: Outcome, more: Mapping[str, object]) -> None:
        details = canonical_json({"rule": of.rule, "figures": of.figures, **more})
        event = {"file_name": of.name, "sha256": of.sha256, "event": of.outcome, "details": details, "at": self._now()}
        tx.insert("file_event", event)

    def _now(self) -> str:
        return self._ports.clock.now().isoformat(timespec="microseconds")

    def _clear(self, party_id: str, inbox: _Inbox) -> set[str]:
        """Remove from in/ what the judged seals named, each seal last; returns the names removed."""
        removed: set[str] = set()
        with self._ports.register.transaction() as tx:
            seals = tx.find("file", ("custody_date", "batch", "version", "file_name", "sha256"), party=party_id, state=CLEARING)
        for seal in seals:
            name = seal["file_name"].removeprefix(f"{party_id}:")
            for data_name in self._named_by(seal, name):
                if self._is_archived(party_id, inbox, data_name):
                    self._ports.drop.remove(party_id, data_name)
                    removed.add(data_name)
            # Under the seal's name another seal may lie by now: it is the next to be judged.
            if name in inbox.sizes and self._digest(party_id, inbox, name) == seal["sha256"]:
                self._ports.drop.remove(party_id, name)
                removed.add(name)
            state = {None: READ, "seal_unreadable": QUARANTINED}.get(seal["rule"], REFUSED)
            with self._ports.register.transaction() as tx:
                tx.update("file", {n: seal[n] for n in ("file_name", "sha256", "state")}, {"state": state})
        return removed

    def _named_by(self, seal: Row, name: str) -> list[str]:
        """The data files that a usable seal named; a seal with a fault names none."""
        parts = self._rules.parse_name(name)
        if seal["rule"] is not None or parts is None:
            return []
        content: SealContent | str = self._rules.parse_seal(self._ports.archive.read(seal["archive_ref"]))
        if isinstance(content, str):
            return []
        return [f.name for f in content.files if own_name(self._rules, parts, f.name) is not None]

    def _is_archived(self, party_id: str, inbox: _Inbox, name: str) -> bool:
        """Whether in/ still holds the very bytes that the register has in the archive."""
        if name not in inbox.sizes or inbox.sizes[name] > self._limit_bytes:
            return False
        sha256 = self._digest(party_id, inbox, name)
        with self._ports.register.transaction() as tx:
            row = tx.get("file", file_name=name, sha256=sha256)
        return row is not None and row["archive_ref"] is not None

    def _digest(self, party_id: str, inbox: _Inbox, name: str) -> str:
        if name not in inbox.digests:
            data = self._ports.drop.read(party_id, name, self._limit_bytes)
            inbox.digests[name] = hashlib.sha256(data).hexdigest()
        return inbox.digests[name]


def _is_clearing(tx: RegisterTx, file_name: str, sha256: str) -> bool:
    row = tx.get("file", file_name=file_name, sha256=sha256)
    return row is not None and row["state"] == CLEARING
