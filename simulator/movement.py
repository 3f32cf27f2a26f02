"""One movement of money as it truly happened, and how the gateway and a platform write it down."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

from custody.names import Originator, TxnStatus, TxnType
from schemas.field_types import Value

Row = dict[str, Value]
# (role, user number), or ("PLATFORM", name of a P_* account or SUSPENSE); None stands for outside this platform's accounts.
Holder = tuple[str, str]

CURRENCY = "CNY"
YUAN = 100
P_MARKETING: Holder = ("PLATFORM", "P_MARKETING")
P_INCOME: Holder = ("PLATFORM", "P_INCOME")
SUSPENSE: Holder = ("PLATFORM", "SUSPENSE")

# Who originates a movement of the type, unless the movement says otherwise.
_ORIGINATORS = {
    TxnType.RECHARGE: Originator.CUSTOMER,
    TxnType.BACKROLL_RECHARGE: Originator.CUSTOMER,
    TxnType.WITHDRAW_FREEZE: Originator.CUSTOMER,
    TxnType.WITHDRAW: Originator.CUSTOMER,
    TxnType.TENDER_FREEZE: Originator.CUSTOMER,
    TxnType.REPAY_FREEZE: Originator.CUSTOMER,
    TxnType.COMPENSATION: Originator.CUSTOMER,
    TxnType.CREDIT_ASSIGNMENT: Originator.CUSTOMER,
    TxnType.ENTRUSTED_PAYMENT: Originator.MANDATE,
    TxnType.WITHDRAW_CANCEL: Originator.PLATFORM,
    TxnType.TENDER_CANCEL: Originator.PLATFORM,
    TxnType.TENDER_SETTLE: Originator.PLATFORM,
    TxnType.REPAYMENT: Originator.PLATFORM,
    TxnType.COMPENSATION_REPAYMENT: Originator.PLATFORM,
    TxnType.COMMISSION: Originator.PLATFORM,
    TxnType.MARKETING: Originator.PLATFORM,
    TxnType.PLATFORM_RECHARGE: Originator.PLATFORM,
    TxnType.PLATFORM_WITHDRAW: Originator.PLATFORM,
    TxnType.OWN_FUNDS_MOVEMENT: Originator.PLATFORM,
}


@dataclass(slots=True, kw_only=True, eq=False)
class Movement:
    """One leg of one request. Amounts are minor units of CNY; ``payer`` and ``payee`` are the from and to accounts. Nobody
    changes one once it is made (not frozen: worlds hold millions)."""

    platform: str
    request_no: str
    txn_type: TxnType
    amount_minor: int
    event_time: datetime
    leg: int = 1
    payer: Holder | None = None
    payee: Holder | None = None
    loan_id: str | None = None
    principal_minor: int | None = None
    interest_minor: int | None = None
    penalty_minor: int | None = None
    coupon_minor: int | None = None
    related_request_no: str | None = None
    channel: str | None = None
    settlement_batch: str | None = None
    direction: str | None = None
    fee_minor: int | None = None
    status: TxnStatus = TxnStatus.SUCCESS
    originator: Originator | None = None
    authorisation_id: str | None = None

    @property
    def order(self) -> tuple[datetime, str, int]:
        return self.event_time, self.request_no, self.leg

    @property
    def is_platforms(self) -> bool:
        """Whether it touches a customer's or a P_* account, and so stands in the platform's file too; else it is the bank's own."""
        payer, payee = self.payer, self.payee
        return (payer is not None and payer != SUSPENSE) or (payee is not None and payee != SUSPENSE)

    def txn_row(self) -> Row:
        """The row of the platform's TXN file."""
        return {
            "request_no": self.request_no,
            "leg": self.leg,
            "txn_type": self.txn_type.value,
            "from_role": self.payer[0] if self.payer else None,
            "from_user_no": self.payer[1] if self.payer else None,
            "to_role": self.payee[0] if self.payee else None,
            "to_user_no": self.payee[1] if self.payee else None,
            "amount_minor": self.amount_minor,
            "currency": CURRENCY,
            "loan_id": self.loan_id,
            "principal_minor": self.principal_minor,
            "interest_minor": self.interest_minor,
            "penalty_minor": self.penalty_minor,
            "coupon_minor": self.coupon_minor,
            "related_request_no": self.related_request_no,
            "channel": self.channel,
            "status": self.status.value,
            "event_time": self.event_time,
        }

    def instruction_row(self) -> Row:
        """The row of the gateway's INSTRUCTION file."""
        originator = self.originator or _ORIGINATORS.get(self.txn_type, Originator.BANK)
        return self.txn_row() | {
            "platform": self.platform,
            "originator": originator.value,
            "authorisation_id": self.authorisation_id or f"A{self.request_no}",
            "settlement_batch": self.settlement_batch,
            "direction": self.direction,
            "fee_minor": self.fee_minor,
        }


@dataclass(frozen=True, slots=True)
class CoreFlow:
    """One booking at the bank core; ``amount_minor`` is positive for money in."""

    account: str
    amount_minor: int
    core_ref: str
    counterparty: str
    narrative: str
    booked_at: datetime


EKey = tuple[str, int, str]  # request number, leg, way


@dataclass(frozen=True, slots=True)
class EFlow:
    """One row of one e-account at the core. ``way`` (OUT, IN) is what the row stands for; ``flag`` what was booked: C money leaves, D it
    comes in. Amounts are not negative."""

    account: str
    request_no: str
    leg: int
    way: str
    txn_type: str
    amount_minor: int
    flag: str
    standing: str
    counterparty: str | None
    booked_at: datetime
    currency: str = CURRENCY

    @property
    def key(self) -> EKey:
        return self.request_no, self.leg, self.way

    @property
    def signed_minor(self) -> int:
        return self.amount_minor if self.flag == "D" else -self.amount_minor


@dataclass(frozen=True, slots=True)
class CoreBalance:
    account: str
    opening_minor: int
    closing_minor: int


@dataclass(frozen=True, slots=True)
class Published:
    """A month's figures, as the one row of the platform's file, and the day on which it sends that."""

    row: Row
    sent_on: date


@dataclass(slots=True)
class PlatformDay:
    """All that is true of one platform on one custody date, before any fault."""

    platform: str
    customers: list[Row]
    loans: list[Row]
    txn: list[Movement]
    claims: list[Row]
    balances: list[Row]
    instructions: list[Movement]
    settlements: dict[str, list[Row]]
    core_flows: list[CoreFlow]
    core_balances: list[CoreBalance]
    mandates: list[Row] = field(default_factory=list)
    legal_orders: list[Row] = field(default_factory=list)
    # Of a platform whose core is in E_ACCOUNT form; else there are none.
    e_flows: list[EFlow] = field(default_factory=list)
    e_balances: list[CoreBalance] = field(default_factory=list)
    # On a month's last date, of a platform that publishes its figures.
    published: Published | None = None
    # What the bank would collect today had the contract's terms not changed.
    fee_by_first_terms_minor: int = 0


@dataclass(slots=True)
class DayTruth:
    day: date
    platforms: dict[str, PlatformDay]
