"""SHAPE: which columns each variant of each type fills, who originates it, whose money moves to whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from world_reader import Row

from world_checker.view import CUSTOMERS, P_ACCOUNTS, Holder, Platform, Violation, named, payee, payer

_COLUMNS = (
    "loan_id", "principal_minor", "interest_minor", "penalty_minor", "coupon_minor", "related_request_no", "channel",
    "settlement_batch", "direction", "fee_minor",
)  # fmt: skip
NOBODY = ("-",)


@dataclass(frozen=True)
class Shape:
    """``needs`` are filled, ``may`` can be, all other columns of _COLUMNS are blank."""

    originators: str
    payers: tuple[str, ...] = NOBODY
    payees: tuple[str, ...] = NOBODY
    needs: str = ""
    may: str = ""

    def fits(self, row: Row) -> bool:
        filled = {name.removesuffix("_minor").removesuffix("_request_no") for name in _COLUMNS if row[name] is not None}
        needs, may = set(self.needs.split()), set(self.may.split())
        sides = _label(payer(row)) in self.payers and _label(payee(row)) in self.payees
        return sides and row["originator"] in self.originators.split() and needs <= filled <= needs | may


def _label(holder: Holder | None) -> str:
    if holder is None:
        return "-"
    return holder[1] if holder[0] == "PLATFORM" else holder[0]


_PARTS = "loan_id principal interest penalty related"
SHAPES: dict[str, tuple[Shape, ...]] = {
    "RECHARGE": (
        Shape("CUSTOMER", payees=CUSTOMERS, may="channel"),
        Shape("BANK", payees=("SUSPENSE",)),
    ),
    "ADJUSTMENT": (
        Shape("BANK", ("SUSPENSE",), CUSTOMERS, "related"),
        Shape("BANK", ("P_MARKETING", *CUSTOMERS), CUSTOMERS, may="related"),
    ),
    "REVERSAL": (
        Shape("BANK", ("SUSPENSE",), NOBODY, "related"),
        Shape("BANK", CUSTOMERS, ("P_MARKETING",), "related"),
    ),
    "BACKROLL_RECHARGE": (Shape("CUSTOMER", CUSTOMERS, NOBODY, "channel related"),),
    "WITHDRAW_FREEZE": (Shape("CUSTOMER", CUSTOMERS),),
    "WITHDRAW_CANCEL": (Shape("PLATFORM", NOBODY, CUSTOMERS, "related"),),
    "WITHDRAW": (Shape("CUSTOMER", CUSTOMERS, NOBODY, "channel related"),),
    "WITHDRAW_RETURN": (Shape("BANK", NOBODY, CUSTOMERS, "channel related direction"),),
    "CHANNEL_SETTLEMENT": (Shape("BANK", needs="channel settlement_batch direction fee"),),
    "CHANNEL_FEE_TOPUP": (Shape("BANK", needs="channel settlement_batch"),),
    "OWN_FUNDS_MOVEMENT": (Shape("PLATFORM", needs="direction"),),
    "TENDER_FREEZE": (Shape("CUSTOMER MANDATE", ("LENDER",), NOBODY, "loan_id", "coupon"),),
    "TENDER_CANCEL": (Shape("PLATFORM", NOBODY, ("LENDER",), "loan_id related", "coupon"),),
    "TENDER_SETTLE": (Shape("PLATFORM", ("LENDER",), ("BORROWER",), "loan_id related", "coupon"),),
    "ENTRUSTED_PAYMENT": (Shape("MANDATE", ("BORROWER",), ("PAYEE",), "loan_id"),),
    "REPAY_FREEZE": (Shape("CUSTOMER MANDATE", ("BORROWER",), NOBODY, "loan_id"),),
    "REPAYMENT": (Shape("PLATFORM", ("BORROWER",), ("LENDER",), _PARTS),),
    "COMPENSATION": (Shape("CUSTOMER", ("GUARANTOR",), ("LENDER",), _PARTS),),
    "COMPENSATION_REPAYMENT": (Shape("PLATFORM", ("BORROWER",), ("GUARANTOR",), _PARTS),),
    "CREDIT_ASSIGNMENT": (Shape("CUSTOMER MANDATE", ("LENDER",), ("LENDER",), "loan_id principal related"),),
    "COMMISSION": (Shape("PLATFORM", ("LENDER", "BORROWER"), ("P_INCOME",), may="loan_id"),),
    "MARKETING": (Shape("PLATFORM", ("P_MARKETING",), CUSTOMERS),),
    "PLATFORM_RECHARGE": (Shape("PLATFORM", NOBODY, P_ACCOUNTS),),
    "PLATFORM_WITHDRAW": (Shape("PLATFORM", P_ACCOUNTS, NOBODY),),
    "BANK_INTEREST": (
        Shape("BANK", needs="direction"),
        Shape("BANK", ("SUSPENSE",), (*CUSTOMERS, *P_ACCOUNTS), "direction related"),
    ),
    "CUSTODY_FEE": (Shape("BANK", needs="direction fee"),),
    "LEGAL_FREEZE": (Shape("BANK", CUSTOMERS),),
    "LEGAL_RELEASE": (Shape("BANK", NOBODY, CUSTOMERS, "related"),),
    "LEGAL_DEDUCT": (Shape("BANK", CUSTOMERS, NOBODY, "related"),),
}
_DIRECTIONS = {"WITHDRAW_RETURN": ("IN",), "CUSTODY_FEE": ("OUT",)}
_WITH_LEGS = ("TENDER_SETTLE", "REPAYMENT", "COMPENSATION", "BANK_INTEREST")


def violations(platform: Platform) -> Iterator[Violation]:
    for day, row in platform.events():
        if not any(shape.fits(row) for shape in SHAPES[row["txn_type"]]):
            filled = {
                name: row[name] for name in ("originator", "from_user_no", "to_user_no", *_COLUMNS) if row[name] is not None
            }
            yield platform.says("SHAPE", day, f"{named(row)} fits no variant of its type: {filled}")
        if row["direction"] not in (None, *_DIRECTIONS.get(row["txn_type"], ("IN", "OUT"))):
            yield platform.says("SHAPE", day, f"{named(row)} is {row['direction']}")
        if row["txn_type"] == "BANK_INTEREST" and (row["direction"] == "OUT") != (payee(row) is not None):
            yield platform.says("SHAPE", day, f"{named(row)} is {row['direction']}")
        if row["status"] != "SUCCESS" and (row["txn_type"] != "WITHDRAW" or row["status"] == "ACCEPTED"):
            yield platform.says("SHAPE", day, f"{named(row)} has status {row['status']}")
        if row["amount_minor"] < (row["coupon_minor"] or 0):
            yield platform.says("SHAPE", day, f"{named(row)} is less than its coupon {row['coupon_minor']}")
        parts = [row[f"{name}_minor"] for name in ("principal", "interest", "penalty")]
        if None not in parts and sum(parts) != row["amount_minor"]:
            yield platform.says("SHAPE", day, f"{named(row)}: {row['amount_minor']} is not the sum of {parts}")
    yield from _legs(platform)


def _legs(platform: Platform) -> Iterator[Violation]:
    """A request's legs count from 1 and are of one type, one payer and one time."""
    requests: dict[tuple[str, str], list[Row]] = defaultdict(list)
    days = {}
    for day, row in platform.events():
        requests[row["request_no"], row["status"]].append(row)
        days[row["request_no"], row["status"]] = day
    for key, rows in requests.items():
        numbers = sorted(row["leg"] for row in rows)
        same = {(row["txn_type"], row["event_time"], row["loan_id"]) for row in rows}
        many = len(rows) > 1 and rows[0]["txn_type"] not in _WITH_LEGS
        if numbers != list(range(1, len(rows) + 1)) or len(same) > 1 or many:
            yield platform.says("SHAPE", days[key], f"request {key[0]} has legs {numbers} of {len(same)} kinds")
