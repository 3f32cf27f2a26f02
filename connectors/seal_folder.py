"""The folder of the days' signed statements: ``2019-12-31_v1.json``, its signature ``2019-12-31_v1.json.sig``, the register's state that it
digests, ``2019-12-31_v1_register.json``; and ``allowed_signers``.

It lies beside the register and not in it, better still on a disk of other people's: who rewrites the register meets here what was
signed before. The private keys lie in a folder of their own, of the instance's user alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connectors.archive import write_durably
from connectors.ssh_keys import make_key
from connectors.ssh_signature import public_line, sign, signer_of, signing_key
from custody.day_seal import NAMESPACE, DayStatement, RegisterState, SignedDay, read_state, read_statement
from custody.errors import StopRun
from custody.services.seal_keys import SealKey, allowed_signers, first_key, key_on
from schemas.exchange import sha256_hex

ALLOWED_SIGNERS = "allowed_signers"
_SIGNATURE = ".sig"
_STATE = "_register.json"
_FIRST_KEY = "first"
_STATEMENT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})_v([0-9]+)\.json", re.ASCII)


@dataclass(frozen=True)
class Kept:
    """What the folder has of the days. ``days`` are those that read well and are signed by the key of their date, in the order of
    their audit events; ``wrong`` says what is the matter with the others."""

    days: tuple[SignedDay, ...]
    wrong: tuple[str, ...]


class SealFolder:
    """``folder``: statements; ``keys``: private keys, in files of any names."""

    def __init__(self, folder: Path, keys: Path) -> None:
        self._folder = folder
        self._keys = keys

    def begin(self, go_live: date) -> bool:
        """The first key, where there is none; returns whether it was made now. An existing one is never replaced."""
        signers = self._folder / ALLOWED_SIGNERS
        if signers.exists():
            return False
        make_key(self._keys / _FIRST_KEY)
        key = SealKey(public_line(signing_key(self._keys / _FIRST_KEY)), go_live)
        self._folder.mkdir(parents=True, exist_ok=True)
        write_durably(signers, allowed_signers([key]).encode(), 0o644)
        return True

    def make_key(self, name: str) -> str:
        """Another private key, under this name; returns its public line. Repeating gives the same key."""
        make_key(self._keys / name)
        return public_line(signing_key(self._keys / name))

    def first(self) -> SealKey:
        """Raises StopRun where the instance has no key yet."""
        try:
            return first_key((self._folder / ALLOWED_SIGNERS).read_text(encoding="ascii"))
        except (OSError, ValueError) as error:
            raise StopRun(
                f"{self._folder / ALLOWED_SIGNERS} does not name the bank's key ({error}): make one with custody init"
            ) from error

    def write_signers(self, keys: list[SealKey]) -> None:
        """Bring ``allowed_signers`` up to date with the keys that were let in."""
        path, wanted = self._folder / ALLOWED_SIGNERS, allowed_signers(keys).encode()
        if path.read_bytes() != wanted:
            write_durably(path, wanted, 0o644)

    def signers(self) -> bytes:
        return (self._folder / ALLOWED_SIGNERS).read_bytes()

    def put(self, statement: DayStatement, state: RegisterState, keys: list[SealKey]) -> None:
        """Keep the statement with its signature and the state that it digests, all for good; what stands already stays, so that it may be repeated after a crash.

        Raises StopRun where the private key of its date is not here, or may be read by others.
        """
        key = key_on(keys, statement.custody_date)
        if key is None:
            raise StopRun(f"no seal key signs {statement.custody_date}: the first one signs from {keys[0].valid_from} on")
        private = self._private(key)
        path = self._folder / f"{statement.name}.json"
        if not path.exists():
            # First, and anew by a run that finds the statement lacking: nothing stands under a statement that it does not digest.
            write_durably(self._folder / f"{statement.name}{_STATE}", state.text(), 0o444)
            write_durably(path, statement.text(), 0o444)
        signature = path.with_name(path.name + _SIGNATURE)
        if not signature.exists():
            write_durably(signature, sign(private, path.read_bytes(), NAMESPACE).encode(), 0o444)

    def standing(self, custody_date: date, version: int) -> bool:
        path = self._folder / f"{custody_date.isoformat()}_v{version}.json"
        return path.exists() and path.with_name(path.name + _SIGNATURE).exists()

    def read(self, custody_date: date, version: int) -> tuple[bytes, bytes]:
        """A statement as it was signed, and its signature. Raises StopRun where they are not kept."""
        path = self._folder / f"{custody_date.isoformat()}_v{version}.json"
        try:
            return path.read_bytes(), path.with_name(path.name + _SIGNATURE).read_bytes()
        except FileNotFoundError as error:
            raise StopRun(f"{error.filename} is not there: {custody_date} v{version} has no signed statement") from error

    def kept(self, keys: list[SealKey]) -> Kept:
        """All statements, each held against its signature and the key of its date."""
        found: list[SignedDay] = []
        wrong: list[str] = []
        for path in sorted(self._folder.glob("*.json")) if self._folder.is_dir() else []:
            if path.name.endswith(_STATE):
                continue
            named = _STATEMENT.fullmatch(path.name)
            if named is None:
                wrong.append(f"{self._folder.name}/{path.name} is no statement of a day")
                continue
            try:
                text = path.read_bytes()
                said = read_statement(text)
            except ValueError as error:
                wrong.append(f"{self._folder.name}/{path.name} was changed: {error}")
                continue
            if path.name != f"{said.name}.json":
                wrong.append(f"{self._folder.name}/{path.name} is the statement of {said.custody_date} v{said.version}")
                continue
            fault = _signature_fault(path, text, key_on(keys, said.custody_date))
            if fault is not None:
                wrong.append(f"{self._folder.name}/{path.name}: {fault}")
                continue
            state = _state(self._folder / f"{said.name}{_STATE}", said)
            if state is None:
                wrong.append(f"{self._folder.name}/{said.name}{_STATE} is missing, or is not the one that was signed")
            found.append(SignedDay(said, state))
        if self._folder.is_dir() and self.signers() != allowed_signers(keys).encode():
            wrong.append(f"{self._folder.name}/{ALLOWED_SIGNERS} has other keys than two people let in")
        return Kept(tuple(sorted(found, key=lambda day: day.said.audit_no)), tuple(wrong))

    def _private(self, key: SealKey) -> Ed25519PrivateKey:
        for path in sorted(self._keys.iterdir()) if self._keys.is_dir() else []:
            if path.is_file() and not path.name.startswith(".") and path.suffix != ".pub":
                private = signing_key(path)
                if public_line(private) == key.public_key:
                    return private
        raise StopRun(f"no private key in {self._keys} is the one that signs from {key.valid_from} on: {key.public_key[-12:]}")


def _state(path: Path, said: DayStatement) -> RegisterState | None:
    try:
        text = path.read_bytes()
        return read_state(text) if sha256_hex(text) == said.register else None
    except (OSError, ValueError):
        return None


def _signature_fault(path: Path, text: bytes, key: SealKey | None) -> str | None:
    try:
        signer = signer_of(text, path.with_name(path.name + _SIGNATURE).read_text(encoding="ascii"), NAMESPACE)
    except (OSError, UnicodeDecodeError):
        return "its signature cannot be read"
    if signer is None:
        return "its signature is not one of these bytes"
    if key is None or signer != key.public_key:
        return "it is signed by a key that did not sign this date"
    return None
