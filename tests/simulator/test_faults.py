"""Each planted fault is where its label says, and nowhere else."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from world_reader import DEMO, tree

from schemas.delimited import ParsedFile, parse_delimited
from schemas.exchange import Seal, parse_seal, sha256_hex
from schemas.layout import UnknownLayout, load_layout
from simulator.faults import FILE_KINDS, KINDS
from simulator.simulate import FaultRequest, FaultRequestError, load_faults, simulate

FAULTS = Path(__file__).parents[1] / "faults"
CORE_KINDS = ("core_missing", "core_unknown", "core_amount")


def _labels(folder: Path) -> list[dict[str, Any]]:
    labels: list[dict[str, Any]] = json.loads((folder / "truth" / "faults.json").read_text(encoding="utf-8"))
    return labels


def _parse(folder: Path, party: str, file_type: str, day: str, batch: int = 1, version: int = 1) -> ParsedFile:
    return parse_delimited(*_sealed(folder, party, file_type, day, day, batch, version))


def _sealed(folder: Path, party: str, file_type: str, day: str, sent_on: str, batch: int, version: int) -> Any:
    """Arguments for parse_delimited, after the seal's size and digest were found right."""
    place, stamp = folder / sent_on / party, f"{day.replace('-', '')}_{batch:02d}_v{version}"
    seal = parse_seal((place / f"{party}_SEAL_{stamp}.json").read_bytes())
    assert isinstance(seal, Seal)
    entry = next(entry for entry in seal.files if entry.name == f"{party}_{file_type}_{stamp}.csv")
    data = (place / entry.name).read_bytes()
    assert (entry.bytes, entry.sha256) == (len(data), sha256_hex(data))
    return load_layout(entry.layout), entry.name, data, entry.encoding, entry.rows, entry.totals


@pytest.mark.parametrize("name", ["all.yaml", "demo.yaml"])
@pytest.mark.parametrize("seed", range(1, 9))
def test_lists_can_be_planted_with_any_seed(name: str, seed: int, tmp_path: Path) -> None:
    requests = load_faults(FAULTS / name)
    simulate(config=replace(DEMO, seed=seed), faults=requests, out=tmp_path / "world")
    labels = _labels(tmp_path / "world")
    asked: Counter[str] = Counter()
    for request in requests:
        asked[request.kind] += request.count
    assert Counter(label["kind"] for label in labels) == asked
    if name == "all.yaml":
        assert set(asked) == set(KINDS)
    subjects = [expect["subject"] for label in labels for expect in label["expects"]]
    assert len(subjects) == len(set(subjects))
    assert len({label["fault_id"] for label in labels}) == len(labels)


def test_the_demonstration_loses_both_kinds_of_file(tmp_path: Path) -> None:
    simulate(config=DEMO, faults=load_faults(FAULTS / "demo.yaml"), out=tmp_path / "world")
    late = [expect["subject"].split("|")[2] for label in _labels(tmp_path / "world") for expect in label["expects"][-1:]
            if expect["kind"] == "LATE_FILE"]  # fmt: skip
    assert sorted(late) == ["BALANCE", "BALANCE", "TXN", "TXN"]


def test_pinned_faults_stay_where_they_were_put(tmp_path: Path) -> None:
    requests = load_faults(FAULTS / "demo.yaml")
    simulate(config=DEMO, faults=requests, out=tmp_path / "world")
    planted = Counter((label["kind"], label["custody_date"], label["platform"]) for label in _labels(tmp_path / "world"))
    assert planted == Counter((r.kind, r.date.isoformat() if r.date else "", r.platform) for r in requests)


@pytest.fixture(scope="module")
def true_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("true") / "world"
    simulate(config=DEMO, faults=[], out=out)
    return out


@pytest.mark.parametrize("kind", KINDS)
def test_one_fault_changes_only_its_own_file(kind: str, true_world: Path, tmp_path: Path) -> None:
    simulate(config=DEMO, faults=[FaultRequest(kind, 1)], out=tmp_path / "world")
    (label,) = _labels(tmp_path / "world")
    day = date.fromisoformat(label["custody_date"])
    before, after = tree(true_world), tree(tmp_path / "world")
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} - {"truth/faults.json"}
    if kind in CORE_KINDS:
        balances = {f"{day + timedelta(days=k)}/CORE/balance.jsonl" for k in range(4)} & before.keys()
        assert changed == {f"{day}/CORE/flow.jsonl", *balances}
        return
    stamp, party = f"{day:%Y%m%d}", label["platform"]
    if kind in FILE_KINDS:
        _, late_party, file_type, late_day = label["expects"][-1]["subject"].split("|")
        assert (late_party, late_day) == (party, day.isoformat())
        again = "02_v1" if kind == "missing_file" else "01_v2"
        tomorrow = f"{day + timedelta(days=1)}/{party}"
        resent = {f"{tomorrow}/{party}_{file_type}_{stamp}_{again}.csv", f"{tomorrow}/{party}_SEAL_{stamp}_{again}.json"}
        spoilt = {f"{day}/{party}/{party}_{file_type}_{stamp}_01_v1.csv", f"{day}/{party}/{party}_SEAL_{stamp}_01_v1.json"}
        assert changed - resent <= spoilt and resent <= changed and len(changed - resent) >= 1
        # What comes again is, byte for byte, what should have come.
        assert (
            after[f"{tomorrow}/{party}_{file_type}_{stamp}_{again}.csv"]
            == before[f"{day}/{party}/{party}_{file_type}_{stamp}_01_v1.csv"]
        )
        batch, version = (2, 1) if kind == "missing_file" else (1, 2)
        parsed = parse_delimited(*_sealed(tmp_path / "world", party, file_type, str(day), tomorrow[:10], batch, version))
        assert (parsed.faults, parsed.file_faults) == ([], [])
        if kind == "missing_file":
            assert not (tmp_path / "world" / str(day) / party / f"{party}_{file_type}_{stamp}_01_v1.csv").exists()
        else:
            with pytest.raises((AssertionError, UnknownLayout)):
                refused = parse_delimited(*_sealed(tmp_path / "world", party, file_type, str(day), str(day), 1, 1))
                assert refused.file_faults == []
        return
    assert len(changed) == 2 and len({name.split("/")[1] for name in changed}) == 1


def test_row_faults_are_what_their_labels_say(true_world: Path, tmp_path: Path) -> None:
    simulate(config=DEMO, faults=load_faults(FAULTS / "all.yaml"), out=tmp_path / "world")
    seen = 0
    for label in _labels(tmp_path / "world"):
        kind, day, platform = label["kind"], label["custody_date"], label["platform"]
        if not kind.startswith("txn_"):
            continue
        _, request_no, leg = label["subject"].split("|")
        true, false = (
            [
                {k: v for k, v in row.items() if k != "line_no"}
                for row in _parse(folder, platform, "TXN", day).rows
                if (row["request_no"], row["leg"]) == (request_no, int(leg))
            ]
            for folder in (true_world, tmp_path / "world")
        )
        seen += 1
        if kind in ("txn_missing", "txn_unauthorised", "txn_duplicate"):
            assert (len(true), len(false)) == {"txn_missing": (1, 0), "txn_unauthorised": (0, 1), "txn_duplicate": (1, 2)}[kind]
            continue
        (old,), (new,) = true, false
        changed = {name for name in old if old[name] != new[name]}
        if kind == "txn_direction":
            assert changed == {"from_role", "from_user_no", "to_role", "to_user_no"}
            assert (old["from_user_no"], old["to_user_no"]) == (new["to_user_no"], new["from_user_no"])
        elif kind == "txn_wrong_account":
            assert len(changed) == 1 and changed < {"from_user_no", "to_user_no"}
        else:
            expected = {"txn_amount": "amount_minor", "txn_status": "status", "txn_wrong_loan": "loan_id"}[kind]
            assert changed == {expected}
    assert seen >= 18


@pytest.mark.parametrize(("kind", "rule", "file_type"), [("bad_byte", "bad_byte", "LOAN"), ("impossible_date", "time", "TXN")])
@pytest.mark.parametrize("platform", ["P001", "P002"])
def test_a_spoilt_line_is_refused_alone(kind: str, rule: str, file_type: str, platform: str, tmp_path: Path) -> None:
    simulate(config=DEMO, faults=[FaultRequest(kind, 1, platform=platform)], out=tmp_path / "world")
    (label,) = _labels(tmp_path / "world")
    parsed = _parse(tmp_path / "world", platform, file_type, label["custody_date"])
    _, file_name, line_no = label["subject"].split("|")
    assert [(fault.line_no, fault.rule) for fault in parsed.faults] == [(int(line_no), rule)]
    assert parsed.file_faults == []
    assert file_name.startswith(f"{platform}_{file_type}_")
    if kind == "impossible_date":
        (key,) = parsed.rejected_keys.values()
        request_no, leg = (part.split("=")[1] for part in key.split("|"))
        assert label["expects"][1]["subject"] == f"TXN|{request_no}|{leg}"


@pytest.mark.parametrize("kind", CORE_KINDS)
def test_core_faults_move_the_balance_to_the_end(kind: str, true_world: Path, tmp_path: Path) -> None:
    simulate(config=DEMO, faults=[FaultRequest(kind, 1)], out=tmp_path / "world")
    (label,) = _labels(tmp_path / "world")
    account = label["expects"][1]["subject"].split("|")[2]
    assert label["subject"].startswith(f"CORE|{account}|")
    flow, shifts = {}, []
    for which, folder in (("true", true_world), ("false", tmp_path / "world")):
        lines = (folder / label["custody_date"] / "CORE" / "flow.jsonl").read_text(encoding="utf-8").splitlines()
        booked = {f"CORE|{f['account']}|{f['core_ref']}": f["amount_minor"] for f in map(json.loads, lines)}
        flow[which] = booked.get(label["subject"], 0)
    change = flow["false"] - flow["true"]
    assert change != 0
    for day in sorted(path.name for path in true_world.iterdir() if path.name[:2] == "20"):
        closing = []
        for folder in (true_world, tmp_path / "world"):
            lines = (folder / day / "CORE" / "balance.jsonl").read_text(encoding="utf-8").splitlines()
            closing.append(next(b["closing_minor"] for b in map(json.loads, lines) if b["account"] == account))
        shifts.append(closing[1] - closing[0])
        assert shifts[-1] == (change if day >= label["custody_date"] else 0)


def test_what_has_no_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FaultRequestError, match="no place for missing_file"):
        simulate(config=DEMO, faults=[FaultRequest("missing_file", 1, date=date(2020, 1, 2))], out=tmp_path / "world")
    assert not (tmp_path / "world").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: txn_missing", "a list"),
        ("- {kind: txn_lost, count: 1}", "unknown fault kind"),
        ("- {kind: txn_missing}", "kind and count"),
        ("- {kind: txn_missing, count: 0}", "at least 1"),
        ("- {kind: txn_missing, count: 1, date: tomorrow}", "YYYY-MM-DD"),
        ("- {kind: txn_missing, count: 1, plattform: P001}", "kind and count"),
    ],
)
def test_a_malformed_list_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "faults.yaml").write_text(text)
    with pytest.raises(FaultRequestError, match=message):
        load_faults(tmp_path / "faults.yaml")
