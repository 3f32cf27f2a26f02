"""The pages of transactions: found by filters, one request whole, and accounts that are typed in but stand in no address."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from instance_kit import GO_LIVE, opened
from pages_kit import Desk, read

from console.pages.listing import ROWS_ON_A_PAGE
from console.pages.render import amount
from custody.ports import Row


@pytest.fixture
def legs(desk: Desk) -> list[Row]:
    with opened(desk.home) as instance:
        return instance.lake_rows(GO_LIVE, "post", "ledger_txn")


def test_nothing_is_listed_until_something_is_asked(desk: Desk) -> None:
    shown = desk.get("transactions")
    assert shown.status_code == 200 and not read(shown.text).tables and "one field is enough" in shown.text


def test_a_filter_lists_every_leg_once_page_by_page(desk: Desk, legs: list[Row]) -> None:
    wanted = [(x["request_no"], x["leg"]) for x in legs if x["platform"] == "P001"]
    assert len(wanted) > ROWS_ON_A_PAGE
    seen, url = [], "transactions?platform=P001"
    while url:
        shown = read(desk.client.get(f"/{url}").text)
        seen += [row[2] for row in shown.tables[0][1:]]
        ahead = [attrs["href"] for tag, attrs in shown.tags if tag == "a" and attrs.get("rel") == "next"]
        url = ahead[0] if ahead else ""
    assert sorted(seen) == sorted(f"{request}, {leg}" for request, leg in wanted)


def test_what_moved_nothing_is_shown_with_file_and_line(desk: Desk, legs: list[Row]) -> None:
    outcome = next(x["outcome"] for x in legs if x["outcome"] != "POSTED")
    rows = read(desk.get("transactions", outcome=outcome).text).rows
    told = {(row[2], row[9]) for row in rows}
    wanted = {(f"{x['request_no']}, {x['leg']}", f"{x['file_name']}, {x['line_no']}") for x in legs if x["outcome"] == outcome}
    assert wanted <= told


def test_one_request_has_its_legs_and_its_entries(desk: Desk, legs: list[Row]) -> None:
    one = next(x for x in legs if x["txn_type"] == "TENDER_SETTLE" and x["outcome"] == "POSTED")
    with opened(desk.home) as instance:
        journal = instance.lake_rows(GO_LIVE, "post", "journal")
    moves = [m for m in journal if m["request_no"] == one["request_no"] and m["platform"] == one["platform"]]
    shown = read(desk.get("transaction", platform=one["platform"], no=one["request_no"]).text)
    told = [
        row[:5] for table in shown.tables for row in table if row[0] and ", " in row[0] and row[1] in ("CUSTODY", "OWN", "BANK")
    ]
    assert moves and [row[0] for row in told] == [f"{m['entry_no']}, {m['move_no']}" for m in moves]
    assert [row[4] for row in told] == [amount(m["amount_minor"]) for m in moves]


def test_an_account_that_is_typed_in_stands_in_no_address(desk: Desk, legs: list[Row]) -> None:
    account = next(x["from_account"] for x in legs if x["txn_type"] == "TENDER_FREEZE")
    answer = desk.post("transactions", typed_account=account, type="TENDER_FREEZE")
    there = answer.headers["location"]
    assert answer.status_code == 303 and account.split(".")[2] not in there
    assert set(dict(parse_qsl(urlsplit(there).query))) == {"type", "customer", "account"}
    wanted = {
        f"{x['request_no']}, {x['leg']}"
        for x in legs
        if x["txn_type"] == "TENDER_FREEZE" and account in (x["from_account"], x["to_account"])
    }
    assert {row[2] for row in read(desk.client.get(f"/{there}").text).tables[0][1:]} == wanted
    # The form keeps the account for the next search, and lets it go.
    kept = desk.post("transactions", **dict(parse_qsl(urlsplit(there).query)), loan="none").headers["location"]
    assert "account=" in kept and "loan=none" in kept


def test_the_platforms_accounts_are_found_too(desk: Desk, legs: list[Row]) -> None:
    there = desk.post("transactions", typed_account="P001:P_INCOME").headers["location"]
    assert there == "transactions?ledger=P001%3AP_INCOME"
    assert desk.client.get(f"/{there}").status_code == 200


@pytest.mark.parametrize(
    ("filters", "code"),
    [
        ({"type": "NONE"}, 400),
        ({"first": "2020-02-30"}, 400),
        ({"after": "x", "platform": "P001"}, 400),
        ({"customer": "C1"}, 404),
    ],
)
def test_filters_that_make_no_sense_are_said(desk: Desk, filters: dict[str, str], code: int) -> None:
    assert desk.get("transactions", **filters).status_code == code


def test_an_unknown_account_is_said_without_naming_it(desk: Desk) -> None:
    answer = desk.post("transactions", typed_account="P001.LENDER.U999999999")
    assert answer.status_code == 404 and "U999999999" not in answer.text


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({"sec-fetch-site": "cross-site"}, "own"),
        ({"sec-fetch-site": "same-site"}, "own"),
        ({"sec-fetch-site": "none"}, "own"),
        ({"origin": "https://elsewhere.example"}, "own"),
        ({"origin": "null"}, "own"),
        ({}, "own"),
        ({"sec-fetch-site": "same-origin"}, "none"),
        ({"sec-fetch-site": "same-origin"}, "guessed"),
    ],
)
def test_a_form_of_another_site_is_refused(desk: Desk, headers: dict[str, str], token: str) -> None:
    own = desk.form_token("transactions")
    fields = {"platform": "P001", "form_token": {"own": own, "none": "", "guessed": "A" * 43}[token]}
    answer = desk.client.post("/transactions", data=fields, headers=headers, follow_redirects=False)
    assert answer.status_code == 403 and "not sent from our own page" in answer.text


def test_an_older_browser_is_believed_by_its_origin(desk: Desk) -> None:
    fields = {"platform": "P001", "form_token": desk.form_token("transactions")}
    answer = desk.client.post("/transactions", data=fields, headers={"origin": "http://testserver"}, follow_redirects=False)
    assert answer.status_code == 303


def test_a_form_that_is_too_large_is_refused(desk: Desk) -> None:
    assert desk.post("transactions", typed_account="x" * 70_000).status_code == 403


def test_the_token_is_kept_from_scripts_and_other_sites(desk: Desk) -> None:
    desk.client.cookies.clear()
    cookie = desk.get("transactions").headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie
    assert "set-cookie" not in desk.get("transactions").headers
