"""What holds on every page of the console: who may see it, what it shows of a person, and that a reader without a mouse gets through."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import pytest
from instance_kit import GO_LIVE, opened
from pages_kit import Desk, Tables, read

from console.pages.sections import SECTIONS as SECTIONS_SHOWN
from custody.permissions import DESK, PERMISSIONS, Duty

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

PAGES = {
    "day": "day.view",
    "files": "day.view",
    "file": "day.view",
    "results": "day.view",
    "rules": "day.view",
    "alerts": "alert.view",
    "alert": "alert.view",
    "compliance": "compliance.view",
    "filings": "aml_filing.view",
    "fees": "fee.view",
    "reports": "report.view",
    "cases": "case.view",
    "case": "case.view",
    "case-patterns": "case.view",
    "customers": "customer.view",
    "customer": "customer.view",
    "deletion": "customer.view",
    "account": "statement.view",
    "transactions": "transaction.view",
    "transaction": "transaction.view",
    "platform": "day.view",
    "organisations": "day.view",
    "organisation": "day.view",
    "calendar": "day.view",
    "audit": "audit.view",
    "people": "person.view",
    "loans": "loan.view",
    "loan": "loan.view",
}
SECTIONS = {
    "fee": "fees",
    "platform": "day",
    "alert": "alerts",
    "case": "cases",
    "case-patterns": "cases",
    "file": "files",
    "filings": "compliance",
    "customer": "customers",
    "deletion": "customers",
    "account": "customers",
    "transaction": "transactions",
    "loan": "loans",
    "organisation": "organisations",
    "report": "reports",
    "report-cell": "reports",
}
# Of each kind of page that links lead to.
_MOST_OF_A_KIND = 4
HOSTILE = "<script>alert('x')</script>\"'&"


def crawled(desk: Desk, start: str, most_of_a_kind: int = _MOST_OF_A_KIND) -> dict[str, Tables]:
    """Pages that links lead to, breadth first, some of each kind: each link leads to a page that the reader may see."""
    found: dict[str, Tables] = {}
    kinds: Counter[str] = Counter()
    waiting = deque([start])
    while waiting:
        url = waiting.popleft()
        kind = urlsplit(url).path
        if url in found or kinds[kind] == most_of_a_kind:
            continue
        kinds[kind] += 1
        shown = desk.client.get(f"/{url}")
        assert shown.status_code == 200, (desk.who, url, shown.text)
        found[url] = read(shown.text)
        waiting += [f"{kind}{link}" if link.startswith("?") else link for link in found[url].links]
    return found


@pytest.fixture(scope="module")
def site(pages: TestClient, morning: Path) -> Iterator[dict[str, Tables]]:
    with pytest.MonkeyPatch.context() as patch, contextmanager(Desk.at)(pages, morning, patch) as desk:
        before = noted(morning)
        found = crawled(desk, "loans")
        assert noted(morning) == before, "looking has changed something"
        yield found


def noted(home: Path) -> dict[str, int]:
    """How many rows there are of what a deed would leave behind. That somebody looked at what is confidential is recorded."""
    with opened(home) as instance:
        events = [row for row in instance.find("audit_event") if not row["action"].endswith(".view")]
        return {"audit_event": len(events), "proposal": len(instance.find("proposal"))}


def test_links_lead_to_every_kind_of_page(site: dict[str, Tables]) -> None:
    # A charge has a page of its own once somebody has proposed one in the shared instance.
    assert {urlsplit(url).path for url in site} - {"fee"} == set(PAGES)


def test_no_page_and_no_address_tells_a_user_number(desk: Desk, site: dict[str, Tables]) -> None:
    with opened(desk.home) as instance:
        accounts = instance.lake_rows(GO_LIVE, "post", "sub_accounts")
    assert accounts
    for url, shown in site.items():
        text = " ".join([url, shown.text, *(value or "" for _, attrs in shown.tags for value in attrs.values())])
        assert not [a for a in accounts if a["user_no"] in text or a["sub_account"] in text], url


def test_every_page_can_be_used_by_keyboard_and_ear(site: dict[str, Tables]) -> None:
    """Tables have as many cells as heads, heads a scope, fields and pictures a name, and what can be pressed is a link or a button."""
    for url, shown in site.items():
        for head, *body in shown.tables:
            assert {len(row) for row in body} <= {len(head)}, (url, head)
        tags = shown.tags
        assert all(attrs.get("scope") in ("row", "col") for tag, attrs in tags if tag == "th"), url
        assert all(attrs.get("aria-label") for tag, attrs in tags if tag in ("svg", "nav")), url
        assert [tag for tag, _ in tags].count("h1") == 1 and ("a", {"class": "skip", "href": "#main"}) in tags, url
        assert not [
            attrs for _, attrs in tags if "onclick" in attrs or "style" in attrs or attrs.get("tabindex", "-1") != "-1"
        ], url
        inside = labelled = 0
        for tag, attrs in tags:
            inside += tag == "label"
            if tag in ("input", "select") and attrs.get("type") != "hidden":
                labelled += 1
        assert labelled == inside, url


def test_nothing_comes_from_elsewhere_and_nothing_runs_inline(site: dict[str, Tables]) -> None:
    for url, shown in site.items():
        for tag, attrs in shown.tags:
            for name in ("src", "href", "action"):
                where = attrs.get(name) or ""
                assert not where.startswith(("//", "http", "data:", "javascript:")), (url, where)
            assert tag != "style" and (tag != "script" or attrs == {"src": "static/pages.js"}), url


@pytest.mark.parametrize(
    ("page", "action"),
    [
        *PAGES.items(),
        ("fee", "fee.view"),
        ("finding", "compliance.view"),
        ("filing", "aml_filing.view"),
        ("report-cell", "report.trace.view"),
    ],
)
def test_who_may_not_is_refused_on_record(desk: Desk, page: str, action: str) -> None:
    # Reports are what a regulator may see; who has left the bank may not.
    desk.who = "gone" if action == "report.view" else "zhang"
    shown = desk.get(page, platform="P001", id="P001LN00001", customer="C1", account="C2")
    assert shown.status_code == 403 and "P001LN" not in shown.text
    with opened(desk.home) as instance:
        event = instance.find("audit_event")[-1]
    assert (event["actor"], event["action"]) == (desk.who, f"refused:{action}")


@pytest.mark.parametrize(
    ("person", "duty"),
    [
        ("maker", Duty.OPERATOR),
        ("checker", Duty.SUPERVISOR),
        ("risk", Duty.RISK_OFFICER),
        ("fees", Duty.FEE_OFFICER),
        ("rose", Duty.REPORT_OFFICER),
        ("admin", Duty.ADMINISTRATOR),
        ("auditor", Duty.AUDITOR),
        ("zhang", Duty.REGULATOR),
    ],
)
def test_each_reader_is_led_only_where_he_may_go(desk: Desk, person: str, duty: Duty) -> None:
    desk.who = person
    allowed = [section.page for section in SECTIONS_SHOWN if duty in PERMISSIONS[PAGES[section.page]]]
    found = crawled(desk, "reports", most_of_a_kind=2)
    assert {urlsplit(url).path for url in found} >= set(allowed)
    for url, shown in found.items():
        assert navigation(shown) == allowed, url
    # What he may not see, or is not there, leads him to where he may go.
    for page in ("day", "audit", "loan"):
        answer = desk.get(page, platform="P001", id="none")
        if answer.status_code != 200:
            shown = read(answer.text)
            last_link = [attrs["href"] for tag, attrs in shown.tags if tag == "a"][-1]
            assert navigation(shown) == allowed and last_link == allowed[0]


def test_who_may_open_nothing_is_led_nowhere(desk: Desk) -> None:
    desk.who = "gone"
    assert read(desk.get("reports").text).links == []
    desk.who = "nobody"
    assert read(desk.get("reports").text).links == []


def test_airflow_shows_in_its_navigation_what_everybody_at_the_desk_may_open(airflow_home: Path) -> None:
    from console.airflow.plugin import CustodyPlugin

    shown = [view["url_route"].removeprefix("custody-") for view in CustodyPlugin.external_views]
    assert shown == [section.page for section in SECTIONS_SHOWN if PERMISSIONS[PAGES[section.page]] >= DESK]
    static = Path(__file__).parents[2] / "console" / "pages" / "static"
    for view in CustodyPlugin.external_views:
        icons = [static / Path(view[name]).name for name in ("icon", "icon_dark_mode") if name in view]
        assert len(icons) == 2 * view["nav_top_level"] and all(icon.is_file() for icon in icons)


def navigation(shown: Tables) -> list[str | None]:
    """The sections that the page leads to."""
    before_main = shown.tags[: [tag for tag, _ in shown.tags].index("main")]
    return [attrs["href"] for tag, attrs in before_main if tag == "a" and attrs.get("class") != "skip"]


@pytest.mark.parametrize("page", ["loan", "account", "transaction"])
def test_what_is_not_there_is_said(desk: Desk, page: str) -> None:
    shown = desk.get(page, platform=HOSTILE, id=HOSTILE, no=HOSTILE, customer=HOSTILE, account=HOSTILE)
    assert shown.status_code == 404 and "There is no such row" in shown.text and "<script>alert" not in shown.text


def test_the_section_one_is_in_is_marked(site: dict[str, Tables]) -> None:
    for url, shown in site.items():
        marked = [attrs["href"] for tag, attrs in shown.tags if tag == "a" and "aria-current" in attrs]
        kind = urlsplit(url).path
        assert marked == [SECTIONS.get(kind, kind)]


def test_addresses_name_a_customer_by_digest_only(site: dict[str, Tables]) -> None:
    named = [dict(parse_qsl(urlsplit(url).query)) for url in site if url.startswith("account")]
    assert named and all(set(n) <= {"customer", "account", "period", "page", "loan_sort", "loan_desc"} for n in named)
