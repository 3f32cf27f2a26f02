"""report: drafts of every report whose period ends on this custody date, each with its seal (domain.md §9).

On other dates the output is sealed empty. A draft is released later by two people (custody.services.releases).
"""

from __future__ import annotations

from collections import Counter
from datetime import date

from custody.calendar import month_end
from custody.names import PLATFORM_ACCOUNTS, Book, PartyKind, Role, role_of
from custody.ports import Row
from jobs.reference import Reference, load_reference
from jobs.step import Step, StepContext
from reports import csv_file, xlsx
from reports.custody_monthly import build, file_names
from reports.definition import load_definition
from reports.figures import PlatformFigures, TypeVolume
from reports.seal import make_seal

_SHOWN_APART = (*PLATFORM_ACCOUNTS, "SUSPENSE")


def _run(context: StepContext) -> None:
    on = context.custody_date
    if on != month_end(on):
        return
    assert context.writer is not None
    reference = load_reference(context)
    definition = load_definition("custody_monthly")
    days = [s for s in context.seals_of("post") if s.custody_date >= on.replace(day=1)]
    seals = [*days, *(s for s in (context.seal("reconcile"),) if s is not None)]
    inputs: list[dict[str, str | int]] = [
        {
            "custody_date": s.custody_date.isoformat(),
            "step": s.step,
            "version": s.version,
            "manifest_digest": s.manifest_digest,
        }
        for s in seals
    ]
    figures = _figures(context, reference, [s.custody_date for s in days])
    if not figures:
        return
    report = build(definition, f"{on:%Y-%m}", figures, inputs, reference.bank)
    names = file_names(report)
    files = {
        names["xlsx"]: xlsx.render(report),
        names["csv"]: csv_file.render_figures(report),
        names["dictionary"]: csv_file.render_dictionary(definition),
    }
    for name, data in files.items():
        context.writer.file(name, data)
    context.writer.file(names["seal"], make_seal(files, inputs, definition.id, report.period))


def _figures(context: StepContext, reference: Reference, days: list[date]) -> list[PlatformFigures]:
    volumes: dict[str, dict[str, list[int]]] = {p: {} for p in reference.of_kind(PartyKind.PLATFORM)}
    for day in days:
        for t in context.rows("post", "ledger_txn", on=day):
            if t["outcome"] == "POSTED":
                entry = volumes[t["platform"]].setdefault(t["txn_type"], [0, 0])
                entry[0] += 1
                entry[1] += t["amount_minor"]
    balances = [b for b in context.rows("post", "balances") if b["book"] == Book.CUSTODY]
    accounts = context.rows("post", "sub_accounts")
    loans, claims = context.rows("post", "loans"), context.rows("post", "claims")
    open_breaks = Counter(b["platform"] for b in context.rows("reconcile", "breaks"))
    first = days[0].replace(day=1)
    return [
        _of_platform(platform, reference, volumes[platform], balances, accounts, loans, claims, open_breaks[platform], first)
        for platform in volumes
    ]


def _of_platform(
    platform: str,
    reference: Reference,
    volumes: dict[str, list[int]],
    balances: list[Row],
    accounts: list[Row],
    loans: list[Row],
    claims: list[Row],
    open_breaks: int,
    first: date,
) -> PlatformFigures:
    own_accounts = {r["sub_account"]: r for r in accounts if r["platform"] == platform}
    own_loans = [x for x in loans if x["platform"] == platform]
    live_claims = [c for c in claims if c["platform"] == platform and c["principal_minor"]]
    named = {b["account"]: b["closing_minor"] for b in balances if b["platform"] == platform}
    customers = sum(amount for account, amount in named.items() if "." in account)
    held = {name: sum(named.get(f"{platform}:{name}{part}", 0) for part in ("", ":frozen")) for name in _SHOWN_APART}
    creditors = {c["holder"] for c in live_claims if role_of(c["holder"]) == Role.LENDER}
    debtors = {x["borrower"] for x in own_loans if x["funded_minor"] > x["principal_repaid_minor"]}
    return PlatformFigures(
        platform=platform,
        name=f"{reference.parties[platform]['name_zh']} {reference.parties[platform]['name_en']}",
        currency="CNY",
        volumes=tuple(TypeVolume(t, count, amount) for t, (count, amount) in sorted(volumes.items())),
        loan_balance_minor=sum(c["principal_minor"] for c in live_claims),
        custody_customers_minor=customers,
        p_income_minor=held["P_INCOME"],
        p_marketing_minor=held["P_MARKETING"],
        p_compensation_minor=held["P_COMPENSATION"],
        p_advance_minor=held["P_ADVANCE"],
        suspense_minor=held["SUSPENSE"],
        # A person is counted once, however many sub-accounts he has.
        borrowers=len({own_accounts[a]["customer_id"] for a in debtors if a in own_accounts}),
        lenders=len({own_accounts[a]["customer_id"] for a in creditors if a in own_accounts}),
        accounts_opened=sum(1 for r in own_accounts.values() if r["opened_on"] >= first),
        accounts_closed=sum(1 for r in own_accounts.values() if r["closed_on"] is not None and r["closed_on"] >= first),
        open_breaks=open_breaks,
    )


STEP = Step("report", _run)
