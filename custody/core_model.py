"""Which postings show at the bank core (domain.md §6): a platform's contract says it, and from which date on.

HUB: only the movements of the platform's general custody account and of its own-funds account do. E_ACCOUNT: beside these each
sub-account, P_* account and SUSPENSE is an account at the core of its own, and whatever changes its balance is booked there: once for the
account that pays and once for the one that receives. What moves within one account (a hold) changes no balance and shows nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from custody.names import TxnType


class CoreModel(StrEnum):
    HUB = "HUB"
    E_ACCOUNT = "E_ACCOUNT"


class Way(StrEnum):
    """Which of the two rows of a movement a core's row is, whatever it then says of the money (Flag)."""

    OUT = "OUT"
    IN = "IN"


class Flag(StrEnum):
    """CRFLAG of the field's files: C, money leaves the account; D, it comes in."""

    LEAVES = "C"
    COMES_IN = "D"


class Standing(StrEnum):
    """REVIND of the field's files: whether a row stands for a movement, or for one that is taken back."""

    NORMAL = "NORMAL"
    REVERSED = "REVERSED"


# Of the ledger's accounts those that are accounts at the core too, as a regular expression that engine and Python share.
E_ACCOUNTS = "[.]|:P_|:SUSPENSE$"
# Movements that take an earlier one back: the core marks their rows so.
REVERSING = frozenset({TxnType.WITHDRAW_RETURN, TxnType.BACKROLL_RECHARGE, TxnType.REVERSAL})


class Period(NamedTuple):
    """Custody dates from the first to the last, both included."""

    first: date
    last: date

    def __contains__(self, on: object) -> bool:
        return isinstance(on, date) and self.first <= on <= self.last


def e_account_period(contract: Mapping[str, Any]) -> Period | None:
    """The dates on which the core of this contract's platform is in E_ACCOUNT form; None when there are none. From
    ``core_model_from`` on the model is ``core_model``, before it was the other one."""
    since = contract.get("core_model_from")
    if contract["core_model"] == CoreModel.E_ACCOUNT:
        return Period(date.fromisoformat(since) if since else date.min, date.max)
    return Period(date.min, date.fromisoformat(since) - timedelta(days=1)) if since else None
