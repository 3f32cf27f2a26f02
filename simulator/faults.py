"""What is asked for: faults of a kind, read from YAML, and refused with the reason where a world cannot show them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from custody.money import parse_amount
from simulator.fault_kinds import FAULT_KINDS
from simulator.victim import CORE

KINDS = tuple(FAULT_KINDS)
_FIELDS = {"kind", "count", "date", "party", "amount"}


class _Loader(yaml.SafeLoader):
    """Numbers with a point stay text: money is never a binary number."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:float"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class FaultRequestError(ValueError):
    """The list of faults is malformed, or asks for one that this world has no place for: change the list or the world."""


@dataclass(frozen=True, slots=True)
class FaultRequest:
    """``count`` faults of a kind, on any date and of any party unless these are named. ``party``: who errs, or the platform
    whose books show it. ``amount_minor``: the size of the deviation. ``where`` says where the request was written down."""

    kind: str
    count: int
    date: date | None = None
    party: str | None = None
    amount_minor: int | None = None
    where: str = ""

    def __post_init__(self) -> None:
        if self.kind not in FAULT_KINDS:
            raise self.refused(f"unknown fault kind {self.kind!r}; known: {', '.join(KINDS)}")
        if self.count < 1:
            raise self.refused(f"{self.kind}: count must be at least 1, not {self.count}")
        if self.amount_minor is not None and not FAULT_KINDS[self.kind].is_sized:
            sized = ", ".join(name for name, kind in FAULT_KINDS.items() if kind.is_sized)
            raise self.refused(f"{self.kind} has no size: leave amount out, or ask for one of {sized}")
        if self.amount_minor is not None and self.amount_minor < 1:
            raise self.refused(f"{self.kind}: amount must be at least 0.01")

    def refused(self, why: str) -> FaultRequestError:
        return FaultRequestError(f"{self.where}: {why}" if self.where else why)


def load_faults(path: Path) -> list[FaultRequest]:
    """Read a YAML list of {kind, count, party?, date?, amount?}. Raises FaultRequestError, naming the entry that is wrong."""
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FaultRequestError(f"{path.name} is no YAML in UTF-8: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(raw, list):
        raise FaultRequestError(f"{path.name}: a list of faults is expected")
    return [_request(f"{path.name}, entry {number}", entry) for number, entry in enumerate(raw, start=1)]


def _request(where: str, entry: Any) -> FaultRequest:
    if not isinstance(entry, dict) or not {"kind", "count"} <= set(entry) <= _FIELDS:
        raise FaultRequestError(f"{where}: kind and count are required; party, date and amount may follow")
    day, party = entry.get("date"), entry.get("party")
    if not isinstance(entry["count"], int) or isinstance(entry["count"], bool):
        raise FaultRequestError(f"{where}: count must be a whole number")
    if day is not None and type(day) is not date:
        raise FaultRequestError(f"{where}: date must be YYYY-MM-DD")
    if party is not None and not isinstance(party, str):
        raise FaultRequestError(f"{where}: party must be the code of a platform, a channel or the gateway, or {CORE}")
    return FaultRequest(str(entry["kind"]), entry["count"], day, party, _amount(where, entry.get("amount")), where)


def _amount(where: str, raw: Any) -> int | None:
    if raw is None:
        return None
    if isinstance(raw, bool) or not isinstance(raw, int | str):
        raise FaultRequestError(f"{where}: amount must be in yuan, such as 12.30")
    try:
        return parse_amount(str(raw))
    except ValueError as error:
        raise FaultRequestError(f"{where}: amount must be in yuan, such as 12.30: {error}") from None


def check_request(request: FaultRequest, kinds_of_parties: Mapping[str, str], dates: Collection[date]) -> None:
    """``kinds_of_parties``: PLATFORM, CHANNEL, GATEWAY (or CORE) by party code. Raises FaultRequestError."""
    kind = FAULT_KINDS[request.kind]
    if request.party is not None and request.party not in kinds_of_parties:
        raise request.refused(f"{request.kind}: there is no party {request.party}; there are {', '.join(kinds_of_parties)}")
    if request.party is not None and kinds_of_parties[request.party] not in kind.at:
        able = [party for party, of in kinds_of_parties.items() if of in kind.at]
        raise request.refused(f"{request.party} cannot show {request.kind}; these can: {', '.join(able)}")
    if request.date is not None and request.date not in dates:
        raise request.refused(f"{request.kind}: {request.date} is not a date of this world ({min(dates)} to {max(dates)})")
