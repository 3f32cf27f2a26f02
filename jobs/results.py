"""What each platform is told about its day: row-by-row validation, the result of reconciliation, and our verdict on its rows with
the reason (domain.md §5, §6). It answers with a CONFIRMATION that names the result and its seal (custody.confirmations)."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.bootstrap import Wiring
from custody.errors import OutOfOrder
from custody.matching import case_id
from custody.money import format_amount
from custody.names import FileType, PartyKind
from custody.ports import Row
from custody.services.access import check_permission
from custody.services.deliveries import deliver_pending
from custody.services.outbound import queue
from custody.services.outputs import Seal, latest_seal
from custody.verdict_words import why
from jobs.platform_statements import statement_files
from reports.csv_file import csv_bytes, safe_text
from schemas.exchange import ExchangeName, result_name, sha256_hex

# What a platform claims, and is judged row by row.
_JUDGED_TYPES = frozenset({FileType.CUSTOMER, FileType.LOAN, FileType.TXN, FileType.CLAIM, FileType.BALANCE})
# Layouts admit no other (ARCHITECTURE.md, non-goals).
_CURRENCY = "CNY"


def send_results(wiring: Wiring, custody_date: date, actor: str) -> dict[str, Any]:
    """Queue VALIDATION, RECON_RESULT, RECON_ROWS and STATEMENT of the date for every party that must have them, and deliver what waits.

    Names and bytes follow from the sealed steps alone, so sending again sends the same. Raises OutOfOrder, NotPermitted.
    """
    check_permission(wiring.register, actor, "results.send", custody_date.isoformat())
    land, reconcile, statement = (_sealed(wiring, custody_date, step) for step in ("land", "reconcile", "statement"))
    cut_off = _sealed(wiring, custody_date, "cut_off")
    parties = {r["id"]: json.loads(r["payload"]) for r in wiring.lake.rows(cut_off.path, "reference") if r["kind"] == "party"}
    outcomes = wiring.lake.rows(land.path, "file_outcomes")
    rejected = wiring.lake.rows(land.path, "rejected_rows")
    breaks, unclean = wiring.lake.rows(reconcile.path, "breaks"), _unclean(wiring, reconcile)
    queued = []

    def keep(party: str, name: str, data: bytes) -> None:
        sha256 = sha256_hex(data)
        queued.append((party, name, sha256, wiring.archive.keep(data, sha256)))

    for party, body in sorted(parties.items()):
        validation = ExchangeName(party, FileType.VALIDATION, custody_date, 1, land.version).in_json
        keep(party, validation, _as_json(_validation(party, custody_date, outcomes, rejected)))
        if body["kind"] == PartyKind.PLATFORM:
            own_breaks = [b for b in breaks if b["platform"] == party]
            rows, rows_file = result_rows(party, unclean, own_breaks, rejected), rows_name(party, reconcile)
            keep(party, rows_file, csv_bytes(_ROW_HEADER, (tuple(map(safe_text, row)) for row in rows)))
            result = _recon_result(party, reconcile, outcomes, own_breaks, rows_file, len(rows))
            keep(party, result_name(party, custody_date, reconcile.version), _as_json(result))
    platforms = [party for party, body in parties.items() if body["kind"] == PartyKind.PLATFORM]
    queued += statement_files(wiring, statement, platforms)
    with wiring.register.transaction() as tx:
        for party, name, sha256, reference in queued:
            queue(tx, wiring.clock, party, name, sha256, reference)
    delivery = deliver_pending(wiring.exchange_ports)
    return {
        "date": custody_date.isoformat(),
        "queued": len(queued),
        "delivered": len(delivery.delivered),
        "failed": [list(f) for f in delivery.failed],
    }


def rows_name(party: str, reconcile: Seal) -> str:
    """The platform's rows that are not clean, beside its result."""
    return str(ExchangeName(party, FileType.RECON_ROWS, reconcile.custody_date, 1, reconcile.version))


def _as_json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def _sealed(wiring: Wiring, custody_date: date, step: str) -> Seal:
    with wiring.register.transaction() as tx:
        seal = latest_seal(tx, custody_date, step)
    if seal is None:
        raise OutOfOrder(f"results of {custody_date} need {step}, which is not committed")
    return seal


def _validation(party: str, custody_date: date, outcomes: list[Row], rejected: list[Row]) -> dict[str, Any]:
    """Which files were taken, refused or are missing, and every bad row: line, field, value, rule, words."""
    shown = ("file_name", "file_type", "outcome", "rule", "words_en", "words_zh", "rows", "rows_landed", "rows_rejected")
    row_shown = ("file_name", "line_no", "field", "value", "rule", "words_en", "words_zh")
    return {
        "party": party,
        "custody_date": custody_date.isoformat(),
        "files": [
            {n: o[n] for n in shown} | {"custody_date": o["custody_date"].isoformat()} for o in outcomes if o["party"] == party
        ],
        "rows": [{n: r[n] for n in row_shown} for r in rejected if r["party"] == party],
    }


# Sides of a case that a platform may see: its own statements against ours. Core, channel and posting matters are the bank's.
_PLATFORM_SIDES = ("A", "AB", "FILE")


def _recon_result(
    party: str, reconcile: Seal, outcomes: list[Row], own_breaks: list[Row], rows_file: str, told: int
) -> dict[str, Any]:
    """The result in one sheet: what became of each file's rows, and each break with its evidence. ``told``: rows of ``rows_file``."""
    shown = ("case_id", "subject", "kind", "amount_minor", "cause")
    breaks = [b for b in own_breaks if b["sides"] in _PLATFORM_SIDES]
    figures = ("file_name", "file_type", "rows", "rows_landed", "rows_rejected")
    files = [
        {n: o[n] for n in figures}
        for o in outcomes
        if o["party"] == party and o["outcome"] == "LANDED" and o["file_type"] in _JUDGED_TYPES
    ]
    return {
        "party": party,
        "custody_date": reconcile.custody_date.isoformat(),
        "balanced": not breaks,
        "seal": reconcile.manifest_digest,
        "files": files,
        "rows_file": rows_file,
        "rows_not_clean": told,
        "every_other_row": "MATCHED",
        "breaks": [
            {n: b[n] for n in shown}
            | dict(zip(("why_en", "why_zh"), why(b["kind"]), strict=True))
            | {"evidence": json.loads(b["evidence"])}
            for b in breaks
        ],
    }


_ROW_HEADER = ("file_name", "line_no", "subject", "amount", "verdict", "rule", "why_en", "why_zh", "case_id")


def _unclean(wiring: Wiring, reconcile: Seal) -> pa.Table:
    """All platforms' own rows that are not clean."""
    table = wiring.lake.read(reconcile.path, "matches")
    unclean = pc.or_(pc.not_equal(table["bucket"], "MATCHED"), pc.not_equal(table["rule"], "exact"))
    return table.filter(pc.and_(pc.equal(table["side"], "A"), unclean))


def result_rows(party: str, unclean: pa.Table, own_breaks: list[Row], rejected: list[Row]) -> list[tuple[str, ...]]:
    """The platform's own rows that are not clean, with our verdict and why: of today's files, and those of earlier days that are
    open still or found their counterpart today. Every other row of its files is matched."""
    cases = {b["case_id"] for b in own_breaks}
    rows: list[tuple[str, ...]] = []
    for batch in unclean.filter(pc.equal(unclean["platform"], party)).to_batches():
        for match in batch.to_pylist():
            file_name, _, line = match["row_ref"].rpartition(":")
            identity = case_id(party, "AB", match["subject"])
            amount = format_amount(match["amount_minor"], _CURRENCY)
            of_case = identity if match["bucket"] == "BREAK" and identity in cases else ""
            rows.append((file_name, line, match["subject"], amount, match["bucket"], match["rule"], *why(match["rule"]), of_case))
    faults: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for bad in rejected:
        if bad["party"] == party:
            faults[bad["file_name"], bad["line_no"]].append(bad)
    rows += [_rejected(*line, found) for line, found in faults.items()]
    return sorted(rows, key=lambda row: (row[0], int(row[1]), row[2:]))


def _rejected(file_name: str, line_no: int, faults: list[Row]) -> tuple[str, ...]:
    """One row of the file, with all that is wrong with it, in the order of its fields."""
    faults = sorted(faults, key=lambda fault: fault["fault_no"])
    key = next((fault["row_key"] for fault in faults if fault["row_key"]), "")
    rules = ";".join(fault["rule"] for fault in faults)
    words = ("; ".join(f"{fault['field']}: {fault[language]}" for fault in faults) for language in ("words_en", "words_zh"))
    return (file_name, str(line_no), key, "", "REJECTED", rules, *words, "")
