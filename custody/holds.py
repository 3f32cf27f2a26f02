"""Open holds: frozen money is always the sum of them, each named by the request that placed it (domain.md §2)."""

from __future__ import annotations

from custody.instruction import Instruction, Refusal
from custody.ledger_state import Hold, LedgerState
from custody.names import BreakKind, Originator
from custody.posting_rules import HoldEffect, HoldRule


def check_hold(state: LedgerState, instruction: Instruction, rule: HoldRule, owner: str, amount_minor: int) -> Refusal | None:
    """Whether the instruction may place, take or release ``amount_minor`` of ``owner``'s; None when it may."""
    key = _key(instruction, rule)
    hold = state.holds.get(key)
    figures: dict[str, object]
    if rule.effect == HoldEffect.PLACE:
        # A hold is named by its request: a second leg under the same name would be a second hold nobody can tell apart.
        return Refusal(BreakKind.HOLD, "hold_exists", {"hold": key[1]}, False) if hold else None
    if hold is None or hold.account != owner or hold.kind != rule.kind:
        return Refusal(BreakKind.HOLD, "unknown_hold", {"hold": key[1], "account": owner}, True)
    if instruction.loan_id != hold.loan_id and rule.effect == HoldEffect.TAKE:
        # Money frozen for one loan settles that loan and no other (domain.md §4.4).
        figures = {"hold": hold.hold_id, "purpose": hold.loan_id, "loan": instruction.loan_id}
        return Refusal(BreakKind.HOLD, "hold_purpose", figures, False)
    if amount_minor > hold.amount_minor:
        figures = {"hold": hold.hold_id, "open": hold.amount_minor, "needed": amount_minor}
        return Refusal(BreakKind.HOLD, "hold_amount", figures, False)
    return None


def change_hold(state: LedgerState, instruction: Instruction, rule: HoldRule, owner: str, amount_minor: int) -> None:
    """What was checked, done: a hold of which nothing is left is gone."""
    key = _key(instruction, rule)
    if rule.effect == HoldEffect.PLACE:
        state.holds[key] = Hold(
            instruction.platform,
            key[1],
            owner,
            rule.kind,
            instruction.loan_id,
            amount_minor,
            instruction.value_date,
            instruction.authorisation_id if instruction.originator is Originator.MANDATE else None,
        )
        return
    hold = state.holds[key]
    left = hold.amount_minor - amount_minor
    if left:
        state.holds[key] = hold._replace(amount_minor=left)
    else:
        del state.holds[key]


def check_undone(state: LedgerState, original: Instruction, rule: HoldRule, owner: str, amount_minor: int) -> Refusal | None:
    """Whether what an instruction did to a hold can be taken back: what it placed must be there still; what it took or released must
    have a purpose by which it can be frozen again."""
    key = _key(original, rule)
    hold = state.holds.get(key)
    figures: dict[str, object] = {"hold": key[1], "account": owner}
    if rule.effect == HoldEffect.PLACE:
        open_minor = 0 if hold is None or hold.account != owner else hold.amount_minor
        if open_minor >= amount_minor:
            return None
        return Refusal(BreakKind.HOLD, "reversal_hold_used", figures | {"open": open_minor, "needed": amount_minor}, False)
    if rule.effect == HoldEffect.TAKE or hold is not None:
        return None
    # Neither loan nor mandate of what was released stands anywhere any more.
    return Refusal(BreakKind.HOLD, "reversal_hold_gone", figures, False)


def undo_hold(state: LedgerState, original: Instruction, rule: HoldRule, owner: str, amount_minor: int) -> None:
    """What was checked, done. Money that is frozen again is so since the date on which it had been taken."""
    key = _key(original, rule)
    hold = state.holds.get(key)
    if rule.effect != HoldEffect.PLACE:
        if hold is None:
            hold = Hold(original.platform, key[1], owner, rule.kind, original.loan_id, 0, original.value_date)
        state.holds[key] = hold._replace(amount_minor=hold.amount_minor + amount_minor)
        return
    assert hold is not None
    left = hold.amount_minor - amount_minor
    if left:
        state.holds[key] = hold._replace(amount_minor=left)
    else:
        del state.holds[key]


def _key(instruction: Instruction, rule: HoldRule) -> tuple[str, str]:
    request = instruction.request_no if rule.effect == HoldEffect.PLACE else str(instruction.related_request_no)
    return instruction.platform, request + rule.suffix
