"""What closed a case: of each break that stood yesterday and does not today, the row, file or decision that ended it.

Sealed, so that the register's ``closed_by`` can be written again, and so that a person finds the line that came late.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from custody.case_life import NO_LONGER_FOUND
from custody.closings import ADJUSTMENT, DECISION, FILE, GIVEN_UP, RESTATED, ROW
from custody.matching import Bucket
from custody.names import FileType
from custody.ports import Row
from custody.reversals import REVERSAL
from custody.services.absent_files import GIVE_UP
from jobs.reconcile.adjustments import adjusting_legs
from jobs.reconcile.breaks import file_key
from jobs.reconcile.day import Day
from jobs.reconcile.states import STATE_RELATIONS

# A batch that closes a case may have thousands of rows; a person needs the first ones.
_SHOWN_REFS = 20


def closings(day: Day, cases: Iterable[Row], matches: pa.Table) -> list[Row]:
    """``cases``: the breaks that stand today, settled ones left out; ``matches``: rows of that table."""
    stand = {row["case_id"] for row in cases}
    ended = [row for row in day.breaks_before if row["case_id"] not in stand]
    if not ended:
        return []
    return _Endings(day, ended, matches).rows()


class _Endings:
    def __init__(self, day: Day, ended: Sequence[Row], matches: pa.Table) -> None:
        self._day, self._ended = day, ended
        sides = {relation.name: relation.sides for relation in day.reference.rules.relations}
        subjects = pa.array(sorted({row["subject"] for row in ended}), pa.string())
        kept = pc.and_(pc.equal(matches["bucket"], str(Bucket.MATCHED)), pc.is_in(matches["subject"], subjects))
        self._matched: dict[tuple[str, str, str], list[str]] = defaultdict(list)
        for row in matches.filter(kept).select(["relation", "platform", "subject", "row_ref"]).to_pylist():
            if row["relation"] in sides:
                self._matched[row["platform"], sides[row["relation"]], row["subject"]].append(row["row_ref"])
        self._landed: dict[str, list[str]] = defaultdict(list)
        for outcome in day.outcomes:
            if outcome["outcome"] == "LANDED":
                self._landed[file_key(outcome)].append(outcome["file_name"])
        decisions = day.context.rows("cut_off", "decisions")
        self._decided = {d["subject"]: d for d in decisions if d["kind"] in ("case", GIVE_UP.kind) and d["outcome"] == "APPROVED"}
        self._superseded = [r for r in day.context.rows("land", "superseded_files") if r["superseded_on"] == day.today]
        self._posted = self._posted_today()
        legs = adjusting_legs(day.context)
        self._adjusted = {leg["case_id"]: leg["request_no"] for leg in legs if leg["outcome"] == "POSTED"}

    def rows(self) -> list[Row]:
        rows = []
        for row in self._ended:
            how, refs = self._ending(row)
            shown = json.dumps(sorted(refs)[:_SHOWN_REFS])
            rows.append({"case_id": row["case_id"], "how": how, "refs": shown, "refs_in_all": len(refs)})
        return rows

    def _ending(self, row: Row) -> tuple[str, list[str]]:
        word = row["subject"].partition("|")[0]
        if (row["case_id"], row["evidence_digest"]) in self._day.resolved:
            decided = self._decided.get(row["case_id"])
            return (DECISION, [decided["proposal_id"]]) if decided else (ADJUSTMENT, [self._adjusted[row["case_id"]]])
        matched = self._matched.get((row["platform"], row["sides"], row["subject"]), [])
        if matched:
            # What was in the books before has not changed since: what closes the case is what came.
            before = {e.get("row_ref") for e in json.loads(row["evidence"])}
            return ROW, [ref for ref in matched if ref not in before] or matched
        withdrawn = self._withdrawn(row)
        if withdrawn:
            return RESTATED, withdrawn
        if word == "LATE":
            given_up = self._decided.get(row["subject"])
            landed = self._landed.get(row["subject"].partition("|")[2], [])
            return (FILE, landed) if landed or given_up is None else (GIVEN_UP, [given_up["proposal_id"]])
        if word == "FILE":
            return FILE, [name for e in json.loads(row["evidence"]) for name in self._landed.get(e["instead_of"], [])]
        if word in STATE_RELATIONS.values():
            return FILE, self._landed.get(f"{row['platform']}|{word}|{self._day.today.isoformat()}", [])
        posted = self._posted.get(row["subject"])
        return (ROW, [posted]) if posted else (NO_LONGER_FOUND, [])

    def _withdrawn(self, row: Row) -> list[str]:
        """The files that took the place of those from which the break came."""
        of = {str(e.get("row_ref")).rpartition(":")[0] for e in json.loads(row["evidence"])}
        # That a leg could not be reversed ends when a newer version has it again.
        again = any(name.startswith(REVERSAL) for name in of)
        return [
            r["replaced_by"]
            for r in self._superseded
            if r["file_name"] in of or (again and r["file_type"] == FileType.INSTRUCTION)
        ]

    def _posted_today(self) -> dict[str, str]:
        """By subject of a posting that was refused or waited: the instruction that was posted."""
        wanted = [row["subject"] for row in self._ended if row["subject"].startswith("POSTING|")]
        legs = self._day.context.table("post", "ledger_txn") if wanted else None
        if legs is None:
            return {}
        requests = pa.array(sorted({subject.split("|")[1] for subject in wanted}), pa.string())
        kept = legs.filter(pc.and_(pc.is_in(legs["request_no"], requests), pc.equal(legs["outcome"], "POSTED")))
        return {
            f"POSTING|{r['request_no']}|{r['leg']}": f"{r['file_name']}:{r['line_no']}"
            for r in kept.select(["request_no", "leg", "file_name", "line_no"]).to_pylist()
        }
