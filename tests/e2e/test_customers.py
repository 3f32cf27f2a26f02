"""One person at a time: found by anything, shown masked, changed by form, merged; and what nobody may see stands nowhere."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from customer_kit import DAYS, Market, approve, customer_rows, deliver_with, id_of, places_of
from instance_kit import Instance, opened
from kill_kit import CopyOf
from typer.testing import CliRunner

from console.cli import app
from custody.customer_decisions import ADD, CHANGE
from custody.errors import NotPermitted, UsageError
from custody.services import customer_desk
from custody.services.customer_history import history
from custody.services.customer_papers import export, reveal
from custody.services.customer_proposals import propose_change, propose_merge, propose_rows
from custody.services.customers import customer, find_customers

PERSON = {
    "user_no": "Y001000777", "role": "PAYEE", "action": "OPEN", "kind": "PERSON", "id_type": "ID", "id_no": "11010519491231002X",
    "name": "独孤求败", "phone": "13800138777", "card_no": "6222020000000000018", "event_time": "2020-01-01T00:00:00",
}  # fmt: skip
OTHER_PHONE = "13900139888"
SECRET = [PERSON[name] for name in ("id_no", "name", "phone", "card_no")]


def custody(home: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    done = CliRunner().invoke(app, ["customer", *arguments, "--json"], env={"CUSTODY_HOME": str(home)})
    return done.exit_code, json.loads(done.stdout.splitlines()[-1]), done.output


def form(*rows: dict[str, str]) -> bytes:
    return "\n".join([",".join(PERSON), *(",".join(row.values()) for row in rows), ""]).encode()


def test_a_customer_is_found_by_anything_and_shown_masked(market: Market, fresh: CopyOf) -> None:
    stayer, before = (
        market.stayer,
        next(r for r in customer_rows(market.world, DAYS[0]) if r["user_no"] == market.stayer["user_no"]),
    )
    account = f"P001.BORROWER.{stayer['user_no']}"
    home = fresh(market.home)
    with opened(home) as instance:
        ports = instance.wiring.customer_ports
        found = id_of(instance, account)
        for query in (found, f"P001/{stayer['user_no']}", stayer["id_no"].lower(), f" {stayer['phone']} ", stayer["card_no"]):
            assert id_of(instance, query) == found
        # The phone of before leads to nobody; a number that is none is refused and not repeated.
        assert before["phone"] != stayer["phone"] and find_customers(ports, "maker", before["phone"]) == []
        with pytest.raises(UsageError) as refused:
            find_customers(ports, "maker", f"{stayer['phone']}0")
        assert stayer["phone"] not in str(refused.value)
        for on, phone in zip(DAYS[:2], (before["phone"], stayer["phone"]), strict=True):
            view = customer(ports, "auditor", found, on)
            assert view.personal["P001"]["phone"] == f"{phone[:3]}******{phone[-2:]}"
            (shown,) = view.accounts
            closing = {r["account"]: r["closing_minor"] for r in instance.lake_rows(on, "post", "balances")}
            assert (shown.available_minor, shown.frozen_minor) == tuple(
                closing[f"{account}:{p}"] for p in ("available", "frozen")
            )
        told = [(e.on, e.what, e.words_en, e.source) for e in history(ports, "maker", found) if e.subject == "P001"]
        assert [what[:2] for what in told] == [(DAYS[0], "SAID"), (DAYS[1], "CHANGED")]
        assert told[1][2] == "P001 says of him: phone" and told[1][3].startswith("P001_CUSTOMER_20191231_01_v1.csv:")
        with pytest.raises(UsageError, match="no customer"):
            customer(ports, "maker", "C" + "0" * 24)
    for arguments in (["show", found], ["find", account], ["history", found], ["show", found, "--as-of", DAYS[0].isoformat()]):
        code, _, said = custody(home, *arguments, "--as", "maker")
        assert code == 0 and not any(stayer[name] in said for name in ("id_no", "phone", "card_no", "name"))


def test_data_in_clear_are_had_for_a_reason_and_on_record(market: Market, fresh: CopyOf, tmp_path: Path) -> None:
    home, stayer = fresh(market.home), market.stayer
    with opened(home) as instance:
        ports = instance.wiring.customer_ports
        found = id_of(instance, stayer["phone"])
        assert reveal(ports, "maker", found, "he called")["P001"]["card_no"] == stayer["card_no"]
        for actor, reason, error in (("auditor", "curious", NotPermitted), ("maker", " ", UsageError)):
            with pytest.raises(error):
                reveal(ports, actor, found, reason)
        with pytest.raises(NotPermitted):
            export(ports, "maker", found, "he asked")
    out = tmp_path / "his.zip"
    code, answer, _ = custody(home, "export", found, "--as", "checker", "--reason", "his letter", "--out", str(out))
    assert code == 0 and out.stat().st_mode & 0o777 == 0o600
    assert custody(home, "export", found, "--as", "checker", "--reason", "again", "--out", str(out))[0] == 2
    with zipfile.ZipFile(out) as packed:
        held = json.loads(packed.read(f"{found}.json"))
        readable = packed.read(f"{found}.txt").decode()
    assert {r["phone"] for r in held["personal"]} >= {stayer["phone"]} and stayer["name"] in readable and "资金变动" in readable
    assert held["movements"] and held["loans"][0]["borrower"] == f"P001.BORROWER.{stayer['user_no']}"
    # Of the other parties no user number.
    assert not {
        r["user_no"]
        for r in customer_rows(market.world, DAYS[0])
        if r["user_no"] != stayer["user_no"] and r["user_no"] in readable
    }
    with opened(home) as instance:
        events = [(e["actor"], e["action"], json.loads(e["details"])) for e in instance.find("audit_event", subject=found)]
        assert ("maker", "customer.reveal", {"parties": ["P001"], "reason": "he called"}) in events
        assert ("checker", "customer.export", {"reason": "his letter", "sha256": answer["sha256"]}) in events
        assert [action for _, action, _ in events].count("refused:customer.reveal") == 1
        assert not any(stayer[name] in str(events) for name in ("id_no", "phone", "card_no", "name"))


def test_a_form_is_checked_like_a_file_of_the_platforms(market: Market, fresh: CopyOf) -> None:
    with opened(fresh(market.home)) as instance:
        ports, stayer, leaver = instance.wiring.customer_ports, market.stayer, market.leaver
        rows = [
            {**PERSON, "phone": "1380013877", "user_no": "Y1"},
            {**PERSON, "action": "CHANGE", "user_no": "Y2"},
            {**PERSON, "role": stayer["role"], "user_no": stayer["user_no"]},
        ]
        found = propose_rows(ports, "maker", ADD, "P001", form(*rows), "three")
        assert found.proposal is None and [(f.line_no, f.field, f.rule) for f in found.faults] == [
            (2, "phone", "phone"), (3, "action", "form_action"), (4, "user_no", "account_exists"),
        ]  # fmt: skip
        assert not any(value in str(found.faults) for value in ("1380013877", *SECRET))
        names = ("user_no", "role", "action", "kind", "id_type", "id_no", "name", "phone", "card_no", "event_time")
        changes = [
            {**PERSON, "action": "CHANGE"},
            {n: {**leaver, "action": "CHANGE"}[n] for n in names},
            {**PERSON, "action": "CHANGE", "role": stayer["role"], "user_no": stayer["user_no"]},
            {n: {**stayer, "action": "CLOSE"}[n] for n in names},
        ]
        found = propose_rows(ports, "maker", CHANGE, "P001", form(*changes), "four")
        assert [(f.line_no, f.rule) for f in found.faults] == [
            (2, "account_unknown"), (3, "account_closed"), (4, "other_person"), (5, "account_not_empty"),
        ]  # fmt: skip
        assert all(english and chinese for english, chinese in (f.words for f in found.faults))
        for actor, platform, note, error in (
            ("maker", "P009", "n", UsageError), ("maker", "P001", "", UsageError), ("checker", "P001", "n", NotPermitted)
        ):  # fmt: skip
            with pytest.raises(error):
                propose_rows(ports, actor, ADD, platform, form(PERSON), note)
        assert instance.find("proposal", kind=[ADD, CHANGE]) == [] and places_of(instance, SECRET) == set()


def test_forms_and_a_merger_over_two_days(market: Market, fresh: CopyOf) -> None:
    stayer = market.stayer
    home = fresh(market.home)
    with opened(home) as instance:
        ports = instance.wiring.customer_ports
        added = propose_rows(ports, "maker", ADD, "P001", form(PERSON), "opened at the counter").proposal
        assert added == propose_rows(ports, "maker", ADD, "P001", form(PERSON), "opened at the counter").proposal
        # Sealed with the customer, and in no payload, note, audit event or log.
        assert places_of(instance, SECRET) == {"keyed store customer"}
        turned_down = propose_rows(ports, "maker", ADD, "P001", form({**PERSON, "user_no": "Y2", "phone": OTHER_PHONE}), "no")
        assert turned_down.proposal is not None
        customer_desk.decide(ports, "checker", turned_down.proposal, False, "not him")
        assert places_of(instance, [OTHER_PHONE]) == set()
        changed = propose_change(ports, "maker", "P001", "BORROWER", stayer["user_no"], {"phone": OTHER_PHONE}, "he called")
        for number in (added, changed.proposal):
            approve(instance, number)
            assert "next custody day" in customer_desk.carry_out(ports, "system", str(number))
        # Into the day: somebody with money leaves, and another's number is sent as if it were his own.
        leaving = {**stayer, "action": "CLOSE", "event_time": f"{DAYS[2]}T10:00:00"}
        other = {**leaving, "action": "OPEN", "role": "LENDER", "user_no": "U001000001", "kind": "PERSON"}
        # And one who left yesterday is opened again: a closed number stays closed.
        back = {**market.leaver, "action": "OPEN", "event_time": f"{DAYS[2]}T11:00:00"}
        deliver_with(instance, market.world, DAYS[2], [leaving, other, back])
        instance.run_day(DAYS[2])
        kinds = {(b["kind"], b["subject"].split("|")[1]) for b in instance.lake_rows(DAYS[2], "reconcile", "breaks")}
        wanted = {("CUSTOMER", f"LENDER.{user_no}") for user_no in (other["user_no"], back["user_no"])}
        assert {k for k in kinds if k[0] == "CUSTOMER"} == wanted and "INV_14" in {k[0] for k in kinds}
        taken_up(instance, stayer, str(added))
        merged(instance, market)
    assert CliRunner().invoke(app, ["store", "verify"], env={"CUSTODY_HOME": str(home)}).exit_code == 0


def taken_up(instance: Instance, stayer: dict[str, str], added: str) -> None:
    ports = instance.wiring.customer_ports
    new = id_of(instance, PERSON["phone"])
    (account,) = customer(ports, "maker", new).accounts
    assert (account.sub_account, account.opened_on, account.is_open) == (f"P001.PAYEE.{PERSON['user_no']}", DAYS[2], True)
    assert [e.source for e in history(ports, "maker", new) if e.what == "SAID"] == [f"proposal:{added}"]
    assert find_customers(ports, "maker", OTHER_PHONE) and id_of(instance, OTHER_PHONE) == id_of(instance, stayer["id_no"])
    assert places_of(instance, SECRET) == {"keyed store customer", "keyed store person_index"}


def merged(instance: Instance, market: Market) -> None:
    """The person of the form is found to be a lender of the platform's."""
    ports = instance.wiring.customer_ports
    new, lender = id_of(instance, PERSON["phone"]), id_of(instance, "P001.LENDER.U001000001")
    for old, into, note in ((new, new, "n"), (new, lender, " "), (new, "C" + "9" * 24, "n")):
        with pytest.raises(UsageError):
            propose_merge(ports, "maker", old, into, note)
    approve(instance, propose_merge(ports, "maker", new, lender, "one identity paper, seen at the counter"))
    instance.deliver(market.world, DAYS[3])
    assert [r["new"] for r in instance.lake_rows(DAYS[2], "land", "customer_aliases")] == []
    instance.run_day(DAYS[3])
    ports, account = instance.wiring.customer_ports, f"P001.PAYEE.{PERSON['user_no']}"
    view = customer(ports, "maker", lender)
    assert account in [a.sub_account for a in view.accounts] and view.merged_from == (new,)
    assert account not in [a.sub_account for a in customer(ports, "maker", lender, DAYS[2]).accounts]
    old = customer(ports, "maker", new)
    assert (old.accounts, old.personal, old.merged_into) == ((), {}, lender)
    assert [a.sub_account for a in customer(ports, "maker", new, DAYS[2]).accounts] == [account]
    for query in (PERSON["phone"], PERSON["id_no"], new, account):
        assert id_of(instance, query) == lender
    assert {e.what for e in history(ports, "maker", new)} >= {"OPENED", "PASSED_ON", "APPROVED"}
    assert "TAKEN_OVER" in {e.what for e in history(ports, "maker", lender)}
    with pytest.raises(UsageError, match="A merger is not undone"):
        propose_merge(ports, "maker", lender, new, "back again")
    with pytest.raises(UsageError, match="was merged"):
        propose_merge(ports, "maker", new, lender, "once more")
    # The day landed again says the same, and nobody is under his old id again.
    known = instance.keyed_rows()
    assert instance.step("land", DAYS[3], reason="landed again after the merger").seal.version == 2
    assert instance.keyed_rows() == known and instance.damage() == []
