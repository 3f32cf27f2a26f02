"""What the core could book wrongly on e-accounts, of a platform whose core is in E_ACCOUNT form; of others there is no place.

An account whose balance departs carries one fault at most, and a platform one whose sum departs: both stay so to the end of the world.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, time

from custody.calendar import at
from custody.names import BreakKind
from simulator.edits import CoreEdit, EEdit
from simulator.movement import CoreBalance, EFlow
from simulator.victim import CORE, Expect, Scene, Victim, tomorrow

_FIRST, _LAST = time(1, 0), time(23, 0)


def _flows(scene: Scene) -> list[EFlow]:
    """Near midnight a row that stands alone may rightly be carried forward."""
    first, last = at(scene.day, _FIRST), at(scene.day, _LAST)
    return [flow for flow in scene.own.e_flows if first <= flow.booked_at <= last]


def _about(scene: Scene, kind: BreakKind, flow: EFlow) -> Expect:
    return scene.bc(kind.value, f"EFLOW|{flow.way}|{flow.request_no}|{flow.leg}")


def _holds(scene: Scene, kind: BreakKind, account: str) -> Expect:
    return scene.bc(kind.value, f"E_BALANCE|{account}")


def _in_all(scene: Scene) -> Expect:
    return scene.bc(BreakKind.INV_01.value, f"INV|INV_01|{scene.platform}:E_ACCOUNTS")


def _chain(scene: Scene, account: str) -> Expect:
    return scene.bc(BreakKind.BALANCE_CHAIN.value, f"CHAIN|{account}")


def _booked(scene: Scene, found: BreakKind, flow: EFlow, edit: EEdit, off: tuple[Expect, ...], *, sum_departs: bool) -> Victim:
    """``off``: the accounts whose balance departs. Several faults may make the sum depart: it follows from each."""
    return Victim(
        party=CORE,
        keys={"account": flow.account, "request_no": flow.request_no, "leg": flow.leg, "way": flow.way},
        expects=(_about(scene, found, flow), *off),
        follows=(_in_all(scene),) if sum_departs else (),
        known_by=scene.day,
        e_core=((scene.day, edit),),
    )


def _stays_open(scene: Scene, account: str) -> bool:
    """An account that closes would no longer be shown beside the ledger's."""
    return all(any(b.account == account for b in own.e_balances) for _, own in scene.later())


def _departing(scene: Scene) -> Iterator[EFlow]:
    return (flow for flow in _flows(scene) if _stays_open(scene, flow.account))


def _changed(scene: Scene, found: BreakKind, flow: EFlow, **values: object) -> Victim:
    edit = EEdit("change", scene.platform, flow.key, values)
    return _booked(scene, found, flow, edit, (_holds(scene, BreakKind.AMOUNT, flow.account),), sum_departs=True)


def missing(scene: Scene) -> Iterator[Victim]:
    for flow in _departing(scene):
        off = (_holds(scene, BreakKind.AMOUNT, flow.account),)
        edit = EEdit("drop", scene.platform, flow.key)
        yield _booked(scene, BreakKind.MISSING_IN_CORE, flow, edit, off, sum_departs=True)


def unknown(scene: Scene) -> Iterator[Victim]:
    """A row under a request number that nobody instructed."""
    for stands in scene.own.e_balances:
        if _stays_open(scene, stands.account):
            when = at(scene.day, time(scene.rng.randrange(9, 17), scene.rng.randrange(60)))
            size = scene.size(100, 1_000_000)
            flow = EFlow(stands.account, scene.number(), 1, "IN", "RECHARGE", size, "D", "NORMAL", None, when)
            off = (_holds(scene, BreakKind.AMOUNT, flow.account),)
            edit = EEdit("add", scene.platform, flow=flow)
            yield _booked(scene, BreakKind.MISSING_IN_LEDGER, flow, edit, off, sum_departs=True)


def amount(scene: Scene) -> Iterator[Victim]:
    for flow in _departing(scene):
        yield _changed(scene, BreakKind.AMOUNT, flow, amount_minor=flow.amount_minor + scene.size(1, 10_000))


def direction(scene: Scene) -> Iterator[Victim]:
    for flow in _departing(scene):
        yield _changed(scene, BreakKind.DIRECTION, flow, flag="C" if flow.flag == "D" else "D")


def currency(scene: Scene) -> Iterator[Victim]:
    for flow in _flows(scene):
        edit = EEdit("change", scene.platform, flow.key, {"currency": "USD"})
        yield _booked(scene, BreakKind.CURRENCY, flow, edit, (), sum_departs=False)


def duplicate(scene: Scene) -> Iterator[Victim]:
    for flow in _departing(scene):
        off = (_holds(scene, BreakKind.AMOUNT, flow.account),)
        edit = EEdit("repeat", scene.platform, flow.key)
        yield _booked(scene, BreakKind.DUPLICATE, flow, edit, off, sum_departs=True)


def wrong_account(scene: Scene) -> Iterator[Victim]:
    """On the account of another customer of the same role: both accounts depart, and their sum does not."""
    for flow in _departing(scene):
        role = flow.account.rpartition(".")[0]
        others = [b.account for b in scene.own.e_balances if b.account.rpartition(".")[0] == role and b.account != flow.account]
        others = [account for account in others if role and _stays_open(scene, account)]
        if others:
            other = scene.rng.choice(others)
            off = tuple(_holds(scene, BreakKind.AMOUNT, account) for account in (flow.account, other))
            edit = EEdit("change", scene.platform, flow.key, {"account": other})
            yield _booked(scene, BreakKind.WRONG_ACCOUNT, flow, edit, off, sum_departs=False)


def txn_type(scene: Scene) -> Iterator[Victim]:
    for flow in _flows(scene):
        edit = EEdit(
            "change", scene.platform, flow.key, {"txn_type": "COMMISSION" if flow.txn_type != "COMMISSION" else "REPAYMENT"}
        )
        yield _booked(scene, BreakKind.TXN_TYPE, flow, edit, (), sum_departs=False)


def reversed_row(scene: Scene) -> Iterator[Victim]:
    for flow in _flows(scene):
        edit = EEdit("change", scene.platform, flow.key, {"standing": "NORMAL" if flow.standing == "REVERSED" else "REVERSED"})
        yield _booked(scene, BreakKind.STATUS, flow, edit, (), sum_departs=False)


def balance_after(scene: Scene) -> Iterator[Victim]:
    """One row says another balance after it than the rows give."""
    for flow in _flows(scene):
        edit = EEdit("change", scene.platform, flow.key, {}, after_minor=scene.size(1, 100_000))
        yield Victim(
            party=CORE,
            keys={"account": flow.account, "request_no": flow.request_no, "leg": flow.leg, "way": flow.way},
            expects=(_chain(scene, flow.account),),
            known_by=scene.day,
            e_core=((scene.day, edit),),
            touches=(_about(scene, BreakKind.AMOUNT, flow).about,),
        )


def _shown(scene: Scene) -> Iterator[CoreBalance]:
    return (stands for stands in scene.own.e_balances if _stays_open(scene, stands.account))


def balance(scene: Scene) -> Iterator[Victim]:
    """The closing balance of one date departs from its rows, and the next date opens with it."""
    for stands in _shown(scene):
        by = scene.size(1, 100_000)
        edits: list[tuple[date, CoreEdit]] = [(scene.day, CoreEdit("closing", stands.account, amount_minor=by))]
        if scene.days_left:
            edits.append((tomorrow(scene.day), CoreEdit("opening", stands.account, amount_minor=by)))
        yield Victim(
            party=CORE,
            keys={"account": stands.account},
            expects=(_chain(scene, stands.account), _holds(scene, BreakKind.AMOUNT, stands.account)),
            follows=(_in_all(scene),),
            known_by=scene.day,
            core=tuple(edits),
        )


def chain(scene: Scene) -> Iterator[Victim]:
    """A date opens with another balance than the date before closed with."""
    for stands in _shown(scene) if scene.index else ():
        yield Victim(
            party=CORE,
            keys={"account": stands.account},
            expects=(_chain(scene, stands.account),),
            known_by=scene.day,
            core=((scene.day, CoreEdit("opening", stands.account, amount_minor=scene.size(1, 100_000))),),
        )


def silent(scene: Scene) -> Iterator[Victim]:
    """The core shows no e-account of the platform on a date, and that date's rows a day later."""
    if scene.own.e_balances and scene.days_left:
        about = f"E_ACCOUNTS|{scene.platform}"
        yield Victim(
            party=CORE,
            keys={"platform": scene.platform},
            expects=(scene.bc(BreakKind.MISSING_IN_CORE.value, about),),
            known_by=scene.day,
            e_core=((scene.day, EEdit("silent", scene.platform)),),
        )
