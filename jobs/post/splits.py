"""Our own split of each repayment request, made before its first leg and kept until its last one is posted, on whatever day.

Where the legs that came do not use up what was frozen for them, more may come: such a request is handed on with the claims as they
stood (custody.begun_requests), and its shares are compared once it is whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date

from custody.allocation import Share, share_of_each
from custody.begun_requests import BegunRequest, BegunState, Landed, begun_of
from custody.instruction import Instruction
from custody.ledger import Ledger
from custody.ledger_state import Claim
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
    """``open_splits``, ``begun``: what yesterday left (schemas.tables); ``posted_before``: keys of today's legs that an earlier day
    posted."""

    def __init__(
        self,
        ledger: Ledger,
        legs_of: LegsOf,
        open_splits: Iterable[Row],
        begun: Iterable[Row],
        posted_before: Mapping[tuple[str, str, int], str],
    ) -> None:
        self._ledger, self._legs_of, self._posted_before = ledger, legs_of, posted_before
        self._open: dict[Request, _Split] = {}
        self._begun = {key: r for key, r in begun_of(begun).items() if r.state is BegunState.OPEN}
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
            if request in self._begun and not self._begun[request].legs:
                del self._begun[request]

    def begun(self, instruction: Instruction) -> BegunRequest | None:
        """The leg's request, where more of it may come: its legs are not compared now."""
        return self._begun.get((instruction.platform, instruction.request_no))

    def end_of_day(self, below: str | None, on: date, landed: Landed, waiting: Iterable[Instruction]) -> list[Row]:
        """Rows of the begun requests of all platforms before ``below`` (None: of all that are left), which are through."""
        waits = {(leg.platform, leg.request_no) for leg in waiting}
        rows: list[Row] = []
        for key in sorted(key for key in self._begun if below is None or key[0] < below):
            request = self._begun.pop(key)
            if not request.legs:
                continue
            held = self._ledger.state.holds.get((request.platform, request.frozen_by))
            request.end_of_day(on, landed, used_up=held is None, waits=key in waits)
            rows += request.rows()
        return rows

    def close(self, waiting: Iterable[Instruction]) -> list[Row]:
        """A platform's legs are through: what the next day must know, the shares of legs that wait while others of their request
        are posted."""
        rows: list[Row] = []
        for leg in waiting:
            request = (leg.platform, leg.request_no)
            split = None if request in self._begun else self._open.get(request)
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
        begun = self._begun.get((instruction.platform, instruction.request_no))
        if begun is not None:
            return begun.shares(legs.values())
        if any((leg.platform, leg.request_no, leg.leg) in self._posted_before for leg in legs.values()):
            return {}
        claims = self._ledger.claims_of(instruction.platform, str(instruction.loan_id))
        self._look_for_more(instruction, legs.values(), claims)
        return share_of_each(claims, list(legs.values()))

    def _look_for_more(self, instruction: Instruction, legs: Iterable[Instruction], claims: list[Claim]) -> None:
        """A request whose legs are less than its hold is not whole, as far as anybody can see."""
        platform, hold_id = instruction.platform, str(instruction.related_request_no)
        hold = self._ledger.state.holds.get((platform, hold_id))
        if hold is not None and hold.amount_minor > sum(leg.amount_minor for leg in legs):
            named = (platform, instruction.request_no, str(instruction.loan_id), hold_id, instruction.currency)
            self._begun[named[:2]] = BegunRequest(*named, instruction.value_date, claims)
