"""How hard the property tests look (few examples by default, the full count in `make soak`), and the real servers' fixtures."""

import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.testing
from hypothesis import HealthCheck, settings

_KIT = Path(__file__).parent / "kit"
sys.path.insert(0, str(_KIT))
# Each of the real ones starts its server when a test first asks for it, once for the whole run.
pytest_plugins = ["airflow_process", *(path.stem for path in sorted(_KIT.glob("real_*.py")))]

_SLOW_IS_FINE = (HealthCheck.too_slow, HealthCheck.data_too_large)
settings.register_profile("default", deadline=None, max_examples=40, derandomize=True, suppress_health_check=_SLOW_IS_FINE)
settings.register_profile("soak", deadline=None, max_examples=1_000, suppress_health_check=_SLOW_IS_FINE)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# Tests share out whole files over processes; an engine that shares out rows besides makes a small day a sixth longer.
# (Apache Spark shares them out in every run, and so does the soak.)
if os.environ.get("HYPOTHESIS_PROFILE") != "soak":
    os.environ.setdefault("SAIL_EXECUTION__DEFAULT_PARALLELISM", "1")
    # HBase and Apache Spark live for minutes here (HDFS says it by itself): what Java's second compiler spends on them, it never earns.
    os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")

# The command line's hundreds of signatures are read once for all calls, not for each of a test's dozens.
typer.testing._get_command = cache(typer.testing._get_command)


# What is shared out as if it were one file: a second HBase, and a second Airflow with its users and its instance, take a minute of the processor.
_ON_HBASE = (
    "test_parts_killed.py", "test_ledger_crash_matrix.py", "test_backup_of_the_cluster.py", "test_tamper_drill.py", "test_extract.py",
    "test_hbase_faults.py", "test_hbase_slow.py", "test_hbase_store.py", "test_keyed_store.py", "test_ledger_reader.py",
    "test_person_store.py", "test_store_proof.py",
)  # fmt: skip
_IN_AIRFLOW = ("test_pages_in_airflow.py", "test_desk_in_a_browser.py")
_ONE_SERVER = {**dict.fromkeys(_ON_HBASE, "on HBase"), **dict.fromkeys(_IN_AIRFLOW, "in Airflow")}
# Of two processes, which share out whole files, neither is left at the end with one that takes minutes. Of the real ones the cluster's day
# begins in the one, with Airflow after it, and in the other all that is on HBase.
_FIRST = (
    "test_cluster_day.py", *_ON_HBASE, *_IN_AIRFLOW, "test_engines_agree.py", "test_lake.py", "test_lake_hdfs.py", "test_score_of_days.py",
    "test_killed.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _FIRST.index(item.path.name) if item.path.name in _FIRST else len(_FIRST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """For ``--dist loadfile`` of the real tests; else xdist's own."""
    if config.option.dist != "loadfile" or config.option.markexpr != "real":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByServer(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = str(super()._split_scope(nodeid))
            return _ONE_SERVER.get(Path(file).name, file)

    return ByServer(config, log)


@pytest.fixture(scope="session", autouse=True)
def nothing_waits_for_the_disk() -> Iterator[None]:
    """In this process, where no test cuts the power. What tests kill are processes of their own, and these do wait."""
    patch = pytest.MonkeyPatch()
    patch.setattr(os, "fsync", lambda _: None)
    yield
    patch.undo()
