"""The drop's door: who gets in, how far, and what a client believes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import paramiko
import pytest
from exchange_kit import CONTRACT, TODAY, Exchange, outgoing

from connectors.drop_accounts import follow_register
from connectors.sftp_drop import PartyClient, SftpDrop
from connectors.ssh_keys import make_key, pin_host, public_key_line
from custody.errors import RetryLater, StopRun, UsageError
from custody.party_status import PartyStatus
from custody.ports import TakenFile
from custody.services.four_eyes import approve
from custody.services.organisations import contract_faults, propose_party
from custody.services.outbound import queue
from custody.services.status_changes import STATUS, propose_status


def _raw(exchange: Exchange, user: str, key: Path) -> paramiko.SSHClient:
    client = paramiko.SSHClient()
    client.load_host_keys(str(exchange.settings.path(exchange.settings.sftp.known_hosts)))
    pkey = paramiko.Ed25519Key.from_private_key_file(str(key))
    sftp = exchange.settings.sftp
    client.connect(sftp.host, sftp.port, sftp.account(user), pkey=pkey, allow_agent=False, look_for_keys=False)
    return client


def _key(exchange: Exchange, party: str) -> Path:
    return exchange.settings.home / "party_keys" / party


def test_a_party_cannot_leave_its_root(exchange: Exchange) -> None:
    (exchange.folder("P002") / "secret").write_bytes(b"x")
    (exchange.folder("P001").parent / "in" / "link").symlink_to(exchange.folder("P002"))
    (exchange.folder() / "own").write_bytes(b"x")
    client = _raw(exchange, "P001", _key(exchange, "P001"))
    sftp = client.open_sftp()
    assert sorted(sftp.listdir("/")) == ["in", "out"]
    for path in ("/../P002/in/secret", "../../P002/in/secret", "/in/../../P002/in/secret", "/in/link/secret", "//P002/in/secret"):
        with pytest.raises(OSError):
            sftp.open(path, "rb")
        with pytest.raises(OSError):
            sftp.remove(path)
    refused: list[Callable[[], object]] = [
        lambda: sftp.listdir("/in/link"),
        lambda: sftp.symlink("/in/own", "/in/x"),
        lambda: sftp.mkdir("/in/folder"),
        lambda: sftp.rmdir("/out"),
        lambda: sftp.chmod("/in/own", 0o777),
        lambda: sftp.truncate("/in/own", 0),
        lambda: sftp.open("/out/x", "wb"),
        lambda: sftp.open("/x", "wb"),
        lambda: sftp.rename("/in/own", "/out/own"),
        lambda: sftp.posix_rename("/in/own", "/in/../out/own"),
        lambda: sftp.readlink("/in/link"),
    ]
    if exchange.settings.sftp.server == "builtin":
        # sshd knows no rule for names: there they reach the folder, and the collector does not take them.
        refused += [
            lambda: sftp.open("/in/.hidden", "wb"),
            lambda: sftp.open("/in/a b", "wb"),
            lambda: sftp.posix_rename("/in/own", "/in/new\nline"),
        ]
    for number, attempt in enumerate(refused):
        with pytest.raises(OSError):
            pytest.fail(f"attempt {number} gave {attempt()}")
    assert (exchange.folder() / "own").read_bytes() == b"x"
    assert (exchange.folder("P002") / "secret").exists()
    if exchange.settings.sftp.server == "builtin":
        with pytest.raises(paramiko.SSHException):
            client.exec_command("id")
    else:
        # sshd takes the request and runs what it runs for everybody.
        stdin, stdout, _ = client.exec_command("id")
        stdin.channel.shutdown_write()
        assert stdout.read() == b"This service allows sftp connections only.\n"
    with pytest.raises(paramiko.SSHException):
        client.invoke_shell()
    transport = client.get_transport()
    assert transport is not None
    with pytest.raises(paramiko.SSHException):
        transport.open_channel("direct-tcpip", ("127.0.0.1", exchange.settings.sftp.port), ("127.0.0.1", 1))
    with pytest.raises(paramiko.SSHException):
        transport.request_port_forward("127.0.0.1", 0)
    client.close()


def test_only_the_registered_key_gets_in(exchange: Exchange, tmp_path: Path) -> None:
    stranger = tmp_path / "stranger"
    make_key(stranger)
    for user, key in (("P001", stranger), ("P001", _key(exchange, "P002")), ("../P001", stranger), ("P777", stranger)):
        with pytest.raises(paramiko.AuthenticationException):
            _raw(exchange, user, key)
    client = paramiko.SSHClient()
    client.load_host_keys(str(exchange.settings.path(exchange.settings.sftp.known_hosts)))
    sftp = exchange.settings.sftp
    with pytest.raises(paramiko.AuthenticationException):
        client.connect(sftp.host, sftp.port, sftp.account("P001"), password="x", allow_agent=False, look_for_keys=False)
    client.close()
    with pytest.raises(StopRun):
        PartyClient(exchange.settings, "P001", stranger).list_out()


def test_who_is_suspended_or_winds_down_gets_in_and_who_is_closed_does_not(exchange: Exchange) -> None:
    clock = exchange.ports.clock
    for status in (PartyStatus.SUSPENDED, PartyStatus.WINDING_DOWN, PartyStatus.CLOSED):
        proposal = propose_status(exchange.register, clock, "wang", "P001", status, "it ends")
        approve(exchange.register, clock, "li", STATUS, proposal, "")
        follow_register(exchange.settings, exchange.register, TODAY)
        client = exchange.client()
        if status == PartyStatus.CLOSED:
            with pytest.raises(StopRun):
                client.list_out()
        else:
            assert client.list_out() == []
        client.close()


def test_another_host_key_is_refused(exchange: Exchange, tmp_path: Path) -> None:
    sftp = exchange.settings.sftp
    known = exchange.settings.path(sftp.known_hosts)
    wrong = tmp_path / "wrong"
    make_key(wrong)
    pin_host(known, sftp.host, sftp.port, wrong)
    with pytest.raises(StopRun, match="host key"):
        SftpDrop(exchange.settings).parties()
    known.write_text("")
    with pytest.raises(StopRun, match="pins no host key"):
        SftpDrop(exchange.settings).parties()
    pin_host(known, "other.example", 22, wrong)
    pin_host(known, sftp.host, sftp.port, exchange.settings.path(sftp.host_key))
    assert len(known.read_text().splitlines()) == 2
    drop = SftpDrop(exchange.settings)
    assert drop.parties() == ["P001", "P002"]
    drop.close()


def test_a_host_that_is_away_is_a_later_try(exchange: Exchange) -> None:
    sftp = exchange.settings.sftp
    known = exchange.settings.path(sftp.known_hosts)
    pin_host(known, sftp.host, 1, exchange.settings.path(sftp.host_key))
    gone = exchange.settings.model_copy(update={"sftp": sftp.model_copy(update={"port": 1})})
    with pytest.raises(RetryLater):
        SftpDrop(gone).parties()


def test_the_collectors_view(exchange: Exchange) -> None:
    folder = exchange.folder()
    for name in ("a.csv", "b.csv.part", ".hidden", "bad name"):
        (folder / name).write_bytes(b"12345")
    drop = exchange.drop
    # A name of another encoding hides nothing.
    Path(os.fsdecode(os.fsencode(folder) + b"/\xd5\xc5.csv")).write_bytes(b"1")
    inbox = drop.inbox("P001")
    assert (inbox.waiting, inbox.taken, inbox.unsafe) == ({"a.csv": 5}, [], ["\\xd5\\xc5.csv", "bad name"])
    for name in ("../P002/in/x", "a/b", "", ".", "..", "a\nb", "-rf", "a\u0000"):
        with pytest.raises(UsageError):
            drop.take("P001", name, "m")
        with pytest.raises(UsageError):
            drop.inbox(name)
    assert drop.take("P001", "a.csv", "m1")
    assert not drop.take("P001", "a.csv", "m1")
    # The sender may put another one under the same name: it is another file.
    (folder / "a.csv").write_bytes(b"other")
    assert drop.take("P001", "a.csv", "m2")
    assert drop.inbox("P001").taken == [TakenFile("m1", "a.csv"), TakenFile("m2", "a.csv")]
    assert [b"".join(drop.pieces("P001", "a.csv", mark, 2)) for mark in ("m1", "m2")] == [b"345", b"her"]
    drop.give_back("P001", "a.csv", "m2")
    drop.give_back("P001", "a.csv", "m1")
    assert ((folder / "a.csv").read_bytes(), drop.inbox("P001").taken) == (b"other", [])
    drop.take("P001", "a.csv", "m3")
    for _ in range(2):
        drop.remove("P001", "a.csv", "m3")
    assert (drop.inbox("P001").waiting, drop.inbox("P001").taken) == ({}, [])
    with pytest.raises(RetryLater):
        list(drop.pieces("P001", "a.csv", "m3", 0))
    for data in (b"first", b"second"):
        drop.deliver("P001", "r.json", outgoing(data))
    assert [(path.name, path.read_bytes()) for path in exchange.folder(which="out").iterdir()] == [("r.json", b"second")]
    with pytest.raises(RetryLater):
        drop.inbox("P404")


def test_a_name_goes_out_with_one_content_only(builtin: Exchange) -> None:
    with builtin.register.transaction() as tx:
        for _ in range(2):
            queue(tx, builtin.ports.clock, "P001", "x.csv", "a" * 64, "ref")
        with pytest.raises(StopRun):
            queue(tx, builtin.ports.clock, "P001", "x.csv", "b" * 64, "ref")
    assert len(builtin.rows("outbound")) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"encoding": ""},
        {"core_model": "X"},
        {"file_types": ["TXN"]},
        {"file_types": ["NONE"]},
        {"fee_contract": 1},
        {"fee_contract": {"rate": 0.5}},
        {"fee_contract": None},
        {"channel_fee_rate": "0.01"},
        {"unknown": 1},
    ],
)
def test_a_contract_with_a_fault_is_not_proposed(builtin: Exchange, change: dict[str, object]) -> None:
    assert contract_faults("PLATFORM", CONTRACT) == []
    assert contract_faults("PLATFORM", {**CONTRACT, **change}) != []
    with pytest.raises(UsageError):
        propose_party(
            builtin.register, builtin.ports.clock, "wang", "P003", "PLATFORM", "n", "名", {**CONTRACT, **change},
            public_key_line(_key(builtin, "P001")), "", live_untested=False,
        )  # fmt: skip


@pytest.mark.parametrize("key", ["", "ssh-rsa AAAA", "ssh-ed25519 AAAA", "ssh-ed25519 ????", "x\ny"])
def test_a_key_of_another_kind_is_not_proposed(builtin: Exchange, key: str) -> None:
    with pytest.raises(UsageError, match="public key"):
        propose_party(
            builtin.register, builtin.ports.clock, "wang", "P003", "PLATFORM", "n", "名", CONTRACT, key, "", live_untested=False
        )
