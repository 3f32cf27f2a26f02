"""Personal data in clear: shown for a reason, or handed to the person himself. Both are recorded (domain.md §10)."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from custody.errors import UsageError
from custody.masking import mask_user_numbers
from custody.money import format_amount
from custody.names import HoldKind, account_and_part
from custody.personal import FIELDS, latest
from custody.services.access import check_permission, permitted_transaction
from custody.services.customer_history import EXPORT, REVEAL, history
from custody.services.customer_ports import CustomerPorts
from custody.services.customers import view_of, words_of

# What the law forbids to tell the customer (domain.md §8).
_NEVER_TOLD = frozenset({HoldKind.AML})
_EPOCH = (1980, 1, 1, 0, 0, 0)


def reveal(ports: CustomerPorts, actor: str, customer_id: str, reason: str) -> dict[str, dict[str, str]]:
    """By party, its last word in clear. The reason is recorded before anything is shown. Raises NotPermitted; UsageError without a
    reason, or when nothing is kept."""
    if not reason.strip():
        raise UsageError("say in --reason why you have to see the data / 请说明查看理由")
    with permitted_transaction(ports.register, actor, REVEAL, customer_id) as tx:
        words = latest(words_of(ports, customer_id))
        tx.audit(actor, REVEAL, customer_id, {"reason": reason, "parties": sorted(words)})
    return {party: {name: word.fields.get(name) or "" for name in FIELDS} for party, word in words.items()}


@dataclass(frozen=True)
class Export:
    """A zip file with the same twice: for people (.txt) and for programs (.json)."""

    name: str
    data: bytes
    sha256: str


def export(ports: CustomerPorts, actor: str, customer_id: str, reason: str) -> Export:
    """All that is held on a customer, in clear, for himself. Its digest is recorded before it is handed out; the same holdings give
    the same bytes but for the history, which tells of earlier exports. Raises NotPermitted, UsageError."""
    if not reason.strip():
        raise UsageError("say in --reason who asked for it / 请说明由谁提出")
    check_permission(ports.register, actor, EXPORT, customer_id)
    made = _zipped(customer_id, _held(ports, actor, customer_id))
    with permitted_transaction(ports.register, actor, EXPORT, customer_id) as tx:
        tx.audit(actor, EXPORT, customer_id, {"reason": reason, "sha256": made.sha256})
    return made


def _held(ports: CustomerPorts, actor: str, customer_id: str) -> dict[str, Any]:
    view, ledger = view_of(ports, customer_id), ports.ledger
    accounts = [a.sub_account for a in view.accounts]
    movements, holds, claims = [], [], []
    for account in view.accounts:
        rows = ledger.movements(account.sub_account, account.opened_on, account.on)
        movements += [{"sub_account": account.sub_account, **row} for row in rows]
        holds += [row for row in ledger.holds_of(account.sub_account) if row["kind"] not in _NEVER_TOLD]
        claims += ledger.claims_of_holder(account.sub_account)
    own = set(accounts)
    return {
        "customer_id": customer_id,
        "as_of": view.as_of,
        "personal": [
            {"party": s.party, "on": s.on, **dict(s.fields), "sources": list(s.sources)} for s in ports.persons.said(customer_id)
        ],
        "accounts": [asdict(account) for account in view.accounts],
        "movements": [_without_others(row, own) for row in movements],
        "holds": holds,
        "claims": claims,
        "loans": [_without_others(row, own) for row in _loans(ports, claims, movements)],
        "history": [asdict(event) for event in history(ports, actor, customer_id)],
        "merged_from": list(view.merged_from),
        "sub_accounts": accounts,
    }


def _loans(ports: CustomerPorts, claims: list[Any], movements: list[Any]) -> list[Any]:
    """Terms and state of the loans that he lent to, borrowed, or answers for."""
    named = {(row["platform"], row["loan_id"]) for row in claims}
    named |= {(row["sub_account"].partition(".")[0], row["loan_id"]) for row in movements if row["loan_id"] is not None}
    return [loan for platform, loan_id in sorted(named) if (loan := ports.ledger.loan(platform, loan_id)) is not None]


def _without_others(row: dict[str, Any], own: set[str]) -> dict[str, Any]:
    """Of the other parties nothing by which they could be found."""
    named = {name for name in ("counterparty", "borrower", "guarantor", "payee") if name in row}
    others = {name for name in named if row[name] is not None and account_and_part(row[name])[0] not in own}
    return {name: mask_user_numbers(value) if name in others else value for name, value in row.items()}


_SECTIONS = (
    ("personal", "Personal data, as each party said it 个人资料（各方报送）"),
    ("accounts", "Sub-accounts and balances 子账户与余额"),
    ("movements", "Movements 资金变动"),
    ("holds", "Frozen money 冻结明细"),
    ("claims", "Claims 债权"),
    ("loans", "Loans 标的"),
    ("history", "What happened when, and who looked 变更与查看记录"),
)


def _zipped(customer_id: str, held: dict[str, Any]) -> Export:
    body = json.dumps(held, ensure_ascii=False, indent=1, sort_keys=True, default=_plain) + "\n"
    buffer = io.BytesIO()
    # Stored and dated alike, so that the same content is the same bytes.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as packed:
        for name, text in ((f"{customer_id}.txt", _readable(held)), (f"{customer_id}.json", body)):
            packed.writestr(zipfile.ZipInfo(name, _EPOCH), text.encode())
    data = buffer.getvalue()
    return Export(f"customer_{customer_id}.zip", data, hashlib.sha256(data).hexdigest())


def _readable(held: dict[str, Any]) -> str:
    lines = [f"Customer 客户 {held['customer_id']}", f"As of 截至 {held['as_of']}"]
    for name, title in _SECTIONS:
        lines += ["", f"== {title} ==", *(_line(row) for row in held[name])]
        if not held[name]:
            lines.append("nothing 无")
    return "\n".join(lines) + "\n"


def _line(row: dict[str, Any]) -> str:
    return "; ".join(f"{name.removesuffix('_minor')}: {_shown(name, value)}" for name, value in row.items() if value is not None)


def _shown(name: str, value: object) -> str:
    if name.endswith("_minor") and isinstance(value, int):
        return format_amount(value)
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _plain(value: object) -> str:
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in an export")
