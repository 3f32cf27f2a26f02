"""The register of files on its pages: what came, what is missing, and one file's history, as the services have them."""

from __future__ import annotations

import json
from html import unescape
from urllib.parse import parse_qs, urlsplit

from instance_kit import GO_LIVE, opened
from pages_kit import Desk, read

from custody.calendar import ONE_DAY
from custody.file_life import REFUSED
from custody.names import FileType
from custody.ports import RegisterTx, Row
from custody.services.file_moves import promise_name
from custody.services.files import SEAL, STATES, listing
from custody.services.promises import not_here
from custody.texts import text


def _listed(tx: RegisterTx, **equals: object) -> list[Row]:
    return listing(tx, ["file_name", "sha256"], 0, 10_000, custody_date=GO_LIVE, **equals).rows


def _all_rows(desk: Desk, **asked: str) -> list[list[str]]:
    found: list[list[str]] = []
    for page in range(1, 50):
        shown = read(desk.get("files", page=str(page), **asked).text)
        table = next((t for t in shown.tables if t[0][0].startswith("file")), [])
        rows = table[1:]
        if rows and rows[0][0] in {row[0] for row in found}:
            break  # beyond the last page the last is shown
        found += rows
        if len(rows) < 50:
            break
    return found


def test_every_file_of_the_date_is_listed_with_what_became_of_it(desk: Desk) -> None:
    with opened(desk.home) as instance, instance.wiring.register.transaction() as tx:
        rows = _listed(tx)
        wanting = not_here(tx, GO_LIVE)
    shown = _all_rows(desk, date=GO_LIVE.isoformat())
    assert [row[0] for row in shown] == [row["file_name"] for row in rows]
    assert [row[5:7] for row in shown] == [[f"{r['rows']:,}" if r["rows"] is not None else "–", f"{r['bytes']:,}"] for r in rows]
    assert any(row["state"] == REFUSED for row in rows), "the demo's day has a file that was refused"
    for row, line in zip(rows, shown, strict=True):
        assert line[3].startswith("✗" if row["state"] == REFUSED else "✓")
        assert (line[4] == "–") == (row["rule"] is None)
    html = read(desk.get("files", date=GO_LIVE.isoformat()).text)
    if wanting:
        table = next(t for t in html.tables if t[0][-1].startswith("called missing"))
        assert [(row[0], row[1].split()[0]) for row in table[1:]] == [(f["party"], f["file_type"]) for f in wanting]
    else:
        assert "every expected file is here" in html.text


def test_a_file_says_how_its_sender_was_answered_and_what_goes_out_has_a_page(desk: Desk) -> None:
    with opened(desk.home) as instance:
        seal = next(
            said
            for event in instance.find("audit_event", action="file.collect")
            if (said := json.loads(event["details"]))["party"] == "P001" and said["files"]
        )
        (receipt,) = instance.find("outbound", file_name=seal["receipt"])
    for name in (seal["files"][0][0], receipt["file_name"]):
        table = next(t for t in read(desk.get("file", name=name).text).tables if "tries failed" in " ".join(t[0]))
        assert (receipt["file_name"], "✓ delivered 已送达") in [tuple(row[:2]) for row in table[1:]]
    page = read(desk.get("file", name=receipt["file_name"]).text)
    assert receipt["sha256"] in page.text and f"{receipt['wire_bytes']:,}" in page.text
    table = next(t for t in read(desk.get("organisation", party="P001").text).tables if "tries failed" in " ".join(t[0]))
    assert receipt["file_name"] in [row[0] for row in table[1:]]
    # What is owed stands on the page of files, whatever date is asked for.
    with opened(desk.home) as instance, instance.wiring.register.transaction() as tx:
        owed = {
            "state": "QUEUED",
            "attempts": 3,
            "last_reason": "the host is away",
            "next_attempt_at": "2020-01-03T08:00:00.000000+08:00",
        }
        tx.update("outbound", {"file_name": receipt["file_name"]}, owed)
    try:
        for page_name, asked in (("files", {"date": "2020-01-02"}), ("organisation", {"party": "P001"})):
            table = next(t for t in read(desk.get(page_name, **asked).text).tables if "tries failed" in " ".join(t[0]))
            assert [(row[0], row[5], row[7]) for row in table[1:]] == [(receipt["file_name"], "3", "the host is away")]
    finally:
        with opened(desk.home) as instance, instance.wiring.register.transaction() as tx:
            undone = {name: receipt[name] for name in ("state", "attempts", "last_reason", "next_attempt_at")}
            tx.update("outbound", {"file_name": receipt["file_name"]}, undone)


def test_filters_restrict_and_their_links_lead_to_the_same(desk: Desk) -> None:
    on = GO_LIVE.isoformat()
    for state in STATES:
        with opened(desk.home) as instance, instance.wiring.register.transaction() as tx:
            rows = _listed(tx, state=state)
        if not rows:
            continue
        shown = _all_rows(desk, date=on, state=state)
        assert [row[0] for row in shown] == [row["file_name"] for row in rows]
        link = f"files?date={on}&state={state}"
        assert link in [unescape(href) for href in read(desk.get("files", date=on).text).links]
    one = _all_rows(desk, date=on, party="P001", type="TXN")
    assert {(row[1], row[2].split()[0]) for row in one} == {("P001", "TXN")}
    seals = _all_rows(desk, date=on, type=SEAL)
    assert seals and all("_SEAL_" in row[0] for row in seals)


def test_a_file_tells_its_whole_history(desk: Desk) -> None:
    with opened(desk.home) as instance:
        (refused, *_) = instance.find("file", state=REFUSED)
        (promise,) = instance.find("expected_file", **{n: refused[n] for n in ("party", "file_type", "custody_date", "batch")})
        promised = promise_name(promise)
        events = instance.find("file_event", file_name=[refused["file_name"], promised])
    links = read(desk.get("files", date=refused["custody_date"].isoformat(), state=REFUSED).text).links
    (link,) = [href for href in links if parse_qs(urlsplit(unescape(href)).query).get("name") == [refused["file_name"]]]
    shown = read(desk.get("file", name=refused["file_name"]).text)
    assert link.startswith("file?") and refused["sha256"] in shown.text
    history = next(t for t in shown.tables if t[0][0].startswith("when"))
    assert len(history) == 1 + len(events)
    assert ("system", f"{refused['sha256'][:12]}…") in [(row[2], row[4]) for row in history]
    # The promise that it should have kept is open: it stands before the content, and has a page of its own.
    assert promise["state"] == "MISSING" and "✗ missing" in shown.text
    alone = read(desk.get("file", name=promised).text)
    assert [row[:2] for row in next(t for t in alone.tables if t[0][0].startswith("when"))[1:]] == [
        row[:2] for row in history[1:] if row[4] == "–"
    ]
    assert refused["file_name"] in alone.text
    figures = json.loads(refused["figures"])
    # Digests are shown by their beginning.
    for words in text(refused["rule"], {name: f"{v[:12]}…" if len(str(v)) == 64 else v for name, v in figures.items()}):
        assert words in shown.text


def test_a_day_without_a_file_says_which_are_missing(desk: Desk) -> None:
    later = GO_LIVE + 5 * ONE_DAY
    shown = read(desk.get("files", date=later.isoformat()).text)
    with opened(desk.home) as instance, instance.wiring.register.transaction() as tx:
        wanting = not_here(tx, later)
    (table,) = shown.tables
    assert len(table) == 1 + len(wanting) > 10
    assert {row[1].split()[0] for row in table[1:]} <= set(FileType)


def test_what_there_is_not_is_said_so(desk: Desk) -> None:
    assert desk.get("files", date="tomorrow").status_code == 400
    answer = desk.get("file", name="P001_TXN_20400101_01_v1.csv")
    assert answer.status_code == 404 and "无此文件" in answer.text
    desk.who = "zhang"
    assert desk.get("files").status_code == 403
