"""What the detectors of compliance are: by the id of their rule, the figures that each needs and the most that may be told of it.

The rules themselves are entries of form ``compliance`` in the rule book (schemas/rules/compliance.yaml), their reasoning is in
custody.compliance_borrowers, compliance_money and compliance_platforms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Disclosure(StrEnum):
    """Who may be told of a finding beside the bank's own people on the desk.

    PLATFORM: the platform that it is about. BANK: nobody outside the bank and its regulator, since it speaks of another platform's
    customer, or of what the platform would hide. AML: risk officer and auditor alone; neither platform nor customer is ever told (Anti-Money Laundering Law; PBoC order 2016 no. 3).
    """

    PLATFORM = "PLATFORM"
    BANK = "BANK"
    AML = "AML"

    @property
    def reach(self) -> int:
        """The greater, the more may be told."""
        return {"AML": 0, "BANK": 1, "PLATFORM": 2}[self.value]

    @property
    def words(self) -> tuple[str, str]:
        return _TOLD[self.value]


_TOLD = {
    "PLATFORM": ("the platform may be told", "可告知平台"),
    "BANK": ("the bank and its regulator only", "仅限银行与监管"),
    "AML": ("confidential: never to platform or customer", "反洗钱保密：不得告知平台或客户"),
}


@dataclass(frozen=True)
class Needs:
    """``more``: figures that a version names all of, or none: a detector that learned to see more judges by those its version has."""

    figures: tuple[str, ...]
    disclosure: Disclosure
    more: tuple[str, ...] = ()


_P, _B, _A = Disclosure.PLATFORM, Disclosure.BANK, Disclosure.AML

NEEDS: Mapping[str, Needs] = MappingProxyType(
    {
        # borrowers
        "limit_on_platform": Needs(("person_minor", "company_minor"), _P),
        "limit_on_all": Needs(("person_minor", "company_minor"), _B),
        "rate_cap": Needs(("rate_bp",), _P),
        "term_splitting": Needs(("loans", "gap_days", "amount_bp"), _P, ("pair_gap_days", "pair_amount_bp", "pair_days")),
        "shared_contact": Needs(("borrowers",), _B, ("card_borrowers",)),
        "shared_identity": Needs(("accounts",), _P),
        # money that comes and goes
        "large_value": Needs(("person_minor", "company_minor", "file_business_days"), _A),
        "structuring": Needs(("person_minor", "company_minor", "share_bp", "days", "times"), _A, ("sum_bp",)),
        "fast_in_out": Needs(("minor", "share_bp", "days"), _A),
        "dormant_active": Needs(("minor", "days"), _A),
        "watch_list": Needs((), _A),
        # what a platform does
        "super_lender": Needs(("lent_minor", "sold_bp", "sales", "days"), _B, ("alone_bp", "buyers", "split_minor")),
        "packaged_assignment": Needs(("loans", "minor"), _B, ("few", "few_minor", "share_bp")),
        "pooling": Needs(("days", "share_bp", "lenders"), _B),
        "new_for_old": Needs(("days", "share_bp", "minor"), _B),
        "lender_is_related": Needs(("minor",), _B),
        "borrower_near_related": Needs((), _B),
        "borrower_near_guarantor": Needs(("minor",), _B),
        "guarantee_by_related": Needs(("minor",), _B),
        "platform_compensation": Needs((), _P),
        "fill_that_never_was": Needs(("minor",), _P),
    }
)
