"""Matching in parts seals what matching at once seals; keys that share a hash are told apart by what they are.

The numbers below were constructed so that their keys have one and the same 64-bit hash, as whoever knows the hash can do: the engine
is asked whether they have. Beside them the hash is made so narrow that every row shares its own with many others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from changed_days import Market, Rows, breaks, file_of, market_after_its_first_day, put_day, send_changed
from instance_kit import GO_LIVE, Instance, opened
from kill_kit import CopyOf

from connectors import item_index
from connectors.engine import engine
from custody.calendar import dates
from custody.steps import STEPS
from jobs.reconcile import flows, key_history, step
from schemas.layout import load_layout
from schemas.layout_file import parse_file

FIRST, SECOND, THIRD = dates(GO_LIVE, 3)
P, GATEWAY = "P001", "GW"
# Request numbers X, Y of platform P001: leg 1 of each has the key P001|X|1, P001|Y|1.
BOTH_TODAY = ("RRRIEQH524YNG5BY1A2", "RRRWNAF3FDXGsi2nLPL")
ONE_A_SIDE = ("RRRDFFXKTQNCK1Z6X82", "RRRSHTY732GoP0vjjHP")
ON_TWO_DAYS = ("RRRP8IX4EA4Q9OM4894", "RRRD9YQZET1EvMpMfaX")
# Of some forty rows a side that makes eight parts and more.
FEW_ROWS = 5


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Market:
    return market_after_its_first_day(tmp_path_factory.mktemp("flow_parts"), platforms=2)


def until_reconciled(instance: Instance, on: Any) -> str:
    """The digest of what reconcile seals."""
    instance.collect(on)
    return instance.run_day(on, STEPS[: STEPS.index("reconcile") + 1])[-1].seal.manifest_digest


def and_the_rest(instance: Instance, on: Any) -> None:
    instance.run_day(on, STEPS[STEPS.index("reconcile") + 1 :])


def again(instance: Instance, on: Any) -> str:
    return instance.step("reconcile", on, "in another way").seal.manifest_digest


def in_parts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Few rows a part from now on; returns what grows by a relation's name for each part that is matched."""
    matched: list[str] = []
    whole = flows._match_part

    def counted(day: Any, spark: Any, relation: Any, *rest: Any) -> Any:
        matched.append(relation.name)
        return whole(day, spark, relation, *rest)

    monkeypatch.setattr(flows, "_match_part", counted)
    monkeypatch.setattr(step, "match_flows", partial(flows.match_flows, part_rows=FEW_ROWS))
    return matched


def renamed(names: Mapping[str, str]) -> Callable[[Rows], Rows]:
    def change(rows: Rows) -> Rows:
        changed = [r | {"request_no": names.get(str(r["request_no"]), r["request_no"])} for r in rows]
        assert sum(a != b for a, b in zip(rows, changed, strict=True)) == len(names)
        return changed

    return change


def commissions(market: Market, on: Any) -> list[str]:
    """Requests of one leg that no other row names."""
    path = file_of(market.world, P, "TXN", on)
    rows = parse_file(load_layout("platform_txn/1"), path.name, path.read_bytes(), "utf-8", on).rows
    return [str(r["request_no"]) for r in rows if r["txn_type"] == "COMMISSION"]


def test_the_keys_have_one_hash(sound: Market) -> None:
    pairs = [tuple(f"{P}|{number}|1" for number in pair) for pair in (BOTH_TODAY, ONE_A_SIDE, ON_TWO_DAYS)]
    with opened(sound.home) as instance, engine(instance.wiring.settings) as spark:
        for a, b in pairs:
            of_a, of_b = (key_history.key_hash_sql(f"'{key}'") for key in (a, b))
            (found,) = spark.sql(f"select {of_a} as a, {of_b} as b").toArrow().to_pylist()
            assert a != b and found["a"] == found["b"]


def test_parts_seal_the_same_and_no_two_keys_of_one_hash_are_taken_for_one(
    sound: Market, fresh: CopyOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(fresh(sound.home)) as instance:
        put_day(instance, sound, SECOND)
        both_a, both_b, alone, two_days, twice = commissions(sound, SECOND)[:5]
        same = {both_a: BOTH_TODAY[0], both_b: BOTH_TODAY[1], two_days: ON_TWO_DAYS[0]}
        claimed, instructed = renamed(same | {alone: ONE_A_SIDE[0]}), renamed(same | {alone: ONE_A_SIDE[1]})

        def claim(rows: Rows) -> Rows:
            return [*claimed(rows), *(r for r in rows if r["request_no"] == twice)]

        send_changed(instance, sound, P, "TXN", SECOND, claim)
        send_changed(instance, sound, GATEWAY, "INSTRUCTION", SECOND, instructed)
        at_once = until_reconciled(instance, SECOND)
        # All that is compared agrees, and so do the hashes; the keys do not.
        expected = {("UNAUTHORISED", f"TXN|{ONE_A_SIDE[0]}|1"), ("MISSING_IN_PLATFORM", f"TXN|{ONE_A_SIDE[1]}|1")}
        assert flow_breaks(instance, SECOND) == expected | {("DUPLICATE", f"TXN|{twice}|1")}
        assert instance.failing_proofs() == []
        with monkeypatch.context() as patched:
            matched = in_parts(patched)
            assert again(instance, SECOND) == at_once
            assert {name: matched.count(name) > 2 for name in set(matched)} == {
                "AB_TXN": True,
                "BC_CHANNEL": True,
                "BC_CORE": True,
            }
        and_the_rest(instance, SECOND)
        # The next day another key comes that has the hash of one that was matched.
        put_day(instance, sound, THIRD)
        later = renamed({commissions(sound, THIRD)[0]: ON_TWO_DAYS[1]})
        for party, file_type in ((P, "TXN"), (GATEWAY, "INSTRUCTION")):
            send_changed(instance, sound, party, file_type, THIRD, later)
        at_once = until_reconciled(instance, THIRD)
        # Of yesterday's breaks nothing has changed.
        assert flow_breaks(instance, THIRD) == expected | {("DUPLICATE", f"TXN|{twice}|1")}
        in_parts(monkeypatch)
        assert again(instance, THIRD) == at_once
        assert instance.failing_proofs() == []


def test_where_every_hash_is_shared_the_same_rows_match(
    sound: Market, fresh: CopyOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = commissions(sound, SECOND)

    def second_day(instance: Instance) -> dict[str, Any]:
        put_day(instance, sound, SECOND)
        twice = partial(claimed_twice, instead_of=numbers[0], twice=numbers[1])
        send_changed(instance, sound, P, "TXN", SECOND, twice)
        until_reconciled(instance, SECOND)
        return told(instance)

    with opened(fresh(sound.home)) as instance:
        expected = second_day(instance)
        assert flow_breaks(instance, SECOND) == {
            ("MISSING_IN_PLATFORM", f"TXN|{numbers[0]}|1"),
            ("DUPLICATE", f"TXN|{numbers[1]}|1"),
        }
    # Five hashes for all keys, in both halves of 64 bits: in what lies in the lake, and in what is reckoned at matching.
    monkeypatch.setattr(item_index, "xxhash64", narrow(item_index.xxhash64, only_keys=True))
    monkeypatch.setattr(flows, "xxhash64", narrow(flows.xxhash64))
    for module in (flows, key_history):
        monkeypatch.setattr(module, "key_hash_sql", lambda key: f"(pmod(xxhash64({key}), 5) - 2) * 3000000000000000000")
    in_parts(monkeypatch)
    with opened(market_after_its_first_day(tmp_path, platforms=2).home) as instance:
        assert second_day(instance) == expected
        # No hash stood for one pair alone, so that none was clean at matching.
        relations = {t["relation"] for t in instance.lake_rows(SECOND, "reconcile", "match_totals")}
        assert relations.isdisjoint(("AB_TXN", "BC_CHANNEL", "BC_CORE"))


def claimed_twice(rows: Rows, instead_of: str, twice: str) -> Rows:
    return [r for r in rows if r["request_no"] != instead_of] + [r for r in rows if r["request_no"] == twice]


def narrow(whole: Callable[..., Any], only_keys: bool = False) -> Callable[..., Any]:
    """``only_keys``: what is hashed of several columns is a row, which keeps its own."""

    def hashed(*columns: Any) -> Any:
        found = whole(*columns)
        return found if only_keys and len(columns) > 1 else (found % 5 - 2) * 3000000000000000000

    return hashed


def flow_breaks(instance: Instance, on: Any) -> set[tuple[str, str]]:
    return {(kind, what) for kind, what in breaks(instance, on) if what.startswith(("TXN|", "CHANNEL|", "CORE|"))}


def told(instance: Instance) -> dict[str, Any]:
    """What does not depend on whether a pair was clean to the engine or matched by the core: rows by side and bucket, and the rest."""
    tables = ("breaks", "open_items", "suggestions", "closings", "proof")
    assert instance.failing_proofs() == []
    return {name: instance.lake_rows(SECOND, "reconcile", name) for name in tables}
