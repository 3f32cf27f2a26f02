"""Playing the parties: a date of a world goes into the drop over SFTP and is collected."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest
from exchange_kit import DAY, Exchange, entry, file_name, seal_of

from console.deliver import Delivered, deliver
from custody.errors import UsageError

DATA = b"request_no,leg\nr1,1\n"


def _world(exchange: Exchange, world: Path) -> None:
    shutil.copytree(exchange.settings.home / "party_keys", world / "keys")
    (world / DAY.isoformat() / "CORE").mkdir(parents=True)
    (world / DAY.isoformat() / "CORE" / "flow.jsonl").write_text("{}\n")
    for party in ("P001", "P002"):
        folder = world / DAY.isoformat() / party
        folder.mkdir()
        name = file_name("TXN", party)
        for path, data in {name: DATA, **seal_of(party, entry(name, DATA))}.items():
            (folder / path).write_bytes(data)


def test_a_date_is_delivered_and_collected_and_again_without_harm(exchange: Exchange, tmp_path: Path) -> None:
    world = tmp_path / "world"
    _world(exchange, world)
    for outcome in ("ACCEPTED", "SAME_AGAIN"):
        for _ in range(2):
            delivered = deliver(world, DAY, exchange.settings)
            assert (delivered.parties, delivered.files, delivered.seals) == (2, 2, 2)
            assert exchange.waiting() == ["P001_SEAL_20191230_01_v1.json", file_name("TXN")]
        result = exchange.collect()
        assert result.counts() == {outcome: 2} and result.troubles == []
        assert exchange.waiting() == []


def test_a_world_that_lacks_something_is_named(exchange: Exchange, tmp_path: Path) -> None:
    world = tmp_path / "world"
    _world(exchange, world)
    with pytest.raises(UsageError, match="2020-01-09"):
        deliver(world, date(2020, 1, 9), exchange.settings)
    (world / "keys" / "P002").unlink()
    with pytest.raises(UsageError, match="P002"):
        deliver(world, DAY, exchange.settings)
    shutil.rmtree(world / DAY.isoformat())
    (world / DAY.isoformat()).mkdir()
    assert deliver(world, DAY, exchange.settings) == Delivered(0, 0, 0, 0)
