"""Random lives over several days with all registers of a ledger: what they keep agrees with the balances at every moment, and no
invariant of domain.md §4 is ever broken by what the ledger posts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from test_ledger_property import BORROWERS, DRAFTS, GUARANTOR, LENDERS, LIFE, PAYEE, Draft, fresh, to_instruction

from custody.calendar import SettlementCalendar
from custody.instruction import Entry, Instruction
from custody.invariants import books_sum_to_zero, debt_equals_claims, signs_and_holds
from custody.ledger import Ledger
from custody.ledger_state import LedgerState, LegalOrder, Mandate
from custody.life_invariants import (
    itemised,
    loans_begin_whole,
    money_went_its_way,
    settled_money_only,
    shares_stay_whole,
)
from custody.match_rules import RuleBook
from custody.names import Originator, TxnType, platform_of
from custody.registers import registers_of
from custody.unsettled import REFUNDED
from jobs.ledger_snapshots import SNAPSHOTS, load_registers, register_rows
from schemas.rule_book import shipped_rules

T = TxnType
CALENDAR = SettlementCalendar()
AGES = RuleBook.of(shipped_rules()).ages
MONDAY = date(2019, 12, 30)
LEGAL = {T.LEGAL_FREEZE: "FREEZE", T.LEGAL_RELEASE: "RELEASE", T.LEGAL_DEDUCT: "DEDUCT"}
# Their money moved outside already, so what they touch may lie on the wrong side of zero.
BEYOND_ZERO = (
    "PLATFORM_OWN",
    "CHANNEL_PAYABLE",
    "CHANNEL_RECEIVABLE",
    "FEE_RECEIVABLE",
    "OWN_CASH",
    "CORE_CASH",
    "BANK_CASH",
    "FEE_DUE",
    "FEE_WRITTEN_OFF",
)
MORE = st.lists(
    st.tuples(DRAFTS, st.integers(0, 2), st.sampled_from([None, "mandate", "mandate", "advance", "settle"])), max_size=40
)


def begun() -> LedgerState:
    """People, loans that may begin at any sum, orders for everybody, a mandate for each borrower to pay his payee and for each lender."""
    state = fresh()
    for key, loan in list(state.loans.items()):
        state.loans[key] = loan._replace(minimum_minor=1)
    for account in (*LENDERS, *BORROWERS, GUARANTOR, PAYEE):
        for action in LEGAL.values():
            state.legal_orders["P001", f"J{account}", action] = LegalOrder("P001", f"J{account}", action, account, 10**9, 0)
        scope = "ENTRUSTED" if account in BORROWERS else "AUTO_TENDER"
        state.mandates["P001", f"M{account}"] = Mandate(
            "P001", f"M{account}", account, scope, 60, 80, 50, date(2020, 12, 31), datetime(2019, 1, 1, tzinfo=UTC), None
        )
    return state


def whole(state: LedgerState) -> Ledger:
    return Ledger(state, registers_of(state, CALENDAR))


def authorised(ledger: Ledger, instruction: Instruction, draft: Draft, on: date, way: str | None) -> Instruction:
    """The instruction on a day, with what its type needs of the registers: an order, a mandate, an open receipt."""
    moment = datetime(on.year, on.month, on.day, 2, tzinfo=UTC) + timedelta(seconds=int(instruction.request_no[1:]) % 1_000)
    told = instruction._replace(value_date=on, event_time=moment)
    if told.txn_type in LEGAL:
        told = told._replace(authorisation_id=f"J{told.from_account or told.to_account}")
    if told.originator == Originator.MANDATE or (way == "mandate" and told.txn_type == T.TENDER_FREEZE):
        told = told._replace(originator=Originator.MANDATE, authorisation_id=f"M{told.from_account}")
    if str(told.from_account).endswith(":SUSPENSE"):
        receipts = sorted(ledger.state.receipts)
        receipt = ledger.state.receipts[receipts[draft.pick % len(receipts)]] if receipts else None
        if receipt is not None:
            amount = min(told.amount_minor, receipt.left_minor)
            told = told._replace(related_request_no=receipt.request_no, amount_minor=amount)
    if way == "advance" and told.txn_type == T.PLATFORM_RECHARGE:
        told = told._replace(to_account="P001:P_ADVANCE")
    if way == "settle" and told.txn_type == T.CHANNEL_SETTLEMENT and told.direction == "IN":
        items = ledger.state.open_items.get("P001:CHANNEL_RECEIVABLE/CH01", {}).values()
        due = sum(item.amount_minor for item in items if item.settle_date <= on)
        told = told._replace(amount_minor=due, fee_minor=min(told.fee_minor, due)) if due > 0 else told
    return told


def rows_of(state: LedgerState) -> dict[str, list[dict[str, Any]]]:
    """The day's snapshot as post seals it."""
    balances = [
        {"platform": platform_of(account), "book": str(book), "account": account, "closing_minor": minor}
        for (book, account), minor in state.balances.items()
    ]
    parts = {name: [row._asdict() for row in getattr(state, name).values()] for name in ("holds", "claims", "loans")}
    return {"balances": balances, **parts, **register_rows(state)}


def check_moment(ledger: Ledger) -> None:
    """Items, receipts and lots against balances."""
    rows = rows_of(ledger.state)
    assert list(itemised(rows["balances"], rows["receivables"], rows["suspense"])) == []
    held = [v for v in settled_money_only(rows["balances"], rows["holds"], rows["unsettled"]) if v.subject != "INV|INV_12|P001"]
    assert held == [], "a part has no more unsettled money than it holds"
    lots: Counter[tuple[str, date]] = Counter()
    for row in rows["unsettled"]:
        assert row["amount_minor"] > 0
        lots[row["channel"], row["settle_date"]] += row["amount_minor"]
    still: Counter[tuple[str, date]] = Counter()
    for row in rows["receivables"]:
        if row["account"] == "P001:CHANNEL_RECEIVABLE/CH01" and row["amount_minor"] > 0:
            still["CH01", row["settle_date"]] += row["amount_minor"]
    assert set(lots) == set(still) and all(lots[lot] >= still[lot] for lot in still)
    for mandate in ledger.state.mandates.values():
        assert 50 <= mandate.used_minor <= mandate.total_limit_minor, "only what it used itself is given back"


def check_day(before: dict[str, list[dict[str, Any]]], ledger: Ledger, entries: Sequence[Entry], on: date) -> None:
    """The invariants of §4 on the day's end."""
    after = rows_of(ledger.state)
    assert list(books_sum_to_zero(after["balances"])) == []
    signs = signs_and_holds(after["balances"], after["holds"])
    assert [v for v in signs if not any(name in v.subject for name in BEYOND_ZERO)] == []
    assert list(debt_equals_claims(after["loans"], after["claims"])) == []
    assert list(shares_stay_whole(after["claims"], before["claims"], after["loans"], before["loans"])) == []
    begins = loans_begin_whole(after["loans"], [], before["holds"], [], [], on, CALENDAR, AGES)
    assert list(begins) == []
    paths = Counter((str(e.instruction.txn_type), _kind(m.from_account), _kind(m.to_account)) for e in entries for m in e.moves)
    flows = [{"platform": "P001", "txn_type": t, "payer": a, "payee": b, "amount_minor": n} for (t, a, b), n in paths.items()]
    assert list(money_went_its_way(flows)) == []


def _kind(account: str) -> str:
    owner, _, name = account.partition(":")
    return owner.split(".")[1] if "." in owner else name.partition("/")[0].partition(":")[0]


def check_unsettled(before: dict[Any, dict[Any, int]], entry: Entry, after: dict[Any, dict[Any, int]]) -> None:
    """No posting makes or loses unsettled money but a recharge, a return and a settlement; and what left unsettled is found."""
    if entry.instruction.txn_type in (T.RECHARGE, T.WITHDRAW_RETURN, T.CHANNEL_SETTLEMENT):
        return
    sums = [Counter[Any](), Counter[Any]()]
    gone = [0, 0]
    for side, state in enumerate((before, after)):
        for (account, tag), lots in state.items():
            for lot, minor in lots.items():
                sums[side][lot] += minor
                if (
                    ("CHANNEL_PAYABLE" in account or "CORE_CASH" in account)
                    and tag != REFUNDED
                    and lot[1] > entry.instruction.value_date
                ):
                    gone[side] += minor
    assert sums[0] == sums[1]
    found = sum(int(str(f.figures["unsettled"])) for f in entry.findings)
    assert found == gone[1] - gone[0]


def reopened(ledger: Ledger) -> Ledger:
    """From the sealed snapshot, as the next day begins."""
    state, rows = ledger.state, register_rows(ledger.state)
    fields = ("balances", "holds", "claims", "loans", "sub_accounts")
    opened = LedgerState(**{name: deepcopy(getattr(state, name)) for name in fields})
    load_registers(opened, {table: rows[table] for table in SNAPSHOTS})
    return whole(opened)


@settings(max_examples=25)
@given(MORE, st.booleans())
def test_what_the_registers_keep_agrees_with_the_balances(more: list[tuple[Draft, int, str | None]], from_life: bool) -> None:
    life = [Draft((t, v), pick // 10, "L1", amount, False, pick, 3) for t, v, amount, pick in LIFE] if from_life else []
    todo = [(draft, 0, None) for draft in life] + more
    ledger, on, before, entries = whole(begun()), MONDAY, rows_of(begun()), []
    for number, (draft, days, way) in enumerate(todo):
        if days:
            check_day(before, ledger, entries, on)
            on, before, entries = on + timedelta(days=days), rows_of(ledger.state), []
            again = reopened(ledger)
            assert asdict(again.state) == asdict(ledger.state) | {"under_way": again.state.under_way}
            ledger = again
        lots = deepcopy(ledger.state.unsettled)
        kept = deepcopy(ledger.state)
        result = ledger.apply(authorised(ledger, to_instruction(ledger, draft, 1_000 + number), draft, on, way))
        if isinstance(result, Entry):
            entries.append(result)
            check_unsettled(lots, result, ledger.state.unsettled)
            check_moment(ledger)
        else:
            assert ledger.state == kept
    check_day(before, ledger, entries, on)
