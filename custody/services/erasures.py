"""Who was erased, as the register remembers it: a row is made by the approval of a deletion, and is its commit point.

What has to be deleted follows from the row, so that a deletion which a crash cut short is carried on.
"""

from __future__ import annotations

from datetime import date

from custody.ports import RegisterTx


def erased_up_to(tx: RegisterTx) -> dict[str, date]:
    """customer id -> the last custody date of which nothing personal may be kept of him any more."""
    found: dict[str, date] = {}
    for row in tx.find("erased_customer", ("erased_up_to",)):
        found[row["customer_id"]] = row["erased_up_to"]
    return found
