"""How the core could answer the bank's charges of custody fees wrongly: short, another amount, twice, what nobody charged, late."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta

from custody.calendar import at
from custody.names import BreakKind, FileType, Originator, TxnStatus, TxnType
from simulator import hours
from simulator.edits import CoreEdit, FileKey, RowEdit
from simulator.movement import CoreFlow, Movement, Row
from simulator.victim import Expect, Scene, Victim
from simulator.victims_orders import added, instruction, keys, order_key

# What the bank itself tells its fee officer.
FEES = "FEE"
_LEAST_MINOR = 3


def told(scene: Scene, rule: str, subject: str) -> Expect:
    return Expect(scene.platform, FEES, rule, subject)


def unanswered(scene: Scene, request_no: str) -> Expect:
    return told(scene, "FEE_UNANSWERED", f"{scene.platform}|{request_no}")


def charge_of(request_no: object) -> str:
    return str(request_no).rpartition("-")[0]


def _collected(scene: Scene) -> Iterator[tuple[Movement, Row, list[CoreFlow]]]:
    """What the core collects today, as the gateway says it, and its flows."""
    for move in scene.own.instructions:
        if move.txn_type is TxnType.CUSTODY_FEE and move.amount_minor >= _LEAST_MINOR:
            yield move, move.instruction_row(), [flow for flow in scene.own.core_flows if flow.core_ref == move.request_no]


def _surplus(scene: Scene) -> Expect:
    return scene.b(BreakKind.INV_11.value, f"INV|INV_11|{scene.platform}")


def _touched(scene: Scene, flows: list[CoreFlow]) -> tuple[str, ...]:
    return tuple(f"{scene.platform}|CORE|{flow.account}|{flow.core_ref}" for flow in flows)


def short(scene: Scene) -> Iterator[Victim]:
    """Less is collected than was charged; the next try fails, and the one after it brings the rest."""
    second, third = (scene.business_days_on(scene.day, number) for number in (1, 2))
    if third > scene.days[-1].day:
        return
    for move, row, flows in _collected(scene):
        less = min(scene.size(1, 500), move.amount_minor // 2)
        edit = RowEdit("change", order_key(row), {"amount_minor": move.amount_minor - less})
        charge = charge_of(move.request_no)
        failed = _answer(scene, f"{charge}-2", less, second, TxnStatus.FAIL)
        paid = _answer(scene, f"{charge}-3", less, third, TxnStatus.SUCCESS)
        file = scene.key(FileType.INSTRUCTION, scene.gateway)
        core = [(scene.day, CoreEdit("change", f.account, f.core_ref, amount_minor=f.amount_minor + less)) for f in flows]
        yield Victim(
            party=scene.gateway,
            keys=keys(row) | {"paid_in": paid["request_no"]},
            expects=(told(scene, "FEE_ARREARS", charge),),
            known_by=second,
            rows=((file, edit), _on(scene, failed, second), _on(scene, paid, third)),
            core=(*core, (third, _flow(scene, paid))),
            touches=_touched(scene, flows),
            sound=tuple(scene.key(FileType.INSTRUCTION, scene.gateway, day) for day in (second, third)),
        )


def another_amount(scene: Scene) -> Iterator[Victim]:
    """The core takes more than it was asked for."""
    for move, row, flows in _collected(scene):
        yield _more(scene, move, row, flows, scene.size(1, 500))


def _more(scene: Scene, move: Movement, row: Row, flows: list[CoreFlow], more: int) -> Victim:
    edit = RowEdit("change", order_key(row), {"amount_minor": move.amount_minor + more})
    return Victim(
        party=scene.gateway,
        keys=keys(row),
        expects=(told(scene, "FEE_AMOUNT", charge_of(move.request_no)), _surplus(scene)),
        known_by=scene.day,
        rows=((scene.key(FileType.INSTRUCTION, scene.gateway), edit),),
        core=tuple((scene.day, CoreEdit("change", f.account, f.core_ref, amount_minor=f.amount_minor - more)) for f in flows),
        touches=_touched(scene, flows),
    )


def by_first_terms(scene: Scene) -> Iterator[Victim]:
    """The core takes it by the terms of before the contract changed: more than the bank charged. Where nothing changed there is no place."""
    for move, row, flows in _collected(scene):
        more = scene.own.fee_by_first_terms_minor - move.amount_minor
        if more > 0:
            yield _more(scene, move, row, flows, more)


def twice(scene: Scene) -> Iterator[Victim]:
    """The core takes the same charge once more, as a second leg of its answer."""
    for move, row, flows in _collected(scene):
        again: Row = row | {"leg": 2, "event_time": move.event_time}
        yield Victim(
            party=scene.gateway,
            keys=keys(again),
            expects=(
                told(scene, "FEE_ANSWERED_TWICE", f"{scene.platform}|{move.request_no}"),
                told(scene, "FEE_AMOUNT", charge_of(move.request_no)),
                _surplus(scene),
            ),
            known_by=scene.day,
            rows=(added(scene, again),),
            core=tuple((scene.day, CoreEdit("add", f.account, f.core_ref, flow=f)) for f in flows),
            touches=_touched(scene, flows),
        )


def unknown_charge(scene: Scene) -> Iterator[Victim]:
    """The core takes a fee under a number that the bank never gave it."""
    for move, _, flows in _collected(scene):
        number = f"{charge_of(move.request_no)}-99"
        row = _answer(scene, number, scene.size(100, 9_000), scene.day, TxnStatus.SUCCESS)
        yield Victim(
            party=scene.gateway,
            keys=keys(row),
            expects=(told(scene, "FEE_ANSWER_UNKNOWN", f"{scene.platform}|{number}"), _surplus(scene)),
            known_by=scene.day,
            rows=(added(scene, row),),
            core=((scene.day, _flow(scene, row)),),
            touches=_touched(scene, flows),
        )


def late(scene: Scene) -> Iterator[Victim]:
    """The core takes it, and answers, a business day later than it was asked."""
    then = scene.business_days_on(scene.day, 1)
    if then > scene.days[-1].day:
        return
    for move, row, flows in _collected(scene):
        moment = datetime.combine(then, move.event_time.timetz())
        file = scene.key(FileType.INSTRUCTION, scene.gateway)
        moved: Row = row | {"event_time": moment}
        core = [(scene.day, CoreEdit("drop", f.account, f.core_ref)) for f in flows]
        core += [(then, CoreEdit("add", f.account, f.core_ref, flow=replace(f, booked_at=moment))) for f in flows]
        yield Victim(
            party=scene.gateway,
            keys=keys(row),
            expects=(unanswered(scene, str(move.request_no)),),
            known_by=scene.day,
            rows=((file, RowEdit("drop", order_key(row))), _on(scene, moved, then)),
            core=tuple(core),
            touches=_touched(scene, flows),
            sound=(file, scene.key(FileType.INSTRUCTION, scene.gateway, then)),
        )


def _answer(scene: Scene, number: str, amount: int, on: date, status: TxnStatus) -> Row:
    more: Row = {
        "request_no": number,
        "authorisation_id": f"A{number}",
        "direction": "OUT",
        "fee_minor": 0,
        "status": status.value,
        "event_time": at(on, time(0)) + timedelta(seconds=hours.CUSTODY_FEES[0]),
    }
    return instruction(scene, TxnType.CUSTODY_FEE, amount, Originator.BANK, **more)


def _on(scene: Scene, row: Row, day: date) -> tuple[FileKey, RowEdit]:
    return scene.key(FileType.INSTRUCTION, scene.gateway, day), RowEdit("add", order_key(row), row)


def _flow(scene: Scene, row: Row) -> CoreEdit:
    account, number, moment = f"{scene.platform}:OWN", str(row["request_no"]), row["event_time"]
    amount = row["amount_minor"]
    assert isinstance(amount, int) and isinstance(moment, datetime)
    return CoreEdit("add", account, number, flow=CoreFlow(account, -amount, number, "存管银行", "存管费", moment))
