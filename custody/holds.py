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


def _key(instruction: Instruction, rule: HoldRule) -> tuple[str, str]:
    request = instruction.request_no if rule.effect == HoldEffect.PLACE else str(instruction.related_request_no)
    return instruction.platform, request + rule.suffix
