"""What a platform could claim wrongly in its TXN file (side A); the bank's own side and all balances stay true."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from custody.names import BreakKind, FileType, TxnStatus, TxnType
from simulator.edits import RowEdit
from simulator.movement import P_MARKETING, Holder, Movement, Row
from simulator.victim import Expect, Scene, Victim, tomorrow

_SPLIT = (TxnType.REPAYMENT, TxnType.COMPENSATION, TxnType.COMPENSATION_REPAYMENT)


def subject(move: Movement) -> str:
    return f"TXN|{move.request_no}|{move.leg}"


def keys(move: Movement) -> dict[str, object]:
    known = {"request_no": move.request_no, "leg": move.leg, "type": move.txn_type.value, "loan": move.loan_id}
    return {name: value for name, value in known.items() if value is not None}


def _txn(
    scene: Scene, move: Movement, found: BreakKind, action: str, values: Row | None = None, other: Holder | None = None
) -> Victim:
    """``other``: an account that the platform names and that the movement does not touch."""
    return Victim(
        party=scene.platform,
        keys=keys(move),
        expects=(scene.ab(found.value, subject(move)),),
        follows=scene.chains_of(move, other),
        known_by=scene.day,
        rows=((scene.key(FileType.TXN), RowEdit(action, (move.request_no, move.leg), values or {})),),
    )


def missing(scene: Scene) -> Iterator[Victim]:
    for move in scene.claimed():
        yield _txn(scene, move, BreakKind.MISSING_IN_PLATFORM, "drop")


def unauthorised(scene: Scene) -> Iterator[Victim]:
    """The platform claims a bonus that nobody instructed."""
    lenders = scene.users("LENDER")
    move = Movement(
        platform=scene.platform,
        request_no=scene.number(),
        txn_type=TxnType.MARKETING,
        amount_minor=scene.size(1_000, 90_000),
        payer=P_MARKETING,
        payee=("LENDER", scene.rng.choice(lenders)),
        **scene.when(),  # type: ignore[arg-type]
    )
    yield _txn(scene, move, BreakKind.UNAUTHORISED, "add", move.txn_row())


def amount(scene: Scene) -> Iterator[Victim]:
    # Not where principal and interest are told apart: there another amount is another split as well (ALLOCATION).
    for move in scene.claimed():
        if move.txn_type not in _SPLIT:
            values: Row = {"amount_minor": move.amount_minor + scene.size(1, 10_000)}
            yield _txn(scene, move, BreakKind.AMOUNT, "change", values)


def status(scene: Scene) -> Iterator[Victim]:
    for move in scene.claimed():
        yield _txn(scene, move, BreakKind.STATUS, "change", {"status": TxnStatus.FAIL.value})


def wrong_account(scene: Scene) -> Iterator[Victim]:
    """The platform names another customer of the same role as the one whose money came or went."""
    for move in scene.claimed():
        column, holder = ("to_user_no", move.payee) if move.payee else ("from_user_no", move.payer)
        assert holder is not None
        others = [user for user in scene.users(holder[0]) if user != holder[1]] if holder[0] != "PLATFORM" else []
        if others:
            other = scene.rng.choice(others)
            yield _txn(scene, move, BreakKind.WRONG_ACCOUNT, "change", {column: other}, (holder[0], other))


def wrong_loan(scene: Scene) -> Iterator[Victim]:
    loans = [str(row["loan_id"]) for row in scene.own.loans]
    for move in scene.claimed():
        others = [loan for loan in loans if loan != move.loan_id] if move.loan_id is not None else []
        if others:
            yield _txn(scene, move, BreakKind.WRONG_LOAN, "change", {"loan_id": scene.rng.choice(others)})


def txn_type(scene: Scene) -> Iterator[Victim]:
    """A bonus or an entrusted payment is called a fee, a fee a bonus: who uses whose money looks other than it is."""
    for move in scene.claimed(TxnType.MARKETING, TxnType.COMMISSION, TxnType.ENTRUSTED_PAYMENT):
        called = TxnType.MARKETING if move.txn_type is TxnType.COMMISSION else TxnType.COMMISSION
        yield _txn(scene, move, BreakKind.TXN_TYPE, "change", {"txn_type": called.value})


def direction(scene: Scene) -> Iterator[Victim]:
    for move in scene.claimed(TxnType.REPAYMENT, TxnType.TENDER_SETTLE):
        row = move.txn_row()
        swapped: Row = {
            "from_role": row["to_role"],
            "from_user_no": row["to_user_no"],
            "to_role": row["from_role"],
            "to_user_no": row["from_user_no"],
        }
        yield _txn(scene, move, BreakKind.DIRECTION, "change", swapped)


def duplicate(scene: Scene) -> Iterator[Victim]:
    for move in scene.claimed():
        yield _txn(scene, move, BreakKind.DUPLICATE, "repeat")


def sent_again(scene: Scene) -> Iterator[Victim]:
    """A movement of the day before stands in today's file once more."""
    if scene.before is None:
        return
    yesterday = replace(scene, index=scene.index - 1)
    sound = scene.key(FileType.TXN, day=yesterday.day)
    for move in yesterday.claimed():
        yield replace(_txn(scene, move, BreakKind.DUPLICATE, "add", move.txn_row()), sound=(sound,))


# What a channel settles: a claim may come as late as its cash, so the next day's file is no fault.
_AT_SETTLEMENT = (TxnType.RECHARGE, TxnType.BACKROLL_RECHARGE, TxnType.WITHDRAW, TxnType.WITHDRAW_RETURN)


def filed_late(scene: Scene) -> Iterator[Victim]:
    """A movement of midday stands in the next day's file: missing today, and a difference in time tomorrow."""
    if not scene.days_left:
        return
    for move in scene.claimed():
        if move.channel is not None and move.txn_type in _AT_SETTLEMENT:
            continue
        key = (move.request_no, move.leg)
        file, next_file = scene.key(FileType.TXN), scene.key(FileType.TXN, day=tomorrow(scene.day))
        yield Victim(
            party=scene.platform,
            keys=keys(move),
            expects=(
                scene.ab(BreakKind.MISSING_IN_PLATFORM.value, subject(move)),
                scene.ab(BreakKind.TIMING.value, subject(move)),
            ),
            follows=scene.chains_of(move),
            known_by=tomorrow(scene.day),
            rows=((file, RowEdit("drop", key)), (next_file, RowEdit("add", key, move.txn_row()))),
        )


def allocation(scene: Scene) -> Iterator[Victim]:
    """A repayment's leg calls a part of its principal interest; its amount holds."""
    for move in scene.claimed(TxnType.REPAYMENT):
        principal, interest = move.principal_minor or 0, move.interest_minor or 0
        if principal:
            part = min(scene.size(1, principal + 1), principal)
            values: Row = {"principal_minor": principal - part, "interest_minor": interest + part}
            yield _txn(scene, move, BreakKind.ALLOCATION, "change", values)


def rounding(scene: Scene) -> Iterator[Victim]:
    """Two legs of one repayment differ by a fen of interest, one up and one down: the residue went to another claim."""
    legs: dict[str, list[Movement]] = {}
    for move in scene.claimed(TxnType.REPAYMENT):
        if move.interest_minor:
            legs.setdefault(move.request_no, []).append(move)
    file = scene.key(FileType.TXN)
    for moves in legs.values():
        if len(moves) < 2:
            continue
        two = scene.rng.sample(moves, 2)
        values = [{"amount_minor": m.amount_minor + by, "interest_minor": (m.interest_minor or 0) + by} for m, by in zip(two, (1, -1), strict=True)]  # fmt: skip
        yield Victim(
            party=scene.platform,
            keys=keys(two[0]) | {"other_leg": two[1].leg},
            expects=tuple(scene.ab(BreakKind.ROUNDING.value, subject(m)) for m in two),
            allows=tuple(scene.ab(BreakKind.AMOUNT.value, subject(m)) for m in two),
            follows=scene.chains(*(m.payee for m in two)),
            known_by=scene.day,
            rows=tuple((file, RowEdit("change", (m.request_no, m.leg), dict(v))) for m, v in zip(two, values, strict=True)),
        )


# A volume that cannot be ordinary: below this share of the quietest of at least so many days of the same kind, each with so many
# rows. (The world's own days differ: a holiday has no settlements, the first days have few loans.)
_SHARE_BP, _DAYS, _ROWS = 1_900, 5, 20


def most_missing(scene: Scene) -> Iterator[Victim]:
    """Nearly all movements of a date are left out: each is missing, and the file as a whole is far too small."""
    is_business = scene.calendar.is_business_day
    alike = [truth for truth in scene.days[: scene.index] if is_business(truth.day) == is_business(scene.day)]
    usual = [len(truth.platforms[scene.platform].txn) for truth in alike]
    dropped = scene.claimed()
    left = len(scene.own.txn) - len(dropped)
    if len(usual) < _DAYS or min(usual) < _ROWS or left * 10_000 >= _SHARE_BP * min(usual):
        return
    file = scene.key(FileType.TXN)
    small = Expect(scene.platform, "FILE", "BATCH", f"BATCH|{file[1]}|{file[2].isoformat()}|batch_low")
    yield Victim(
        party=scene.platform,
        keys={"file": FileType.TXN.value, "left": left, "requests": sorted({move.request_no for move in dropped})},
        expects=(small, *(scene.ab(BreakKind.MISSING_IN_PLATFORM.value, subject(move)) for move in dropped)),
        follows=tuple(dict.fromkeys(chain for move in dropped for chain in scene.chains_of(move))),
        known_by=scene.day,
        # A file that came late told nobody what is usual.
        sound=tuple((*file[:2], truth.day) for truth in alike),
        alone=file,
        rows=tuple((file, RowEdit("drop", (move.request_no, move.leg))) for move in dropped),
    )
