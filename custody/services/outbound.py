"""What the bank sends: queued in the register with the change that it tells of, then delivered once (domain.md §5)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from custody.errors import RetryLater, StopRun
from custody.ports import Archive, Clock, Drop, Register, RegisterTx

QUEUED = "QUEUED"
DELIVERED = "DELIVERED"


@dataclass(frozen=True)
class ExchangePorts:
    """The ports that the file exchange works over."""

    register: Register
    clock: Clock
    archive: Archive
    drop: Drop


@dataclass(frozen=True)
class Delivery:
    """File names delivered, and (file name, why) of those that wait for the next try."""

    delivered: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]


def queue(tx: RegisterTx, clock: Clock, party: str, file_name: str, sha256: str, archive_ref: str) -> None:
    """Queue archived bytes for a party. The same file again changes nothing; raises StopRun for the name with other bytes."""
    standing = tx.get("outbound", file_name=file_name)
    if standing is not None:
        if (standing["party"], standing["sha256"]) != (party, sha256):
            raise StopRun(f"outbound {file_name} stands already, for {standing['party']} with SHA-256 {standing['sha256']}")
        return
    tx.insert(
        "outbound",
        {
            "file_name": file_name,
            "party": party,
            "sha256": sha256,
            "archive_ref": archive_ref,
            "state": QUEUED,
            "queued_at": clock.now().isoformat(timespec="microseconds"),
        },
    )


def queue_answer(tx: RegisterTx, ports: ExchangePorts, party: str, base_name: str, data: bytes) -> str:
    """Queue a JSON answer under ``base_name``.json; returns the name it got.

    The name stays when the content is the same as before, and the file is then delivered again, since the party asked again.
    Other content gets the next free suffix: ``_r2``, ``_r3``...
    """
    sha256 = hashlib.sha256(data).hexdigest()
    reference = ports.archive.keep(data, sha256)
    number, file_name = 1, f"{base_name}.json"
    while (standing := tx.get("outbound", file_name=file_name)) is not None:
        if standing["sha256"] == sha256:
            tx.update("outbound", {"file_name": file_name}, {"state": QUEUED, "delivered_at": None})
            return file_name
        number += 1
        file_name = f"{base_name}_r{number}.json"
    queue(tx, ports.clock, party, file_name, sha256, reference)
    return file_name


def deliver_pending(ports: ExchangePorts, party: str | None = None) -> Delivery:
    """Deliver what is queued, for one party or for all; a party that is away does not stop the others.

    A crash between delivery and its mark delivers the same bytes under the same name again, which is harmless.
    Raises SealBroken when the archive does not hold what was queued.
    """
    only = {} if party is None else {"party": party}
    with ports.register.transaction() as tx:
        waiting = tx.find("outbound", ("party", "file_name"), state=QUEUED, **only)
    delivered: list[str] = []
    failed: list[tuple[str, str]] = []
    away: dict[str, str] = {}
    for row in waiting:
        name, to = row["file_name"], row["party"]
        if to in away:
            failed.append((name, away[to]))
            continue
        data = ports.archive.read(row["archive_ref"])
        try:
            ports.drop.deliver(to, name, data)
        except RetryLater as trouble:
            away[to] = str(trouble)
            failed.append((name, away[to]))
            continue
        with ports.register.transaction() as tx:
            done = {"state": DELIVERED, "delivered_at": ports.clock.now().isoformat(timespec="microseconds")}
            tx.update("outbound", {"file_name": name, "sha256": row["sha256"]}, done)
        delivered.append(name)
    return Delivery(tuple(delivered), tuple(failed))
