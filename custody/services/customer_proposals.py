"""Customers by form: one or many are added, changed, closed, or found to be one person; two people decide (domain.md §10).

The data themselves lie sealed with the customer until a custody day takes them up; the proposal names them by a keyed digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from custody.customer_decisions import ADD, CHANGE, MERGE, pending_reference, personal_digest, resolve
from custody.digest import digest_of_json
from custody.errors import UsageError
from custody.findings import RowFault
from custody.names import PartyKind, sub_account_id
from custody.personal import FIELDS, Said, changed_fields, latest
from custody.ports import RegisterTx, Row
from custody.services.access import check_permission, permitted_transaction
from custody.services.customer_ports import CustomerPorts, erased_on, mergers
from custody.services.four_eyes import DecisionKind, propose

PROPOSE, APPROVE = "customer.propose", "customer.approve"
# What each form takes.
_ACTIONS = {ADD: ("OPEN",), CHANGE: ("CHANGE", "CLOSE")}
# A proposal is one decision that two people can look through, and one value in the register.
MOST_ROWS = 5_000


@dataclass(frozen=True)
class Proposed:
    """``proposal``: its id, or None where ``faults`` stand against it."""

    proposal: str | None
    faults: tuple[RowFault, ...] = ()


def propose_rows(ports: CustomerPorts, actor: str, kind: str, platform: str, data: bytes, note: str) -> Proposed:
    """Propose what a file like a CUSTOMER file says of a platform's customers: ``ADD`` opens sub-accounts, ``CHANGE`` changes what
    is known or closes them, on the custody day that takes it up (so the rows' times say nothing).

    Raises NotPermitted; UsageError without a note, without rows, or for no platform; RetryLater while the day holds the lease.
    """
    if not note.strip():
        raise UsageError("say in --note why / 请在 --note 中说明原因")
    with permitted_transaction(ports.register, actor, PROPOSE, platform) as tx:
        party = tx.get("party", party=platform)
        aliases = mergers(tx)
    if party is None or party["kind"] != PartyKind.PLATFORM:
        raise UsageError(f"{platform!r} is no platform; see: custody org list")
    rows, faults = ports.judge(data)
    bad = {fault.line_no for fault in faults}
    people = [(row, ports.secrets.identity_digest(row["id_type"], row["id_no"])) for row in rows if row["line_no"] not in bad]
    for row, customer_id in people:
        faults += _faults(ports, kind, platform, row, customer_id, aliases)
    if faults:
        return Proposed(None, tuple(sorted(faults, key=lambda f: (f.line_no, f.field))))
    if not 0 < len(people) <= MOST_ROWS:
        raise UsageError(f"a form has 1 to {MOST_ROWS} rows, this one {len(people)}")
    payload = {"platform": platform, "rows": [_said(ports, platform, row, customer_id) for row, customer_id in people]}
    subject = people[0][1] if len(people) == 1 else f"{platform} {len(people)} rows {digest_of_json(payload)[:16]}"
    with ports.lease() as fence:
        proposal = propose(ports.register, ports.clock, actor, FORMS[kind], subject, payload, note)
        for number, (row, customer_id) in enumerate(people, start=1):
            reference = pending_reference(payload, number)
            ports.persons.pend(customer_id, reference, {name: row[name] for name in FIELDS}, fence)
    return Proposed(proposal)


def propose_change(
    ports: CustomerPorts,
    actor: str,
    platform: str,
    role: str,
    user_no: str,
    changes: Mapping[str, str],
    note: str,
    action: str = "CHANGE",
) -> Proposed:
    """Propose to change some fields of what a platform says of one customer, or to close his sub-account; the other fields stay.

    An empty value takes a phone or card away. Raises as ``propose_rows``, and UsageError when the account or its data are not there.
    """
    check_permission(ports.register, actor, PROPOSE, platform)
    account = ports.ledger.sub_account(sub_account_id(platform, role, user_no))
    said = latest(ports.persons.said(account["customer_id"])).get(platform) if account is not None else None
    if account is None or said is None:
        raise UsageError(f"{platform} has no customer {user_no} in the role {role} of whom data are kept")
    unknown = sorted(set(changes) - set(FIELDS))
    if unknown or not (changes or action == "CLOSE"):
        raise UsageError(f"a change names one or more of {', '.join(FIELDS)}; not {', '.join(unknown) or 'none'}")
    values = {"user_no": user_no, "role": role, "action": action, "kind": account["kind"], **said.fields, **changes}
    return propose_rows(ports, actor, CHANGE, platform, ports.form({k: v or "" for k, v in values.items()}), note)


def _said(ports: CustomerPorts, platform: str, row: Row, customer_id: str) -> dict[str, Any]:
    """A row as the payload has it: what changes, not to what."""
    fields = {name: row[name] for name in FIELDS}
    before = latest(ports.persons.said(customer_id)).get(platform)
    word = Said(platform, before.on if before is not None else ports.clock.now().date(), fields, ())
    return {
        **{name: row[name] for name in ("user_no", "role", "action", "kind")},
        "customer_id": customer_id,
        "personal_digest": personal_digest(ports.secrets, customer_id, fields),
        "changes": changed_fields(before, word),
    }


def _faults(
    ports: CustomerPorts, kind: str, platform: str, row: Row, customer_id: str, aliases: Mapping[str, str]
) -> list[RowFault]:
    line, account_id = row["line_no"], sub_account_id(platform, row["role"], row["user_no"])
    account = ports.ledger.sub_account(account_id)
    found: list[RowFault] = []

    def fault(field: str, value: str, rule: str, **figures: object) -> None:
        found.append(RowFault(line, field, value, rule, figures))

    if row["action"] not in _ACTIONS[kind]:
        fault("action", row["action"], "form_action", expected="/".join(_ACTIONS[kind]))
    elif customer_id in aliases:
        fault("id_no", customer_id, "customer_merged", into=resolve(aliases, customer_id))
    elif kind == ADD:
        if account is not None:
            fault("user_no", account_id, "account_exists")
    elif account is None:
        fault("user_no", account_id, "account_unknown")
    elif account["closed_on"] is not None:
        fault("user_no", account_id, "account_closed", closed_on=account["closed_on"].isoformat())
    elif account["customer_id"] != customer_id:
        fault("id_no", account_id, "other_person")
    elif account["kind"] != row["kind"]:
        fault("kind", row["kind"], "customer_kind", expected=account["kind"])
    elif row["action"] == "CLOSE":
        for english, chinese in left_at(ports, account_id):
            fault("user_no", account_id, "account_not_empty", what=f"{english} {chinese}")
    return found


def left_at(ports: CustomerPorts, account: str) -> list[tuple[str, str]]:
    """What keeps a sub-account from being closed (domain.md §4, invariant 14), in words."""
    row = ports.ledger.sub_account(account)
    words = []
    if row is not None and (row["available_minor"] or row["frozen_minor"] or row["unsettled_minor"]):
        words.append(("money", "资金"))
    for hold in ports.ledger.holds_of(account):
        words.append((f"a {hold['kind']} hold", f"{hold['kind']} 冻结"))
    for claim in ports.ledger.claims_of_holder(account):
        if claim["principal_minor"]:
            words.append((f"a claim on loan {claim['loan_id']}", f"标的 {claim['loan_id']} 的债权"))
    return words


def propose_merge(ports: CustomerPorts, actor: str, old: str, into: str, note: str) -> str:
    """Propose that two customer ids are one person; the note names the evidence. From the custody day that takes it up on, the old
    id's sub-accounts and data are the other's. Raises NotPermitted, UsageError."""
    if not note.strip():
        raise UsageError("say in --note by what evidence they are one person / 请在 --note 中说明证据")
    with permitted_transaction(ports.register, actor, PROPOSE, old) as tx:
        _check_merger(tx, old, into)
    for customer_id in (old, into):
        if not (ports.persons.said(customer_id) or ports.ledger.accounts_of(customer_id)):
            raise UsageError(f"no customer {customer_id!r}; see: custody customer find")
    return propose(ports.register, ports.clock, actor, MERGING, old, {"into": into}, note)


def _check_merger(tx: RegisterTx, old: str, into: str) -> None:
    found = mergers(tx)
    if old == into:
        raise UsageError("a customer is himself already")
    for customer_id in (old, into):
        if customer_id in found:
            back = (
                " A merger is not undone: the accounts of both are one person's since."
                if found[customer_id] in (old, into)
                else ""
            )
            raise UsageError(f"{customer_id} was merged into {found[customer_id]}.{back}")
        if erased_on(tx, customer_id) is not None:
            raise UsageError(f"{customer_id} was erased: nobody can be shown to be him any more")


def _apply_rows(tx: RegisterTx, subject: str, payload: Mapping[str, object]) -> None:
    """Only checks: the next cut-off seals the decision, and that day's landing and posting take it up."""
    rows = payload["rows"]
    assert isinstance(rows, Sequence)
    found = mergers(tx)
    for row in rows:
        if row["customer_id"] in found:
            raise UsageError(f"{row['customer_id']} was merged into {found[row['customer_id']]} meanwhile: propose again")


def _apply_merger(tx: RegisterTx, subject: str, payload: Mapping[str, object]) -> None:
    _check_merger(tx, subject, str(payload["into"]))


FORMS = {kind: DecisionKind(kind, PROPOSE, APPROVE, _apply_rows) for kind in (ADD, CHANGE)}
MERGING = DecisionKind(MERGE, PROPOSE, APPROVE, _apply_merger)
