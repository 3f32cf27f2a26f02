"""More invariants of domain.md §4 on a day's snapshot: how loans begin, whose money goes where, what is settled, what fees add up to.

Pure functions over rows of the day's tables, as custody.invariants.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date

from custody.ageing import Ages, limit_of
from custody.calendar import SettlementCalendar
from custody.fee_positions import Position
from custody.invariants import Row, Violation
from custody.names import PLATFORM_ACCOUNTS, Book, BreakKind, HoldKind, LoanState, Role, TxnType, platform_of
from custody.open_items import FEES, PAYABLE, RECEIVABLE
from custody.posting_rules import RULES, SUSPENSE
from custody.unsettled import REFUNDED

_ITEMISED = (RECEIVABLE, PAYABLE, FEES)


def itemised(balances: Iterable[Row], receivables: Iterable[Row], suspense: Iterable[Row]) -> Iterator[Violation]:
    """INV_01, its last sentence: each receivable and payable is the sum of its items, SUSPENSE of its receipts."""
    sums: dict[str, int] = defaultdict(int)
    for item in receivables:
        sums[item["account"]] += item["amount_minor"]
    for receipt in suspense:
        sums[f"{receipt['platform']}:{SUSPENSE}"] += receipt["left_minor"]
    for b in balances:
        name = b["account"].partition(":")[2].partition("/")[0]
        if b["book"] == Book.CUSTODY and (name in _ITEMISED or name == SUSPENSE):
            closing, items = abs(b["closing_minor"]), sums.pop(b["account"], 0)
            # A receivable is an asset: stored below zero. Beyond zero its items say so too.
            signed = -b["closing_minor"] if name in (RECEIVABLE, FEES) else b["closing_minor"]
            if signed != items:
                figures: dict[str, int | str] = {"balance": signed, "items": items}
                subject = f"INV|INV_01|{b['account']}|items"
                yield Violation(BreakKind.INV_01, b["platform"], "B", subject, abs(closing - abs(items)), figures)
    for account, items in sorted(sums.items()):
        if items:
            subject = f"INV|INV_01|{account}|items"
            yield Violation(
                BreakKind.INV_01, platform_of(account), "B", subject, abs(items), {"balance": "absent", "items": items}
            )


def loans_begin_whole(
    loans: Iterable[Row],
    holds: Iterable[Row],
    holds_before: Iterable[Row],
    settled: Iterable[Row],
    miscarried: Iterable[Row],
    on: date,
    calendar: SettlementCalendar,
    ages: Ages,
) -> Iterator[Violation]:
    """INV_04. ``settled``: the day's posted TENDER_SETTLE legs; ``miscarried``: loans that the platform says have failed.

    A loan is disbursed when full, or at its stated minimum, never above its amount; each tender within the working days that
    its hold may last; and what is disbursed or has failed keeps nobody's money frozen.
    """
    placed = {(h["platform"], h["hold_id"]): h for h in holds_before if h["kind"] == HoldKind.TENDER}
    for leg in settled:
        hold = placed.get((leg["platform"], leg["related_request_no"]))
        limit = limit_of(ages.holds, HoldKind.TENDER, hold["placed_on"], calendar) if hold else None
        if hold is not None and limit is not None and limit < leg["value_date"]:
            late: dict[str, int | str] = {"tendered_on": hold["placed_on"].isoformat(), "until": limit.isoformat()}
            yield _of_loan(leg, f"{leg['loan_id']}|{leg['related_request_no']}", leg["amount_minor"], late)
    frozen: dict[tuple[str, str], int] = defaultdict(int)
    for hold in holds:
        if hold["kind"] == HoldKind.TENDER and hold["loan_id"] is not None:
            frozen[hold["platform"], hold["loan_id"]] += hold["amount_minor"]
    failed = {(row["party"], row["loan_id"]) for row in miscarried if row["state"] == LoanState.MISCARRIED}
    for loan in loans:
        key, funded, amount = (loan["platform"], loan["loan_id"]), loan["funded_minor"], loan["amount_minor"]
        least = amount if loan["minimum_minor"] is None else loan["minimum_minor"]
        begun = loan["disbursed_on"] == on
        if funded > amount or (begun and funded < least) or (key in failed and funded):
            yield _of_loan(
                loan, loan["loan_id"], max(funded - amount, least - funded), {"funded": funded, "amount": amount, "least": least}
            )
        if frozen[key] and (loan["disbursed_on"] is not None or key in failed):
            figures: dict[str, int | str] = {"funded": funded, "still_frozen": frozen[key]}
            yield _of_loan(loan, f"{loan['loan_id']}|holds", frozen[key], figures)


def _of_loan(row: Row, what: str, amount_minor: int, figures: dict[str, int | str]) -> Violation:
    return Violation(BreakKind.INV_04, row["platform"], "B", f"INV|INV_04|{what}", amount_minor, figures)


def shares_stay_whole(
    claims: Iterable[Row], claims_before: Iterable[Row], loans: Iterable[Row], loans_before: Iterable[Row]
) -> Iterator[Violation]:
    """INV_06: the sum of a loan's shares changes only by what was lent and repaid, whoever sold them; nobody holds less than
    nothing, or more than ever came to the claim."""
    change: dict[tuple[str, str], int] = defaultdict(int)
    for claim in claims:
        change[claim["platform"], claim["loan_id"]] += claim["principal_minor"]
        if not 0 <= claim["principal_minor"] <= claim["original_minor"]:
            figures: dict[str, int | str] = {"principal": claim["principal_minor"], "original": claim["original_minor"]}
            subject = f"INV|INV_06|{claim['claim_id']}"
            yield Violation(BreakKind.INV_06, claim["platform"], "B", subject, abs(claim["principal_minor"]), figures)
    for claim in claims_before:
        change[claim["platform"], claim["loan_id"]] -= claim["principal_minor"]
    lent: dict[tuple[str, str], int] = defaultdict(int)
    for sign, rows in ((1, loans), (-1, loans_before)):
        for loan in rows:
            lent[loan["platform"], loan["loan_id"]] += sign * (loan["funded_minor"] - loan["principal_repaid_minor"])
    for platform, loan_id in sorted(set(change) | set(lent)):
        shares, debt = change[platform, loan_id], lent[platform, loan_id]
        if shares != debt:
            figures = {"shares": shares, "lent_less_repaid": debt}
            yield Violation(BreakKind.INV_06, platform, "B", f"INV|INV_06|{loan_id}", abs(shares - debt), figures)


def _kind(template: str, roles: frozenset[str]) -> frozenset[str]:
    """The kinds of account that a template of a posting rule may name: roles, names of P_* accounts, or a ledger account."""
    if template.startswith(("{from", "{to")):
        return roles
    return frozenset({template.partition(":")[2].partition("/")[0].partition(":")[0]})


def _paths() -> frozenset[tuple[str, str, str]]:
    """(type, kind of payer, kind of payee) of every move that a posting rule makes; and, as REVERSAL, of each the other way round: what
    a restated file of instructions takes back (custody.reversals)."""
    every = frozenset({*Role, *PLATFORM_ACCOUNTS, SUSPENSE})
    paths = set()
    for (txn_type, _), rule in RULES.items():
        for move in rule.moves:
            sides = []
            for template in (move.from_account, move.to_account):
                roles = rule.payer if template.startswith("{from") else rule.payee
                sides.append(_kind(template, roles or every))
            paths |= {(str(txn_type), str(a), str(b)) for a in sides[0] for b in sides[1]}
    return frozenset(paths | {(str(TxnType.REVERSAL), payee, payer) for _, payer, payee in paths})


PATHS = _paths()
_OWN = frozenset(PLATFORM_ACCOUNTS)


def money_went_its_way(paths: Iterable[Row]) -> Iterator[Violation]:
    """INV_07 and INV_08, over the day's journal summed by type and kinds of account (txn_type, payer, payee, amount_minor).

    The platform's own accounts fund no loan, and customers' money reaches them only as a coded fee (or a bonus taken back):
    INV_07. Money leaves, or passes from one customer to another, only by a type that §3 has for these two: INV_08.
    """
    for path in paths:
        key = (path["txn_type"], path["payer"], path["payee"])
        if key in PATHS:
            continue
        kind = BreakKind.INV_07 if _OWN & {path["payer"], path["payee"]} else BreakKind.INV_08
        figures: dict[str, int | str] = {"txn_type": key[0], "payer": key[1], "payee": key[2]}
        subject = f"INV|{kind}|{'|'.join(key)}"
        yield Violation(kind, path["platform"], "B", subject, path["amount_minor"], figures)


def fees_add_up(balances: Iterable[Row], positions: Iterable[Position]) -> Iterator[Violation]:
    """INV_11. Accrued = collected + written off + due: ``accrued_minor`` of the evening before, which the books have by now. Charged =
    collected + written off + outstanding, and the bank holds nothing beyond what was charged, unless it is on its way back. What is
    outstanding is an arrear, which is told (custody.services.fee_answers), and no violation."""
    booked: dict[tuple[str, str], int] = defaultdict(int)
    for b in balances:
        if b["book"] == Book.BANK:
            booked[b["platform"], b["account"].partition(":")[2]] = -b["closing_minor"]
    for of in positions:
        cash, lost = booked[of.platform, "BANK_CASH"], booked[of.platform, "FEE_WRITTEN_OFF"]
        known = cash + lost + booked[of.platform, "FEE_DUE"]
        subject = f"INV|INV_11|{of.platform}"
        figures: dict[str, int | str]
        if known != of.accrued_minor:
            figures = {"accrued": of.accrued_minor, "collected_written_off_and_due": known}
            yield Violation(BreakKind.INV_11, of.platform, "B", f"{subject}|accrued", abs(known - of.accrued_minor), figures)
        if cash != of.collected_minor:
            figures = {"collected": of.collected_minor, "booked": cash}
            yield Violation(BreakKind.INV_11, of.platform, "B", f"{subject}|cash", abs(cash - of.collected_minor), figures)
        if of.surplus_minor:
            figures = {
                "charged": of.charged_minor,
                "collected": of.collected_minor,
                "written_off": of.written_off_minor,
                "to_give_back": of.to_give_back_minor,
            }
            yield Violation(BreakKind.INV_11, of.platform, "B", subject, of.surplus_minor, figures)


def settled_money_only(balances: Iterable[Row], holds: Iterable[Row], unsettled: Iterable[Row]) -> Iterator[Violation]:
    """INV_12: what left the bank rested on settled money and P_ADVANCE; no part of an account has more unsettled than it holds."""
    left: dict[str, int] = defaultdict(int)
    parts: dict[tuple[str, str], int] = defaultdict(int)
    for row in unsettled:
        name = row["account"].partition(":")[2].partition("/")[0]
        if name in (PAYABLE, "CORE_CASH"):
            left[row["platform"]] += row["amount_minor"] if row["hold_id"] != REFUNDED else 0
        else:
            parts[row["account"], row["hold_id"]] += row["amount_minor"]
    for platform, amount in sorted(left.items()):
        if amount:
            yield Violation(BreakKind.INV_12, platform, "B", f"INV|INV_12|{platform}", amount, {"left_unsettled": amount})
    held: dict[tuple[str, str], int] = {(h["account"], h["hold_id"]): h["amount_minor"] for h in holds}
    for b in balances:
        if b["book"] == Book.CUSTODY and not b["account"].endswith(":frozen"):
            held[b["account"].removesuffix(":available"), ""] = b["closing_minor"]
    for (account, hold_id), amount in sorted(parts.items()):
        if amount > held.get((account, hold_id), 0):
            figures: dict[str, int | str] = {"unsettled": amount, "held": held.get((account, hold_id), 0)}
            subject = f"INV|INV_12|{account}|{hold_id}"
            yield Violation(BreakKind.INV_12, platform_of(account), "B", subject, amount, figures)


def requirement_is_covered(receivables: Iterable[Row], on: date) -> Iterator[Violation]:
    """INV_13: requirement <= cash + receivables not past their settlement date.

    The book sums to zero (INV_01), so the shortfall is what the channels should have settled by the end of the day and did
    not. Fees that own funds must restore are SHORTFALL on their own (custody.invariants.channel_fees_restored).
    """
    past: dict[str, int] = defaultdict(int)
    for item in receivables:
        if f":{RECEIVABLE}/" in item["account"] and item["settle_date"] <= on:
            past[item["platform"]] += item["amount_minor"]
    for platform, amount in sorted(past.items()):
        if amount > 0:
            yield Violation(BreakKind.INV_13, platform, "B", f"INV|INV_13|{platform}", amount, {"past_due": amount})
