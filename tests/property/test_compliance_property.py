"""What the columns pick is enough: given only their rows, each rule says what it says of all rows. Sums by columns are sums."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from compliance_kit import DAY, before, figures
from hypothesis import given
from hypothesis import strategies as st

from custody.calendar import SettlementCalendar
from custody.compliance_borrowers import over_limit_on_all, over_limit_on_platform, shared_contacts
from custody.compliance_money import fast_in_and_out, large_values, structured, woken
from custody.compliance_platforms import packaged, super_lenders
from custody.names import TxnType
from jobs.compliance.columns import DAYS, account_days, crowded, heavy, rows_of
from jobs.compliance.money import either, near_days, passing
from jobs.compliance.picked import places
from jobs.compliance.weeks import Concerned

LOAN = pa.schema(
    [(n, pa.string()) for n in ("platform", "loan_id", "customer_id", "kind")] + [("since", pa.date32()), ("minor", pa.int64())]
)
WINDOW = pa.schema([*((("on" if f.name == "on_date" else f.name), f.type) for f in DAYS), ("posted_on", pa.date32())])
PLATFORMS, CUSTOMERS = ("P001", "P002"), ("C1", "C2", "C3")
AMOUNTS = st.sampled_from((0, 1, 4_500_000, 5_000_000, 20_000_000, 39_999_999, 40_000_000, 49_999_999, 50_000_000, 200_000_000))


@given(
    st.lists(st.tuples(st.sampled_from(PLATFORMS), st.sampled_from(CUSTOMERS), st.sampled_from(("PERSON", "COMPANY")), AMOUNTS))
)
def test_limits(drawn: list[tuple[str, str, str, int]]) -> None:
    rows = [
        {"platform": p, "loan_id": f"L{n}", "customer_id": c, "kind": k, "since": DAY, "minor": m}
        for n, (p, c, k, m) in enumerate(drawn)
    ]
    table = pa.Table.from_pylist(rows, LOAN)
    for rule, keys, judge in (
        ("limit_on_platform", ["platform", "customer_id"], over_limit_on_platform),
        ("limit_on_all", ["customer_id"], over_limit_on_all),
    ):
        said = figures(rule)
        picked = rows_of(table, keys, heavy(table, keys, "minor", min(said.values())))
        assert list(judge(picked, said)) == list(judge(rows, said))


@st.composite
def account_rows(draw: st.DrawFn) -> dict[str, Any]:
    platform, number = draw(st.sampled_from(PLATFORMS)), draw(st.integers(1, 3))
    row: dict[str, Any] = {f.name: 0 for f in WINDOW if f.type == pa.int64()}
    row |= {"platform": platform, "account": f"{platform}.LENDER.{number}", "customer_id": f"C{number}"}
    days_ago = draw(st.integers(0, 12))
    row |= {"kind": draw(st.sampled_from(("PERSON", "PERSON", "COMPANY"))), "on": before(days_ago)}
    row["posted_on"] = min(DAY, row["on"] + timedelta(days=draw(st.integers(0, 2))))
    for name in ("in_minor", "out_minor", "spent_minor", "lent_minor", "sold_minor"):
        row[name] = draw(AMOUNTS)
    row |= {"in_count": 1, "out_count": 1, "sold_count": draw(st.integers(0, 12))}
    row["credit_minor"] = row["in_minor"] + draw(st.sampled_from((0, 0, 1)))
    return row


@given(st.lists(account_rows(), max_size=12))
def test_money(rows: list[dict[str, Any]]) -> None:
    window = pa.Table.from_pylist(rows, WINDOW)
    calendar, customer = SettlementCalendar(), ["customer_id"]
    large, fast, first = (figures(r) for r in ("large_value", "fast_in_out", "super_lender"))
    keys = ["customer_id", "on"]
    picked = rows_of(window, keys, either(window, keys, large["person_minor"]))
    assert list(large_values(picked, large, calendar)) == list(large_values(rows, large, calendar))
    for near in (figures("structuring"), figures("structuring", 1)):
        picked = rows_of(window, customer, near_days(window, near))
        assert list(structured(picked, near, DAY)) == list(structured(rows, near, DAY))
    picked = rows_of(window, customer, passing(window, customer, fast))
    assert list(fast_in_and_out(picked, fast, DAY)) == list(fast_in_and_out(rows, fast, DAY))
    keys = ["platform", "customer_id"]
    picked = rows_of(window, keys, heavy(window, keys, "lent_minor", first["lent_minor"]))
    assert list(super_lenders(picked, first, DAY)) == list(super_lenders(rows, first, DAY))


@given(st.lists(account_rows(), max_size=12))
def test_a_first_look_leaves_nobody_out(rows: list[dict[str, Any]]) -> None:
    """Given only whom a first look over the weeks picks, every rule says what it says of all."""
    rules = {name: figures(name) for name in ("large_value", "structuring", "fast_in_out", "dormant_active", "super_lender")}
    day: Any = SimpleNamespace(today=DAY, rules=rules, figures=figures)
    found = Concerned(day, 8)
    window = pa.Table.from_pylist(rows, WINDOW)
    for posted_on in sorted({DAY, *(row["posted_on"] for row in rows)}, reverse=True):
        mine = window.filter(pc.equal(window["posted_on"], pa.scalar(posted_on, pa.date32())))
        found.add(posted_on, mine.rename_columns([("on_date" if n == "on" else n) for n in mine.column_names]))
    concerned = found.concerned()
    some = window.filter(pa.array(concerned[places(window["customer_id"], 8)])).to_pylist()
    assert int(found.rows[concerned].sum()) == len(some)
    calendar = SettlementCalendar()
    dates, movers = ({row[name] for row in rows if row["posted_on"] == DAY} for name in ("on", "customer_id"))

    def said(of: list[dict[str, Any]]) -> list[Any]:
        moved = [row for row in of if row["customer_id"] in movers]
        today = [row for row in of if row["posted_on"] == DAY]
        # Of a large value what is posted today is of the customer's own day.
        own = {(row["customer_id"], row["on"]) for row in today}
        large = [row for row in of if row["on"] in dates and (row["customer_id"], row["on"]) in own]
        last = {customer: before(200) for customer in movers}
        return [
            *large_values(large, rules["large_value"], calendar),
            *structured(moved, rules["structuring"], DAY),
            *fast_in_and_out(moved, rules["fast_in_out"], DAY),
            *woken(today, last, rules["dormant_active"], DAY),
            *super_lenders(of, rules["super_lender"], DAY),
        ]

    assert said(some) == said(rows)


@given(st.lists(st.text(max_size=20), min_size=1, max_size=9), st.integers(8, 22))
def test_a_text_has_one_place_wherever_it_stands(texts: list[str], bits: int) -> None:
    known = [text.encode("utf-8", "replace").decode() for text in texts]
    together = places(pa.chunked_array([pa.array(["x", *known], pa.string()).slice(1)]), bits)
    assert together.tolist() == [int(places(pa.array([text], pa.string()), bits)[0]) for text in known]
    assert together.min() >= 0 and together.max() < 1 << bits


@given(
    st.lists(
        st.tuples(st.sampled_from(CUSTOMERS), st.sampled_from(("d1", "d2")), st.sampled_from(("phone", "card_no"))), max_size=12
    )
)
def test_shared_numbers(drawn: list[tuple[str, str, str]]) -> None:
    rows = [
        {
            "field": field, "digest": d, "customer_id": c, "platform": "P001", "sub_account": f"P001.BORROWER.{n:02d}",
            "since": DAY, "file_name": "F", "line_no": n,
        }
        for n, (c, d, field) in enumerate(drawn)
    ]  # fmt: skip
    table = pa.Table.from_pylist(rows, pa.schema([(n, pa.string()) for n in ("field", "digest", "customer_id", "platform", "sub_account")]
                                                 + [("since", pa.date32()), ("file_name", pa.string()), ("line_no", pa.int64())]))  # fmt: skip
    keys = ["field", "digest"]
    for said in (figures("shared_contact", 1), figures("shared_contact", 2)):
        picked = rows_of(table, keys, crowded(table, keys, min(said.values())))
        assert list(shared_contacts(picked, said)) == list(shared_contacts(rows, said))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(("P1", "P2")), st.sampled_from(("S1", "S2")), st.sampled_from(("B1", "B2")), st.integers(1, 12)
        ),
        max_size=60,
    )
)
def test_packages(drawn: list[tuple[str, str, str, int]]) -> None:
    rows = [
        {"platform": p, "seller": s, "buyer": b, "account": s, "loan_id": f"L{loan}", "amount_minor": 600_000, "entry_no": n}
        for n, (p, s, b, loan) in enumerate(drawn)
    ]
    names = ("platform", "seller", "buyer", "account", "loan_id")
    table = pa.Table.from_pylist(
        rows, pa.schema([*((n, pa.string()) for n in names), ("amount_minor", pa.int64()), ("entry_no", pa.int64())])
    )
    keys = ["platform", "seller"]
    for version in (1, 2):
        said = figures("packaged_assignment", version)
        picked = rows_of(table, keys, crowded(table, keys, said.get("few", said["loans"])))
        assert list(packaged(picked, said, DAY)) == list(packaged(rows, said, DAY))
    # Who splits sells oftener than he has buyers at least.
    said = figures("super_lender")
    his = [{"platform": p, "loan_id": f"L{n}", "customer_id": s, "since": DAY, "funded_minor": 900_000, "principal_minor": 0}
           for p in ("P1", "P2") for s in ("S1", "S2") for n in range(1, 13)]  # fmt: skip
    dated = [row | {"on": DAY} for row in rows]
    picked = [row | {"on": DAY} for row in rows_of(table, keys, crowded(table, keys, said["buyers"]))]
    assert list(super_lenders([], said, DAY, picked, his)) == list(super_lenders([], said, DAY, dated, his))


_TYPES = (
    TxnType.RECHARGE,
    TxnType.WITHDRAW,
    TxnType.TENDER_FREEZE,
    TxnType.TENDER_SETTLE,
    TxnType.CREDIT_ASSIGNMENT,
    TxnType.REPAYMENT,
)
_ACCOUNTS = ("P1.LENDER.u1:available", "P1.LENDER.u1:frozen", "P1.BORROWER.b1:available", "P1:CORE_CASH", "P1:P_INCOME")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(_TYPES), st.sampled_from(_ACCOUNTS), st.sampled_from(_ACCOUNTS), st.integers(1, 99), st.integers(0, 1)
        )
    ),
    st.integers(1, 5),
)
def test_an_accounts_day_is_the_sum_of_its_moves(moves: list[tuple[TxnType, str, str, int, int]], cut: int) -> None:
    rows = [
        {
            "entry_no": n,
            "platform": "P1",
            "from_account": f,
            "to_account": t,
            "amount_minor": m,
            "txn_type": str(k),
            "value_date": before(d),
        }
        for n, (k, f, t, m, d) in enumerate(moves)
    ]
    schema = pa.schema(
        [("entry_no", pa.int64()), ("platform", pa.string()), ("from_account", pa.string()), ("to_account", pa.string()),
         ("amount_minor", pa.int64()), ("txn_type", pa.string()), ("value_date", pa.date32())]
    )  # fmt: skip
    people = pa.table(
        {
            "sub_account": ["P1.LENDER.u1", "P1.BORROWER.b1"],
            "platform": ["P1", "P1"],
            "customer_id": ["C1", "C2"],
            "kind": ["PERSON", "COMPANY"],
        }
    )
    pieces = [pa.Table.from_pylist(rows[i : i + cut], schema) for i in range(0, len(rows), cut)]
    found = {(r["account"], r["on_date"]): r for r in account_days(pieces, people).to_pylist()}
    wanted: dict[Any, dict[str, int]] = defaultdict(
        lambda: dict.fromkeys(("in", "out", "lent", "spent", "sold", "credit", "acts"), 0)
    )
    for row in rows:
        payer, payee = ((row[side].partition(":")[0], row["value_date"]) for side in ("from_account", "to_account"))
        kind, minor = row["txn_type"], row["amount_minor"]
        if "." in payee[0]:
            came = wanted[payee] if kind != TxnType.TENDER_FREEZE else None
            if came is not None:
                came["in"] += minor * (kind == TxnType.RECHARGE)
                came["sold"] += minor * (kind == TxnType.CREDIT_ASSIGNMENT)
                came["credit"] += minor
                came["acts"] += kind == TxnType.RECHARGE
        if "." in payer[0] and kind != TxnType.TENDER_FREEZE:
            left = wanted[payer]
            left["out"] += minor * (kind == TxnType.WITHDRAW)
            left["lent"] += minor * (kind == TxnType.TENDER_SETTLE)
            left["spent"] += minor * (kind not in (TxnType.WITHDRAW, TxnType.RECHARGE))
            left["acts"] += 1
    told = {k: {n: r[n if n == "acts" else f"{n}_minor"] for n in wanted[k]} for k, r in found.items()}
    assert told == dict(wanted)
