"""The keyed store proved against the lake, and made anew from it: the same on LMDB and on HBase."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "kit"))

from instance_kit import GO_LIVE, Instance, copy_of, make_instance, make_world, opened

from connectors.lmdb_store import LmdbStore
from custody.digest import canonical_json
from custody.errors import NotPermitted, RetryLater, StopRun, UsageError
from custody.instruction import Entry, Instruction, Refusal
from custody.ledger import Ledger
from custody.names import BreakKind, TxnType
from custody.ports import KeyedStore, StoreRow
from custody.steps import STEPS
from jobs import store_rebuild
from jobs.store_proof import store_faults
from jobs.store_rebuild import rebuild
from jobs.verification import _store_faults
from schemas.store_keys import LEDGER_TABLES, PACKED, SCHEMA_VERSION, WATERMARK, WATERMARK_KEY, date_of_row, owner_of_row
from schemas.store_proof import StoreSum
from schemas.store_records import RECORDS

DAYS = [GO_LIVE, GO_LIVE + timedelta(days=1)]
_ALL = (b"", b"\xff" * 32)
# Newer than any lease of these instances.
_FENCE = 1_000


def quiet(_: str) -> None:
    return


@pytest.fixture(scope="module")
def two_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed instance that ran a day, and the next as far as the keyed store."""
    folder = tmp_path_factory.mktemp("proof")
    world = make_world(folder / "world", [], seed=11, platforms=2, lenders=8, loans=4, days=2)
    home = make_instance(folder / "home", world)
    with opened(home) as instance:
        for on in DAYS:
            instance.deliver(world, on)
            instance.run_day(on, STEPS if on == DAYS[0] else STEPS[: STEPS.index("project") + 1])
    return home


@pytest.fixture
def instance(two_days: Path, tmp_path: Path) -> Iterator[Instance]:
    with opened(copy_of(two_days, tmp_path / "home")) as made:
        yield made


@pytest.fixture
def on_store(instance: Instance, store: KeyedStore) -> Instance:
    """The instance with the store under contract, which it has filled anew from its lake."""
    made_by_days = instance.keyed_rows()
    instance.wiring.keyed.close()
    instance.wiring.__dict__["keyed"] = store
    done = rebuild(instance.wiring, "admin", "another store", quiet)
    assert (done.up_to, done.days, done.faults) == (DAYS[1], 2, [])
    for table in (*LEDGER_TABLES, WATERMARK):
        assert list(store.scan(table, *_ALL)) == made_by_days[table], table
    return instance


def _faults(instance: Instance, only: date | None = None) -> list[tuple[str, object, object, object]]:
    found = list(store_faults(instance.wiring, only))
    assert all("{" not in words for fault in found for words in fault.words)
    return [(f.rule, f.figures["table"], f.figures["salt"], f.figures.get("date")) for f in found]


def test_a_byte_a_row_less_and_a_row_more_are_found_in_each_table_and_named(on_store: Instance) -> None:
    store = on_store.wiring.keyed
    chosen = {}
    for table in LEDGER_TABLES:
        rows = list(store.scan(table, *_ALL))
        chosen[table] = rows[len(rows) // 2]
    places = [(table, key[0], str(date_of_row(table, key))) for table, (key, _) in chosen.items()]
    for table, (key, columns) in chosen.items():
        changed = columns[PACKED][:-1] + bytes([columns[PACKED][-1] ^ 1])
        store.put_many(table, [(key, {PACKED: changed})], _FENCE)
    assert sorted(_faults(on_store)) == sorted(("store_differs", *place) for place in places)
    named = {fault.figures["table"]: str(fault.figures["keys"]) for fault in store_faults(on_store.wiring)}
    assert all(owner_of_row(key) in named[table] for table, (key, _) in chosen.items())
    for table, (key, _) in chosen.items():
        store.delete_many(table, [key], _FENCE)
    missing = [("store_missing", *place) for place in places]
    assert sorted(_faults(on_store)) == sorted(missing)
    for on in DAYS:
        assert sorted(_faults(on_store, on)) == sorted(fault for fault in missing if fault[3] == str(on))
    for table, (key, columns) in chosen.items():
        store.put_many(table, [(key, columns), (key[:2] + b"~" + key[2:], columns)], _FENCE)
    assert sorted(_faults(on_store)) == sorted(("store_extra", *place) for place in places)
    for table, (key, _) in chosen.items():
        store.delete_many(table, [key[:2] + b"~" + key[2:]], _FENCE)
    assert _faults(on_store) == []


def test_what_is_no_row_of_ours_is_found_too(on_store: Instance) -> None:
    store = on_store.wiring.keyed
    later = b"\x03P001.LENDER.u1\x0020200101"
    strangers: list[StoreRow] = [(b"\x01no date", {b"p": b"x"}), (b"\x02P001.LENDER.u1\x0020191230", {b"q": b"x"})]
    store.put_many("balance_by_account", [*strangers, (b"P001 without salt", {b"p": b"x"}), (later, {b"p": b"\x09"})], _FENCE)
    assert _faults(on_store) == [
        ("store_beyond", "balance_by_account", 3, "2020-01-01"),
        ("store_extra", "balance_by_account", 1, str(date.min)),
        ("store_extra", "balance_by_account", ord("P"), str(date.min)),
        ("store_extra", "balance_by_account", 2, "2019-12-30"),
    ]
    assert len(_store_faults(on_store.wiring, None, [], {})) == 4


def test_a_rebuild_that_was_ended_is_gone_on_with(on_store: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    store = on_store.wiring.keyed
    expected = {table: list(store.scan(table, *_ALL)) for table in (*LEDGER_TABLES, WATERMARK)}
    customers: list[StoreRow] = [(b"\x00C1", {b"key": b"k", b"personal:P001": b"s"})]
    store.put_many("customer", customers, _FENCE)
    put_day, puts = store_rebuild.put_day, []

    def ends_at_the_second(*arguments: object) -> None:
        puts.append(arguments)
        if len(puts) == 2:
            raise RetryLater("the store is away")
        put_day(*arguments)  # type: ignore[arg-type]

    with on_store.wiring.register.transaction() as tx:
        tx.update("lease", {"name": "custody-day"}, {"fence": _FENCE})
    monkeypatch.setattr(store_rebuild, "put_day", ends_at_the_second)
    with pytest.raises(RetryLater):
        rebuild(on_store.wiring, "admin", "damaged", quiet)
    # Nobody reads what is half there, and no day is put on top of it.
    assert store.get(WATERMARK, WATERMARK_KEY) is None
    assert [fault.rule for fault in store_faults(on_store.wiring)] == ["store_mark"]
    with pytest.raises(StopRun, match="custody store rebuild"):
        on_store.step("project", DAYS[1], "once more")
    monkeypatch.setattr(store_rebuild, "put_day", put_day)
    done = rebuild(on_store.wiring, "admin", "damaged", quiet)
    assert (done.days, done.faults) == (1, [])
    assert {table: list(store.scan(table, *_ALL)) for table in (*LEDGER_TABLES, WATERMARK)} == expected
    assert customers[0] in list(store.scan("customer", *_ALL))
    told = [(e["actor"], e["action"]) for e in on_store.find("audit_event") if str(e["action"]).startswith("store.")]
    assert told[-3:] == [("admin", "store.rebuild.begun"), ("admin", "store.rebuild.begun"), ("admin", "store.rebuild.ended")]


def test_a_new_version_of_a_day_leaves_no_row_of_the_one_before(on_store: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    on = DAYS[1]
    before = {table: len(list(on_store.wiring.keyed.scan(table, *_ALL))) for table in LEDGER_TABLES}
    real = Ledger.apply

    def apply(ledger: Ledger, instruction: Instruction, *arguments: object) -> Entry | Refusal:
        """As a rule that the lawyers changed."""
        if instruction.txn_type == TxnType.RECHARGE:
            return Refusal(BreakKind.UNAUTHORISED, "unknown_party", {"party": "-", "kind": "-"}, False)
        return real(ledger, instruction, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Ledger, "apply", apply)
    with on_store.wiring.register.transaction() as tx:
        tx.update("lease", {"name": "custody-day"}, {"fence": _FENCE})
    on_store.step("post", on, "recharges are refused")
    assert on_store.step("project", on, "recharges are refused").seal.version == 2
    assert _faults(on_store) == []
    after = {table: len(list(on_store.wiring.keyed.scan(table, *_ALL))) for table in LEDGER_TABLES}
    assert after["journal_by_account"] < before["journal_by_account"] and after["txn"] == before["txn"]


def test_rows_of_an_erased_customer_are_expected_no_more_and_not_made_again(on_store: Instance) -> None:
    store = on_store.wiring.keyed
    key, _ = next(store.scan("account_of_customer", *_ALL))
    customer = owner_of_row(key)
    accounts = {
        customer,
        *(r["sub_account"] for r in on_store.lake_rows(DAYS[1], "post", "sub_accounts") if r["customer_id"] == customer),
    }
    gone = {t: [(k, c) for k, c in store.scan(t, *_ALL) if owner_of_row(k) in accounts] for t in LEDGER_TABLES}
    removed: dict[tuple[str, int], StoreSum] = {}
    for table, rows in gone.items():
        for key, columns in rows:
            one = StoreSum.of_row(key, columns[PACKED], RECORDS[table].amount_of(columns))
            removed[table, key[0]] = removed.get((table, key[0]), StoreSum()) + one
    with on_store.wiring.register.transaction() as tx:
        kept = canonical_json({"keeps_ledger": True, "accounts": sorted(accounts)})
        times = {"approved_at": "t", "erased_at": "t", "purged_at": "t"}
        tx.insert(
            "erased_customer", {"proposal_id": "1", "customer_id": customer, "erased_up_to": DAYS[1], "kept": kept, **times}
        )
        for (table, salt), proof in removed.items():
            figures = {"rows": proof.rows, "sum_minor": str(proof.sum_minor), "digest": proof.digest}
            tx.insert("removed_rows", {"proposal_id": "1", "store_table": table, "salt": salt, **figures})
        tx.update("lease", {"name": "custody-day"}, {"fence": _FENCE})
    for table, rows in gone.items():
        store.delete_many(table, [key for key, _ in rows], _FENCE)
    assert _faults(on_store) == [] and _faults(on_store, DAYS[0]) == []
    journal = next(store.scan("journal_by_account", *_ALL))
    store.delete_many("journal_by_account", [journal[0]], _FENCE + 1)
    assert [rule for rule, *_ in _faults(on_store)] == ["store_missing"]
    with on_store.wiring.register.transaction() as tx:
        tx.update("lease", {"name": "custody-day"}, {"fence": _FENCE + 1})
    assert rebuild(on_store.wiring, "admin", "a row was lost", quiet).faults == []
    assert all(store.get(table, key) is None for table, rows in gone.items() for key, _ in rows)


def test_a_store_of_another_schema_version_is_refused_until_it_is_made_anew(instance: Instance) -> None:
    wiring = instance.wiring
    expected = instance.keyed_rows()
    wiring.keyed.close()
    folder = wiring.settings.path(wiring.settings.stores.keyed)
    older = LmdbStore(folder, 1, SCHEMA_VERSION - 1, any_version=True)
    older.adopt_version()
    older.close()
    with pytest.raises(StopRun, match="custody store rebuild"):
        LmdbStore(folder, 1)
    del wiring.__dict__["keyed"]
    assert rebuild(wiring, "admin", "a new program", quiet).faults == []
    assert instance.keyed_rows() == expected
    assert wiring.keyed.get(WATERMARK, WATERMARK_KEY) is not None


def test_only_an_administrator_with_a_reason_may_empty_the_store(instance: Instance) -> None:
    expected = instance.keyed_rows()
    with pytest.raises(NotPermitted):
        rebuild(instance.wiring, "maker", "why not", quiet)
    with pytest.raises(UsageError, match="--reason"):
        rebuild(instance.wiring, "admin", " ", quiet)
    assert instance.keyed_rows() == expected
    refused = [e["actor"] for e in instance.find("audit_event", action="refused:store.rebuild")]
    assert refused == ["maker"]
