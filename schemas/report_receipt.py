"""What a recipient of a report answers: ``NAME.receipt.json`` beside the package's name, one JSON object."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from custody.services.releases import Receipt

SUFFIX = ".receipt.json"
MAX_BYTES = 65_536


class _Receipt(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    package: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    outcome: Literal["ACCEPTED", "REFUSED"]
    reason: Annotated[str, Field(max_length=400)] = ""

    @model_validator(mode="after")
    def _refusal_has_a_reason(self) -> Self:
        if not self.reason.isprintable():
            raise ValueError("reason must be printable")
        if self.outcome == "REFUSED" and not self.reason.strip():
            raise ValueError("a refusal says its reason")
        return self


def parse_receipt(data: bytes) -> Receipt | str:
    """The receipt, or in one line why it is none."""
    if len(data) > MAX_BYTES:
        return f"larger than {MAX_BYTES} bytes"
    try:
        said = _Receipt.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc']) or 'receipt'}: {first['msg'].removeprefix('Value error, ')}"[:200]
    return Receipt(said.package, said.sha256, said.outcome, said.reason)
