"""What a file comes wrapped in: a zip with named entries, base64, a member of JSON, a reply of name=value pairs.

Steps are declared outermost first. Each one bounds what it gives, so that a small file cannot grow without end; what
does not open is BadEnvelope. Encryption line by line is out of scope here (it belongs to signatures and keys).
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

_MAX_ENTRIES = 1000
_EPOCH = (1980, 1, 1, 0, 0, 0)


class BadEnvelope(ValueError):
    """The file cannot be opened as its layout says; ``rule`` and ``figures`` make its words (custody.texts)."""

    def __init__(self, rule: str, **figures: object) -> None:
        super().__init__(rule)
        self.rule, self.figures = rule, figures


@dataclass(frozen=True)
class Step:
    """``member`` of form and json; ``entry`` (pattern), ``write_as`` (template of the file date) and ``max_bytes`` of zip
    and base64."""

    kind: str
    member: str = ""
    entry: str = ""
    write_as: str = ""
    max_bytes: int = 0

    def open(self, data: bytes) -> bytes:
        return _OPEN[self.kind](self, data)

    def close(self, data: bytes, file_date: date | None) -> bytes:
        return _CLOSE[self.kind](self, data, file_date)


def open_envelope(steps: Sequence[Step], data: bytes) -> bytes:
    """The layout's own bytes. Raises BadEnvelope."""
    for step in steps:
        data = step.open(data)
    return data


def close_envelope(steps: Sequence[Step], data: bytes, file_date: date | None) -> bytes:
    """The inverse: same bytes in, same bytes out."""
    for step in reversed(steps):
        data = step.close(data, file_date)
    return data


def _open_form(step: Step, data: bytes) -> bytes:
    # Base64 may hold "=" and "+" as they are, so nothing is unquoted.
    found = [part.partition(b"=")[2] for part in data.split(b"&") if part.partition(b"=")[0] == step.member.encode()]
    if len(found) != 1:
        raise BadEnvelope("envelope_member", member=step.member)
    return found[0]


def _open_json(step: Step, data: bytes) -> bytes:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise BadEnvelope("envelope_json") from None
    for name in step.member.split("."):
        if not isinstance(found, dict) or name not in found:
            raise BadEnvelope("envelope_member", member=step.member)
        found = found[name]
    if not isinstance(found, str):
        raise BadEnvelope("envelope_member", member=step.member)
    return found.encode("utf-8", errors="surrogatepass")


def _open_base64(step: Step, data: bytes) -> bytes:
    if len(data) * 3 // 4 > step.max_bytes + 2:
        raise BadEnvelope("envelope_too_large", limit=step.max_bytes)
    try:
        return base64.b64decode(b"".join(data.split()), validate=True)
    except binascii.Error:
        raise BadEnvelope("envelope_base64") from None


def _open_zip(step: Step, data: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if len(entries) > _MAX_ENTRIES:
                raise BadEnvelope("envelope_too_large", limit=_MAX_ENTRIES)
            fitting = [e for e in entries if re.fullmatch(step.entry, e.filename.replace("\\", "/").rpartition("/")[2])]
            if len(fitting) != 1:
                raise BadEnvelope("envelope_entry", pattern=step.entry, found=len(fitting))
            # What an entry says of its own size is not believed: reading stops behind the limit.
            with archive.open(fitting[0]) as entry:
                content = entry.read(step.max_bytes + 1)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError, ValueError) as why:
        if isinstance(why, BadEnvelope):
            raise
        raise BadEnvelope("envelope_zip") from None
    if len(content) > step.max_bytes:
        raise BadEnvelope("envelope_too_large", limit=step.max_bytes)
    return content


def _close_zip(step: Step, data: bytes, file_date: date | None) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo(step.write_as.format(custody_date=file_date), _EPOCH)
        info.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(info, data)
    return out.getvalue()


def _close_json(step: Step, data: bytes, _: date | None) -> bytes:
    inner: object = data.decode()
    for name in reversed(step.member.split(".")):
        inner = {name: inner}
    return json.dumps(inner, ensure_ascii=False, separators=(",", ":")).encode()


_OPEN: dict[str, Callable[[Step, bytes], bytes]] = {
    "form": _open_form,
    "json": _open_json,
    "base64": _open_base64,
    "zip": _open_zip,
}
_CLOSE: dict[str, Callable[[Step, bytes, date | None], bytes]] = {
    "form": lambda step, data, _: step.member.encode() + b"=" + data,
    "json": _close_json,
    "base64": lambda step, data, _: base64.b64encode(data),
    "zip": _close_zip,
}
KINDS = tuple(_OPEN)
