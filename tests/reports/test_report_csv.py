"""The tidy CSV, literally; and its dictionary."""

import csv
import io
from dataclasses import replace

import pytest
from sample_figures import CATALOGUE, DEFINITION, sample_report

from reports.catalogue import Words
from reports.csv_file import DICTIONARY_HEADER, render_dictionary, render_figures, render_rows, safe_text
from reports.definition import load_definition
from reports.model import Amount, Column, Share, Table, Text

GOLDEN = """\
2019-12,,platforms,P002,,suspense,Custody balance: SUSPENSE,存管余额：挂账,CNY,-0.01
2019-12,,platforms,*,,borrowers,Borrowers,借款人数,count,7
2019-12,,by_type,,RECHARGE,type_volume,Amount,金额,CNY,1234568.09
2019-12,,by_platform_and_type,P002,REPAYMENT,type_count,Count,笔数,count,1
"""


def figures() -> str:
    data = render_figures(sample_report(), DEFINITION)
    assert data is not None and data.startswith(b"\xef\xbb\xbf")
    return data.decode("utf-8-sig")


def test_the_figures_are_these_lines() -> None:
    lines = figures().splitlines()
    assert lines[0] == "period,party,table,platform,txn_type,figure_id,name_en,name_zh,unit,value"
    # A suspense below nought cannot be, and is shown as it is when it is: a negative number is no formula.
    assert set(GOLDEN.splitlines()) <= set(lines)


def test_one_row_for_each_figure() -> None:
    rows = list(csv.DictReader(io.StringIO(figures())))
    keys = [(row["table"], row["platform"], row["txn_type"], row["figure_id"]) for row in rows]
    assert len(set(keys)) == len(keys) == sum(len(table.places) for table in sample_report().tables)


def test_a_report_without_figures_has_no_such_file() -> None:
    bare = tuple(replace(table, places=()) for table in sample_report().tables)
    assert render_figures(replace(sample_report(), tables=bare), DEFINITION) is None


def test_rows_are_a_file_of_their_own() -> None:
    columns = tuple(Column(name, Words(en=name, zh=name), 9) for name in ("subject", "amount_minor", "share"))
    rows = ((Text("=1+1"), Amount(-5), Share(-50)), (Text("Loan", "借款"), Amount(123), Share(12)))
    found = render_rows(sample_report(), Table("x", Words(en="x", zh="x"), None, columns, rows)).decode("utf-8-sig")
    assert found == "subject,amount_minor,share\n'=1+1,-0.05,-0.50\n借款 Loan,1.23,0.12\n"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1+1", "＠x"])
def test_formula_starts(text: str) -> None:
    assert safe_text(text) == "'" + text


@pytest.mark.parametrize("text", ["", "P001", "稳健贷", "a=b", "1-2"])
def test_other_text_is_left_alone(text: str) -> None:
    assert safe_text(text) == text


def test_the_dictionary_explains_every_column_of_the_file() -> None:
    data = render_dictionary(DEFINITION, CATALOGUE)
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(data.decode("utf-8-sig")))}
    named = {place.figure.id for table in sample_report().tables for place in table.places}
    assert named | {"platform", "txn_type"} == set(rows)
    assert all(row[column] for row in rows.values() for column in DICTIONARY_HEADER)


def test_what_two_tables_call_alike_and_mean_differently_is_explained_twice() -> None:
    data = render_dictionary(load_definition("judicial_holds"), CATALOGUE)
    rows = [row for row in csv.DictReader(io.StringIO(data.decode("utf-8-sig"))) if row["id"] == "amount_minor"]
    assert [(row["tables"], row["name_en"]) for row in rows] == [("holds", "Held"), ("orders", "Ordered")]
