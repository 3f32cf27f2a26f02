"""What the bank itself enters into its book of custody fees: each platform's accrual of yesterday, differences of periods that were rated
anew, what was written off, and what came in after that."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime

from custody.calendar import CHINA
from custody.instruction import Instruction
from custody.names import Originator, TxnStatus, TxnType
from custody.ports import Row
from custody.posting_rules import ACCRUE, RELEASE


def own_entries(fees: Iterable[Row], entries: Iterable[Row], value_date: date) -> dict[str, list[Instruction]]:
    """By platform, in order: rows of yesterday's fee_accruals and fee_entries as instructions."""
    found: dict[str, list[Instruction]] = defaultdict(list)
    for fee in fees:
        if fee["gross_minor"]:
            found[fee["platform"]].append(accrual(fee, value_date))
    for entry in sorted(entries, key=lambda e: (e["platform"], e["request_no"], e["leg"])):
        found[entry["platform"]].append(_entered(entry, value_date))
    return dict(found)


def accrual(fee: Row, value_date: date) -> Instruction:
    """The instruction by which the bank itself enters a day's accrued custody fee."""
    entry = {
        "platform": fee["platform"],
        "request_no": f"FEE{value_date:%Y%m%d}",
        "leg": 1,
        "direction": ACCRUE if fee["gross_minor"] >= 0 else RELEASE,
        "amount_minor": abs(fee["gross_minor"]),
        "fee_minor": abs(fee["vat_minor"]),
        "currency": fee["currency"],
    }
    return _entered(entry, value_date)


def _entered(entry: Row, value_date: date) -> Instruction:
    return Instruction(
        platform=entry["platform"],
        request_no=entry["request_no"],
        leg=entry["leg"],
        txn_type=TxnType.CUSTODY_FEE,
        originator=Originator.BANK,
        authorisation_id=entry["request_no"],
        from_account=None,
        to_account=None,
        amount_minor=entry["amount_minor"],
        currency=entry["currency"],
        loan_id=None,
        principal_minor=0,
        interest_minor=0,
        penalty_minor=0,
        coupon_minor=0,
        related_request_no=None,
        channel=None,
        settlement_batch=None,
        direction=entry["direction"],
        fee_minor=entry["fee_minor"],
        status=TxnStatus.SUCCESS,
        event_time=datetime.combine(value_date, datetime.max.time().replace(microsecond=0), tzinfo=CHINA),
        value_date=value_date,
    )
