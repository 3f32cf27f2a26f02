"""What a day's files say as a whole: figures of each batch, and how they compare with the usual.

A **batch** is all that one party landed of one file type for one custody date. It is measured class by class (a TXN batch by
``txn_type``), so that a day with other business than yesterday's is not taken for a day with other data: a class is compared
with the same class before. Measuring is Arrow's work over record batches of any size; of the data eight octets a row of one file
type are held at once (jobs.distinct_keys), and what is compared afterwards are a few rows for each batch.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from statistics import median_low
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from custody.calendar import CHINA, custody_date_of
from custody.ports import Row
from jobs.distinct_keys import DistinctKeys
from schemas.expectations import BatchSuite

# Of fewer rows no share and no mean says anything.
FEWEST_ROWS = 20
# Of fewer days nobody knows what is usual. Measured on sound simulated markets, a platform's rows fell to 4 % of the lowest of
# three days before, but never below 27 % of the lowest of five.
FEWEST_DAYS = 5
ALL_BP = 10_000

# (party, file type, custody date)
BatchKey = tuple[str, str, date]
# class -> measure -> value; measures are "rows", "amount" (minor units) and "absent:<column>" (rows without a value)
Classes = dict[str, Counter[str]]
ROWS, AMOUNT, ABSENT = "rows", "amount", "absent:"

_BATCH = ["party", "custody_date"]
_CLASS = "class"
# Partial results of record batches are added up when there are so many rows of them.
_FOLD_FROM = 200_000


@dataclass(frozen=True)
class Usual:
    """What a party's batches of one type were on earlier days of the same kind (business days, or holidays).

    ``rows``: of each custody date that had any. ``classes``: summed over these days.
    """

    rows: dict[date, int] = field(default_factory=dict)
    classes: Classes = field(default_factory=lambda: defaultdict(Counter))


def columns_of(suite: BatchSuite) -> list[str]:
    """The columns of the suite's landed table that are measured."""
    return [*_BATCH, *suite.columns]


def measure(suite: BatchSuite, parts: Iterable[pa.RecordBatch]) -> tuple[dict[BatchKey, Row], dict[BatchKey, Classes]]:
    """Figures of each batch in a landed table, and of each of its classes. ``parts``: record batches of the table, which may
    divide it anywhere and come in any order; other columns than ``columns_of`` are not looked at."""
    aggregates = [([], "count_all"), *_amounts(suite), *_times(suite)]
    aggregates += [(name, "count", pc.CountOptions(mode="only_null")) for name in suite.optional]
    partial: list[pa.Table] = []
    keys = DistinctKeys(suite.key)
    for part in parts:
        table = pa.Table.from_batches([part])
        keys.add(table)
        classes = pc.fill_null(table[suite.by], "") if suite.by else pa.array([""] * table.num_rows, pa.string())
        partial.append(table.append_column(_CLASS, classes).group_by([*_BATCH, _CLASS]).aggregate(aggregates))
        if sum(p.num_rows for p in partial) > _FOLD_FROM:
            partial = [_folded(partial)]
    if not partial:
        return {}, {}
    distinct = keys.counts()
    figures: dict[BatchKey, Row] = {}
    by_class: dict[BatchKey, Classes] = defaultdict(dict)
    for row in _folded(partial).to_pylist():
        key = (row["party"], suite.file_type, row["custody_date"])
        counted = {ROWS: row["count_all"]} | {f"{ABSENT}{name}": row[f"{name}_count"] for name in suite.optional}
        if suite.amount:
            counted[AMOUNT] = row[f"{suite.amount}_sum"]
        by_class[key][row[_CLASS]] = Counter({name: value for name, value in counted.items() if value})
        found = figures.setdefault(key, {"rows": 0, "keys": distinct[row["party"], row["custody_date"]]})
        found["rows"] += row["count_all"]
        for name, of_class, better in _extremes(suite, row):
            known = found.get(name)
            found[name] = of_class if known is None else better(known, of_class)
    return figures, dict(by_class)


def _amounts(suite: BatchSuite) -> list[tuple[Any, ...]]:
    return [(suite.amount, how) for how in ("sum", "min", "max")] if suite.amount else []


def _times(suite: BatchSuite) -> list[tuple[Any, ...]]:
    return [(suite.time, how) for how in ("min", "max")] if suite.time else []


def _extremes(suite: BatchSuite, row: Row) -> Iterator[tuple[str, Any, Callable[[Any, Any], Any]]]:
    if suite.amount:
        yield "amount_min_minor", row[f"{suite.amount}_min"], min
        yield "amount_max_minor", row[f"{suite.amount}_max"], max
    if suite.time:
        yield "first_event", row[f"{suite.time}_min"], min
        yield "last_event", row[f"{suite.time}_max"], max


def _folded(partial: Sequence[pa.Table]) -> pa.Table:
    """Partial results added up; a count and a sum add, the least and the most are chosen."""
    whole = pa.concat_tables(partial)
    keys = [*_BATCH, _CLASS]
    measured = [name for name in whole.column_names if name not in keys]
    how = [(name, name[-3:] if name.endswith(("_min", "_max")) else "sum") for name in measured]
    added = whole.group_by(keys).aggregate(how)
    return added.select([*keys, *(f"{name}_{by}" for name, by in how)]).rename_columns([*keys, *measured])


def statistics(
    suites: Iterable[BatchSuite],
    tables: Callable[[BatchSuite], Iterable[pa.RecordBatch]],
    outcomes: Iterable[Row],
    is_business_day: Callable[[date], bool],
) -> tuple[list[Row], dict[BatchKey, Classes]]:
    """One row for each batch of which a file landed, empty ones too, and the classes of those that have rows.

    ``tables`` gives a suite's landed table in parts. ``outcomes`` are rows of file_outcomes. The rows have all columns of
    ``batch_statistics`` but those that compare with the usual.
    """
    files: dict[BatchKey, Counter[str]] = defaultdict(Counter)
    for outcome in outcomes:
        if outcome["outcome"] == "LANDED":
            counted = files[outcome["party"], outcome["file_type"], outcome["custody_date"]]
            counted.update({"files": 1, "rejected_rows": outcome["rows_rejected"], "total_minor": outcome["landed_minor"]})
    rows: list[Row] = []
    classes: dict[BatchKey, Classes] = {}
    for suite in suites:
        batches = sorted(key for key in files if key[1] == suite.file_type)
        if not batches:
            continue
        figures, by_class = measure(suite, tables(suite))
        classes |= by_class
        rows += [_row(key, files[key], figures.get(key, {"rows": 0, "keys": 0}), is_business_day(key[2])) for key in batches]
    return rows, classes


def _row(key: BatchKey, files: Mapping[str, int], figures: Row, business_day: bool) -> Row:
    party, file_type, on = key
    rejected, first = files["rejected_rows"], figures.get("first_event")
    whole = figures["rows"] + rejected
    return {
        "party": party,
        "file_type": file_type,
        "custody_date": on,
        "business_day": business_day,
        "files": files["files"],
        "rows": figures["rows"],
        "rejected_rows": rejected,
        "rejected_bp": ALL_BP * rejected // whole if whole else 0,
        "total_minor": files["total_minor"],
        "amount_min_minor": figures.get("amount_min_minor"),
        "amount_max_minor": figures.get("amount_max_minor"),
        "keys": figures["keys"],
        "repeated_rows": figures["rows"] - figures["keys"],
        "repeated_bp": ALL_BP * (figures["rows"] - figures["keys"]) // figures["rows"] if figures["rows"] else 0,
        "first_event": first,
        "last_event": figures.get("last_event"),
        "days_back": (on - custody_date_of(first.astimezone(CHINA))).days if first is not None else None,
    }


def against_usual(row: Row, classes: Classes, usual: Usual) -> Row:
    """What of a batch differs from the usual, as columns of ``batch_statistics``; null where nothing can be said.

    ``low_bp``, ``high_bp``: its rows, with ``rows_before`` that an earlier day landed for its date, to those of the quietest and of
    the busiest of the earlier days. ``amount_bp``: its
    amounts to what as many rows of the same classes usually come to. ``mix_bp``: the share of rows that would have to be of another
    class for the usual mix. ``absent_bp``: of the optional column that differs most, the rows (to all rows) that lack a value
    while rows of their class usually have one, or the other way round.
    """
    rows = [count for on, count in usual.rows.items() if on != row["custody_date"]]
    out: Row = dict.fromkeys(
        ("usual_rows", "low_rows", "high_rows", "low_bp", "high_bp", "amount_bp", "mix_bp", "absent_bp", "absent_column")
    )
    out["history_days"] = len(rows)
    if len(rows) < FEWEST_DAYS:
        return out
    low, high, whole = min(rows), max(rows), row["rows"] + row["rows_before"]
    out |= {"usual_rows": median_low(rows), "low_rows": low, "high_rows": high}
    if low >= FEWEST_ROWS:
        out |= {"low_bp": ALL_BP * whole // low, "high_bp": ALL_BP * whole // high}
    if row["rows"] >= FEWEST_ROWS and sum(rows) >= FEWEST_ROWS:
        column, out["absent_bp"] = _absence(classes, usual.classes)
        out |= {
            "absent_column": column,
            "amount_bp": _amount_bp(classes, usual.classes),
            "mix_bp": _mix_bp(classes, usual.classes),
        }
    return out


def _amount_bp(classes: Classes, usual: Classes) -> int | None:
    """Over classes that are not new; null when they have too few rows, or usually move nothing."""
    shared = [name for name in classes if name in usual]
    expected = sum(classes[name][ROWS] * usual[name][AMOUNT] // usual[name][ROWS] for name in shared)
    if sum(classes[name][ROWS] for name in shared) < FEWEST_ROWS or expected <= 0:
        return None
    return ALL_BP * sum(classes[name][AMOUNT] for name in shared) // expected


def _mix_bp(classes: Classes, usual: Classes) -> int:
    """Half the sum of the differences of shares, rounded down."""
    ours, theirs = (sum(c[ROWS] for c in of.values()) for of in (classes, usual))
    apart = sum(
        abs(classes.get(name, Counter())[ROWS] * theirs - usual.get(name, Counter())[ROWS] * ours) for name in {*classes, *usual}
    )
    return ALL_BP * apart // (2 * ours * theirs)


def _absence(classes: Classes, usual: Classes) -> tuple[str | None, int]:
    """(the column that differs most, by how much of all rows); the first by name among equals, none where none differs."""
    shared = [name for name in classes if name in usual]
    rows = sum(c[ROWS] for c in classes.values())
    measures = {m for name in shared for of in (classes, usual) for m in of[name] if m.startswith(ABSENT)}
    apart = {
        m: sum(abs(classes[n][m] - classes[n][ROWS] * usual[n][m] // usual[n][ROWS]) for n in shared) for m in sorted(measures)
    }
    worst = max(apart, key=lambda m: apart[m], default=None)
    if worst is None or not apart[worst]:
        return None, 0
    return worst.removeprefix(ABSENT), ALL_BP * apart[worst] // rows
