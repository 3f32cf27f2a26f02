"""Holds of watched customers for those who may know of them; that they looked is recorded (custody.services.aml_holds)."""

from __future__ import annotations

from connectors.bootstrap import Wiring
from custody.customer_decisions import resolve
from custody.errors import UsageError
from custody.permissions import permitted
from custody.ports import Row
from custody.services.access import duties_of
from custody.services.aml_holds import VIEW, look
from custody.services.outputs import days_begun, latest_seal
from custody.watch_list import HOLD, HoldState


def holds(wiring: Wiring, actor: str) -> list[Row]:
    """All entries of watch lists as the newest landed date has them, by present customer ids, with the open proposals about each.
    Raises NotPermitted."""
    look(wiring.register, actor, "all holds")
    return _holds(wiring)


def holds_of(wiring: Wiring, actor: str, customer_id: str) -> list[Row]:
    """Those of one customer that last; none for whoever may not know: he is not told that there is something to know."""
    with wiring.register.transaction() as tx:
        if not permitted(VIEW, duties_of(tx, actor)):
            return []
    found = [row for row in _holds(wiring) if row["customer_id"] == customer_id and row["state"] != HoldState.RELEASED]
    if found:
        look(wiring.register, actor, customer_id)
    return found


def hold_named(wiring: Wiring, actor: str, hold_id: str) -> Row:
    """Raises NotPermitted; UsageError when there is none."""
    look(wiring.register, actor, hold_id)
    for row in _holds(wiring):
        if row["hold_id"] == hold_id:
            return row
    raise UsageError(f"no hold {hold_id[:40]!r}; see: custody compliance holds / 无此止付")


def _holds(wiring: Wiring) -> list[Row]:
    with wiring.register.transaction() as tx:
        sealed = (latest_seal(tx, day, "land") for day in reversed(days_begun(tx)))
        seal = next((one for one in sealed if one is not None), None)
        open_ = tx.find("proposal", ("proposed_at", "proposal_id"), kind=HOLD, state="PROPOSED")
    if seal is None:
        return []
    aliases = {row["old"]: row["new"] for row in wiring.lake.rows(seal.path, "customer_aliases")}
    proposed: dict[str, list[Row]] = {}
    for row in open_:
        proposed.setdefault(row["subject"], []).append(row)
    return [
        row | {"customer_id": resolve(aliases, row["customer_id"]), "proposals": proposed.get(row["hold_id"], [])}
        for row in wiring.lake.rows(seal.path, "watched")
    ]
