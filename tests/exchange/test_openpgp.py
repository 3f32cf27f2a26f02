"""OpenPGP where the contract asks: what comes in is opened and proved, or kept and refused in words; what goes out is made."""

from __future__ import annotations

import json
import os
import threading
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
from exchange_kit import CONTRACT, Exchange, agree, entry, file_name, seal_of, sha256, with_drop
from pysequoia import Cert, Tsk, decrypt, encrypt, sign, verify

from connectors.openpgp import _MEMORY_BYTES, SequoiaOpenPgp, bank_certificate, openpgp_key
from custody.calendar import custody_date_of
from custody.errors import RetryLater, SettingsError, UsageError
from custody.ports import Opened, Outgoing
from custody.protection import Protection
from custody.services.deliveries import deliver_pending
from custody.services.four_eyes import approve
from custody.services.intake import TakenSeal
from custody.services.organisations import contract_faults
from custody.services.outbound import queue
from custody.services.party_keys import KEY, PublicKey, propose_key, propose_revocation

DATA = b"request_no,leg\n" + b"a secret of P001,1\n" * 40
BOTH = [str(one) for one in Protection]
DAY = timedelta(days=1)


@cache
def _key(name: str) -> Tsk:
    """A key of that name, the same all through the run; it is made in a moment."""
    return Tsk.generate(name, validity_seconds=10 * 365 * 86400 if name != "short" else 3600)


def _cert(name: str) -> Cert:
    return _key(name).extract_certificate()


@pytest.fixture
def exchange(builtin: Exchange) -> Exchange:
    """P001's contract asks for both in both directions, and its key is registered; P002's key too, which asks for nothing."""
    onboard_with(builtin, {"in": BOTH, "out": BOTH})
    for party in ("P001", "P002"):
        register(builtin, party, party, begins=-1)
    return builtin


def onboard_with(exchange: Exchange, openpgp: Mapping[str, object]) -> None:
    agree(exchange, "P001", {**CONTRACT, "openpgp": openpgp})


def register(exchange: Exchange, party: str, name: str, begins: int = 0, ends: int | None = None) -> PublicKey:
    """By two people; dates in days from today."""
    clock = exchange.ports.clock
    today = custody_date_of(clock.now())
    key = openpgp_key(str(_cert(name)), today)
    assert key is not None
    last = None if ends is None else today + ends * DAY
    proposal = propose_key(exchange.register, clock, "wang", party, key, today + begins * DAY, last, "its own")
    approve(exchange.register, clock, "li", KEY, proposal, "compared on the telephone")
    return key


def bank(exchange: Exchange) -> Cert:
    return Cert.from_bytes(bank_certificate(exchange.settings.path(exchange.settings.keys.openpgp_key)).encode())


def _send(exchange: Exchange, message: bytes, name: str = f"{file_name('TXN')}.pgp") -> TakenSeal:
    exchange.send({name: message}, seal_of("P001", entry(name, message, rows=DATA.count(b"\n") - 1)))
    return exchange.collect_one()


@pytest.mark.parametrize("suffix", [".pgp", ".asc"])
def test_a_message_is_archived_as_it_came_and_its_content_beside_it(exchange: Exchange, suffix: str) -> None:
    name = f"{file_name('TXN')}{suffix}"
    message = encrypt(DATA, recipients=[bank(exchange)], signer=_key("P001").signer(), armor=suffix == ".asc")
    taken = _send(exchange, message, name)
    assert [(f.outcome, f.rule) for f in taken.files] == [("ACCEPTED", "taken")]
    (row,) = exchange.rows("file", file_name=name)
    assert (row["sha256"], row["bytes"]) == (sha256(message), len(message))
    assert (row["plain_sha256"], row["plain_bytes"]) == (sha256(DATA), len(DATA))
    archive = exchange.ports.archive
    assert (archive.read(row["archive_ref"]), archive.read(row["plain_ref"])) == (message, DATA)
    # Nothing of the content lies in clear anywhere, and nothing of the key in what is told.
    secret = str(_key("P001")).encode()[200:240]
    for path in exchange.settings.home.rglob("*"):
        assert not path.is_file() or not (b"a secret of P001" in path.read_bytes() or secret in path.read_bytes()), path
    # The same bytes again: nothing happens.
    assert _send(exchange, message, name).files[0].outcome == "SAME_AGAIN"
    # The same version wrapped otherwise is no second file.
    other = f"{file_name('TXN')}{'.asc' if suffix == '.pgp' else '.pgp'}"
    again = encrypt(DATA, recipients=[bank(exchange)], signer=_key("P001").signer())
    assert [(f.outcome, f.rule) for f in _send(exchange, again, other).files] == [("QUARANTINED", "same_name_other_digest")]


def _tampered(message: bytes) -> bytes:
    return message[: len(message) // 2] + bytes([message[len(message) // 2] ^ 1]) + message[len(message) // 2 + 1 :]


def _bad_messages(exchange: Exchange) -> Iterator[tuple[str, bytes, str]]:
    """(what, message, rule)"""
    ours, signer = bank(exchange), _key("P001").signer()
    good = encrypt(DATA, recipients=[ours], signer=signer, armor=False)
    yield "unsigned", encrypt(DATA, recipients=[ours], armor=False), "openpgp_unsigned"
    yield "signed by an unknown key", encrypt(DATA, recipients=[ours], signer=_key("nobody").signer()), "openpgp_unknown_key"
    yield "signed by another party", encrypt(DATA, recipients=[ours], signer=_key("P002").signer()), "openpgp_other_party"
    yield "not encrypted", sign(signer, DATA, armor=False), "openpgp_not_encrypted"
    yield "not encrypted, in armour", sign(signer, DATA), "openpgp_not_encrypted"
    yield "to another", encrypt(DATA, recipients=[_cert("nobody")], signer=signer), "openpgp_not_for_us"
    yield "by password", encrypt(DATA, passwords=["x"], signer=signer, armor=False), "openpgp_not_for_us"
    yield "changed on the way", _tampered(good), "openpgp_unreadable"
    yield "cut off", good[:-40], "openpgp_unreadable"
    yield "no message", DATA, "openpgp_not_encrypted"
    yield "empty", b"", "openpgp_not_encrypted"
    yield "an armour of nothing", b"-----BEGIN PGP MESSAGE-----\n\n!!!!\n", "openpgp_not_encrypted"
    yield "a key", bytes(_cert("P001")), "openpgp_not_encrypted"


def test_each_bad_message_is_kept_and_refused_with_its_reason_and_a_good_one_takes_its_place(exchange: Exchange) -> None:
    name = f"{file_name('TXN')}.pgp"
    out, read = exchange.folder(which="out"), set[Path]()
    for what, message, rule in _bad_messages(exchange):
        (told,) = _send(exchange, message).files
        assert (told.outcome, told.rule) == ("QUARANTINED", rule), what
        (row,) = exchange.rows("file", file_name=name, sha256=sha256(message))
        assert row["plain_ref"] is None and exchange.ports.archive.read(row["archive_ref"]) == message
        (newest,) = set(out.glob("*.pgp")) - read
        read.add(newest)
        answer = decrypt(newest.read_bytes(), decryptor=_key("P001").decryptor(), store=lambda _: [bank(exchange)]).bytes
        assert answer is not None
        (said,) = json.loads(answer)["files"]
        assert said["rule"] == rule and said["words_zh"] and said["to_do_en"] and b"secret" not in answer
    assert exchange.waiting() == exchange.taken() == []
    good = encrypt(DATA, recipients=[bank(exchange)], signer=_key("P001").signer())
    assert _send(exchange, good).files[0].outcome == "ACCEPTED"


def test_a_signature_that_is_wrong_is_told_from_an_unknown_one(exchange: Exchange) -> None:
    onboard_with(exchange, {"in": ["SIGNED"]})
    signed = sign(_key("P001").signer(), DATA, armor=False)
    changed = signed.replace(b"a secret of P001,1", b"a secret of P001,9", 1)
    assert _send(exchange, changed).files[0].rule == "openpgp_bad_signature"
    assert _send(exchange, signed).files[0].outcome == "ACCEPTED"


def test_what_the_contract_does_not_name_is_refused(exchange: Exchange) -> None:
    name = file_name("TXN")
    assert _send(exchange, DATA, name).files[0].rule == "openpgp_missing"
    onboard_with(exchange, {"out": ["SIGNED"]})
    message = encrypt(DATA, recipients=[bank(exchange)])
    assert _send(exchange, message).files[0].rule == "openpgp_not_agreed"
    # The bytes that were refused for that are judged anew once they are what the contract asks for.
    assert _send(exchange, DATA, name).files[0].outcome == "ACCEPTED"
    onboard_with(exchange, {"in": ["ENCRYPTED"]})
    claim = f"{file_name('CLAIM')}.pgp"
    assert _send(exchange, encrypt(DATA, recipients=[bank(exchange)]), claim).files[0].outcome == "ACCEPTED"


def test_a_key_counts_from_its_first_date_to_its_last_and_not_when_it_is_revoked(exchange: Exchange) -> None:
    ours = bank(exchange)

    def rule(name: str, version: int) -> str:
        file = f"{file_name('TXN', version=version)}.pgp"
        message = encrypt(DATA, recipients=[ours], signer=_key(name).signer())
        exchange.send({file: message}, seal_of("P001", entry(file, message), version=version))
        return exchange.collect_one().files[0].rule

    register(exchange, "P001", "next", begins=2)
    register(exchange, "P001", "overlapping")
    assert rule("next", 1) == "openpgp_key_not_in_force"
    assert rule("overlapping", 1) == "taken"
    assert rule("P001", 2) == "restatement"
    # Revoked: locked out from the moment on which one person asks for it.
    clock = exchange.ports.clock
    propose_revocation(exchange.register, clock, "wang", "P001", _cert("P001").fingerprint.upper(), "lost")
    assert rule("P001", 3) == "openpgp_key_not_in_force"
    assert rule("overlapping", 3) == "restatement"
    # The same bytes are judged anew when the key that signed them has been registered since.
    file = f"{file_name('CLAIM')}.pgp"
    message = encrypt(DATA, recipients=[ours], signer=_key("late").signer())
    assert _send(exchange, message, file).files[0].rule == "openpgp_unknown_key"
    register(exchange, "P001", "late")
    assert _send(exchange, message, file).files[0].rule == "taken"


def test_a_certificate_that_has_ended_by_itself_counts_no_more(exchange: Exchange) -> None:
    """Registered without an end: what it says of itself ends it."""
    register(exchange, "P001", "short")
    message = encrypt(DATA, recipients=[bank(exchange)], signer=_key("short").signer())
    ports, today = exchange.ports, custody_date_of(exchange.ports.clock.now())
    with exchange.register.transaction() as tx:
        from custody.services.party_keys import keys

        own = keys(tx, "P001")
    own = [key for key in own if key.key_use == "OPENPGP"]
    found = [
        ports.openpgp.open(lambda: iter([message]), frozenset(Protection), own, list, day, 10**6, lambda _: None)
        for day in (today, today + 2 * DAY)
    ]
    assert found == [Opened(None, {}), Opened("openpgp_key_not_in_force", {"key": _cert("short").fingerprint.upper()})]


def _packet(tag: int, body: bytes) -> bytes:
    return bytes([0xC0 | tag, 0xFF]) + len(body).to_bytes(4) + body


def test_a_bomb_is_stopped_where_it_begins(exchange: Exchange) -> None:
    """Half a gigabyte of nothing in half a megabyte: nobody ever holds them, in memory or on disk."""
    onboard_with(exchange, {"in": ["SIGNED"]})
    packer = zlib.compressobj(6)
    size = 512 * 1024**2
    parts = [packer.compress(bytes([0xC0 | 11, 0xFF]) + (size + 6).to_bytes(4) + b"b\x00\x00\x00\x00\x00")]
    zeros = bytes(1024**2)
    parts += [packer.compress(zeros) for _ in range(size // len(zeros))]
    bomb = _packet(8, b"\x02" + b"".join(parts) + packer.flush())
    assert len(bomb) < 1024**2
    limit, taken = 10 * 1024**2, [0]

    def into(piece: bytes) -> None:
        taken[0] += len(piece)

    pgp = exchange.ports.openpgp
    opened = pgp.open(
        lambda: iter([bomb]), frozenset({Protection.SIGNED}), [], list, custody_date_of(exchange.ports.clock.now()), limit, into
    )
    assert (opened, taken[0] <= limit) == (Opened("openpgp_too_large", {"limit": limit}), True)
    # And by way of the drop. (Up to 25 MB the library looks at signatures before it hands on anything.)
    small = _packet(8, b"\x02" + zlib.compress(_packet(11, b"b\x00\x00\x00\x00\x00" + bytes(6 * 10**7)), 9))
    assert _send(exchange, small).files[0].rule == "openpgp_too_large"
    # A bomb in a bomb in a bomb ... is no message.
    nested = _packet(11, b"b\x00\x00\x00\x00\x00x")
    for _ in range(60):
        nested = _packet(8, b"\x02" + zlib.compress(nested))
    assert _send(exchange, nested).files[0].rule == "openpgp_unreadable"


def test_memory_does_not_follow_the_size_of_a_message(exchange: Exchange) -> None:
    """300 MB there and back by processes to which the system gives 256 MB of addresses, their programs and libraries among them."""
    assert _MEMORY_BYTES <= 256 * 1024**2
    size, piece = 300 * 1024**2, os.urandom(1024**2)
    pgp, today = exchange.ports.openpgp, custody_date_of(exchange.ports.clock.now())
    key = register(exchange, "P002", "memory")
    with exchange.register.transaction() as tx:
        from custody.services.party_keys import KeyUse, keys

        (own,) = [one for one in keys(tx, "P002", KeyUse.OPENPGP) if one.fingerprint == key.fingerprint]
    path = exchange.settings.home / "message"
    with path.open("wb") as file:
        content = (piece for _ in range(size // len(piece)))
        theirs = replace(own, public_key=bank_certificate(exchange.settings.path(exchange.settings.keys.openpgp_key)))
        pgp.protect(content, frozenset(Protection), [theirs], file.write)
    # The bank signs what it opens here; the key registered for it is its own.
    got = [0]

    def message() -> Iterator[bytes]:
        with path.open("rb") as file:
            while data := file.read(1024**2):
                yield data

    opened = pgp.open(
        message, frozenset(Protection), [theirs], list, today, size, lambda data: got.__setitem__(0, got[0] + len(data))
    )
    path.unlink()
    assert (opened, got[0]) == (Opened(None, {}), size)


def test_a_reader_that_does_not_come_to_an_end_is_ended(exchange: Exchange) -> None:
    pgp = SequoiaOpenPgp(exchange.settings.path(exchange.settings.keys.openpgp_key), 1)
    gate = threading.Event()

    def forever() -> Iterator[bytes]:
        yield encrypt(DATA, recipients=[bank(exchange)], armor=False)[:100]
        gate.wait(3)

    opened = pgp.open(
        forever, frozenset({Protection.ENCRYPTED}), [], list, custody_date_of(exchange.ports.clock.now()), 100, lambda _: None
    )
    assert opened == Opened("openpgp_unreadable", {"why": "not read within 1 seconds"})


def _queue(exchange: Exchange, name: str, data: bytes) -> None:
    reference = exchange.ports.archive.keep(data, sha256(data))
    with exchange.register.transaction() as tx:
        queue(tx, exchange.ports.clock, "P001", name, sha256(data), reference)


class _AwayAtFirst:
    def __init__(self, drop: object) -> None:
        self._drop = drop

    def __getattr__(self, name: str) -> object:
        return getattr(self._drop, name)

    def deliver(self, party: str, name: str, content: Outgoing) -> None:
        raise RetryLater("the host is away")


def test_what_goes_out_is_encrypted_to_the_newest_key_and_signed_by_the_bank(exchange: Exchange) -> None:
    register(exchange, "P001", "newest", begins=0)
    _queue(exchange, "P001_A.json", b"what P001 is told")
    assert deliver_pending(with_drop(exchange.ports, _AwayAtFirst(exchange.drop))).delivered == []
    made = exchange.rows("outbound")[0]
    assert deliver_pending(exchange.ports).delivered == ["P001_A.json"]
    (row,) = exchange.rows("outbound")
    # Made once: what is tried again is the same message.
    assert (row["wire_name"], row["wire_sha256"]) == ("P001_A.json.pgp", made["wire_sha256"])
    ((name, message),) = exchange.outbound_bytes().items()
    assert (name, sha256(message), b"P001 is told" in message) == ("P001_A.json.pgp", row["wire_sha256"], False)
    read = [decrypt(message, decryptor=_key(one).decryptor(), store=lambda _: [bank(exchange)]) for one in ("newest",)]
    assert [(r.bytes, r.valid_sigs[0].certificate) for r in read] == [(b"what P001 is told", bank(exchange).fingerprint)]
    assert exchange.ports.archive.read(row["archive_ref"]) == b"what P001 is told"
    onboard_with(exchange, {"out": ["SIGNED"]})
    _queue(exchange, "P001_B.json", b"signed only")
    deliver_pending(exchange.ports)
    signed = exchange.outbound_bytes()["P001_B.json.pgp"]
    assert verify(signed, store=lambda _: [bank(exchange)]).bytes == b"signed only"


def test_without_a_key_in_force_a_file_waits_and_says_why(exchange: Exchange) -> None:
    propose_revocation(exchange.register, exchange.ports.clock, "wang", "P001", _cert("P001").fingerprint.upper(), "lost")
    _queue(exchange, "P001_A.json", b"x")
    ((name, why),) = deliver_pending(exchange.ports).failed
    assert name == "P001_A.json" and "no OpenPGP key in force" in why
    assert list(exchange.folder(which="out").iterdir()) == []
    register(exchange, "P001", "new one")
    assert deliver_pending(exchange.ports).delivered == ["P001_A.json"]


def test_keys_that_are_none_are_not_registered(exchange: Exchange, tmp_path: Path) -> None:
    from console.commands.organisations import read_key
    from custody.services.party_keys import KeyUse

    revoked = Cert.from_bytes(bytes(_cert("gone")) + bytes(_cert("gone").revoke(_key("gone").certifier())))
    for text in ("", "x", str(_key("P001")), str(revoked), public_line(exchange)):
        with pytest.raises(UsageError, match="no OpenPGP public key"):
            read_key(KeyUse.OPENPGP, text)
    assert read_key(KeyUse.OPENPGP, str(_cert("P001"))).fingerprint == _cert("P001").fingerprint.upper()
    for path in (tmp_path / "absent", tmp_path):
        with pytest.raises(SettingsError):
            bank_certificate(path)


def public_line(exchange: Exchange) -> str:
    from connectors.ssh_keys import public_key_line

    return public_key_line(exchange.settings.home / "party_keys" / "P001")


@pytest.mark.parametrize("term", [[], {"in": "SIGNED"}, {"in": ["LOCKED"]}, {"there": ["SIGNED"]}, {"in": [1]}, 1])
def test_a_contract_that_names_no_protection_is_not_proposed(term: object) -> None:
    assert contract_faults("PLATFORM", {**CONTRACT, "openpgp": {"in": BOTH, "out": []}}) == []
    assert contract_faults("PLATFORM", {**CONTRACT, "openpgp": term}) != []
