"""Days of a sound market whose files are changed row by row before they are delivered, with seals that fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from instance_kit import GO_LIVE, Instance, make_instance, make_world, opened

from schemas.exchange import Seal, SealedFile, sha256_hex
from schemas.field_types import Value
from schemas.layout import load_layout
from schemas.layout_file import control_totals, parse_file, write_file

Rows = list[dict[str, Value]]


@dataclass(frozen=True)
class Market:
    world: Path
    home: Path


def market_after_its_first_day(folder: Path, **size: int) -> Market:
    """A sound market of three days whose first has run; small, but for what ``size`` says."""
    world = make_world(folder / "world", [], seed=5, days=3, lenders=8, loans=4, **size)
    home = make_instance(folder / "home", world)
    with opened(home) as instance:
        instance.deliver(world, GO_LIVE)
        instance.run_day(GO_LIVE)
    return Market(world, home)


def file_of(world: Path, party: str, file_type: str, on: date) -> Path:
    return world / on.isoformat() / party / f"{party}_{file_type}_{on:%Y%m%d}_01_v1.csv"


def sealed(party: str, on: date, version: int, files: dict[str, tuple[str, bytes, int, dict[str, str]]]) -> tuple[str, bytes]:
    """A seal over files: name -> (layout, bytes, rows, totals)."""
    listed = [
        SealedFile(
            name=n, layout=layout, encoding="utf-8", bytes=len(b), rows=rows, sha256=sha256_hex(b), totals=totals, batches=1
        )
        for n, (layout, b, rows, totals) in files.items()
    ]
    seal = Seal(party=party, custody_date=on.isoformat(), batch=1, version=version, files=listed)
    return f"{party}_SEAL_{on:%Y%m%d}_01_v{version}.json", seal.to_bytes()


def send_changed(
    instance: Instance, market: Market, party: str, file_type: str, on: date, change: Callable[[Rows], Rows]
) -> None:
    """Replace one file of a party's delivery that waits in the drop, and its seal's entry, by changed rows."""
    path = file_of(market.world, party, file_type, on)
    seal_name = f"{party}_SEAL_{on:%Y%m%d}_01_v1.json"
    seal = Seal.model_validate_json(instance.drop.arrived[party][seal_name])
    (entry,) = [f for f in seal.files if f.name == path.name]
    layout = load_layout(entry.layout)
    rows = change(parse_file(layout, path.name, path.read_bytes(), entry.encoding, on).rows)
    data = write_file(layout, rows, entry.encoding, on)
    said = {"bytes": len(data), "rows": len(rows), "sha256": sha256_hex(data), "totals": control_totals(layout, rows)}
    files = [f.model_copy(update=said) if f.name == path.name else f for f in seal.files]
    instance.drop.put(party, path.name, data)
    instance.drop.put(party, seal_name, seal.model_copy(update={"files": files}).to_bytes())


def put_day(instance: Instance, market: Market, on: date) -> None:
    """Every party's files of the date into the drop, and the core's flows; nothing is collected yet."""
    kept = instance.collect
    instance.collect = lambda today: None  # type: ignore[method-assign,assignment,return-value]
    instance.deliver(market.world, on)
    instance.collect = kept  # type: ignore[method-assign]


def breaks(instance: Instance, on: date) -> set[tuple[str, str]]:
    return {(b["kind"], b["subject"]) for b in instance.lake_rows(on, "reconcile", "breaks")}
