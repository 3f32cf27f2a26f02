"""Evidence side by side: columns in order of side, and exactly the fields that differ are marked."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from custody.case_evidence import side_by_side, told_by

A = {
    "side": "A",
    "row_ref": "P001_TXN_20191230_01_v1.csv:7",
    "store_key": None,
    "amount_minor": 100,
    "status": "SUCCESS",
    "loan_id": None,
}
B = {**A, "side": "B", "row_ref": "GW_INSTRUCTION_20191230_01_v1.csv:9", "store_key": "txn/0a|P001/R1|000001"}


def differing(*rows: dict[str, Any]) -> list[str]:
    return [line.field for line in side_by_side(rows).lines if line.differs]


def test_sides_stand_in_their_order_and_what_nobody_says_is_left_out() -> None:
    sheet = side_by_side([B, A])
    assert [(c.side, c.row_ref, c.store_key) for c in sheet.columns] == [
        ("A", A["row_ref"], None),
        ("B", B["row_ref"], "txn/0a|P001/R1|000001"),
    ]
    assert [(line.field, line.cells, line.differs) for line in sheet.lines] == [
        ("amount_minor", (100, 100), False),
        ("status", ("SUCCESS", "SUCCESS"), False),
    ]


def test_what_differs_is_marked_and_a_blank_differs_from_a_value() -> None:
    assert differing(A, {**B, "amount_minor": 101, "loan_id": "L1"}) == ["amount_minor", "loan_id"]


def test_rows_of_one_side_are_compared_by_their_sum() -> None:
    assert differing({**A, "amount_minor": 60}, {**A, "amount_minor": 40}, B) == []
    assert differing(A, A, B) == ["amount_minor"]


def test_one_side_alone_and_figures_of_nobody_differ_from_nothing() -> None:
    assert differing(A) == []
    assert differing({"side": "-", "core": 5, "ledger": 6}) == []
    assert [c.side for c in side_by_side([{"core": 5}]).columns] == ["-"]


def test_many_rows_are_read_below_each_other_and_figures_apart() -> None:
    rows = [{**A, "holder": f"H{n}"} for n in range(3)] + [{**B, "holder": f"H{n}", "amount_minor": 101} for n in range(3)]
    sheet = side_by_side(rows)
    assert not sheet.is_long
    sheet = side_by_side([*rows, {"side": "-", "due_minor": 7}])
    assert sheet.is_long
    fields, below = sheet.below_each_other()
    assert [(line.field, line.differs) for line in fields] == [("amount_minor", True), ("holder", False), ("status", False)]
    assert [(column.side, cells) for column, cells in below] == [
        *(("A", (100, f"H{n}", "SUCCESS")) for n in range(3)),
        *(("B", (101, f"H{n}", "SUCCESS")) for n in range(3)),
    ]
    assert [(line.field, value) for line, value in sheet.figures()] == [("due_minor", 7)]


_ROWS = st.fixed_dictionaries(
    {"side": st.sampled_from("ABC"), "amount_minor": st.integers(-3, 3), "status": st.sampled_from([None, "SUCCESS", "FAIL"])}
)


@given(st.lists(_ROWS, max_size=6))
def test_a_field_is_marked_when_and_only_when_two_sides_say_otherwise(rows: list[dict[str, Any]]) -> None:
    sheet = side_by_side(rows)
    assert all(len(line.cells) == len(rows) for line in sheet.lines)
    for line in sheet.lines:
        # The core and the channels are silent about much that the ledger knows: that is no difference.
        said = [value for side, value in told_by(rows, line.field).items() if (side, value) != ("C", None)]
        assert line.differs == any(one != other for one in said for other in said)
