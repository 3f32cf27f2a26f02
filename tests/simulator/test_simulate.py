"""The simulator as a tool: repeatable, quick, large enough, and independent of the system under test."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key
from world_reader import WORLDS, read_world, tree

from simulator.simulate import SimulationConfig, load_faults, simulate

ROOT = Path(__file__).parents[2]
DEMO_FAULTS = ROOT / "tests" / "faults" / "demo.yaml"
MAY_IMPORT = {"custody.names", "custody.money", "custody.calendar", "custody.identity_numbers"}


def test_same_seed_same_bytes_other_seed_other_bytes(tmp_path: Path) -> None:
    faults = load_faults(DEMO_FAULTS)
    counts = [simulate(config=WORLDS["demo-7"], faults=faults, out=tmp_path / name) for name in ("a", "b")]
    assert counts[0] == counts[1]
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    simulate(config=WORLDS["demo-8"], faults=faults, out=tmp_path / "c")
    assert tree(tmp_path / "a") != tree(tmp_path / "c")


def test_demo_size_takes_under_three_seconds(tmp_path: Path) -> None:
    began = time.monotonic()
    simulate(config=WORLDS["demo-7"], faults=load_faults(DEMO_FAULTS), out=tmp_path / "world")
    assert time.monotonic() - began < 3


def test_a_loan_with_1200_lenders(tmp_path: Path) -> None:
    config = SimulationConfig(platforms=1, channels=1, lenders=1_200, loans=1, days=3, start=date(2019, 12, 30), seed=5)
    simulate(config=config, faults=[], out=tmp_path / "world")
    world = read_world(tmp_path / "world")
    first, second = world.dates[:2]
    assert len(world.tables["P001", "CLAIM", first]) == 1_200
    legs = [row for row in world.instructions(second, "P001") if row["txn_type"] == "REPAYMENT"]
    assert [leg["leg"] for leg in legs] == list(range(1, 1_201))
    assert len({leg["to_user_no"] for leg in legs}) == 1_200


def test_usual_events_all_occur_in_the_demonstration(tmp_path: Path) -> None:
    simulate(config=WORLDS["demo-7"], faults=[], out=tmp_path / "world")
    world = read_world(tmp_path / "world")
    seen = {row["txn_type"] for day in world.dates for row in world.tables["GW", "INSTRUCTION", day]}
    assert seen >= {
        "RECHARGE", "WITHDRAW_FREEZE", "WITHDRAW", "TENDER_FREEZE", "TENDER_CANCEL", "TENDER_SETTLE", "REPAY_FREEZE",
        "REPAYMENT", "COMMISSION", "MARKETING", "PLATFORM_RECHARGE", "CHANNEL_SETTLEMENT", "CHANNEL_FEE_TOPUP",
        "OWN_FUNDS_MOVEMENT",
    }  # fmt: skip
    states = {row["state"] for p in world.parties("PLATFORM") for d in world.dates for row in world.tables[p, "LOAN", d]}
    assert states >= {"BIDDING", "DISBURSED", "REPAYING", "OVERDUE", "MISCARRIED", "SETTLED"}
    assert world.tables["GW", "INSTRUCTION", date(2020, 1, 1)]
    assert {p["party"]: p["encoding"] for p in world.about["parties"] if p["kind"] == "PLATFORM"} == {
        "P001": "utf-8",
        "P002": "gb18030",
        "P003": "utf-8",
    }


def test_keys_are_the_seeds_and_fit_their_public_halves(tmp_path: Path) -> None:
    simulate(config=WORLDS["one-of-each"], faults=[], out=tmp_path / "world")
    keys = tmp_path / "world" / "keys"
    assert sorted(path.name for path in keys.iterdir()) == ["CH01", "CH01.pub", "GW", "GW.pub", "P001", "P001.pub"]
    for party in ("P001", "CH01", "GW"):
        private = load_ssh_private_key((keys / party).read_bytes(), None)
        assert isinstance(private, Ed25519PrivateKey)
        public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        assert (keys / f"{party}.pub").read_text() == f"{public} {party}\n"
        assert (keys / party).stat().st_mode & 0o077 == 0


def test_a_folder_in_use_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="not empty"):
        simulate(config=WORLDS["one-of-each"], faults=[], out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["other.txt"]


def test_sizes_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="lenders must be between"):
        SimulationConfig(platforms=1, channels=1, lenders=0, loans=1, days=1, start=date(2020, 1, 1), seed=1)


def test_the_oracle_shares_no_rule_with_the_system() -> None:
    for path in sorted((ROOT / "simulator").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                if name.split(".")[0] in ("custody", "connectors", "reports", "jobs", "console", "dags"):
                    assert name in MAY_IMPORT, f"{path.name} imports {name}"


def test_imports_without_arrow_and_pandas() -> None:
    heavy = "{'pyarrow', 'pandas', 'pyspark'}"
    code = f"import sys, simulator.simulate, simulator.score; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
