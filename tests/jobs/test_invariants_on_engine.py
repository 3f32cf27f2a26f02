"""What the engine picks for the invariants against all rows: the same findings, and every invariant among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from connectors.lake import table_of
from custody.calendar import SettlementCalendar
from custody.invariant_rows import AccountRows, DayRows, LoanRows, violations
from custody.invariants import Violation
from custody.match_rules import RuleBook
from jobs.reconcile.journal_sums import journal_sums, paths_of_money
from jobs.reconcile.suspects import BEFORE, SNAPSHOTS, day_rows, snapshot_views
from schemas.rule_book import shipped_rules
from schemas.tables import TABLES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Row = dict[str, Any]
Tables = dict[str, list[Row]]
DAY = date(2020, 2, 28)
BEFORE_DAY = date(2020, 2, 27)
# On both sides of each age limit.
DAYS = [date(2020, 1, 2), date(2020, 2, 3), date(2020, 2, 20), date(2020, 2, 24), date(2020, 2, 26), BEFORE_DAY, DAY]
NOON = datetime(2020, 2, 28, 4, 0, tzinfo=UTC)
CALENDAR = SettlementCalendar()
AGES = RuleBook.of(shipped_rules()).ages
CUSTODY = ["u1:available", "u1:frozen", "u2:available", "P_MARKETING", "P_MARKETING:frozen", "CORE_CASH", "CHANNEL_RECEIVABLE/CH01", "CHANNEL_PAYABLE/CH01", "FEE_RECEIVABLE", "SUSPENSE"]  # fmt: skip
SOME = st.sampled_from([0, 0, 0, 5, 5, 7, -5])
PART = st.sampled_from([0, 5, 5, 7])
ROOT = st.sampled_from(["u1", "u2", "P_MARKETING"])


def _account(name: str) -> str:
    return f"P.LENDER.{name}" if name.startswith("u") else f"P:{name}"


def _lists(*parts: st.SearchStrategy[Any], unique_by: int = 1, most: int = 3) -> st.SearchStrategy[Any]:
    """Rows, of which the first ``unique_by`` values are a key."""
    return st.lists(st.tuples(*parts), max_size=most, unique_by=lambda row: row[:unique_by])


LOANS = _lists(st.sampled_from(["L1", "L2"]), PART, PART, st.sampled_from([None, 5]), st.sampled_from([None, *DAYS[-2:]]), PART)
CLAIMS = _lists(st.sampled_from(["c1", "c2", "c3"]), st.sampled_from(["L1", "L2"]), ROOT, SOME, PART)
HOLDS = _lists(
    st.sampled_from(["h1", "h2", "h3"]), ROOT, st.sampled_from(["TENDER", "WITHDRAW", "REPAY", "JUDICIAL"]), st.sampled_from([None, "L1"]),
    st.sampled_from([1, 5, 7]), st.sampled_from(DAYS),
)  # fmt: skip
BALANCES = _lists(st.sampled_from(CUSTODY), SOME, SOME, SOME, st.booleans(), most=6)
LEGS = _lists(
    st.sampled_from(["r1", "r2", "r3"]), st.sampled_from(["TENDER_SETTLE", "COMMISSION", "REPAYMENT", "RECHARGE"]),
    st.sampled_from([None, "L1", "L2"]), st.sampled_from(["h1", "h2"]), st.sampled_from(DAYS[-2:]),
    st.sampled_from(["POSTED", "POSTED", "REFUSED"]),
)  # fmt: skip
MOVES = st.lists(
    st.tuples(
        st.sampled_from(["COMMISSION", "MARKETING", "WITHDRAW", "TENDER_SETTLE"]),
        st.sampled_from(CUSTODY),
        st.sampled_from(CUSTODY),
    ),
    max_size=3,
)
PLATFORM = st.fixed_dictionaries(
    {
        "balances": BALANCES, "balances_before": BALANCES, "holds": HOLDS, "holds_before": HOLDS, "claims": CLAIMS,
        "claims_before": CLAIMS, "loans": LOANS, "loans_before": LOANS, "ledger_txn": LEGS, "journal": MOVES,
        "sub_accounts": _lists(st.sampled_from(["u1", "u2"]), st.sampled_from([None, DAY])),
        "unsettled": _lists(st.sampled_from(["u1", "P_MARKETING", "CHANNEL_PAYABLE/CH01"]), st.sampled_from(["", "h1", "h2"]), PART, unique_by=2),
        "receivables": _lists(st.sampled_from(CUSTODY[6:9]), st.sampled_from(["i1", "i2"]), st.sampled_from(DAYS), SOME, unique_by=2),
        "suspense": _lists(st.sampled_from(["s1"]), st.sampled_from(DAYS), PART),
        "under_way": _lists(st.sampled_from(["w1", "w2"]), st.sampled_from(["UNKNOWN", "REMITTING"]), st.sampled_from(DAYS)),
        "told": _lists(st.sampled_from(["L1", "L2"]), st.sampled_from(["MISCARRIED", "FULL"])),
    }
)  # fmt: skip


def _balance(name: str, opening: int, came: int, off: int, is_off: bool) -> Row:
    closing = opening + came + (off if is_off else 0)
    return {
        "book": "CUSTODY", "account": _account(name), "currency": "CNY", "opening_minor": opening, "in_minor": came, "out_minor": 0,
        "closing_minor": -closing if name.startswith(("CORE", "CHANNEL_R", "FEE")) else closing,
    }  # fmt: skip


def _loan(loan_id: str, amount: int, funded: int, least: int | None, on: date | None, repaid: int) -> Row:
    return {
        "loan_id": loan_id, "borrower": "P.LENDER.u1", "amount_minor": amount, "currency": "CNY", "annual_rate": "0", "method": "bullet",
        "periods": 1, "every": "month", "day_count": "30/360", "minimum_minor": least, "penalty_rate": None, "guarantor": None, "payee": None,
        "purpose": "p", "state": "BIDDING", "disbursed_on": on, "funded_minor": funded, "principal_repaid_minor": repaid,
        "interest_repaid_minor": 0,
    }  # fmt: skip


def _hold(hold_id: str, root: str, kind: str, loan_id: str | None, minor: int, on: date) -> Row:
    return {
        "hold_id": hold_id, "account": _account(root), "kind": kind, "loan_id": loan_id, "amount_minor": minor, "placed_on": on,
        "mandate_id": None,
    }  # fmt: skip


def _claim(claim_id: str, loan_id: str, root: str, minor: int, original: int) -> Row:
    return {
        "claim_id": claim_id, "loan_id": loan_id, "holder": _account(root), "principal_minor": minor, "original_minor": original,
        "currency": "CNY",
    }  # fmt: skip


def _leg(request_no: str, txn_type: str, loan_id: str | None, related: str, on: date, outcome: str) -> Row:
    row: Row = dict.fromkeys(TABLES["ledger_txn"].names)
    zero = {
        "principal_minor": 0,
        "interest_minor": 0,
        "penalty_minor": 0,
        "coupon_minor": 0,
        "fee_minor": 0,
        "line_no": 1,
        "leg": 1,
    }
    return row | zero | {
        "txn_no": int(request_no[1:]), "request_no": request_no, "txn_type": txn_type, "from_account": "P.LENDER.u1", "amount_minor": 5,
        "currency": "CNY", "loan_id": loan_id, "related_request_no": related, "status": "SUCCESS", "event_time": NOON, "file_name": "F",
        "originator": "PLATFORM", "authorisation_id": "A", "value_date": on, "content_hash": "h", "outcome": outcome,
    }  # fmt: skip


def _move(txn_type: str, payer: str, payee: str) -> Row:
    return {
        "move_no": 1, "book": "CUSTODY", "from_account": _account(payer), "to_account": _account(payee), "amount_minor": 5,
        "from_balance_minor": 0, "to_balance_minor": 0, "currency": "CNY", "txn_type": txn_type, "request_no": "r", "leg": 1, "loan_id": None,
        "core_ref": None, "posting_date": DAY, "value_date": DAY, "event_time": NOON,
    }  # fmt: skip


MAKERS = {
    "balances": _balance,
    "holds": _hold,
    "claims": _claim,
    "loans": _loan,
    "ledger_txn": _leg,
    "journal": _move,
    "sub_accounts": lambda name, closed: {
        "sub_account": _account(name), "role": "LENDER", "user_no": name, "customer_id": "C", "kind": "PERSON", "opened_on": DAYS[0],
        "closed_on": closed,
    },
    "unsettled": lambda name, hold_id, minor: {
        "account": _account(name), "hold_id": hold_id, "channel": "CH01", "settle_date": DAY, "amount_minor": minor,
    },
    "receivables": lambda name, item, due, minor: {
        "account": _account(name), "item": item, "opened_on": DAYS[0], "settle_date": due, "amount_minor": minor,
    },
    "suspense": lambda request_no, due, left: {
        "request_no": request_no, "received_on": DAYS[0], "amount_minor": 9, "left_minor": left, "due_on": due,
    },
    "under_way": lambda request_no, status, since: {
        "request_no": request_no, "leg": 1, "txn_type": "WITHDRAW", "account": "P.LENDER.u1", "channel": "CH01", "amount_minor": 5,
        "currency": "CNY", "status": status, "since": since, "related_request_no": None,
    },
    "told": lambda loan_id, state: dict.fromkeys(TABLES["land_loan"].names) | {
        "file_name": "F", "line_no": int(loan_id[1:]), "custody_date": DAY, "loan_id": loan_id, "borrower_user_no": "b", "amount_minor": 5,
        "currency": "CNY", "annual_rate": "0", "method": "bullet", "periods": 1, "every": "month", "day_count": "30/360", "purpose": "p",
        "raised_minor": 0, "state": state,
    },
}  # fmt: skip


def _tables(worlds: list[Mapping[str, Any]]) -> Tables:
    """All platforms' rows of each table."""
    found: Tables = {}
    for number, world in enumerate(worlds):
        for name, drawn in world.items():
            table = name.removesuffix("_before")
            rows = [MAKERS[table](*one) for one in drawn]
            found.setdefault(name, []).extend(_on(f"P{number:03d}", table, row, 10 * number + n) for n, row in enumerate(rows))
    return found


def _on(platform: str, table: str, row: Row, number: int) -> Row:
    own = {n: platform + v[1:] if isinstance(v, str) and v[:2] in ("P.", "P:") else v for n, v in row.items()}
    own["party" if table == "told" else "platform"] = platform
    return own | ({"entry_no": number} if table == "journal" else {}) | ({"file_name": platform} if table == "told" else {})


def _whole(tables: Tables, core: list[Row]) -> DayRows:
    """Every rule gets all rows."""
    posted = [leg for leg in tables["ledger_txn"] if leg["outcome"] == "POSTED"]
    left = [row for row in tables["unsettled"] if ":CHANNEL_PAYABLE" in row["account"]]
    paths: Counter[tuple[str, ...]] = Counter()
    for move in tables["journal"]:
        paths[move["platform"], move["txn_type"], *(_kind(move[a]) for a in ("from_account", "to_account"))] += move[
            "amount_minor"
        ]
    return DayRows(
        accounts=AccountRows(
            tables["balances"], tables["balances_before"], tables["holds"], tables["claims"], tables["sub_accounts"],
            [row for row in tables["unsettled"] if row not in left],
        ),
        loans=LoanRows(
            tables["loans"], tables["loans_before"], tables["claims"], tables["claims_before"], tables["holds"], tables["told"],
            [leg for leg in posted if leg["txn_type"] == "TENDER_SETTLE"], tables["holds_before"],
        ),
        own=tables["balances"], book_sums=tables["balances"], core=core, items=tables["receivables"], suspense=tables["suspense"], left=left,
        holds=tables["holds"], under_way=tables["under_way"], taken=posted, lent=tables["loans"],
        paths=[dict(zip(("platform", "txn_type", "payer", "payee", "amount_minor"), (*key, minor), strict=True)) for key, minor in paths.items()],
    )  # fmt: skip


def _kind(account: str) -> str:
    return account.split(".")[1] if "." in account else account.split(":")[1].partition("/")[0]


def _said(found: list[Violation]) -> list[str]:
    return sorted(str(violation) for violation in found)


def _drawn(count: int) -> list[Mapping[str, Any]]:
    """Worlds for one query: each a platform of its own."""
    worlds: list[Mapping[str, Any]] = []

    @settings(max_examples=count, phases=[Phase.generate], suppress_health_check=[*HealthCheck], database=None)
    @given(world=PLATFORM)
    def draw(world: Mapping[str, Any]) -> None:
        worlds.append(world)

    draw()
    return worlds


def test_what_the_engine_picks_breaks_the_same_rules(spark: SparkSession, tmp_path: Path) -> None:
    worlds = _drawn(settings().max_examples)
    tables = _tables(worlds)
    core = [{"account": f"P{number:03d}:CUSTODY", "closing_minor": 5} for number in range(len(worlds))]
    core += [{"account": f"P{number:03d}:OWN", "closing_minor": 0} for number in range(len(worlds))]
    frames = {}
    for name, rows in tables.items():
        table = {"told": "land_loan"}.get(name, name.removesuffix("_before"))
        pq.write_table(table_of(TABLES[table], rows), tmp_path / f"{name}.parquet")
        frames[name] = spark.read.parquet(str(tmp_path / f"{name}.parquet"))
    for name in ("ledger_txn", "journal"):
        frames[name].createOrReplaceTempView(name)
    snapshot_views({t: frames[t] for t in SNAPSHOTS}, {t: frames[f"{t}_before"] for t in BEFORE}, frames["told"])
    picked = day_rows(spark, DAY, core, tables["suspense"], paths_of_money(journal_sums(spark)), AGES)
    found = [*violations(picked, DAY, CALENDAR, AGES)]
    assert _said(found) == _said([*violations(_whole(tables, core), DAY, CALENDAR, AGES)])
    # What no world breaks would be held together by nothing.
    own = {"INV_01", "INV_02", "INV_03", "INV_04", "INV_05", "INV_06", "INV_07", "INV_08", "INV_12", "INV_13", "INV_14"}
    waiting = {"SHORTFALL", "STALE_FREEZE", "UNKNOWN_STATUS", "SUSPENSE_AGED", "UPFRONT_FEE"}
    assert {str(violation.kind) for violation in found} == own | waiting
