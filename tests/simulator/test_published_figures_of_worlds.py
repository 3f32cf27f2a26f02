"""A world whose platforms publish their figures is the same world but for that; and which figure is wrong is drawn by the seed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from faulted_worlds import FAULTS, labels_of
from world_reader import tree

from schemas.layout import load_layout
from schemas.layout_file import parse_file
from simulator.faults import FaultRequest, FaultRequestError, load_faults
from simulator.simulate import SimulationConfig, simulate

LAYOUT = "platform_disclosure/1"
PUBLISHING = SimulationConfig(
    platforms=7, channels=1, lenders=6, loans=3, days=43, start=date(2019, 12, 27), seed=5, disclosures=True
)
# By turns on the first five business days; of January as well, over the Spring Festival, up to 2020-02-07, when the fifth sends.
SENT = {
    "20191231": ["2020-01-02", "2020-01-03", "2020-01-06", "2020-01-07", "2020-01-08", "2020-01-02", "2020-01-03"],
    "20200131": ["2020-02-03", "2020-02-04", "2020-02-05", "2020-02-06", "2020-02-07", "2020-02-03", "2020-02-04"],
}


def test_only_the_figures_and_their_contract_are_added(tmp_path: Path) -> None:
    simulate(config=replace(PUBLISHING, disclosures=False), faults=[], out=tmp_path / "without")
    simulate(config=PUBLISHING, faults=[], out=tmp_path / "with", workers=2)
    before, after = tree(tmp_path / "without"), tree(tmp_path / "with")
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"world.json"}
    added = {(name.split("/")[0], Path(name).name) for name in after.keys() - before.keys()}
    assert added == {
        (on, f"P{number:03d}_{kind}_{month}_60_v1.{ending}")
        for month, days in SENT.items()
        for number, on in enumerate(days, start=1)
        for kind, ending in (("DISCLOSURE", "csv"), ("SEAL", "json"))
    }
    contracts, others = (
        json.loads((tmp_path / name / "world.json").read_text(encoding="utf-8"))["parties"] for name in ("with", "without")
    )
    for contract, other in zip(contracts, others, strict=True):
        assert contract["layouts"].pop("DISCLOSURE", None) == ([LAYOUT] if contract["kind"] == "PLATFORM" else None)
        assert contract == other


def test_the_fault_draws_its_figure_and_changes_no_other(tmp_path: Path) -> None:
    two = replace(PUBLISHING, platforms=2, days=13)
    drawn = set()
    for seed in range(6):
        config, world = replace(two, seed=seed), tmp_path / str(seed)
        simulate(config=config, faults=[], out=world / "sound")
        simulate(config=config, faults=load_faults(FAULTS / "disclosures.yaml"), out=world / "faulty")
        (figure,) = (label for label in labels_of(world / "faulty") if label["kind"] == "disclosure_figure")
        (place,) = figure["keys"]["lines"]
        name = place.removesuffix(":2")
        rows = []
        for side in ("sound", "faulty"):
            (path,) = (world / side).rglob(name)
            parsed = parse_file(load_layout(LAYOUT), name, path.read_bytes(), "utf-8", date(2019, 12, 31), 1, {})
            assert not parsed.faults and not parsed.file_faults and len(parsed.rows) == 1
            rows.append(parsed.rows[0])
        assert {column for column in rows[0] if rows[0][column] != rows[1][column]} == {figure["keys"]["figure"]}
        drawn.add(figure["keys"]["figure"])
        before, after = tree(world / "sound"), tree(world / "faulty")
        gone = {Path(path).name for path in before.keys() - after.keys()}
        assert gone == {"P002_DISCLOSURE_20191231_60_v1.csv", "P002_SEAL_20191231_60_v1.json"}
    assert len(drawn) > 2


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (replace(PUBLISHING, disclosures=False), "disclosure_figure"),
        (replace(PUBLISHING, disclosures=False), "disclosure_missing"),
        (replace(PUBLISHING, days=6), "disclosure_figure"),
        (replace(PUBLISHING, days=12), "disclosure_missing"),
    ],
)
def test_where_nothing_is_published_or_due_there_is_no_place(config: SimulationConfig, kind: str, tmp_path: Path) -> None:
    with pytest.raises(FaultRequestError, match=f"no place for {kind}"):
        simulate(config=config, faults=[FaultRequest(kind, 1)], out=tmp_path / "world")
