"""How a platform could split a repayment wrongly in its signed request: the money is right to the fen for each lender, all sides
agree, and only who computes the split himself finds it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from custody.names import BreakKind, FileType, Role, TxnType
from simulator.edits import FileKey, RowEdit
from simulator.loans import Claim, Payment, split
from simulator.movement import Movement, Row
from simulator.victim import Scene, Victim

# A claim's principal would move by what is called principal: how often a size is tried that leaves each lender's money as it is.
_TRIES = 400
_PARTS = ("principal_minor", "interest_minor", "penalty_minor")


@dataclass(frozen=True)
class _Request:
    """A repayment to lenders: its legs, and the claims of which they are the shares."""

    legs: list[Movement]
    claims: list[Claim]

    @property
    def payment(self) -> Payment:
        return Payment(*(sum(getattr(leg, name) or 0 for leg in self.legs) for name in _PARTS))


def penalty_first(scene: Scene) -> Iterator[Victim]:
    """Of a late payment more is called penalty, and less interest."""
    for request in _requests(scene):
        whole = request.payment
        if whole.penalty_minor and whole.interest_minor:
            yield from _split_otherwise(scene, request, "interest_minor", "penalty_minor")


def principal_first(scene: Scene) -> Iterator[Victim]:
    """More is called principal, and less interest; claims are less by it to the end of the world, in which nothing else happens to
    them."""
    for request in _requests(scene):
        loan, claims = request.legs[0].loan_id, {claim.claim_id for claim in request.claims}
        after = [own for day, own in scene.later() if day > scene.day]
        ends = scene.days[-1].platforms[scene.platform]
        moved = any(m.loan_id == loan for own in after for m in own.instructions)
        moved |= any(m.loan_id == loan and m.event_time > request.legs[-1].event_time for m in scene.own.instructions)
        if request.payment.interest_minor and not moved and claims <= {row["claim_id"] for row in ends.claims}:
            yield from _split_otherwise(scene, request, "interest_minor", "principal_minor")


def share_rounded(scene: Scene) -> Iterator[Victim]:
    """A fen of one lender's interest is called penalty, and a fen of another's penalty interest: both sums hold."""
    for request in _requests(scene):
        legs = [leg for leg in request.legs if leg.interest_minor and leg.penalty_minor]
        if len(legs) < 2:
            continue
        one, other = scene.rng.sample(legs, 2)
        shares = {
            leg.leg: Payment(leg.principal_minor or 0, (leg.interest_minor or 0) - by, (leg.penalty_minor or 0) + by)
            for leg, by in ((one, 1), (other, -1))
        }
        victim = _victim(scene, request, shares, {"legs": sorted(shares)})
        found = tuple(scene.b(BreakKind.ALLOCATION.value, f"POSTING|{one.request_no}|{leg}") for leg in sorted(shares))
        yield replace(victim, expects=found)


def _requests(scene: Scene) -> Iterator[_Request]:
    """Whole requests that may be spoilt, of loans that were lent before today: their claims are those that the day began with."""
    if scene.before is None:
        return
    by_request: dict[str, list[Movement]] = {}
    for move in scene.claimed(TxnType.REPAYMENT):
        by_request.setdefault(move.request_no, []).append(move)
    for legs in by_request.values():
        claims = [
            Claim(str(row["claim_id"]), (str(row["holder_role"]), str(row["holder_user_no"])), _whole(row["principal_minor"]))
            for row in scene.before.claims
            if row["loan_id"] == legs[0].loan_id and row.get("holder_role", Role.LENDER.value) == Role.LENDER.value
        ]
        claims.sort(key=lambda claim: claim.claim_id)
        request = _Request(sorted(legs, key=lambda leg: leg.leg), claims)
        shares = [share for _, share in split(request.payment, claims)] if claims else []
        if shares == [_share(leg) for leg in request.legs]:
            yield request


def _split_otherwise(scene: Scene, request: _Request, less: str, more: str) -> Iterator[Victim]:
    """The largest part that can change its name and leaves each leg's amount as it is."""
    whole = request.payment
    sizes = range(getattr(whole, less), max(0, getattr(whole, less) - _TRIES), -1)
    for size in sizes:
        called = replace(whole, **{less: getattr(whole, less) - size, more: getattr(whole, more) + size})
        shares = split(called, request.claims)
        if [(c.holder, s.total_minor) for c, s in shares] == [(leg.payee, leg.amount_minor) for leg in request.legs]:
            held = {claim.claim_id: claim.principal_minor for claim in request.claims}
            if any(share.principal_minor >= held[claim.claim_id] for claim, share in shares):
                continue
            by_leg = {leg.leg: share for leg, (_, share) in zip(request.legs, shares, strict=True)}
            yield _victim(scene, request, by_leg, {"parts": [less, more], "minor": size})
            return


def _victim(scene: Scene, request: _Request, shares: dict[int, Payment], told: dict[str, object]) -> Victim:
    first = request.legs[0]
    edits: list[tuple[FileKey, RowEdit]] = []
    for leg in request.legs:
        if leg.leg in shares and shares[leg.leg] != _share(leg):
            values: Row = dict(shares[leg.leg].as_parts())
            key = (leg.request_no, leg.leg)
            edits.append((scene.key(FileType.INSTRUCTION, scene.gateway), RowEdit("change", (scene.platform, *key), values)))
            edits.append((scene.key(FileType.TXN), RowEdit("change", key, values)))
    claims = {leg.leg: claim for leg, (claim, _) in zip(request.legs, split(request.payment, request.claims), strict=True)}
    for leg in request.legs:
        less = shares[leg.leg].principal_minor - (leg.principal_minor or 0) if leg.leg in shares else 0
        if less:
            cut: Row = {"principal_minor": -less}
            claim_id = claims[leg.leg].claim_id
            edits += [(scene.key(FileType.CLAIM, day=day), RowEdit("shift", (claim_id,), cut)) for day, _ in scene.later()]
    return Victim(
        party=scene.platform,
        keys={"request_no": first.request_no, "loan": first.loan_id, **told},
        expects=(scene.b(BreakKind.ALLOCATION.value, f"PARTS|{first.loan_id}|{first.request_no}"),),
        known_by=scene.day,
        rows=tuple(edits),
        touches=(
            *(f"{scene.platform}|TXN|{leg.request_no}|{leg.leg}" for leg in request.legs),
            *(f"{scene.platform}|CLAIM|{claim.claim_id}" for claim in request.claims),
        ),
        # A loan or lender of whom the bank is told late is posted to late.
        sound=tuple(
            scene.key(file_type, day=scene.day - timedelta(days=back))
            for file_type in (FileType.LOAN, FileType.CUSTOMER)
            for back in range(3)
        ),
    )


def _share(leg: Movement) -> Payment:
    return Payment(*(getattr(leg, name) or 0 for name in _PARTS))


def _whole(value: object) -> int:
    assert isinstance(value, int)
    return value
