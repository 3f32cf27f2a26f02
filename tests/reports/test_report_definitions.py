"""Definitions as data: all that ship hold together, and what contradicts itself is refused with words."""

from datetime import date, time

import pytest
import yaml

from custody.calendar import SettlementCalendar
from custody.errors import SettingsError, UsageError
from custody.names import TxnType
from reports.catalogue import load_catalogue
from reports.definition import load_definition, load_definitions, read_definition
from reports.naming import ReportName, parse_name
from reports.periods import due_at, parse_period, periods_drafted_on, previous, year_before
from reports.terms import load_terms
from reports.xlsx import sheet_name
from schemas.tables import TABLES

CATALOGUE = load_catalogue()
CALENDAR = SettlementCalendar()
GOOD = {
    "id": "made_up", "version": 1, "scope": "bank", "period": "month", "addressees": ["bank"], "title": {"en": "Made up", "zh": "示例"},
    "audience": {"en": "Nobody", "zh": "无"}, "basis": {"en": "None", "zh": "无"},
    "tables": [{"id": "one", "title": {"en": "One", "zh": "一"}, "by": ["platform"], "figures": ["loan_balance"]}],
}  # fmt: skip


def read(**changes: object) -> object:
    return read_definition(yaml.safe_dump({**GOOD, **changes}), "made_up", CATALOGUE)


def test_a_new_report_needs_no_code() -> None:
    assert read()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"id": "Made-Up"}, "pattern"),
        ({"audience": {"en": "Nobody"}}, "zh"),
        ({"period": "week"}, "period"),
        ({"due": {"business_days": 0, "at": "17:00"}}, "business_days"),
        ({"due": {"business_days": 5, "at": "24:00"}}, "at"),
        ({"tables": []}, "tables"),
        ({"tables": [GOOD["tables"][0], GOOD["tables"][0]]}, "two tables"),  # type: ignore[index]
        ({"tables": [{**GOOD["tables"][0], "figures": ["happiness"]}]}, "happiness"),  # type: ignore[index]
        ({"tables": [{**GOOD["tables"][0], "by": ["colour"]}]}, "colour"),  # type: ignore[index]
        ({"tables": [{"id": "one", "title": {"en": "One", "zh": "一"}}]}, "either by and figures"),
        ({"tables": [{"id": "one", "title": {"en": "One", "zh": "一"}, "rows": "breaks", "columns": ["colour"]}]}, "colour"),
    ],
)
def test_what_contradicts_itself_is_refused(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        read(**wrong)


def test_an_unknown_report_is_named() -> None:
    with pytest.raises(SettingsError, match="custody_monthly"):
        load_definition("../custody_monthly")


def test_row_sets_name_tables_that_are_sealed() -> None:
    for row_set in CATALOGUE.row_sets.values():
        for name, use in row_set.tables.items():
            assert use.step is None or name in TABLES, (row_set.id, name)


def test_every_word_has_a_dimension_and_every_type_words() -> None:
    known = set(load_terms().dimensions) | {"party"}
    for row_set in CATALOGUE.row_sets.values():
        for column in row_set.columns:
            assert (column.type == "word") == (column.dimension is not None), (row_set.id, column.id)
            assert column.dimension is None or column.dimension in known, (row_set.id, column.id)
    assert set(load_terms().dimensions["txn_type"]) == set(TxnType)


def test_sheets_of_one_workbook_have_names_of_their_own() -> None:
    for definition in load_definitions().values():
        names = ["封面 Cover", "口径 Meaning", *(sheet_name(table) for table in definition.tables)]  # type: ignore[arg-type]
        assert len({name.lower() for name in names}) == len(names), definition.id
        assert not any(set("[]:*?/\\") & set(name) for name in names), definition.id


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [("2019-12-31", "2019-12-31", "2019-12-31"), ("2020-02", "2020-02-01", "2020-02-29"), ("2019-Q4", "2019-10-01", "2019-12-31"),
     ("2019", "2019-01-01", "2019-12-31")],
)  # fmt: skip
def test_periods(text: str, first: str, last: str) -> None:
    period = parse_period(text)
    assert (period.name, period.first.isoformat(), period.last.isoformat()) == (text, first, last)


@pytest.mark.parametrize("text", ["2019-13", "2019-02-30", "2019-Q5", "19", "2019-12 ", "２０１９"])
def test_no_periods(text: str) -> None:
    with pytest.raises(UsageError):
        parse_period(text)


def test_what_a_period_is_compared_with() -> None:
    assert [previous(parse_period(p)).name for p in ("2020-01", "2020-01-01", "2020-Q1", "2020")] == [
        "2019-12", "2019-12-31", "2019-Q4", "2019",
    ]  # fmt: skip
    assert [year_before(parse_period(p)).name for p in ("2020-02", "2020-02-29")] == ["2019-02", "2019-02-28"]


def test_due_and_drafted_by_the_bank_calendar() -> None:
    december = parse_period("2019-12")
    # New Year's Day is a holiday, 4 and 5 January a weekend.
    assert due_at(december, 5, time(17), CALENDAR).isoformat() == "2020-01-08T17:00:00+08:00"
    assert list(periods_drafted_on("month", 0, date(2019, 12, 31), CALENDAR)) == [december]
    assert list(periods_drafted_on("month", 0, date(2019, 12, 30), CALENDAR)) == []
    drafted = [d for n in range(1, 15) for d in periods_drafted_on("month", 5, date(2020, 1, n), CALENDAR)]
    assert drafted == [december]


@pytest.mark.parametrize(
    ("name", "ending"),
    [(ReportName("custody_monthly", "2019-12", "", 2), "_zh.pdf"), (ReportName("platform_daily", "2019-12-31", "P001", 1), ".xlsx"),
     (ReportName("fee_income", "2019-Q4", "", 1), "_seal.json"), (ReportName("yearly", "2019", "P001", 10), "_table_one.csv")],
)  # fmt: skip
def test_a_file_name_leads_back_to_its_report(name: ReportName, ending: str) -> None:
    assert parse_name(name.file(ending)) == name
    assert parse_name("P001_TXN_20191231_001_V1.csv") is None
