"""INV_04 to INV_08, LOAN, CLAIM, STATE, SCHEDULE, PENALTY, SPLIT, COUPON, UPFRONT_FEE: each loan's life, from its files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from world_reader import Row

from world_checker import terms
from world_checker.books import NOBODY
from world_checker.terms import Due
from world_checker.view import CALENDAR, Holder, Platform, Violation, named, payee, payer, split

_LEGS = ("TENDER_SETTLE", "REPAYMENT", "COMPENSATION")
_FUNDED_WITHIN = 20  # working days
_PARTS = ("principal_minor", "interest_minor", "penalty_minor")
_ENDED = ("SETTLED", "MISCARRIED")
_NEXT = {
    "BIDDING": {"FULL", "DISBURSED", "REPAYING", "OVERDUE", "SETTLED", "MISCARRIED"},
    "FULL": {"DISBURSED", "REPAYING", "OVERDUE", "SETTLED"},
    "DISBURSED": {"REPAYING", "OVERDUE", "SETTLED"},
    "REPAYING": {"OVERDUE", "SETTLED"},
    "OVERDUE": {"REPAYING", "SETTLED"},
}
# Which movements between accounts a loan's people may make (INV_08): type -> (who pays, who is paid).
_BETWEEN_CUSTOMERS = (
    "TENDER_SETTLE", "ENTRUSTED_PAYMENT", "REPAYMENT", "COMPENSATION", "COMPENSATION_REPAYMENT", "CREDIT_ASSIGNMENT", "ADJUSTMENT",
)  # fmt: skip


def _part(row: Row, name: str) -> int:
    """A blank part counts as nothing here; that it is blank is SHAPE's to tell."""
    return row[name] or 0


@dataclass
class Claim:
    loan_id: str
    holder: Holder
    principal: int


@dataclass
class Life:
    """``tenders``: by freeze, what is still bid (amount, coupon). ``lent``: gross, once disbursed."""

    first_seen: date
    tenders: dict[str, tuple[int, int]] = field(default_factory=dict)
    lent: int = 0
    repaid: int = 0
    disbursed_on: date | None = None
    owed: list[Due] = field(default_factory=list)
    paid: int = 0
    paid_on: date | None = None  # to the payee
    is_lost: bool = False  # a payment did not fit its terms: what is owed after it is not known


class Register:
    """Loans and claims of one platform as its instructions make them. A payment that does not fit is told once."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.lives: dict[str, Life] = {}
        self.claims: dict[str, Claim] = {}
        self.found: list[Violation] = []
        self.loans: dict[str, Row] = {}
        self.set_aside: dict[str, int] = {}  # by REPAY_FREEZE
        self.day = platform.dates[0]

    def says(self, rule: str, words: str) -> None:
        self.found.append(self.platform.says(rule, self.day, words))

    def loses(self, life: Life, words: str) -> None:
        life.is_lost = True
        self.says("SCHEDULE", words)

    def start(self, day: date, loans: dict[str, Row]) -> None:
        self.day, self.loans = day, loans
        for loan_id in loans:
            self.lives.setdefault(loan_id, Life(day))

    def of_loan(self, loan_id: str) -> dict[str, Claim]:
        return {key: claim for key, claim in self.claims.items() if claim.loan_id == loan_id}

    def lenders(self, loan_id: str) -> dict[str, int]:
        return {k: c.principal for k, c in self.of_loan(loan_id).items() if c.holder[0] == "LENDER" and c.principal > 0}

    def take(self, claim_id: str, principal: int, row: Row, rule: str) -> None:
        claim = self.claims.get(claim_id)
        if claim is None or claim.loan_id != row["loan_id"] or claim.principal < principal:
            self.says(rule, f"{named(row)} takes {principal} of claim {claim_id}, which has {claim and claim.principal}")
        if claim is not None:
            claim.principal -= principal

    def run(self, rows: list[Row]) -> None:
        """Rows of one request."""
        kind, loan_id = rows[0]["txn_type"], rows[0]["loan_id"]
        for row in rows:
            self._sides(row)
        if loan_id is None:
            return
        if loan_id not in self.loans:
            self.says("REFERENCE", f"{named(rows[0])} is about {loan_id}, which is not in LOAN")
            return
        life, loan = self.lives[loan_id], self.loans[loan_id]
        for row in rows:
            self._people(row, loan)
        step = getattr(self, f"_{kind.lower()}", None)
        if step is not None:
            step(rows, loan, life)

    def _sides(self, row: Row) -> None:
        """INV_07 and the part of INV_08 that needs no loan."""
        who, to = payer(row), payee(row)
        if who and who[0] == "PLATFORM" and row["loan_id"] is not None:
            self.says("INV_07", f"{named(row)}: {who[1]} pays in loan {row['loan_id']}")
        if who and who[0] != "PLATFORM" and to and to[0] == "PLATFORM" and row["txn_type"] not in ("COMMISSION", "REVERSAL"):
            self.says("INV_07", f"{named(row)}: money of {who[1]} reaches {to[1]}, and it is no fee")
        if who and to and "PLATFORM" not in (who[0], to[0]) and row["txn_type"] not in _BETWEEN_CUSTOMERS:
            self.says("INV_08", f"{named(row)} moves money of {who[1]} to {to[1]}")

    def _people(self, row: Row, loan: Row) -> None:
        """The borrower, payee and guarantor of a movement are the loan's own."""
        for side in (payer(row), payee(row)):
            own = {"BORROWER": "borrower_user_no", "PAYEE": "payee_user_no", "GUARANTOR": "guarantor_user_no"}
            if side and side[0] in own and loan[own[side[0]]] != side[1]:
                self.says("INV_08", f"{named(row)}: {side[1]} is not the {side[0]} of {loan['loan_id']}")

    def _tender_freeze(self, rows: list[Row], _: Row, life: Life) -> None:
        row = rows[0]
        if life.disbursed_on:
            self.says("INV_04", f"{named(row)} bids for a loan that is disbursed")
        life.tenders[row["request_no"]] = (row["amount_minor"], row["coupon_minor"] or 0)

    def _tender_cancel(self, rows: list[Row], _: Row, life: Life) -> None:
        row = rows[0]
        amount, coupon = life.tenders.pop(row["related_request_no"], (0, 0))
        left = (amount - row["amount_minor"], coupon - (row["coupon_minor"] or 0))
        if min(left) < 0:
            self.says("INV_04", f"{named(row)} releases {row['amount_minor']} of a tender of {amount}")
        if left[0]:
            life.tenders[row["related_request_no"]] = left

    def _tender_settle(self, rows: list[Row], loan: Row, life: Life) -> None:
        loan_id, gross = loan["loan_id"], sum(row["amount_minor"] for row in rows)
        settled = {row["related_request_no"]: (row["amount_minor"], row["coupon_minor"] or 0) for row in rows}
        if {k: v[0] for k, v in settled.items()} != {k: v[0] for k, v in life.tenders.items()}:
            self.says(
                "INV_04",
                f"{named(rows[0])} settles {gross} of {loan_id}; tendered are {sum(a for a, _ in life.tenders.values())}",
            )
        elif settled != life.tenders:
            self.says("COUPON", f"{named(rows[0])} settles coupons that differ from the tenders'")
        if (
            gross != loan["amount_minor"]
            and not (loan["minimum_minor"] or loan["amount_minor"] + 1) <= gross < loan["amount_minor"]
        ):
            self.says(
                "INV_04", f"{loan_id} settles with {gross} of {loan['amount_minor']}, its minimum is {loan['minimum_minor']}"
            )
        if CALENDAR.add_business_days(life.first_seen, _FUNDED_WITHIN) < self.day or life.disbursed_on:
            self.says("INV_04", f"{loan_id}, seen since {life.first_seen}, is disbursed on {self.day}, too late or again")
        life.lent, life.disbursed_on, life.tenders = gross, self.day, {}
        life.owed = terms.instalments(loan, gross, self.day)
        for row in rows:
            self.claims[row["related_request_no"]] = Claim(loan_id, payer(row) or NOBODY, row["amount_minor"])

    def _entrusted_payment(self, rows: list[Row], loan: Row, life: Life) -> None:
        row = rows[0]
        if life.disbursed_on != self.day or row["amount_minor"] != life.lent or life.paid_on:
            self.says("INV_08", f"{named(row)} pays {row['amount_minor']} on; {life.lent} were disbursed on {life.disbursed_on}")
        life.paid_on = self.day

    def _commission(self, rows: list[Row], loan: Row, life: Life) -> None:
        if rows[0]["from_role"] == "BORROWER" and life.disbursed_on == self.day:
            self.says("UPFRONT_FEE", f"{named(rows[0])} is taken on the day of disbursal")

    def _repay_freeze(self, rows: list[Row], loan: Row, life: Life) -> None:
        self.set_aside[rows[0]["request_no"]] = rows[0]["amount_minor"]

    def _check_paid(self, rows: list[Row]) -> None:
        paid, set_aside = sum(row["amount_minor"] for row in rows), self.set_aside.get(rows[0]["related_request_no"])
        if paid != set_aside:
            self.says("INV_05", f"{named(rows[0])} pays {paid} to creditors, {set_aside} was set aside for them")

    def _repayment(self, rows: list[Row], loan: Row, life: Life) -> None:
        self._check_paid(rows)
        principal, interest, penalty = (sum(_part(row, part) for row in rows) for part in _PARTS)
        weights = self.lenders(loan["loan_id"])
        self._check_split(rows, weights, dict(zip(_PARTS, (principal, interest, penalty), strict=True)))
        self._check_due(rows[0], loan, life, principal, interest, penalty)
        life.repaid += principal
        for claim_id, row in zip(self._paid_claims(rows, weights), rows, strict=False):
            self.take(claim_id, _part(row, "principal_minor"), row, "INV_05")

    def _paid_claims(self, rows: list[Row], weights: dict[str, int]) -> list[str]:
        """Claims of the legs: legs stand in order of claim ids, and a claim without a share has none."""
        totals = [sum(_part(row, part) for row in rows) for part in _PARTS]
        shares = [split(total, weights) for total in totals] if weights else []
        return [claim_id for claim_id in sorted(weights) if sum(share[claim_id] for share in shares)]

    def _check_split(self, rows: list[Row], weights: dict[str, int], totals: dict[str, int]) -> None:
        if not weights:
            self.says("SPLIT", f"{named(rows[0])}: no lender holds a claim")
            return
        shares = {part: split(total, weights) for part, total in totals.items()}
        wanted = {}
        for claim_id in sorted(weights):
            own = tuple(shares[part][claim_id] for part in _PARTS)
            if sum(own):
                wanted[claim_id] = (self.claims[claim_id].holder, own)
        stated = [(payee(row), tuple(_part(row, part) for part in _PARTS)) for row in rows]
        if stated != list(wanted.values()):
            self.says("SPLIT", f"{named(rows[0])}: legs {stated}; by the register {list(wanted.values())}")

    def _check_due(self, row: Row, loan: Row, life: Life, principal: int, interest: int, penalty: int) -> None:
        """What is paid to lenders: all that is due, all that is left, or a part of the oldest."""
        if life.is_lost:
            return
        if life.disbursed_on is None:
            self.loses(life, f"{named(row)} repays {loan['loan_id']}, which is not disbursed")
            return
        due = [one for one in life.owed if one.on <= self.day and not one.guaranteed]
        sums = (sum(one.principal for one in due), sum(one.interest for one in due))
        fine = sum(terms.penalty(loan, one, self.day) for one in due)
        paid = (principal, interest)
        if due and paid == sums:
            if penalty != fine:
                self.says("PENALTY", f"{named(row)} pays a penalty of {penalty}, due is {fine}")
            self._gone(life, due)
            return
        left = sum(one.principal for one in life.owed)
        extra = terms.accrued(loan, life.disbursed_on, self.day, left - sums[0])
        if (principal, interest, penalty) == (left, sums[1] + extra, 0):
            self._gone(life, life.owed)
            return
        total, oldest = principal + interest + penalty, due[0] if due else None
        own_fine = terms.penalty(loan, oldest, self.day) if oldest else 0
        is_part = oldest is not None and oldest.on < self.day and total < oldest.principal + oldest.interest + own_fine
        if oldest is None or not is_part or interest != min(oldest.interest, total):
            self.loses(
                life, f"{named(row)} pays {paid} and {penalty}; due are {sums} and {fine}, all is {(left, sums[1] + extra)}"
            )
            return
        # Interest first, then penalty, then principal.
        if penalty != min(own_fine, total - interest):
            self.says("PENALTY", f"{named(row)} pays a penalty of {penalty} with a part of {total}, due is {own_fine}")
        oldest.principal -= principal
        oldest.interest -= interest
        oldest.parts.append((self.day, principal + interest))
        oldest.fined += penalty

    @staticmethod
    def _gone(life: Life, paid: list[Due]) -> None:
        life.paid += len(paid)
        gone = {id(one) for one in paid}
        life.owed = [one for one in life.owed if id(one) not in gone]

    def _compensation(self, rows: list[Row], loan: Row, life: Life) -> None:
        """The oldest overdue instalment, or all principal with what is due of the rest."""
        totals = tuple(sum(_part(row, part) for row in rows) for part in _PARTS)
        weights = self.lenders(loan["loan_id"])
        due = [one for one in life.owed if one.on <= self.day]
        late = [one for one in due if one.on < self.day and not one.guaranteed]
        if not late and not life.is_lost:
            self.loses(life, f"{named(rows[0])}: nothing of {loan['loan_id']} is overdue")
            return
        first = late[0]
        one = (first.principal, first.interest, terms.penalty(loan, first, self.day))
        fines = {id(each): terms.penalty(loan, each, self.day) for each in due}
        whole = (sum(weights.values()), sum(each.interest for each in due), sum(fines.values()))
        if totals[2] not in (one[2], whole[2]) and totals[:2] in (one[:2], whole[:2]):
            self.says("PENALTY", f"{named(rows[0])} pays a penalty of {totals[2]}, due is {one[2]} or {whole[2]}")
        wanted = []
        if (totals[:2] == one[:2] and totals[:2] != whole[:2]) or totals == one:
            first.guaranteed, first.penalty = True, totals[2]
            shares = [split(total, weights) for total in totals]
            wanted = [(key, tuple(share[key] for share in shares)) for key in sorted(weights)]
        elif totals[:2] == whole[:2]:
            for each in life.owed:
                each.guaranteed, each.penalty = True, fines.get(id(each), 0)
            by_interest, by_penalty = split(totals[1], weights), split(totals[2], weights)
            wanted = [(key, (weights[key], by_interest[key], by_penalty[key])) for key in sorted(weights)]
        elif not life.is_lost:
            self.loses(life, f"{named(rows[0])} pays {totals}; overdue are {one}, or in all {whole}")
        stated = [(row["related_request_no"], tuple(_part(row, part) for part in _PARTS)) for row in rows]
        if wanted and sorted(stated) != [(key, parts) for key, parts in wanted if sum(parts)]:
            self.says("SPLIT", f"{named(rows[0])}: legs {stated}; by the register {wanted}")
        for row in rows:
            holder = self.claims[row["related_request_no"]].holder if row["related_request_no"] in self.claims else None
            if holder != payee(row):
                self.says("INV_05", f"{named(row)} pays {payee(row)} for a claim of {holder}")
            self.take(row["related_request_no"], _part(row, "principal_minor"), row, "INV_05")
        if totals[0]:
            self.claims[rows[0]["request_no"]] = Claim(
                loan["loan_id"], (rows[0]["from_role"], rows[0]["from_user_no"]), totals[0]
            )

    def _compensation_repayment(self, rows: list[Row], loan: Row, life: Life) -> None:
        row = rows[0]
        self._check_paid(rows)
        due = [one for one in life.owed if one.on <= self.day and one.guaranteed]
        wanted = (sum(o.principal for o in due), sum(o.interest for o in due), sum(o.penalty for o in due))
        stated = tuple(_part(row, part) for part in _PARTS)
        if stated != wanted and not life.is_lost:
            self.loses(life, f"{named(row)} pays the guarantor {stated}, due to him are {wanted}")
        self._gone(life, due)
        life.repaid += _part(row, "principal_minor")
        left = _part(row, "principal_minor")
        for _, claim in sorted(self.of_loan(loan["loan_id"]).items()):
            if claim.holder == payee(row):
                taken = min(left, claim.principal)
                claim.principal -= taken
                left -= taken
        if left:
            self.says("INV_05", f"{named(row)} pays {left} more principal than the guarantor holds")

    def _credit_assignment(self, rows: list[Row], loan: Row, life: Life) -> None:
        row = rows[0]
        claim = self.claims.get(row["related_request_no"])
        if claim is None or claim.holder != payee(row) or _part(row, "principal_minor") <= 0:
            self.says(
                "INV_06", f"{named(row)}: {row['to_user_no']} sells claim {row['related_request_no']} of {claim and claim.holder}"
            )
        self.take(row["related_request_no"], _part(row, "principal_minor"), row, "INV_06")
        self.claims[row["request_no"]] = Claim(loan["loan_id"], payer(row) or NOBODY, _part(row, "principal_minor"))


def violations(platform: Platform) -> Iterator[Violation]:
    register = Register(platform)
    before: dict[str, Row] = {}
    for day in platform.dates:
        loans = {row["loan_id"]: row for row in platform.loans[day]}
        register.start(day, loans)
        for rows in _requests(platform, day):
            register.run(rows)
        yield from register.found
        register.found.clear()
        yield from _claims_filed(platform, day, register)
        for loan_id, row in loans.items():
            yield from _filed(platform, day, row, register)
            yield from _since(platform, day, row, before.get(loan_id))
        for loan_id in before.keys() - loans.keys():
            yield platform.says("LOAN", day, f"{loan_id} is gone")
        before = loans


def _requests(platform: Platform, day: date) -> Iterator[list[Row]]:
    """Postings by request, in order of event time; legs of one request together."""
    requests: dict[str, list[Row]] = defaultdict(list)
    for row in platform.instructions[day]:
        if row["status"] == "SUCCESS":
            requests[row["request_no"] if row["txn_type"] in _LEGS else f"{row['request_no']}/{row['leg']}"].append(row)
    yield from requests.values()


def _claims_filed(platform: Platform, day: date, register: Register) -> Iterator[Violation]:
    filed = {
        r["claim_id"]: (r["loan_id"], (r["holder_role"], r["holder_user_no"]), r["principal_minor"]) for r in platform.claims[day]
    }
    ours = {key: (c.loan_id, c.holder, c.principal) for key, c in register.claims.items() if c.principal}
    for key in sorted(filed.keys() | ours.keys()):
        if filed.get(key) != ours.get(key):
            yield platform.says("CLAIM", day, f"claim {key} is {filed.get(key)} in CLAIM, {ours.get(key)} by the movements")
    shares: dict[str, int] = defaultdict(int)
    for loan_id, _, principal in filed.values():
        shares[loan_id] += principal
    for loan_id, life in register.lives.items():
        debt = life.lent - life.repaid
        owed = debt if life.is_lost else sum(one.principal for one in life.owed)
        if shares[loan_id] != debt or debt != owed:
            yield platform.says(
                "INV_05", day, f"{loan_id}: claims are {shares[loan_id]}, debt is {debt}, instalments left {owed}"
            )


def _filed(platform: Platform, day: date, row: Row, register: Register) -> Iterator[Violation]:
    """What LOAN says at the end of the day."""
    life, loan_id = register.lives[row["loan_id"]], row["loan_id"]
    raised = life.lent if life.disbursed_on else sum(amount for amount, _ in life.tenders.values())
    if (row["raised_minor"], row["disbursed_on"]) != (raised, life.disbursed_on):
        stated = (row["raised_minor"], row["disbursed_on"])
        yield platform.says("LOAN", day, f"{loan_id} has raised {stated}, by the movements {(raised, life.disbursed_on)}")
    if raised > row["amount_minor"]:
        yield platform.says("INV_04", day, f"{loan_id} has raised {raised} of {row['amount_minor']}")
    if row["state"] == "MISCARRIED" and life.tenders:
        yield platform.says("INV_04", day, f"{loan_id} miscarried and holds {raised}")
    if not life.disbursed_on:
        allowed = ("FULL",) if raised == row["amount_minor"] else ("BIDDING", "MISCARRIED")
    elif not life.owed:
        allowed = ("SETTLED",)
    elif life.owed[0].on < day:
        allowed = ("OVERDUE",)
    else:
        allowed = ("REPAYING",) if life.paid else ("DISBURSED",)
    if row["state"] not in allowed and not life.is_lost:
        yield platform.says("STATE", day, f"{loan_id} is {row['state']}, by the movements {' or '.join(allowed)}")
    if row["payee_user_no"] and life.disbursed_on and not life.paid_on:
        yield platform.says("INV_08", day, f"{loan_id} names a payee and nobody paid him")
    if row["minimum_minor"] is not None and row["minimum_minor"] > row["amount_minor"]:
        yield platform.says("LOAN", day, f"{loan_id}'s minimum is above its amount")


def _since(platform: Platform, day: date, row: Row, before: Row | None) -> Iterator[Violation]:
    """Terms never change; states go along allowed steps only."""
    if before is None:
        return
    changed = [k for k, v in row.items() if k not in ("raised_minor", "state", "disbursed_on", "line_no") and before[k] != v]
    if changed:
        yield platform.says("LOAN", day, f"{row['loan_id']} has other {changed} than the day before")
    if before["state"] != row["state"] and row["state"] not in _NEXT.get(before["state"], set()):
        yield platform.says("STATE", day, f"{row['loan_id']} was {before['state']} and is {row['state']}")
