"""What the bank core could book wrongly: its flows, and what it says its accounts hold.

An account carries at most one fault that moves its balance: the balance stays shifted, under one INV_01, to the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, time

from custody.calendar import at
from custody.names import BreakKind, TxnType
from simulator.edits import CoreEdit
from simulator.movement import CoreFlow
from simulator.victim import CORE, Expect, Scene, Victim, tomorrow


def _about(account: str, core_ref: str) -> str:
    return f"CORE|{account}|{core_ref}"


def _core(scene: Scene, found: BreakKind, edit: CoreEdit, moves_balance: bool = True) -> Victim:
    inv_01 = (_inv_01(scene, edit.account),) if moves_balance else ()
    return Victim(
        party=CORE,
        keys={"account": edit.account, "core_ref": edit.core_ref},
        expects=(scene.bc(found.value, _about(edit.account, edit.core_ref)), *inv_01),
        known_by=scene.day,
        core=((scene.day, edit),),
    )


def _inv_01(scene: Scene, account: str) -> Expect:
    return scene.bc(BreakKind.INV_01.value, f"INV|INV_01|{account}")


def _batches(scene: Scene) -> set[str | None]:
    return {m.settlement_batch for m in scene.own.instructions if m.txn_type is TxnType.CHANNEL_SETTLEMENT}


def _flows(scene: Scene) -> list[CoreFlow]:
    """Flows that may be spoilt: not those of settlement batches, since a missing credit breaks INV_09 of its batch too; nor
    the platform's own money coming in, without which the core's own-funds account would stand below zero."""
    spared = _batches(scene) | {m.request_no for m in scene.own.instructions if m.txn_type is TxnType.OWN_FUNDS_MOVEMENT}
    return [flow for flow in scene.own.core_flows if flow.core_ref not in spared]


def missing(scene: Scene) -> Iterator[Victim]:
    for flow in _flows(scene):
        yield _core(scene, BreakKind.MISSING_IN_CORE, CoreEdit("drop", flow.account, flow.core_ref))


def unknown(scene: Scene) -> Iterator[Victim]:
    for balance in scene.own.core_balances:
        when = at(scene.day, time(scene.rng.randrange(9, 17), scene.rng.randrange(60)))
        ref = f"X{scene.platform}{scene.day:%Y%m%d}{scene.rng.randrange(10**6):06d}"
        flow = CoreFlow(balance.account, scene.size(100, 1_000_000), ref, "UNKNOWN", "不明来账", when)
        yield _core(scene, BreakKind.MISSING_IN_LEDGER, CoreEdit("add", balance.account, ref, flow=flow))


def amount(scene: Scene) -> Iterator[Victim]:
    for flow in _flows(scene):
        more = scene.size(1, 10_000) * (1 if flow.amount_minor > 0 else -1)
        edit = CoreEdit("change", flow.account, flow.core_ref, amount_minor=flow.amount_minor + more)
        yield _core(scene, BreakKind.AMOUNT, edit)


def direction(scene: Scene) -> Iterator[Victim]:
    for flow in _flows(scene):
        edit = CoreEdit("change", flow.account, flow.core_ref, amount_minor=-flow.amount_minor)
        yield _core(scene, BreakKind.DIRECTION, edit)


def currency(scene: Scene) -> Iterator[Victim]:
    for flow in _flows(scene):
        edit = CoreEdit("change", flow.account, flow.core_ref, amount_minor=flow.amount_minor, currency="USD")
        yield _core(scene, BreakKind.CURRENCY, edit, moves_balance=False)


def balance(scene: Scene) -> Iterator[Victim]:
    """The closing balance of one date departs from its flows, and the next date opens with it."""
    for shown in scene.own.core_balances:
        by = scene.size(1, 100_000)
        edits = [(scene.day, CoreEdit("closing", shown.account, amount_minor=by))]
        if scene.days_left:
            edits.append((tomorrow(scene.day), CoreEdit("opening", shown.account, amount_minor=by)))
        yield Victim(
            party=CORE,
            keys={"account": shown.account},
            expects=(_inv_01(scene, shown.account),),
            allows=(_chain(scene, shown.account),),
            known_by=scene.day,
            core=tuple(edits),
        )


def chain(scene: Scene) -> Iterator[Victim]:
    """A date opens with another balance than the date before closed with."""
    if not scene.index:
        return
    for shown in scene.own.core_balances:
        yield Victim(
            party=CORE,
            keys={"account": shown.account},
            expects=(_chain(scene, shown.account),),
            known_by=scene.day,
            core=((scene.day, CoreEdit("opening", shown.account, amount_minor=scene.size(1, 100_000))),),
        )


def _chain(scene: Scene, account: str) -> Expect:
    return scene.bc(BreakKind.BALANCE_CHAIN.value, f"CHAIN|{account}")


def _settled(scene: Scene) -> Iterator[tuple[CoreFlow, str]]:
    """Flows of settlement batches, with the channel."""
    channels = {m.settlement_batch: str(m.channel) for m in scene.own.instructions if m.txn_type is TxnType.CHANNEL_SETTLEMENT}
    for flow in scene.own.core_flows:
        if flow.core_ref in channels:
            yield flow, channels[flow.core_ref]


def settlement_short(scene: Scene) -> Iterator[Victim]:
    """The core is credited less than the channel's net."""
    for flow, channel in _settled(scene):
        if flow.amount_minor > 1:
            less = min(scene.size(1, 10_000), flow.amount_minor - 1)
            edit = CoreEdit("change", flow.account, flow.core_ref, amount_minor=flow.amount_minor - less)
            yield _settlement(scene, flow, channel, BreakKind.SETTLEMENT_SHORT, BreakKind.AMOUNT, ((scene.day, edit),))


def settlement_late(scene: Scene) -> Iterator[Victim]:
    """The core is credited a business day later than the channel settled."""
    later = scene.calendar.next_business_day(scene.day)
    if later > scene.days[-1].day:
        return
    for flow, channel in _settled(scene):
        moved = CoreFlow(
            flow.account, flow.amount_minor, flow.core_ref, flow.counterparty, flow.narrative, at(later, time(9, 15))
        )
        edits = (
            (scene.day, CoreEdit("drop", flow.account, flow.core_ref)),
            (later, CoreEdit("add", flow.account, flow.core_ref, flow=moved)),
        )
        yield _settlement(scene, flow, channel, BreakKind.SETTLEMENT_LATE, BreakKind.MISSING_IN_CORE, edits)


def _settlement(
    scene: Scene, flow: CoreFlow, channel: str, found: BreakKind, allowed: BreakKind, edits: tuple[tuple[date, CoreEdit], ...]
) -> Victim:
    return Victim(
        party=CORE,
        keys={"account": flow.account, "core_ref": flow.core_ref, "channel": channel},
        expects=(
            scene.bc(found.value, f"SETTLEMENT|{channel}|{flow.core_ref}"),
            _inv_01(scene, flow.account),
            scene.bc(BreakKind.INV_09.value, f"INV|INV_09|{flow.core_ref}"),
        ),
        allows=(scene.bc(allowed.value, _about(flow.account, flow.core_ref)),),
        known_by=scene.day,
        core=edits,
    )
