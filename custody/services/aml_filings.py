"""Large values and suspicious transactions as files for filing (domain.md §8): what a date sealed is proposed by one risk officer and approved
by another, goes out once, never to a platform or channel, and is answered by a receipt.

A filing's state is derived: due from what compliance sealed, decided by the proposal, sent by the outbound file, answered by what was
recorded of its receipt. What goes out follows from the sealed rows and the persons' data, so a crash is repaired by doing the same again.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from custody.digest import digest_of_json
from custody.errors import UsageError
from custody.names import FileType, PartyKind
from custody.party_status import PartyStatus
from custody.ports import Clock, Register, RegisterTx, Row
from custody.report_terms import TERM as REPORTS
from custody.services.access import permitted_transaction
from custody.services.four_eyes import DecisionKind, propose
from custody.services.organisations import dated_parties
from custody.services.outbound import UNDELIVERED, queue
from custody.services.outputs import latest_seal

LARGE_RULE = "large_value"
DUE, PROPOSED, APPROVED, SENT, ACCEPTED, REFUSED = "DUE", "PROPOSED", "APPROVED", "SENT", "ACCEPTED", "REFUSED"
_SEND, ANSWER, VIEW = "aml_filing.send", "aml_filing.answer", "aml_filing.view"


def filing_no(rule: str, finding_id: str, on: date) -> str:
    """All large values of a date are one filing, each suspicion is one of its own, whenever it is found again."""
    return f"LV-{on:%Y%m%d}" if rule == LARGE_RULE else f"ST-{finding_id.upper()}"


@dataclass(frozen=True)
class Filing:
    """``rows``: of table filing_rows, in order; ``seal``: digest of the compliance step's output of ``on`` from which they are."""

    on: date
    file_type: FileType
    rows: Sequence[Row]
    seal: str

    @property
    def filing_no(self) -> str:
        return filing_no(self.rows[0]["rule"], self.rows[0]["finding_id"], self.on)

    @property
    def due_on(self) -> date:
        """The bank business day by whose end all of it must be filed."""
        first: date = min(row["due_on"] for row in self.rows)
        return first

    @property
    def content(self) -> str:
        """Digest of what would be filed."""
        return digest_of_json([[str(value) for _, value in sorted(row.items())] for row in self.rows])


def filings_of(on: date, seal: str, rows: Sequence[Row]) -> list[Filing]:
    """What a date's sealed rows may be filed as."""
    large = [row for row in rows if row["rule"] == LARGE_RULE]
    found = [Filing(on, FileType.LARGE_VALUE, large, seal)] if large else []
    for finding_id in sorted({row["finding_id"] for row in rows if row["rule"] != LARGE_RULE}):
        found.append(Filing(on, FileType.SUSPICIOUS, [row for row in rows if row["finding_id"] == finding_id], seal))
    return found


def propose_filing(register: Register, clock: Clock, actor: str, filing: Filing, note: str) -> str:
    """Propose that it is filed; returns the proposal's id. Raises NotPermitted; UsageError for what is filed and was not refused, or
    where the date has another version since."""
    payload = {"on": filing.on.isoformat(), "type": str(filing.file_type), "content": filing.content, "seal": filing.seal}
    with permitted_transaction(register, actor, FILING.propose_action, filing.filing_no) as tx:
        _check(tx, filing.filing_no, payload)
    return propose(register, clock, actor, FILING, filing.filing_no, payload, note)


def _check(tx: RegisterTx, filing_no: str, payload: Mapping[str, Any]) -> None:
    """Asked at the proposal and at its approval: what two people file is what the first one saw."""
    seal = latest_seal(tx, date.fromisoformat(payload["on"]), "compliance")
    if seal is None or seal.manifest_digest != payload["seal"]:
        raise UsageError(f"compliance of {payload['on']} has another version since: propose {filing_no} again / 合规结果已更新")
    stands = standing(tx, filing_no)
    if stands.state in (APPROVED, SENT, ACCEPTED) and stands.content == payload["content"]:
        raise UsageError(f"{filing_no} is {stands.state} already / 该报告已报送")


FILING = DecisionKind("aml_filing", "aml_filing.propose", "aml_filing.approve", _check)


@dataclass(frozen=True)
class Standing:
    """How a filing stands. ``content``: what was decided on, "" of nothing; ``file_name``: the last one that went out."""

    state: str
    content: str = ""
    proposal_id: str = ""
    file_name: str = ""
    reason: str = ""


def standing(tx: RegisterTx, filing_no: str) -> Standing:
    """By the newest proposal, and by what became of it."""
    return _standings(tx, subject=filing_no).get(filing_no, Standing(DUE))


def standings(tx: RegisterTx) -> dict[str, Standing]:
    """The same of every filing of which anything was ever proposed; another is DUE."""
    return _standings(tx)


def _standings(tx: RegisterTx, **of: str) -> dict[str, Standing]:
    proposals, events = defaultdict[str, list[Row]](list), defaultdict[str, list[Row]](list)
    for row in tx.find("proposal", ("proposed_at", "proposal_id"), kind=FILING.kind, **of):
        proposals[row["subject"]].append(row)
    for row in tx.find("audit_event", ("event_no",), action=[_SEND, ANSWER], **of):
        events[row["subject"]].append(row)
    return {number: _standing(rows, events[number]) for number, rows in proposals.items()}


def _standing(proposals: Sequence[Row], events: Sequence[Row]) -> Standing:
    live = [row for row in proposals if row["state"] != "REJECTED"]
    if not live:
        return Standing(DUE)
    last = live[-1]
    content, number = str(json.loads(last["payload"])["content"]), str(last["proposal_id"])
    if last["state"] == "PROPOSED":
        return Standing(PROPOSED, content, number)
    said = [(row["action"], json.loads(row["details"])) for row in events]
    sent = [one for action, one in said if action == _SEND and one["proposal"] == number]
    if not sent:
        return Standing(APPROVED, content, number)
    name = str(sent[-1]["file"])
    answers = [one for action, one in said if action == ANSWER and one["file"] == name]
    if answers:
        return Standing(str(answers[-1]["outcome"]), content, number, name, str(answers[-1]["reason"]))
    return Standing(SENT, content, number, name)


@dataclass(frozen=True)
class Sending:
    """``rows(date)``: the newest sealed rows of a date with their seal; ``write(filing)``: its file's bytes; ``keep(bytes)``: (SHA-256,
    reference); ``name(party, type, date, batch)``: a file's name."""

    filings: Callable[[date], Sequence[Filing]]
    write: Callable[[Filing], bytes]
    keep: Callable[[bytes], tuple[str, str]]
    name: Callable[[str, str, date, int], str]


def send_filings(register: Register, clock: Clock, actor: str, today: date, sending: Sending) -> tuple[list[str], list[str]]:
    """Queue what was approved and has not gone out; returns the files' names, and why others stay: the date's rows are not those that
    were approved. Doing it again sends nothing twice. Raises NotPermitted; UsageError where nobody is there to be filed with."""
    with permitted_transaction(register, actor, _SEND, today.isoformat()) as tx:
        approved = {row["subject"]: json.loads(row["payload"]) for row in tx.find("proposal", kind=FILING.kind, state="APPROVED")}
        waiting = [number for number in sorted(approved) if standing(tx, number).state == APPROVED]
        to = {number: _recipient(tx, today, approved[number]["type"]) for number in waiting}
    sent: list[str] = []
    stay: list[str] = []
    for number in waiting:
        payload = approved[number]
        found = {one.filing_no: one for one in sending.filings(date.fromisoformat(payload["on"]))}.get(number)
        if found is None or found.content != payload["content"]:
            stay.append(f"what was approved as {number} is not what compliance of {payload['on']} says now: propose it again")
            continue
        data = sending.write(found)
        sha256, reference = sending.keep(data)
        with permitted_transaction(register, actor, _SEND, number) as tx:
            now = standing(tx, number)
            if now.state != APPROVED:
                continue
            batch = 1
            while tx.get("outbound", file_name=sending.name(to[number], found.file_type, found.on, batch)) is not None:
                batch += 1
            name = sending.name(to[number], found.file_type, found.on, batch)
            queue(tx, clock, to[number], name, sha256, reference)
            tx.audit(actor, _SEND, number, {"file": name, "sha256": sha256, "proposal": now.proposal_id, "rows": len(found.rows)})
            sent.append(name)
    return sent, stay


def _recipient(tx: RegisterTx, on: date, file_type: str) -> str:
    """Who passes it on to whom the law names: the reporting platform whose contract names the type (that it gets all reports is not
    enough), else the bank's own gateway."""
    live = sorted((p for p in (one.on(on) for one in dated_parties(tx)) if p.status == PartyStatus.LIVE), key=lambda p: p.party)
    named = [p for p in live if p.kind == PartyKind.REPORTING and file_type.lower() in p.contract.get(REPORTS, ())]
    found = [*named, *(p for p in live if p.kind == PartyKind.GATEWAY)]
    if not found:
        raise UsageError(f"nobody is live on {on} to whom the bank may file: onboard a gateway")
    return found[0].party


def answer(register: Register, actor: str, filing_no: str, outcome: str, reason: str) -> None:
    """Record the receipt of what was delivered; the same again changes nothing. Raises NotPermitted; UsageError where nothing was sent, or
    it has not been delivered, or of a refusal without its reason."""
    with permitted_transaction(register, actor, ANSWER, filing_no) as tx:
        if outcome not in (ACCEPTED, REFUSED) or (outcome == REFUSED and not reason.strip()):
            raise UsageError(f"a receipt says {ACCEPTED}, or {REFUSED} with its reason / 回执为接受，或拒绝并说明原因")
        stands = standing(tx, filing_no)
        if not stands.file_name:
            raise UsageError(f"{filing_no} has not been sent / 该报告尚未报送")
        if (stands.state, stands.reason) == (outcome, reason):
            return
        sent = tx.get("outbound", file_name=stands.file_name)
        if sent is None or sent["state"] in UNDELIVERED:
            to, state = ("nobody", "not there") if sent is None else (sent["party"], sent["state"])
            raise UsageError(
                f"{stands.file_name} has not been delivered to {to} ({state}): nobody can have answered it; see: custody outbound list"
                " / 文件尚未送达，不能登记回执"
            )
        tx.audit(actor, ANSWER, filing_no, {"file": stands.file_name, "outcome": outcome, "reason": reason})


def look(register: Register, actor: str) -> None:
    """Somebody is shown what is filed: it is recorded first. Raises NotPermitted."""
    with permitted_transaction(register, actor, VIEW, "filings") as tx:
        tx.audit(actor, VIEW, "filings", {})
