"""The states of everything that lives in the world, and the steps between them, as data. Any other step is a WorldError."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from custody.names import LoanState, TxnStatus


class WorldError(RuntimeError):
    """The simulator contradicts itself (money that nobody holds would move, a paid loan would be paid): a bug here, never bad
    input."""


class TenderState(StrEnum):
    PLANNED = "PLANNED"
    FROZEN = "FROZEN"
    SETTLED = "SETTLED"
    RELEASED = "RELEASED"


class ClaimState(StrEnum):
    HELD = "HELD"
    REPAID = "REPAID"
    SOLD = "SOLD"
    COMPENSATED = "COMPENSATED"


class WithdrawalState(StrEnum):
    """Up to the channel's last word it is the TxnStatus of its WITHDRAW; before and after that it has states of its own."""

    FROZEN = "FROZEN"
    REMITTING = TxnStatus.REMITTING.value
    UNKNOWN = TxnStatus.UNKNOWN.value
    SUCCESS = TxnStatus.SUCCESS.value
    FAIL = TxnStatus.FAIL.value
    CANCELLED = "CANCELLED"
    RETURNED = "RETURNED"


class RechargeState(StrEnum):
    """Of a recharge that is refunded, or of a receipt without an owner."""

    RECEIVED = "RECEIVED"
    REFUNDED = "REFUNDED"
    UNOWNED = "UNOWNED"
    IDENTIFIED = "IDENTIFIED"
    RETURNED = "RETURNED"


class AccountState(StrEnum):
    PLANNED = "PLANNED"
    OPEN = "OPEN"
    CLOSED = "CLOSED"


class MandateState(StrEnum):
    GRANTED = "GRANTED"
    REVOKED = "REVOKED"


class OrderState(StrEnum):
    """Of a legal order; PART_DEDUCTED: the rest is still frozen."""

    FROZEN = "FROZEN"
    PART_DEDUCTED = "PART_DEDUCTED"
    DEDUCTED = "DEDUCTED"
    RELEASED = "RELEASED"


S = TypeVar("S", bound=StrEnum)


@dataclass(frozen=True)
class Machine(Generic[S]):
    """``steps``: state -> states that may follow. A state that is no key is final."""

    of: str
    steps: Mapping[S, frozenset[S]]

    def step(self, which: str, now: S, then: S) -> S:
        """``then``, when it may follow. Raises WorldError naming the entity ``which``."""
        if then not in self.steps.get(now, frozenset()):
            raise WorldError(f"{self.of} {which} is {now} and cannot become {then}")
        return then


def _machine(of: str, steps: Mapping[S, tuple[S, ...]]) -> Machine[S]:
    return Machine(of, {state: frozenset(following) for state, following in steps.items()})


_L, _T, _C, _W = LoanState, TenderState, ClaimState, WithdrawalState
_R, _O = RechargeState, OrderState

LOAN = _machine(
    "loan",
    {
        _L.BIDDING: (_L.FULL, _L.DISBURSED, _L.MISCARRIED),  # disbursed without being full: at its stated minimum
        _L.FULL: (_L.DISBURSED,),
        _L.DISBURSED: (_L.REPAYING, _L.OVERDUE, _L.SETTLED),
        _L.REPAYING: (_L.REPAYING, _L.OVERDUE, _L.SETTLED),
        _L.OVERDUE: (_L.REPAYING, _L.SETTLED),
    },
)
TENDER = _machine("tender", {_T.PLANNED: (_T.FROZEN,), _T.FROZEN: (_T.FROZEN, _T.SETTLED, _T.RELEASED)})
CLAIM = _machine("claim", {_C.HELD: (_C.HELD, _C.REPAID, _C.SOLD, _C.COMPENSATED)})
WITHDRAWAL = _machine(
    "withdrawal",
    {
        _W.FROZEN: (_W.CANCELLED, _W.REMITTING, _W.UNKNOWN, _W.SUCCESS),
        _W.REMITTING: (_W.SUCCESS, _W.FAIL),
        _W.UNKNOWN: (_W.SUCCESS, _W.FAIL),
        _W.FAIL: (_W.CANCELLED,),
        _W.SUCCESS: (_W.RETURNED,),
    },
)
RECHARGE = _machine("recharge", {_R.RECEIVED: (_R.REFUNDED,), _R.UNOWNED: (_R.IDENTIFIED, _R.RETURNED)})
ACCOUNT = _machine(
    "account",
    {AccountState.PLANNED: (AccountState.OPEN,), AccountState.OPEN: (AccountState.OPEN, AccountState.CLOSED)},
)
MANDATE = _machine("mandate", {MandateState.GRANTED: (MandateState.GRANTED, MandateState.REVOKED)})
LEGAL_ORDER = _machine(
    "legal order",
    {_O.FROZEN: (_O.PART_DEDUCTED, _O.DEDUCTED, _O.RELEASED), _O.PART_DEDUCTED: (_O.RELEASED,)},
)
MACHINES: tuple[Machine[Any], ...] = (LOAN, TENDER, CLAIM, WITHDRAWAL, RECHARGE, ACCOUNT, MANDATE, LEGAL_ORDER)
