"""The pages of the calendar and of the audit trail: holidays by two people, and who did what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from instance_kit import GO_LIVE, copy_of, opened
from pages_kit import Desk, read

from custody.calendar import ONE_DAY

HOSTILE = "<script>alert('x')</script>"
YEAR = "2020"


@pytest.fixture
def own(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    home = copy_of(desk.home, tmp_path / "home")
    monkeypatch.setenv("CUSTODY_HOME", str(home))
    who = desk.who
    yield home
    desk.who = who


def test_a_year_is_shown_with_its_holidays_and_its_end(desk: Desk) -> None:
    shown = read(desk.get("calendar", year=YEAR).text)
    assert "Known until" in shown.text and "Waiting for a second person" in shown.text
    days = {attrs["datetime"]: attrs["title"] for tag, attrs in shown.tags if tag == "time" and "title" in attrs}
    assert len(days) == 366
    assert days["2020-01-01"] == "2020-01-01 holiday 休息日" and days["2020-01-19"] == "2020-01-19 business day 工作日"
    assert "not known" in read(desk.get("calendar", year="2150").text).text
    for odd in ("x", "20", "99999", "1999", "2200"):
        assert desk.get("calendar", year=odd).status_code == 400


def test_one_person_proposes_another_decides(desk: Desk, own: Path) -> None:
    desk.who = "maker"
    answer = desk.post("calendar-propose", days="2020-01-20,holiday,台风 typhoon", note=HOSTILE, year=YEAR, whole="no")
    assert (answer.status_code, answer.headers["location"]) == (303, "calendar?year=2020")
    page = desk.get("calendar", year=YEAR).text
    shown = read(page)
    assert HOSTILE not in page and 'action="calendar-decide"' not in page
    (row,) = shown.tables[0][1:]
    assert row[0] == "2020-01-20" and row[3:5] == ["2020-01-21", "2020-01-20"]
    number = next(line for line in shown.text.split() if len(line) == 16 and set(line) <= set("0123456789abcdef"))
    for who in ("maker", "auditor"):
        desk.who = who
        assert desk.post("calendar-decide", proposal=number, answer="approve", note="mine").status_code == 403
    desk.who = "checker"
    assert desk.post("calendar-decide", proposal=number, answer="approve", note="seen").status_code == 303
    with opened(own) as instance:
        assert [(r["day"].isoformat(), r["business_day"]) for r in instance.find("holiday")] == [("2020-01-20", False)]
    desk.who = "auditor"
    shown = read(desk.get("audit", action="calendar.approve").text)
    assert [row[2:4] for row in shown.tables[0][1:]] == [["checker", "calendar.approve"]]
    refused = read(desk.get("audit", action="refused:calendar.approve").text)
    assert {row[2] for row in refused.tables[0][1:]} == {"maker", "auditor"}


def test_wrong_lines_are_named_and_what_was_typed_stays(desk: Desk, own: Path) -> None:
    desk.who = "maker"
    answer = desk.post("calendar-propose", days="2020-02-30,holiday,x\n2020-03-01,feast,y", note="n", year=YEAR, whole="no")
    assert answer.status_code == 400 and "2020-03-01,feast,y" in answer.text
    rows = next(t for t in read(answer.text).tables if t[0][0].startswith("line"))[1:]
    assert [row[:3] for row in rows] == [["2", "day", "2020-02-30"], ["3", "what", "feast"]]
    past = desk.post("calendar-propose", days=f"{GO_LIVE},holiday,x", note="n", year=YEAR, whole="no")
    assert past.status_code == 400 and "cut off already" in past.text
    desk.who = "auditor"
    assert desk.post("calendar-propose", days="2020-02-03,holiday,x", note="n", year=YEAR, whole="no").status_code == 403
    with opened(own) as instance:
        assert instance.find("proposal", kind="holiday") == []


def test_the_trail_is_read_backwards_page_by_page(desk: Desk) -> None:
    with opened(desk.home) as instance:
        events = instance.find("audit_event")
    seen: list[str] = []
    link = "audit"
    while link:
        shown = read(desk.client.get(f"/{link}").text)
        seen += [row[0] for row in shown.tables[0][1:]]
        link = next((attrs["href"] or "" for tag, attrs in shown.tags if tag == "a" and attrs.get("rel") == "next"), "")
    assert seen[-1] == "1" and [int(n) for n in seen] == sorted((int(n) for n in seen), reverse=True)
    assert len(seen) >= len(events)
    before = (GO_LIVE - 400 * ONE_DAY).isoformat()
    assert "None is so" in read(desk.get("audit", until=before).text).text
    assert desk.get("audit", until="x").status_code == 400
    one = read(desk.get("audit", subject="zhang", actor="admin").text)
    assert {(row[2], row[4]) for row in one.tables[0][1:]} == {("admin", "zhang")}
