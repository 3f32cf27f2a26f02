"""Every duty of domain.md §10 and everything that a person can ask of Airflow and of the console, over HTTP, as logged-in people.

Who may do what is said here by hand, from the contract, and not read off the roles that are tested.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from custody.permissions import PERMISSIONS, Duty
from custody.services.people import DUTIES

PROPERTY = "permission"
_ANSWER_SECONDS = 120
_TOKEN = "m" * 43

EVERYBODY = frozenset(DUTIES)
DESK = EVERYBODY - {Duty.REGULATOR}
OPERATOR = frozenset({Duty.OPERATOR})
SUPERVISOR = frozenset({Duty.SUPERVISOR})
ADMINISTRATOR = frozenset({Duty.ADMINISTRATOR})
NOBODY: frozenset[Duty] = frozenset()
APPROVALS = (
    "case_approvals", "customer_maintenance", "fee_approvals", "master_data_approvals", "report_releases", "restatement", "rule_approvals",
)  # fmt: skip


@dataclass(frozen=True)
class Action:
    """``path`` may name {me}, who asks. ``done``: the answers that mean he may: not there, or not so, are no refusals."""

    group: str
    name: str
    method: str
    path: str
    may: frozenset[Duty]
    body: Mapping[str, Any] | None = None
    done: frozenset[int] = frozenset({200, 201, 204, 400, 404, 409, 422})
    # A list is not refused as a whole: who may see nothing sees none. The key of its count.
    empty: str = ""


def airflow_actions(dag_ids: Iterable[str]) -> Iterator[Action]:
    """In an order in which each finds what it asks of: a run is started before it is cleared."""
    for dag_id in dag_ids:
        at = f"dags/{dag_id}"
        yield Action("see", f"{dag_id}", "GET", at, DESK)
        yield Action("see", f"{dag_id}: source", "GET", f"dagSources/{dag_id}", DESK)
        yield Action("see", f"{dag_id}: runs", "GET", f"{at}/dagRuns", DESK, empty="total_entries")
        run = f"{at}/dagRuns/none"
        yield Action("see", f"{dag_id}: log of a task", "GET", f"{run}/taskInstances/none/logs/1", DESK)
        yield Action("trigger", dag_id, "POST", f"{at}/dagRuns", OPERATOR, _NO_RUN)
        yield Action(
            "clear", f"{dag_id}: tasks", "POST", f"{at}/clearTaskInstances", OPERATOR, {"dag_run_id": "none", "dry_run": False}
        )
        yield Action("clear", f"{dag_id}: a run", "POST", f"{run}/clear", OPERATOR, {"dry_run": False})
        yield Action("mark", f"{dag_id}: a run", "PATCH", run, OPERATOR, {"state": "success"})
        yield Action("mark", f"{dag_id}: a task", "PATCH", f"{run}/taskInstances/none", OPERATOR, {"new_state": "success"})
        yield Action("pause", dag_id, "PATCH", f"{at}?update_mask=is_paused", OPERATOR, {"is_paused": True})
        yield Action("backfill", dag_id, "POST", "backfills", OPERATOR, {**_RANGE, "dag_id": dag_id})
        yield Action("delete", dag_id, "DELETE", at, NOBODY)
        yield Action("delete", f"{dag_id}: a run", "DELETE", run, NOBODY)
        yield Action("delete", f"{dag_id}: a task's state", "DELETE", f"{run}/taskInstances/none", NOBODY)
        forged = {"key": "return_value", "value": "{}"}
        yield Action("forge", f"{dag_id}: a task's result", "POST", f"{run}/taskInstances/none/xcomEntries", NOBODY, forged)
        if dag_id in APPROVALS:
            yield Action("answer", dag_id, "PATCH", f"{run}/taskInstances/ask/-1/hitlDetails", SUPERVISOR, _APPROVED)
    yield Action("see", "list of DAGs", "GET", "dags", DESK, empty="total_entries")
    yield Action("see", "Required Actions", "GET", "dags/~/dagRuns/~/hitlDetails", DESK, empty="total_entries")
    yield Action("see", "pages in the menu", "GET", "plugins", DESK)
    yield Action(
        "see", "Airflow's event log", "GET", "eventLogs", frozenset({Duty.ADMINISTRATOR, Duty.AUDITOR}), empty="total_entries"
    )
    yield Action("see", "connections", "GET", "connections", NOBODY)
    yield Action("see", "variables", "GET", "variables", NOBODY)
    yield Action("change", "a connection", "POST", "connections", NOBODY, {"connection_id": "x", "conn_type": "http"})
    yield Action("change", "a variable", "POST", "variables", NOBODY, {"key": "x", "value": "x"})
    yield Action("change", "a pool", "PATCH", "pools/none", ADMINISTRATOR, {"slots": 1})
    yield Action("change", "an asset's event", "POST", "assets/events", NOBODY, {"asset_id": 1})
    users = "/auth/fab/v1/users"
    yield Action("people", "see users", "GET", users, ADMINISTRATOR)
    yield Action("people", "see roles", "GET", "/auth/fab/v1/roles", ADMINISTRATOR)
    somebody = {
        "username": "x", "email": "x@localhost", "first_name": "x", "last_name": "x", "password": "x", "roles": [{"name": "custody supervisor"}],
    }  # fmt: skip
    yield Action("people", "add a user", "POST", users, NOBODY, somebody)
    yield Action(
        "people", "give oneself a role", "PATCH", f"{users}/{{me}}?update_mask=roles", NOBODY, {"roles": [{"name": "Admin"}]}
    )
    yield Action("people", "take a user away", "DELETE", f"{users}/p.{Duty.SUPERVISOR}", NOBODY)
    yield Action("people", "add a role", "POST", "/auth/fab/v1/roles", NOBODY, {"name": "x", "actions": []})
    yield Action(
        "people", "widen a role", "PATCH", f"/auth/fab/v1/roles/custody%20{Duty.OPERATOR}", NOBODY,
        {"name": f"custody {Duty.OPERATOR}", "actions": [{"action": {"name": "can_edit"}, "resource": {"name": "HITL Detail"}}]},
    )  # fmt: skip


_RANGE = {"from_date": "2019-12-31T00:00:00Z", "to_date": "2019-12-30T00:00:00Z"}
# Of no DAG, not of one that takes no date either, may a run have such a name: who may start one is told so.
_NO_RUN = {"logical_date": None, "dag_run_id": "no/such", "conf": {"custody_date": "wrong"}}
_APPROVED = {"chosen_options": ["Approve"], "params_input": {}}


def console_actions(pages: Mapping[str, str], deeds: Mapping[str, set[str]]) -> Iterator[Action]:
    """``pages``: page to the permission that it takes; ``deeds``: posted form to the permissions of which it takes one."""
    for page, permission in pages.items():
        yield Action("page", page, "GET", f"/custody/{page}", _duties(permission))
    for deed, permissions in deeds.items():
        yield Action("form", deed, "POST", f"/custody/{deed}", _duties(*permissions), _FORM, frozenset({200, 303, 400, 404, 409}))
        # By GET none of them does anything: there is no such page, or it is the one with the form on it.
        yield Action("GET", deed, "GET", f"/custody/{deed}", _duties(pages[deed]) if deed in pages else NOBODY)


def _duties(*permissions: str) -> frozenset[Duty]:
    return frozenset(duty for permission in permissions for duty in PERMISSIONS[permission])


# What every form asks for, about what is not there: nothing may come of it, whoever sends it.
_FORM = dict.fromkeys(("id", "proposal", "note", "why", "reason", "party", "customer", "owner", "comment", "next", "fingerprint", "into", "query", "from_account", "to_account", "days"), "0" * 16) | {"answer": "approve", "amount": "1.00", "year": "2020", "whole": "no", "from": "2020-06-01", "until": "2020-06-01", "status": "SUSPENDED", "text": "x"}  # fmt: skip


@dataclass
class Asker:
    """One logged-in person. ``token``: Airflow's, which our pages take too."""

    url: str
    person_id: str
    token: str = field(repr=False)

    def url_of(self, action: Action) -> str:
        path = action.path.replace("{me}", urllib.parse.quote(self.person_id))
        return self.url + (path if path.startswith("/") else f"/api/v2/{path}")

    def ask(self, action: Action) -> tuple[int, str]:
        """The status and the text of the answer."""
        headers = {"Authorization": f"Bearer {self.token}", "Sec-Fetch-Site": "same-origin"}
        data = None
        if action.group == "form":
            data = urllib.parse.urlencode({**(action.body or {}), "form_token": _TOKEN}).encode()
            headers["Cookie"] = f"custody_form={_TOKEN}"
        elif action.body is not None:
            data = json.dumps(action.body).encode()
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(self.url_of(action), data, headers, method=action.method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stays)
        try:
            with opener.open(request, timeout=_ANSWER_SECONDS) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode("utf-8", "backslashreplace")


class _Stays(urllib.request.HTTPRedirectHandler):
    """An answer that leads elsewhere is an answer."""

    def redirect_request(self, *_: Any) -> None:
        return None


def verdict(action: Action, duty: Duty, status: int, text: str) -> str:
    """What came, in a word: "may", "refused", "sees none"; of anything else the status."""
    if action.empty and status == 200 and json.loads(text)[action.empty] == 0 and duty not in action.may:
        return "sees none"
    if status == 403:
        return "refused"
    if status == 405:
        return "no such"
    return "may" if status in action.done else str(status)


def expected(action: Action, duty: Duty) -> set[str]:
    if action.group == "GET" and not action.may:
        return {"no such"}
    if duty in action.may:
        return {"may"}
    return {"refused", "sees none"} if action.empty else {"refused"}


@dataclass
class Asked:
    """What came of asking: a line for each action, and the refusals that must stand in the audit chain."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    # (person, subject) of what Airflow refused and always records; persons whom our own pages refused.
    refused_by_airflow: set[tuple[str, str]] = field(default_factory=set)
    refused_by_pages: list[str] = field(default_factory=list)

    def ask_all(self, actions: Iterable[Action], people: Mapping[Duty, Asker], sample: bool) -> None:
        """``sample``: of each action one whom it is allowed and one whom it is not, another with each action."""
        for number, action in enumerate(actions):
            line: dict[str, Any] = {"group": action.group, "name": action.name, "answers": {}, "wrong": {}}
            for duty in _some(action, number) if sample else DUTIES:
                status, text = people[duty].ask(action)
                came = verdict(action, duty, status, text)
                line["answers"][duty] = came
                if came not in expected(action, duty):
                    line["wrong"][duty] = f"{came} {status}"
                if came == "refused":
                    self._note(action, people[duty])
            self.lines.append(line)

    def _note(self, action: Action, who: Asker) -> None:
        path = urllib.parse.unquote(urllib.parse.urlsplit(who.url_of(action)).path)
        if path.startswith("/custody/"):
            self.refused_by_pages.append(who.person_id)
        elif action.method != "GET":
            self.refused_by_airflow.add((who.person_id, f"{action.method} {path}"))

    @property
    def wrong(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["wrong"]]


def _some(action: Action, number: int) -> list[Duty]:
    allowed = [duty for duty in DUTIES if duty in action.may]
    others = [duty for duty in DUTIES if duty not in action.may]
    return [group[number % len(group)] for group in (allowed, others) if group]
