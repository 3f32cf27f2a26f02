"""Loans whose money goes where it should not. All sides agree on every row: only the path of the money, and who is who, tells.

Whose money it is must follow from any reading of the rows: what is taken for a loan's money was all that lay on the account.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date

from custody.names import BreakKind, FileType, Originator, TxnStatus, TxnType
from simulator.edits import FileKey, RowEdit
from simulator.movement import Holder, Movement, Row
from simulator.parties import related_party
from simulator.victim import Expect, Scene, Victim, tomorrow
from simulator.victims_orders import account, instruction, keys
from simulator.victims_stories import balances_shifted, is_charged_for, on_both_sides, transfer

_PAPER = ("kind", "id_type", "id_no", "name", "phone", "card_no")
_STATED = "股票配资"


def found(scene: Scene, loan_id: object, rule: str) -> Expect:
    """The finding by that rule about that loan."""
    return scene.b(BreakKind.USE_OF_FUNDS.value, f"FUNDS|{loan_id}|{rule}")


def moves(scene: Scene, *types: TxnType) -> Iterator[tuple[date, Movement]]:
    """Of all the world's days, what happened in its end."""
    for truth in scene.days:
        for move in truth.platforms[scene.platform].instructions:
            if move.txn_type in types and move.status is TxnStatus.SUCCESS:
                yield truth.day, move


def opening(scene: Scene, holder: Holder) -> Row | None:
    """The row that opens the account on the world's first day; None when it is changed later."""
    rows = [
        row
        for truth in scene.days
        for row in truth.platforms[scene.platform].customers
        if (row["role"], row["user_no"]) == holder
    ]
    first = scene.days[0].platforms[scene.platform].customers
    return rows[0] if len(rows) == 1 and rows[0] in first else None


def becomes(scene: Scene, row: Row, paper: Row) -> tuple[FileKey, RowEdit]:
    """The account is opened with another's papers."""
    values: Row = {name: paper[name] for name in _PAPER}
    return scene.key(FileType.CUSTOMER, day=scene.days[0].day), RowEdit(
        "change", (row["user_no"], row["role"], row["action"]), values
    )


def _related(scene: Scene) -> Row:
    person = related_party(scene.platform)
    return {name: getattr(person, name) for name in _PAPER}


def _loan_rows(scene: Scene, loan_id: object, values: Row) -> list[tuple[FileKey, RowEdit]]:
    """The loan says so from its publication on."""
    return [
        (scene.key(FileType.LOAN, day=truth.day), RowEdit("change", (loan_id,), values))
        for truth in scene.days
        if any(loan["loan_id"] == loan_id for loan in truth.platforms[scene.platform].loans)
    ]


def last_loans(scene: Scene) -> list[Row]:
    """All loans, as they stand when the world ends."""
    return scene.days[-1].platforms[scene.platform].loans


def story(
    scene: Scene,
    told: dict[str, object],
    expects: Iterable[Expect],
    known_by: date,
    rows: Iterable[tuple[FileKey, RowEdit]],
    *touches: Holder,
    allows: Iterable[Expect] = (),
) -> Victim:
    """``told``: the keys of the label; ``touches``: the accounts that no other fault may touch."""
    edits = tuple(rows)
    return Victim(
        party=scene.platform,
        keys=told,
        expects=tuple(expects),
        allows=tuple(allows),
        known_by=known_by,
        rows=edits,
        touches=tuple(account(scene, holder) for holder in touches),
        # What stands on both sides is compared on its day: a late file would only put the comparison off.
        sound=tuple({(scene.platform, FileType.TXN.value, file[2]) for file, _ in edits}),
    )


def _entrusted(scene: Scene, payee: Holder) -> list[tuple[date, Movement]]:
    return [(day, move) for day, move in moves(scene, TxnType.ENTRUSTED_PAYMENT) if move.payee == payee]


def payee_is_related(scene: Scene) -> Iterator[Victim]:
    """Whom borrowers let their loans be paid to is a company of the platform's owners."""
    if scene.index:
        return
    for payee in (("PAYEE", user) for user in scene.users("PAYEE")):
        row, paid = opening(scene, payee), _entrusted(scene, payee)
        if row is not None and paid:
            expects = [found(scene, move.loan_id, "funds_to_related_party") for _, move in paid]
            told: dict[str, object] = {"payee": payee[1], "loan_id": paid[0][1].loan_id}
            yield story(scene, told, expects, paid[-1][0], [becomes(scene, row, _related(scene))], payee)


def borrower_is_related(scene: Scene) -> Iterator[Victim]:
    """The borrower is a company of the platform's owners: it finances itself."""
    if scene.index:
        return
    for loan in last_loans(scene):
        borrower: Holder = ("BORROWER", str(loan["borrower_user_no"]))
        row, lent = opening(scene, borrower), loan["disbursed_on"]
        if row is not None and isinstance(lent, date):
            told: dict[str, object] = {"loan_id": loan["loan_id"], "borrower": borrower[1]}
            expects = [found(scene, loan["loan_id"], "borrower_is_related")]
            yield story(scene, told, expects, lent, [becomes(scene, row, _related(scene))], borrower)


def payee_is_guarantor(scene: Scene) -> Iterator[Victim]:
    """Who answers for a loan is paid its money."""
    if scene.index:
        return
    for payee in (("PAYEE", user) for user in scene.users("PAYEE")):
        row, paid = opening(scene, payee), _entrusted(scene, payee)
        if row is None or len({move.loan_id for _, move in paid}) != 1:
            continue
        loan = next(loan for loan in last_loans(scene) if loan["loan_id"] == paid[0][1].loan_id)
        for user in scene.users("GUARANTOR"):
            paper = opening(scene, ("GUARANTOR", user))
            if paper is not None and loan["guarantor_user_no"] in (None, user):
                edits = [becomes(scene, row, paper)]
                if loan["guarantor_user_no"] is None:
                    edits += _loan_rows(scene, loan["loan_id"], {"guarantor_user_no": user})
                told: dict[str, object] = {"loan_id": loan["loan_id"], "payee": payee[1], "guarantor": user}
                expects = [found(scene, loan["loan_id"], "funds_to_guarantor")]
                yield story(scene, told, expects, paid[-1][0], edits, payee, ("GUARANTOR", user))


def payee_is_borrower(scene: Scene) -> Iterator[Victim]:
    """The payee of an entrusted payment is the borrower under another number."""
    if scene.index:
        return
    for day, move in moves(scene, TxnType.ENTRUSTED_PAYMENT):
        assert move.payer is not None and move.payee is not None
        row, paper = opening(scene, move.payee), opening(scene, move.payer)
        if row is not None and paper is not None:
            told: dict[str, object] = {"loan_id": move.loan_id, "payee": move.payee[1], "borrower": move.payer[1]}
            expects = [found(scene, move.loan_id, "payee_is_borrower")]
            yield story(scene, told, expects, day, [becomes(scene, row, paper)], move.payee, move.payer)


def payee_short(scene: Scene) -> Iterator[Victim]:
    """A part of the loan is not paid on to the payee, who brings as much of his own, and stays with the borrower."""
    if not scene.days_left or is_charged_for(scene):
        return
    for move in scene.own.instructions:
        if move.txn_type is not TxnType.ENTRUSTED_PAYMENT or move.payer is None or move.payee is None:
            continue
        kept = move.amount_minor // 12
        less: Row = {"amount_minor": move.amount_minor - kept}
        order = (move.platform, move.request_no, move.leg)
        paid_in = instruction(scene, TxnType.RECHARGE, kept, Originator.CUSTOMER, payee=move.payee, **scene.when(12, 13))
        edits = [
            *on_both_sides(scene, paid_in),
            (scene.key(FileType.INSTRUCTION, scene.gateway), RowEdit("change", order, less)),
            (scene.key(FileType.TXN), RowEdit("change", order[1:], less)),
            *balances_shifted(scene, move.payer, kept, 0),
        ]
        told = keys(move.instruction_row()) | {"loan_id": move.loan_id}
        expects = [found(scene, move.loan_id, "payee_not_paid")]
        victim = story(scene, told, expects, tomorrow(scene.day), edits, move.payee, move.payer)
        yield with_transfer(scene, victim, paid_in)


def purpose_forbidden(scene: Scene) -> Iterator[Victim]:
    """A loan says that it is for stocks on margin."""
    known = {loan["loan_id"] for loan in scene.before.loans} if scene.before else set()
    for loan in last_loans(scene):
        is_new = loan["loan_id"] not in known and any(loan["loan_id"] == one["loan_id"] for one in scene.own.loans)
        if is_new and isinstance(loan["disbursed_on"], date):
            edits = _loan_rows(scene, loan["loan_id"], {"purpose": _STATED})
            expects = [found(scene, loan["loan_id"], "purpose_forbidden")]
            yield story(scene, {"loan_id": loan["loan_id"]}, expects, loan["disbursed_on"], edits)


def with_transfer(scene: Scene, victim: Victim, recharge: Row) -> Victim:
    """The recharge as the core books it."""
    flow = transfer(f"{scene.platform}:CUSTODY", recharge, "客户转入")
    return replace(victim, keys=victim.keys | {"paid_in": recharge["request_no"]}, core=((scene.day, flow),))
