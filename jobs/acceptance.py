"""A sample file through landing itself: the same code that a custody day lands with, and nothing is kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.bootstrap import Wiring
from custody.ports import Row
from custody.services.acceptance import Fault, ReadSample, SampleRead
from jobs.cut_off import as_landed
from jobs.land_files import Task, land_files


def sample_reader(wiring: Wiring) -> ReadSample:
    """For custody.services.acceptance."""

    def read(file: Row, dialect: Mapping[str, Any]) -> SampleRead:
        taken = as_landed(file)
        key = (taken["party"], taken["custody_date"])
        done = land_files(wiring, Task(taken["file_type"], (taken,), {key: dialect}, {}))
        (outcome,) = done.outcomes
        faults = [
            Fault(row["line_no"], row["field"], row["value"], row["rule"], (row["words_en"], row["words_zh"]))
            for table in done.rejected
            for row in table.to_pylist()
        ]
        if outcome["rule"] is not None:
            faults.insert(0, Fault(0, "", "", outcome["rule"], (outcome["words_en"], outcome["words_zh"])))
        return SampleRead(outcome["rows_landed"], outcome["rows_rejected"], faults)

    return read
