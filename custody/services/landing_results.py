"""What a day's landing tells the register of files: that a file which was in force is unusable as a whole. Repeating is harmless."""

from __future__ import annotations

from collections.abc import Mapping

from custody.digest import canonical_json
from custody.errors import UsageError
from custody.file_life import ACCEPTED, IN_FORCE, LATE, REFUSED, SUPERSEDED
from custody.ports import RegisterTx
from custody.services.access import SYSTEM
from custody.services.file_moves import Happening, move_content
from custody.services.promises import hold_against


def refuse_after_landing(tx: RegisterTx, at: str, file_name: str, sha256: str, rule: str, figures: Mapping[str, object]) -> None:
    """Its next version is then no restatement, and the promise that it kept is open again.

    ``at`` is the time of the event as text. Raises UsageError when the file is not in force.
    """
    row = tx.get("file", file_name=file_name, sha256=sha256)
    if row is not None and row["state"] == REFUSED and row["rule"] == rule:
        return
    if row is None or row["state"] not in IN_FORCE:
        raise UsageError(f"{file_name} with SHA-256 {sha256} is not in force")
    of = Happening(SYSTEM, at, row["seal_name"])
    move_content(tx, of, row, REFUSED, rule, figures, {"rule": rule, "figures": canonical_json(dict(figures))})
    hold_against(tx, of, row["party"], row["custody_date"])


def put_back(tx: RegisterTx, at: str, file_name: str) -> None:
    """Landing refused the version that had taken this one's place: it is in force again."""
    row = tx.get("file", file_name=file_name, state=SUPERSEDED)
    if row is not None:
        of = Happening(SYSTEM, at)
        move_content(tx, of, row, LATE if row["cut_off_date"] > row["custody_date"] else ACCEPTED, "put_back", {}, {})
        hold_against(tx, of, row["party"], row["custody_date"])
