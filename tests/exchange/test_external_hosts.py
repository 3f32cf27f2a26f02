"""Parties whose own hosts we dial: real servers, some of which hang, refuse, show another key, or offer nothing that is safe."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from exchange_kit import CONTRACT, POLICY, RULES, TODAY, Exchange, agree, entry, file_name, seal_of, sha256, with_drop
from external_sshd import ExternalSshd

from connectors.archive import CHUNK_BYTES
from connectors.external_hosts import SftpHosts
from connectors.ssh_keys import make_key, public_key_line
from custody.errors import NotPermitted, RetryLater, UsageError
from custody.external_hosts import Claim
from custody.services.deliveries import deliver_pending, watch
from custody.services.dialling import STOPPED_RULE, DialledDrop, resume
from custody.services.intake import CollectLimits, collect
from custody.services.organisations import contract_faults
from custody.services.outbound import ExchangePorts, queue
from custody.services.unread_drops import DROP_UNREAD, OUR_DROP, SWEEPS

pytestmark = pytest.mark.real
TXN, CLAIM = file_name("TXN"), file_name("CLAIM")
SEAL = "P001_SEAL_20191230_01_v1.json"
RECEIPT = "P001_RECEIPT_20191230_01_v1.json"
DATA, OTHER = b"request_no,leg\nr1,1\n", b"claim_id\nc1\n"
_KILLED = 137

Hosts = Callable[..., ExternalSshd]


@pytest.fixture
def hosts(tmp_path: Path, builtin: Exchange) -> Iterator[Hosts]:
    made: list[ExternalSshd] = []

    def make(name: str, **options: Any) -> ExternalSshd:
        ours = public_key_line(builtin.settings.path(builtin.settings.sftp.collector_key))
        made.append(ExternalSshd(tmp_path / name, ours, **options).start())
        return made[-1]

    yield make
    for host in made:
        host.stop()


@pytest.fixture
def exchange(builtin: Exchange) -> Exchange:
    sftp = builtin.settings.sftp.model_copy(update={"timeout_seconds": 2})
    made = Exchange(builtin.settings.model_copy(update={"sftp": sftp}))
    # What an exchange keeps for itself is its own.
    made.__dict__["register"] = builtin.register
    return made


def _agree(exchange: Exchange, party: str, terms: dict[str, object]) -> None:
    agree(exchange, party, {**CONTRACT, "external_host": terms})
    exchange.drop.dialled()  # as each run begins: what the contracts name now


def _send(host: ExternalSshd, party: str = "P001", day_files: dict[str, bytes] | None = None) -> None:
    files = day_files or {file_name("TXN", party): DATA, file_name("CLAIM", party): OTHER}
    for name, data in {**files, **seal_of(party, *(entry(n, d) for n, d in files.items()))}.items():
        (host.inbound / name).write_bytes(data)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("claim", Claim)
def test_what_lies_on_a_partys_host_is_fetched_answered_there_and_removed(exchange: Exchange, hosts: Hosts, claim: Claim) -> None:
    """On a host that has no rename but the plain one."""
    host = hosts("theirs", denied="posix-rename")
    _agree(exchange, "P001", host.terms(claim))
    _send(host)
    (host.inbound / "unsealed.csv").write_bytes(b"x")
    (host.inbound / "late.csv.part").write_bytes(b"x")
    (host.inbound / "link.csv").symlink_to("/etc/passwd")
    result = exchange.collect()
    assert (result.troubles, result.counts()) == ([], {"ACCEPTED": 2})
    assert (result.waiting, result.unsafe) == ([("P001", "unsealed.csv")], [("P001", "link.csv")])
    assert _names(host.inbound) == ["late.csv.part", "link.csv", "unsealed.csv"]
    (row,) = exchange.rows("file", file_name=TXN)
    assert exchange.ports.archive.read(row["archive_ref"]) == DATA
    assert _names(host.outbound) == [RECEIPT, f"{RECEIPT}.seal"]
    assert list(exchange.folder(which="out").iterdir()) == [] and exchange.rows("host_claim") == []
    # The other party drops with us as ever.
    name = file_name("TXN", "P002")
    exchange.send({name: DATA}, seal_of("P002", entry(name, DATA)), "P002")
    assert [s.party for s in exchange.collect().seals] == ["P002"]
    time.sleep(1.1)  # times of access are told in whole seconds
    seal = json.loads((host.outbound / f"{RECEIPT}.seal").read_bytes())
    assert seal["sha256"] == sha256((host.outbound / RECEIPT).read_bytes())
    assert watch(exchange.ports, "system").taken == [RECEIPT]


@pytest.mark.parametrize("claim", Claim)
def test_what_is_replaced_while_we_read_is_another_file_and_is_never_removed(
    exchange: Exchange, hosts: Hosts, claim: Claim
) -> None:
    host = hosts("theirs")
    _agree(exchange, "P001", host.terms(claim))
    _send(host)
    drop = exchange.drop
    for name in (SEAL, TXN):
        assert drop.take("P001", name, "m1")
    assert drop.inbox("P001").waiting == {CLAIM: len(OTHER)}
    assert [(taken.mark, taken.name) for taken in drop.inbox("P001").taken] == [("m1", SEAL), ("m1", TXN)]
    (host.inbound / TXN).write_bytes(b"another one")
    if claim == Claim.READ:
        # It is not what we claimed: the claim is void, and what stands there waits.
        with pytest.raises(RetryLater, match="was replaced"):
            list(drop.pieces("P001", TXN, "m1", 0))
    else:
        assert b"".join(drop.pieces("P001", TXN, "m1", 5)) == DATA[5:]
    drop.remove("P001", TXN, "m1")
    assert (host.inbound / TXN).read_bytes() == b"another one"
    assert TXN in drop.inbox("P001").waiting
    drop.give_back("P001", SEAL, "m1")
    assert sorted(drop.inbox("P001").waiting) == sorted([SEAL, TXN, CLAIM]) and drop.inbox("P001").taken == []
    for _ in range(2):
        drop.remove("P001", SEAL, "m1")
    assert not drop.take("P001", "none.csv", "m1")


def test_one_host_that_hangs_and_others_that_fail_hold_up_nobody(exchange: Exchange, hosts: Hosts, tmp_path: Path) -> None:
    """Six parties: with us, on a good host, and on hosts that hang, are not there, show another key, or are of yesterday."""
    good, hanging, other = hosts("good"), hosts("hanging"), hosts("other")
    old = hosts("old", options={"Ciphers": "aes128-cbc"})
    make_key(tmp_path / "expected")
    gone = hosts("gone")
    gone.stop()
    hanging.hang()
    terms = {
        "P003": good.terms(),
        "P004": hanging.terms(),
        "P005": gone.terms(),
        "P006": {**other.terms(), "host_key": public_key_line(tmp_path / "expected")},
        "P007": old.terms(),
    }
    for party, of in terms.items():
        _agree(exchange, party, of)
    name = file_name("TXN", "P002")
    exchange.send({name: DATA}, seal_of("P002", entry(name, DATA)), "P002")
    for party, host in (("P003", good), ("P006", other), ("P007", old)):
        _send(host, party)
    started = time.monotonic()
    result = exchange.collect()
    assert time.monotonic() - started < 20
    assert [s.party for s in result.seals] == ["P002", "P003"]
    troubles = dict(result.troubles)
    assert sorted(troubles) == ["P004", "P005", "P006", "P007"]
    assert "another host key" in troubles["P006"] and "no algorithm that is safe" in troubles["P007"]
    # Nothing was taken from a host that is not who it should be.
    assert len(_names(other.inbound)) == len(_names(old.inbound)) == 3
    state = {row["party"]: row for row in exchange.rows("dialled_host")}
    assert {party: row["stopped"] for party, row in state.items()} == {"P004": False, "P005": False, "P006": True, "P007": True}
    alerts = exchange.rows("alert", rule=STOPPED_RULE)
    assert sorted(alert["subject"] for alert in alerts) == ["P006", "P007"]
    assert all("人工核查" in alert["words_zh"] for alert in alerts)
    # The one that is stopped stays so, whatever it shows later, until a person has looked; the others are tried again.
    assert sorted(party for party, _ in exchange.collect().troubles) == ["P004", "P005"]
    gone.start()
    assert [party for party, _ in exchange.collect().troubles] == ["P004"]
    assert {row["party"] for row in exchange.rows("dialled_host")} == {"P004", "P006", "P007"}
    with pytest.raises(NotPermitted):
        resume(exchange.register, "zhao", "P006", "")
    with pytest.raises(UsageError):
        resume(exchange.register, "wang", "P003", "")
    # Its contract names the key that it shows: it is dialled anew without a word more.
    _agree(exchange, "P006", other.terms())
    assert [s.party for s in exchange.collect().seals] == ["P006"]
    resume(exchange.register, "wang", "P007", "they will change it tonight")
    assert "P007" in dict(exchange.collect().troubles)


def test_a_drop_that_stays_unreadable_is_an_alert_which_closes_itself(exchange: Exchange, hosts: Hosts) -> None:
    theirs, stopped = hosts("theirs"), hosts("stopped", options={"Ciphers": "aes128-cbc"})
    _agree(exchange, "P001", theirs.terms())
    _agree(exchange, "P003", stopped.terms())
    theirs.stop()
    folder = exchange.folder("P002")
    aside = folder.rename(folder.with_name("elsewhere"))

    def told(state: str) -> list[str]:
        return sorted(row["subject"] for row in exchange.rows("alert", rule=DROP_UNREAD, state=state))

    for sweeps in range(1, SWEEPS + 2):
        result = exchange.collect()
        # One that is not dialled since it stopped was not looked into either.
        assert [party for party, _ in result.unread] == ["P001", "P002", "P003"] or sweeps == 1
        assert told("OPEN") == (["P001", "P002"] if sweeps >= SWEEPS else [])
    (alert,) = exchange.rows("alert", rule=DROP_UNREAD, subject="P002")
    assert (alert["platform"], alert["severity"]) == ("P002", "HIGH") and "P002/in" in alert["words_en"]
    assert "连续 3 次" in alert["words_zh"]
    aside.rename(folder)
    exchange.collect()
    (alert,) = exchange.rows("alert", rule=DROP_UNREAD, subject="P002")
    assert (alert["state"], told("OPEN")) == ("CLOSED", ["P001"]) and "4 sweeps" in alert["ended_en"] and alert["ended_zh"]
    assert [row["party"] for row in exchange.rows("unread_drop")] == ["P001", "P003"]
    theirs.start()
    exchange.collect()
    assert told("OPEN") == [] and [row["party"] for row in exchange.rows("unread_drop")] == ["P003"]
    # What happens once is a sweep's trouble and no alert, and a time later is counted anew.
    folder.rename(aside)
    exchange.collect()
    aside.rename(folder)
    exchange.collect()
    assert told("CLOSED") == ["P001", "P002"] and [row["party"] for row in exchange.rows("unread_drop")] == ["P003"]


def test_our_own_drop_that_is_away_is_one_alert_whoever_is_dialled_meanwhile(builtin: Exchange, hosts: Hosts) -> None:
    class Away(DialledDrop):
        def parties(self) -> list[str]:
            raise RetryLater("the server does not answer")

    real = builtin.drop
    away = with_drop(builtin.ports, Away(real._own, real._remote, builtin.register, builtin.ports.clock, POLICY))
    for _ in range(2):
        with pytest.raises(RetryLater):
            builtin.collect(away)
    _agree(builtin, "P001", hosts("theirs").terms())
    assert builtin.collect(away).troubles == [(OUR_DROP, "the server does not answer")]
    (alert,) = builtin.rows("alert", rule=DROP_UNREAD)
    assert (alert["subject"], alert["platform"], alert["state"]) == (OUR_DROP, "", "OPEN")
    builtin.collect()
    (alert,) = builtin.rows("alert", rule=DROP_UNREAD)
    assert alert["state"] == "CLOSED"


class _Later:
    """A clock that is ahead of the machine's."""

    def __init__(self, ports: ExchangePorts) -> None:
        self._real, self.ahead = ports.clock, timedelta(0)

    def now(self) -> datetime:
        return self._real.now() + self.ahead


def test_a_host_that_fails_is_left_alone_ever_longer_also_for_what_goes_out(exchange: Exchange, hosts: Hosts) -> None:
    host = hosts("theirs")
    _agree(exchange, "P001", host.terms())
    host.stop()
    clock = _Later(exchange.ports)
    policy = replace(POLICY, first_retry=timedelta(minutes=1), longest_retry=timedelta(hours=4))
    own = exchange.drop._own

    def ports() -> ExchangePorts:
        drop = DialledDrop(own, SftpHosts(exchange.settings), exchange.register, clock, policy)
        return replace(with_drop(exchange.ports, drop), clock=clock, policy=policy)

    reference = exchange.ports.archive.keep(b"x", sha256(b"x"))
    with exchange.register.transaction() as tx:
        queue(tx, exchange.ports.clock, "P001", "P001_A.json", sha256(b"x"), reference)
    waits = []
    for _ in range(10):
        run = ports()
        assert run.drop.dialled() == ["P001"]
        assert [name for name, _ in deliver_pending(run).failed] == ["P001_A.json"]
        # Another process knows it too: nobody dials before it is time.
        again = ports()
        assert again.drop.dialled() == [] and deliver_pending(again).failed == []
        with pytest.raises(RetryLater, match="dialled again from"):
            again.drop.inbox("P001")
        (row,) = exchange.rows("dialled_host")
        wait = datetime.fromisoformat(row["next_dial_at"]) - clock.now()
        waits.append(round(wait / timedelta(minutes=1)))
        clock.ahead += wait + timedelta(seconds=2)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 240, 240]
    host.start()
    assert deliver_pending(ports()).delivered == ["P001_A.json"]
    assert (exchange.rows("dialled_host"), _names(host.outbound)) == ([], ["P001_A.json", "P001_A.json.seal"])


def test_our_own_drop_that_is_away_does_not_keep_others_waiting(exchange: Exchange, hosts: Hosts) -> None:
    host = hosts("theirs")
    _agree(exchange, "P001", host.terms())
    _send(host)
    sftp = exchange.settings.sftp.model_copy(update={"port": 1})
    from connectors.sftp_drop import SftpDrop

    gone = SftpDrop(exchange.settings.model_copy(update={"sftp": sftp, "home": exchange.settings.home}))
    known = exchange.settings.path(sftp.known_hosts)
    from connectors.ssh_keys import pin_host

    pin_host(known, sftp.host, 1, exchange.settings.path(sftp.host_key))
    drop = DialledDrop(gone, SftpHosts(exchange.settings), exchange.register, exchange.ports.clock, POLICY)
    result = exchange.collect(with_drop(exchange.ports, drop))
    assert [s.party for s in result.seals] == ["P001"] and [of for of, _ in result.troubles] == [OUR_DROP]


# paramiko asks ahead in a thread of its own, whose end nobody waits for; the reader is told all the same.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("claim", Claim)
def test_a_transfer_that_is_cut_goes_on_where_it_stopped(exchange: Exchange, hosts: Hosts, claim: Claim) -> None:
    host = hosts("theirs")
    _agree(exchange, "P001", host.terms(claim))
    large = os.urandom(8 * CHUNK_BYTES)
    _send(host, "P001", {TXN: large})
    asked: list[tuple[str, int]] = []

    class Cut:
        """The real drop; at the third megabyte of the file the host's sessions are killed."""

        def __getattr__(self, name: str) -> object:
            return getattr(exchange.drop, name)

        def pieces(self, party: str, name: str, mark: str, start: int) -> Generator[bytes, None, None]:
            asked.append((name, start))
            passed = 0
            for piece in exchange.drop.pieces(party, name, mark, start):
                yield piece
                passed += len(piece)
                if name == TXN and start == 0 and passed > 3 * CHUNK_BYTES:
                    host.kill_sessions()

    limits = CollectLimits(10 * CHUNK_BYTES, 1, 1, 60)
    settings = exchange.settings.sftp.model_copy(update={"max_file_bytes": 10 * CHUNK_BYTES})
    exchange.drop._remote._settings = exchange.settings.model_copy(update={"sftp": settings})  # type: ignore[attr-defined]
    ports = with_drop(exchange.ports, Cut())
    first = collect(ports, RULES, "system", TODAY, limits)
    assert (first.seals, [party for party, _ in first.troubles]) == ([], ["P001"])
    second = collect(ports, RULES, "system", TODAY, limits)
    assert [f.outcome for s in second.seals for f in s.files] == ["ACCEPTED"]
    starts = [start for name, start in asked if name == TXN]
    assert starts[0] == 0 and starts[1] >= 2 * CHUNK_BYTES
    (row,) = exchange.rows("file", file_name=TXN, state="ACCEPTED")
    assert row["sha256"] == sha256(large) and _names(host.inbound) == []


def _die_before(settings: Any, calls: int) -> int:
    """Collect in a forked process that ends before its n-th request to a server or statement to the register."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            import paramiko
            from sqlalchemy import event

            left = [calls]

            def tick(*_: object) -> None:
                left[0] -= 1
                if left[0] == 0:
                    os._exit(_KILLED)

            exchange = Exchange(settings)
            event.listen(exchange.register.engine, "commit", tick)
            for name in ("_request", "_async_request"):
                real = getattr(paramiko.SFTPClient, name)
                setattr(paramiko.SFTPClient, name, lambda *args, real=real: (tick(), real(*args))[1])
            code = 3 if exchange.collect().troubles else 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("claim", Claim)
def test_killed_anywhere_nothing_is_lost_and_nothing_is_taken_twice(
    builtin: Exchange, hosts: Hosts, tmp_path: Path, claim: Claim
) -> None:
    host = hosts("theirs")
    _agree(builtin, "P001", host.terms(claim))
    home, template = builtin.settings.home, tmp_path / "register.template"
    builtin.register.close()
    shutil.copy(home / "register.db", template)
    before, codes = 0, []
    while not codes or codes[-1] == _KILLED:
        before += 3
        for path in (*home.glob("register.db*"), *host.inbound.iterdir(), *host.outbound.iterdir()):
            path.unlink()
        shutil.rmtree(home / "archive", ignore_errors=True)
        shutil.copy(template, home / "register.db")
        _send(host)
        codes.append(_die_before(builtin.settings, before))
        again = Exchange(builtin.settings)
        for _ in range(2):
            assert again.collect().troubles == []
        found = {row["file_name"]: row for row in again.rows("file")}
        assert {name: row["state"] for name, row in found.items()} == {SEAL: "READ", TXN: "ACCEPTED", CLAIM: "ACCEPTED"}, before
        assert [again.ports.archive.read(found[name]["archive_ref"]) for name in (TXN, CLAIM)] == [DATA, OTHER]
        assert (_names(host.inbound), _names(host.outbound)) == ([], [RECEIPT, f"{RECEIPT}.seal"]), before
        assert again.rows("host_claim") == [] and len(again.rows("audit_event", action="file.collect")) == 1
        again.close()
    assert codes[-1] == 0 and before > 40


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("host", "a b"), ("host", "-x"), ("port", 0), ("port", "22"), ("port", True), ("user", ""), ("user", "a;b"),
        ("host_key", "ssh-rsa AAAA"), ("host_key", "ssh-ed25519 ????"), ("host_key", "x"), ("inbound", "/a/../b"), ("inbound", "a"),
        ("outbound", "/to_bank"), ("claim", "MOVE"), ("more", 1),
    ],
)  # fmt: skip
def test_a_host_that_is_none_is_not_proposed(tmp_path: Path, name: str, value: object) -> None:
    make_key(tmp_path / "key")
    terms: dict[str, object] = {
        "host": "sftp.example", "port": 22, "user": "bank", "host_key": public_key_line(tmp_path / "key"), "inbound": "/to_bank",
        "outbound": "/from_bank", "claim": "READ",
    }  # fmt: skip
    assert contract_faults("PLATFORM", {**CONTRACT, "external_host": terms}) == []
    assert contract_faults("PLATFORM", {**CONTRACT, "external_host": {**terms, name: value}}) != []
    assert contract_faults("PLATFORM", {**CONTRACT, "external_host": []}) != []
