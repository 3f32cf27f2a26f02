"""The acceptance test of an organisation that is being onboarded: its sample files, read as a custody day would read them.

The samples of the newest custody date of which it sent any are tested together: of each type that its contract promises every day there
must be one, and each must be landed whole, without a fault. The report goes to the organisation, with line, field, value, rule and what
to do, in both languages. A passed test counts for the contract that it was made under.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from custody.digest import digest_of_json
from custody.errors import UsageError
from custody.file_life import REFUSED, SAMPLE
from custody.party_status import PartyStatus
from custody.ports import RegisterTx, Row
from custody.services.access import permitted_transaction
from custody.services.organisations import Party, parties, standing_party
from custody.services.outbound import ExchangePorts, queue_answer
from custody.services.receipts import to_do as sender_does
from custody.texts import text, to_do

PASSED = "PASSED"
FAILED = "FAILED"
ACTION = "party.test"
# A bad export breaks one rule in every row: enough is told to see it, and the full count is said.
_TOLD_FAULTS = 200


@dataclass(frozen=True)
class Fault:
    """What is wrong with a sample; ``line`` 0 for the file as a whole."""

    line: int
    field: str
    value: str
    rule: str
    words: tuple[str, str]


@dataclass(frozen=True)
class SampleRead:
    """What landing made of a sample: rows landed, rows refused, and each fault."""

    rows: int
    rejected: int
    faults: Sequence[Fault]


# Reads a row of the register of files by the dialect of its sender's contract.
ReadSample = Callable[[Row, Mapping[str, Any]], SampleRead]


@dataclass(frozen=True)
class AcceptanceTest:
    """One test: ``report`` is the name under which the party gets it."""

    party: str
    test_no: int
    outcome: str
    custody_date: date
    body: Mapping[str, Any]
    report: str


def run_acceptance(ports: ExchangePorts, read: ReadSample, actor: str, party_id: str) -> AcceptanceTest:
    """Test the samples that stand, record the outcome and queue the report. The same samples under the same contract are the same test.

    Raises UsageError for a party that is not being onboarded or has sent no sample; NotPermitted.
    """
    with permitted_transaction(ports.register, actor, ACTION, party_id) as tx:
        of = standing_party(tx, party_id).on(None)
        if of.status != PartyStatus.ONBOARDING:
            raise UsageError(f"{party_id} is {of.status}: only who is being onboarded is tested")
        files = _samples(tx, of)
    if not any(row["state"] == SAMPLE for row in files):
        raise UsageError(f"{party_id} has sent no sample yet: it puts files with their seal into in/, as it will every day")
    body = _report(of, files, read)
    basis = digest_of_json([contract_digest(of.contract), [[f["file_name"], f["sha256"], f["state"]] for f in files]])
    data = (json.dumps(body, ensure_ascii=False, indent=1) + "\n").encode()
    with permitted_transaction(ports.register, actor, ACTION, party_id) as tx:
        tests = tx.find("acceptance_test", ("test_no",), party=party_id)
        known = bool(tests) and tests[-1]["basis"] == basis
        number = tests[-1]["test_no"] if known else len(tests) + 1
        name = queue_answer(tx, ports, party_id, f"{party_id}_ACCEPTANCE_{files[0]['custody_date']:%Y%m%d}", data)
        if not known:
            row: Row = {
                "party": party_id, "test_no": number, "basis": basis, "contract_digest": contract_digest(of.contract),
                "custody_date": files[0]["custody_date"], "outcome": body["outcome"], "files": len(body["files"]),
                "faults": sum(f["fault_count"] for f in body["files"]), "report_name": name,
                "tested_by": actor, "tested_at": ports.clock.now().isoformat(timespec="microseconds"),
            }  # fmt: skip
            tx.insert("acceptance_test", row)
            tx.audit(actor, ACTION, party_id, {"test": number, "outcome": body["outcome"], "basis": basis, "report": name})
    return AcceptanceTest(party_id, number, body["outcome"], files[0]["custody_date"], body, name)


def to_be_tested(tx: RegisterTx) -> list[str]:
    """Who is being onboarded and has sent samples since its last test."""
    return [
        one.party
        for one in parties(tx)
        if one.status == PartyStatus.ONBOARDING
        and max((f["received_at"] for f in _samples(tx, one)), default="")
        > max((t["tested_at"] for t in tests_of(tx, one.party)), default="")
    ]


def tests_of(tx: RegisterTx, party_id: str) -> list[Row]:
    """Every test, the newest first."""
    return tx.find("acceptance_test", ("test_no",), party=party_id)[::-1]


def check_passed(tx: RegisterTx, of: Party) -> None:
    """Raises UsageError unless the last test was passed, under the contract that the party has."""
    tests = tests_of(tx, of.party)
    way = "or it goes live untested, for a reason that two people stand for"
    if not tests:
        raise UsageError(f"{of.party} has passed no acceptance test: see custody org test {of.party}, {way}")
    if tests[0]["outcome"] != PASSED:
        raise UsageError(
            f"{of.party} failed its acceptance test {tests[0]['test_no']}, {tests[0]['report_name']} says why: {way}"
        )
    if tests[0]["contract_digest"] != contract_digest(of.contract):
        raise UsageError(
            f"{of.party} passed its acceptance test under another contract: custody org test {of.party} again, {way}"
        )


def contract_digest(contract: Mapping[str, Any]) -> str:
    """Of what was tested against."""
    return digest_of_json(dict(contract))


def _samples(tx: RegisterTx, of: Party) -> list[Row]:
    """Of the newest custody date the last content under each name: samples, and what intake refused of it."""
    rows = tx.find("file", ("received_at", "file_name", "sha256"), party=of.party, state=[SAMPLE, REFUSED])
    rows = [row for row in rows if row["file_type"] != "SEAL"]
    newest = max((row["custody_date"] for row in rows if row["state"] == SAMPLE), default=None)
    last = {row["file_name"]: row for row in rows if row["custody_date"] == newest}
    return [last[name] for name in sorted(last)]


def _report(of: Party, files: Sequence[Row], read: ReadSample) -> dict[str, Any]:
    told = [_tested(row, of, read) for row in files]
    there = {row["file_type"] for row in files if row["state"] == SAMPLE}
    for file_type in sorted(set(of.contract["file_types"]) - there):
        fault = Fault(0, "", "", "sample_missing", text("sample_missing", {"file_type": file_type}))
        told.append(_entry({"name": "", "file_type": file_type, "layout": "", "sha256": ""}, SampleRead(0, 0, [fault])))
    passed = all(one["outcome"] == PASSED for one in told)
    return {
        "party": of.party,
        "custody_date": files[0]["custody_date"].isoformat(),
        "outcome": PASSED if passed else FAILED,
        "to_do_en": "nothing: the bank sets the day from which you are live" if passed else "correct what is said, send the samples again",
        "to_do_zh": "无需处理：由银行确定上线日期" if passed else "请按说明更正后重新发送样本文件",
        "files": told,
    }  # fmt: skip


def _tested(row: Row, of: Party, read: ReadSample) -> dict[str, Any]:
    about = {"name": row["file_name"], "file_type": row["file_type"], "layout": row["layout"], "sha256": row["sha256"]}
    if row["state"] == REFUSED:
        # By intake, which has answered it already; here it stands beside the others.
        fault = Fault(0, "", "", row["rule"], text(row["rule"], json.loads(row["figures"])))
        return _entry(about, SampleRead(0, 0, [fault]))
    return _entry(about, read(row, of.contract["dialect"]))


def _entry(about: Mapping[str, Any], done: SampleRead) -> dict[str, Any]:
    faults = [
        {
            "line": f.line, "field": f.field, "value": f.value, "rule": f.rule, "words_en": f.words[0], "words_zh": f.words[1],
            **dict(zip(("to_do_en", "to_do_zh"), sender_does(f.rule) or to_do(f.rule), strict=True)),
        }
        for f in done.faults[:_TOLD_FAULTS]
    ]  # fmt: skip
    figures = {"rows": done.rows, "rejected": done.rejected, "fault_count": len(done.faults), "faults": faults}
    return {**about, "outcome": FAILED if done.faults else PASSED, **figures}
