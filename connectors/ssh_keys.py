"""SSH keys of this instance: ed25519 in OpenSSH form, and the pinned host key that every client checks."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_ssh_private_key

from connectors.archive import write_durably
from custody.errors import SettingsError

SSH_PORT = 22


def make_key(path: Path) -> None:
    """A new ed25519 key in OpenSSH form, mode 0600: there whole or not at all. An existing one is never replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        key = Ed25519PrivateKey.generate()
        write_durably(path, key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()), 0o600)


def public_key_line(path: Path) -> str:
    """``ssh-ed25519 AAAA...`` of the private key in this file. Raises SettingsError when it is not one."""
    try:
        key = load_ssh_private_key(path.read_bytes(), password=None)
    except (FileNotFoundError, ValueError) as error:
        raise SettingsError(f"{path} is not an OpenSSH private key: {error}") from error
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def host_name(host: str, port: int) -> str:
    """The host as known_hosts spells it."""
    return host if port == SSH_PORT else f"[{host}]:{port}"


def pin_host(known_hosts: Path, host: str, port: int, host_key: Path) -> None:
    """Make ``host_key``'s public part the one key that clients accept for host:port; other hosts' lines stay."""
    known_hosts.parent.mkdir(parents=True, exist_ok=True)
    name = host_name(host, port)
    lines = known_hosts.read_text(encoding="ascii").splitlines() if known_hosts.exists() else []
    kept = [line for line in lines if line.split(" ", 1)[0] != name]
    text = "".join(f"{line}\n" for line in [*kept, f"{name} {public_key_line(host_key)}"])
    write_durably(known_hosts, text.encode("ascii"), 0o644)
