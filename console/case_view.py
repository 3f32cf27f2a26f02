"""One case as a person sees it, on a screen or a page: user numbers masked, amounts in yuan, both languages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from connectors.bootstrap import Wiring
from custody.calendar import CHINA
from custody.case_evidence import Line, Sheet, side_by_side
from custody.case_life import CaseEvent
from custody.case_links import followed
from custody.case_words import (
    Words,
    closed_words,
    column_words,
    detail_words,
    event_words,
    field_words,
    is_amount,
    kind_words,
)
from custody.causes import cause_words
from custody.errors import UsageError
from custody.masking import mask_user_numbers
from custody.money import grouped_amount, parse_amount
from custody.ports import RegisterTx, Row
from custody.services.case_desk import age_days, is_overdue, standing_on
from custody.services.case_history import HistoryLine, history_of
from custody.services.cases import KINDS, case, not_posted
from custody.services.outputs import latest_seal
from custody.texts import RULES as TEXTS
from custody.txn_words import TXN_TYPES


@dataclass(frozen=True)
class Told:
    """A line of the history in words. ``day``: a custody date, else the time at which a person did it."""

    day: str
    actor: str
    what: Words
    detail: str
    note: str


@dataclass(frozen=True)
class CaseView:
    row: Row
    sheet: Sheet
    history: tuple[Told, ...]
    # Proposals about it, the newest first.
    proposals: tuple[Row, ...]
    # Approved adjusting entries that wait to be posted, by proposal.
    not_posted: tuple[str, ...]
    on: date | None

    @property
    def kind(self) -> Words:
        return kind_words(self.row["kind"])

    @property
    def subject(self) -> str:
        return mask_user_numbers(self.row["subject"])

    @property
    def age_days(self) -> int:
        return age_days(self.row, self.on)

    @property
    def is_overdue(self) -> bool:
        return is_overdue(self.row, self.on)

    @property
    def ended(self) -> Words | None:
        return closed_words(self.row["closed_by"])

    @property
    def cause(self) -> Words | None:
        """What happened; of a refusal the rule's own words stand in the evidence."""
        told = cause_words(self.row["cause"])
        if told is not None:
            return _masked(told[0])
        return ("refused by the ledger's rule " + self.row["cause"], "账簿规则拒绝") if self.row["cause"] in TEXTS else None

    @property
    def follows(self) -> tuple[str, ...]:
        """The cases that this one ends with."""
        return followed(self.row["cause"])

    @property
    def columns(self) -> tuple[Words, ...]:
        """What stands above each column of the evidence."""
        return column_words(self.row["subject"], [column.side for column in self.sheet.columns])

    @property
    def next_step(self) -> Words | None:
        told = cause_words(self.row["cause"])
        return told[1] if told else None

    @property
    def disputes(self) -> list[Told]:
        """What the platform disputes of the rows that the case is about."""
        return [told for told in self.history if told.what == event_words(CaseEvent.DISPUTED)]

    @property
    def waiting(self) -> list[Row]:
        return [row for row in self.proposals if row["state"] == "PROPOSED"]


def view_case(tx: RegisterTx, case_id: str) -> CaseView:
    """Raises UsageError when there is no such case."""
    row = case(tx, case_id)
    proposals = tx.find("proposal", ("proposed_at", "proposal_id"), kind=list(KINDS), subject=case_id)
    history = tuple(_told(line) for line in history_of(tx, case_id))
    return CaseView(
        row,
        side_by_side(json.loads(row["evidence"])),
        history,
        tuple(reversed(proposals)),
        tuple(not_posted(tx, case_id)),
        standing_on(tx),
    )


def suggestions_for(wiring: Wiring, row: Row) -> list[Row]:
    """Rows of the other side that may be the same movement: for a person only, nothing matches by them."""
    with wiring.register.transaction() as tx:
        on = standing_on(tx)
        seal = latest_seal(tx, on, "reconcile") if on else None
    if seal is None or "suggestions" not in wiring.lake.manifest(seal.path).tables:
        return []
    about = (row["platform"], row["subject"])
    found = wiring.lake.rows(seal.path, "suggestions")
    return [s for s in found if about in ((s["platform"], s["left_subject"]), (s["platform"], s["right_subject"]))]


def line_words(line: Line) -> Words:
    return field_words(line.field)


def cell(field: str, value: Any) -> str:
    """A cell of the evidence: amounts in yuan, user numbers masked, nothing as a dash."""
    if value is None:
        return "–"
    if is_amount(field) and isinstance(value, int):
        return yuan(value)
    if field == "event_time":
        return str(value)[:19].replace("T", " ")
    if field == "txn_type" and value in TXN_TYPES:
        return f"{value} {TXN_TYPES[value]}"
    return mask_user_numbers(str(value))


def yuan(minor: int) -> str:
    return grouped_amount(minor, "CNY")


def yuan_of(text: str) -> int:
    """What a person wrote as an amount. Raises UsageError."""
    try:
        return parse_amount(text)
    except ValueError as why:
        raise UsageError(f"{text!r} is no amount in yuan: {why}") from None


def as_plain(view: CaseView) -> Mapping[str, Any]:
    """For --json: the row as it stands in the register, its evidence apart, and its history."""
    return {
        **view.row,
        "evidence": json.loads(view.row["evidence"]),
        "differs": [line.field for line in view.sheet.lines if line.differs],
        "age_days": view.age_days,
        "overdue": view.is_overdue,
        "disputed": [told.detail for told in view.disputes],
        "history": [
            {"day": told.day, "actor": told.actor, "event": told.what[0], "detail": told.detail, "note": told.note}
            for told in view.history
        ],
    }


def _told(line: HistoryLine) -> Told:
    day = line.on.isoformat() if line.on else f"{datetime.fromisoformat(line.at).astimezone(CHINA):%Y-%m-%d %H:%M}"
    detail = mask_user_numbers(detail_words(line.event, line.details))
    return Told(day, line.actor, event_words(line.event), detail, line.note)


def _masked(words: Words) -> Words:
    return mask_user_numbers(words[0]), mask_user_numbers(words[1])
