"""Reading the core: by one process or by several, from LMDB or from HBase, the same rows."""

import multiprocessing
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from instance_kit import change_settings

from cluster.hbase import Hbase
from connectors.bootstrap import wire
from connectors.settings import FILE_NAME, initial_settings
from connectors.table_digest import content_digest
from custody.errors import SealBroken
from jobs.extract import read_core
from schemas.store_keys import CORE_FLOW, CORE_TABLES, core_key, pack
from schemas.tables import TABLES

DAYS = [date(2019, 12, 30), date(2019, 12, 31), date(2020, 1, 1)]
ACCOUNTS = [f"P{n:03d}:CUSTODY" for n in range(60)]


@pytest.fixture
def lmdb_core(tmp_path: Path) -> str:
    return str(tmp_path / "core")


@pytest.fixture
def hbase_core(hbase: Hbase) -> str:
    hbase.create_tables("extracted", CORE_TABLES)
    return hbase.url("extracted")


@pytest.fixture(params=["lmdb_core", pytest.param("hbase_core", marks=pytest.mark.real)])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """An instance's settings, with three dates in its core."""
    text = initial_settings("示范银行", date(2019, 12, 30), 0)
    (tmp_path / FILE_NAME).write_text(text, encoding="utf-8")
    change_settings(tmp_path, {"stores.core": request.getfixturevalue(request.param)})
    wiring = wire(tmp_path)
    wiring.core.load((flow(a, day, seq) for a in ACCOUNTS for day in DAYS for seq in range(4)), map(balance, ACCOUNTS))
    wiring.close()
    return tmp_path


def flow(account: str, day: date, seq: int) -> dict[str, object]:
    return {
        "account": account, "core_date": day.isoformat(), "seq": seq, "amount_minor": seq * 100, "currency": "CNY",
        "core_ref": f"S{seq}", "counterparty": "CH01", "narrative": "清算", "booked_at": f"{day}T10:00:00+08:00",
    }  # fmt: skip


def balance(account: str) -> dict[str, object]:
    return {"account": account, "core_date": DAYS[1].isoformat(), "opening_minor": 0, "closing_minor": 600, "currency": "CNY"}


def test_one_process_and_several_read_the_same(home: Path) -> None:
    digests = set()
    for processes in (1, 3):
        wiring = wire(change_settings(home, {"stores.core_processes": processes}))
        flows, balances, *_ = read_core(wiring, DAYS[0], DAYS[1])
        wiring.close()
        assert multiprocessing.active_children() == []
        assert (flows.num_rows, balances.num_rows) == (len(ACCOUNTS) * 2 * 4, len(ACCOUNTS))
        assert set(flows["core_date"].to_pylist()) == set(DAYS[:2])
        assert set(flows["extracted_for"].to_pylist()) == {DAYS[1]}
        ordered = [
            table.sort_by([(n, "ascending") for n in TABLES[name].key])
            for name, table in (("core_flow", flows), ("core_balance", balances))
        ]
        digests.add(tuple(map(content_digest, ordered)))
    assert len(digests) == 1


@pytest.mark.parametrize("processes", [1, 2])
def test_what_stops_a_reader_stops_the_step(home: Path, processes: int) -> None:
    wiring = wire(change_settings(home, {"stores.core_processes": processes}))
    wiring.core._store.put_many(CORE_FLOW, [(core_key(15, DAYS[1], "P001:CUSTODY", 1), pack(99, ["x"]))])
    with pytest.raises(SealBroken, match="version 99"):
        read_core(wiring, DAYS[0], DAYS[1])
    wiring.close()
    assert multiprocessing.active_children() == []
