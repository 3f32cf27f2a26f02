"""validate: each batch's figures against its suite and against the usual; the third ring after bytes and rows.

The usual is what earlier days sealed: at most ten of the same kind (business days, holidays), without batches that failed then.
So a failed day does not become the measure of the next; and when a party's business really has changed, its history runs out
after ten such days, nothing is judged for five, and the new level is the usual. A finding stops nothing and drops nothing:
``fail`` says that the party's batch is not to be trusted, and warns operations.

The suites are Great Expectations' (``custody expect --docs`` lets it read them); here their ranges are applied directly, because
importing it takes several seconds in each day's process. A property test holds the two together.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from custody.calendar import SettlementCalendar
from custody.money import format_amount
from custody.ports import Row
from custody.services.access import SYSTEM
from custody.services.alerts import raise_alert
from custody.services.outputs import Seal
from custody.texts import text
from jobs.batch_statistics import BatchKey, Classes, Usual, against_usual, columns_of, statistics
from jobs.reference import load_reference
from jobs.step import Step, StepContext
from schemas.expectations import BatchExpectation, BatchSuite, batch_suites

FAIL = "fail"
# Days of each kind that make the usual.
_DAYS = 10
# (party, file type, whether a business day)
_Kind = tuple[str, str, bool]


def _run(context: StepContext) -> None:
    calendar = load_reference(context).calendar

    def parts(suite: BatchSuite) -> Iterator[pa.RecordBatch]:
        land = context.seal("land")
        assert land is not None
        for piece in context.wiring.lake.pieces(land.path, suite.table, {}, columns_of(suite)):
            yield from piece.to_batches()

    outcomes = context.rows("land", "file_outcomes")
    rows, classes = statistics(batch_suites(), parts, outcomes, calendar.is_business_day)
    usual, before = _history(context, calendar)
    nothing = Usual()
    for row in rows:
        row["rows_before"] = before[_key(row)]
        row |= against_usual(row, classes.get(_key(row), {}), usual.get(_kind(row), nothing))
    context.write("batch_statistics", rows)
    context.write("batch_classes", list(_class_rows(rows, classes)))
    context.write("batch_findings", findings(rows))


def _key(row: Row) -> BatchKey:
    return row["party"], row["file_type"], row["custody_date"]


def _class_rows(rows: Iterable[Row], classes: Mapping[BatchKey, Classes]) -> Iterator[Row]:
    for row in rows:
        of = {name: row[name] for name in ("party", "file_type", "custody_date", "business_day")}
        for name, measured in classes.get(_key(row), {}).items():
            for measure, value in measured.items():
                yield {**of, "class": name, "measure": measure, "value": value}


def findings(rows: Sequence[Row]) -> list[Row]:
    """What of ``batch_statistics`` lies outside its suite's ranges: the gravest of each rule, for each batch."""
    found: dict[tuple[object, ...], Row] = {}
    for suite in batch_suites():
        # The gravest last, to take the milder one's place.
        for expectation in sorted(suite.expectations, key=lambda e: e.severity == FAIL):
            for row in rows:
                if row["file_type"] == suite.file_type and not expectation.is_met_by(row[expectation.column]):
                    found[(*_key(row), expectation.rule)] = _finding(row, expectation)
    return list(found.values())


def _finding(row: Row, expectation: BatchExpectation) -> Row:
    english, chinese = text(expectation.rule, {name: _shown(name, value) for name, value in row.items()})
    return {
        **{name: row[name] for name in ("party", "file_type", "custody_date")},
        "rule": expectation.rule,
        "severity": expectation.severity,
        "measure": expectation.column,
        "observed": row[expectation.column],
        "expected": expectation.expected,
        "words_en": english,
        "words_zh": chinese,
    }


def _shown(name: str, value: object) -> object:
    if isinstance(value, int) and name.endswith("_bp"):
        return f"{value // 100}.{value % 100:02d} %"
    return format_amount(value) if isinstance(value, int) and name.endswith("_minor") else value


def _history(context: StepContext, calendar: SettlementCalendar) -> tuple[dict[_Kind, Usual], Counter[BatchKey]]:
    """What is usual, and the rows that earlier days landed for each batch, from the latest days of either kind; each day's classes
    are added up before the next is read."""
    usual: dict[_Kind, Usual] = defaultdict(Usual)
    before: Counter[BatchKey] = Counter()
    pooled: pa.Table | None = None
    for seal in _latest(context.seals_of("validate"), calendar):
        read = context.wiring.lake.read
        failed = (
            read(seal.path, "batch_findings").filter(pc.field("severity") == FAIL).select(_BATCH).group_by(_BATCH).aggregate([])
        )
        batches = read(seal.path, "batch_statistics").filter(pc.field("rows") > 0).select(["rows", "business_day", *_BATCH])
        for row in batches.to_pylist():
            before[_key(row)] += row["rows"]
        for row in batches.join(failed, _BATCH, join_type="left anti").to_pylist():
            days = usual[_kind(row)].rows
            days[row["custody_date"]] = days.get(row["custody_date"], 0) + row["rows"]
        classes = read(seal.path, "batch_classes").join(failed, _BATCH, join_type="left anti").select([*_CLASS, "value"])
        whole = classes if pooled is None else pa.concat_tables([pooled, classes])
        pooled = whole.group_by(_CLASS).aggregate([("value", "sum")]).rename_columns([*_CLASS, "value"])
    for row in pooled.to_pylist() if pooled is not None else []:
        usual[_kind(row)].classes.setdefault(row["class"], Counter())[row["measure"]] = row["value"]
    return usual, before


_BATCH = ["party", "file_type", "custody_date"]
_KIND = ["party", "file_type", "business_day"]
_CLASS = [*_KIND, "class", "measure"]


def _kind(row: Row) -> _Kind:
    return row["party"], row["file_type"], row["business_day"]


def _latest(seals: Sequence[Seal], calendar: SettlementCalendar) -> list[Seal]:
    """The last days of each kind, oldest first."""
    by_kind: dict[bool, list[Seal]] = {True: [], False: []}
    for seal in seals:
        by_kind[calendar.is_business_day(seal.custody_date)].append(seal)
    return sorted((seal for of in by_kind.values() for seal in of[-_DAYS:]), key=lambda seal: seal.custody_date)


def _publish(context: StepContext, seal: Seal) -> None:
    """One alert for each batch that failed, whatever it failed in; raised again it is the same one."""
    told: dict[BatchKey, list[Row]] = defaultdict(list)
    for row in context.wiring.lake.rows(seal.path, "batch_findings"):
        if row["severity"] == FAIL:
            told[_key(row)].append(row)
    for (party, file_type, on), rows in sorted(told.items()):
        english, chinese = ("; ".join(row[name] for row in rows) for name in ("words_en", "words_zh"))
        raise_alert(
            context.wiring.register, SYSTEM, "BATCH_FAILED", _subject(party, file_type, on), seal.custody_date,
            f"{file_type} of {party} for {on} is not to be trusted: {english}",
            f"{party} {on} 的 {file_type} 批次不可信：{chinese}",
        )  # fmt: skip


def _subject(party: str, file_type: str, on: date) -> str:
    return f"{party}|{file_type}|{on}"


STEP = Step("validate", _run, _publish)
