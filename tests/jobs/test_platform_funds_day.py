"""Platforms' money by columns, on a date whose books are written by hand: each question's sums, days and alerts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from connectors.lake import Lake
from connectors.lake_files import lake_files
from custody.calendar import ONE_DAY, SettlementCalendar
from custody.fees import FeeState
from custody.names import Book
from custody.services.outputs import Seal
from custody.steps import StepRef
from jobs.reference import Reference
from jobs.risk.balances import standing
from jobs.risk.platforms import PlatformFunds, Queues, platform_funds
from jobs.step import StepContext
from schemas.tables import TABLES

THURSDAY = date(2020, 1, 2)
FRIDAY, MONDAY, TUESDAY = date(2020, 1, 3), date(2020, 1, 6), date(2020, 1, 7)
LENDER = "P1.LENDER.a"
FEES = {
    "valid_from": "2019-01-01", "valid_to": None, "currency": "CNY", "vat_rate": "0.06", "rounding": "half_even", "charged": "monthly",
    "charge_business_day": 2,
}  # fmt: skip
Rows = list[dict[str, Any]]


def filled(table: str, rows: Rows) -> Rows:
    """Rows that say what a test is about; of the rest a filler."""
    filler = {"int": 0, "text": "x", "date": THURSDAY, "time": None, "bool": False}
    return [{c.name: row.get(c.name, None if c.nullable else filler[c.type]) for c in TABLES[table].columns} for row in rows]


def the_day(folder: Path, tables: Mapping[tuple[str, date, str], Rows]) -> StepContext:
    lake = Lake(lake_files("lake", folder))
    needed = [("post", THURSDAY, t) for t in ("balances", "holds", "receivables", "under_way", "unsettled")]
    needed += [("reconcile", THURSDAY, "breaks"), ("extract", THURSDAY, "core_balance")]
    needed += [("fees", THURSDAY - ONE_DAY, "fee_accruals"), ("risk", THURSDAY - ONE_DAY, "fees_due")]
    inputs: dict[StepRef, Seal] = {}
    for step, on in dict.fromkeys((step, on) for step, on, _ in needed):
        writer = lake.attempt(on, step, "ab" * 32, 1)
        for table in (table for s, _, table in needed if s == step):
            writer.table(table, filled(table, tables.get((step, on, table), [])))
        digest = writer.finish().digest
        inputs[StepRef(on, step)] = Seal(on, step, 1, digest, lake.relative(on, step, "ab" * 32, 1))
    wiring: Any = SimpleNamespace(lake=lake)
    lease: Any = None
    return StepContext(wiring, THURSDAY, inputs, lease)


def assessed(folder: Path, tables: Mapping[tuple[str, date, str], Rows], platforms: tuple[str, ...] = ("P1",)) -> PlatformFunds:
    context = the_day(folder, tables)
    parties: dict[str, dict[str, Any]] = {
        p: {"kind": "PLATFORM", "status": "LIVE", "contract": {"fee_contract": FEES}} for p in platforms
    }
    parties["C1"] = {"kind": "CHANNEL", "status": "LIVE", "contract": {"channel_fee_rate": "0.01", "channel_fee_min_minor": 2}}
    reference = Reference(THURSDAY, "B", 3, SettlementCalendar(), parties, {}, (), ())
    return platform_funds(context, reference, standing(context), Queues.of(context, reference), 3)


def balances(**accounts: int) -> Rows:
    """``OWN__OWN_CASH``: the book, and the account's name; without a book, under custody."""
    found = []
    for name, minor in accounts.items():
        book, _, account = name.rpartition("__")
        account = account if account.startswith("P1.") else f"P1:{account}"
        found.append(
            {"platform": "P1", "book": book or str(Book.CUSTODY), "account": account, "currency": "CNY", "closing_minor": minor}
        )
    return found


def item(account: str, name: str, settle_date: date, minor: int) -> dict[str, Any]:
    return {"platform": "P1", "account": f"P1:{account}", "item": name, "settle_date": settle_date, "amount_minor": minor}


def lot(account: str, hold_id: str, settle_date: date, minor: int) -> dict[str, Any]:
    return {
        "platform": "P1",
        "account": account,
        "hold_id": hold_id,
        "channel": "C1",
        "settle_date": settle_date,
        "amount_minor": minor,
    }


POST = {
    "balances": [
        *balances(CORE_CASH=-1000, FEE_RECEIVABLE=-30, P_INCOME=50, P_ADVANCE=40, SUSPENSE=20, OWN__OWN_CASH=-35, BANK__FEE_DUE=-300),
        *({"platform": "P1", "book": "CUSTODY", "account": account, "currency": "CNY", "closing_minor": minor} for account, minor in (
            ("P1:CHANNEL_RECEIVABLE/C1", -900), ("P1:CHANNEL_PAYABLE/C1", 120), (f"{LENDER}:available", 1500), (f"{LENDER}:frozen", 200))),
    ],
    "receivables": [
        item("CHANNEL_RECEIVABLE/C1", "R1|1", THURSDAY, 100), item("CHANNEL_RECEIVABLE/C1", "R2|1", FRIDAY, 500),
        item("CHANNEL_RECEIVABLE/C1", "R3|1", FRIDAY, 250), item("CHANNEL_RECEIVABLE/C1", "R4|1", MONDAY, 50),
        item("FEE_RECEIVABLE", "B1", THURSDAY, 30), item("CHANNEL_PAYABLE/C1", "W1|1", FRIDAY, 120),
    ],
    "holds": [
        {"platform": "P1", "hold_id": "H1", "account": LENDER, "kind": "WITHDRAW", "amount_minor": 150},
        {"platform": "P1", "hold_id": "H2", "account": LENDER, "kind": "WITHDRAW", "amount_minor": 50},
    ],
    "under_way": [
        {"platform": "P1", "request_no": "W9", "leg": 1, "txn_type": "WITHDRAW", "account": LENDER, "amount_minor": 150, "status": "UNKNOWN"},
        {"platform": "P1", "request_no": "W8", "leg": 1, "txn_type": "PLATFORM_WITHDRAW", "account": "P1:P_INCOME", "amount_minor": 60,
         "status": "REMITTING"},
        # It failed: only its hold keeps it here.
        {"platform": "P1", "request_no": "W7", "leg": 1, "txn_type": "WITHDRAW", "account": LENDER, "amount_minor": 50, "status": "FAIL"},
    ],
    "unsettled": [lot(LENDER, "H1", FRIDAY, 60), lot(LENDER, "H1", THURSDAY, 10), lot(LENDER, "", FRIDAY, 99), lot("P1:P_ADVANCE", "", MONDAY, 15)],
}  # fmt: skip
OF_JANUARY = FeeState(date(2020, 1, 1), date(2020, 1, 31), THURSDAY - ONE_DAY, "CNY", net_minor=10, vat_minor=1)
DUE = [
    {"platform": "P1", "period": "2019-11", "ends_on": date(2019, 11, 30), "due_on": date(2019, 12, 3), "gross_minor": 100, "left_minor": 100},
    {"platform": "P1", "period": "2019-12", "ends_on": date(2019, 12, 31), "due_on": FRIDAY, "gross_minor": 200, "left_minor": 200},
]  # fmt: skip
BOOKS: dict[tuple[str, date, str], Rows] = {
    **{("post", THURSDAY, table): rows for table, rows in POST.items()},
    ("reconcile", THURSDAY, "breaks"): [
        {"case_id": "c1", "platform": "P1", "subject": "CHANNEL|C1|R3", "kind": "MISSING_IN_CHANNEL"},
        # The fee alone is disputed.
        {"case_id": "c2", "platform": "P1", "subject": "CHANNEL|C1|R2", "kind": "FEE"},
    ],
    ("extract", THURSDAY, "core_balance"): [
        {"account": "P1:CUSTODY", "core_date": THURSDAY, "closing_minor": 990},
        {"account": "P1:OWN", "core_date": THURSDAY, "closing_minor": 35},
    ],
    ("fees", THURSDAY - ONE_DAY, "fee_accruals"): [{"platform": "P1", "state": OF_JANUARY.as_text()}],
    ("risk", THURSDAY - ONE_DAY, "fees_due"): DUE,
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> PlatformFunds:
    return assessed(tmp_path_factory.mktemp("lake"), BOOKS)


def of(found: PlatformFunds, concern: str) -> list[tuple[date, int, int, int]]:
    return [
        (row["on_date"], row["have_minor"], row["need_minor"], row["short_minor"])
        for row in found.days.to_pylist()
        if row["concern"] == concern
    ]


def test_own_funds_against_fees_accrued_noticed_in_arrear_and_those_of_channels(found: PlatformFunds) -> None:
    # 30 that channels kept and 89 of November in arrear; then December's 200 and a fee of 5 on Friday, the least fee of 2 on Monday.
    assert of(found, "OWN_FUNDS") == [
        (THURSDAY, 35, 119, 84),
        (FRIDAY, 35, 324, 289),
        (MONDAY, 35, 326, 291),
        (TUESDAY, 35, 326, 291),
    ]
    assert [(row["period"], row["left_minor"], row["state"]) for row in found.fees_due] == [
        ("2019-11", 89, "FEE_ARREAR"), ("2019-12", 200, "FEE_NOTICED"), ("2020-01", 11, "FEE_ACCRUED"),
    ]  # fmt: skip


def test_withdrawals_in_flight_against_settled_money_and_the_advance(found: PlatformFunds) -> None:
    # 60 of the 200 come on Friday; P_ADVANCE has 40, of which 15 come back on Monday.
    assert of(found, "ADVANCE") == [
        (THURSDAY, 165, 200, 35),
        (FRIDAY, 225, 200, 0),
        (MONDAY, 240, 200, 0),
        (TUESDAY, 240, 200, 0),
    ]
    assert of(found, "OWN_ACCOUNT")[0] == (THURSDAY, 50, 60, 10)


def test_what_is_owed_against_cash_and_good_receivables(found: PlatformFunds) -> None:
    # Not there: 100 that is late, 250 disputed, 30 of fees, 10 that the core does not have; on Monday 2 more of fees beyond own funds.
    assert of(found, "COVER") == [
        (THURSDAY, 1540, 1930, 390), (FRIDAY, 1540, 1930, 390), (MONDAY, 1540, 1932, 392), (TUESDAY, 1540, 1932, 392),
    ]  # fmt: skip


def test_pay_outs_against_cash_and_what_channels_settle(found: PlatformFunds) -> None:
    assert of(found, "PAYOUT") == [(THURSDAY, 990, 0, 0), (FRIDAY, 1490, 380, 0), (MONDAY, 1540, 380, 0), (TUESDAY, 1540, 380, 0)]
    under_way = {row["item"]: row["amount_minor"] for row in found.items if row["concern"] == "PAYOUT" and row["is_need"]}
    assert under_way == {"PAYABLE": 120, "UNKNOWN": 150, "REQUESTED": 50, "IN_FLIGHT": 60}


def test_each_shortage_is_an_alert_and_items_add_up_to_the_last_day(found: PlatformFunds) -> None:
    assert [(alert.rule, str(alert.severity)) for alert in found.alerts] == [
        ("ADVANCE_SHORT", "HIGH"), ("COVER_SHORT", "CRITICAL"), ("OWN_ACCOUNT_SHORT", "HIGH"), ("OWN_FUNDS_SHORT", "HIGH"),
    ]  # fmt: skip
    for concern in set(found.days["concern"].to_pylist()):
        _, have, need, _ = of(found, concern)[-1]
        sums = [0, 0]
        for row in found.items:
            if row["concern"] == concern and row["due_on"] <= TUESDAY:
                sums[row["is_need"]] += row["amount_minor"]
        assert sums == [have, need], concern


def test_a_platform_without_anything_has_no_row_and_one_without_trouble_no_alert(tmp_path: Path) -> None:
    nothing = assessed(tmp_path / "nothing", {}, ("P1", "P2"))
    assert (nothing.days.num_rows, nothing.items, nothing.fees_due, nothing.alerts) == (0, [], [], [])
    sound = balances(CORE_CASH=-100, SUSPENSE=100, OWN__OWN_CASH=-5)
    found = assessed(tmp_path / "sound", {("post", THURSDAY, "balances"): sound}, ("P1", "P2"))
    assert found.alerts == [] and of(found, "COVER") == [(on, 100, 100, 0) for on in (THURSDAY, FRIDAY, MONDAY, TUESDAY)]
