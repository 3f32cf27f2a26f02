"""REFERENCE, STATE: each movement follows the one that it names, and each request's story goes along allowed steps only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from world_reader import Row

from world_checker.view import SUSPENSE, Holder, Platform, Violation, named, payee, payer


@dataclass(frozen=True)
class Follows:
    """``of``: the type that it names; ``same``: which columns agree. The person is the same, whichever side he stands on."""

    of: str
    same: str = ""
    status: str = "SUCCESS"


_FOLLOWS = {
    "WITHDRAW_CANCEL": Follows("WITHDRAW_FREEZE", "amount_minor"),
    "WITHDRAW": Follows("WITHDRAW_FREEZE", "amount_minor"),
    "WITHDRAW_RETURN": Follows("WITHDRAW", "amount_minor channel"),
    "BACKROLL_RECHARGE": Follows("RECHARGE", "amount_minor channel"),
    "TENDER_CANCEL": Follows("TENDER_FREEZE", "loan_id"),
    "TENDER_SETTLE": Follows("TENDER_FREEZE", "loan_id"),
    "REPAYMENT": Follows("REPAY_FREEZE", "loan_id"),
    "COMPENSATION_REPAYMENT": Follows("REPAY_FREEZE", "loan_id"),
    "BANK_INTEREST": Follows("BANK_INTEREST"),
    "LEGAL_RELEASE": Follows("LEGAL_FREEZE"),
    "LEGAL_DEDUCT": Follows("LEGAL_FREEZE"),
}
# Steps of a story after its first movement: state -> (type, status) -> state.
_STORIES: dict[str, dict[str, dict[tuple[str, str], str]]] = {
    "WITHDRAW_FREEZE": {
        "FROZEN": {
            ("WITHDRAW_CANCEL", "SUCCESS"): "OVER",
            ("WITHDRAW", "REMITTING"): "UNDER_WAY",
            ("WITHDRAW", "UNKNOWN"): "UNDER_WAY",
            ("WITHDRAW", "SUCCESS"): "PAID",
        },
        "UNDER_WAY": {("WITHDRAW", "SUCCESS"): "PAID", ("WITHDRAW", "FAIL"): "FAILED"},
        "FAILED": {("WITHDRAW_CANCEL", "SUCCESS"): "OVER"},
        "PAID": {("WITHDRAW_RETURN", "SUCCESS"): "OVER"},
    },
    "TENDER_FREEZE": {
        "FROZEN": {("TENDER_CANCEL", "SUCCESS"): "FROZEN", ("TENDER_SETTLE", "SUCCESS"): "OVER"},
    },
    "REPAY_FREEZE": {
        "FROZEN": {("REPAYMENT", "SUCCESS"): "PAID", ("COMPENSATION_REPAYMENT", "SUCCESS"): "OVER"},
        "PAID": {("REPAYMENT", "SUCCESS"): "PAID"},  # the legs of one request
    },
    "RECHARGE": {
        "FROZEN": {
            ("BACKROLL_RECHARGE", "SUCCESS"): "OVER",
            ("ADJUSTMENT", "SUCCESS"): "OVER",
            ("REVERSAL", "SUCCESS"): "OVER",
        }
    },
    "MARKETING": {"FROZEN": {("REVERSAL", "SUCCESS"): "OVER"}},
    "LEGAL_FREEZE": {
        "FROZEN": {("LEGAL_RELEASE", "SUCCESS"): "OVER", ("LEGAL_DEDUCT", "SUCCESS"): "FROZEN"},
    },
}


def violations(platform: Platform) -> Iterator[Violation]:
    rows: dict[str, list[Row]] = defaultdict(list)
    root: dict[str, str] = {}  # request -> the request that began its story
    state: dict[str, str] = {}
    when: dict[str, date] = {}
    for day, row in platform.events():
        number, related, kind = row["request_no"], row["related_request_no"], row["txn_type"]
        yield from _reference(platform, day, row, rows.get(related or "", []))
        begun = root.get(related or "")
        if begun is not None and kind not in ("BANK_INTEREST", "COMPENSATION", "CREDIT_ASSIGNMENT"):
            first = rows[begun][0]
            then = _STORIES.get(first["txn_type"], {}).get(state[begun], {}).get((kind, row["status"]))
            overnight = state[begun] != "UNDER_WAY" or kind != "WITHDRAW" or day > when[begun]
            if then is None or not overnight:
                yield platform.says("STATE", day, f"{named(row)} {row['status']} follows {named(first)} in state {state[begun]}")
            else:
                state[begun], when[begun] = then, day
            root[number] = begun
        elif number not in root:
            root[number], state[number] = number, "FROZEN"
        rows[number].append(row)


def _reference(platform: Platform, day: date, row: Row, named_rows: list[Row]) -> Iterator[Violation]:
    rule, related = _rule(row), row["related_request_no"]
    if rule is None or related is None:
        return
    before = [one for one in named_rows if one["txn_type"] == rule.of and one["status"] == rule.status]
    if not before:
        yield platform.says("REFERENCE", day, f"{named(row)} names {related}, which is no {rule.of} before it")
        return
    first = before[0]
    differing = [name for name in rule.same.split() if first[name] != row[name]]
    if first["event_time"] >= row["event_time"] or differing or not _same_person(row, first):
        yield platform.says(
            "REFERENCE", day, f"{named(row)} does not fit {named(first)}: {differing or 'its time or its person'}"
        )


def _rule(row: Row) -> Follows | None:
    if row["txn_type"] in ("ADJUSTMENT", "REVERSAL"):
        if payer(row) == SUSPENSE:
            return Follows("RECHARGE", "amount_minor")
        return Follows("MARKETING", "amount_minor") if row["txn_type"] == "REVERSAL" else None
    return _FOLLOWS.get(row["txn_type"])


def _same_person(row: Row, first: Row) -> bool:
    if row["txn_type"] == "BANK_INTEREST":
        return True
    whose: Holder | None = payer(row) or payee(row)
    return whose in (payer(first), payee(first))
