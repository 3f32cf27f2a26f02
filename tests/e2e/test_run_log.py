"""The log for whoever watches the machine: each command's lines with custody date, step and file, nobody's number in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from instance_kit import opened
from kill_kit import CopyOf, TwoDays
from structlog.contextvars import get_contextvars
from typer.testing import CliRunner

from connectors.run_log import log_of, logged
from connectors.settings import load_settings
from console.cli import app
from custody.errors import RetryLater

LINES_OF_EACH = 200


def lines(home: Path) -> list[dict[str, Any]]:
    (path,) = sorted((home / "logs").glob("*.jsonl"))
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_days_commands_say_date_step_and_what_came_of_it(
    two_days: TwoDays, fresh: CopyOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, on = fresh(two_days.home), two_days.days[2]
    with opened(home) as instance:
        instance.deliver(two_days.world, on)
    (home / "logs").rename(home / "before")
    for name, value in (("DAG_ID", "custody_day"), ("DAG_RUN_ID", "r1"), ("TASK_ID", "cut_off"), ("TRY_NUMBER", "2")):
        monkeypatch.setenv(f"AIRFLOW_CTX_{name}", value)
    environment = {"CUSTODY_HOME": str(home)}
    done = CliRunner().invoke(app, ["cut-off", "--date", str(on)], env=environment)
    assert done.exit_code == 0, done.output
    began, step, ended = lines(home)
    assert (began["event"], step["event"], ended["event"]) == ("began", "step", "ended")
    assert (step["custody_date"], step["step"], step["outcome"], step["level"]) == (str(on), "cut_off", "committed", "info")
    assert step["rows"] and step["manifest_digest"] and step["task"] == "custody_day/r1/cut_off/2"
    assert began["command"] == "steps.cut_off" and began["run"] == step["run"] == ended["run"]
    assert datetime.fromisoformat(step["at"]).tzinfo is not None and ended["seconds"] >= step["seconds"] >= 0
    done = CliRunner().invoke(app, ["reconcile", "--date", str(on)], env=environment)
    assert done.exit_code not in (0, 1)
    stopped = lines(home)[-1]
    assert (stopped["event"], stopped["level"], stopped["error"]) == ("stopped", "error", "OutOfOrder")
    assert stopped["words"] in done.output + done.stderr and stopped["run"] != ended["run"]
    assert get_contextvars() == {}


def test_nobodys_number_is_in_it_and_what_is_old_goes(two_days: TwoDays, fresh: CopyOf) -> None:
    home = fresh(two_days.home)
    settings, folder = load_settings(home), home / "logs"
    for path in folder.iterdir():
        path.unlink()
    (folder / "2019-01-01.jsonl").write_text("{}\n")
    (folder / "collector.conf").write_text("the bank's own")
    with pytest.raises(RetryLater), logged(settings):
        log_of(settings).warning("y", words="P001.LENDER.U003000037 has nothing")
        raise RetryLater("P001.LENDER.U003000037")
    today = f"{datetime.now(UTC):%Y-%m-%d}.jsonl"
    assert sorted(path.name for path in folder.iterdir()) == [today, "collector.conf"]
    text = (folder / today).read_text(encoding="utf-8")
    assert "U003000037" not in text and text.count("P001.LENDER.U00*****37") == 2


def test_a_log_that_cannot_be_written_stops_nothing(two_days: TwoDays, fresh: CopyOf, capsys: pytest.CaptureFixture[str]) -> None:
    home = fresh(two_days.home)
    for path in (home / "logs").iterdir():
        path.unlink()
    (home / "logs").rmdir()
    (home / "logs").write_text("a file where the folder should be")
    log_of(load_settings(home)).info("x")
    assert "cannot be written" in capsys.readouterr().err


def test_lines_of_processes_that_write_at_once_stay_whole(two_days: TwoDays, fresh: CopyOf) -> None:
    home = fresh(two_days.home)
    code = (
        "import sys; from pathlib import Path; from connectors.run_log import log_of; from connectors.settings import load_settings\n"
        f"log = log_of(load_settings(Path(sys.argv[1])))\nfor n in range({LINES_OF_EACH}): log.info('z', who=sys.argv[2], n=n, pad='x' * 900)"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(home), who], env=os.environ) for who in "ab"]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0]
    written = [(line["who"], line["n"]) for line in lines(home) if line["event"] == "z"]
    assert sorted(written) == [(who, n) for who in "ab" for n in range(LINES_OF_EACH)]
