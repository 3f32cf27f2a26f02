"""The day on which the core credits bank interest: what the gateway's instruction gives each owner is what our balance-days give him."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

from instance_kit import SMALL, make_instance, make_world, opened
from test_score_of_days import deliver

from console.scoring import found_items
from custody.bank_interest import interest_as_owned
from custody.calendar import dates

FIRST, CREDIT = date(2019, 12, 19), date(2019, 12, 21)
SIZE = {**SMALL, "platforms": 1, "channels": 1, "days": 3}


def test_each_owners_interest_is_his_by_daily_balances(tmp_path: Path) -> None:
    world = make_world(tmp_path / "world", [], 3, start=FIRST, **SIZE)
    with opened(make_instance(tmp_path / "home", world, FIRST)) as instance:
        for on in dates(FIRST, SIZE["days"]):
            deliver(instance, world, on)
            instance.run_day(on)
        assert found_items(instance.wiring) == []
        posted = [t for t in instance.lake_rows(CREDIT, "post", "ledger_txn") if t["txn_type"] == "BANK_INTEREST"]
        credits, legs = ([t for t in posted if t["direction"] == way] for way in ("IN", "OUT"))
        days = instance.lake_rows(date(2019, 12, 20), "fees", "balance_days")
        assert len(credits) == SIZE["platforms"] and len(legs) > 10
        # One fen from one owner to another is noticed on both.
        first, second = sorted((t for t in legs if t["platform"] == "P001"), key=lambda t: -t["amount_minor"])[:2]
        moved = [t | {"amount_minor": t["amount_minor"] + (1 if t is first else -1)} if t in (first, second) else t for t in legs]
        assert len(list(interest_as_owned(credits, moved, days))) == 2
        after = {r["account"]: r["minor_days"] for r in instance.lake_rows(CREDIT, "fees", "balance_days")}
        held: Counter[str] = Counter()
        for row in instance.lake_rows(CREDIT, "post", "balances"):
            if ".LENDER." in row["account"]:
                held[row["account"].partition(":")[0]] += row["closing_minor"]
        claims = instance.lake_rows(CREDIT, "post", "claims")
        shares = Counter({(c["holder"], c["loan_id"]): 0 for c in claims})
        for claim in claims:
            shares[claim["holder"], claim["loan_id"]] += claim["principal_minor"]
        positions = {(p["holder"], p["loan_id"]): p["principal_minor"] for p in instance.lake_rows(CREDIT, "post", "positions")}
        assert positions == {key: minor for key, minor in shares.items() if minor} and positions
        lenders = {account: minor for account, minor in after.items() if ".LENDER." in account}
        assert lenders == {account: minor for account, minor in held.items() if minor}, "its own day begins the next quarter"
