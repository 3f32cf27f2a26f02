"""Two platforms' figures for December 2019, small enough to check by hand."""

from reports.custody_monthly import build
from reports.definition import load_definition
from reports.figures import PlatformFigures, TypeVolume
from reports.model import Report

DEFINITION = load_definition("custody_monthly")

FIRST = PlatformFigures(
    platform="P001",
    name="=1+1",  # a platform may call itself so
    currency="CNY",
    volumes=(TypeVolume("RECHARGE", 3, 123_456_789), TypeVolume("TENDER_FREEZE", 2, 50_000)),
    loan_balance_minor=900_719_925_474_001,  # fifteen digits, the most a workbook keeps
    custody_customers_minor=1_234_567,
    p_income_minor=5,
    p_marketing_minor=0,
    p_compensation_minor=0,
    p_advance_minor=100_000,
    suspense_minor=1,
    borrowers=7,
    lenders=1_001,
    accounts_opened=12,
    accounts_closed=1,
    open_breaks=2,
)
SECOND = PlatformFigures(
    platform="P002",
    name="稳健贷",
    currency="CNY",
    volumes=(TypeVolume("REPAYMENT", 1, 10), TypeVolume("RECHARGE", 1, 20)),
    loan_balance_minor=30,
    custody_customers_minor=40,
    p_income_minor=0,
    p_marketing_minor=0,
    p_compensation_minor=0,
    p_advance_minor=0,
    suspense_minor=0,
    borrowers=1,
    lenders=2,
    accounts_opened=0,
    accounts_closed=0,
    open_breaks=0,
)
SEALS: list[dict[str, str | int]] = [
    {"custody_date": "2019-12-31", "step": "post", "version": 1, "manifest_digest": "b" * 64},
    {"custody_date": "2019-12-30", "step": "post", "version": 2, "manifest_digest": "a" * 64},
]


def sample_report() -> Report:
    return build(DEFINITION, "2019-12", [SECOND, FIRST], SEALS, "示例银行 Example Bank")
