"""The register of files: what came for a date and became of it, what is missing, and one file's whole history."""

# No `from __future__ import annotations`: FastAPI reads the annotations of its endpoints.
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from console.pages.asking import NotFound, UserDep, asked, date_of, show
from console.pages.export import Cell, columns_of, csv_of, wants_file
from console.pages.listing import Fetch, Listing, listing_by_place, query
from console.pages.words import DELIVERY_STATES, PROMISES, TYPES, Words
from custody.errors import UsageError
from custody.file_life import UNSETTLED
from custody.masking import mask_user_numbers
from custody.ports import Register, Row
from custody.services import files as register
from custody.services import promises
from custody.services.file_moves import promise_name
from custody.services.files import FileHistory
from custody.services.organisations import parties
from custody.services.outbound import UNDELIVERED, deliveries
from custody.services.outputs import days_begun
from custody.services.receipts import to_do
from custody.texts import text

router = APIRouter()

_DIGEST = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")
_FILTERS = ("party", "type", "state")
STATES: dict[str, Words] = {
    "ANNOUNCED": ("announced, on its way", "已公告，传输中"),
    "LANDED": ("archived, not judged yet", "已归档，待校验"),
    "CHECKED": ("checked against its seal", "已与封签核对"),
    "ACCEPTED": ("accepted", "已接收"),
    "LATE": ("accepted, late", "迟到接收"),
    "REFUSED": ("refused", "拒收"),
    "QUARANTINED": ("quarantined", "隔离"),
    "RESTATEMENT_PENDING": ("restatement, waits for two people", "更正待复核"),
    "SUPERSEDED": ("superseded", "已被更正"),
    "SAMPLE": ("sample, tested and not landed", "样本，仅供准入测试"),
    "CLEARING": ("seal read, being cleared", "封签已读，清理中"),
    "READ": ("seal read", "封签已读"),
    "SAME_AGAIN": ("same again", "重复报送"),
}
_COLUMNS: dict[str, tuple[str, ...]] = {
    "file": ("file_name", "sha256"),
    "party": ("party", "file_name", "sha256"),
    "type": ("file_type", "file_name", "sha256"),
    "state": ("state", "file_name", "sha256"),
    "rows": ("rows", "file_name", "sha256"),
    "bytes": ("bytes", "file_name", "sha256"),
    "received": ("received_at", "file_name", "sha256"),
}
_EXPORTED: dict[str, Callable[[Row], Cell]] = {
    **columns_of(("file_name", "party", "file_type", "custody_date", "state")),
    "why_en": lambda row: (words_of(row) or ("", ""))[0],
    "why_zh": lambda row: (words_of(row) or ("", ""))[1],
    **columns_of(("rows", "bytes", "received_at", "sha256")),
}


@router.get("/files", response_class=HTMLResponse)
def the_files(request: Request, user: UserDep) -> Response:
    """The files of one custody date; without a date, of the newest that was begun."""
    params = dict(request.query_params)
    with asked(user, "day.view", "register of files") as wiring:
        with wiring.register.transaction() as tx:
            begun = days_begun(tx)
        wanted = params.get("date", "")
        on = date_of(wanted) if wanted else (begun[-1] if begun else wiring.settings.instance.go_live)
        if on is None:
            raise UsageError(f"{wanted[:40]!r} is not a date YYYY-MM-DD / 日期无效")
        view = FilesView(wiring.register, on, params)
        if wants_file(params):
            return csv_of(wiring, user.get_name(), view.files, _EXPORTED)
        return show(request, "files.html", view=view)


@router.get("/file", response_class=HTMLResponse)
def one_file(request: Request, user: UserDep, name: str = "") -> HTMLResponse:
    """Every content that came under one name, and all that happened to it; of a file that goes out, its delivery."""
    with asked(user, "day.view", name[:80]) as wiring, wiring.register.transaction() as tx:
        try:
            history = register.history(tx, name)
        except UsageError as error:
            sent = tx.get("outbound", file_name=name[:80])
            if sent is None:
                raise NotFound(f"no file {name[:80]!r} ever came / 无此文件") from error
            return show(request, "delivery.html", view=DeliveryView(sent))
        return show(request, "file.html", view=OneView(name, history))


def address(file_name: str) -> str:
    return query("file", {"name": file_name})


def words_of(row: Row) -> Words | None:
    """Why a file stands as it does; None where nothing is wrong with it."""
    return _masked(text(row["rule"], json.loads(row["figures"]))) if row["rule"] else None


def _masked(words: Words) -> Words:
    """Digests by their beginning: the whole one stands in the table of the content."""
    english, chinese = (_DIGEST.sub(r"\1…", mask_user_numbers(one)) for one in words)
    return english, chinese


class SentView:
    """What the table of deliveries asks."""

    def delivery_state(self, row: Row) -> Words:
        return DELIVERY_STATES[row["state"]]

    def delivery_link(self, row: Row) -> str:
        return address(row["file_name"])


class DeliveryView(SentView):
    def __init__(self, row: Row) -> None:
        self.row = row

    @property
    def party(self) -> str:
        return query("organisation", {"party": self.row["party"]})


class FilesView(SentView):
    """A date's rows, with what the template asks."""

    def __init__(self, of_files: Register, on: date, params: Mapping[str, str]) -> None:
        self.on = on
        self.asked = {name: params.get(name, "").strip() for name in _FILTERS}
        asked = {"party": self.asked["party"], "file_type": self.asked["type"]}
        of: dict[str, object] = {"custody_date": on, **{name: value for name, value in asked.items() if value}}
        with of_files.transaction() as tx:
            self.parties = [party.party for party in parties(tx)]
            self.counts = register.by_state(tx, **of)
            self.owed = deliveries(tx, self.asked["party"] or None, list(UNDELIVERED))
            self.promised = promises.by_state(tx, **of)
            self.missing = promises.not_here(tx, on, self.asked["party"] or None, self.asked["type"] or None)
        state = self.asked["state"] if self.asked["state"] in STATES else ""
        wanted = {**of, "state": state} if state else of
        self.files: Listing[Row] = listing_by_place(
            _fetch(of_files, wanted),
            self.counts.get(state, 0) if state else sum(self.counts.values()),
            _COLUMNS,
            {"date": on.isoformat(), **{name: value for name, value in params.items() if name != "date"}},
            "files",
        )

    @property
    def promises(self) -> list[tuple[Words, int]]:
        """How many promised files of the date stand in which state; empty while none is written down."""
        return [(words, self.promised[state]) for state, words in PROMISES.items() if state in self.promised]

    def promise(self, row: Row) -> str:
        return address(promise_name(row))

    def promised_state(self, row: Row) -> Words:
        return PROMISES[row["state"]]

    @property
    def states(self) -> list[tuple[str, Words, int, str]]:
        """(state, words, files, link that shows these alone) of the states that occur."""
        common = {"date": self.on, "party": self.asked["party"], "type": self.asked["type"]}
        return [(state, STATES[state], count, query("files", {**common, "state": state})) for state, count in self.counts.items()]

    @property
    def all_states(self) -> str:
        return query("files", {"date": self.on, "party": self.asked["party"], "type": self.asked["type"]})

    @property
    def types(self) -> list[tuple[str, str]]:
        return [(name, f"{name} {chinese}") for name, chinese in TYPES.items()]

    def type(self, file_type: str) -> Words:
        return file_type, TYPES.get(file_type, "")

    def state(self, row: Row) -> Words:
        return STATES[row["state"]]

    def is_unsettled(self, row: Row) -> bool:
        return row["state"] in UNSETTLED

    def why(self, row: Row) -> Words | None:
        return words_of(row)

    def link(self, row: Row) -> str:
        return address(row["file_name"])


def _fetch(of_files: Register, wanted: Mapping[str, object]) -> Fetch:
    def fetch(order: Sequence[str], start: int, limit: int, beyond: Sequence[object] | None) -> list[Row]:
        with of_files.transaction() as tx:
            return register.listed(tx, order, start, limit, beyond, **wanted)

    return fetch


class OneView(SentView):
    """A FileHistory, with what the template asks."""

    def __init__(self, name: str, history: FileHistory) -> None:
        self.name, self.history = name, history
        # A promise that nothing has kept yet has no content to speak for it.
        self.first: Row = history.versions[0] if history.versions else history.promise or {}

    def state(self, state: str) -> Words:
        return STATES.get(state) or PROMISES.get(state, (state, ""))

    def event(self, event: Row) -> Words:
        """What happened: to a promise, whose events name no content or no version, or to a content."""
        of_promise = self.history.promise is not None and event["file_name"] == promise_name(self.history.promise)
        return PROMISES[event["event"]] if of_promise else self.state(event["event"])

    @property
    def promise(self) -> Words | None:
        return PROMISES[self.history.promise["state"]] if self.history.promise else None

    def type(self, file_type: str) -> Words:
        return file_type, TYPES.get(file_type, "")

    def why(self, row: Row) -> Words | None:
        return words_of(row)

    def to_do(self, row: Row) -> Words | None:
        return to_do(row["rule"]) if row["rule"] else None

    def totals(self, row: Row) -> list[tuple[str, str]]:
        return sorted(json.loads(row["totals"]).items())

    def details(self, event: Row) -> Words:
        said: dict[str, Any] = json.loads(event["details"])
        return _masked(text(said["rule"], said["figures"]))

    def seal(self, event: Row) -> str | None:
        """The seal by which this came."""
        found: str | None = json.loads(event["details"]).get("seal")
        return found

    def decision(self, event: Row) -> str:
        said: dict[str, Any] = json.loads(event["details"])
        return mask_user_numbers(", ".join(f"{name}: {value}" for name, value in sorted(said.items()) if isinstance(value, str)))

    def link(self, file_name: str) -> str:
        return address(file_name)

    @property
    def day(self) -> str:
        return query("files", {"date": self.first["custody_date"], "party": self.first["party"]})
