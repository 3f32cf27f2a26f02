"""The page Compliance: findings by rule and platform, one with its rows; what is confidential is there for those alone who may see it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from compliance_day import FIRST, UNTIL, first_day
from fastapi.testclient import TestClient
from hand_made import Day, hand_made_instance, put
from instance_kit import Instance, opened
from pages_kit import Desk, Tables, read

from custody.errors import RetryLater
from custody.services.deliveries import deliver_pending
from custody.services.four_eyes import approve
from custody.services.outbound import send_again
from custody.services.watch_lists import WATCH_LIST, propose_list
from jobs.filings import send

LARGE = f"LV-{FIRST:%Y%m%d}"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compliance-pages")
    made = hand_made_instance(folder / "home", folder / "world", FIRST)
    with opened(made) as instance:
        let_in(instance, first_day())
        put(instance, first_day())
        instance.run_day(FIRST, UNTIL)
    return made


def let_in(instance: Instance, day: Day) -> None:
    """A watch list with the day's first customer."""
    register, clock, number = instance.wiring.register, instance.wiring.clock, day.rows["CUSTOMER"][0]["id_no"]
    entries = [["1", instance.wiring.secrets.identity_digest("ID", number)]]
    said = {"list": "un", "valid_from": str(FIRST), "source": "circular", "entries": entries}
    approve(register, clock, "checker", WATCH_LIST, propose_list(register, clock, "maker", said, "n"), "n")


@pytest.fixture
def desk(pages: TestClient, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    yield from Desk.at(pages, home, monkeypatch)


def test_findings_by_rule_and_platform_and_what_no_flow_shows(desk: Desk) -> None:
    desk.who = "risk"
    answer = desk.get("compliance")
    shown = read(answer.text)
    assert answer.status_code == 200 and {row[1] for row in shown.tables[0][1:]} == {
        "fill_that_never_was",
        "limit_on_platform",
        "shared_contact",
        "large_value",
        "watch_list",
    }
    counts = {row[0]: row[1] for row in shown.tables[1][1:]}
    assert counts["large_value/1"] == "1" and counts["pooling/2"] == "✓ 0" and "equity crowdfunding" in shown.text
    alone = read(desk.get("compliance", rule="large_value").text)
    assert [row[1] for row in alone.tables[0][1:]] == ["large_value"]
    of_platform = read(desk.get("compliance", platform="P001").text)
    assert {row[2] for row in of_platform.tables[0][1:]} == {"P001"}


def test_one_finding_with_its_rule_and_the_rows_behind_it(desk: Desk) -> None:
    desk.who = "risk"
    listed = read(desk.get("compliance", rule="large_value").text)
    (link,) = (href for href in listed.links if href.startswith("finding?"))
    shown = read(desk.client.get(f"/{link}").text)
    assert "art. 5, art. 8" in shown.text and "never to platform or customer" in shown.text
    # Amounts with their currency, nothing by the names that rows have.
    assert ["moved 交易金额", "CNY 600,000.00 600,000.00 元"] in shown.tables[0] and "natural person CNY 500,000.00" in shown.text
    assert "_minor" not in shown.text and "_bp" not in shown.text
    assert [(row[5], row[7]) for row in shown.tables[1][1:]] == [("R1", "300,000.00"), ("R2", "300,000.00")]
    assert desk.get("finding", finding="0" * 24).status_code == 404


def test_what_is_confidential_is_not_there_for_an_operator(desk: Desk) -> None:
    desk.who = "risk"
    listed = read(desk.get("compliance", rule="large_value").text)
    (link,) = (href for href in listed.links if href.startswith("finding?"))
    desk.who = "maker"
    shown = read(desk.get("compliance").text)
    assert "large_value" not in shown.text and "risk officer and auditor alone" in shown.text
    assert desk.client.get(f"/{link}").status_code == 404
    desk.who = "admin"
    assert desk.get("compliance").status_code == 403
    assert desk.get("compliance", date="tomorrow").status_code == 403
    desk.who = "auditor"
    assert desk.client.get(f"/{link}").status_code == 200
    assert desk.get("compliance", date="tomorrow").status_code == 400


def test_that_money_is_held_is_shown_to_those_alone_who_may_know_and_that_they_saw_it_is_recorded(desk: Desk, home: Path) -> None:
    desk.who = "risk"
    (link,) = (href for href in read(desk.get("compliance", rule="watch_list").text).links if href.startswith("finding?"))
    found = read(desk.client.get(f"/{link}").text)
    customer = next(href for href in found.links if href.startswith("customer?"))
    shown = read(desk.client.get(f"/{customer}").text)
    assert "No money leaves" in shown.text and any("un" in row and "1" in row for row in shown.rows)
    desk.who = "maker"
    assert "No money leaves" not in read(desk.client.get(f"/{customer}").text).text
    with opened(home) as instance:
        # On the finding, and on the customer's page.
        assert [row["actor"] for row in instance.find("audit_event", action="aml_hold.view")] == ["risk", "risk"]


def test_a_release_is_proposed_and_decided_on_the_finding(desk: Desk, home: Path) -> None:
    desk.who = "risk"
    (link,) = (href for href in read(desk.get("compliance", rule="watch_list").text).links if href.startswith("finding?"))
    number = link.partition("finding=")[2].partition("&")[0]
    assert desk.post("hold-propose", id=number, outcome="FORGOTTEN", note="n").status_code == 400
    assert desk.post("hold-propose", id=number, outcome="RELEASED", note="another of that name").status_code == 303
    shown = read(desk.client.get(f"/{link}").text)
    assert "another of that name" in shown.text and "Another risk officer decides" in shown.text
    with opened(home) as instance:
        (waiting,) = instance.find("proposal", kind="aml_hold", state="PROPOSED")
    proposal = waiting["proposal_id"]
    for reader, forms in (("risk", 0), ("auditor", 0), ("risk2", 1)):
        desk.who = reader
        assert desk.client.get(f"/{link}").text.count('action="hold-') == forms, reader
    desk.who = "risk"
    assert desk.post("hold-decide", id=number, proposal=proposal, answer="approve", note="n").status_code == 403
    desk.who = "risk2"
    assert desk.post("hold-decide", id=number, proposal=proposal, answer="approve", note="n").status_code == 303
    with opened(home) as instance:
        assert instance.find("proposal", proposal_id=proposal)[0]["state"] == "APPROVED"


def filing_of_the_day(desk: Desk) -> Tables:
    return read(desk.get("filing", id=LARGE).text)


def proposal_in(shown: Tables) -> str:
    return next(attrs["value"] or "" for tag, attrs in shown.tags if tag == "input" and attrs.get("name") == "proposal")


def test_what_is_to_be_filed_is_there_for_those_alone_who_may_know_and_that_they_looked_is_recorded(
    desk: Desk, home: Path
) -> None:
    for nobody in ("maker", "checker", "admin"):
        desk.who = nobody
        assert desk.get("filings").status_code == desk.get("filing", id=LARGE).status_code == 403
        assert desk.post("filing-propose", id=LARGE, note="n").status_code == 403
    desk.who = "auditor"
    listed = read(desk.get("filings").text)
    large = next(row for row in listed.tables[0] if row[1] == LARGE)
    assert (
        large[0].endswith("2020-01-07")
        and large[2].startswith("large values")
        and large[4:6] == ["1", "due, not proposed 应报，未提出"]
    )
    assert {row[5].split(" ")[0] for row in listed.tables[0][1:] if row[1] != LARGE} == {"suspicion"}
    assert [row[1] for row in read(desk.get("filings", type="LARGE_VALUE").text).tables[0][1:]] == [LARGE]
    assert (
        "None is so." in desk.get("filings", state="SENT").text
        and "None is so." in desk.get("filings", **{"from": "2030-01-01"}).text
    )
    assert desk.get("filings", **{"from": "soon"}).status_code == 400 and desk.get("filing", id="LV-1").status_code == 404
    shown = filing_of_the_day(desk)
    assert [(row[2], row[4], row[6]) for row in shown.tables[0][1:]] == [("P001", str(FIRST), "600,000.00")]
    assert "came in on" in shown.text and "须于" in shown.text
    # An auditor proposes nothing, and whom it is about only the file says.
    assert not [attrs for tag, attrs in shown.tags if tag == "form"] and "测试" not in shown.text
    with opened(home) as instance:
        seen = [row["actor"] for row in instance.find("audit_event", action="aml_filing.view")]
    assert set(seen) == {"auditor"} and len(seen) >= 5


def _away(*_: object) -> None:
    raise RetryLater("no route to host")


def test_a_filing_is_proposed_decided_by_another_sent_and_answered_on_its_page(desk: Desk, home: Path) -> None:
    desk.who = "risk"
    listed = read(desk.get("compliance", rule="large_value").text)
    (finding,) = (href for href in listed.links if href.startswith("finding?"))
    assert f"filing?id={LARGE}" in read(desk.client.get(f"/{finding}").text).links
    assert desk.post("filing-propose", id="LV-1", note="n").status_code == 400
    assert desk.post("filing-propose", id=LARGE, note="as the rule says").status_code == 303
    shown = filing_of_the_day(desk)
    assert "as the rule says" in shown.text and "Another risk officer decides" in shown.text
    desk.who = "risk2"
    number = proposal_in(filing_of_the_day(desk))
    assert desk.post("filing-receipt", id=LARGE, outcome="ACCEPTED").status_code == 400
    assert desk.post("filing-decide", id=LARGE, proposal=number, answer="reject", note="which rule?").status_code == 303
    assert desk.post("filing-propose", id=LARGE, note="again").status_code == 303
    desk.who = "risk"
    number = proposal_in(filing_of_the_day(desk))
    assert desk.post("filing-decide", id=LARGE, proposal=number, answer="approve", note="n").status_code == 303
    assert "goes out with the next sweep" in filing_of_the_day(desk).text
    # Made, and not delivered yet: nobody can have answered it.
    with opened(home) as instance, pytest.MonkeyPatch.context() as patched:
        patched.setattr(instance.drop, "deliver", _away)
        (name,) = send(instance.wiring, FIRST, "system")["sent"]
    assert "once the file has been delivered" in filing_of_the_day(desk).text
    assert desk.post("filing-receipt", id=LARGE, outcome="ACCEPTED").status_code == 400
    with opened(home) as instance:
        send_again(instance.wiring.register, instance.wiring.clock, "checker", name, "n")
        assert name in deliver_pending(instance.wiring.exchange_ports).delivered
    assert name in filing_of_the_day(desk).text
    assert desk.post("filing-receipt", id=LARGE, outcome="REFUSED").status_code == 400
    assert desk.post("filing-receipt", id=LARGE, outcome="REFUSED", reason="field 7").status_code == 303
    shown = filing_of_the_day(desk)
    assert "refused: propose it again" in shown.text and "field 7" in shown.text
    assert ("form", "filing-propose") in [(tag, attrs.get("action")) for tag, attrs in shown.tags]
    assert desk.post("filing-receipt", id=LARGE, outcome="ACCEPTED").status_code == 303
    assert "✓ accepted" in filing_of_the_day(desk).text
