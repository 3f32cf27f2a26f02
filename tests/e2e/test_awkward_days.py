"""Days that are awkward without being wrong: names sent twice, late masters, closing accounts, decisions, new versions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from changed_days import Market, Rows, breaks, file_of, market_after_its_first_day, put_day, sealed, send_changed
from instance_kit import GO_LIVE, make_instance, make_world, opened
from kill_kit import CopyOf

from custody.calendar import dates
from custody.errors import UsageError
from custody.services import cases
from custody.services.four_eyes import approve
from schemas.exchange import Seal, SealedFile, sha256_hex
from schemas.layout import load_layout
from schemas.layout_file import control_totals, parse_file, write_file
from simulator.simulate import FaultRequest

FIRST, SECOND, THIRD = dates(GO_LIVE, 3)
P = "P001"


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Market:
    return market_after_its_first_day(tmp_path_factory.mktemp("awkward"))


def test_one_name_refused_and_then_sent_well_does_not_stop_the_day(market: Market, fresh: CopyOf) -> None:
    name = file_of(market.world, P, "TXN", SECOND).name
    with opened(fresh(market.home)) as instance:
        put_day(instance, market, SECOND)
        good = instance.drop.arrived[P][name]
        instance.drop.put(P, name, good[:-1] + b"9")
        instance.collect(SECOND)
        instance.drop.put(P, name, good)
        seal = market.world / SECOND.isoformat() / P / f"{P}_SEAL_{SECOND:%Y%m%d}_01_v1.json"
        instance.drop.put(P, seal.name, seal.read_bytes())
        instance.collect(SECOND)
        instance.run_day(SECOND)
        outcomes = [o["outcome"] for o in instance.lake_rows(SECOND, "land", "file_outcomes") if o["file_name"] == name]
        assert sorted(outcomes) == ["LANDED", "REFUSED"]
        assert breaks(instance, SECOND) == {("CONTROL_TOTAL", f"FILE|{name}")}
        assert instance.failing_proofs() == []


def test_a_seal_that_names_a_foreign_file_is_a_finding_of_one_day(market: Market, fresh: CopyOf) -> None:
    with opened(fresh(market.home)) as instance:
        put_day(instance, market, SECOND)
        name, data = sealed(P, SECOND, 2, {"evil.csv": ("platform_txn/1", b"x\n", 0, {"amount": "0.00"})})
        instance.drop.put(P, name, data)
        instance.collect(SECOND)
        instance.run_day(SECOND)
        assert {kind for kind, _ in breaks(instance, SECOND)} == {"CONTROL_TOTAL"}
        instance.deliver(market.world, THIRD)
        instance.run_day(THIRD)
        assert breaks(instance, THIRD) == set()


def test_masters_that_come_a_day_late_are_no_break(market: Market, fresh: CopyOf) -> None:
    late = ("LOAN", "CUSTOMER")
    with opened(fresh(market.home)) as instance:
        put_day(instance, market, SECOND)
        seal_name = f"{P}_SEAL_{SECOND:%Y%m%d}_01_v1.json"
        whole = Seal.model_validate_json(instance.drop.arrived[P][seal_name])
        now, then = ([f for f in whole.files if (f.name.split("_")[1] in late) is is_late] for is_late in (False, True))
        held = {f.name: instance.drop.arrived[P].pop(f.name) for f in then}
        instance.drop.put(P, seal_name, whole.model_copy(update={"files": now}).to_bytes())
        instance.collect(SECOND)
        instance.run_day(SECOND)
        assert {s for k, s in breaks(instance, SECOND) if k == "LATE_FILE"} == {f"LATE|{P}|{t}|{SECOND}" for t in late}
        second = whole.model_copy(update={"files": [f.model_copy(update={"name": _batch_2(f.name)}) for f in then], "batch": 2})
        for old, data in held.items():
            instance.drop.put(P, _batch_2(old), data)
        instance.drop.put(P, f"{P}_SEAL_{SECOND:%Y%m%d}_02_v1.json", second.to_bytes())
        instance.deliver(market.world, THIRD)
        instance.run_day(THIRD)
        assert breaks(instance, THIRD) == set()


def test_a_type_in_two_batches_is_expected_until_both_are_there(market: Market, fresh: CopyOf) -> None:
    """The second batch, which says that there are two, comes a day before the first."""
    with opened(fresh(market.home)) as instance:
        put_day(instance, market, SECOND)
        path = file_of(market.world, P, "TXN", SECOND)
        seal_name = f"{P}_SEAL_{SECOND:%Y%m%d}_01_v1.json"
        whole = Seal.model_validate_json(instance.drop.arrived[P][seal_name])
        (entry,) = [f for f in whole.files if f.name == path.name]
        layout = load_layout(entry.layout)
        rows = parse_file(layout, path.name, path.read_bytes(), entry.encoding, SECOND).rows
        half = len(rows) // 2
        # What the platform's slow clock left from yesterday stands first, and comes first.
        parts = {path.name: (rows[half:], None), _batch_2(path.name): (rows[:half], 2)}
        entries: dict[str, SealedFile] = {}
        for name, (some, batches) in parts.items():
            data = write_file(layout, some, entry.encoding, SECOND)
            said = {"bytes": len(data), "rows": len(some), "sha256": sha256_hex(data), "totals": control_totals(layout, some)}
            entries[name] = entry.model_copy(update={"name": name, "batches": batches, **said})
            instance.drop.put(P, name, data)
        first = instance.drop.arrived[P].pop(path.name)
        others = [f for f in whole.files if f.name != path.name]
        instance.drop.put(P, seal_name, whole.model_copy(update={"files": others}).to_bytes())
        second = whole.model_copy(update={"files": [entries[_batch_2(path.name)]], "batch": 2})
        instance.drop.put(P, _batch_2(seal_name), second.to_bytes())
        instance.collect(SECOND)
        instance.run_day(SECOND)
        assert breaks(instance, SECOND) == {("LATE_FILE", f"LATE|{P}|TXN|{SECOND}")}
        # A set of its own again: batch 1 of the date was the other files'.
        name = path.name.replace("_01_v1", "_03_v1")
        third = whole.model_copy(update={"files": [entries[path.name].model_copy(update={"name": name})], "batch": 3})
        instance.drop.put(P, name, first)
        instance.drop.put(P, seal_name.replace("_01_v1", "_03_v1"), third.to_bytes())
        instance.deliver(market.world, THIRD)
        instance.run_day(THIRD)
        assert breaks(instance, THIRD) == set()
        assert instance.failing_proofs() == []


def _batch_2(name: str) -> str:
    return name.replace("_01_v1", "_02_v1")


def test_an_account_that_closes_today_still_takes_todays_instructions(market: Market, fresh: CopyOf) -> None:
    """And INV_14 says that it closed with money in it."""
    with opened(fresh(market.home)) as instance:
        put_day(instance, market, SECOND)
        day = instance.wiring.lake
        payer = next(
            r
            for r in day.rows(instance.find("step_output", custody_date=FIRST, step="post")[0]["path"], "claims")
            if r["platform"] == P
        )
        user = payer["holder"].rpartition(".")[2]
        opening = parse_file(
            load_layout("platform_customer/1"), "x", file_of(market.world, P, "CUSTOMER", FIRST).read_bytes(), "utf-8", FIRST
        ).rows
        (person,) = [r for r in opening if r["user_no"] == user]
        today = person["event_time"].replace(day=SECOND.day, hour=0)  # type: ignore[union-attr]
        closing = {**person, "action": "CLOSE", "event_time": today}
        send_changed(instance, market, P, "CUSTOMER", SECOND, lambda rows: [*rows, closing])
        instance.collect(SECOND)
        instance.run_day(SECOND)
        assert instance.lake_rows(SECOND, "post", "posting_findings") == []
        assert ("INV_14", f"INV|INV_14|{payer['holder']}") in breaks(instance, SECOND)


def test_a_split_that_is_not_ours_is_found_and_a_repeated_line_is_not(market: Market, fresh: CopyOf) -> None:
    def shift(rows: Rows) -> Rows:
        legs = [r for r in rows if r["txn_type"] == "REPAYMENT" and r["platform"] == P]
        request = legs[0]["request_no"]
        first, second = [r for r in legs if r["request_no"] == request][:2]
        for row, by in ((first, 1), (second, -1)):
            row["principal_minor"] += by  # type: ignore[operator]
            row["amount_minor"] += by  # type: ignore[operator]
        other = next(r for r in rows if r["txn_type"] == "REPAYMENT" and r["platform"] != P)
        return [*rows, dict(other)]

    with opened(fresh(market.home)) as instance:
        put_day(instance, market, SECOND)
        send_changed(instance, market, "GW", "INSTRUCTION", SECOND, shift)
        instance.collect(SECOND)
        instance.run_day(SECOND)
        found = [f for f in instance.lake_rows(SECOND, "post", "posting_findings") if f["kind"] == "ALLOCATION"]
        assert {f["platform"] for f in found} == {P}
        assert len(found) == 2
        outcomes = [t["outcome"] for t in instance.lake_rows(SECOND, "post", "ledger_txn")]
        assert outcomes.count("REPEATED") == 1
        assert instance.failing_proofs() == []


def test_an_instruction_sent_again_next_day_is_not_posted_twice(market: Market, fresh: CopyOf) -> None:
    first = parse_file(
        load_layout("gateway_instruction/1"), "x", file_of(market.world, "GW", "INSTRUCTION", FIRST).read_bytes(), "utf-8", FIRST
    ).rows
    again, other = dict(first[0]), dict(first[1])
    other["amount_minor"] += 1  # type: ignore[operator]
    with opened(fresh(market.home)) as instance:
        put_day(instance, market, SECOND)
        send_changed(instance, market, "GW", "INSTRUCTION", SECOND, lambda rows: [*rows, again, other])
        instance.collect(SECOND)
        instance.run_day(SECOND)
        kinds = [(f["kind"], f["rule"]) for f in instance.lake_rows(SECOND, "post", "posting_findings")]
        assert kinds == [("DUPLICATE", "posted_before")]
        assert {b["subject"] for b in instance.lake_rows(SECOND, "reconcile", "breaks")} == {
            f"POSTING|{other['request_no']}|{other['leg']}"
        }


def test_what_two_people_settled_stays_settled(tmp_path: Path) -> None:
    world = make_world(tmp_path / "world", [FaultRequest(kind="txn_missing", count=1, date=FIRST, party=P)], seed=5, days=3)
    home = make_instance(tmp_path / "home", world)
    with opened(home) as instance:
        register, clock = instance.wiring.register, instance.wiring.clock
        instance.deliver(world, FIRST)
        instance.run_day(FIRST)
        # The platform's own balances do not follow from what it files either.
        case, chain = sorted(instance.find("recon_case"), key=lambda row: row["sides"], reverse=True)
        assert (case["kind"], chain["kind"], chain["sides"]) == ("MISSING_IN_PLATFORM", "BALANCE_CHAIN", "A")
        proposals = [
            cases.propose_settlement(register, clock, "maker", row["case_id"], "the platform agreed") for row in (case, chain)
        ]
        for proposal in proposals:
            approve(register, clock, "checker", cases.CASE, proposal, "seen")
        for on in (SECOND, THIRD):
            instance.deliver(world, on)
            instance.run_day(on)
            assert breaks(instance, on) == set()
        ended = {row["case_id"]: (row["state"], row["closed_by"]) for row in instance.find("recon_case")}
        assert [ended[row["case_id"]] for row in (case, chain)] == [("CLOSED", f"decision {p}") for p in proposals]
        rules = {m["rule"] for m in instance.lake_rows(SECOND, "reconcile", "matches") if m["subject"] == case["subject"]}
        assert rules == {"resolved"}
        assert instance.failing_proofs() == []


def test_a_new_version_of_a_cut_off_keeps_what_the_first_one_took(market: Market, fresh: CopyOf) -> None:
    with opened(fresh(market.home)) as instance:
        before = instance.lake_rows(FIRST, "cut_off", "accepted_files")
        assert before
        instance.step("cut_off", FIRST, "contract corrected")
        assert instance.lake_rows(FIRST, "cut_off", "accepted_files") == before
        # The content is the same, so nothing that was made from it is out of date.
        assert instance.step("land", FIRST).outcome == "unchanged"


def test_an_older_day_is_not_projected_over_a_newer_one(market: Market, fresh: CopyOf) -> None:
    from custody.errors import StopRun

    with opened(fresh(market.home)) as instance:
        instance.deliver(market.world, SECOND)
        instance.run_day(SECOND)
        kept = instance.keyed_rows()
        with pytest.raises(StopRun, match="holds 2019-12-31 already"):
            instance.step("project", FIRST, "again")
        assert instance.keyed_rows() == kept


def test_a_balance_difference_is_no_matter_for_a_decision(tmp_path: Path) -> None:
    world = make_world(tmp_path / "world", [FaultRequest(kind="balance_wrong", count=1, date=FIRST, party=P)], seed=5)
    home = make_instance(tmp_path / "home", world)
    with opened(home) as instance:
        instance.deliver(world, FIRST)
        instance.run_day(FIRST)
        (case,) = instance.find("recon_case", kind="AMOUNT")
        assert json.loads(case["evidence"])
        with pytest.raises(UsageError, match="figures agree"):
            cases.propose_settlement(instance.wiring.register, instance.wiring.clock, "maker", case["case_id"], "never mind")
