"""Large files, slow parties and many at once: a sweep stays bounded, and goes on where an earlier one stopped."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Generator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from exchange_kit import CONTRACT, RULES, TODAY, Exchange, entry, file_name, onboard, seal_of, sha256, with_drop

from connectors.archive import CHUNK_BYTES
from custody.errors import RetryLater
from custody.services.intake import CollectLimits, collect
from schemas.exchange import MAX_SEAL_BYTES

TXN = file_name("TXN")
LARGE = b"0123456789abcdef" * (5 * CHUNK_BYTES // 32)
LIMITS = CollectLimits(10 * CHUNK_BYTES, 4, 2, 60)


@pytest.fixture
def exchange(builtin: Exchange) -> Exchange:
    return builtin


class _Interrupted:
    """The real drop; its connection is lost after so many bytes of a data file."""

    def __init__(self, drop: object, after: int) -> None:
        self._drop, self._after = drop, after
        self.asked: list[tuple[str, int]] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._drop, name)

    def pieces(self, party: str, name: str, mark: str, start: int) -> Generator[bytes, None, None]:
        self.asked.append((name, start))
        passed = 0
        for piece in self._drop.pieces(party, name, mark, start):  # type: ignore[attr-defined]
            yield piece
            passed += len(piece)
            if passed > self._after:
                raise RetryLater("the line is cut")


def _put(exchange: Exchange, name: str, data: bytes) -> None:
    """As sshd would take it: the tests' own server has a limit."""
    (exchange.folder(name[:4]) / name).write_bytes(data)


def test_a_transfer_that_is_cut_goes_on_where_it_stopped(exchange: Exchange) -> None:
    _put(exchange, TXN, LARGE)
    exchange.send({}, seal_of("P001", entry(TXN, LARGE)))
    drop = _Interrupted(exchange.drop, CHUNK_BYTES + 100_000)
    ports = with_drop(exchange.ports, drop)
    for _ in range(2):
        result = collect(ports, RULES, "system", TODAY, LIMITS)
        assert (result.seals, result.troubles) == ([], [("P001", "the line is cut")])
    result = collect(ports, RULES, "system", TODAY, LIMITS)
    assert result.counts() == {"ACCEPTED": 1}
    assert [start for name, start in drop.asked if name == TXN] == [0, CHUNK_BYTES, 2 * CHUNK_BYTES]
    (row,) = exchange.rows("file", file_name=TXN)
    assert exchange.ports.archive.read(row["archive_ref"]) == LARGE
    assert (exchange.waiting(), exchange.taken()) == ([], [])
    assert not [p for p in exchange.settings.path("archive/arriving").rglob("*") if p.suffix in (".enc", ".key")]


def test_a_sender_who_goes_on_writing_is_read_again_from_the_beginning(exchange: Exchange) -> None:
    _put(exchange, TXN, b"?" + LARGE[1:])
    exchange.send({}, seal_of("P001", entry(TXN, LARGE)))
    drop = _Interrupted(exchange.drop, 2 * CHUNK_BYTES)
    with (exchange.folder() / TXN).open("r+b") as handle:
        assert collect(with_drop(exchange.ports, drop), RULES, "system", TODAY, LIMITS).seals == []
        # What was read already he corrects through a handle that he kept open.
        handle.write(LARGE[:1])
    (seal,) = collect(exchange.ports, RULES, "system", TODAY, LIMITS).seals
    assert (seal.files[0].rule, seal.files[0].sha256) == ("taken", sha256(LARGE))
    (row,) = exchange.rows("file", file_name=TXN)
    assert exchange.ports.archive.read(row["archive_ref"]) == LARGE


class _Late:
    """A clock of which each reading is a second later."""

    def __init__(self) -> None:
        self._now = datetime.fromisoformat("2019-12-31T08:00:00+08:00")
        self._lock = threading.Lock()

    def now(self) -> datetime:
        with self._lock:
            self._now += timedelta(seconds=1)
            return self._now


def test_a_sweep_stays_with_one_party_for_a_bounded_time_and_comes_to_an_end_with_it(exchange: Exchange) -> None:
    _put(exchange, TXN, LARGE)
    exchange.send({}, seal_of("P001", entry(TXN, LARGE)))
    other = file_name("TXN", "P002")
    exchange.send({other: b"x\n"}, seal_of("P002", entry(other, b"x\n")), "P002")
    ports = replace(exchange.ports, clock=_Late())
    first = collect(ports, RULES, "system", TODAY, replace(LIMITS, threads=1, party_seconds=40))
    assert [(party, "before" in why) for party, why in first.troubles] == [("P001", True)]
    assert [seal.party for seal in first.seals] == ["P002"]
    for _ in range(10):
        again = collect(ports, RULES, "system", TODAY, replace(LIMITS, threads=1, party_seconds=40))
        if not again.troubles:
            break
    assert [(seal.party, seal.files[0].outcome) for seal in again.seals] == [("P001", "ACCEPTED")]


class _Stuck:
    """The real drop; one party's folder answers only when every other party's has been read."""

    def __init__(self, drop: object, party: str, others: int) -> None:
        self._drop, self._party, self._others = drop, party, others
        self._seen: set[str] = set()
        self._all_seen = threading.Event()

    def __getattr__(self, name: str) -> object:
        return getattr(self._drop, name)

    def inbox(self, party: str) -> object:
        if party == self._party:
            assert self._all_seen.wait(60), "it held the others up"
        else:
            self._seen.add(party)
            if len(self._seen) == self._others:
                self._all_seen.set()
        return self._drop.inbox(party)  # type: ignore[attr-defined]


def test_a_slow_party_holds_nobody_up_and_the_answer_is_that_of_one_after_another(exchange: Exchange) -> None:
    names = [f"P{number:03}" for number in range(1, 9)]
    for party in names[2:]:
        onboard(exchange, party, CONTRACT)
    for party in names:
        name = file_name("TXN", party)
        exchange.send({name: b"x\n"}, seal_of(party, entry(name, b"x\n")), party)
    ports = with_drop(exchange.ports, _Stuck(exchange.drop, names[0], len(names) - 1))
    result = collect(ports, RULES, "system", TODAY, LIMITS)
    assert [seal.party for seal in result.seals] == names
    assert result.counts() == {"ACCEPTED": len(names)}


def test_the_archive_holds_nothing_in_clear_while_a_file_arrives(exchange: Exchange) -> None:
    _put(exchange, TXN, LARGE)
    exchange.send({}, seal_of("P001", entry(TXN, LARGE)))
    cut = with_drop(exchange.ports, _Interrupted(exchange.drop, 2 * CHUNK_BYTES))
    collect(cut, RULES, "system", TODAY, LIMITS)
    home: Path = exchange.settings.home
    found = [p for p in (home / "archive").rglob("*") if p.is_file() and LARGE[:64] in p.read_bytes()]
    assert found == [] and len(list((home / "archive" / "arriving" / "P001").glob("*.enc"))) == 1


def test_a_gigantic_seal_is_archived_and_refused_without_coming_into_memory(exchange: Exchange) -> None:
    (name,) = seal_of("P001")
    _put(exchange, name, b" " * (24 * CHUNK_BYTES))
    limits = replace(LIMITS, max_file_bytes=30 * CHUNK_BYTES)
    tracemalloc.start()
    try:
        (taken,) = collect(exchange.ports, RULES, "system", TODAY, limits).seals
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (taken.seal.outcome, taken.seal.rule) == ("QUARANTINED", "seal_unreadable")
    assert taken.seal.figures == {"why": f"larger than {MAX_SEAL_BYTES} bytes"}
    receipt = exchange.receipt(taken.receipt_name)["seal"]
    assert all(receipt[part] for part in ("words_en", "words_zh", "to_do_en", "to_do_zh"))
    # A few chunks of it and the pieces that are under way, never the whole.
    assert peak < 12 * CHUNK_BYTES, peak
    # Nothing of what was sent is lost.
    (row,) = exchange.rows("file", file_name=name)
    assert sum(map(len, exchange.ports.archive.chunks(row["archive_ref"]))) == 24 * CHUNK_BYTES
    assert (exchange.waiting(), exchange.taken()) == ([], [])
