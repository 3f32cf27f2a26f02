"""Every job on Apache Spark, the engine of record, and on the embedded engine: equal content, step by step and day by day.

One instance is copied before the days that are compared, so that both copies share keys; then each runs them on its own engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest
from instance_kit import GO_LIVE, MONTHLY, change_settings, copy_of, make_instance, make_world, opened, seeds

from cluster.spark_connect import SparkConnect
from custody.calendar import dates
from custody.steps import STEPS
from simulator.simulate import load_faults

pytestmark = pytest.mark.real

FAULTS = Path(__file__).parents[1] / "faults" / "all.yaml"
# What stands in rows, which is what the engines join, and files that are not there; seals and deliveries never get so far.
ROW_KINDS = ("txn_", "balance_", "claim_", "channel_", "core_", "order_")
FILE_KINDS = ("file_truncated", "file_digest", "control_total", "layout_version", "missing_file", "bad_byte", "impossible_date")
# These need a longer or a larger world.
NO_PLACE = ("txn_most_missing", "core_balance")
# Apache Spark plans each query of a small day as carefully as a large one's: by default it runs the second of two days, so that
# there is what is carried in; in `make soak` the whole world.
DAYS, COMPARED = (4, 4) if len(seeds(1)) > 1 else (2, 1)
# (date, step, content digest, rows of each table)
Digests = list[tuple[str, str, str, dict[str, int]]]


def run_days(home: Path, world: Path, days: Sequence[date]) -> Digests:
    with opened(home) as instance:
        for on in days:
            instance.deliver(world, on)
            instance.run_day(on)
        found = []
        for row in instance.find("step_output"):
            if row["custody_date"] not in days:
                continue
            manifest = instance.wiring.lake.manifest(row["path"])
            rows = {name: table["rows"] for name, table in manifest.tables.items()}
            found.append((f"{row['custody_date']}", row["step"], row["manifest_digest"], rows))
        return found


@pytest.mark.parametrize("seed", seeds(1), ids=lambda seed: f"seed{seed}")
def test_both_engines_write_the_same(seed: int, spark_connect: SparkConnect, tmp_path: Path) -> None:
    faults = [f for f in load_faults(FAULTS) if f.kind.startswith((*ROW_KINDS, *FILE_KINDS)) and f.kind not in NO_PLACE]
    found = _compared(tmp_path, make_world(tmp_path / "world", faults, seed=100 + seed), spark_connect)
    # The worlds are worth comparing: what the engines have to agree on is there, on each day.
    for step, table in (
        ("reconcile", "matches"),
        ("reconcile", "breaks"),
        ("reconcile", "open_items"),
        ("statement", "statement_lines"),
    ):
        assert sum(rows[table] > 0 for _, s, _, rows in found if s == step) == COMPARED, (step, table)


def test_both_engines_reconcile_e_accounts_alike(spark_connect: SparkConnect, tmp_path: Path) -> None:
    """The second of two days, so that there is what is carried in: the one step that has something of e-accounts to join."""
    faults = [f for f in load_faults(FAULTS.with_name("e_accounts.yaml")) if f.kind.startswith("e_account_")]
    world = make_world(tmp_path / "world", faults, seed=1, platforms=1, e_account_platform=1, days=2)
    embedded = make_instance(tmp_path / "embedded", world)
    first, second = dates(GO_LIVE, 2)
    with opened(embedded) as instance:
        instance.deliver(world, first)
        instance.run_day(first)
        instance.deliver(world, second)
        instance.run_day(second, STEPS[: STEPS.index("reconcile")])
    spark = change_settings(copy_of(embedded, tmp_path / "spark"), {"engine.url": spark_connect.url})
    sealed = []
    for home in (embedded, spark):
        with opened(home) as instance:
            result = instance.step("reconcile", second)
            assert instance.failing_proofs() == []
            sealed.append((result.seal.manifest_digest, {name: table["content"] for name, table in result.tables.items()}))
            assert len(instance.lake_rows(second, "reconcile", "breaks")) > 5
    assert sealed[0] == sealed[1]


def _compared(folder: Path, world: Path, spark_connect: SparkConnect) -> Digests:
    """What the embedded engine wrote; Apache Spark wrote the same."""
    embedded = make_instance(folder / "embedded", world, reports=MONTHLY)
    days = list(dates(GO_LIVE, DAYS))
    run_days(embedded, world, days[:-COMPARED])
    spark = change_settings(copy_of(embedded, folder / "spark"), {"engine.url": spark_connect.url})
    expected, found = (run_days(home, world, days[-COMPARED:]) for home in (embedded, spark))
    assert [(on, step) for on, step, *_ in found] == [(on, step) for on, step, *_ in expected]
    assert [f"{on} {step}: {a} {b}" for (on, step, *a), (_, _, *b) in zip(found, expected, strict=True) if a != b] == []
    assert len(found) == COMPARED * len(STEPS)
    return found
