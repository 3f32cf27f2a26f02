"""Our own split of each repayment request, made before its first leg and kept until its last one is posted, on whatever day."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from custody.allocation import Share, share_of_each
from custody.instruction import Instruction
from custody.ledger import Ledger
from custody.ports import Row

Request = tuple[str, str]
# Of a leg's request, by its hash too: the legs that came today, in the order of the day.
LegsOf = Callable[[Instruction, int], Iterable[Instruction]]


class _Split:
    """``left``: shares of the legs that are not posted; ``begun``: one of the request is; ``carried``: since an earlier day."""

    __slots__ = ("begun", "carried", "left")

    def __init__(self, left: dict[int, Share | None], *, carried: bool) -> None:
        self.left, self.begun, self.carried = left, carried, carried


class Splits:
    """``open_splits``: what yesterday left (schemas.tables); ``posted_before``: keys of today's legs that an earlier day posted."""

    def __init__(
        self, ledger: Ledger, legs_of: LegsOf, open_splits: Iterable[Row], posted_before: Mapping[tuple[str, str, int], str]
    ) -> None:
        self._ledger, self._legs_of, self._posted_before = ledger, legs_of, posted_before
        self._open: dict[Request, _Split] = {}
        for r in open_splits:
            split = self._open.setdefault((r["platform"], r["request_no"]), _Split({}, carried=True))
            parts = r["principal_minor"], r["interest_minor"], r["penalty_minor"]
            split.left[r["leg"]] = Share(r["claim_id"], r["holder"], *parts) if r["claim_id"] is not None else None

    def of(self, instruction: Instruction, request_hash: int) -> dict[int, Share | None]:
        """By leg of the repayment's request: our share; nothing where a part of it was posted without one."""
        request = (instruction.platform, instruction.request_no)
        split = self._open.get(request)
        if split is None:
            split = self._open[request] = _Split(self._made(instruction, request_hash), carried=False)
        return split.left

    def done(self, instruction: Instruction, *, posted: bool) -> None:
        """A leg is posted, or never will be: its share is not needed again."""
        request = (instruction.platform, instruction.request_no)
        split = self._open.get(request)
        if split is not None:
            split.begun |= posted
            split.left.pop(instruction.leg, None)
            if not split.left and not split.carried:
                del self._open[request]

    def again_later(self, instruction: Instruction) -> None:
        """A request of which nothing is posted yet is split anew when it is tried again: the claims may have moved by then."""
        request = (instruction.platform, instruction.request_no)
        if request in self._open and not self._open[request].begun:
            del self._open[request]

    def close(self, waiting: Iterable[Instruction]) -> list[Row]:
        """A platform's legs are through: what the next day must know, the shares of legs that wait while others of their request
        are posted."""
        rows: list[Row] = []
        for leg in waiting:
            split = self._open.get((leg.platform, leg.request_no))
            if split is None or leg.leg not in split.left or not split.begun:
                continue
            share = split.left.pop(leg.leg)
            rows.append(
                {
                    "platform": leg.platform,
                    "request_no": leg.request_no,
                    "leg": leg.leg,
                    "claim_id": share.claim_id if share else None,
                    "holder": share.holder if share else None,
                    "principal_minor": share.principal_minor if share else 0,
                    "interest_minor": share.interest_minor if share else 0,
                    "penalty_minor": share.penalty_minor if share else 0,
                }
            )
        return rows

    def _made(self, instruction: Instruction, request_hash: int) -> dict[int, Share | None]:
        legs: dict[int, Instruction] = {}
        for leg in self._legs_of(instruction, request_hash):
            legs.setdefault(leg.leg, leg)
        if any((leg.platform, leg.request_no, leg.leg) in self._posted_before for leg in legs.values()):
            return {}
        claims = self._ledger.claims_of(instruction.platform, str(instruction.loan_id))
        return share_of_each(claims, list(legs.values()))
