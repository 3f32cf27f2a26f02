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
from console.overview import Found, files_wanting, the_day, waiting_money
from console.pages.day import View
from console.pages.links import Link
from console.pages.plot import trend_plot
from console.pages.render import page
from custody.calendar import ONE_DAY
from custody.masking import mask_user_numbers
from custody.permissions import PERMISSIONS, Duty
from custody.services.access import SYSTEM
from custody.services.alerts import raise_alert
from custody.services.verifications import record_verification

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
    order = [
        "files",
        "batches",
        "shortfall",
        "channel",
        "liquidity",
        "unknown",
        "waiting",
        "new",
        "carried",
        "legal",
        "alerts",
        "operations",
        "approvals",
    ]
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
    # The clock knows by now that a file is missing; risk has not run.
    assert "risk alerts 风险预警 not known yet" in text and "a file missing 运行预警 1" in text
    assert [(row["breaks"], row["alerts"]) for row in party_rows(desk.day(NEXT).text)] == [(None, None)] * 6
    assert "✓ holds" not in text
    assert "3 of 13 committed" in text


def test_no_sum_is_shown_of_breaks_and_the_core_is_more_or_less(desk: Desk) -> None:
    with opened(desk.home) as instance:
        day = the_day(instance.wiring, GO_LIVE)
    topics = {topic.name: topic for topic in View(day, GO_LIVE, "bank").topics}
    assert topics["new"].count and topics["shortfall"].count and topics["channel"].count
    assert [name for name, topic in topics.items() if topic.amounts] == ["channel", "unknown", "waiting"]
    one = next(b for b in day.shortfalls.rows if "core" in b["evidence"])
    for core, words in (("2", "core more than ledger"), ("0", "core less than ledger"), ('"absent"', "core has no such account")):
        changed = {**one, "evidence": f'[{{"core":{core},"ledger":1}}]'}
        (told,) = [t for t in View(replace(day, shortfalls=Found.of([changed])), GO_LIVE, "bank").topics if t.name == "shortfall"]
        assert words in str(told.rows[0][2])


def test_money_without_an_owner_and_legal_orders_say_how_old_they_are(desk: Desk) -> None:
    with opened(desk.home) as instance:
        day = the_day(instance.wiring, GO_LIVE)
        suspense = [row for row in instance.lake_rows(GO_LIVE, "post", "suspense") if row["left_minor"]]
    topics = {topic.name: topic for topic in View(day, GO_LIVE, "bank").topics}
    without = [row for row in topics["waiting"].rows if str(row[0]).startswith("without an owner")]
    assert without and [(row[1], row[3:]) for row in without] == [
        (s["platform"], [str(GO_LIVE), "0", str(s["due_on"]), (s["left_minor"], "CNY")]) for s in suspense
    ]
    later = replace(
        day,
        on=GO_LIVE + 40 * ONE_DAY,
        legal_matters=Found.of(
            [
                {
                    "what": "FREEZE",
                    "platform": "P001",
                    "number": "J1",
                    "account": "P001.LENDER.U001000004",
                    "since": None,
                    "amount_minor": 5,
                },
                {
                    "what": "FROZEN",
                    "platform": "P001",
                    "number": "H1",
                    "account": "P001.LENDER.U001000004",
                    "since": GO_LIVE,
                    "amount_minor": 7,
                },
            ]
        ),
    )
    topics = {topic.name: topic for topic in View(later, GO_LIVE, "bank").topics}
    assert [(row[4], row[5]) for row in topics["legal"].rows] == [("–", "–"), (str(GO_LIVE), "40")]
    assert all("U001000004" not in str(row) for row in topics["legal"].rows)
    assert all("overdue 已逾期" in str(row[5]) for row in topics["waiting"].rows if str(row[0]).startswith("without"))


def test_what_waits_is_in_the_order_of_its_age_and_what_is_done_does_not_wait() -> None:
    of = {"platform": "P001", "amount_minor": 9, "due_on": GO_LIVE}
    suspense = [
        {**of, "request_no": number, "received_on": GO_LIVE, "left_minor": left} for number, left in (("R2", 9), ("R3", 0))
    ]
    evidence = json.dumps([{"item_date": str(GO_LIVE - ONE_DAY)}, {"item_date": str(GO_LIVE)}, {}])
    returned = {
        "kind": "RETURNED",
        "platform": "P001",
        "subject": "TXN|R1|1",
        "amount_minor": 4,
        "as_of": GO_LIVE,
        "evidence": evidence,
    }
    found = waiting_money(suspense, [returned, {**returned, "kind": "AMOUNT"}])
    assert [(row["request_no"], row["since"], row["amount_minor"]) for row in found] == [
        ("R1", GO_LIVE - ONE_DAY, 4), ("R2", GO_LIVE, 9),
    ]  # fmt: skip


def test_what_can_be_paid_out_is_cash_and_channel_money_less_what_is_under_way(desk: Desk) -> None:
    with opened(desk.home) as instance:
        day = the_day(instance.wiring, GO_LIVE)
        under_way = instance.lake_rows(GO_LIVE, "post", "under_way")
        cash = {
            r["platform"]: -r["closing_minor"]
            for r in instance.lake_rows(GO_LIVE, "post", "balances")
            if r["account"].endswith(":CORE_CASH")
        }
    assert {row["platform"] for row in day.liquidity.rows} == set(cash) and {row["on_date"] for row in day.liquidity.rows} == {
        NEXT
    }
    for row in day.liquidity.rows:
        statuses = {
            s: sum(w["amount_minor"] for w in under_way if (w["platform"], w["status"]) == (row["platform"], s))
            for s in row
            if s.isupper()
        }
        assert {name: row[name] for name in ("UNKNOWN", "REMITTING", "ACCEPTED")} == {
            n: statuses[n] for n in ("UNKNOWN", "REMITTING", "ACCEPTED")
        }
        paid = sum(row[name] for name in ("payable_minor", "UNKNOWN", "REMITTING", "ACCEPTED", "REQUESTED", "IN_FLIGHT"))
        assert row["left_minor"] == row["cash_minor"] + row["due_minor"] - paid
        assert row["cash_minor"] <= cash[row["platform"]]
    assert sum(row["UNKNOWN"] + row["REMITTING"] for row in day.liquidity.rows) > 0
    assert day.liquidity_short == 0
    (topic,) = [t for t in View(replace(day, liquidity_short=1), GO_LIVE, "bank").topics if t.name == "liquidity"]
    assert "1 platform short" in topic.title[0] and len(topic.columns) == len(topic.rows[0]) == 10
    assert "当日支付头寸 not known yet" in " ".join(read(desk.day(NEXT).text).text.split())


def test_a_batch_that_failed_is_not_to_be_trusted_and_a_short_history_is_said(desk: Desk) -> None:
    with opened(desk.home) as instance:
        day = the_day(instance.wiring, GO_LIVE)
        batches = instance.lake_rows(GO_LIVE, "validate", "batch_statistics")
    finding = {
        "severity": "fail", "party": "P001", "file_type": "TXN", "custody_date": GO_LIVE, "words_en": "two rows", "words_zh": "两行",
    }  # fmt: skip
    (topic,) = [t for t in View(replace(day, batch_findings=Found.of([finding])), GO_LIVE, "bank").topics if t.name == "batches"]
    assert topic.known and topic.rows == [["FAIL, not to be trusted 不可信", "P001", "TXN", str(GO_LIVE), "two rows · 两行"]]
    # The first day of all: nobody knows yet what is usual, and that is not called usual.
    assert day.batches_without_history == len(batches) > 0
    assert f"{len(batches)} have no history to be compared with yet" in " ".join(read(desk.day(GO_LIVE).text).text.split())
    assert "batches that are not as usual 批次异常 not known yet" in " ".join(read(desk.day(NEXT).text).text.split())


def outcome(party: str, outcome: str, file_name: str = "") -> dict[str, Any]:
    return {"party": party, "file_type": "TXN", "custody_date": GO_LIVE, "outcome": outcome, "file_name": file_name}


def test_a_file_is_one_thing_to_do_however_often_it_came() -> None:
    last = outcome("P001", "REFUSED", "P001_TXN_20191230_01_v10.csv")
    found = files_wanting(
        [
            outcome("P001", "EXPECTED"),
            last,
            outcome("P001", "REFUSED", "P001_TXN_20191230_01_v9.csv"),
            outcome("P002", "REFUSED", "P002_TXN_20191230_01_v1.csv"),
            outcome("P002", "LANDED", "P002_TXN_20191230_01_v2.csv"),
            outcome("P003", "EXPECTED"),
        ]
    )
    assert found == [last, outcome("P003", "EXPECTED")]


def test_the_refused_file_counts_once_with_its_rules_words(desk: Desk) -> None:
    html = desk.day(GO_LIVE).text
    with opened(desk.home) as instance:
        day = the_day(instance.wiring, GO_LIVE)
    assert [row["outcome"] for row in day.files_missing.rows] == ["REFUSED"]
    assert sum(row["expected"] - row["landed"] for row in party_rows(html)) == day.files_missing.count
    assert "SHA-256" in html and "has not come" not in html


def test_alerts_of_the_runs_are_known_before_risk_has_run(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = copy_of(desk.home, tmp_path / "copy")
    monkeypatch.setenv("CUSTODY_HOME", str(home))
    with opened(home) as instance:
        raise_alert(instance.wiring.register, SYSTEM, "TASK_FAILED", "custody_day.post", NEXT, "post failed", "记账失败")
        first, second = (View(the_day(instance.wiring, on), GO_LIVE, "bank") for on in (GO_LIVE, NEXT))
    risk, runs = (next(t for t in second.topics if t.name == name) for name in ("alerts", "operations"))
    assert not risk.known and risk.count == 0 and "alerts" not in second.totals
    assert runs.known and runs.rows[0] == ["HIGH", "TASK_FAILED", "custody_day.post", "post failed · 记账失败"]
    # What the clock found missing stands there too, and leads to the file.
    missing = "P001_BALANCE_20191231_01"
    assert [row[1:3] for row in runs.rows[1:]] == [["FILE_MISSING", Link(missing, f"file?name={missing}")]]
    assert "post failed" in desk.day(NEXT).text
    # A file of the first day was refused, and is missing; the failed task is the second day's.
    assert [[row[1] for row in t.rows] for t in first.topics if t.name == "operations"] == [["FILE_MISSING"]]


def test_risk_alerts_are_the_dates_own_whatever_the_register_says_since(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the date's risk step sealed, counted alike in card, table and topic; a later day changes the register's rows."""
    home = copy_of(desk.home, tmp_path / "copy")
    monkeypatch.setenv("CUSTODY_HOME", str(home))
    with opened(home) as instance:
        instance.run_day(NEXT, ("post", "project", "reconcile", "fees", "risk"))
        sealed = instance.lake_rows(NEXT, "risk", "alerts")
        with instance.wiring.register.transaction() as tx:
            for row in tx.find("alert", rule=[alert["rule"] for alert in sealed]):
                tx.update("alert", {"alert_id": row["alert_id"]}, {"words_en": "of a later day", "last_seen_on": NEXT + ONE_DAY})
            tx.insert("alert", {**row, "alert_id": "another", "rule": "ANOTHER", "words_en": "of a later day"})
        view = View(the_day(instance.wiring, NEXT), GO_LIVE, "bank")
    (topic,) = [t for t in view.topics if t.name == "alerts"]
    assert sealed and topic.count == view.totals["alerts"] == len(sealed)
    html = desk.day(NEXT).text
    assert sum(row["alerts"] for row in party_rows(html)) == len(sealed)
    shown = read(html).text
    assert all(mask_user_numbers(alert["words_en"]) in shown for alert in sealed) and "of a later day" not in shown


def test_when_the_day_was_verified_and_what_was_found_stands_on_it(desk: Desk) -> None:
    assert "尚未校验" in desk.day(GO_LIVE).text
    faults = [("store", "balance: P001.LENDER.L000001234 | 20191230"), *[("lake", f"<b>{n} was changed") for n in range(24)]]
    with opened(desk.home) as instance:
        ports = instance.wiring.register, instance.wiring.clock
        record_verification(*ports, SYSTEM, GO_LIVE, 13, 40, False, [], GO_LIVE)
        record_verification(*ports, "checker", None, 26, 80, True, faults, GO_LIVE)
    html = desk.day(GO_LIVE).text
    shown = read(html).text
    assert "13 sealed outputs, 40 archived files" in shown and "✓ nothing found" in shown
    assert "26 sealed outputs, 80 archived files, the keyed store" in shown and "✗ 25 faults" in shown and "and 5 more" in shown
    assert "L000001234" not in shown and "<b>" not in html
    with opened(desk.home) as instance:
        assert [alert["severity"] for alert in instance.find("alert", rule="VERIFY_FAULTS")] == ["CRITICAL"]


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


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        # Nothing listens there.
        ("postgresql+psycopg://nobody@127.0.0.1:1/none", 503, "try again"),
        ("sqlite:///no/such/folder.db", 500, "until somebody puts this right"),
    ],
)
def test_a_register_that_cannot_be_read_is_said_in_words(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, code: int, words: str
) -> None:
    home = copy_of(desk.home, tmp_path / "copy")
    monkeypatch.setenv("CUSTODY_HOME", str(change_settings(home, {"register.url": url})))
    shown = desk.day()
    assert shown.status_code == code and words in shown.text


def test_hostile_names_are_only_text(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = copy_of(desk.home, tmp_path / "copy")
    monkeypatch.setenv("CUSTODY_HOME", str(change_settings(home, {"instance.bank": HOSTILE})))
    assert HOSTILE in read(desk.day(GO_LIVE).text).text
    with opened(home) as instance:
        day = the_day(instance.wiring, GO_LIVE)
    party = {
        "platform": HOSTILE,
        "expected": 1,
        "landed": 0,
        "promised": {"MISSING": 1},
        "untrusted": 1,
        "unusual": 2,
        "balanced": False,
        "breaks": 1,
        "alerts": 0,
    }
    finding = {
        "severity": "fail", "party": HOSTILE, "file_type": "TXN", "custody_date": GO_LIVE, "words_en": HOSTILE, "words_zh": HOSTILE,
    }  # fmt: skip
    breaks = [{**row, "subject": HOSTILE, "platform": HOSTILE, "kind": HOSTILE} for row in day.new_breaks.rows]
    html = page(
        "day.html",
        view=View(
            replace(day, platforms=[party], new_breaks=Found.of(breaks), batch_findings=Found.of([finding])), GO_LIVE, HOSTILE
        ),
        sections=[],
        may=lambda _: True,
    )
    shown = read(html)
    assert [row for row in shown.rows if row[0] == HOSTILE and len(row) == 9]
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
    assert len(shown.tables) >= 5
    for header, *body in shown.tables:
        assert body and {len(row) for row in body} == {len(header)}, header
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
    assert mask_user_numbers("BALANCE|LENDER.U003000037") == "BALANCE|LENDER.U00*****37"
    # Once masked it stays so, and what follows it stands.
    assert mask_user_numbers("P001.PAYEE.Y00*****01：资金") == "P001.PAYEE.Y00*****01：资金"
    words = "the account P001.BORROWER.B001000001 is short, P001.BORROWER.B001000001:available"
    assert "B001000001" not in mask_user_numbers(words)
    assert mask_user_numbers("TXN|P002201912310000036|1") == "TXN|P002201912310000036|1"


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
