"""The file register: states, what is expected, what is missing, and one file's history (domain.md §5)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from custody.digest import canonical_json
from custody.errors import UsageError
from custody.ports import RegisterTx, Row
from custody.services.organisations import LIVE, Party, parties

ACCEPTED = "ACCEPTED"
# Taken after the cut-off of its custody date: a later day's landing takes it up.
LATE = "LATE"
REFUSED = "REFUSED"
QUARANTINED = "QUARANTINED"
RESTATEMENT_PENDING = "RESTATEMENT_PENDING"
SUPERSEDED = "SUPERSEDED"
# Of a seal: judged, its files not yet removed from the drop; and done with.
CLEARING = "CLEARING"
READ = "READ"

SEAL = "SEAL"
# What a day lands.
IN_FORCE = (ACCEPTED, LATE)
# What somebody has to look at: the sender, or two people here.
UNSETTLED = (REFUSED, QUARANTINED, RESTATEMENT_PENDING)
STATES = (ACCEPTED, LATE, REFUSED, QUARANTINED, RESTATEMENT_PENDING, SUPERSEDED, CLEARING, READ)
# The name is used up: other bytes under it are quarantined.
TAKEN = (ACCEPTED, LATE, RESTATEMENT_PENDING, SUPERSEDED)


@dataclass(frozen=True)
class ExpectedFile:
    party: str
    file_type: str
    custody_date: date


@dataclass(frozen=True)
class FileHistory:
    """All that the register knows of one name: a row for each content that came, what happened, what people decided, the receipts
    that answered its seals, as they were delivered, and the rows of the other versions of the same party's type, date and batch."""

    versions: list[Row]
    events: list[Row]
    audit: list[Row]
    answers: list[Row]
    others: list[Row]


def history(tx: RegisterTx, file_name: str) -> FileHistory:
    """Raises UsageError when no file of that name ever came."""
    contents = tx.find("file", order_by=["received_at", "sha256"], file_name=file_name)
    if not contents:
        raise UsageError(f"no file {file_name!r}; see: custody file list")
    same = {name: contents[0][name] for name in ("party", "file_type", "custody_date", "batch")}
    seals = {row["seal_name"] or file_name for row in contents}
    answered = [json.loads(row["details"]) for row in tx.find("audit_event", subject=sorted(seals), action="file.collect")]
    receipts = {said["receipt"] for said in answered}
    return FileHistory(
        contents,
        tx.find("file_event", order_by=["event_no"], file_name=file_name),
        tx.find("audit_event", order_by=["event_no"], subject=file_name),
        tx.find("outbound", ("queued_at", "file_name"), file_name=sorted(receipts)) if receipts else [],
        [row for row in tx.find("file", ("version", "file_name", "sha256"), **same) if row["file_name"] != file_name],
    )


def listing(
    tx: RegisterTx,
    custody_date: date | None = None,
    party: str | None = None,
    state: str | None = None,
    file_type: str | None = None,
) -> list[Row]:
    """File rows, seals among them, by custody date, party and name; each condition that is None does not restrict."""
    wanted: dict[str, object] = {"custody_date": custody_date, "party": party, "state": state, "file_type": file_type}
    equals = {name: value for name, value in wanted.items() if value is not None}
    return tx.find("file", ("custody_date", "party", "file_name", "sha256"), **equals)


def expected_files(of: Iterable[Party], custody_date: date) -> list[ExpectedFile]:
    """What each live party's contract promises for a custody date."""
    return [
        ExpectedFile(p.party, str(file_type), custody_date)
        for p in sorted(of, key=lambda p: p.party)
        if p.status == LIVE
        for file_type in p.contract["file_types"]
    ]


def missing(tx: RegisterTx, custody_date: date) -> list[ExpectedFile]:
    """Expected files of which none is in force yet."""
    there = {(f["party"], f["file_type"]) for f in tx.find("file", custody_date=custody_date, state=list(IN_FORCE))}
    return [e for e in expected_files(parties(tx), custody_date) if (e.party, e.file_type) not in there]


def is_cut_off(tx: RegisterTx, custody_date: date) -> bool:
    return bool(tx.find("step_output", custody_date=custody_date, step="cut_off"))


def in_force(tx: RegisterTx, file: Mapping[str, object]) -> Row | None:
    """The version of this party's type, date and batch that a day would land; at most one is in force."""
    same = {name: file[name] for name in ("party", "file_type", "custody_date", "batch")}
    rows = tx.find("file", ("version", "sha256"), **same, state=list(IN_FORCE))
    return rows[-1] if rows else None


def refuse_after_landing(tx: RegisterTx, at: str, file_name: str, sha256: str, rule: str, figures: Mapping[str, object]) -> None:
    """Landing found the accepted file unusable as a whole: its next version is then no restatement. Repeating is harmless.

    ``at`` is the time of the event as text. Raises UsageError when the file is not in force.
    """
    row = tx.get("file", file_name=file_name, sha256=sha256)
    body = canonical_json(dict(figures))
    if row is not None and row["state"] == REFUSED and row["rule"] == rule:
        return
    if row is None or row["state"] not in IN_FORCE:
        raise UsageError(f"{file_name} with SHA-256 {sha256} is not in force")
    tx.update("file", {"file_name": file_name, "sha256": sha256}, {"state": REFUSED, "rule": rule, "figures": body})
    details = canonical_json({"rule": rule, "figures": dict(figures), "seal": row["seal_name"]})
    tx.insert("file_event", {"file_name": file_name, "sha256": sha256, "event": REFUSED, "details": details, "at": at})
