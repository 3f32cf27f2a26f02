"""Yesterday's custody fee, as the instruction by which the bank itself enters it."""

from __future__ import annotations

from datetime import date, datetime

from custody.calendar import CHINA
from custody.instruction import Instruction
from custody.names import Originator, TxnStatus, TxnType
from custody.ports import Row
from custody.posting_rules import ACCRUE, RELEASE


def accrual(fee: Row, value_date: date) -> Instruction:
    """The instruction by which the bank itself enters a day's accrued custody fee."""
    name = f"FEE{value_date:%Y%m%d}"
    return Instruction(
        platform=fee["platform"],
        request_no=name,
        leg=1,
        txn_type=TxnType.CUSTODY_FEE,
        originator=Originator.BANK,
        authorisation_id=name,
        from_account=None,
        to_account=None,
        amount_minor=abs(fee["gross_minor"]),
        currency=fee["currency"],
        loan_id=None,
        principal_minor=0,
        interest_minor=0,
        penalty_minor=0,
        coupon_minor=0,
        related_request_no=None,
        channel=None,
        settlement_batch=None,
        direction=ACCRUE if fee["gross_minor"] >= 0 else RELEASE,
        fee_minor=abs(fee["vat_minor"]),
        status=TxnStatus.SUCCESS,
        event_time=datetime.combine(value_date, datetime.max.time().replace(microsecond=0), tzinfo=CHINA),
        value_date=value_date,
    )
