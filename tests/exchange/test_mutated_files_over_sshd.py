"""A part of the mutated files through the machine's sshd, with names and kinds of files that only a real folder can have."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from exchange_kit import Exchange, make_home, open_exchange
from fuzz_intake import Found, check_exchange
from fuzz_market import DAY, STRAYS, Fuzzer, Sender
from instance_kit import MemoryDrop, seeds
from real_sshd import RealSshd

from connectors.sftp_session import PART

pytestmark = pytest.mark.real
FILES = 80
_LAYOUTS = {"TXN": "platform_txn/1", "CLAIM": "platform_claim/1"}
SENDERS = (Sender("P001", "utf-8", _LAYOUTS), Sender("P002", "utf-8", _LAYOUTS))
_LINKED, _LINKED_SEAL, _FOLDER = "P001_TXN_20200101_98_v1.csv", "P001_SEAL_20200101_98_v1.json", "P001_SEAL_20200101_97_v1.json"


@pytest.fixture
def exchange(sshd: RealSshd) -> Iterator[Exchange]:
    made = open_exchange(make_home(sshd.fresh_home(), {**sshd.changes, "sftp.max_file_bytes": 50_000_000}))
    yield made
    made.close()


def _as_it_lies(exchange: Exchange) -> MemoryDrop:
    """The drop's folders: what waits, what is taken, what was sent."""
    found = MemoryDrop()
    for sender in SENDERS:
        waiting = {os.fsencode(p.name).decode("utf-8", "backslashreplace"): p for p in exchange.folder(sender.party).iterdir()}
        found.arrived[sender.party] = {
            name: b"" if p.is_symlink() or p.is_dir() else p.read_bytes() for name, p in waiting.items()
        }
        found.taken[sender.party] = {
            (p.name, p.name.partition(".")[2]): p.read_bytes() for p in exchange.taken_folder(sender.party).iterdir()
        }
        found.sent[sender.party] = exchange.outbound_bytes(sender.party)
    return found


@pytest.mark.parametrize("seed", seeds(1), ids="seed{}".format)
def test_what_sshd_takes_is_not_lost_and_is_explained(seed: int, exchange: Exchange) -> None:
    delivered: dict[str, dict[str, set[bytes]]] = defaultdict(lambda: defaultdict(set))
    results = []
    clients = {sender.party: exchange.client(sender.party) for sender in SENDERS}
    for chosen in Fuzzer(seed, SENDERS).sets(FILES):
        with clients[chosen.party]._session.use("put") as sftp:
            for name, data in (*chosen.files.items(), *chosen.seals.items()):
                with sftp.open(f"/in/{name}{PART}", "wb") as file:
                    file.write(data)
                sftp.posix_rename(f"/in/{name}{PART}", f"/in/{name}")
                delivered[chosen.party][name].add(data)
        results.append(exchange.collect(today=DAY))
    secret = exchange.settings.home / "secret"
    secret.write_bytes(b"nobody's business")
    with clients["P001"]._session.use("put") as sftp:
        for name in STRAYS:
            if b"/" not in name:
                with sftp.open(b"/in/" + name, "wb") as file:
                    file.write(name)
                delivered["P001"][name.decode("utf-8", "backslashreplace")].add(name)
    # The server lets nobody make these over SFTP; they are there by whatever other way.
    for target, link in ((str(secret), "link.csv"), ("/etc/passwd", _LINKED), ("..", "up.csv"), (".", _LINKED_SEAL)):
        (exchange.folder() / link).symlink_to(target)
    (exchange.folder() / _FOLDER).mkdir()
    results.append(exchange.collect(today=DAY))
    found = Found()
    check_exchange(found, _as_it_lies(exchange), delivered, results, exchange.ports.archive, exchange.rows("file"))
    assert found.broken == []
    assert found.outcomes["FILE ACCEPTED"] and found.outcomes["FILE REFUSED"]
    unsafe = {name for _, name in results[-1].unsafe}
    assert {
        "link.csv",
        "P001_TXN_20200101_98_v1.csv",
        "up.csv",
        "P001_SEAL_20200101_98_v1.json",
        "P001_SEAL_20200101_97_v1.json",
    } <= unsafe
    assert not [
        p for p in Path(exchange.settings.path("archive")).rglob("*") if p.is_file() and b"nobody's business" in p.read_bytes()
    ]
    for client in clients.values():
        client.close()
