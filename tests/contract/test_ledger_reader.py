"""What the keyed store answers about one owner (custody.ports.LedgerReader), and that nobody reads beyond the watermark."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from connectors.ledger_reader import StoreLedgerReader
from custody.errors import UsageError
from custody.ports import KeyedStore, Row
from schemas.store_keys import (
    ACCOUNT_OF_CUSTOMER,
    BALANCE,
    CLAIM,
    CLAIM_BY_HOLDER,
    HOLD,
    JOURNAL,
    LOAN,
    SUB_ACCOUNT,
    TXN,
    TXN_BY_LOAN,
    WATERMARK,
    WATERMARK_KEY,
    journal_key,
    of_platform,
    on_date,
    txn_by_loan_key,
    txn_key,
)
from schemas.store_records import RECORDS

D1 = date(2019, 12, 30)
D2, D3 = D1 + timedelta(days=1), D1 + timedelta(days=2)
L1 = "P001.LENDER.u1"
# Another owner whose name begins alike.
L10 = "P001.LENDER.u10"
NOON = datetime(2019, 12, 30, 4, 0, 0, 7, tzinfo=UTC)


def blank(table: str, **said: Any) -> Row:
    """A row of today's version of a record: nothing but what is said."""
    spec = RECORDS[table]
    nothing: dict[str, Any] = {"int": 0, "date": D1, "time": NOON}
    return {name: nothing.get(spec.types[name], "") for name in spec.fields} | said


def put(store: KeyedStore, table: str, key: bytes, **said: Any) -> None:
    store.put_many(table, [(key, RECORDS[table].pack(blank(table, **said)))])


def mark(store: KeyedStore, on: date) -> None:
    store.put_many(WATERMARK, [(WATERMARK_KEY, {b"date": on.isoformat().encode()})])


def no(on: date, sequence: int) -> int:
    return int(f"{on:%Y%m%d}") * 10**9 + sequence


@pytest.fixture
def reader(store: KeyedStore) -> StoreLedgerReader:
    """Three days of everything, of which the third is being written: the watermark stands at the second."""
    for on, minor in ((D1, 100), (D2, 250), (D3, 9)):
        put(store, SUB_ACCOUNT, on_date(L1, on=on), platform="P001", available_minor=minor)
        put(store, BALANCE, on_date(L1, on=on), available_minor=minor, frozen_minor=minor // 10)
        put(store, LOAN, on_date(of_platform("P001", "L"), on=on), loan_id="L", funded_minor=minor)
        put(store, CLAIM, on_date(of_platform("P001", "L"), "c1", on=on), claim_id="c1", principal_minor=minor)
        put(store, CLAIM_BY_HOLDER, on_date(L1, "L", "c1", on=on), claim_id="c1", principal_minor=minor)
        for part, seq in (("available", 1), ("frozen", 2)):
            put(store, JOURNAL, journal_key(L1, on, no(on, seq), 1, part), entry_no=no(on, seq), part=part, amount_minor=minor)
        for leg in (2, 1):
            key = txn_key("P001", "R1", leg, no(on, leg))
            put(store, TXN, key, request_no="R1", leg=leg, txn_no=no(on, leg))
            put(store, TXN_BY_LOAN, txn_by_loan_key("P001", "L", no(on, leg)), txn=key)
    put(store, SUB_ACCOUNT, on_date(L10, on=D1), platform="P001", available_minor=7)
    put(store, JOURNAL, journal_key(L10, D1, no(D1, 9), 1, "available"), amount_minor=7)
    put(store, CLAIM, on_date(of_platform("P001", "L"), "c2", on=D1), claim_id="c2", principal_minor=5)
    put(store, CLAIM, on_date(of_platform("P001", "L"), "c3", on=D3), claim_id="c3", principal_minor=5)
    put(store, HOLD, on_date(L1, "h1", on=D1), hold_id="h1", amount_minor=10)
    put(store, HOLD, on_date(L1, "h1", on=D2), hold_id="h1", amount_minor=0)
    put(store, HOLD, on_date(L1, "h2", on=D2), hold_id="h2", amount_minor=25)
    put(store, HOLD, on_date(L1, "h2", on=D3), hold_id="h2", amount_minor=0)
    put(store, ACCOUNT_OF_CUSTOMER, on_date("C1", L1, on=D1), held_by="C1", role="LENDER")
    put(store, ACCOUNT_OF_CUSTOMER, on_date("C1", L10, on=D1), held_by="C1", role="LENDER")
    put(store, ACCOUNT_OF_CUSTOMER, on_date("C1", L10, on=D2), held_by="C2", role="LENDER")
    mark(store, D2)
    return StoreLedgerReader(store)


def test_what_stands_is_the_last_row_up_to_the_watermark(reader: StoreLedgerReader) -> None:
    account = reader.sub_account(L1)
    assert account is not None
    assert (account["sub_account"], account["available_minor"], account["as_of"]) == (L1, 250, D2)
    loan = reader.loan("P001", "L")
    assert loan is not None
    assert (loan["funded_minor"], loan["as_of"]) == (250, D2)
    assert [(c["claim_id"], c["principal_minor"]) for c in reader.claims_of_loan("P001", "L")] == [("c1", 250), ("c2", 5)]
    assert [(c["claim_id"], c["principal_minor"]) for c in reader.claims_of_holder(L1)] == [("c1", 250)]


def test_a_hold_that_ended_is_not_open_and_one_that_ends_tomorrow_is(reader: StoreLedgerReader) -> None:
    assert [(h["hold_id"], h["amount_minor"]) for h in reader.holds_of(L1)] == [("h2", 25)]


def test_an_account_that_passed_to_another_customer_is_no_longer_his(reader: StoreLedgerReader) -> None:
    assert [a["sub_account"] for a in reader.accounts_of("C1")] == [L1]


def test_a_balance_at_any_date_is_the_last_that_it_came_to(reader: StoreLedgerReader) -> None:
    first, second = reader.balance_at(L1, D1), reader.balance_at(L1, D2)
    assert first is not None
    assert second is not None
    assert (first["available_minor"], first["frozen_minor"], first["as_of"]) == (100, 10, D1)
    assert (second["available_minor"], second["as_of"]) == (250, D2)
    assert reader.balance_at(L1, D1 - timedelta(days=1)) is None


def test_movements_are_those_of_the_dates_in_order_of_posting(reader: StoreLedgerReader) -> None:
    moves = list(reader.movements(L1, D1, D2))
    assert [(m["posting_date"], m["entry_no"] % 10**9, m["part"]) for m in moves] == [
        (D1, 1, "available"), (D1, 2, "frozen"), (D2, 1, "available"), (D2, 2, "frozen"),
    ]  # fmt: skip
    assert [m["amount_minor"] for m in reader.movements(L10, D1, D2)] == [7]


def test_a_request_is_its_legs_and_a_loan_its_transactions_in_order(reader: StoreLedgerReader) -> None:
    attempts = reader.transaction("P001", "R1")
    assert [(t["leg"], t["txn_no"]) for t in attempts] == [(1, no(D1, 1)), (1, no(D2, 1)), (2, no(D1, 2)), (2, no(D2, 2))]
    assert [t["txn_no"] for t in reader.leg("P001", "R1", 2)] == [no(D1, 2), no(D2, 2)]
    assert [t["txn_no"] for t in reader.loan_transactions("P001", "L")] == [no(D1, 1), no(D1, 2), no(D2, 1), no(D2, 2)]
    assert attempts[0]["event_time"] == NOON


def test_beyond_the_watermark_nothing_is_said(reader: StoreLedgerReader, store: KeyedStore) -> None:
    assert reader.up_to() == D2
    with pytest.raises(UsageError, match="holds 2019-12-31"):
        reader.balance_at(L1, D3)
    with pytest.raises(UsageError, match="2020-01-01 is not among them"):
        list(reader.movements(L1, D1, D3))
    assert reader.loan("P001", "unknown") is None
    assert reader.sub_account("P001.LENDER.u") is None


def test_one_reader_speaks_of_one_moment(reader: StoreLedgerReader, store: KeyedStore) -> None:
    assert reader.up_to() == D2
    mark(store, D3)
    assert [h["hold_id"] for h in reader.holds_of(L1)] == ["h2"]
    later = StoreLedgerReader(store)
    assert later.holds_of(L1) == []
    assert [c["claim_id"] for c in later.claims_of_loan("P001", "L")] == ["c1", "c2", "c3"]


def test_an_empty_store_holds_no_day(store: KeyedStore) -> None:
    reader = StoreLedgerReader(store)
    assert (reader.up_to(), reader.sub_account(L1), reader.holds_of(L1), reader.transaction("P001", "R1")) == (None, None, [], [])
    with pytest.raises(UsageError, match="holds no day"):
        reader.balance_at(L1, D1)
