"""The evidence of a break from the rows that it is found in: where each stands, under which store key, and what is compared.

custody.case_evidence says what an object of evidence is. No personal data is in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from custody.calendar import CHINA
from custody.names import FileType, platform_account
from custody.ports import Row
from custody.posting_rules import COUPON_HOLD
from jobs.reconcile.states import FIELD_END
from schemas.store_keys import (
    BALANCE,
    CLAIM,
    CORE_BALANCE,
    CORE_FLOW,
    LOAN,
    SUB_ACCOUNT,
    TXN,
    core_key,
    of_platform,
    owner_key,
    readable,
    salt,
)

Object = dict[str, Any]

_COMPARED = ("amount_minor", "currency", "from_account", "to_account", "loan_id", "status", "fee_minor")
# Compared too, but of most movements nothing: shown where there is something.
_PARTS = ("txn_type", "principal_minor", "interest_minor", "penalty_minor", "coupon_minor")
_OF_CHANNEL = frozenset({FileType.SETTLEMENT})
_OF_BANK = frozenset({FileType.INSTRUCTION, FileType.MANDATE, FileType.LEGAL_ORDER})


def of_items(items: Iterable[Row]) -> list[Object]:
    """The source rows of each side of a movement."""
    return [_of_item(item) for item in items]


def _of_item(item: Row) -> Object:
    found: Object = {name: item[name] for name in ("side", "row_ref", *_COMPARED)}
    found |= {name: item[name] for name in _PARTS if item[name]}
    if item["event_time"] is not None:
        found["event_time"] = item["event_time"].astimezone(CHINA).isoformat()
    return found | {"item_date": item["item_date"].isoformat(), "store_key": _key_of_item(item)}


def _key_of_item(item: Row) -> str | None:
    """Of our own movements and the core's flows: a platform's and a channel's rows lie in the lake only."""
    place, _, rest = item["row_ref"].partition(":")
    if item["side"] == "C" and place == "core":
        account, day, sequence, _ = rest.rsplit(":", 3)
        return readable(CORE_FLOW, core_key(salt(account)[0], date.fromisoformat(day), account, int(sequence)))
    kind, *names = item["subject"].split("|")
    if item["side"] != "B" or kind not in ("TXN", "CHANNEL", "EFLOW"):
        return None
    if kind == "EFLOW":
        return key_of_request(item["platform"], names[1].removesuffix(COUPON_HOLD), int(names[2]))
    if kind == "TXN":
        return key_of_request(item["platform"], names[0], int(names[1]))
    return key_of_request(item["platform"], names[1])


def key_of_request(platform: str, request_no: str, leg: int | None = None) -> str:
    """Where the ledger has a request's legs, or one leg's attempts."""
    parts = () if leg is None else (f"{leg:06d}",)
    return readable(TXN, owner_key(of_platform(platform, request_no), *parts))


def key_of_loan(platform: str, loan_id: str) -> str:
    """Where the ledger has a loan."""
    return readable(LOAN, owner_key(of_platform(platform, loan_id)))


def of_difference(difference: Row) -> list[Object]:
    """What the platform's file says stands at the end of a date, and what our snapshot says; a side without the row is left out."""
    found: list[Object] = []
    for side, said in (("A", difference["a_text"]), ("B", difference["b_text"])):
        if said is None and not (side == "A" and difference["row_ref"]):
            continue
        stands = {"row_ref": difference["row_ref"], "store_key": None} if side == "A" else _snapshot(difference)
        words = _words(difference["subject"], difference["platform"], side, said or "")
        found.append({"side": side, **stands, "as_of": difference["as_of"].isoformat(), **words})
    return found + [_later(posting) for posting in (difference["later"] or "").split()]


def of_balance(said: Row, on: date) -> list[Object]:
    """What our snapshot, the core and, where its file of the date is there, the platform say that an e-account holds at its end."""
    account, found = said["account"], list[Object]()
    if said["told_ref"] is not None:
        found.append({"side": "A", "row_ref": said["told_ref"], "store_key": None, "closing_minor": said["told_minor"]})
    if said["ledger_minor"] is not None:
        where = {"row_ref": f"snapshot:balance:{on.isoformat()}:{account}", "store_key": readable(BALANCE, owner_key(account))}
        found.append({"side": "B", **where, "closing_minor": said["ledger_minor"], "currency": said["ledger_currency"]})
    if said["core_minor"] is not None:
        key = readable(CORE_BALANCE, core_key(salt(account)[0], on, account, 0))
        where = {"row_ref": f"core:{account}:{on.isoformat()}", "store_key": key}
        found.append({"side": "C", **where, "closing_minor": said["core_minor"], "currency": said["core_currency"]})
    return [{**one, "as_of": on.isoformat()} for one in found]


def _later(posting: str) -> Object:
    """What was posted after the date and is valued on it: part of what stood on our side, itemised."""
    ref, _, minor = posting.partition("=")
    return {"side": "B", "row_ref": ref, "store_key": None, "posted_later_minor": int(minor)}


def _snapshot(difference: Row) -> Object:
    platform, subject = difference["platform"], difference["subject"]
    word, name, *_ = subject.split("|")
    match word:
        case "BALANCE":
            role, _, who = name.partition(".")
            account = platform_account(platform, who) if role == "PLATFORM" else f"{platform}.{name}"
            key = readable(BALANCE, owner_key(account))
        case "CLAIM":
            loan = (difference["b_text"] or "").split(" ")[0]
            key = readable(CLAIM, owner_key(of_platform(platform, loan), name))
        case "LOAN":
            key = key_of_loan(platform, name)
        case _:
            key = readable(SUB_ACCOUNT, owner_key(f"{platform}.{name}"))
    return {"row_ref": f"snapshot:{word.lower()}:{difference['as_of'].isoformat()}:{name}", "store_key": key}


def _words(subject: str, platform: str, side: str, said: str) -> Object:
    """The compared fields of a state's text, apart."""
    word, parts = subject.partition("|")[0], said.split(" ")
    match word:
        case "BALANCE" if len(parts) == 4:
            return {"available_minor": int(parts[1]), "frozen_minor": int(parts[3])}
        case "CLAIM" if len(parts) == 3:
            return {"loan_id": parts[0], "holder": f"{platform}.{parts[1]}", "principal_minor": int(parts[2])}
        case "LOAN" if said:
            fields = dict(part.split("=", 1) for part in said.split(FIELD_END))
            return {name: int(value) if name.endswith("_minor") else value for name, value in fields.items()}
        case "CUSTOMER":
            return {"customer_id": parts[0] or None, "says": " ".join(parts[1:])}
        case _:
            return {"says": said}


def of_file(file_type: str) -> str:
    """The side that a file speaks for."""
    if file_type in _OF_CHANNEL:
        return "C"
    return "B" if file_type in _OF_BANK else "A"
