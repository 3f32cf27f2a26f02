"""The page Compliance: findings by rule and platform, one with its rows; what is confidential is there for those alone who may see it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from compliance_day import FIRST, UNTIL, first_day
from fastapi.testclient import TestClient
from hand_made import Day, hand_made_instance, put
from instance_kit import Instance, opened
from pages_kit import Desk, read

from custody.services.four_eyes import approve
from custody.services.watch_lists import WATCH_LIST, propose_list


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
    assert counts["large_value/1"] == "1" and counts["pooling/1"] == "✓ 0" and "equity crowdfunding" in shown.text
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
    assert "another of that name" in shown.text
    proposal = next(attrs["value"] or "" for tag, attrs in shown.tags if tag == "input" and attrs.get("name") == "proposal")
    assert desk.post("hold-decide", id=number, proposal=proposal, answer="approve", note="n").status_code == 403
    desk.who = "risk2"
    assert desk.post("hold-decide", id=number, proposal=proposal, answer="approve", note="n").status_code == 303
    with opened(home) as instance:
        assert instance.find("proposal", proposal_id=proposal)[0]["state"] == "APPROVED"
