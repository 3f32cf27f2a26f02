"""Mandates: what a customer lets be done without his password, and whether an instruction stays within one (domain.md §3).

The limit in total counts what was posted. What a TENDER_CANCEL releases of a tender that a mandate placed is given back to it,
since that money was never lent; what was settled, repaid or paid for a claim stays used, whatever becomes of it later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from custody.calendar import custody_date_of
from custody.instruction import Entry, Instruction, Refusal
from custody.ledger_state import LedgerState, Mandate
from custody.names import BreakKind, MandateScope, Originator, TxnType, sub_account_id
from custody.posting_plan import Planned
from custody.posting_rules import RULES

# The types that each scope lets be done. A recharge or a withdrawal is never made by mandate (§3, Originator).
SCOPES: Mapping[MandateScope, frozenset[TxnType]] = {
    MandateScope.AUTO_TENDER: frozenset({TxnType.TENDER_FREEZE, TxnType.TENDER_CANCEL}),
    MandateScope.AUTO_REPAY: frozenset({TxnType.REPAY_FREEZE}),
    MandateScope.AUTO_ASSIGN: frozenset({TxnType.CREDIT_ASSIGNMENT}),
    MandateScope.ENTRUSTED: frozenset({TxnType.ENTRUSTED_PAYMENT}),
}
# Whose mandate it must be, where it is not the payer's. Of an assignment buyer and seller may each have given one.
_WHOSE: Mapping[TxnType, tuple[str, ...]] = {
    TxnType.TENDER_CANCEL: ("to_account",),
    TxnType.CREDIT_ASSIGNMENT: ("from_account", "to_account"),
}
_PAYERS = ("from_account",)
# Asked of every leg: looking a member up costs more than the question.
_BY_MANDATE, _CANCEL = Originator.MANDATE, TxnType.TENDER_CANCEL


class MandateRegister:
    """The mandates of a ledger's state. An item is a whole request: its legs count together."""

    types = frozenset({t for (t, _), rule in RULES.items() if Originator.MANDATE in rule.originators})

    def __init__(self, state: LedgerState) -> None:
        self._state = state
        # What each request has used of its mandate.
        self._items: dict[tuple[str, str], int] = {}

    def check(self, instruction: Instruction, moves: Sequence[Planned]) -> Refusal | None:
        """Why the mandate that the instruction names does not cover it; None when it does, or none is named."""
        if instruction.originator is not _BY_MANDATE:
            return None
        mandate = self._state.mandates.get((instruction.platform, instruction.authorisation_id))
        named: dict[str, object] = {"mandate": instruction.authorisation_id}
        if mandate is None:
            return Refusal(BreakKind.MANDATE, "unknown_mandate", named, True)
        whose = _WHOSE.get(instruction.txn_type, _PAYERS)
        if mandate.holder not in (getattr(instruction, name) for name in whose):
            figures = named | {"holder": mandate.holder, "account": getattr(instruction, whose[0])}
            return Refusal(BreakKind.MANDATE, "mandate_of_another", figures, False)
        if instruction.txn_type not in SCOPES[MandateScope(mandate.scope)]:
            figures = named | {"scope": mandate.scope, "txn_type": str(instruction.txn_type)}
            return Refusal(BreakKind.MANDATE, "mandate_scope", figures, False)
        return _check_time(mandate, instruction, named) or self._check_limits(mandate, instruction, named)

    def change(self, entry: Entry, claim_id: str | None) -> None:
        """What was checked is used."""
        instruction = entry.instruction
        if instruction.txn_type is _CANCEL:
            hold = self._state.holds[instruction.platform, str(instruction.related_request_no)]
            if hold.mandate_id is not None:
                self._use(instruction.platform, hold.mandate_id, -instruction.amount_minor)
        elif instruction.originator is _BY_MANDATE:
            request = (instruction.platform, instruction.request_no)
            self._items[request] = self._items.get(request, 0) + instruction.amount_minor
            self._use(instruction.platform, instruction.authorisation_id, instruction.amount_minor)

    def check_undo(self, original: Instruction) -> Refusal | None:
        """What was used can always be given back."""
        return None

    def undo(self, original: Instruction) -> None:
        """What it used of its mandate is there again; what a cancellation gave back is used again."""
        if original.txn_type is _CANCEL:
            hold = self._state.holds[original.platform, str(original.related_request_no)]
            if hold.mandate_id is not None:
                self._use(original.platform, hold.mandate_id, original.amount_minor)
        elif original.originator is _BY_MANDATE:
            self._use(original.platform, original.authorisation_id, -original.amount_minor)

    def _check_limits(self, mandate: Mandate, instruction: Instruction, named: dict[str, object]) -> Refusal | None:
        """A cancellation uses nothing up."""
        if instruction.txn_type == TxnType.TENDER_CANCEL:
            return None
        item = self._items.get((instruction.platform, instruction.request_no), 0) + instruction.amount_minor
        if item > mandate.item_limit_minor:
            figures = named | {"amount": item, "limit": mandate.item_limit_minor}
            return Refusal(BreakKind.LIMIT, "mandate_item_limit", figures, False)
        if mandate.used_minor + instruction.amount_minor > mandate.total_limit_minor:
            figures = named | {"amount": instruction.amount_minor, "used": mandate.used_minor, "limit": mandate.total_limit_minor}
            return Refusal(BreakKind.LIMIT, "mandate_total_limit", figures, False)
        return None

    def _use(self, platform: str, mandate_id: str, amount_minor: int) -> None:
        mandate = self._state.mandates[platform, mandate_id]
        self._state.mandates[platform, mandate_id] = mandate._replace(used_minor=mandate.used_minor + amount_minor)


def enter_mandates(state: LedgerState, landed: Iterable[Mapping[str, Any]]) -> None:
    """Grants and revocations of a day (rows of land_mandate) enter the register, in order of event time.

    A mandate keeps the terms of its first grant: granting it again changes nothing. A revocation of one that was never seen is
    kept as a mandate that never held.
    """
    for row in sorted(landed, key=lambda r: (r["event_time"], r["action"], r["file_name"], r["line_no"])):
        key = (row["platform"], row["mandate_id"])
        revoked_at: datetime | None = row["event_time"] if row["action"] == "REVOKE" else None
        known = state.mandates.get(key)
        if known is None:
            state.mandates[key] = Mandate(
                platform=row["platform"],
                mandate_id=row["mandate_id"],
                holder=sub_account_id(row["platform"], row["role"], row["user_no"]),
                scope=row["scope"],
                item_limit_minor=row["item_limit_minor"],
                total_limit_minor=row["total_limit_minor"],
                used_minor=0,
                expires_on=row["expires_on"],
                granted_at=row["event_time"],
                revoked_at=revoked_at,
            )
        elif revoked_at is not None and known.revoked_at is None:
            state.mandates[key] = known._replace(revoked_at=revoked_at)


def _check_time(mandate: Mandate, instruction: Instruction, named: dict[str, object]) -> Refusal | None:
    """It holds from its grant to its revocation, and to the end of the day on which it expires."""
    at = instruction.event_time
    if at < mandate.granted_at:
        figures = named | {"granted_at": mandate.granted_at.isoformat()}
        return Refusal(BreakKind.MANDATE, "mandate_not_yet", figures, False)
    if mandate.revoked_at is not None and at >= mandate.revoked_at:
        figures = named | {"revoked_at": mandate.revoked_at.isoformat()}
        return Refusal(BreakKind.MANDATE, "mandate_revoked", figures, False)
    if custody_date_of(at) > mandate.expires_on:
        figures = named | {"expires_on": mandate.expires_on.isoformat()}
        return Refusal(BreakKind.MANDATE, "mandate_expired", figures, False)
    return None
