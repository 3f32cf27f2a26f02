"""Legs that cannot be posted yet: each is tried again when what it waits for has come, not whenever anything has.

Money that comes into an account is offered to the leg that needs least of it, then to the next: none is tried in vain, so that
a thousand legs that wait for one account are no million tries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush

import pyarrow as pa

from custody.aml_holds import NOT_CARRIED_OUT
from custody.instruction import Entry, Instruction, Refusal
from custody.names import Book
from custody.posting_rules import COUPON_HOLD


@dataclass(slots=True)
class WaitingLeg:
    """A leg that waits. ``number`` rises in the order of the day; ``content``: its content hash where its key may come again;
    ``row`` of ``rows``: the leg as landed, ``rows`` being None while its own chunk is posted."""

    number: int
    instruction: Instruction
    request_hash: int
    content: str | None
    row: int
    refusal: Refusal
    rows: pa.Table | None = None


# What names the thing that a refusal waits for, by its rule: a hold, claim or receipt has the name of the request that makes it.
_NAMED = {"unknown_hold": "hold", "unknown_claim": "claim", "unknown_receipt": "receipt", "still_under_way": "request"}
# What no posting of the same day can bring: an account's opening, a loan, a mandate, an order, a contract, a release.
NEXT_DAY = frozenset({NOT_CARRIED_OUT, "no_legal_order", "unknown_account", "unknown_loan", "unknown_mandate", "unknown_party"})


class WaitingLegs:
    """Those of one platform. ``balance``: what an account of the book CUSTODY, or of another, holds now."""

    def __init__(self, balance: Callable[[Book, str], int]) -> None:
        self._balance = balance
        self._legs: dict[int, WaitingLeg] = {}
        # By account: what is needed, number of the leg.
        self._money: dict[str, list[tuple[int, int]]] = defaultdict(list)
        # By name of what is missing, or by loan and holder of claims.
        self._things: dict[str | tuple[str, str], list[int]] = defaultdict(list)

    def __bool__(self) -> bool:
        return bool(self._legs)

    def add(self, leg: WaitingLeg) -> None:
        """``leg.refusal`` says what it waits for. Raises ValueError on a refusal that waits for nothing known here."""
        self._legs[leg.number] = leg
        rule, figures, instruction = leg.refusal.rule, leg.refusal.figures, leg.instruction
        if rule == "insufficient":
            heappush(self._money[str(figures["account"])], (int(str(figures["needed"])), leg.number))
        elif rule == "claim_principal":
            self._things[str(instruction.loan_id), str(instruction.to_account)].append(leg.number)
        elif rule in _NAMED:
            self._things[str(figures[_NAMED[rule]])].append(leg.number)
        elif rule not in NEXT_DAY:
            raise ValueError(f"a leg refused by {rule} waits, and nothing says for what")

    def woken_by(self, entry: Entry) -> Iterator[WaitingLeg]:
        """Those that the entry may have made possible. Each is taken out; it may be added again when the iteration has ended."""
        for move in entry.moves:
            heap = self._money.get(move.to_account)
            while heap and heap[0][0] <= self._balance(move.book, move.to_account):
                yield self._legs.pop(heappop(heap)[1])
        instruction = entry.instruction
        for name in (
            instruction.request_no,
            instruction.request_no + COUPON_HOLD,
            str(instruction.related_request_no),
            (str(instruction.loan_id), str(instruction.from_account)),
        ):
            for number in self._things.pop(name, ()):
                yield self._legs.pop(number)

    def rest(self) -> list[WaitingLeg]:
        """All that still wait, in the order in which they came."""
        return [self._legs[number] for number in sorted(self._legs)]
