"""A party that does not drop its files with us: its contract names its own SFTP host, which we dial (domain.md §5).

``external_host`` of a contract: ``host``, ``port``, ``user``; ``host_key``, the one key that the host may show, as a line of a public key;
``inbound``, the folder from which we fetch, and ``outbound``, that into which we deliver; ``claim``: RENAME where we may rename a file in
``inbound`` before we read it, READ where we may only read and remove.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

TERM = "external_host"
_KEY_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}")
_FOLDER = re.compile(r"(/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){1,10}")


class Claim(StrEnum):
    RENAME = "RENAME"
    READ = "READ"


@dataclass(frozen=True)
class ExternalHost:
    host: str
    port: int
    user: str
    host_key: str
    inbound: str
    outbound: str
    claim: str


def external_host(contract: Mapping[str, Any]) -> ExternalHost | None:
    """None where the party drops with us."""
    said = contract.get(TERM)
    return None if said is None else ExternalHost(**said)


def faults(contract: Mapping[str, Any]) -> list[str]:
    """What is wrong with the term, in words."""
    said = contract.get(TERM)
    if said is None:
        return []
    names = [field.name for field in fields(ExternalHost)]
    if not isinstance(said, Mapping) or set(said) != set(names):
        return [f"{TERM} must have {', '.join(names)}, and nothing else"]
    port = said["port"]
    checks = {
        "host": isinstance(said["host"], str) and _HOST.fullmatch(said["host"]),
        "port": isinstance(port, int) and not isinstance(port, bool) and 0 < port < 65536,
        "user": isinstance(said["user"], str) and _USER.fullmatch(said["user"]),
        "host_key": isinstance(said["host_key"], str) and _is_host_key(said["host_key"]),
        "inbound": isinstance(said["inbound"], str) and _FOLDER.fullmatch(said["inbound"]),
        "outbound": isinstance(said["outbound"], str) and _FOLDER.fullmatch(said["outbound"]),
        "claim": said["claim"] in list(Claim),
    }
    wrong = [f"{TERM}: {name} is none: {said[name]!r}" for name, is_right in checks.items() if not is_right]
    if not wrong and said["inbound"] == said["outbound"]:
        return [f"{TERM}: inbound and outbound are one folder, from which we would fetch what we delivered"]
    return wrong


def _is_host_key(line: str) -> bool:
    """``TYPE BASE64`` of a type that is safe today."""
    words = line.split(" ")
    if len(words) != 2 or words[0] not in _KEY_TYPES:
        return False
    try:
        blob = base64.b64decode(words[1], validate=True)
    except binascii.Error:
        return False
    # RFC 4253 §6.6: the type again, with its length in four octets before it.
    return blob.startswith(len(words[0]).to_bytes(4) + words[0].encode()) and len(blob) > 4 + len(words[0])
