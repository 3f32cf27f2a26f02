"""The marks that one DAG leaves for the next: "this is done for custody date D". D is the event's partition key and extra."""

from __future__ import annotations

from airflow.sdk import Asset

DAY_RECONCILED = Asset(name="day_reconciled", uri="custody://day/reconciled")
FEES_ACCRUED = Asset(name="fees_accrued", uri="custody://day/fees-accrued")
RISK_ASSESSED = Asset(name="risk_assessed", uri="custody://day/risk-assessed")
DAY_CLOSED = Asset(name="day_closed", uri="custody://day/closed")
