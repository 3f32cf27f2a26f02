"""The difference in effect of a restated file: its rows against the earlier version's, and the breaks that would close, open or
change. The proposal names the digest of all of it (custody.services.restatements.Effect)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from io import BytesIO
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from connectors.bootstrap import Wiring
from connectors.engine import engine
from connectors.lake import arrow_schema, table_of
from connectors.lease import DAY_LEASE, Lease, held
from custody.customer_decisions import aliases_of
from custody.digest import digest_of_json
from custody.errors import UsageError
from custody.ledger_state import LedgerState, Loan
from custody.names import FileType
from custody.ports import Row
from custody.reversals import REVERSAL
from custody.services.files import in_force
from custody.services.organisations import standing_party
from custody.services.outputs import latest_seal
from custody.services.restatements import Effect, base_of, landed_version, pending_version
from jobs.land_files import Task, land_files, table_name
from jobs.post.snapshots import register_loans, sub_accounts_of
from jobs.restatement.rows import RowDifference, row_difference
from jobs.restatement.trial import Trial, trial_after
from schemas.landing import canonical_layout
from schemas.layout import load_layout
from schemas.tables import TABLES

_SHOWN = 20
# In the proposal itself only so many, since it goes into the audit chain.
_KEPT = 5
_TOLD = ["line_no", "field", "rule", "words_en", "words_zh"]


@dataclass(frozen=True)
class Difference:
    """``replaces``: the version that would go; ``landed_on``: the sealed day that holds its rows, if one does. ``cases``: each case that
    would change, with ``effect`` (close, open, change) and what stands before and after; ``legs``: what a file of instructions would
    do to the ledger, by word; both empty before the file's day is reconciled. ``rejected``: the first faults of rows that landing would not
    take, with line, field and rule, of ``rows_rejected`` rows."""

    file_name: str
    sha256: str
    replaces: str | None
    landed_on: date | None
    base: str
    rows: RowDifference
    cases: list[Row]
    legs: Mapping[str, int]
    rows_rejected: int
    rejected: Sequence[Row]

    @property
    def effect(self) -> Effect:
        return Effect(self.base, digest_of_json(json.loads(json.dumps(asdict(self), default=str))), self.summary)

    @property
    def summary(self) -> dict[str, object]:
        counts = {name: getattr(self.rows, name) for name in ("added", "removed", "changed", "same")}
        effects = [case["effect"] for case in self.cases]
        first = [{n: c[n] for n in ("effect", "subject", "before", "after")} for c in self.cases[:_KEPT]]
        return {
            "replaces": self.replaces,
            "landed_on": None if self.landed_on is None else self.landed_on.isoformat(),
            "rows": counts,
            "first_rows": self.rows.first[:_KEPT],
            "rows_rejected": self.rows_rejected,
            "first_rejected": list(self.rejected[:_KEPT]),
            "cases": {name: effects.count(name) for name in ("close", "open", "change")},
            "first_cases": first,
            "legs": dict(self.legs),
        }


@dataclass(frozen=True)
class _Versions:
    row: Row
    standing: Row | None
    landed: Row | None
    base: str
    last: date | None
    dialect: Mapping[str, Any]


def difference_of(wiring: Wiring, file_name: str) -> Difference:
    """Raises UsageError when no such version waits for two people, or when landing would refuse it; RetryLater while a day runs."""
    with held(wiring.register, DAY_LEASE, wiring.settings.lease.seconds) as lease:
        versions = _versions(wiring, file_name)
        row, standing, landed = versions.row, versions.standing, versions.landed
        aliases = _aliases(wiring, versions.last)
        after, outcome, rejected = _landed(wiring, row, versions.dialect, aliases)
        if outcome["outcome"] != "LANDED":
            raise UsageError(f"{file_name} cannot take a version's place, landing would refuse it: {outcome['words_en']}")
        if landed is not None:
            before = _of_sealed_day(wiring, landed)
        elif standing is not None:
            before, _, _ = _landed(wiring, standing, versions.dialect, aliases)
        else:
            before = after.schema.empty_table()
        key = canonical_layout(load_layout(row["layout"])).key_columns
        with engine(wiring.settings) as spark:
            rows = row_difference(spark, before, after, key, _SHOWN)
        cases: list[Row] = []
        legs: Mapping[str, int] = {}
        if versions.last is not None and landed is not None and landed["cut_off_date"] <= versions.last:
            cases, legs = _cases(wiring, lease, versions, after, outcome)
        replaces = None if standing is None else standing["file_name"]
        landed_on = None if landed is None else landed["cut_off_date"]
        return Difference(
            file_name, row["sha256"], replaces, landed_on, versions.base, rows, cases, legs, outcome["rows_rejected"], rejected
        )


def _versions(wiring: Wiring, file_name: str) -> _Versions:
    with wiring.register.transaction() as tx:
        row = pending_version(tx, file_name)
        base = base_of(tx)
        last = date.fromisoformat(base.partition(" ")[0]) if base else None
        # As the contract of the file's own date says.
        dialect = standing_party(tx, row["party"]).on(row["custody_date"]).contract["dialect"]
        return _Versions(row, in_force(tx, row), landed_version(tx, row), base, last, dialect)


def _aliases(wiring: Wiring, last: date | None) -> Mapping[str, str]:
    if last is None:
        return {}
    with wiring.register.transaction() as tx:
        seal = latest_seal(tx, last, "land")
    return {} if seal is None else aliases_of(wiring.lake.rows(seal.path, "customer_aliases"))


def _landed(wiring: Wiring, row: Row, dialect: Mapping[str, Any], aliases: Mapping[str, str]) -> tuple[pa.Table, Row, list[Row]]:
    """What landing makes of a file, its outcome, and the first faults of its rows; nothing is kept of the persons in it."""
    done = land_files(wiring, Task(row["file_type"], (row,), {(row["party"], row["custody_date"]): dialect}, aliases))
    schema = arrow_schema(TABLES[table_name(row["file_type"])])
    parts = [pq.read_table(BytesIO(part.data)).select(schema.names).cast(schema) for part in done.parts]
    faults = (fault for table in done.rejected for fault in table.select(_TOLD).to_pylist())
    return pa.concat_tables(parts) if parts else schema.empty_table(), done.outcomes[0], list(islice(faults, _SHOWN))


def _of_sealed_day(wiring: Wiring, landed: Row) -> pa.Table:
    with wiring.register.transaction() as tx:
        seal = latest_seal(tx, landed["cut_off_date"], "land")
    table = table_name(landed["file_type"])
    if seal is None:
        raise UsageError(f"{landed['cut_off_date']} is cut off and not landed yet: look again when it is")
    rows = wiring.lake.read(seal.path, table)
    return rows.filter(pc.equal(rows["file_name"], landed["file_name"]))


def _cases(
    wiring: Wiring, lease: Lease, versions: _Versions, after: pa.Table, outcome: Row
) -> tuple[list[Row], Mapping[str, int]]:
    row, landed = versions.row, versions.landed
    assert versions.last is not None and landed is not None
    with trial_after(wiring, lease, versions.last) as trial:
        gone = {n: row[n] for n in ("party", "file_type", "custody_date")} | {
            "file_name": landed["file_name"],
            "replaced_by": row["file_name"],
            "landed_on": landed["cut_off_date"],
            "superseded_on": trial.on,
        }
        posts = row["file_type"] == FileType.INSTRUCTION
        without, _ = trial.judged("without", {}, [], [], None if posts else {})
        posted = None if posts else _registered(trial, row["file_type"], after)
        with_it, legs = trial.judged("with", {table_name(row["file_type"]): after}, [outcome], [gone], posted)
    return case_differences(without, with_it), _leg_counts(legs, row["file_name"], landed["file_name"]) if posts else {}


# Of a restated file's legs: outcome -> word; of those that take something back: outcome -> word.
_OF_ITS_OWN = {"POSTED": "posted", "REPEATED": "as_before", "NO_POSTING": "told", "REFUSED": "refused", "WAITING": "waiting"}
_TAKING_BACK = {"POSTED": "reversed", "NO_POSTING": "was_not_posted", "REFUSED": "cannot_be_reversed"}


def _leg_counts(legs: pa.Table, file_name: str, replaces: str) -> Mapping[str, int]:
    """How many legs of the file, and of what it takes back, come to what."""
    found: dict[str, int] = {}
    for name, words in ((file_name, _OF_ITS_OWN), (f"{REVERSAL}{replaces}", _TAKING_BACK)):
        mine = legs.filter(pc.equal(legs["file_name"], name))
        counts = {row["values"]: row["counts"] for row in pc.value_counts(mine["outcome"]).to_pylist()}
        found |= {word: counts[outcome] for outcome, word in words.items() if outcome in counts}
    return found


def _registered(trial: Trial, file_type: str, after: pa.Table) -> dict[str, pa.Table]:
    """The masters that posting would register from the file's rows, before anything is compared with them."""
    if file_type == FileType.LOAN:
        state = LedgerState(balances={})
        loans = trial.posted("loans").select(list(Loan._fields)).to_pylist()
        state.loans = {(loan["platform"], loan["loan_id"]): Loan(**loan) for loan in loans}
        register_loans(state, after.to_pylist())
        return {"loans": table_of(TABLES["loans"], [loan._asdict() for loan in state.loans.values()])}
    if file_type == FileType.CUSTOMER:
        decided = table_of(TABLES["decided_customers"], [])
        tables = {"sub_accounts": trial.posted("sub_accounts"), "land_customer": after, "decided_customers": decided}
        return {"sub_accounts": sub_accounts_of(tables, {})}
    return {}


def case_differences(before: list[Row], after: list[Row]) -> list[Row]:
    """Cases that close, open or say something else, in the order of their subjects."""
    old, new = ({row["case_id"]: row for row in rows} for rows in (before, after))
    found = []
    for case_id in old.keys() | new.keys():
        was, now = old.get(case_id), new.get(case_id)
        if was is not None and now is not None and was["evidence_digest"] == now["evidence_digest"]:
            continue
        effect = "close" if now is None else "open" if was is None else "change"
        known = now or was
        assert known is not None
        said = {n: known[n] for n in ("case_id", "platform", "sides", "subject")}
        found.append({**said, "effect": effect, "before": _said(was), "after": _said(now)})
    return sorted(found, key=lambda c: (c["platform"], c["subject"], c["case_id"]))


def _said(row: Row | None) -> Row | None:
    return None if row is None else {"kind": row["kind"], "amount_minor": row["amount_minor"]}
