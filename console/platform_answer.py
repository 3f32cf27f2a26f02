"""Plays a platform that confirms: it reads the result that the bank wrote for yesterday and answers it with a CONFIRMATION, as the
world says that it will (answers.json): it agrees, disputes, or is silent."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path

from custody.confirmations import WHOLE, State
from custody.names import FileType
from schemas.exchange import ExchangeName, Seal, SealedFile, sha256_hex
from schemas.fast_writer import write_columns
from schemas.layout import load_layout

_LAYOUT = "platform_confirmation/1"
# Apart from the batches in which a platform reports its day.
_BATCH = 50
SILENT = "SILENT"
MAX_RESULT_BYTES = 64 * 1024 * 1024


def result_of_yesterday(party: str, delivered: Iterable[str], today: date) -> str | None:
    """Of the names in the platform's out/, the newest version of yesterday's RECON_RESULT."""
    stem = str(ExchangeName(party, FileType.RECON_RESULT, today - timedelta(days=1), 1, 1)).removesuffix("1.csv")
    found = [name for name in delivered if name.startswith(stem) and name.endswith(".json")]
    return max(found, key=lambda name: (len(name), name), default=None)


def answers_in(world: Path) -> Mapping[str, str]:
    """By name of a result, SILENT or DISPUTED; the platforms of the world agree with every other. Of a world that was made before it
    said so, with all."""
    path = world / "answers.json"
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found


def answer(
    party: str, encoding: str, today: date, result: str, how: str, read: Callable[[str], bytes]
) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """What the platform sends, as ``confirmation`` gives it; nothing when it is silent. ``read``: a file that the bank sent to it."""
    if how == SILENT:
        return {}, {}
    content = read(result)
    if how == State.DISPUTED:
        rows = csv.DictReader(read(json.loads(content)["rows_file"]).decode("utf-8-sig").splitlines())
        row = next((f"{row['file_name']}:{row['line_no']}" for row in rows if row["verdict"] == "BREAK"), WHOLE)
        return confirmation(party, encoding, today, result, content, State.DISPUTED, row)
    return confirmation(party, encoding, today, result, content)


def confirmation(
    party: str, encoding: str, today: date, result: str, content: bytes, verdict: str = State.AGREED, row: str = WHOLE
) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """({file name: bytes}, {seal name: bytes}) that speak of the result as a whole, or of one row of the platform's own.
    ``content``: the result's own bytes."""
    said = {"result": result, "seal": json.loads(content)["seal"], "row": row, "verdict": str(verdict), "remark": None}
    written = write_columns(load_layout(_LAYOUT), [said], encoding, today)
    name = ExchangeName(party, FileType.CONFIRMATION, today, _BATCH, 1)
    entry = SealedFile(
        name=str(name),
        layout=_LAYOUT,
        encoding=encoding,
        bytes=len(written.data),
        rows=written.rows,
        sha256=sha256_hex(written.data),
        totals=written.totals,
        batches=1,
    )
    seal = Seal(party=party, custody_date=today.isoformat(), batch=_BATCH, version=1, files=[entry])
    seal_name = str(ExchangeName(party, "SEAL", today, _BATCH, 1))
    return {str(name): written.data}, {seal_name: seal.to_bytes()}
