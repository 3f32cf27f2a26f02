"""What deleting a customer means, before anybody decides it: every place that has something of him, by name and number.

What is deleted is deleted for good; what the law keeps is named with the law and the date; what stands in the way is said in words.
The digest binds the decision to what was seen: it changes when rows are added, change or go.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from custody.customer_decisions import DELETE
from custody.digest import digest_of_json
from custody.errors import UsageError
from custody.names import LoanState
from custody.ports import RegisterTx, Row, StoreRow
from custody.retention import From, Term, longest, terms
from custody.services.access import check_permission
from custody.services.customer_history import proposals_about
from custody.services.customer_ports import CustomerPorts, Words, erased_on, merged_into, mergers
from custody.services.customer_proposals import left_at
from custody.services.customers import VIEW

_NAMES_HIM: Words = ("raw file that names him: encrypted, destroyed whole", "载有其资料的原始文件：加密留存，到期整体销毁")
_IDS_ONLY: Words = (
    "ids and decisions, no personal data; the audit chain is never cut",
    "仅编号与决定，不含个人资料；审计链不可删",
)
_MAY_NAME_HIM: Words = (
    "raw file that may name him: encrypted, destroyed whole",
    "可能载有其资料的原始文件：加密留存，到期整体销毁",
)
_ENDED = (LoanState.SETTLED, LoanState.MISCARRIED)


@dataclass(frozen=True)
class Place:
    """``rows`` in one place. ``until``: the last date on which the law keeps it; None where it is deleted now, or where what
    the law counts from has not ended."""

    store: str
    what: str
    rows: int
    words_en: str
    words_zh: str
    law_en: str = ""
    law_zh: str = ""
    until: date | None = None


@dataclass(frozen=True)
class DeletionPlan:
    """``accounts``: every sub-account that was ever his. ``until``: when the last of what is kept may go; None: not known yet."""

    customer_id: str
    deletes: tuple[Place, ...]
    keeps: tuple[Place, ...]
    blockers: tuple[Words, ...]
    accounts: tuple[str, ...]
    keeps_ledger: bool
    until: date | None
    digest: str


def deletion_plan(ports: CustomerPorts, actor: str, customer_id: str) -> DeletionPlan:
    """Raises NotPermitted; UsageError when there is no such customer, or when he was erased or merged already."""
    check_permission(ports.register, actor, VIEW, customer_id)
    return plan_of(ports, customer_id)


def plan_of(ports: CustomerPorts, customer_id: str) -> DeletionPlan:
    """As ``deletion_plan``, for services that have checked a permission of their own."""
    personal = ports.persons.rows(customer_id)
    states = ports.ledger.account_history(customer_id)
    accounts = tuple(sorted({row["sub_account"] for row in states if row["held_by"] == customer_id}))
    taken_up = ports.around.decisions_taken_up()
    with ports.register.transaction() as tx:
        found, erased = mergers(tx), erased_on(tx, customer_id)
        about = proposals_about(tx, customer_id)
        blockers = [*_cases(tx, accounts), *_proposals(about, taken_up)]
        events = len(tx.find("audit_event", subject=customer_id))
    if customer_id in found:
        raise UsageError(f"{customer_id} was merged into {found[customer_id]}: plan his deletion under that id")
    if not any(personal.values()):
        why = f"was erased with {erased}" if erased is not None else "is nobody of whom data are kept"
        raise UsageError(f"customer {customer_id!r} {why}")
    on = ports.ledger.up_to()
    if on is None:
        raise UsageError("no custody day is in the keyed store yet: nothing can be said of his accounts")
    for account in accounts:
        blockers += _at(ports, account, on)
    ended, loans = _ended(ports, accounts, on)
    ledger = ports.account_rows.of(customer_id, accounts)
    term = longest(terms(on, ended)) if loans is not None else None
    keeps_ledger = term is not None and (term.until is None or term.until >= on)
    places = {table: rows for table, rows in ledger.items() if rows}
    deletes = [*_counted(personal, ("personal data and what leads to it", "个人资料及其索引"))]
    keeps: list[Place] = []
    if keeps_ledger and term is not None:
        keeps += _counted(places, ("pseudonymous rows of his sub-accounts", "子账户账务记录（已去标识）"), term)
    else:
        deletes += _counted(places, ("rows of his sub-accounts", "子账户账务记录"))
    identity = longest(terms(on, {"relationship": _closed(states)})) if states else None
    keeps += _raw_files(ports, customer_id, accounts, identity or term, on)
    keeps += _registered(about, events, merged_into(found, customer_id), term)
    until = None if any(place.until is None for place in keeps) else max((p.until for p in keeps if p.until), default=on)
    gone = {**personal, **({} if keeps_ledger else places)}
    digest = digest_of_json(
        [
            customer_id,
            [_row_digests(table, rows) for table, rows in sorted(gone.items())],
            [{**asdict(place), "until": str(place.until)} for place in keeps if place.store != "register"],
        ]
    )
    return DeletionPlan(
        customer_id, tuple(deletes), tuple(keeps), tuple(dict.fromkeys(blockers)), accounts, keeps_ledger, until, digest
    )


def _place(store: str, what: str, rows: int, words: Words, term: Term | None) -> Place:
    law = (term.rule.law_en, term.rule.law_zh, term.until) if term is not None else ("", "", None)
    return Place(store, what, rows, words[0], words[1], law[0], law[1], law[2])


def _row_digests(table: str, rows: Sequence[StoreRow]) -> list[str]:
    """Each row's own digest, without what it says: the payload of a decision is kept for ever."""
    return [table, *(hashlib.sha256(repr((key, sorted(columns.items()))).encode()).hexdigest() for key, columns in rows)]


def _counted(rows: Mapping[str, Sequence[StoreRow]], words: Words, term: Term | None = None) -> list[Place]:
    return [_place("keyed store", table, len(found), words, term) for table, found in sorted(rows.items()) if found]


def _closed(states: Sequence[Row]) -> date | None:
    """When the relationship ended: the last sub-account closed; None while one is open."""
    last: dict[str, date | None] = {row["sub_account"]: row["closed_on"] for row in states}
    return _last(list(last.values()))


def _last(ends: Sequence[date | None]) -> date | None:
    """The last of some ends; None where one has not come."""
    known = [end for end in ends if end is not None]
    return max(known) if known and len(known) == len(ends) else None


def _ended(
    ports: CustomerPorts, accounts: Sequence[str], on: date
) -> tuple[dict[From, date | None], set[tuple[str, str]] | None]:
    """What the terms run from, and the loans that money of his moved for; None in their place where his accounts never moved."""
    loans: set[tuple[str, str]] = set()
    closed: list[date | None] = []
    moved = False
    for account in accounts:
        row = ports.ledger.sub_account(account)
        assert row is not None
        closed.append(row["closed_on"])
        for move in ports.ledger.movements(account, row["opened_on"], on):
            moved = True
            if move["loan_id"] is not None:
                loans.add((row["platform"], move["loan_id"]))
    ended: dict[From, date | None] = {"relationship": _last(closed)}
    if loans:
        ended["loan_contract"] = _contracts_end(ports, loans)
    return ended, loans if moved else None


def _contracts_end(ports: CustomerPorts, loans: set[tuple[str, str]]) -> date | None:
    """When the last of the contracts ended; None while one runs."""
    ends: list[date] = []
    for platform, loan_id in sorted(loans):
        loan = ports.ledger.loan(platform, loan_id)
        if loan is None or loan["state"] not in _ENDED:
            return None
        ends.append(loan["as_of"])
    return max(ends)


def _at(ports: CustomerPorts, account: str, on: date) -> list[Words]:
    """What stands in the way at one sub-account."""
    row = ports.ledger.sub_account(account)
    found: list[Words] = [(f"{account}: {e}", f"{account}：{z}") for e, z in left_at(ports, account)]
    if row is not None and (row["closed_on"] is None or row["closed_on"] > on):
        found.append((f"{account} is open: close it first", f"{account} 未销户，须先销户"))
    return found + [(f"{account}: {english}", f"{account}：{chinese}") for english, chinese in ports.around.unfinished(account)]


def _cases(tx: RegisterTx, accounts: Sequence[str]) -> list[Words]:
    names = [account.partition(".")[2] for account in accounts]
    platforms = {account.partition(".")[0] for account in accounts}
    found: list[Words] = []
    for case in tx.find("recon_case", state="OPEN", platform=sorted(platforms)):
        if any(_names(f"{case['subject']} {case['evidence']}", name) for name in names):
            found.append((f"case {case['case_id']} is open", f"案件 {case['case_id']} 未结"))
    for alert in tx.find("alert", state="OPEN", platform=sorted(platforms)):
        if any(_names(f"{alert['subject']} {alert['figures']}", name) for name in names):
            found.append((f"alert {alert['alert_id'][:12]} is open", f"预警 {alert['alert_id'][:12]} 未处理"))
    return found


def _names(text: str, name: str) -> bool:
    """Whether the text names this role and user number, and not a longer one."""
    at = text.find(name)
    while at >= 0:
        after = text[at + len(name) : at + len(name) + 1]
        if not (after.isalnum() or after in ("_", "-")) or not after:
            return True
        at = text.find(name, at + 1)
    return False


def _proposals(about: Sequence[Row], taken_up: int) -> list[Words]:
    found: list[Words] = []
    for row in about:
        number = row["proposal_id"]
        if row["kind"] == DELETE:
            continue
        if row["state"] == "PROPOSED":
            found.append((f"proposal {number} is undecided", f"提案 {number} 未复核"))
        elif row["state"] == "APPROVED" and row["decision_no"] > taken_up:
            found.append((f"proposal {number} waits for the next custody day", f"提案 {number} 待下一账务日生效"))
    return found


def _raw_files(ports: CustomerPorts, customer_id: str, accounts: Sequence[str], term: Term | None, on: date) -> list[Place]:
    said = ports.persons.said(customer_id)
    named = sorted({source.rpartition(":")[0] for word in said for source in word.sources if not source.startswith("proposal:")})
    parties = sorted({word.party for word in said} | {account.partition(".")[0] for account in accounts})
    first = min((word.on for word in said), default=on)
    return [
        _place("archive", name, 1, _NAMES_HIM if is_named else _MAY_NAME_HIM, term)
        for name, is_named in ports.around.raw_files(named, parties, first, on)
    ]


def _registered(about: Sequence[Row], events: int, merged: Sequence[str], term: Term | None) -> list[Place]:
    rows = {"proposal": len(about), "audit_event": events, "customer ids merged into his": len(merged)}
    return [_place("register", what, number, _IDS_ONLY, term) for what, number in rows.items() if number]


def kept_of(plan: DeletionPlan) -> dict[str, Any]:
    """What the register remembers of a plan that was approved."""
    return {
        "accounts": list(plan.accounts),
        "keeps_ledger": plan.keeps_ledger,
        "until": plan.until.isoformat() if plan.until is not None else None,
        "keeps": [json.loads(json.dumps(asdict(place), default=str)) for place in plan.keeps],
    }
