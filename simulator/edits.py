"""What a plan of faults changes, and the edits as pure functions: of rows, of bytes of lines, of the core's flows and balances."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from simulator.movement import CoreBalance, CoreFlow, EFlow, EKey, Row

FileKey = tuple[str, str, date]  # (party, file type, custody date)
SetKey = tuple[str, date]  # (party, custody date): all that one party sends for a date
RowKey = tuple[object, ...]  # the layout's key of a row


@dataclass(frozen=True, slots=True)
class RowEdit:
    """Done to the row with ``key`` before the file is encoded: drop, change (to ``values``), shift (by ``values``, whole
    numbers), repeat, or add (``values``: the whole row). ``platform``: whose books it is about, which the plan fills in."""

    action: str
    key: RowKey
    values: Row = field(default_factory=dict)
    platform: str = ""


@dataclass(frozen=True, slots=True)
class LineEdit:
    """Done to a line (1 = header) of the encoded file before it is sealed: cell ``cell`` (0 = first) becomes ``text``."""

    line_no: int
    cell: int
    text: bytes


@dataclass(frozen=True, slots=True)
class CoreEdit:
    """At the core: the flow (account, core_ref) is dropped, given another amount or currency, or added; a balance follows
    its flows. ``opening`` and ``closing`` shift what the balance of that one date says, without any flow."""

    action: str
    account: str
    core_ref: str = ""
    amount_minor: int = 0
    flow: CoreFlow | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class EEdit:
    """Done to the row ``key`` of a platform's e-accounts at the core: drop, change (to ``values``), repeat, add (``flow``). Balances
    follow, but where ``values`` shift what one row says of the balance after it (``after_minor``). ``silent``: the core shows
    no e-account of the platform on that date, and the rows a day later."""

    action: str
    platform: str
    key: EKey = ("", 0, "")
    values: Mapping[str, Any] = field(default_factory=dict)
    flow: EFlow | None = None
    after_minor: int = 0


@dataclass
class FaultPlan:
    """What to spoil where, and the labels that say what the system must find."""

    labels: list[dict[str, Any]] = field(default_factory=list)
    files: dict[FileKey, str] = field(default_factory=dict)
    sets: dict[SetKey, str] = field(default_factory=dict)
    rows: dict[FileKey, list[RowEdit]] = field(default_factory=dict)
    lines: dict[FileKey, list[LineEdit]] = field(default_factory=dict)
    core: dict[date, list[CoreEdit]] = field(default_factory=dict)
    e_core: dict[date, list[EEdit]] = field(default_factory=dict)

    def rows_about(self, file: FileKey, platforms: Container[str]) -> list[RowEdit]:
        """Edits of the part of a file that is about these platforms: a channel's or the gateway's file may come in batches."""
        return [edit for edit in self.rows.get(file, []) if edit.platform in platforms]


def apply_row_edits(rows: list[Row], key_columns: tuple[str, ...], edits: list[RowEdit]) -> list[Row]:
    """The rows as the faulty party writes them; an added row goes to its place by event time where rows have one (else to
    the end), a repeated one beside the first."""
    out = list(rows)
    for edit in edits:
        if edit.action == "add":
            out.insert(_place_of_new(out, edit.values), edit.values)
            continue
        place = next(i for i, row in enumerate(out) if tuple(row[column] for column in key_columns) == edit.key)
        if edit.action == "drop":
            del out[place]
        elif edit.action == "change":
            out[place] = out[place] | edit.values
        elif edit.action == "shift":
            out[place] = out[place] | {name: _sum(out[place][name], by) for name, by in edit.values.items()}
        elif edit.action == "repeat":
            out.insert(place, out[place])
        else:
            raise ValueError(f"unknown row edit {edit.action!r}")
    return out


def _place_of_new(rows: list[Row], new: Row) -> int:
    if "event_time" not in new:
        return len(rows)
    return next((i for i, row in enumerate(rows) if str(row["event_time"]) > str(new["event_time"])), len(rows))


def _sum(value: object, by: object) -> int:
    assert isinstance(value, int) and isinstance(by, int)
    return value + by


def apply_line_edits(data: bytes, delimiter: str, edits: list[LineEdit]) -> bytes:
    """The file with those cells' bytes replaced. No GB18030 character of our texts holds the delimiter's byte: "," < 0x30."""
    if not edits:
        return data
    lines = data.split(b"\n")
    for edit in edits:
        cells = lines[edit.line_no - 1].split(delimiter.encode())
        cells[edit.cell] = edit.text
        lines[edit.line_no - 1] = delimiter.encode().join(cells)
    return b"\n".join(lines)


@dataclass(frozen=True, slots=True)
class BookedFlow:
    """A flow as the core shows it; its currency is another than the world's only by a fault."""

    flow: CoreFlow
    currency: str | None = None


def apply_core_edits(flows: list[CoreFlow], edits: list[CoreEdit]) -> tuple[list[BookedFlow], dict[str, int]]:
    """The flows as the core shows them, and by how much each account's balance departs from the truth (minor units)."""
    out = [BookedFlow(flow) for flow in flows]
    shift: dict[str, int] = {}
    for edit in edits:
        if edit.action in ("opening", "closing"):
            continue
        if edit.action == "add":
            assert edit.flow is not None
            out.append(BookedFlow(edit.flow))
            change = edit.flow.amount_minor
        else:
            place = next(i for i, b in enumerate(out) if (b.flow.account, b.flow.core_ref) == (edit.account, edit.core_ref))
            old = out.pop(place)
            change = -old.flow.amount_minor
            if edit.action == "change":
                changed = replace(old.flow, amount_minor=edit.amount_minor)
                out.insert(place, BookedFlow(changed, edit.currency))
                change += edit.amount_minor
            elif edit.action != "drop":
                raise ValueError(f"unknown core edit {edit.action!r}")
        shift[edit.account] = shift.get(edit.account, 0) + change
    return sorted(out, key=lambda b: (b.flow.booked_at, b.flow.core_ref, b.flow.account)), shift


def shown_balance(balance: CoreBalance, before: int, after: int, edits: list[CoreEdit]) -> CoreBalance:
    """The balance as the core shows it: shifted by what its flows depart by before and after the date, and by edits of its own."""
    own: Mapping[str, int] = {
        action: sum(e.amount_minor for e in edits if (e.action, e.account) == (action, balance.account))
        for action in ("opening", "closing")
    }
    opening, closing = balance.opening_minor + before + own["opening"], balance.closing_minor + after + own["closing"]
    return CoreBalance(balance.account, opening, closing)


@dataclass(frozen=True, slots=True)
class BookedPosting:
    """A row of an e-account as the core shows it. ``off_minor``: by how much its balance after is wrong."""

    flow: EFlow
    off_minor: int = 0


def apply_e_edits(flows: list[EFlow], edits: list[EEdit]) -> tuple[list[BookedPosting], dict[str, int]]:
    """As apply_core_edits, for rows of e-accounts."""
    out = [BookedPosting(flow) for flow in flows]
    shift: dict[str, int] = {}

    def moved(flow: EFlow, sign: int) -> None:
        shift[flow.account] = shift.get(flow.account, 0) + sign * flow.signed_minor

    for edit in edits:
        if edit.action == "add":
            assert edit.flow is not None
            out.append(BookedPosting(edit.flow))
            moved(edit.flow, 1)
            continue
        place = next(i for i, booked in enumerate(out) if booked.flow.key == edit.key)
        old = out[place].flow
        if edit.action == "drop":
            del out[place]
            moved(old, -1)
        elif edit.action == "repeat":
            out.insert(place, out[place])
            moved(old, 1)
        elif edit.action == "change":
            new = replace(old, **edit.values)
            out[place] = BookedPosting(new, edit.after_minor)
            moved(old, -1)
            moved(new, 1)
        else:
            raise ValueError(f"unknown edit of an e-account {edit.action!r}")
    return sorted(out, key=lambda b: (b.flow.booked_at, b.flow.key, b.flow.account)), shift
