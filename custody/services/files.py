"""The register of files: its lists, and one file's whole history (domain.md §5)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from custody.errors import UsageError
from custody.file_life import (
    ACCEPTED,
    ANNOUNCED,
    IN_FORCE,
    LANDED,
    LATE,
    QUARANTINED,
    REFUSED,
    RESTATEMENT_PENDING,
    SAMPLE,
    SUPERSEDED,
)
from custody.ports import RegisterTx, Row
from custody.services.file_moves import promise_name

# Of a seal: judged, its files not yet removed from the drop; and done with.
CLEARING = "CLEARING"
READ = "READ"

SEAL = "SEAL"
STATES = (ANNOUNCED, LANDED, ACCEPTED, LATE, REFUSED, QUARANTINED, RESTATEMENT_PENDING, SUPERSEDED, SAMPLE, CLEARING, READ)


@dataclass(frozen=True)
class FileHistory:
    """All that the register knows of one name: a row for each content that came, the promise that it keeps or should, what happened
    to both, what people decided, the receipts that answered its seals, as they were delivered, and the other versions of the same
    party's type, date and batch."""

    versions: list[Row]
    promise: Row | None
    events: list[Row]
    audit: list[Row]
    answers: list[Row]
    others: list[Row]


def history(tx: RegisterTx, name: str) -> FileHistory:
    """Of a file's name, or of a promise's: the same without version and suffix (``P001_TXN_20191230_01``).

    Raises UsageError when nothing of that name ever came or was expected.
    """
    contents = tx.find("file", order_by=["received_at", "sha256"], file_name=name)
    of = {column: contents[0][column] for column in _OF} if contents else _promised(name)
    promise = tx.get("expected_file", **of) if of is not None else None
    names = [name] if promise is None else sorted({name, promise_name(promise)})
    # Of a new name for what was in force already, only the event stands.
    events = tx.find("file_event", order_by=["event_no"], file_name=names)
    if not any(event["file_name"] == name for event in events) and not contents:
        raise UsageError(f"no file {name!r}; see: custody file list")
    others = (
        []
        if of is None
        else [row for row in tx.find("file", ("version", "file_name", "sha256"), **of) if row["file_name"] != name]
    )
    seals = sorted({row["seal_name"] or name for row in contents})
    answered = [json.loads(row["details"]) for row in tx.find("audit_event", subject=seals, action="file.collect")]
    receipts = sorted({said["receipt"] for said in answered})
    return FileHistory(
        contents,
        promise,
        events,
        tx.find("audit_event", order_by=["event_no"], subject=name),
        tx.find("outbound", ("queued_at", "file_name"), file_name=receipts) if receipts else [],
        others,
    )


_OF = ("party", "file_type", "custody_date", "batch")


def _promised(name: str) -> Row | None:
    """What a promise's name, or a file's, is about; None when it is no such name."""
    found = _PROMISE.fullmatch(name)
    if found is None:
        return None
    party, file_type, day, batch = found.groups()
    try:
        return {"party": party, "file_type": file_type, "custody_date": date.fromisoformat(day), "batch": int(batch)}
    except ValueError:
        return None


_PROMISE = re.compile(r"([A-Z0-9]{2,10})_([A-Z_]{3,20})_([0-9]{8})_([0-9]{2})(?:_v[0-9]+\.csv)?")


@dataclass(frozen=True)
class FilePage:
    """Some rows of a list, and how many there are in all."""

    rows: list[Row]
    total: int


def listed(
    tx: RegisterTx, order_by: Sequence[str], start: int, limit: int, beyond: Sequence[object] | None = None, **equals: object
) -> list[Row]:
    """The rows of ``listing`` alone; ``beyond``: as custody.ports.RegisterTx.page."""
    return tx.page("file", order_by, start, limit, None, _unlike(equals), beyond, **equals)


def listing(tx: RegisterTx, order_by: Sequence[str], start: int, limit: int, **equals: object) -> FilePage:
    """File rows, of which only ``limit`` from the ``start``-th on are read, of those with these column values; seals are not among
    them unless their type is asked for. ``order_by``: as custody.ports.RegisterTx.page."""
    rows = listed(tx, order_by, start, limit, None, **equals)
    return FilePage(rows, sum(by_state(tx, **equals).values()))


def by_state(tx: RegisterTx, **equals: object) -> dict[str, int]:
    """How many of them stand in which state, in the order of STATES; a state in which none does is left out."""
    counts = tx.count("file", ["state"], _unlike(equals), **equals)
    return {state: counts[state,] for state in STATES if (state,) in counts}


def _unlike(equals: Mapping[str, object]) -> dict[str, object]:
    return {} if "file_type" in equals else {"file_type": SEAL}


def is_cut_off(tx: RegisterTx, custody_date: date) -> bool:
    return bool(tx.find("step_output", custody_date=custody_date, step="cut_off"))


def in_force(tx: RegisterTx, file: Mapping[str, object]) -> Row | None:
    """The version of this party's type, date and batch that a day would land; at most one is in force."""
    same = {name: file[name] for name in ("party", "file_type", "custody_date", "batch")}
    rows = tx.find("file", ("version", "sha256"), **same, state=list(IN_FORCE))
    return rows[-1] if rows else None
