"""What a browser shows of our pages: their tables as text, their links and forms; and a person who asks for them."""

from __future__ import annotations

import re
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
    """``tables``: each table's rows as their cells' text, in the order of the page. ``text``: all that is shown."""

    tables: list[list[list[str]]] = field(default_factory=list)
    text: str = ""
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    _cell: str | None = None

    def __post_init__(self) -> None:
        super().__init__()

    @property
    def rows(self) -> list[list[str]]:
        return [row for table in self.tables for row in table]

    @property
    def links(self) -> list[str]:
        """To pages of the console, each once, in the order of the page."""
        found = (
            attrs.get("href") or "" for tag, attrs in self.tags if tag == "a" and not {"data-airflow", "download"} & attrs.keys()
        )
        return list(dict.fromkeys(href for href in found if href and not href.startswith(("#", "http"))))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self._cell = ""

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self._cell is not None:
            self.tables[-1][-1].append(" ".join(self._cell.split()))
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
    """The table of every party, as `custody day status --json` has it, by party: None for what is not known yet."""
    (table,) = [table for table in read(html).tables if table[0][0].startswith("party ") and len(table[0]) == 9]
    found = []
    for platform, landed, expected, wanting, promised, batches, balanced, breaks, alerts in table[1:-1]:
        assert int(wanting.removeprefix("▼ ")) == int(expected) - int(landed)
        found.append(
            {
                "platform": platform,
                "landed": int(landed),
                "expected": int(expected),
                "promised": {
                    state: _number_before(words, promised)
                    for state, words in _PROMISES.items()
                    if _number_before(words, promised)
                },
                "untrusted": None if batches[0] == "…" else _number_after("✗", batches),
                "unusual": None if batches[0] == "…" else _number_after("!", batches),
                "balanced": {"✓": True, "✗": False, "…": None}[balanced[0]],
                "breaks": None if breaks == "–" else int(breaks),
                "alerts": None if alerts == "–" else int(alerts),
            }
        )
    # The page begins with the parties of which something is wrong.
    return sorted(found, key=lambda row: str(row["platform"]))


# As a party's promised files are counted.
_PROMISES = {
    "ARRIVED": "arrived in time",
    "EXPECTED": "expected",
    "GIVEN_UP": "given up",
    "LATE": "arrived late",
    "MISSING": "missing",
}


def _number_before(words: str, cell: str) -> int:
    found = re.search(rf"(\d+) {words}", cell)
    return int(found[1]) if found else 0


def _number_after(mark: str, cell: str) -> int:
    """0 where the mark does not stand in the cell."""
    found = re.search(rf"{mark} (\d+)", cell)
    return int(found[1]) if found else 0


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

    def get(self, path: str, **params: str) -> Response:
        return self.client.get(f"/{path}", params=params)

    def form_token(self, page: str) -> str:
        """Of the page's forms, as the browser finds it there."""
        shown = read(self.client.get(f"/{page}").text)
        return next(attrs["value"] or "" for tag, attrs in shown.tags if tag == "input" and attrs.get("name") == "form_token")

    def post(self, path: str, **fields: str) -> Response:
        """A form of ours as a browser sends it."""
        return self.client.post(
            f"/{path}",
            data={"form_token": self.form_token("transactions"), **fields},
            headers={"sec-fetch-site": "same-origin"},
            follow_redirects=False,
        )

    def day(self, on: object = "") -> Response:
        return self.client.get("/day", params={"date": str(on)} if on else {})
