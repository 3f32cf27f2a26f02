"""One platform on one custody date, gathered from sealed steps and the register: files, balances, breaks, cases by age, money ahead, fees,
alerts, and how its last days went."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from connectors.bootstrap import Wiring
from console.alert_view import Funds, platform_funds
from custody.alert_rules import weight
from custody.errors import UsageError
from custody.fee_positions import Position, position_of
from custody.loan_history import POSTED
from custody.names import Book, PartyKind, account_and_part, role_of
from custody.ports import RegisterTx, Row
from custody.services import alerts as alert_service
from custody.services.case_desk import CaseFilter, age_days, find_cases, is_overdue, standing_on
from custody.services.organisations import Party, standing_party
from custody.services.outputs import Seal, days_begun, newest_seals, seals_of_day
from custody.services.party_contacts import Contact, contacts
from custody.steps import day_state

# Trends over so many of the newest days up to the date.
TREND_DAYS = 30
# Days for which an open case has stood: from, to; None: longer.
_AGES: Sequence[tuple[int, int | None]] = ((0, 1), (2, 3), (4, 7), (8, 30), (31, None))


@dataclass(frozen=True)
class Sum:
    """Accounts of one kind within a book, in minor units: ``opening_minor`` + ``in_minor`` - ``out_minor`` = ``closing_minor``."""

    book: str
    name: str
    accounts: int
    currency: str
    opening_minor: int
    in_minor: int
    out_minor: int
    closing_minor: int


@dataclass(frozen=True)
class CorePair:
    """What the ledger's mirror of a core account says at the end of the date, and what the core says; None where it has no such account."""

    account: str
    currency: str
    ledger_minor: int
    core_minor: int | None


@dataclass(frozen=True)
class Age:
    """Open cases that have stood for ``first`` to ``last`` calendar days (None: or longer)."""

    first: int
    last: int | None
    cases: int
    overdue: int
    amount_minor: int


@dataclass(frozen=True)
class PlatformPoint:
    """One custody date of a platform; None where the step that would say it is not committed. ``posted``: instruction legs; ``core_minor``:
    customers' money at the core."""

    on: date
    posted: int | None
    breaks: int | None
    core_minor: int | None


@dataclass(frozen=True)
class PlatformDay:
    """``seals``: of the date; lists are empty while their step is not committed. Cases, alerts and files are as they stand now."""

    party: Party
    on: date
    begun: list[date]
    state: str
    seals: Mapping[str, Seal]
    promised: list[Row]
    sums: list[Sum]
    core: list[CorePair]
    breaks: list[Row]
    cases: list[Row]
    cases_on: date | None
    ages: list[Age]
    alerts: list[Row]
    funds: list[Funds]
    fees: Position | None
    charges: list[Row]
    contacts: list[Contact]
    trend: list[PlatformPoint]


def the_platform(wiring: Wiring, platform: str, on: date | None) -> PlatformDay:
    """Without a date the newest that was begun. Raises UsageError for what is no platform,"""
    with wiring.register.transaction() as tx:
        begun = days_begun(tx)
        chosen = on or (begun[-1] if begun else wiring.settings.instance.go_live)
        party = standing_party(tx, platform).on(None)
        if party.kind != PartyKind.PLATFORM:
            raise UsageError(f"{platform[:20]!r} is no platform but {party.kind} / 该机构不是平台")
        seals = seals_of_day(tx, chosen)
        newest = {step: {seal.custody_date: seal for seal in newest_seals(tx, step)} for step in ("post", "reconcile", "extract")}
        promised = tx.find("expected_file", ("file_type", "batch"), party=platform, custody_date=chosen)
        cases_on, cases = standing_on(tx), find_cases(tx, CaseFilter(platform=platform))
        alerts = _alerts(tx, platform)
        fees_seals = newest_seals(tx, "fees")
        charges = tx.find("fee_charge", ("period", "charge_no"), platform=platform)[::-1]
        called = contacts(tx, platform)
    of = _Of(wiring, platform)
    sums = _sums(of, seals.get("post"))
    last_days = [day for day in begun if day <= chosen][-TREND_DAYS:]
    return PlatformDay(
        party=party,
        on=chosen,
        begun=begun,
        state=day_state(seals),
        seals=seals,
        promised=promised,
        sums=sums,
        core=_core(of, seals.get("post"), seals.get("extract"), sums),
        breaks=sorted(of.rows(seals.get("reconcile"), "breaks"), key=lambda b: (-b["amount_minor"], b["case_id"])),
        cases=cases,
        cases_on=cases_on,
        ages=_ages(cases, cases_on),
        alerts=alerts,
        funds=platform_funds(wiring, chosen, platform),
        fees=next(map(position_of, of.rows(fees_seals[-1] if fees_seals else None, "fee_positions")), None),
        charges=charges,
        contacts=called,
        trend=[_point(of, day, *(newest[step].get(day) for step in ("post", "reconcile", "extract"))) for day in last_days],
    )


class _Of:
    """The platform's rows of a table, read from the row groups that may hold any."""

    def __init__(self, wiring: Wiring, platform: str) -> None:
        self._lake, self.platform = wiring.lake, platform

    def table(self, seal: Seal | None, table: str, columns: Sequence[str] | None = None) -> pa.Table | None:
        """None while the step is not committed."""
        if seal is None:
            return None
        within = {"platform": (self.platform, self.platform)}
        pieces = [
            piece.filter(pc.equal(piece["platform"], self.platform))
            for piece in self._lake.pieces(seal.path, table, within, columns)
        ]
        return pa.concat_tables(pieces) if pieces else None

    def rows(self, seal: Seal | None, table: str) -> list[Row]:
        found = self.table(seal, table)
        return [] if found is None else found.to_pylist()

    def core(self, extract: Seal | None) -> dict[str, Row]:
        """Balances of the platform's accounts at the core, by their name."""
        if extract is None:
            return {}
        first = f"{self.platform}:"
        pieces = self._lake.pieces(extract.path, "core_balance", {"account": (first, f"{first}~")})
        return {
            row["account"].removeprefix(first): row
            for piece in pieces
            for row in piece.filter(pc.starts_with(piece["account"], first)).to_pylist()
        }


def _alerts(tx: RegisterTx, platform: str) -> list[Row]:
    """Those that are not closed, the gravest first."""
    standing = tx.find("alert", platform=platform, state=[alert_service.OPEN, alert_service.ACKNOWLEDGED])
    return sorted(standing, key=lambda a: (-weight(a["severity"]), a["raised_on"], a["alert_id"]))


# Accounts that mirror one at the bank core, by its name there.
_MIRRORS = {"CORE_CASH": "CUSTODY", "OWN_CASH": "OWN"}
_ASSETS = (*_MIRRORS, "CHANNEL_RECEIVABLE", "FEE_RECEIVABLE", "BANK_CASH", "FEE_DUE")
_MINOR = ("opening_minor", "in_minor", "out_minor", "closing_minor")


def _sums(of: _Of, post: Seal | None) -> list[Sum]:
    """Customers' accounts summed by role and part, the platform's own one by one; book by book, what it owns before what it owes."""
    table = of.table(post, "balances")
    if table is None:
        return []
    own = f"{of.platform}:"
    grouped: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    named = [_kind_of(account, own) for account in table["account"].to_pylist()]
    columns = zip(
        table["book"].to_pylist(), named, table["currency"].to_pylist(), *(table[c].to_pylist() for c in _MINOR), strict=True
    )
    for book, name, currency, *minor in columns:
        found = grouped[book, name, currency]
        found["accounts"] += 1
        found.update(dict(zip(_MINOR, minor, strict=True)))
    sums = [
        Sum(book, name, found["accounts"], currency, *(found[c] for c in _MINOR))
        for (book, name, currency), found in grouped.items()
    ]
    return sorted(sums, key=lambda s: (list(Book).index(Book(s.book)), not s.name.startswith(_ASSETS), s.name))


def _kind_of(account: str, own: str) -> str:
    """``LENDER available`` of a sub-account's part; the name of an account that is no customer's."""
    if "." not in account:
        return account.removeprefix(own)
    sub_account, part = account_and_part(account)
    return f"{role_of(sub_account)} {part}"


def _core(of: _Of, post: Seal | None, extract: Seal | None, sums: Sequence[Sum]) -> list[CorePair]:
    if post is None or extract is None:
        return []
    at_core = of.core(extract)
    return [
        CorePair(said.name, said.currency, -said.closing_minor, row["closing_minor"] if row else None)
        for said in sums
        if said.name in _MIRRORS
        for row in [at_core.get(_MIRRORS[said.name])]
    ]


def _ages(cases: Sequence[Row], on: date | None) -> list[Age]:
    found = []
    for first, last in _AGES:
        of_age = [row for row in cases if first <= age_days(row, on) and (last is None or age_days(row, on) <= last)]
        overdue = sum(is_overdue(row, on) for row in of_age)
        found.append(Age(first, last, len(of_age), overdue, sum(row["amount_minor"] for row in of_age)))
    return found


def _point(of: _Of, on: date, post: Seal | None, reconcile: Seal | None, extract: Seal | None) -> PlatformPoint:
    legs = of.table(post, "ledger_txn", ("platform", "outcome"))
    breaks = of.table(reconcile, "breaks", ("platform",))
    cash = of.core(extract).get(_MIRRORS["CORE_CASH"])
    return PlatformPoint(
        on,
        None if post is None else 0 if legs is None else pc.sum(pc.equal(legs["outcome"], POSTED)).as_py() or 0,
        None if reconcile is None else 0 if breaks is None else breaks.num_rows,
        cash["closing_minor"] if cash else None,
    )
