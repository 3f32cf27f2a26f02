"""What the fee contract prices and no ledger counts: text messages and identity checks, as two people decided for a platform from the list
of the component that counts them (custody.services.fee_usages).

What is of a day that was rated already re-rates it (custody.fee_rerating).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from custody.fee_contract import IDENTITY_CHECK, SMS

KIND = "fee_usage"
COUNTED = (SMS, IDENTITY_CHECK)


@dataclass(frozen=True)
class Usage:
    """``line_no``: of the list ``file_name``; ``proposal``, ``maker``, ``checker``: of the decision."""

    platform: str
    used_on: date
    component: str
    pieces: int
    file_name: str
    line_no: int
    proposal: str
    maker: str
    checker: str


def usage_of(decisions: Iterable[Mapping[str, Any]]) -> Iterator[Usage]:
    """Of a cut-off's approved decisions."""
    for decision in decisions:
        if decision["kind"] == KIND and decision["outcome"] == "APPROVED":
            said = json.loads(decision["payload"])
            people = decision["proposal_id"], decision["maker"], decision["checker"]
            for row in said["rows"]:
                day = date.fromisoformat(row["used_on"])
                place = said["file_name"], row["line_no"]
                yield Usage(decision["subject"], day, row["component"], row["pieces"], *place, *people)
