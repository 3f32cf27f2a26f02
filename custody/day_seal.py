"""What the bank signs of a closed custody day (design.md §4.5): its root, yesterday's, and how far the register's journals went.

The root is the same whenever the day is run; this statement is of the run, as the register is. It binds the audit chain up to the
close, and of the register's other journals, which are not chained themselves, what came since the last statement: so who rewrites
the register, hashes and all, contradicts a signature.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

from custody.digest import canonical_json, row_hash

FORMAT = "day-root/1"
STATE_FORMAT = "register-state/1"
# What `ssh-keygen -Y verify` is told: a signature made for another purpose says nothing here.
NAMESPACE = "custody-day-root"
SIGNER = "custodian-bank"
# Journals to which rows are only ever added, by their numbers; of a happening of an alert, whether somebody was told is no part of it.
JOURNALS: Mapping[str, frozenset[str]] = {
    "file_event": frozenset(),
    "case_event": frozenset(),
    "alert_event": frozenset({"told"}),
}
# Rows behind one digest: so near is what was changed in a journal located.
BLOCK_ROWS = 256
# Characters of a master row's digest: 128 bits.
_PRINT = 32
# Tables of what holds for people, organisations, days, rules and charges: a row is changed by a deed that stands in the audit chain under
# this subject, made of the row's columns; of a charge, what was charged and not what came of it.
MASTERS: Mapping[str, tuple[str, ...]] = {
    "person": ("person_id",),
    "party": ("party",),
    "party_status": ("party",),
    "party_contract": ("party",),
    "party_key": ("party",),
    # Who is called of a party, and how its samples were taken.
    "party_contact": ("party",),
    "acceptance_test": ("party",),
    # Decided as tables of days: whoever approves one may change any day.
    "holiday": (),
    "adopted_rule": ("rule_id", "version"),
    "fee_charge": ("charge_no",),
    # A try is sent with its file; what the core answered comes from sealed postings.
    "fee_attempt": ("file_name",),
}
_CHANGES: Mapping[str, frozenset[str]] = {
    "fee_charge": frozenset({"state", "collected_minor", "set_off_minor", "written_off_minor", "attempts", "next_try_on"}),
    "fee_attempt": frozenset({"answered_on", "collected_minor"}),
}
_DEEDS: Mapping[str, str] = {"holiday": "calendar.approve"}
_FIELDS = {"format", "bank", "custody_date", "version", "root", "yesterday", "audit", "register"}


@dataclass(frozen=True)
class JournalPart:
    """The rows of a journal from number ``first`` to ``last`` (none where last < first): digests over their hashes, a block each."""

    first: int
    last: int
    columns: tuple[str, ...]
    blocks: tuple[str, ...]


@dataclass(frozen=True)
class MasterRows:
    """A master table as it stood: the digest of each row over ``columns``, by its subject in the audit chain and its key."""

    columns: tuple[str, ...]
    digests: Mapping[str, str]


@dataclass(frozen=True)
class RegisterState:
    """How far the journals went and what the master tables held when a day was closed. It names people and organisations, so it stays in
    the bank: the statement has its digest."""

    journals: Mapping[str, JournalPart]
    masters: Mapping[str, MasterRows]

    def text(self) -> bytes:
        """JSON with one spelling, ending in a line feed."""
        body = {
            "format": STATE_FORMAT,
            "journals": {
                table: {"first": p.first, "last": p.last, "columns": list(p.columns), "blocks": list(p.blocks)}
                for table, p in self.journals.items()
            },
            "masters": {table: {"columns": list(m.columns), "rows": dict(m.digests)} for table, m in self.masters.items()},
        }
        return (canonical_json(body) + "\n").encode()


@dataclass(frozen=True)
class DayStatement:
    """What is signed. ``root`` is the digest of the day's close, ``yesterday_root`` that of the close before it (zeros on the first date);
    ``audit_no`` and ``audit_hash`` are the audit event of the close's commit; ``register`` is the SHA-256 of the register's state."""

    bank: str
    custody_date: date
    version: int
    root: str
    yesterday_version: int
    yesterday_root: str
    audit_no: int
    audit_hash: str
    register: str

    @property
    def name(self) -> str:
        return f"{self.custody_date.isoformat()}_v{self.version}"

    def text(self) -> bytes:
        """The bytes that are signed: JSON with one spelling, ending in a line feed."""
        body = {
            "format": FORMAT,
            "bank": self.bank,
            "custody_date": self.custody_date.isoformat(),
            "version": self.version,
            "root": self.root,
            "yesterday": {"version": self.yesterday_version, "root": self.yesterday_root},
            "audit": {"event_no": self.audit_no, "hash": self.audit_hash},
            "register": self.register,
        }
        return (canonical_json(body) + "\n").encode()


@dataclass(frozen=True)
class SignedDay:
    """``state`` is None where it was lost or is another than the one that was signed."""

    said: DayStatement
    state: RegisterState | None


def read_statement(text: bytes) -> DayStatement:
    """Raises ValueError for what is not a statement as ``text`` spells one."""
    body = _object(text, FORMAT, _FIELDS)
    try:
        found = DayStatement(
            body["bank"],
            date.fromisoformat(body["custody_date"]),
            body["version"],
            body["root"],
            body["yesterday"]["version"],
            body["yesterday"]["root"],
            body["audit"]["event_no"],
            body["audit"]["hash"],
            body["register"],
        )
    except (TypeError, LookupError, AttributeError) as error:
        raise ValueError(f"a field has another form: {error}") from error
    if found.text() != text:
        raise ValueError("it is spelled in another way")
    return found


def read_state(text: bytes) -> RegisterState:
    """Raises ValueError for what is not the register's state as ``text`` spells one."""
    body = _object(text, STATE_FORMAT, {"format", "journals", "masters"})
    try:
        return RegisterState(
            {
                table: JournalPart(p["first"], p["last"], tuple(p["columns"]), tuple(p["blocks"]))
                for table, p in body["journals"].items()
            },
            {table: MasterRows(tuple(m["columns"]), m["rows"]) for table, m in body["masters"].items()},
        )
    except (TypeError, LookupError, AttributeError) as error:
        raise ValueError(f"a field has another form: {error}") from error


def _object(text: bytes, format_: str, fields: set[str]) -> dict[str, Any]:
    body = json.loads(text)
    if not isinstance(body, dict) or set(body) != fields or body["format"] != format_:
        raise ValueError("its fields or its format are others")
    return body


def journal_part(first: int, rows: Sequence[Mapping[str, object]], number: str, left_out: frozenset[str]) -> JournalPart:
    """Of a journal the rows from number ``first`` on, in the order of their numbers."""
    if not rows:
        return JournalPart(first, first - 1, (), ())
    columns = tuple(sorted(set(rows[0]) - left_out))
    return JournalPart(first, int(str(rows[-1][number])), columns, block_digests(rows, columns))


def block_digests(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> tuple[str, ...]:
    """SHA-256 over the row hashes of each ``BLOCK_ROWS`` rows, in order."""
    hashes = [row_hash(row[name] for name in columns) for row in rows]
    blocks = (hashes[at : at + BLOCK_ROWS] for at in range(0, len(hashes), BLOCK_ROWS))
    return tuple(hashlib.sha256(b"".join(block)).hexdigest() for block in blocks)


def master_rows(table: str, key: Sequence[str], rows: Sequence[Mapping[str, object]], columns: Sequence[str] = ()) -> MasterRows:
    """A master table's rows by subject and key; over all its columns but those that need no deed, unless ``columns`` are given."""
    chosen = tuple(columns) or tuple(sorted(set(rows[0]) - _CHANGES.get(table, frozenset()))) if rows else tuple(columns)
    digests = {}
    for row in rows:
        rest = [str(row[name]) for name in key if name not in MASTERS[table]]
        digests["|".join([_subject(table, row), *rest])] = row_hash(row[name] for name in chosen).hex()[:_PRINT]
    return MasterRows(chosen, digests)


def _subject(table: str, row: Mapping[str, object]) -> str:
    return _DEEDS.get(table) or "/".join(str(row[name]) for name in MASTERS[table])


def statement_faults(
    days: Sequence[SignedDay],
    closes: Sequence[Mapping[str, object]],
    events: Mapping[int, Mapping[str, object]],
    bank: str,
) -> list[str]:
    """Whether each committed close is signed, and each statement says what is committed and where the audit chain has it.

    ``days`` in the order of their audit events; ``closes``: step_output rows of the step close; ``events`` by number.
    """
    wrong: list[str] = []
    signed = {(day.said.custody_date, day.said.version): day.said for day in days}
    committed = {(row["custody_date"], row["version"]): str(row["manifest_digest"]) for row in closes}
    for on, version in sorted(set(committed) - set(signed), key=str):
        wrong.append(f"day {on} v{version} is closed, and no signed statement of its root is kept")
    for (on, version), said in signed.items():
        place = f"the signed statement of {on} v{version}"
        if (on, version) not in committed:
            wrong.append(f"{place}: the register has no such close: the day was deleted or the register is an older one")
        elif committed[on, version] != said.root:
            wrong.append(f"{place} has root {said.root[:16]}, the register has {committed[on, version][:16]}")
        event = events.get(said.audit_no)
        if event is None:
            wrong.append(
                f"{place} was made at audit event {said.audit_no}: the chain ends at {max(events, default=0)}, its end was cut off"
            )
        elif event["hash"] != said.audit_hash:
            wrong.append(f"{place} has another hash for audit event {said.audit_no} than the chain: the chain was rewritten")
        if said.bank != bank:
            wrong.append(f"{place} is of {said.bank!r}")
    return wrong


def master_faults(table: str, states: Sequence[tuple[int, str, MasterRows]], subjects: Mapping[str, Sequence[int]]) -> list[str]:
    """Whether what changed in a master table from one state to the next was done by somebody.

    ``states``: up to which audit event, in words when, and the rows, the last one being what stands now; ``subjects``: the numbers of
    the audit events about each subject, and of each deed, in order.
    """
    wrong: list[str] = []
    for (after, _, old), (until, when, new) in pairwise(states):
        if old.columns and new.columns and old.columns != new.columns:
            # The program's tables changed between the two: their digests say nothing of each other.
            continue
        for key in sorted(set(old.digests) | set(new.digests)):
            if old.digests.get(key) == new.digests.get(key):
                continue
            about = subjects.get(key.partition("|")[0], ())
            if bisect_right(about, until) == bisect_right(about, after):
                what = "was added" if key not in old.digests else "was removed" if key not in new.digests else "was changed"
                wrong.append(f"{table} {key} {what} {when}: no audit event tells of it")
    return wrong


def journal_faults(table: str, rows: Mapping[int, Mapping[str, object]], days: Sequence[SignedDay]) -> list[str]:
    """Whether a journal's rows are those that were signed, window by window, each row in one window."""
    wrong: list[str] = []
    expected = 1
    for day in days:
        part = day.state.journals.get(table) if day.state is not None else None
        if part is None:
            continue
        if part.first > expected:
            wrong.append(f"{table} {expected} to {part.first - 1}: no signed statement that is kept has them")
        expected = part.last + 1
        for at, digest in enumerate(part.blocks):
            first = part.first + at * BLOCK_ROWS
            last = min(first + BLOCK_ROWS - 1, part.last)
            block = [rows[n] for n in range(first, last + 1) if n in rows]
            lost = [n for n in range(first, last + 1) if n not in rows]
            if lost:
                wrong.append(f"{table} {lost[0]} ({len(lost)} rows): signed with {day.said.custody_date}, and no longer there")
            elif set(part.columns) - set(block[0]) or block_digests(block, part.columns) != (digest,):
                wrong.append(f"{table} {first} to {last}: a row is not as it was signed with {day.said.custody_date}")
    return wrong
