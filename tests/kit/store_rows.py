"""The ledger's projection row by row, as its table in schemas/store_keys.py says it: what jobs/projection does by columns is held to this."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

from custody.names import PLATFORM_ACCOUNTS, Book, account_and_part
from custody.ports import Row, StoreRow
from custody.posting_rules import SUSPENSE
from schemas.store_keys import (
    ACCOUNT_OF_CUSTOMER,
    BALANCE,
    CLAIM,
    CLAIM_BY_HOLDER,
    HOLD,
    JOURNAL,
    LOAN,
    SUB_ACCOUNT,
    TXN,
    TXN_BY_LOAN,
    UNPOSTED_BY_ACCOUNT,
    journal_key,
    of_platform,
    on_date,
    txn_by_loan_key,
    txn_key,
    unposted_key,
)
from schemas.store_records import RECORDS

# A table of the day's snapshot, and of the day before's.
Read = Callable[[str], list[Row]]


def day_rows(table: str, on: date, today: Read, yesterday: Read) -> Iterator[StoreRow]:
    """What the day adds to one table, in no order."""
    spec = RECORDS[table]
    for key, row in _ROWS[table](on, today, yesterday):
        yield key, spec.pack(row)


_Keyed = Iterator[tuple[bytes, Row]]


def is_owner(account: str) -> bool:
    """Whether an account has rows of its own in the store: sub-accounts, P_* accounts, SUSPENSE."""
    return "." in account or account.partition(":")[2] in (*PLATFORM_ACCOUNTS, SUSPENSE)


def _journal(on: date, today: Read, yesterday: Read) -> _Keyed:
    for move in today("journal"):
        for side, other, sign in (("from", "to", -1), ("to", "from", 1)):
            account, part = account_and_part(move[f"{side}_account"])
            if is_owner(account):
                row = {
                    **move,
                    "part": part,
                    "amount_minor": sign * move["amount_minor"],
                    "counterparty": move[f"{other}_account"],
                    "balance_minor": move[f"{side}_balance_minor"],
                }
                yield journal_key(account, on, move["entry_no"], move["move_no"], part), row


def _txn(on: date, today: Read, yesterday: Read) -> _Keyed:
    for row in today("ledger_txn"):
        yield txn_key(row["platform"], row["request_no"], row["leg"], row["txn_no"]), row


def _txn_by_loan(on: date, today: Read, yesterday: Read) -> _Keyed:
    for row in today("ledger_txn"):
        if row["loan_id"] is not None:
            key = txn_key(row["platform"], row["request_no"], row["leg"], row["txn_no"])
            yield txn_by_loan_key(row["platform"], row["loan_id"], row["txn_no"]), {"txn": key}


def _unposted(on: date, today: Read, yesterday: Read) -> _Keyed:
    for row in today("ledger_txn"):
        if row["outcome"] != "POSTED":
            key = txn_key(row["platform"], row["request_no"], row["leg"], row["txn_no"])
            for account in {row["from_account"], row["to_account"]} - {None}:
                yield unposted_key(account, row["txn_no"]), {"txn": key}


def _balances(read: Read) -> dict[str, Row]:
    """By account: of every sub-account, moved or not, and of the platforms' own under custody."""
    parts: dict[str, Row] = {}
    for row in read("balances"):
        account, part = account_and_part(row["account"])
        if row["book"] == Book.CUSTODY and is_owner(account):
            balance = parts.setdefault(account, _nothing(row["currency"]))
            balance[f"{part}_minor"] = row["closing_minor"]
    balances = {row["sub_account"]: _nothing(None) for row in read("sub_accounts")} | parts
    for row in read("unsettled"):
        if row["hold_id"] == "" and row["account"] in balances:
            balances[row["account"]]["unsettled_minor"] += row["amount_minor"]
    return balances


def _nothing(currency: str | None) -> Row:
    return {"available_minor": 0, "frozen_minor": 0, "unsettled_minor": 0, "currency": currency}


def _balance(on: date, today: Read, yesterday: Read) -> _Keyed:
    for account, row in _changed(_balances(today), _balances(yesterday)):
        yield on_date(account, on=on), row


def _accounts(read: Read) -> dict[str, Row]:
    balances = _balances(read)
    return {row["sub_account"]: {**row, **balances[row["sub_account"]]} for row in read("sub_accounts")}


def _sub_account(on: date, today: Read, yesterday: Read) -> _Keyed:
    for account, row in _changed(_accounts(today), _accounts(yesterday)):
        yield on_date(account, on=on), row


def _account_of_customer(on: date, today: Read, yesterday: Read) -> _Keyed:
    accounts, before = (
        {r["sub_account"]: {**r, "held_by": r["customer_id"]} for r in read("sub_accounts")} for read in (today, yesterday)
    )
    for account, row in _changed(accounts, before):
        yield on_date(row["customer_id"], account, on=on), row
        if account in before and before[account]["customer_id"] != row["customer_id"]:
            yield on_date(before[account]["customer_id"], account, on=on), row


def _loan(on: date, today: Read, yesterday: Read) -> _Keyed:
    for _, row in _changed(_by(today("loans"), "loan_id"), _by(yesterday("loans"), "loan_id")):
        yield on_date(of_platform(row["platform"], row["loan_id"]), on=on), row


def _claims(today: Read, yesterday: Read) -> Iterator[Row]:
    now, before = _by(today("claims"), "claim_id"), _by(yesterday("claims"), "claim_id")
    for _, row in _changed(now, before):
        yield row
    for key in before.keys() - now.keys():
        if before[key]["principal_minor"]:
            yield before[key] | {"principal_minor": 0}


def _claim(on: date, today: Read, yesterday: Read) -> _Keyed:
    for row in _claims(today, yesterday):
        yield on_date(of_platform(row["platform"], row["loan_id"]), row["claim_id"], on=on), row


def _claim_by_holder(on: date, today: Read, yesterday: Read) -> _Keyed:
    for row in _claims(today, yesterday):
        yield on_date(row["holder"], row["loan_id"], row["claim_id"], on=on), row


def _hold(on: date, today: Read, yesterday: Read) -> _Keyed:
    now, before = _by(today("holds"), "hold_id"), _by(yesterday("holds"), "hold_id")
    for _, row in _changed(now, before):
        yield on_date(row["account"], row["hold_id"], on=on), row
    for key in before.keys() - now.keys():
        yield on_date(before[key]["account"], before[key]["hold_id"], on=on), before[key] | {"amount_minor": 0}


def _by(rows: list[Row], name: str) -> dict[tuple[str, str], Row]:
    return {(row["platform"], row[name]): row for row in rows}


def _changed(now: dict[Any, Row], before: dict[Any, Row]) -> Iterator[tuple[Any, Row]]:
    return ((key, row) for key, row in now.items() if before.get(key) != row)


_ROWS: dict[str, Callable[[date, Read, Read], _Keyed]] = {
    JOURNAL: _journal,
    BALANCE: _balance,
    TXN: _txn,
    TXN_BY_LOAN: _txn_by_loan,
    UNPOSTED_BY_ACCOUNT: _unposted,
    ACCOUNT_OF_CUSTOMER: _account_of_customer,
    SUB_ACCOUNT: _sub_account,
    LOAN: _loan,
    CLAIM: _claim,
    CLAIM_BY_HOLDER: _claim_by_holder,
    HOLD: _hold,
}
