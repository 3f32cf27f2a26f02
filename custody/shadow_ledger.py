"""A platform's own ledger, replayed from what it files alone (domain.md §6): do its balances follow from its transactions?

What a movement does to the accounts that a platform knows is read off the posting rules, so that there is one rule for our
ledger and for the shadow. A difference stays until a later day heals it: what was filed a day late, a balance put right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from custody.names import PLATFORM_ACCOUNTS, Book, TxnStatus, TxnType
from custody.posting_rules import RULES, MoveRule, Part

Row = Mapping[str, Any]

# Whose account an effect is of: the movement's own two, or the P_* account that the rule names.
FROM, TO = "from", "to"


class Effect(NamedTuple):
    """``sign`` times a figure of the movement on one part of one account. ``whose``: FROM, TO or the name of a P_* account."""

    whose: str
    part: str
    sign: int
    figure: Part


def _effects(move: MoveRule) -> Iterator[Effect]:
    """What one move does to accounts that stand in a platform's BALANCE file: not to cash, channels or SUSPENSE."""
    for template, sign in ((move.from_account, -1), (move.to_account, 1)):
        part = "frozen" if template.endswith(":frozen") else "available"
        name = template.partition(":")[2].partition(":")[0]
        if template.startswith(("{from", "{to")):
            yield Effect(FROM if template.startswith("{from") else TO, part, sign, move.part)
        elif name in PLATFORM_ACCOUNTS:
            yield Effect(name, part, sign, move.part)


def _of_types() -> dict[TxnType, tuple[Effect, ...]]:
    """By type. Its variants differ in what they do to accounts that no platform has, so that their union says what they do to
    those that it has (tests/jobs/test_shadow_ledger.py holds this to the ledger)."""
    found: dict[TxnType, Counter[Effect]] = {}
    for (txn_type, _), rule in RULES.items():
        own: Counter[Effect] = Counter()
        for move in rule.moves:
            if move.book == Book.CUSTODY:
                own.update(_effects(move))
        found[txn_type] = found.get(txn_type, Counter()) | own
    return {txn_type: tuple(sorted(effects.elements())) for txn_type, effects in found.items() if effects}


EFFECTS: Mapping[TxnType, tuple[Effect, ...]] = _of_types()
# Figures of a platform's row by part.
FIGURES = {Part.AMOUNT: ("amount_minor",), Part.COUPON: ("coupon_minor",), Part.PAID: ("amount_minor", "-coupon_minor")}
# A movement that is under way or failed moves nothing.
MOVES_MONEY = TxnStatus.SUCCESS
UNLISTED = "PLATFORM.SUSPENSE"


def figure(row: Row, part: Part) -> int:
    """The amount of a row of which this part of a rule speaks."""
    return sum((-1 if name.startswith("-") else 1) * (row[name.removeprefix("-")] or 0) for name in FIGURES[part])


def effects_of(row: Row) -> Iterator[tuple[str, int, int]]:
    """(account, change of available, change of frozen) of a TXN row; accounts as the BALANCE file names them, ROLE.user."""
    if row["status"] != MOVES_MONEY:
        return
    for effect in EFFECTS.get(TxnType(row["txn_type"]), ()):
        if effect.whose in (FROM, TO):
            role, user = row[f"{effect.whose}_role"], row[f"{effect.whose}_user_no"]
            account = None if role is None or user is None else f"{role}.{user}"
        else:
            account = f"PLATFORM.{effect.whose}"
        minor = effect.sign * figure(row, effect.figure)
        if account is not None and account != UNLISTED and minor:
            yield account, *((minor, 0) if effect.part == "available" else (0, minor))


def differences(before: Iterable[Row], movements: Iterable[Row], after: Iterable[Row]) -> dict[str, tuple[int, int]]:
    """By account what its balances show beyond its movements, available and frozen; one platform, one date."""
    beyond: Counter[tuple[str, str]] = Counter()
    for sign, rows in ((-1, before), (1, after)):
        for row in rows:
            for part in ("available", "frozen"):
                beyond[f"{row['role']}.{row['user_no']}", part] += sign * row[f"{part}_minor"]
    for row in movements:
        for account, available, frozen in effects_of(row):
            beyond[account, "available"] -= available
            beyond[account, "frozen"] -= frozen
    accounts = sorted({account for (account, _), minor in beyond.items() if minor})
    return {account: (beyond[account, "available"], beyond[account, "frozen"]) for account in accounts}


def unexplained(found: Iterable[Row]) -> tuple[int, int] | None:
    """Of one account's differences, oldest first: what they come to (available, frozen), None where they cancel out or come to
    what is still awaited: a movement near midnight that the platform may file with the next day's."""
    rows = list(found)
    total = sum(r["available_minor"] for r in rows), sum(r["frozen_minor"] for r in rows)
    awaited = sum(r["awaited_available_minor"] for r in rows), sum(r["awaited_frozen_minor"] for r in rows)
    return None if total in ((0, 0), awaited) else total
