"""The lines of a log-in's authorized keys: a key, and in front of it the moment from which the server refuses it by itself.

sshd knows an end (``expiry-time``) and no beginning: a key that will work later is written when its first date has come
(``custody org admit``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta

from custody.calendar import CHINA
from custody.services.party_keys import PartyKey

_LINE = re.compile(r'(?:expiry-time="(?P<until>[0-9]{14})Z" )?(?P<key>[a-z0-9-]+ [A-Za-z0-9+/=]+)')
_FORM = "%Y%m%d%H%M%S"


def authorized_line(key: PartyKey) -> str:
    """As OpenSSH reads it (sshd(8), AUTHORIZED_KEYS). The last date ends at midnight of UTC+8."""
    if key.valid_to is None:
        return key.public_key
    ends = datetime.combine(key.valid_to + timedelta(days=1), time(), CHINA).astimezone(UTC)
    return f'expiry-time="{ends:{_FORM}}Z" {key.public_key}'


def accepted_keys(text: str, now: datetime) -> list[str]:
    """Of such lines the keys (type and base64) that a server accepts now."""
    found = [_LINE.fullmatch(line) for line in text.splitlines()]
    return [line["key"] for line in found if line is not None and (line["until"] is None or now < _until(line["until"]))]


def keys_named(text: str) -> set[str]:
    """The keys of such lines, whether they have ended or not."""
    return {line["key"] for line in map(_LINE.fullmatch, text.splitlines()) if line is not None}


def as_file(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _until(said: str) -> datetime:
    return datetime.strptime(said, _FORM).replace(tzinfo=UTC)
