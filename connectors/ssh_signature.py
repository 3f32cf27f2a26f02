"""Signatures as ``ssh-keygen -Y sign`` makes them (OpenSSH's PROTOCOL.sshsig), so that anybody's ``ssh-keygen -Y verify`` checks them.

ed25519 signs without chance: the same bytes under the same key have the same signature, here and there (a test holds the two
together). So an instance needs no program beside Python to close a day, and looks through a year's signatures in a moment.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import stat
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

from custody.errors import SettingsError, StopRun

_MAGIC = b"SSHSIG"
_VERSION = (1).to_bytes(4)
_HASH = b"sha512"
_TYPE = b"ssh-ed25519"
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_LINE = 70


def signing_key(path: Path) -> Ed25519PrivateKey:
    """The ed25519 key in this file. Raises SettingsError where it is none, StopRun where others than its owner may read it."""
    try:
        mode, data = path.stat().st_mode, path.read_bytes()
        key = load_ssh_private_key(data, password=None)
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} is not an OpenSSH private key that can be used: {error}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise StopRun(
            f"{path} may be read by others (mode {stat.S_IMODE(mode):04o}): chmod 600, and take a new key if somebody had it"
        )
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(f"{path} is not an ed25519 key")
    return key


def public_line(key: Ed25519PrivateKey) -> str:
    """``ssh-ed25519 AAAA...``"""
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def sign(key: Ed25519PrivateKey, message: bytes, namespace: str) -> str:
    """The armoured signature of these bytes."""
    blob = base64.b64decode(public_line(key).split()[1])
    signature = _string(_TYPE) + _string(key.sign(_to_sign(message, namespace)))
    whole = _MAGIC + _VERSION + _string(blob) + _string(namespace.encode()) + _string(b"") + _string(_HASH) + _string(signature)
    text = base64.b64encode(whole).decode()
    lines = [text[at : at + _LINE] for at in range(0, len(text), _LINE)]
    return "\n".join([_BEGIN, *lines, _END]) + "\n"


def signer_of(message: bytes, armoured: str, namespace: str) -> str | None:
    """The public key line whose owner signed these bytes for this namespace; None where this is no such signature."""
    lines = armoured.strip().splitlines()
    if len(lines) < 3 or lines[0] != _BEGIN or lines[-1] != _END:
        return None
    try:
        whole = base64.b64decode("".join(lines[1:-1]), validate=True)
        if not whole.startswith(_MAGIC + _VERSION):
            return None
        blob, named, reserved, hashed, signature = _strings(whole[len(_MAGIC) + len(_VERSION) :])
        key_type, key = _strings(blob)
        signature_type, raw = _strings(signature)
        if (named, reserved, hashed, key_type, signature_type) != (namespace.encode(), b"", _HASH, _TYPE, _TYPE):
            return None
        Ed25519PublicKey.from_public_bytes(key).verify(raw, _to_sign(message, namespace))
    except (binascii.Error, ValueError, InvalidSignature):
        return None
    return f"{_TYPE.decode()} {base64.b64encode(blob).decode()}"


def _to_sign(message: bytes, namespace: str) -> bytes:
    return _MAGIC + _string(namespace.encode()) + _string(b"") + _string(_HASH) + _string(hashlib.sha512(message).digest())


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4) + data


def _strings(data: bytes) -> list[bytes]:
    """Raises ValueError where lengths and bytes do not come out even."""
    found = []
    while data:
        length = int.from_bytes(data[:4])
        if len(data) < 4 + length:
            raise ValueError("a signature is cut short")
        found.append(data[4 : 4 + length])
        data = data[4 + length :]
    return found
