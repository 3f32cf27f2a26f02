"""Is the use of funds that a platform states true? What the path of a loan's money says against it (domain.md §1, module 5; §8).

The rules are entries of form red_line in the rule book (schemas/rules/use_of_funds.yaml): their figures stand there, their reasoning
here, under the same id. Each looks at one loan, at what its path shows so far, and speaks on the days on which it shows more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, replace
from datetime import date

from custody.funds_paths import Way
from custody.rule_forms import RedLine

BASIS_POINTS = 10_000
# With these a path ends where it should not, if it is much.
WRONG_ENDS = frozenset({Way.TO_PLATFORM, Way.REPAID_OTHER, Way.RELENT, Way.CLAIM_BOUGHT})


@dataclass(frozen=True)
class PaidOn:
    """What an account got of the loan's money today, and whose it is."""

    account: str
    customer_id: str | None
    amount_minor: int


@dataclass(frozen=True)
class LoanFunds:
    """A loan's path as far as it is known. ``sums``: by way, all days; ``left_minor``: what left the borrower's own account, and
    ``entrusted_minor`` what of it was paid on; ``ways``: those of today. Persons are customer ids; None where nobody is named."""

    platform: str
    loan_id: str
    purpose: str
    disbursed_on: date
    payee: str | None
    borrower: str | None
    guarantor: str | None
    sums: Mapping[Way, int]
    left_minor: int
    entrusted_minor: int
    ways: Set[Way]
    paid_on: tuple[PaidOn, ...]

    @property
    def lent_minor(self) -> int:
        return self.sums.get(Way.LENT, 0)

    def is_share(self, amount_minor: int, share_bp: int) -> bool:
        return amount_minor * BASIS_POINTS >= self.lent_minor * share_bp


@dataclass(frozen=True)
class Finding:
    platform: str
    loan_id: str
    rule_id: str
    amount_minor: int

    @property
    def subject(self) -> str:
        return f"FUNDS|{self.loan_id}|{self.rule_id}"


_Rule = Callable[[LoanFunds, RedLine, date, Set[str]], int]


def days_of_interest(rules: Mapping[str, RedLine]) -> frozenset[int]:
    """How many days after its disbursal a loan is looked at, whether or not its money moved."""
    return frozenset({0, *(rule.figures["days"] for rule in rules.values() if "days" in rule.figures)})


def judge(funds: LoanFunds, rules: Mapping[str, RedLine], today: date, related: Set[str]) -> Iterable[Finding]:
    """``related``: the platform's related parties, as customer ids; ``rules``: those in force."""
    for rule_id, reason in _REASONS.items():
        if rule_id in rules:
            amount = reason(funds, rules[rule_id], today, related)
            if amount:
                yield Finding(funds.platform, funds.loan_id, rule_id, amount)


def in_question(finding: Finding, standing: Mapping[tuple[str, str], int]) -> int:
    """So much money in all. ``standing``: by (platform, subject) what was found up to yesterday and nobody has settled. Where a rule speaks
    of today's payments alone, those of before are in question still."""
    before = standing.get((finding.platform, finding.subject), 0)
    return finding.amount_minor + (before if finding.rule_id in _OF_TODAY else 0)


def _ended(*ways: Way) -> _Rule:
    """So much of the loan ended in these ways, and some of it today."""

    def reason(funds: LoanFunds, rule: RedLine, today: date, related: Set[str]) -> int:
        amount = sum(funds.sums.get(way, 0) for way in ways)
        return amount if funds.ways & set(ways) and funds.is_share(amount, rule.figures["share_bp"]) else 0

    return reason


def _paid_to(funds: LoanFunds, persons: Set[str | None]) -> int:
    return sum(paid.amount_minor for paid in funds.paid_on if paid.customer_id is not None and paid.customer_id in persons)


def _to_related(funds: LoanFunds, rule: RedLine, today: date, related: Set[str]) -> int:
    return _paid_to(funds, related)


def _borrower_is_related(funds: LoanFunds, rule: RedLine, today: date, related: Set[str]) -> int:
    return funds.lent_minor if funds.borrower in related and Way.LENT in funds.ways else 0


def _to_guarantor(funds: LoanFunds, rule: RedLine, today: date, related: Set[str]) -> int:
    return _paid_to(funds, {funds.guarantor})


def _payee_is_borrower(funds: LoanFunds, rule: RedLine, today: date, related: Set[str]) -> int:
    return _paid_to(replace(funds, paid_on=tuple(p for p in funds.paid_on if p.account == funds.payee)), {funds.borrower})


def _payee_not_paid(funds: LoanFunds, rule: RedLine, today: date, related: Set[str]) -> int:
    on_that_day = funds.payee is not None and (today - funds.disbursed_on).days == rule.figures["days"]
    is_short = on_that_day and not funds.is_share(funds.entrusted_minor, rule.figures["share_bp"])
    return funds.lent_minor - funds.entrusted_minor if is_short else 0


def _idle(funds: LoanFunds, rule: RedLine, today: date, related: Set[str]) -> int:
    on_that_day = (today - funds.disbursed_on).days == rule.figures["days"]
    return funds.lent_minor if on_that_day and not funds.left_minor else 0


def _purpose_forbidden(funds: LoanFunds, rule: RedLine, today: date, related: Set[str]) -> int:
    says = any(term in funds.purpose.lower() for term in rule.terms)
    return funds.lent_minor if says and Way.LENT in funds.ways else 0


_REASONS: dict[str, _Rule] = {
    "funds_back_to_platform": _ended(Way.TO_PLATFORM),
    "funds_to_related_party": _to_related,
    "borrower_is_related": _borrower_is_related,
    "funds_to_guarantor": _to_guarantor,
    "funds_repay_other_loan": _ended(Way.REPAID_OTHER),
    "funds_relent": _ended(Way.RELENT, Way.CLAIM_BOUGHT),
    "payee_not_paid": _payee_not_paid,
    "payee_is_borrower": _payee_is_borrower,
    "funds_idle": _idle,
    "purpose_forbidden": _purpose_forbidden,
}
RULE_IDS = tuple(_REASONS)
# Rules that look at what was paid on today.
_OF_TODAY = frozenset({"funds_to_related_party", "funds_to_guarantor", "payee_is_borrower"})
