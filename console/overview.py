"""What the desk sees at a glance, gathered from sealed steps and the register: for the command line and the pages alike."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

from connectors.bootstrap import Wiring
from custody.errors import UsageError
from custody.ports import Row
from custody.services import releases
from custody.services.access import SYSTEM
from custody.services.alerts import raise_alert
from custody.services.calendars import settlement_calendar
from jobs.step import latest_seal
from reports.definition import load_definition


def platform_rows(wiring: Wiring, on: date) -> list[dict[str, Any]]:
    """For each party on a date: files landed of those expected, breaks, alerts."""
    expected: Counter[str] = Counter()
    landed: Counter[str] = Counter()
    breaks: Counter[str] = Counter()
    alerts: Counter[str] = Counter()
    land, reconcile, risk = (latest_seal(wiring, on, step) for step in ("land", "reconcile", "risk"))
    if land:
        for o in wiring.lake.rows(land.path, "file_outcomes"):
            if o["custody_date"] == on:
                expected[o["party"]] += o["outcome"] in ("LANDED", "EXPECTED")
                landed[o["party"]] += o["outcome"] == "LANDED"
    if reconcile:
        breaks.update(b["platform"] for b in wiring.lake.rows(reconcile.path, "breaks"))
    if risk:
        alerts.update(a["platform"] for a in wiring.lake.rows(risk.path, "alerts"))
    return [
        {"platform": p, "expected": expected[p], "landed": landed[p], "breaks": breaks[p], "alerts": alerts[p]}
        for p in sorted(set(expected) | set(breaks) | set(alerts))
    ]


def report_rows(wiring: Wiring) -> list[dict[str, Any]]:
    """Every file of the newest drafts with its state: DRAFT, PROPOSED, APPROVED (released) or REJECTED.

    The state is that of this very draft: a new version of a released one is a DRAFT again.
    """
    rows: list[dict[str, Any]] = []
    with wiring.register.transaction() as tx:
        for draft in releases.drafts(tx):
            period = f"{draft['custody_date']:%Y-%m}"
            for name in sorted(wiring.lake.manifest(draft["path"]).files):
                decision = releases.release_of(tx, _report_id(name), period, draft["manifest_digest"])
                path = wiring.lake.path(draft["path"]) / "files" / name
                state = decision["state"] if decision else "DRAFT"
                rows.append({"period": period, "name": name, "state": state, "path": str(path)})
    return rows


def draft_of(wiring: Wiring, report_id: str, period_end: date) -> Row:
    """The newest committed report step of the period's last day, when it drafted this report. Raises UsageError."""
    with wiring.register.transaction() as tx:
        draft = releases.draft_for(tx, period_end)
    known = sorted({_report_id(name) for name in wiring.lake.manifest(draft["path"]).files})
    if report_id not in known:
        raise UsageError(f"{report_id!r} was not drafted for a period that ends on {period_end}; drafted: {', '.join(known)}")
    return draft


def _report_id(file_name: str) -> str:
    return "custody_monthly" if file_name.startswith("custody_monthly") else file_name


# The platform's figures are published within the first five working days (domain.md §9); our own report keeps that time.
_DUE_BUSINESS_DAYS = 5


def reports_due(wiring: Wiring, on: date) -> list[dict[str, Any]]:
    """Monthly reports whose newest draft is not released and whose due date is here; an alert is raised once for each."""
    definition = load_definition("custody_monthly")
    due = []
    with wiring.register.transaction() as tx:
        calendar = settlement_calendar(tx)
        for draft in releases.drafts(tx):
            end = draft["custody_date"]
            period = f"{end:%Y-%m}"
            decision = releases.release_of(tx, definition.id, period, draft["manifest_digest"])
            if decision and decision["state"] == "APPROVED":
                continue
            deadline = calendar.add_business_days(end, _DUE_BUSINESS_DAYS)
            if deadline <= on:
                due.append({"report": definition.id, "period": period, "due": deadline.isoformat()})
    for one in due:
        words = (
            f"report {one['report']} of {one['period']} was due {one['due']}",
            f"报表 {one['report']}（{one['period']}）应于 {one['due']} 前报送",
        )
        raise_alert(wiring.register, SYSTEM, "REPORT_DUE", f"{one['report']}|{one['period']}", on, *words)
    return due
