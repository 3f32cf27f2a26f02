"""Fee terms that two people agreed with a platform for days that were sealed already: an amendment that reaches back (domain.md §7).

A version of the whole contract never begins on a day that was cut off (custody.services.contract_changes): what was posted and matched
under it stays so. Of fees the day's rating stays as it was sealed too, and the difference is charged or given back (custody.fee_rerating).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

from custody.digest import canonical_json

KIND = "fee_amendment"


def amendments_of(decisions: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows of table fee_amendments of a cut-off's approved decisions."""
    for decision in decisions:
        if decision["kind"] == KIND and decision["outcome"] == "APPROVED":
            said = json.loads(decision["payload"])
            yield {
                "decision_no": decision["decision_no"],
                "proposal_id": decision["proposal_id"],
                "platform": decision["subject"],
                "valid_from": date.fromisoformat(said["valid_from"]),
                "valid_to": date.fromisoformat(said["valid_to"]),
                "terms": canonical_json(said["terms"]),
            }
