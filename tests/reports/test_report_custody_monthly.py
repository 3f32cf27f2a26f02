"""The report's content: sorted, complete, tied to its inputs; and what is refused."""

from dataclasses import fields, replace
from datetime import date
from typing import Any

import pytest
from sample_figures import DEFINITION, FIRST, SEALS, SECOND, sample_report

from custody.errors import SettingsError, UsageError
from custody.names import TxnType
from reports.custody_monthly import build, file_names
from reports.definition import load_definition
from reports.figures import PlatformFigures, TypeVolume
from reports.model import Amount, Count, Text


def test_the_order_of_inputs_does_not_matter() -> None:
    other = build(DEFINITION, "2019-12", [FIRST, SECOND], SEALS[::-1], "示例银行 Example Bank")
    assert other == sample_report()
    assert [seal["custody_date"] for seal in other.seals] == ["2019-12-30", "2019-12-31"]


def test_the_cover_says_what_it_covers() -> None:
    report = sample_report()
    assert report.as_of == date(2019, 12, 31)
    cover = {left.text: right.text for left, right in (line for line in report.sheets[0].preface if len(line) == 2)}  # type: ignore[union-attr]
    assert cover["Days covered by the inputs / 覆盖天数"] == "2 / 31 (2019-12-30 … 2019-12-31)"
    assert cover["Custodian bank / 存管银行"] == "示例银行 Example Bank"
    assert report.sheets[0].rows[0] == (Text("2019-12-30"), Text("post"), Count(2), Text("a" * 64))


def test_volume_counts_only_the_types_that_the_definition_marks() -> None:
    facts = {(fact.platform, fact.figure_id): fact.value for fact in sample_report().facts}
    assert facts["P001", "volume"] == 123_456_789  # without the freeze
    assert facts["P001", "count"] == 3
    assert facts["P001", "volume.TENDER_FREEZE"] == 50_000
    assert facts["P001", "volume.REPAYMENT"] == 0  # occurs at P002: shown for all
    assert ("P001", "volume.WITHDRAW") not in facts  # occurs nowhere


def test_by_type_adds_up_the_platforms() -> None:
    (by_type,) = [sheet for sheet in sample_report().sheets if sheet.chart is not None]
    assert [(row[1], row[3], row[4]) for row in by_type.rows] == [
        (Text("RECHARGE"), Count(4), Amount(123_456_809)),
        (Text("TENDER_FREEZE"), Count(2), Amount(50_000)),
        (Text("REPAYMENT"), Count(1), Amount(10)),
    ]


def test_every_figure_is_defined_and_every_definition_has_a_figure() -> None:
    computed = {field.name.removesuffix("_minor") for field in fields(PlatformFigures)} - {
        "platform",
        "name",
        "currency",
        "volumes",
    }
    assert {figure.id for figure in DEFINITION.figures} == computed | {"volume", "count"}
    assert set(DEFINITION.transaction_types) == set(TxnType)
    assert [len(sheet.columns) for sheet in sample_report().sheets for _ in sheet.rows] == [
        len(row) for sheet in sample_report().sheets for row in sheet.rows
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"period": "2019-13"},
        {"period": "2019-12-31"},
        {"platforms": []},
        {"platforms": [FIRST, FIRST]},
        {"platforms": [FIRST, replace(SECOND, currency="USD")]},
        {"platforms": [replace(FIRST, volumes=(TypeVolume("RECHRAGE", 1, 1),))]},
        {"platforms": [replace(FIRST, volumes=(TypeVolume("RECHARGE", 1, 1), TypeVolume("RECHARGE", 1, 1)))]},
        {"seals": []},
    ],
)
def test_what_makes_no_report(wrong: dict[str, Any]) -> None:
    good: dict[str, Any] = {"period": "2019-12", "platforms": [FIRST], "seals": SEALS}
    with pytest.raises(UsageError):
        build(DEFINITION, bank_name="Example Bank", **{**good, **wrong})


def test_an_unknown_report_is_named() -> None:
    with pytest.raises(SettingsError, match="custody_monthly"):
        load_definition("../custody_monthly")


def test_file_names() -> None:
    assert file_names(sample_report()) == {
        "xlsx": "custody_monthly_2019-12_v1.xlsx",
        "csv": "custody_monthly_2019-12_v1.csv",
        "dictionary": "custody_monthly_2019-12_v1_dictionary.csv",
        "seal": "custody_monthly_2019-12_v1_seal.json",
    }
