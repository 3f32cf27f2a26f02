"""The posting rules made ready for millions of legs: each template is read once, each field found by its place."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from string import Formatter
from typing import Any, NamedTuple

from custody.instruction import Instruction
from custody.names import Book, TxnType, available
from custody.posting_rules import RULES, VARIANTS, HoldRule, Part, PostingRule

Text = Callable[[Instruction], str]
Minor = Callable[[Instruction], int]
# book, from account, to account, amount: a move that has not been made.
Planned = tuple[Book, str, str, int]
# rule, owner, amount
PlannedHold = tuple[HoldRule, str, int]

_PLACES = {name: place for place, name in enumerate(Instruction._fields)}


class Plan(NamedTuple):
    """One rule. ``asks``: place and name of the fields that must be filled; ``sides``: place and name of the accounts that the
    rule looks at, with the kinds that they may be; ``core``: gives what the core's flow quotes."""

    rule: PostingRule
    asks: tuple[tuple[int, str], ...]
    sides: tuple[tuple[int, str, frozenset[str]], ...]
    moves: tuple[tuple[Book, Text, Text, Minor], ...]
    holds: tuple[tuple[HoldRule, Text, Minor], ...]
    core: Callable[[Instruction], Any] | None

    def moves_of(self, instruction: Instruction) -> list[Planned]:
        """The moves of an instruction whose form was checked; a part of nothing moves nothing."""
        return [
            (book, payer(instruction), payee(instruction), minor)
            for book, payer, payee, part in self.moves
            if (minor := part(instruction))
        ]

    def holds_of(self, instruction: Instruction) -> list[PlannedHold]:
        return [(rule, owner(instruction), minor) for rule, owner, part in self.holds if (minor := part(instruction))]


def plan_of(instruction: Instruction) -> Plan | None:
    """None when the instruction lacks the direction that decides what its type moves."""
    variant, plans = _PLANS[instruction.txn_type]
    return plans.get(variant(instruction) if variant else None)


def _plan(rule: PostingRule) -> Plan:
    return Plan(
        rule,
        tuple((_PLACES[name], name) for name in rule.asks),
        tuple((_PLACES[name], name, kinds) for name, kinds in rule.sides),
        tuple((move.book, _text(move.from_account), _text(move.to_account), _PARTS[move.part]) for move in rule.moves),
        tuple((hold, _text(hold.owner), _PARTS[hold.part]) for hold in rule.holds),
        itemgetter(_PLACES[rule.core]) if rule.core else None,
    )


def _text(template: str) -> Text:
    """What a template of custody.posting_rules says for an instruction."""
    match [(literal, name) for literal, name, *_ in Formatter().parse(template)]:
        case [("", str(name))]:
            return _NAMES[name]
        case [("", str(name)), (after, None)]:
            return _joined(_NAMES[name], after)
        case [("", str(name)), (between, str(other))]:
            return _joined(_joined(_NAMES[name], between), _NAMES[other])
    raise ValueError(f"a template like {template!r} is not known")


def _joined(before: Text, after: Text | str) -> Text:
    if isinstance(after, str):
        return lambda instruction: before(instruction) + after
    return lambda instruction: before(instruction) + after(instruction)


def _spendable(account: Text) -> Text:
    def spendable(instruction: Instruction) -> str:
        whose = account(instruction)
        return available(whose) if "." in whose else whose

    return spendable


_FROM, _TO = itemgetter(_PLACES["from_account"]), itemgetter(_PLACES["to_account"])
_NAMES: dict[str, Text] = {
    "p": itemgetter(_PLACES["platform"]),
    "channel": itemgetter(_PLACES["channel"]),
    "from": _FROM,
    "to": _TO,
    "from_spendable": _spendable(_FROM),
    "to_spendable": _spendable(_TO),
}
_PARTS: dict[Part, Minor] = {
    Part.AMOUNT: itemgetter(_PLACES["amount_minor"]),
    Part.FEE: itemgetter(_PLACES["fee_minor"]),
    Part.NET: lambda instruction: instruction.amount_minor - instruction.fee_minor,
    Part.COUPON: itemgetter(_PLACES["coupon_minor"]),
    Part.PAID: lambda instruction: instruction.amount_minor - instruction.coupon_minor,
}
_PLANS: dict[TxnType, tuple[Callable[[Instruction], str | None] | None, dict[str | None, Plan]]] = {
    txn_type: (VARIANTS.get(txn_type), {v: _plan(rule) for (named, v), rule in RULES.items() if named == txn_type})
    for txn_type in TxnType
}
