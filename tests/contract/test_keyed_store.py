"""What every keyed store must do (custody.ports.KeyedStore), and the keys and records that live in it."""

from collections.abc import Callable
from datetime import date, timedelta
from random import Random

import pytest

from connectors.core_tables import CoreTables
from custody.errors import LeaseLost, SealBroken, StopRun
from custody.ports import KeyedStore, StoreRow
from schemas.store_keys import (
    CORE_FLOW,
    CUSTOMER,
    JOURNAL,
    SALTS,
    SCHEMA_VERSION,
    SUB_ACCOUNT,
    core_key,
    dated,
    owner_key,
    owner_range,
    pack,
    salt,
    unpack,
)

DAY = date(2019, 12, 30)


def row(key: bytes, value: bytes = b"v") -> StoreRow:
    return key, {b"p": value}


def test_what_was_put_is_there(store: KeyedStore) -> None:
    columns = {b"a": b"\x00\xff", b"b": b"", b"": b"x"}
    assert store.put_many(CUSTOMER, [(b"k\x00\xff", columns)]) == 1
    assert store.get(CUSTOMER, b"k\x00\xff") == columns
    assert store.get(CUSTOMER, b"k") is None
    assert store.get(SUB_ACCOUNT, b"k\x00\xff") is None


def test_putting_again_replaces_the_whole_row(store: KeyedStore) -> None:
    store.put_many(CUSTOMER, [(b"k", {b"a": b"1", b"b": b"2"})])
    store.put_many(CUSTOMER, [(b"k", {b"b": b"3"})])
    assert store.get(CUSTOMER, b"k") == {b"b": b"3"}
    assert list(store.scan(CUSTOMER, b"", b"\xff")) == [(b"k", {b"b": b"3"})]


def test_a_scan_is_half_open_and_in_byte_order(store: KeyedStore) -> None:
    keys = [b"a", b"a\x00", b"a\x00b", b"a\x01", b"b", b"\x7f", b"\x80", b"\xff"]
    shuffled = list(keys)
    Random(7).shuffle(shuffled)
    store.put_many(JOURNAL, [row(k) for k in shuffled])
    assert [k for k, _ in store.scan(JOURNAL, b"a", b"b")] == [b"a", b"a\x00", b"a\x00b", b"a\x01"]
    assert [k for k, _ in store.scan(JOURNAL, b"a\x00", b"a\x01")] == [b"a\x00", b"a\x00b"]
    assert [k for k, _ in store.scan(JOURNAL, b"\x7f", b"\xff")] == [b"\x7f", b"\x80"]
    assert list(store.scan(JOURNAL, b"b", b"b")) == []
    assert list(store.scan(JOURNAL, b"c", b"a")) == []
    assert list(store.scan(CUSTOMER, b"", b"\xff")) == []


@pytest.mark.parametrize("count", [4_999, 5_000, 5_001, 10_000, 12_345])
def test_scans_and_puts_of_many_batches_lose_and_repeat_nothing(store: KeyedStore, count: int) -> None:
    assert store.put_many(JOURNAL, (row(b"%08d" % n, b"%d" % n) for n in range(count))) == count
    found = list(store.scan(JOURNAL, b"", b"\xff"))
    assert [k for k, _ in found] == [b"%08d" % n for n in range(count)]
    assert found[-1][1] == {b"p": b"%d" % (count - 1)}


def test_writing_while_a_scan_is_open_does_not_disturb_it(store: KeyedStore) -> None:
    store.put_many(JOURNAL, (row(b"%08d" % n) for n in range(6_000)))
    scan = store.scan(JOURNAL, b"", b"\xff")
    first = next(scan)
    store.put_many(SUB_ACCOUNT, [row(b"x")])
    store.delete_many(JOURNAL, [first[0]])
    assert len(list(scan)) == 5_999


def test_deleting_counts_what_was_there_and_can_be_repeated(store: KeyedStore) -> None:
    store.put_many(CUSTOMER, [row(b"a"), row(b"b"), row(b"c")])
    assert store.delete_many(CUSTOMER, [b"a", b"c", b"z"]) == 2
    assert store.delete_many(CUSTOMER, [b"a", b"c", b"z"]) == 0
    assert [k for k, _ in store.scan(CUSTOMER, b"", b"\xff")] == [b"b"]


def test_rows_outlive_the_store_that_wrote_them(open_store: Callable[[], KeyedStore]) -> None:
    first = open_store()
    first.put_many(CUSTOMER, [row(b"a")])
    first.close()
    second = open_store()
    assert second.get(CUSTOMER, b"a") == {b"p": b"v"}
    second.close()


def test_many_rows_are_asked_for_at_once(store: KeyedStore) -> None:
    many = [row(b"%08d" % n, b"%d" % n) for n in range(5_001)]
    store.put_many(CUSTOMER, many)
    found = list(store.get_many(CUSTOMER, [*(key for key, _ in reversed(many)), b"absent", b"\xff"]))
    assert sorted(found) == many
    assert list(store.get_many(CUSTOMER, [])) == []


def test_a_row_that_was_deleted_can_be_put_again(store: KeyedStore) -> None:
    for value in (b"1", b"2", b"3"):
        store.put_many(CUSTOMER, [(b"k", {b"a": value, b"b": value})])
        store.delete_many(CUSTOMER, [b"k"])
        assert store.get(CUSTOMER, b"k") is None
    store.put_many(CUSTOMER, [(b"k", {b"a": b"4"})])
    assert store.get(CUSTOMER, b"k") == {b"a": b"4"}


def test_of_a_key_that_comes_twice_the_later_row_stands(store: KeyedStore) -> None:
    assert store.put_many(CUSTOMER, [(b"k", {b"a": b"1", b"b": b"1"}), (b"k", {b"a": b"2"})]) == 2
    assert store.get(CUSTOMER, b"k") == {b"a": b"2"}
    assert store.delete_many(CUSTOMER, [b"k", b"k"]) == 1


@pytest.mark.parametrize("key", [b"", b"k" * 512])
def test_a_key_that_a_store_cannot_take_is_refused(store: KeyedStore, key: bytes) -> None:
    longest = row(b"k" * 511)
    assert store.put_many(CUSTOMER, [longest]) == 1
    assert store.get(CUSTOMER, longest[0]) == longest[1]
    with pytest.raises(StopRun, match="511"):
        store.put_many(CUSTOMER, [row(b"before"), row(key)])
    with pytest.raises(StopRun, match="511"):
        store.get(CUSTOMER, key)
    with pytest.raises(StopRun, match="511"):
        list(store.get_many(CUSTOMER, [key]))
    with pytest.raises(StopRun, match="511"):
        store.delete_many(CUSTOMER, [longest[0], key])
    # Of a batch with such a key nothing is done.
    assert list(store.scan(CUSTOMER, b"", b"\xff")) == [longest]


def test_a_row_without_columns_is_refused(store: KeyedStore) -> None:
    with pytest.raises(StopRun, match="no columns"):
        store.put_many(CUSTOMER, [(b"k", {})])


def test_nothing_to_put_or_delete_is_fine(store: KeyedStore) -> None:
    assert store.put_many(CUSTOMER, []) == 0
    assert store.delete_many(CUSTOMER, []) == 0


def test_one_owners_rows_are_one_scan_and_nobody_elses(store: KeyedStore) -> None:
    owners = ["C1", "C10", "C1\u4e2d", "C2", "P001.LENDER.u1", "P001.LENDER.u10"]
    for owner in owners:
        store.put_many(
            JOURNAL, [row(owner_key(owner))] + [row(owner_key(owner, dated(DAY + timedelta(days=n), n))) for n in range(12)]
        )
    for owner in owners:
        start, stop = owner_range(owner)
        found = [k for k, _ in store.scan(JOURNAL, start, stop)]
        assert found == [owner_key(owner, dated(DAY + timedelta(days=n), n)) for n in range(12)]
    assert {salt(f"C{n}")[0] for n in range(300)} == set(range(SALTS))


def test_a_packed_record_reads_back() -> None:
    fields = ["a", 10**15, -1, None, True, "中"]
    assert unpack(pack(3, fields)) == (3, fields)


def flow(account: str, day: str, seq: int, amount: int) -> dict[str, object]:
    return {
        "account": account, "core_date": day, "seq": seq, "amount_minor": amount, "currency": "CNY", "core_ref": f"S{seq}",
        "counterparty": "CH01", "narrative": "清算", "booked_at": f"{day}T10:00:00+08:00",
    }  # fmt: skip


def test_the_cores_flows_of_one_date_are_read_and_no_other(store: KeyedStore) -> None:
    core = CoreTables(store)
    accounts = [f"P{n:03d}:CUSTODY" for n in range(1, 40)]
    flows = [
        flow(a, day, seq, seq * 100) for a in accounts for day in ("2019-12-29", "2019-12-30", "2019-12-31") for seq in (1, 2, 11)
    ]
    balances = [
        {"account": a, "core_date": "2019-12-30", "opening_minor": 0, "closing_minor": 300, "currency": "CNY"} for a in accounts
    ]
    assert core.load(flows, balances) == (len(flows), len(balances))
    core.load(flows, balances)
    found = sorted(core.flows(DAY), key=lambda r: (r["account"], r["seq"]))
    assert [(r["account"], r["seq"], r["amount_minor"]) for r in found] == [(a, s, s * 100) for a in accounts for s in (1, 2, 11)]
    assert {r["core_date"] for r in found} == {DAY}
    assert found[0]["booked_at"].isoformat() == "2019-12-30T10:00:00+08:00"
    assert sorted(r["account"] for r in core.balances(DAY)) == accounts
    assert list(core.balances(date(2019, 12, 29))) == []


def test_a_core_record_of_a_version_nobody_knows_is_not_guessed(store: KeyedStore) -> None:
    store.put_many(CORE_FLOW, [(core_key(3, DAY, "P001:CUSTODY", 1), pack(99, ["x"]))])
    with pytest.raises(SealBroken, match="version 99"):
        list(CoreTables(store).flows(DAY))


def test_a_writer_with_an_older_fence_changes_nothing(store: KeyedStore) -> None:
    store.put_many(SUB_ACCOUNT, [row(b"a", b"old")], fence=3)
    store.put_many(SUB_ACCOUNT, [row(b"a", b"new")], fence=4)
    with pytest.raises(LeaseLost, match="fence 4"):
        store.put_many(SUB_ACCOUNT, [row(b"a", b"old"), row(b"b")], fence=3)
    assert list(store.scan(SUB_ACCOUNT, b"", b"\xff")) == [row(b"a", b"new")]
    with pytest.raises(LeaseLost, match="fence 4"):
        store.delete_many(SUB_ACCOUNT, [b"a"], fence=3)
    assert list(store.scan(SUB_ACCOUNT, b"", b"\xff")) == [row(b"a", b"new")]
    # Each table has its own newest writer, and the newest may write again.
    assert store.put_many(JOURNAL, [row(b"j")], fence=3) == 1
    assert store.put_many(SUB_ACCOUNT, [row(b"a", b"again")], fence=4) == 1


def test_an_older_fence_is_known_to_a_store_that_was_opened_again(open_store: Callable[[], KeyedStore]) -> None:
    first = open_store()
    first.put_many(SUB_ACCOUNT, [row(b"a")], fence=4)
    first.close()
    second = open_store()
    with pytest.raises(LeaseLost, match="fence 4"):
        second.put_many(SUB_ACCOUNT, [row(b"b")], fence=3)
    second.close()


def test_a_table_under_fences_takes_no_writer_without_one(store: KeyedStore) -> None:
    store.put_many(SUB_ACCOUNT, [row(b"a", b"free")])
    store.put_many(SUB_ACCOUNT, [row(b"a")], fence=1)
    for write in (lambda: store.put_many(SUB_ACCOUNT, [row(b"b")]), lambda: store.delete_many(SUB_ACCOUNT, [b"a"])):
        with pytest.raises(StopRun, match="under a fence"):
            write()
    assert list(store.scan(SUB_ACCOUNT, b"", b"\xff")) == [row(b"a")]
    assert store.delete_many(SUB_ACCOUNT, [b"a"], fence=1) == 1
    assert store.put_many(SUB_ACCOUNT, [row(b"a", b"again")], fence=1) == 1
    assert store.get(SUB_ACCOUNT, b"a") == {b"p": b"again"}


def test_a_store_of_another_schema_version_is_refused(open_store: Callable[[], KeyedStore]) -> None:
    older = open_store()
    older._version = SCHEMA_VERSION - 1  # type: ignore[attr-defined]  # the program that was before
    older.adopt_version()
    older.close()
    with pytest.raises(StopRun, match=f"version {SCHEMA_VERSION - 1}, this program has {SCHEMA_VERSION}.*custody store rebuild"):
        open_store()


def test_a_table_is_cleared_by_who_may_write_it_and_no_other_table_with_it(store: KeyedStore) -> None:
    rows: list[StoreRow] = [(b"%05d" % n, {b"p": b"v"}) for n in range(6_000)]
    for table in (SUB_ACCOUNT, JOURNAL):
        store.put_many(table, rows, fence=2)
    with pytest.raises(LeaseLost):
        store.clear(SUB_ACCOUNT, fence=1)
    store.clear(SUB_ACCOUNT, fence=3)
    assert list(store.scan(SUB_ACCOUNT, b"", b"\xff")) == []
    assert len(list(store.scan(JOURNAL, b"", b"\xff"))) == len(rows)
    store.put_many(SUB_ACCOUNT, rows[:1], fence=3)
    assert list(store.scan(SUB_ACCOUNT, b"", b"\xff")) == rows[:1]
