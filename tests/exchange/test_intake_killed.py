"""A collector that dies at any call to any port: the next run ends as if it had never died."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from counted_ports import Countdown, Counted, CountedRegister
from exchange_kit import Exchange, entry, file_name, seal_of, sha256
from instance_kit import seeds

from custody.services.outbound import ExchangePorts

_KILLED = 137
TXN, CLAIM = file_name("TXN"), file_name("CLAIM")
DATA, OTHER = b"request_no,leg\nr1,1\n", b"claim_id\nc1\n"
FILES = {
    CLAIM: OTHER[:-2],
    TXN: DATA,
    "unsealed.csv": b"x",
    **seal_of("P001", entry(TXN, DATA), entry(CLAIM, OTHER)),
}


@pytest.fixture
def exchange(builtin: Exchange) -> Exchange:
    """Over our own server: which call of the collector dies has nothing to do with who serves the drop."""
    return builtin


def _collect_and_die(settings: Any, calls: int) -> int:
    """Run collect in a forked process that ends after ``calls`` port calls; its exit code."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            exchange, countdown = Exchange(settings), Countdown(calls, lambda: os._exit(_KILLED))
            real = exchange.ports
            counted = ExchangePorts(
                CountedRegister(real.register, countdown),
                real.clock,
                Counted(real.archive, countdown),
                Counted(real.drop, countdown),
                real.policy,
                real.openpgp,
            )
            code = 3 if exchange.collect(counted).troubles else 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _start_afresh(home: Path, template: Path, exchange: Exchange) -> None:
    for path in home.glob("register.db*"):
        path.unlink()
    shutil.copy(template, home / "register.db")
    shutil.rmtree(home / "archive", ignore_errors=True)
    for folder in (exchange.folder(), exchange.folder(which="out"), exchange.taken_folder()):
        for path in folder.iterdir():
            path.unlink()
    for name, data in FILES.items():
        (exchange.folder() / name).write_bytes(data)


def _nothing_is_lost(exchange: Exchange) -> None:
    """Each file is in the drop, moved aside or not, or the register names its archived bytes."""
    in_the_drop = exchange.waiting() + exchange.taken()
    for name, data in FILES.items():
        if name not in in_the_drop:
            (row,) = exchange.rows("file", file_name=name, sha256=sha256(data))
            assert exchange.ports.archive.read(row["archive_ref"]) == data


def test_killed_anywhere_the_next_run_gives_the_same(exchange: Exchange, tmp_path: Path) -> None:
    home, template = exchange.settings.home, tmp_path / "register.template"
    # One party is enough here, and the surviving runs share a connection: the test makes many of them.
    shutil.rmtree(exchange.folder("P002").parent)
    exchange.register.close()
    shutil.copy(home / "register.db", template)

    _start_afresh(home, template, exchange)
    whole = Exchange(exchange.settings)
    assert whole.collect().counts() == {"ACCEPTED": 1, "REFUSED": 1}
    expected = (whole.snapshot(), whole.outbound_bytes(), whole.waiting(), whole.taken())
    assert expected[2:] == (["unsealed.csv"], []) and len(expected[1]) == 1
    whole.close()

    # After each call in the soak, by default after every third.
    step = 1 if len(seeds(1)) > 1 else 3
    calls = 1 - step
    while True:
        calls += step
        _start_afresh(home, template, exchange)
        code = _collect_and_die(exchange.settings, calls)
        assert code in (0, _KILLED)
        again = Exchange(exchange.settings)
        again.drop = exchange.drop
        _nothing_is_lost(again)
        assert again.collect().troubles == []
        assert (again.snapshot(), again.outbound_bytes(), again.waiting(), again.taken()) == expected, (
            f"killed after call {calls}"
        )
        again.register.close()
        if code == 0:
            break
    # The run must have been long enough to have died in each of its parts.
    assert calls > 40
