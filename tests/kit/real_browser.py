"""A real Chromium, without a window, in which people of the desk log in and work; started once for a file of tests.

It is Debian's, driven by Playwright, which clicks and types as a person does: what is hidden, covered, moving or off cannot be clicked.
Nothing is changed for the tests: the pages' Content-Security-Policy is in force.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cluster.programs import CHROMIUM, require

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, FrameLocator, Page
    from real_airflow import AirflowAndInstance

# A busy machine takes several times its quiet time for everything.
PATIENCE_MS = 120_000
WIDE, NARROW = (1280, 900), (800, 900)
_STANDARDS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa")
PICTURES = Path(__file__).resolve().parents[2] / "build" / "browser"


@dataclass
class Person:
    """One logged-in person's window. ``complaints``: what the browser itself found wrong, the policy's refusals among it."""

    person_id: str
    page: Page
    complaints: list[str] = field(default_factory=list)

    def section(self, name: str) -> FrameLocator:
        """A section of ours from Airflow's own navigation, as its frame shows it. To the section that one is in Airflow does not lead anew."""
        self.page.get_by_role("link", name="Home", exact=True).first.click()
        self.page.get_by_role("link", name=name).click()
        return self.page.frame_locator(f'iframe[title="{name}"]')

    def listed(self, name: str) -> FrameLocator:
        """One for which the side bar has no room: from Airflow's menu of plugins."""
        self.page.get_by_role("button", name="Plugins", exact=True).click()
        self.page.get_by_role("menuitem", name=name).click()
        return self.page.frame_locator(f'iframe[title="{name}"]')

    def hears(self, said: ConsoleMessage) -> None:
        """Airflow's own pages have errors of their own, and that somebody was refused is none."""
        if said.type == "error" and "/custody/" in said.location["url"] and "status of 403" not in said.text:
            self.complaints.append(f"{said.location['url']}: {said.text}")

    def faults(self, only: Sequence[str] = ()) -> list[str]:
        """What axe-core finds serious on the page that is shown, by WCAG 2.1 AA. ``only``: the rules that are asked."""
        from axe_playwright_python.base import AXE_SCRIPT

        # Through the debugger: the page's own policy would not let it in.
        self.page.evaluate(AXE_SCRIPT)
        asked = {"type": "rule", "values": list(only)} if only else {"type": "tag", "values": list(_STANDARDS)}
        told = self.page.evaluate("(asked) => axe.run(document, {runOnly: asked, resultTypes: ['violations']})", asked)
        return [
            f"{self.page.url} {one['id']}: {node['html'][:200]} {node['failureSummary']}"
            for one in told["violations"]
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]

    def picture(self, name: str) -> Path:
        PICTURES.mkdir(parents=True, exist_ok=True)
        file = PICTURES / f"{re.sub(r'[^0-9A-Za-z._-]+', '-', name)}-{self.person_id}.png"
        self.page.screenshot(path=file)
        return file


@dataclass
class Chromium:
    """``at``: Airflow's address."""

    browser: Browser
    at: str
    passwords: dict[str, str]
    _people: dict[str, Person] = field(default_factory=dict)

    def log_in(self, person_id: str, **look: Any) -> Person:
        """By the form, in a window of his own. ``look``: what a context of Playwright takes, as color_scheme."""
        page = self._window(**look).new_page()
        person = Person(person_id, page)
        page.on("console", person.hears)
        page.goto(f"{self.at}/auth/login/")
        page.get_by_role("textbox", name="Username").fill(person_id)
        page.get_by_role("textbox", name="Password").fill(self.passwords[person_id])
        page.get_by_role("button", name="Sign In").click()
        # What Airflow's first page loads besides is its own.
        page.wait_for_url(lambda url: "/auth/login" not in url, wait_until="commit")
        return person

    def person(self, person_id: str) -> Person:
        """The same window as before, or he logs in now."""
        if person_id not in self._people:
            self._people[person_id] = self.log_in(person_id)
        return self._people[person_id]

    def pictures(self, name: str) -> list[Path]:
        return [person.picture(name) for person in self._people.values()]

    def _window(self, **look: Any) -> BrowserContext:
        width, height = WIDE
        context = self.browser.new_context(viewport={"width": width, "height": height}, locale="en-GB", **look)
        context.set_default_timeout(PATIENCE_MS)
        return context


@pytest.fixture(scope="module")
def chromium(real_airflow: AirflowAndInstance) -> Iterator[Chromium]:
    require([CHROMIUM])
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Its own sandbox takes what root does not get.
        browser = playwright.chromium.launch(executable_path=CHROMIUM.path(), args=["--no-sandbox"], timeout=PATIENCE_MS)
        try:
            yield Chromium(browser, real_airflow.airflow.url, real_airflow.airflow.passwords())
        finally:
            browser.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What failed in the browser leaves a picture of every window."""
    report = yield
    chromium = getattr(item, "funcargs", {}).get("chromium")
    if call.when == "call" and report.failed and isinstance(chromium, Chromium):
        for file in chromium.pictures(item.name):
            report.sections.append(("picture", str(file)))
    return report
