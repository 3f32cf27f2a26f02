"""Plays the parties: puts one date's files of a simulated world into the SFTP drop, each party with its own key. A platform whose
contract lets it confirm answers yesterday's result besides."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from connectors.settings import Settings
from connectors.sftp_drop import PartyClient
from console.platform_answer import MAX_RESULT_BYTES, answer, answers_in, result_of_yesterday
from custody.confirmations import State
from custody.errors import UsageError
from custody.names import FileType
from schemas.exchange import parse_name

# The bank core's flows: they come by the core's own tables, not by the drop.
_CORE = "CORE"
_THREADS = 2


@dataclass(frozen=True)
class Delivered:
    """What one date's delivery put into the drop. ``files`` counts data files, without seals."""

    parties: int
    files: int
    seals: int
    bytes: int


def deliver(world_dir: Path, day: date, settings: Settings, silent: Collection[str] = ()) -> Delivered:
    """Upload each party's folder of that date, its data files first and its seals last. Delivering again is harmless. Platforms in
    ``silent`` do not confirm yesterday's result.

    Raises UsageError when the world has no such date or no key for a party, RetryLater when the drop is away, StopRun
    when it does not take a party's key or shows another host key.
    """
    folder = world_dir / day.isoformat()
    if not folder.is_dir():
        raise UsageError(f"{folder} does not exist: simulate makes it")
    parties = sorted(p for p in folder.iterdir() if p.is_dir() and p.name != _CORE)
    with ThreadPoolExecutor(max_workers=_THREADS) as pool:
        parts = list(pool.map(lambda party: _deliver_party(party, world_dir / "keys" / party.name, settings), parties))
        answering = [p for p in _answering(world_dir) if (folder / p["party"]).is_dir() and p["party"] not in silent]
        answers = answers_in(world_dir)
        parts += pool.map(lambda party: _answer(party, day, answers, world_dir / "keys" / party["party"], settings), answering)
    return Delivered(len(parties), sum(p.files for p in parts), sum(p.seals for p in parts), sum(p.bytes for p in parts))


def _deliver_party(folder: Path, key: Path, settings: Settings) -> Delivered:
    if not key.is_file():
        raise UsageError(f"{key} does not exist: {folder.name} cannot log in without its key")
    files: dict[str, bytes] = {}
    seals: dict[str, bytes] = {}
    for path in sorted(folder.iterdir()):
        parts = parse_name(path.name)
        (seals if parts is not None and parts.is_seal else files)[path.name] = path.read_bytes()
    client = PartyClient(settings, folder.name, key)
    try:
        client.put_set(files, seals)
    finally:
        client.close()
    size = sum(len(data) for data in (*files.values(), *seals.values()))
    return Delivered(1, len(files), len(seals), size)


def _answering(world_dir: Path) -> list[dict[str, Any]]:
    """The world's parties that may confirm; none where the world does not describe them."""
    described = world_dir / "world.json"
    parties = json.loads(described.read_text(encoding="utf-8"))["parties"] if described.is_file() else []
    return [p for p in parties if FileType.CONFIRMATION in p["layouts"]]


def _answer(party: Mapping[str, Any], day: date, answers: Mapping[str, str], key: Path, settings: Settings) -> Delivered:
    client = PartyClient(settings, party["party"], key)
    try:
        result = result_of_yesterday(party["party"], (name for name, _ in client.list_out()), day)
        if result is None:
            return Delivered(0, 0, 0, 0)
        how = answers.get(result, State.AGREED)
        read = partial(_read, client)
        files, seals = answer(party["party"], party["encoding"], day, result, how, read)
        if seals:
            client.put_set(files, seals)
    finally:
        client.close()
    return Delivered(0, len(files), len(seals), sum(map(len, (*files.values(), *seals.values()))))


def _read(client: PartyClient, name: str) -> bytes:
    return client.get(name, MAX_RESULT_BYTES)
