"""risk: days past due, borrowers and platforms short of money, results that no platform confirms, and the alerts that follow
(domain.md §6, §8)."""

from __future__ import annotations

from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import asdict
from datetime import timedelta

import numpy as np
import pyarrow as pa

from custody.compensation import REPEATED, Compensated, growing, repeated
from custody.confirmations import KEPT_DAYS, ConfirmationAlert, Result, Rule, alerts_of, standing
from custody.digest import canonical_json
from custody.platform_funds import Concern
from custody.ports import Row
from custody.risk import alerts_for
from custody.risk_alerts import Alert
from custody.services.access import SYSTEM
from custody.services.alerts import follow
from custody.services.outputs import Seal
from jobs.reference import Reference, load_reference
from jobs.risk.balances import Standing
from jobs.risk.balances import standing as standing_money
from jobs.risk.compensation import compensations, reserves
from jobs.risk.loans import COLUMNS, NEVER, Assessed, assess
from jobs.risk.platforms import Queues, platform_funds
from jobs.risk.portfolio import bucket_moves, portfolio
from jobs.risk.related import related_accounts
from jobs.risk.shortage import Shortage, shortage
from jobs.step import Step, StepContext
from schemas.exchange import result_name

# Alerts that end by themselves on the first date that does not find them any more.
LASTING = ("BORROWER_SHORT", "DAYS_PAST_DUE", REPEATED, *(concern.rule for concern in Concern), Rule.UNCONFIRMED, Rule.DISPUTED)


def _run(context: StepContext) -> None:
    # What needs no more than Arrow is done beside what is judged row by row.
    with ThreadPoolExecutor(1) as beside:
        _assess(context, beside)


def _assess(context: StepContext, beside: Executor) -> None:
    reference = load_reference(context)
    queues = beside.submit(Queues.of, context, reference)
    related = beside.submit(related_accounts, context, reference)
    as_of, calendar = context.custody_date, reference.calendar
    money = standing_money(context)
    near = calendar.add_business_days(as_of, reference.risk_horizon_business_days)
    days = reference.rules.forecast_business_days
    last = as_of if days is None else calendar.add_business_days(as_of, days)
    loans = context.table("post", "loans", columns=COLUMNS)
    assert loans is not None
    found = assess(loans, as_of, max(near, last))
    ahead = shortage(found, money.for_repayment, near)
    of_loans = beside.submit(context.write, "loan_risk", _loan_rows(found, ahead))
    people, by_day = ([], []) if days is None else ahead.forecast(last)
    written = [
        of_loans,
        *(beside.submit(context.write, *of) for of in (("borrowers_short", people), ("shortage_forecast", by_day))),
    ]
    funds = platform_funds(context, reference, money, queues.result(), days or reference.risk_horizon_business_days)
    of_funds = (("platform_funds", funds.days), ("platform_funds_items", funds.items), ("fees_due", funds.fees_due))
    written += [beside.submit(context.write, *of) for of in of_funds]
    compensated, patterns = _compensation(context, reference, found, money)
    context.write("compensations", compensated)
    confirmations, unconfirmed = _confirmations(context, reference)
    context.write("confirmations", confirmations)
    alerts: list[Alert | ConfirmationAlert] = [*_of_borrowers(ahead, reference), *funds.alerts, *patterns, *unconfirmed]
    context.write("alerts", [_alert_row(alert) for alert in alerts])
    risks = of_loans.result()
    context.write("portfolio", portfolio(risks, related.result()))
    context.write("bucket_moves", bucket_moves(context.table("risk", "loan_risk", as_of - timedelta(days=1)), risks))
    for table in written:
        table.result()


def _loan_rows(found: Assessed, ahead: Shortage) -> pa.Table:
    def days(column: np.ndarray) -> pa.Array:  # type: ignore[type-arg]
        is_none = column == NEVER
        return pa.array(np.where(is_none, 0, column).astype(np.int32), pa.date32(), mask=is_none)

    return pa.table(
        {
            **{name: found.loans[name] for name in ("platform", "loan_id", "borrower", "currency")},
            "outstanding_minor": found.outstanding,
            "due_so_far_minor": found.due_so_far,
            "paid_minor": found.paid,
            "overdue_minor": found.overdue,
            "overdue_since": days(found.overdue_since),
            "days_past_due": found.days_past_due,
            "bucket": found.bucket,
            "next_due": days(found.next_due),
            "next_due_minor": found.next_due_minor,
            "shortfall_minor": ahead.short_of_loan,
        }
    )


def _of_borrowers(ahead: Shortage, reference: Reference) -> list[Alert]:
    """Of the borrowers who are short or late, judged with all their loans by the plain rule."""
    alerts: list[Alert] = []
    for platform, positions in ahead.concerned():
        horizon = reference.risk_horizon_business_days
        alerts += alerts_for(platform, positions, ahead.available, reference.calendar, reference.on, horizon)
    return alerts


def _compensation(context: StepContext, reference: Reference, loans: Assessed, money: Standing) -> tuple[list[Row], list[Alert]]:
    """Table compensations, and the alerts of both patterns; table reserves is written."""
    figures = reference.rules.risk().get("repeated_compensation")
    rows = [] if figures is None else compensations(context, loans, figures["days"])
    held = reserves(context, money)
    context.write("reserves", [asdict(one) for one in held])
    of_borrowers = [] if figures is None else repeated((Compensated(**row) for row in rows), figures, context.custody_date)
    return rows, [*of_borrowers, *growing(held, context.custody_date)]


def _confirmations(context: StepContext, reference: Reference) -> tuple[list[Row], list[ConfirmationAlert]]:
    """How the results of all earlier dates stand with the platforms that are to confirm them."""
    today, calendar, platforms = context.custody_date, reference.calendar, reference.confirming()
    results = [
        Result(platform, result_name(platform, seal.custody_date, seal.version), seal.manifest_digest, seal.custody_date)
        for seal in context.seals_of("reconcile")
        if 0 < (today - seal.custody_date).days <= KEPT_DAYS
        for platform in platforms
    ]
    said = sorted(context.rows("land", "land_confirmation"), key=lambda row: (row["file_name"], row["line_no"]))
    before = [r for r in context.rows("risk", "confirmations", on=today - timedelta(days=1)) if r["platform"] in platforms]
    rows = standing(before, results, said, today, calendar)
    return rows, alerts_of(rows, said, today, calendar)


def _alert_row(alert: Alert | ConfirmationAlert) -> Row:
    english, chinese = alert.words
    return {
        "alert_id": alert.alert_id,
        "rule": alert.rule,
        "platform": alert.platform,
        "subject": alert.subject,
        "severity": alert.severity,
        "figures": canonical_json(dict(alert.figures)),
        "words_en": english,
        "words_zh": chinese,
    }


def _publish(context: StepContext, seal: Seal) -> None:
    """The register's alerts follow what this date found."""
    alerts = context.wiring.lake.rows(seal.path, "alerts")
    with context.wiring.register.transaction() as tx:
        context.lease.check(tx)
        follow(tx, SYSTEM, seal.custody_date, alerts, LASTING)


STEP = Step("risk", _run, _publish)
