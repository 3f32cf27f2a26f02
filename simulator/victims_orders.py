"""What the gateway could hand on wrongly: instructions that must not be posted, by no mandate or legal order that covers
them. Nothing else changes: what is refused moves no money."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from custody.names import BreakKind, FileType, MandateScope, Originator, TxnStatus, TxnType
from simulator.edits import FileKey, RowEdit, RowKey
from simulator.movement import CURRENCY, P_MARKETING, Holder, Row
from simulator.victim import Expect, Scene, Victim

_NOBODY: Holder = ("LENDER", "U99999999")


def instruction(scene: Scene, txn_type: TxnType, amount_minor: int, originator: Originator, **columns: object) -> Row:
    """A whole INSTRUCTION row at some time of the day. ``payer`` and ``payee`` are holders; other columns by name."""
    payer, payee = columns.pop("payer", None), columns.pop("payee", None)
    number = scene.number()
    row: Row = {
        "platform": scene.platform,
        "request_no": number,
        "leg": 1,
        "txn_type": txn_type.value,
        "originator": originator.value,
        "authorisation_id": f"A{number}",
        "amount_minor": amount_minor,
        "currency": CURRENCY,
        "status": TxnStatus.SUCCESS.value,
    }
    for side, holder in (("from", payer), ("to", payee)):
        row[f"{side}_role"], row[f"{side}_user_no"] = holder if isinstance(holder, tuple) else (None, None)
    unused = ("loan_id", "principal_minor", "interest_minor", "penalty_minor", "coupon_minor", "related_request_no", "channel")
    row |= dict.fromkeys((*unused, "settlement_batch", "direction", "fee_minor")) | scene.when()
    return row | columns  # type: ignore[return-value, operator]


def order_key(row: Row) -> RowKey:
    return row["platform"], row["request_no"], row["leg"]


def added(scene: Scene, row: Row) -> tuple[FileKey, RowEdit]:
    return scene.key(FileType.INSTRUCTION, scene.gateway), RowEdit("add", order_key(row), row)


def posting(scene: Scene, kind: BreakKind, row: Row) -> Expect:
    return scene.b(kind.value, f"POSTING|{row['request_no']}|{row['leg']}")


def account(scene: Scene, holder: Holder) -> str:
    """What stands for an account among the things that two faults may not both touch."""
    return f"{scene.platform}|ACCOUNT|{holder[0]}.{holder[1]}"


def keys(row: Row) -> dict[str, object]:
    return {"request_no": row["request_no"], "leg": row["leg"], "type": row["txn_type"]}


def _refused(scene: Scene, row: Row, found: BreakKind, *allowed: BreakKind, touches: tuple[str, ...] = ()) -> Victim:
    return Victim(
        party=scene.gateway,
        keys=keys(row),
        expects=(posting(scene, found, row),),
        allows=tuple(posting(scene, kind, row) for kind in allowed),
        known_by=scene.day,
        rows=(added(scene, row),),
        touches=touches,
    )


def originator(scene: Scene) -> Iterator[Victim]:
    """A bonus that the customer himself asks for: he may not dispose of the platform's money."""
    payee = ("LENDER", scene.rng.choice(scene.users("LENDER")))
    row = instruction(scene, TxnType.MARKETING, scene.size(100, 9_000), Originator.CUSTOMER, payer=P_MARKETING, payee=payee)
    yield _refused(scene, row, BreakKind.UNAUTHORISED)


def unknown_account(scene: Scene) -> Iterator[Victim]:
    row = instruction(scene, TxnType.MARKETING, scene.size(100, 9_000), Originator.PLATFORM, payer=P_MARKETING, payee=_NOBODY)
    yield _refused(scene, row, BreakKind.ORPHAN)


def short_of_funds(scene: Scene) -> Iterator[Victim]:
    """A withdrawal of money that the customer does not have."""
    payer = ("LENDER", scene.rng.choice(scene.users("LENDER")))
    row = instruction(scene, TxnType.WITHDRAW_FREEZE, 10**12 + scene.size(1, 10_000), Originator.CUSTOMER, payer=payer)
    yield _refused(scene, row, BreakKind.SHORTFALL, touches=(account(scene, payer),))


def unknown_hold(scene: Scene) -> Iterator[Victim]:
    """A cancellation of a withdrawal that nobody asked for."""
    payee = ("LENDER", scene.rng.choice(scene.users("LENDER")))
    never = f"{scene.platform}{scene.day:%Y%m%d}8999999"
    row = instruction(
        scene, TxnType.WITHDRAW_CANCEL, scene.size(100, 9_000), Originator.PLATFORM, payee=payee, related_request_no=never
    )
    yield _refused(scene, row, BreakKind.HOLD, touches=(account(scene, payee),))


def hold_exceeded(scene: Scene) -> Iterator[Victim]:
    """A cancellation that takes more than its freeze holds, a second after the freeze."""
    for move in scene.own.instructions:
        if move.txn_type is TxnType.WITHDRAW_FREEZE:
            row = instruction(
                scene,
                TxnType.WITHDRAW_CANCEL,
                move.amount_minor + scene.size(1, 9_000),
                Originator.PLATFORM,
                payee=move.payer,
                related_request_no=move.request_no,
                event_time=move.event_time + timedelta(seconds=1),
            )
            yield _refused(scene, row, BreakKind.HOLD)


def posted_before(scene: Scene) -> Iterator[Victim]:
    """A movement of the day before is instructed again under its number, with another amount."""
    if scene.before is None:
        return
    for move in scene.before.instructions:
        if move.txn_type in (TxnType.MARKETING, TxnType.TENDER_FREEZE):
            row = move.instruction_row() | {"amount_minor": move.amount_minor + scene.size(1, 9_000)} | scene.when()
            yield _refused(scene, row, BreakKind.DUPLICATE, touches=(f"{scene.platform}|TXN|{move.request_no}|{move.leg}",))


def _running(scene: Scene) -> list[Row]:
    return [row for row in scene.own.loans if row["state"] not in ("MISCARRIED", "SETTLED")]


def _settle(scene: Scene, loan: Row, amount_minor: int, borrower: object) -> Row:
    return instruction(
        scene,
        TxnType.TENDER_SETTLE,
        amount_minor,
        Originator.PLATFORM,
        payer=("LENDER", scene.rng.choice(scene.users("LENDER"))),
        payee=("BORROWER", borrower),
        loan_id=loan["loan_id"],
        related_request_no=scene.number(),
    )


def overfunded(scene: Scene) -> Iterator[Victim]:
    """A tender is to be settled that alone is more than the loan."""
    for loan in _running(scene):
        amount = loan["amount_minor"]
        assert isinstance(amount, int)
        row = _settle(scene, loan, amount + scene.size(1, 9_000), loan["borrower_user_no"])
        yield _refused(scene, row, BreakKind.INV_04)


def not_the_borrower(scene: Scene) -> Iterator[Victim]:
    for loan in _running(scene):
        others = [user for user in scene.users("BORROWER") if user != loan["borrower_user_no"]]
        if others:
            row = _settle(scene, loan, scene.size(10_000, 90_000), scene.rng.choice(others))
            yield _refused(scene, row, BreakKind.INV_08)


def oversold(scene: Scene) -> Iterator[Victim]:
    """A lender sells more of a claim than he holds."""
    for claim in scene.before.claims if scene.before is not None else []:
        held = claim["principal_minor"]
        buyers = [user for user in scene.users("LENDER") if user != claim["holder_user_no"]]
        if claim.get("holder_role", "LENDER") != "LENDER" or not buyers:
            continue
        assert isinstance(held, int)
        row = instruction(
            scene,
            TxnType.CREDIT_ASSIGNMENT,
            1,
            Originator.CUSTOMER,
            payer=("LENDER", scene.rng.choice(buyers)),
            payee=("LENDER", claim["holder_user_no"]),
            loan_id=claim["loan_id"],
            principal_minor=held + scene.size(1, 90_000),
            related_request_no=claim["claim_id"],
        )
        yield _refused(scene, row, BreakKind.INV_06, touches=(f"{scene.platform}|CLAIM|{claim['claim_id']}",))


def platform_lends(scene: Scene) -> Iterator[Victim]:
    """The platform tenders with its marketing account."""
    for loan in _running(scene):
        row = instruction(
            scene,
            TxnType.TENDER_FREEZE,
            scene.size(10_000, 90_000),
            Originator.PLATFORM,
            payer=P_MARKETING,
            loan_id=loan["loan_id"],
        )
        yield _refused(scene, row, BreakKind.INV_07, BreakKind.UNAUTHORISED)


def fee_above_amount(scene: Scene) -> Iterator[Victim]:
    """A settlement whose channel keeps more than it collected."""
    for channel in scene.own.settlements:
        batch = f"{channel}{scene.platform}{scene.day:%Y%m%d}X"
        amount = scene.size(100, 9_000)
        row = instruction(
            scene,
            TxnType.CHANNEL_SETTLEMENT,
            amount,
            Originator.BANK,
            channel=channel,
            settlement_batch=batch,
            direction="IN",
            fee_minor=amount + 1,
        )
        yield _refused(scene, row, BreakKind.FEE, touches=(f"{scene.platform}|INV|INV_09|{batch}",))


def wrong_payee(scene: Scene) -> Iterator[Victim]:
    """The borrower's money is to go to a customer who is not the payee that his loan names."""
    for loan in _running(scene):
        if loan["payee_user_no"] is not None:
            row = instruction(
                scene,
                TxnType.ENTRUSTED_PAYMENT,
                scene.size(100, 9_000),
                Originator.MANDATE,
                payer=("BORROWER", loan["borrower_user_no"]),
                payee=("LENDER", scene.rng.choice(scene.users("LENDER"))),
                loan_id=loan["loan_id"],
            )
            yield _refused(scene, row, BreakKind.INV_08)


def _by_mandate(scene: Scene, txn_type: TxnType, amount_minor: int, payer: Holder, mandate: object) -> Row | None:
    """A tender or a repayment's freeze for some running loan, of his own where the payer borrows; None where there is none."""
    role, user = payer
    loans = [loan for loan in _running(scene) if role == "LENDER" or loan["borrower_user_no"] == user]
    if not loans:
        return None
    by: Row = {"loan_id": scene.rng.choice(loans)["loan_id"], "authorisation_id": str(mandate)}
    return instruction(scene, txn_type, amount_minor, Originator.MANDATE, payer=payer, **by)


def _uncovered(scene: Scene, row: Row, found: BreakKind, *edits: tuple[FileKey, RowEdit]) -> Victim:
    victim = _refused(scene, row, found)
    return replace(victim, keys=victim.keys | {"mandate": row["authorisation_id"]}, rows=(*victim.rows, *edits))


def mandate_unknown(scene: Scene) -> Iterator[Victim]:
    """A tender by a mandate that was never granted."""
    payer = ("LENDER", scene.rng.choice(scene.users("LENDER")))
    row = _by_mandate(scene, TxnType.TENDER_FREEZE, scene.size(100, 9_000), payer, f"M{scene.number()}")
    if row is not None:
        yield _uncovered(scene, row, BreakKind.MANDATE)


def _granted(scene: Scene, scope: MandateScope) -> Iterator[tuple[Row, Holder]]:
    for grant in scene.own.mandates:
        if grant["action"] == "GRANT" and grant["scope"] == scope.value:
            yield grant, (str(grant["role"]), str(grant["user_no"]))


def mandate_limit(scene: Scene) -> Iterator[Victim]:
    """A mandate of today is used for more than it allows for an item."""
    uses = ((MandateScope.AUTO_TENDER, TxnType.TENDER_FREEZE), (MandateScope.AUTO_REPAY, TxnType.REPAY_FREEZE))
    for scope, txn_type in uses:
        for grant, payer in _granted(scene, scope):
            limit = grant["item_limit_minor"]
            assert isinstance(limit, int)
            row = _by_mandate(scene, txn_type, limit + scene.size(1, 9_000), payer, grant["mandate_id"])
            if row is not None:
                yield _uncovered(scene, row, BreakKind.LIMIT)


def mandate_expired(scene: Scene) -> Iterator[Victim]:
    """A tender by a mandate that is handed on today and had expired the day before."""
    payer = ("LENDER", scene.rng.choice(scene.users("LENDER")))
    mandate, size = f"M{scene.number()}", scene.size(100, 9_000)
    row = _by_mandate(scene, TxnType.TENDER_FREEZE, size, payer, mandate)
    if row is not None:
        grant: Row = {
            "platform": scene.platform,
            "mandate_id": mandate,
            "action": "GRANT",
            "role": payer[0],
            "user_no": payer[1],
            "scope": MandateScope.AUTO_TENDER.value,
            "item_limit_minor": size,
            "total_limit_minor": size,
            "expires_on": scene.day - timedelta(days=1),
            **scene.when(7, 8),
        }
        edit = RowEdit("add", (scene.platform, mandate, "GRANT"), grant)
        yield _uncovered(scene, row, BreakKind.MANDATE, (scene.key(FileType.MANDATE, scene.gateway), edit))


def mandate_scope(scene: Scene) -> Iterator[Victim]:
    """A mandate of today is used by its owner for what it does not cover."""
    misuses = ((MandateScope.AUTO_ASSIGN, TxnType.TENDER_FREEZE), (MandateScope.ENTRUSTED, TxnType.REPAY_FREEZE))
    for scope, txn_type in misuses:
        for grant, payer in _granted(scene, scope):
            row = _by_mandate(scene, txn_type, scene.size(100, 9_000), payer, grant["mandate_id"])
            if row is not None:
                yield _uncovered(scene, row, BreakKind.MANDATE)


def freeze_without_order(scene: Scene) -> Iterator[Victim]:
    """A customer's money is to be frozen by a legal order that is not in the LEGAL_ORDER file."""
    payer = ("LENDER", scene.rng.choice(scene.users("LENDER")))
    order: Row = {"authorisation_id": f"J{scene.number()}"}
    row = instruction(scene, TxnType.LEGAL_FREEZE, scene.size(100, 9_000), Originator.BANK, payer=payer, **order)
    victim = _refused(scene, row, BreakKind.UNAUTHORISED)
    yield replace(victim, keys=victim.keys | {"order": row["authorisation_id"]})
