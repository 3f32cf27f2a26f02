"""Balances that differ because movements do: a difference is explained when the open differences of movements on the same account
add up to it exactly. So of a balance that a platform files, of one that does not follow from its own movements, and of the core's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from custody.case_evidence import Evidence, side_of
from custody.names import BreakKind, TxnStatus

FOLLOWS = "follows"
# What of a balance's evidence says how much an account holds.
_STANDS = ("available_minor", "frozen_minor", "closing_minor")
# What moves within one account leaves its total as it was.
_WITHIN = ("_FREEZE", "_CANCEL", "LEGAL_RELEASE")

# Of many cases so many are named in a cause: a register's column is bounded, a platform's mistakes are not.
_NAMED = 6

Case = tuple[Mapping[str, Any], Evidence]


def follows_from(cases: Sequence[str]) -> str:
    """The cause of a break that these cases explain: the first of them by name, and how many there are besides."""
    more = [f"+{len(cases) - _NAMED}"] if len(cases) > _NAMED else []
    return f"{FOLLOWS}:{','.join([*cases[:_NAMED], *more])}"


def followed(cause: str | None) -> tuple[str, ...]:
    """The cases that a cause of ``follows_from`` names; none of any other cause."""
    word, _, cases = (cause or "").partition(":")
    return tuple(case for case in cases.split(",") if not case.startswith("+")) if word == FOLLOWS else ()


def explained_balances(cases: Sequence[Case]) -> dict[str, list[str]]:
    """Case id of a balance that differs -> the cases of movements that add up to its difference. ``cases``: (row, evidence)."""
    told, booked, core = _effects(cases, "TXN|", "A"), _effects(cases, "EFLOW|", "C"), _of_core(cases)
    found = {}
    for row, evidence in cases:
        word, _, name = row["subject"].partition("|")
        platform = row["platform"]
        match word:
            case "BALANCE":
                off, mine = _off(evidence, "A"), told.get(_account(platform, name))
            case "E_BALANCE":
                off, mine = _off(evidence, "C"), booked.get(name)
            case "SHADOW":
                # What a platform tells too little of, its balance has too much of.
                off, mine = _beyond_own(evidence), told.get(_account(platform, name))
            case "INV" if name.startswith(f"{BreakKind.INV_01}|"):
                off, mine = _beyond_ledger(evidence), core.get(name.partition("|")[2])
            case _:
                continue
        if mine and off and sum(mine.values()) == off:
            found[row["case_id"]] = sorted(mine)
    return found


def _off(evidence: Evidence, other: str) -> int:
    """How much more the other side says that an account holds."""
    totals = {side_of(e): sum(e.get(part) or 0 for part in _STANDS) for e in evidence}
    return totals.get(other, 0) - totals.get("B", 0)


def _beyond_own(evidence: Evidence) -> int:
    """Of a platform's own ledger: how much more its movements make than its balance shows."""
    stands = [sum(e.get(part) or 0 for part in _STANDS) for e in evidence]
    if len(stands) != 3:
        return 0
    before, filed, moved = stands
    return before + moved - filed


def _beyond_ledger(evidence: Evidence) -> int:
    """How much more the core holds than the ledger's mirror; nothing where one of them has no such account."""
    figures = [e for e in evidence if isinstance(e.get("ledger"), int) and isinstance(e.get("core"), int)]
    return figures[0]["core"] - figures[0]["ledger"] if len(figures) == 1 else 0


def _of_core(cases: Iterable[Case]) -> dict[str, dict[str, int]]:
    """By account at the core and case of a flow: how much more the core booked than the ledger moved."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for row, evidence in cases:
        word, _, rest = row["subject"].partition("|")
        if word == "CORE":
            off = sum(e["amount_minor"] * (1 if side_of(e) == "C" else -1) for e in evidence if "amount_minor" in e)
            if off:
                found[rest.partition("|")[0]][row["case_id"]] = off
    return found


def _effects(cases: Iterable[Case], about: str, other: str) -> dict[str, dict[str, int]]:
    """By account and case of a movement: how much more the other side's rows put on the account than ours."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for row, evidence in cases:
        if not row["subject"].startswith(about):
            continue
        moved: dict[str, int] = defaultdict(int)
        for said in evidence:
            for account, minor in _moved(said) if other == "A" else _booked(said):
                moved[account] += minor if side_of(said) == other else -minor
        for account, minor in moved.items():
            if minor:
                found[account][row["case_id"]] = minor
    return found


def _moved(said: Mapping[str, Any]) -> list[tuple[str, int]]:
    txn_type = str(said.get("txn_type") or "")
    if said.get("status") != TxnStatus.SUCCESS or txn_type.endswith(_WITHIN):
        return []
    amount = said["amount_minor"]
    # Of a tender the platform's coupon pays a part.
    paid = amount - (said.get("coupon_minor") or 0)
    ends = ((said.get("from_account"), -paid), (said.get("to_account"), amount))
    return [(str(account), minor) for account, minor in ends if account]


def _booked(said: Mapping[str, Any]) -> list[tuple[str, int]]:
    """A row on an e-account moves that account, whatever it stands for."""
    ends = ((said.get("from_account"), -said["amount_minor"]), (said.get("to_account"), said["amount_minor"]))
    return [(str(account), minor) for account, minor in ends if account]


def _account(platform: str, name: str) -> str:
    """As evidence names the account of a balance's subject."""
    role, _, who = name.partition(".")
    return f"{platform}:{who}" if role == "PLATFORM" else f"{platform}.{name}"
