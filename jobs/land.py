"""land: accepted files become typed rows; each bad row is kept with line, field, value and rule.

A file whose header, row count or control totals do not hold is refused whole: none of its rows is landed. Personal data
is split off here and goes to the keyed store only, under a key for each customer (design.md §4.6). How a file becomes rows
is jobs.land_files'; here rows of all parties come together, one table for each type.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from connectors.bootstrap import Wiring
from connectors.laid_by import Pile, Shelf
from connectors.lake import Part, StepWriter, conform
from custody.adjustments import decided_adjustments
from custody.calendar import SettlementCalendar
from custody.customer_decisions import aliases_of, decided_rows, merged_today
from custody.digest import canonical_json
from custody.disclosure import month_before
from custody.file_schedule import is_due_with, terms_of
from custody.names import MONTHLY, FileType
from custody.party_status import PartyStatus, is_awaited
from custody.ports import Row
from custody.services.absent_files import GIVE_UP
from custody.services.landing_results import put_back, refuse_after_landing
from custody.services.outputs import Seal
from custody.watch_list import carried
from jobs.land_files import Landed, Task, land_files, table_name, tasks_of
from jobs.land_persons import KeptPersons, NoPersons, Persons
from jobs.post.scratch import scratch
from jobs.reference import load_reference
from jobs.step import Step, StepContext
from jobs.workers import in_order
from schemas.tables import TABLES

# Below this many bytes in all, starting worker processes costs more than they save.
_POOL_FROM_BYTES = 48_000_000
_REJECTED_ROWS = 65_536
# Of this run alone, beside those of the steps that come after.
_FOLDER = "landing"
# AWAITED: not due yet by the contract's schedule.
_EXPECTED, _AWAITED, _GIVEN_UP = "EXPECTED", "AWAITED", "GIVEN_UP"


def _run(context: StepContext) -> None:
    _land(context, KeptPersons(context))


def _land(context: StepContext, persons: Persons) -> None:
    assert context.writer is not None
    accepted = context.rows("cut_off", "accepted_files")
    reference = load_reference(context)
    parties = reference.parties
    # A table of a type that nobody sent is there all the same.
    for file_type in FileType:
        if table_name(file_type) in TABLES:
            context.writer.declare(table_name(file_type))
    decisions = context.rows("cut_off", "decisions")
    merged = merged_today(decisions, context.custody_date)
    merged_before = context.rows("land", "customer_aliases", on=context.custody_date - timedelta(days=1))
    aliases = aliases_of(merged_before + merged)
    decided = decided_rows(decisions, context.custody_date, aliases)
    outcomes: list[Row] = []
    with scratch(context.wiring.settings.path(context.wiring.settings.post.scratch) / _FOLDER) as folder:
        rejected = _Rejected(folder)
        tasks = list(tasks_of(accepted, lambda party, on: reference.contract_on(party, on)["dialect"], aliases, folder))
        with closing(_land_all(context.wiring, tasks)) as answers:
            for landed in answers:
                for said in landed.said:
                    persons.keep(said)
                for part in landed.parts:
                    context.writer.part(part)
                rejected.add(landed.rejected)
                outcomes += landed.outcomes
        rejected.write(context.writer)
    persons.take_up(decided)
    persons.move(merged)
    outcomes += [_refused(row) for row in context.rows("cut_off", "refused_files")]
    outcomes += _expected(context, parties, outcomes, reference.calendar)
    context.write("file_outcomes", outcomes)
    context.write("decided_customers", decided)
    context.write("decided_adjustments", decided_adjustments(decisions, context.custody_date))
    context.write("customer_aliases", merged_before + merged)
    context.write("watched", _watched(context, decisions, aliases))
    context.write("superseded_files", _superseded(context, outcomes))


def _watched(context: StepContext, decisions: Iterable[Row], aliases: Mapping[str, str]) -> list[Row]:
    today = context.custody_date
    return carried(context.rows("land", "watched", on=today - timedelta(days=1)), decisions, today, aliases)


class _Rejected:
    """Rejected rows of all files: they come type by type, and stand in the table in the order of files' names."""

    def __init__(self, folder: Path) -> None:
        self._pile: Pile[pa.Table] = Pile(Shelf(folder))
        self._of_file: dict[str, list[int]] = defaultdict(list)

    def add(self, tables: Iterable[pa.Table]) -> None:
        for table in tables:
            self._of_file[table["file_name"][0].as_py()].append(len(self._pile))
            self._pile.append(table)

    def write(self, writer: StepWriter) -> None:
        spec = TABLES["rejected_rows"]
        writer.declare(spec.name)
        held: list[pa.Table] = []
        for _, numbers in sorted(self._of_file.items()):
            for number in numbers:
                held.append(self._pile[number])
                if sum(table.num_rows for table in held) >= _REJECTED_ROWS:
                    writer.part(Part.of(spec, conform(spec, pa.concat_tables(held))))
                    held = []
        if held:
            writer.part(Part.of(spec, conform(spec, pa.concat_tables(held))))


def _land_all(wiring: Wiring, tasks: list[Task]) -> Generator[Landed]:
    processes = min(wiring.settings.land.processes, len(tasks))
    if processes < 2 or sum(file["bytes"] for task in tasks for file in task.files) < _POOL_FROM_BYTES:
        return (land_files(wiring, task) for task in tasks)
    return in_order(wiring.settings.home, land_files, tasks, processes)


def _no_rows(party: str, file_type: str, custody_date: date, file_name: str, sha256: str, outcome: str) -> Row:
    zeros = ("rows", "rows_landed", "rows_rejected", "total_minor", "landed_minor", "rejected_minor")
    return {
        "party": party,
        "file_type": file_type,
        "custody_date": custody_date,
        "file_name": file_name,
        "sha256": sha256,
        "outcome": outcome,
        "rule": None,
        "words_en": None,
        "words_zh": None,
        "figures": "{}",
        "batch": 0,
        "batches": None,
        **dict.fromkeys(zeros, 0),
    }


def _refused(file: Row) -> Row:
    """A file that intake refused: none of its rows is an accepted input row, so it counts none."""
    row = _no_rows(file["party"], file["file_type"], file["custody_date"], file["file_name"], file["sha256"], "REFUSED")
    return {**row, "rule": file["rule"], "words_en": file["words_en"], "words_zh": file["words_zh"]}


def _superseded(context: StepContext, outcomes: list[Row]) -> list[Row]:
    """A version is withdrawn once the file that two people put in its place has landed; it never comes back."""
    landed = {o["file_name"] for o in outcomes if o["outcome"] == "LANDED"}
    today = context.custody_date
    return context.rows("land", "superseded_files", on=today - timedelta(days=1)) + [
        {n: r[n] for n in ("party", "file_type", "custody_date", "landed_on")}
        | {"file_name": r["replaces"], "replaced_by": r["file_name"], "superseded_on": today}
        for r in context.rows("cut_off", "restated_files")
        if r["file_name"] in landed
    ]


def _expected(
    context: StepContext, parties: Mapping[str, Mapping[str, Any]], outcomes: list[Row], calendar: SettlementCalendar
) -> list[Row]:
    """What the contracts of parties expect that are not closed for this date, and what earlier dates still lack (LATE_FILE).

    A type is there when as many of its batches have landed as its last one says there are. What has landed of a type that is
    still expected is kept with it: the other batches may come on a later day. What two people gave up is not expected any more.
    """
    month = month_before(context.custody_date)
    landed: dict[tuple[str, str, date], dict[int, int | None]] = defaultdict(dict)
    before = context.rows("land", "file_outcomes", on=context.custody_date - timedelta(days=1))
    for o in before:
        # Of one that is closed nothing is awaited any more.
        is_closed = parties.get(o["party"], {}).get("status") == PartyStatus.CLOSED
        if o["outcome"] in (_EXPECTED, _AWAITED) and not is_closed:
            landed[o["party"], o["file_type"], o["custody_date"]] = dict(json.loads(o["figures"])["landed"])
    for party, body in parties.items():
        if is_awaited(body["kind"], body["status"]):
            for file_type in body["contract"]["file_types"]:
                if terms_of(body["contract"], file_type).has(context.custody_date, calendar):
                    landed.setdefault((party, file_type, context.custody_date), {})
            if context.custody_date.day == 1 and month >= context.wiring.settings.instance.go_live:
                for file_type in MONTHLY & set(body["contract"]["layouts"]):
                    landed.setdefault((party, file_type, month), {})
    # A monthly file may come on its own date, the day before it is waited for.
    early = [o for o in before if o["file_type"] in MONTHLY and o["custody_date"] == month]
    for o in (*early, *outcomes):
        key = o["party"], o["file_type"], o["custody_date"]
        if o["outcome"] == "LANDED" and key in landed:
            landed[key][o["batch"]] = o["batches"]
    given_up = {
        (p["party"], p["file_type"], date.fromisoformat(p["custody_date"]))
        for p in (json.loads(d["payload"]) for d in context.rows("cut_off", "decisions") if _is_given_up(d))
    }
    return [
        {
            **_no_rows(
                *key, "", "", _GIVEN_UP if key in given_up else _still(parties[key[0]], key, context.custody_date, calendar)
            ),
            "figures": canonical_json({"landed": sorted(batches.items())}),
        }
        for key, batches in sorted(landed.items())
        if not _is_complete(batches)
    ]


def _still(party: Mapping[str, Any], key: tuple[str, str, date], today: date, calendar: SettlementCalendar) -> str:
    """By the contract as it is today: what is not due when the day is cut off is no late file."""
    _, file_type, custody_date = key
    return _EXPECTED if is_due_with(party["contract"], file_type, custody_date, today, calendar) else _AWAITED


def _is_given_up(decision: Row) -> bool:
    return (decision["kind"], decision["outcome"]) == (GIVE_UP.kind, "APPROVED")


def _is_complete(batches: Mapping[int, int | None]) -> bool:
    """``batches``: number of each landed batch -> how many it says there are in all, or None."""
    return any(said is not None and len(batches) >= said for said in batches.values())


def _publish(context: StepContext, seal: Seal) -> None:
    """Tell the register which accepted files landing refused whole: their next version is then no restatement."""
    accepted = {f["file_name"]: f for f in context.rows("cut_off", "accepted_files")}
    replaced = {r["file_name"]: r["replaces"] for r in context.rows("cut_off", "restated_files")}
    at = context.wiring.clock.now().isoformat(timespec="microseconds")
    outcomes = context.wiring.lake.rows(seal.path, "file_outcomes")
    with context.wiring.register.transaction() as tx:
        context.lease.check(tx)
        for outcome in outcomes:
            file = accepted.get(outcome["file_name"])
            if outcome["outcome"] == "REFUSED" and file is not None and file["sha256"] == outcome["sha256"]:
                row = tx.get("file", file_name=file["file_name"], sha256=file["sha256"])
                if row is not None and row["state"] == "SUPERSEDED":
                    continue  # two people put a newer version in its place meanwhile
                figures = json.loads(outcome["figures"])
                refuse_after_landing(tx, at, file["file_name"], file["sha256"], outcome["rule"], figures)
                if file["file_name"] in replaced:
                    put_back(tx, at, replaced[file["file_name"]])


STEP = Step("land", _run, _publish)
# The same tables, and nothing kept of the persons nor told to the register: a replay's.
WITHOUT_PERSONAL = Step("land", lambda context: _land(context, NoPersons()))
