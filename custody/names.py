"""The field's standard terms (domain.md), each spelt once."""

from __future__ import annotations

import re
from enum import StrEnum


class Role(StrEnum):
    """Customer's role towards a platform; each role of one person is its own sub-account."""

    LENDER = "LENDER"
    BORROWER = "BORROWER"
    GUARANTOR = "GUARANTOR"
    PAYEE = "PAYEE"


class Book(StrEnum):
    CUSTODY = "CUSTODY"
    OWN = "OWN"
    BANK = "BANK"


class TxnType(StrEnum):
    RECHARGE = "RECHARGE"
    BACKROLL_RECHARGE = "BACKROLL_RECHARGE"
    WITHDRAW_FREEZE = "WITHDRAW_FREEZE"
    WITHDRAW_CANCEL = "WITHDRAW_CANCEL"
    WITHDRAW = "WITHDRAW"
    WITHDRAW_RETURN = "WITHDRAW_RETURN"
    CHANNEL_SETTLEMENT = "CHANNEL_SETTLEMENT"
    CHANNEL_FEE_TOPUP = "CHANNEL_FEE_TOPUP"
    TENDER_FREEZE = "TENDER_FREEZE"
    TENDER_CANCEL = "TENDER_CANCEL"
    TENDER_SETTLE = "TENDER_SETTLE"
    ENTRUSTED_PAYMENT = "ENTRUSTED_PAYMENT"
    REPAY_FREEZE = "REPAY_FREEZE"
    REPAYMENT = "REPAYMENT"
    COMPENSATION = "COMPENSATION"
    COMPENSATION_REPAYMENT = "COMPENSATION_REPAYMENT"
    CREDIT_ASSIGNMENT = "CREDIT_ASSIGNMENT"
    COMMISSION = "COMMISSION"
    MARKETING = "MARKETING"
    BANK_INTEREST = "BANK_INTEREST"
    PLATFORM_RECHARGE = "PLATFORM_RECHARGE"
    PLATFORM_WITHDRAW = "PLATFORM_WITHDRAW"
    CUSTODY_FEE = "CUSTODY_FEE"
    ADJUSTMENT = "ADJUSTMENT"
    REVERSAL = "REVERSAL"
    # domain.md §3 has no type for the platform's own money entering or leaving its own-funds account.
    OWN_FUNDS_MOVEMENT = "OWN_FUNDS_MOVEMENT"
    # Nor for what a court or the police order (LEGAL_ORDER, domain.md §5): a JUDICIAL hold, its release, its payment out.
    LEGAL_FREEZE = "LEGAL_FREEZE"
    LEGAL_RELEASE = "LEGAL_RELEASE"
    LEGAL_DEDUCT = "LEGAL_DEDUCT"


class MandateScope(StrEnum):
    """What a mandate lets be done without the customer's password (domain.md §3, Originator)."""

    AUTO_TENDER = "AUTO_TENDER"
    AUTO_REPAY = "AUTO_REPAY"
    AUTO_ASSIGN = "AUTO_ASSIGN"
    ENTRUSTED = "ENTRUSTED"


class Originator(StrEnum):
    CUSTOMER = "CUSTOMER"
    MANDATE = "MANDATE"
    PLATFORM = "PLATFORM"
    BANK = "BANK"


class TxnStatus(StrEnum):
    """Status of an instruction or a claim; the middle three are a withdrawal's (domain.md §3)."""

    ACCEPTED = "ACCEPTED"
    REMITTING = "REMITTING"
    UNKNOWN = "UNKNOWN"
    SUCCESS = "SUCCESS"
    FAIL = "FAIL"


# Statuses of a movement that is still under way: it moves no money yet and comes again with its final status.
UNDER_WAY = frozenset({TxnStatus.ACCEPTED, TxnStatus.REMITTING, TxnStatus.UNKNOWN})


class LoanState(StrEnum):
    BIDDING = "BIDDING"
    FULL = "FULL"
    DISBURSED = "DISBURSED"
    REPAYING = "REPAYING"
    OVERDUE = "OVERDUE"
    SETTLED = "SETTLED"
    MISCARRIED = "MISCARRIED"


class HoldKind(StrEnum):
    TENDER = "TENDER"
    WITHDRAW = "WITHDRAW"
    REPAY = "REPAY"
    JUDICIAL = "JUDICIAL"
    AML = "AML"


class PartyKind(StrEnum):
    PLATFORM = "PLATFORM"
    CHANNEL = "CHANNEL"
    GATEWAY = "GATEWAY"
    # Where reports are released to: the reporting platform, and whoever else a contract names (domain.md §1).
    REPORTING = "REPORTING"


class FileType(StrEnum):
    CUSTOMER = "CUSTOMER"
    LOAN = "LOAN"
    TXN = "TXN"
    CLAIM = "CLAIM"
    BALANCE = "BALANCE"
    SETTLEMENT = "SETTLEMENT"
    INSTRUCTION = "INSTRUCTION"
    MANDATE = "MANDATE"
    LEGAL_ORDER = "LEGAL_ORDER"
    # A platform's answer to a RECON_RESULT (domain.md §6, results to platforms).
    CONFIRMATION = "CONFIRMATION"
    # What a platform publishes of a month (custody.disclosure); its date is the month's last.
    DISCLOSURE = "DISCLOSURE"
    # outbound
    RECEIPT = "RECEIPT"
    # What of a date has not come when it was due.
    FILE_NOTICE = "FILE_NOTICE"
    VALIDATION = "VALIDATION"
    RECON_RESULT = "RECON_RESULT"
    RECON_ROWS = "RECON_ROWS"
    # To a platform: each posting of a day to its customers' sub-accounts, from opening to closing.
    STATEMENT = "STATEMENT"
    # To a platform: what it is charged for a period. To the core, by way of the gateway: what is taken from own-funds accounts.
    FEE_NOTICE = "FEE_NOTICE"
    CHARGE = "CHARGE"
    # To whom the law against money laundering names, never to a platform (domain.md §8).
    LARGE_VALUE = "LARGE_VALUE"
    SUSPICIOUS = "SUSPICIOUS"


# Types that a contract may allow and that no date is without: nothing of them is ever EXPECTED.
OCCASIONAL = frozenset({FileType.CONFIRMATION})
# Types that a contract may ask for of each month's last date alone, and that are due some days after it.
MONTHLY = frozenset({FileType.DISCLOSURE})


class BreakKind(StrEnum):
    MISSING_IN_PLATFORM = "MISSING_IN_PLATFORM"
    MISSING_IN_LEDGER = "MISSING_IN_LEDGER"
    MISSING_IN_CORE = "MISSING_IN_CORE"
    MISSING_IN_CHANNEL = "MISSING_IN_CHANNEL"
    AMOUNT = "AMOUNT"
    DIRECTION = "DIRECTION"
    DUPLICATE = "DUPLICATE"
    STATUS = "STATUS"
    WRONG_ACCOUNT = "WRONG_ACCOUNT"
    WRONG_LOAN = "WRONG_LOAN"
    # Ours: one movement, called by another type than the instruction's.
    TXN_TYPE = "TXN_TYPE"
    FEE = "FEE"
    CURRENCY = "CURRENCY"
    TIMING = "TIMING"
    RETURNED = "RETURNED"
    STALE_FREEZE = "STALE_FREEZE"
    ORPHAN = "ORPHAN"
    LATE_FILE = "LATE_FILE"
    CONTROL_TOTAL = "CONTROL_TOTAL"
    BALANCE_CHAIN = "BALANCE_CHAIN"
    UNAUTHORISED = "UNAUTHORISED"
    MANDATE = "MANDATE"
    LIMIT = "LIMIT"
    ROUNDING = "ROUNDING"
    CLAIM = "CLAIM"
    LOAN_TERMS = "LOAN_TERMS"
    CUSTOMER = "CUSTOMER"
    ALLOCATION = "ALLOCATION"
    UPFRONT_FEE = "UPFRONT_FEE"
    UNSETTLED_USE = "UNSETTLED_USE"
    SETTLEMENT_SHORT = "SETTLEMENT_SHORT"
    SETTLEMENT_LATE = "SETTLEMENT_LATE"
    UNKNOWN_STATUS = "UNKNOWN_STATUS"
    SUSPENSE_AGED = "SUSPENSE_AGED"
    HOLD = "HOLD"
    SHORTFALL = "SHORTFALL"
    DISCLOSURE = "DISCLOSURE"
    # Ours: the path of a loan's money contradicts its stated use, or crosses a red line (domain.md §1, module 5; §8).
    USE_OF_FUNDS = "USE_OF_FUNDS"
    INV_01 = "INV_01"
    INV_02 = "INV_02"
    INV_03 = "INV_03"
    INV_04 = "INV_04"
    INV_05 = "INV_05"
    INV_06 = "INV_06"
    INV_07 = "INV_07"
    INV_08 = "INV_08"
    INV_09 = "INV_09"
    INV_10 = "INV_10"
    INV_11 = "INV_11"
    INV_12 = "INV_12"
    INV_13 = "INV_13"
    INV_14 = "INV_14"


class RepaymentMethod(StrEnum):
    EQUAL_INSTALMENT = "equal_instalment"
    EQUAL_PRINCIPAL = "equal_principal"
    INTEREST_FIRST = "interest_first"
    BULLET = "bullet"


class DayCount(StrEnum):
    THIRTY_360 = "30/360"
    ACTUAL_360 = "actual/360"
    ACTUAL_365 = "actual/365"
    ACTUAL_ACTUAL = "actual/actual"


PLATFORM_ACCOUNTS = ("P_INCOME", "P_MARKETING", "P_COMPENSATION", "P_ADVANCE")

_USER = re.compile(r"[A-Za-z0-9_-]{1,40}")


def sub_account_id(platform: str, role: str, user_no: str) -> str:
    """The custody sub-account of one user in one role, e.g. ``P001.LENDER.u000123``."""
    if not _USER.fullmatch(user_no):
        raise ValueError(f"user number {user_no!r} has characters outside A-Z a-z 0-9 _ -")
    return f"{platform}.{Role(role)}.{user_no}"


def platform_of(account: str) -> str:
    """The platform whose account this is: of a sub-account, of a part of one, or of any ledger account."""
    return account.partition(":")[0].partition(".")[0]


def role_of(sub_account: str) -> str:
    """The role in a sub-account's id: LENDER of ``P001.LENDER.u000123``."""
    return sub_account.split(".")[1]


def available(sub_account: str) -> str:
    return f"{sub_account}:available"


def frozen(sub_account: str) -> str:
    return f"{sub_account}:frozen"


def platform_account(platform: str, name: str) -> str:
    """A ledger account of the platform that is no customer's, e.g. ``P001:CORE_CASH``."""
    return f"{platform}:{name}"


def account_and_part(ledger_account: str) -> tuple[str, str]:
    """The account that a ledger account is a part of, and which: ``P001.LENDER.u1`` and ``frozen``; ``P001:P_MARKETING`` and
    ``available``, which it is where nothing else is said."""
    at = 1 if "." in ledger_account else 2
    names = ledger_account.split(":")
    return ":".join(names[:at]), names[at] if len(names) > at else "available"
