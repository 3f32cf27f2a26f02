"""Cases in the register: a projection of the sealed ``breaks``, beside what people decided about them.

A case is opened when its break first appears, aged while it stays, and closed by the day that no longer has it. It can be
rebuilt from the lake by replaying the days in order; its identity never changes.
"""

from __future__ import annotations

from datetime import date

from custody.match_rules import RuleSet
from custody.ports import RegisterTx, Row
from custody.services.outputs import Seal
from jobs.reference import load_reference
from jobs.step import StepContext


def publish_cases(context: StepContext, seal: Seal) -> None:
    breaks = context.wiring.lake.rows(seal.path, "breaks")
    rules = load_reference(context).rules
    with context.wiring.register.transaction() as tx:
        context.lease.check(tx)
        for row in breaks:
            _open_or_age(tx, row, seal.custody_date, rules)
        seen = {row["case_id"] for row in breaks}
        cut_off = context.rows("cut_off", "decisions")
        decided = {d["subject"]: d["proposal_id"] for d in cut_off if d["kind"] == "case" and d["outcome"] == "APPROVED"}
        for case in tx.find("recon_case", state="OPEN"):
            if case["case_id"] not in seen and case["last_seen_on"] < seal.custody_date:
                # Two people's decision that the day's cut-off sealed, or else a later row or file that healed it.
                proposal = decided.get(case["case_id"])
                closed_by = f"decision {proposal}" if proposal else "no_longer_found"
                change = {"state": "CLOSED", "closed_on": seal.custody_date, "closed_by": closed_by}
                tx.update("recon_case", {"case_id": case["case_id"]}, change)


def _open_or_age(tx: RegisterTx, row: Row, on: date, rules: RuleSet) -> None:
    case = tx.get("recon_case", case_id=row["case_id"])
    facts = {
        "kind": row["kind"],
        "amount_minor": row["amount_minor"],
        "last_seen_on": on,
        "evidence_digest": row["evidence_digest"],
        "evidence": row["evidence"],
        "cause": row["cause"],
    }
    if case is None:
        new = {n: row[n] for n in ("case_id", "platform", "sides", "subject")} | facts
        new |= {"state": "OPEN", "opened_on": on, "episode": 1, "severity": rules.severity(row["amount_minor"], 0)}
        tx.insert("recon_case", new)
    elif case["state"] == "CLOSED" and case["closed_on"] < on:
        # The same difference again, later: the same case reopened, counted as a new episode.
        new = {"state": "OPEN", "opened_on": on, "closed_on": None, "closed_by": None, "episode": case["episode"] + 1}
        tx.update("recon_case", {"case_id": row["case_id"]}, facts | new | {"severity": rules.severity(row["amount_minor"], 0)})
    else:
        age = (on - case["opened_on"]).days
        tx.update("recon_case", {"case_id": row["case_id"]}, facts | {"severity": rules.severity(row["amount_minor"], age)})
