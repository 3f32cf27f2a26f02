"""The core in E_ACCOUNT form: what a platform's movements book on each account that is one at the core, and what these then hold.

Derived from the day's movements alone, and held against the accounts that were lived: two sums of one truth must agree. Nothing here is
drawn at random, so that a world's platforms live the same whatever form their core has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from custody.names import TxnStatus, TxnType
from simulator.accounts import Accounts
from simulator.booking import COUPON_HOLD
from simulator.movement import P_MARKETING, SUSPENSE, CoreBalance, EFlow, Holder, Movement
from simulator.states import WorldError

# They change what of an account's money is free, not how much it is: the core has no row of them.
_WITHIN = frozenset(
    {
        TxnType.WITHDRAW_FREEZE,
        TxnType.WITHDRAW_CANCEL,
        TxnType.TENDER_FREEZE,
        TxnType.TENDER_CANCEL,
        TxnType.REPAY_FREEZE,
        TxnType.LEGAL_FREEZE,
        TxnType.LEGAL_RELEASE,
    }
)
# They take an earlier movement back, and the core marks their rows.
_BACK = frozenset({TxnType.WITHDRAW_RETURN, TxnType.BACKROLL_RECHARGE, TxnType.REVERSAL})
OUT, IN = "OUT", "IN"


def e_account(platform: str, holder: Holder) -> str:
    role, name = holder
    return f"{platform}:{name}" if role == "PLATFORM" else f"{platform}.{role}.{name}"


class EAccounts:
    """Call ``day`` for each custody date in order."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._held: dict[str, int] = {}

    def day(self, moves: Iterable[Movement]) -> tuple[list[EFlow], list[CoreBalance]]:
        """The rows in the order of their booking, and each account's balances. Raises WorldError when rows and accounts differ."""
        flows = sorted(
            (flow for move in moves if move.status is TxnStatus.SUCCESS for flow in self._flows(move)),
            key=lambda flow: (flow.booked_at, flow.request_no, flow.leg, flow.way),
        )
        held = {e_account(self._accounts.platform, holder): a for holder, a in self._accounts.holders.items()}
        closing = {name: a.available_minor + a.frozen_minor for name, a in held.items()}
        booked = dict.fromkeys([*self._held, *closing], 0)
        for flow in flows:
            booked[flow.account] = booked.get(flow.account, 0) + flow.signed_minor
        balances = []
        for account, change in booked.items():
            opening, after = self._held.get(account, 0), closing.get(account, 0)
            if opening + change != after:
                raise WorldError(f"{account}: opens with {opening}, its rows move {change}, and it holds {after}")
            balances.append(CoreBalance(account, opening, after))
        self._held = closing
        return flows, balances

    def _flows(self, move: Movement) -> Iterator[EFlow]:
        if move.txn_type in _WITHIN:
            return
        payer, payee, coupon = move.payer, move.payee, move.coupon_minor or 0
        if move.txn_type is TxnType.BANK_INTEREST and move.direction == "IN":
            payee = SUSPENSE
        if move.txn_type is TxnType.TENDER_SETTLE and coupon:
            number, kind = move.request_no + COUPON_HOLD, TxnType.MARKETING
            yield from self._pair(move, number, kind, coupon, P_MARKETING, payer)
        yield from self._pair(move, move.request_no, move.txn_type, move.amount_minor, payer, payee)

    def _pair(
        self, move: Movement, number: str, kind: TxnType, amount_minor: int, payer: Holder | None, payee: Holder | None
    ) -> Iterator[EFlow]:
        names = [e_account(self._accounts.platform, holder) if holder is not None else None for holder in (payer, payee)]
        for account, other, way, flag in ((names[0], names[1], OUT, "C"), (names[1], names[0], IN, "D")):
            if account is not None:
                standing = "REVERSED" if move.txn_type in _BACK else "NORMAL"
                of = (number, move.leg, way, kind.value, amount_minor, flag, standing)
                yield EFlow(account, *of, other, move.event_time)
