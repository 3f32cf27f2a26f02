"""cut_off: seals what the custody day may see, so that a rerun of any later step sees what the first run saw.

The register is live; from here on nobody reads it for this date. What arrives later waits for the next cut-off, and
keeps its own custody date (design.md §2, late and restated).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, timedelta

from custody.digest import canonical_json
from custody.match_rules import Rule, read_rule
from custody.party_status import IN_THE_DAY, LANDS, PartyStatus
from custody.ports import RegisterTx, Row
from custody.services.access import SYSTEM
from custody.services.organisations import DatedParty, Party, dated_parties
from custody.services.outputs import Seal, latest_seal
from custody.services.promises import judge_at_cut_off
from custody.services.restatements import landed_version
from custody.services.rules import book_anew, rule_book
from custody.texts import text
from jobs.step import Step, StepContext
from schemas.rule_book import shipped_rules

_INPUT_STATES = ["ACCEPTED", "LATE"]


def _run(context: StepContext) -> None:
    settings = context.wiring.settings
    sealed_up_to = _decisions_sealed_before(context)
    earlier = _sealed_before(context)
    taken, rules = _taken_before(context, earlier), _rules_before(context, earlier)
    with context.wiring.register.transaction() as tx:
        files = [f for f in tx.find("file", cut_off_date=None) if f["custody_date"] <= context.custody_date]
        files += [{**f, "state": taken[f["file_name"], f["sha256"]]} for f in tx.find("file", cut_off_date=context.custody_date)]
        restated = _restated(tx, files)
        # A version of this very cut-off is not withdrawn by another: that one waits for the next day.
        files = [f for f in files if restated.get(f["file_name"], {}).get("cut_off_date") != context.custody_date]
        decided = tx.find("proposal", order_by=["decision_no"], state=["APPROVED", "REJECTED"])
        dated = {one.row["party"]: one for one in dated_parties(tx)}
        files = [f for f in files if f["cut_off_date"] is not None or _lets_in(dated, f, context.custody_date)]
        holidays = tx.find("holiday")
        book = book_anew(rule_book(tx, shipped_rules()), rules, context.custody_date)
    accepted = [f for f in files if f["state"] in _INPUT_STATES]
    refused = [f for f in files if f["state"] in ("REFUSED", "QUARANTINED")]
    context.write("accepted_files", [as_landed(f) for f in accepted])
    context.write("refused_files", [_refusal(f) for f in refused])
    context.write("restated_files", [_restatement(f, restated[f["file_name"]]) for f in accepted if f["file_name"] in restated])
    context.write("decisions", [_decision(p) for p in decided if p["decision_no"] > sealed_up_to])
    parties = [p for p in (one.on(context.custody_date) for one in dated.values()) if p.status in IN_THE_DAY]
    reference: list[Row] = [{"kind": "party", "id": p.party, "payload": canonical_json(_party(p))} for p in parties]
    # What is of an earlier date is read under the contract of that date.
    versions = {p.party: dated[p.party].contracts_until(context.custody_date) for p in parties}
    reference += [
        {"kind": "contract", "id": of, "payload": canonical_json([[since.isoformat(), c] for since, c in held])}
        for of, held in versions.items()
        if len(held) > 1
    ]
    reference += [
        {"kind": "holiday", "id": h["day"].isoformat(), "payload": canonical_json({"business_day": h["business_day"]})}
        for h in holidays
    ]
    # All versions: what began under an earlier one is judged by it.
    book.rules_on(context.custody_date)
    reference += [{"kind": "rule", "id": rule.id, "payload": canonical_json(dict(rule.entry))} for rule in book.rules]
    instance = {
        "bank": settings.instance.bank,
        "risk_horizon_business_days": settings.instance.risk_horizon_business_days,
        "reports": settings.instance.reports,
        "decisions_up_to": max((p["decision_no"] for p in decided), default=0),
    }
    reference.append({"kind": "instance", "id": "instance", "payload": canonical_json(instance)})
    context.write("reference", reference)


def as_landed(file: Row) -> Row:
    """Of an OpenPGP message its content, which a day lands and a replay lands again; name and digest stay those of what came."""
    if file["plain_ref"] is None:
        return file
    return {**file, "bytes": file["plain_bytes"], "archive_ref": file["plain_ref"]}


def _sealed_before(context: StepContext) -> Seal | None:
    """The newest earlier version of this very cut-off."""
    with context.wiring.register.transaction() as tx:
        return latest_seal(tx, context.custody_date, "cut_off")


def _taken_before(context: StepContext, earlier: Seal | None) -> dict[tuple[str, str], str]:
    """(name, digest) -> state of the files that an earlier version of this cut-off sealed: a new version keeps them as they
    were taken, whatever became of them since."""
    if earlier is None:
        return {}
    rows = context.wiring.lake.rows
    taken = {(r["file_name"], r["sha256"]): "ACCEPTED" for r in rows(earlier.path, "accepted_files")}
    return taken | {(r["file_name"], r["sha256"]): "REFUSED" for r in rows(earlier.path, "refused_files")}


def _rules_before(context: StepContext, earlier: Seal | None) -> list[Rule]:
    """The versions of rules that an earlier version of this cut-off sealed; none where a program did that knew none."""
    if earlier is None:
        return []
    rows = context.wiring.lake.rows(earlier.path, "reference")
    where = f"the cut-off of {context.custody_date}"
    return [read_rule(json.loads(row["payload"]), where) for row in rows if row["kind"] == "rule"]


def _restated(tx: RegisterTx, files: list[Row]) -> dict[str, Row]:
    """By the name of a file that is to be taken: the version that it replaces, where a sealed day holds its rows."""
    newer = [f for f in files if f["version"] > 1 and f["state"] in _INPUT_STATES]
    found = {f["file_name"]: landed_version(tx, f) for f in newer}
    return {name: landed for name, landed in found.items() if landed is not None}


def _restatement(file: Row, landed: Row) -> Row:
    kept = {n: file[n] for n in ("file_name", "party", "file_type", "custody_date")}
    return kept | {"replaces": landed["file_name"], "landed_on": landed["cut_off_date"]}


def _decisions_sealed_before(context: StepContext) -> int:
    """The highest decision number that an earlier cut-off sealed; each cut-off writes it for the next."""
    for row in context.rows("cut_off", "reference", on=context.custody_date - timedelta(days=1)):
        if row["kind"] == "instance":
            return int(json.loads(row["payload"])["decisions_up_to"])
    return 0


def _refusal(file: Row) -> Row:
    english, chinese = text(file["rule"], json.loads(file["figures"]))
    return {**file, "words_en": english, "words_zh": chinese}


def _decision(proposal: Row) -> Row:
    return {**proposal, "outcome": proposal["state"]}


def _lets_in(dated: Mapping[str, DatedParty], file: Row, today: date) -> bool:
    """Of one that is suspended today files wait; those of before it went live never come in (they were refused, or samples)."""
    of = dated[file["party"]]
    return of.status_on(today) in LANDS and of.status_on(file["custody_date"]) != PartyStatus.ONBOARDING


def _party(of: Party) -> Row:
    said = {"kind": of.kind, "name_en": of.name_en, "name_zh": of.name_zh, "status": of.status, "contract": dict(of.contract)}
    return said if of.restricted_since is None else {**said, "since": of.restricted_since.isoformat()}


def _publish(context: StepContext, seal: Seal) -> None:
    """Mark the sealed files in the register, so that the next cut-off takes only what came after; then call missing what was due
    and is not there."""
    lake = context.wiring.lake
    files = [r for table in ("accepted_files", "refused_files") for r in lake.rows(seal.path, table)]
    with context.wiring.register.transaction() as tx:
        context.lease.check(tx)
        for file in files:
            key = {"file_name": file["file_name"], "sha256": file["sha256"], "cut_off_date": None}
            tx.update("file", key, {"cut_off_date": seal.custody_date})
    judge_at_cut_off(context.wiring.exchange_ports, SYSTEM, seal.custody_date)


STEP = Step("cut_off", _run, _publish)
