"""The pages of cases: the list as it is asked for, the sides side by side, and each deed done by the service and by whom it may."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from instance_kit import GO_LIVE, copy_of, opened
from pages_kit import Desk, read
from typer.testing import CliRunner

from console.cli import app as command_line
from custody.case_patterns import accounts_of
from custody.masking import mask_user_numbers
from custody.ports import Row


@pytest.fixture
def own_desk(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """An instance that may be changed, and its maker."""
    home = copy_of(desk.home, tmp_path / "copy")
    monkeypatch.setenv("CUSTODY_HOME", str(home))
    desk.who = "maker"
    return Desk(desk.client, home, desk.who)


def cases(desk: Desk, **wanted: object) -> list[Row]:
    with opened(desk.home) as instance:
        return instance.find("recon_case", **wanted)


def settled_by_decision(desk: Desk) -> Row:
    return next(row for row in cases(desk, state="OPEN") if row["kind"] == "WRONG_ACCOUNT")


def history(desk: Desk, case_id: str) -> list[str]:
    with opened(desk.home) as instance:
        return [row["event"] for row in instance.find("case_event", case_id=case_id)]


def test_the_list_has_every_open_case_masked_and_the_most_urgent_first(desk: Desk) -> None:
    answer = desk.get("cases")
    shown = read(answer.text)
    expected = cases(desk, state="OPEN")
    assert answer.status_code == 200 and len(shown.tables[0]) - 1 == len(expected) > 2
    assert {f"case?id={row['case_id']}" for row in expected} <= set(shown.links)
    for row in expected:
        assert row["subject"] == mask_user_numbers(row["subject"]) or row["subject"] not in answer.text
        assert mask_user_numbers(row["subject"]) in shown.text
    dues = [cells[5].split()[0] for cells in shown.tables[0][1:]]
    assert dues == sorted(dues) and all(dues)


def test_the_list_is_what_is_asked_for(desk: Desk) -> None:
    one = settled_by_decision(desk)
    for asked in ({"kind": one["kind"]}, {"platform": one["platform"]}, {"severity": one["severity"]}, {"owner": "-"}):
        rows = read(desk.get("cases", **asked).text).tables[0][1:]
        (name,) = asked
        assert len(rows) == len([r for r in cases(desk, state="OPEN") if name == "owner" or r[name] == asked[name]])
    assert "None is so" in desk.get("cases", owner="maker").text
    assert "None is so" in desk.get("cases", overdue="1").text
    assert desk.get("cases", sort="nonsense", page="0", kind="<b>").status_code == 200


def test_a_case_has_its_sides_side_by_side_and_marks_what_differs(desk: Desk) -> None:
    one = next(row for row in cases(desk) if row["kind"] == "WRONG_ACCOUNT")
    answer = desk.get("case", id=one["case_id"])
    shown = read(answer.text)
    evidence = next(table for table in shown.tables if table[0][0].startswith("field"))
    assert [cell.split()[0] for cell in evidence[0]] == ["field", "A", "B"]
    by_field = {row[0]: row[1:] for row in evidence[1:]}
    assert all(".csv:" in where for where in by_field["where 位置"])
    assert by_field["store key 存储键"][1].startswith("txn/")
    differing = [name for name in by_field if "≠" in name]
    assert len(differing) == 1 and ("收款方" in differing[0] or "付款方" in differing[0])
    left, right = by_field[differing[0]]
    assert left != right and "*" in left and "*" in right
    assert any(link.startswith("account?customer=") for link in shown.links)
    assert "立案" in shown.text


def test_a_case_of_many_rows_has_a_line_for_each(own_desk: Desk) -> None:
    one = settled_by_decision(own_desk)
    evidence = json.loads(one["evidence"])
    sides = [row for row in evidence if row.get("side") in ("A", "B")]
    longer = [*evidence, *({**row, "amount_minor": 100 + n} for n in range(4) for row in sides)]
    with opened(own_desk.home) as instance, instance.wiring.register.transaction() as tx:
        tx.update("recon_case", {"case_id": one["case_id"]}, {"evidence": json.dumps(longer)})
    table = read(own_desk.get("case", id=one["case_id"]).text).tables[0]
    assert len(table) - 1 == len([row for row in longer if row.get("side") in ("A", "B", "C")]) > 6
    assert {"1.00", "1.03"} <= {cell for row in table for cell in row}
    assert any(head.startswith("≠") for head in table[0])
    said = CliRunner().invoke(command_line, ["case", "show", one["case_id"]], env={"COLUMNS": "200"}).stdout
    assert "1.03" in said and "≠" in said


def test_who_may_only_look_is_offered_nothing_to_do_and_may_do_nothing(desk: Desk) -> None:
    one = settled_by_decision(desk)
    desk.who = "auditor"
    assert 'action="case-' not in desk.get("case", id=one["case_id"]).text
    for path in ("case-comment", "case-propose", "case-assign", "case-reopen"):
        answer = desk.post(path, id=one["case_id"], note="x", owner="maker")
        assert answer.status_code == 403, path
    desk.who = "zhang"
    assert desk.get("cases").status_code == desk.get("case", id=one["case_id"]).status_code == 403


def test_a_case_is_assigned_talked_about_proposed_and_decided(own_desk: Desk, desk: Desk) -> None:
    one = settled_by_decision(own_desk)
    to = {"id": one["case_id"]}
    back = f"case?id={one['case_id']}#deeds"
    for path, fields in (
        ("case-assign", {"owner": "maker"}),
        ("case-comment", {"note": "<script>asked</script> the platform"}),
        ("case-propose", {"note": "paid once", "seen": one["evidence_digest"]}),
    ):
        answer = desk.post(path, **to, **fields)
        assert (answer.status_code, answer.headers["location"]) == (303, back), path
    shown = desk.get("case", **to).text
    assert "&lt;script&gt;asked" in shown and "Another person decides" in shown and 'action="case-decide"' not in shown
    with opened(own_desk.home) as instance:
        (proposal,) = instance.find("proposal", kind="case", subject=one["case_id"])
    desk.who = "checker"
    assert 'action="case-decide"' in desk.get("case", **to).text
    assert desk.post("case-decide", **to, proposal=proposal["proposal_id"], answer="perhaps", note="x").status_code == 400
    decided = desk.post("case-decide", **to, proposal=proposal["proposal_id"], answer="approve", note="seen")
    assert decided.status_code == 303
    assert history(own_desk, one["case_id"])[-4:] == ["ASSIGNED", "COMMENTED", "PROPOSED", "APPROVED"]
    assert "maker" in read(desk.get("cases", owner="maker").text).text


def test_nobody_approves_his_own_and_a_form_that_is_not_ours_does_nothing(own_desk: Desk, desk: Desk) -> None:
    one = settled_by_decision(own_desk)
    desk.post("case-propose", id=one["case_id"], note="mine")
    with opened(own_desk.home) as instance:
        (proposal,) = instance.find("proposal", kind="case", subject=one["case_id"])
    own = desk.post("case-decide", id=one["case_id"], proposal=proposal["proposal_id"], answer="approve", note="x")
    assert own.status_code == 403
    foreign = desk.client.post(
        "/case-comment", data={"id": one["case_id"], "note": "x"}, headers={"sec-fetch-site": "cross-site"}
    )
    assert foreign.status_code == 403
    assert "COMMENTED" not in history(own_desk, one["case_id"])


def test_evidence_that_is_no_longer_what_the_page_showed_is_not_settled(own_desk: Desk, desk: Desk) -> None:
    one = settled_by_decision(own_desk)
    answer = desk.post("case-propose", id=one["case_id"], note="x", seen="other")
    assert answer.status_code == 400 and "has changed since you looked" in answer.text


def test_an_adjusting_entry_is_proposed_between_accounts_that_the_page_only_shows_masked(own_desk: Desk, desk: Desk) -> None:
    one = settled_by_decision(own_desk)
    shown = read(desk.get("case", id=one["case_id"]).text)
    options = [attrs["value"] or "" for tag, attrs in shown.tags if tag == "option" and "case" not in (attrs.get("value") or "")]
    accounts = [value for value in options if len(value) == 25]
    assert len(set(accounts)) == 3 and not any("LENDER" in value for value in options)
    form = {"id": one["case_id"], "from": accounts[0], "to": accounts[1], "note": "paid to the wrong one"}
    assert desk.post("case-adjust", **form, amount="12.3.4").status_code == 400
    assert desk.post("case-adjust", **{**form, "to": "nobody"}, amount="1").status_code == 400
    assert desk.post("case-adjust", **form, amount="12.34").status_code == 303
    with opened(own_desk.home) as instance:
        (proposal,) = instance.find("proposal", kind="adjustment", subject=one["case_id"])
    said = json.loads(proposal["payload"])
    assert (said["amount_minor"], said["txn_type"], said["value_date"]) == (12_34, "ADJUSTMENT", None)
    assert {said["from_account"], said["to_account"]} <= set(accounts_of(one))
    assert said["from_account"] not in desk.get("case", id=one["case_id"]).text


def test_what_comes_again_adds_up(desk: Desk) -> None:
    answer = desk.get("case-patterns")
    shown = read(answer.text)
    kinds = next(table for table in shown.tables if "种类" in table[0][1])
    assert sum(int(row[2]) for row in kinds[1:]) == len(cases(desk))
    assert any(link.startswith("cases?platform=") for link in shown.links)
    assert "No case was opened" in desk.get("case-patterns", since="2031-01-01").text
    assert desk.get("case-patterns", since="soon").status_code == 400


@pytest.mark.parametrize("path", ["case", "case?id=", "case?id=%3Cscript%3E"])
def test_a_case_that_there_is_not(desk: Desk, path: str) -> None:
    answer = desk.client.get(f"/{path}")
    assert answer.status_code == 404 and "<script>" not in answer.text


def test_the_day_that_found_them_is_what_they_stand_as_of(desk: Desk) -> None:
    assert f'datetime="{GO_LIVE}"' in desk.get("cases").text


def test_the_command_line_tells_the_same(own_desk: Desk) -> None:
    def said(*words: str) -> Any:
        done = CliRunner().invoke(command_line, ["case", *words, "--json"], env={"CUSTODY_HOME": str(own_desk.home)})
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout.splitlines()[-1])

    one = settled_by_decision(own_desk)
    listed = said("list", "--kind", one["kind"])["cases"]
    assert [row["case_id"] for row in listed] == [one["case_id"]] and listed[0]["overdue"] is False
    said("assign", one["case_id"], "--as", "maker", "--to", "maker")
    said("comment", one["case_id"], "--as", "maker", "--note", "asked")
    shown = said("show", one["case_id"])
    assert [line["event"] for line in shown["history"]][-2:] == ["assigned", "comment"]
    assert set(shown["differs"]) & {"from_account", "to_account"} and {e["side"] for e in shown["evidence"]} == {"A", "B"}
    assert said("next", "--as", "checker")["case"]["case_id"] != one["case_id"]
    assert sum(tally["cases"] for tally in said("patterns")["kinds"]) == len(cases(own_desk))
    accounts = accounts_of(one)
    adjusted = said(
        "adjust", one["case_id"], "--as", "maker", "--note", "x", "--amount", "1", "--from", accounts[0], "--to", accounts[1]
    )
    assert said("approve", adjusted["proposal"], "--as", "checker")["state"] == "APPROVED"
    words = CliRunner().invoke(command_line, ["case", "show", one["case_id"]], env={"CUSTODY_HOME": str(own_desk.home)})
    assert words.exit_code == 0 and "≠" in words.stdout and "txn/" in words.stdout
