"""What goes out: whole, sealed, once, tried again for days, with proof; and what a crash anywhere leaves."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import paramiko
import pytest
from exchange_kit import POLICY, Exchange, outgoing, sha256, with_drop
from instance_kit import seeds

from connectors import sftp_session
from custody.errors import BusyElsewhere, NotPermitted, RetryLater, UsageError
from custody.ports import Outgoing, Row
from custody.services.deliveries import LATE_RULE, deliver_pending, watch
from custody.services.outbound import ExchangePorts, queue, send_again

_KILLED = 137
FILES = {"P001_A.json": b"first", "P001_B.csv": b"0123456789abcdef" * 5_000}


def _queue(exchange: Exchange, files: Mapping[str, bytes], party: str = "P001") -> None:
    for name, data in files.items():
        reference = exchange.ports.archive.keep(data, sha256(data))
        with exchange.register.transaction() as tx:
            queue(tx, exchange.ports.clock, party, name, sha256(data), reference)


def _row(exchange: Exchange, name: str) -> Row:
    (row,) = exchange.rows("outbound", file_name=name)
    return row


class _Later:
    """A clock that is ahead of the machine's."""

    def __init__(self, ports: ExchangePorts, ahead: timedelta) -> None:
        self._real, self._ahead = ports.clock, ahead

    def now(self) -> datetime:
        return self._real.now() + self._ahead


def _later(ports: ExchangePorts, **ahead: int) -> ExchangePorts:
    return replace(ports, clock=_Later(ports, timedelta(**ahead)))


class _Away:
    """A drop that nobody reaches."""

    def __init__(self, drop: object) -> None:
        self._drop = drop

    def __getattr__(self, name: str) -> object:
        return getattr(self._drop, name)

    def deliver(self, party: str, name: str, content: Outgoing) -> None:
        raise RetryLater("the host is away")


def test_a_file_lies_whole_with_its_seal_and_the_register_has_the_proof(exchange: Exchange) -> None:
    _queue(exchange, FILES)
    delivery = deliver_pending(exchange.ports)
    assert (delivery.delivered, delivery.failed) == (sorted(FILES), [])
    assert exchange.outbound_bytes() == FILES
    for name, data in FILES.items():
        row = _row(exchange, name)
        assert (row["state"], row["wire_name"], row["wire_bytes"], row["wire_sha256"]) == (
            "PROVED",
            name,
            len(data),
            sha256(data),
        )
        assert row["queued_at"] <= row["sent_at"] <= row["proved_at"] and (row["attempts"], row["taken_at"]) == (0, None)
    # Delivered is delivered: nothing is written again.
    inode = (exchange.folder(which="out") / "P001_A.json").stat().st_ino
    assert deliver_pending(exchange.ports).delivered == []
    assert (exchange.folder(which="out") / "P001_A.json").stat().st_ino == inode


def test_what_an_interrupted_try_left_is_gone_on_from_and_never_believed(exchange: Exchange) -> None:
    """A transfer goes on where it stopped; what was tampered with, or is longer than the file, is written anew."""
    data = os.urandom(90_000)
    part = exchange.folder(which="out") / "big.csv.part"
    asked: list[int] = []

    def pieces(start: int) -> list[bytes]:
        asked.append(start)
        return [data[start:]]

    for left, starts in (
        (data[:50_005], [50_005]),
        (b"x" * 10, [10, 0]),
        (data + b"x", [0]),
        (data, [len(data)]),
    ):
        # As the collector itself would have left it.
        exchange.drop.deliver("P001", "big.csv", outgoing(left))
        (exchange.folder(which="out") / "big.csv").rename(part)
        asked.clear()
        exchange.drop.deliver("P001", "big.csv", Outgoing(len(data), sha256(data), pieces))
        assert asked == starts
        assert (exchange.folder(which="out") / "big.csv").read_bytes() == data and not part.exists()


def test_a_host_that_keeps_other_bytes_than_it_was_sent_proves_nothing(builtin: Exchange) -> None:
    with pytest.raises(RetryLater, match="not read back as it was written"):
        builtin.drop.deliver("P001", "a.csv", Outgoing(3, sha256(b"abc"), lambda start: [b"abd"[start:]]))
    assert not (builtin.folder(which="out") / "a.csv").exists()


def test_what_fails_is_tried_again_ever_later_and_given_up_after_days_and_a_person_sends_it_again(builtin: Exchange) -> None:
    policy = replace(POLICY, first_retry=timedelta(minutes=1), longest_retry=timedelta(hours=4))
    ports = replace(with_drop(builtin.ports, _Away(builtin.drop)), policy=policy)
    _queue(builtin, {"P001_A.json": b"x", "P001_B.json": b"y"})
    _queue(builtin, {"P002_A.json": b"z"}, "P002")
    waits = []
    ahead = timedelta(0)
    while _row(builtin, "P001_A.json")["state"] != "FAILED":
        now = replace(ports, clock=_Later(builtin.ports, ahead))
        assert [name for name, _ in deliver_pending(now).failed] == ["P001_A.json", "P001_B.json", "P002_A.json"]
        # Nobody is dialled before it is time.
        assert deliver_pending(now).failed == []
        row = _row(builtin, "P001_A.json")
        if row["next_attempt_at"] is not None:
            wait = datetime.fromisoformat(row["next_attempt_at"]) - now.clock.now()
            waits.append(round(wait / timedelta(minutes=1)))
            ahead += wait + timedelta(seconds=1)
    assert waits[:10] == [1, 2, 4, 8, 16, 32, 64, 128, 240, 240] and set(waits[9:]) == {240}
    assert timedelta(days=5) < ahead < timedelta(days=6)
    row = _row(builtin, "P001_A.json")
    assert (row["attempts"], row["last_reason"], row["next_attempt_at"]) == (len(waits) + 1, "the host is away", None)
    # Given up: the host is back and nothing happens until somebody says so.
    assert deliver_pending(replace(builtin.ports, clock=_Later(builtin.ports, ahead))).delivered == []
    with pytest.raises(NotPermitted):
        send_again(builtin.register, builtin.ports.clock, "zhao", "P001_A.json", "")
    with pytest.raises(UsageError):
        send_again(builtin.register, builtin.ports.clock, "wang", "none.json", "")
    send_again(builtin.register, builtin.ports.clock, "wang", "P001_A.json", "the host is back")
    assert deliver_pending(builtin.ports).delivered == ["P001_A.json"]
    assert (_row(builtin, "P001_A.json")["state"], _row(builtin, "P001_B.json")["state"]) == ("PROVED", "FAILED")
    (event,) = builtin.rows("audit_event", action="outbound.again")
    assert json.loads(event["details"])["state"] == "FAILED"


def test_one_party_that_is_away_keeps_no_file_from_another(exchange: Exchange) -> None:
    for party in ("P001", "P002"):
        _queue(exchange, {f"{party}_A.json": b"x"}, party)
    out = exchange.folder(which="out")
    aside = out.rename(out.with_name("aside"))
    delivery = deliver_pending(exchange.ports)
    assert (delivery.delivered, [name for name, _ in delivery.failed]) == (["P002_A.json"], ["P001_A.json"])
    assert "out does not exist" in _row(exchange, "P001_A.json")["last_reason"]
    aside.rename(out)
    assert deliver_pending(exchange.ports).delivered == ["P001_A.json"]
    row = _row(exchange, "P001_A.json")
    assert (row["state"], row["attempts"], row["last_reason"]) == ("PROVED", 0, None)


def test_what_is_not_delivered_by_its_deadline_is_one_alert_for_each_party(builtin: Exchange) -> None:
    _queue(builtin, {"P001_A.json": b"x", "P001_B.json": b"y"})
    away = with_drop(builtin.ports, _Away(builtin.drop))
    assert [name for name, _ in watch(away, "system").failed] == ["P001_A.json", "P001_B.json"]
    assert builtin.rows("alert") == []
    for hours in (13, 20, 200):
        watch(_later(away, hours=hours), "system")
        (alert,) = builtin.rows("alert")
        assert (alert["rule"], alert["subject"], alert["state"]) == (LATE_RULE, "P001", "OPEN")
        assert "2 files" in alert["words_en"] and "the host is away" in alert["words_zh"]
    with pytest.raises(NotPermitted):
        watch(away, "zhao")


@pytest.mark.parametrize("how", ["read", "removed", "replaced"])
def test_when_the_party_took_a_file_is_told(exchange: Exchange, how: str) -> None:
    _queue(exchange, FILES)
    deliver_pending(exchange.ports)
    assert watch(exchange.ports, "system").taken == []
    name = "P001_A.json"
    path = exchange.folder(which="out") / name
    # Linux (relatime) moves a time of access when something is read only if that time is not newer than the last change.
    seal = path.with_name(f"{name}.seal").stat()
    assert seal.st_atime_ns < seal.st_ctime_ns
    time.sleep(1.1)  # times of access are kept in whole seconds
    client = exchange.client()
    if how == "read":
        client.get(f"{name}.seal", 1000)
    elif how == "removed":
        path.unlink()
    else:
        path.rename(path.with_name("elsewhere"))
    client.close()
    assert watch(exchange.ports, "system").taken == [name]
    assert (_row(exchange, name)["state"], _row(exchange, "P001_B.csv")["state"]) == ("TAKEN", "PROVED")
    assert _row(exchange, name)["taken_at"] > _row(exchange, name)["proved_at"]
    assert watch(_later(exchange.ports, days=31), "system").taken == []
    assert (_row(exchange, name)["state"], _row(exchange, "P001_B.csv")["state"]) == ("TAKEN", "LEFT")


def test_that_we_read_back_what_we_wrote_is_no_reading_of_the_partys(builtin: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    read_back, slow = sftp_session._read_back, iter([1.1])

    def in_another_second(client: paramiko.SFTPClient, path: str, most: int) -> tuple[int, str]:
        if path.endswith(".seal.part"):
            time.sleep(next(slow, 0))  # times of access are kept in whole seconds
        return read_back(client, path, most)

    monkeypatch.setattr(sftp_session, "_read_back", in_another_second)
    _queue(builtin, {"P001_A.json": b"x"})
    assert deliver_pending(builtin.ports).delivered == ["P001_A.json"]
    assert watch(builtin.ports, "system").taken == [] and _row(builtin, "P001_A.json")["state"] == "PROVED"


def test_on_our_own_server_a_party_removes_what_it_took_and_nothing_else(builtin: Exchange) -> None:
    _queue(builtin, FILES)
    deliver_pending(builtin.ports)
    key = paramiko.Ed25519Key.from_private_key_file(str(builtin.settings.home / "party_keys" / "P001"))
    sftp = builtin.settings.sftp
    client = paramiko.SSHClient()
    client.load_host_keys(str(builtin.settings.path(sftp.known_hosts)))
    client.connect(sftp.host, sftp.port, "P001", pkey=key, allow_agent=False, look_for_keys=False)
    files = client.open_sftp()
    refused: list[Callable[[], object]] = [
        lambda: files.open("/out/P001_A.json", "wb"),
        lambda: files.rename("/out/P001_A.json", "/out/other"),
        lambda: files.posix_rename("/out/P001_A.json", "/in/other"),
    ]
    for attempt in refused:
        with pytest.raises(OSError):
            attempt()
    files.remove("/out/P001_A.json")
    client.close()
    assert watch(builtin.ports, "system").taken == ["P001_A.json"]


def test_two_processes_do_not_deliver_to_one_party_at_once(builtin: Exchange) -> None:
    _queue(builtin, FILES)
    with builtin.ports.archive.leaving("P001"):
        with pytest.raises(BusyElsewhere), builtin.ports.archive.leaving("P001"):
            pass
        delivery = deliver_pending(builtin.ports)
        # Somebody else is at it: that is no failure.
        assert (delivery.delivered, delivery.failed, _row(builtin, "P001_A.json")["attempts"]) == ([], [], 0)
    assert deliver_pending(builtin.ports).delivered == sorted(FILES)


def _deliver_and_die(settings: Any, before: int) -> int:
    """Deliver in a forked process that ends before its n-th request to the server or statement to the register."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            left = [before]

            def tick(*_: object) -> None:
                left[0] -= 1
                if left[0] == 0:
                    os._exit(_KILLED)

            exchange = Exchange(settings)
            from sqlalchemy import event

            event.listen(exchange.register.engine, "before_cursor_execute", tick)
            event.listen(exchange.register.engine, "commit", tick)
            for name in ("_request", "_async_request"):
                real = getattr(paramiko.SFTPClient, name)
                setattr(paramiko.SFTPClient, name, lambda *args, real=real: (tick(), real(*args))[1])
            code = 3 if deliver_pending(exchange.ports).failed else 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _as_a_party_reads(exchange: Exchange) -> dict[str, bytes]:
    """What a party that keeps to the rules takes: only what has a seal that fits. It takes it away, the seal first."""
    taken = {}
    for path in sorted(exchange.folder(which="out").iterdir()):
        if path.suffix == ".seal":
            seal, data = json.loads(path.read_bytes()), path.with_suffix("")
            content = data.read_bytes()
            assert (seal["bytes"], seal["sha256"]) == (len(content), sha256(content))
            path.unlink()
            data.unlink()
            taken[data.name] = content
    return taken


@pytest.mark.parametrize("party_is_fast", [True, False], ids=["taken-before-the-next-run", "taken-after-it"])
def test_a_crash_before_any_request_or_commit_loses_and_doubles_nothing(
    builtin: Exchange, tmp_path: Path, party_is_fast: bool
) -> None:
    """Before and after each write, rename and record: the party gets each file once, whole, and the register knows it."""
    files = {"P001_A.json": b"first", "P001_B.csv": b"0123456789" * 4_000}
    home, template = builtin.settings.home, tmp_path / "register.template"
    _queue(builtin, files)
    builtin.register.close()
    shutil.copy(home / "register.db", template)
    # All points in the soak; by default each way at a third of them, and not at the same ones. Where nothing can be taken twice a third will do.
    step = 1 if party_is_fast and len(seeds(1)) > 1 else 3
    before, codes = 1 - step if party_is_fast else 0, []
    while not codes or codes[-1] == _KILLED:
        before += step
        for path in home.glob("register.db*"):
            path.unlink()
        shutil.copy(template, home / "register.db")
        for path in builtin.folder(which="out").iterdir():
            path.unlink()
        codes.append(_deliver_and_die(builtin.settings, before))
        again = Exchange(builtin.settings)
        got = [_as_a_party_reads(again)] if party_is_fast else []
        assert deliver_pending(again.ports).failed == []
        got.append(_as_a_party_reads(again))
        assert sorted(name for part in got for name in part) == sorted(files), f"killed before call {before}"
        assert {name: data for part in got for name, data in part.items()} == files
        assert set(watch(again.ports, "system").taken) <= set(files)
        assert {row["state"] for row in again.rows("outbound")} == {"TAKEN"}
        assert all(row["proved_at"] and row["sent_at"] for row in again.rows("outbound"))
        assert list(again.folder(which="out").iterdir()) == []
        again.close()
    assert codes[-1] == 0 and before > 40
