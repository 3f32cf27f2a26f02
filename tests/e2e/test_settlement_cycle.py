"""A channel whose contract makes its settlement file due on the bank business day after: over a holiday nobody calls it late."""

from __future__ import annotations

import json

import pytest
from changed_days import Market, breaks, market_after_its_first_day, put_day
from instance_kit import GO_LIVE, Instance, opened
from kill_kit import CopyOf

from custody.calendar import dates
from custody.digest import canonical_json

# New Year's Day is a holiday: what is of New Year's Eve is due on the 2nd.
FIRST, EVE, HOLIDAY = dates(GO_LIVE, 3)
CHANNEL = "CH01"
CYCLE = {"days": "every_day", "batches": [{"cut_off": "24:00", "due": "T+1 10:00"}], "grace_minutes": 60}


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Market:
    return market_after_its_first_day(tmp_path_factory.mktemp("cycle"))


def _agree(instance: Instance) -> None:
    with instance.wiring.register.transaction() as tx:
        for row in tx.find("party_contract", party=CHANNEL):
            contract = json.loads(row["contract"]) | {"schedule": {"SETTLEMENT": CYCLE}}
            key = {name: row[name] for name in ("party", "valid_from")}
            tx.update("party_contract", key, {"contract": canonical_json(contract)})


@pytest.mark.parametrize("agreed", [True, False])
def test_what_is_not_due_is_waited_for_and_no_case(market: Market, fresh: CopyOf, agreed: bool) -> None:
    with opened(fresh(market.home)) as instance:
        if agreed:
            _agree(instance)
        put_day(instance, market, EVE)
        held = instance.drop.arrived.pop(CHANNEL)
        instance.collect(EVE)
        instance.run_day(EVE)
        outcomes = [o["outcome"] for o in instance.lake_rows(EVE, "land", "file_outcomes") if o["party"] == CHANNEL]
        assert outcomes == ["AWAITED" if agreed else "EXPECTED"]
        late = ("LATE_FILE", f"LATE|{CHANNEL}|SETTLEMENT|{EVE}")
        assert breaks(instance, EVE) == (set() if agreed else {late})
        (promise,) = instance.find("expected_file", party=CHANNEL, custody_date=EVE)
        assert promise["state"] == ("EXPECTED" if agreed else "MISSING")
        assert promise["due_at"][:16] == ("2020-01-02T10:00" if agreed else "2020-01-01T01:00")
        # It comes a day later, before it was due by the cycle: what waited for it is matched.
        instance.drop.arrived[CHANNEL] = held
        instance.deliver(market.world, HOLIDAY)
        instance.run_day(HOLIDAY)
        assert breaks(instance, HOLIDAY) == set() and instance.failing_proofs() == []
        (promise,) = instance.find("expected_file", party=CHANNEL, custody_date=EVE)
        assert promise["state"] == ("ARRIVED" if agreed else "LATE")
        assert [a["state"] for a in instance.find("alert", rule="FILE_MISSING")] == ([] if agreed else ["CLOSED"])
