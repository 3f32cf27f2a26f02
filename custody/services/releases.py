"""Releasing a report (domain.md §9): a sealed draft is checked, proposed by one person with an explanation of what stands out, approved by
another, handed over to every recipient as one package, and answered by receipts. A correction is a later draft of the same period.

Each move is one register transaction and one of those that custody.release_life allows. What is handed over is fixed by what was
approved, so that a crash anywhere is repaired by doing the same again: the package has the same bytes, its name is taken once, and a
receipt is known by its digest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from custody.calendar import CalendarUnknown
from custody.digest import canonical_json, digest_of_json
from custody.errors import UsageError
from custody.names import PartyKind
from custody.party_status import PartyStatus
from custody.ports import Clock, Register, RegisterTx, Row
from custody.release_checks import (
    Check,
    Facts,
    ReleaseFinding,
    SealedInput,
    change_findings,
    day_findings,
    seal_findings,
    total_findings,
    unexplained,
)
from custody.release_life import (
    ACCEPTED,
    APPROVED,
    CORRECTED,
    DELIVERED,
    DRAFT,
    PROPOSED,
    REFUSED,
    REJECTED,
    RELEASED,
    REPLACED,
    SENT,
    UNRELEASED,
    check_move,
)
from custody.report_terms import ReleaseTerms, gets
from custody.services.access import SYSTEM, permitted_transaction
from custody.services.alerts import end_alert, put_alert
from custody.services.calendars import settlement_calendar
from custody.services.four_eyes import DecisionKind, propose
from custody.services.organisations import parties
from custody.services.outbound import LEFT, PROVED, TAKEN, queue, shared_name

DUE_RULE, SOON_RULE, REFUSED_RULE, STRANGE_RULE = "REPORT_DUE", "REPORT_DUE_SOON", "REPORT_REFUSED", "REPORT_RECEIPT_UNKNOWN"
LONGEST_EXPLANATION = 400
_DELIVERED = (PROVED, TAKEN, LEFT)
_KEY = ("report_id", "period", "scope", "draft_no")


@dataclass(frozen=True, order=True)
class ReportKey:
    """A report of a period. ``scope``: the party it is about, "" for the whole bank."""

    report_id: str
    period: str
    scope: str = ""

    @property
    def subject(self) -> str:
        """``custody_monthly|2019-12``, with the scope behind where there is one."""
        return "|".join(part for part in (self.report_id, self.period, self.scope) if part)

    @classmethod
    def read(cls, subject: str) -> ReportKey:
        """Of a ``subject``."""
        report_id, period, *scope = subject.split("|")
        return cls(report_id, period, *scope)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> ReportKey:
        return cls(row["report_id"], row["period"], row["scope"])


@dataclass(frozen=True)
class Draft:
    """What a report step sealed of one report. ``files``: name -> (bytes, SHA-256), the seal among them; ``inputs`` as the seal has them."""

    key: ReportKey
    period_end: date
    custody_date: date
    step_version: int
    manifest_digest: str
    path: str
    seal_name: str
    files: Mapping[str, tuple[int, str]]
    inputs: Sequence[SealedInput]


class DraftContents(Protocol):
    """What lies behind a draft's row."""

    def facts(self, row: Row) -> Facts:
        """Its figures."""

    def damage(self, row: Row) -> list[str]:
        """Each of its files that is not as it was sealed."""

    def terms(self, report_id: str) -> ReleaseTerms: ...


# --- drafts


def take_drafts(tx: RegisterTx, actor: str, drafts: Iterable[Draft]) -> None:
    """What a report step committed becomes known; a draft of the same report and period that nobody released yet is replaced by it.

    Taking the same draft again changes nothing, so that publishing can be repeated.
    """
    for draft in drafts:
        standing = versions(tx, draft.key)
        content = digest_of_json({name: sha256 for name, (_, sha256) in draft.files.items()})
        if any((row["content_digest"], row["manifest_digest"]) == (content, draft.manifest_digest) for row in standing):
            continue
        for row in standing:
            if row["state"] in UNRELEASED:
                move(tx, actor, row, REPLACED, {"by": draft.manifest_digest})
        row = {
            "report_id": draft.key.report_id, "period": draft.key.period, "scope": draft.key.scope, "draft_no": len(standing) + 1,
            "period_end": draft.period_end, "custody_date": draft.custody_date, "step_version": draft.step_version,
            "manifest_digest": draft.manifest_digest, "path": draft.path, "seal_name": draft.seal_name, "content_digest": content,
            "files": canonical_json({name: list(said) for name, said in draft.files.items()}),
            "inputs": canonical_json([[i.custody_date.isoformat(), i.step, i.version, i.manifest_digest] for i in draft.inputs]),
            "state": DRAFT, "release_no": None, "proposal_id": None, "explanations": canonical_json({}), "package_name": None,
            "package_sha256": None, "package_ref": None, "drafted_at": tx.moment(),
        }  # fmt: skip
        tx.insert("report_release", row)
        _event(tx, actor, row, DRAFT, {"manifest": draft.manifest_digest})


def versions(tx: RegisterTx, key: ReportKey) -> list[Row]:
    """Every draft of a report and period, the oldest first."""
    return tx.find("report_release", ("draft_no",), report_id=key.report_id, period=key.period, scope=key.scope)


def newest(tx: RegisterTx, key: ReportKey) -> Row:
    """The newest draft, in whatever state it is. Raises UsageError when there is none."""
    found = versions(tx, key)
    if not found:
        raise UsageError(f"no report was drafted for {key.subject}; see: custody report list")
    return found[-1]


def version(tx: RegisterTx, key: ReportKey, draft_no: int | None = None) -> Row:
    """One draft, or the newest. Raises UsageError."""
    if draft_no is None:
        return newest(tx, key)
    for row in versions(tx, key):
        if row["draft_no"] == draft_no:
            return row
    raise UsageError(f"{key.subject} has no version {draft_no}; see: custody report show {key.report_id} {key.period}")


def released_before(tx: RegisterTx, row: Row) -> Row | None:
    """What a draft corrects: the last one of the same report and period that two people released, below it."""
    earlier = [one for one in versions(tx, ReportKey.of(row)) if one["draft_no"] < row["draft_no"] and one["release_no"]]
    return earlier[-1] if earlier else None


def all_versions(tx: RegisterTx, **equals: object) -> list[Row]:
    """Every draft that there is, by period, report and number; a condition that is empty does not restrict."""
    wanted = {name: value for name, value in equals.items() if value}
    return tx.find("report_release", ("period_end", "report_id", "scope", "draft_no"), **wanted)


def history(tx: RegisterTx, key: ReportKey) -> list[Row]:
    return tx.find("report_event", ("event_no",), report_id=key.report_id, period=key.period, scope=key.scope)


def move(tx: RegisterTx, actor: str, row: Row, state: str, details: Mapping[str, object], **values: object) -> None:
    """A draft takes another state, and ``values`` with it; ``row`` is made to say what the register then says. Raises StopRun for a move that cannot be."""
    check_move(row["state"], state, f"{ReportKey.of(row).subject} draft {row['draft_no']}")
    row.update({**values, "state": state})
    tx.update("report_release", {name: row[name] for name in _KEY}, {**values, "state": state})
    _event(tx, actor, row, state, details)


def _event(tx: RegisterTx, actor: str, row: Row, state: str, details: Mapping[str, object]) -> None:
    of = {name: row[name] for name in _KEY}
    tx.insert("report_event", {**of, "state": state, "actor": actor, "at": tx.moment(), "details": canonical_json(dict(details))})
    tx.audit(actor, f"release.{state.lower()}", ReportKey.of(row).subject, {"draft": row["draft_no"], **details})


# --- checks


@dataclass(frozen=True)
class Assessment:
    """``compared``: digest of what the draft was held against, so that an approval holds for what was seen."""

    findings: list[ReleaseFinding]
    compared: str


def assess(tx: RegisterTx, row: Row, contents: DraftContents, go_live: date) -> Assessment:
    """All checks of a draft, as the register and the lake are now."""
    terms = contents.terms(row["report_id"])
    findings = register_findings(tx, row, go_live, terms.daily_steps)
    findings += [ReleaseFinding(Check.FILES, said, said, said) for said in contents.damage(row)]
    if any(one.check == Check.FILES for one in findings):
        return Assessment(findings, "")
    others, before = _beside(tx, row), _period_before(tx, row)
    facts = contents.facts(row)
    findings += total_findings(row["report_id"], facts, {ReportKey.of(one).subject: contents.facts(one) for one in others})
    if before is not None:
        findings += change_findings(contents.facts(before), facts, terms.change, before["period"])
    return Assessment(findings, _compared(others, before))


def register_findings(tx: RegisterTx, row: Row, go_live: date, daily_steps: frozenset[str]) -> list[ReleaseFinding]:
    """Those checks that need nothing but the register: days and seals. ``daily_steps``: of what each day is to be among the inputs."""
    inputs = sealed_inputs(row)
    names = sorted({one.step for one in inputs} | {"close"})
    seals: dict[tuple[date, str], tuple[int, str]] = {}
    for output in tx.find("step_output", ("version",), step=names):
        seals[output["custody_date"], output["step"]] = (output["version"], output["manifest_digest"])
    first = max(go_live, first_day(row["period"], row["period_end"]))
    read = {step: frozenset(one.custody_date for one in inputs if one.step == step) for step in daily_steps}
    closed = [on for on, step in seals if step == "close"]
    return day_findings(first, row["period_end"], read, closed) + seal_findings(inputs, seals)


def sealed_inputs(row: Row) -> list[SealedInput]:
    return [SealedInput(date.fromisoformat(on), step, number, digest) for on, step, number, digest in json.loads(row["inputs"])]


def first_day(period: str, period_end: date) -> date:
    """Of ``2019-12``, ``2019-Q4``, ``2019`` or a day."""
    if len(period) == len("2019-12-31"):
        return date.fromisoformat(period)
    if "-Q" in period:
        return date(period_end.year, period_end.month - 2, 1)
    return period_end.replace(day=1) if "-" in period else date(period_end.year, 1, 1)


def _beside(tx: RegisterTx, row: Row) -> list[Row]:
    """The newest drafts of the other reports of the same period."""
    found: dict[ReportKey, Row] = {}
    for one in all_versions(tx, period=row["period"]):
        found[ReportKey.of(one)] = one
    return [one for key, one in sorted(found.items()) if key != ReportKey.of(row)]


def _period_before(tx: RegisterTx, row: Row) -> Row | None:
    """What counts of the report's last period before this one: what was released, else its newest draft."""
    rows = [
        one for one in all_versions(tx, report_id=row["report_id"])
        if one["scope"] == row["scope"] and one["period_end"] < first_day(row["period"], row["period_end"])
        and len(one["period"]) == len(row["period"])
    ]  # fmt: skip
    if not rows:
        return None
    last = [one for one in rows if one["period"] == rows[-1]["period"]]
    released = [one for one in last if one["state"] in RELEASED]
    return (released or last)[-1]


def _compared(others: Sequence[Row], before: Row | None) -> str:
    rows = [*others, *([before] if before is not None else [])]
    return digest_of_json([[*(one[name] for name in _KEY), one["content_digest"]] for one in rows])


# --- four eyes


def propose_release(
    register: Register, clock: Clock, actor: str, key: ReportKey, contents: DraftContents, go_live: date,
    explanations: Mapping[str, str], note: str, content_digest: str = "",
) -> str:  # fmt: skip
    """Propose to release the newest draft; returns the proposal's id, the same one while it is open.

    ``explanations``: words for what stands out, by a finding's subject or by platform. ``content_digest``: of the draft that the maker has
    seen, where he says so. Raises NotPermitted; UsageError when another draft is newer, when it is released already, or for what is
    wrong or not explained.
    """
    said = {name: _words(words) for name, words in explanations.items() if words.strip()}
    with permitted_transaction(register, actor, RELEASE.propose_action, key.subject) as tx:
        row = newest(tx, key)
        if content_digest and row["content_digest"] != content_digest:
            raise UsageError(f"the newest draft of {key.subject} is number {row['draft_no']} now: look at it and propose again")
        if row["state"] not in UNRELEASED:
            raise UsageError(f"{key.subject} is {row['state']} already: a correction needs a new draft")
        found = assess(tx, row, contents, go_live)
    against = unexplained(found.findings, said)
    if against:
        raise UsageError(
            "; ".join(f"{one.check} {one.english}" + (" (explain it)" if one.explainable else "") for one in against)
        )
    payload = {
        "draft_no": row["draft_no"], "content_digest": row["content_digest"], "manifest_digest": row["manifest_digest"],
        "compared": found.compared, "go_live": go_live.isoformat(), "explanations": said,
        "findings": [[one.check, one.subject, one.english, one.chinese] for one in found.findings],
    }  # fmt: skip
    with permitted_transaction(register, actor, RELEASE.propose_action, key.subject) as tx:
        for open_ in tx.find("proposal", kind=RELEASE.kind, subject=key.subject, state="PROPOSED"):
            seen = json.loads(open_["payload"])
            if seen != json.loads(canonical_json(payload)) and seen["draft_no"] == row["draft_no"]:
                raise UsageError(f"proposal {open_['proposal_id']} for {key.subject} is open with other words: reject it first")
    return propose(register, clock, actor, RELEASE, key.subject, payload, note)


def _words(text: str) -> str:
    said = " ".join(text.split())
    if len(said) > LONGEST_EXPLANATION or not said.isprintable():
        raise UsageError(
            f"an explanation has at most {LONGEST_EXPLANATION} printable characters / 说明不超过 {LONGEST_EXPLANATION} 字"
        )
    return said


def _told(tx: RegisterTx, proposal: Row) -> None:
    """The draft follows its proposal, in the same transaction."""
    payload = json.loads(proposal["payload"])
    row = version(tx, ReportKey.read(proposal["subject"]), payload["draft_no"])
    actor = proposal.get("checker") or proposal["maker"]
    if proposal["state"] == "PROPOSED":
        values = {"proposal_id": proposal["proposal_id"], "explanations": canonical_json(payload["explanations"])}
        move(tx, actor, row, PROPOSED, {"proposal": proposal["proposal_id"], "note": proposal["note"]}, **values)
    elif proposal["state"] == "REJECTED" and row["state"] == PROPOSED:
        move(tx, actor, row, REJECTED, {"proposal": proposal["proposal_id"], "note": proposal["decision_note"]})


def _apply(tx: RegisterTx, subject: str, payload: Mapping[str, Any]) -> None:
    """What two people release is the draft that the first one saw, held against what he saw, and no draft that was replaced since."""
    key = ReportKey.read(subject)
    row = newest(tx, key)
    if (row["draft_no"], row["content_digest"]) != (payload["draft_no"], payload["content_digest"]):
        raise UsageError(
            f"the newest draft of {subject} is number {row['draft_no']}, not {payload['draft_no']}: propose it again"
        )
    # What it was made from has not changed since it was sealed; whether that is still the newest may have.
    found = register_findings(tx, row, date.fromisoformat(payload["go_live"]), frozenset())
    if found:
        raise UsageError("; ".join(one.english for one in found))
    if _compared(_beside(tx, row), _period_before(tx, row)) != payload["compared"]:
        raise UsageError(f"a report that {subject} was compared with has another draft since: propose it again")
    earlier = [one for one in versions(tx, key) if one["release_no"]]
    for one in earlier:
        if one["state"] in RELEASED:
            move(tx, SYSTEM, one, CORRECTED, {"by": row["draft_no"]})
    move(tx, SYSTEM, row, APPROVED, {"proposal": row["proposal_id"]}, release_no=len(earlier) + 1)
    end_due(tx, key)


RELEASE = DecisionKind("release", "report.propose", "report.approve", _apply, _told)


# --- handing over


@dataclass(frozen=True)
class Handing:
    """How a package is made and kept: ``pack(row, corrected)`` gives (name, bytes) of a draft and of what it corrects; ``keep(bytes)``
    (SHA-256, reference)."""

    pack: Callable[[Row, Row | None], tuple[str, bytes]]
    keep: Callable[[bytes], tuple[str, str]]
    terms: Callable[[str], ReleaseTerms]


def hand_over(register: Register, clock: Clock, actor: str, on: date, handing: Handing) -> tuple[list[str], list[str]]:
    """Queue the package of every approved release for each of its recipients; returns the packages' names, and the releases that
    nobody gets, which wait until a reporting platform is onboarded whose contract names them.

    A report for the bank alone lies with it at once. Doing it again hands over nothing twice. Raises NotPermitted.
    """
    with permitted_transaction(register, actor, "report.send", on.isoformat()) as tx:
        approved = all_versions(tx, state=APPROVED)
        before = {ReportKey.of(row): released_before(tx, row) for row in approved}
    done: list[str] = []
    nobody: list[str] = []
    for row in approved:
        # Made outside the register's lock: the same row gives the same bytes.
        name, data = handing.pack(row, before[ReportKey.of(row)])
        sha256, reference = handing.keep(data)
        with permitted_transaction(register, actor, "report.send", ReportKey.of(row).subject) as tx:
            now = version(tx, ReportKey.of(row), row["draft_no"])
            if now["state"] != APPROVED:
                continue  # corrected or handed over meanwhile
            terms = handing.terms(row["report_id"])
            to = recipients(tx, ReportKey.of(row), terms, on)
            if not to and (terms.to_regulator or terms.to_platform):
                nobody.append(ReportKey.of(row).subject)
                continue
            for party in to:
                file_name = shared_name(party, name)
                queue(tx, clock, party, file_name, sha256, reference)
                of = {n: row[n] for n in _KEY}
                tx.insert("report_delivery", {**of, "file_name": file_name, "party": party, "outcome": None, "reason": None,
                                              "receipt_ref": None, "receipt_sha256": None, "answered_at": None})  # fmt: skip
            values = {"package_name": name, "package_sha256": sha256, "package_ref": reference}
            move(tx, actor, now, SENT, {"package": name, "sha256": sha256, "to": to}, **values)
            if not to:
                move(tx, actor, now, DELIVERED, {"package": name})
            done.append(name)
    return done, nobody


def recipients(tx: RegisterTx, key: ReportKey, terms: ReleaseTerms, on: date) -> list[str]:
    """Of a report for the regulator the live reporting platforms whose contract names it; of one that is for a platform, that one."""
    live = [one for one in parties(tx, on) if (one.kind, one.status) == (PartyKind.REPORTING, PartyStatus.LIVE)]
    found = [one.party for one in live if gets(one.contract, key.report_id, terms.to_regulator)]
    return [*([key.scope] if terms.to_platform and key.scope else []), *found]


def deliveries_of(tx: RegisterTx, row: Row) -> list[Row]:
    """To each recipient: what became of the file, and his answer."""
    rows = tx.find("report_delivery", ("file_name",), **{name: row[name] for name in _KEY})
    found = []
    for one in rows:
        sent = tx.get("outbound", file_name=one["file_name"])
        found.append({**one, "delivery": sent["state"] if sent is not None else None, "proved_at": sent and sent["proved_at"]})
    return found


def follow_deliveries(register: Register, actor: str) -> list[str]:
    """Releases of which every package lies with its recipient now are DELIVERED; returns their subjects."""
    done = []
    with permitted_transaction(register, actor, "report.send", "deliveries") as tx:
        for row in all_versions(tx, state=SENT):
            states = [one["delivery"] for one in deliveries_of(tx, row)]
            if states and all(state in _DELIVERED for state in states):
                move(tx, actor, row, DELIVERED, {"package": row["package_name"]})
                done.append(ReportKey.of(row).subject)
    return done


# --- receipts


@dataclass(frozen=True)
class Receipt:
    """What a recipient says of a package: ``outcome`` ACCEPTED or REFUSED, with the reason of a refusal."""

    package: str
    package_sha256: str
    outcome: str
    reason: str


def take_receipt(
    tx: RegisterTx, actor: str, on: date, party: str, receipt: Receipt | str, file_name: str, sha256: str, reference: str
) -> str:
    """Record one receipt; returns what became of it: ACCEPTED, REFUSED, UNKNOWN (of nothing that we sent, or unreadable: ``receipt`` is then
    why). Taking the same again changes nothing."""
    if isinstance(receipt, str):
        return _strange(tx, on, party, file_name, receipt)
    one = tx.get("report_delivery", file_name=shared_name(party, receipt.package))
    if one is None:
        return _strange(tx, on, party, file_name, f"no package {receipt.package} was sent to {party}")
    row = version(tx, ReportKey.of(one), one["draft_no"])
    if row["package_sha256"] != receipt.package_sha256:
        return _strange(
            tx, on, party, file_name, f"{receipt.package} has SHA-256 {row['package_sha256']}, not {receipt.package_sha256}"
        )
    if one["receipt_sha256"] == sha256:
        return receipt.outcome
    values = {"outcome": receipt.outcome, "reason": receipt.reason, "receipt_ref": reference, "receipt_sha256": sha256}
    tx.update("report_delivery", {"file_name": one["file_name"]}, {**values, "answered_at": tx.moment()})
    said = {"party": party, "receipt": file_name, "sha256": sha256, "outcome": receipt.outcome, "reason": receipt.reason}
    outcomes = [d["outcome"] for d in tx.find("report_delivery", **{name: row[name] for name in _KEY})]
    state = REFUSED if REFUSED in outcomes else ACCEPTED if set(outcomes) == {ACCEPTED} else row["state"]
    if row["state"] != CORRECTED and state != row["state"]:
        move(tx, actor, row, state, said)
    else:
        _event(tx, actor, row, row["state"], said)
    subject = f"{ReportKey.of(row).subject}|{party}"
    if receipt.outcome == REFUSED:
        words = (
            f"{party} refused {receipt.package}: {receipt.reason}",
            f"{party} 拒收 {receipt.package}：{receipt.reason}",
        )
        put_alert(tx, SYSTEM, REFUSED_RULE, subject, on, words, "HIGH", "", str(row["draft_no"]))
    else:
        _end(tx, REFUSED_RULE, subject, (f"{party} accepted {receipt.package}", f"{party} 已接收 {receipt.package}"))
    return receipt.outcome


def _strange(tx: RegisterTx, on: date, party: str, file_name: str, why: str) -> str:
    words = f"{party}: receipt {file_name} cannot be taken: {why}", f"{party} 的回执 {file_name} 无法登记：{why}"
    put_alert(tx, SYSTEM, STRANGE_RULE, f"{party}|{file_name}", on, words, "HIGH", "", "")
    return "UNKNOWN"


# --- due dates


@dataclass(frozen=True)
class Due:
    """A report of a period that is over. ``state``: of the version that counts, "" where nothing was drafted; ``due_on`` is None where
    the bank's calendar does not reach."""

    key: ReportKey
    period_end: date
    due_on: date | None
    warn_on: date | None
    state: str
    released: bool


def dues(tx: RegisterTx, ends: Iterable[tuple[ReleaseTerms, str, date]]) -> list[Due]:
    """``ends``: of each report its periods that are over, with their last day. A report that is drafted for parties is due for each."""
    calendar, found = settlement_calendar(tx), []
    rows: dict[tuple[str, str], dict[str, list[Row]]] = {}
    for row in all_versions(tx):
        rows.setdefault((row["report_id"], row["period"]), {}).setdefault(row["scope"], []).append(row)
    for terms, period, end in ends:
        try:
            due_on, warn_on = terms.due_on(calendar, end), terms.warned_on(calendar, end)
        except CalendarUnknown:
            due_on = warn_on = None
        for scope, of in sorted(rows.get((terms.report_id, period), {"": []}).items()):
            counts = [one for one in of if one["state"] in RELEASED]
            shown = of[-1:] if of and of[-1]["state"] in UNRELEASED else counts[-1:] or of[-1:]
            state = shown[0]["state"] if shown else ""
            # A correction that waits does not undo what was released in time.
            found.append(Due(ReportKey(terms.report_id, period, scope), end, due_on, warn_on, state, bool(counts)))
    return found


def tell_due(register: Register, actor: str, on: date, found: Sequence[Due]) -> list[Due]:
    """Alerts for what is due soon and for what is overdue on a bank business day, each raised once; returns those that need somebody. What
    has been released since ends its alerts."""
    open_ = [one for one in found if not one.released and one.warn_on is not None and one.warn_on <= on]
    with permitted_transaction(register, actor, "alert.raise", f"{DUE_RULE}|{on}") as tx:
        for one in open_:
            assert one.due_on is not None
            name, subject = one.key.subject.replace("|", " "), one.key.subject
            if one.due_on < on:
                words = (
                    f"report {name} was due {one.due_on} and is not released",
                    f"报表 {name} 应于 {one.due_on} 前报送，尚未放行",
                )
                put_alert(tx, actor, DUE_RULE, subject, on, words, "HIGH", "", "")
                _end(tx, SOON_RULE, subject, ("it is overdue now", "现已逾期"))
            else:
                words = (f"report {name} is due {one.due_on}", f"报表 {name} 应于 {one.due_on} 前报送")
                put_alert(tx, actor, SOON_RULE, subject, on, words, "MEDIUM", "", "")
    return open_


def end_due(tx: RegisterTx, key: ReportKey) -> None:
    """What warned of the report's due date is over."""
    for rule in (DUE_RULE, SOON_RULE):
        _end(tx, rule, key.subject, ("the report was released", "报表已放行"))


def _end(tx: RegisterTx, rule: str, subject: str, words: tuple[str, str]) -> None:
    for alert in tx.find("alert", rule=rule, subject=subject):
        end_alert(tx, SYSTEM, tx.moment(), alert["alert_id"], words)
