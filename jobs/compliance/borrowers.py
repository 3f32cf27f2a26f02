"""Whom the rules about borrowers could concern, by columns; what they say of them is custody.compliance_borrowers'."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from custody.compliance import BASIS_POINTS, Finding
from custody.compliance_borrowers import (
    PAIR,
    above_rate_cap,
    over_limit_on_all,
    over_limit_on_platform,
    shared_contacts,
    shared_identities,
    split_terms,
)
from custody.match_rules import RuleBook
from custody.names import Role
from custody.rule_forms import ComplianceTerms
from custody.schedule import due_dates
from jobs.compliance.columns import crowded, heavy, rows_of
from jobs.compliance.day import ComplianceDay

_LOAN = ["platform", "loan_id", "customer_id", "kind", "annual_rate", "since", "minor"]


def borrowers(day: ComplianceDay, contacts: pa.Table) -> Iterator[Finding]:
    """``contacts``: as jobs.compliance.contacts gives them."""
    exposures = day.exposures.select(_LOAN)
    if "limit_on_platform" in day.rules:
        figures = day.figures("limit_on_platform")
        keys = ["platform", "customer_id"]
        picked = heavy(exposures, keys, "minor", min(figures.values()))
        yield from over_limit_on_platform(rows_of(exposures, keys, picked), figures)
    if "limit_on_all" in day.rules:
        figures = day.figures("limit_on_all")
        picked = heavy(exposures, ["customer_id"], "minor", min(figures.values()))
        yield from over_limit_on_all(rows_of(exposures, ["customer_id"], picked), figures)
    if "rate_cap" in day.rules:
        yield from _rates(exposures, rate_caps(day.reference.rule_book))
    if "term_splitting" in day.rules:
        yield from _terms(day)
    if "shared_contact" in day.rules:
        figures, keys = day.figures("shared_contact"), ["field", "digest"]
        of_borrowers = contacts.filter(pc.equal(contacts["role"], str(Role.BORROWER)))
        yield from shared_contacts(rows_of(of_borrowers, keys, crowded(of_borrowers, keys, min(figures.values()))), figures)
    if "shared_identity" in day.rules:
        figures, keys = day.figures("shared_identity"), ["platform", "customer_id"]
        open_ = day.borrowers.filter(pc.is_null(day.borrowers["closed_on"]))
        open_ = open_.select([*keys, "sub_account", "opened_on"])
        yield from shared_identities(rows_of(open_, keys, crowded(open_, keys, figures["accounts"])), figures)


def rate_caps(book: RuleBook) -> list[tuple[date, int]]:
    """(first date, basis points) of every version that was ever in force, in order: a loan keeps the cap of its own day."""
    versions = (rule for rule in book.versions("rate_cap") if not rule.withdrawn)
    return [(rule.valid_from, rule.says.figures["rate_bp"]) for rule in versions if isinstance(rule.says, ComplianceTerms)]


def _rates(exposures: pa.Table, caps: list[tuple[date, int]]) -> Iterator[Finding]:
    """Picked by the cap of each loan's own day: by the lowest of all times half of a market might have to be looked at."""
    above = pa.nulls(exposures.num_rows, pa.float64())
    for first, cap in caps:
        # A little below, since a float only picks: the rule compares exactly.
        is_later = pc.greater_equal(exposures["since"], pa.scalar(first, pa.date32()))
        above = pc.if_else(is_later, pa.scalar(cap / BASIS_POINTS - 1e-9, pa.float64()), above)
    picked = exposures.filter(pc.greater(pc.cast(exposures["annual_rate"], pa.float64()), above))
    yield from above_rate_cap(picked.to_pylist(), caps)


def _terms(day: ComplianceDay) -> Iterator[Finding]:
    figures, keys = day.figures("term_splitting"), ["platform", "customer_id", "purpose"]
    columns = [*keys, "loan_id", "periods", "every", "disbursed_on", "funded_minor"]
    lent = day.loans.filter(pc.is_valid(day.loans["disbursed_on"])).select(columns)
    least = min(figures["loans"], PAIR) if "pair_days" in figures else figures["loans"]
    rows = rows_of(lent, keys, crowded(lent, keys, least))
    for row in rows:
        row["since"] = row["disbursed_on"]
        row["ends_on"] = due_dates(row["disbursed_on"], row["periods"], row["every"])[-1]
    yield from split_terms(rows, figures)
