"""OpenPGP where a contract asks for it (domain.md §5, raw bytes encrypted where the contract says so): which way, and what.

``openpgp`` of a contract is ``{"in": [...], "out": [...]}``, each a list of ENCRYPTED and SIGNED. A data file that comes in is then
one OpenPGP message, NAME.csv.pgp or NAME.csv.asc, encrypted to the bank's key, signed by a key of the party, or both; a file that goes
out is NAME.pgp, encrypted to the party's key, signed by the bank's, or both. Seals stay as they are and speak of what is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

TERM = "openpgp"
# By which a name says that the file is an OpenPGP message: binary, or in ASCII armour.
SUFFIXES = (".pgp", ".asc")


class Way(StrEnum):
    IN = "in"
    OUT = "out"


class Protection(StrEnum):
    ENCRYPTED = "ENCRYPTED"
    SIGNED = "SIGNED"


def asked(contract: Mapping[str, Any], way: Way) -> frozenset[Protection]:
    """What the contract asks of files that go this way; nothing where it does not speak of OpenPGP."""
    return frozenset(Protection(one) for one in contract.get(TERM, {}).get(way, ()))


def faults(contract: Mapping[str, Any]) -> list[str]:
    """What is wrong with the term, in words."""
    said = contract.get(TERM, {})
    lists = said.values() if isinstance(said, Mapping) else [None]
    names = [str(one) for one in Protection]
    if (
        isinstance(said, Mapping)
        and set(said) <= set(Way)
        and all(isinstance(one, list) and set(map(str, one)) <= set(names) for one in lists)
    ):
        return []
    return [f"{TERM} must name for {' and '.join(Way)} a list of {', '.join(names)}"]
