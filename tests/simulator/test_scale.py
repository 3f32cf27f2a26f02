"""Large worlds: the same content by any number of processes and batches, the movements that were asked for, bounded memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from world_reader import DEMO, tree

from schemas.exchange import Seal, parse_seal
from simulator.parties import make_parties
from simulator.simulate import FaultRequest, FaultRequestError, Progress, SimulationConfig, simulate
from simulator.volume import LEAST_MOVEMENTS, MAX_BLOCKS, PlatformSize, blocks
from simulator.workers import WorkerLost, spread

ROOT = Path(__file__).parents[2]
NINE = replace(DEMO, platforms=9, lenders=12, loans=4, days=3)


def sized(transactions: int, platforms: int, days: int = 1, **more: int) -> SimulationConfig:
    return SimulationConfig(
        platforms=platforms, channels=2, transactions=transactions, days=days, start=date(2019, 12, 30), seed=3, **more
    )


def test_content_does_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    trees = []
    for workers in (1, 2, 3):
        out = tmp_path / str(workers)
        counts = simulate(config=replace(NINE, batches=5), faults=[], out=out, workers=workers)
        trees.append((counts, tree(out)))
    assert trees[0] == trees[1] == trees[2]


def test_batches_carry_what_one_file_would(tmp_path: Path) -> None:
    """The gateway's and the channels' rows are only cut, and the core's flows ordered block by block; nothing else differs."""
    whole, cut = (tmp_path / str(batches) for batches in (1, 4))
    for out, batches in ((whole, 1), (cut, 4)):
        simulate(config=replace(NINE, batches=batches), faults=[], out=out)
    digests = [{path: d for path, d in tree(out).items() if not _is_cut(path)} for out in (whole, cut)]
    assert digests[0] == digests[1] and len(digests[0]) > 9 * 3 * 5
    for day in ("2019-12-30", "2019-12-31", "2020-01-01"):
        assert _lines(whole / day, "CORE/flow*") == _lines(cut / day, "CORE/flow*")
        for party, file_type in (("GW", "INSTRUCTION"), ("CH01", "SETTLEMENT"), ("CH02", "SETTLEMENT")):
            rows = _lines(whole / day, f"{party}/{party}_{file_type}_*")
            assert rows == _lines(cut / day, f"{party}/{party}_{file_type}_*")
            seals = [_seal(path) for path in sorted((cut / day / party).glob(f"{party}_SEAL_*"))]
            entries = [next(entry for entry in seal.files if f"_{file_type}_" in entry.name) for seal in seals]
            assert [seal.batch for seal in seals] == [1, 2, 3, 4]
            assert [entry.batches for entry in entries] == [None, None, None, 4]
            assert sum(entry.rows for entry in entries) == len(rows)


def _is_cut(path: str) -> bool:
    return "/GW/" in path or "/CH" in path or path.endswith("/CORE/flow.jsonl")


def _lines(day: Path, pattern: str) -> list[str]:
    """Every line of the matching files but their headers, sorted."""
    lines = [line for path in day.glob(pattern) for line in path.read_text(encoding="utf-8").splitlines()]
    return sorted(line for line in lines if not line.startswith("platform,"))


def _seal(path: Path) -> Seal:
    seal = parse_seal(path.read_bytes())
    assert isinstance(seal, Seal)
    return seal


def test_rows_of_a_batch_stand_in_order_of_event_time(tmp_path: Path) -> None:
    simulate(config=replace(NINE, batches=4), faults=[], out=tmp_path / "world")
    for path in tmp_path.glob("world/*/GW/GW_INSTRUCTION_*"):
        times = [line.rsplit(",", 1)[1] for line in path.read_text(encoding="utf-8").splitlines()[1:]]
        assert times and times == sorted(times)


@pytest.mark.parametrize(("transactions", "platforms", "days"), [(2_000, 2, 1), (9_000, 60, 1), (12_000, 5, 4), (30_000, 3, 1)])
def test_transactions_asked_for_are_made(tmp_path: Path, transactions: int, platforms: int, days: int) -> None:
    made = simulate(config=sized(transactions, platforms, days), faults=[], out=tmp_path / "world")
    assert abs(made["transactions"] - transactions) <= transactions * 3 // 100
    by_platform: Counter[str] = Counter()
    for path in tmp_path.glob("world/*/GW/GW_INSTRUCTION_*"):
        by_platform.update(line.split(",", 1)[0] for line in path.read_text(encoding="utf-8").splitlines()[1:])
    assert len(by_platform) == platforms and sum(by_platform.values()) == made["transactions"]


def test_codes_grow_with_the_number_of_platforms() -> None:
    codes = [party.party for party in make_parties(999, 1)]
    assert (codes[0], codes[998]) == ("P001", "P999")
    codes = [party.party for party in make_parties(5_000, 1)]
    assert (codes[0], codes[4_999]) == ("P0001", "P5000") and len(set(codes)) == 5_002


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"transactions": 9 * 3 * LEAST_MOVEMENTS - 1, "lenders": None, "loans": None}, "too few for 9 platforms"),
        ({"transactions": 90_000_000, "lenders": None, "loans": None}, "30000000 transactions a day are more than 99 batches"),
        ({"transactions": 5_000}, "either its lenders and loans or its transactions"),
        ({"loans": None}, "either its lenders and loans or its transactions"),
        ({"batches": 10}, "10 batches of 9 platforms"),
        ({"platforms": 10_000}, "platforms must be between 1 and 9999"),
        ({"transactions": 0, "lenders": None, "loans": None}, "transactions must be between"),
    ],
)
def test_an_impossible_size_is_refused_with_the_reason(change: dict[str, int | None], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(NINE, **change)  # type: ignore[arg-type]


def test_faults_in_a_world_too_large_to_plan_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(FaultRequestError, match="faults can be planted in one of at most"):
        simulate(config=sized(10_000_000, 5_000), faults=[FaultRequest("core_missing", 1)], out=tmp_path / "world")
    assert not (tmp_path / "world").exists()


def test_faults_do_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    faults = [FaultRequest("txn_missing", 2), FaultRequest("core_missing", 1), FaultRequest("batches_out_of_order", 1)]
    trees = []
    for workers in (1, 2):
        out = tmp_path / str(workers)
        counts = simulate(config=replace(NINE, batches=3), faults=faults, out=out, workers=workers)
        trees.append((counts, tree(out)))
    assert trees[0] == trees[1] and trees[0][0]["faults"] == 4


def test_blocks_hold_every_platform_once_and_about_the_same_weight() -> None:
    sizes = [PlatformSize(lenders=1, loans=1, movements=1_000 + 37 * number % 4_000) for number in range(2_000)]
    for count in (1, 2, 7, 99):
        cut = blocks(sizes, count)
        assert [number for block in cut for number in block] == list(range(1, 2_001))
        weights = [sum(sizes[number - 1].weight for number in block) for block in cut]
        assert len(cut) == count and max(weights) - min(weights) < 12_000
    assert len(blocks(sizes[:3])) == 1
    assert len(blocks([PlatformSize(1, 1, 1_000_000)] * 300)) == MAX_BLOCKS
    # One that weighs more than all others together leaves each of them a block.
    assert [len(block) for block in blocks([PlatformSize(1, 1, weight) for weight in (10**6, 1, 1, 1)], 4)] == [1, 1, 1, 1]


def test_a_killed_process_is_told_and_the_others_are_stopped() -> None:
    with pytest.raises(WorkerLost, match="ended with -9"):
        list(spread(_killed_at_three, range(6), 2))


def _killed_at_three(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_progress_counts_up_to_what_was_made(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    def told(progress: Progress) -> None:
        seen.append((progress.made.platforms, progress.made.rows))
        assert progress.memory_mib >= max(progress.peaks_mib.values()) > 0

    made = simulate(config=replace(NINE, batches=3), faults=[], out=tmp_path / "world", told=told)
    assert seen == sorted(seen) and len(seen) == 3 and seen[-1] == (9, made["rows"])


def test_content_does_not_depend_on_the_order_in_which_a_process_keeps_its_sets(tmp_path: Path) -> None:
    trees = []
    for hash_seed in ("1", "2"):
        out = tmp_path / hash_seed
        size = "platforms=3, channels=2, lenders=30, loans=8, days=4, seed=7"
        _in_own_process(
            f"simulate(config=SimulationConfig({size}, start=date(2019, 12, 30)), faults=[], out=Path({str(out)!r}))", hash_seed
        )
        trees.append(tree(out))
    assert trees[0] == trees[1]


def _in_own_process(code: str, hash_seed: str = "0") -> str:
    imports = (
        "from datetime import date\nfrom pathlib import Path\n"
        "from simulator.memory import peak_mib\nfrom simulator.simulate import SimulationConfig, simulate\n"
    )
    with_seed = os.environ | {"PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-c", imports + code]
    return subprocess.run(command, cwd=ROOT, env=with_seed, stdout=subprocess.PIPE, text=True, check=True).stdout


def test_memory_is_that_of_a_block_whatever_the_volume(tmp_path: Path) -> None:
    """One process: four blocks of the same size, one after the other, take what one takes."""
    peaks = []
    for batches in (1, 4):
        size = f"platforms={20 * batches}, transactions={20_000 * batches}, batches={batches}, channels=2, days=1, seed=1"
        out = str(tmp_path / str(batches))
        code = (
            f"simulate(config=SimulationConfig({size}, start=date(2020, 1, 2)), faults=[], out=Path({out!r})); print(peak_mib())"
        )
        peaks.append(int(_in_own_process(code)))
    assert peaks[1] < peaks[0] + 15, peaks
