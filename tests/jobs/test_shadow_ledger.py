"""The shadow ledger of side A: its rule against our own ledger's postings, and its two forms against each other."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ledger_kit import post, rich
from test_every_type_reconciled import CASES

from connectors.lake import table_of
from custody.names import TxnType
from custody.shadow_ledger import EFFECTS, differences, effects_of, unexplained
from jobs.reconcile.shadow_sums import Told, sums_beyond
from schemas.tables import TABLES

DAY = date(2019, 12, 30)
BEFORE = date(2019, 12, 29)
HOLDERS = [("LENDER", "u1"), ("LENDER", "u2"), ("BORROWER", "u1"), ("PLATFORM", "P_MARKETING"), ("PLATFORM", "SUSPENSE"), None]


def _row(number: int, drawn: tuple[Any, ...]) -> dict[str, Any]:
    txn_type, payer, payee, amount, coupon, status = drawn
    sides = {
        f"{side}_{name}": None if who is None else who[at]
        for side, who in (("from", payer), ("to", payee))
        for at, name in enumerate(("role", "user_no"))
    }
    empty = dict.fromkeys(("loan_id", "principal_minor", "interest_minor", "penalty_minor", "related_request_no", "channel"))
    return {
        **sides, **empty, "party": "P001", "file_name": "T", "line_no": number, "custody_date": DAY, "request_no": f"R{number}", "leg": 1,
        "txn_type": str(txn_type), "amount_minor": amount + coupon, "currency": "CNY", "coupon_minor": coupon or None, "status": status,
        "event_time": datetime(2019, 12, 30, 4, 0, tzinfo=UTC),
    }  # fmt: skip


ROWS = st.lists(
    st.tuples(
        st.sampled_from(sorted(TxnType)),
        st.sampled_from(HOLDERS),
        st.sampled_from(HOLDERS),
        st.integers(1, 500),
        st.sampled_from([0, 0, 7]),
        st.sampled_from(["SUCCESS", "SUCCESS", "SUCCESS", "FAIL", "UNKNOWN"]),
    ),
    max_size=8,
).map(lambda drawn: [_row(number, one) for number, one in enumerate(drawn)])
MONEY = st.dictionaries(
    st.sampled_from([one for one in HOLDERS[:4] if one is not None]), st.tuples(st.integers(0, 300), st.integers(0, 300))
)


def _balances(held: dict[tuple[str, str], tuple[int, int]], on: date) -> list[dict[str, Any]]:
    return [
        {
            "party": "P001", "file_name": f"B{on.day}", "line_no": number, "custody_date": on, "role": role, "user_no": user,
            "available_minor": available, "frozen_minor": frozen, "currency": "CNY",
        }
        for number, ((role, user), (available, frozen)) in enumerate(sorted(held.items()))
    ]  # fmt: skip


def test_the_columns_say_what_the_rule_says() -> None:
    """Each drawn world as a platform of its own, all at once and in pieces."""
    worlds: list[tuple[Any, Any, Any]] = []

    @settings(phases=[Phase.generate], suppress_health_check=[*HealthCheck], database=None)
    @given(world=st.tuples(MONEY, ROWS, MONEY))
    def draw(world: tuple[Any, Any, Any]) -> None:
        worlds.append(world)

    draw()
    landed: dict[str, list[dict[str, Any]]] = {"land_balance": [], "land_txn": []}
    wanted = {}
    for number, (before, rows, after) in enumerate(worlds):
        own = {"party": f"P{number:03d}"}
        first, last = _balances(before, BEFORE), _balances(after, DAY)
        landed["land_balance"] += [row | own | {"file_name": f"{number}{row['file_name']}"} for row in first + last]
        landed["land_txn"] += [row | own | {"file_name": f"{number}T"} for row in rows]
        wanted |= {(own["party"], account): beyond for account, beyond in differences(first, rows, last).items()}
    judged = {(f"P{number:03d}", DAY) for number in range(len(worlds))}
    # Of one that is not judged nothing is said.
    judged.remove(("P000", DAY))
    found = sums_beyond(judged, _told(landed["land_balance"], landed["land_txn"], []), 30)
    assert {(r["platform"], r["account"]): (r["available_minor"], r["frozen_minor"]) for r in found} == {
        key: beyond for key, beyond in wanted.items() if key[0] != "P000"
    }
    for row in found:
        stands = {
            (r["custody_date"], f"{r['role']}.{r['user_no']}"): r for r in landed["land_balance"] if r["party"] == row["platform"]
        }
        for name, on in (("before", BEFORE), ("after", DAY)):
            own_row = stands.get((on, row["account"]))
            assert row[f"{name}_ref"] == (own_row and f"{own_row['file_name']}:{own_row['line_no']}")
            assert row[f"{name}_available_minor"] == (own_row["available_minor"] if own_row else 0)


def _told(balances: list[dict[str, Any]], movements: list[dict[str, Any]], ours: list[dict[str, Any]]) -> Told:
    tables = [
        table_of(TABLES[name], rows) for name, rows in (("land_balance", balances), ("land_txn", movements), ("ledger_txn", ours))
    ]
    return Told(*(lambda columns, table=table: _pieces(table.select(columns)) for table in tables))


def _pieces(table: pa.Table) -> list[pa.Table]:
    return [table.slice(start, 11) for start in range(0, table.num_rows, 11)]


@pytest.mark.parametrize(
    ("at", "change", "filed", "awaited"),
    [
        ((15, 50), {}, None, 70),
        ((16, 20), {}, None, 70),
        # Not near midnight in UTC+8, not posted, or valued on another date.
        ((14, 0), {}, None, 0),
        ((15, 50), {"outcome": "REFUSED"}, None, 0),
        ((15, 50), {"value_date": BEFORE}, None, 0),
        # Filed with the date, whatever became of it there; as another leg, or on another date, it is not.
        ((15, 50), {}, {"status": "FAIL"}, 0),
        ((15, 50), {}, {"status": "FAIL", "leg": 2}, 70),
    ],
)
def test_what_our_ledger_has_near_midnight_is_awaited_until_it_is_filed(
    at: tuple[int, int], change: dict[str, Any], filed: dict[str, Any] | None, awaited: int
) -> None:
    moved = _row(1, (TxnType.MARKETING, ("PLATFORM", "P_MARKETING"), ("LENDER", "u1"), 70, 0, "SUCCESS"))
    ours = dict.fromkeys(TABLES["ledger_txn"].names) | {
        "platform": "P001", "txn_no": 1, "request_no": "R1", "leg": 1, "txn_type": "MARKETING", "outcome": "POSTED", "value_date": DAY,
        "event_time": datetime(2019, 12, 30, *at, tzinfo=UTC), "from_account": "P001:P_MARKETING", "to_account": "P001.LENDER.u1",
        "amount_minor": 70, "fee_minor": 0,
    }  # fmt: skip
    filler = {"int": 0, "text": "x"}
    row = {
        c.name: ours[c.name] if ours[c.name] is not None or c.nullable else filler[c.type] for c in TABLES["ledger_txn"].columns
    }
    balances = _balances({("LENDER", "u1"): (0, 0)}, BEFORE) + _balances({("LENDER", "u1"): (70, 0)}, DAY)
    found = sums_beyond({("P001", DAY)}, _told(balances, [] if filed is None else [moved | filed], [row | change]), 30)
    (of_lender,) = [r for r in found if r["account"] == "LENDER.u1"]
    assert (of_lender["available_minor"], of_lender["awaited_available_minor"], of_lender["movements"]) == (70, awaited, 0)


def test_a_movement_does_to_the_platforms_accounts_what_it_does_to_ours() -> None:
    """Each type that our ledger posts, from the same row: the change of each account that a BALANCE file shows."""
    for number, (txn_type, fields, *_) in enumerate(CASES):
        ledger = rich()
        held = dict(ledger.state.balances)
        sent = post(ledger, txn_type, f"X{number}", 1000, **fields).instruction
        changed: dict[str, list[int]] = {}
        for (_, account), minor in ledger.state.balances.items():
            by = minor - held.get((_, account), 0)
            owner, _, part = account.partition(":") if "." in account else account.replace(":", ".", 1).partition(":")
            if by and ("." in account or ":P_" in account):
                named = owner.partition(".")[2] if "." in account else f"PLATFORM.{owner.partition('.')[2]}"
                changed.setdefault(named, [0, 0])[part == "frozen"] += by
        claimed: dict[str, list[int]] = {}
        for account, available, frozen in effects_of(_claimed(sent)):
            both = claimed.setdefault(account, [0, 0])
            both[0] += available
            both[1] += frozen
        assert {a: b for a, b in claimed.items() if any(b)} == {a: b for a, b in changed.items() if any(b)}, txn_type


def _claimed(sent: Any) -> dict[str, Any]:
    """As a platform writes an instruction down: without its direction."""
    row = {
        "status": "SUCCESS",
        "txn_type": str(sent.txn_type),
        "amount_minor": sent.amount_minor,
        "coupon_minor": sent.coupon_minor,
    }
    for side, account in (("from", sent.from_account), ("to", sent.to_account)):
        role, user = (None, None) if account is None else account.split(".")[1:] if "." in account else ("PLATFORM", account[5:])
        row |= {f"{side}_role": role, f"{side}_user_no": user}
    return row


def test_every_type_that_moves_a_platforms_account_is_known() -> None:
    assert set(TxnType) - set(EFFECTS) == {TxnType.CHANNEL_SETTLEMENT, TxnType.CHANNEL_FEE_TOPUP, TxnType.CUSTODY_FEE, TxnType.OWN_FUNDS_MOVEMENT}  # fmt: skip


def _difference(available: int, frozen: int = 0, awaited: int = 0) -> dict[str, Any]:
    return {
        "available_minor": available, "frozen_minor": frozen, "awaited_available_minor": awaited, "awaited_frozen_minor": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "left"),
    [
        ([_difference(5)], (5, 0)),
        ([_difference(5), _difference(-5)], None),
        ([_difference(5, -5)], (5, -5)),
        ([_difference(5, awaited=5)], None),
        ([_difference(3), _difference(5, awaited=5)], (8, 0)),
        ([_difference(-5), _difference(5, awaited=5)], None),
    ],
)
def test_differences_stay_until_they_cancel_out(rows: list[dict[str, Any]], left: tuple[int, int] | None) -> None:
    assert unexplained(rows) == left
