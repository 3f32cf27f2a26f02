"""The golden files: written field by field by a script of their own, not by the engine that they test."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from schemas.layout import Layout, all_layouts, load_layout
from schemas.layout_file import ParsedFile, parse_file

SAMPLES = Path(__file__).parent / "samples"
# A file of New Year's Day: its December rows are of the year before.
FILE_DATE = date(2020, 1, 1)
ROWS = 12
# layout -> (party, dialect parameters of its contract)
CONTRACTS: dict[str, tuple[str, dict[str, Any]]] = {
    "unionpay_zm/1": ("CH01", {"merchants": {"898310000000001": "P001", "898310000000002": "P002"}}),
    "baofoo_fi/1": ("CH02", {"merchants": {"100001": "P001", "100002": "P002"}}),
    "baofoo_fo/1": ("CH02", {"merchants": {"100001": "P001", "100002": "P002"}}),
    "wechat_all/1": ("CH03", {"merchants": {"1230000109": "P001", "1230000110": "P002"}}),
}


def sample_path(layout: Layout) -> Path | None:
    found = [path for path in SAMPLES.glob(f"{layout.name}_v{layout.version}.*") if not path.name.endswith(".landed.json")]
    return found[0] if found else None


DIALECTS = sorted(layout.id for layout in all_layouts().values() if sample_path(layout) is not None)


def sample(layout_id: str) -> bytes:
    path = sample_path(load_layout(layout_id))
    assert path is not None
    return path.read_bytes()


def read(layout_id: str, data: bytes | None = None) -> ParsedFile:
    layout = load_layout(layout_id)
    return parse_file(layout, "F", sample(layout_id) if data is None else data, layout.encodings[0], FILE_DATE)


def landed(layout_id: str) -> list[dict[str, Any]]:
    layout = load_layout(layout_id)
    rows: list[dict[str, Any]] = json.loads(
        (SAMPLES / f"{layout.name}_v{layout.version}.landed.json").read_text(encoding="utf-8")
    )
    return rows


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row as JSON has it, without its line."""
    return {k: v.isoformat() if isinstance(v, date) else v for k, v in row.items() if k != "line_no"}
