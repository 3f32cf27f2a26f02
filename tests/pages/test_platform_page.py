"""A platform's day at a glance: its figures are the sealed ones, and what is not known yet is not called none."""

from __future__ import annotations

from typing import Any

import pytest
from instance_kit import GO_LIVE, opened
from pages_kit import Desk, read

from console.platform_day import the_platform
from custody.calendar import ONE_DAY
from custody.money import format_amount

NEXT = GO_LIVE + ONE_DAY


def test_balances_sum_to_nothing_in_each_book_and_breaks_are_the_days_own(desk: Desk) -> None:
    with opened(desk.home) as instance:
        days = {p: the_platform(instance.wiring, p, GO_LIVE) for p in ("P001", "P002", "P003")}
        balances = instance.lake_rows(GO_LIVE, "post", "balances")
        breaks = instance.lake_rows(GO_LIVE, "reconcile", "breaks")
        core = {row["account"]: row["closing_minor"] for row in instance.lake_rows(GO_LIVE, "extract", "core_balance")}
        legs = instance.lake_rows(GO_LIVE, "post", "ledger_txn")
    for platform, day in days.items():
        mine = [row for row in balances if row["platform"] == platform]
        assert sum(s.accounts for s in day.sums) == len(mine)
        for book in {s.book for s in day.sums}:
            assert sum(s.closing_minor for s in day.sums if s.book == book) == 0
        assert all(s.opening_minor + s.in_minor - s.out_minor == s.closing_minor for s in day.sums)
        assert [b["case_id"] for b in day.breaks] == [
            b["case_id"] for b in sorted(breaks, key=lambda b: (-b["amount_minor"], b["case_id"])) if b["platform"] == platform
        ]
        assert [(pair.account, pair.core_minor) for pair in day.core] == [
            ("CORE_CASH", core[f"{platform}:CUSTODY"]),
            ("OWN_CASH", core[f"{platform}:OWN"]),
        ]
        posted = sum(1 for leg in legs if leg["platform"] == platform and leg["outcome"] == "POSTED")
        assert [(p.on, p.posted, p.breaks) for p in day.trend] == [(GO_LIVE, posted, len(day.breaks))]
        assert sum(age.cases for age in day.ages) == len(day.cases)
    assert sum(len(day.breaks) for day in days.values()) == len(breaks) > 0


def test_the_page_says_what_the_core_has_more_or_less(desk: Desk) -> None:
    with opened(desk.home) as instance:
        day = the_platform(instance.wiring, "P001", GO_LIVE)
    table = read(desk.get("platform", id="P001", date=str(GO_LIVE)).text).tables[0]
    for pair, row in zip(day.core, table[1:], strict=True):
        assert pair.core_minor is not None and row[0].startswith(pair.account)
        assert row[1].replace(",", "") == format_amount(pair.ledger_minor, "CNY")
        assert row[3][0] == ("✓" if pair.core_minor == pair.ledger_minor else "✗")


def test_what_is_not_posted_is_not_called_nothing(desk: Desk) -> None:
    html = desk.get("platform", id="P001").text
    assert f"<title>P001 {NEXT}</title>" in html
    assert "Not posted yet." in html and "Not assessed yet." in html and "It has no account" not in html
    assert "transactions of the day" in html and f"first={NEXT}" in html


@pytest.mark.parametrize(
    ("asked", "status"), [({"id": "CH01"}, 404), ({"id": "P999"}, 404), ({"id": ""}, 404), ({"id": "P001", "date": "soon"}, 400)]
)
def test_what_is_no_platform_or_no_date_is_said(desk: Desk, asked: dict[str, Any], status: int) -> None:
    shown = desk.get("platform", **asked)
    assert shown.status_code == status and "Traceback" not in shown.text


def test_a_date_that_never_was_shows_an_empty_day(desk: Desk) -> None:
    shown = desk.get("platform", id="P001", date="2030-01-01")
    assert shown.status_code == 200 and "Not posted yet." in shown.text
