"""Layouts as declared, and every field type's rule on good and bad cells."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from custody.calendar import CHINA
from custody.names import FileType
from custody.texts import RULES, text, to_do
from schemas.field_types import BadValue, Field, FieldType, Sign, Value
from schemas.layout import UnknownLayout, all_layouts, layouts_for, load_layout

INBOUND = [
    "CUSTOMER",
    "LOAN",
    "TXN",
    "CLAIM",
    "BALANCE",
    "SETTLEMENT",
    "INSTRUCTION",
    "MANDATE",
    "LEGAL_ORDER",
    "CONFIRMATION",
    "DISCLOSURE",
]
# What the bank sends, in the one encoding that it writes.
OUTBOUND = ["CHARGE", "FEE_NOTICE", "LARGE_VALUE", "STATEMENT", "SUSPICIOUS"]
OURS = sorted(layout.id for layout in all_layouts().values() if layout.is_plain)


def make(kind: FieldType, **other: Any) -> Field:
    return Field(**{"name": "f", "type": kind, "required": False, "title_en": "f", "title_zh": "字段"} | other)


def test_every_inbound_file_type_has_a_layout() -> None:
    sent = {load_layout(layout_id).file_type: load_layout(layout_id).sender for layout_id in OURS}
    assert {file_type for file_type, sender in sent.items() if sender != "bank"} == set(INBOUND)
    assert {file_type for file_type, sender in sent.items() if sender == "bank"} == set(OUTBOUND)
    for file_type in INBOUND:
        assert FileType(file_type)
        assert set(layouts_for(file_type)) & set(OURS)
    assert layouts_for("RECEIPT") == []


@pytest.mark.parametrize("layout_id", sorted(all_layouts()))
def test_a_layout_is_whole(layout_id: str) -> None:
    layout = load_layout(layout_id)
    assert layout.id == layout_id
    names = [f.name for f in layout.fields]
    assert len(set(names)) == len(names)
    if layout_id in OURS:
        assert layout.header == ",".join(names)
        assert set(layout.encodings) == ({"utf-8"} if layout.sender == "bank" else {"utf-8", "gb18030"})
    for name in layout.key:
        assert layout.field(name).required
    for name in layout.totals:
        assert (layout.field(name).type, layout.field(name).required) == ("amount", True)
    for field in layout.fields:
        assert field.title_en
        assert not field.title_zh.isascii()
        # A code without a pattern, or free text without a length, would let anything in.
        assert field.type != "code" or field.pattern
        assert field.type != "text" or field.max
        assert (field.type == "enum") == bool(field.codes)


def test_personal_data_is_marked() -> None:
    customer = load_layout("platform_customer/1")
    assert {f.name for f in customer.fields if f.personal} == {"id_type", "id_no", "name", "phone", "card_no"}


def test_an_unknown_layout_or_field_is_refused() -> None:
    with pytest.raises(UnknownLayout):
        load_layout("platform_txn/9")
    with pytest.raises(KeyError):
        load_layout("platform_txn/1").field("nope")


GOOD: list[tuple[Field, str, Value]] = [
    (make("code", pattern="[A-Z]{2}"), "AB", "AB"),
    (make("text", max="4"), "张三·丰", "张三·丰"),
    (make("enum", codes=("IN", "OUT")), "OUT", "OUT"),
    (make("integer", min="1", max="9"), "9", 9),
    (make("integer"), "-5", -5),
    (make("amount", min="0.01"), "0.01", 1),
    (make("amount"), "-12.3", -1230),
    (make("rate"), "0.0850", "0.085"),
    (make("rate"), "100", "100"),
    (make("rate"), "0", "0"),
    (make("date"), "2020-02-29", date(2020, 2, 29)),
    (make("time"), "2019-12-30T23:59:59", datetime(2019, 12, 30, 23, 59, 59, tzinfo=CHINA)),
    (make("identity"), "11010519491231002X", "11010519491231002X"),
    (make("identity"), "91350100M000100Y43", "91350100M000100Y43"),
    (make("phone"), "13812345678", "13812345678"),
    (make("card"), "4111111111111111", "4111111111111111"),
    (make("code"), "", None),
    (make("date", blank="00000000", form="yyyymmdd"), "00000000", None),
    (make("date", form="yyyymmdd"), "20200229", date(2020, 2, 29)),
    (make("time", form="yyyymmddhhmmss"), "20191230235959", datetime(2019, 12, 30, 23, 59, 59, tzinfo=CHINA)),
    (make("time", form="yyyy-mm-dd hh:mm:ss"), "2019-12-30 00:00:00", datetime(2019, 12, 30, tzinfo=CHINA)),
    (make("clock", form="hhmmss"), "235959", "23:59:59"),
    (make("clock", form="hhmmsstt"), "00000099", "00:00:00.99"),
    (make("amount", unit="fen"), "1230", 1230),
    (make("amount", unit="fen"), "-5", -5),
    (make("amount", decimals=5), "-0.01000", -1),
    (make("amount", decimals=5), "12.3", 1230),
    (make("amount", unit="fen", sign=Sign(None, "D", "C")), "C123", -123),
    (make("amount", sign=Sign(None, "D", "C")), "D1.23", 123),
    (make("amount", min="0.00", sign=Sign("mark", "D", "C")), "1.23", 123),
    (make("rate", decimals=5), "8500", "0.085"),
    (make("rate", decimals=5), "0", "0"),
    (make("reserved"), "anything", None),
]


@pytest.mark.parametrize(("field", "cell", "value"), GOOD)
def test_a_good_cell_is_read_and_written_back(field: Field, cell: str, value: Value) -> None:
    assert field.parse(cell) == value
    assert field.parse(field.format(value)) == value


def test_a_time_is_written_in_china_whatever_its_offset() -> None:
    utc = datetime(2019, 12, 30, 16, 0, tzinfo=CHINA).astimezone(tz=None)
    assert make("time").format(utc) == "2019-12-30T16:00:00"
    read = make("time").parse("2019-12-30T16:00:00")
    assert isinstance(read, datetime)
    assert read.utcoffset() == timedelta(hours=8)


BAD: list[tuple[Field, str, str]] = [
    (make("code", required=True), "", "required"),
    (make("code", pattern="[A-Z]{2}"), "ABC", "pattern"),
    (make("code", pattern="[A-Z]{2}"), "A\tB", "control_character"),
    (make("text", max="4"), "a\x00", "control_character"),
    (make("text", max="4"), "a\x7f", "control_character"),
    (make("text", max="4"), "a\u202eb", "control_character"),
    (make("text", max="4"), "\ufeffa", "control_character"),
    (make("text", max="4"), "abcde", "max_length"),
    (make("text", max="9"), "=1+1", "formula"),
    (make("text", max="9"), "+1", "formula"),
    (make("text", max="9"), "-1", "formula"),
    (make("text", max="9"), "@SUM", "formula"),
    (make("enum", codes=("IN", "OUT")), "in", "codes"),
    (make("integer"), "1.0", "integer"),
    (make("integer"), "01", "integer"),
    (make("integer"), "+1", "integer"),
    (make("integer"), "９", "integer"),
    (make("integer"), "9" * 19, "integer"),
    (make("integer", min="1"), "0", "min"),
    (make("integer", max="9"), "10", "max"),
    (make("amount"), "1,000.00", "amount"),
    (make("amount"), "1.001", "amount"),
    (make("amount", min="0.01"), "0.00", "min"),
    (make("amount", max="5.00"), "5.01", "max"),
    (make("rate"), "1e-3", "rate"),
    (make("rate"), "-0.1", "rate"),
    (make("rate"), ".1", "rate"),
    (make("rate", max="0.36"), "0.3600000001", "max"),
    (make("date"), "2019-02-29", "date"),
    (make("date"), "20190201", "date"),
    (make("date"), "2019-2-1", "date"),
    (make("date"), "1899-12-31", "date"),
    (make("time"), "0001-01-01T00:00:00", "time"),
    (make("time"), "2019-12-30 10:00:00", "time"),
    (make("time"), "2019-12-30T10:00:00Z", "time"),
    (make("time"), "2019-12-30T24:00:00", "time"),
    (make("time"), "2019-12-30T23:59:60", "time"),
    (make("identity"), "110105194912310021", "identity"),
    (make("phone"), "1381234567", "phone"),
    (make("card"), "4111111111111112", "card"),
    (make("date", required=True, blank="00000000", form="yyyymmdd"), "00000000", "required"),
    (make("date", form="yyyymmdd"), "20190229", "form"),
    (make("date", form="yyyymmdd"), "2019-02-28", "form"),
    (make("time", form="yyyymmddhhmmss"), "20191230240000", "form"),
    (make("clock", form="hhmmss"), "236000", "form"),
    (make("clock", form="hhmmsstt"), "235959", "form"),
    (make("amount", unit="fen"), "1.00", "amount_fen"),
    (make("amount", unit="fen"), "0100", "amount_fen"),
    (make("amount", unit="fen"), "９", "amount_fen"),
    (make("amount", unit="fen"), "9" * 18, "amount_fen"),
    (make("amount", decimals=5), "0.01500", "amount"),
    (make("amount", decimals=5), "0.010000", "amount"),
    (make("amount", unit="fen", sign=Sign(None, "D", "C")), "123", "sign_mark"),
    (make("amount", unit="fen", sign=Sign(None, "D", "C")), "C-123", "amount"),
    (make("amount", unit="fen", sign=Sign(None, "D", "C")), "C", "amount_fen"),
    (make("amount", min="0.05", sign=Sign(None, "D", "C")), "C0.04", "min"),
    (make("rate", decimals=5), "0.085", "rate_digits"),
    (make("reserved"), "a\x00b", "control_character"),
]

NO_YEAR = make("time", form="mmddhhmmss")


@pytest.mark.parametrize(
    ("cell", "file_date", "year"),
    [
        ("1231235959", date(2020, 1, 1), 2019),
        ("1231235959", date(2019, 12, 31), 2019),
        ("1130120000", date(2020, 1, 31), 2020),
        ("0101000000", date(2020, 1, 1), 2020),
        ("0229000000", date(2020, 3, 1), 2020),
    ],
)
def test_a_time_without_a_year_takes_the_files(cell: str, file_date: date, year: int) -> None:
    read = NO_YEAR.parse(cell, file_date)
    assert isinstance(read, datetime)
    assert read.year == year
    assert NO_YEAR.format(read, file_date) == cell


def test_a_leap_day_of_another_year_is_a_fault_and_is_not_written() -> None:
    with pytest.raises(BadValue) as caught:
        NO_YEAR.parse("0229000000", date(2019, 3, 1))
    assert caught.value.rule == "form"
    with pytest.raises(ValueError, match="without its year"):
        NO_YEAR.format(datetime(2018, 5, 1, tzinfo=CHINA), date(2019, 5, 1))


def test_a_rate_with_more_decimals_than_its_field_is_not_written() -> None:
    with pytest.raises(ValueError, match="5 decimals"):
        make("rate", decimals=5).format("0.0850001")


@pytest.mark.parametrize(("field", "cell", "rule"), BAD)
def test_a_bad_cell_names_the_rule_it_breaks(field: Field, cell: str, rule: str) -> None:
    with pytest.raises(BadValue) as caught:
        field.parse(cell)
    assert caught.value.rule == rule
    english, chinese = text(rule, caught.value.figures)
    assert english
    assert not chinese.isascii()


def test_every_rule_has_words_in_both_languages_with_the_same_figures() -> None:
    def figures(words: str) -> set[str]:
        # A figure that is itself in words has a name for each language.
        return {part.partition("}")[0].partition(":")[0].removesuffix("_en").removesuffix("_zh") for part in words.split("{")[1:]}

    for rule, (english, chinese) in RULES.items():
        assert figures(english) == figures(chinese), rule


def test_a_finding_shows_personal_data_masked() -> None:
    customers, movements = load_layout("platform_customer/1"), load_layout("platform_txn/1")
    assert customers.shown("13812345678") == "138******78"
    assert customers.shown("张三") == "**"
    assert movements.shown("x" * 200) == "x" * 80


def test_what_to_do_is_said_of_known_rules_in_both_languages() -> None:
    rules = ("columns", "bad_byte", "required", "check_direction", "summary", "record_alignment", "envelope_zip", "not_mapped")
    said = {to_do(rule) for rule in rules}
    assert len(said) == len(rules)
    assert to_do("unknown_layout") not in said
    for english, chinese in said:
        assert english
        assert not chinese.isascii()
