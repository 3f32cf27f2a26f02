"""A collector killed between any two writes of what the register knows of promises: when files are called missing, and when a file
that was called missing comes. The next run ends as if it had never died: nothing is said twice, and nothing is left unsaid."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from counted_ports import Countdown, Counted, CountedRegister
from exchange_kit import DAY, Exchange, entry, file_name, seal_of, sha256

from custody.calendar import CHINA
from custody.ports import Row
from custody.services.outbound import ExchangePorts
from custody.services.promises import judge_at_cut_off, judge_deadlines

TXN = file_name("TXN")
DATA = b"request_no,leg\nr1,1\n"
SET = {TXN: DATA, **seal_of("P001", entry(TXN, DATA))}
_OF_THE_RUN = {
    "received_at", "queued_at", "sent_at", "proved_at", "taken_at", "at", "hash", "previous_hash", "missed_at", "ended_at", "event_no",
}  # fmt: skip
_TABLES = ("file", "file_event", "expected_file", "alert", "outbound", "audit_event")


class _Clock:
    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at


Work = Callable[[Exchange, ExchangePorts], None]


def _at(hours: int) -> datetime:
    return datetime(DAY.year, DAY.month, DAY.day, tzinfo=CHINA) + timedelta(hours=hours)


def _ports(exchange: Exchange, at: datetime) -> ExchangePorts:
    return replace(exchange.ports, clock=_Clock(at))


def call_missing(exchange: Exchange, ports: ExchangePorts) -> None:
    """An hour and a half after the date's end: its promises are written down late, and all of them missed."""
    judge_deadlines(ports, "system", DAY, ())


def cut_off(exchange: Exchange, ports: ExchangePorts) -> None:
    judge_at_cut_off(ports, "system", DAY)


def the_file_comes(exchange: Exchange, ports: ExchangePorts) -> None:
    assert exchange.collect(ports).troubles == []


def _die(exchange: Exchange, work: Work, at: datetime, calls: int) -> bool:
    """Whether the work was killed after ``calls`` calls; False when it ended before."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            forked, countdown = Exchange(exchange.settings), Countdown(calls, lambda: os.kill(os.getpid(), signal.SIGKILL))
            real = _ports(forked, at)
            counted = replace(
                real,
                register=CountedRegister(real.register, countdown),
                archive=Counted(real.archive, countdown),
                drop=Counted(real.drop, countdown),
            )
            work(forked, counted)
            code = 0
        finally:
            os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL)
    return status != 0


def _said(exchange: Exchange) -> dict[str, list[Row]]:
    return {
        table: [{name: value for name, value in row.items() if name not in _OF_THE_RUN} for row in exchange.rows(table)]
        for table in _TABLES
    }


def _before(exchange: Exchange, work: Work) -> datetime:
    """The register as the work meets it; returns the moment."""
    if work is call_missing:
        return _at(26)
    call_missing(exchange, _ports(exchange, _at(26)))
    if work is the_file_comes:
        for name, data in SET.items():
            (exchange.folder() / name).write_bytes(data)
        return _at(27)
    with exchange.register.transaction() as tx:
        tx.insert("step_output", {
            "custody_date": DAY, "step": "cut_off", "version": 1, "run_digest": "r", "inputs_digest": "i", "manifest_digest": "m",
            "path": "p", "code_digest": "c", "fence": 1, "reason": "", "committed_at": "t",
        })  # fmt: skip
    return _at(26)


@pytest.mark.parametrize(("work", "least"), [(call_missing, 60), (cut_off, 20), (the_file_comes, 60)])
def test_killed_between_any_two_writes_the_next_run_says_the_same(
    builtin: Exchange, tmp_path: Path, work: Work, least: int
) -> None:
    exchange, home = builtin, builtin.settings.home
    at = _before(exchange, work)
    (home / "archive").mkdir(exist_ok=True)
    exchange.close()
    del exchange.__dict__["drop"], exchange.__dict__["register"], exchange.__dict__["ports"]
    template, drop, archive = tmp_path / "register", tmp_path / "drop", tmp_path / "archive"
    shutil.copy(home / "register.db", template)
    shutil.copytree(exchange.folder().parent.parent, drop)
    shutil.copytree(home / "archive", archive)

    def afresh() -> None:
        for path in home.glob("register.db*"):
            path.unlink()
        shutil.copy(template, home / "register.db")
        shutil.rmtree(home / "archive")
        shutil.copytree(archive, home / "archive")
        for folder in (*(exchange.folder(which=which) for which in ("in", "out")), exchange.taken_folder()):
            for path in folder.iterdir():
                path.unlink()
        for path in (drop / "P001" / "in").iterdir():
            shutil.copy(path, exchange.folder() / path.name)

    def run() -> dict[str, list[Row]]:
        whole = Exchange(exchange.settings)
        work(whole, _ports(whole, at))
        # Once more: whatever is said is said.
        work(whole, _ports(whole, at))
        said = _said(whole)
        whole.close()
        return said

    afresh()
    expected = run()
    promises = {(row["party"], row["file_type"]): row["state"] for row in expected["expected_file"] if row["custody_date"] == DAY}
    assert promises["P002", "TXN"] == "MISSING"
    assert promises["P001", "TXN"] == ("LATE" if work is the_file_comes else "MISSING")
    assert len(expected["alert"]) == 4
    if work is the_file_comes:
        assert [row["sha256"] for row in expected["file"] if row["file_name"] == TXN] == [sha256(DATA)]

    # A soak dies at each call, a quick run at every fifth.
    stride = 1 if "CUSTODY_SEEDS" in os.environ else 5
    calls = 0
    while True:
        calls += stride
        afresh()
        killed = _die(exchange, work, at, calls)
        assert run() == expected, f"killed after call {calls}"
        if not killed:
            break
    assert calls > least
