"""The pages of reports: a draft is found, explained, proposed, decided by another person, downloaded and traced; the regulator sees what was
released and nothing else."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote_plus, urlsplit

import pytest
from instance_kit import GO_LIVE, copy_of, opened
from pages_kit import Desk, read

from custody.calendar import ONE_DAY
from custody.services.releases import ReportKey, newest
from custody.steps import STEPS

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

MONTH_END = GO_LIVE + ONE_DAY
KEY = ReportKey("custody_monthly", "2019-12")
ID = KEY.subject


@pytest.fixture(scope="module")
def year_end(morning: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The morning's instance with its second day whole, which ends a month."""
    home = copy_of(morning, tmp_path_factory.mktemp("year_end") / "home")
    with opened(home) as instance:
        instance.run_day(MONTH_END, STEPS)
    return home


@pytest.fixture
def year_desk(pages: TestClient, year_end: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    yield from Desk.at(pages, year_end, monkeypatch)


def test_a_report_is_found_proposed_decided_and_then_seen_by_the_regulator(year_desk: Desk) -> None:
    desk = year_desk
    with opened(desk.home) as instance, instance.wiring.register.transaction() as tx:
        row = newest(tx, KEY)
    # What nobody released the regulator does not find, by any door.
    desk.who = "zhang"
    assert ID not in desk.get("reports").text and "cases" not in read(desk.get("reports").text).links
    names = json.loads(row["files"])
    book = next(name for name in names if name.endswith(".xlsx"))
    for page, more in (("report", {}), ("report", {"draft": "1"}), ("report-file", {"name": book})):
        assert desk.get(page, id=ID, **more).status_code == 404
    assert desk.get("report-cell", id=ID, cell="x").status_code == 403
    desk.who = "maker"
    listed = read(desk.get("reports", report=KEY.report_id, period=KEY.period).text)
    assert [r[1] for r in listed.tables[0][1:]] == ["2019-12"] and any(link.startswith("report?") for link in listed.links)
    page = desk.get("report", id=ID).text
    assert page.count('action="report-propose"') == 1 and page.count('action="report-decide"') == 0
    asked = {"id": ID, "note": "figures checked", "content": row["content_digest"]}
    assert desk.post("report-propose", **{**asked, "content": "0" * 64}).status_code == 400
    assert desk.post("report-propose", **{**asked, "id": "nothing"}).status_code == 404
    assert desk.post("report-propose", **asked).headers["location"].startswith("report?")
    with opened(desk.home) as instance:
        (proposal,) = instance.find("proposal", kind="release", state="PROPOSED")
    form = {"id": ID, "proposal": proposal["proposal_id"], "note": "agreed", "answer": "approve"}
    # Its maker has no form to decide with, and is refused without one.
    assert desk.get("report", id=ID).text.count('action="report-decide"') == 0
    assert desk.post("report-decide", **form).status_code == 403
    desk.who = "checker"
    assert desk.get("report", id=ID).text.count('action="report-decide"') == 1
    assert desk.post("report-decide", **form).status_code == 303
    desk.who = "zhang"
    shown = desk.get("report", id=ID)
    assert shown.status_code == 200 and "report-cell" not in shown.text and "History" not in shown.text
    for name, (size, sha256) in names.items():
        got = desk.get("report-file", id=ID, name=name)
        assert (len(got.content), hashlib.sha256(got.content).hexdigest()) == (size, sha256)
        assert got.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert desk.get("report-file", id=ID, name="../settings.toml").status_code == 404


def test_a_figure_leads_to_its_rows_files_and_lines(year_desk: Desk) -> None:
    desk = year_desk
    desk.who = "auditor"
    links = [link for link in read(desk.get("report", id=ID).text).links if link.startswith("report-cell")]
    assert len(links) > 20
    with opened(desk.home) as instance:
        row = next(
            one for one in instance.lake_rows(MONTH_END, "report", "report_figures")
            if (one["report"], one["table_id"], one["figure"], one["key"]) == (KEY.report_id, "platforms", "volume", '["P001"]')
        )  # fmt: skip
    shown = desk.get("report-cell", id=ID, draft="1", cell=row["cell"])
    assert shown.status_code == 200 and "✓ = the figure" in shown.text
    (table,) = read(shown.text).tables
    assert "_INSTRUCTION_" in table[1][4] and len(table) > 2
    assert desk.get("report-cell", id=ID, draft="1", cell="Nowhere!A1").status_code == 404
    # A report that lists rows: each row's number leads to what is behind it.
    holds = desk.get("report", id=f"judicial_holds|{KEY.period}")
    assert holds.status_code == 200 and "Orders carried out" in holds.text
    (cell,) = {cell for cell in ("文书执行 Orders carried out!A5",) if quote_plus(cell) in holds.text}
    traced = desk.get("report-cell", id=f"judicial_holds|{KEY.period}", cell=cell)
    assert traced.status_code == 200 and "_LEGAL_ORDER_" in traced.text


def test_a_trace_that_takes_too_long_is_ended(year_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process is gone with what it started, both places are free again, and the words name the command that has no limit."""
    from console.airflow.command import CustodyProcess
    from console.pages import reports

    year_desk.who = "auditor"
    processes: list[CustodyProcess] = []

    def started(words: list[str]) -> CustodyProcess:
        processes.append(CustodyProcess(words))
        return processes[-1]

    monkeypatch.setattr(reports, "CustodyProcess", started)
    cell = next(link for link in read(year_desk.get("report", id=ID).text).links if link.startswith("report-cell"))
    asked = dict(parse_qsl(urlsplit(cell).query))
    # More than it takes to be started, less than the engine takes to begin.
    monkeypatch.setattr(reports, "_LONGEST_TRACE_SECONDS", 1.0)
    for _ in range(3):
        shown = year_desk.get("report-cell", **asked)
        assert shown.status_code == 503 and "custody report trace" in shown.text and "溯源超时" in shown.text
    assert len(processes) == 3
    for process in processes:
        assert process._process is not None and process._process.poll() is not None
        with pytest.raises(ProcessLookupError):
            os.killpg(process._process.pid, 0)


def test_words_that_a_maker_writes_are_text(year_desk: Desk) -> None:
    year_desk.who = "auditor"
    shown = year_desk.get("report", id="<script>alert(1)</script>|x")
    assert shown.status_code == 404 and "<script>alert" not in shown.text
