"""Each planted fault is where its label says, and nowhere else; and what cannot be planted is refused with the reason."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from faulted_worlds import FAULTS, ROOMY, contradictions, difference, labels_of
from instance_kit import seeds
from world_reader import DEMO, tree

from custody.names import BreakKind
from schemas.exchange import parse_name
from simulator.fault_kinds import FAULT_KINDS
from simulator.faults import KINDS, FaultRequest, FaultRequestError, load_faults
from simulator.parties import Honesty, profile
from simulator.simulate import simulate
from simulator.spoil import FILE_SPOILERS, SET_SPOILERS
from simulator.victims_answers import ANSWERS

# What no file and no table of the core can show: our own bookkeeping (2, 3, 5, 10), a forecast of cash (13), figures that a
# platform publishes elsewhere.
NOT_IN_FILES = {
    BreakKind.INV_02, BreakKind.INV_03, BreakKind.INV_05, BreakKind.INV_10, BreakKind.INV_13, BreakKind.DISCLOSURE,
}  # fmt: skip


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(sound, with every kind of fault at once) of one seed."""
    folder = tmp_path_factory.mktemp("worlds")
    simulate(config=ROOMY, faults=[], out=folder / "sound")
    simulate(config=ROOMY, faults=load_faults(FAULTS / "all.yaml"), out=folder / "faulty")
    return folder / "sound", folder / "faulty"


@pytest.mark.parametrize("seed", seeds(1), ids=lambda seed: f"seed{seed}")
def test_every_kind_finds_its_own_place_with_any_seed(seed: int, tmp_path: Path) -> None:
    requests = load_faults(FAULTS / "all.yaml")
    simulate(config=replace(ROOMY, seed=2 + seed), faults=[], out=tmp_path / "sound")
    simulate(config=replace(ROOMY, seed=2 + seed), faults=requests, out=tmp_path / "faulty")
    labels = labels_of(tmp_path / "faulty")
    _asked_is_planted(requests, labels)
    assert contradictions(tmp_path / "sound", tmp_path / "faulty", labels) == []


@pytest.mark.parametrize("seed", range(1, 5))
def test_the_demonstration_finds_places_with_any_seed(seed: int, tmp_path: Path) -> None:
    requests = load_faults(FAULTS / "demo.yaml")
    simulate(config=replace(DEMO, seed=seed), faults=requests, out=tmp_path / "world")
    labels = labels_of(tmp_path / "world")
    _asked_is_planted(requests, labels)
    pins = Counter((r.kind, r.date.isoformat() if r.date else "", r.party) for r in requests)
    assert Counter((label["kind"], label["custody_date"], label["platform"]) for label in labels) == pins


def _asked_is_planted(requests: list[FaultRequest], labels: list[dict[str, Any]]) -> None:
    asked: Counter[str] = Counter()
    for request in requests:
        asked[request.kind] += request.count
    assert Counter(label["kind"] for label in labels) == asked
    assert len({label["fault_id"] for label in labels}) == len(labels)


def test_all_kinds_are_asked_for_and_cover_every_break(worlds: tuple[Path, Path]) -> None:
    labels = labels_of(worlds[1])
    elsewhere = {"batches_out_of_order", *(request.kind for request in load_faults(FAULTS / "together.yaml"))}
    # These need a platform whose core is in E_ACCOUNT form.
    elsewhere |= {kind for kind in KINDS if kind.startswith("e_account_")}
    # And these, platforms that publish their figures.
    elsewhere |= {kind for kind in KINDS if kind.startswith("disclosure_")} | {"custody_fee_first_terms"}
    assert {label["kind"] for label in labels} == set(KINDS) - elsewhere and len(KINDS) >= 50
    expected = {expect["kind"] for label in labels for expect in label["expects"]}
    assert {str(kind) for kind in BreakKind} - expected == {str(kind) for kind in NOT_IN_FILES}


def test_no_two_faults_are_about_one_thing(worlds: tuple[Path, Path]) -> None:
    owner: dict[tuple[str, str], str] = {}
    for label in labels_of(worlds[1]):
        about = {(e["platform"], e["subject"]) for e in (*label["expects"], *label["allows"]) if e["kind"] != "BATCH"}
        assert label["expects"] and label["words_en"] and label["words_zh"]
        assert label["known_by"] >= label["custody_date"]
        for one in about:
            assert owner.setdefault(one, label["fault_id"]) == label["fault_id"], one


def test_planted_rows_differ_and_nothing_else(worlds: tuple[Path, Path]) -> None:
    """Every edit of rows that a label names is seen in the files, and every difference in the files is named by a label."""
    assert contradictions(*worlds, labels_of(worlds[1])) == []


def test_a_label_that_is_left_out_is_noticed(worlds: tuple[Path, Path]) -> None:
    labels = labels_of(worlds[1])
    # Not the core's, nor what spoils whole files, nor what is answered: these have tests of their own.
    in_rows = [
        label for label in labels if label["party"] != "CORE" and not _is_of_files(label["kind"]) and label["kind"] not in ANSWERS
    ]
    assert len(in_rows) > 60
    for label in in_rows[::6]:
        assert contradictions(*worlds, [one for one in labels if one is not label]) != [], label["words_en"]


def test_what_else_is_in_the_folders_is_asked_for(worlds: tuple[Path, Path]) -> None:
    """Files that only the faulty world has, or only the sound one, and seals that differ beside equal files, are of file faults."""
    before, after = tree(worlds[0]), tree(worlds[1])
    labels = labels_of(worlds[1])
    blamed = {(label["party"], label["custody_date"]) for label in labels if _is_of_files(label["kind"])}
    for name in (before.keys() ^ after.keys()) - {"answers.json"}:
        parts = parse_name(Path(name).name)
        assert parts is not None and (parts.party, parts.custody_date.isoformat()) in blamed, name


def test_how_results_are_answered_is_what_labels_say(worlds: tuple[Path, Path]) -> None:
    sound, faulty = worlds
    answers = {one["keys"]["result"]: ANSWERS[one["kind"]] for one in labels_of(faulty) if one["kind"] in ANSWERS}
    assert json.loads((faulty / "answers.json").read_text(encoding="utf-8")) == answers
    assert sorted(answers.values()) == ["DISPUTED", "SILENT"] and not (sound / "answers.json").exists()


def test_the_core_differs_where_labels_say(worlds: tuple[Path, Path]) -> None:
    sound, faulty = worlds
    labels = labels_of(faulty)
    refs = {
        str(value) for label in labels for name, value in label["keys"].items() if name in ("core_ref", "request_no", "paid_in")
    }
    accounts = {label["keys"]["account"] for label in labels if label["party"] == "CORE"}
    accounts |= {f"{label['platform']}:{book}" for label in labels if label["party"] != "CORE" for book in ("CUSTODY", "OWN")}
    for path in sorted(sound.rglob("flow.jsonl")):
        change = difference(path, faulty / path.relative_to(sound))
        for text in (*_numberless(change.added.values()) ^ _numberless(change.removed),):
            assert any(f'"core_ref": "{ref}"' in text for ref in refs), text
    moved = 0
    for path in sorted(sound.rglob("balance.jsonl")):
        change = difference(path, faulty / path.relative_to(sound))
        moved += len(change.removed)
        assert all(any(f'"{account}"' in text for account in accounts) for text in change.removed)
    assert moved


def _numberless(lines: Any) -> set[str]:
    """A flow that is left out renumbers those behind it."""
    return {re.sub(r', "seq": [0-9]+', "", line) for line in lines}


def _is_of_files(kind: str) -> bool:
    return kind in FILE_SPOILERS or kind in SET_SPOILERS


@pytest.mark.parametrize(
    "kind",
    [kind for kind in FILE_SPOILERS if kind in ("file_truncated", "seal_size", "missing_file", "late_file", "header_missing")],
)
def test_what_comes_again_is_what_should_have_come(kind: str, tmp_path: Path) -> None:
    simulate(config=DEMO, faults=[], out=tmp_path / "sound")
    simulate(config=DEMO, faults=[FaultRequest(kind, 1, party="P001")], out=tmp_path / "faulty")
    (label,) = labels_of(tmp_path / "faulty")
    name, day = label["keys"]["file"], date.fromisoformat(label["custody_date"])
    again = {"missing_file": (1, "_02_v1"), "late_file": (2, "_02_v1")}.get(kind, (1, "_01_v2"))
    late = tmp_path / "faulty" / str(day + timedelta(days=again[0])) / "P001" / name.replace("_01_v1", again[1])
    assert late.read_bytes() == (tmp_path / "sound" / str(day) / "P001" / name).read_bytes()


def test_the_first_of_two_batches_is_late(tmp_path: Path) -> None:
    two = replace(DEMO, batches=2)
    simulate(
        config=two, faults=[FaultRequest("batches_out_of_order", 1), FaultRequest("channel_amount", 3)], out=tmp_path / "world"
    )
    labels = labels_of(tmp_path / "world")
    (late,) = (label for label in labels if label["kind"] == "batches_out_of_order")
    day, seal = date.fromisoformat(late["custody_date"]), late["keys"]["seal"]
    there = [path.parent.parent.name for path in (tmp_path / "world").rglob(seal)]
    assert "_01_v1" in seal and there == [str(day + timedelta(days=1))]
    assert (tmp_path / "world" / str(day) / late["party"] / seal.replace("_01_v1", "_02_v1")).exists()
    # A row's place is in the batch that has its platform.
    for label in labels:
        for place in label["keys"].get("lines", []):
            name, _, number = place.partition(":")
            (path,) = (tmp_path / "world").rglob(name)
            assert label["keys"]["request_no"] in path.read_text().split("\n")[int(number) - 1]


def test_a_size_is_kept(tmp_path: Path) -> None:
    request = FaultRequest("balance_wrong", 1, party="P001", amount_minor=12_345)
    simulate(config=DEMO, faults=[], out=tmp_path / "sound")
    simulate(config=DEMO, faults=[request], out=tmp_path / "faulty")
    (label,) = labels_of(tmp_path / "faulty")
    (path,) = (tmp_path / "sound").rglob(label["keys"]["lines"][0].partition(":")[0])
    change = difference(path, tmp_path / "faulty" / path.relative_to(tmp_path / "sound"))
    (new,), (old,) = change.added.values(), change.removed
    fen = [round(float(text.split(",")[2]) * 100) for text in (new, old)]
    assert fen[0] - fen[1] == 12_345


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (FaultRequest("missing_file", 1, date=date(2020, 1, 2)), "no place for missing_file"),
        (FaultRequest("closed_with_money", 5_000), "of 5000 could be planted"),
        (FaultRequest("txn_missing", 1, party="P077"), "there is no party P077; there are P001, P002"),
        (FaultRequest("txn_missing", 1, party="CH01"), "CH01 cannot show txn_missing; these can: P001"),
        (FaultRequest("core_missing", 1, party="GW"), "GW cannot show core_missing"),
        (FaultRequest("txn_missing", 1, date=date(2021, 1, 1)), "2021-01-01 is not a date of this world"),
        (FaultRequest("batches_out_of_order", 1), "no place for batches_out_of_order"),
    ],
)
def test_what_cannot_be_planted_is_refused(request_: FaultRequest, message: str, tmp_path: Path) -> None:
    with pytest.raises(FaultRequestError, match=message):
        simulate(config=DEMO, faults=[request_], out=tmp_path / "world")
    assert not (tmp_path / "world").exists()


def test_more_faults_than_transactions_are_refused(tmp_path: Path) -> None:
    tiny = replace(DEMO, platforms=1, lenders=6, loans=2, days=1)
    made = simulate(config=tiny, faults=[], out=tmp_path / "sound")
    with pytest.raises(FaultRequestError, match=r"entry 1: no place for txn_missing .* could be planted"):
        many = FaultRequest("txn_missing", made["transactions"] + 1, where="faults.yaml, entry 1")
        simulate(config=tiny, faults=[many], out=tmp_path / "world")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: txn_missing", "a list"),
        ("- {kind: txn_lost, count: 1}", "entry 1: unknown fault kind"),
        ("- {kind: txn_missing}", "kind and count"),
        ("- {kind: txn_missing, count: 1}\n- {kind: txn_missing, count: 0}", "entry 2: txn_missing: count must be at least 1"),
        ("- {kind: txn_missing, count: 1, date: tomorrow}", "YYYY-MM-DD"),
        ("- {kind: txn_missing, count: 1, platform: P001}", "kind and count"),
        ("- {kind: txn_missing, count: 1, party: 7}", "party must be"),
        ("- {kind: txn_missing, count: 1, amount: 1.00}", "txn_missing has no size"),
        ("- {kind: txn_amount, count: 1, amount: 1.005}", "amount must be in yuan"),
        ("- {kind: txn_amount, count: 1, amount: 0}", "at least 0.01"),
        ("- [", "no YAML"),
    ],
)
def test_a_malformed_list_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "faults.yaml").write_text(text)
    with pytest.raises(FaultRequestError, match=message):
        load_faults(tmp_path / "faults.yaml")


def test_amounts_are_read_exactly(tmp_path: Path) -> None:
    (tmp_path / "faults.yaml").write_text(
        "- {kind: txn_amount, count: 1, amount: 0.29}\n- {kind: txn_amount, count: 1, amount: 3}\n"
    )
    assert [request.amount_minor for request in load_faults(tmp_path / "faults.yaml")] == [29, 300]


def test_kinds_are_described() -> None:
    assert len({kind.en for kind in FAULT_KINDS.values()}) == len({kind.zh for kind in FAULT_KINDS.values()}) == len(KINDS)


def test_dishonest_platforms_have_more_faults(tmp_path: Path) -> None:
    """Where a fault is asked for anywhere. 60 faults on 9 platforms in each of four worlds."""
    planted: Counter[Honesty] = Counter()
    platforms: Counter[Honesty] = Counter()
    for seed in range(4):
        config = replace(DEMO, platforms=9, lenders=12, loans=3, days=2, seed=seed)
        simulate(config=config, faults=[FaultRequest("txn_missing", 60)], out=tmp_path / str(seed))
        honesty = {f"P{number:03d}": profile(seed, number).honesty for number in range(1, 10)}
        platforms.update(honesty.values())
        planted.update(honesty[label["platform"]] for label in labels_of(tmp_path / str(seed)))
    share = {honesty: planted[honesty] / platforms[honesty] for honesty in Honesty}
    assert share[Honesty.DISHONEST] > share[Honesty.CARELESS] > share[Honesty.SOUND] > 0
