"""Airflow on SQLite answers with a database error while another of its services writes: what may be said twice is said again."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from cluster.airflow_client import AirflowClient, AirflowRefused

_LOCKED = {"detail": {"reason": "Database error", "statement": "hidden"}}


@contextmanager
def answering(*answers: tuple[int, object]) -> Iterator[tuple[AirflowClient, list[str]]]:
    """A server on loopback that gives a token, and then these answers in order; and what it was asked."""
    asked: list[str] = []
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, body = (200, {"access_token": "t"}) if self.path.startswith("/auth") else left.pop(0)
            if not self.path.startswith("/auth"):
                asked.append(self.command)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        do_POST = do_PATCH = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield AirflowClient(f"http://127.0.0.1:{server.server_port}", "boss", "secret"), asked
    finally:
        server.shutdown()
        server.server_close()


def test_a_dag_is_unpaused_although_the_database_was_locked() -> None:
    with answering((500, _LOCKED), (200, {})) as (client, asked):
        client.unpause("custody_day")
        assert asked == ["PATCH", "PATCH"]


def test_a_run_is_not_started_twice() -> None:
    with answering((500, _LOCKED)) as (client, asked):
        with pytest.raises(AirflowRefused, match="500"):
            client.trigger("custody_day")
        assert asked == ["POST"]


def test_any_other_error_is_told_at_once() -> None:
    with answering((500, {"detail": "Internal Server Error"})) as (client, asked):
        with pytest.raises(AirflowRefused, match="Internal"):
            client.unpause("custody_day")
        assert asked == ["PATCH"]
