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
from custody.services.outputs import latest_seal
from jobs.reconcile.balance_days import balance_days

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
        before = [date(2019, 12, day) for day in (19, 20)]
        with instance.wiring.register.transaction() as tx:
            seals = {on: seal for on in before if (seal := latest_seal(tx, on, "post")) is not None}
        since = {r["platform"]: r["since"] for r in instance.lake_rows(before[-1], "fees", "interest_since")}
        days = balance_days(instance.wiring.lake, seals, since, before[-1]).to_pylist()
        # The same day by day.
        sums: Counter[str] = Counter()
        for on in before:
            for row in instance.lake_rows(on, "post", "balances"):
                account = row["account"].removesuffix(":available").removesuffix(":frozen")
                if row["book"] == "CUSTODY" and ("." in account or ":P_" in account):
                    sums[account] += row["closing_minor"]
        assert {r["account"]: r["minor_days"] for r in days} == {account: minor for account, minor in sums.items() if minor}
        assert len(credits) == SIZE["platforms"] and len(legs) > 10
        # One fen from one owner to another is noticed on both.
        first, second = sorted((t for t in legs if t["platform"] == "P001"), key=lambda t: -t["amount_minor"])[:2]
        moved = [t | {"amount_minor": t["amount_minor"] + (1 if t is first else -1)} if t in (first, second) else t for t in legs]
        assert len(list(interest_as_owned(credits, moved, days))) == 2
        after = {r["platform"]: r["since"] for r in instance.lake_rows(CREDIT, "fees", "interest_since")}
        assert set(after.values()) == {CREDIT}, "its own day begins the next quarter"
        claims = instance.lake_rows(CREDIT, "post", "claims")
        shares = Counter({(c["holder"], c["loan_id"]): 0 for c in claims})
        for claim in claims:
            shares[claim["holder"], claim["loan_id"]] += claim["principal_minor"]
        positions = {(p["holder"], p["loan_id"]): p["principal_minor"] for p in instance.lake_rows(CREDIT, "post", "positions")}
        assert positions == {key: minor for key, minor in shares.items() if minor} and positions
