"""A list as a file: what the page's filters choose, masked, nothing that a spreadsheet would run, and who took it on record; and no form of
ours is taken from elsewhere."""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from instance_kit import GO_LIVE, opened
from pages_kit import Desk, read

from console.pages import export
from console.pages.words import FORGED
from custody.masking import mask_user_numbers


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


@pytest.mark.parametrize(
    ("page", "asked", "key", "cell"),
    [
        ("cases", {"state": "ALL", "platform": "P001", "sort": "amount", "desc": "1"}, "case_id", 0),
        ("loans", {"platform": "P002", "sort": "left"}, "loan_id", 0),
        ("alerts", {"state": "ALL", "platform": "P001", "sort": "raised"}, "alert_id", 0),
        ("files", {"date": GO_LIVE.isoformat(), "party": "P001", "sort": "type", "desc": "1"}, "file_name", 0),
        ("reports", {"sort": "party"}, "period", 1),
        ("transactions", {"platform": "P001", "type": "RECHARGE"}, "request_no", 2),
        ("audit", {"action": "person.add"}, "event_no", 0),
    ],
)
def test_a_file_has_the_rows_of_the_page_in_its_order(
    desk: Desk, page: str, asked: dict[str, str], key: str, cell: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is read piece by piece has many.
    for module in ("listing", "transactions", "audit"):
        monkeypatch.setattr(f"console.pages.{module}.ROWS_AT_ONCE", 3)
    shown = read(desk.get(page, **asked).text)
    (link,) = [attrs["href"] for tag, attrs in shown.tags if tag == "a" and "download" in attrs]
    answer = desk.client.get(f"/{link}")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == f'attachment; filename="{page}.csv"' and answer.content[:3] == b"\xef\xbb\xbf"
    rows = rows_of(answer.text)
    assert rows and [row[key][:10] for row in rows][:50] in [
        [row[cell][:10] for row in table[1:]] for table in shown.tables if len(table) > 1
    ]
    assert answer.text == mask_user_numbers(answer.text)
    with opened(desk.home) as instance:
        event = instance.find("audit_event")[-1]
    assert (event["actor"], event["action"], event["subject"]) == ("auditor", "list.export", page)
    said = json.loads(event["details"])
    assert (
        said["rows"] == len(rows)
        and said["asked"].items() >= {n: v for n, v in asked.items() if n not in ("sort", "desc")}.items()
    )


@pytest.mark.parametrize(("page", "rows_on_a_page"), [("cases", 4), ("alerts", 1), ("files", 4)])
def test_pages_follow_each_other_from_place_to_place_both_ways(
    desk: Desk, page: str, rows_on_a_page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By every column, up and down: the pages' rows are the file's, each once, and the way back shows the same pages; filters stay."""
    monkeypatch.setattr("console.pages.listing.ROWS_ON_A_PAGE", rows_on_a_page)
    asked = {"date": GO_LIVE.isoformat()} if page == "files" else {"state": "ALL"}
    key = {"cases": "case_id", "alerts": "alert_id", "files": "file_name"}[page]
    heads = {
        href
        for href in read(desk.get(page, **asked).text).links
        if "sort=" in href and "page=" not in href and "export" not in href
    }
    columns = {one for href in heads for one in parse_qs(urlsplit(href).query).get("sort", [])}
    assert len(columns) >= 6
    for sort in sorted(columns):
        for desc in ("", "1"):
            wanted = [row[key] for row in rows_of(desk.get(page, **asked, sort=sort, desc=desc, export="csv").text)]
            assert len(wanted) > 2 * rows_on_a_page
            address, there = f"{page}?{urlencode({**asked, 'sort': sort, 'desc': desc})}", []
            while address:
                there.append(_rows_and_ways(desk, address, key))
                address = there[-1][1].get("next", "")
            met = [one for rows, _ in there for one in rows]
            assert met == [one[:10] if key != "file_name" else one for one in wanted], (sort, desc)
            address = there[-1][1]["prev"]
            for rows, _ in reversed(there[:-1]):
                back, ways = _rows_and_ways(desk, address, key)
                assert back == rows, (sort, desc, address)
                address = ways.get("prev", "")
            assert address == ""
    for place in ("x", "[1,2]", '["x","y","z","u"]', '[{"day":"2020-13-01"}]', '{"a":1}'):
        assert desk.get(page, **asked, page="2", after=place).status_code == 400


def _rows_and_ways(desk: Desk, address: str, key: str) -> tuple[list[str], dict[str, str]]:
    """What the rows are called, and where the neighbouring pages are."""
    answer = desk.client.get(f"/{address}")
    assert answer.status_code == 200, answer.text
    shown = read(answer.text)
    name = {"case_id": "case ", "alert_id": "alert ", "file_name": "file"}[key]
    table = next(table for table in shown.tables if table and table[0] and table[0][0].startswith(name) and len(table[0]) > 5)
    ways, inside = {}, False
    for tag, attrs in shown.tags:
        if tag == "nav":
            # The page has other lists, each with ways of its own.
            inside = (attrs.get("aria-label") or "").startswith(f"pages 分页: {address.partition('?')[0]} ")
        elif inside and tag == "a" and "rel" in attrs:
            ways[str(attrs["rel"])] = str(attrs["href"])
    return [row[0] for row in table[1:]], ways


def test_who_may_not_see_the_list_gets_no_file(desk: Desk) -> None:
    desk.who = "zhang"
    answer = desk.get("loans", export="csv")
    assert answer.status_code == 403 and "P001LN" not in answer.text


def test_a_formula_is_text_in_the_file_and_too_many_rows_are_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(desk.home) as instance, instance.wiring.register.transaction() as tx:
        (one,) = tx.page("recon_case", ["case_id"], 0, 1)
        tx.update("recon_case", {"case_id": one["case_id"]}, {"owner": "=1+1"})
    try:
        rows = rows_of(desk.get("cases", state="ALL", export="csv").text)
        assert [row["owner"] for row in rows if row["case_id"] == one["case_id"]] == ["'=1+1"]
    finally:
        with opened(desk.home) as instance, instance.wiring.register.transaction() as tx:
            tx.update("recon_case", {"case_id": one["case_id"]}, {"owner": one["owner"]})
    monkeypatch.setattr(export, "MOST_EXPORTED", 1)
    refused = desk.get("cases", state="ALL", export="csv")
    assert refused.status_code == 400 and "narrow the filters" in refused.text


def test_no_form_is_taken_from_another_site_or_without_its_token(desk: Desk) -> None:
    """Every address that takes a form, as the app itself lists them."""
    app: Any = desk.client.app
    addresses = [route.path for route in app.routes if "POST" in (getattr(route, "methods", None) or ())]
    assert len(addresses) > 20
    token = desk.form_token("transactions")
    for address in addresses:
        for fields, headers in (
            ({"form_token": token}, {"sec-fetch-site": "cross-site"}),
            ({"form_token": token}, {"origin": "https://elsewhere.example"}),
            ({"form_token": token}, {}),
            ({}, {"sec-fetch-site": "same-origin"}),
            ({"form_token": "x" * 43}, {"sec-fetch-site": "same-origin"}),
        ):
            answer = desk.client.post(address, data=fields, headers=headers, follow_redirects=False)
            assert answer.status_code == 403 and FORGED[0] in answer.text, (address, fields, headers)
        assert desk.client.get(address).status_code in (200, 400, 404, 405), address
