"""Loans whose money comes back, repays another loan, or is lent again. What planted rows have in common stands in victims_funds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import date, time

from custody.calendar import at
from custody.names import FileType, Originator, TxnType
from simulator.edits import FileKey, RowEdit
from simulator.movement import CURRENCY, P_INCOME, Holder, Movement, Row
from simulator.victim import Scene, Victim, tomorrow
from simulator.victims_funds import becomes, found, last_loans, moves, opening, story, with_transfer
from simulator.victims_orders import instruction, keys
from simulator.victims_stories import balances_shifted, is_charged_for, on_both_sides

# From here on on the last day nothing else happens to whom a fault is about.
_EVENING = time(21)


def back_to_platform(scene: Scene) -> Iterator[Victim]:
    """The day after the disbursal the borrower pays the platform a fifth of the loan as a commission, and brings as much of his own."""
    if scene.before is None or is_charged_for(scene):
        return
    for loan in scene.own.loans:
        borrower: Holder = ("BORROWER", str(loan["borrower_user_no"]))
        lies = next((row for row in scene.before.balances if (row["role"], row["user_no"]) == borrower), None)
        raised, lent = loan["raised_minor"], loan["disbursed_on"]
        assert isinstance(raised, int)
        if lies is None or not isinstance(lent, date) or tomorrow(lent) != scene.day:
            continue
        amount, available = raised // 5, lies["available_minor"]
        assert isinstance(available, int)
        if available < amount or _held_before(scene, borrower, 2):
            continue
        paid_in = instruction(scene, TxnType.RECHARGE, amount, Originator.CUSTOMER, payee=borrower, **scene.when(5, 6))
        more: Row = {"loan_id": loan["loan_id"]}
        row = instruction(
            scene, TxnType.COMMISSION, amount, Originator.PLATFORM, payer=borrower, payee=P_INCOME, **(more | scene.when(6, 7))
        )
        edits = [*on_both_sides(scene, paid_in, row), *balances_shifted(scene, P_INCOME, amount, 0)]
        expects = [found(scene, loan["loan_id"], "funds_back_to_platform")]
        yield with_transfer(scene, story(scene, keys(row) | more, expects, scene.day, edits, borrower), paid_in)


def _held_before(scene: Scene, holder: Holder, days: int) -> bool:
    """Whether the account held anything so many days before."""
    if scene.index < days:
        return False
    rows = scene.days[scene.index - days].platforms[scene.platform].balances
    return any(row["available_minor"] or row["frozen_minor"] for row in rows if (row["role"], row["user_no"]) == holder)


def _borrowers(scene: Scene) -> Iterator[tuple[Holder, Row, Row]]:
    """(borrower, his loan, the row that opens his account), where the loan was disbursed to himself and nothing came back to him."""
    returned = {move.payee for _, move in moves(scene, TxnType.WITHDRAW_RETURN)}
    for loan in last_loans(scene):
        borrower: Holder = ("BORROWER", str(loan["borrower_user_no"]))
        row = opening(scene, borrower)
        if row is not None and loan["disbursed_on"] is not None and loan["payee_user_no"] is None and borrower not in returned:
            yield borrower, loan, row


def repays_other(scene: Scene) -> Iterator[Victim]:
    """Two borrowers are one person, who withdraws the first loan and repays the second with it."""
    if scene.index:
        return
    flows: dict[Holder, list[tuple[date, Movement]]] = {}
    for day, move in moves(scene, TxnType.WITHDRAW, TxnType.RECHARGE, TxnType.COMMISSION):
        who = move.payee if move.txn_type is TxnType.RECHARGE else move.payer
        assert who is not None
        flows.setdefault(who, []).append((day, move))
    others = [
        (("BORROWER", str(loan["borrower_user_no"])), loan) for loan in last_loans(scene) if loan["disbursed_on"] is not None
    ]
    for first, loan, paper in _borrowers(scene):
        for second, other in others:
            on = None if first == second else _repaid_with(scene, flows, first, second, loan)
            row = opening(scene, second) if on is not None else None
            if on is not None and row is not None:
                told: dict[str, object] = {"loan_id": loan["loan_id"], "repays": other["loan_id"], "user_no": second[1]}
                expects = [found(scene, loan["loan_id"], "funds_repay_other_loan")]
                allows = [
                    found(scene, other["loan_id"], "funds_repay_other_loan"),
                    *(found(scene, one["loan_id"], "funds_back_to_platform") for one in (loan, other)),
                ]
                edits = [becomes(scene, row, paper)]
                yield story(scene, told, expects, on, edits, first, second, allows=allows)


def _repaid_with(
    scene: Scene, flows: dict[Holder, list[tuple[date, Movement]]], first: Holder, second: Holder, loan: Row
) -> date | None:
    """The day by which the second's repayments took a tenth of the first's loan, where what was withdrawn first is brought back
    first."""
    outside: deque[tuple[Holder, int]] = deque()
    spent, raised = 0, loan["raised_minor"]
    assert isinstance(raised, int)
    days: dict[date, list[Movement]] = {}
    for day, move in sorted((*flows.get(first, []), *flows.get(second, [])), key=lambda one: (one[0], one[1].order)):
        days.setdefault(day, []).append(move)
    for day, of_day in days.items():
        sure = 0
        for move in of_day:
            if move.txn_type is TxnType.WITHDRAW and move.payer is not None:
                outside.append((move.payer, move.amount_minor))
            elif move.txn_type is TxnType.RECHARGE:
                brought = _brought(outside, move.amount_minor, first)
                sure += brought if move.payee == second else 0
            elif move.txn_type is TxnType.COMMISSION and move.payer == second:
                sure -= move.amount_minor
        # Of what he brought, the most that may still lie there, or be a fee.
        spent += max(0, sure - _closing(scene, day, second))
        if spent * 10 >= raised:
            return day
    return None


def _brought(outside: deque[tuple[Holder, int]], amount: int, first: Holder) -> int:
    """What of the amount is the first's."""
    its_own = 0
    while amount and outside:
        whose, there = outside.popleft()
        part = min(there, amount)
        if there > part:
            outside.appendleft((whose, there - part))
        amount -= part
        its_own += part if whose == first else 0
    return its_own


def _closing(scene: Scene, day: date, holder: Holder) -> int:
    for truth in scene.days:
        if truth.day == day:
            for row in truth.platforms[scene.platform].balances:
                if (row["role"], row["user_no"]) == holder:
                    assert isinstance(row["available_minor"], int) and isinstance(row["frozen_minor"], int)
                    return row["available_minor"] + row["frozen_minor"]
    return 0


def relends(scene: Scene) -> Iterator[Victim]:
    """A borrower is a lender too: on the world's last day he brings what he withdrew, and buys a claim with it and all he has."""
    if scene.days_left or is_charged_for(scene):
        return
    flows = list(moves(scene, TxnType.WITHDRAW, TxnType.RECHARGE))
    withdrawing = {move.payer for _, move in flows if move.txn_type is TxnType.WITHDRAW}
    busy = {
        who for move in scene.own.instructions if move.event_time >= at(scene.day, _EVENING) for who in (move.payer, move.payee)
    }
    buyers = [("LENDER", user) for user in scene.users("LENDER")]
    quiet = [(buyer, opening(scene, buyer)) for buyer in buyers if buyer not in busy and buyer not in withdrawing]
    for borrower, loan, paper in _borrowers(scene):
        raised = loan["raised_minor"]
        assert isinstance(raised, int)
        for buyer, row in quiet:
            both = {borrower, buyer}
            outside = sum(move.amount_minor for _, move in flows if move.payer in both)
            outside -= sum(move.amount_minor for _, move in flows if move.payee in both)
            if row is not None and outside >= raised // 10:
                yield from _bought(scene, loan, becomes(scene, row, paper), borrower, buyer)


def _bought(scene: Scene, loan: Row, opened: tuple[FileKey, RowEdit], borrower: Holder, buyer: Holder) -> Iterator[Victim]:
    """All that the buyer has, and a tenth of the loan, for a part of somebody's claim."""
    lies, raised = scene.balance_row(buyer), loan["raised_minor"]
    assert isinstance(raised, int)
    if lies is None or lies["frozen_minor"]:
        return
    own, brought = lies["available_minor"], raised // 10
    assert isinstance(own, int)
    for claim in scene.own.claims:
        seller: Holder = (str(claim["holder_role"]), str(claim["holder_user_no"]))
        assert isinstance(claim["principal_minor"], int)
        if seller[0] != "LENDER" or seller == buyer or claim["principal_minor"] <= own + brought:
            continue
        paid_in = instruction(scene, TxnType.RECHARGE, brought, Originator.CUSTOMER, payee=buyer, **scene.when(21, 22))
        more: Row = {"loan_id": claim["loan_id"], "principal_minor": own + brought, "related_request_no": claim["claim_id"]}
        row = instruction(
            scene,
            TxnType.CREDIT_ASSIGNMENT,
            own + brought,
            Originator.CUSTOMER,
            payer=buyer,
            payee=seller,
            **(more | scene.when(22, 23)),
        )
        cut: Row = {"principal_minor": -(own + brought)}
        new: Row = {
            "claim_id": row["request_no"],
            "loan_id": claim["loan_id"],
            "principal_minor": own + brought,
            "currency": CURRENCY,
        }
        new |= {"holder_role": buyer[0], "holder_user_no": buyer[1]}
        edits = [
            opened,
            *on_both_sides(scene, paid_in, row),
            (scene.key(FileType.CLAIM), RowEdit("shift", (claim["claim_id"],), cut)),
            (scene.key(FileType.CLAIM), RowEdit("add", (new["claim_id"],), new)),
            *balances_shifted(scene, buyer, -own, 0),
            *balances_shifted(scene, seller, own + brought, 0),
        ]
        told = keys(row) | {"loan_id": loan["loan_id"], "buyer": buyer[1], "claim_id": claim["claim_id"]}
        expects = [found(scene, loan["loan_id"], "funds_relent")]
        yield with_transfer(scene, story(scene, told, expects, scene.day, edits, borrower, buyer, seller), paid_in)
        return
