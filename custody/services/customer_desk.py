"""Deciding on a proposal about a customer, and carrying it out: one way for the command line, the pages and the scheduler."""

from __future__ import annotations

import json

from custody.customer_decisions import BY_FORM, DELETE, pending_reference
from custody.errors import UsageError
from custody.ports import Row
from custody.services.access import permitted_transaction
from custody.services.customer_ports import CustomerPorts
from custody.services.customer_proposals import APPROVE, FORMS, MERGING
from custody.services.erasures import CARRY_OUT, DELETING, approve_delete, carry_out_delete
from custody.services.four_eyes import DecisionKind, approve, reject

KINDS: dict[str, DecisionKind] = {**FORMS, MERGING.kind: MERGING, DELETING.kind: DELETING}


def decide(ports: CustomerPorts, actor: str, proposal_id: str, approved: bool, note: str) -> Row:
    """Approve or reject another person's proposal. A form or a merger takes effect with the next custody day; a deletion is carried
    out at once, a rejected form's data are dropped at once.

    Raises NotPermitted; UsageError when it cannot be decided so (any more); RetryLater while the day holds the lease.
    """
    with permitted_transaction(ports.register, actor, APPROVE, proposal_id) as tx:
        row = tx.get("proposal", proposal_id=proposal_id, kind=list(KINDS))
    if row is None:
        raise UsageError(f"no proposal {proposal_id!r} about a customer")
    kind = KINDS[row["kind"]]
    if not approved:
        decided = reject(ports.register, ports.clock, actor, kind, proposal_id, note)
        _drop(ports, decided)
    elif row["kind"] == DELETE:
        decided = approve_delete(ports, actor, row, note)
        carry_out_delete(ports, actor, proposal_id)
    else:
        if row["state"] == "PROPOSED":
            _check_data(ports, row)
        decided = approve(ports.register, ports.clock, actor, kind, proposal_id, note)
    return decided


def carry_out(ports: CustomerPorts, actor: str, proposal_id: str) -> str:
    """What a decided proposal still leaves to do, after a crash or for the scheduler; repeats safely. Returns what is so now, in
    words. Raises NotPermitted; UsageError when nobody has decided; RetryLater while the day holds the lease."""
    with permitted_transaction(ports.register, actor, CARRY_OUT, proposal_id) as tx:
        row = tx.get("proposal", proposal_id=proposal_id, kind=list(KINDS))
    if row is None:
        raise UsageError(f"no proposal {proposal_id!r} about a customer")
    if row["state"] == "PROPOSED":
        raise UsageError(f"proposal {proposal_id} waits for a second person")
    if row["state"] == "REJECTED":
        _drop(ports, row)
        return "rejected, nothing of it is left / 已拒绝"
    if row["kind"] == DELETE:
        carry_out_delete(ports, actor, proposal_id)
        return "deleted / 已删除"
    return "takes effect with the next custody day that is cut off / 自下一账务日起生效"


def _references(row: Row) -> list[tuple[str, str]]:
    payload = json.loads(row["payload"])
    if row["kind"] not in BY_FORM:
        return []
    return [(said["customer_id"], pending_reference(payload, n)) for n, said in enumerate(payload["rows"], start=1)]


def _check_data(ports: CustomerPorts, row: Row) -> None:
    for customer_id, reference in _references(row):
        if ports.persons.pending(customer_id, reference) is None:
            raise UsageError(f"the data of proposal {row['proposal_id']} are not kept (any more): propose it again")


def _drop(ports: CustomerPorts, row: Row) -> None:
    references = _references(row)
    if references:
        with ports.lease() as fence:
            for customer_id, reference in references:
                ports.persons.drop_pending(customer_id, reference, fence)
