"""An Airflow of its own for these tests: home, SQLite database and a real executable named `custody` first on PATH.

The executable is the other side of the process contract (design.md §4.9): it records how it was called and exits as told.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

# Records argv, writes two progress lines, prints a result (unless told "silent"), exits as the plan says for its command.
EXECUTABLE = """#!/bin/sh
echo "$*" >> "$CUSTODY_TEST_DIR/calls"
echo "progress one" >&2
echo "progress two: $1" >&2
[ -f "$CUSTODY_TEST_DIR/plan/$1.sleep" ] && sleep "$(cat "$CUSTODY_TEST_DIR/plan/$1.sleep")"
if [ -f "$CUSTODY_TEST_DIR/plan/$1.codes" ]; then
    code=$(head -n 1 "$CUSTODY_TEST_DIR/plan/$1.codes")
    sed -i 1d "$CUSTODY_TEST_DIR/plan/$1.codes"
fi
echo "not the result"
[ -f "$CUSTODY_TEST_DIR/plan/$1.result" ] && cat "$CUSTODY_TEST_DIR/plan/$1.result" && exit "${code:-0}"
[ -f "$CUSTODY_TEST_DIR/plan/$1.silent" ] || echo "{\\"command\\": \\"$1\\", \\"findings\\": ${code:-0}}"
exit "${code:-0}"
"""


@dataclass(frozen=True)
class Custody:
    """The executable's record and plan."""

    folder: Path

    def calls(self) -> list[str]:
        record = self.folder / "calls"
        return record.read_text().splitlines() if record.exists() else []

    def exits(self, command: str, *codes: int) -> None:
        """The exit codes of the next runs of ``command``; 0 after them."""
        (self.folder / "plan" / f"{command}.codes").write_text("".join(f"{code}\n" for code in codes))

    def prints_no_result(self, command: str) -> None:
        (self.folder / "plan" / f"{command}.silent").touch()

    def answers(self, command: str, result: dict[str, object]) -> None:
        """The result of every run of ``command``."""
        (self.folder / "plan" / f"{command}.result").write_text(json.dumps(result, ensure_ascii=False) + "\n", encoding="utf-8")

    def sleeps(self, command: str, seconds: int) -> None:
        (self.folder / "plan" / f"{command}.sleep").write_text(str(seconds))


@pytest.fixture(scope="session")
def stage(airflow_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Airflow's database made, and a folder with the executable."""
    stage = tmp_path_factory.mktemp("custody-executable")
    (stage / "bin").mkdir()
    executable = stage / "bin" / "custody"
    executable.write_text(EXECUTABLE)
    executable.chmod(0o755)
    (stage / "plan").mkdir()
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)
    return stage


# A module at a time: other folders' tests in this process start the command that is installed.
@pytest.fixture(scope="module", autouse=True)
def in_its_place(stage: Path) -> Iterator[None]:
    """The executable is the one that is found."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUSTODY_TEST_DIR", str(stage))
        patch.setenv("PATH", f"{stage / 'bin'}{os.pathsep}{os.environ['PATH']}")
        yield


@pytest.fixture(scope="session")
def bag(stage: Path) -> DagBag:
    from airflow.dag_processing.dagbag import DagBag

    return DagBag()


@pytest.fixture
def custody(stage: Path) -> Custody:
    (stage / "calls").unlink(missing_ok=True)
    for plan in (stage / "plan").iterdir():
        plan.unlink()
    return Custody(stage)


@pytest.fixture
def xcom(stage: Path) -> Callable[[object, str], object]:
    """The value that a task of a finished run returned."""

    def value(run: object, task_id: str) -> object:
        from airflow.models.xcom import XComModel
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            of_run = select(XComModel.value).where(
                XComModel.run_id == run.run_id,  # type: ignore[attr-defined]
                XComModel.task_id == task_id,
                XComModel.key == "return_value",
            )
            stored = session.scalar(of_run)
        return json.loads(stored) if isinstance(stored, str) else stored

    return value
