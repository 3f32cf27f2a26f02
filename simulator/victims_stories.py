"""Faults on which all sides agree: the platform claims them, the bank was instructed, balances follow, the core too where it
is touched. Only a rule shows that something is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time

from custody.calendar import at, month_end
from custody.names import BreakKind, FileType, Originator, TxnStatus, TxnType
from simulator.edits import CoreEdit, FileKey, RowEdit
from simulator.movement import P_INCOME, CoreFlow, Holder, Row
from simulator.victim import Expect, Scene, Victim
from simulator.victims_fees import unanswered
from simulator.victims_orders import account, added, instruction, keys, order_key, posting

_STALE_AFTER = 5  # business days, after which a withdrawal's freeze or an unowned receipt is overdue (domain.md §2)
_BANKS_OWN = ("platform", "originator", "authorisation_id", "settlement_batch", "direction", "fee_minor")


def on_both_sides(scene: Scene, *rows: Row) -> list[tuple[FileKey, RowEdit]]:
    edits = []
    for row in rows:
        claimed = {name: value for name, value in row.items() if name not in _BANKS_OWN}
        edits.append(added(scene, row))
        edits.append((scene.key(FileType.TXN), RowEdit("add", (row["request_no"], row["leg"]), claimed)))
    return edits


def balances_shifted(scene: Scene, holder: Holder, available: int, frozen: int) -> list[tuple[FileKey, RowEdit]]:
    """The account shows it from today to the end of the world."""
    values: Row = {"available_minor": available, "frozen_minor": frozen}
    return [(scene.key(FileType.BALANCE, day=day), RowEdit("shift", holder, values)) for day, _ in scene.later()]


def _story(
    scene: Scene, party: str, row: Row, expects: Expect, known_by: date, edits: list[tuple[FileKey, RowEdit]], *allows: Expect
) -> Victim:
    return Victim(
        party=party,
        keys=keys(row),
        expects=(expects,),
        allows=allows,
        known_by=known_by,
        rows=tuple(edits),
        touches=(account(scene, (str(row["from_role"]), str(row["from_user_no"]))),),
        # What stands on both sides is compared today: a late file would only put the comparison off.
        sound=(scene.key(FileType.TXN),),
    )


def _payers(scene: Scene, role: str, amount_minor: int) -> Iterator[Holder]:
    for user in scene.users(role):
        if scene.can_spare((role, user), amount_minor):
            yield role, user


def upfront_fee(scene: Scene) -> Iterator[Victim]:
    """On the day of disbursal the borrower pays the platform a commission, for which he transfers the money in.

    Only in a month whose custody fee is not collected in this world: his transfer costs the platform a fee that nobody asked for.
    """
    if is_charged_for(scene):
        return
    amount, custody = scene.size(1_000, 90_000), f"{scene.platform}:CUSTODY"
    for loan in scene.own.loans:
        if loan["disbursed_on"] != scene.day:
            continue
        payer = ("BORROWER", str(loan["borrower_user_no"]))
        paid_in = instruction(scene, TxnType.RECHARGE, amount, Originator.CUSTOMER, payee=payer, **scene.when(20, 21))
        more: Row = {"loan_id": loan["loan_id"]}
        row = instruction(
            scene, TxnType.COMMISSION, amount, Originator.PLATFORM, payer=payer, payee=P_INCOME, **(more | scene.when(21, 22))
        )
        edits = [*on_both_sides(scene, paid_in, row), *balances_shifted(scene, P_INCOME, amount, 0)]
        story = _story(scene, scene.platform, row, posting(scene, BreakKind.UPFRONT_FEE, row), scene.day, edits)
        paid_by = {"paid_in": paid_in["request_no"]}
        yield replace(story, keys=story.keys | paid_by, core=((scene.day, transfer(custody, paid_in, "借款人转入")),))


def transfer(account: str, paid_in: Row, narrative: str) -> CoreEdit:
    """A transfer into the custody account, which the core books at once under the request's number."""
    moment, amount, number = paid_in["event_time"], paid_in["amount_minor"], str(paid_in["request_no"])
    assert isinstance(moment, datetime) and isinstance(amount, int)
    return CoreEdit("add", account, number, flow=CoreFlow(account, amount, number, "UNKNOWN", narrative, moment))


def is_charged_for(scene: Scene) -> bool:
    """Whether the custody fee of this month is collected before the world ends: on the first business day of the next."""
    return scene.calendar.next_business_day(month_end(scene.day)) <= scene.days[-1].day


def stale_freeze(scene: Scene) -> Iterator[Victim]:
    """A withdrawal is frozen and neither paid nor cancelled any more."""
    amount = scene.size(100, 20_000)
    for payer in _payers(scene, "LENDER", amount):
        row = instruction(scene, TxnType.WITHDRAW_FREEZE, amount, Originator.CUSTOMER, payer=payer, **scene.when(21, 22))
        edits = [*on_both_sides(scene, row), *balances_shifted(scene, payer, -amount, amount)]
        known_by = scene.business_days_on(scene.day, _STALE_AFTER)
        yield _story(
            scene, scene.platform, row, scene.b(BreakKind.STALE_FREEZE.value, f"HOLD|{row['request_no']}"), known_by, edits
        )


def unknown_status(scene: Scene) -> Iterator[Victim]:
    """A withdrawal stays UNKNOWN: neither paid nor failed, its money frozen."""
    amount = scene.size(100, 20_000)
    for channel in scene.own.settlements:
        for payer in _payers(scene, "LENDER", amount):
            freeze = instruction(scene, TxnType.WITHDRAW_FREEZE, amount, Originator.CUSTOMER, payer=payer, **scene.when(20, 21))
            more: Row = {"related_request_no": freeze["request_no"], "channel": channel, "status": TxnStatus.UNKNOWN.value}
            out = instruction(scene, TxnType.WITHDRAW, amount, Originator.CUSTOMER, payer=payer, **(more | scene.when(21, 22)))
            edits = [*on_both_sides(scene, freeze, out), *balances_shifted(scene, payer, -amount, amount)]
            known_by = scene.business_days_on(scene.day, 1)
            stale = scene.b(BreakKind.STALE_FREEZE.value, f"HOLD|{freeze['request_no']}")
            yield _story(scene, channel, out, posting(scene, BreakKind.UNKNOWN_STATUS, out), known_by, edits, stale)


def _in_and_out(scene: Scene, amount: int, found: Expect | None, *allows: BreakKind) -> Iterator[Victim]:
    """A customer recharges and withdraws the same money the same day. Only where the channel settles after the world's end."""
    if scene.calendar.next_business_day(scene.day) <= scene.days[-1].day:
        return
    for channel in scene.own.settlements:
        for user in scene.users("LENDER"):
            holder = ("LENDER", user)
            if _held(scene, holder) >= amount:
                continue  # his own settled money pays for what he withdraws
            more: Row = {"channel": channel}
            paid_in = instruction(
                scene, TxnType.RECHARGE, amount, Originator.CUSTOMER, payee=holder, **(more | scene.when(19, 20))
            )
            freeze = instruction(scene, TxnType.WITHDRAW_FREEZE, amount, Originator.CUSTOMER, payer=holder, **scene.when(20, 21))
            more |= {"related_request_no": freeze["request_no"]}
            out = instruction(scene, TxnType.WITHDRAW, amount, Originator.CUSTOMER, payer=holder, **(more | scene.when(21, 22)))
            edits = on_both_sides(scene, paid_in, freeze, out)
            unsettled = posting(scene, BreakKind.UNSETTLED_USE, out)
            others = [scene.b(kind.value, f"INV|{kind.value}|{scene.platform}") for kind in allows]
            expects, allowed = (unsettled, others) if found is None else (found, [unsettled, *others])
            yield _story(scene, scene.platform, out, expects, scene.day, edits, *allowed)


def _held(scene: Scene, holder: Holder) -> int:
    """The most that the account can have had of its own in the evening, when the story begins."""
    row = scene.balance_row(holder)
    left = row["available_minor"] if row is not None else 0
    assert isinstance(left, int)
    evening = at(scene.day, time(19))
    return left + sum(m.amount_minor for m in scene.own.instructions if m.payer == holder and m.event_time >= evening)


def unsettled_use(scene: Scene) -> Iterator[Victim]:
    """Money whose cash has not reached the core is withdrawn."""
    return _in_and_out(scene, scene.size(10_000, 90_000), None, BreakKind.INV_12)


def above_settled(scene: Scene) -> Iterator[Victim]:
    """More is withdrawn than the whole custody account holds in settled cash."""
    settled = next(b.closing_minor for b in scene.own.core_balances if b.account.endswith(":CUSTODY"))
    found = scene.b(BreakKind.INV_12.value, f"INV|INV_12|{scene.platform}")
    return _in_and_out(scene, settled + scene.size(10_000, 90_000), found, BreakKind.INV_13)


def suspense_aged(scene: Scene) -> Iterator[Victim]:
    """A receipt without an owner is neither identified nor returned."""
    amount = scene.size(10_000, 900_000)
    suspense: Holder = ("PLATFORM", "SUSPENSE")
    row = instruction(scene, TxnType.RECHARGE, amount, Originator.BANK, payee=suspense)
    # A receipt costs the platform a fee, which the core of this world does not collect: neither at first nor when it is tried again.
    charge = f"{scene.platform}-{scene.day:%Y-%m}"
    unasked = tuple(unanswered(scene, f"{charge}-{attempt}") for attempt in range(2, 2 + scene.days_left))
    yield Victim(
        party=scene.gateway,
        keys=keys(row),
        expects=(scene.b(BreakKind.SUSPENSE_AGED.value, f"SUSPENSE|{row['request_no']}"),),
        allows=unasked if is_charged_for(scene) else (),
        known_by=scene.business_days_on(scene.day, _STALE_AFTER + 1),
        rows=(added(scene, row),),
        core=((scene.day, transfer(f"{scene.platform}:CUSTODY", row, "不明来账")),),
    )


def fee_not_restored(scene: Scene) -> Iterator[Victim]:
    """The platform's own funds do not make good the channel's fee: customers' money bears it from then on."""
    for move in scene.own.instructions:
        if move.txn_type is not TxnType.CHANNEL_FEE_TOPUP:
            continue
        row = move.instruction_row()
        booked = [flow for flow in scene.own.core_flows if flow.core_ref == move.request_no]
        yield Victim(
            party=scene.platform,
            keys=keys(row) | {"batch": move.settlement_batch},
            expects=(scene.b(BreakKind.SHORTFALL.value, f"INV|SHORTFALL|{scene.platform}:FEE_RECEIVABLE"),),
            known_by=scene.day,
            rows=((scene.key(FileType.INSTRUCTION, scene.gateway), RowEdit("drop", order_key(row))),),
            core=tuple((scene.day, CoreEdit("drop", flow.account, flow.core_ref)) for flow in booked),
            touches=tuple(f"{scene.platform}|CORE|{flow.account}|{flow.core_ref}" for flow in booked),
        )
