"""What each platform is told about its day: row-by-row validation and the result of reconciliation (domain.md §5)."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from connectors.bootstrap import Wiring
from custody.errors import OutOfOrder
from custody.names import PartyKind
from custody.ports import Row
from custody.services.access import check_permission
from custody.services.outbound import deliver_pending, queue
from custody.services.outputs import Seal, latest_seal
from schemas.exchange import ExchangeName, sha256_hex


def send_results(wiring: Wiring, custody_date: date, actor: str) -> dict[str, Any]:
    """Queue VALIDATION and RECON_RESULT of the date for every party that must have them, and deliver what waits.

    Names and bytes follow from the sealed steps alone, so sending again sends the same. Raises OutOfOrder, NotPermitted.
    """
    check_permission(wiring.register, actor, "results.send", custody_date.isoformat())
    land, reconcile = (_sealed(wiring, custody_date, step) for step in ("land", "reconcile"))
    cut_off = _sealed(wiring, custody_date, "cut_off")
    parties = {r["id"]: json.loads(r["payload"]) for r in wiring.lake.rows(cut_off.path, "reference") if r["kind"] == "party"}
    outcomes = wiring.lake.rows(land.path, "file_outcomes")
    rejected = wiring.lake.rows(land.path, "rejected_rows")
    breaks = wiring.lake.rows(reconcile.path, "breaks")
    files: list[tuple[str, str, dict[str, Any]]] = []
    for party, body in sorted(parties.items()):
        files.append((party, "VALIDATION", _validation(party, custody_date, outcomes, rejected)))
        if body["kind"] == PartyKind.PLATFORM:
            files.append((party, "RECON_RESULT", _recon_result(party, custody_date, reconcile, breaks)))
    queued = []
    for party, kind, content in files:
        data = (json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()
        # A new version of the sealed step is a new version of its result.
        version = reconcile.version if kind == "RECON_RESULT" else land.version
        name = str(ExchangeName(party, kind, custody_date, 1, version)).replace(".csv", ".json")
        sha256 = sha256_hex(data)
        queued.append((party, name, sha256, wiring.archive.keep(data, sha256)))
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
_PLATFORM_SIDES = ("AB", "FILE")


def _recon_result(party: str, custody_date: date, reconcile: Seal, breaks: list[Row]) -> dict[str, Any]:
    shown = ("case_id", "subject", "kind", "amount_minor", "cause")
    own = [b for b in breaks if b["platform"] == party and b["sides"] in _PLATFORM_SIDES]
    return {
        "party": party,
        "custody_date": custody_date.isoformat(),
        "balanced": not own,
        "seal": reconcile.manifest_digest,
        "breaks": [{n: b[n] for n in shown} | {"evidence": json.loads(b["evidence"])} for b in own],
    }
