"""The report's content: sorted, complete, compared, tied to its inputs; and what is refused."""

from dataclasses import replace

import pytest
from sample_figures import ANSWERS, CATALOGUE, DEFINITION, PERIOD, SEALS, sample_report, told

from custody.errors import UsageError
from reports.build import Answer, build
from reports.model import Amount, Count, Day, Nothing, Share, Table, Text


def table(name: str) -> Table:
    return next(table for table in sample_report().tables if table.id == name)


def test_the_order_of_inputs_does_not_matter() -> None:
    turned = {name: replace(a, figures=dict(reversed(list(a.figures.items())))) for name, a in ANSWERS.items()}
    assert build(DEFINITION, CATALOGUE, PERIOD, "", turned, told(SEALS[::-1])) == sample_report()
    assert [seal["custody_date"] for seal in sample_report().seals] == ["2019-12-30", "2019-12-31"]


def test_the_cover_says_what_it_covers() -> None:
    cover = {label.en: value.en for label, value in sample_report().cover}
    assert cover["Days covered by the inputs"] == "2 / 31 (2019-12-30 … 2019-12-31)"
    assert cover["Custodian bank"] == "示例银行 Example Bank"
    assert cover["Definition and version"] == f"custody_monthly v{DEFINITION.version}"
    assert sample_report().inputs.rows[0] == (Day(told().days_covered[1]), Text("post"), Count(2), Text("a" * 64))


def test_rows_come_in_the_order_of_their_terms() -> None:
    assert [(row[0], row[1], row[2]) for row in table("by_type").rows] == [
        (Text("Recharge", "充值"), Count(4), Amount(123_456_809)),
        (Text("Repayment", "还款"), Count(1), Amount(10)),
    ]
    assert [row[0] for row in table("platforms").rows] == [Text("P001 =1+1", "P001 =1+1"), Text("P002 Steady", "P002 稳健贷")]


def test_what_does_not_add_up_has_a_total_of_its_own() -> None:
    found = table("platforms")
    assert found.total is not None
    totals = dict(zip((column.id for column in found.columns), found.total, strict=True))
    kinds = {column.id: column.total for column in found.columns}
    assert (kinds["volume"], totals["volume"]) == ("sum", Amount(123_456_819))
    # Seven and one, of whom one is the same person.
    assert (kinds["borrowers"], totals["borrowers"]) == ("own", Count(7))


def test_each_figure_stands_beside_the_one_of_the_period_before() -> None:
    rows = {row[0]: row[1:6] for row in table("summary").rows}
    assert rows[Text("Transaction volume", "交易金额")] == (
        Amount(123_456_819),
        Amount(100_000_000),
        Share(2346),
        Nothing(),
        Nothing(),
    )
    # Of nothing there is no share.
    assert rows[Text("Loan balance", "借贷余额")][1:3] == (Amount(0), Nothing())
    assert rows[Text("Lenders", "出借人数")][1:] == (Nothing(), Nothing(), Nothing(), Nothing())


def test_every_figure_has_its_place() -> None:
    for found in sample_report().tables:
        for place in found.places:
            cells = found.rows[place.row] if place.row is not None else found.total
            assert cells is not None
            assert cells[place.column] in (Amount(place.value or 0), Count(place.value or 0))


def test_what_makes_no_report() -> None:
    with pytest.raises(UsageError, match="no sealed inputs"):
        build(DEFINITION, CATALOGUE, PERIOD, "", ANSWERS, told([]))
    with pytest.raises(UsageError, match="no answer for by_type"):
        build(DEFINITION, CATALOGUE, PERIOD, "", {name: a for name, a in ANSWERS.items() if name != "by_type"}, told())


def test_a_report_of_nothing_is_a_report() -> None:
    empty = build(DEFINITION, CATALOGUE, PERIOD, "", {name: Answer() for name in ANSWERS}, told())
    assert [len(found.rows) for found in empty.tables] == [len(DEFINITION.table("summary").figures), 0, 0, 0]
