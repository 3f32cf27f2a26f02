"""Names of files and the seal that closes a file set (domain.md §5)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from custody.names import FileType

MAX_SEAL_BYTES = 1_000_000
# A control total as a seal says it: yuan with two decimals. One that is larger than a file may carry is told so when the file is read.
TOTAL = r"^-?[0-9]{1,30}\.[0-9]{2}$"
_NAME = re.compile(r"([A-Z0-9]{2,10})_([A-Z_]{3,20})_([0-9]{8})_([0-9]{2})_v([1-9][0-9]?)\.(csv|json)(\.pgp|\.asc)?")


@dataclass(frozen=True)
class ExchangeName:
    """``P001_TXN_20191230_01_v1.csv``: sender, type, custody date, batch, version."""

    party: str
    file_type: str
    custody_date: date
    batch: int
    version: int
    # Of a file that is an OpenPGP message: .pgp or .asc (custody.protection).
    wrapping: str = ""

    @property
    def is_openpgp(self) -> bool:
        return self.wrapping != ""

    @property
    def is_seal(self) -> bool:
        return self.file_type == "SEAL"

    def __str__(self) -> str:
        suffix = "json" if self.is_seal else "csv"
        return (
            f"{self.party}_{self.file_type}_{self.custody_date:%Y%m%d}_{self.batch:02d}_v{self.version}.{suffix}{self.wrapping}"
        )

    @property
    def in_json(self) -> str:
        """The name of what the bank writes in JSON under these parts."""
        return str(self).replace(".csv", ".json")


def result_name(party: str, custody_date: date, version: int) -> str:
    """``P001_RECON_RESULT_20191230_01_v1.json``: a new version of the sealed reconciliation is a new version of its result."""
    return ExchangeName(party, FileType.RECON_RESULT, custody_date, 1, version).in_json


def parse_name(text: str) -> ExchangeName | None:
    """The parts of a file's name, or None when it is not one of ours."""
    found = _NAME.fullmatch(text)
    if found is None or (found[2] == "SEAL") != (found[6] == "json") or (found[6] == "json" and found[7]):
        return None
    try:
        day = date.fromisoformat(f"{found[3][:4]}-{found[3][4:6]}-{found[3][6:]}")
    except ValueError:
        return None
    return ExchangeName(found[1], found[2], day, int(found[4]), int(found[5]), found[7] or "")


class SealedFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Annotated[str, Field(max_length=80)]
    layout: Annotated[str, Field(max_length=60)]
    encoding: Annotated[str, Field(max_length=20)]
    bytes: Annotated[int, Field(ge=0)]
    rows: Annotated[int, Field(ge=0)]
    # One of the two: SHA-256, or SM3 (GB/T 32905).
    sha256: Annotated[str | None, Field(pattern=r"^[0-9a-f]{64}$")] = None
    sm3: Annotated[str | None, Field(pattern=r"^[0-9a-f]{64}$")] = None
    totals: Annotated[dict[Annotated[str, Field(max_length=60)], Annotated[str, Field(pattern=TOTAL)]], Field(max_length=50)]
    # How many batches carry this type for this date in all, said by the last of them; null while more will follow. A type has
    # landed when as many of its batches have.
    batches: Annotated[int | None, Field(ge=1, le=99)]

    @model_validator(mode="after")
    def _has_one_digest(self) -> Self:
        if (self.sha256 is None) == (self.sm3 is None):
            raise ValueError("a file has one digest, sha256 or sm3")
        return self

    @property
    def digest(self) -> tuple[str, str]:
        """(algorithm, in hexadecimal)."""
        return ("sha256", self.sha256) if self.sha256 is not None else ("sm3", self.sm3 or "")


class Seal(BaseModel):
    """The flag file, written last: nothing it does not list is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    party: Annotated[str, Field(max_length=10)]
    custody_date: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    batch: Annotated[int, Field(ge=1, le=99)]
    version: Annotated[int, Field(ge=1, le=99)]
    files: Annotated[list[SealedFile], Field(max_length=1000)]

    def to_bytes(self) -> bytes:
        # Of the two digests only the one that was said.
        return (self.model_dump_json(indent=1, exclude_unset=True) + "\n").encode()


def parse_seal(data: bytes) -> Seal | str:
    """The seal, or in one line why it is not one."""
    if len(data) > MAX_SEAL_BYTES:
        return f"larger than {MAX_SEAL_BYTES} bytes"
    try:
        return Seal.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc']) or 'seal'}: {first['msg'].removeprefix('Value error, ')}"[:200]


def sha256_hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
