"""What the fee contract prices and no ledger counts: text messages and identity checks, as two people decided for a platform.

The day whose cut-off seals the decision charges them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from custody.fee_contract import IDENTITY_CHECK, SMS

KIND = "fee_usage"
COUNTED = (SMS, IDENTITY_CHECK)


def usage_of(decisions: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str, int]]:
    """(platform, component, pieces) of a cut-off's approved decisions."""
    for decision in decisions:
        if decision["kind"] == KIND and decision["outcome"] == "APPROVED":
            said = json.loads(decision["payload"])
            for component in COUNTED:
                if said.get(component):
                    yield decision["subject"], component, said[component]
