"""Transactions by any key, on two hand-made days: posted, waiting, refused, repeated and under way, from the store and the sealed days."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hand_made import Day, P, hand_made_instance, run_ledger
from instance_kit import Instance, opened
from typer.testing import CliRunner

from console.cli import app
from custody.errors import UsageError
from custody.names import TxnType
from custody.ports import Row
from custody.services.loans import loan_life
from custody.services.transactions import TxnPage, find_transactions, show_transaction
from custody.transaction_query import TxnQuery, place_of

FIRST, SECOND = date(2019, 12, 30), date(2019, 12, 31)
T = TxnType
ANN, BOB, BORROWER = ("LENDER", "ann000001"), ("LENDER", "bob000001"), ("BORROWER", "carl00001")


def account(who: tuple[str, str]) -> str:
    return f"{P}.{who[0]}.{who[1]}"


def two_days() -> tuple[Day, Day]:
    first, second = Day(FIRST), Day(SECOND)
    for number, who in enumerate((ANN, BOB, BORROWER)):
        first.opens(*who, number)
    first.loan(
        loan_id="L1", borrower_user_no=BORROWER[1], amount_minor=30_000, annual_rate="0.08", method="bullet", periods=1,
        every="month", day_count="30/360", purpose="trade", raised_minor=0, state="BIDDING",
    )  # fmt: skip
    first.sends(T.RECHARGE, "R1", 20_000, payee=ANN, channel="CH01")
    first.sends(T.RECHARGE, "R2", 20_000, payee=BOB)
    first.sends(T.TENDER_FREEZE, "T1", 15_000, payer=ANN, loan_id="L1")
    # More than he has: the one waits until the next day's recharge, the other is still waiting.
    first.sends(T.TENDER_FREEZE, "T2", 20_001, payer=BOB, loan_id="L1")
    first.sends(T.TENDER_FREEZE, "T4", 99_999, payer=BOB, loan_id="L1")
    first.sends(T.WITHDRAW_FREEZE, "W1", 1_000, payer=ANN)
    first.sends(
        T.WITHDRAW, "W2", 1_000, payer=ANN, channel="CH01", related_request_no="W1", originator="CUSTOMER", status="UNKNOWN"
    )
    # A recharge that no platform may ask for.
    first.sends(T.RECHARGE, "R3", 100, payee=ANN, originator="PLATFORM")
    second.sends(T.RECHARGE, "R4", 1_000, payee=BOB)
    second.sends(T.TENDER_CANCEL, "X1", 15_000, payee=ANN, related_request_no="T1", originator="CUSTOMER")
    second.sends(T.TENDER_FREEZE, "T3", 500, payer=BOB, loan_id="L1")
    second.sends(T.TENDER_SETTLE, "S1", 500, payer=BOB, payee=BORROWER, loan_id="L1", related_request_no="T3")
    return first, second


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    folder = tmp_path_factory.mktemp("found")
    with opened(hand_made_instance(folder / "home", folder / "world", FIRST)) as instance:
        first, second = two_days()
        run_ledger(instance, first)
        second.rows["INSTRUCTION"].append(first.rows["INSTRUCTION"][0])
        run_ledger(instance, second)
        yield instance


def everything(lived: Instance) -> list[Row]:
    """All transactions, as a person would find them who reads all tables."""
    return [row for on in (FIRST, SECOND) for row in lived.lake_rows(on, "post", "ledger_txn")]


def find(lived: Instance, query: TxnQuery, limit: int = 100, after: str | None = None) -> TxnPage:
    return find_transactions(lived.wiring.ledger_reader, lived.wiring.sealed_transactions, [P], query, limit, after)


def told(rows: Any) -> list[tuple[str, int, str, str]]:
    return [(row["request_no"], row["leg"], row["outcome"], f"{row['file_name']}:{row['line_no']}") for row in rows]


QUERIES = [
    (TxnQuery(request_no="T2"), "keyed"),
    (TxnQuery(request_no="T1", platform=P), "keyed"),
    (TxnQuery(loan_id="L1"), "keyed"),
    (TxnQuery(loan_id="L1", outcome="WAITING"), "keyed"),
    (TxnQuery(account=account(ANN)), "keyed"),
    (TxnQuery(lender=account(BOB)), "keyed"),
    (TxnQuery(lender=account(BOB), borrower=account(BORROWER)), "keyed"),
    (TxnQuery(account=account(ANN), channel="CH01"), "keyed"),
    (TxnQuery(account=account(ANN), outcome="REFUSED"), "keyed"),
    (TxnQuery(account=account(ANN), first=SECOND), "keyed"),
    (TxnQuery(account=account(ANN), last=FIRST, txn_type="RECHARGE"), "keyed"),
    (TxnQuery(), "sealed"),
    (TxnQuery(platform=P), "sealed"),
    (TxnQuery(platform="P999"), "sealed"),
    (TxnQuery(channel="CH01"), "sealed"),
    (TxnQuery(txn_type="TENDER_FREEZE"), "sealed"),
    (TxnQuery(outcome="WAITING"), "sealed"),
    (TxnQuery(outcome="NO_POSTING", status="UNKNOWN"), "sealed"),
    (TxnQuery(first=SECOND), "sealed"),
    (TxnQuery(last=FIRST, txn_type="RECHARGE"), "sealed"),
]


@pytest.mark.parametrize(("query", "source"), QUERIES)
def test_an_answer_is_what_reading_everything_finds(lived: Instance, query: TxnQuery, source: str) -> None:
    expected = [row for row in everything(lived) if query.matches(row) and query.takes(place_of(row).on)]
    page = find(lived, query)
    assert (told(page.rows), page.next, page.source) == (told(sorted(expected, key=place_of)), None, source)


@pytest.mark.parametrize(("query", "source"), QUERIES)
@pytest.mark.parametrize("limit", [1, 3])
def test_pages_put_together_are_the_whole_answer(lived: Instance, query: TxnQuery, source: str, limit: int) -> None:
    rows: list[Row] = []
    after: str | None = None
    while True:
        page = find(lived, query, limit, after)
        assert len(page.rows) <= limit
        rows += page.rows
        after = page.next
        if after is None:
            break
    assert told(rows) == told(find(lived, query).rows)


def test_every_outcome_is_there_with_its_file_and_line(lived: Instance) -> None:
    outcomes = {(row["request_no"], row["outcome"]) for row in find(lived, TxnQuery(platform=P)).rows}
    assert outcomes == {
        ("R1", "POSTED"), ("R2", "POSTED"), ("T1", "POSTED"), ("T2", "WAITING"), ("T2", "POSTED"), ("T4", "WAITING"), ("W1", "POSTED"), ("W2", "NO_POSTING"),
        ("R3", "REFUSED"), ("R4", "POSTED"), ("X1", "POSTED"), ("T3", "POSTED"), ("S1", "POSTED"), ("R1", "REPEATED"),
    }  # fmt: skip
    (refused,) = find(lived, TxnQuery(outcome="REFUSED")).rows
    assert (refused["file_name"], refused["line_no"]) == ("GW_INSTRUCTION_20191230_01_v1.csv", 9)
    # A leg that waits two days is there on both.
    assert [(place_of(row).on, row["outcome"]) for row in find(lived, TxnQuery(request_no="T2")).rows] == [
        (FIRST, "WAITING"), (SECOND, "POSTED"),
    ]  # fmt: skip


def test_what_cannot_be_asked(lived: Instance) -> None:
    for query, words in (
        (TxnQuery(txn_type="REPAY"), "the type is one of RECHARGE"),
        (TxnQuery(outcome="posted"), "the outcome is one of POSTED"),
        (TxnQuery(status="OK"), "the status is one of ACCEPTED"),
        (TxnQuery(lender=account(BORROWER)), "no LENDER's sub-account"),
        (TxnQuery(borrower="carl"), "no BORROWER's sub-account"),
        (TxnQuery(first=SECOND, last=FIRST), "back to 2019-12-30"),
    ):
        with pytest.raises(UsageError, match=words):
            find(lived, query)
    for limit in (0, 1_001):
        with pytest.raises(UsageError, match="from 1 to 1000"):
            find(lived, TxnQuery(), limit)
    for cursor in ("P001", "P001.1", "P001.20191330000000001", "P001.20191230000000001 ", "p001.20191230000000001"):
        with pytest.raises(UsageError, match="no place to go on after"):
            find(lived, TxnQuery(), 5, cursor)


def test_a_request_shows_what_it_settles_what_is_frozen_and_what_the_core_quotes(lived: Instance) -> None:
    reader, sealed = lived.wiring.ledger_reader, lived.wiring.sealed_transactions
    tender = show_transaction(reader, sealed, P, "T1")
    # The cancellation names no loan; it is found by the account.
    assert (told(tender.followed_by)[0][:2], tender.holds, tender.core_refs) == (("X1", 1), (), ())
    moves = [(e["from_account"], e["to_account"], e["amount_minor"]) for e in tender.entries]
    assert moves == [(f"{account(ANN)}:available", f"{account(ANN)}:frozen", 15_000)]
    frozen = show_transaction(reader, sealed, P, "W1")
    assert [(h["hold_id"], h["kind"], h["amount_minor"]) for h in frozen.holds] == [("W1", "WITHDRAW", 1_000)]
    assert [row["request_no"] for row in frozen.followed_by] == ["W2"]
    settled = show_transaction(reader, sealed, P, "S1")
    assert [row["request_no"] for row in settled.related] == ["T3"]
    assert show_transaction(reader, sealed, P, "R2").core_refs == ("R2",)
    waiting = show_transaction(reader, sealed, P, "T4")
    assert ([leg["outcome"] for leg in waiting.legs], waiting.entries) == (["WAITING", "WAITING"], ())
    with pytest.raises(UsageError, match="no request 'R9'"):
        show_transaction(reader, sealed, P, "R9")


def test_a_loan_says_what_was_not_posted_and_what_was_released_without_its_name(lived: Instance) -> None:
    life = loan_life(lived.wiring.ledger_reader, P, "L1")
    assert {(t.request_no, t.state) for t in life.tenders} == {("T1", "CANCELLED"), ("T2", "FROZEN"), ("T3", "SETTLED")}
    assert [(n.request_no, n.outcome) for n in life.not_posted] == [("T4", "WAITING"), ("T4", "WAITING")]
    assert life.agrees


def test_tables_mask_user_numbers_and_json_carries_them(lived: Instance) -> None:
    lived.wiring.__dict__.pop("keyed").close()
    home = lived.wiring.settings.home
    for asked in (
        ("txn", "find", "--lender", account(ANN)),
        ("txn", "show", P, "T1"),
        ("statement", "show", account(ANN), "--date", "2019-12-30"),
    ):
        assert ANN[1] not in _said(home, *asked), asked
        assert ANN[1] in _said(home, *asked, "--json"), asked
    page = json.loads(_said(home, "txn", "find", "--channel", "CH01", "--json").splitlines()[-1])
    assert [row["request_no"] for row in page["rows"]] == ["R1", "W2", "R1"]


def _said(home: Path, *arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments), env={"CUSTODY_HOME": str(home)})
    assert done.exit_code == 0, (arguments, done.output, done.exception)
    return done.stdout
