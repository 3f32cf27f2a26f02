"""How hard the property tests look (few examples by default, the full count in `make soak`), and the real servers' fixtures."""

import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

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


# Of two processes, which share out whole files, neither is left at the end with one that takes minutes. The first and the third
# begin in the one, the others in the other; of the real ones the other's are all on HBase, so that it is started once meanwhile.
_FIRST = (
    "test_cluster_day.py", "test_parts_killed.py", "test_engines_agree.py", "test_ledger_crash_matrix.py", "test_score_of_days.py",
    "test_killed.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _FIRST.index(item.path.name) if item.path.name in _FIRST else len(_FIRST))


@pytest.fixture(scope="session", autouse=True)
def nothing_waits_for_the_disk() -> Iterator[None]:
    """In this process, where no test cuts the power. What tests kill are processes of their own, and these do wait."""
    patch = pytest.MonkeyPatch()
    patch.setattr(os, "fsync", lambda _: None)
    yield
    patch.undo()
