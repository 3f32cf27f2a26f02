"""Does the instance still say what was committed and signed? Each fault names its part and its place (design.md §4.5).

The register's parts are held against the audit chain, the chain against the signed statements, the roots against the register, the
lake and the archive against their digests, the keyed store against the lake. Who changes one of them by hand leaves the others behind;
who makes all of them fit contradicts what was signed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import pyarrow.compute as pc

from connectors.bootstrap import Wiring
from custody.audit import GENESIS
from custody.day_seal import JOURNALS, MASTERS, SignedDay, journal_faults, master_faults, master_rows, statement_faults
from custody.errors import SealBroken
from custody.ports import Row
from custody.services import verification
from custody.services.customer_ports import mergers
from custody.services.seal_keys import seal_keys
from jobs.day_seal import key_of, number_of


@dataclass(frozen=True)
class Fault:
    """``part``: chain, commits, decisions, seals, journals, masters, files, outbound, publications, cases, alerts, lake, roots, archive
    or store."""

    part: str
    words: str


@dataclass(frozen=True)
class Verified:
    """``outputs`` sealed outputs and ``files`` archived files were looked at; ``head``: the newest audit event then."""

    faults: tuple[Fault, ...]
    outputs: int
    files: int
    head_no: int
    head_hash: str


def verify_instance(wiring: Wiring, only: date | None, with_store: bool, progress: Callable[[str], None]) -> Verified:
    """The register whole; lake and archive of one date, or of all; the keyed store where it is asked for, since it is read whole."""
    faults: list[Fault] = []

    def found(part: str, words: Iterable[str]) -> None:
        faults.extend(Fault(part, one) for one in words)

    with wiring.register.transaction() as tx:
        outputs = tx.find("step_output", ("custody_date", "step", "version"))
        events = tx.find("audit_event", ("event_no",))
        proposals, cases = tx.find("proposal"), tx.find("recon_case")
        publications = tx.find("publication")
        files, outbound = tx.find("file"), tx.find("outbound")
        journals = {table: {row[number_of(table)]: row for row in tx.find(table)} for table in JOURNALS}
        masters = {table: tx.find(table) for table in MASTERS}
        alerts = tx.find("alert")
        keys = seal_keys(tx, wiring.seals.first())
    found("chain", verification.chain_faults(events))
    found("commits", verification.commit_faults(outputs, events))
    found("decisions", verification.decision_faults(proposals, events))
    found("publications", verification.publication_faults(publications, outputs))
    kept = wiring.seals.kept(keys)
    found("seals", kept.wrong)
    by_number = {int(event["event_no"]): event for event in events}
    closes = [row for row in outputs if row["step"] == "close"]
    found("seals", statement_faults(kept.days, closes, by_number, wiring.settings.instance.bank))
    for table, rows in journals.items():
        found("journals", journal_faults(table, rows, kept.days))
    found("masters", _master_faults(masters, kept.days, events))
    chosen = [row for row in outputs if only is None or row["custody_date"] == only]
    damaged: dict[str, bool] = {}
    for row in chosen:
        progress(f"{row['custody_date']} {row['step']} v{row['version']}")
        wrong = _lake_faults(wiring, row)
        damaged[row["path"]] = bool(wrong)
        found("lake", wrong)
        # What damaged tables say is of no use; their damage is found already.
        if row["step"] == "close" and not wrong:
            root = wiring.lake.rows(row["path"], "day_root")
            found(
                "roots",
                verification.root_faults(row["custody_date"], row["version"], root, outputs, wiring.settings.instance.go_live),
            )
    found("cases", _case_faults(wiring, outputs, cases, damaged))
    newest = {row["custody_date"]: row for row in chosen if row["step"] == "cut_off"}
    taken: list[Row] = []
    for on, row in newest.items():
        if not damaged[row["path"]]:
            tables = ("accepted_files", "refused_files")
            sealed = {table: wiring.lake.rows(row["path"], table) for table in tables}
            taken += sealed["accepted_files"]
            found("files", verification.file_faults(on, sealed["accepted_files"], sealed["refused_files"], files))
    found("files", verification.reference_faults("file", files, [("sha256", "archive_ref"), ("plain_sha256", "plain_ref")]))
    found(
        "outbound", verification.reference_faults("outbound", outbound, [("sha256", "archive_ref"), ("wire_sha256", "wire_ref")])
    )
    found("alerts", _alert_faults(wiring, outputs, alerts, list(journals["alert_event"].values()), damaged))
    references = _references(files, taken, outbound, only)
    progress(f"{len(references)} files of the archive")
    for reference, names in references.items():
        found("archive", _archive_faults(wiring, reference, names))
    if with_store:
        progress("the keyed store")
        found("store", _store_faults(wiring, only, outputs, damaged))
    head_no, head_hash = (events[-1]["event_no"], events[-1]["hash"]) if events else (0, GENESIS)
    return Verified(tuple(faults), len(chosen), len(references), head_no, head_hash)


def _master_faults(masters: Mapping[str, list[Row]], days: Iterable[SignedDay], events: list[Row]) -> Iterable[str]:
    subjects: dict[str, list[int]] = {}
    for event in events:
        for name in {str(event["subject"]), str(event["action"])}:
            subjects.setdefault(name, []).append(int(event["event_no"]))
    for table, rows in masters.items():
        states = [
            (day.said.audit_no, f"before {day.said.custody_date} was closed", day.state.masters[table])
            for day in days
            if day.state is not None and table in day.state.masters
        ]
        if states:
            now = master_rows(table, key_of(table), rows, states[-1][2].columns)
            ended = int(events[-1]["event_no"]) if events else 0
            yield from master_faults(table, [*states, (ended, "since then", now)], subjects)


def _case_faults(wiring: Wiring, outputs: list[Row], cases: list[Row], damaged: dict[str, bool]) -> list[str]:
    reconciled = [row for row in outputs if row["step"] == "reconcile"]
    newest = max(reconciled, key=lambda row: (row["custody_date"], row["version"]), default=None)
    if newest is None:
        return []
    if newest["path"] not in damaged:
        damaged[newest["path"]] = bool(_lake_faults(wiring, newest))
    return [] if damaged[newest["path"]] else verification.case_faults(cases, wiring.lake.rows(newest["path"], "breaks"))


def _alert_faults(
    wiring: Wiring, outputs: list[Row], alerts: list[Row], happenings: list[Row], damaged: dict[str, bool]
) -> list[str]:
    assessed = [row for row in outputs if row["step"] == "risk" and not damaged.get(row["path"], False)]
    newest = max(assessed, key=lambda row: (row["custody_date"], row["version"]), default=None)
    sealed = [] if newest is None or "alerts" not in _tables(wiring, newest) else wiring.lake.rows(newest["path"], "alerts")
    return verification.alert_faults(alerts, happenings, sealed, newest["custody_date"] if newest else date.min)


def _tables(wiring: Wiring, output: Row) -> Iterable[str]:
    try:
        return wiring.lake.manifest(output["path"]).tables
    except SealBroken:
        # It is found where the lake is looked through.
        return ()


def _references(files: list[Row], taken: list[Row], outbound: list[Row], only: date | None) -> dict[str, str]:
    """What the archive must hold, each content once under the names that it came or goes by: of a date, what was
    custody's then. ``taken``: what cut-offs sealed, whether the register still has it or not."""
    chosen = [row for row in files if only is None or only in (row["cut_off_date"], row["custody_date"])]
    named = [(row[column], row["file_name"]) for row in chosen for column in ("archive_ref", "plain_ref")]
    named += [(row["archive_ref"], row["file_name"]) for row in taken]
    sent = [row for row in outbound if only is None or only.strftime("%Y%m%d") in row["file_name"]]
    named += [(row[column], row["file_name"]) for row in sent for column in ("archive_ref", "wire_ref")]
    names: dict[str, set[str]] = {}
    for reference, name in named:
        if reference is not None:
            names.setdefault(reference, set()).add(name)
    return {reference: ", ".join(sorted(of)) for reference, of in names.items()}


def _archive_faults(wiring: Wiring, reference: str, names: str) -> list[str]:
    try:
        for _ in wiring.archive.chunks(reference):
            pass
    except SealBroken as error:
        return [f"archived {names}: {error}"]
    return []


def _store_faults(wiring: Wiring, only: date | None, outputs: list[Row], damaged: dict[str, bool]) -> list[str]:
    """The keyed store against the lake; of a date that it does not hold yet there is nothing to say. Customers whom the newest ledger names
    must be there."""
    from jobs.store_proof import store_faults

    try:
        found = [fault.words[0] for fault in store_faults(wiring, only) if fault.rule != "store_no_day"]
        return found + list(wiring.persons.damaged(_named_customers(wiring, outputs, damaged)))
    except SealBroken as error:
        return [f"the keyed store cannot be compared: {error}"]


def _named_customers(wiring: Wiring, outputs: list[Row], damaged: dict[str, bool]) -> set[str]:
    """Who owns a sub-account and was neither erased nor merged into another."""
    posted = [row for row in outputs if row["step"] == "post" and not damaged.get(row["path"], False)]
    newest = max(posted, key=lambda row: (row["custody_date"], row["version"]), default=None)
    if newest is None or "sub_accounts" not in _tables(wiring, newest):
        return set()
    with wiring.register.transaction() as tx:
        gone = {row["customer_id"] for row in tx.find("erased_customer")} | set(mergers(tx))
    owners = wiring.lake.read(newest["path"], "sub_accounts", ("customer_id",))
    return set(pc.unique(owners["customer_id"]).to_pylist()) - gone


def _lake_faults(wiring: Wiring, output: Row) -> list[str]:
    try:
        if output["step"] == "close" and "day_root" not in wiring.lake.manifest(output["path"]).tables:
            return [f"{output['path']} has no day_root"]
        return wiring.lake.verify(output["path"], output["manifest_digest"])
    except SealBroken as error:
        return [str(error)]
