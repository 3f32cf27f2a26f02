"""What a platform must publish of each month, computed from the bank's own books (domain.md §9, Disclosure recomputation).

The figures and their meaning are those of the 2017 guidelines on the disclosure of P2P platforms' business (网络借贷信息中介机构业务活动信息
披露指引, 银监办发〔2017〕113号, art. 8 and its annex), the interest balance and the overdue ratios those of T/NIFA 1-2017. Where they leave
room, this is how they are read here:

- Every figure is of the end of the month's last custody date, over loans that were disbursed by then under the bank's custody.
- A balance is principal: what was lent less what the borrower repaid, whoever holds the claim; a compensation moves claims and leaves it.
- Persons are customers, not accounts: one who lends under two numbers is one lender.
- Overdue is what lenders were to get before that date and did not, principal and interest without penalty; what a guarantor paid them is not.
  An instalment due on the very last day is not overdue yet.
- Interest still to come is the schedule's as it runs; once a loan ended early, or a guarantor took it over, none is.
- A share is a fraction of four decimals, rounded half up; of nothing it is 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from custody.calendar import month_end
from custody.money import round_minor
from custody.payment_parts import Left

BASIS = "银监办发〔2017〕113号, art. 8; T/NIFA 1-2017"
# The duty: within the first five working days of the next month.
DUE_WITHIN_BUSINESS_DAYS = 5
_LARGEST = 10
_LONG_OVERDUE_DAYS = 90
_SHARE_UNIT = 10_000
AMOUNTS = ("lent_minor", "balance_minor", "interest_balance_minor", "related_balance_minor", "overdue_minor", "overdue_90_minor", "compensated_minor")  # fmt: skip
SHARES = ("ten_largest_share", "largest_share", "overdue_share", "overdue_loans_share")


# Every figure by the column of layout platform_disclosure, in words.
FIGURE_WORDS: dict[str, tuple[str, str]] = {
    "lent_minor": ("principal of all loans ever disbursed", "累计借贷金额"),
    "loans": ("number of loans ever disbursed", "累计借贷笔数"),
    "balance_minor": ("principal that borrowers still owe", "借贷余额"),
    "balance_loans": ("number of loans with a balance", "借贷余额笔数"),
    "interest_balance_minor": ("scheduled interest that lenders are still to get", "利息余额"),
    "lenders_ever": ("persons who ever held a claim as lenders", "累计出借人数量"),
    "lenders": ("lenders who hold a claim", "当期出借人数量"),
    "borrowers_ever": ("persons to whom a loan was ever disbursed", "累计借款人数量"),
    "borrowers": ("borrowers with a balance", "当期借款人数量"),
    "ten_largest_share": ("share of the balance that the ten largest borrowers owe", "前十大借款人待还金额占比"),
    "largest_share": ("share of the balance that the largest borrower owes", "最大单一借款人待还金额占比"),
    "related_balance_minor": ("balance of loans to related parties", "关联关系借款余额"),
    "related_loans": ("number of loans to related parties with a balance", "关联关系借款笔数"),
    "overdue_minor": ("due to lenders before the date and not paid", "逾期金额"),
    "overdue_loans": ("number of loans of which something is overdue", "逾期笔数"),
    "overdue_90_minor": ("overdue by more than 90 days", "逾期90天（不含）以上金额"),
    "overdue_90_loans": ("number of loans overdue by more than 90 days", "逾期90天（不含）以上笔数"),
    "compensated_minor": ("all that guarantors ever paid lenders", "累计代偿金额"),
    "compensations": ("number of payments by guarantors", "累计代偿笔数"),
    "overdue_share": ("overdue amount over the balance", "金额逾期率"),
    "overdue_loans_share": ("overdue loans over loans with a balance", "项目逾期率"),
}


@dataclass(frozen=True)
class DisclosedLoan:
    """A disbursed loan at the date. ``borrower``: his customer id; ``left``: what its lenders are still to get, None where our books
    cannot tell; ``compensated_minor``: what guarantors ever paid for it, in so many ``compensations``."""

    loan_id: str
    borrower: str
    lent_minor: int
    balance_minor: int
    left: Left | None
    compensated_minor: int = 0
    compensations: int = 0


@dataclass(frozen=True)
class Figure:
    """``value``: minor units, a number, or text of four decimals for a share; None where it cannot be told. ``loans``: those it is made
    of, or that keep it from being told; none of figures about lenders."""

    name: str
    value: int | str | None
    loans: tuple[str, ...] = ()


def month_before(day: date) -> date:
    """The last day of the month before the one of ``day``."""
    return month_end(day.replace(day=1) - timedelta(days=1))


def disclosed(
    loans: Sequence[DisclosedLoan], lenders_ever: int, lenders: int, related: Iterable[str], as_of: date
) -> dict[str, Figure]:
    """Every figure by its name (the column of layout platform_disclosure)."""
    owing = [loan for loan in loans if loan.balance_minor]
    related = frozenset(related)
    of_related = [loan for loan in owing if loan.borrower in related]
    by_borrower: Counter[str] = Counter()
    for loan in owing:
        by_borrower[loan.borrower] += loan.balance_minor
    largest = by_borrower.most_common()
    largest.sort(key=lambda one: (-one[1], one[0]))
    balance = sum(loan.balance_minor for loan in owing)
    compensated = [loan for loan in loans if loan.compensations]
    figures = [
        _sum("lent_minor", loans, [loan.lent_minor for loan in loans]),
        Figure("loans", len(loans), _ids(loans)),
        _sum("balance_minor", owing, [loan.balance_minor for loan in owing]),
        Figure("balance_loans", len(owing), _ids(owing)),
        Figure("lenders_ever", lenders_ever),
        Figure("lenders", lenders),
        Figure("borrowers_ever", len({loan.borrower for loan in loans}), _ids(loans)),
        Figure("borrowers", len(by_borrower), _ids(owing)),
        _share_of_largest("ten_largest_share", owing, largest[:_LARGEST], balance),
        _share_of_largest("largest_share", owing, largest[:1], balance),
        _sum("related_balance_minor", of_related, [loan.balance_minor for loan in of_related]),
        Figure("related_loans", len(of_related), _ids(of_related)),
        _sum("compensated_minor", compensated, [loan.compensated_minor for loan in compensated]),
        Figure("compensations", sum(loan.compensations for loan in compensated), _ids(compensated)),
        *_of_schedules(loans, balance, len(owing), as_of),
    ]
    return {figure.name: figure for figure in figures}


def _of_schedules(loans: Sequence[DisclosedLoan], balance: int, owing: int, as_of: date) -> list[Figure]:
    names = (
        "interest_balance_minor",
        "overdue_minor",
        "overdue_loans",
        "overdue_90_minor",
        "overdue_90_loans",
        "overdue_share",
        "overdue_loans_share",
    )
    unknown = tuple(loan.loan_id for loan in loans if loan.left is None)
    if unknown:
        return [Figure(name, None, unknown) for name in names]
    told = [(loan, loan.left) for loan in loans if loan.left is not None]
    paying = [loan for loan, left in told if left.interest_minor]
    overdue = {loan.loan_id: _overdue(left, as_of, 0) for loan, left in told}
    long = {loan.loan_id: _overdue(left, as_of, _LONG_OVERDUE_DAYS) for loan, left in told}
    late, very_late = (tuple(sorted(name for name, minor in some.items() if minor)) for some in (overdue, long))
    values: tuple[int | str, ...] = (
        sum(left.interest_minor for _, left in told),
        sum(overdue.values()),
        len(late),
        sum(long.values()),
        len(very_late),
        _share(sum(overdue.values()), balance),
        _share(len(late), owing),
    )
    behind = (_ids(paying), late, late, very_late, very_late, late, late)
    return [Figure(*one) for one in zip(names, values, behind, strict=True)]


def _overdue(left: Left, as_of: date, days: int) -> int:
    """Principal and interest that were due more than so many days before the date."""
    return sum(one.parts.principal_minor + one.parts.interest_minor for one in left.owed if (as_of - one.due).days > days)


def _sum(name: str, loans: Sequence[DisclosedLoan], values: Sequence[int]) -> Figure:
    return Figure(name, sum(values), _ids(loans))


def _share_of_largest(name: str, owing: Sequence[DisclosedLoan], largest: Sequence[tuple[str, int]], balance: int) -> Figure:
    who = {borrower for borrower, _ in largest}
    part = sum(minor for _, minor in largest)
    return Figure(name, _share(part, balance), _ids([loan for loan in owing if loan.borrower in who]))


def _share(part: int, whole: int) -> str:
    units = round_minor(Fraction(part * _SHARE_UNIT, whole), "half_up") if whole else 0
    return f"{units // _SHARE_UNIT}.{units % _SHARE_UNIT:04d}"


def _ids(loans: Iterable[DisclosedLoan]) -> tuple[str, ...]:
    return tuple(sorted(loan.loan_id for loan in loans))


def agrees(figure: Figure, published: Mapping[str, object]) -> bool | None:
    """Whether the platform's row says the same to the fen (None: ours cannot be told). A share is a number: 0.5 is 0.5000."""
    said = published[figure.name]
    if figure.value is None:
        return None
    if figure.name in SHARES:
        return Fraction(str(said)) == Fraction(str(figure.value))
    return said == figure.value
