"""Repayment requests whose legs do not all come at once: what is kept of them until they are whole (domain.md §3, Allocation).

A request's shares follow from all its legs, and from the claims as they stood before its first. It is whole when its legs use up what was
frozen for it. One that stops short of that is taken as it stands once all instructions of the day after its first leg are there; but
where landing rejected a leg of it, nobody can say what the whole was, and it is not compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from custody.allocation import Share, differs, share_of_each
from custody.instruction import Instruction
from custody.ledger_state import Claim
from custody.ports import Row


class BegunState(StrEnum):
    OPEN = "OPEN"
    WHOLE = "WHOLE"
    REJECTED = "REJECTED"


@dataclass(frozen=True)
class Landed:
    """What landing says of the day's instructions: ``lacking``: dates of which some have not come; ``rejected``: (platform, request) of
    rows that it rejected."""

    lacking: frozenset[date] = frozenset()
    rejected: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True)
class BegunLeg:
    """A leg that is posted, and where it stands."""

    leg: int
    to_account: str
    amount_minor: int
    principal_minor: int
    interest_minor: int
    penalty_minor: int
    file_name: str
    line_no: int


@dataclass
class BegunRequest:
    """``frozen_by``: its hold; ``since``: value date of the first leg; ``claims``: as they stood before it; ``legs``: those that are posted;
    ``is_rejected``: landing rejected a leg of it."""

    platform: str
    request_no: str
    loan_id: str
    frozen_by: str
    currency: str
    since: date
    claims: Sequence[Claim]
    legs: dict[int, BegunLeg] = field(default_factory=dict)
    state: BegunState = BegunState.OPEN
    is_rejected: bool = False

    def shares(self, coming: Iterable[Instruction] = ()) -> dict[int, Share | None]:
        """By leg, of those that are posted and of ``coming`` ones."""
        return share_of_each(self.claims, list(({leg.leg: leg for leg in coming} | self.legs).values()))

    def posted(self, instruction: Instruction, file_name: str, line_no: int) -> None:
        self.legs[instruction.leg] = BegunLeg(
            instruction.leg,
            str(instruction.to_account),
            instruction.amount_minor,
            instruction.principal_minor,
            instruction.interest_minor,
            instruction.penalty_minor,
            file_name,
            line_no,
        )

    def end_of_day(self, on: date, landed: Landed, *, used_up: bool, waits: bool) -> None:
        """``used_up``: nothing of what was frozen for it is left; ``waits``: a leg of it that came is not posted yet."""
        self.is_rejected |= (self.platform, self.request_no) in landed.rejected
        last = self.since + timedelta(days=1)
        over = on >= last and not any(day <= last for day in landed.lacking)
        if used_up and not waits:
            self.state = BegunState.WHOLE
        elif over and not waits:
            self.state = BegunState.REJECTED if self.is_rejected else BegunState.WHOLE

    def wrong_shares(self) -> list[tuple[BegunLeg, Share | None]]:
        """Legs that do not get the share which our own split gives them, with that share."""
        shares = self.shares()
        return [(leg, shares[leg.leg]) for _, leg in sorted(self.legs.items()) if differs(leg, shares[leg.leg])]

    def rows(self) -> list[Row]:
        """As the table begun_requests keeps it."""
        common = {
            "platform": self.platform,
            "request_no": self.request_no,
            "loan_id": self.loan_id,
            "frozen_by": self.frozen_by,
            "since": self.since,
            "state": str(self.state),
            "currency": self.currency,
            "is_rejected": self.is_rejected,
        }
        claims = [
            {
                "leg": 0,
                "claim_id": c.claim_id,
                "holder": c.holder,
                "amount_minor": c.original_minor,
                "file_name": None,
                "line_no": None,
            }
            | {"principal_minor": c.principal_minor, "interest_minor": 0, "penalty_minor": 0}
            for c in sorted(self.claims, key=lambda c: c.claim_id)
        ]
        legs: list[dict[str, Any]] = [
            {
                "leg": leg.leg,
                "claim_id": "",
                "holder": leg.to_account,
                "amount_minor": leg.amount_minor,
                "principal_minor": leg.principal_minor,
                "interest_minor": leg.interest_minor,
                "penalty_minor": leg.penalty_minor,
                "file_name": leg.file_name,
                "line_no": leg.line_no,
            }
            for _, leg in sorted(self.legs.items())
        ]
        return [common | row for row in (*claims, *legs)]


def begun_of(rows: Iterable[Row]) -> dict[tuple[str, str], BegunRequest]:
    """The requests that the table's rows tell of, by platform and number."""
    found: dict[tuple[str, str], BegunRequest] = {}
    for r in rows:
        key = (r["platform"], r["request_no"])
        if key not in found:
            named = (r["loan_id"], r["frozen_by"], r["currency"], r["since"])
            found[key] = BegunRequest(*key, *named, [], {}, BegunState(r["state"]), r["is_rejected"])
        request = found[key]
        parts = (r["principal_minor"], r["interest_minor"], r["penalty_minor"])
        if r["leg"]:
            request.legs[r["leg"]] = BegunLeg(r["leg"], r["holder"], r["amount_minor"], *parts, r["file_name"], r["line_no"])
        else:
            claim = Claim(r["platform"], r["claim_id"], r["loan_id"], r["holder"], parts[0], r["amount_minor"], r["currency"])
            request.claims = [*request.claims, claim]
    return found
