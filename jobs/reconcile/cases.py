"""Cases in the register: a projection of the sealed ``breaks``, beside what people decided about them.

A case is opened when its break first appears, aged while it stays, and closed by the day that no longer has it. It can be
rebuilt from the lake by replaying the days in order; its identity never changes.
"""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from custody.case_life import NO_LONGER_FOUND, OPEN, CaseEvent, Change, closed, found
from custody.closings import closed_by
from custody.confirmations import WHOLE, State
from custody.ports import RegisterTx, Row
from custody.services.access import SYSTEM
from custody.services.case_history import adjusted_in, history_of, record, record_all
from custody.services.outputs import Seal
from jobs.reconcile.adjustments import adjusting_legs
from jobs.reference import load_reference
from jobs.step import StepContext

_ASKED_AT_ONCE = 1_000


def publish_cases(context: StepContext, seal: Seal) -> None:
    breaks = context.wiring.lake.rows(seal.path, "breaks")
    reference, on = load_reference(context), seal.custody_date
    at = context.wiring.clock.now().isoformat(timespec="microseconds")

    adjusted = adjusting_legs(context)
    with context.wiring.register.transaction() as tx:
        context.lease.check(tx)
        open_cases = {case["case_id"]: case for case in tx.find("recon_case", state=OPEN)}
        for leg in adjusted:
            _tell_adjustment(tx, at, leg, on)
        known = open_cases | _known(tx, [row["case_id"] for row in breaks if row["case_id"] not in open_cases])
        new: dict[str, Change] = {}
        changes: dict[str, Change] = {}
        for row in breaks:
            case = known.get(row["case_id"])
            (new if case is None else changes)[row["case_id"]] = found(case, row, on, reference.rules, reference.calendar)
        seen = {row["case_id"] for row in breaks}
        closings = {row["case_id"]: row for row in context.wiring.lake.rows(seal.path, "closings")}
        cut_off = context.rows("cut_off", "decisions")
        ended = {
            d["subject"]: f"decision {d['proposal_id']}" for d in cut_off if d["kind"] == "case" and d["outcome"] == "APPROVED"
        }
        for case_id, case in sorted(open_cases.items()):
            if case_id not in seen and case["last_seen_on"] < on:
                # Two people's decision that the day's cut-off sealed, or else a later row or file that healed it.
                by = ended.get(case_id) or adjusted_in(history_of(tx, case_id))
                if by or case["reopened_by"] is None:
                    changes[case_id] = closed(on, by or _said(closings.get(case_id)))
        tx.insert_all("recon_case", [change.columns for change in new.values()])
        # Of most that goes on little is new, and its evidence is long.
        news = {case_id: _new_columns(known[case_id], change.columns) for case_id, change in changes.items()}
        tx.update_all("recon_case", "case_id", {case_id: columns for case_id, columns in news.items() if columns})
        in_order = [*(row["case_id"] for row in breaks), *(case_id for case_id in changes if case_id not in seen)]
        all_changes = new | changes
        events = ((of, *told) for of in in_order for told in all_changes[of].events)
        record_all(tx, at, SYSTEM, events, on)
        _tell_disputes(context, tx, at, on)


def _new_columns(case: Row, columns: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in columns.items() if case[name] != value}


def _known(tx: RegisterTx, case_ids: list[str]) -> dict[str, Row]:
    """Those of these cases that there are, a bounded number asked for at a time."""
    some = (case_ids[start : start + _ASKED_AT_ONCE] for start in range(0, len(case_ids), _ASKED_AT_ONCE))
    return {case["case_id"]: case for ids in some for case in tx.find("recon_case", case_id=ids)}


def _tell_disputes(context: StepContext, tx: RegisterTx, at: str, on: date) -> None:
    """What platforms dispute of their own rows stands in the history of each case that has the row as evidence, open or closed; once."""
    said = sorted(context.rows("land", "land_confirmation"), key=lambda r: (r["file_name"], r["line_no"]))
    disputed = {(r["party"], r["row"]): r for r in said if r["verdict"] == State.DISPUTED and r["row"] != WHOLE}
    for platform in sorted({party for party, _ in disputed}):
        for case in tx.find("recon_case", ("case_id",), platform=platform):
            refs = sorted({str(e.get("row_ref")) for e in json.loads(case["evidence"])})
            rows = [disputed[platform, ref] for ref in refs if (platform, ref) in disputed]
            known = {line.details.get("said_in") for line in history_of(tx, case["case_id"])} if rows else set()
            for row in rows:
                where = f"{row['file_name']}:{row['line_no']}"
                if where not in known:
                    # What it remarks in words of its own stays where it stands: the history is for ever.
                    told = {"row": row["row"], "said_in": where}
                    record(tx, at, case["case_id"], SYSTEM, [(CaseEvent.DISPUTED, told)], on)


def _tell_adjustment(tx: RegisterTx, at: str, leg: Row, on: date) -> None:
    """Once for each day: that the entry is posted, or that the ledger did not take it."""
    event = CaseEvent.ADJUSTED if leg["outcome"] == "POSTED" else CaseEvent.NOT_ADJUSTED
    told = {"proposal": leg["proposal_id"], "request_no": leg["request_no"], "outcome": leg["outcome"]}
    if (str(event), on) not in {(line.event, line.on) for line in history_of(tx, leg["case_id"])}:
        record(tx, at, leg["case_id"], SYSTEM, [(event, told)], on)


def _said(closing: Row | None) -> str:
    """Of a row of ``closings``, in words; a case that was not among yesterday's breaks has none."""
    return NO_LONGER_FOUND if closing is None else closed_by(closing["how"], json.loads(closing["refs"]), closing["refs_in_all"])
