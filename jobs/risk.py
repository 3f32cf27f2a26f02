"""risk: days past due, borrowers short of their next instalments, results that no platform confirms, and the alerts that follow
(domain.md §6, §8)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import timedelta

from custody.confirmations import KEPT_DAYS, ConfirmationAlert, Result, Rule, alerts_of, standing
from custody.digest import canonical_json
from custody.names import DayCount, HoldKind, RepaymentMethod
from custody.ports import Row
from custody.risk import Alert, LoanPosition, LoanTerms, alerts_for, assess_loan
from custody.services.access import SYSTEM
from custody.services.alerts import follow
from custody.services.outputs import Seal
from jobs.portfolio import bucket_moves, portfolio
from jobs.reference import Reference, load_reference
from jobs.shortage import UnpaidItems, forecast
from jobs.step import Step, StepContext
from schemas.exchange import result_name

# Alerts that end by themselves on the first date that does not find them any more.
LASTING = ("BORROWER_SHORT", "DAYS_PAST_DUE", Rule.UNCONFIRMED, Rule.DISPUTED)


def _run(context: StepContext) -> None:
    reference = load_reference(context)
    available = _available_for_repayment(context)
    positions: dict[str, list[LoanPosition]] = defaultdict(list)
    rows: list[Row] = []
    for loan in context.rows("post", "loans"):
        if loan["disbursed_on"] is None:
            continue
        terms = LoanTerms(
            principal_minor=loan["funded_minor"],
            currency=loan["currency"],
            annual_rate=loan["annual_rate"],
            periods=loan["periods"],
            every=loan["every"],
            method=RepaymentMethod(loan["method"]),
            day_count=DayCount(loan["day_count"]),
            rounding="half_even",
        )
        repaid = (loan["principal_repaid_minor"], loan["interest_repaid_minor"])
        risk = assess_loan(terms, *repaid, loan["disbursed_on"], context.custody_date)
        positions[loan["platform"]].append(LoanPosition(loan["loan_id"], loan["borrower"], risk))
        rows.append(
            {
                **{n: loan[n] for n in ("platform", "loan_id", "borrower", "currency")},
                "outstanding_minor": risk.outstanding_principal_minor,
                "due_so_far_minor": risk.due_so_far_minor,
                "paid_minor": risk.paid_minor,
                "overdue_minor": risk.overdue_minor,
                "overdue_since": risk.overdue_since,
                "days_past_due": risk.days_past_due,
                "bucket": risk.bucket,
                "next_due": risk.next_due,
                "next_due_minor": risk.next_due_minor,
                "shortfall_minor": 0,
            }
        )
    alerts: list[Alert] = []
    for platform in sorted(positions):
        horizon = reference.risk_horizon_business_days
        alerts += alerts_for(platform, positions[platform], available, reference.calendar, context.custody_date, horizon)
    items = UnpaidItems()
    for platform in sorted(positions):
        for position in positions[platform]:
            items.add(platform, position)
    days = reference.rules.forecast_business_days
    last = None if days is None else reference.calendar.add_business_days(context.custody_date, days)
    people, by_day = ([], []) if last is None else forecast(items, available, context.custody_date, last)
    context.write("borrowers_short", people)
    context.write("shortage_forecast", by_day)
    short = {(a.platform, a.subject): a.figures for a in alerts if a.rule == "BORROWER_SHORT"}
    for row in rows:
        figures = short.get((row["platform"], row["borrower"])) or short.get((row["platform"], row["loan_id"])) or {}
        row["shortfall_minor"] = int(figures.get("shortfall_minor", 0))
    loans = context.write("loan_risk", rows)
    context.write("portfolio", portfolio(loans))
    context.write(
        "bucket_moves", bucket_moves(context.table("risk", "loan_risk", context.custody_date - timedelta(days=1)), loans)
    )
    confirmations, unconfirmed = _confirmations(context, reference)
    context.write("confirmations", confirmations)
    context.write("alerts", [_alert_row(a) for a in alerts] + [_alert_row(a) for a in unconfirmed])


def _confirmations(context: StepContext, reference: Reference) -> tuple[list[Row], list[ConfirmationAlert]]:
    """How the results of all earlier dates stand with the platforms that are to confirm them."""
    today, calendar, platforms = context.custody_date, reference.calendar, reference.confirming()
    results = [
        Result(platform, result_name(platform, seal.custody_date, seal.version), seal.manifest_digest, seal.custody_date)
        for seal in context.seals_of("reconcile")
        if (today - seal.custody_date).days <= KEPT_DAYS
        for platform in platforms
    ]
    said = sorted(context.rows("land", "land_confirmation"), key=lambda row: (row["file_name"], row["line_no"]))
    before = [r for r in context.rows("risk", "confirmations", on=today - timedelta(days=1)) if r["platform"] in platforms]
    rows = standing(before, results, said, today, calendar)
    return rows, alerts_of(rows, said, today, calendar)


def _available_for_repayment(context: StepContext) -> Mapping[str, int]:
    """What each borrower can repay with: his available balance and what he has already frozen for repayment."""
    money: Counter[str] = Counter()
    for row in context.rows("post", "balances"):
        owner, _, part = row["account"].partition(":")
        if part == "available" and "." in owner:
            money[owner] += row["closing_minor"]
    for hold in context.rows("post", "holds"):
        if hold["kind"] == HoldKind.REPAY:
            money[hold["account"]] += hold["amount_minor"]
    return money


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
