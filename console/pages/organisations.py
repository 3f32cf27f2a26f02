"""Organisations of the exchange: platforms, channels, the gateway, each with its contract in words; to read only."""

# No `from __future__ import annotations`: FastAPI reads the annotations of its endpoints.
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from connectors.bootstrap import Wiring
from console.pages.asking import NotFound, UserDep, asked, show
from console.pages.contract_form import groups_of, values_of
from console.pages.files import STATES as FILE_STATES
from console.pages.files import SentView
from console.pages.listing import Listing, listing, query
from console.pages.words import PROMISES, TYPES, Words
from custody.calendar import custody_date_of
from custody.errors import UsageError
from custody.file_schedule import in_words, scheduled_types, terms_of
from custody.names import PartyKind
from custody.party_status import PartyStatus, moves
from custody.permissions import permitted
from custody.ports import RegisterTx, Row
from custody.services.access import duties_of
from custody.services.organisation_history import SHOWN_DAYS, OrganisationView, show_organisation, waiting_decisions
from custody.services.organisation_query import OrganisationQuery, find_organisations, missing_files
from custody.services.organisations import BEGINNING, Party, first_open_date
from custody.services.party_contacts import REVEAL, Contact, ContactRole
from custody.services.party_keys import KeyState, PartyKey

router = APIRouter()

KINDS: dict[str, Words] = {
    PartyKind.PLATFORM: ("platform", "平台"),
    PartyKind.CHANNEL: ("channel", "支付渠道"),
    PartyKind.GATEWAY: ("gateway", "接出网关"),
    PartyKind.REPORTING: ("reporting platform", "监管报送平台"),
}
PARTY_STATES: dict[str, Words] = {
    PartyStatus.ONBOARDING: ("being onboarded", "准入中"),
    PartyStatus.LIVE: ("live", "正常"),
    PartyStatus.SUSPENDED: ("suspended", "暂停"),
    PartyStatus.WINDING_DOWN: ("winding down", "清退中"),
    PartyStatus.CLOSED: ("closed", "已终止"),
}
_DECIDED: dict[str, Words] = {
    "PROPOSED": ("waits for a second person", "待复核"),
    "APPROVED": ("approved", "已通过"),
    "REJECTED": ("rejected", "已拒绝"),
}
_ABOUT: dict[str, Words] = {
    "party_onboard": ("onboarding", "准入"),
    "party_contract": ("contract", "合同"),
    "party_status": ("change of status", "状态变更"),
    "party_key": ("key", "公钥"),
    "party_contact": ("contact", "联系人"),
    "party_key_revoke": ("revocation of a key", "停用公钥"),
}
CONTACT_ROLES: dict[str, Words] = {
    ContactRole.OPERATIONS: ("operations", "运营"),
    ContactRole.TECHNICAL: ("technical", "技术"),
    ContactRole.RECONCILIATION: ("reconciliation", "对账"),
    ContactRole.COMPLIANCE: ("compliance", "合规"),
    ContactRole.EMERGENCY: ("emergency", "应急"),
}
_UNSAID = ("public_key", "sealed", "wrapped_key")
_KEY_STATES: dict[str, Words] = {
    KeyState.ACTIVE: ("active", "启用"),
    KeyState.BLOCKED: ("locked out, waits for a second person", "已锁定，待复核"),
    KeyState.REVOKED: ("revoked", "已停用"),
}
# What a contract says, in the order in which a reader asks; what is not named here is shown by its own name.
_TERMS: dict[str, Words] = {
    "core_model": ("core model", "核心模式"),
    "core_model_from": ("core model from", "核心模式启用日"),
    "encoding": ("encoding", "编码"),
    "file_types": ("files due", "应报文件"),
    "schedule": ("when each file is due (UTC+8)", "报送时间（东八区）"),
    "layouts": ("layouts", "版式"),
    "dialect": ("dialect", "方言参数"),
    "fee_contract": ("custody fee", "存管费"),
    "channel_fee_rate": ("channel's fee rate", "渠道费率"),
    "channel_fee_min_minor": ("channel's least fee, fen", "渠道最低手续费（分）"),
    "external_host": ("its own SFTP host, which we dial", "机构自有 SFTP 主机"),
    "openpgp": ("OpenPGP, in and out", "OpenPGP 加密与签名"),
    "related_parties": ("related parties known", "已知关联方"),
    "branch": ("the bank's branch that keeps it", "经办分行"),
}


@dataclass(frozen=True)
class Refused:
    """A contract's form as it was sent, and what is wrong with it, in words."""

    values: Mapping[str, str]
    faults: Sequence[str]


@router.get("/organisations", response_class=HTMLResponse)
def the_organisations(request: Request, user: UserDep) -> HTMLResponse:
    with asked(user, "day.view", "organisations") as wiring, wiring.register.transaction() as tx:
        return show(
            request, "organisations.html", view=ListView(tx, dict(request.query_params), custody_date_of(wiring.clock.now()))
        )


@router.get("/organisation", response_class=HTMLResponse)
def one_organisation(request: Request, user: UserDep, party: str = "") -> HTMLResponse:
    """Its contract, what was decided about it, and its last days of files."""
    with asked(user, "day.view", party[:20]) as wiring:
        return organisation_page(request, wiring, user.get_name(), party, None)


def organisation_page(
    request: Request, wiring: Wiring, reader: str, party: str, clear: list[Contact] | None, refused: Refused | None = None
) -> HTMLResponse:
    """``clear``: its contacts for who may see them so; ``refused``: a contract that was sent and cannot be proposed. Raises NotFound."""
    with wiring.register.transaction() as tx:
        try:
            told = show_organisation(tx, party, SHOWN_DAYS)
        except UsageError as error:
            raise NotFound(f"no organisation {party[:20]!r} / 无此机构") from error
        view = OneView(told, reader, duties_of(tx, reader), first_open_date(tx), clear, refused)
        return show(request, "organisation.html", 200 if refused is None else 400, view=view)


def address(party: str) -> str:
    return query("organisation", {"party": party})


class ListView:
    def __init__(self, tx: RegisterTx, params: Mapping[str, str], today: date) -> None:
        names = ("kind", "status", "name", "layout", "dialect", "key_ends", "missing")
        self.asked = {name: params.get(name, "").strip() for name in names}
        days = self.asked["key_ends"]
        wanted = OrganisationQuery(
            self.asked["kind"],
            self.asked["status"],
            self.asked["name"],
            self.asked["layout"],
            {"yes": True, "no": False}.get(self.asked["dialect"]),
            int(days) if days.isdecimal() and len(days) < 5 else None,
            self.asked["missing"] == "yes",
        )
        self.missing = missing_files(tx)
        self.organisations: Listing[Party] = listing(
            find_organisations(tx, wanted, today),
            {
                "party": lambda p: p.party,
                "kind": lambda p: p.kind,
                "name": lambda p: p.name_en,
                "status": lambda p: p.status,
                "core": lambda p: p.contract["core_model"],
            },
            params,
            "organisations",
        )
        self.waiting = waiting_decisions(tx)
        self.kinds = KINDS
        self.statuses = PARTY_STATES
        self.dialects: dict[str, Words] = {"yes": ("a dialect", "有方言"), "no": ("our own layouts", "本行版式")}
        self.lacks: dict[str, Words] = {"yes": ("files missing", "有缺失文件")}

    def files(self, party: Party) -> str:
        return ", ".join(party.contract["file_types"])

    def link(self, party: str) -> str:
        return address(party)

    def about(self, row: Row) -> Words:
        return _ABOUT[row["kind"]]


class OneView(SentView):
    """An OrganisationView, with what the template asks."""

    def __init__(
        self, told: OrganisationView, reader: str, duties: frozenset[str], earliest: date, clear: list[Contact] | None,
        refused: Refused | None,
    ) -> None:  # fmt: skip
        self.told, self.party, self.reader = told, told.party, reader
        self.contacts, self.is_clear = clear if clear is not None else told.contacts, clear is not None
        self.may = {name: permitted(f"party.{name}", duties) for name in ("propose", "approve")}
        self.may["reveal"] = permitted(REVEAL, duties)
        # Of dates of which none was cut off there is nothing to fill in.
        self.earliest = earliest if earliest > BEGINNING else None
        self.waiting = [row for row in told.decisions if row["state"] == "PROPOSED"]
        self.moves = {status: PARTY_STATES[status] for status in sorted(moves(self.party.kind, self.party.status))}
        self.roles = CONTACT_ROLES
        sent = refused or Refused(values_of(self.party.contract), ())
        self.contract_groups, self.contract_faults = groups_of(self.party.kind, self.party.contract, sent.values, sent.faults)
        self.contract_sent = sent.values if refused is not None else {}

    @property
    def statuses(self) -> list[tuple[str, Words]]:
        """(first date, status); the beginning has none."""
        rows = self.told.dated.statuses
        return [("…" if r["valid_from"] == BEGINNING else str(r["valid_from"]), PARTY_STATES[r["status"]]) for r in rows]

    @property
    def versions(self) -> list[str]:
        """First dates of its contract's versions."""
        return ["…" if r["valid_from"] == BEGINNING else str(r["valid_from"]) for r in self.told.dated.contracts]

    @property
    def kind(self) -> Words:
        return KINDS[self.party.kind]

    @property
    def status(self) -> Words:
        return PARTY_STATES[self.party.status]

    @property
    def terms(self) -> list[tuple[Words, list[str]]]:
        """(what, lines)"""
        contract = self.party.contract
        names = [*(name for name in _TERMS if name in contract), *sorted(set(contract) - set(_TERMS))]
        said = [(_TERMS.get(name, (name, "")), _lines(name, contract[name])) for name in names if name != "schedule"]
        return [*said, (_TERMS["schedule"], _due(contract))]

    def key_state(self, key: PartyKey) -> Words:
        return _KEY_STATES[key.state]

    def about(self, row: Row) -> Words:
        return _ABOUT[row["kind"]]

    def decided(self, row: Row) -> Words:
        return _DECIDED[row["state"]]

    def changes(self, row: Row) -> list[str]:
        """What a proposal says, but for keys and what is sealed."""
        payload: dict[str, Any] = {name: value for name, value in json.loads(row["payload"]).items() if value is not None}
        said = {**payload.pop("contract", {}), **{name: value for name, value in payload.items() if name not in _UNSAID}}
        return [f"{_TERMS.get(name, (name, ''))[0]}: {'; '.join(_lines(name, said[name]))}" for name in sorted(said)]

    def states(self, counts: Mapping[str, int]) -> list[tuple[Words, int]]:
        return [(FILE_STATES[state], count) for state, count in counts.items()]

    def promises(self, counts: Mapping[str, int]) -> list[tuple[Words, int, bool]]:
        """(what, how many, whether somebody must look)"""
        return [(words, counts[state], state == "MISSING") for state, words in PROMISES.items() if state in counts]

    def files(self, on: object) -> str:
        return query("files", {"date": on, "party": self.party.party})


def _due(contract: Mapping[str, Any]) -> list[str]:
    """When each file is due, those by the usual terms too: of which dates, up to when each batch covers them, by when it is due,
    and the grace."""
    return [f"{name} {TYPES.get(name, '')}: {in_words(terms_of(contract, name))}" for name in scheduled_types(contract)]


def _lines(name: str, value: Any) -> list[str]:
    """A term of a contract as lines of text; customers' digests are counted, not shown."""
    if name == "related_parties":
        return [str(len(value))]
    if name == "file_types":
        return [f"{one} {TYPES.get(one, '')}".strip() for one in value]
    if isinstance(value, Mapping):
        return [f"{key}: {_short(one)}" for key, one in value.items()] or ["–"]
    return [_short(value)]


def _short(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_short(one) for one in value)
    if isinstance(value, Mapping):
        return "; ".join(f"{key} {_short(one)}" for key, one in value.items())
    return "–" if value is None else str(value)
