"""Moving files out of their senders' reach and clearing them away: in which order, and never more than the archive holds."""

from __future__ import annotations

from exchange_kit import Exchange, entry, file_name, seal_of, with_drop

from custody.errors import RetryLater

TXN, CLAIM = file_name("TXN"), file_name("CLAIM")
SEAL = "P001_SEAL_20191230_01_v1.json"
DATA = b"request_no,leg\nr1,1\n"
OTHER = b"request_no,leg\nr2,1\n"


class _Recorded:
    """The real drop; what was moved and removed, in order."""

    def __init__(self, drop: object) -> None:
        self._drop = drop
        self.taken: list[str] = []
        self.removed: list[str] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._drop, name)

    def take(self, party: str, name: str, mark: str) -> bool:
        self.taken.append(name)
        done: bool = self._drop.take(party, name, mark)  # type: ignore[attr-defined]
        return done

    def remove(self, party: str, name: str, mark: str) -> None:
        self.removed.append(name)
        self._drop.remove(party, name, mark)  # type: ignore[attr-defined]


class _CutOff:
    """The real drop, from which nothing can be removed."""

    def __init__(self, drop: object) -> None:
        self._drop = drop

    def __getattr__(self, name: str) -> object:
        return getattr(self._drop, name)

    def remove(self, party: str, name: str, mark: str) -> None:
        raise RetryLater("the line is cut")


def _judged_but_not_cleared(exchange: Exchange) -> None:
    """The connection is lost when the files are to be removed, so that they stay aside."""
    assert exchange.collect(with_drop(exchange.ports, _CutOff(exchange.drop))).troubles == [("P001", "the line is cut")]


def test_the_seal_is_moved_first_and_removed_last(exchange: Exchange) -> None:
    exchange.send({TXN: DATA, CLAIM: OTHER}, seal_of("P001", entry(TXN, DATA), entry(CLAIM, OTHER)))
    drop = _Recorded(exchange.drop)
    exchange.collect(with_drop(exchange.ports, drop))
    assert (drop.taken, drop.removed) == ([SEAL, TXN, CLAIM], [CLAIM, TXN, SEAL])
    assert exchange.taken() == []


def test_what_comes_under_the_same_names_before_the_clearing_is_judged_next(exchange: Exchange) -> None:
    exchange.send({TXN: DATA}, seal_of("P001", entry(TXN, DATA)))
    _judged_but_not_cleared(exchange)
    assert (exchange.waiting(), exchange.taken()) == ([], [SEAL, TXN])
    exchange.send({TXN: OTHER}, seal_of("P001", entry(TXN, OTHER)))
    result = exchange.collect()
    # Under one name one seal at a time: the second waits until the first is done with.
    assert (result.seals, result.waiting) == ([], [("P001", SEAL), ("P001", TXN)])
    assert exchange.collect_one().files[0].outcome == "QUARANTINED"
    assert (exchange.waiting(), exchange.taken()) == ([], [])


def test_bytes_that_no_seal_took_survive_the_clearing_of_an_older_one(exchange: Exchange) -> None:
    exchange.send({TXN: DATA}, seal_of("P001", entry(TXN, DATA)))
    _judged_but_not_cleared(exchange)
    exchange.send({TXN: OTHER}, {})
    result = exchange.collect()
    assert (result.seals, result.waiting) == ([], [("P001", TXN)])
    assert (exchange.folder() / TXN).read_bytes() == OTHER
    assert exchange.state(SEAL) == [("READ", None)]


def test_a_seal_that_was_not_read_stays_where_it_is(exchange: Exchange) -> None:
    exchange.send({TXN: DATA}, seal_of("P001", entry(TXN, DATA)))
    _judged_but_not_cleared(exchange)
    (exchange.folder() / SEAL).write_bytes(b"x" * (exchange.settings.sftp.max_file_bytes + 1))
    assert exchange.collect().troubles == []
    for _ in range(2):
        assert "larger than" in exchange.collect().troubles[0][1]
        assert (exchange.waiting(), exchange.taken()) == ([SEAL], [])


def test_a_wrong_seal_does_not_undo_what_was_taken(exchange: Exchange) -> None:
    exchange.send({TXN: DATA}, seal_of("P001", entry(TXN, DATA)))
    exchange.collect()
    exchange.send({TXN: DATA}, seal_of("P001", entry(TXN, OTHER)))
    outcome = exchange.collect_one().files[0]
    assert (outcome.outcome, outcome.rule) == ("REFUSED", "digest")
    assert exchange.state(TXN) == [("ACCEPTED", None)]
