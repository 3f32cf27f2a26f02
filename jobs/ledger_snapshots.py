"""The ledger's smaller registers as rows of the day's snapshot, and back: mandates, legal orders, what is under way, unsettled
money, open items, suspense."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from custody.ledger_state import LedgerState, LegalOrder, Mandate, OpenItem, Receipt, UnderWay
from custody.names import platform_of
from custody.ports import Row
from custody.statuses import still_under_way

SNAPSHOTS = ("mandates", "legal_orders", "under_way", "unsettled", "receivables", "suspense")


def load_registers(state: LedgerState, rows: Mapping[str, Iterable[Row]]) -> None:
    """``rows``: by table of SNAPSHOTS, as of yesterday."""
    for r in rows["mandates"]:
        state.mandates[r["platform"], r["mandate_id"]] = Mandate(**r)
    for r in rows["legal_orders"]:
        state.legal_orders[r["platform"], r["order_no"], r["action"]] = LegalOrder(**r)
    for r in rows["under_way"]:
        state.under_way[r["platform"], r["request_no"], r["leg"]] = UnderWay(**r)
    for r in rows["suspense"]:
        state.receipts[r["platform"], r["request_no"]] = Receipt(**r)
    for r in rows["receivables"]:
        item = OpenItem(r["opened_on"], r["settle_date"], r["amount_minor"])
        state.open_items.setdefault(r["account"], {})[r["item"]] = item
    for r in rows["unsettled"]:
        state.unsettled.setdefault((r["account"], r["hold_id"]), {})[r["channel"], r["settle_date"]] = r["amount_minor"]


def register_rows(state: LedgerState) -> dict[str, list[Row]]:
    """By table of SNAPSHOTS."""
    return {
        "mandates": [mandate._asdict() for mandate in state.mandates.values()],
        "legal_orders": [order._asdict() for order in state.legal_orders.values()],
        "under_way": [row._asdict() for row in still_under_way(state)],
        "suspense": [receipt._asdict() for receipt in state.receipts.values()],
        "receivables": [
            {"platform": platform_of(account), "account": account, "item": name, **item._asdict()}
            for account, items in state.open_items.items()
            for name, item in items.items()
        ],
        "unsettled": [
            {
                "platform": platform_of(account),
                "account": account,
                "hold_id": hold_id,
                "channel": channel,
                "settle_date": settle_date,
                "amount_minor": amount,
            }
            for (account, hold_id), lots in state.unsettled.items()
            for (channel, settle_date), amount in lots.items()
        ],
    }
