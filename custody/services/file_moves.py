"""The one way in which a content or a promise of the register of files changes its state: by a step that custody.file_life knows,
with an event that says when, by whom and why. History is appended to, never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from custody.digest import canonical_json
from custody.file_life import CONTENT, PROMISE, check_step
from custody.ports import RegisterTx, Row


@dataclass(frozen=True)
class Happening:
    """Who makes something happen, when (a moment as text), and by which of the seals, if it was one."""

    actor: str
    at: str
    seal: str | None = None


def event_row(of: Happening, name: str, sha256: str, event: str, rule: str, figures: Mapping[str, object]) -> Row:
    """A row of ``file_event``. ``rule`` names the words that explain it (custody.texts)."""
    details: dict[str, object] = {"rule": rule, "figures": dict(figures)}
    if of.seal is not None:
        details["seal"] = of.seal
    return {
        "file_name": name, "sha256": sha256, "event": event, "details": canonical_json(details), "at": of.at, "actor": of.actor,
    }  # fmt: skip


def move_content(
    tx: RegisterTx, of: Happening, row: Mapping[str, object], state: str, rule: str, figures: Mapping[str, object],
    values: Mapping[str, object],
) -> None:  # fmt: skip
    """A content that stands takes another state, and ``values`` with it. Raises StopRun for a step that cannot be."""
    name, sha256 = str(row["file_name"]), str(row["sha256"])
    check_step(CONTENT, str(row["state"]), state, name)
    tx.update("file", {"file_name": name, "sha256": sha256}, {**values, "state": state})
    tx.insert("file_event", event_row(of, name, sha256, state, rule, figures))


def promise_name(row: Mapping[str, object]) -> str:
    """What the history calls a promise: the name of its file without a version, ``P001_TXN_20191230_01``."""
    day = str(row["custody_date"]).replace("-", "")
    return f"{row['party']}_{row['file_type']}_{day}_{int(str(row['batch'])):02d}"


def move_promise(
    tx: RegisterTx, of: Happening, row: Row, state: str, rule: str, figures: Mapping[str, object], values: Mapping[str, object]
) -> None:
    """The same of a promise; ``row`` is made to say what the register then says."""
    name = promise_name(row)
    check_step(PROMISE, row["state"], state, name)
    row.update({**values, "state": state})
    key = {column: row[column] for column in ("party", "file_type", "custody_date", "batch")}
    tx.update("expected_file", key, {**values, "state": state})
    tx.insert("file_event", event_row(of, name, row["sha256"] or "", state, rule, figures))
