"""Which files of which dates have landed whole, and their rows, on whatever days they came."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from custody.calendar import dates
from custody.ports import Row
from jobs.step import StepContext


def landed_today(outcomes: Iterable[Row], file_types: frozenset[str]) -> dict[tuple[str, str], set[date]]:
    """(party, file type) -> the custody dates of which something landed today."""
    found: dict[tuple[str, str], set[date]] = {}
    for o in outcomes:
        if o["outcome"] == "LANDED" and o["file_type"] in file_types:
            found.setdefault((o["party"], o["file_type"]), set()).add(o["custody_date"])
    return found


def landed_since(context: StepContext, first: date) -> frozenset[tuple[str, str, date]]:
    """(party, file type, custody date) of which something landed from ``first`` to today."""
    days = list(dates(first, (context.custody_date - first).days + 1))
    rows = (o for day in days for o in context.rows("land", "file_outcomes", on=day))
    return frozenset((o["party"], o["file_type"], o["custody_date"]) for o in rows if o["outcome"] == "LANDED")


def rows_of(context: StepContext, spark: SparkSession, table: str, wanted: Iterable[date]) -> DataFrame:
    """The rows of these custody dates, whichever day up to today they landed on, but those of versions that a restatement withdrew."""
    of = sorted(set(wanted))
    gone = [r["file_name"] for r in context.rows("land", "superseded_files") if r["custody_date"] in of]
    frame: DataFrame | None = None
    for day in dates(of[0], (context.custody_date - of[0]).days + 1):
        seal = context.seal("land", on=day)
        if seal is None:
            continue
        part = spark.read.parquet(context.wiring.lake.parquet(seal.path, table)).where(F.col("custody_date").isin(of))
        part = part.where(~F.col("file_name").isin(gone)) if gone else part
        frame = part if frame is None else frame.unionByName(part)
    assert frame is not None  # today's own landing is always an input
    return frame


def pieces_of(context: StepContext, table: str, wanted: Iterable[date], columns: Sequence[str]) -> Iterator[pa.Table]:
    """The same, these columns of them, without the engine: in pieces of bounded size, texts as dictionaries. ``columns``: custody_date
    is one."""
    of = sorted(set(wanted))
    gone = pa.array([r["file_name"] for r in context.rows("land", "superseded_files") if r["custody_date"] in of], pa.string())
    in_question = pa.array(of, pa.date32())
    asked = [*columns, "file_name"] if len(gone) and "file_name" not in columns else columns
    for day in dates(of[0], (context.custody_date - of[0]).days + 1):
        seal = context.seal("land", on=day)
        within = {"custody_date": (of[0], of[-1])}
        for piece in context.wiring.lake.pieces(seal.path, table, within, asked, coded=True) if seal else ():
            ends = pc.min_max(piece["custody_date"])
            # What lies together is mostly of one date.
            if ends["min"] == ends["max"]:
                kept = piece if ends["min"].as_py() in of else piece.slice(0, 0)
            else:
                kept = piece.filter(pc.is_in(piece["custody_date"], in_question))
            yield kept.filter(pc.invert(pc.is_in(kept["file_name"].cast(pa.string()), gone))) if len(gone) else kept


def day_before(day: date) -> date:
    return day - timedelta(days=1)
