"""Clearing the drop after a seal was judged: in which order, and never more than the archive holds."""

from __future__ import annotations

from exchange_kit import Exchange, entry, file_name, seal_of, with_drop

TXN, CLAIM = file_name("TXN"), file_name("CLAIM")
DATA = b"request_no,leg\nr1,1\n"
OTHER = b"request_no,leg\nr2,1\n"


class _Recorded:
    """The real drop; the names that were removed, in order."""

    def __init__(self, drop: object) -> None:
        self._drop = drop
        self.removed: list[str] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._drop, name)

    def remove(self, party: str, name: str) -> None:
        self.removed.append(name)
        self._drop.remove(party, name)  # type: ignore[attr-defined]


def test_the_seal_is_removed_last(exchange: Exchange) -> None:
    exchange.send({TXN: DATA, CLAIM: OTHER}, seal_of("P001", entry(TXN, DATA), entry(CLAIM, OTHER)))
    drop = _Recorded(exchange.drop)
    exchange.collect(with_drop(exchange.ports, drop))
    assert drop.removed == [TXN, CLAIM, "P001_SEAL_20191230_01_v1.json"]


def test_what_was_replaced_since_it_was_judged_is_not_removed(exchange: Exchange) -> None:
    seal = seal_of("P001", entry(TXN, DATA))
    exchange.send({TXN: DATA}, seal)
    out = exchange.folder(which="out")
    aside = out.rename(out.with_name("aside"))
    assert exchange.collect().troubles != []
    aside.rename(out)
    # In between the party has put other bytes under both names.
    newer = seal_of("P001", entry(TXN, OTHER))
    exchange.send({TXN: OTHER}, newer)
    assert exchange.collect_one().files[0].outcome == "QUARANTINED"
    assert exchange.waiting() == []
    exchange.send({TXN: b"third\n"}, {})
    assert exchange.collect().seals == [] and exchange.waiting() == [TXN]


def test_bytes_that_were_never_read_survive_the_clearing_of_an_older_seal(exchange: Exchange) -> None:
    exchange.send({TXN: DATA}, seal_of("P001", entry(TXN, DATA)))
    out = exchange.folder(which="out")
    aside = out.rename(out.with_name("aside"))
    exchange.collect()
    aside.rename(out)
    exchange.send({TXN: OTHER}, {})
    result = exchange.collect()
    assert (result.seals, result.waiting) == ([], [("P001", TXN)])
    assert (exchange.folder() / TXN).read_bytes() == OTHER
    assert exchange.state("P001_SEAL_20191230_01_v1.json") == [("READ", None)]


def test_a_seal_that_was_not_read_is_not_removed_for_an_older_one(exchange: Exchange) -> None:
    seal = seal_of("P001", entry(TXN, DATA))
    exchange.send({TXN: DATA}, seal)
    out = exchange.folder(which="out")
    aside = out.rename(out.with_name("aside"))
    exchange.collect()
    aside.rename(out)
    (name,) = seal
    (exchange.folder() / name).write_bytes(b"x" * (exchange.settings.sftp.max_file_bytes + 1))
    assert "larger than" in exchange.collect().troubles[0][1]
    assert exchange.waiting() == [name]


def test_a_wrong_seal_does_not_undo_what_was_taken(exchange: Exchange) -> None:
    exchange.send({TXN: DATA}, seal_of("P001", entry(TXN, DATA)))
    exchange.collect()
    exchange.send({TXN: DATA}, seal_of("P001", entry(TXN, OTHER)))
    outcome = exchange.collect_one().files[0]
    assert (outcome.outcome, outcome.rule) == ("REFUSED", "digest")
    assert exchange.state(TXN) == [("ACCEPTED", None)]
