"""What a browser shows of the day's page: its tables as text, by their first column."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from fastapi.testclient import TestClient
    from httpx import Response


@dataclass
class Tables(HTMLParser):
    """``rows``: every table row as its cells' text, in the order of the page. ``text``: all that is shown."""

    rows: list[list[str]] = field(default_factory=list)
    text: str = ""
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    _cell: str | None = None

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self._cell = ""

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self._cell is not None:
            self.rows[-1].append(" ".join(self._cell.split()))
            self._cell = None

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._cell is not None:
            self._cell += data


def read(html: str) -> Tables:
    tables = Tables()
    tables.feed(html)
    return tables


def party_rows(html: str) -> list[dict[str, Any]]:
    """The table of every party, as `custody day status --json` has it."""
    found = []
    for row in read(html).rows:
        if len(row) == 6 and row[0].isupper() and row[1].split()[0].isdigit():
            landed, expected, balanced, breaks, alerts = row[1].split()[0], row[2], row[3], row[4], row[5]
            yes_no = {"✓": True, "✗": False, "…": None}[balanced[0]]
            figures = [int(n.replace("–", "0")) for n in (landed, expected, breaks, alerts)]
            found.append(
                {
                    "platform": row[0], "landed": figures[0], "expected": figures[1], "balanced": yes_no,
                    "breaks": figures[2], "alerts": figures[3],
                }
            )  # fmt: skip
    return found


class _User:
    """What the pages ask of Airflow's user."""

    def __init__(self, name: str) -> None:
        self._name = name

    def get_name(self) -> str:
        return self._name


@dataclass
class Desk:
    client: TestClient
    home: Path
    who: str = "auditor"

    @classmethod
    def at(cls, client: TestClient, home: Path, patch: pytest.MonkeyPatch) -> Iterator[Desk]:
        from airflow.api_fastapi.core_api.security import get_user

        desk = cls(client, home)
        patch.setenv("CUSTODY_HOME", str(home))
        app: Any = client.app
        app.dependency_overrides[get_user] = lambda: _User(desk.who)
        try:
            yield desk
        finally:
            app.dependency_overrides.clear()

    def day(self, on: object = "") -> Response:
        return self.client.get("/day", params={"date": str(on)} if on else {})
