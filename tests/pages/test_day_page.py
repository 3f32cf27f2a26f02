"""The day's page: its figures are the command line's, it is shown to those who may see it, and nothing in it runs."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from instance_kit import GO_LIVE, change_settings, copy_of, make_instance, opened
from pages_kit import Desk, party_rows, read
from typer.testing import CliRunner

from console.cli import app as command_line
from console.overview import the_day
from console.pages.day import View, without_user_numbers
from console.pages.plot import trend_plot
from console.pages.render import page
from custody.calendar import ONE_DAY
from custody.permissions import PERMISSIONS, Duty

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

NEXT = GO_LIVE + ONE_DAY
HOSTILE = "<script>alert('x')</script>\"'&"


def status(home: Path, on: date) -> dict[str, Any]:
    done = CliRunner().invoke(command_line, ["day", "status", "--date", str(on), "--json"], env={"CUSTODY_HOME": str(home)})
    assert done.exit_code == 0, done.output
    (day,) = json.loads(done.stdout)["days"]
    return dict(day)


@pytest.mark.parametrize("on", [GO_LIVE, NEXT])
def test_the_figures_are_those_of_the_command_line(desk: Desk, on: date) -> None:
    told, shown = status(desk.home, on), desk.day(on)
    assert shown.status_code == 200
    assert party_rows(shown.text) == told["platforms"]
    assert len(told["platforms"]) == 6
    assert f"<title>{on} {told['state']}</title>" in shown.text


def test_without_a_date_it_shows_the_newest_day(desk: Desk) -> None:
    assert f"<title>{NEXT} LANDED</title>" in desk.day().text


def test_what_is_planted_stands_in_the_order_of_the_desk(desk: Desk) -> None:
    """A refused file and breaks were planted on the first day; each topic says how many there are, or none."""
    html = desk.day(GO_LIVE).text
    order = ["files", "shortfall", "channel", "unknown", "suspense", "new", "ageing", "alerts", "approvals"]
    assert [attrs["id"] for tag, attrs in read(html).tags if tag == "li" and "id" in attrs] == order
    with opened(desk.home) as instance:
        breaks = instance.lake_rows(GO_LIVE, "reconcile", "breaks")
        proof = instance.lake_rows(GO_LIVE, "reconcile", "proof")
    rows = read(html).rows
    assert breaks and len([row for row in rows if len(row) == 4 and row[1] in {b["kind"] for b in breaks}]) >= len(breaks)
    assert any("SHA-256" in cell for row in rows for cell in row)
    for line in proof:
        wanted = [f"{line[n]:,}" for n in ("carried_in", "new", "matched", "broken", "carried", "rejected", "trailer_rows")]
        assert [line["relation"], line["side"], *wanted, "✓ yes"] in rows


def test_what_is_not_reconciled_is_not_called_none(desk: Desk) -> None:
    text = " ".join(read(desk.day(NEXT).text).text.split())
    assert "new breaks 新增差错 not known yet" in text
    assert "✓ holds" not in text
    assert "3 of 11 committed" in text


def test_who_has_not_logged_in_is_sent_to_the_log_in(pages: TestClient, morning: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUSTODY_HOME", str(morning))
    shown = pages.get("/day")
    assert shown.status_code == 401
    assert "Log in to Airflow first" in shown.text and "P001" not in shown.text


@pytest.mark.parametrize(
    ("who", "why"),
    [("zhang", "may not day.view"), ("gone", "may not day.view"), ("nobody", "no person"), (HOSTILE, "no person")],
)
def test_who_may_not_is_refused_in_words_and_on_record(desk: Desk, who: str, why: str) -> None:
    desk.who = who
    shown = desk.day(GO_LIVE)
    assert shown.status_code == 403
    assert "You may not see this page" in shown.text and why in shown.text and "P001" not in shown.text
    assert "<script>" not in shown.text
    with opened(desk.home) as instance:
        event = instance.find("audit_event")[-1]
    assert (event["actor"], event["action"]) == (who, "refused:day.view")


def test_every_duty_but_the_regulators_sees_the_day() -> None:
    assert PERMISSIONS["day.view"] == frozenset(Duty) - {Duty.REGULATOR, Duty.SYSTEM}


@pytest.mark.parametrize(
    ("on", "code", "words"),
    [
        ("2019-12-29", 200, "before the first custody date"),
        ("2020-01-02", 200, "This custody date has not been run"),
        ("2199-12-31", 200, "This custody date has not been run"),
        ("1900-01-01", 200, "before the first custody date"),
        ("0001-01-01", 400, "no date"),
        ("9999-12-31", 400, "no date"),
        ("2020-02-30", 400, "no date"),
        (HOSTILE, 400, "no date"),
    ],
)
def test_dates_without_data(desk: Desk, on: str, code: int, words: str) -> None:
    shown = desk.day(on)
    assert shown.status_code == code
    assert words in shown.text and "alert('x')" not in shown.text


def test_an_instance_that_has_run_nothing(desk: Desk, morning: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUSTODY_HOME", str(make_instance(tmp_path / "new", morning.parent / "world")))
    shown = desk.day()
    assert shown.status_code == 200 and "No custody day has been run yet" in shown.text


def test_a_register_that_is_away_is_said_in_words(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = copy_of(desk.home, tmp_path / "copy")
    monkeypatch.setenv("CUSTODY_HOME", str(change_settings(home, {"register.url": "sqlite:///no/such/folder.db"})))
    shown = desk.day()
    assert shown.status_code == 503 and "try again" in shown.text


def test_hostile_names_are_only_text(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = copy_of(desk.home, tmp_path / "copy")
    monkeypatch.setenv("CUSTODY_HOME", str(change_settings(home, {"instance.bank": HOSTILE})))
    assert HOSTILE in read(desk.day(GO_LIVE).text).text
    with opened(home) as instance:
        day = the_day(instance.wiring, GO_LIVE)
    party = {"platform": HOSTILE, "expected": 1, "landed": 0, "balanced": False, "breaks": 1, "alerts": 0}
    breaks = [{**row, "subject": HOSTILE, "platform": HOSTILE, "kind": HOSTILE} for row in day.new_breaks]
    html = page("day.html", view=View(replace(day, platforms=[party], new_breaks=breaks), GO_LIVE, HOSTILE))
    shown = read(html)
    assert [row for row in shown.rows if row[0] == HOSTILE and len(row) == 6]
    assert [attrs for tag, attrs in shown.tags if tag == "script"] == [{"src": "static/pages.js"}]


def test_nothing_comes_from_elsewhere_and_nothing_runs_inline(desk: Desk) -> None:
    shown = desk.day(GO_LIVE)
    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert shown.headers["cache-control"] == "no-store"
    for tag, attrs in read(shown.text).tags:
        target = (attrs.get("src") or "") + (attrs.get("href") or "")
        assert not target.startswith(("http", "//", "data:", "javascript:")), (tag, attrs)
        assert "style" not in attrs and not [name for name in attrs if name.startswith("on")], (tag, attrs)
    for file in ("pages.css", "pages.js", "day.svg", "day-dark.svg"):
        sent = desk.client.get(f"/static/{file}")
        assert sent.status_code == 200 and "url(" not in sent.text and "@import" not in sent.text


def test_every_table_has_headers_and_every_row_as_many_cells(desk: Desk) -> None:
    shown = read(desk.day(GO_LIVE).text)
    assert sum(tag == "table" for tag, _ in shown.tags) >= 5
    headers = [attrs for tag, attrs in shown.tags if tag == "th"]
    assert headers and all(attrs.get("scope") in ("row", "col") for attrs in headers)


def test_no_user_number_and_no_customer_is_shown(desk: Desk) -> None:
    with opened(desk.home) as instance:
        accounts = instance.lake_rows(GO_LIVE, "post", "sub_accounts")
    html = desk.day(GO_LIVE).text + desk.day(NEXT).text
    assert accounts
    for account in accounts:
        for name in ("user_no", "customer_id", "sub_account"):
            assert account[name] not in html, name


def test_a_user_number_is_masked_wherever_it_stands() -> None:
    assert without_user_numbers("BALANCE|LENDER.U003000037") == "BALANCE|LENDER.U00*****37"
    words = "the account P001.BORROWER.B001000001 is short, P001.BORROWER.B001000001:available"
    assert "B001000001" not in without_user_numbers(words)
    assert without_user_numbers("TXN|P002201912310000036|1") == "TXN|P002201912310000036|1"


def test_the_plot_has_a_mark_for_each_reconciled_day() -> None:
    days = [(GO_LIVE, 3), (NEXT, None), (NEXT + ONE_DAY, 19)]
    plot = trend_plot(days)
    assert plot is not None
    assert [(figure, on) for _, _, figure, on in plot.marks] == [(3, "2019-12-30"), (19, "2020-01-01")]
    assert [figure for _, figure in plot.grid] == [0, 10, 20]
    # More is higher on the screen, and all of it is inside.
    (_, low, _, _), (_, high, _, _) = plot.marks
    assert high < low
    assert all(0 <= x <= plot.width and 0 <= y <= plot.height for x, y, _, _ in plot.marks)
    assert trend_plot(days[:2]) is None and trend_plot([]) is None


def test_a_plot_of_nothing_but_zero_stands_on_the_ground() -> None:
    plot = trend_plot([(GO_LIVE, 0), (NEXT, 0)])
    assert plot is not None and {y for _, y, _, _ in plot.marks} == {plot.grid[0][0]}
