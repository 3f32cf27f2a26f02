"""A sub-account's statement as CSV, for the customer or his auditor: opening, one row for each posting, closing.

Amounts are in major units of the statement's currency. A text that a spreadsheet would run gets an apostrophe before it.
"""

from __future__ import annotations

from custody.money import format_amount
from custody.services.statements import Balance, Statement
from reports.csv_file import csv_bytes, safe_text

HEADER = (
    "posting_date", "value_date", "event_time", "txn_type", "request_no", "leg", "loan_id", "counterparty", "available_change",
    "frozen_change", "available", "frozen", "balance", "currency",
)  # fmt: skip


def render_statement(found: Statement) -> bytes:
    """The statement's bytes; the same statement gives the same."""
    rows = [_balance(found, "OPENING", found.first.isoformat(), found.opening)]
    for line in found.lines:
        texts = (
            line.posting_date.isoformat(), line.value_date.isoformat(), line.event_time.isoformat(), line.txn_type, line.request_no,
            str(line.leg), line.loan_id or "", line.counterparty,
        )  # fmt: skip
        amounts = (
            line.available_change_minor, line.frozen_change_minor, line.available_minor, line.frozen_minor, line.balance_minor,
        )  # fmt: skip
        rows.append((*map(safe_text, texts), *(format_amount(a, found.currency) for a in amounts), found.currency))
    rows.append(_balance(found, "CLOSING", found.last.isoformat(), found.closing))
    return csv_bytes(HEADER, rows)


def _balance(found: Statement, word: str, on: str, balance: Balance) -> tuple[str, ...]:
    figures = (balance.available_minor, balance.frozen_minor, balance.total_minor)
    return (on, on, "", word, *[""] * 6, *(format_amount(f, found.currency) for f in figures), found.currency)
