"""The loans of the last date that the keyed store holds, as that date's snapshot and risk step sealed them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pyarrow.compute as pc

from connectors.bootstrap import Wiring
from custody.names import PartyKind
from custody.ports import Row
from custody.services.organisations import parties
from custody.services.outputs import seals_of_day


@dataclass(frozen=True)
class LoanList:
    """``on`` is None while no day is in the keyed store. Each row: the loan's own, with ``left_minor`` and ``days_past_due`` (None
    while the date's risk is not assessed)."""

    on: date | None
    platforms: list[str]
    rows: list[Row]


def loans_listed(wiring: Wiring, platform: str, state: str, part_of_id: str) -> LoanList:
    """Those of a platform, in a state, with this in their id; "" asks for all."""
    on = wiring.ledger_reader.up_to()
    with wiring.register.transaction() as tx:
        platforms = sorted(p.party for p in parties(tx) if p.kind == PartyKind.PLATFORM)
        seals = seals_of_day(tx, on) if on else {}
    if "post" not in seals:
        return LoanList(on, platforms, [])
    table = wiring.lake.read(seals["post"].path, "loans")
    for column, wanted in (("platform", platform), ("state", state)):
        if wanted:
            table = table.filter(pc.equal(table[column], wanted))
    if part_of_id:
        table = table.filter(pc.match_substring(table["loan_id"], part_of_id))
    late = {}
    if "risk" in seals:
        late = {(r["platform"], r["loan_id"]): r["days_past_due"] for r in wiring.lake.rows(seals["risk"].path, "loan_risk")}
    rows = [
        {
            **row,
            "left_minor": row["funded_minor"] - row["principal_repaid_minor"],
            "days_past_due": late.get((row["platform"], row["loan_id"]), 0) if "risk" in seals else None,
        }
        for row in table.to_pylist()
    ]
    return LoanList(on, platforms, rows)
