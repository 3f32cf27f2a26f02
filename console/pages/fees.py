"""Custody fees: what is due, proposed and charged, by platform, period and state; and one charge with its components, days, tries and history."""

# No `from __future__ import annotations`: FastAPI reads the annotations of its endpoints.
import json
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date
from fractions import Fraction
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from connectors.bootstrap import Wiring
from console.fee_view import Difference, FeeDay, due_charges, fee_difference, fee_period, standing
from console.pages.asking import NotFound, UserDep, asked, show
from console.pages.export import Cell, columns_of, csv_of, wants_file
from console.pages.listing import Listing, listing, query
from console.pages.words import Words
from custody.calendar import custody_date_of
from custody.counting import counted
from custody.errors import UsageError
from custody.fee_life import ARREARS, OVERPAID
from custody.fee_positions import Position
from custody.fee_words import component_words, exact_amount, line_words
from custody.permissions import permitted
from custody.ports import Row
from custody.services.access import duties_of
from custody.services.fee_amendments import AMENDMENT
from custody.services.fee_charges import CHARGE, Charge, charges, left_of
from custody.services.fee_surplus import SURPLUS_BACK, WRITE_OFF
from custody.services.fee_usages import USAGE
from custody.services.fee_usages import counted as counted_usage

router = APIRouter()

DUE = "DUE"
PROPOSED = "PROPOSED"
STATES: dict[str, Words] = {
    DUE: ("due, not proposed", "应收，未提出"),
    PROPOSED: ("waits for a second person", "待复核"),
    "APPROVED": ("approved, not sent", "已通过，待发送"),
    "SENT": ("sent to the core", "已发核心，待应答"),
    "ARREARS": ("in arrears", "欠费"),
    "COLLECTED": ("collected", "已收妥"),
    "GIVEN_BACK": ("given back", "已退还"),
    "OVERPAID": ("taken too much", "多扣，待退还"),
    "WRITTEN_OFF": ("written off", "已核销"),
}

# What is proposed and decided of a charge.
KINDS: dict[str, Words] = {
    CHARGE.kind: ("to charge it", "收费"),
    WRITE_OFF.kind: ("to write off what is left", "核销余额"),
    SURPLUS_BACK.kind: ("to give back what was taken too much", "退还多扣"),
}
# What is proposed of a platform's fees beside charges.
OF_PLATFORMS: dict[str, Words] = {
    USAGE.kind: ("to let in a list of usage", "登记用量清单"),
    AMENDMENT.kind: ("other terms for days that have passed", "追溯调整条款"),
}

# As a file has them.
_EXPORTED: dict[str, Callable[[Row], Cell]] = {
    **columns_of(("charge_no", "platform", "period", "due_on", "state", "currency")),
    "amount_with_vat": lambda row: (row["gross_minor"], row["currency"]),
    "collected": lambda row: (row["collected_minor"], row["currency"]),
}


@router.get("/fees", response_class=HTMLResponse)
def the_fees(request: Request, user: UserDep) -> Response:
    """All charges, the newest period first, unless the filters say otherwise."""
    with asked(user, "fee.view", "list of fees") as wiring:
        view = ListView(wiring, user.get_name(), dict(request.query_params))
        if wants_file(request.query_params):
            return csv_of(wiring, user.get_name(), view.charges, _EXPORTED)
        return show(request, "fees.html", view=view)


@router.get("/fee", response_class=HTMLResponse)
def one_fee(request: Request, user: UserDep, id: str = "") -> HTMLResponse:
    """One charge, whether it is proposed or approved."""
    with asked(user, "fee.view", id[:40]) as wiring:
        return show(request, "fee.html", view=OneView(wiring, user.get_name(), id))


def address(charge_no: str) -> str:
    return query("fee", {"id": charge_no})


class ListView:
    """Charges of the register, and beside them what is due or waits to be decided."""

    states = STATES

    def __init__(self, wiring: Wiring, reader: str, params: Mapping[str, str]) -> None:
        self.asked = {name: params.get(name, "") for name in ("platform", "period", "state")}
        due = due_charges(wiring, custody_date_of(wiring.clock.now()))
        with wiring.register.transaction() as tx:
            self.may_propose = permitted(CHARGE.propose_action, duties_of(tx, reader))
            rows = [dict(row) for row in charges(tx)]
            duties = duties_of(tx, reader)
            self.reader, self.may_approve = reader, permitted(CHARGE.approve_action, duties)
            self.waiting = [
                _of_platform(row) for row in tx.find("proposal", ("proposed_at",), kind=list(OF_PLATFORMS), state="PROPOSED")
            ]
            self.usage = [row for row in counted_usage(tx) if self.asked["platform"] in ("", row["platform"])]
            open_ = [_proposed(row) for row in tx.find("proposal", kind=CHARGE.kind, state="PROPOSED")]
        proposed = {row["charge_no"] for row in open_}
        rows += open_ + [_due(charge) for charge in due if charge.charge_no not in proposed]
        self.due = [row for row in rows if row["state"] == DUE]
        self.platforms = sorted({row["platform"] for row in rows})
        self.periods = sorted({row["period"] for row in rows}, reverse=True)
        found = [row for row in rows if all(value in ("", row[name]) for name, value in self.asked.items())]
        self.positions: list[Position] = [p for p in standing(wiring) if self.asked["platform"] in ("", p.platform)]
        self.charges: Listing[Row] = listing(
            found,
            {
                "charge": lambda row: row["charge_no"],
                "platform": lambda row: row["platform"],
                "period": lambda row: row["period"],
                "due": lambda row: row["due_on"],
                "state": lambda row: list(STATES).index(row["state"]),
                "amount": lambda row: row["gross_minor"],
                "collected": lambda row: row["collected_minor"],
            },
            params,
            "fees",
        )

    def link(self, row: Row) -> str:
        return address(row["charge_no"])

    def name_of(self, component: str) -> Words:
        return component_words(component)


class OneView:
    """``row``: the charge, or the newest proposal of it; ``days`` as far as they are of its period."""

    states = STATES

    def __init__(self, wiring: Wiring, reader: str, charge_no: str) -> None:
        self.reader = reader
        with wiring.register.transaction() as tx:
            charge = tx.get("fee_charge", charge_no=charge_no)
            self.proposals = tx.find("proposal", ("proposed_at",), kind=list(KINDS), subject=charge_no)
            self.answers = tx.find("fee_answer", ("posted_on", "request_no", "leg"), charge_no=charge_no)
            self.tries = tx.find("fee_attempt", ("attempt",), charge_no=charge_no)
            duties = duties_of(tx, reader)
        self.may_approve, self.may_propose = (permitted(of, duties) for of in (CHARGE.approve_action, CHARGE.propose_action))
        if charge is None and not self.proposals:
            raise NotFound(f"no charge {charge_no[:40]!r} / 无此收费")
        self.row: Row = charge or _proposed(self.proposals[-1])
        self.left = left_of(charge) if charge else self.row["gross_minor"]
        self.differs: Difference | None = _difference(wiring, self.row) if self.row["cites"] else None
        waits = {row["kind"] for row in self.proposals if row["state"] == "PROPOSED"}
        # What a person may propose next of it.
        self.may_write_off = self.may_propose and self.row["state"] == ARREARS and self.left > 0 and WRITE_OFF.kind not in waits
        self.may_give_back = (
            self.may_propose and self.row["state"] == OVERPAID and self.left < 0 and SURPLUS_BACK.kind not in waits
        )
        self.components: list[tuple[Words, int]] = [
            (component_words(name), minor) for name, minor in json.loads(self.row["components"]).items()
        ]
        try:
            self.days: list[FeeDay] = list(fee_period(wiring, self.row["platform"], self.row["period"]).days)
        except UsageError:
            self.days = []  # computed anew since, under another period

    def name_of(self, component: str) -> Words:
        return component_words(component)

    def exact(self, figure: Fraction) -> str:
        return exact_amount(figure, self.row["currency"])

    def what(self, proposal: Row) -> Words:
        return KINDS[proposal["kind"]]

    def words_of(self, line: Mapping[str, Any]) -> Words:
        return line_words(line, self.row["currency"])


def _difference(wiring: Wiring, row: Row) -> Difference | None:
    """Of a charge that corrects another because its period was rated anew."""
    number = row["charge_no"].rpartition("-R")[2]
    if not number.isdigit():
        return None
    try:
        return fee_difference(wiring, row["platform"], row["period"], int(number) if row["state"] != PROPOSED else None)
    except UsageError:
        return None  # computed anew since


def _of_platform(proposal: Row) -> Row:
    """``said``: what it is about, in words that name the figures."""
    payload = json.loads(proposal["payload"])
    if proposal["kind"] == USAGE.kind:
        pieces = Counter[str]()
        for row in payload["rows"]:
            pieces[row["component"]] += row["pieces"]
        said = [f"{payload['file_name']}: {counted(len(payload['rows']), 'row')} 行"]
        said += [f"{' '.join(component_words(name))} {count:,}" for name, count in sorted(pieces.items())]
    else:
        said = [f"{payload['valid_from']} – {payload['valid_to']}"]
        said += [f"{name} {json.dumps(value, ensure_ascii=False)}" for name, value in sorted(payload["terms"].items())]
    return proposal | {"what": OF_PLATFORMS[proposal["kind"]], "said": said}


def _proposed(proposal: Row) -> Row:
    said: Row = json.loads(proposal["payload"])
    return said | {
        "written_off_minor": 0,
        "set_off_minor": -said["set_off_minor"],
        "charge_no": proposal["subject"],
        "state": PROPOSED,
        "gross_minor": said["net_minor"] + said["vat_minor"],
        "components": json.dumps(said["components"]),
        "due_on": date.fromisoformat(said["due_on"]),
        "accrued_on": date.fromisoformat(said["accrued_on"]),
        "collected_minor": 0,
    }


def _due(charge: Charge) -> Row:
    return {
        "charge_no": charge.charge_no,
        "platform": charge.platform,
        "period": charge.period,
        "currency": charge.currency,
        "state": DUE,
        "gross_minor": charge.gross_minor,
        "due_on": charge.due_on,
        "collected_minor": 0,
    }
