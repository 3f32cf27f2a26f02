"""Releasing a report: one person proposes, another approves, bound to the digest of the sealed draft (domain.md §9)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date

from custody.calendar import month_end
from custody.digest import digest_of_json
from custody.errors import UsageError
from custody.ports import Clock, Register, RegisterTx, Row
from custody.services.access import permitted_transaction
from custody.services.four_eyes import DecisionKind, propose

# The manifest digest of a step output without tables and files: a report step on a date on which nothing was drafted.
EMPTY_OUTPUT = digest_of_json({"tables": {}, "files": {}})


def subject(report_id: str, period: str) -> str:
    return f"{report_id}|{period}"


def propose_release(
    register: Register, clock: Clock, actor: str, report_id: str, period: str, manifest_digest: str, note: str
) -> str:
    """Propose to release the draft that has this digest; returns the proposal's id.

    ``period`` is a month, YYYY-MM. Raises NotPermitted; UsageError when that digest is not the newest draft of the period,
    or when nothing was drafted in it.
    """
    with permitted_transaction(register, actor, RELEASE.propose_action, subject(report_id, period)) as tx:
        _check_is_newest(tx, report_id, period, manifest_digest)
    return propose(register, clock, actor, RELEASE, subject(report_id, period), {"manifest_digest": manifest_digest}, note)


def release_of(tx: RegisterTx, report_id: str, period: str, manifest_digest: str) -> Row | None:
    """What was decided on releasing this very draft: its approval, else the newest proposal; None when nobody proposed it.

    A decision on another draft of the same period says nothing about this one.
    """
    rows = [
        row
        for row in tx.find("proposal", ("proposed_at", "proposal_id"), kind=RELEASE.kind, subject=subject(report_id, period))
        if json.loads(row["payload"])["manifest_digest"] == manifest_digest
    ]
    approved = [row for row in rows if row["state"] == "APPROVED"]
    found = approved or rows
    return found[-1] if found else None


def drafts(tx: RegisterTx) -> list[Row]:
    """The committed report steps of month ends on which something was drafted: the newest version of each date."""
    newest: dict[date, Row] = {}
    for row in tx.find("step_output", ("custody_date", "version"), step="report"):
        newest[row["custody_date"]] = row
    return [row for on, row in newest.items() if on == month_end(on) and row["manifest_digest"] != EMPTY_OUTPUT]


def draft_for(tx: RegisterTx, period_end: date) -> Row:
    """The newest draft of the period that ends on this date. Raises UsageError when none can: no month end, no draft."""
    if period_end != month_end(period_end):
        raise UsageError(f"{period_end} is not the last day of a month, so no report's period ends on it")
    for row in drafts(tx):
        if row["custody_date"] == period_end:
            return row
    raise UsageError(f"no report was drafted for a period that ends on {period_end}")


def _check_is_newest(tx: RegisterTx, report_id: str, period: str, manifest_digest: str) -> None:
    try:
        first = date.fromisoformat(f"{period}-01")
    except ValueError:
        raise UsageError(f"{period!r} is not a month YYYY-MM") from None
    draft = draft_for(tx, month_end(first))
    if draft["manifest_digest"] != manifest_digest:
        raise UsageError(
            f"the newest draft of {report_id} {period} is {draft['manifest_digest'][:16]} (version {draft['version']}), "
            f"not {manifest_digest[:16]}: look at it and propose again"
        )


def _apply(tx: RegisterTx, subject: str, payload: Mapping[str, object]) -> None:
    """What two people release is the draft that the first one saw, and no draft that was replaced since."""
    report_id, _, period = subject.partition("|")
    _check_is_newest(tx, report_id, period, str(payload["manifest_digest"]))


RELEASE = DecisionKind("release", "report.propose", "report.approve", _apply)
