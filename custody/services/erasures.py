"""Deleting a customer: two steps, two people, and a register row that is the commit point.

The row of ``erased_customer`` is made in the transaction that approves; from then on landing keeps nothing personal of him for days
up to ``erased_up_to``, and what has to be deleted follows from the row, so that a deletion which a crash cut short is carried on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from custody.customer_decisions import DELETE
from custody.digest import canonical_json
from custody.errors import UsageError
from custody.ports import RegisterTx, Row
from custody.services.access import check_permission, permitted_transaction
from custody.services.customer_ports import CustomerPorts
from custody.services.deletion_plan import DeletionPlan, kept_of, plan_of
from custody.services.four_eyes import DecisionKind, approve, propose

CARRY_OUT = "customer.carry_out"


def erased_up_to(tx: RegisterTx) -> dict[str, date]:
    """customer id -> the last custody date of which nothing personal may be kept of him any more."""
    found: dict[str, date] = {}
    for row in tx.find("erased_customer", ("erased_up_to",)):
        found[row["customer_id"]] = row["erased_up_to"]
    return found


def removed_accounts(tx: RegisterTx) -> frozenset[str]:
    """Owners (customers and sub-accounts) whose rows are no longer in the keyed store's projection, and must not come again."""
    owners: set[str] = set()
    for row in tx.find("erased_customer"):
        kept = json.loads(row["kept"])
        if row["purged_at"] is not None or not kept["keeps_ledger"]:
            owners |= {row["customer_id"], *kept["accounts"]}
    return frozenset(owners)


def propose_delete(ports: CustomerPorts, actor: str, customer_id: str, plan_digest: str, note: str) -> str:
    """Propose to delete what the plan with this digest says. Raises NotPermitted; UsageError without a note, when the plan has
    changed since, or when something stands in the way."""
    if not note.strip():
        raise UsageError("say in --note who asked for it and why / 请在 --note 中说明缘由")
    check_permission(ports.register, actor, DELETING.propose_action, customer_id)
    _check(plan_of(ports, customer_id), plan_digest)
    return propose(ports.register, ports.clock, actor, DELETING, customer_id, {"plan_digest": plan_digest}, note)


def _check(plan: DeletionPlan, digest: str) -> None:
    if plan.blockers:
        raise UsageError("in the way / 阻碍: " + "; ".join(f"{english} {chinese}" for english, chinese in plan.blockers))
    if plan.digest != digest:
        raise UsageError(
            f"the plan of {plan.customer_id} has changed: its digest is {plan.digest} now. Look again and propose again"
        )


def approve_delete(ports: CustomerPorts, actor: str, proposal: Row, note: str) -> Row:
    """Approve while nothing moves: the plan is worked out again under the lease and must be the one that was seen. Deciding again
    changes nothing. Raises as ``four_eyes.approve``, UsageError for another plan, RetryLater while the day holds the lease."""
    with ports.lease():
        kept: dict[str, Any] = {}
        if proposal["state"] == "PROPOSED":
            plan = plan_of(ports, proposal["subject"])
            _check(plan, json.loads(proposal["payload"])["plan_digest"])
            kept = kept_of(plan)
        last_day = max(ports.around.days_begun())

        def erase(tx: RegisterTx, subject: str, payload: Mapping[str, object]) -> None:
            row: Row = {
                "proposal_id": proposal["proposal_id"],
                "customer_id": subject,
                "erased_up_to": last_day,
                "kept": canonical_json(kept),
                "approved_at": ports.clock.now().isoformat(timespec="microseconds"),
            }
            tx.insert("erased_customer", row)

        return approve(ports.register, ports.clock, actor, replace(DELETING, apply=erase), proposal["proposal_id"], note)


def carry_out_delete(ports: CustomerPorts, actor: str, proposal_id: str) -> bool:
    """Delete what was approved; repeating is harmless. Returns whether there was something left to do."""
    with permitted_transaction(ports.register, actor, CARRY_OUT, proposal_id) as tx:
        row = tx.get("erased_customer", proposal_id=proposal_id)
    if row is None or row["erased_at"] is not None:
        return False
    with ports.lease() as fence:
        ports.persons.destroy(row["customer_id"], fence)
        kept = json.loads(row["kept"])
        if not kept["keeps_ledger"]:
            _remove_ledger(ports, row, kept["accounts"], fence)
        at = ports.clock.now().isoformat(timespec="microseconds")
        with permitted_transaction(ports.register, actor, CARRY_OUT, row["customer_id"]) as tx:
            tx.update("erased_customer", {"proposal_id": proposal_id}, {"erased_at": at})
            details = {"proposal": proposal_id, "until": kept["until"], "ledger": "kept" if kept["keeps_ledger"] else "removed"}
            tx.audit(actor, "customer.erased", row["customer_id"], details)
    return True


def purge(ports: CustomerPorts, actor: str, on: date) -> list[str]:
    """Finish every deletion that was approved, and remove the rows that the law kept until before ``on``. Returns the customers."""
    with permitted_transaction(ports.register, actor, CARRY_OUT, on.isoformat()) as tx:
        rows = tx.find("erased_customer")
    done = []
    for row in rows:
        kept = json.loads(row["kept"])
        if carry_out_delete(ports, actor, row["proposal_id"]):
            done.append(row["customer_id"])
        over = kept["keeps_ledger"] and kept["until"] is not None and date.fromisoformat(kept["until"]) < on
        if over and row["purged_at"] is None:
            _purge(ports, actor, row, kept["accounts"])
            done.append(row["customer_id"])
    return done


def _purge(ports: CustomerPorts, actor: str, row: Row, accounts: list[str]) -> None:
    with ports.lease() as fence:
        _remove_ledger(ports, row, accounts, fence)
        at = ports.clock.now().isoformat(timespec="microseconds")
        with permitted_transaction(ports.register, actor, CARRY_OUT, row["customer_id"]) as tx:
            tx.update("erased_customer", {"proposal_id": row["proposal_id"]}, {"purged_at": at})
            tx.audit(actor, "customer.purged", row["customer_id"], {"proposal": row["proposal_id"], "accounts": len(accounts)})


def _remove_ledger(ports: CustomerPorts, row: Row, accounts: list[str], fence: int) -> None:
    """What is removed is written down first, once: a crash in between must not make it less."""
    rows = ports.account_rows.of(row["customer_id"], accounts)
    with ports.register.transaction() as tx:
        if not tx.find("removed_rows", proposal_id=row["proposal_id"]):
            for removed in ports.account_rows.sums(rows):
                tx.insert("removed_rows", {"proposal_id": row["proposal_id"], **removed})
    ports.account_rows.delete(rows, fence)


def _through_its_plan(tx: RegisterTx, subject: str, payload: Mapping[str, object]) -> None:
    raise UsageError(f"the deletion of {subject} is approved with its plan in view: by customer_desk.decide")


DELETING = DecisionKind(DELETE, "customer.propose", "customer.approve", _through_its_plan)
