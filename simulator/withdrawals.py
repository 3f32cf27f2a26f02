"""Money that leaves to its owner's card: paid at once, cancelled, under way overnight, failed, sent back by the channel; and
recharges that are refunded. Only money whose cash had settled before today is taken out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from custody.names import TxnStatus, TxnType
from simulator import hours
from simulator.movement import P_INCOME, YUAN, Holder, Movement
from simulator.states import RECHARGE, WITHDRAWAL, RechargeState, WithdrawalState
from simulator.today import Today

LEAST_MINOR = 100 * YUAN
_LENDERS_A_WITHDRAWAL = 20
_FEES_MINOR = (100, 200)
_MISTAKE_CHANCE = 0.1
_REFUND_YUAN = (100, 3_000)
_W = WithdrawalState
# What may become of a withdrawal, state by state; the first ones in this order, so that no small world lacks one.
_FATES: tuple[tuple[WithdrawalState, ...], ...] = (
    (_W.SUCCESS, _W.RETURNED),
    (_W.UNKNOWN, _W.SUCCESS),
    (_W.REMITTING, _W.FAIL, _W.CANCELLED),
    (_W.CANCELLED,),
    (_W.REMITTING, _W.SUCCESS),
    (_W.UNKNOWN, _W.FAIL, _W.CANCELLED),
)
_USUAL = (*[(_W.SUCCESS,)] * 24, *_FATES)


@dataclass(slots=True)
class Withdrawal:
    holder: Holder
    amount_minor: int
    freeze: str
    channel: str
    fate: Iterator[WithdrawalState]
    state: WithdrawalState = _W.FROZEN
    request_no: str = ""

    def step(self) -> WithdrawalState | None:
        """On to what comes next; None when nothing does."""
        then = next(self.fate, None)
        if then is not None:
            self.state = WITHDRAWAL.step(self.freeze, self.state, then)
        return then


@dataclass(slots=True)
class _Mistake:
    """A recharge that its owner wants back, once its cash is there."""

    recharge: Movement
    state: RechargeState = RechargeState.RECEIVED


class Withdrawals:
    def __init__(self) -> None:
        self._waiting: dict[Holder, None] = {}
        self._overnight: list[Withdrawal] = []
        self._returning: dict[date, list[Withdrawal]] = defaultdict(list)
        self._mistakes: list[_Mistake] = []
        self._first = list(_FATES)

    def expect(self, holder: Holder) -> None:
        """A borrower or payee got money that he will take out when he can."""
        self._waiting[holder] = None

    def mistaken_recharge(self, today: Today) -> None:
        """Two lenders recharge by mistake on the first day, and later one now and then."""
        payers = [holder for holder in today.some(today.people.lenders, 4) if not today.people.pays_directly(holder)]
        if today.index > 0:
            payers = payers[:1] if today.rng.random() < _MISTAKE_CHANCE else []
        for payer in payers[:2]:
            recharge = today.recharge(payer, today.below(*_REFUND_YUAN) * YUAN, today.time(hours.RECHARGES))
            self._mistakes.append(_Mistake(recharge))

    def refund(self, today: Today) -> None:
        still = []
        for mistake in self._mistakes:
            recharge = mistake.recharge
            assert recharge.payee is not None
            if today.accounts.clear(recharge.payee, today.day) < recharge.amount_minor:
                still.append(mistake)
                continue
            mistake.state = RECHARGE.step(recharge.request_no, mistake.state, RechargeState.REFUNDED)
            today.move(
                TxnType.BACKROLL_RECHARGE,
                recharge.amount_minor,
                today.time(hours.RETURNS),
                payer=recharge.payee,
                channel=recharge.channel,
                related_request_no=recharge.request_no,
            )
        self._mistakes = still

    def hear_last_words(self, today: Today) -> None:
        """Of what was under way overnight the channel now says how it ended; what failed is given free again."""
        under_way, self._overnight = self._overnight, []
        for withdrawal in under_way:
            if withdrawal.step() is _W.FAIL:
                self._pay_out(today, withdrawal, hours.LAST_WORDS, TxnStatus.FAIL)
                withdrawal.step()
                self._cancel(today, withdrawal, hours.RELEASES_AFTER)
            else:
                self._pay_out(today, withdrawal, hours.LAST_WORDS, TxnStatus.SUCCESS)

    def run(self, today: Today) -> None:
        for holder in today.people.guests:
            self._withdraw(today, holder, today.accounts.available(holder), (_W.SUCCESS,))
        for holder in list(self._waiting):
            if today.accounts.clear(holder, today.day) >= LEAST_MINOR and today.rng.random() < 0.8:
                del self._waiting[holder]
                self._take_some(today, holder)
        lenders, count = today.people.lenders, 1 + len(today.people.lenders) // _LENDERS_A_WITHDRAWAL
        able = [h for h in today.some(lenders, 4 * count) if today.accounts.clear(h, today.day) >= LEAST_MINOR]
        if self._first:
            able = [h for h in today.people.savers[2:] if today.accounts.clear(h, today.day) >= LEAST_MINOR] + able
            count = max(count, min(len(self._first), len(lenders) // 5))
        for holder in list(dict.fromkeys(able))[:count]:
            self._take_some(today, holder)
            fee = today.one_of(_FEES_MINOR)
            if today.rng.random() < 0.5 and today.accounts.available(holder) >= fee:
                today.move(TxnType.COMMISSION, fee, today.time(hours.COMMISSIONS), payer=holder, payee=P_INCOME)

    def bring_back(self, today: Today) -> None:
        """What the channel had paid out and settled comes back: the card's bank refused it."""
        for withdrawal in self._returning.pop(today.day, []):
            withdrawal.step()
            today.move(
                TxnType.WITHDRAW_RETURN,
                withdrawal.amount_minor,
                today.time(hours.RETURNS),
                payee=withdrawal.holder,
                channel=withdrawal.channel,
                direction="IN",
                related_request_no=withdrawal.request_no,
            )

    def _take_some(self, today: Today, holder: Holder) -> None:
        amount = today.accounts.available(holder) * today.one_of((50, 80, 100)) // 100
        fate = self._first.pop(0) if self._first else today.one_of(_USUAL)
        self._withdraw(today, holder, amount, fate)

    def _withdraw(self, today: Today, holder: Holder, amount: int, fate: tuple[WithdrawalState, ...]) -> None:
        when = today.time(hours.FREEZES)
        freeze = today.move(TxnType.WITHDRAW_FREEZE, amount, when, payer=holder).request_no
        withdrawal = Withdrawal(holder, amount, freeze, today.any_channel(), iter(fate))
        first = withdrawal.step()
        if first is _W.CANCELLED:
            self._cancel(today, withdrawal, hours.PAYOUTS)
            return
        self._pay_out(today, withdrawal, hours.PAYOUTS, TxnStatus(withdrawal.state.value))
        if first is not _W.SUCCESS:
            self._overnight.append(withdrawal)
        elif len(fate) > 1:
            self._returning[today.accounts.calendar.next_business_day(today.day)].append(withdrawal)

    @staticmethod
    def _pay_out(today: Today, withdrawal: Withdrawal, when: hours.Hours, status: TxnStatus) -> None:
        """The same request under each status."""
        move = today.move(
            TxnType.WITHDRAW,
            withdrawal.amount_minor,
            today.time(when),
            request_no=withdrawal.request_no,
            payer=withdrawal.holder,
            channel=withdrawal.channel,
            related_request_no=withdrawal.freeze,
            status=status,
        )
        withdrawal.request_no = move.request_no

    @staticmethod
    def _cancel(today: Today, withdrawal: Withdrawal, when: hours.Hours) -> None:
        today.move(
            TxnType.WITHDRAW_CANCEL,
            withdrawal.amount_minor,
            today.time(when),
            payee=withdrawal.holder,
            related_request_no=withdrawal.freeze,
        )
