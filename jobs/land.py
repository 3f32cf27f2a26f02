"""land: accepted files become typed rows; each bad row is kept with line, field, value and rule.

A file whose header, row count or control totals do not hold is refused whole: none of its rows is landed. Personal data
is split off here and goes to the keyed store only, under a key for each customer (design.md §4.6).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from connectors.bootstrap import Wiring, wire
from custody.calendar import custody_date_of
from custody.digest import canonical_json
from custody.errors import StopRun
from custody.findings import RowFault
from custody.money import parse_amount
from custody.names import FileType
from custody.ports import Row, StoreRow
from custody.services.files import refuse_after_landing
from custody.services.organisations import LIVE
from custody.services.outputs import Seal
from jobs.reference import load_reference
from jobs.step import Step, StepContext
from schemas.delimited import ParsedFile, parse_delimited
from schemas.layout import Layout, load_layout
from schemas.store_keys import CUSTOMER, owner_key

# Below this many bytes in all, starting worker processes costs more than they save.
_POOL_FROM_BYTES = 8_000_000
_EXPECTED = "EXPECTED"


@dataclass(frozen=True)
class _Outcome:
    rows: list[Row]
    rejected: list[Row]
    outcome: Row


def _run(context: StepContext) -> None:
    accepted = context.rows("cut_off", "accepted_files")
    landed: dict[str, list[Row]] = defaultdict(list)
    rejected: list[Row] = []
    outcomes: list[Row] = []
    for file, parsed in _parse_all(context.wiring, accepted):
        result = _judge(file, load_layout(file["layout"]), parsed)
        landed[file["file_type"]] += result.rows
        rejected += result.rejected
        outcomes.append(result.outcome)
    outcomes += [_refused(row) for row in context.rows("cut_off", "refused_files")]
    outcomes += _expected(context, outcomes)
    landed[FileType.CUSTOMER] = _split_off_personal(context, landed[FileType.CUSTOMER])
    for file_type in ("CUSTOMER", "LOAN", "TXN", "CLAIM", "BALANCE", "SETTLEMENT", "INSTRUCTION"):
        context.write(f"land_{file_type.lower()}", landed[file_type])
    context.write("rejected_rows", rejected)
    context.write("file_outcomes", outcomes)


def _parse_all(wiring: Wiring, files: list[Row]) -> list[tuple[Row, ParsedFile]]:
    processes = wiring.settings.land.processes
    if processes == 1 or sum(f["bytes"] for f in files) < _POOL_FROM_BYTES:
        return [(file, _parse(wiring, file)) for file in files]
    home = str(wiring.settings.home)
    with ProcessPoolExecutor(max_workers=processes) as pool:
        return list(zip(files, pool.map(_parse_in_worker, [(home, f) for f in files]), strict=True))


def _parse_in_worker(job: tuple[str, Row]) -> ParsedFile:
    from pathlib import Path

    return _parse(wire(Path(job[0])), job[1])


def _parse(wiring: Wiring, file: Row) -> ParsedFile:
    data = wiring.archive.read(file["archive_ref"])
    totals = json.loads(file["totals"])
    return parse_delimited(load_layout(file["layout"]), file["file_name"], data, file["encoding"], file["rows"], totals)


def _judge(file: Row, layout: Layout, parsed: ParsedFile) -> _Outcome:
    """Split one parsed file into landed rows, rejected rows and its outcome."""
    total = layout.totals[0] if layout.totals else None
    # The trailer is what the seal says, not what we counted: the proof compares the two.
    sealed_minor = parse_amount(json.loads(file["totals"])[total]) if total else 0
    total_column = layout.field(total).column if total else None
    outcome: Row = {
        "party": file["party"],
        "file_type": file["file_type"],
        "custody_date": file["custody_date"],
        "file_name": file["file_name"],
        "sha256": file["sha256"],
        "outcome": "LANDED",
        "rule": None,
        "words_en": None,
        "words_zh": None,
        "figures": "{}",
        "batch": file["batch"],
        "batches": file["batches"],
        "rows": file["rows"],
        "rows_landed": 0,
        "rows_rejected": file["rows"],
        "total_minor": sealed_minor,
        "landed_minor": 0,
        "rejected_minor": sealed_minor,
    }
    if parsed.file_faults:
        first = parsed.file_faults[0]
        english, chinese = first.words
        figures = canonical_json(first.figures)
        outcome |= {"outcome": "REFUSED", "rule": first.rule, "words_en": english, "words_zh": chinese, "figures": figures}
        return _Outcome([], _rejected_rows(file, parsed, parsed.faults), outcome)
    rows: list[Row] = []
    faults = list(parsed.faults)
    rejected_minor = parsed.rejected_totals_minor[total] if total else 0
    for row in parsed.rows:
        event_time = row.get("event_time")
        if event_time is not None and custody_date_of(event_time) > file["custody_date"]:  # type: ignore[arg-type]
            dates: dict[str, object] = {
                "event_date": custody_date_of(event_time).isoformat(),  # type: ignore[arg-type]
                "custody_date": file["custody_date"].isoformat(),
            }
            faults.append(RowFault(int(str(row["line_no"])), "event_time", str(event_time), "other_date", dates))
            rejected_minor += int(str(row[total_column])) if total_column else 0
            continue
        rows.append({**row, **{n: file[n] for n in ("party", "file_name", "custody_date")}})
    landed_minor = sum(r[total_column] for r in rows) if total_column else 0
    if not parsed.totals_complete:
        # An amount that could not be read is in the seal's total and nowhere else: what is left of it was rejected.
        rejected_minor = sealed_minor - landed_minor
    outcome |= {
        "rows_landed": len(rows),
        "rows_rejected": len(parsed.rejected_lines) + len(parsed.rows) - len(rows),
        "landed_minor": landed_minor,
        "rejected_minor": rejected_minor,
    }
    return _Outcome(rows, _rejected_rows(file, parsed, faults), outcome)


def _rejected_rows(file: Row, parsed: ParsedFile, faults: list[RowFault]) -> list[Row]:
    numbers: dict[int, int] = defaultdict(int)
    rows = []
    for fault in faults:
        numbers[fault.line_no] += 1
        english, chinese = fault.words
        rows.append(
            {
                **{n: file[n] for n in ("party", "file_name", "file_type", "custody_date")},
                "line_no": fault.line_no,
                "fault_no": numbers[fault.line_no],
                "field": fault.field,
                "value": fault.value,
                "rule": fault.rule,
                "words_en": english,
                "words_zh": chinese,
                "row_key": parsed.rejected_keys.get(fault.line_no),
                "shown": parsed.rejected_lines.get(fault.line_no, ""),
            }
        )
    return rows


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


def _expected(context: StepContext, outcomes: list[Row]) -> list[Row]:
    """What the contracts of live parties expect for this date, and what earlier dates still lack (LATE_FILE).

    A type is there when as many of its batches have landed as its last one says there are. What has landed of a type that is
    still expected is kept with it: the other batches may come on a later day.
    """
    landed: dict[tuple[str, str, date], dict[int, int | None]] = defaultdict(dict)
    for o in context.rows("land", "file_outcomes", on=context.custody_date - timedelta(days=1)):
        if o["outcome"] == _EXPECTED:
            landed[o["party"], o["file_type"], o["custody_date"]] = dict(json.loads(o["figures"])["landed"])
    for party, body in load_reference(context).parties.items():
        if body["status"] == LIVE:
            for file_type in body["contract"]["file_types"]:
                landed.setdefault((party, file_type, context.custody_date), {})
    for o in outcomes:
        key = o["party"], o["file_type"], o["custody_date"]
        if o["outcome"] == "LANDED" and key in landed:
            landed[key][o["batch"]] = o["batches"]
    return [
        {**_no_rows(*key, "", "", _EXPECTED), "figures": canonical_json({"landed": sorted(batches.items())})}
        for key, batches in sorted(landed.items())
        if not _is_complete(batches)
    ]


def _is_complete(batches: Mapping[int, int | None]) -> bool:
    """``batches``: number of each landed batch -> how many it says there are in all, or None."""
    return any(said is not None and len(batches) >= said for said in batches.values())


def _split_off_personal(context: StepContext, rows: list[Row]) -> list[Row]:
    """Put each customer's personal data into the keyed store and return the rows without it.

    Written before the step's commit and safe to repeat: keys are made once, sealing is deterministic. It is rebuilt
    from the archive, the only other place that has it.
    """
    with context.wiring.register.transaction() as tx:
        later = [row["custody_date"] for row in tx.find("step_output", step="land") if row["custody_date"] > context.custody_date]
    if later and rows:
        raise StopRun(f"{max(later)} has landed: landing {context.custody_date} again would put its older personal data in place")
    secrets = context.wiring.secrets
    personal_fields = [f.name for f in load_layout("platform_customer/1").fields if f.personal]
    # customer id -> party -> what it says. Several parties may know one person, each in its own words.
    said: dict[str, dict[str, str]] = defaultdict(dict)
    bare = []
    for row in rows:
        personal = {name: row[name] for name in personal_fields}
        customer_id = secrets.identity_digest(str(row["id_type"]), str(row["id_no"]))
        body = canonical_json(personal)
        said[customer_id][str(row["party"])] = body
        kept: dict[str, Any] = {k: v for k, v in row.items() if k not in personal}
        digest = secrets.identity_digest("PERSONAL", f"{customer_id}|{body}")
        bare.append({**kept, "customer_id": customer_id, "personal_digest": digest})
    context.wiring.keyed.put_many(CUSTOMER, _customer_rows(context.wiring, said), context.lease.fence)
    return bare


def _customer_rows(wiring: Wiring, said: Mapping[str, Mapping[str, str]]) -> Iterator[StoreRow]:
    """Whole rows, with what parties said on earlier days: the customer's key, and a sealed column for each party."""
    found = dict(wiring.keyed.get_many(CUSTOMER, [owner_key(customer_id) for customer_id in said]))
    for customer_id, by_party in said.items():
        key = owner_key(customer_id)
        columns = found.get(key, {})
        if b"key" in columns:
            wrapped = columns[b"key"]
            data_key = wiring.secrets.unwrap(wrapped)
        else:
            data_key, wrapped = wiring.secrets.new_data_key()
        sealed = {
            b"personal:" + party.encode(): wiring.secrets.seal(data_key, body.encode(), customer_id.encode())
            for party, body in by_party.items()
        }
        yield key, {**columns, b"key": wrapped, **sealed}


def _publish(context: StepContext, seal: Seal) -> None:
    """Tell the register which accepted files landing refused whole: their next version is then no restatement."""
    accepted = {f["file_name"]: f for f in context.rows("cut_off", "accepted_files")}
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


STEP = Step("land", _run, _publish)
