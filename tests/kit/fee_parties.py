"""Those who have to do with a charge: two people, a live gateway, and a live platform with a monthly contract."""

from __future__ import annotations

import json
from datetime import date

from custody.ports import RegisterTx

PLATFORM = "P001"
TERMS = {
    "valid_from": "2019-01-01", "valid_to": None, "currency": "CNY", "vat_rate": "0.06", "rounding": "half_even", "charged": "monthly",
    "charge_business_day": 1,
}  # fmt: skip


def put_fee_parties(tx: RegisterTx, since: date) -> None:
    """Into an empty register; the parties are live and under contract from ``since``."""
    for person, duty in (("fee1", "fee_officer"), ("sup1", "supervisor")):
        tx.insert("person", {"person_id": person, "display_name": person, "roles": json.dumps([duty]), "active": True})
    for party, kind in (("GW", "GATEWAY"), (PLATFORM, "PLATFORM")):
        tx.insert("party", {"party": party, "kind": kind, "name_en": party, "name_zh": party})
        tx.insert("party_status", {"party": party, "valid_from": since, "status": "LIVE"})
        tx.insert("party_contract", {"party": party, "valid_from": since, "contract": json.dumps({"fee_contract": TERMS})})
