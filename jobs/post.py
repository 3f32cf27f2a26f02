"""post: the day's instructions become double entries, and the day's full snapshot of balances, holds, claims and loans.

Posted from INSTRUCTIONs, never from the platform's claim (domain.md §6). A leg that cannot be posted yet waits in
``pending_instructions`` and is tried again the next day; a leg that was posted before with the same content is harmless,
with other content it is a finding.
"""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from custody.allocation import Share, differs, share_of_each
from custody.calendar import CHINA, custody_date_of
from custody.customer_decisions import aliases_of
from custody.digest import canonical_json, canonical_text, digest_of_json
from custody.instruction import Entry, Instruction, Refusal
from custody.ledger import Ledger
from custody.ledger_state import Claim, Hold, LedgerState, Loan
from custody.mandates import enter_mandates
from custody.names import (
    PLATFORM_ACCOUNTS,
    UNDER_WAY,
    Book,
    BreakKind,
    LoanState,
    Originator,
    PartyKind,
    Role,
    TxnStatus,
    TxnType,
    platform_account,
    platform_of,
    sub_account_id,
)
from custody.ports import Row
from custody.posting_rules import ACCRUE, rule_of
from custody.registers import registers_of
from custody.sub_accounts import carried
from custody.texts import text
from jobs.distinct_keys import key_hashes
from jobs.ledger_snapshots import SNAPSHOTS, load_registers, register_rows
from jobs.reference import load_reference
from jobs.step import Step, StepContext

# Statuses that move no money: the attempt is kept, nothing is posted.
_NO_POSTING = UNDER_WAY | {TxnStatus.FAIL}


def account_of(platform: str, role: str | None, user_no: str | None) -> str | None:
    """The account that a role and user number name: a sub-account, or a P_* account or SUSPENSE of the platform."""
    if role is None or user_no is None:
        return None
    return platform_account(platform, user_no) if role == "PLATFORM" else sub_account_id(platform, role, user_no)


@dataclasses.dataclass(frozen=True)
class _Leg:
    instruction: Instruction
    file_name: str
    line_no: int
    landed: Row
    content_hash: str


class _Posting:
    """One day's posting: collects entries, findings and what waits."""

    def __init__(self, context: StepContext, ledger: Ledger, posted: dict[tuple[str, str, int], str]) -> None:
        self.ledger = ledger
        self.posted = posted
        self.new_keys: list[Row] = []
        self.journal: list[Row] = []
        self.ledger_txn: list[Row] = []
        self.findings: list[Row] = []
        self.pending: list[Row] = []
        self._date = context.custody_date
        self._first_no = int(f"{self._date:%Y%m%d}") * 10**9 + 1
        reference = load_reference(context)
        self._calendar = reference.calendar
        self.platforms = frozenset(reference.of_kind(PartyKind.PLATFORM))
        self._channels = frozenset(reference.of_kind(PartyKind.CHANNEL))
        # All legs of each repayment request, and our own split of it, computed when its first leg posts.
        self._repayments: dict[tuple[str, str], dict[int, Instruction]] = defaultdict(dict)
        self._splits: dict[tuple[str, str], dict[int, Share | None]] = {}

    def run(self, legs: Iterable[_Leg]) -> None:
        """Apply one platform's legs in order of event time; what waits is tried again until a whole pass posts nothing more."""
        todo = sorted(legs, key=lambda x: (x.instruction.event_time, x.file_name, x.line_no))
        for leg in todo:
            if leg.instruction.txn_type == TxnType.REPAYMENT and leg.instruction.status == TxnStatus.SUCCESS:
                request = self._repayments[leg.instruction.platform, leg.instruction.request_no]
                request.setdefault(leg.instruction.leg, leg.instruction)
        while todo:
            waiting: list[tuple[_Leg, Refusal]] = []
            for leg in todo:
                refusal = self._one(leg)
                if refusal is not None:
                    waiting.append((leg, refusal))
            if len(waiting) == len(todo):
                for leg, refusal in waiting:
                    self._record(leg, "WAITING", None)
                    self._find(leg, refusal)
                    self.pending.append(_pending(leg))
                return
            todo = [leg for leg, _ in waiting]

    def _one(self, leg: _Leg) -> Refusal | None:
        """Post one leg; returns the refusal when it should be tried again."""
        instruction = leg.instruction
        key = (instruction.platform, instruction.request_no, instruction.leg)
        before = self.posted.get(key)
        if before is not None:
            self._record(leg, "REPEATED" if before == leg.content_hash else "REFUSED", None)
            if before != leg.content_hash:
                figures: dict[str, object] = {"request_no": instruction.request_no, "leg": instruction.leg}
                self._find(leg, Refusal(BreakKind.DUPLICATE, "posted_before", figures, False))
            return None
        if instruction.status in _NO_POSTING:
            self._record(leg, "NO_POSTING", None)
            return None
        stranger = self._unknown_party(instruction)
        split = self._split(instruction)
        share = split.get(instruction.leg)
        result = stranger or self.ledger.apply(instruction, share.claim_id if share else None)
        if isinstance(result, Refusal):
            if result.waits:
                self._compare_again_later(instruction)
                return result
            self._record(leg, "REFUSED", None)
            self._find(leg, result)
            return None
        self.posted[key] = leg.content_hash
        self.new_keys.append({"platform": key[0], "request_no": key[1], "leg": key[2], "content_hash": leg.content_hash})
        self._record(leg, "POSTED", self.enter(result))
        for finding in result.findings:
            self._find(leg, finding)
        if instruction.leg in split and differs(instruction, share):
            self._report_split(leg, share)
        return None

    def enter(self, entry: Entry) -> int:
        """Append an entry's moves to the journal; returns its number, unique for ever: date and sequence."""
        entry_no = self.journal[-1]["entry_no"] + 1 if self.journal else self._first_no
        instruction = entry.instruction
        for move_no, move in enumerate(entry.moves, start=1):
            self.journal.append(
                {
                    "entry_no": entry_no,
                    "move_no": move_no,
                    "platform": instruction.platform,
                    "book": str(move.book),
                    "from_account": move.from_account,
                    "to_account": move.to_account,
                    "amount_minor": move.amount_minor,
                    "from_balance_minor": move.from_balance_minor,
                    "to_balance_minor": move.to_balance_minor,
                    "currency": instruction.currency,
                    "txn_type": str(instruction.txn_type),
                    "request_no": instruction.request_no,
                    "leg": instruction.leg,
                    "loan_id": instruction.loan_id,
                    "core_ref": entry.core_ref,
                    "posting_date": self._date,
                    "value_date": instruction.value_date,
                    "event_time": instruction.event_time,
                }
            )
        return entry_no

    def _unknown_party(self, instruction: Instruction) -> Refusal | None:
        """An instruction for a platform or channel that is not onboarded waits: its contract may still come."""
        figures: dict[str, object]
        if instruction.platform not in self.platforms:
            figures = {"party": instruction.platform, "kind": str(PartyKind.PLATFORM)}
            return Refusal(BreakKind.ORPHAN, "unknown_party", figures, True)
        if instruction.channel is not None and instruction.channel not in self._channels:
            figures = {"party": instruction.channel, "kind": str(PartyKind.CHANNEL)}
            return Refusal(BreakKind.ORPHAN, "unknown_party", figures, True)
        return None

    def _split(self, instruction: Instruction) -> dict[int, Share | None]:
        """By leg: our own share of the repayment, from the claims as they stand before its first leg.

        A request of which legs were posted on an earlier day was compared then, and is not compared in part again.
        """
        request = (instruction.platform, instruction.request_no)
        if instruction.txn_type != TxnType.REPAYMENT or instruction.loan_id is None or request in self._splits:
            return self._splits.get(request, {})
        legs = self._repayments[request]
        if any((*request, leg) in self.posted for leg in legs):
            return {}
        claims = self.ledger.claims_of(instruction.platform, instruction.loan_id)
        self._splits[request] = share_of_each(claims, list(legs.values()))
        return self._splits[request]

    def _compare_again_later(self, instruction: Instruction) -> None:
        """A request of which nothing is posted yet is tried again: the claims may have moved by then."""
        request = (instruction.platform, instruction.request_no)
        if request in self._splits and not any((*request, leg) in self.posted for leg in self._repayments[request]):
            del self._splits[request]

    def _report_split(self, leg: _Leg, share: Share | None) -> None:
        figures: dict[str, object] = {
            "claim": share.claim_id if share else "-",
            "principal": share.principal_minor if share else 0,
            "interest": share.interest_minor if share else 0,
            "penalty": share.penalty_minor if share else 0,
        }
        self._find(leg, Refusal(BreakKind.ALLOCATION, "allocation", figures, False))

    def _record(self, leg: _Leg, outcome: str, entry_no: int | None) -> None:
        instruction = leg.instruction
        rule = rule_of(instruction)
        settles = rule is not None and rule.settles is not None
        row = instruction._asdict()
        row |= {name: str(row[name]) for name in ("txn_type", "originator", "status")}
        self.ledger_txn.append(
            {
                **row,
                "txn_no": self._first_no + len(self.ledger_txn),
                "file_name": leg.file_name,
                "line_no": leg.line_no,
                "settle_date": self._calendar.next_business_day(instruction.value_date) if settles else None,
                "content_hash": leg.content_hash,
                "outcome": outcome,
                "entry_no": entry_no,
            }
        )

    def _find(self, leg: _Leg, refusal: Refusal) -> None:
        """A finding about the leg that was recorded last."""
        english, chinese = text(refusal.rule, refusal.figures)
        instruction = leg.instruction
        self.findings.append(
            {
                "platform": instruction.platform,
                "txn_no": self.ledger_txn[-1]["txn_no"],
                "request_no": instruction.request_no,
                "leg": instruction.leg,
                "txn_type": str(instruction.txn_type),
                "kind": str(refusal.kind),
                "rule": refusal.rule,
                "figures": canonical_json(refusal.figures),
                "words_en": english,
                "words_zh": chinese,
                "amount_minor": instruction.amount_minor,
                "file_name": leg.file_name,
                "line_no": leg.line_no,
                "value_date": instruction.value_date,
            }
        )


def _run(context: StepContext) -> None:
    yesterday = context.custody_date - timedelta(days=1)
    sub_accounts = _sub_accounts(context, yesterday)
    state = _load_state(context, yesterday)
    # An account that closes today still takes today's instructions: it was open when they happened.
    state.sub_accounts = {
        r["sub_account"] for r in sub_accounts if r["closed_on"] is None or r["closed_on"] >= context.custody_date
    }
    _register_loans(state, context.rows("land", "land_loan"))
    opening = dict(state.balances)
    posted = {
        (r["platform"], r["request_no"], r["leg"]): r["content_hash"]
        for seal in context.seals_of("post")
        for r in context.wiring.lake.rows(seal.path, "posted_keys")
    }
    load_registers(state, {table: context.rows("post", table, on=yesterday) for table in SNAPSHOTS})
    enter_mandates(state, context.rows("land", "land_mandate"))
    calendar = load_reference(context).calendar
    posting = _Posting(context, Ledger(state, registers_of(state, calendar)), posted)
    fees = {fee["platform"]: fee for fee in context.rows("fees", "fee_accruals", on=yesterday)}
    legs: dict[str, list[_Leg]] = defaultdict(list)
    for row in context.rows("land", "land_instruction"):
        legs[row["platform"]].append(_leg(row))
    for row in context.rows("post", "pending_instructions", on=yesterday):
        legs[row["platform"]].append(_leg(_landed_again(row)))
    for platform in sorted({*fees, *legs}):
        if platform in fees:
            _accrue_fee(posting, fees[platform], yesterday)
        posting.run(legs[platform])
    context.write("journal", posting.journal)
    context.write("ledger_txn", posting.ledger_txn)
    context.write("posting_findings", posting.findings)
    context.write("pending_instructions", posting.pending)
    context.write("posted_keys", _with_hashes(posting.new_keys))
    context.write("under_way", under_way(context.rows("post", "under_way", on=yesterday), posting.ledger_txn))
    context.write("balances", _balance_rows(opening, state, posting.journal, posting.platforms))
    context.write("holds", [h._asdict() for h in state.holds.values()])
    context.write("claims", [c._asdict() for c in state.claims.values()])
    context.write("loans", [x._asdict() for x in state.loans.values()])
    context.write("sub_accounts", sub_accounts)
    for table, rows in register_rows(state).items():
        context.write(table, rows)


def _load_state(context: StepContext, yesterday: date) -> LedgerState:
    return LedgerState(
        balances={(Book(r["book"]), r["account"]): r["closing_minor"] for r in context.rows("post", "balances", on=yesterday)},
        holds={(r["platform"], r["hold_id"]): Hold(**r) for r in context.rows("post", "holds", on=yesterday)},
        claims={(r["platform"], r["claim_id"]): Claim(**r) for r in context.rows("post", "claims", on=yesterday)},
        loans={(r["platform"], r["loan_id"]): Loan(**r) for r in context.rows("post", "loans", on=yesterday)},
    )


def _sub_accounts(context: StepContext, yesterday: date) -> list[Row]:
    """Yesterday's with what today's files and decisions say."""
    return carried(
        context.rows("post", "sub_accounts", on=yesterday),
        context.rows("land", "land_customer"),
        context.rows("land", "decided_customers"),
        aliases_of(context.rows("land", "customer_aliases")),
    )


def _register_loans(state: LedgerState, landed: list[Row]) -> None:
    """A loan is registered with the terms of its first row; later rows are compared with them, never adopted."""
    for row in sorted(landed, key=lambda r: (r["custody_date"], r["file_name"], r["line_no"])):
        state.loans.setdefault(
            (row["party"], row["loan_id"]),
            Loan(
                platform=row["party"],
                loan_id=row["loan_id"],
                borrower=sub_account_id(row["party"], Role.BORROWER, row["borrower_user_no"]),
                amount_minor=row["amount_minor"],
                currency=row["currency"],
                annual_rate=row["annual_rate"],
                method=row["method"],
                periods=row["periods"],
                every=row["every"],
                day_count=row["day_count"],
                minimum_minor=row["minimum_minor"],
                penalty_rate=row["penalty_rate"],
                guarantor=account_of(row["party"], Role.GUARANTOR, row["guarantor_user_no"]),
                payee=account_of(row["party"], Role.PAYEE, row["payee_user_no"]),
                purpose=row["purpose"],
                state=LoanState.BIDDING,
                disbursed_on=None,
                funded_minor=0,
                principal_repaid_minor=0,
                interest_repaid_minor=0,
            ),
        )


def _leg(row: Row) -> _Leg:
    event_time = row["event_time"].astimezone(CHINA)
    instruction = Instruction(
        platform=row["platform"],
        request_no=row["request_no"],
        leg=row["leg"],
        txn_type=TxnType(row["txn_type"]),
        originator=Originator(row["originator"]),
        authorisation_id=row["authorisation_id"],
        from_account=account_of(row["platform"], row["from_role"], row["from_user_no"]),
        to_account=account_of(row["platform"], row["to_role"], row["to_user_no"]),
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        loan_id=row["loan_id"],
        principal_minor=row["principal_minor"] or 0,
        interest_minor=row["interest_minor"] or 0,
        penalty_minor=row["penalty_minor"] or 0,
        coupon_minor=row["coupon_minor"] or 0,
        related_request_no=row["related_request_no"],
        channel=row["channel"],
        settlement_batch=row["settlement_batch"],
        direction=row["direction"],
        fee_minor=row["fee_minor"] or 0,
        status=TxnStatus(row["status"]),
        event_time=event_time,
        value_date=custody_date_of(event_time),
    )
    content = {k: canonical_text(v) for k, v in row.items() if k not in ("party", "file_name", "line_no", "custody_date")}
    return _Leg(instruction, row["file_name"], row["line_no"], row, digest_of_json(content))


def _pending(leg: _Leg) -> Row:
    payload = {k: v.isoformat() if isinstance(v, (date, datetime)) else v for k, v in leg.landed.items()}
    kept = {n: leg.landed[n] for n in ("party", "file_name", "line_no", "custody_date")}
    return {**kept, "platform": leg.instruction.platform, "payload": canonical_json(payload)}


def _landed_again(pending: Row) -> Row:
    row: dict[str, Any] = json.loads(pending["payload"])
    row["event_time"] = datetime.fromisoformat(row["event_time"])
    return {**row, "custody_date": pending["custody_date"]}


def under_way(before: Iterable[Row], ledger_txn: Iterable[Row]) -> list[Row]:
    """What is under way at the end of the day, each with the date that first said so; a final status ends it."""
    rows = {(r["platform"], r["request_no"], r["leg"]): r for r in before}
    for t in sorted(ledger_txn, key=lambda r: r["event_time"]):
        key = (t["platform"], t["request_no"], t["leg"])
        if t["outcome"] == "NO_POSTING" and t["status"] in UNDER_WAY:
            kept = ("platform", "request_no", "leg", "txn_type", "channel", "amount_minor", "currency", "status")
            since = rows[key]["since"] if key in rows else t["value_date"]
            rows[key] = {n: t[n] for n in kept} | {"account": t["from_account"] or t["to_account"], "since": since}
        elif t["outcome"] in ("NO_POSTING", "POSTED"):
            rows.pop(key, None)
    return list(rows.values())


def _accrue_fee(posting: _Posting, fee: Row, value_date: date) -> None:
    """Yesterday's accrued custody fee enters the BANK book today, with its own value date."""
    if not fee["gross_minor"]:
        return
    instruction = Instruction(
        platform=fee["platform"],
        request_no=f"FEE{value_date:%Y%m%d}",
        leg=1,
        txn_type=TxnType.CUSTODY_FEE,
        originator=Originator.BANK,
        authorisation_id=f"FEE{value_date:%Y%m%d}",
        from_account=None,
        to_account=None,
        amount_minor=fee["gross_minor"],
        currency=fee["currency"],
        loan_id=None,
        principal_minor=0,
        interest_minor=0,
        penalty_minor=0,
        coupon_minor=0,
        related_request_no=None,
        channel=None,
        settlement_batch=None,
        direction=ACCRUE,
        fee_minor=fee["vat_minor"],
        status=TxnStatus.SUCCESS,
        event_time=datetime.combine(value_date, datetime.max.time().replace(microsecond=0), tzinfo=CHINA),
        value_date=value_date,
    )
    entry = posting.ledger.apply(instruction)
    if isinstance(entry, Refusal):
        raise AssertionError(f"an accrual by the bank itself is never refused: {entry}")
    posting.enter(entry)


def _with_hashes(keys: list[Row]) -> list[Row]:
    columns = {name: [key[name] for key in keys] for name in ("platform", "request_no", "leg")}
    hashes = key_hashes(
        pa.table(columns, pa.schema([("platform", pa.string()), ("request_no", pa.string()), ("leg", pa.int64())]))
    )
    return [{**key, "key_hash": number} for key, number in zip(keys, hashes.view(np.int64).tolist(), strict=True)]


def _balance_rows(
    opening: dict[tuple[Book, str], int], state: LedgerState, journal: list[Row], platforms: frozenset[str]
) -> list[Row]:
    """Every account that ever had a posting, open sub-accounts, and each onboarded platform's P_* accounts, moved or not:
    opening + in - out = closing (§4.2)."""
    into: dict[tuple[Book, str], int] = defaultdict(int)
    out: dict[tuple[Book, str], int] = defaultdict(int)
    for move in journal:
        out[Book(move["book"]), move["from_account"]] += move["amount_minor"]
        into[Book(move["book"]), move["to_account"]] += move["amount_minor"]
    keys = set(state.balances) | {
        (Book.CUSTODY, f"{account}:{part}") for account in state.sub_accounts for part in ("available", "frozen")
    }
    keys |= {(Book.CUSTODY, platform_account(platform, name)) for platform in platforms for name in PLATFORM_ACCOUNTS}
    return [
        {
            "platform": platform_of(account),
            "book": str(book),
            "account": account,
            "currency": "CNY",
            "opening_minor": opening.get((book, account), 0),
            "in_minor": into[book, account],
            "out_minor": out[book, account],
            "closing_minor": state.balances.get((book, account), 0),
        }
        for book, account in sorted(keys)
    ]


STEP = Step("post", _run)
