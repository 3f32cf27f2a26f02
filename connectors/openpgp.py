"""OpenPGP by Sequoia (pysequoia): the bank's own key, parties' public keys, messages opened and made piece by piece.

A message is read in a process of its own (connectors.openpgp_child), so that what a stranger made can neither take more memory, time
or room than it is given, nor end the collector. Content passes through pipes: nothing of it ever lies in clear on a disk.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pysequoia import ArmorKind, Cert, Tsk, armor
from pysequoia.packet import PacketPile, Tag

from connectors.archive import write_durably
from custody.calendar import custody_date_of
from custody.errors import RetryLater, SettingsError
from custody.ports import Opened
from custody.protection import Protection
from custody.services.party_keys import KeyUse, PartyKey, PublicKey

# What a process may take, its libraries among it, whatever the message's size: the library holds up to 25 MB back until it has seen
# whether a signature follows.
_MEMORY_BYTES = 256 * 1024 * 1024
_PIECE = 256 * 1024
_MAX_ANSWER = 1024 * 1024
# RFC 9580 §5: packets of encrypted data and of the keys to it.
_ENCRYPTED_TAGS = (1, 3, 9, 18, 20)
_ARMOUR = b"-----BEGIN PGP MESSAGE-----"


def make_bank_key(path: Path, name: str) -> None:
    """A new OpenPGP key of the bank's, readable by its owner only: there whole or not at all. An existing one is never replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        write_durably(path, str(Tsk.generate(name)).encode(), 0o600)


def bank_certificate(path: Path) -> str:
    """The public part of the bank's key, in ASCII armour, for parties. Raises SettingsError."""
    return str(_bank_key(path).extract_certificate())


def _bank_key(path: Path) -> Tsk:
    try:
        return Tsk.from_file(str(path))
    except (RuntimeError, OSError) as error:
        raise SettingsError(f"{path} is not the bank's OpenPGP key: {str(error).splitlines()[0]}") from error


def openpgp_key(text: str, today: date) -> PublicKey | None:
    """The certificate in this text, in armour or not; None when it is none, holds a secret key, was revoked, has expired, or can neither
    be encrypted to nor sign."""
    try:
        cert = Cert.from_bytes(text.encode())
        if cert.is_revoked or _has_ended(cert, today) or not cert.user_ids:
            return None
        if any(packet.tag in (Tag.SecretKey, Tag.SecretSubkey) for packet in PacketPile.from_bytes(text.encode())):
            return None
        return PublicKey(KeyUse.OPENPGP, armor(bytes(cert), ArmorKind.PublicKey), cert.fingerprint.upper())
    except (RuntimeError, ValueError):
        return None


def _has_ended(cert: Cert, today: date) -> bool:
    return cert.expiration is not None and custody_date_of(cert.expiration) < today


@dataclass(frozen=True)
class _Known:
    """What a registered certificate says of itself."""

    key: PartyKey
    cert: Cert
    # Of its keys, the signing ones among them, in lower-case hexadecimal.
    fingerprints: frozenset[str]

    @classmethod
    def of(cls, key: PartyKey) -> _Known:
        cert = Cert.from_bytes(key.public_key.encode())
        packets = PacketPile.from_bytes(bytes(cert))
        prints = [p.fingerprint for p in packets if p.tag in (Tag.PublicKey, Tag.PublicSubkey) and p.fingerprint is not None]
        return cls(key, cert, frozenset(prints))

    def has(self, issuer: str) -> bool:
        # An old signature names its key by the last sixteen digits only.
        return any(one.endswith(issuer.lower()) for one in self.fingerprints)

    def works_on(self, day: date) -> bool:
        return self.key.works_on(day) and not self.cert.is_revoked and not _has_ended(self.cert, day)


class SequoiaOpenPgp:
    """Implements custody.ports.OpenPgp."""

    def __init__(self, bank_key: Path, timeout_seconds: int) -> None:
        self._bank_key = bank_key
        self._timeout = timeout_seconds

    def open(
        self,
        message: Callable[[], Iterator[bytes]],
        wanted: frozenset[Protection],
        keys: Sequence[PartyKey],
        others: Callable[[], Iterable[PartyKey]],
        day: date,
        limit_bytes: int,
        into: Callable[[bytes], None],
    ) -> Opened:
        known = [_Known.of(key) for key in keys]
        if Protection.ENCRYPTED in wanted and not _is_encrypted(message()):
            return Opened("openpgp_not_encrypted", {})
        job = {"work": "open", "certs": [str(one.cert) for one in known], "signed": Protection.SIGNED in wanted}
        run = self._run(job, message(), limit_bytes, into)
        if run.too_large:
            return Opened("openpgp_too_large", {"limit": limit_bytes})
        if run.found is None:
            return Opened("openpgp_unreadable", {"why": run.ended})
        found, error = run.found, run.found["error"]
        if error == "No key to decrypt message":
            return Opened("openpgp_not_for_us", {})
        if error is not None and not error.startswith("Signature verification failed"):
            return Opened("openpgp_unreadable", {"why": error[:200]})
        if Protection.SIGNED not in wanted:
            return Opened(None, {})
        signers = [one for one in known if one.cert.fingerprint in found["signers"]]
        if any(one.works_on(day) for one in signers):
            return Opened(None, {})
        if signers:
            return Opened("openpgp_key_not_in_force", {"key": signers[0].key.fingerprint})
        return _unproved(found["issuers"], known, others, day)

    def protect(
        self, content: Iterator[bytes], wanted: frozenset[Protection], keys: Sequence[PartyKey], into: Callable[[bytes], None]
    ) -> None:
        certs = [key.public_key for key in keys] if Protection.ENCRYPTED in wanted else []
        job = {"work": "protect", "certs": certs, "signed": Protection.SIGNED in wanted}
        run = self._run(job, content, None, into)
        if run.found is None or run.found["error"] is not None:
            raise RetryLater(f"the OpenPGP message could not be made: {run.ended if run.found is None else run.found['error']}")

    def _run(self, job: dict[str, Any], data: Iterator[bytes], limit: int | None, into: Callable[[bytes], None]) -> _Run:
        _bank_key(self._bank_key)  # before anything is read
        head = json.dumps({**job, "key": str(self._bank_key), "memory_bytes": _MEMORY_BYTES}).encode()
        answer, answer_to = os.pipe()
        # No trace of the library's own in its errors.
        environment = {**os.environ, "RUST_BACKTRACE": "0"}
        command = [sys.executable, "-m", "connectors.openpgp_child", str(answer_to)]
        try:
            child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=[answer_to],
                env=environment,
            )
        finally:
            os.close(answer_to)
        assert child.stdin is not None and child.stdout is not None
        timer = threading.Timer(self._timeout, child.kill)
        feeding: list[BaseException] = []
        feeder = threading.Thread(target=_feed, args=(child.stdin, head, data, feeding), daemon=True)
        size = 0
        try:
            timer.start()
            feeder.start()
            with child.stdout:
                while piece := os.read(child.stdout.fileno(), _PIECE):
                    size += len(piece)
                    if limit is not None and size > limit:
                        child.kill()
                        break
                    into(piece)
            said = _read_all(answer)
        finally:
            child.kill()
            child.wait()
            feeder.join()
            timed_out = not timer.is_alive()
            timer.cancel()
            os.close(answer)
        if feeding:
            raise feeding[0]
        if limit is not None and size > limit:
            return _Run(None, True, "")
        why = f"not read within {self._timeout} seconds" if timed_out else "the process that read it ended"
        return _Run(json.loads(said) if said else None, False, why)


@dataclass(frozen=True)
class _Run:
    """``found``: what the process said; None when it ended without a word, for the reason in ``ended``."""

    found: dict[str, Any] | None
    too_large: bool
    ended: str


def _unproved(issuers: Sequence[str], known: Sequence[_Known], others: Callable[[], Iterable[PartyKey]], day: date) -> Opened:
    """Why no signature counts."""
    if not issuers:
        return Opened("openpgp_unsigned", {})
    own = [one for one in known if any(map(one.has, issuers))]
    if own:
        if any(one.works_on(day) for one in own):
            return Opened("openpgp_bad_signature", {"key": own[0].key.fingerprint})
        return Opened("openpgp_key_not_in_force", {"key": own[0].key.fingerprint})
    if any(_Known.of(key).has(issuer) for key in others() for issuer in issuers):
        return Opened("openpgp_other_party", {"key": issuers[0].upper()})
    return Opened("openpgp_unknown_key", {"key": issuers[0].upper()})


def _is_encrypted(message: Iterator[bytes]) -> bool:
    """By its first packet (RFC 9580 §4.2), of which the first octet has the tag."""
    head = next(message, b"")
    if head.lstrip().startswith(_ARMOUR):
        head = _first_of_armour(head)
    if not head or not head[0] & 0x80:
        return False
    return (head[0] & 0x3F if head[0] & 0x40 else (head[0] & 0x3C) >> 2) in _ENCRYPTED_TAGS


def _first_of_armour(head: bytes) -> bytes:
    """Behind its headers and the empty line that ends them."""
    import base64
    import binascii

    lines = [line.strip() for line in head.lstrip().split(b"\n")]
    body = lines[lines.index(b"") + 1 :] if b"" in lines else []
    try:
        return base64.b64decode(body[0][:4], validate=True) if body else b""
    except binascii.Error:
        return b""


def _feed(pipe: Any, head: bytes, data: Iterator[bytes], failed: list[BaseException]) -> None:
    """In a thread of its own: the reader of the other end may write before it has read all."""
    try:
        with pipe:
            pipe.write(b"%08x" % len(head) + head)
            for piece in data:
                pipe.write(piece)
    except BrokenPipeError:
        pass  # it has read all that it wants
    except Exception as error:  # noqa: BLE001  (the one who waits raises it: a thread has no caller of its own)
        failed.append(error)


def _read_all(descriptor: int) -> bytes:
    data = b""
    while (piece := os.read(descriptor, _PIECE)) and len(data) < _MAX_ANSWER:
        data += piece
    return data
