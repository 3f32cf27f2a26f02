"""Faults that can be planted: their kinds, how they are asked for, and the plan that tells the writer what to spoil."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from simulator.movement import CoreFlow, Row

FILE_KINDS = ("file_truncated", "file_digest", "control_total", "layout_version", "missing_file")
ROW_KINDS = (
    "txn_missing",
    "txn_unauthorised",
    "txn_amount",
    "txn_status",
    "txn_wrong_account",
    "txn_wrong_loan",
    "txn_direction",
    "txn_duplicate",
    "balance_wrong",
    "claim_wrong",
    "channel_missing",
    "channel_amount",
    "channel_fee",
)
CORE_KINDS = ("core_missing", "core_unknown", "core_amount")
# Spoiled bytes come last: the line they name must not move any more.
LINE_KINDS = ("bad_byte", "impossible_date")
KINDS = (*FILE_KINDS, *ROW_KINDS, *CORE_KINDS, *LINE_KINDS)


class FaultRequestError(ValueError):
    """The list of faults is malformed, or asks for one that this world has no place for: change the list or the world."""


@dataclass(frozen=True, slots=True)
class FaultRequest:
    """``count`` faults of a kind, on any date and platform unless these are named."""

    kind: str
    count: int
    date: date | None = None
    platform: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise FaultRequestError(f"unknown fault kind {self.kind!r}; known: {', '.join(KINDS)}")
        if self.count < 1:
            raise FaultRequestError(f"{self.kind}: count must be at least 1, not {self.count}")


def load_faults(path: Path) -> list[FaultRequest]:
    """Read a YAML list of {kind, count, date?, platform?}. Raises FaultRequestError, naming the entry that is wrong."""
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(raw, list):
        raise FaultRequestError(f"{path.name}: a list of faults is expected")
    return [_request(path.name, number, entry) for number, entry in enumerate(raw, start=1)]


def _request(file_name: str, number: int, entry: Any) -> FaultRequest:
    where = f"{file_name}, entry {number}"
    if not isinstance(entry, dict) or not {"kind", "count"} <= set(entry) <= {"kind", "count", "date", "platform"}:
        raise FaultRequestError(f"{where}: kind and count are required, date and platform may follow")
    day, platform = entry.get("date"), entry.get("platform")
    if not isinstance(entry["count"], int) or isinstance(entry["count"], bool):
        raise FaultRequestError(f"{where}: count must be a whole number")
    if day is not None and type(day) is not date:
        raise FaultRequestError(f"{where}: date must be YYYY-MM-DD")
    if platform is not None and not isinstance(platform, str):
        raise FaultRequestError(f"{where}: platform must be a platform's code")
    return FaultRequest(str(entry["kind"]), entry["count"], day, platform)


FileKey = tuple[str, str, date]  # (party, file type, custody date)
RowKey = tuple[object, ...]  # the layout's key of a row


@dataclass(frozen=True, slots=True)
class RowEdit:
    """Done to the row with ``key`` before the file is encoded: drop, change (``values``), repeat, or add (``values``)."""

    action: str
    key: RowKey
    values: Row = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LineEdit:
    """Done to a line (1 = header) of the encoded file before it is sealed: cell ``cell`` (0 = first) becomes ``text``."""

    line_no: int
    cell: int
    text: bytes


@dataclass(frozen=True, slots=True)
class CoreEdit:
    """At the core: the flow (account, core_ref) is dropped, given another amount, or added. The balance follows it."""

    action: str
    account: str
    core_ref: str
    amount_minor: int = 0
    flow: CoreFlow | None = None


@dataclass
class FaultPlan:
    """What to spoil where, and the labels that say what the system must find."""

    labels: list[dict[str, Any]] = field(default_factory=list)
    files: dict[FileKey, str] = field(default_factory=dict)
    rows: dict[FileKey, list[RowEdit]] = field(default_factory=dict)
    lines: dict[FileKey, list[LineEdit]] = field(default_factory=dict)
    core: dict[date, list[CoreEdit]] = field(default_factory=dict)


def apply_row_edits(rows: list[Row], key_columns: tuple[str, ...], edits: list[RowEdit]) -> list[Row]:
    """The rows as the faulty party writes them; an added row goes to its place by event time, a repeated one beside the first."""
    out = list(rows)
    for edit in edits:
        if edit.action == "add":
            place = next((i for i, row in enumerate(out) if str(row["event_time"]) > str(edit.values["event_time"])), len(out))
            out.insert(place, edit.values)
            continue
        place = next(i for i, row in enumerate(out) if tuple(row[column] for column in key_columns) == edit.key)
        if edit.action == "drop":
            del out[place]
        elif edit.action == "change":
            out[place] = out[place] | edit.values
        elif edit.action == "repeat":
            out.insert(place, out[place])
        else:
            raise ValueError(f"unknown row edit {edit.action!r}")
    return out


def apply_core_edits(flows: list[CoreFlow], edits: list[CoreEdit]) -> tuple[list[CoreFlow], dict[str, int]]:
    """The flows as the core shows them, and by how much each account's balance departs from the truth (minor units)."""
    out = list(flows)
    shift: dict[str, int] = {}
    for edit in edits:
        if edit.action == "add":
            assert edit.flow is not None
            out.append(edit.flow)
            change = edit.flow.amount_minor
        else:
            place = next(i for i, flow in enumerate(out) if (flow.account, flow.core_ref) == (edit.account, edit.core_ref))
            old = out.pop(place)
            change = -old.amount_minor
            if edit.action == "change":
                changed = CoreFlow(old.account, edit.amount_minor, old.core_ref, old.counterparty, old.narrative, old.booked_at)
                out.insert(place, changed)
                change += edit.amount_minor
            elif edit.action != "drop":
                raise ValueError(f"unknown core edit {edit.action!r}")
        shift[edit.account] = shift.get(edit.account, 0) + change
    return sorted(out, key=lambda flow: (flow.booked_at, flow.core_ref, flow.account)), shift
