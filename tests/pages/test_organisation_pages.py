"""Organisations on their pages: each with its contract in words, its files and what was decided about it."""

from __future__ import annotations

import json

from instance_kit import GO_LIVE, opened
from pages_kit import Desk, read
from typer.testing import CliRunner

from console.cli import app
from custody.services.organisation_history import SHOWN_DAYS, show_organisation
from custody.services.organisations import parties


def test_each_organisation_is_listed_and_found_by_kind_status_and_name(desk: Desk) -> None:
    with opened(desk.home) as instance, instance.wiring.register.transaction() as tx:
        known = parties(tx)
    table = read(desk.get("organisations").text).tables[-1]
    assert [row[0] for row in table[1:]] == [party.party for party in known]
    for kind in {party.kind for party in known}:
        table = read(desk.get("organisations", kind=kind).text).tables[-1]
        assert [row[0] for row in table[1:]] == [party.party for party in known if party.kind == kind]
    assert len(read(desk.get("organisations", status="SUSPENDED").text).tables[-1]) == 1
    some = known[0]
    for name in (some.party.lower(), some.name_zh):
        assert some.party in [row[0] for row in read(desk.get("organisations", name=name).text).tables[-1][1:]]


def test_one_organisation_tells_its_contract_its_files_and_who_decided(desk: Desk) -> None:
    with opened(desk.home) as instance, instance.wiring.register.transaction() as tx:
        told = show_organisation(tx, "P001", 14)
        related = told.party.contract.get("related_parties", [])
    contract, keys, promised, files, _sent, decisions = read(desk.get("organisation", party="P001").text).tables
    terms = {row[0].split(" ")[0]: row[1] for row in contract}
    assert told.party.contract["encoding"] == terms["encoding"]
    assert all(layout in terms["layouts"] for ids in told.party.contract["layouts"].values() for layout in ids)
    assert told.party.contract["fee_contract"]["per_mille_year"] in terms["custody"]
    assert (GO_LIVE.isoformat(), sum(dict(told.files)[GO_LIVE].values())) in [
        (row[0], sum(int(word) for word in row[1].split() if word.isdecimal())) for row in files[1:]
    ]
    assert terms["when"].count("every_day: 24:00 → D+1 01:00; +30 min") == len(told.party.contract["file_types"])
    assert [(row[0], sum(int(word) for word in row[1].split() if word.isdecimal())) for row in promised[1:]] == [
        (on.isoformat(), sum(states.values())) for on, states in told.promised
    ]
    assert dict(told.promised)[GO_LIVE] == {"ARRIVED": 5}
    assert [(row[2], row[4]) for row in decisions[1:]] == [(row["maker"], row["checker"]) for row in told.decisions]
    shown = desk.get("organisation", party="P001").text
    assert [row[1] for row in keys[1:]] == [key.fingerprint for key in told.keys] != []
    assert not [digest for digest in related if digest in shown]


def test_the_command_line_says_the_same(desk: Desk) -> None:
    answer = CliRunner().invoke(app, ["org", "show", "P001", "--json"])
    said = json.loads(answer.stdout)
    with opened(desk.home) as instance, instance.wiring.register.transaction() as tx:
        told = show_organisation(tx, "P001", SHOWN_DAYS)
    assert (said["contract"], len(said["decisions"])) == (told.party.contract, len(told.decisions))
    assert said["files"] == {on.isoformat(): counts for on, counts in told.files}
    assert said["promised"] == {on.isoformat(): counts for on, counts in told.promised}
    assert said["schedule"]["TXN"] == "every_day: 24:00 → D+1 01:00; +30 min"


def test_who_is_not_there_is_said_so(desk: Desk) -> None:
    answer = desk.get("organisation", party="P999")
    assert answer.status_code == 404 and "无此机构" in answer.text
    desk.who = "zhang"
    assert desk.get("organisations").status_code == 403
