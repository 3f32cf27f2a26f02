"""Releasing a report: one person proposes, another approves, bound to the digest of the sealed draft (domain.md §9)."""

from __future__ import annotations

from datetime import date

from custody.errors import UsageError
from custody.ports import Clock, Register, RegisterTx, Row
from custody.services.four_eyes import DecisionKind, propose

RELEASE = DecisionKind("release", "report.propose", "report.approve")


def subject(report_id: str, period: str) -> str:
    return f"{report_id}|{period}"


def propose_release(
    register: Register, clock: Clock, actor: str, report_id: str, period: str, manifest_digest: str, note: str
) -> str:
    """Propose to release the draft that has this digest; returns the proposal's id."""
    return propose(register, clock, actor, RELEASE, subject(report_id, period), {"manifest_digest": manifest_digest}, note)


def release_of(tx: RegisterTx, report_id: str, period: str) -> Row | None:
    """The newest decision on a report's release, or its open proposal; None when nobody proposed one."""
    rows = tx.find("proposal", ("proposed_at",), kind=RELEASE.kind, subject=subject(report_id, period))
    return rows[-1] if rows else None


def drafts(tx: RegisterTx) -> list[Row]:
    """The committed report steps, newest version of each date."""
    newest: dict[date, Row] = {}
    for row in tx.find("step_output", ("custody_date", "version"), step="report"):
        newest[row["custody_date"]] = row
    return list(newest.values())


def draft_for(tx: RegisterTx, period_end: date) -> Row:
    """The committed report step of the period's last day, newest version. Raises UsageError when there is none."""
    for row in drafts(tx):
        if row["custody_date"] == period_end:
            return row
    raise UsageError(f"no report was drafted for a period that ends on {period_end}")
