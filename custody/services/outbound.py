"""What the bank sends: queued in the register with the change that it tells of (domain.md §5). custody.services.deliveries carries it
to its party."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from custody.errors import StopRun, UsageError
from custody.ports import Archive, Clock, Drop, OpenPgp, Register, RegisterTx, Row
from custody.services.access import permitted_transaction

# To be sent, for the first time or again.
QUEUED = "QUEUED"
# It lies at the party whole, as it was read back there; its seal may not.
SENT = "SENT"
# Its seal lies there too: delivered, and not taken by the party as far as we see.
PROVED = "PROVED"
# The party has read it or removed it; or it lies there still after so many days and is not looked at any more.
TAKEN = "TAKEN"
LEFT = "LEFT"
# Given up after days of tries: a person decides.
FAILED = "FAILED"
STATES = (QUEUED, SENT, PROVED, TAKEN, LEFT, FAILED)
# Owed still.
UNDELIVERED = (QUEUED, SENT, FAILED)

# The flag file beside each file that goes out: what has none yet is not to be read.
SEAL_SUFFIX = ".seal"
# How the mark ends under which receipts of what we sent are taken: a sweep for sealed files leaves them alone.
RECEIPT_MARK = "-receipt"
# No file's name has it.
_SHARED = "/"


def doubled(first: timedelta, longest: timedelta, failed_tries: int) -> timedelta:
    """How long to wait behind so many failed tries, the first being 1: the first delay doubles with each up to the longest."""
    # Doubled thirty times, the longest one has long been reached.
    return min(first * (1 << min(failed_tries - 1, 30)), longest)


@dataclass(frozen=True)
class DeliveryPolicy:
    """When a delivery that failed is tried again (the first delay doubles up to the longest), from when on it is an alert, when it is
    given up, and how long we look whether the party took it. ``threads``: parties that are served side by side."""

    first_retry: timedelta
    longest_retry: timedelta
    deadline: timedelta
    give_up: timedelta
    watch: timedelta
    threads: int

    def delay(self, failed_tries: int) -> timedelta:
        """Behind so many failed tries, the first being 1."""
        return doubled(self.first_retry, self.longest_retry, failed_tries)


@dataclass(frozen=True)
class ExchangePorts:
    """The ports that the file exchange works over."""

    register: Register
    clock: Clock
    archive: Archive
    drop: Drop
    policy: DeliveryPolicy
    openpgp: OpenPgp


def queue(tx: RegisterTx, clock: Clock, party: str, file_name: str, sha256: str, archive_ref: str) -> None:
    """Queue archived bytes for a party. The same file again changes nothing; raises StopRun for the name with other bytes."""
    standing = tx.get("outbound", file_name=file_name)
    if standing is not None:
        if (standing["party"], standing["sha256"]) != (party, sha256):
            raise StopRun(f"outbound {file_name} stands already, for {standing['party']} with SHA-256 {standing['sha256']}")
        return
    row = {"file_name": file_name, "party": party, "sha256": sha256, "archive_ref": archive_ref}
    tx.insert("outbound", row | _owed_from_now(clock))


def shared_name(party: str, name: str) -> str:
    """Under which name the register knows a file that several parties get: of each its own, on the wire ``name`` alone."""
    return f"{party}{_SHARED}{name}"


def name_on_wire(file_name: str) -> str:
    """What a party sees of a file."""
    return file_name.rpartition(_SHARED)[2]


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
            tx.update("outbound", {"file_name": file_name}, _owed_from_now(ports.clock))
            return file_name
        number += 1
        file_name = f"{base_name}_r{number}.json"
    queue(tx, ports.clock, party, file_name, sha256, reference)
    return file_name


def send_again(register: Register, clock: Clock, actor: str, file_name: str, note: str) -> None:
    """A person has a file delivered once more, given up or not: as if it were queued now. Raises UsageError, NotPermitted."""
    with permitted_transaction(register, actor, "outbound.again", file_name) as tx:
        row = tx.get("outbound", file_name=file_name)
        if row is None:
            raise UsageError(f"no outbound file {file_name!r}; see: custody outbound list")
        tx.update("outbound", {"file_name": file_name}, _owed_from_now(clock))
        tx.audit(actor, "outbound.again", file_name, {"party": row["party"], "state": row["state"], "note": note})


def _owed_from_now(clock: Clock) -> Row:
    """What goes over the wire is made anew: keys may have changed."""
    unset = (
        "next_attempt_at",
        "last_reason",
        "wire_name",
        "wire_bytes",
        "wire_sha256",
        "wire_ref",
        "sent_at",
        "proved_at",
        "taken_at",
    )
    queued_at = clock.now().isoformat(timespec="microseconds")
    return {"state": QUEUED, "attempts": 0, "queued_at": queued_at} | dict.fromkeys(unset)


def deliveries(tx: RegisterTx, party: str | None, states: list[str] | None) -> list[Row]:
    """By party and name; each condition that is None does not restrict."""
    wanted: dict[str, object] = {"party": party, "state": states}
    return tx.find("outbound", ("party", "file_name"), **{name: value for name, value in wanted.items() if value is not None})


def delivery(tx: RegisterTx, file_name: str) -> Row:
    """Raises UsageError when no such file was ever queued."""
    row = tx.get("outbound", file_name=file_name)
    if row is None:
        raise UsageError(f"no outbound file {file_name!r}; see: custody outbound list")
    return row
