"""The tidy CSV, literally; and its dictionary."""

import csv
import io
from dataclasses import replace

import pytest
from sample_figures import DEFINITION, SEALS, SECOND, sample_report

from reports.csv_file import DICTIONARY_HEADER, render_dictionary, render_figures, safe_text
from reports.custody_monthly import build

GOLDEN = """\
period,platform,figure_id,name_en,name_zh,unit,value
2019-12,P002,volume,Transaction volume,交易金额,CNY,0.30
2019-12,P002,count,Transactions,交易笔数,count,2
2019-12,P002,loan_balance,Loan balance,借贷余额,CNY,0.30
2019-12,P002,custody_customers,Custody balance: customers,存管余额：客户,CNY,0.40
2019-12,P002,p_income,Custody balance: P_INCOME,存管余额：平台收入,CNY,0.00
2019-12,P002,p_marketing,Custody balance: P_MARKETING,存管余额：平台营销,CNY,0.00
2019-12,P002,p_compensation,Custody balance: P_COMPENSATION,存管余额：平台代偿（仅清退）,CNY,0.00
2019-12,P002,p_advance,Custody balance: P_ADVANCE,存管余额：平台垫付,CNY,0.00
2019-12,P002,suspense,Custody balance: SUSPENSE,存管余额：挂账,CNY,-0.01
2019-12,P002,borrowers,Borrowers,借款人数,count,1
2019-12,P002,lenders,Lenders,出借人数,count,2
2019-12,P002,accounts_opened,Sub-accounts opened,开立子账户数,count,0
2019-12,P002,accounts_closed,Sub-accounts closed,销户数,count,0
2019-12,P002,open_breaks,Open breaks,未决差错,count,0
2019-12,P002,volume.RECHARGE,Volume: Recharge,金额：充值,CNY,0.20
2019-12,P002,count.RECHARGE,Count: Recharge,笔数：充值,count,1
2019-12,P002,volume.REPAYMENT,Volume: Repayment,金额：还款,CNY,0.10
2019-12,P002,count.REPAYMENT,Count: Repayment,笔数：还款,count,1
"""


def test_the_figures_are_these_bytes() -> None:
    # A suspense below nought cannot be, and is shown as it is when it is: a negative number is no formula.
    report = build(DEFINITION, "2019-12", [replace(SECOND, suspense_minor=-1)], SEALS, "Example Bank")
    assert render_figures(report) == b"\xef\xbb\xbf" + GOLDEN.encode()


def test_one_row_for_each_platform_and_figure() -> None:
    rows = list(csv.DictReader(io.StringIO(render_figures(sample_report()).decode("utf-8-sig"))))
    keys = [(row["platform"], row["figure_id"]) for row in rows]
    assert len(set(keys)) == len(keys) == 2 * (len(DEFINITION.figures) + 2 * 3)
    assert {row["value"] for row in rows if row["platform"] == "P001" and row["figure_id"] == "loan_balance"} == {
        "9007199254740.01"
    }


def test_a_platform_that_is_a_formula_stays_text() -> None:
    report = build(DEFINITION, "2019-12", [replace(SECOND, platform="=1+1")], SEALS, "Example Bank")
    rows = list(csv.DictReader(io.StringIO(render_figures(report).decode("utf-8-sig"))))
    assert {row["platform"] for row in rows} == {"'=1+1"}


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1+1", "＠x"])
def test_formula_starts(text: str) -> None:
    assert safe_text(text) == "'" + text


@pytest.mark.parametrize("text", ["", "P001", "稳健贷", "a=b", "1-2"])
def test_other_text_is_left_alone(text: str) -> None:
    assert safe_text(text) == text


def test_the_dictionary_explains_every_figure_of_the_file() -> None:
    data = render_dictionary(DEFINITION)
    assert data.startswith(b"\xef\xbb\xbffigure_id,unit,")
    rows = {row["figure_id"]: row for row in csv.DictReader(io.StringIO(data.decode("utf-8-sig")))}
    assert {fact.figure_id for fact in sample_report().facts} <= set(rows)
    assert all(row[column] for row in rows.values() for column in DICTIONARY_HEADER)
    assert rows["volume.TENDER_FREEZE"]["meaning_en"] == "TENDER_FREEZE alone; does not count as volume"
    assert rows["volume.REPAYMENT"]["meaning_zh"] == "仅 REPAYMENT；计入交易规模"
