"""How a case ended, in the words of its ``closed_by``: what ended it, and where that stands."""

from __future__ import annotations

from collections.abc import Sequence

from custody.case_life import NO_LONGER_FOUND

# By decision of two people; by the adjusting entry that they approved; because they wait for a file no longer; by a row (file:line) that came; by a file that came; because the
# file it came from was restated.
DECISION, ADJUSTMENT, GIVEN_UP, ROW, FILE, RESTATED = "decision", "adjustment", "given_up", "row", "file", "restated"
_SHOWN = 3


def closed_by(how: str, refs: Sequence[str], in_all: int) -> str:
    """One line; of many rows the first few, and how many more there are. Figures that agree again need no row to say so."""
    if not refs:
        return NO_LONGER_FOUND
    more = in_all - len(refs[:_SHOWN])
    return f"{how} {', '.join(refs[:_SHOWN])}" + (f" +{more}" if more else "")
