"""What a platform could say wrongly of the end of a day: BALANCE, CLAIM, LOAN and CUSTOMER rows (side A)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from custody.names import BreakKind, FileType, TxnType
from simulator.edits import RowEdit, RowKey
from simulator.movement import CURRENCY, Row
from simulator.victim import Scene, Victim


def _row(
    scene: Scene, file_type: FileType, key: RowKey, found: BreakKind, about: str, action: str, values: Row | None = None
) -> Victim:
    return Victim(
        party=scene.platform,
        keys={"file": file_type.value, "row": "|".join(str(part) for part in key)},
        expects=(scene.ab(found.value, f"{file_type.value}|{about}"),),
        known_by=scene.day,
        rows=((scene.key(file_type), RowEdit(action, key, values or {})),),
    )


def _whole(row: Row, column: str) -> int:
    value = row[column]
    assert isinstance(value, int)
    return value


def _balance(scene: Scene, row: Row, found: BreakKind, action: str, values: Row | None = None) -> Victim:
    """The balance differs from ours, and does not follow from the platform's own of the day before."""
    holder = str(row["role"]), str(row["user_no"])
    victim = _row(scene, FileType.BALANCE, holder, found, ".".join(holder), action, values)
    needed = [scene.key(FileType.TXN)]
    if scene.index:
        needed.append(scene.key(FileType.BALANCE, day=scene.day - timedelta(days=1)))
    return replace(victim, expects=(*victim.expects, *scene.chains(holder)), sound=tuple(needed))


def balance_wrong(scene: Scene) -> Iterator[Victim]:
    for row in scene.own.balances:
        more: Row = {"available_minor": _whole(row, "available_minor") + scene.size(1, 50_000)}
        yield _balance(scene, row, BreakKind.AMOUNT, "change", more)


def balance_frozen(scene: Scene) -> Iterator[Victim]:
    """Money that is free is shown as frozen: the sum is right, its parts are not."""
    for row in scene.own.balances:
        part = min(_whole(row, "available_minor"), scene.size(1, 50_000))
        if part and row["role"] != "PLATFORM":
            frozen: Row = {
                "available_minor": _whole(row, "available_minor") - part,
                "frozen_minor": _whole(row, "frozen_minor") + part,
            }
            yield _balance(scene, row, BreakKind.AMOUNT, "change", frozen)


def balance_missing(scene: Scene) -> Iterator[Victim]:
    for row in scene.own.balances:
        if _whole(row, "available_minor") + _whole(row, "frozen_minor"):
            yield _balance(scene, row, BreakKind.MISSING_IN_PLATFORM, "drop")


def balance_unknown(scene: Scene) -> Iterator[Victim]:
    """Money of a customer whom the bank does not know."""
    user_no = f"U9{scene.rng.randrange(10**7):07d}"
    row: Row = {
        "role": "LENDER",
        "user_no": user_no,
        "available_minor": scene.size(100, 500_000),
        "frozen_minor": 0,
        "currency": CURRENCY,
    }
    yield _balance(scene, row, BreakKind.MISSING_IN_LEDGER, "add", row)


def _claim(scene: Scene, row: Row, action: str, values: Row | None = None) -> Victim:
    return _row(scene, FileType.CLAIM, (row["claim_id"],), BreakKind.CLAIM, str(row["claim_id"]), action, values)


def claim_wrong(scene: Scene) -> Iterator[Victim]:
    for row in scene.own.claims:
        yield _claim(scene, row, "change", {"principal_minor": _whole(row, "principal_minor") + scene.size(1, 50_000)})


def claim_missing(scene: Scene) -> Iterator[Victim]:
    for row in scene.own.claims:
        yield _claim(scene, row, "drop")


def claim_unknown(scene: Scene) -> Iterator[Victim]:
    """A share that no tender, assignment or compensation made: the loan is sold for more than it is."""
    for row in scene.own.claims:
        unknown = scene.number()
        yield _claim(scene, row | {"claim_id": unknown}, "add", row | {"claim_id": unknown})


def claim_holder(scene: Scene) -> Iterator[Victim]:
    for row in scene.own.claims:
        others = [user for user in scene.users(str(row.get("holder_role", "LENDER"))) if user != row["holder_user_no"]]
        if others:
            yield _claim(scene, row, "change", {"holder_user_no": scene.rng.choice(others)})


def _loans(scene: Scene) -> list[Row]:
    """Loans whose terms the bank has registered from an earlier day's file."""
    known = {row["loan_id"] for row in scene.before.loans} if scene.before is not None else set()
    return [row for row in scene.own.loans if row["loan_id"] in known]


def _loan(scene: Scene, row: Row, values: Row) -> Victim:
    return _row(scene, FileType.LOAN, (row["loan_id"],), BreakKind.LOAN_TERMS, str(row["loan_id"]), "change", values)


def loan_rate(scene: Scene) -> Iterator[Victim]:
    for row in _loans(scene):
        yield _loan(scene, row, {"annual_rate": f"0.2{scene.rng.randrange(1, 10)}"})


def loan_periods(scene: Scene) -> Iterator[Victim]:
    for row in _loans(scene):
        yield _loan(scene, row, {"periods": _whole(row, "periods") + 1})


def loan_borrower(scene: Scene) -> Iterator[Victim]:
    for row in _loans(scene):
        others = [user for user in scene.users("BORROWER") if user != row["borrower_user_no"]]
        if others:
            yield _loan(scene, row, {"borrower_user_no": scene.rng.choice(others)})


def loan_raised(scene: Scene) -> Iterator[Victim]:
    """Of a disbursed loan the platform reports more raised than was settled."""
    for row in _loans(scene):
        if row["disbursed_on"] is not None and row["disbursed_on"] != scene.day:
            yield _loan(scene, row, {"raised_minor": _whole(row, "raised_minor") + scene.size(100, 500_000)})


def loan_state(scene: Scene) -> Iterator[Victim]:
    """A loan that is being repaid, or overdue, is shown as settled."""
    for row in _loans(scene):
        if row["state"] in ("DISBURSED", "REPAYING", "OVERDUE"):
            yield _loan(scene, row, {"state": "SETTLED"})


def loan_delay_hidden(scene: Scene) -> Iterator[Victim]:
    """A loan whose lenders wait for an instalment is shown as one that is repaid as agreed."""
    compensated = {
        move.loan_id
        for day in scene.days[: scene.index + 1]
        for move in day.platforms[scene.platform].instructions
        if move.txn_type is TxnType.COMPENSATION
    }
    for row in _loans(scene):
        if row["state"] == "OVERDUE" and row["loan_id"] not in compensated:
            yield _loan(scene, row, {"state": "REPAYING"})


def loan_bids(scene: Scene) -> Iterator[Victim]:
    """While it takes bids a loan shows more of them than there are."""
    for row in _loans(scene):
        if row["state"] == "BIDDING":
            yield _loan(scene, row, {"raised_minor": _whole(row, "raised_minor") + scene.size(100, 500_000)})


def loan_missing(scene: Scene) -> Iterator[Victim]:
    """A loan in which there is lenders' money, tendered or lent, is left out of the file."""
    for row in _loans(scene):
        if row["state"] in ("SETTLED", "MISCARRIED") or not row["raised_minor"]:
            continue
        yield _row(scene, FileType.LOAN, (row["loan_id"],), BreakKind.LOAN_TERMS, str(row["loan_id"]), "drop")


def _opened(scene: Scene) -> list[tuple[int, Row]]:
    """Customers as an earlier file opened them: (index of that day, row), if nothing is said of them today."""
    today = {(row["role"], row["user_no"]) for row in scene.own.customers}
    return [
        (index, row)
        for index in range(scene.index)
        for row in scene.days[index].platforms[scene.platform].customers
        if row["action"] == "OPEN" and (row["role"], row["user_no"]) not in today
    ]


def _customer(scene: Scene, row: Row) -> Victim:
    about = f"{row['role']}.{row['user_no']}|{row['action']}"
    key: RowKey = (row["user_no"], row["role"], row["action"])
    return _row(scene, FileType.CUSTOMER, key, BreakKind.CUSTOMER, about, "add", row)


def customer_identity(scene: Scene) -> Iterator[Victim]:
    """A change puts another customer's identity in the place of an account's owner."""
    opened = _opened(scene)
    for _, row in opened:
        others = [other for _, other in opened if other["kind"] == row["kind"] and other["id_no"] != row["id_no"]]
        if others:
            other = scene.rng.choice(others)
            whose = {name: other[name] for name in ("id_type", "id_no", "name", "phone", "card_no")}
            yield _customer(scene, row | whose | {"action": "CHANGE"} | scene.when())


def customer_unknown(scene: Scene) -> Iterator[Victim]:
    """A change of an account that was never opened."""
    for _, row in _opened(scene):
        unknown: Row = {"user_no": f"U9{scene.rng.randrange(10**7):07d}", "action": "CHANGE"}
        yield _customer(scene, row | unknown | scene.when())


def closed_with_money(scene: Scene) -> Iterator[Victim]:
    """An account is closed while it holds money; nothing is booked to it from then on."""
    for _, row in _opened(scene):
        holder = (str(row["role"]), str(row["user_no"]))
        shown = [next((b for b in own.balances if (b["role"], b["user_no"]) == holder), None) for _, own in scene.later()]
        if any(b is None or not _whole(b, "available_minor") + _whole(b, "frozen_minor") for b in shown):
            continue
        following = [own for day, own in scene.later() if day > scene.day]
        if any(holder in (m.payer, m.payee) for own in following for m in own.instructions):
            continue
        closing = row | {"action": "CLOSE"} | scene.when(21, 22)
        account = f"{scene.platform}.{holder[0]}.{holder[1]}"
        yield Victim(
            party=scene.platform,
            keys={"account": account},
            expects=(scene.b(BreakKind.INV_14.value, f"INV|INV_14|{account}"),),
            known_by=scene.day,
            rows=((scene.key(FileType.CUSTOMER), RowEdit("add", (holder[1], holder[0], "CLOSE"), closing)),),
            touches=tuple(f"{scene.platform}|{what}|{holder[0]}.{holder[1]}" for what in ("BALANCE", "ACCOUNT")),
        )


def repeated(scene: Scene) -> Iterator[Victim]:
    """The same sub-account stands in the BALANCE file twice: the second row is refused at landing."""
    rows = scene.own.balances
    for row in rows:
        key: RowKey = (row["role"], row["user_no"])
        yield Victim(
            party=scene.platform,
            keys={"file": FileType.BALANCE.value, "row": f"{row['role']}|{row['user_no']}"},
            expects=(),
            rejected=((scene.key(FileType.BALANCE), key),),
            known_by=scene.day,
            rows=((scene.key(FileType.BALANCE), RowEdit("repeat", key)),),
        )
