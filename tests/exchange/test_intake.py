"""What the door does with each kind of file (domain.md §5)."""

from __future__ import annotations

import json
from datetime import date

import pytest
from exchange_kit import DAY, RULES, TODAY, Exchange, entry, file_name, seal_of, sha256, with_drop

from custody.digest import digest_of
from custody.errors import NotPermitted, RetryLater
from custody.party_status import PartyStatus
from custody.ports import Inbox
from custody.services.files import history, is_cut_off
from custody.services.four_eyes import approve
from custody.services.intake import CollectLimits, collect
from custody.services.landing_results import refuse_after_landing
from custody.services.restatements import RESTATEMENT, Effect, propose_restatement
from custody.services.status_changes import STATUS, propose_status
from schemas.exchange import SealedFile

TXN, CLAIM = file_name("TXN"), file_name("CLAIM")
RECEIPT = "P001_RECEIPT_20191230_01_v1.json"
DATA = b"request_no,leg\nr1,1\n"
OTHER = b"request_no,leg\nr2,1\n"


def _cut_off(exchange: Exchange, day: date = DAY) -> None:
    row = {"custody_date": day, "step": "cut_off", "version": 1, "path": "p", "fence": 1, "reason": "", "committed_at": "t"}
    row |= dict.fromkeys(("run_digest", "inputs_digest", "manifest_digest", "code_digest"), "0")
    with exchange.register.transaction() as tx:
        tx.insert("step_output", row)


def test_a_sealed_set_is_taken_archived_answered_and_removed(exchange: Exchange) -> None:
    exchange.send({TXN: DATA, CLAIM: OTHER}, seal_of("P001", entry(TXN, DATA), entry(CLAIM, OTHER)))
    result = exchange.collect()
    assert result.counts() == {"ACCEPTED": 2}
    assert result.delivered == [RECEIPT]
    assert exchange.waiting() == []
    (row,) = exchange.rows("file", file_name=TXN)
    assert (row["state"], row["rule"], row["bytes"], row["rows"], row["custody_date"]) == ("ACCEPTED", None, len(DATA), 2, DAY)
    assert exchange.ports.archive.read(row["archive_ref"]) == DATA
    receipt = exchange.receipt(RECEIPT)
    assert [(f["name"], f["outcome"], f["words_zh"]) for f in receipt["files"]] == [
        (TXN, "ACCEPTED", "文件已接收"),
        (CLAIM, "ACCEPTED", "文件已接收"),
    ]
    client = exchange.client()
    assert client.list_out()[0] == (RECEIPT, len(client.get(RECEIPT, 10**6)))
    assert [name for name, _ in client.list_out()] == [RECEIPT, f"{RECEIPT}.seal"]
    client.close()
    with exchange.register.transaction() as tx:
        events = history(tx, TXN).events
        assert [e["event"] for e in events] == ["ANNOUNCED", "LANDED", "CHECKED", "ACCEPTED"]
        assert {(e["actor"], e["sha256"]) for e in events} == {("system", sha256(DATA))}
        assert json.loads(events[0]["details"])["figures"] == {"bytes": len(DATA), "rows": DATA.count(b"\n")}
    assert exchange.collect().seals == []


@pytest.mark.parametrize(
    ("sent", "said", "rule"),
    [
        (DATA[:-3], {}, "size"),
        (OTHER, {}, "digest"),
        (DATA, {"layout": "platform_txn/9"}, "unknown_layout"),
        (DATA, {"layout": "platform_claim/1"}, "unknown_layout"),
        (DATA, {"encoding": "gb18030"}, "encoding"),
        (None, {}, "announced_missing"),
    ],
)
def test_a_bad_file_is_refused_with_its_rule_and_its_neighbour_is_taken(
    exchange: Exchange, sent: bytes | None, said: dict[str, str], rule: str
) -> None:
    files = {CLAIM: OTHER} | ({} if sent is None else {TXN: sent})
    exchange.send(files, seal_of("P001", entry(TXN, DATA, **said), entry(CLAIM, OTHER)))
    exchange.collect()
    assert exchange.state(TXN) == [("REFUSED", rule)]
    assert exchange.state(CLAIM) == [("ACCEPTED", None)]
    answer = exchange.receipt(RECEIPT)["files"][0]
    assert (answer["outcome"], answer["rule"]) == ("REFUSED", rule)
    assert answer["words_en"] and answer["words_zh"] and answer["to_do_en"] and answer["to_do_zh"]
    (row,) = exchange.rows("file", file_name=TXN)
    # What came was kept, and only what was kept is gone from the drop.
    assert row["sha256"] == sha256(DATA if sent is None else sent)
    assert (row["archive_ref"] is None) == (sent is None)
    assert exchange.waiting() == []


def test_a_seal_may_say_sm3_and_is_held_to_it(exchange: Exchange) -> None:
    def by_sm3(name: str, data: bytes, said: bytes) -> SealedFile:
        fields = entry(name, data).model_dump(exclude={"sha256", "sm3"})
        return SealedFile(**fields, sm3=digest_of("sm3", [said]))

    exchange.send({TXN: DATA, CLAIM: OTHER}, seal_of("P001", by_sm3(TXN, DATA, DATA), by_sm3(CLAIM, OTHER, DATA)))
    exchange.collect()
    assert (exchange.state(TXN), exchange.state(CLAIM)) == ([("ACCEPTED", None)], [("REFUSED", "digest_sm3")])
    # The register names it by SHA-256 all the same, so that the same bytes are the same file by whichever seal.
    (row,) = exchange.rows("file", file_name=TXN)
    assert row["sha256"] == sha256(DATA)
    exchange.send({TXN: DATA}, seal_of("P001", entry(TXN, DATA)))
    assert exchange.collect_one().files[0].outcome == "SAME_AGAIN"
    answer = exchange.receipt(RECEIPT)["files"][1]
    assert "SM3" in answer["words_en"] and answer["to_do_zh"]


@pytest.mark.parametrize(
    "name", ["../P002/in/x.csv", "P002_TXN_20191230_01_v1.csv", "P001_TXN_20191231_01_v1.csv", "a\u0000b", "/etc/passwd"]
)
def test_a_name_that_is_not_the_seals_own_is_never_read(exchange: Exchange, name: str) -> None:
    victim = file_name("TXN", "P002")
    exchange.send({victim: DATA}, {}, "P002")
    exchange.send({CLAIM: OTHER}, seal_of("P001", entry(name, DATA), entry(CLAIM, OTHER)))
    taken = exchange.collect_one()
    assert [(f.outcome, f.rule) for f in taken.files] == [("REFUSED", "name"), ("ACCEPTED", "taken")]
    # It stands under the party that said it, not under the name of the other.
    (row,) = exchange.rows("file", rule="name")
    assert row["file_name"].startswith("P001:") and row["file_name"].isprintable() and row["party"] == "P001"
    assert exchange.waiting("P002") == [victim]


def test_a_corrupt_seal_is_quarantined_and_its_files_stay(exchange: Exchange) -> None:
    (name, good), *_ = seal_of("P001", entry(TXN, DATA)).items()
    exchange.send({TXN: DATA}, {name: good[:-20]})
    taken = exchange.collect_one()
    assert (taken.seal.outcome, taken.seal.rule) == ("QUARANTINED", "seal_unreadable")
    assert exchange.state(name) == [("QUARANTINED", "seal_unreadable")]
    assert exchange.receipt(RECEIPT)["seal"]["to_do_zh"]
    assert exchange.waiting() == [TXN]
    # The sender writes the seal again: the data need not be sent twice.
    exchange.send({}, {name: good})
    assert exchange.collect_one().files[0].outcome == "ACCEPTED"
    assert exchange.waiting() == []
    assert exchange.receipt("P001_RECEIPT_20191230_01_v1_r2.json")["files"][0]["outcome"] == "ACCEPTED"


@pytest.mark.parametrize("named_after", ["P002", "content"])
def test_a_seal_of_another_party_or_date_is_refused(exchange: Exchange, named_after: str) -> None:
    (other, content), *_ = seal_of("P002", entry(file_name("TXN", "P002"), DATA)).items()
    mine = "P001_SEAL_20191230_01_v1.json"
    exchange.send({TXN: DATA}, {other: content} if named_after == "P002" else {mine: content})
    assert exchange.collect_one().seal.rule == "wrong_party"
    assert exchange.waiting() == [TXN]
    exchange.send({}, {mine: seal_of("P001", entry(TXN, DATA), version=2).popitem()[1]})
    assert exchange.collect_one().seal.rule == "seal_name"
    # The other party's own seal with the same bytes is not touched by it.
    exchange.send({file_name("TXN", "P002"): DATA}, {other: content}, "P002")
    assert exchange.collect_one().files[0].outcome == "ACCEPTED"


def test_links_and_folders_are_never_opened(exchange: Exchange) -> None:
    secret = exchange.folder("P002") / "secret"
    secret.write_bytes(DATA)
    (exchange.folder() / TXN).symlink_to(secret)
    (exchange.folder() / "P001_SEAL_20191230_02_v1.json").mkdir()
    exchange.send({}, seal_of("P001", entry(TXN, DATA)))
    result = exchange.collect()
    assert result.unsafe == [("P001", "P001_SEAL_20191230_02_v1.json"), ("P001", TXN)]
    assert exchange.state(TXN) == [("REFUSED", "not_a_file")]
    assert secret.exists() and (exchange.folder() / TXN).is_symlink()


def test_the_same_files_again_change_nothing_and_are_answered(exchange: Exchange) -> None:
    seal = seal_of("P001", entry(TXN, DATA))
    exchange.send({TXN: DATA}, seal)
    exchange.collect()
    before = exchange.rows("file", file_name=TXN)
    for _ in range(2):
        for suffix in ("", ".seal"):
            (exchange.folder(which="out") / f"P001_RECEIPT_20191230_01_v1_r2.json{suffix}").unlink(missing_ok=True)
        exchange.send({TXN: DATA}, seal)
        assert exchange.collect_one().files[0].outcome == "SAME_AGAIN"
        assert exchange.rows("file", file_name=TXN) == before
        assert exchange.waiting() == []
        # The third sending gets the second's receipt once more, under the same name.
        assert sorted(exchange.outbound_bytes()) == [RECEIPT, "P001_RECEIPT_20191230_01_v1_r2.json"]


def test_the_same_name_with_other_bytes_is_quarantined(exchange: Exchange) -> None:
    exchange.send({TXN: DATA}, seal_of("P001", entry(TXN, DATA)))
    exchange.collect()
    exchange.send({TXN: OTHER}, seal_of("P001", entry(TXN, OTHER)))
    outcome = exchange.collect_one().files[0]
    assert (outcome.outcome, outcome.figures) == ("QUARANTINED", {"first": sha256(DATA)})
    assert exchange.state(TXN) == [("ACCEPTED", None), ("QUARANTINED", "same_name_other_digest")]
    (row,) = exchange.rows("file", file_name=TXN, state="QUARANTINED")
    assert exchange.ports.archive.read(row["archive_ref"]) == OTHER


def test_a_refused_file_may_come_again_under_its_name(exchange: Exchange) -> None:
    seal = seal_of("P001", entry(TXN, DATA))
    exchange.send({}, seal)
    exchange.collect()
    with exchange.register.transaction() as tx:
        tx.update("file", {"file_name": TXN}, {"cut_off_date": DAY})
    exchange.send({TXN: DATA}, seal)
    assert exchange.collect_one().files[0].outcome == "ACCEPTED"
    (row,) = exchange.rows("file", file_name=TXN)
    assert (row["state"], row["rule"], row["cut_off_date"]) == ("ACCEPTED", None, None)


def test_a_restatement_needs_two_people(exchange: Exchange) -> None:
    exchange.send({TXN: DATA}, seal_of("P001", entry(TXN, DATA)))
    exchange.collect()
    second = file_name("TXN", version=2)
    exchange.send({second: OTHER}, seal_of("P001", entry(second, OTHER), version=2))
    assert exchange.collect_one().files[0].outcome == "RESTATEMENT_PENDING"
    assert exchange.state(TXN) == [("ACCEPTED", None)]
    clock = exchange.ports.clock
    proposal = propose_restatement(exchange.register, clock, "chen", second, "the platform found a bug", Effect("", "digest", {}))
    with pytest.raises(NotPermitted):
        approve(exchange.register, clock, "chen", RESTATEMENT, proposal, "my own")
    with pytest.raises(NotPermitted):
        approve(exchange.register, clock, "wang", RESTATEMENT, proposal, "not a supervisor")
    assert exchange.state(second) == [("RESTATEMENT_PENDING", "restatement")]
    _cut_off(exchange)
    approve(exchange.register, clock, "li", RESTATEMENT, proposal, "seen")
    assert exchange.state(TXN) == [("SUPERSEDED", None)]
    assert exchange.state(second) == [("LATE", None)]
    with exchange.register.transaction() as tx:
        assert [e["action"] for e in history(tx, second).audit] == ["restatement.propose", "restatement.approve"]
    exchange.send({TXN: DATA + b"x\n"}, seal_of("P001", entry(TXN, DATA + b"x\n")))
    assert exchange.collect_one().files[0].outcome == "QUARANTINED"


def test_a_refused_version_makes_the_next_no_restatement(exchange: Exchange) -> None:
    second, third = file_name("TXN", version=2), file_name("TXN", version=3)
    exchange.send({TXN: OTHER}, seal_of("P001", entry(TXN, DATA)))
    exchange.send({second: DATA}, seal_of("P001", entry(second, DATA), version=2))
    assert [s.files[0].outcome for s in exchange.collect().seals] == ["REFUSED", "ACCEPTED"]
    exchange.send({TXN: DATA}, seal_of("P001", entry(TXN, DATA)))
    assert exchange.collect_one().files[0].rule == "older_version"
    for _ in range(2):
        with exchange.register.transaction() as tx:
            refuse_after_landing(tx, "t", second, sha256(DATA), "truncated", {})
    exchange.send({third: OTHER}, seal_of("P001", entry(third, OTHER), version=3))
    assert exchange.collect_one().files[0].outcome == "ACCEPTED"


def test_late_future_and_suspended(exchange: Exchange) -> None:
    _cut_off(exchange)
    exchange.send({TXN: DATA}, seal_of("P001", entry(TXN, DATA)))
    assert exchange.collect_one().files[0].outcome == "LATE"
    with exchange.register.transaction() as tx:
        assert is_cut_off(tx, DAY) and not is_cut_off(tx, TODAY)
    tomorrow = date(2020, 1, 1)
    name = file_name("TXN", day=tomorrow)
    exchange.send({name: DATA}, seal_of("P001", entry(name, DATA), day=tomorrow))
    assert exchange.collect_one().files[0].rule == "future_date"
    assert exchange.collect(today=tomorrow).seals == []
    exchange.send({name: DATA}, seal_of("P001", entry(name, DATA), day=tomorrow))
    clock = exchange.ports.clock
    proposal = propose_status(exchange.register, clock, "wang", "P001", PartyStatus.SUSPENDED, "key lost")
    approve(exchange.register, clock, "li", STATUS, proposal, "yes")
    assert exchange.collect(today=tomorrow).seals[0].files[0].rule == "taken_held"


def test_a_file_that_nobody_sealed_waits(exchange: Exchange) -> None:
    exchange.send({TXN: DATA, "notes.txt": b"x"}, {})
    result = exchange.collect()
    assert result.waiting == [("P001", TXN), ("P001", "notes.txt")]
    assert exchange.waiting() == [TXN, "notes.txt"]
    assert exchange.rows("file") == []


def test_too_large_is_neither_read_nor_removed(exchange: Exchange) -> None:
    big = b"x" * (exchange.settings.sftp.max_file_bytes + 1)
    client = exchange.client()
    if exchange.settings.sftp.server == "builtin":
        with pytest.raises(RetryLater):
            client.put(TXN, big)
    else:
        client.put(TXN, big)  # sshd has no limit of its own
    client.close()
    (exchange.folder() / TXN).write_bytes(big)
    exchange.send({}, seal_of("P001", entry(TXN, big)))
    assert exchange.collect_one().files[0].rule == "too_large"
    assert TXN in exchange.waiting()


def test_hostile_seals_are_quarantined(exchange: Exchange) -> None:
    twice = seal_of("P001", entry(TXN, DATA), entry(TXN, OTHER))
    huge = seal_of("P001", entry(TXN, DATA, rows=10**30), batch=2)
    deep = {"P001_SEAL_20191230_03_v1.json": b"[" * 50_000}
    exchange.send({}, twice | huge | deep)
    assert [s.seal.rule for s in exchange.collect().seals] == ["seal_unreadable"] * 3


class _BrokenFolder:
    """The real drop, but for one party whose folder cannot be listed."""

    def __init__(self, drop: object, party: str) -> None:
        self._drop, self._party = drop, party

    def __getattr__(self, name: str) -> object:
        return getattr(self._drop, name)

    def inbox(self, party: str) -> Inbox:
        if party == self._party:
            raise RetryLater("the folder is locked")
        found: Inbox = self._drop.inbox(party)  # type: ignore[attr-defined]
        return found


def test_one_partys_trouble_does_not_stop_the_others(exchange: Exchange) -> None:
    for party in ("P001", "P002"):
        name = file_name("TXN", party)
        exchange.send({name: DATA}, seal_of(party, entry(name, DATA)), party)
    result = exchange.collect(with_drop(exchange.ports, _BrokenFolder(exchange.drop, "P001")))
    assert result.troubles == [("P001", "the folder is locked")]
    assert [s.party for s in result.seals] == ["P002"]
    # A receipt that cannot be delivered is delivered later; its files are judged once.
    out = exchange.folder(which="out")
    aside = out.rename(out.with_name("aside"))
    result = exchange.collect()
    assert [t[0] for t in result.troubles] == ["P001"] and [s.party for s in result.seals] == ["P001"]
    aside.rename(out)
    result = exchange.collect()
    assert (result.troubles, result.seals, result.delivered) == ([], [], [RECEIPT])
    assert exchange.waiting() == exchange.taken() == []
    (exchange.folder().parent.parent / "P009" / "in").mkdir(parents=True)
    assert [t[0] for t in exchange.collect().troubles] == ["P009"]


def test_who_may_collect(exchange: Exchange) -> None:
    with pytest.raises(NotPermitted):
        collect(exchange.ports, RULES, "zhao", TODAY, CollectLimits(1000, 1, 1, 60))
    (event,) = exchange.rows("audit_event", action="refused:file.collect")
    assert json.loads(event["details"])["why"]
