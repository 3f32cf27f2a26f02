"""Figures of batches and what differs from the usual, against figures worked out by hand."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from custody.calendar import SettlementCalendar
from jobs.batch_statistics import AMOUNT, FEWEST_DAYS, FEWEST_ROWS, ROWS, Classes, Usual, against_usual, statistics
from schemas.expectations import BatchSuite, batch_suites

ON = date(2020, 1, 6)
TXN = BatchSuite("TXN", ("request_no", "leg"), "txn_type", "amount_minor", "event_time", ("loan_id",), (), ())


def _parts(rows: list[tuple[str, str, int, str, int, int, str | None]]) -> list[pa.RecordBatch]:
    names = ("party", "request_no", "leg", "txn_type", "amount_minor", "event_time", "loan_id")
    types = (pa.string(), pa.string(), pa.int64(), pa.string(), pa.int64(), pa.timestamp("us", tz="UTC"), pa.string())
    cells: dict[str, Any] = {name: [row[at] for row in rows] for at, name in enumerate(names)}
    cells["event_time"] = [datetime(2020, 1, 5, hour, tzinfo=UTC) for hour in cells["event_time"]]
    table = pa.table(cells, schema=pa.schema(list(zip(names, types, strict=True))))
    return table.append_column("custody_date", pa.array([ON] * len(rows), pa.date32())).to_batches(max_chunksize=2)


def _outcome(party: str, outcome: str = "LANDED", rejected: int = 0, landed_minor: int = 0) -> dict[str, Any]:
    return {
        "party": party, "file_type": "TXN", "custody_date": ON, "outcome": outcome, "rows_rejected": rejected,
        "landed_minor": landed_minor,
    }  # fmt: skip


def test_a_batch_by_hand() -> None:
    parts = _parts(
        [
            # 15:00 UTC on the 5th is 23:00 of the same day in China, 16:00 is the 6th.
            ("P001", "R1", 1, "RECHARGE", 1_000, 15, None),
            ("P001", "R1", 2, "RECHARGE", 2_500, 16, None),
            ("P001", "R2", 1, "REPAYMENT", 700, 17, "L1"),
            ("P001", "R2", 1, "REPAYMENT", 700, 18, None),
        ]
    )
    outcomes = [_outcome("P001", rejected=1, landed_minor=4_000), _outcome("P001", landed_minor=900), _outcome("P002")]
    outcomes += [_outcome("P003", "EXPECTED"), _outcome("P004", "REFUSED")]
    rows, classes = statistics([TXN], lambda _: parts, outcomes, SettlementCalendar().is_business_day)
    found, empty = rows
    assert {k: v for k, v in found.items() if not k.endswith("event")} == {
        "party": "P001", "file_type": "TXN", "custody_date": ON, "business_day": True, "files": 2, "rows": 4, "rejected_rows": 1,
        "rejected_bp": 2_000, "total_minor": 4_900, "amount_min_minor": 700, "amount_max_minor": 2_500, "keys": 3,
        "repeated_rows": 1, "repeated_bp": 2_500, "days_back": 1,
    }  # fmt: skip
    assert (found["first_event"], found["last_event"]) == (
        datetime(2020, 1, 5, 15, tzinfo=UTC),
        datetime(2020, 1, 5, 18, tzinfo=UTC),
    )
    assert classes == {
        ("P001", "TXN", ON): {
            "RECHARGE": {ROWS: 2, AMOUNT: 3_500, "absent:loan_id": 2},
            "REPAYMENT": {ROWS: 2, AMOUNT: 1_400, "absent:loan_id": 1},
        }
    }
    assert statistics([], lambda _: parts, outcomes, SettlementCalendar().is_business_day) == ([], {})
    # An empty file landed: a batch without rows. A file that is expected or was refused is none.
    assert (empty["party"], empty["rows"], empty["keys"], empty["rejected_bp"], empty["days_back"]) == ("P002", 0, 0, 0, None)


def _row(rows: int, before: int = 0) -> dict[str, Any]:
    return {"rows": rows, "rows_before": before, "custody_date": ON}


def _classes(**rows: tuple[int, int, int]) -> Classes:
    """name=(rows, amount, rows without loan_id)"""
    return {name: Counter({ROWS: n, AMOUNT: amount, "absent:loan_id": absent}) for name, (n, amount, absent) in rows.items()}


DAYS = [date(2019, 12, day) for day in range(25, 31)]
USUAL = Usual(
    dict(zip(DAYS, [100, 80, 200, 110, 90], strict=False)), _classes(RECHARGE=(300, 300_000, 300), REPAYMENT=(100, 50_000, 0))
)


def test_against_the_usual_by_hand() -> None:
    found = against_usual(_row(40), _classes(RECHARGE=(10, 10_000, 10), REPAYMENT=(30, 45_000, 6)), USUAL)
    assert found == {
        "history_days": 5, "usual_rows": 100, "low_rows": 80, "high_rows": 200,
        "low_bp": 5_000, "high_bp": 2_000,
        # 55,000 where 10 recharges come to 10,000 and 30 repayments to 15,000
        "amount_bp": 22_000,
        # 25 % recharges instead of 75 %
        "mix_bp": 5_000,
        # 6 of 40 rows lack the loan that repayments have
        "absent_bp": 1_500, "absent_column": "loan_id",
    }  # fmt: skip


def test_what_an_earlier_day_landed_for_the_same_date_counts_too() -> None:
    """A second batch that comes a day late is small by itself; the first one's day is no history for it."""
    usual = Usual(USUAL.rows | {ON: 76}, USUAL.classes)
    found = against_usual(_row(4, before=76), _classes(RECHARGE=(4, 4_000, 4)), usual)
    assert (found["low_bp"], found["high_bp"], found["history_days"]) == (10_000, 4_000, 5)


def test_a_value_where_there_is_usually_none_is_a_difference_too() -> None:
    found = against_usual(_row(20), _classes(RECHARGE=(20, 20_000, 15)), USUAL)
    assert (found["absent_bp"], found["absent_column"]) == (2_500, "loan_id")


def test_a_new_class_is_compared_with_nothing_but_the_mix() -> None:
    found = against_usual(_row(40), _classes(RECHARGE=(20, 20_000, 20), GIFT=(20, 10**9, 0)), USUAL)
    assert (found["amount_bp"], found["absent_bp"], found["mix_bp"]) == (10_000, 0, 5_000)


def test_nothing_is_said_without_history_or_rows() -> None:
    compared = ("usual_rows", "low_bp", "high_bp", "amount_bp", "mix_bp", "absent_bp")
    short = Usual(dict(list(USUAL.rows.items())[: FEWEST_DAYS - 1]), USUAL.classes)
    found = against_usual(_row(40), _classes(RECHARGE=(40, 40_000, 0)), short)
    assert found["history_days"] == FEWEST_DAYS - 1 and not any(found[name] is not None for name in compared)
    few = against_usual(_row(FEWEST_ROWS - 1), _classes(RECHARGE=(FEWEST_ROWS - 1, 0, 0)), USUAL)
    assert (few["low_bp"], few["amount_bp"], few["mix_bp"], few["absent_bp"]) == (2_375, None, None, None)
    small = Usual(USUAL.rows | {DAYS[5]: FEWEST_ROWS - 1}, USUAL.classes)
    assert against_usual(_row(0), {}, small)["low_bp"] is None
    assert against_usual(_row(0), {}, USUAL)["low_bp"] == 0


def test_every_file_type_that_lands_has_a_suite() -> None:
    from schemas.tables import TABLES

    assert {suite.table for suite in batch_suites()} == {name for name in TABLES if name.startswith("land_")}
