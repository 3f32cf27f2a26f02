"""What could be spoilt on one platform's day, and what the system must then find. Sides: AB, BC, FILE.

Movements near midnight are no victims: within the cut-off window a lone row is rightly carried forward, not a break.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, time
from random import Random

from custody.calendar import at
from custody.names import BreakKind, FileType, TxnStatus, TxnType
from schemas.exchange import ExchangeName
from simulator.faults import CoreEdit, FileKey, RowEdit, RowKey
from simulator.movement import P_MARKETING, CoreFlow, Movement, PlatformDay, Row

Expect = tuple[str, str, str]  # (sides, kind, subject)
_FIRST_VICTIM, _LAST_VICTIM = time(1, 0), time(23, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Victim:
    """A possible fault: the file it is in (None at the core), the edit, and (sides, kind, subject) of all it must raise.

    Of a line edit the key, the column, and what makes the spoilt bytes of the cell's text and encoding are given.
    """

    expects: tuple[Expect, ...]
    file: FileKey | None = None
    whole_file: bool = False
    row: RowEdit | None = None
    line: tuple[RowKey, str, Callable[[str, str], bytes]] | None = None
    core: CoreEdit | None = None


def file_name(key: FileKey) -> str:
    return str(ExchangeName(key[0], key[1], key[2], 1, 1))


def file_victims(kind: str, own: PlatformDay, index: int, days: int, day: date) -> Iterator[Victim]:
    """TXN and BALANCE files that hold rows. Not on the last day: what is refused or missing comes again the day after.

    A TXN file that brings a movement of the day before is spared: that movement would fall due twice.
    """
    if index == days - 1:
        return
    for file_type, is_fit in (
        (FileType.TXN, bool(own.txn) and all(move.event_time.date() == day for move in own.txn)),
        (FileType.BALANCE, bool(own.balances)),
    ):
        key = (own.platform, file_type.value, day)
        late = ("FILE", BreakKind.LATE_FILE.value, f"LATE|{own.platform}|{file_type.value}|{day.isoformat()}")
        refused = ("FILE", BreakKind.CONTROL_TOTAL.value, f"FILE|{file_name(key)}")
        if is_fit:
            yield Victim(expects=(late,) if kind == "missing_file" else (refused, late), file=key, whole_file=True)


def _txn_key(own: PlatformDay, day: date) -> FileKey:
    return own.platform, FileType.TXN.value, day


def _claimed(own: PlatformDay, day: date, *types: TxnType) -> list[Movement]:
    """Movements in the platform's TXN file that may be spoilt; of all types when none is named."""
    first, last = at(day, _FIRST_VICTIM), at(day, _LAST_VICTIM)
    return [m for m in own.txn if first <= m.event_time <= last and (not types or m.txn_type in types)]


def _txn(own: PlatformDay, day: date, move: Movement, found: BreakKind, action: str, values: Row | None = None) -> Victim:
    return Victim(
        expects=(("AB", found.value, f"TXN|{move.request_no}|{move.leg}"),),
        file=_txn_key(own, day),
        row=RowEdit(action, (move.request_no, move.leg), values or {}),
    )


def _txn_missing(own: PlatformDay, day: date, rng: Random) -> Iterator[Victim]:
    for move in _claimed(own, day):
        yield _txn(own, day, move, BreakKind.MISSING_IN_PLATFORM, "drop")


def _txn_unauthorised(own: PlatformDay, day: date, rng: Random) -> Iterator[Victim]:
    """The platform claims a bonus that nobody instructed."""
    lenders = [(str(row["role"]), str(row["user_no"])) for row in own.balances if row["role"] == "LENDER"]
    number = rng.randrange(9_000_000, 9_999_999)
    move = Movement(
        platform=own.platform,
        request_no=f"{own.platform}{day:%Y%m%d}{number:07d}",
        txn_type=TxnType.MARKETING,
        amount_minor=rng.randrange(1_000, 90_000),
        event_time=at(day, time(rng.randrange(9, 20), rng.randrange(60), rng.randrange(60))),
        payer=P_MARKETING,
        payee=rng.choice(lenders),
    )
    yield _txn(own, day, move, BreakKind.UNAUTHORISED, "add", move.txn_row())


def _txn_amount(own: PlatformDay, day: date, rng: Random) -> Iterator[Victim]:
    # Not a repayment's leg: there another amount is another split as well, which is a break of its own (ALLOCATION).
    for move in _claimed(own, day):
        if move.txn_type is not TxnType.REPAYMENT:
            values: Row = {"amount_minor": move.amount_minor + rng.randrange(1, 10_000)}
            yield _txn(own, day, move, BreakKind.AMOUNT, "change", values)


def _txn_status(own: PlatformDay, day: date, rng: Random) -> Iterator[Victim]:
    for move in _claimed(own, day):
        yield _txn(own, day, move, BreakKind.STATUS, "change", {"status": TxnStatus.FAIL.value})


def _txn_wrong_account(own: PlatformDay, day: date, rng: Random) -> Iterator[Victim]:
    """The platform names another customer of the same role as the one whose money came or went."""
    users = {role: [str(row["user_no"]) for row in own.balances if row["role"] == role] for role in ("LENDER", "BORROWER")}
    for move in _claimed(own, day):
        column, holder = ("to_user_no", move.payee) if move.payee else ("from_user_no", move.payer)
        assert holder is not None
        others = users.get(holder[0], [])
        if len(others) > 1:
            other = others[(others.index(holder[1]) + rng.randrange(1, len(others))) % len(others)]
            yield _txn(own, day, move, BreakKind.WRONG_ACCOUNT, "change", {column: other})


def _txn_wrong_loan(own: PlatformDay, day: date, rng: Random) -> Iterator[Victim]:
    loans = [str(row["loan_id"]) for row in own.loans]
    for move in _claimed(own, day):
        if move.loan_id is not None and len(loans) > 1:
            other = loans[(loans.index(move.loan_id) + rng.randrange(1, len(loans))) % len(loans)]
            yield _txn(own, day, move, BreakKind.WRONG_LOAN, "change", {"loan_id": other})


def _txn_direction(own: PlatformDay, day: date, rng: Random) -> Iterator[Victim]:
    for move in _claimed(own, day, TxnType.REPAYMENT, TxnType.TENDER_SETTLE):
        row = move.txn_row()
        swapped: Row = {
            "from_role": row["to_role"],
            "from_user_no": row["to_user_no"],
            "to_role": row["from_role"],
            "to_user_no": row["from_user_no"],
        }
        yield _txn(own, day, move, BreakKind.DIRECTION, "change", swapped)


def _txn_duplicate(own: PlatformDay, day: date, rng: Random) -> Iterator[Victim]:
    for move in _claimed(own, day):
        yield _txn(own, day, move, BreakKind.DUPLICATE, "repeat")


def _balance_wrong(own: PlatformDay, day: date, rng: Random) -> Iterator[Victim]:
    for row in own.balances:
        available = row["available_minor"]
        assert isinstance(available, int)
        yield Victim(
            expects=(("AB", BreakKind.AMOUNT.value, f"BALANCE|{row['role']}.{row['user_no']}"),),
            file=(own.platform, FileType.BALANCE.value, day),
            row=RowEdit("change", (row["role"], row["user_no"]), {"available_minor": available + rng.randrange(1, 50_000)}),
        )


def _claim_wrong(own: PlatformDay, day: date, rng: Random) -> Iterator[Victim]:
    for row in own.claims:
        principal = row["principal_minor"]
        assert isinstance(principal, int)
        yield Victim(
            expects=(("AB", BreakKind.CLAIM.value, f"CLAIM|{row['claim_id']}"),),
            file=(own.platform, FileType.CLAIM.value, day),
            row=RowEdit("change", (row["claim_id"],), {"principal_minor": principal + rng.randrange(1, 50_000)}),
        )


def _channel(own: PlatformDay, day: date, found: BreakKind, action: str, change: Callable[[int, int], Row]) -> Iterator[Victim]:
    """Rows of batches with at least two rows: a batch that vanished whole would be another fault. ``change``: (gross, fee)."""
    for channel, rows in own.settlements.items():
        sizes: dict[object, int] = {}
        for row in rows:
            sizes[row["settlement_batch"]] = sizes.get(row["settlement_batch"], 0) + 1
        for row in rows:
            gross, fee = row["gross_minor"], row["fee_minor"]
            assert isinstance(gross, int) and isinstance(fee, int)
            if sizes[row["settlement_batch"]] < 2 or (found is BreakKind.FEE and row["direction"] == "OUT"):
                continue
            yield Victim(
                expects=(
                    ("BC", found.value, f"CHANNEL|{channel}|{row['request_no']}"),
                    ("BC", BreakKind.INV_09.value, f"INV|INV_09|{row['settlement_batch']}"),
                ),
                file=(channel, FileType.SETTLEMENT.value, day),
                row=RowEdit(action, (row["request_no"], row["direction"]), change(gross, fee)),
            )


def _channel_missing(own: PlatformDay, day: date, rng: Random) -> Iterator[Victim]:
    return _channel(own, day, BreakKind.MISSING_IN_CHANNEL, "drop", lambda gross, fee: {})


def _channel_amount(own: PlatformDay, day: date, rng: Random) -> Iterator[Victim]:
    more = rng.randrange(1, 10_000)
    return _channel(
        own,
        day,
        BreakKind.AMOUNT,
        "change",
        lambda gross, fee: {"gross_minor": gross + more, "net_minor": gross + more - fee},
    )


def _channel_fee(own: PlatformDay, day: date, rng: Random) -> Iterator[Victim]:
    more = rng.randrange(1, 50)  # fen, so that the net stays positive
    return _channel(
        own, day, BreakKind.FEE, "change", lambda gross, fee: {"fee_minor": fee + more, "net_minor": gross - fee - more}
    )


ROW_VICTIMS: dict[str, Callable[[PlatformDay, date, Random], Iterator[Victim]]] = {
    "txn_missing": _txn_missing,
    "txn_unauthorised": _txn_unauthorised,
    "txn_amount": _txn_amount,
    "txn_status": _txn_status,
    "txn_wrong_account": _txn_wrong_account,
    "txn_wrong_loan": _txn_wrong_loan,
    "txn_direction": _txn_direction,
    "txn_duplicate": _txn_duplicate,
    "balance_wrong": _balance_wrong,
    "claim_wrong": _claim_wrong,
    "channel_missing": _channel_missing,
    "channel_amount": _channel_amount,
    "channel_fee": _channel_fee,
}


def core_victims(kind: str, own: PlatformDay, day: date, rng: Random) -> Iterator[Victim]:
    """Faults of the core. An account carries at most one: its balance stays shifted, under one INV_01, to the end.

    Flows of settlement batches are spared, since a missing credit breaks INV_09 of its batch too; so is the platform's own
    money coming in, without which the core's own-funds account would stand below zero.
    """
    found = {
        "core_missing": BreakKind.MISSING_IN_CORE,
        "core_unknown": BreakKind.MISSING_IN_LEDGER,
        "core_amount": BreakKind.AMOUNT,
    }[kind]
    if kind == "core_unknown":
        for balance in own.core_balances:
            when = at(day, time(rng.randrange(9, 17), rng.randrange(60)))
            ref, amount = f"X{own.platform}{day:%Y%m%d}{rng.randrange(10**6):06d}", rng.randrange(100, 1_000_000)
            flow = CoreFlow(balance.account, amount, ref, "UNKNOWN", "不明来账", when)
            yield _core(found, CoreEdit("add", balance.account, ref, flow=flow))
        return
    spared = {m.settlement_batch for m in own.instructions if m.txn_type is TxnType.CHANNEL_SETTLEMENT}
    spared |= {m.request_no for m in own.instructions if m.txn_type is TxnType.OWN_FUNDS_MOVEMENT}
    for flow in own.core_flows:
        if flow.core_ref in spared:
            continue
        if kind == "core_missing":
            yield _core(found, CoreEdit("drop", flow.account, flow.core_ref))
        else:
            sign = 1 if flow.amount_minor > 0 else -1
            amount = flow.amount_minor + sign * rng.randrange(1, 10_000)
            yield _core(found, CoreEdit("change", flow.account, flow.core_ref, amount_minor=amount))


def _core(found: BreakKind, edit: CoreEdit) -> Victim:
    return Victim(
        expects=(
            ("BC", found.value, f"CORE|{edit.account}|{edit.core_ref}"),
            ("BC", BreakKind.INV_01.value, f"INV|INV_01|{edit.account}"),
        ),
        core=edit,
    )


def line_victims(kind: str, own: PlatformDay, before: PlatformDay | None, day: date) -> Iterator[Victim]:
    """Lines whose bytes may be spoilt; the ROW subject is added once the line's number is known.

    bad_byte takes the line of a loan that was published earlier and did not change today: a loan first shown in a line that
    cannot be read would be unknown to the bank, and all its tenders refused.
    """
    if kind == "bad_byte":
        known = {row["loan_id"]: row for row in before.loans} if before is not None else {}
        for row in own.loans:
            if known.get(row["loan_id"]) == row:
                key: RowKey = (row["loan_id"],)
                yield Victim(expects=(), file=(own.platform, FileType.LOAN.value, day), line=(key, "purpose", _bad_byte))
        return
    for move in _claimed(own, day):
        yield Victim(
            expects=(("AB", BreakKind.MISSING_IN_PLATFORM.value, f"TXN|{move.request_no}|{move.leg}"),),
            file=_txn_key(own, day),
            line=((move.request_no, move.leg), "event_time", _impossible_time),
        )


def _bad_byte(text: str, encoding: str) -> bytes:
    # 0xFF begins no character, neither in UTF-8 nor in GB18030; put first, no lead byte can swallow it.
    return b"\xff" + text.encode(encoding)


def _impossible_time(text: str, encoding: str) -> bytes:
    return f"2020-02-30{text[10:]}".encode(encoding)
