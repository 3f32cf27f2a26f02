"""Filings against money laundering: by due date and state; one with its rows, what two people decided, its file and the receipt. For those
alone who may know of them; that they looked is recorded (console.filing_view)."""

# No `from __future__ import annotations`: FastAPI reads the annotations of its endpoints.
from collections.abc import Mapping
from datetime import date, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from connectors.bootstrap import Wiring
from console.compliance_view import assessed_days
from console.filing_view import UNDECIDED, StandingFiling, filing_named, grounds_of, standing_filings
from console.pages import files
from console.pages.asking import NotFound, UserDep, asked, date_of, show
from console.pages.links import Link, Links
from console.pages.listing import Listing, listing, query
from console.pages.words import DELIVERY_STATES, Words
from custody.calendar import custody_date_of
from custody.errors import UsageError
from custody.names import FileType
from custody.permissions import permitted
from custody.ports import Row
from custody.services.access import duties_of
from custody.services.aml_filings import (
    ACCEPTED,
    ANSWER,
    APPROVED,
    DUE,
    FILING,
    PROPOSED,
    REFUSED,
    SENT,
    VIEW,
)
from custody.services.outbound import UNDELIVERED

router = APIRouter()

STATES: dict[str, Words] = {
    DUE: ("due, not proposed", "应报，未提出"),
    UNDECIDED: ("suspicion that nobody has decided on", "可疑线索，待研判"),
    PROPOSED: ("waits for a second person", "待复核"),
    APPROVED: ("approved, goes out with the next sweep", "已通过，待发送"),
    SENT: ("file made, not answered yet", "已出文件，待回执"),
    ACCEPTED: ("accepted", "已接收"),
    REFUSED: ("refused: propose it again", "被退回，须重新提出"),
}
TYPES: dict[str, Words] = {
    FileType.LARGE_VALUE: ("large values of a day", "当日大额交易"),
    FileType.SUSPICIOUS: ("suspicious transaction", "可疑交易"),
}
_WAYS: dict[str, Words] = {"IN": ("came in", "收"), "OUT": ("went out", "付"), "HELD": ("is held there", "止付余额")}
# What can be proposed, and what still has to be done by its due date.
_OPEN = (DUE, UNDECIDED, REFUSED)
_OWED = (DUE, PROPOSED, APPROVED, REFUSED)
# So far back the list goes unless it is asked for more.
_SHOWN_DAYS = 60


@router.get("/filings", response_class=HTMLResponse)
def the_filings(request: Request, user: UserDep) -> HTMLResponse:
    """What of the last dates is to be filed, the earliest due date first."""
    with asked(user, VIEW, "filings") as wiring:
        return show(request, "filings.html", view=ListView(wiring, user.get_name(), dict(request.query_params)))


@router.get("/filing", response_class=HTMLResponse)
def one_filing(request: Request, user: UserDep, id: str = "") -> HTMLResponse:
    with asked(user, VIEW, id[:40]) as wiring:
        return show(request, "filing.html", view=OneView(wiring, user.get_name(), id, dict(request.query_params)))


def address(filing_no: str) -> str:
    return query("filing", {"id": filing_no})


class ListView:
    """Filings of the dates from ``first`` on."""

    states, types = STATES, TYPES

    def __init__(self, wiring: Wiring, reader: str, params: Mapping[str, str]) -> None:
        self.asked = {name: params.get(name, "") for name in ("from", "type", "state")}
        self.today = custody_date_of(wiring.clock.now())
        self.first = _first(self.asked["from"], assessed_days(wiring))
        found = standing_filings(wiring, reader, self.first)
        kind, state = self.asked["type"], self.asked["state"]
        shown = [one for one in found if kind in ("", one.filing.file_type) and state in ("", one.state)]
        self.late = sum(self.is_late(one) for one in found)
        self.filings: Listing[StandingFiling] = listing(
            shown,
            {
                "due": lambda one: (one.filing.due_on, one.filing.filing_no),
                "filing": lambda one: one.filing.filing_no,
                "type": lambda one: one.filing.file_type,
                "date": lambda one: one.filing.on,
                "rows": lambda one: len(one.filing.rows),
                "state": lambda one: list(STATES).index(one.state),
            },
            params,
            "filings",
        )

    def is_late(self, one: StandingFiling) -> bool:
        return one.state in _OWED and one.filing.due_on < self.today

    def link(self, one: StandingFiling) -> str:
        return address(one.filing.filing_no)

    def file_link(self, one: StandingFiling) -> str:
        return files.address(one.stands.file_name)


def _first(wanted: str, days: list[date]) -> date | None:
    """Raises UsageError for what is no date."""
    if wanted:
        said = date_of(wanted)
        if said is None:
            raise UsageError(f"{wanted[:40]!r} is not a date YYYY-MM-DD / 日期无效")
        return said
    return max(days[0], days[-1] - timedelta(days=_SHOWN_DAYS)) if days else None


class OneView:
    """One filing with what the template asks; accounts masked, and nobody named: the file alone says who they are."""

    states, types = STATES, TYPES

    def __init__(self, wiring: Wiring, reader: str, filing_no: str, params: Mapping[str, str]) -> None:
        self.reader = reader
        try:
            self.one = filing_named(wiring, reader, filing_no)
        except UsageError as why:
            raise NotFound(str(why)) from None
        self.filing, self.stands = self.one.filing, self.one.stands
        number = self.filing.filing_no
        self._links = Links(wiring)
        with wiring.register.transaction() as tx:
            self.proposals = tx.find("proposal", ("proposed_at", "proposal_id"), kind=FILING.kind, subject=number)
            self.sent = tx.get("outbound", file_name=self.stands.file_name) if self.stands.file_name else None
            duties = duties_of(tx, reader)
        self.may_decide = permitted(FILING.approve_action, duties)
        is_open = self.one.state in _OPEN or self.one.is_changed
        self.may_propose = is_open and permitted(FILING.propose_action, duties) and self.one.state != PROPOSED
        self.is_delivered = self.sent is not None and self.sent["state"] not in UNDELIVERED
        self.may_answer = self.is_delivered and self.one.state in (SENT, ACCEPTED, REFUSED) and permitted(ANSWER, duties)
        self.is_late = self.one.state in _OWED and self.filing.due_on < custody_date_of(wiring.clock.now())
        self.sums = [
            (words, sum(row["amount_minor"] for row in self.filing.rows if row["way"] == way)) for way, words in _WAYS.items()
        ]
        self.grounds = grounds_of(wiring, self.filing)
        self.rows: Listing[tuple[int, Row]] = listing(
            list(enumerate(self.filing.rows, start=1)),
            {
                "row": lambda of: of[0],
                "customer": lambda of: of[1]["customer_id"],
                "platform": lambda of: of[1]["platform"],
                "date": lambda of: of[1]["on_date"],
                "way": lambda of: of[1]["way"],
                "amount": lambda of: of[1]["amount_minor"],
            },
            {"id": number, **params},
            "filing",
        )

    def way(self, row: Row) -> Words:
        return _WAYS[row["way"]]

    def account(self, row: Row) -> Link:
        return self._links.account(row["account"])

    def customer(self, row: Row) -> str:
        return query("customer", {"id": row["customer_id"]})

    def finding(self, row: Row) -> str:
        return query("finding", {"finding": row["finding_id"], "date": self.filing.on})

    @property
    def file_link(self) -> str:
        return files.address(self.stands.file_name)

    @property
    def delivery(self) -> Words:
        assert self.sent is not None
        return DELIVERY_STATES[self.sent["state"]]
