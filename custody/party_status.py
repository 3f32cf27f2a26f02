"""The life of an organisation: which status may follow which, and what each lets happen.

| status | logs in | its files | awaited | instructions about it |
|---|---|---|---|---|
| ONBOARDING | yes | samples: tested, never landed | no | wait, as for a stranger |
| LIVE | yes | landed | yes | posted |
| SUSPENDED | yes | taken and kept, landed once it is live or winding down | yes | posted, but for new business |
| WINDING_DOWN | yes | landed | yes | posted, but for new business |
| CLOSED | no | refused | no | refused |

New business is a bid, a loan's disbursal, an assignment of credit: these are refused. A lender's recharge is too, but its money has
come: it is posted, as a finding. What pays people out, and the recharge of a borrower, who repays with it, goes on to the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from custody.instruction import Instruction
from custody.names import PartyKind, Role, TxnType


class PartyStatus(StrEnum):
    ONBOARDING = "ONBOARDING"
    LIVE = "LIVE"
    SUSPENDED = "SUSPENDED"
    WINDING_DOWN = "WINDING_DOWN"
    CLOSED = "CLOSED"


_S = PartyStatus
_MOVES: Mapping[PartyStatus, frozenset[PartyStatus]] = {
    _S.ONBOARDING: frozenset({_S.LIVE, _S.CLOSED}),
    _S.LIVE: frozenset({_S.SUSPENDED, _S.WINDING_DOWN}),
    _S.SUSPENDED: frozenset({_S.LIVE, _S.WINDING_DOWN}),
    # Customers were told that it ends: whoever wants to go on is onboarded anew, under another id.
    _S.WINDING_DOWN: frozenset({_S.CLOSED}),
    _S.CLOSED: frozenset(),
}
# Who holds nobody's money has nothing to wind down.
_HOLD_NOTHING = frozenset({PartyKind.GATEWAY, PartyKind.REPORTING})
_MOVES_OF_GATEWAY = {
    **_MOVES,
    _S.LIVE: frozenset({_S.SUSPENDED}),
    _S.SUSPENDED: frozenset({_S.LIVE, _S.CLOSED}),
}
# Whose files a custody day lands.
LANDS = frozenset({_S.LIVE, _S.WINDING_DOWN})
# Who belongs to a custody day at all: its money is there, or may be.
IN_THE_DAY = frozenset(PartyStatus) - {_S.ONBOARDING}
# In which its instructions are not posted as they come.
RESTRICTED = frozenset({_S.SUSPENDED, _S.WINDING_DOWN, _S.CLOSED})
_NEW_BUSINESS = frozenset({TxnType.TENDER_FREEZE, TxnType.TENDER_SETTLE, TxnType.CREDIT_ASSIGNMENT})


def moves(kind: str, status: str) -> frozenset[PartyStatus]:
    """What may follow a status of an organisation of this kind."""
    return (_MOVES_OF_GATEWAY if kind in _HOLD_NOTHING else _MOVES)[PartyStatus(status)]


def is_awaited(kind: str, status: str) -> bool:
    """Whether its contract's files are due: of a suspended platform too, so that nothing is judged against files that are kept; but of
    a suspended gateway none, since another one sends in its place."""
    return status in LANDS or (status == _S.SUSPENDED and kind not in _HOLD_NOTHING)


class Judged(StrEnum):
    """What becomes of an instruction about an organisation that is not simply live."""

    POSTED = "POSTED"
    # The money has moved outside already, so it is posted, and what is wrong with it is a finding.
    FOUND = "FOUND"
    REFUSED = "REFUSED"


def judge(status: str, instruction: Instruction) -> Judged:
    """What becomes of an instruction on a date on which its platform has this status."""
    if status == _S.CLOSED:
        return Judged.REFUSED
    if status in RESTRICTED and instruction.txn_type in _NEW_BUSINESS:
        return Judged.REFUSED
    if status in RESTRICTED and instruction.txn_type == TxnType.RECHARGE and _is_lenders(instruction.to_account):
        return Judged.FOUND
    return Judged.POSTED


def _is_lenders(account: str | None) -> bool:
    """Of ids such as P001.LENDER.U000001; a borrower recharges to repay."""
    return account is not None and account.split(".")[1:2] == [Role.LENDER]
