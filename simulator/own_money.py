"""The platform's own money: enough of it at the bank for fees and bonuses, and what it takes out again."""

from __future__ import annotations

from custody.names import TxnType
from simulator import hours
from simulator.movement import P_INCOME, P_MARKETING, YUAN
from simulator.today import Today

OWN_FLOOR_MINOR, OWN_STEP_MINOR = 100_000 * YUAN, 500_000 * YUAN
MARKETING_FLOOR_MINOR, MARKETING_STEP_MINOR = 10_000 * YUAN, 50_000 * YUAN
_OUT_MINOR = 1_000 * YUAN
_EVERY_DAYS, _OWN_OUT_ON = 7, 3


def bring_own_money(today: Today, coupons_minor: int, fees_minor: int) -> None:
    """The platform keeps enough of its own for the fees that it bears today, and enough for bonuses and today's coupons."""
    wanted = MARKETING_FLOOR_MINOR + coupons_minor - today.accounts.available(P_MARKETING)
    topup = -(-wanted // MARKETING_STEP_MINOR) * MARKETING_STEP_MINOR if wanted > 0 else 0
    short = topup + OWN_FLOOR_MINOR + fees_minor - today.accounts.own_minor
    if short > 0:
        amount = -(-short // OWN_STEP_MINOR) * OWN_STEP_MINOR
        today.move(TxnType.OWN_FUNDS_MOVEMENT, amount, today.time(hours.OWN_MONEY), direction="IN")
    if topup:
        today.move(TxnType.PLATFORM_RECHARGE, topup, today.time(hours.PLATFORM_MONEY), payee=P_MARKETING)


def take_own_money(today: Today) -> None:
    """Now and then the platform takes its income, and some marketing money, out of custody; and own money out of the bank."""
    if today.index % _EVERY_DAYS == 0:
        for payer in (P_INCOME, P_MARKETING):
            if today.accounts.clear(payer, today.day) >= 2 * _OUT_MINOR:
                today.move(TxnType.PLATFORM_WITHDRAW, _OUT_MINOR, today.time(hours.RETURNS), payer=payer)
    if today.index % _EVERY_DAYS == _OWN_OUT_ON and today.accounts.own_minor >= OWN_FLOOR_MINOR:
        today.move(TxnType.OWN_FUNDS_MOVEMENT, _OUT_MINOR, today.time(hours.CORRECTIONS), direction="OUT")
