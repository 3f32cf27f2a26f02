"""What two people decided about customers, as a custody day takes it up: accounts by form, and ids that are one person.

A proposal's payload stands in the register, in the audit chain and in the lake for ever, so it holds no personal data: the row of a
form names its data by a keyed digest, under which they lie sealed with the customer until the day that takes them up.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from custody.digest import canonical_json, digest_of_json
from custody.ports import Row, Secrets

ADD = "customer_add"
CHANGE = "customer_change"
MERGE = "customer_merge"
DELETE = "customer_delete"
BY_FORM = (ADD, CHANGE)


def personal_digest(secrets: Secrets, customer_id: str, fields: Mapping[str, Any]) -> str:
    """Names what was said of a customer without saying it; the same data of another customer have another."""
    return secrets.identity_digest("PERSONAL", f"{customer_id}|{canonical_json(dict(fields))}")


def pending_reference(payload: Mapping[str, Any], number: int) -> str:
    """Under which the data of a form's row (from 1) lie sealed with its customer."""
    return f"{digest_of_json(dict(payload))[:24]}:{number}"


def decided_rows(decisions: Iterable[Mapping[str, Any]], custody_date: date, aliases: Mapping[str, str]) -> list[Row]:
    """The rows of approved forms, in order of decision; they happen on the custody date whose cut-off sealed them."""
    rows: list[Row] = []
    for decision in _approved(decisions, BY_FORM):
        payload = json.loads(decision["payload"])
        for number, row in enumerate(payload["rows"], start=1):
            rows.append(
                {
                    "decision_no": decision["decision_no"],
                    "row_no": number,
                    "proposal_id": decision["proposal_id"],
                    "reference": pending_reference(payload, number),
                    "party": payload["platform"],
                    "custody_date": custody_date,
                    **{name: row[name] for name in ("personal_digest", "user_no", "role", "action", "kind")},
                    "said_of": row["customer_id"],
                    "customer_id": resolve(aliases, row["customer_id"]),
                }
            )
    return rows


def merged_today(decisions: Iterable[Mapping[str, Any]], custody_date: date) -> list[Row]:
    """What the day's cut-off sealed of customers found to be one person, as rows of ``customer_aliases``."""
    return [
        {
            "old": decision["subject"],
            "new": json.loads(decision["payload"])["into"],
            "effective_on": custody_date,
            "decision_no": decision["decision_no"],
        }
        for decision in _approved(decisions, (MERGE,))
    ]


def _approved(decisions: Iterable[Mapping[str, Any]], kinds: tuple[str, ...]) -> list[Mapping[str, Any]]:
    found = [d for d in decisions if d["kind"] in kinds and d["outcome"] == "APPROVED"]
    return sorted(found, key=lambda d: int(d["decision_no"]))


def aliases_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """customer id -> the id that it became in the end."""
    direct = {str(r["old"]): str(r["new"]) for r in rows}
    return {old: resolve(direct, old) for old in direct}


def resolve(aliases: Mapping[str, str], customer_id: str) -> str:
    """The id that a customer goes by now. Circles are refused when a merger is proposed."""
    while customer_id in aliases:
        customer_id = aliases[customer_id]
    return customer_id
