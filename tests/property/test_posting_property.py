"""Posting in shares, chunks and processes is posting leg by leg: the same entries, outcomes, findings and snapshots."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instance_kit import change_settings
from post_kit import FIRST, PLATFORMS, Days, customer, fresh_days, home_of, leg, loan

import jobs.post.step as step
from connectors.bootstrap import Wiring, wire
from connectors.lake import arrow_schema
from custody.allocation import differs, share_of_each
from custody.calendar import SettlementCalendar
from custody.instruction import Entry, Instruction, Refusal
from custody.ledger import Ledger
from custody.ports import Row
from custody.posting_rules import COUPON_HOLD
from custody.registers import registers_of
from jobs.ledger_snapshots import SNAPSHOTS
from jobs.post.accrual import accrual
from jobs.post.columns import instructions_of, with_accounts
from jobs.post.snapshots import LANDED, YESTERDAY, load_state, sub_accounts_of
from jobs.post.waiting import NEXT_DAY
from schemas.tables import TABLES

BEFORE = FIRST - timedelta(days=1)
LENDERS, BORROWER = ("u1", "u2", "u3"), "b1"
# CC's is nothing yet; YY is known by its fee alone.
FEES = {"AA": 30, "CC": 0, "YY": 20}
EVERYBODY = [customer(p, r, u) for p in PLATFORMS for r, u in (*(("LENDER", u) for u in LENDERS), ("BORROWER", BORROWER))]
LOANS = [loan(p, f"L{n}", BORROWER, 900) for p in PLATFORMS for n in (1, 2)]


@pytest.fixture(scope="module")
def wiring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wiring]:
    home = change_settings(home_of(tmp_path_factory.mktemp("post") / "home"), {"post.processes": 1})
    with_one = wire(home)
    yield with_one
    with_one.close()


@st.composite
def a_day(draw: st.DrawFn) -> list[Row]:
    """Legs that hang together and happen in any order: much of it must wait, some is never possible, some comes twice."""
    rows: list[Row] = []
    for platform in draw(st.lists(st.sampled_from([*PLATFORMS, "ZZ"]), min_size=1, max_size=3)):
        tag = f"{len(rows):03d}"
        parts = [draw(st.integers(1, 4)) * 100 for _ in LENDERS]
        holders = [("LENDER", draw(st.sampled_from([*LENDERS, u]))) for u in LENDERS]
        when = [draw(st.integers(0, 6)) for _ in range(6)]
        on_loan: dict[str, Any] = {"loan_id": f"L{draw(st.integers(1, 3))}"}
        borrower = ("BORROWER", BORROWER)
        for n, (amount, holder) in enumerate(zip(parts, holders, strict=True)):
            channel = draw(st.sampled_from(["CH01", None, "CH99"]))
            rows += [
                leg(0, platform, "RECHARGE", f"R{tag}{n}", amount + draw(st.integers(-50, 50)), when[0], payee=holder, channel=channel),
                leg(0, platform, "TENDER_FREEZE", f"T{tag}{n}", amount, when[1], payer=holder, **on_loan),
                leg(0, platform, "TENDER_SETTLE", f"S{tag}", amount, when[2], payer=holder, payee=borrower, leg=n + 1,
                    related_request_no=f"T{tag}{n}", originator="PLATFORM", **on_loan),
                leg(0, platform, "REPAYMENT", f"Y{tag}", amount // 2, when[5], payer=borrower, payee=holder, leg=n + 1,
                    related_request_no=f"H{tag}", originator="PLATFORM", principal_minor=amount // 2, **on_loan),
                leg(0, platform, "WITHDRAW_FREEZE", f"F{tag}{n}", draw(st.integers(1, 300)), when[4], payer=holder),
                leg(0, platform, "WITHDRAW", f"W{tag}{n}", 50, when[3], payer=holder, channel="CH01",
                    related_request_no=f"F{tag}{n}", status=draw(st.sampled_from(["SUCCESS", "UNKNOWN", "FAIL"]))),
            ]  # fmt: skip
        rows.append(leg(0, platform, "REPAY_FREEZE", f"H{tag}", sum(parts) // 2 + 3, when[4], payer=borrower, **on_loan))
    for row in draw(st.lists(st.sampled_from(rows), max_size=4)):
        rows.append({**row, "amount_minor": row["amount_minor"] + draw(st.integers(0, 1))})
    shuffled = draw(st.permutations(rows))
    return [{**row, "line_no": number + 2} for number, row in enumerate(shuffled)]


def landed(wiring: Wiring, rows: list[Row]) -> Days:
    days = fresh_days(wiring)
    days.posted(BEFORE, {})
    days.accrued(BEFORE, FEES)
    days.land(FIRST, {"land_customer": EVERYBODY, "land_loan": LOANS, "land_instruction": rows})
    return days


@settings(max_examples=8)
@given(rows=a_day(), chunk=st.sampled_from([1, 3, 1000]), share=st.sampled_from([1, 10, 1000]))
def test_it_is_the_plain_ledger_leg_by_leg(wiring: Wiring, rows: list[Row], chunk: int, share: int) -> None:
    days = landed(wiring, rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step, "CHUNK_ROWS", chunk)
        patch.setattr(step, "_SHARE_FROM", share)
        first = days.post(FIRST, keep=False).tables
    journal, outcomes, findings = plain(days, rows)
    names = (
        "platform",
        "request_no",
        "leg",
        "from_account",
        "to_account",
        "amount_minor",
        "from_balance_minor",
        "to_balance_minor",
    )
    assert [tuple(r[n] for n in names) for r in days.rows("journal")] == journal
    assert [(r["platform"], r["line_no"], r["outcome"]) for r in days.rows("ledger_txn")] == outcomes
    assert sorted((r["platform"], r["line_no"], r["rule"]) for r in days.rows("posting_findings")) == sorted(findings)
    assert days.post(FIRST, keep=False).tables == first


def test_any_number_of_processes_writes_the_same(tmp_path: Any) -> None:
    rows = [
        row | {"line_no": n + 2, "request_no": f"{row['request_no']}x{n // 40}"}
        for n, row in enumerate(
            leg(0, p, "RECHARGE", f"R{n}", 100 + n, n % 7, payee=("LENDER", LENDERS[n % 3])) for n in range(60) for p in PLATFORMS
        )
    ]
    home = home_of(tmp_path / "home")
    found = []
    for processes in (1, 2, 3):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(step, "_POOL_FROM", 1)
            patch.setattr(step, "_SHARE_FROM", 1)
            wiring = wire(change_settings(home, {"post.processes": processes}))
            found.append(landed(wiring, rows).post(FIRST, keep=False).tables)
            assert not wiring.settings.path(wiring.settings.post.scratch).exists()
            wiring.close()
    assert found[0] == found[1] == found[2]
    assert found[0]["ledger_txn"]["rows"] == 180


def plain(days: Days, rows: list[Row]) -> tuple[list[Any], list[Any], list[Any]]:
    """The journal, the outcomes and the findings, one leg after another with nothing clever about it."""
    tables = {t: arrow_schema(TABLES[t]).empty_table() for t in (*YESTERDAY, *LANDED)}
    from connectors.lake import Lake

    lake: Lake = days.wiring.lake
    seal = days.seals[next(ref for ref in days.seals if ref.step == "land")]
    tables |= {t: lake.read(seal.path, t) for t in LANDED}
    tables["sub_accounts"] = sub_accounts_of(tables, {})
    state = load_state(tables, FIRST)
    legs = list(
        zip(
            rows,
            instructions_of(with_accounts(pa.Table.from_pylist(rows, arrow_schema(TABLES["land_instruction"])))),
            strict=True,
        )
    )
    out = Plain(Ledger(state, registers_of(state, SettlementCalendar({}))), legs)
    for platform in sorted({*(row["platform"] for row in rows), *FEES}):
        if FEES.get(platform):
            out.accrue(platform)
        out.post(platform)
    assert set(SNAPSHOTS) < set(YESTERDAY)
    return out.journal, out.outcomes, out.findings


class Plain:
    def __init__(self, ledger: Ledger, legs: list[tuple[Row, Instruction]]) -> None:
        self.ledger, self.legs = ledger, legs
        self.journal: list[Any] = []
        self.outcomes: list[Any] = []
        self.findings: list[Any] = []
        self._known: dict[Any, Row] = {}
        self._splits: dict[Any, Any] = {}
        self._begun: set[Any] = set()
        self._short: set[Any] = set()

    def accrue(self, platform: str) -> None:
        fee = {"platform": platform, "gross_minor": FEES[platform], "vat_minor": FEES[platform] // 10, "currency": "CNY"}
        entry = self.ledger.apply(accrual(fee, BEFORE))
        assert isinstance(entry, Entry)
        self.journal += [(platform, entry.instruction.request_no, 1, *move[1:]) for move in entry.moves]

    def post(self, platform: str) -> None:
        mine = [(r, i) for r, i in self.legs if r["platform"] == platform]
        mine.sort(key=lambda x: (x[0]["event_time"], x[0]["line_no"]))
        # In the order in which they began to wait.
        waiting: list[tuple[int, Row, Instruction, Refusal]] = []
        for number, (row, instruction) in enumerate(mine):
            result = self._one(mine, row, instruction)
            if isinstance(result, Refusal):
                waiting.append((number, row, instruction, result))
            causes = [result] if isinstance(result, Entry) else []
            while causes:
                cause = causes.pop()
                again = []
                for account, balance in [(m.to_account, m.book) for m in cause.moves]:
                    heap = [
                        (w[3].figures["needed"], w[0])
                        for w in waiting
                        if w[3].figures.get("account") == account and w[3].rule == "insufficient"
                    ]
                    heapq.heapify(heap)
                    while heap and heap[0][0] <= self.ledger.balance(balance, account):
                        causes += self._retry(mine, waiting, heapq.heappop(heap)[1], cause, again)
                for name in _names(cause.instruction):
                    for number_ in [w[0] for w in waiting if _name(w[2], w[3]) == name]:
                        causes += self._retry(mine, waiting, number_, cause, again)
                waiting = sorted([*waiting, *again], key=lambda w: w[0])
        for _, row, instruction, refusal in waiting:
            if not self._repeated(row, instruction):
                self._done(row, "WAITING")
                self.findings.append((platform, row["line_no"], refusal.rule))

    def _retry(self, mine: Any, waiting: Any, number: int, cause: Entry, again: Any) -> list[Entry]:
        at = next(n for n, w in enumerate(waiting) if w[0] == number)
        _, row, instruction, _ = waiting.pop(at)
        result = self._one(mine, row, instruction)
        if isinstance(result, Refusal):
            again.append((number, row, instruction, result))
        if not isinstance(result, Entry):
            return []
        if cause.instruction.event_time > instruction.event_time:
            self.findings.append((row["platform"], row["line_no"], "later_cause"))
        return [result]

    def _repeated(self, row: Row, instruction: Instruction) -> bool:
        before = self._known.get((instruction.platform, instruction.request_no, instruction.leg))
        if before is None:
            return False
        same = {k: v for k, v in before.items() if k != "line_no"} == {k: v for k, v in row.items() if k != "line_no"}
        self._done(row, "REPEATED" if same else "REFUSED")
        if not same:
            self.findings.append((row["platform"], row["line_no"], "posted_before"))
        return True

    def _one(self, mine: Any, row: Row, instruction: Instruction) -> Entry | Refusal | None:
        """None: it is done with, and nothing was posted."""
        if self._repeated(row, instruction):
            return None
        if instruction.status in ("UNKNOWN", "FAIL"):
            refusal = self.ledger.tell(instruction)
            self._done(row, "REFUSED" if refusal else "NO_POSTING")
            if refusal:
                self.findings.append((row["platform"], row["line_no"], refusal.rule))
            return None if refusal else Entry(instruction, (), None)
        split = self._split(mine, instruction)
        share = split.get(instruction.leg)
        result: Entry | Refusal
        if instruction.platform not in PLATFORMS or instruction.channel not in (None, "CH01"):
            result = Refusal("ORPHAN", "unknown_party", {}, True)  # type: ignore[arg-type]
        else:
            result = self.ledger.apply(instruction, share.claim_id if share else None)
        request = (instruction.platform, instruction.request_no)
        if isinstance(result, Refusal):
            if result.waits:
                if request not in self._begun:
                    self._splits.pop(request, None)
                return result
            self._done(row, "REFUSED")
            self.findings.append((row["platform"], row["line_no"], result.rule))
            return None
        self._begun.add(request)
        self._known[instruction.platform, instruction.request_no, instruction.leg] = row
        self._done(row, "POSTED")
        self.journal += [(row["platform"], row["request_no"], row["leg"], *move[1:]) for move in result.moves]
        self.findings += [(row["platform"], row["line_no"], finding.rule) for finding in result.findings]
        # What does not use up its hold may get more legs: it is compared when it is whole.
        if request not in self._short and instruction.leg in split and differs(instruction, share):
            self.findings.append((row["platform"], row["line_no"], "allocation"))
        return result

    def _split(self, mine: Any, instruction: Instruction) -> Any:
        request = (instruction.platform, instruction.request_no)
        if instruction.txn_type != "REPAYMENT":
            return {}
        if request not in self._splits:
            legs: dict[int, Instruction] = {}
            for _, other in mine:
                if (other.platform, other.request_no) == request:
                    legs.setdefault(other.leg, other)
            hold = self.ledger.state.holds.get((instruction.platform, str(instruction.related_request_no)))
            self._short.discard(request)
            if hold is not None and hold.amount_minor > sum(leg.amount_minor for leg in legs.values()):
                self._short.add(request)
            self._splits[request] = share_of_each(
                self.ledger.claims_of(instruction.platform, str(instruction.loan_id)), list(legs.values())
            )
        return self._splits[request]

    def _done(self, row: Row, outcome: str) -> None:
        self.outcomes.append((row["platform"], row["line_no"], outcome))


def _names(made: Instruction) -> list[Any]:
    return [
        made.request_no,
        made.request_no + COUPON_HOLD,
        str(made.related_request_no),
        (str(made.loan_id), str(made.from_account)),
    ]


def _name(leg: Instruction, refusal: Refusal) -> Any:
    if refusal.rule in NEXT_DAY:
        return None
    if refusal.rule == "claim_principal":
        return str(leg.loan_id), str(leg.to_account)
    return next((refusal.figures[name] for name in ("hold", "claim", "request") if name in refusal.figures), None)
