"""fees: the day's custody fee of each platform by its dated contract, accrued to the fen with the residue carried (§7).

The base is customers' sub-accounts only, at the end of every calendar day. The accrual enters the BANK book with the next
day's posting, under its own value date.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from custody.digest import canonical_json
from custody.fees import FeeCarry, FeeContract, accrue, carry_into
from custody.names import Book, PartyKind
from custody.ports import Row
from jobs.reference import load_reference
from jobs.step import Step, StepContext


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


STEP = Step("fees", _run)
