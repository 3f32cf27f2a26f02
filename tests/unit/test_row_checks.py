"""Checks of a row that a layout declares: each kind, where it applies, and what it says."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from layout_kit import declare, field

from schemas.layout_file import parse_file

DAY = date(2020, 1, 2)
FIELDS = (
    field("way", "enum", required=True, codes={
        "10": {"en": "in", "zh": "收", "direction": "IN"}, "20": {"en": "out", "zh": "付", "direction": "OUT"},
        "99": {"en": "either", "zh": "其他"},
    }),
    field("mark", "enum", required=True, codes=["C", "D"]),
    field("gross", "amount"), field("fee", "amount"), field("net", "amount"),
    field("made", "time"), field("settled", "date"), field("a"), field("b"),
)  # fmt: skip
PLAIN = {"way": "99", "mark": "D"}
NET: dict[str, Any] = {"sum": {"of": "net", "is": ["gross", "-fee"]}}
ORDER: dict[str, Any] = {"order": ["made", "settled", "custody_date"]}
DIRECTION: dict[str, Any] = {"direction": {"code": "way", "mark": "mark", "IN": "D", "OUT": "C"}}
IN_ONLY = {"when": {"way": ["10"]}}


@pytest.mark.parametrize(
    ("check", "cells", "rule"),
    [
        (NET, {"gross": "5.00", "fee": "1.00", "net": "4.00"}, None),
        (NET, {"gross": "5.00", "fee": "1.00", "net": "4.01"}, "check_sum"),
        (NET, {"gross": "5.00", "fee": "1.00"}, None),  # nothing is claimed
        (NET, {"net": "0.01"}, "check_sum"),
        (NET | IN_ONLY, {"gross": "5.00", "net": "4.01"}, None),
        (NET | IN_ONLY, {"way": "10", "gross": "5.00", "net": "4.01"}, "check_sum"),
        (NET | {"unless": {"way": ["99"]}}, {"gross": "5.00", "net": "4.01"}, None),
        (NET | {"unless": {"way": ["99"], "mark": ["C"]}}, {"gross": "5.00", "net": "4.01"}, "check_sum"),
        ({"order": ["fee", "gross"]}, {"fee": "1.00", "gross": "1.00"}, None),
        ({"order": ["fee", "gross"]}, {"fee": "1.01", "gross": "1.00"}, "check_order"),
        (ORDER, {"made": "2020-01-01T23:59:59", "settled": "2020-01-01"}, None),
        (ORDER, {"made": "2020-01-02T00:00:00", "settled": "2020-01-01"}, "check_order"),
        (ORDER, {"made": "2020-01-03T00:00:00"}, "check_order"),  # past the blank one, to the file's date
        (ORDER, {"settled": "2020-01-03"}, "check_order"),
        ({"recent": {"field": "made", "days": 31}}, {"made": "2019-12-02T00:00:00"}, None),
        ({"recent": {"field": "made", "days": 31}}, {"made": "2019-12-01T00:00:00"}, "check_recent"),
        ({"any_filled": ["a", "b"]}, {"b": "x"}, None),
        ({"any_filled": ["a", "b"]}, {}, "check_any_filled"),
        ({"one_filled": ["a", "b"]}, {"a": "x"}, None),
        ({"one_filled": ["a", "b"]}, {"a": "x", "b": "y"}, "check_one_filled"),
        ({"one_filled": ["a", "b"]}, {}, "check_one_filled"),
        ({"filled": ["a"]} | IN_ONLY, {"way": "10"}, "check_filled"),
        ({"filled": ["a"]} | IN_ONLY, {}, None),
        ({"empty": ["a"]} | IN_ONLY, {"way": "10", "a": "x"}, "check_empty"),
        (DIRECTION, {"way": "10", "mark": "D"}, None),
        (DIRECTION, {"way": "10", "mark": "C"}, "check_direction"),
        (DIRECTION, {"way": "20", "mark": "D"}, "check_direction"),
        (DIRECTION, {"way": "99", "mark": "C"}, None),
    ],
)
def test_a_check(tmp_path: Path, check: dict[str, Any], cells: dict[str, str], rule: str | None) -> None:
    layout = declare(tmp_path, *FIELDS, checks=[check], header=True)
    given = {f.name: "" for f in layout.fields} | PLAIN | cells
    data = f"{layout.header}\n{','.join(given.values())}\n".encode()
    parsed = parse_file(layout, "F", data, "utf-8", DAY)
    assert [f.rule for f in parsed.faults] == ([] if rule is None else [rule])
    assert len(parsed.rows) == (rule is None)
    for english, chinese in (f.words for f in parsed.faults):
        assert english
        assert not chinese.isascii()


def test_a_row_with_a_cell_that_cannot_be_read_is_not_checked(tmp_path: Path) -> None:
    layout = declare(tmp_path, *FIELDS, checks=[NET], header=True)
    data = f"{layout.header}\n99,D,x,1.00,7.00,,,,\n".encode()
    assert [f.rule for f in parse_file(layout, "F", data, "utf-8", DAY).faults] == ["amount"]


def test_an_own_mark_gives_the_sign_and_a_wrong_one_no_amount(tmp_path: Path) -> None:
    layout = declare(
        tmp_path, field("mark", "enum", required=True, codes=["C", "D", "X"]),
        field("amount", "amount", required=True, min="0.00", sign={"field": "mark", "plus": "D", "minus": "C"}),
        totals=["amount"],
    )  # fmt: skip
    parsed = parse_file(layout, "F", b"D,1.00\nC,2.50\nX,4.00\nC,-1.00\nQ,1.00\n", "utf-8", DAY)
    assert [row["amount_minor"] for row in parsed.rows] == [100, -250]
    assert [(f.line_no, f.field, f.rule) for f in parsed.faults] == [
        (3, "mark", "sign_mark"), (4, "amount", "amount"), (5, "mark", "codes"),
    ]  # fmt: skip
    assert (parsed.totals_minor, parsed.totals_complete) == ({"amount": -150}, False)


def test_a_file_whose_checks_need_its_date_is_not_read_without(tmp_path: Path) -> None:
    layout = declare(tmp_path, *FIELDS, checks=[ORDER])
    with pytest.raises(ValueError, match="without its custody date"):
        parse_file(layout, "F", b"", "utf-8", None)
