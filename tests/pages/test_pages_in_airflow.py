"""The page behind Airflow's real log-in, and what our roles may do in Airflow itself."""

from __future__ import annotations

import http.cookiejar
import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from instance_kit import GO_LIVE, opened
from pages_kit import party_rows
from permission_matrix import PROPERTY, Asked, Asker, airflow_actions, console_actions
from test_console import PAGES
from test_day_page import status
from test_matrix import DEEDS

from cluster.airflow_client import AirflowClient, AirflowRefused
from custody.services.people import DUTIES, add_person

if TYPE_CHECKING:
    from real_airflow import AirflowAndInstance

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
    assert {"Day 账务日", "Customers 客户", "Reports 报表"} <= set(views)
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
    with pytest.raises(AirflowRefused) as refused:
        airflow.client("checker").ask("PATCH", "dags/custody_fees", {"is_paused": False})
    assert refused.value.status == 403
    # A list is not refused as a whole: who may see no DAG sees none.
    assert airflow.client("auditor").ask("GET", "dags")["total_entries"] == 17


def test_a_step_through_the_scheduler_returns_its_seal(real_airflow: AirflowAndInstance) -> None:
    maker = real_airflow.airflow.client("maker")
    maker.wait_for_dags(["custody_fees"], 120)
    maker.unpause("custody_fees")
    run = maker.trigger("custody_fees", GO_LIVE)
    assert maker.wait_for_run("custody_fees", run, 180) == "success"
    assert maker.result("custody_fees", run, "fees")["outcome"] == "unchanged"
    log = maker.log("custody_fees", run, "fees")
    assert f"custody fees --date {GO_LIVE} --json" in log and "exit 0" in log


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
    assert sum(airflow.client("maker").ask("GET", f"dags/{dag_id}/dagRuns")["total_entries"] for dag_id in dag_ids[:2]) == 0
    by_airflow = {(event["actor"], event["subject"]) for event in told if event["action"] == "refused:airflow"}
    assert asked.refused_by_airflow and asked.refused_by_airflow <= by_airflow
    by_pages = [event["actor"] for event in told if event["action"] != "refused:airflow"]
    assert len(by_pages) >= len(asked.refused_by_pages) > 0
    assert set(asked.refused_by_pages) <= set(by_pages)
