"""Two platforms' figures for December 2019, small enough to check by hand, under the custody report's own definition."""

from datetime import date

from reports import pdf
from reports.build import PREVIOUS, Answer, Circumstances, Key, build
from reports.catalogue import Words, load_catalogue
from reports.definition import Language, load_definition
from reports.font import font_for
from reports.model import Report
from reports.periods import parse_period
from reports.terms import load_terms

CATALOGUE = load_catalogue()
DEFINITION = load_definition("custody_monthly")
PERIOD = parse_period("2019-12")
SEALS: list[dict[str, str | int]] = [
    {"custody_date": "2019-12-31", "step": "post", "version": 1, "manifest_digest": "b" * 64},
    {"custody_date": "2019-12-30", "step": "post", "version": 2, "manifest_digest": "a" * 64},
]
NAMES = {"P001": Words(en="=1+1", zh="=1+1"), "P002": Words(en="Steady", zh="稳健贷")}  # a platform may call itself so
FIRST_BALANCE, SECOND_BALANCE = 900_719_925_474_001, 30  # fifteen digits, the most a workbook keeps

_NOTHING = dict.fromkeys(DEFINITION.table("platforms").figures, 0)
FIRST = {**_NOTHING, "volume": 123_456_789, "count": 3, "loan_balance": FIRST_BALANCE, "borrowers": 7, "lenders": 1_001}
SECOND = {**_NOTHING, "volume": 30, "count": 2, "loan_balance": SECOND_BALANCE, "suspense": -1, "borrowers": 1, "lenders": 2}
# One person borrows at both platforms.
TOTAL = {name: FIRST[name] + SECOND[name] for name in FIRST} | {"borrowers": 7}
TYPES: dict[Key, dict[str, int | None]] = {
    ("REPAYMENT",): {"type_count": 1, "type_volume": 10},
    ("RECHARGE",): {"type_count": 4, "type_volume": 123_456_809},
}
PLATFORM_TYPES: dict[Key, dict[str, int | None]] = {
    ("P002", "REPAYMENT"): {"type_count": 1, "type_volume": 10},
    ("P002", "RECHARGE"): {"type_count": 1, "type_volume": 20},
    ("P001", "RECHARGE"): {"type_count": 3, "type_volume": 123_456_789},
}
ANSWERS = {
    "summary": Answer(figures={(): TOTAL}, earlier={PREVIOUS: {((), "volume"): 100_000_000, ((), "loan_balance"): 0}}),
    "platforms": Answer(figures={("P002",): SECOND, ("P001",): FIRST}, total=TOTAL),
    "by_type": Answer(figures=TYPES),
    "by_platform_and_type": Answer(figures=PLATFORM_TYPES),
}


def told(seals: list[dict[str, str | int]] | None = None) -> Circumstances:
    return Circumstances(
        bank_name="示例银行 Example Bank",
        currency="CNY",
        days_covered=[date(2019, 12, 31), date(2019, 12, 30)],
        seals=SEALS if seals is None else seals,
        terms=load_terms(),
        party_names=NAMES,
    )


def sample_report() -> Report:
    return build(DEFINITION, CATALOGUE, PERIOD, "", ANSWERS, told())


def pdf_of(report: Report, language: Language, *besides: str) -> bytes:
    """Set in a font that was cut for this report, and for other texts ``besides``."""
    with font_for([*pdf.texts(report), *besides]) as font:
        return pdf.render(report, language, font)
