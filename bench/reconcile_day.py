"""A day for the bench of reconciliation, straight into the tables of a new instance as landing, extraction and posting leave them.

``rows`` legs are what the gateway instructed and the ledger posted. Half of them are one platform's, the others are spread over
thirty-six; each platform claims them in an order of its own. Of ten legs three came through a channel, which settled them the
same day (but for one in fifty, due tomorrow), one came straight to the core, six are bonuses. Six in five thousand are claimed
wrongly, each in its own way; all else is sound, so that nothing but them is a break.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bench.committed import commit
from connectors.bootstrap import wire
from connectors.lake import Part, StepWriter, arrow_schema, parquet_of
from custody.digest import canonical_json
from schemas.rule_book import shipped_rules
from schemas.tables import TABLES

DAY = date(2020, 1, 2)
NEXT = DAY + timedelta(days=1)
CHANNEL, GATEWAY = "CH01", "GW"
# By the remainder of a leg's number by 5,000: what its platform claims of it instead.
AMOUNT, ONLY_A, ONLY_B, TWICE, WRONG_ACCOUNT, SWAPPED = 14, 15, 16, 17, 18, 19
_EVERY = 5_000
_OTHERS = 36
_PART_ROWS = 500_000
_TWO_O_CLOCK = 1_577_901_600_000_000
_FUNDS = 10**15
_CLAIMS_FOR = 50
# Beside its legs a platform has own funds and bonus money coming in, and its channel settling.
_CORE_MONEY = 3

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Share:
    """One platform's legs by number, and the number of its first entry in the journal."""

    platform: str
    numbers: Ints
    first_entry: int

    @property
    def users(self) -> int:
        return max(50, len(self.numbers) // 10)


def make_day(home: Path, rows: int) -> int:
    """A new instance at ``home`` whose first day waits to be reconciled; how many legs there are."""
    from typer.testing import CliRunner

    from console.cli import app

    arguments = ["init", "--bank", "Bench", "--go-live", DAY.isoformat(), "--sftp-port", "2222"]
    made = CliRunner().invoke(app, arguments, env={"CUSTODY_HOME": str(home)})
    assert made.exit_code == 0, made.output
    wiring = wire(home)
    shares = list(_shares(rows))
    commit(wiring, DAY, "cut_off", lambda writer: _cut_off(writer))
    commit(wiring, DAY, "land", lambda writer: _land(writer, shares))
    commit(wiring, DAY, "extract", lambda writer: _extract(writer, shares))
    commit(wiring, DAY, "post", lambda writer: _post(writer, shares))
    wiring.close()
    return rows


def _shares(rows: int) -> Iterator[Share]:
    number = np.arange(rows, dtype=np.int64)
    entry = 1
    for platform in _PLATFORMS:
        mine = number[number % 2 == 0] if platform == "BIG" else number[number % (2 * _OTHERS) == 2 * int(platform[1:]) + 1]
        yield Share(platform, mine, entry)
        entry += len(mine) + _CORE_MONEY


_PLATFORMS = ("BIG", *(f"P{n:03d}" for n in range(_OTHERS)))


def _cut_off(writer: StepWriter) -> None:
    parties = dict.fromkeys(_PLATFORMS, "PLATFORM") | {CHANNEL: "CHANNEL", GATEWAY: "GATEWAY"}
    contract = {
        "core_model": "HUB",
        "channel_fee_rate": "0",
        "channel_fee_min_minor": 0,
        "file_types": ["TXN", "CLAIM", "BALANCE"],
    }
    rows = [
        {"kind": "party", "id": party, "payload": json.dumps({"kind": kind, "status": "LIVE", "contract": contract})}
        for party, kind in parties.items()
    ]
    rows += [{"kind": "rule", "id": rule.id, "payload": canonical_json(dict(rule.entry))} for rule in shipped_rules()]
    instance = {"bank": "Bench", "risk_horizon_business_days": 3, "reports": []}
    writer.table("reference", [*rows, {"kind": "instance", "id": "instance", "payload": json.dumps(instance)}])
    for table in ("accepted_files", "refused_files", "decisions", "restated_files"):
        writer.declare(table)


def _land(writer: StepWriter, shares: list[Share]) -> None:
    for table in (
        "land_customer", "decided_customers", "superseded_files", "decided_adjustments", "customer_aliases", "watched", "land_loan", "land_mandate", "land_legal_order", "land_confirmation", "land_disclosure", "rejected_rows",
    ):  # fmt: skip
        writer.declare(table)
    outcomes = []

    def land(table: str, share: Share, party: str, file_type: str, rows: pa.Table, total: str | None) -> None:
        file_name = f"{party}_{file_type}_20200102_{shares.index(share):02d}_v1.csv"
        lines = pa.array(np.arange(rows.num_rows) + 2)
        for start in range(0, max(rows.num_rows, 1), _PART_ROWS):
            some = rows.slice(start, _PART_ROWS)
            named = {"party": party, "file_name": file_name, "line_no": lines.slice(start, _PART_ROWS), "custody_date": DAY}
            writer.part(_part(table, some, named))
        minor = pc.sum(rows[total]).as_py() or 0 if total else 0
        outcomes.append(_outcome(party, file_type, file_name, rows.num_rows, minor))

    for share in shares:
        claimed = pa.concat_tables([_claimed(share), _core_money_claimed(share)])
        land("land_txn", share, share.platform, "TXN", claimed, "amount_minor")
    for share in shares:
        land("land_settlement", share, CHANNEL, "SETTLEMENT", _settled(share), "gross_minor")
    for share in shares:
        legs = pa.concat_tables([_legs(share), _core_money(share)])
        kept = {n: legs[n] for n in legs.schema.names if n not in ("from_account", "to_account")}
        extra = {"platform": share.platform, "originator": "PLATFORM", "authorisation_id": "A1", "status": "SUCCESS"}
        whole = pa.table(kept | {n: _same(v, legs.num_rows) for n, v in extra.items()})
        land("land_instruction", share, GATEWAY, "INSTRUCTION", whole, "amount_minor")
    for share in shares:
        users = _balance_of_users(share)
        held = [("LENDER", f"u{n:07d}", int(minor)) for n, minor in enumerate(users)] + [
            ("PLATFORM", "P_MARKETING", _FUNDS - _paid_out(share))
        ]
        role, user, minor = (pa.array(column) for column in zip(*held, strict=True))
        balances = pa.table({"role": role, "user_no": user, "available_minor": minor, "frozen_minor": _same(0, len(held))})
        land("land_balance", share, share.platform, "BALANCE", balances, "available_minor")
    for share in shares:
        claims = _claims(share)
        land("land_claim", share, share.platform, "CLAIM", claims, "principal_minor")
    writer.table("file_outcomes", outcomes)


def _extract(writer: StepWriter, shares: list[Share]) -> None:
    balances = []
    for share in shares:
        direct = _of_kind(share, 3)
        settled = _settled_minor(share)
        cash = np.concatenate([_amounts(direct), [_FUNDS, settled]])
        refs = pa.concat_arrays([_requests(direct), pa.array([f"FUND{share.platform}", f"S{share.platform}"])])
        many = len(cash)
        rows = pa.table(
            {"amount_minor": cash, "core_ref": refs, "seq": np.arange(many) + 1, "booked_at": _times(np.arange(many))}
        )
        for start in range(0, many, _PART_ROWS):
            same = {"account": f"{share.platform}:CUSTODY", "core_date": DAY, "extracted_for": DAY}
            writer.part(_part("core_flow", rows.slice(start, _PART_ROWS), same))
        refs = [f"OWN{share.platform}", f"FUND{share.platform}"]
        own = pa.table({"amount_minor": [_FUNDS, -_FUNDS], "core_ref": refs, "seq": [1, 2], "booked_at": _times(np.zeros(2))})
        writer.part(_part("core_flow", own, {"account": f"{share.platform}:OWN", "core_date": DAY, "extracted_for": DAY}))
        for account, minor in (("CUSTODY", int(cash.sum())), ("OWN", 0)):
            row = {"account": f"{share.platform}:{account}", "core_date": DAY, "opening_minor": 0, "closing_minor": minor}
            balances.append({**row, "currency": "CNY"})
    writer.table("core_balance", balances)
    for table in ("e_account_flow", "e_account_balance", "e_accounts_refused"):
        writer.declare(table)


def _post(writer: StepWriter, shares: list[Share]) -> None:
    for table in (
        "holds", "mandates", "legal_orders", "unsettled", "suspense", "posting_findings", "pending_instructions", "begun_requests", "under_way",
        "posted_keys", "reversed_legs", "channel_ends",
    ):  # fmt: skip
        if table in TABLES:
            writer.declare(table)
    for share in shares:
        legs = pa.concat_tables([_legs(share), _core_money(share)])
        entries = pa.array(np.arange(legs.num_rows) + share.first_entry)
        named = {
            "txn_no": entries, "entry_no": entries, "platform": share.platform, "originator": "PLATFORM", "authorisation_id": "A1",
            "status": "SUCCESS", "value_date": DAY, "content_hash": "h", "outcome": "POSTED",
            "file_name": f"{GATEWAY}_INSTRUCTION_20200102_{shares.index(share):02d}_v1.csv",
            "line_no": pa.array(np.arange(legs.num_rows) + 2),
        }  # fmt: skip
        for start in range(0, legs.num_rows, _PART_ROWS):
            some = {n: v.slice(start, _PART_ROWS) if isinstance(v, pa.Array) else v for n, v in named.items()}
            writer.part(_part("ledger_txn", legs.slice(start, _PART_ROWS), some))
    for share in shares:
        moves = _moves(share)
        for start in range(0, moves.num_rows, _PART_ROWS):
            same = {"platform": share.platform, "posting_date": DAY, "value_date": DAY}
            writer.part(_part("journal", moves.slice(start, _PART_ROWS), same))
    _snapshots(writer, shares)


def _snapshots(writer: StepWriter, shares: list[Share]) -> None:
    for share in shares:
        p, users, out, cash = share.platform, _balance_of_users(share), _paid_out(share), _FUNDS + _settled_minor(share)
        direct, carried = int(_amounts(_of_kind(share, 3)).sum()), int(_amounts(_unsettled(share)).sum())
        inner = [
            (f"{p}:CHANNEL_RECEIVABLE/{CHANNEL}", "CUSTODY", _settled_minor(share), _settled_minor(share) + carried),
            (f"{p}:CORE_CASH", "CUSTODY", 0, cash + direct),
            (f"{p}:P_MARKETING", "CUSTODY", _FUNDS, out),
            (f"{p}:OWN_CASH", "OWN", _FUNDS, _FUNDS),
            (f"{p}:PLATFORM_OWN", "OWN", _FUNDS, _FUNDS),
        ]
        # An asset lies below zero: what is drawn on it goes out of it.
        names = [f"{p}.LENDER.u{n:07d}:available" for n in range(len(users))] + [name for name, *_ in inner]
        book = ["CUSTODY"] * len(users) + [kind for _, kind, _, _ in inner]
        came = np.concatenate([users, [i for _, _, i, _ in inner]])
        went = np.concatenate([np.zeros(len(users), np.int64), [o for *_, o in inner]])
        columns = {"book": book, "account": names, "opening_minor": np.zeros_like(came), "in_minor": came, "out_minor": went}
        rows = pa.table(columns | {"closing_minor": came - went})
        writer.part(_part("balances", rows.sort_by([("book", "ascending"), ("account", "ascending")]), {"platform": p}))
        accounts = pa.array([f"{p}.LENDER.u{n:07d}" for n in range(len(users))])
        kept = {"sub_account": accounts, "user_no": pc.utf8_slice_codeunits(accounts, len(p) + 8), "customer_id": accounts}
        same = {"platform": p, "role": "LENDER", "kind": "PERSON", "opened_on": DAY}
        writer.part(_part("sub_accounts", pa.table(kept), same))
        claims = _claims(share)
        holders = pc.binary_join_element_wise(f"{p}.LENDER", claims["holder_user_no"], ".")
        owned = pa.table(
            {n: claims[n] for n in ("claim_id", "loan_id", "principal_minor")}
            | {"holder": holders, "original_minor": claims["principal_minor"]}
        )
        writer.part(_part("claims", owned, {"platform": p}))
        lent = pc.sum(claims["principal_minor"]).as_py()
        loan = {"loan_id": "LN0", "borrower": f"{p}.BORROWER.b1", "amount_minor": lent, "funded_minor": lent}
        terms = {"annual_rate": "0.08", "method": "bullet", "periods": 1, "every": "month", "day_count": "30/360"}
        state = {"purpose": "trade", "state": "REPAYING", "disbursed_on": DAY - timedelta(days=1)}
        writer.part(_part("loans", pa.Table.from_pylist([loan]), {"platform": p, **terms, **state}))
        waiting = _unsettled(share)
        items = pa.table({"item": pc.binary_join_element_wise(_requests(waiting), "1", "|"), "amount_minor": _amounts(waiting)})
        of = {"platform": p, "account": f"{p}:CHANNEL_RECEIVABLE/{CHANNEL}", "opened_on": DAY, "settle_date": NEXT}
        writer.part(_part("receivables", items.sort_by("item"), of))


# What is true of a leg follows from its number.


def _amounts(number: Ints) -> Ints:
    return 1_000 + number * 37 % 500_000


def _users(share: Share, number: Ints) -> Ints:
    return number * 7 % share.users


def _requests(number: Ints) -> pa.Array:
    return pc.binary_join_element_wise("R20200102", pc.cast(pa.array(number), pa.string()), "")


def _of_kind(share: Share, *tenths: int) -> Ints:
    return share.numbers[np.isin(share.numbers % 10, tenths)]


def _unsettled(share: Share) -> Ints:
    return share.numbers[share.numbers % 50 == 2]


def _settled_numbers(share: Share) -> Ints:
    through = _of_kind(share, 0, 1, 2)
    return through[through % 50 != 2]


def _settled_minor(share: Share) -> int:
    return int(_amounts(_settled_numbers(share)).sum())


def _paid_out(share: Share) -> int:
    return int(_amounts(_of_kind(share, *range(4, 10))).sum())


def _balance_of_users(share: Share) -> Ints:
    minor = np.bincount(_users(share, share.numbers), _amounts(share.numbers), share.users)
    return minor.astype(np.int64)  # each sum is far below 2^53, so exact


def _legs(share: Share) -> pa.Table:
    """The legs as the gateway instructs them and the ledger knows them, in order of time."""
    number = share.numbers
    kind = number % 10
    user = _named("u", _users(share, number))
    channel, bonus = pa.array(kind < 3), pa.array(kind > 3)
    null = pa.scalar(None, pa.string())
    return pa.table(
        {
            "request_no": _requests(number),
            "leg": pa.array(_leg(number)),
            "txn_type": pc.if_else(bonus, "MARKETING", "RECHARGE"),
            "from_role": pc.if_else(bonus, "PLATFORM", null),
            "from_user_no": pc.if_else(bonus, "P_MARKETING", null),
            "to_role": _same("LENDER", len(number)),
            "to_user_no": user,
            "from_account": pc.if_else(bonus, f"{share.platform}:P_MARKETING", null),
            "to_account": pc.binary_join_element_wise(f"{share.platform}.LENDER", user, "."),
            "amount_minor": pa.array(_amounts(number)),
            "loan_id": pc.if_else(bonus, _named("LN", number % 2_000), null),
            "channel": pc.if_else(channel, CHANNEL, null),
            "settlement_batch": _same(None, len(number)),
            "direction": _same(None, len(number)),
            "settle_date": pa.array(np.where(number % 50 == 2, _days(NEXT), _days(DAY)), pa.int32(), mask=kind > 2).cast(
                pa.date32()
            ),
            "event_time": _times(number),
        }
    )


def _leg(number: Ints) -> Ints:
    # Of many legs' requests too.
    return number % 3 + 1


def _core_money(share: Share) -> pa.Table:
    """What comes at the core beside the legs."""
    p = share.platform
    rows = [
        {"request_no": f"FUND{p}", "txn_type": "PLATFORM_RECHARGE", "amount_minor": _FUNDS, "to_role": "PLATFORM",
         "to_user_no": "P_MARKETING", "to_account": f"{p}:P_MARKETING"},
        {"request_no": f"OWN{p}", "txn_type": "OWN_FUNDS_MOVEMENT", "amount_minor": _FUNDS, "direction": "IN"},
        {"request_no": f"SETTLE{p}", "txn_type": "CHANNEL_SETTLEMENT", "amount_minor": _settled_minor(share), "channel": CHANNEL,
         "settlement_batch": f"S{p}", "direction": "IN"},
    ]  # fmt: skip
    at = _times(np.zeros(1))[0].as_py()
    return pa.Table.from_pylist(
        [{**row, "leg": 1, "event_time": at} for row in rows], _legs(Share(p, np.zeros(1, np.int64), 0)).schema
    )


def _core_money_claimed(share: Share) -> pa.Table:
    """Of these the platform claims the first."""
    return _as_claim(_core_money(share).slice(0, 1))


def _claimed(share: Share) -> pa.Table:
    """The legs as the platform claims them: backwards, and six in five thousand wrongly."""
    remainder = share.numbers % _EVERY
    number = np.concatenate([share.numbers[remainder == TWICE], share.numbers[remainder != ONLY_B][::-1]])
    wrong = number % _EVERY
    legs = _legs(Share(share.platform, number, 0))
    # The users are those of the whole share.
    legs = legs.set_column(legs.schema.get_field_index("to_user_no"), "to_user_no", _named("u", _users(share, number)))
    claim = _as_claim(legs)
    request = pc.if_else(
        pa.array(wrong == ONLY_A), pc.binary_join_element_wise(claim["request_no"], "X", ""), claim["request_no"]
    )
    amount = pc.add(claim["amount_minor"], pa.array((wrong == AMOUNT).astype(np.int64)))
    other = pc.if_else(pa.array(wrong == WRONG_ACCOUNT), _named("u", number * 7 + 1), claim["to_user_no"])
    swapped = pa.array(wrong == SWAPPED)
    columns = {n: claim[n] for n in claim.schema.names} | {
        "request_no": request,
        "amount_minor": amount,
        "from_role": pc.if_else(swapped, claim["to_role"], claim["from_role"]),
        "from_user_no": pc.if_else(swapped, other, claim["from_user_no"]),
        "to_role": pc.if_else(swapped, claim["from_role"], claim["to_role"]),
        "to_user_no": pc.if_else(swapped, claim["from_user_no"], other),
    }
    return pa.table(columns)


def _as_claim(legs: pa.Table) -> pa.Table:
    kept = arrow_schema(TABLES["land_txn"]).names
    columns = {n: legs[n] for n in legs.schema.names if n in kept}
    return pa.table(columns | {"status": _same("SUCCESS", legs.num_rows)})


def _settled(share: Share) -> pa.Table:
    number = _settled_numbers(share)[::-1]
    amount, none = pa.array(_amounts(number)), _same(0, len(number))
    same = {
        "platform": share.platform, "direction": "IN", "settlement_batch": f"S{share.platform}", "trade_date": DAY,
        "settle_date": DAY, "status": "SUCCESS",
    }  # fmt: skip
    columns = {"request_no": _requests(number), "gross_minor": amount, "fee_minor": none, "net_minor": amount}
    return pa.table(columns | {n: _same(v, len(number)) for n, v in same.items()})


def _claims(share: Share) -> pa.Table:
    number = np.arange(max(1, len(share.numbers) // _CLAIMS_FOR))
    holder = _named("u", number % share.users)
    columns = {"claim_id": _named("C", number), "holder_user_no": holder, "principal_minor": pa.array(number * 11 + 100)}
    return pa.table(columns | {n: _same(v, len(number)) for n, v in (("loan_id", "LN0"), ("holder_role", "LENDER"))})


def _moves(share: Share) -> pa.Table:
    p, number = share.platform, share.numbers
    kind, legs = number % 10, _legs(share)
    payer = pc.if_else(
        pa.array(kind > 3),
        f"{p}:P_MARKETING",
        pc.if_else(pa.array(kind == 3), f"{p}:CORE_CASH", f"{p}:CHANNEL_RECEIVABLE/{CHANNEL}"),
    )
    columns = {
        "entry_no": pa.array(np.arange(len(number)) + share.first_entry),
        "move_no": _same(0, len(number)),
        "book": _same("CUSTODY", len(number)),
        "from_account": payer,
        "to_account": pc.binary_join_element_wise(legs["to_account"], "available", ":"),
        "core_ref": pc.if_else(pa.array(kind == 3), legs["request_no"], pa.scalar(None, pa.string())),
    }
    columns |= {n: legs[n] for n in ("amount_minor", "txn_type", "request_no", "leg", "loan_id", "event_time")}
    last, settled = share.first_entry + len(number), _settled_minor(share)
    others = [
        (last, 0, "CUSTODY", f"{p}:CORE_CASH", f"{p}:P_MARKETING", _FUNDS, "PLATFORM_RECHARGE", f"FUND{p}", f"FUND{p}"),
        (last, 1, "OWN", f"{p}:PLATFORM_OWN", f"{p}:OWN_CASH", _FUNDS, "PLATFORM_RECHARGE", f"FUND{p}", f"FUND{p}"),
        (last + 1, 0, "OWN", f"{p}:OWN_CASH", f"{p}:PLATFORM_OWN", _FUNDS, "OWN_FUNDS_MOVEMENT", f"OWN{p}", f"OWN{p}"),
        (last + 2, 0, "CUSTODY", f"{p}:CORE_CASH", f"{p}:CHANNEL_RECEIVABLE/{CHANNEL}", settled, "CHANNEL_SETTLEMENT", f"S{p}", f"S{p}"),
    ]  # fmt: skip
    names = ("entry_no", "move_no", "book", "from_account", "to_account", "amount_minor", "txn_type", "request_no", "core_ref")
    rest = pa.Table.from_pylist([dict(zip(names, row, strict=True)) | {"leg": 1, "loan_id": None} for row in others])
    rest = rest.append_column("event_time", _times(np.zeros(len(others))))
    moves = pa.table(columns)
    return pa.concat_tables([moves, rest.select(moves.schema.names).cast(moves.schema)])


# Columns.


def _part(name: str, columns: pa.Table, same: dict[str, Any]) -> Part:
    """A part of these columns and of what is the same in all rows. What is not said is null, or stands for nothing. Its row hashes
    are left out: nobody verifies this output, and they would take most of the time."""
    spec = TABLES[name]
    filler: dict[str, Any] = {"int": 0, "text": "x", "date": DAY}
    arrays = []
    for field, column in zip(arrow_schema(spec), spec.columns, strict=True):
        if field.name in columns.schema.names:
            arrays.append(columns[field.name].cast(field.type))
        else:
            default = "CNY" if field.name == "currency" else None if column.nullable else filler.get(column.type)
            value = same.get(field.name, default)
            arrays.append(value if isinstance(value, pa.Array) else pa.repeat(pa.scalar(value, field.type), columns.num_rows))
    table = pa.Table.from_arrays(arrays, schema=arrow_schema(spec))
    sums = {c.name: pc.sum(table[c.name]).as_py() or 0 for c in spec.columns if c.name.endswith("_minor")}
    return Part(name, parquet_of(name, table), table.num_rows, bytes(32 * table.num_rows), sums, None)


def _outcome(party: str, file_type: str, file_name: str, rows: int, minor: int) -> dict[str, Any]:
    said = {
        "party": party,
        "file_type": file_type,
        "custody_date": DAY,
        "file_name": file_name,
        "sha256": "x",
        "outcome": "LANDED",
    }
    counts = {
        "rows": rows,
        "rows_landed": rows,
        "rows_rejected": 0,
        "total_minor": minor,
        "landed_minor": minor,
        "rejected_minor": 0,
    }
    none: dict[str, Any] = dict.fromkeys(("rule", "words_en", "words_zh", "batches"))
    return {**said, **counts, **none, "figures": "{}", "batch": 1}


def _same(value: object, rows: int) -> pa.Array:
    if value is None:
        return pa.nulls(rows, pa.string())
    return pa.repeat(pa.scalar(value), rows)


def _named(letter: str, number: Ints) -> pa.Array:
    return pc.binary_join_element_wise(letter, pc.utf8_lpad(pc.cast(pa.array(number), pa.string()), 7, "0"), "")


def _times(number: Any) -> pa.Array:
    """Between two and twenty-two o'clock, in the order of the numbers."""
    micros = np.asarray(number, np.int64) * 7_000 % 72_000_000_000 + _TWO_O_CLOCK
    return pa.array(micros, pa.timestamp("us", tz="UTC"))


def _days(on: date) -> int:
    return (on - date(1970, 1, 1)).days
