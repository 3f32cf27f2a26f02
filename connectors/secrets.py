"""The instance's keys, and the two ways they are used: naming a person, and sealing bytes at rest (design.md §4.6)."""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from connectors.archive import write_durably
from custody.errors import SealBroken, SettingsError

_KEY_BYTES = 32
_FORMAT = b"\x01"


def make_key_file(path: Path) -> None:
    """A new random key, readable by its owner only: there whole or not at all. An existing one is never replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        write_durably(path, f"{os.urandom(_KEY_BYTES).hex()}\n".encode(), 0o600)


def _read_key(path: Path) -> bytes:
    try:
        key = bytes.fromhex(path.read_text().strip())
    except (FileNotFoundError, ValueError) as error:
        raise SettingsError(f"{path} is not a key file: {error}") from error
    if len(key) != _KEY_BYTES:
        raise SettingsError(f"{path} holds {len(key)} bytes, a key has {_KEY_BYTES}")
    return key


class FileSecrets:
    """Implements custody.ports.Secrets on two key files: identity (HMAC) and master (wraps data keys)."""

    def __init__(self, identity_key: Path, master_key: Path) -> None:
        self._identity = _read_key(identity_key)
        self._master = _read_key(master_key)

    def identity_digest(self, id_type: str, id_no: str) -> str:
        message = f"{id_type}|{id_no.upper()}".encode()
        return "C" + hmac.new(self._identity, message, hashlib.sha256).hexdigest()[:24]

    def index_digest(self, field: str, value: str) -> str:
        # The leading NUL stands in no identity type, so that this domain is apart from the customer ids'.
        message = f"\0index\0{field}\0{value.upper()}".encode()
        return hmac.new(self._identity, message, hashlib.sha256).hexdigest()[:40]

    def new_data_key(self) -> tuple[bytes, bytes]:
        key = AESSIV.generate_key(512)
        return key, aes_key_wrap(self._master, key)

    def unwrap(self, wrapped: bytes) -> bytes:
        try:
            return aes_key_unwrap(self._master, wrapped)
        except InvalidUnwrap as error:
            raise SealBroken("a data key does not unwrap under this instance's master key") from error

    def seal(self, key: bytes, plain: bytes, context: bytes) -> bytes:
        # The leading byte names the format, and lets an empty file be sealed too (AES-SIV takes no empty plaintext).
        return AESSIV(key).encrypt(_FORMAT + plain, [context])

    def open(self, key: bytes, sealed: bytes, context: bytes) -> bytes:
        try:
            return AESSIV(key).decrypt(sealed, [context]).removeprefix(_FORMAT)
        except InvalidTag as error:
            raise SealBroken("sealed bytes do not open: they or their key were changed") from error
