"""Airflow by its public REST API, as one logged-in person: what `make up` and the end-to-end tests ask of it."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from console.airflow.dates import KEY

# A busy machine's first log-in builds half of FAB: a minute is not unusual.
_ANSWER_SECONDS = 120.0
_POLL_SECONDS = 1.0
_ENDED = ("success", "failed")
_MOST_ROWS = 100
_BUSY = "Database error"
_BUSY_SECONDS = 120.0
_REPEATABLE = ("GET", "PATCH", "PUT")


class AirflowRefused(Exception):
    """Airflow answered with an error; ``status`` is the HTTP status, the text what it said."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"{status}: {words}")
        self.status = status
        # Its database had no room for one more writer just then.
        self.is_busy = status in (500, 503) and _BUSY in words


class NotInTime(Exception):
    """What was waited for did not come about; the text says how far it got."""


@dataclass
class AirflowClient:
    """``url``: of the API server, without a slash at the end. Logs in at the first question."""

    url: str
    person_id: str
    password: str = field(repr=False)
    _token: str = field(default="", repr=False)

    @property
    def token(self) -> str:
        """A bearer token; also what the browser has as cookie ``_token``. Raises AirflowRefused (401) for a wrong password."""
        if not self._token:
            login = {"username": self.person_id, "password": self.password}
            self._token = _ask("POST", f"{self.url}/auth/token", login, "")["access_token"]
        return self._token

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One question to ``/api/v2/PATH``. Raises AirflowRefused; OSError when nobody answers."""
        until = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                return _ask(method, f"{self.url}/api/v2/{path}", body, self.token)
            except AirflowRefused as refused:
                # On SQLite one service writes at a time. What may be said twice is said again; the rest is for who asked.
                if not refused.is_busy or method not in _REPEATABLE or time.monotonic() > until:
                    raise
            time.sleep(_POLL_SECONDS)

    def wait_for_dags(self, dag_ids: Sequence[str], seconds: float) -> None:
        """Until the DAG processor has read these DAGs. Raises NotInTime, which then names what cannot be imported."""
        until = time.monotonic() + seconds
        while missing := sorted(set(dag_ids) - {dag["dag_id"] for dag in self.ask("GET", f"dags?limit={_MOST_ROWS}")["dags"]}):
            if time.monotonic() > until:
                broken = self.ask("GET", "importErrors")["import_errors"]
                words = "; ".join(f"{one['filename']}: {one['stack_trace'].strip().splitlines()[-1]}" for one in broken)
                raise NotInTime(f"after {seconds:.0f} s Airflow does not know {', '.join(missing)}. {words}")
            time.sleep(_POLL_SECONDS)

    def pause(self, dag_id: str, paused: bool = True) -> None:
        self.ask("PATCH", f"dags/{dag_id}?update_mask=is_paused", {"is_paused": paused})

    def unpause(self, dag_id: str) -> None:
        self.pause(dag_id, paused=False)

    def trigger(self, dag_id: str, custody_date: date | None = None) -> str:
        """Start a run by hand, for a custody date where the DAG takes one; returns the run's id."""
        conf = {} if custody_date is None else {KEY: custody_date.isoformat()}
        run: str = self.ask("POST", f"dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf})["dag_run_id"]
        return run

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """The newest runs first, as the REST API shows them: dag_run_id, state, run_type, conf, partition_key ..."""
        found: list[dict[str, Any]] = self.ask("GET", f"dags/{dag_id}/dagRuns?order_by=-run_after&limit={_MOST_ROWS}")["dag_runs"]
        return found

    def wait_for_run(self, dag_id: str, run_id: str, seconds: float) -> str:
        """The state a run ended in: "success" or "failed". Raises NotInTime with the states of its tasks."""
        until = time.monotonic() + seconds
        while (state := self._state(dag_id, run_id)) not in _ENDED:
            if time.monotonic() > until:
                raise NotInTime(f"{dag_id} {run_id} is {state} after {seconds:.0f} s: {self.task_states(dag_id, run_id)}")
            time.sleep(_POLL_SECONDS)
        return state

    def _state(self, dag_id: str, run_id: str) -> str:
        try:
            return str(self.ask("GET", f"dags/{dag_id}/dagRuns/{_quoted(run_id)}")["state"])
        except TimeoutError:
            return "not told"  # a busy server; who waits asks again

    def wait_for_run_of(self, dag_id: str, custody_date: date, seconds: float) -> tuple[str, str]:
        """(id, final state) of the newest run for a date that an asset started: partition key or configuration name the date."""
        until = time.monotonic() + seconds
        wanted = custody_date.isoformat()
        while True:
            for run in self.runs(dag_id):
                if wanted in (run.get("partition_key"), (run["conf"] or {}).get(KEY)):
                    left = max(until - time.monotonic(), _POLL_SECONDS)
                    return run["dag_run_id"], self.wait_for_run(dag_id, run["dag_run_id"], left)
            if time.monotonic() > until:
                raise NotInTime(f"no run of {dag_id} for {wanted} after {seconds:.0f} s")
            time.sleep(_POLL_SECONDS)

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """Task id to state; None: not yet looked at."""
        found = self.ask("GET", f"dags/{dag_id}/dagRuns/{_quoted(run_id)}/taskInstances?limit={_MOST_ROWS}")
        return {task["task_id"]: task["state"] for task in found["task_instances"]}

    def result(self, dag_id: str, run_id: str, task_id: str) -> Any:
        """What the task's command returned."""
        path = f"dags/{dag_id}/dagRuns/{_quoted(run_id)}/taskInstances/{task_id}/xcomEntries/return_value"
        return self.ask("GET", path)["value"]

    def log(self, dag_id: str, run_id: str, task_id: str) -> str:
        """The whole log of the last attempt, a line for each event. (One that a busy scheduler never got to start has a number and no log.)"""
        task = f"dags/{dag_id}/dagRuns/{_quoted(run_id)}/taskInstances/{task_id}"
        attempt = self.ask("GET", task)["try_number"]
        lines = self.ask("GET", f"{task}/logs/{attempt}?full_content=true")["content"]
        return "\n".join(line if isinstance(line, str) else str(line["event"]) for line in lines)


def health(url: str) -> dict[str, Any]:
    """What /monitor/health says; needs no log-in. Raises AirflowRefused, OSError."""
    answer: dict[str, Any] = _ask("GET", f"{url}/api/v2/monitor/health", None, "")
    return answer


def _quoted(run_id: str) -> str:
    return urllib.parse.quote(run_id, safe="")


def _ask(method: str, url: str, body: Mapping[str, Any] | None, token: str) -> Any:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    # Loopback: whatever proxy the environment names, it is not asked.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_ANSWER_SECONDS) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        with error:
            raise AirflowRefused(error.code, error.read().decode("utf-8", "backslashreplace")[:500]) from error
