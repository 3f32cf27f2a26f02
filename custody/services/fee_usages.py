"""Text messages and identity checks that a component counted for a platform: its list is let in by two people, and each row is charged
once, on the day on which it says the pieces were used (custody.fee_usage)."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from custody.calendar import custody_date_of
from custody.errors import UsageError
from custody.fee_contract import FeeContract
from custody.fee_usage import COUNTED, KIND
from custody.names import PartyKind
from custody.ports import Clock, Register, RegisterTx, Row
from custody.services.access import permitted_transaction
from custody.services.four_eyes import DecisionKind, propose
from custody.services.organisations import DatedParty, standing_party

COLUMNS = ("used_on", "component", "pieces", "reference")
MOST_ROWS = 20_000
_MOST_PIECES = 10**9
_LONGEST = 100


def read_usage(data: bytes, file_name: str) -> list[dict[str, Any]]:
    """Rows of a list: CSV in UTF-8 with the columns COLUMNS; ``reference`` is the counting component's own name of what it counted, and
    never comes twice for a day. Raises UsageError naming file, line, field, value and what is wanted."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file_name}: byte {error.start} is not UTF-8: save the list as UTF-8") from None
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[dict[str, Any]] = []
    try:
        header = next(lines, [])
        if tuple(header) != COLUMNS:
            raise UsageError(f"{file_name}:1: the header is {','.join(header)!r}; write {','.join(COLUMNS)}")
        for cells in lines:
            rows.append(_row(cells, f"{file_name}:{lines.line_num}", lines.line_num))
    except csv.Error as error:
        raise UsageError(f"{file_name}:{lines.line_num}: {error}: quote cells as CSV does") from None
    if not 0 < len(rows) <= MOST_ROWS:
        raise UsageError(f"{file_name}: {len(rows)} rows; a list has 1 to {MOST_ROWS}: split it")
    _distinct(rows, file_name)
    return rows


def _row(cells: Sequence[str], where: str, line_no: int) -> dict[str, Any]:
    if len(cells) != len(COLUMNS):
        raise UsageError(f"{where}: {len(cells)} cells; each row has {','.join(COLUMNS)}")
    used_on, component, pieces, reference = cells
    try:
        day = date.fromisoformat(used_on)
    except ValueError:
        raise UsageError(f"{where}: used_on is {used_on!r}; write a date YYYY-MM-DD") from None
    if component not in COUNTED:
        raise UsageError(f"{where}: component is {component!r}; write one of {', '.join(COUNTED)}")
    if not (pieces.isascii() and pieces.isdigit() and len(pieces) <= len(str(_MOST_PIECES)) and 0 < int(pieces) <= _MOST_PIECES):
        raise UsageError(f"{where}: pieces is {pieces!r}; write a whole number from 1 to {_MOST_PIECES}")
    if not 0 < len(reference) <= _LONGEST or not reference.isprintable():
        raise UsageError(f"{where}: reference is {reference[:40]!r}; write 1 to {_LONGEST} printable characters")
    return {"used_on": day.isoformat(), "component": component, "pieces": int(pieces), "reference": reference, "line_no": line_no}


def _distinct(rows: Sequence[Mapping[str, Any]], file_name: str) -> None:
    seen: dict[tuple[str, str, str], int] = {}
    for row in rows:
        first = seen.setdefault(_key(row), row["line_no"])
        if first != row["line_no"]:
            raise UsageError(
                f"{file_name}:{row['line_no']}: reference {row['reference']!r} of {row['component']} on {row['used_on']} stands in line "
                f"{first} too; each is counted once"
            )


def _key(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["used_on"], row["component"], row["reference"]


def propose_usage(
    register: Register,
    clock: Clock,
    actor: str,
    platform: str,
    file_name: str,
    sha256: str,
    archive_ref: str,
    rows: Sequence[Mapping[str, Any]],
    note: str,
) -> str:
    """Propose a list as ``read_usage`` gave it, whose bytes are archived; returns the proposal's id. Raises NotPermitted; UsageError when
    a row was charged before, is of a day to come, or of one for which the platform has no fee contract."""
    payload: dict[str, Any] = {
        "file_name": file_name,
        "sha256": sha256,
        "archive_ref": archive_ref,
        "rows": [dict(row) for row in rows],
    }
    today = custody_date_of(clock.now())
    with permitted_transaction(register, actor, USAGE.propose_action, platform) as tx:
        _check(tx, platform, payload)
        for row in payload["rows"]:
            if date.fromisoformat(row["used_on"]) > today:
                raise UsageError(
                    f"{file_name}:{row['line_no']}: used_on is {row['used_on']}, and today is {today}: list what was used"
                )
    return propose(register, clock, actor, USAGE, platform, payload, note)


def _check(tx: RegisterTx, subject: str, payload: Mapping[str, Any]) -> None:
    dated = standing_party(tx, subject)
    if dated.row["kind"] != PartyKind.PLATFORM:
        raise UsageError(f"{subject} is no platform: platforms pay fees")
    for day, line_no in {row["used_on"]: row["line_no"] for row in reversed(payload["rows"])}.items():
        if not _is_paid(dated, date.fromisoformat(day)):
            raise UsageError(
                f"{payload['file_name']}:{line_no}: used_on is {day}, on which {subject} has no fee contract: nothing could be charged"
            )
    wanted = {_key(row): row for row in payload["rows"]}
    for proposal in tx.find("proposal", kind=KIND, subject=subject, state="APPROVED"):
        said = json.loads(proposal["payload"])
        for row in said["rows"]:
            if _key(row) in wanted:
                raise UsageError(
                    f"{payload['file_name']}:{wanted[_key(row)]['line_no']}: reference {row['reference']!r} of {row['component']} on "
                    f"{row['used_on']} was let in already, by {said['file_name']}:{row['line_no']} (proposal {proposal['proposal_id']})"
                )


def counted(tx: RegisterTx) -> list[Row]:
    """By platform, month and component, the newest month first: ``let_in`` and ``waiting`` pieces, and of how many ``lists``."""
    pieces: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    for proposal in tx.find("proposal", kind=KIND, state=["APPROVED", "PROPOSED"]):
        column = "let_in" if proposal["state"] == "APPROVED" else "waiting"
        keys = set()
        for row in json.loads(proposal["payload"])["rows"]:
            key = proposal["subject"], row["used_on"][:7], row["component"]
            pieces[key][column] += row["pieces"]
            keys.add(key)
        for key in keys:
            pieces[key]["lists"] += 1
    named = (dict(zip(("platform", "month", "component"), key, strict=True)) | _all_of(of) for key, of in sorted(pieces.items()))
    return sorted(named, key=lambda row: str(row["month"]), reverse=True)


def _all_of(of: Counter[str]) -> Row:
    return {name: of[name] for name in ("let_in", "waiting", "lists")}


def _is_paid(dated: DatedParty, day: date) -> bool:
    if day < dated.contracts[0]["valid_from"]:
        return False
    return FeeContract.parse(dated.on(day).contract["fee_contract"]).in_force(day)


USAGE = DecisionKind(KIND, "fee.propose", "fee.approve", _check)
