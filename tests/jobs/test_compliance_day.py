"""A day made by hand through the real steps: what compliance finds, the rows behind it, who is shown it, and what alerts say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from compliance_day import BANK, FIRST, SECOND, TERMS, UNTIL, YUAN, first_day
from hand_made import Day, P, hand_made_instance, put
from instance_kit import Instance, opened
from typer.testing import CliRunner

from console.cli import app
from custody.alert_rules import AlertTerms
from custody.compliance_rules import NEEDS, Disclosure
from custody.match_rules import RuleBook
from custody.steps import STEPS
from jobs.compliance.alerts import LASTING, could_tell
from schemas.rule_book import shipped_rules


def let_in(home: Path, folder: Path, entry: str, number: int) -> None:
    """A watch list with the person of that number, proposed by one and approved by another."""
    who = Day(FIRST)
    who.opens(*BANK, number)
    id_no = who.rows["CUSTOMER"][0]["id_no"]
    path = folder / "list.yaml"
    path.write_text(
        f"list: un-1267\nvalid_from: {SECOND}\nsource: a circular\nentries: [{{entry: '{entry}', id_type: ID, id_no: '{id_no}'}}]\n"
    )

    def custody(*arguments: str) -> str:
        done = CliRunner().invoke(app, [*arguments, "--note", "n", "--json"], env={"CUSTODY_HOME": str(home)})
        assert done.exit_code == 0 and id_no not in done.output, done.output
        return done.stdout.splitlines()[-1]

    proposal = json.loads(custody("compliance", "watch", str(path), "--as", "maker"))["proposal"]
    custody("proposal", "approve", proposal, "--as", "checker")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compliance")
    made = hand_made_instance(folder / "home", folder / "world", FIRST)
    with opened(made) as instance:
        put(instance, first_day())
        instance.run_day(FIRST, STEPS)
        let_in(made, folder, "1", 1)
        second = Day(SECOND)
        second.loan(loan_id="L1", borrower_user_no="B1", raised_minor=0, state="BIDDING", **TERMS)
        put(instance, second)
        instance.run_day(SECOND, UNTIL)
    return made


@pytest.fixture
def instance(home: Path) -> Iterator[Instance]:
    with opened(home) as found:
        yield found


def findings(instance: Instance, on: date) -> dict[str, dict[str, Any]]:
    return {row["rule"]: row for row in instance.lake_rows(on, "compliance", "compliance_findings")}


def test_what_is_found_is_what_was_done(instance: Instance) -> None:
    found = findings(instance, FIRST)
    assert {rule: row["amount_minor"] for rule, row in found.items()} == {
        "limit_on_platform": 100_000 * YUAN,
        "shared_contact": 0,
        "fill_that_never_was": 100_000 * YUAN,
        "large_value": 600_000 * YUAN,
    }
    assert {row["rows_in_all"] for row in found.values()} == {1, 2, 3}
    # A condition that lasts is the same finding the next day; what happened once is not said again.
    later = findings(instance, SECOND)
    assert set(later) == {"limit_on_platform", "shared_contact", "watch_list"}
    assert all(later[rule]["finding_id"] == found[rule]["finding_id"] for rule in found if rule in later)


def test_whoever_stands_on_a_list_is_found_the_day_it_is_let_in_and_named_by_his_id_alone(instance: Instance) -> None:
    hit = findings(instance, SECOND)["watch_list"]
    lender = next(
        r["customer_id"] for r in instance.lake_rows(SECOND, "post", "sub_accounts") if r["sub_account"] == f"{P}.LENDER.U1"
    )
    assert (hit["subject"], hit["amount_minor"], hit["severity"], hit["platform"]) == (lender, 600_000 * YUAN, "CRITICAL", "")
    assert [row["customer_id"] for row in instance.lake_rows(SECOND, "land", "watched")] == [lender]
    proposals = str(instance.find("proposal", kind="watch_list"))
    assert lender in proposals and "110101" not in proposals


def test_every_row_behind_a_finding_says_where_it_stands(instance: Instance) -> None:
    found = findings(instance, FIRST)
    rows: dict[str, list[dict[str, Any]]] = {row["finding_id"]: [] for row in found.values()}
    for row in instance.lake_rows(FIRST, "compliance", "compliance_rows"):
        rows[row["finding_id"]].append(row)
    assert {rule: len(rows[row["finding_id"]]) for rule, row in found.items()} == {r: f["rows_in_all"] for r, f in found.items()}
    large = rows[found["large_value"]["finding_id"]]
    assert [(row["request_no"], row["txn_type"], row["amount_minor"], row["line_no"]) for row in large] == [
        ("R1", "RECHARGE", 300_000 * YUAN, 2),
        ("R2", "RECHARGE", 300_000 * YUAN, 3),
    ]
    assert all(row["entry_no"] for row in large)
    assert all(row["file_name"] and row["line_no"] for of in rows.values() for row in of)
    # The number itself is in no table: only its keyed digest is.
    digests = instance.lake_rows(FIRST, "compliance", "contact_digests")
    assert len({row["digest"] for row in digests}) == 1 and "13800000000" not in str(digests)


def test_a_finding_is_raised_once_and_says_no_more_than_may_be_told(instance: Instance) -> None:
    alerts = {row["rule"]: row for row in instance.find("alert") if row["raised_on"] == FIRST}
    assert {"LIMIT_ON_PLATFORM", "SHARED_CONTACT", "FILL_THAT_NEVER_WAS", "CONFIDENTIAL"} <= set(alerts)
    told = [row for row in instance.find("alert") if row["rule"] == "LIMIT_ON_PLATFORM"]
    assert [(row["platform"], row["raised_on"], row["last_seen_on"]) for row in told] == [(P, FIRST, SECOND)]
    assert alerts["SHARED_CONTACT"]["platform"] == ""
    large = findings(instance, FIRST)["large_value"]
    secret = str({n: alerts["CONFIDENTIAL"][n] for n in ("subject", "platform", "words_en", "words_zh", "figures")})
    assert large["subject"].split("|")[0] not in secret and "600" not in secret and P not in secret


def test_an_alert_ends_with_its_condition_and_what_happened_once_waits_for_a_person(instance: Instance) -> None:
    alerts = {row["rule"]: row for row in instance.find("alert") if row["raised_on"] == FIRST}
    ended = {rule for rule, row in alerts.items() if row["ended_at"]}
    # The second day's LOAN file does not name the loan any more.
    assert (
        ended == {"FILL_THAT_NEVER_WAS"}
        and alerts["FILL_THAT_NEVER_WAS"]["ended_en"] == f"not found any more at the end of {SECOND}"
    )
    assert {alerts[rule]["state"] for rule in ("LIMIT_ON_PLATFORM", "SHARED_CONTACT", "CONFIDENTIAL")} == {"OPEN"}


def test_what_a_late_file_leaves_open_does_not_end(instance: Instance) -> None:
    tells = could_tell(
        [{"rule": "fill_that_never_was", "platform": P, "subject": ""}, {"rule": "limit_on_all", "platform": "", "subject": "C1"}]
    )

    def alert(rule: str, platform: str, subject: str) -> dict[str, Any]:
        return {"rule": rule, "platform": platform, "subject": subject}

    assert not tells(alert("FILL_THAT_NEVER_WAS", P, "L2")) and tells(alert("FILL_THAT_NEVER_WAS", "P002", "L2"))
    assert not tells(alert("FILL_THAT_NEVER_WAS", "", f"{P}|L2"))
    assert not tells(alert("LIMIT_ON_ALL", "", "C1")) and tells(alert("LIMIT_ON_ALL", "", "C2"))
    assert tells(alert("CONFIDENTIAL", "", "HOLD|x")) and not tells(alert("CONFIDENTIAL", "", "FINDING|x"))
    # Each finding that is not confidential is told of by a rule of its own.
    routed = RuleBook.of(shipped_rules()).rules_on(FIRST).rule("alert_compliance").says
    assert isinstance(routed, AlertTerms)
    open_ = {rule.upper() for rule, needs in NEEDS.items() if needs.disclosure is not Disclosure.AML}
    assert all(any(fnmatchcase(one, pattern) for pattern in routed.alerts) for one in open_)
    assert set(LASTING) - {"CONFIDENTIAL"} <= {rule.upper() for rule in NEEDS}


def test_confidential_findings_are_shown_to_the_auditor_and_are_not_there_for_an_operator(home: Path) -> None:
    def custody(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, [*arguments], env={"CUSTODY_HOME": str(home)})
        return done.exit_code, done.output

    def listed(actor: str) -> list[dict[str, Any]]:
        code, output = custody("compliance", "list", "--date", str(FIRST), "--as", actor, "--json")
        assert code == 1
        rows: list[dict[str, Any]] = json.loads(output.splitlines()[-1])["findings"]
        return rows

    everything, without = listed("auditor"), listed("maker")
    assert [row for row in everything if row["disclosure"] != Disclosure.AML] == without and len(everything) == len(without) + 1
    (secret,) = (row["finding_id"] for row in everything if row["disclosure"] == Disclosure.AML)
    code, shown = custody("compliance", "explain", secret, "--as", "auditor")
    assert code == 0 and "600000.00" in shown and "art. 5" in shown and "R2" in shown
    code, refused = custody("compliance", "explain", secret, "--as", "maker")
    unknown = custody("compliance", "explain", "0" * 24, "--as", "maker")
    assert code == 2 and unknown[0] == 2 and refused.replace(secret, "0" * 24) == unknown[1]
    assert custody("compliance", "list", "--date", str(FIRST), "--as", "admin")[0] == 2
    with opened(home) as instance:
        refusals = [row["action"] for row in instance.find("audit_event") if row["action"].startswith("refused:compliance")]
    assert sorted(refusals) == ["refused:compliance.confidential.view", "refused:compliance.view"]


def test_the_same_day_again_is_the_same(instance: Instance) -> None:
    before = instance.find("alert")
    assert instance.step("compliance", SECOND).outcome == "unchanged"
    assert instance.find("alert") == before and instance.damage() == []


def test_an_alert_is_explained_by_its_finding(home: Path, instance: Instance) -> None:
    """Rule with version and citation, figures in yuan, and, for who may see findings, the rows behind it."""
    (alert,) = instance.find("alert", rule="LIMIT_ON_PLATFORM")

    def explained(*who: str) -> str:
        done = CliRunner().invoke(app, ["alert", "explain", alert["alert_id"], *who], env={"CUSTODY_HOME": str(home)})
        assert done.exit_code == 0, done.output
        return done.stdout

    told = explained("--as", "maker")
    assert "limit_on_platform/1" in told and "art. 17" in told and "超过单一平台借款上限" in told
    assert "owed = 300000.00" in told and "amount 300000.00" in told and "_LOAN_" in told
    for reader in ((), ("--as", "fees")):
        assert "_LOAN_" not in (hidden := explained(*reader)) and "--as NAME" in hidden and "limit_on_platform/1" in hidden
    # What is confidential is explained by no figure of its own.
    secret = next(row for row in instance.find("alert", rule="CONFIDENTIAL"))
    done = CliRunner().invoke(app, ["alert", "explain", secret["alert_id"], "--as", "risk"], env={"CUSTODY_HOME": str(home)})
    assert done.exit_code == 0 and "figure 数据" not in done.stdout
