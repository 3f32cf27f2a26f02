"""The pages of customers: found by what identifies them, masked until a reason is on record, changed by two people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from instance_kit import GO_LIVE, copy_of, opened
from pages_kit import Desk, read
from typer.testing import CliRunner

from console.cli import app as command_line
from console.pages.render import amount
from custody.calendar import ONE_DAY
from custody.masking import mask, mask_user_numbers
from custody.personal import latest
from custody.ports import Row
from custody.services.customers import customer
from custody.services.deletion_plan import plan_of
from custody.services.erasures import DELETING
from custody.services.four_eyes import propose


def lender(desk: Desk) -> Row:
    """A lender's sub-account with money on it, and his platform's last word on him as ``said``."""
    with opened(desk.home) as instance:
        for row in instance.lake_rows(GO_LIVE, "post", "sub_accounts"):
            said = latest(instance.wiring.persons.said(row["customer_id"])).get(row["platform"])
            own = instance.wiring.ledger_reader.sub_account(row["sub_account"])
            if row["role"] == "LENDER" and own and own["available_minor"] and said and said.fields["card_no"]:
                return {**row, "said": dict(said.fields)}
    raise AssertionError("the world has no lender with money and a card")


@pytest.fixture
def own_desk(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """An instance that may be changed."""
    home = copy_of(desk.home, tmp_path / "copy")
    monkeypatch.setenv("CUSTODY_HOME", str(home))
    return Desk(desk.client, home, desk.who)


@pytest.fixture
def maker(own_desk: Desk, desk: Desk) -> Desk:
    desk.who = "maker"
    return own_desk


def clear_of(one: Row) -> list[str]:
    return [one["said"][name] for name in ("name", "id_no", "phone", "card_no") if one["said"][name]]


def waiting(desk: Desk) -> list[Row]:
    with opened(desk.home) as instance:
        return [row for row in instance.find("proposal", state="PROPOSED") if row["kind"].startswith("customer_")]


def test_each_identifier_leads_to_the_customer_and_stands_in_no_address(desk: Desk) -> None:
    one = lender(desk)
    said = one["said"]
    known = [
        one["customer_id"],
        one["sub_account"],
        f"{one['platform']}/{one['user_no']}",
        said["id_no"],
        said["phone"],
        said["card_no"],
    ]
    for value in known:
        answer = desk.post("customers", wanted=value)
        assert (answer.status_code, answer.headers["location"]) == (303, f"customer?id={one['customer_id']}"), value


@pytest.mark.parametrize(
    ("wanted", "code", "words"),
    [
        ("13800000009", 200, "Nobody is found by exactly that"),
        ("P001.LENDER.U9999", 200, "Nobody is found"),
        ("zhang san", 400, "check its digits"),
    ],
)
def test_who_is_not_found_is_said_without_repeating_what_was_asked(desk: Desk, wanted: str, code: int, words: str) -> None:
    answer = desk.post("customers", wanted=wanted)
    assert answer.status_code == code and words in answer.text and wanted not in answer.text


def test_a_search_is_never_an_address(desk: Desk) -> None:
    assert "wanted" not in desk.get("customers", wanted="13800000009").text.split("<form")[0]
    assert not [a for t, a in read(desk.get("customers").text).tags if t == "form" and a.get("method") != "post"]


def test_the_customer_is_shown_masked_with_his_balances(desk: Desk) -> None:
    one = lender(desk)
    html = desk.get("customer", id=one["customer_id"]).text
    with opened(desk.home) as instance:
        found = customer(instance.wiring.customer_ports, "auditor", one["customer_id"])
    rows = read(html).rows
    for account in found.accounts:
        figures = [amount(n) for n in (account.available_minor, account.unsettled_minor, account.frozen_minor)]
        assert any(row[0] == mask_user_numbers(account.sub_account) and row[4:7] == figures for row in rows)
    assert mask(one["said"]["phone"]) in html
    assert not [value for value in clear_of(one) if value in html]


def test_as_of_a_date_before_him_he_has_nothing(desk: Desk) -> None:
    one = lender(desk)
    before = desk.get("customer", id=one["customer_id"], as_of=str(GO_LIVE - ONE_DAY))
    assert before.status_code == 200 and "None on that date" in before.text and 'action="reveal"' not in before.text
    assert desk.get("customer", id=one["customer_id"], as_of="2020-02-30").status_code == 400
    assert desk.get("customer", id="C" + "0" * 24).status_code == 400


def test_data_in_clear_are_shown_once_for_a_reason_on_record(maker: Desk) -> None:
    one = lender(maker)
    assert maker.client.get("/reveal").status_code == 405
    refused = maker.post("reveal", id=one["customer_id"], reason=" ")
    assert refused.status_code == 400 and not [value for value in clear_of(one) if value in refused.text]
    shown = maker.post("reveal", id=one["customer_id"], reason="he is on the phone")
    assert shown.status_code == 200 and shown.headers["cache-control"] == "no-store"
    assert all(value in shown.text for value in clear_of(one))
    with opened(maker.home) as instance:
        (event,) = instance.find("audit_event", action="customer.reveal")
    assert (event["actor"], event["subject"]) == ("maker", one["customer_id"])
    assert json.loads(event["details"])["reason"] == "he is on the phone"
    again = maker.get("customer", id=one["customer_id"]).text
    assert not [value for value in clear_of(one) if value in again] and "REVEAL" in again.upper()


def test_who_may_look_but_not_reveal_is_refused_on_record(desk: Desk) -> None:
    one = lender(desk)
    answer = desk.post("reveal", id=one["customer_id"], reason="curious")
    assert answer.status_code == 403 and not [value for value in clear_of(one) if value in answer.text]
    with opened(desk.home) as instance:
        assert instance.find("audit_event")[-1]["action"] == "refused:customer.reveal"


def change(desk: Desk, one: Row, **fields: str) -> Any:
    html = desk.get("customer", id=one["customer_id"]).text
    refs = [
        a["value"]
        for t, a in read(html).tags
        if t == "option" and (a.get("value") or "").startswith("C") and len(a["value"] or "") == 25
    ]
    return desk.post("propose-change", id=one["customer_id"], account=refs[0] or "", action="CHANGE", note="by letter", **fields)


def test_a_change_is_proposed_by_one_and_decided_by_another(maker: Desk, desk: Desk) -> None:
    one = lender(maker)
    assert change(maker, one, phone="13912345678").status_code == 303
    (proposal,) = waiting(maker)
    # What the second person is shown in Airflow.
    told = CliRunner().invoke(
        command_line, ["proposal", "show", proposal["proposal_id"], "--json"], env={"CUSTODY_HOME": str(maker.home)}
    )
    words = json.loads(told.stdout)["words"]
    assert "note: by letter" in words and any("CHANGE" in line and '"changes": ["phone"]' in line for line in words)
    assert one["user_no"] not in told.stdout and "13912345678" not in told.stdout
    html = maker.get("customer", id=one["customer_id"]).text
    assert (
        proposal["proposal_id"] in html and "CHANGE" in html and "13912345678" not in html and "13912345678" not in str(proposal)
    )
    # His own work is not offered to him; that it is refused does not depend on that.
    assert 'action="decide"' not in html and "Another person decides" in html
    answer = {"id": one["customer_id"], "proposal": proposal["proposal_id"], "answer": "approve", "note": "letter seen"}
    assert maker.post("decide", **answer).status_code == 403
    desk.who = "checker"
    assert 'action="decide"' in maker.get("customer", id=one["customer_id"]).text
    assert maker.post("decide", **(answer | {"answer": "perhaps"})).status_code == 400
    assert maker.post("decide", **answer).status_code == 303
    with opened(maker.home) as instance:
        (decided,) = instance.find("proposal", proposal_id=proposal["proposal_id"])
    assert (decided["state"], decided["checker"]) == ("APPROVED", "checker") and not waiting(maker)


def test_what_is_wrong_with_a_form_is_said_by_field_and_never_by_value(maker: Desk) -> None:
    one = lender(maker)
    answer = change(maker, one, phone="13800")
    assert answer.status_code == 400 and "mobile number" in answer.text and "13800" not in answer.text
    assert not waiting(maker)


def test_a_merger_is_proposed(maker: Desk) -> None:
    one = lender(maker)
    with opened(maker.home) as instance:
        other = next(
            row["customer_id"]
            for row in instance.lake_rows(GO_LIVE, "post", "sub_accounts")
            if row["customer_id"] != one["customer_id"]
        )
    assert maker.post("propose-merger", id=one["customer_id"], into=other, note="same passport").status_code == 303
    assert other in maker.get("customer", id=one["customer_id"]).text
    assert maker.post("propose-merger", id=one["customer_id"], into=one["customer_id"], note="x").status_code == 400


def test_the_plan_of_a_deletion_names_what_goes_what_stays_and_what_is_in_the_way(maker: Desk) -> None:
    one = lender(maker)
    with opened(maker.home) as instance:
        plan = plan_of(instance.wiring.customer_ports, one["customer_id"])
    shown = read(maker.get("deletion", id=one["customer_id"]).text)
    told = " ".join(shown.text.split())
    assert plan.blockers and all(mask_user_numbers(words) in told for pair in plan.blockers for words in pair)
    assert all(any(place.words_en in row[1] for row in shown.rows) for place in (*plan.deletes, *plan.keeps))
    assert not [a for t, a in shown.tags if t == "form"]
    refused = maker.post("propose-deletion", id=one["customer_id"], digest=plan.digest, note="asked for it")
    assert refused.status_code == 400 and "in the way" in refused.text and one["user_no"] not in refused.text
    assert not waiting(maker)


def test_who_decides_on_a_deletion_sees_its_plan_on_the_page_and_in_airflow(maker: Desk, desk: Desk) -> None:
    """A proposal whose way has been blocked since it was made: it is shown with what is in the way, and refused."""
    one = lender(maker)
    with opened(maker.home) as instance:
        ports = instance.wiring.customer_ports
        plan = plan_of(ports, one["customer_id"])
        payload = {"plan_digest": plan.digest}
        proposal = propose(ports.register, ports.clock, "maker", DELETING, one["customer_id"], payload, "asked for it")
    told = CliRunner().invoke(command_line, ["proposal", "show", proposal, "--json"], env={"CUSTODY_HOME": str(maker.home)})
    words = "\n".join(json.loads(told.stdout)["words"])
    assert all(place.words_en in words for place in (*plan.deletes, *plan.keeps)) and "in the way" in words
    assert one["user_no"] not in told.stdout
    desk.who = "checker"
    html = maker.get("customer", id=one["customer_id"]).text
    assert f"deletion?id={one['customer_id']}" in html and "customer_delete" in html
    answer = maker.post("decide", id=one["customer_id"], proposal=proposal, answer="approve", note="seen")
    assert answer.status_code == 400 and "in the way" in answer.text
    assert [row["proposal_id"] for row in waiting(maker)] == [proposal]
