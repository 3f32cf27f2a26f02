"""The page behind Airflow's real log-in, and what our roles may do in Airflow itself."""

from __future__ import annotations

import http.cookiejar
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from desk_home import BOSS
from instance_kit import GO_LIVE, opened
from pages_kit import party_rows
from permission_matrix import PROPERTY, Asked, Asker, airflow_actions, console_actions
from test_console import PAGES
from test_day_page import status
from test_matrix import DEEDS

from cluster.airflow_client import AirflowClient, AirflowRefused
from cluster.programs import ldap_library
from console.airflow.pools import DAY as DAY_POOL
from custody.calendar_table import DecidedDay
from custody.services.calendars import propose_days
from custody.services.people import DUTIES, add_person

if TYPE_CHECKING:
    from real_airflow import AirflowAndInstance
    from real_slapd import Directory

pytestmark = pytest.mark.real
_ANSWER_SECONDS = 60
# All of it in the soak; else of each action one whom it is allowed and one whom it is not.
WHOLE = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
ANSWER = "dags/customer_maintenance/dagRuns/none/taskInstances/ask/-1/hitlDetails"


class Browser:
    """Keeps cookies, follows redirects, and takes an error's page as a page."""

    def __init__(self, url: str) -> None:
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(jar, urllib.request.ProxyHandler({}))
        self._url = url

    def get(self, path: str, form: dict[str, str] | None = None, headers: dict[str, str] | None = None) -> tuple[int, str]:
        data = urllib.parse.urlencode(form).encode() if form else None
        asked = urllib.request.Request(self._url + path, data, headers or {})
        try:
            with self._opener.open(asked, timeout=_ANSWER_SECONDS) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def log_in(self, person_id: str, password: str) -> None:
        """As a person does: the form, with its token against forgery, and the button."""
        code, form = self.get("/auth/login/")
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form)
        assert code == 200 and token, form[:500]
        self.get("/auth/login/", {"csrf_token": token[1], "username": person_id, "password": password})


def browser(real: AirflowAndInstance, person_id: str) -> Browser:
    one = Browser(real.airflow.url)
    one.log_in(person_id, real.airflow.passwords()[person_id])
    return one


def test_all_services_are_healthy(real_airflow: AirflowAndInstance) -> None:
    assert real_airflow.airflow.healthy() is None
    assert real_airflow.airflow.passwords_file.stat().st_mode & 0o077 == 0


def test_the_maker_logs_in_and_sees_the_figures(real_airflow: AirflowAndInstance) -> None:
    code, html = browser(real_airflow, "maker").get(f"/custody/day?date={GO_LIVE}")
    assert code == 200, html
    assert party_rows(html) == status(real_airflow.home, GO_LIVE)["platforms"]
    assert "CLOSED" in html


def test_a_form_of_ours_is_taken_and_one_of_another_site_is_not(real_airflow: AirflowAndInstance) -> None:
    """Below Airflow's own paths: the token's cookie comes back, and the answer's address is relative to the page."""
    maker = browser(real_airflow, "maker")
    code, form = maker.get("/custody/transactions")
    token = re.search(r'name="form_token" value="([^"]+)"', form)
    assert code == 200 and token, form[:500]
    asked = {"form_token": token[1], "platform": "P001", "type": "RECHARGE"}
    code, html = maker.get("/custody/transactions", asked, {"Sec-Fetch-Site": "same-origin"})
    assert code == 200 and "P001" in html and "In order of date and number" in html
    code, html = maker.get("/custody/transactions", asked, {"Sec-Fetch-Site": "cross-site"})
    assert code == 403 and "In order of date" not in html


def test_without_log_in_and_with_a_wrong_password_nothing_is_shown(real_airflow: AirflowAndInstance) -> None:
    stranger = Browser(real_airflow.airflow.url)
    assert stranger.get("/custody/day")[0] == 401
    stranger.log_in("maker", "wrong")
    code, html = stranger.get("/custody/day")
    assert code == 401 and "P001" not in html
    with pytest.raises(AirflowRefused, match="401"):
        AirflowClient(real_airflow.airflow.url, "maker", "wrong").ask("GET", "dags")


def test_who_lacks_the_duty_is_refused(real_airflow: AirflowAndInstance) -> None:
    code, html = browser(real_airflow, "zhang").get("/custody/day")
    assert code == 403 and "You may not see this page" in html and "P001" not in html


def test_what_each_duty_may_do_in_airflow(real_airflow: AirflowAndInstance) -> None:
    airflow = real_airflow.airflow
    airflow.client("maker").wait_for_dags(["custody_fees"], 120)
    views = [v["name"] for p in airflow.client("auditor").ask("GET", "plugins")["plugins"] for v in p["external_views"]]
    assert {"Day 账务日", "Cases 案件", "Alerts 预警", "Reports 报表"} <= set(views) and "Customers 客户" not in views
    refusals = [
        ("auditor", "POST", "dags/custody_fees/dagRuns", {"logical_date": None}),
        ("checker", "POST", "dags/custody_fees/dagRuns", {"logical_date": None}),
        ("admin", "POST", "dags/custody_fees/dagRuns", {"logical_date": None}),
        ("auditor", "PATCH", "dags/custody_fees", {"is_paused": False}),
        ("maker", "GET", "connections", None),
        ("maker", "DELETE", "dags/custody_fees", None),
        ("zhang", "GET", "plugins", None),
        ("maker", "PATCH", ANSWER, {"chosen_options": ["Approve"], "params_input": {}}),
        ("auditor", "PATCH", ANSWER, {"chosen_options": ["Approve"], "params_input": {}}),
    ]
    for person_id, method, path, body in refusals:
        with pytest.raises(AirflowRefused) as refused:
            airflow.client(person_id).ask(method, path, body)
        assert refused.value.status == 403, (person_id, method, path)
    # A supervisor may answer what the customer DAG asks: here there is nothing to answer. He edits no other DAG.
    with pytest.raises(AirflowRefused) as nothing:
        airflow.client("checker").ask("PATCH", ANSWER, {"chosen_options": ["Approve"], "params_input": {}})
    assert nothing.value.status == 404
    # Not even those that ask him does he pause, one by one or all at once.
    for path in (
        "dags/custody_fees",
        "dags/customer_maintenance",
        "dags/customer_maintenance?update_mask=is_paused",
        "dags?dag_id_pattern=%25",
    ):
        with pytest.raises(AirflowRefused) as refused:
            airflow.client("checker").ask("PATCH", path, {"is_paused": False})
        assert refused.value.status == 403, path
    airflow.client("maker").pause("customer_maintenance")
    # A list is not refused as a whole: who may see no DAG sees none.
    assert airflow.client("auditor").ask("GET", "dags")["total_entries"] == 17


def test_a_step_through_the_scheduler_returns_its_seal(real_airflow: AirflowAndInstance) -> None:
    maker = real_airflow.airflow.client("maker")
    assert maker.ask("GET", f"pools/{DAY_POOL}")["slots"] == 1
    maker.wait_for_dags(["custody_fees"], 120)
    maker.unpause("custody_fees")
    run = maker.trigger("custody_fees", GO_LIVE)
    assert maker.wait_for_run("custody_fees", run, 180) == "success"
    assert maker.result("custody_fees", run, "fees")["outcome"] == "unchanged"
    log = maker.log("custody_fees", run, "fees")
    assert f"custody fees --date {GO_LIVE} --json" in log and "exit 0" in log
    assert maker.ask("GET", f"dags/custody_fees/dagRuns/{run}/taskInstances/fees")["pool"] == DAY_POOL


def test_a_maker_who_answers_for_his_own_proposal_in_airflow_is_refused_and_it_is_recorded(
    real_airflow: AirflowAndInstance,
) -> None:
    """As who holds both duties, so that Airflow lets him answer: our service does not let him decide."""
    airflow, dag_id = real_airflow.airflow, "master_data_approvals"
    with opened(real_airflow.home) as instance:
        day = DecidedDay(GO_LIVE.replace(year=2020, month=6, day=1), False, "x")
        number = propose_days(instance.wiring.register, instance.wiring.clock, BOSS, [day], "his own")
    boss = airflow.client(BOSS)
    boss.wait_for_dags([dag_id], 120)
    boss.unpause(dag_id)
    run = boss.ask("POST", f"dags/{dag_id}/dagRuns", {"logical_date": None, "conf": {"proposal_id": number}})["dag_run_id"]
    until = time.monotonic() + 400
    while boss.task_states(dag_id, run)["ask"] != "awaiting_input":
        assert time.monotonic() < until, boss.task_states(dag_id, run)
        time.sleep(2)
    # An answer sooner than some seconds after the question meets a race of Airflow's own.
    time.sleep(10)
    asked = f"dags/{dag_id}/dagRuns/{urllib.parse.quote(run, safe='')}/taskInstances/ask/-1/hitlDetails"
    boss.ask("PATCH", asked, {"chosen_options": ["Approve"], "params_input": {"note": "mine"}})
    assert boss.wait_for_run(dag_id, run, 400) == "failed"
    assert boss.task_states(dag_id, run) == {"show": "success", "ask": "success", "decide": "failed"}
    assert "may not decide it: another person must" in boss.log(dag_id, run, "decide")
    with opened(real_airflow.home) as instance:
        (proposal,) = instance.find("proposal", proposal_id=number)
        told = [(event["action"], event["subject"]) for event in instance.find("audit_event") if event["actor"] == BOSS]
    assert (proposal["state"], proposal["checker"]) == ("PROPOSED", None)
    assert ("refused:calendar.approve", number) in told
    assert any(action == "airflow" and "hitlDetails" in subject for action, subject in told), told[-6:]


@pytest.mark.parametrize("said", ["2020-02-30", "tomorrow", "2999-01-01", "2019-12-29"])
def test_a_date_for_which_nothing_can_run_is_refused_when_a_run_is_asked_for(real_airflow: AirflowAndInstance, said: str) -> None:
    maker = real_airflow.airflow.client("maker")
    maker.wait_for_dags(["risk_alerts"], 120)
    with pytest.raises(AirflowRefused) as refused:
        maker.ask("POST", "dags/risk_alerts/dagRuns", {"logical_date": None, "conf": {"custody_date": said}})
    assert (
        refused.value.status == 400 and "custody date that has begun" in str(refused.value) and "首个托管日" in str(refused.value)
    )
    assert maker.runs("risk_alerts") == []


def test_any_range_of_past_days_is_backfilled_one_after_the_other(real_airflow: AirflowAndInstance) -> None:
    """As the form of the UI asks for it with its clock at UTC+8: the first moments of the first and of the last day."""
    maker = real_airflow.airflow.client("maker")
    maker.wait_for_dags(["custody_day"], 120)
    wanted = {"dag_id": "custody_day", "from_date": f"{GO_LIVE}T00:00:00+08:00", "to_date": "2020-01-02T00:00:00+08:00"}
    assert maker.ask("POST", "backfills/dry_run", wanted)["total_entries"] == 4
    made = backfill(maker, {**wanted, "max_active_runs": 1})
    try:
        days = sorted(run["data_interval_end"][:10] for run in maker.runs("custody_day") if run["run_type"] == "backfill")
        assert days == ["2019-12-30", "2019-12-31", "2020-01-01", "2020-01-02"]
    finally:
        maker.ask("PUT", f"backfills/{made['id']}/cancel")


def backfill(maker: AirflowClient, wanted: dict[str, Any]) -> Any:
    """These tests' Airflow is on SQLite, where it answers 503 while another of its services writes."""
    until = time.monotonic() + 180
    while True:
        try:
            return maker.ask("POST", "backfills", wanted)
        except AirflowRefused as refused:
            if refused.status != 503 or time.monotonic() > until:
                raise
            time.sleep(1)


def test_who_leaves_the_register_can_no_longer_log_in(real_airflow: AirflowAndInstance) -> None:
    airflow = real_airflow.airflow
    with opened(real_airflow.home) as instance:
        add_person(instance.wiring.register, "admin", "leaver", "Leaver", ["operator"])
    airflow.synchronise_users()
    assert airflow.client("leaver").ask("GET", "version")["version"]
    with opened(real_airflow.home) as instance, instance.wiring.register.transaction() as tx:
        tx.update("person", {"person_id": "leaver"}, {"active": False})
    airflow.synchronise_users()
    with pytest.raises(AirflowRefused) as refused:
        airflow.client("leaver").ask("GET", "dags")
    assert refused.value.status == 401
    assert airflow.client("maker").ask("GET", "dags")["total_entries"] == 17


def test_the_matrix_of_duties_and_actions(
    real_airflow: AirflowAndInstance, record_property: Callable[[str, object], None]
) -> None:
    """Every duty asks for everything, of Airflow and of the console; who may not changes nothing, and each refusal is on record."""
    airflow = real_airflow.airflow
    known = sorted(dag["dag_id"] for dag in airflow.client("maker").ask("GET", "dags")["dags"])
    dag_ids = known if WHOLE else ["custody_day", "case_approvals"]
    people = {duty: Asker(airflow.url, f"p.{duty}", airflow.client(f"p.{duty}").token) for duty in DUTIES}
    runs = {dag_id: airflow.client("maker").ask("GET", f"dags/{dag_id}/dagRuns")["total_entries"] for dag_id in dag_ids}
    with opened(real_airflow.home) as instance:
        before = {name: rows for name, rows in instance.register_rows().items() if name != "audit_event"}
    asked = Asked()
    asked.ask_all(airflow_actions(dag_ids), people, not WHOLE)
    asked.ask_all(console_actions(PAGES, DEEDS), people, not WHOLE)
    record_property(PROPERTY, json.dumps(asked.lines))
    assert asked.wrong == []
    with opened(real_airflow.home) as instance:
        rows = instance.register_rows()
        told = [event for event in instance.find("audit_event") if event["action"].startswith("refused:")]
    assert {name: found for name, found in rows.items() if name != "audit_event"} == before
    assert {dag_id: airflow.client("maker").ask("GET", f"dags/{dag_id}/dagRuns")["total_entries"] for dag_id in dag_ids} == runs
    by_airflow = {(event["actor"], event["subject"]) for event in told if event["action"] == "refused:airflow"}
    assert asked.refused_by_airflow and asked.refused_by_airflow <= by_airflow
    by_pages = [event["actor"] for event in told if event["action"] != "refused:airflow"]
    assert len(by_pages) >= len(asked.refused_by_pages) > 0
    assert set(asked.refused_by_pages) <= set(by_pages)


# What Airflow's API server does with a name and a password (FabAuthManager.create_token), in a process of its own.
LOG_IN = """
import json, sys
from airflow.api_fastapi.app import create_auth_manager
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
with get_application_builder():
    made = {}
    for name, password in json.load(sys.stdin):
        user = create_auth_manager().create_token({}, {"username": name, "password": password})
        made[name + "/" + password] = sorted(role.name for role in user.roles) if user else None
print(json.dumps(made))
"""


def test_the_banks_directory_logs_people_in_and_its_groups_are_their_roles(
    real_airflow: AirflowAndInstance, real_slapd: Directory, tmp_path: Path
) -> None:
    from real_slapd import OPERATORS, READER, READER_PASSWORD, SUFFIX, SUPERVISORS

    (tmp_path / "library").mkdir()
    for part in ldap_library():
        (tmp_path / "library" / part.name).symlink_to(part)
    (tmp_path / "reader").write_text(READER_PASSWORD + "\n")
    (tmp_path / "directory.toml").write_text(
        f'kind = "ldap"\nserver = "{real_slapd.url}"\nsearch = "ou=people,{SUFFIX}"\nuid_field = "uid"\nbind_user = "{READER}"\n'
        f'bind_password_file = "reader"\n[groups]\n"{OPERATORS}" = ["operator"]\n"{SUPERVISORS}" = ["supervisor", "risk_officer"]\n'
    )
    airflow = real_airflow.airflow
    mine = {"CUSTODY_HOME": str(tmp_path), "PYTHONPATH": str(tmp_path / "library")}
    tried = [["li.na", "li"], ["li.na", "wrong"], ["wang.wei", "wang"], ["guest", "guest"], ["nobody", "x"], ["maker", "x"]]
    done = subprocess.run(
        [sys.executable, "-c", LOG_IN], env={**os.environ, **airflow.environment, **mine}, input=json.dumps(tried), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "li.na/li": ["custody operator"],
        "li.na/wrong": None,
        "wang.wei/wang": ["custody risk_officer", "custody supervisor"],
        # Whom no group of ours names may log in and sees nothing.
        "guest/guest": [],
        "nobody/x": None,
        "maker/x": None,
    }
