"""fees: the day's custody fee of each platform by its dated contract, accrued to the fen with the residue carried (§7).

The base is customers' sub-accounts only, at the end of every calendar day. The accrual enters the BANK book with the next
day's posting, under its own value date. Beside it the balance-days are carried, by which the bank's own interest is owned.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from connectors.lake import arrow_schema
from custody.digest import canonical_json
from custody.fees import FeeCarry, FeeContract, accrue, carry_into
from custody.names import Book, PartyKind, TxnType
from custody.ports import Row
from jobs.reference import load_reference
from jobs.step import Step, StepContext
from schemas.tables import TABLES

# Whose money earns the bank's interest: customers, and the platform's accounts under custody; SUSPENSE is nobody's.
_OWNERS = r"^[^.:]+(\.|:P_)"


def _run(context: StepContext) -> None:
    reference = load_reference(context)
    base: Counter[str] = Counter()
    for row in context.rows("post", "balances"):
        # A sub-account's id has a dot; P_* and the platform's other accounts have none.
        if row["book"] == Book.CUSTODY and "." in row["account"]:
            base[row["platform"]] += row["closing_minor"]
    counts: dict[str, Counter[str]] = {p: Counter() for p in reference.of_kind(PartyKind.PLATFORM)}
    for t in context.rows("post", "ledger_txn"):
        if t["outcome"] == "POSTED":
            counts[t["platform"]][t["txn_type"]] += 1
    yesterday = context.custody_date - timedelta(days=1)
    carried = {r["platform"]: r["carry"] for r in context.rows("fees", "fee_accruals", on=yesterday)}
    accruals: list[Row] = []
    for platform in reference.of_kind(PartyKind.PLATFORM):
        if reference.is_closed(platform):
            continue
        contract = FeeContract.parse(reference.parties[platform]["contract"]["fee_contract"])
        if not contract.in_force(context.custody_date):
            continue
        previous = FeeCarry.parse(carried[platform]) if platform in carried else None
        carry = carry_into(context.custody_date, previous)
        accrual = accrue(contract, context.custody_date, base[platform], counts[platform], carry)
        accruals.append(
            {
                "platform": platform,
                "accrual_date": context.custody_date,
                "base_minor": accrual.base_minor,
                "balance_fee_minor": accrual.balance_fee_minor,
                "transaction_fee_minor": accrual.transaction_fee_minor,
                "net_minor": accrual.net_minor,
                "vat_minor": accrual.vat_minor,
                "gross_minor": accrual.gross_minor,
                "currency": accrual.currency,
                "carry": accrual.carry.as_text(),
                "explanation": canonical_json([list(line) for line in accrual.explain()]),
            }
        )
    context.write("fee_accruals", accruals)
    context.write("balance_days", _balance_days(context, yesterday))


def _balance_days(context: StepContext, yesterday: date) -> pa.Table:
    """What each customer's sub-account and each P_* account held at the end of each day since its platform's last credit of
    bank interest, summed (custody.bank_interest). The credit's own day begins the next quarter."""
    balances, legs = context.table("post", "balances"), context.table("post", "ledger_txn")
    assert balances is not None and legs is not None
    held = balances.filter(pc.equal(balances["book"], str(Book.CUSTODY)))
    held = held.filter(pc.match_substring_regex(held["account"], _OWNERS))
    owners = pc.replace_substring_regex(held["account"], ":(available|frozen)$", "")
    columns = {"platform": held["platform"], "account": owners, "minor_days": held["closing_minor"]}
    days = pa.table(columns, arrow_schema(TABLES["balance_days"]))
    before = context.table("fees", "balance_days", on=yesterday)
    if before is not None:
        credit = pc.and_(pc.equal(legs["txn_type"], str(TxnType.BANK_INTEREST)), pc.equal(legs["direction"], "IN"))
        credited = legs.filter(pc.and_(credit, pc.equal(legs["outcome"], "POSTED")))["platform"].unique()
        days = pa.concat_tables([days, before.filter(pc.invert(pc.is_in(before["platform"], credited)))])
    summed = days.group_by(["platform", "account"], use_threads=False).aggregate([("minor_days", "sum")])
    summed = summed.rename_columns({"minor_days_sum": "minor_days"})
    return summed.filter(pc.not_equal(summed["minor_days"], 0))


STEP = Step("fees", _run)
