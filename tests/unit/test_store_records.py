"""Packed records: today's version is written, every version is read; keys fit every store."""

from datetime import UTC, date, datetime

import pytest

from custody.errors import StopRun
from schemas.store_keys import (
    CLAIM_BY_HOLDER,
    JOURNAL,
    LEDGER_TABLES,
    TXN_BY_LOAN,
    date_of_row,
    journal_key,
    on_date,
    pack,
    rows_of,
    txn_by_loan_key,
    txn_key,
)
from schemas.store_records import RECORDS
from schemas.tables import TABLES

# A journal row as the program wrote it before records had specifications.
_JOURNAL_1 = (
    b'\x01\x9b\xcf\x00G\xc3\xe2\xc0"\xfc\x07\x01\xa9available\xd1\xcf\xc7\xa3CNY\xa9REPAYMENT\xa2R1\x01\xc0\xaa2020-01-02'
    b"\xb92020-01-02T02:00:00+00:00"
)
_READ_1 = {
    "entry_no": 20200102 * 10**9 + 7,
    "move_no": 1,
    "part": "available",
    "amount_minor": -12345,
    "currency": "CNY",
    "txn_type": "REPAYMENT",
    "request_no": "R1",
    "leg": 1,
    "loan_id": None,
    "value_date": date(2020, 1, 2),
    "event_time": datetime(2020, 1, 2, 2, tzinfo=UTC),
    "counterparty": None,
    "balance_minor": None,
}


def test_a_journal_row_of_version_1_is_read_for_ever() -> None:
    assert RECORDS[JOURNAL].unpack({b"p": _JOURNAL_1}) == _READ_1


def test_a_record_of_a_newer_program_is_refused() -> None:
    with pytest.raises(StopRun, match="version 9"):
        RECORDS[JOURNAL].unpack(pack(9, [1]))


@pytest.mark.parametrize("table", LEDGER_TABLES)
def test_what_is_packed_is_read_with_its_types_and_its_nulls(table: str) -> None:
    spec = RECORDS[table]
    samples = {"text": "户", "int": -(2**62), "bool": True, "date": date(1969, 12, 31), "bytes": b"\x00\xff"}
    samples["time"] = datetime(2020, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC)
    full = {name: samples[spec.types[name]] for name in spec.fields}
    assert spec.unpack(spec.pack(full)) == full
    assert spec.pack(full)[b"p"][0] == spec.version
    empty: dict[str, object] = dict.fromkeys(spec.fields)
    assert spec.unpack(spec.pack(empty)) == empty


@pytest.mark.parametrize(
    ("table", "lake_table"), [("txn", "ledger_txn"), ("loan", "loans"), ("claim", "claims"), ("hold", "holds")]
)
def test_a_row_of_the_lake_is_packed_whole(table: str, lake_table: str) -> None:
    assert sorted(RECORDS[table].fields) == sorted(TABLES[lake_table].names)


def test_the_longest_keys_fit_the_stores() -> None:
    # As long as the layouts admit: platform 10, user number 40, request, loan and claim 50 characters.
    holder = f"{'P' * 10}.GUARANTOR.{'u' * 40}"
    number, on = "R" * 50, date(9999, 12, 31)
    keys = [
        journal_key(holder, on, 99991231 * 10**9 + 10**9 - 1, 999, "available"),
        txn_key("P" * 10, number, 999_999, 99991231 * 10**9 + 10**9 - 1),
        on_date(holder, number, number, on=on),
        on_date("c" * 64, holder, on=on),
    ]
    assert max(map(len, keys)) <= 200 < 511


def test_the_date_is_found_in_a_key_and_rows_of_one_owner_lie_between_his_bounds() -> None:
    on, number = date(2020, 1, 2), 20200102 * 10**9 + 7
    assert date_of_row(JOURNAL, journal_key("P001.LENDER.u1", on, number, 1, "frozen")) == on
    assert date_of_row(TXN_BY_LOAN, txn_by_loan_key("P001", "L1", number)) == on
    key = on_date("P001.LENDER.u1", "L1", "C1", on=on)
    assert date_of_row(CLAIM_BY_HOLDER, key) == on
    start, stop = rows_of("P001.LENDER.u1", "L1")
    assert start < key < stop
    assert not start <= on_date("P001.LENDER.u1", "L10", "C1", on=on) < stop
