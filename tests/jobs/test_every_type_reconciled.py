"""Every transaction type stands on the sides that it should, from the instruction to the engine's items, by hand (domain.md §3, §6)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from ledger_kit import (
    BORROWER,
    DAY,
    GUARANTOR,
    IN,
    INCOME,
    LENDER,
    LENDER2,
    LOAN,
    MARKETING,
    OUT,
    PAYEE,
    SUSPENSE,
    instruction,
    post,
    rich,
)

from connectors.lake import table_of
from custody.case_amounts import amount_of_state
from custody.case_evidence import side_by_side
from custody.case_words import field_words
from custody.instruction import Instruction
from custody.names import TxnType
from custody.posting_rules import RULES, VARIANTS, rule_of
from jobs.reconcile.e_accounts import count_ends, e_account_queries
from jobs.reconcile.evidence import of_difference
from jobs.reconcile.relations import items_sql
from jobs.reconcile.states import STATE_RELATIONS, Asked, StateMatches, match_states
from schemas.tables import TABLES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

T = TxnType
NEXT, EARLIER = date(2019, 12, 31), date(2019, 12, 29)
LENT: dict[str, Any] = {"from_account": LENDER, "to_account": BORROWER, "loan_id": "L1", "related_request_no": "ht"}
PAID: dict[str, Any] = {**LENT, "from_account": BORROWER, "to_account": LENDER, "principal_minor": 900, "interest_minor": 100}
RETURN: dict[str, Any] = {"to_account": LENDER, "channel": "CH01", "related_request_no": "w"}

# What each must show: the platform's claim (A), the channel's row and its fee (rate 0.0025), the core's flows. Amounts in fen.
#   txn type, fields, claimed, (direction, fee), {core account: amount}
CASES: list[tuple[TxnType, dict[str, Any], bool, tuple[str, int] | None, dict[str, int]]] = [
    (T.RECHARGE, {"to_account": LENDER, "channel": "CH01"}, True, ("IN", 2), {}),
    (T.RECHARGE, {"to_account": LENDER}, True, None, {"CUSTODY": 1000}),
    (T.RECHARGE, {"to_account": SUSPENSE}, False, None, {"CUSTODY": 1000}),
    (
        T.BACKROLL_RECHARGE, {"from_account": LENDER, "channel": "CH01", "related_request_no": "r1"},
        True, ("OUT", 0), {},
    ),
    (T.WITHDRAW_FREEZE, {"from_account": LENDER}, True, None, {}),
    (T.WITHDRAW_CANCEL, {"to_account": LENDER, "related_request_no": "hw"}, True, None, {}),
    (T.WITHDRAW, {"from_account": LENDER, "channel": "CH01", "related_request_no": "hw"}, True, ("OUT", 0), {}),
    (T.WITHDRAW_RETURN, {**RETURN, "direction": "IN"}, True, ("IN", 0), {}),
    (T.WITHDRAW_RETURN, {**RETURN, "direction": "OUT"}, True, None, {}),
    (T.TENDER_FREEZE, {"from_account": LENDER, "loan_id": "L1", "coupon_minor": 30}, True, None, {}),
    (T.TENDER_CANCEL, {"to_account": LENDER2, "related_request_no": "htc", "coupon_minor": 30}, True, None, {}),
    (T.TENDER_SETTLE, LENT, True, None, {}),
    (T.ENTRUSTED_PAYMENT, {"from_account": BORROWER, "to_account": PAYEE, "loan_id": "L1"}, True, None, {}),
    (T.REPAY_FREEZE, {"from_account": BORROWER, "loan_id": "L1"}, True, None, {}),
    (T.REPAYMENT, {**PAID, "related_request_no": "hr"}, True, None, {}),
    (T.COMPENSATION, {**PAID, "from_account": GUARANTOR, "related_request_no": "ht0"}, True, None, {}),
    (T.COMPENSATION_REPAYMENT, {**PAID, "to_account": GUARANTOR, "related_request_no": "hr"}, True, None, {}),
    (
        T.CREDIT_ASSIGNMENT, {**PAID, "from_account": LENDER2, "related_request_no": "ht0", "interest_minor": 0},
        True, None, {},
    ),
    (T.COMMISSION, {"from_account": BORROWER, "to_account": INCOME}, True, None, {}),
    (T.MARKETING, {"from_account": MARKETING, "to_account": LENDER}, True, None, {}),
    (T.BANK_INTEREST, {"direction": "IN"}, False, None, {"CUSTODY": 1000}),
    (
        T.BANK_INTEREST, {"direction": "OUT", "from_account": SUSPENSE, "to_account": INCOME, "related_request_no": "i"},
        True, None, {},
    ),
    (T.PLATFORM_RECHARGE, {"to_account": MARKETING}, True, None, {"CUSTODY": 1000, "OWN": -1000}),
    (T.PLATFORM_WITHDRAW, {"from_account": MARKETING}, True, None, {"CUSTODY": -1000, "OWN": 1000}),
    (T.OWN_FUNDS_MOVEMENT, {"direction": "IN"}, False, None, {"OWN": 1000}),
    (T.OWN_FUNDS_MOVEMENT, {"direction": "OUT"}, False, None, {"OWN": -1000}),
    (T.CHANNEL_SETTLEMENT, {**IN, "fee_minor": 3}, False, None, {"CUSTODY": 997}),
    (T.CHANNEL_SETTLEMENT, OUT, False, None, {"CUSTODY": -1000}),
    (T.CHANNEL_FEE_TOPUP, {"channel": "CH01", "settlement_batch": "S1"}, False, None, {"CUSTODY": 1000, "OWN": -1000}),
    (T.CUSTODY_FEE, {"direction": "OUT", "fee_minor": 57}, False, None, {"OWN": -1000}),
    (T.CUSTODY_FEE, {"direction": "IN", "fee_minor": 57}, False, None, {"OWN": 1000}),
    (T.ADJUSTMENT, {"from_account": SUSPENSE, "to_account": LENDER, "related_request_no": "r5"}, True, None, {}),
    (T.ADJUSTMENT, {"from_account": MARKETING, "to_account": LENDER}, True, None, {}),
    (T.REVERSAL, {"from_account": SUSPENSE, "related_request_no": "r5"}, False, None, {"CUSTODY": -1000}),
    (T.REVERSAL, {"from_account": LENDER, "to_account": MARKETING, "related_request_no": "m"}, True, None, {}),
    (T.LEGAL_FREEZE, {"from_account": LENDER}, True, None, {}),
    (T.LEGAL_RELEASE, {"to_account": BORROWER, "related_request_no": "hj"}, True, None, {}),
    (T.LEGAL_DEDUCT, {"from_account": BORROWER, "related_request_no": "hj"}, True, None, {"CUSTODY": -1000}),
]  # fmt: skip


def ledger_row(number: int, sent: Instruction) -> dict[str, Any]:
    """As jobs.post records it."""
    rule = rule_of(sent)
    assert rule is not None
    row = sent._asdict() | {n: str(getattr(sent, n)) for n in ("txn_type", "originator", "status")}
    source = {"file_name": "F", "line_no": number, "content_hash": "h", "outcome": "POSTED", "entry_no": number, "txn_no": number}
    return row | source | {"settle_date": NEXT if rule.settles else None}


def journal_rows(number: int, txn_type: TxnType, fields: dict[str, Any]) -> list[dict[str, Any]]:
    sent = instruction(txn_type, f"X{number}", 1000, **fields)
    entry = post(rich(), txn_type, f"X{number}", 1000, **fields)
    same = {n: getattr(sent, n) for n in ("platform", "currency", "request_no", "leg", "loan_id", "value_date", "event_time")}
    of = {"txn_type": str(txn_type), "posting_date": DAY, "entry_no": number, "core_ref": entry.core_ref}
    return [same | move._asdict() | of | {"book": str(move.book), "move_no": n} for n, move in enumerate(entry.moves)]


def test_every_rule_is_here() -> None:
    variants = ((t, VARIANTS[t](instruction(t, "X", 1000, **f)) if t in VARIANTS else None) for t, f, *_ in CASES)
    # What the bank itself enters is no instruction: it stands in the journal alone.
    assert set(variants) == set(RULES) - {(T.CUSTODY_FEE, way) for way in ("ACCRUE", "RELEASE", "WRITE_OFF", "RECOVER")}


def test_every_type_stands_on_the_sides_that_it_should(spark: SparkSession, tmp_path: Path) -> None:
    ledger_txn, journal = [], []
    for number, (txn_type, fields, *_) in enumerate(CASES):
        sent = instruction(txn_type, f"X{number}", 1000, **fields)
        ledger_txn.append(ledger_row(number, sent))
        journal += journal_rows(number, txn_type, fields)
    tables = {"ledger_txn": ledger_txn, "journal": journal, "land_txn": [], "land_settlement": [], "core_flow": []}
    for name, rows in tables.items():
        pq.write_table(table_of(TABLES[name], rows), tmp_path / f"{name}.parquet")
        spark.read.parquet(str(tmp_path / f"{name}.parquet")).createOrReplaceTempView(name)
    rates = "fee_channel string, rate_millionths bigint, min_fee_minor bigint"
    spark.createDataFrame([("CH01", 2_500, 1)], rates).createOrReplaceTempView("fee_rates")
    items = spark.sql(items_sql(30, "GW")).toArrow().to_pylist()
    assert {i["side"] for i in items} == {"B"}
    for number, (txn_type, fields, claimed, channel, core) in enumerate(CASES):
        request = f"X{number}"
        mine = [i for i in items if request in i["subject"].split("|")]
        shown = (request, str(txn_type))
        assert [i["match_key"] for i in mine if i["relation"] == "AB_TXN"] == [f"P001|{request}|1"] * claimed, shown
        at_channel = [(i["match_key"], i["fee_minor"], i["expected_on"]) for i in mine if i["relation"] == "BC_CHANNEL"]
        assert at_channel == ([(f"CH01|P001|{request}|{channel[0]}", channel[1], NEXT)] if channel else []), shown
        quoted = fields["settlement_batch"] if txn_type == T.CHANNEL_SETTLEMENT else request
        at_core = {i["match_key"]: i["amount_minor"] for i in items if i["row_ref"].startswith(f"journal:{number}:")}
        assert at_core == {f"P001:{account}|{quoted}": amount for account, amount in core.items()}, shown


# What changes only how much of an account is free has no row on it.
WITHIN = (
    T.WITHDRAW_FREEZE, T.WITHDRAW_CANCEL, T.TENDER_FREEZE, T.TENDER_CANCEL, T.REPAY_FREEZE, T.LEGAL_FREEZE, T.LEGAL_RELEASE,
)  # fmt: skip
# A tender of which the platform's coupon pays a part, which goes through the lender's account.
WITH_COUPON: dict[str, Any] = {**LENT, "from_account": LENDER2, "related_request_no": "htc", "coupon_minor": 30}


def test_every_type_stands_on_the_e_accounts_that_it_touches(spark: SparkSession, tmp_path: Path) -> None:
    """Once for the account that pays and once for the one that receives, whatever moves it is made of."""
    cases = [(txn_type, fields) for txn_type, fields, *_ in CASES] + [(T.TENDER_SETTLE, WITH_COUPON)]
    journal = [row for number, case in enumerate(cases) for row in journal_rows(number, *case)]
    # As they stand there, of a platform of the other form too, and before the contract's first date.
    journal += [{**row, "platform": "P002"} for row in journal] + [{**row, "value_date": EARLIER} for row in journal]
    pq.write_table(table_of(replace(TABLES["journal"], unique=False), journal), tmp_path / "journal.parquet")
    spark.read.parquet(str(tmp_path / "journal.parquet")).createOrReplaceTempView("journal")
    spark.createDataFrame([], "entry_no bigint, file_name string").createOrReplaceTempView("ledger_txn")
    periods = "e_platform string, first_date date, last_date date"
    spark.createDataFrame([("P001", DAY, date.max)], periods).createOrReplaceTempView("e_account_days")
    items = spark.sql(e_account_queries(30, "GW")["BC_E_ACCOUNT", "B"]).toArrow().to_pylist()
    for number, (txn_type, fields) in enumerate(cases[:-1]):
        named = {"OUT": fields.get("from_account"), "IN": fields.get("to_account")}
        if (txn_type, fields.get("direction")) == (T.BANK_INTEREST, "IN"):
            named["IN"] = SUSPENSE
        touched = {way: account for way, account in named.items() if account is not None and txn_type not in WITHIN}
        mine = [i for i in items if i["match_key"].startswith(f"P001|X{number}|1|")]
        shown = {i["match_key"].rpartition("|")[2]: (i["from_account"] or i["to_account"], i["amount_minor"]) for i in mine}
        assert shown == {way: (account, 1000) for way, account in touched.items()}, (number, txn_type)
        assert len(mine) == len(shown) and {i["txn_type"] for i in mine} <= {str(txn_type)}
        assert {i["status"] == "REVERSED" for i in mine} <= {txn_type in (T.WITHDRAW_RETURN, T.BACKROLL_RECHARGE, T.REVERSAL)}
    of_coupon = [i for i in items if i["match_key"].startswith(f"P001|X{len(cases) - 1}")]
    assert {(i["subject"].split("|", 2)[2], i["from_account"], i["to_account"], i["amount_minor"], i["txn_type"]) for i in of_coupon} == {
        (f"X{len(cases) - 1}|1", LENDER2, None, 1000, "TENDER_SETTLE"),
        (f"X{len(cases) - 1}|1", None, BORROWER, 1000, "TENDER_SETTLE"),
        (f"X{len(cases) - 1}#COUPON|1", MARKETING, None, 30, "MARKETING"),
        (f"X{len(cases) - 1}#COUPON|1", None, LENDER2, 30, "MARKETING"),
    }  # fmt: skip
    # The proof counts them in its own way.
    (counted,) = count_ends(spark)
    assert (counted["rows"], (counted["high"] << 32) + counted["low"]) == (len(items), sum(i["amount_minor"] for i in items))


def _balance(account: str, closing: int) -> dict[str, Any]:
    return {
        "platform": "P001", "book": "CUSTODY", "account": account, "currency": "CNY", "opening_minor": 0,
        "in_minor": closing, "out_minor": 0, "closing_minor": closing,
    }  # fmt: skip


LANDED = {"party": "P001", "file_name": "F", "custody_date": DAY}
STATES: dict[str, list[dict[str, Any]]] = {
    "balances": [_balance(MARKETING, 70), _balance(f"{MARKETING}:frozen", 30), _balance(SUSPENSE, 5)],
    "claims": [
        {
            "platform": "P001", "claim_id": "c1", "loan_id": "L1", "holder": GUARANTOR, "principal_minor": 90, "original_minor": 90,
            "currency": "CNY",
        }
    ],
    "loans": [LOAN._asdict() | {"funded_minor": 600_000, "disbursed_on": DAY, "state": "DISBURSED"}],
    "holds": [],
    "sub_accounts": [
        {
            "sub_account": LENDER, "platform": "P001", "role": "LENDER", "user_no": "u1", "customer_id": "C1", "kind": "PERSON",
            "opened_on": DAY, "closed_on": None,
        }
    ],
    "land_balance": [
        LANDED | {"line_no": 1, "role": "PLATFORM", "user_no": "P_MARKETING", "available_minor": 70, "frozen_minor": 30, "currency": "CNY"}
    ],
    "land_claim": [
        LANDED
        | {
            "line_no": 1, "claim_id": "c1", "loan_id": "L1", "holder_role": "GUARANTOR", "holder_user_no": "G1", "principal_minor": 90,
            "currency": "CNY",
        }
    ],
    "land_loan": [
        LANDED
        | {
            "line_no": 1, "loan_id": "L1", "borrower_user_no": "b1", "amount_minor": 1_000_000, "currency": "CNY", "annual_rate": "0.08",
            "method": "bullet", "periods": 3, "every": "month", "day_count": "30/360", "minimum_minor": 500_000,
            "penalty_rate": "0.0005", "guarantor_user_no": "G1", "payee_user_no": "Y1", "purpose": "trade", "raised_minor": 600_000,
            "state": "DISBURSED", "disbursed_on": DAY,
        }
    ],
    "land_customer": [
        LANDED
        | {
            "line_no": 1, "user_no": "u1", "role": "LENDER", "action": "OPEN", "kind": "PERSON", "customer_id": "C1",
            "personal_digest": "d", "event_time": datetime(2019, 12, 30, 4, 0, tzinfo=UTC),
        }
    ],
}  # fmt: skip


VIEWS = {
    "later_moves": "platform string, as_of date, account string, amount_minor bigint, loan_id string, ref string",
    "busy_loans": "platform string, as_of date, loan_id string",
    "rejected_loans": "platform string, as_of date, loan_id string",
    "wrong_delays": "platform string, as_of date, loan_id string, ours string, overdue_since date",
}


# (table, change of its row, kinds of the differences that it makes)
CHANGES: list[tuple[str, dict[str, Any], str | None]] = [
    ("land_loan", {}, None),
    ("land_loan", {"minimum_minor": 500_001}, "LOAN_TERMS"),
    ("land_loan", {"minimum_minor": None}, "LOAN_TERMS"),
    ("land_loan", {"penalty_rate": "0.0006"}, "LOAN_TERMS"),
    ("land_loan", {"penalty_rate": None}, "LOAN_TERMS"),
    ("land_loan", {"guarantor_user_no": "G2"}, "LOAN_TERMS"),
    ("land_loan", {"guarantor_user_no": None}, "LOAN_TERMS"),
    ("land_loan", {"payee_user_no": None}, "LOAN_TERMS"),
    ("loans", {"payee": None}, "LOAN_TERMS"),
    ("land_loan", {"raised_minor": 1_000_000}, "LOAN_TERMS"),
    ("land_loan", {"purpose": "a house"}, "LOAN_TERMS"),
    ("loans", {"currency": "USD"}, "LOAN_TERMS"),
    ("land_loan", {"disbursed_on": NEXT}, "LOAN_TERMS"),
    ("land_loan", {"state": "REPAYING"}, None),
    ("land_loan", {"state": "OVERDUE"}, None),
    ("land_loan", {"state": "SETTLED"}, "LOAN_TERMS"),
    ("land_loan", {"state": "FULL"}, "LOAN_TERMS"),
    ("loans", {"state": "SETTLED"}, "LOAN_TERMS"),
    ("loans", {"disbursed_on": None, "state": "BIDDING", "funded_minor": 0}, "LOAN_TERMS"),
    ("land_loan", {"loan_id": "L9"}, "LOAN_TERMS LOAN_TERMS"),
    ("land_customer", {"user_no": "u1"}, None),
    ("land_customer", {"kind": "COMPANY"}, "CUSTOMER"),
    ("land_customer", {"customer_id": "C9"}, "CUSTOMER"),
    ("land_customer", {"role": "BORROWER"}, "CUSTOMER"),
    ("land_customer", {"event_time": datetime(2019, 12, 29, 4, 0, tzinfo=UTC)}, "CUSTOMER"),
    ("land_customer", {"action": "CLOSE"}, "CUSTOMER"),
    ("sub_accounts", {"closed_on": date(2019, 12, 29)}, "CUSTOMER"),
    ("land_claim", {"holder_role": "LENDER"}, "CLAIM"),
    ("land_claim", {"holder_user_no": "G2"}, "CLAIM"),
    ("land_balance", {"available_minor": 100, "frozen_minor": 0}, "AMOUNT"),
    ("land_balance", {"frozen_minor": 29}, "AMOUNT"),
]


def _compared(
    spark: SparkSession, folder: Path, platforms: dict[str, dict[str, list[dict[str, Any]]]], wrong: Any = ()
) -> StateMatches:
    """What each platform's own tables give, all in one query."""
    for name in STATES:
        made = [_on(platform, row) for platform, tables in platforms.items() for row in tables[name]]
        more = ("as_of", DAY, pa.date32()) if not name.startswith("land_") else ("is_new", True, pa.bool_())
        table_ = table_of(TABLES[name], made).append_column(more[0], pa.array([more[1]] * len(made), more[2]))
        pq.write_table(table_, folder / f"{name}.parquet")
        spark.read.parquet(str(folder / f"{name}.parquet")).createOrReplaceTempView(name)
    whole = [(relation, platform, DAY) for relation in STATE_RELATIONS for platform in platforms]
    spark.createDataFrame(whole, "relation string, platform string, as_of date").createOrReplaceTempView("told_whole")
    for view, shape in VIEWS.items():
        spark.createDataFrame(list(wrong) if view == "wrong_delays" else [], shape).createOrReplaceTempView(view)
    found = match_states(spark, DAY, Asked(frozenset(STATE_RELATIONS), later=False))
    # Where nothing is later, asking for it changes nothing but that a difference says so.
    asked_later = match_states(spark, DAY, Asked(frozenset(STATE_RELATIONS), later=True))
    assert (found.clean, found.rows) == (asked_later.clean, asked_later.rows)
    assert found.differences == [d | {"later": d["later"] or None} for d in asked_later.differences]
    # People can read what the platform says, whatever may be null in it.
    assert all(d["a_text"] for d in found.differences if d["row_ref"])
    return found


def test_states_are_compared_in_all_that_a_loan_claim_customer_or_coupon_says(spark: SparkSession, tmp_path: Path) -> None:
    """Each change on a platform of its own."""
    tables = {
        f"P{number:03d}": {name: [row | (change if table == name else {}) for row in rows] for name, rows in STATES.items()}
        for number, (table, change, _) in enumerate(CHANGES)
    }
    found = _compared(spark, tmp_path, tables)
    kinds = {platform: [d["kind"] for d in found.differences if d["platform"] == platform] for platform in tables}
    for platform, (table, change, kind) in zip(tables, CHANGES, strict=True):
        assert " ".join(kinds[platform]) == (kind or ""), (table, change)
    landed = found.rows.num_rows + sum(totals.rows for totals in found.clean.values())
    assert landed == len(CHANGES) * sum(name.startswith("land_") for name in STATES)


# (what the platform says of a loan that is not disbursed, whether it is a break); 400,000 are bid, 1,000,000 asked for, 500,000 enough
BIDDING: list[tuple[dict[str, Any], bool]] = [
    ({"state": "BIDDING", "raised_minor": 400_000}, False),
    ({"state": "BIDDING", "raised_minor": 400_001}, True),
    ({"state": "BIDDING", "raised_minor": 0}, True),
    ({"state": "FULL", "raised_minor": 400_000}, True),
    ({"state": "FULL", "raised_minor": 1_000_000}, True),
    ({"state": "MISCARRIED", "raised_minor": 0}, False),
    ({"state": "MISCARRIED", "raised_minor": 700_000}, False),
]


def test_what_a_loan_has_raised_before_it_is_disbursed_is_what_is_frozen_for_it(spark: SparkSession, tmp_path: Path) -> None:
    (loan,), (said,) = STATES["loans"], STATES["land_loan"]
    loan = loan | {"funded_minor": 0, "disbursed_on": None, "state": "BIDDING"}
    hold = {"platform": "P001", "account": LENDER, "kind": "TENDER", "loan_id": "L1", "placed_on": DAY, "mandate_id": None}
    holds = [
        hold | {"hold_id": "t1", "amount_minor": 370_000},
        hold | {"hold_id": "t1#C", "account": MARKETING, "amount_minor": 30_000},
    ]
    holds.append(hold | {"hold_id": "w", "kind": "WITHDRAW", "loan_id": None, "amount_minor": 7})
    tables = {
        f"P{number:03d}": STATES | {"loans": [loan], "holds": holds, "land_loan": [said | {"disbursed_on": None} | change]}
        for number, (change, _) in enumerate(BIDDING)
    }
    found = _compared(spark, tmp_path, tables)
    differing = {d["platform"]: d for d in found.differences if d["relation"] == "AB_LOAN"}
    assert [platform in differing for platform in tables] == [is_break for _, is_break in BIDDING]
    ours, theirs = (_fields(differing["P001"], side) for side in "BA")
    assert (ours["raised_minor"], theirs["raised_minor"]) == (400_000, 400_001)
    assert {name for name in ours if ours[name] != theirs[name]} == {"side", "row_ref", "store_key", "raised_minor"}


def _fields(difference: dict[str, Any], side: str) -> dict[str, Any]:
    (one,) = [e for e in of_difference(difference) if e["side"] == side]
    return one


def test_a_wrong_delay_is_a_break_with_the_state_that_it_is_with_us(spark: SparkSession, tmp_path: Path) -> None:
    """As a code, and since when as a field of its own that has words in both languages."""
    since = date(2019, 12, 29)
    overdue = STATES | {"land_loan": [STATES["land_loan"][0] | {"state": "OVERDUE"}]}
    wrong = [("P001", DAY, "L1", "OVERDUE", since), ("P002", DAY, "L1", "REPAYING", None)]
    found = _compared(spark, tmp_path, {"P000": STATES, "P001": STATES, "P002": overdue}, wrong)
    hidden, made_up = found.differences
    assert (hidden["platform"], hidden["kind"], hidden["subject"]) == ("P001", "LOAN_TERMS", "LOAN|L1")
    assert [_fields(hidden, side)["state"] for side in "AB"] == ["DISBURSED", "OVERDUE"]
    assert [_fields(hidden, side).get("overdue_since") for side in "AB"] == [None, "2019-12-29"]
    assert {line.field for line in side_by_side(of_difference(hidden)).lines if line.differs} == {"state", "overdue_since"}
    assert all(field_words("overdue_since"))
    assert [_fields(made_up, side)["state"] for side in "AB"] == ["OVERDUE", "REPAYING"]
    assert "overdue_since" not in _fields(made_up, "B")
    # What is at stake is the loan.
    assert amount_of_state(of_difference(hidden)) == 1_000_000


def test_a_case_about_a_loan_shows_on_both_sides_what_differs(spark: SparkSession, tmp_path: Path) -> None:
    """And nothing else as different: each change of what a platform says, on a platform of its own."""
    changes = [change for table, change, kind in CHANGES if table == "land_loan" and kind == "LOAN_TERMS"]
    tables = {
        f"P{number:03d}": STATES | {"land_loan": [row | change for row in STATES["land_loan"]]}
        for number, change in enumerate(changes)
    }
    found = {d["platform"]: d for d in _compared(spark, tmp_path, tables).differences if d["a_text"]}
    for platform, change in zip(tables, changes, strict=True):
        marked = {line.field for line in side_by_side(of_difference(found[platform])).lines if line.differs}
        if "loan_id" not in change:
            assert marked == {name.removesuffix("_user_no") for name in change}, change


def _on(platform: str, row: dict[str, Any]) -> dict[str, Any]:
    """The row as another platform's."""
    return {
        name: value.replace("P001", platform) if isinstance(value, str) else value
        for name, value in (row | ({"file_name": f"{platform}F"} if "file_name" in row else {})).items()
    } | ({"party": platform} if "party" in row else {})
