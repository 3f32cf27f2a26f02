"""A channel's file in its own dialect lands as SETTLEMENT rows, by its contract's parameters, through the same door as ours."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from land_kit import accepted, new_home

from connectors.bootstrap import wire
from jobs.land_files import land_files, tasks_of
from schemas import layout_file
from schemas.layout import load_layout
from schemas.layout_file import control_totals, parse_file

sys.path.insert(0, str(Path(__file__).parents[1] / "layouts"))

from dialects_kit import CONTRACTS, FILE_DATE, sample


@pytest.mark.parametrize("layout_id", sorted(CONTRACTS))
def test_a_dialects_sample_lands_whole_and_only_under_its_contract(
    layout_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wiring = wire(new_home(tmp_path / "home"))
    layout, data = load_layout(layout_id), sample(layout_id)
    party, dialect = CONTRACTS[layout_id]
    encoding = layout.encodings[0]
    sent = parse_file(layout, "sample", data, encoding, FILE_DATE)
    seal = {"rows": sent.rows_seen, "totals": json.dumps(control_totals(layout, sent.rows)), "custody_date": FILE_DATE}
    file = accepted(wiring, party, data, "SETTLEMENT", layout_id, encoding=encoding, **seal)
    (task,) = tasks_of([file], lambda *_: dialect, {})
    landed = land_files(wiring, task)
    (outcome,) = landed.outcomes
    assert (outcome["outcome"], outcome["rows_landed"], outcome["rows_rejected"]) == ("LANDED", sent.rows_seen, 0)
    assert outcome["landed_minor"] == outcome["total_minor"] > 0
    assert sum(part.rows for part in landed.parts) == sent.rows_seen

    # In blocks of a few rows the same.
    monkeypatch.setattr(layout_file, "ROWS_AT_ONCE", 5)
    in_blocks = land_files(wiring, task)
    assert in_blocks.outcomes == landed.outcomes
    assert [part.hashes for part in in_blocks.parts] == [part.hashes for part in landed.parts]

    # Under a contract that names no merchant each row is rejected, and none is lost.
    (task,) = tasks_of([file], lambda *_: {"merchants": {}}, {})
    refused = land_files(wiring, task)
    assert (refused.outcomes[0]["rows_landed"], refused.outcomes[0]["rows_rejected"]) == (0, sent.rows_seen)
    assert {row["line_no"] for table in refused.rejected for row in table.to_pylist()} == {r["line_no"] for r in sent.rows}
    wiring.close()
