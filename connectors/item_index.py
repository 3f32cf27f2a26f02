"""What the lake lays beside a table's rows so that matching need not read them: of each row that is an item of a flow relation, five
numbers (design.md §2, jobs.reconcile.relations says in SQL what the items are; a test holds the two together).

``key``: the hash of its match key, null where it has none; ``row``: the hash of its place, key and amount; ``print_high``,
``print_low``: half of the SHA-256 of its key and of all that the relation's rules may compare; ``minor``: its amount. Two items with
one print are alike in all of that, whoever made them up. A row that is no item of the relation has none of the five.

They follow from the row's own cells and are no content: digests do not know them, and ``verify`` reckons them anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.table_digest import HASH_BYTES, row_hashes
from custody.adjustments import DECISION
from custody.matching import CLAIMED_ACCOUNT
from custody.posting_rules import RULES
from custody.reversals import REVERSAL
from custody.rule_forms import SIDES
from schemas.xxhash64 import xxhash64

NUMBERS = ("key", "row", "print_high", "print_low", "minor")
# What is compared at matching itself: a channel's fee follows from its contract, which the rows do not know.
BESIDE_THE_PRINT = MappingProxyType({"BC_CHANNEL": "fee_minor"})
_Columns = dict[str, pa.Array | pa.ChunkedArray | pa.Scalar]
_Items = Callable[[pa.Table], tuple[_Columns, pa.ChunkedArray | None]]


def printed(relation: str) -> tuple[str, ...]:
    """The item's columns that its print covers, beside its key."""
    return tuple(sorted({*SIDES[relation].columns, "amount_minor", "item_date"} - {BESIDE_THE_PRINT.get(relation)}))


def numbers_of(relation: str, items: pa.Table) -> pa.Table:
    """The five numbers of items that have the columns row_ref, match_key and ``printed``, a row each."""
    whole = row_hashes(items.select(["match_key", *printed(relation)]))
    prints = np.frombuffer(whole, "<i8").reshape(-1, HASH_BYTES // 8)
    key = pa.array(xxhash64(items["match_key"]), mask=items["match_key"].is_null().to_numpy())
    row = xxhash64(items["row_ref"], items["match_key"], items["amount_minor"])
    return pa.table([key, row, prints[:, 0], prints[:, 1], items["amount_minor"].cast(pa.int64())], names=list(NUMBERS))


def index_columns(table: str) -> list[str]:
    """The names of a table's index columns; none where no relation reads it."""
    return [column(relation, number) for relation in _INDEXED.get(table, {}) for number in NUMBERS]


def hash_columns(table: str) -> list[str]:
    """Those of them that are hashes."""
    return [column(relation, number) for relation in _INDEXED.get(table, {}) for number in NUMBERS if number != "minor"]


def column(relation: str, number: str) -> str:
    return f"{relation.lower()}_{number}"


def indexed(table: str, rows: pa.Table) -> pa.Table:
    """The rows of a declared table with their index columns, 64-bit integers or null, behind the others."""
    rows = rows.combine_chunks()
    for relation, items_of in _INDEXED.get(table, {}).items():
        columns, mask = items_of(rows)
        items = pa.table({n: pa.repeat(c, rows.num_rows) if isinstance(c, pa.Scalar) else c for n, c in columns.items()})
        here = None if mask is None else pc.fill_null(mask, False)
        numbers = numbers_of(relation, items if here is None else items.filter(here))
        for number in NUMBERS:
            found = numbers[number]
            if here is not None:
                found = pc.replace_with_mask(pa.nulls(rows.num_rows, pa.int64()), here.combine_chunks(), found.combine_chunks())
            rows = rows.append_column(column(relation, number), found)
    return rows


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.string())


def _joined(between: str, *columns: pa.ChunkedArray | str) -> pa.ChunkedArray:
    """Null where one of them is."""
    texts = [pa.scalar(c) if isinstance(c, str) else _text(c) for c in columns]
    return pc.binary_join_element_wise(*texts, between)


def _claims(rows: pa.Table) -> tuple[_Columns, None]:
    return {
        "row_ref": _joined(":", rows["file_name"], rows["line_no"]),
        "match_key": _joined("|", rows["party"], rows["request_no"], rows["leg"]),
        "item_date": rows["custody_date"],
        "from_account": accounts_named(rows, "from", "party"),
        "to_account": accounts_named(rows, "to", "party"),
        **{name: rows[name] for name in ("amount_minor", "currency", "loan_id", "txn_type", "status")},
        **{name: pc.fill_null(rows[name], 0) for name in _PARTS},
    }, None


_PARTS = ("principal_minor", "interest_minor", "penalty_minor", "coupon_minor")


def accounts_named(rows: pa.Table, way: str, platform: str) -> pa.ChunkedArray:
    """The account that a role and user number name, ``from`` or ``to``: a sub-account, or a P_* account or SUSPENSE of the platform, which
    column ``platform`` names; null where they name none."""
    role = rows[f"{way}_role"]
    between = pc.if_else(pc.equal(role, "PLATFORM"), ":", pc.binary_join_element_wise("", role, "", "."))
    return pc.binary_join_element_wise(rows[platform], between, rows[f"{way}_user_no"], "")


def _legs(rows: pa.Table) -> tuple[_Columns, pa.ChunkedArray]:
    """The bank's own remedies are claimed by no platform."""
    is_claimed = pc.or_(*(pc.fill_null(pc.match_substring_regex(rows[n], CLAIMED_ACCOUNT), False) for n in _ACCOUNTS))
    remedy = pc.or_(*(pc.starts_with(rows["file_name"], pattern) for pattern in (DECISION, REVERSAL)))
    posted = pc.is_in(rows["outcome"], pa.array(["POSTED", "NO_POSTING"]))
    names = ("amount_minor", "currency", "loan_id", "txn_type", "status", *_ACCOUNTS, *_PARTS)
    return {
        "row_ref": _joined(":", rows["file_name"], rows["line_no"]),
        "match_key": _joined("|", rows["platform"], rows["request_no"], rows["leg"]),
        "item_date": rows["value_date"],
        **{name: rows[name] for name in names},
    }, pc.and_(posted, pc.and_(is_claimed, pc.invert(remedy)))


_ACCOUNTS = ("from_account", "to_account")


def _settled_legs(rows: pa.Table) -> tuple[_Columns, pa.ChunkedArray]:
    comes_in = pa.array(sorted({str(txn_type) for (txn_type, _), rule in RULES.items() if rule.settles == "IN"}))
    way = pc.if_else(pc.is_in(rows["txn_type"], comes_in), "IN", "OUT")
    return {
        "row_ref": _joined(":", rows["file_name"], rows["line_no"]),
        "match_key": _joined("|", rows["channel"], rows["platform"], rows["request_no"], way),
        "item_date": rows["value_date"],
        **{name: rows[name] for name in ("amount_minor", "currency", "status")},
    }, pc.and_(pc.equal(rows["outcome"], "POSTED"), rows["settle_date"].is_valid())


def _settlements(rows: pa.Table) -> tuple[_Columns, None]:
    return {
        "row_ref": _joined(":", rows["file_name"], rows["line_no"]),
        "match_key": _joined("|", rows["party"], rows["platform"], rows["request_no"], rows["direction"]),
        "item_date": rows["trade_date"],
        "amount_minor": rows["gross_minor"],
        **{name: rows[name] for name in ("currency", "status")},
    }, None


def _cash_moves(rows: pa.Table) -> tuple[_Columns, pa.ChunkedArray]:
    def ends(ending: str, *names: str) -> pa.ChunkedArray:
        found = [pc.fill_null(pc.ends_with(rows[name], ending), False) for name in names]
        return found[0] if len(found) == 1 else pc.or_(*found)

    custody, own = ends(":CORE_CASH", *_ACCOUNTS), ends(":OWN_CASH", *_ACCOUNTS)
    account = _joined("", rows["platform"], pc.if_else(custody, ":CUSTODY", ":OWN"))
    comes_in = pc.or_(ends(":CORE_CASH", "from_account"), ends(":OWN_CASH", "from_account"))
    return {
        "row_ref": _joined(":", "journal", rows["entry_no"], rows["move_no"], account),
        "match_key": _joined("|", account, rows["core_ref"]),
        "item_date": rows["value_date"],
        "amount_minor": pc.if_else(comes_in, rows["amount_minor"], pc.negate(rows["amount_minor"])),
        "currency": rows["currency"],
    }, pc.and_(rows["core_ref"].is_valid(), pc.or_(custody, own))


def _core_flows(rows: pa.Table) -> tuple[_Columns, None]:
    reference = pc.utf8_trim(rows["core_ref"], " ")
    reference = pc.if_else(pc.equal(reference, ""), pa.scalar(None, pa.string()), reference)
    return {
        "row_ref": _joined(":", "core", rows["account"], rows["core_date"], rows["seq"], rows["extracted_for"]),
        "match_key": _joined("|", rows["account"], reference),
        "item_date": rows["core_date"],
        **{name: rows[name] for name in ("amount_minor", "currency")},
    }, None


# Table -> relation -> its items: their columns, and which rows are items, if not all.
_INDEXED: Mapping[str, Mapping[str, _Items]] = MappingProxyType(
    {
        "land_txn": {"AB_TXN": _claims},
        "ledger_txn": {"AB_TXN": _legs, "BC_CHANNEL": _settled_legs},
        "land_settlement": {"BC_CHANNEL": _settlements},
        "journal": {"BC_CORE": _cash_moves},
        "core_flow": {"BC_CORE": _core_flows},
    }
)
