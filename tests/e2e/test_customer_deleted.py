"""A person is deleted: nothing of him is left but where the plan said, nothing brings him back, and a crash changes nothing."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta
from pathlib import Path

import pytest
from customer_kit import DAYS, BreakingStore, Market, approve, deliver_with, id_of, places_of
from instance_kit import Instance, opened
from kill_kit import CopyOf
from typer.testing import CliRunner

from connectors.account_rows import StoreAccountRows
from connectors.person_store import KeyedPersonStore
from console.cli import app
from custody.errors import NotPermitted, RetryLater, UsageError
from custody.services import customer_desk
from custody.services.customer_history import history
from custody.services.customer_ports import CustomerPorts
from custody.services.customers import customer, find_customers
from custody.services.deletion_plan import DeletionPlan, deletion_plan
from custody.services.erasures import carry_out_delete, propose_delete, purge

_KEPT_TO = date(2024, 12, 31)


def planned(instance: Instance, customer_id: str) -> DeletionPlan:
    return deletion_plan(instance.wiring.customer_ports, "maker", customer_id)


def proposed(instance: Instance, customer_id: str) -> str:
    digest = planned(instance, customer_id).digest
    return propose_delete(instance.wiring.customer_ports, "maker", customer_id, digest, "he asked for it")


def custody(home: Path, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, [*arguments], env={"CUSTODY_HOME": str(home)})
    return done.exit_code, done.stdout


def test_nothing_is_left_outside_the_plans_list(market: Market, fresh: CopyOf) -> None:
    home = fresh(market.home)
    with opened(home) as instance:
        leaver = id_of(instance, market.leaver["id_no"])
        plan = planned(instance, leaver)
        # The search finds what there is to find.
        before = places_of(instance, market.values)
        assert {"keyed store customer", "keyed store person_index"} < before
        assert {(p.what, p.rows) for p in plan.deletes} == {("customer", 1), ("person_index", 3)}
        assert plan.blockers == () and plan.keeps_ledger and plan.until == _KEPT_TO
        approve(instance, proposed(instance, leaver))
        named = {p.what for p in plan.keeps if p.store == "archive"}
        left = places_of(instance, market.values)
        assert left == before - {"keyed store customer", "keyed store person_index"} and left <= named
        view = customer(instance.wiring.customer_ports, "maker", leaver)
        assert (view.personal, view.erased_up_to) == ({}, DAYS[1]) and [a.is_open for a in view.accounts] == [False]
        assert find_customers(instance.wiring.customer_ports, "maker", market.leaver["phone"]) == []
        assert history(instance.wiring.customer_ports, "auditor", leaver)[0].what == "OPENED"
        assert instance.damage() == []
        with pytest.raises(UsageError, match="was erased"):
            planned(instance, leaver)
    assert custody(home, "verify")[0] == 0


def test_who_was_erased_is_not_brought_back_but_may_come_again(market: Market, fresh: CopyOf) -> None:
    with opened(fresh(market.home)) as instance:
        leaver = id_of(instance, market.leaver["id_no"])
        approve(instance, proposed(instance, leaver))
        # The day that named him is landed again: the same rows, and nothing kept of him.
        known = instance.lake_rows(DAYS[1], "land", "land_customer")
        again = instance.step("land", DAYS[1], reason="landed again after the erasure")
        assert again.seal.version == 2 and instance.lake_rows(DAYS[1], "land", "land_customer") == known
        assert {row["customer_id"] for row in known} >= {leaver}
        assert instance.wiring.persons.said(leaver) == [] != instance.wiring.persons.said(id_of(instance, market.stayer["id_no"]))
    with opened(fresh(market.home)) as instance:
        approve(instance, proposed(instance, leaver))
        # As a new customer of the next day, under the same id and with a key of his own.
        back = {**market.leaver, "user_no": "U001999999", "action": "OPEN", "event_time": f"{DAYS[2]}T10:00:00"}
        deliver_with(instance, market.world, DAYS[2], [back])
        instance.run_day(DAYS[2], ("cut_off", "land"))
        (word,) = instance.wiring.persons.said(leaver)
        assert word.on == DAYS[2] and id_of(instance, market.leaver["phone"]) == leaver


def test_what_stands_in_the_way_is_said_and_refused(market: Market, fresh: CopyOf) -> None:
    with opened(fresh(market.home)) as instance:
        ports = instance.wiring.customer_ports
        stayer = id_of(instance, f"{market.stayer['party']}/{market.stayer['user_no']}")
        plan = planned(instance, stayer)
        words = " ".join(english for english, _ in plan.blockers)
        assert "close it first" in words and "money" in words and "loan" in words
        with pytest.raises(UsageError, match="in the way"):
            propose_delete(ports, "maker", stayer, plan.digest, "he asked")
        leaver = id_of(instance, market.leaver["id_no"])
        with pytest.raises(UsageError, match="has changed"):
            propose_delete(ports, "maker", leaver, plan.digest, "he asked")
        with pytest.raises(NotPermitted):
            propose_delete(ports, "checker", leaver, planned(instance, leaver).digest, "he asked")


def test_a_plan_that_no_longer_fits_is_not_approved(market: Market, fresh: CopyOf) -> None:
    with opened(fresh(market.home)) as instance:
        leaver = id_of(instance, market.leaver["id_no"])
        number = proposed(instance, leaver)
        words = instance.wiring.persons.said(leaver)
        # Something more becomes known of him between the proposal and its approval.
        with instance.wiring.customer_ports.lease() as fence:
            later = dataclasses.replace(words[-1], party="P002", fields={**words[-1].fields, "phone": None})
            instance.wiring.persons.keep([(leaver, later)], fence)
        with pytest.raises(UsageError, match="has changed"):
            approve(instance, number)
        assert instance.find("erased_customer") == [] and len(instance.wiring.persons.said(leaver)) == len(words) + 1
        # While a step of the day runs nothing is approved either.
        second = proposed(instance, leaver)
        with instance.wiring.customer_ports.lease(), pytest.raises(RetryLater):
            approve(instance, second)
        with pytest.raises(NotPermitted, match="another person"):
            approve(instance, self_made(instance, second))
        assert instance.find("erased_customer") == []


def self_made(instance: Instance, number: str) -> str:
    """As if the checker had proposed it himself."""
    with instance.wiring.register.transaction() as tx:
        tx.update("proposal", {"proposal_id": number}, {"maker": "checker"})
    return number


def breaking(instance: Instance, at: int) -> tuple[CustomerPorts, BreakingStore]:
    store = BreakingStore(instance.wiring.keyed, at)
    persons = KeyedPersonStore(store, instance.wiring.secrets)
    return dataclasses.replace(instance.wiring.customer_ports, persons=persons, account_rows=StoreAccountRows(store)), store


def test_a_crash_at_any_write_is_carried_on_to_the_same_end(market: Market, fresh: CopyOf) -> None:
    """The deletion, then the removal of what the law kept: each write of both in turn is the one that fails."""
    wanted = None
    for at in range(12):
        home = fresh(market.home)
        with opened(home) as instance:
            leaver = id_of(instance, market.leaver["id_no"])
            number = proposed(instance, leaver)
            ports, store = breaking(instance, at)
            failed = False
            try:
                customer_desk.decide(ports, "checker", number, True, "seen")
                purge(ports, "maker", _KEPT_TO + timedelta(days=1))
            except RetryLater:
                failed = True
            assert failed == (at > 0)
            again = instance.wiring.customer_ports
            done = carry_out_delete(again, "system", number)
            assert not carry_out_delete(again, "system", number) and (done or at == 0 or at > 2)
            purge(again, "maker", _KEPT_TO + timedelta(days=1))
            assert purge(again, "maker", _KEPT_TO + timedelta(days=1)) == []
            found = instance.keyed_rows(), [{**r} for r in instance.find("removed_rows")]
            wanted = wanted or found
            assert found == wanted
            assert leaver not in repr(found[0]) and f"P001.LENDER.{market.leaver['user_no']}" not in repr(
                found[0]["journal_by_account"]
            )
        if at in (0, 5):
            # What was removed on purpose is not missed.
            assert custody(home, "store", "verify")[0] == 0 == custody(home, "verify")[0]
        if at and at >= store.writes:
            break
    else:
        raise AssertionError("more writes than were made to fail")
