"""Carrying queued files to their parties: each whole, sealed, once, tried again for days, with proof (domain.md §5).

A file is put under its name and read back there; the register says SENT; only then is its seal put beside it, which is what lets
the party read it; then the register says PROVED. So a crash anywhere leaves one of three places to go on from: not SENT, then no
seal stands and the party has read nothing, and writing again doubles nothing; SENT and something of it stands, then its seal is
put (again); SENT and nothing of it stands, then it was sealed and the party took it away. One process at a time serves a party.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from custody.calendar import custody_date_of
from custody.counting import counted
from custody.digest import canonical_json
from custody.errors import BusyElsewhere, RetryLater
from custody.ports import Lying, Outgoing, RegisterTx, Row
from custody.protection import SUFFIXES, Protection, Way, asked
from custody.services.access import check_permission
from custody.services.alerts import raise_alert
from custody.services.organisations import party
from custody.services.outbound import (
    FAILED,
    LEFT,
    PROVED,
    QUEUED,
    SEAL_SUFFIX,
    SENT,
    TAKEN,
    UNDELIVERED,
    ExchangePorts,
    name_on_wire,
)
from custody.services.party_keys import KeyUse, PartyKey, keys_in_force

_ACTION = "outbound.send"
LATE_RULE = "OUTBOUND_LATE"
# Files of a party that are marked together: so few are looked at anew after a crash, and the register is asked so seldom.
_TOGETHER = 50


@dataclass
class Delivery:
    """File names delivered, and (file name, why) of those that failed this time; ``taken``: names that the party took since."""

    delivered: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)

    def add(self, part: Delivery) -> None:
        for name in ("delivered", "failed", "taken"):
            getattr(self, name).extend(getattr(part, name))


def deliver_pending(ports: ExchangePorts, party: str | None = None) -> Delivery:
    """Deliver what is due, for one party or for all side by side; a party that is away does not stop the others.

    Raises SealBroken when the archive does not hold what was queued.
    """
    if party is not None:
        return _Recipient(ports, party).deliver() if ports.drop.reachable(party) else Delivery()
    with ports.register.transaction() as tx:
        waiting = tx.find("outbound", ("party",), state=[QUEUED, SENT])
    now = ports.clock.now()
    due = sorted({row["party"] for row in waiting if _is_due(row, now) and ports.drop.reachable(row["party"])})
    return _side_by_side(ports, [_Recipient(ports, one).deliver for one in due])


def watch(ports: ExchangePorts, actor: str) -> Delivery:
    """Deliver what is due, see what parties have taken, and raise alerts for what is not delivered by its deadline.

    Raises NotPermitted; SealBroken as `deliver_pending`.
    """
    check_permission(ports.register, actor, _ACTION, "outbound")
    found = deliver_pending(ports)
    with ports.register.transaction() as tx:
        lying = sorted({row["party"] for row in tx.find("outbound", state=PROVED)})
    found.add(_side_by_side(ports, [_Recipient(ports, one).look for one in lying]))
    _alert(ports, actor)
    return found


def _side_by_side(ports: ExchangePorts, works: Sequence[Callable[[], Delivery]]) -> Delivery:
    result = Delivery()
    with ThreadPoolExecutor(ports.policy.threads, thread_name_prefix="deliver") as pool:
        for part in pool.map(lambda work: work(), works):
            result.add(part)
    return result


def seal_of(row: Row) -> bytes:
    """The flag file that stands beside a file that goes out: its name, size and digest as they go over the wire."""
    said = {"party": row["party"], "name": row["wire_name"], "bytes": row["wire_bytes"], "sha256": row["wire_sha256"]}
    return f"{canonical_json(said)}\n".encode()


def _is_due(row: Row, now: datetime) -> bool:
    return row["next_attempt_at"] is None or datetime.fromisoformat(row["next_attempt_at"]) <= now


class _Recipient:
    """One party's turn."""

    def __init__(self, ports: ExchangePorts, party: str) -> None:
        self._ports, self._party = ports, party

    def deliver(self) -> Delivery:
        result = Delivery()
        try:
            with self._ports.archive.leaving(self._party):
                now = self._ports.clock.now()
                today = custody_date_of(now)
                with self._ports.register.transaction() as tx:
                    left = [row for row in _rows(tx, self._party, QUEUED, SENT) if _is_due(row, now)]
                    current = party(tx, self._party, today) if left else None
                    in_force = keys_in_force(tx, self._party, KeyUse.OPENPGP, today) if left else []
                wanted = frozenset[Protection]() if current is None else asked(current.contract, Way.OUT)
                try:
                    while left:
                        self._deliver(left[:_TOGETHER], wanted, in_force)
                        result.delivered += [row["file_name"] for row in left[:_TOGETHER]]
                        left = left[_TOGETHER:]
                except RetryLater as trouble:
                    self._put_off(left, str(trouble))
                    result.failed += [(row["file_name"], str(trouble)) for row in left]
        except BusyElsewhere:
            pass  # another process is at it
        return result

    def _deliver(self, rows: Sequence[Row], wanted: frozenset[Protection], in_force: Sequence[PartyKey]) -> None:
        """``wanted``: what the contract asks for what goes out; ``in_force``: the party's OpenPGP keys."""
        begun = [row for row in rows if row["state"] == SENT]
        lying = self._ports.drop.lying(self._party) if begun else {}
        # Nothing of it is there: it was sealed before we could say so, and is taken.
        gone = [row for row in begun if not {row["wire_name"], _seal_name(row)} & lying.keys()]
        fresh = self._with_wires([row for row in rows if row["state"] == QUEUED], wanted, in_force)
        for row in fresh:
            content = Outgoing(row["wire_bytes"], row["wire_sha256"], partial(_pieces, self._ports, row["wire_ref"]))
            self._ports.drop.deliver(self._party, row["wire_name"], content)
        self._mark(fresh, {"state": SENT, "sent_at": self._now()})
        here = [*fresh, *(row for row in begun if row not in gone)]
        for row in here:
            self._ports.drop.deliver(self._party, _seal_name(row), _whole(seal_of(row)))
        proved = {"proved_at": self._now(), "attempts": 0, "next_attempt_at": None, "last_reason": None}
        self._mark(here, {"state": PROVED, **proved})
        self._mark(gone, {"state": TAKEN, "taken_at": self._now(), **proved})

    def _with_wires(self, rows: Sequence[Row], wanted: frozenset[Protection], in_force: Sequence[PartyKey]) -> list[Row]:
        """What goes over the wire is fixed, and known to the register, before anything of it is written."""
        wires: dict[object, Row] = {}
        for row in rows:
            if row["wire_ref"] is None:
                wires[row["file_name"]] = self._wrapped(row, wanted, in_force) if wanted else self._as_it_is(row)
        if wires:
            with self._ports.register.transaction() as tx:
                tx.update_all("outbound", "file_name", wires)
        return [{**row, **wires.get(row["file_name"], {})} for row in rows]

    def _as_it_is(self, row: Row) -> Row:
        size = sum(map(len, self._ports.archive.chunks(row["archive_ref"])))
        return {
            "wire_name": name_on_wire(row["file_name"]),
            "wire_bytes": size,
            "wire_sha256": row["sha256"],
            "wire_ref": row["archive_ref"],
        }

    def _wrapped(self, row: Row, wanted: frozenset[Protection], in_force: Sequence[PartyKey]) -> Row:
        """An OpenPGP message is another one each time that it is made: the first one that the register knows is what goes out."""
        if Protection.ENCRYPTED in wanted and not in_force:
            raise RetryLater(f"{self._party} has no OpenPGP key in force, and its contract asks for encrypted files")
        name = f"{name_on_wire(row['file_name'])}{SUFFIXES[0]}"
        with self._ports.archive.stage(self._party, name) as staged:
            staged.restart()
            self._ports.openpgp.protect(self._ports.archive.chunks(row["archive_ref"]), wanted, in_force[-1:], staged.append)
            size = staged.size
            sha256, reference = staged.keep()
        return {"wire_name": name, "wire_bytes": size, "wire_sha256": sha256, "wire_ref": reference}

    def look(self) -> Delivery:
        """Which of the delivered files the party has read or removed."""
        result = Delivery()
        try:
            with self._ports.archive.leaving(self._party):
                with self._ports.register.transaction() as tx:
                    rows = _rows(tx, self._party, PROVED)
                lying = self._ports.drop.lying(self._party)
                now = self._ports.clock.now()
                taken = [row for row in rows if _is_taken(row, lying)]
                left = [row for row in rows if row not in taken and _since(row["proved_at"], now) > self._ports.policy.watch]
                self._mark(taken, {"state": TAKEN, "taken_at": self._now()})
                self._mark(left, {"state": LEFT})
                result.taken += [row["file_name"] for row in taken]
        except (BusyElsewhere, RetryLater):
            pass  # nothing is owed to it: the next look will do
        return result

    def _mark(self, rows: Iterable[Row], values: Row) -> None:
        changes = {row["file_name"]: values for row in rows}
        if changes:
            with self._ports.register.transaction() as tx:
                tx.update_all("outbound", "file_name", changes)

    def _put_off(self, rows: Collection[Row], why: str) -> None:
        policy, now = self._ports.policy, self._ports.clock.now()
        changes: dict[object, Row] = {}
        for row in rows:
            tries = row["attempts"] + 1
            given_up = _since(row["queued_at"], now) > policy.give_up
            changes[row["file_name"]] = {
                "attempts": tries,
                "last_reason": why,
                "next_attempt_at": None if given_up else _text(now + policy.delay(tries)),
            }
            if given_up:
                changes[row["file_name"]]["state"] = FAILED
        with self._ports.register.transaction() as tx:
            tx.update_all("outbound", "file_name", changes)

    def _now(self) -> str:
        return _text(self._ports.clock.now())


def _rows(tx: RegisterTx, party: str, *states: str) -> list[Row]:
    return tx.find("outbound", ("queued_at", "file_name"), party=party, state=list(states))


def _pieces(ports: ExchangePorts, reference: str, start: int) -> Iterator[bytes]:
    """Archived bytes from there on."""
    for chunk in ports.archive.chunks(reference):
        yield chunk[start:]
        start = max(0, start - len(chunk))


def _whole(data: bytes) -> Outgoing:
    return Outgoing(len(data), hashlib.sha256(data).hexdigest(), lambda start: iter([data[start:]]))


def _seal_name(row: Row) -> str:
    return f"{row['wire_name']}{SEAL_SUFFIX}"


def _is_taken(row: Row, lying: Mapping[str, Lying]) -> bool:
    seal = lying.get(_seal_name(row))
    return seal is None or seal.was_read or row["wire_name"] not in lying


def _since(then: str, now: datetime) -> timedelta:
    return now - datetime.fromisoformat(then)


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")


def is_late(ports: ExchangePorts, row: Row) -> bool:
    """Whether it is owed still, beyond its deadline."""
    return row["state"] in UNDELIVERED and _since(row["queued_at"], ports.clock.now()) > ports.policy.deadline


def _alert(ports: ExchangePorts, actor: str) -> None:
    """One alert for each party and date since which something is owed to it, however many files and tries there are."""
    with ports.register.transaction() as tx:
        late = [row for row in tx.find("outbound", ("party", "queued_at"), state=list(UNDELIVERED)) if is_late(ports, row)]
    today = ports.clock.now().date()
    for recipient in dict.fromkeys(row["party"] for row in late):
        rows = [row for row in late if row["party"] == recipient]
        oldest, why = rows[0], rows[0]["last_reason"] or "-"
        raise_alert(
            ports.register,
            actor,
            LATE_RULE,
            recipient,
            today,
            f"{counted(len(rows), 'file')} not delivered to {recipient}, the oldest {oldest['file_name']}, owed since {oldest['queued_at'][:16]}: {why}",
            f"{recipient} 有 {len(rows)} 个文件未送达，最早为 {oldest['file_name']}，自 {oldest['queued_at'][:16]} 起待送：{why}",
            occurrence=oldest["queued_at"][:10],
        )
