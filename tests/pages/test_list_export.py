"""A list as a file: what the page's filters choose, masked, nothing that a spreadsheet would run, and who took it on record; and no form of
ours is taken from elsewhere."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from instance_kit import opened
from pages_kit import Desk, read

from console.pages import export
from console.pages.words import FORGED
from custody.masking import mask_user_numbers


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


@pytest.mark.parametrize(
    ("page", "asked", "key"),
    [
        ("cases", {"state": "ALL", "platform": "P001", "sort": "amount", "desc": "1"}, "case_id"),
        ("loans", {"platform": "P002", "sort": "left"}, "loan_id"),
    ],
)
def test_a_file_has_the_rows_of_the_page_in_its_order(desk: Desk, page: str, asked: dict[str, str], key: str) -> None:
    shown = read(desk.get(page, **asked).text)
    (link,) = [attrs["href"] for tag, attrs in shown.tags if tag == "a" and "download" in attrs]
    answer = desk.client.get(f"/{link}")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == f'attachment; filename="{page}.csv"' and answer.content[:3] == b"\xef\xbb\xbf"
    rows = rows_of(answer.text)
    table = next(table for table in shown.tables if len(table) > 1)
    assert rows and [row[key][:10] for row in rows][:50] == [row[0][:10] for row in table[1:]]
    assert answer.text == mask_user_numbers(answer.text)
    with opened(desk.home) as instance:
        event = instance.find("audit_event")[-1]
    assert (event["actor"], event["action"], event["subject"]) == ("auditor", "list.export", page)
    said = json.loads(event["details"])
    assert said["rows"] == len(rows) and said["asked"]["platform"] == asked["platform"]


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
