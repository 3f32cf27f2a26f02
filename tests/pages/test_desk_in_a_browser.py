"""Each role's work from logging in to done, in a real Chromium against the real console inside Airflow: what a person sees, and what the
store holds afterwards."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections import deque
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from desk_home import BOSS, MONTH_END
from instance_kit import opened
from real_browser import NARROW, PATIENCE_MS, WIDE
from test_console import PAGES

from custody.calendar_table import DecidedDay
from custody.money import format_amount
from custody.services.calendars import propose_days

if TYPE_CHECKING:
    from playwright.sync_api import FrameLocator, Page
    from real_airflow import AirflowAndInstance
    from real_browser import Chromium, Person

    from custody.ports import Row

pytestmark = pytest.mark.real
DAY, CASES, ALERTS, REPORTS = "Day 账务日", "Cases 案件", "Alerts 预警", "Reports 报表"


@pytest.fixture(scope="module")
def home(real_airflow: AirflowAndInstance) -> Path:
    return real_airflow.home


def rows(home: Path, table: str, **wanted: object) -> list[Row]:
    with opened(home) as instance:
        return instance.find(table, **wanted)


def title(frame: FrameLocator, said: str) -> None:
    """Waits for the page."""
    frame.get_by_role("heading", level=1).filter(has_text=said).wait_for()


def say(frame: FrameLocator, button: str, words: str) -> None:
    """Types the reason into the button's own form and presses it."""
    form = frame.locator("form").filter(has=frame.get_by_role("button", name=button, exact=True))
    form.get_by_role("textbox").last.fill(words)
    form.get_by_role("button", name=button, exact=True).click()


def test_an_operator_finds_a_case_from_the_day_and_proposes_an_adjusting_entry(chromium: Chromium, home: Path) -> None:
    (case,) = rows(home, "recon_case", kind="WRONG_ACCOUNT", platform="P002")
    maker = chromium.person("maker")
    page = maker.section(DAY)
    title(page, str(MONTH_END))
    party = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="P002", exact=True))
    assert "✗ no" in party.inner_text()
    party.get_by_role("link", name="P002").click()
    title(page, "P002")
    page.get_by_role("row").filter(has_text="WRONG_ACCOUNT").get_by_role("link").first.click()
    title(page, "WRONG_ACCOUNT")
    assert "≠" in page.locator("#evidence").inner_text()

    say(page, "comment 添加备注", "called the platform")
    page.get_by_role("cell", name="called the platform").wait_for()
    page.get_by_label("responsible").select_option("maker")
    page.get_by_role("button", name="assign").click()
    page.locator("dd", has_text="maker").wait_for()

    page.get_by_text("propose an adjusting entry").click()
    entry = page.locator('form[action="case-adjust"]')
    payer, payee = (entry.locator(f"select[name={name}]") for name in ("from", "to"))
    payer.select_option(index=0)
    payee.select_option(index=1)
    entry.get_by_label("amount, CNY").fill("12.34")
    entry.get_by_label("why it puts the case right").fill("paid to the wrong one")
    entry.get_by_label("why it puts the case right").press("Enter")
    page.get_by_text("Another person decides").wait_for()
    assert not page.get_by_role("button", name="approve").count()

    (proposal,) = rows(home, "proposal", kind="adjustment", subject=case["case_id"])
    assert (proposal["maker"], proposal["state"], json.loads(proposal["payload"])["amount_minor"]) == ("maker", "PROPOSED", 12_34)
    told = [event["event"] for event in rows(home, "case_event", case_id=case["case_id"])]
    assert told[-3:] == ["COMMENTED", "ASSIGNED", "PROPOSED"]
    assert maker.complaints == []


def refused_when_forged(person: Person, frame: FrameLocator, deed: str, fields: dict[str, str]) -> None:
    """What a person's page does not offer he puts there himself, with the token that is his: the answer says that he may not."""
    token = next(one["value"] for one in person.page.context.cookies() if one["name"] == "custody_form")
    frame.locator("body").evaluate(_FORGE, [deed, {**fields, "form_token": token}])
    title(frame, "You may not do that")


_FORGE = """(body, [deed, fields]) => {
    const form = document.createElement("form");
    Object.assign(form, {method: "post", action: deed});
    for (const [name, value] of Object.entries(fields)) form.append(Object.assign(document.createElement("input"), {name, value}));
    body.append(form);
    form.submit();
}"""


def open_console(chromium: Chromium, who: str, first: str, section: str) -> tuple[Person, FrameLocator]:
    """``first``: in Airflow's navigation; ``section``: from there in the console's own."""
    person = chromium.person(who)
    page = person.section(first)
    page.get_by_role("navigation", name="console").get_by_role("link", name=section, exact=True).click()
    title(page, section.split(" ")[0])
    return person, page


def test_a_supervisor_approves_anothers_entry_and_is_refused_on_his_own(chromium: Chromium, home: Path) -> None:
    (case,) = rows(home, "recon_case", kind="WRONG_ACCOUNT", platform="P002")
    checker = chromium.person("checker")
    page = checker.section(CASES)
    title(page, "Cases")
    page.get_by_label("owner").select_option("maker")
    page.get_by_role("button", name="find").click()
    page.get_by_role("heading", name=re.compile("^1 case ")).wait_for()
    page.get_by_role("link", name=case["case_id"][:10]).click()
    title(page, "WRONG_ACCOUNT")
    say(page, "approve 通过", "seen with the platform")
    page.get_by_text("checker: seen with the platform").wait_for()
    (proposal,) = rows(home, "proposal", kind="adjustment", subject=case["case_id"])
    assert (proposal["checker"], proposal["state"]) == ("checker", "APPROVED")

    # Who is operator and supervisor in one proposes and may not decide.
    (own,) = rows(home, "recon_case", kind="WRONG_LOAN")
    boss = chromium.person(BOSS)
    page = boss.section(CASES)
    page.get_by_role("row").filter(has_text="WRONG_LOAN").get_by_role("link").first.click()
    title(page, "WRONG_LOAN")
    say(page, "propose 提出", "the platform has put it right")
    page.get_by_text("Another person decides").wait_for()
    assert not page.get_by_role("button", name="approve").count()
    (proposal,) = rows(home, "proposal", subject=own["case_id"])
    said = {"id": own["case_id"], "proposal": proposal["proposal_id"], "answer": "approve", "note": "mine"}
    refused_when_forged(boss, page, "case-decide", said)
    assert rows(home, "proposal", subject=own["case_id"]) == [proposal]
    assert checker.complaints == boss.complaints == []


def test_a_risk_officer_answers_an_alert_and_two_decide_on_a_hold(chromium: Chromium, home: Path) -> None:
    alert = next(
        row for row in rows(home, "alert", state="OPEN") if row["rule"] == "BORROWER_SHORT" and row["platform"] == "P003"
    )
    risk, page = open_console(chromium, "risk", DAY, "Alerts 预警")
    page.get_by_label("party").select_option("P003")
    page.get_by_role("button", name="find").click()
    page.get_by_role("link", name=alert["alert_id"][:10]).click()
    title(page, "borrower")
    say(page, "acknowledge 确认", "I call the platform")
    page.get_by_text("acknowledged").first.wait_for()
    assert rows(home, "alert", alert_id=alert["alert_id"])[0]["acknowledged_by"] == "risk"
    say(page, "close 关闭", "paid in")
    page.get_by_text("risk: paid in").wait_for()
    (closed,) = rows(home, "alert", alert_id=alert["alert_id"])
    assert (closed["state"], closed["closed_by"], closed["closed_reason"]) == ("CLOSED", "risk", "paid in")
    assert not page.get_by_role("button", name="close").count()

    found = watch_list_finding(risk, page)
    assert "No money leaves" in found.locator("#hold").inner_text()
    say(found, "propose a release 提议解除止付", "another person of that name")
    found.get_by_text("another person of that name").wait_for()
    (proposal,) = rows(home, "proposal", kind="aml_hold")
    said = {"id": proposal["subject"], "proposal": proposal["proposal_id"], "answer": "approve", "note": "mine"}
    refused_when_forged(risk, found, "hold-decide", said)
    second, page = open_console(chromium, "risk2", DAY, "Compliance 合规")
    say(watch_list_finding(second, page), "approve 通过", "compared with the passport")
    page.get_by_text("compared with the passport").or_(page.locator("#hold form[action=hold-propose]")).first.wait_for()
    (proposal,) = rows(home, "proposal", kind="aml_hold")
    assert (proposal["maker"], proposal["checker"], proposal["state"]) == ("risk", "risk2", "APPROVED")


def watch_list_finding(person: Person, page: FrameLocator) -> FrameLocator:
    page.get_by_role("navigation", name="console").get_by_role("link", name="Compliance 合规").click()
    title(page, "Compliance")
    page.get_by_role("link", name="watch_list", exact=True).click()
    page.locator("#hold").wait_for()
    return page


def test_the_fee_officer_proposes_what_is_due_and_a_supervisor_decides(chromium: Chromium, home: Path) -> None:
    fees, page = open_console(chromium, "fees", DAY, "Fees 存管费")
    due = page.locator("#due form").filter(has_text="P001-2019-12")
    due.get_by_label("note").fill("as accrued")
    due.get_by_role("button", name="propose").click()
    title(page, "P001 2019-12")
    page.get_by_text("Another person decides").wait_for()
    (proposal,) = rows(home, "proposal", kind="fee_charge", subject="P001-2019-12")
    said = {"id": "P001-2019-12", "proposal": proposal["proposal_id"], "kind": "fee_charge", "answer": "approve", "note": "mine"}
    refused_when_forged(fees, page, "fee-decide", said)
    checker, page = open_console(chromium, "checker", CASES, "Fees 存管费")
    page.get_by_label("state").select_option("PROPOSED")
    page.get_by_role("button", name="find").click()
    page.get_by_role("link", name="P001-2019-12").click()
    title(page, "P001 2019-12")
    shown = page.get_by_role("row", name="gross").get_by_role("cell").inner_text()
    say(page, "approve 通过", "agrees with the contract")
    page.get_by_text("checker: agrees with the contract").wait_for()
    (charge,) = rows(home, "fee_charge", charge_no="P001-2019-12")
    assert charge["state"] == "APPROVED" and format_amount(charge["gross_minor"]) == shown.replace(",", "")
    assert fees.complaints == checker.complaints == []


def test_a_report_is_released_by_two_people_and_downloaded_by_the_regulator(chromium: Chromium, home: Path) -> None:
    officer = chromium.person("p.report_officer")
    page = officer.listed(REPORTS)
    page.get_by_role("link", name="custody report").first.click()
    title(page, "2019-12")
    form = page.locator("form[action=report-propose]")
    for field in form.get_by_role("textbox", name="explanation").all():
        field.fill("the first days of a new market")
    say(page, "propose its release 提出放行", "figures compared with the core")
    page.get_by_text("Another person decides").wait_for()
    page = chromium.person("checker").listed(REPORTS)
    page.get_by_role("link", name="custody report").first.click()
    say(page, "approve 通过", "agreed")
    page.get_by_text("checker: agreed").wait_for()
    (release,) = [row for row in rows(home, "report_release", report_id="custody_monthly") if row["period"] == "2019-12"]

    regulator = chromium.person("zhang").page
    regulator.goto(f"{chromium.at}/custody/reports")
    assert regulator.get_by_role("navigation", name="console").get_by_role("link").all_inner_texts() == ["Reports 报表"]
    regulator.get_by_role("link", name="custody report").first.click()
    name = next(name for name in json.loads(release["files"]) if name.endswith(".xlsx"))
    with regulator.expect_download() as download:
        regulator.get_by_role("link", name=name).click()
    data = Path(download.value.path()).read_bytes()
    assert [len(data), hashlib.sha256(data).hexdigest()] == json.loads(release["files"])[name]
    regulator.goto(f"{chromium.at}/custody/day")
    title(regulator, "may not see this page")


def test_the_auditor_reads_the_trail_and_changes_nothing(chromium: Chromium, home: Path) -> None:
    from playwright.sync_api import expect

    auditor, page = open_console(chromium, "auditor", DAY, "Audit trail 审计")
    page.get_by_label("操作人").select_option("maker")
    page.get_by_label("action").fill("case.comment")
    page.get_by_role("button", name="find").click()
    events = rows(home, "audit_event", actor="maker", action="case.comment")
    expect(page.locator("tbody tr")).to_have_count(len(events), timeout=PATIENCE_MS)
    assert "called the platform" in page.locator("tbody").inner_text()
    page = auditor.section(CASES)
    page.locator("tbody").get_by_role("link").first.click()
    page.locator("#deeds").wait_for()
    assert not page.locator("main form").count()
    before = rows(home, "case_event")
    (one,) = rows(home, "recon_case", kind="WRONG_ACCOUNT", platform="P002")
    page = auditor.section(ALERTS)
    title(page, "Alerts")
    refused_when_forged(auditor, page, "case-comment", {"id": one["case_id"], "note": "mine"})
    assert rows(home, "case_event") == before


def test_an_administrator_proposes_a_status_and_cannot_approve_it(chromium: Chromium, home: Path) -> None:
    admin, page = open_console(chromium, BOSS, DAY, "Organisations 机构")
    page.get_by_role("link", name="P003").first.click()
    title(page, "P003")
    page.get_by_text("propose another status").click()
    form = page.locator("form[action=organisation-status]")
    form.get_by_label("status").select_option("SUSPENDED")
    form.get_by_role("textbox").last.fill("its files are forged")
    form.get_by_role("button", name="propose").click()
    page.get_by_text("Another person decides").wait_for()
    (proposal,) = rows(home, "proposal", state="PROPOSED", subject="P003")
    assert proposal["maker"] == BOSS
    said = {"party": "P003", "proposal": proposal["proposal_id"], "answer": "approve", "note": "mine"}
    refused_when_forged(admin, page, "organisation-decide", said)
    _, page = open_console(chromium, "checker", CASES, "Organisations 机构")
    page.get_by_role("link", name="P003").first.click()
    say(page, "reject 拒绝", "they were not")
    page.get_by_role("cell", name="checker").first.wait_for()
    (proposal,) = rows(home, "proposal", proposal_id=proposal["proposal_id"])
    assert (proposal["checker"], proposal["state"]) == ("checker", "REJECTED")


def test_no_name_in_airflows_side_bar_is_cut(chromium: Chromium) -> None:
    page = chromium.person("maker").page
    for name in (DAY, CASES, ALERTS):
        needs, has = page.get_by_role("link", name=name).locator("div").evaluate("(one) => [one.scrollWidth, one.clientWidth]")
        assert needs <= has, name


def required_action(person: Person, number: str) -> Page:
    """From Airflow's own menu to what waits for an answer, its form filled."""
    page = person.page
    page.get_by_role("button", name="Browse").click()
    page.get_by_role("menuitem", name="Required Actions").click()
    page.get_by_role("link", name=f"Proposal {number}").click()
    page.get_by_text("becomes a holiday").wait_for()
    page.locator("#element_note").fill("the circular says so")
    page.get_by_role("button", name="Approve").click()
    return page


def test_a_supervisor_approves_in_airflows_required_actions_and_the_maker_is_refused_there(
    chromium: Chromium, real_airflow: AirflowAndInstance
) -> None:
    home, dag_id = real_airflow.home, "master_data_approvals"
    with opened(home) as instance:
        day = DecidedDay(date(2020, 6, 2), False, "x")
        number = propose_days(instance.wiring.register, instance.wiring.clock, "maker", [day], "circular 9")
    client = real_airflow.airflow.client("maker")
    client.wait_for_dags([dag_id], 240)
    client.unpause(dag_id)
    run = client.ask("POST", f"dags/{dag_id}/dagRuns", {"logical_date": None, "conf": {"proposal_id": number}})["dag_run_id"]
    until = time.monotonic() + 600
    while client.task_states(dag_id, run)["ask"] != "awaiting_input":
        assert time.monotonic() < until, client.task_states(dag_id, run)
        time.sleep(2)
    # An answer sooner than some seconds after the question meets a race of Airflow's own; logging in takes some of them.
    time.sleep(10)

    required_action(chromium.person("maker"), number)
    until = time.monotonic() + PATIENCE_MS / 1000
    while not any(
        "hitlDetails" in event["subject"] for event in rows(home, "audit_event", actor="maker", action="refused:airflow")
    ):
        assert time.monotonic() < until, "the maker was not refused"
        time.sleep(1)
    assert client.task_states(dag_id, run)["ask"] == "awaiting_input"
    assert rows(home, "proposal", proposal_id=number)[0]["state"] == "PROPOSED"

    page = required_action(chromium.person("checker"), number)
    page.get_by_text("from checker").first.wait_for()
    assert client.wait_for_run(dag_id, run, 600) == "success"
    (proposal,) = rows(home, "proposal", proposal_id=number)
    assert (proposal["maker"], proposal["checker"], proposal["state"]) == ("maker", "checker", "APPROVED")
    assert proposal["decision_note"] == "the circular says so"


def test_a_frame_follows_airflows_light_and_dark(chromium: Chromium) -> None:
    maker = chromium.person("maker")
    page = maker.section(DAY)
    title(page, str(MONTH_END))
    html = page.locator("html")
    assert html.get_attribute("data-theme") == "light"
    maker.page.evaluate(
        "document.documentElement.classList.replace('light', 'dark') || document.documentElement.classList.add('dark')"
    )
    page.locator("html[data-theme=dark]").wait_for()
    maker.page.evaluate("document.documentElement.classList.replace('dark', 'light')")
    page.locator("html[data-theme=light]").wait_for()


def test_a_case_is_found_and_commented_by_keyboard_alone(chromium: Chromium, home: Path) -> None:
    (case,) = rows(home, "recon_case", kind="UNAUTHORISED")
    page = chromium.log_in("maker").page
    page.goto(f"{chromium.at}/custody/cases")
    page.keyboard.press("Tab")
    skip = page.locator(":focus")
    assert skip.get_attribute("class") == "skip" and (skip.bounding_box() or {"y": -1})["y"] >= 0
    page.keyboard.press("Enter")
    tab_to(page, "select[name=kind]")
    page.keyboard.type("UNAUTH")
    tab_to(page, "form[action=cases] button")
    page.keyboard.press("Enter")
    page.wait_for_url("**kind=UNAUTHORISED**")
    tab_to(page, f"a[href*='{case['case_id']}']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/case?id=*")
    tab_to(page, "form[action=case-comment] input[name=note]")
    page.keyboard.type("asked by telephone")
    page.keyboard.press("Enter")
    page.get_by_role("cell", name="asked by telephone").wait_for()
    assert rows(home, "case_event", case_id=case["case_id"])[-1]["note"] == "asked by telephone"


def tab_to(page: Page, wanted: str) -> None:
    """Each stop on the way can be seen to have the focus."""
    for _ in range(_MOST_STOPS):
        page.keyboard.press("Tab")
        outline, is_there = page.evaluate(_FOCUS, wanted)
        assert outline >= 2, page.evaluate("document.activeElement.outerHTML")
        if is_there:
            return
    raise AssertionError(f"no way by keyboard to {wanted}")


_MOST_STOPS = 120
_FOCUS = """(wanted) => {
    const here = document.activeElement, style = getComputedStyle(here);
    return [style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth), here.matches(wanted)];
}"""


# What links on the pages lead to, of each kind one; the sections first.
SECTIONS = (
    "day", "cases", "alerts", "files", "results", "rules", "compliance", "filings", "fees", "reports", "customers", "transactions", "loans",
    "organisations", "calendar", "people", "audit",
)  # fmt: skip


def every_kind_of_page(chromium: Chromium, person: Person) -> Iterator[str]:
    """Shows the pages one after the other, all that folds unfolded."""
    waiting, seen = deque(SECTIONS), set[str]()
    while waiting:
        where = waiting.popleft()
        kind = where.partition("?")[0]
        if kind in seen:
            continue
        seen.add(kind)
        answer = person.page.goto(f"{chromium.at}/custody/{where}")
        assert answer is not None and answer.status == 200, where
        person.page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        links = person.page.locator("main a:not([data-airflow]):not([download])")
        hrefs: list[str] = links.evaluate_all("(all) => all.map((one) => one.getAttribute('href'))")
        waiting += [href for href in hrefs if not href.startswith(("#", "?"))]
        yield where
    assert seen >= set(PAGES)


def test_every_page_is_accessible_in_light_and_dark_and_fits_its_window(chromium: Chromium) -> None:
    """WCAG 2.1 AA by axe-core. Both languages stand on every page. In the dark the colours alone are others."""
    wrong: list[str] = []
    light = chromium.log_in("p.auditor", color_scheme="light")
    for where in every_kind_of_page(chromium, light):
        wrong += light.faults()
        for width, height in (NARROW, WIDE):
            light.page.set_viewport_size({"width": width, "height": height})
            needs, has = light.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            wrong += [f"{where} needs {needs} of {has}"] if needs > has else []
    dark = chromium.log_in("p.auditor", color_scheme="dark")
    for _ in every_kind_of_page(chromium, dark):
        wrong += dark.faults(["color-contrast"])
    assert wrong == [] and light.complaints == dark.complaints == []
