"""The figures that a platform publishes of a month, from a handful of loans, by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from custody.disclosure import FIGURE_WORDS, DisclosedLoan, agrees, disclosed, month_before
from custody.payment_parts import Left
from custody.repayment import Owed, Parts

END = date(2019, 12, 31)


def owed(due: date, principal: int, interest: int, penalty: int = 0) -> Owed:
    return Owed(1, due, Parts(interest_minor=interest, principal_minor=principal, penalty_minor=penalty))


# c1 has two loans; L3 is overdue since October and since the day before; what is due on the last day itself is not overdue.
LOANS = [
    DisclosedLoan("L1", "c1", 100_000, 60_000, Left((), 900)),
    DisclosedLoan("L2", "c1", 50_000, 10_000, Left((owed(END, 5_000, 50),), 100)),
    DisclosedLoan(
        "L3", "c2", 80_000, 80_000, Left((owed(date(2019, 9, 30), 1_000, 200, 77), owed(date(2019, 12, 30), 1_000, 190)), 2_000)
    ),
    DisclosedLoan("L4", "c3", 20_000, 0, Left((), 0), compensated_minor=20_350, compensations=2),
]


def values(loans: list[DisclosedLoan], related: tuple[str, ...] = ()) -> dict[str, object]:
    return {name: figure.value for name, figure in disclosed(loans, 40, 30, related, END).items()}


def test_every_figure_and_no_other() -> None:
    assert values(LOANS, ("c2", "c3")) == {
        "lent_minor": 250_000, "loans": 4, "balance_minor": 150_000, "balance_loans": 3, "interest_balance_minor": 3_000,
        "lenders_ever": 40, "lenders": 30, "borrowers_ever": 3, "borrowers": 2,
        "ten_largest_share": "1.0000", "largest_share": "0.5333", "related_balance_minor": 80_000, "related_loans": 1,
        "overdue_minor": 2_390, "overdue_loans": 1, "overdue_90_minor": 1_200, "overdue_90_loans": 1,
        "compensated_minor": 20_350, "compensations": 2, "overdue_share": "0.0159", "overdue_loans_share": "0.3333",
    }  # fmt: skip
    assert set(values(LOANS)) == set(FIGURE_WORDS)


def test_ninety_days_are_not_more_than_ninety() -> None:
    # 2 October is 90 days before the year's end, 1 October 91.
    for due, long in ((date(2019, 10, 2), 0), (date(2019, 10, 1), 1_200)):
        late = replace(LOANS[2], left=Left((owed(due, 1_000, 200),), 2_000))
        assert values([late])["overdue_90_minor"] == long


def test_the_ten_largest_are_borrowers_not_loans() -> None:
    loans = [DisclosedLoan(f"L{n}", f"c{n // 2}", 100, 100 + n, Left((), 0)) for n in range(24)]
    # Of twelve borrowers with two loans each the two smallest are left out: 201 and 205 of 2,676.
    assert values(loans)["ten_largest_share"] == "0.8483"
    assert disclosed(loans, 0, 0, (), END)["largest_share"].loans == ("L22", "L23")


def test_nothing_lent_is_nothing_and_no_division() -> None:
    found = values([])
    assert all(value in (0, 30, 40, "0.0000") for value in found.values())


def test_what_cannot_be_told_is_not_guessed() -> None:
    unknown = [*LOANS, replace(LOANS[0], loan_id="L9", left=None)]
    figures = disclosed(unknown, 40, 30, (), END)
    assert figures["overdue_minor"].value is None and figures["overdue_minor"].loans == ("L9",)
    assert figures["balance_minor"].value == 210_000
    assert agrees(figures["overdue_minor"], {"overdue_minor": 2_390}) is None


def test_a_share_is_a_number_and_an_amount_is_exact() -> None:
    figures = disclosed([LOANS[2]], 1, 1, (), END)
    assert agrees(figures["ten_largest_share"], {"ten_largest_share": "1"}) is True
    assert agrees(figures["ten_largest_share"], {"ten_largest_share": "0.9999"}) is False
    assert agrees(figures["balance_minor"], {"balance_minor": 80_001}) is False


def test_of_which_month() -> None:
    assert month_before(date(2020, 1, 1)) == month_before(date(2020, 1, 31)) == END
