"""Channels that speak their own dialect, from the drop to reconciliation: their days must come out as if they spoke ours."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from instance_kit import GO_LIVE, make_instance, make_world, opened

from custody.calendar import dates
from schemas.exchange import ExchangeName, Seal, SealedFile, sha256_hex
from schemas.landing import from_canonical
from schemas.layout import load_layout
from schemas.layout_file import control_totals, parse_file, write_file

CHANNEL = "CH01"
DAYS = tuple(dates(GO_LIVE, 3))


@dataclass(frozen=True)
class Dialect:
    """``files``: layout -> the directions that stand in it; one file, and so one batch, for each layout."""

    files: Mapping[str, Sequence[str]]
    encoding: str
    merchants: Mapping[str, str]


BAOFOO = Dialect({"baofoo_fi/1": ["IN"], "baofoo_fo/1": ["OUT"]}, "utf-8", {"100001": "P001", "100002": "P002", "100003": "P003"})
UNIONPAY = Dialect(
    {"unionpay_zm/1": ["IN", "OUT"]},
    "gb18030",
    {"898310000000001": "P001", "898310000000002": "P002", "898310000000003": "P003"},
)


def speak(world: Path, dialect: Dialect) -> None:
    """Rewrite the channel's contract and its settlement files of every date."""
    path = world / "world.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    (party,) = [p for p in told["parties"] if p["party"] == CHANNEL]
    said = {"merchants": dict(dialect.merchants)}
    party |= {"layouts": {"SETTLEMENT": list(dialect.files)}, "dialect": said, "encoding": dialect.encoding}
    path.write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
    for day in DAYS:
        _translate(world / day.isoformat() / CHANNEL, day, dialect, said)


def _translate(folder: Path, day: date, dialect: Dialect, said: Mapping[str, object]) -> None:
    seal_path = folder / str(ExchangeName(CHANNEL, "SEAL", day, 1, 1))
    seal = Seal.model_validate_json(seal_path.read_bytes())
    (entry,) = seal.files
    ours = parse_file(load_layout(entry.layout), entry.name, (folder / entry.name).read_bytes(), entry.encoding, day)
    assert not ours.faults and not ours.file_faults
    for batch, (layout_id, directions) in enumerate(dialect.files.items(), start=1):
        layout = load_layout(layout_id)
        chosen = [row for row in ours.rows if row["direction"] in directions]
        rows = [from_canonical(layout, row, day, CHANNEL, said, number) for number, row in enumerate(chosen, start=1)]
        data = write_file(layout, rows, dialect.encoding, day)
        name = ExchangeName(CHANNEL, "SETTLEMENT", day, batch, 1)
        (folder / str(name)).write_bytes(data)
        sealed = SealedFile(
            name=str(name),
            layout=layout_id,
            encoding=dialect.encoding,
            bytes=len(data),
            rows=len(rows),
            sha256=sha256_hex(data),
            totals=control_totals(layout, rows),
            batches=len(dialect.files) if batch == len(dialect.files) else None,
        )
        seal_name = ExchangeName(CHANNEL, "SEAL", day, batch, 1)
        (folder / str(seal_name)).write_bytes(seal.model_copy(update={"batch": batch, "files": [sealed]}).to_bytes())


def landed_settlements(home: Path, world: Path) -> list[str]:
    """Run all days, which find nothing; what landed of the channel."""
    with opened(make_instance(home, world)) as instance:
        for day in DAYS:
            instance.deliver(world, day)
            instance.run_day(day)
            assert instance.lake_rows(day, "reconcile", "breaks") == []
        assert instance.failing_proofs() == []
        kept = [row for day in DAYS for row in instance.lake_rows(day, "land", "land_settlement") if row["party"] == CHANNEL]
        source = ("file_name", "line_no")
        return sorted(str({k: v for k, v in row.items() if k not in source}) for row in kept)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("ours")
    return landed_settlements(folder / "home", make_world(folder / "world", [], seed=3, days=len(DAYS)))


@pytest.mark.parametrize("dialect", [BAOFOO, UNIONPAY], ids=["baofoo", "unionpay"])
def test_a_channel_in_its_own_dialect_reconciles_as_if_it_spoke_ours(dialect: Dialect, ours: list[str], tmp_path: Path) -> None:
    world = make_world(tmp_path / "world", [], seed=3, days=len(DAYS))
    speak(world, dialect)
    assert landed_settlements(tmp_path / "home", world) == ours and ours
