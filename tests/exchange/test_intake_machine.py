"""Files in every order that parties, collectors, people and days can come up with, against the real register and the real drop, held
to domain.md §5 by a model that shares nothing with intake: what is in force, what is quarantined, what waits for two people."""

from __future__ import annotations

import itertools
import os
import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from exchange_kit import DAY, Exchange, entry, make_home, open_exchange, seal_of, sha256
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from real_sshd import RealSshd

from connectors.drop_server import DropServer, with_port
from connectors.register_tables import metadata
from connectors.sftp_drop import SftpDrop
from custody.calendar import CHINA
from custody.digest import digest_of
from custody.errors import RetryLater
from custody.file_life import CONTENT, IN_FORCE, PROMISE
from custody.ports import Row
from custody.services.file_moves import promise_name
from custody.services.four_eyes import approve
from custody.services.landing_results import put_back, refuse_after_landing
from custody.services.outbound import ExchangePorts
from custody.services.promises import judge_deadlines
from custody.services.restatements import RESTATEMENT, Effect, landed_version, propose_restatement
from schemas.exchange import SealedFile, parse_seal

PARTY = "P001"
CONTENTS = (b"request_no,leg\nr1,1\n", b"request_no,leg\nr2,1\n", b"request_no,leg\nr3,1\nr4,1\n")
SLOTS = st.sampled_from([(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)])
CONTENT_OF = st.sampled_from(range(len(CONTENTS)))
HELD = ("ACCEPTED", "LATE", "SUPERSEDED", "RESTATEMENT_PENDING", "QUARANTINED")
TAKEN = HELD[:-1]
# People and parties stay from one example to the next.
FOR_EVERY_EXAMPLE = [t for t in metadata.tables.values() if not t.name.startswith(("person", "party"))]


def name_of(batch: int, version: int) -> str:
    return f"{PARTY}_TXN_{DAY:%Y%m%d}_{batch:02d}_v{version}.csv"


class _Clock:
    """Begins on the files' date; a second later at each look."""

    def __init__(self) -> None:
        self.at = datetime(DAY.year, DAY.month, DAY.day, 9, tzinfo=CHINA)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        with self._lock:
            self.at += timedelta(seconds=1)
            return self.at


class _Meddling:
    """The real drop, in which something happens meanwhile."""

    def __init__(self, drop: Any) -> None:
        self._drop = drop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._drop, name)


class _Replacing(_Meddling):
    """The sender puts another file under a name in the moment in which the collector has taken the first one."""

    def __init__(self, drop: Any, folder: Path, data: bytes) -> None:
        super().__init__(drop)
        self._folder, self._data = folder, data
        self.replaced: set[str] = set()

    def take(self, party: str, name: str, mark: str) -> bool:
        took: bool = self._drop.take(party, name, mark)
        if took and "_TXN_" in name:
            (self._folder / name).write_bytes(self._data)
            self.replaced.add(name)
        return took


class _Cut(_Meddling):
    """The line breaks at the first data file after ``whole`` of them."""

    def __init__(self, drop: Any, whole: int) -> None:
        super().__init__(drop)
        self._left = whole

    def pieces(self, party: str, name: str, mark: str, start: int) -> Any:
        if "_TXN_" in name:
            if self._left == 0:
                raise RetryLater("the line broke")
            self._left -= 1
        return self._drop.pieces(party, name, mark, start)


class FilesInAnyOrder(RuleBasedStateMachine):
    exchange: Exchange

    @initialize()
    def begin(self) -> None:
        """The drop and the register as they are on the first morning; the server and the connection are the run's."""
        self.clock = _Clock()
        for folder in (self.exchange.folder(), self.exchange.folder(which="out"), self.exchange.taken_folder()):
            for path in folder.iterdir():
                path.unlink()
        with self.exchange.register.transaction() as tx:
            for table in FOR_EVERY_EXAMPLE:
                tx.delete(table.name)
        # By name and content: its state as domain.md §5 has it. What in/ holds; how many seals were judged.
        self.model: dict[str, dict[str, str]] = defaultdict(dict)
        self.sent: set[bytes] = set()
        self.judged = 0
        self.is_cut_off = False

    @property
    def ports(self) -> ExchangePorts:
        return replace(self.exchange.ports, clock=self.clock)

    def _with(self, drop: Any) -> ExchangePorts:
        return replace(self.ports, drop=drop)

    # What parties do.

    @rule(slot=SLOTS, content=CONTENT_OF)
    def put_data(self, slot: tuple[int, int], content: int) -> None:
        (self.exchange.folder() / name_of(*slot)).write_bytes(CONTENTS[content])

    @rule(slot=SLOTS, content=CONTENT_OF, algorithm=st.sampled_from(["sha256", "sha256", "sm3"]))
    def put_seal(self, slot: tuple[int, int], content: int, algorithm: str) -> None:
        """Whatever lies there: the data may come later, never, or be another."""
        batch, version = slot
        said = entry(name_of(batch, version), CONTENTS[content], batches=None)
        if algorithm == "sm3":
            fields = said.model_dump(exclude={"sha256", "sm3"})
            said = SealedFile(**fields, sm3=digest_of("sm3", [CONTENTS[content]]))
        ((name, data),) = seal_of(PARTY, said, batch=batch, version=version).items()
        (self.exchange.folder() / name).write_bytes(data)

    @rule(slot=SLOTS, content=CONTENT_OF)
    def put_set(self, slot: tuple[int, int], content: int) -> None:
        self.put_data(slot, content)
        self.put_seal(slot, content, "sha256")

    # What the bank does.

    @rule()
    def collect(self) -> None:
        expected = self._foreseen()
        result = self.exchange.collect(self.ports)
        assert result.troubles == []
        assert self._outcomes([result]) == expected

    @rule()
    def collect_twice_at_once(self) -> None:
        """Two collectors, each with connections of its own; then one more sweep for what each left to the other."""
        expected = self._foreseen()
        drops = [SftpDrop(self.exchange.settings) for _ in range(2)]
        results: list[Any] = [None, None]
        together = threading.Barrier(2)

        def run(number: int) -> None:
            together.wait()
            results[number] = self.exchange.collect(self._with(drops[number]))

        threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for drop in drops:
            drop.close()
        last = self.exchange.collect(self.ports)
        assert last.troubles == []
        assert self._outcomes([*results, last]) == expected

    @rule(content=CONTENT_OF)
    def collect_while_the_sender_replaces(self, content: int) -> None:
        expected = self._foreseen()
        drop = _Replacing(self.exchange.drop, self.exchange.folder(), CONTENTS[content])
        result = self.exchange.collect(self._with(drop))
        assert result.troubles == []
        assert self._outcomes([result]) == expected
        # What he put is the next to be judged, and is not lost.
        assert all((self.exchange.folder() / name).read_bytes() == CONTENTS[content] for name in drop.replaced)

    @rule(whole=st.integers(0, 2))
    def collect_over_a_line_that_breaks(self, whole: int) -> None:
        expected = self._foreseen()
        first = self.exchange.collect(self._with(_Cut(self.exchange.drop, whole)))
        on_their_way = self.exchange.rows("file", state=["ANNOUNCED", "LANDED"])
        if first.troubles:
            # What a seal has named is seen before it is here, unless it is held already.
            assert on_their_way or self._some_name_is_held()
        second = self.exchange.collect(self.ports)
        assert second.troubles == []
        assert self._outcomes([first, second]) == expected

    def _some_name_is_held(self) -> bool:
        return any(state in HELD for contents in self.model.values() for state in contents.values())

    @precondition(lambda self: not self.is_cut_off)
    @rule()
    def cut_off(self) -> None:
        """The day takes what is in force, as its cut-off does."""
        self.is_cut_off = True
        with self.exchange.register.transaction() as tx:
            tx.insert("step_output", {
                "custody_date": DAY, "step": "cut_off", "version": 1, "run_digest": "r", "inputs_digest": "i", "manifest_digest": "m",
                "path": "p", "code_digest": "c", "fence": 1, "reason": "", "committed_at": "t",
            })  # fmt: skip
            for row in tx.find("file", state=["ACCEPTED", "LATE"]):
                tx.update("file", {"file_name": row["file_name"], "sha256": row["sha256"]}, {"cut_off_date": DAY})

    @rule(slot=SLOTS)
    def landing_refuses(self, slot: tuple[int, int]) -> None:
        name = name_of(*slot)
        held = [(digest, state) for digest, state in self.model[name].items() if state in IN_FORCE]
        if not held:
            return
        ((digest, _),) = held
        with self.exchange.register.transaction() as tx:
            row = tx.get("file", file_name=name, sha256=digest)
            assert row is not None
            replaced = landed_version(tx, row)
            refuse_after_landing(tx, "t", name, digest, "truncated", {})
            if replaced is not None and replaced["state"] == "SUPERSEDED":
                put_back(tx, "t", replaced["file_name"])
                self.model[replaced["file_name"]][replaced["sha256"]] = "ACCEPTED"
        self.model[name][digest] = "REFUSED"

    @rule(slot=SLOTS)
    def two_people_accept(self, slot: tuple[int, int]) -> None:
        batch, version = slot
        name = name_of(batch, version)
        waiting = [digest for digest, state in self.model[name].items() if state == "RESTATEMENT_PENDING"]
        newer = [v for v in range(version + 1, 4) if set(self.model[name_of(batch, v)].values()) & set(IN_FORCE)]
        if not waiting or newer:
            return
        register = self.exchange.register
        number = propose_restatement(register, self.clock, "wang", name, "why", Effect("", "digest", {}))
        approve(register, self.clock, "li", RESTATEMENT, number, "seen")
        for v in range(1, 4):
            for digest, state in self.model[name_of(batch, v)].items():
                if state in IN_FORCE:
                    self.model[name_of(batch, v)][digest] = "SUPERSEDED"
        self.model[name][waiting[0]] = "LATE" if self.is_cut_off else "ACCEPTED"

    @rule(hours=st.sampled_from([1, 8]))
    def time_passes(self, hours: int) -> None:
        self.clock.at = min(self.clock.at + timedelta(hours=hours), datetime(2020, 1, 3, tzinfo=CHINA))
        judge_deadlines(self.ports, "system", DAY, ())

    # What must hold.

    def _foreseen(self) -> list[tuple[str, str]]:
        """(name, outcome) of each seal in in/, by domain.md §5; the model is moved on."""
        found = []
        for batch, version in itertools.product((1, 2), (1, 2, 3)):
            seal = self.exchange.folder() / f"{PARTY}_SEAL_{DAY:%Y%m%d}_{batch:02d}_v{version}.json"
            if seal.exists():
                self.judged += 1
                found.append((name_of(batch, version), self._becomes(batch, version, seal.read_bytes())))
        return sorted(found)

    def _becomes(self, batch: int, version: int, seal: bytes) -> str:
        read = parse_seal(seal)
        assert not isinstance(read, str)
        algorithm, said = read.files[0].digest
        path = self.exchange.folder() / name_of(batch, version)
        contents = self.model[path.name]
        data = path.read_bytes() if path.exists() else None
        if data is None:
            # Nothing came: what it announces may be held already, by its own digest.
            if contents.get(said) in HELD:
                return "SAME_AGAIN"
            contents[said] = "REFUSED"
            return "REFUSED"
        self.sent.add(data)
        digest, is_truth = sha256(data), digest_of(algorithm, [data]) == said
        if contents.get(digest) in HELD:
            return "SAME_AGAIN" if is_truth else self._other_than(contents, digest)
        others = [state for one, state in contents.items() if one != digest and state in TAKEN]
        outcome = "QUARANTINED" if others else "REFUSED"
        if not others and is_truth:
            outcome = self._whole(batch, version, digest)
            if outcome == "SAME_AGAIN":
                return outcome
        contents[digest] = outcome
        return outcome

    def _other_than(self, contents: dict[str, str], digest: str) -> str:
        """The bytes are held, but the seal says that they are others: refused, and what is held stays."""
        others = [state for one, state in contents.items() if one != digest and state in TAKEN]
        return "QUARANTINED" if others else "REFUSED"

    def _whole(self, batch: int, version: int, digest: str) -> str:
        by_version = {v: self.model[name_of(batch, v)] for v in (1, 2, 3)}
        if any(set(contents.values()) & set(TAKEN) for v, contents in by_version.items() if v > version):
            return "REFUSED"
        if any(contents.get(digest) in IN_FORCE for contents in by_version.values()):
            return "SAME_AGAIN"
        if any(set(contents.values()) & {*IN_FORCE, "SUPERSEDED"} for contents in by_version.values()):
            return "RESTATEMENT_PENDING"
        return "LATE" if self.is_cut_off else "ACCEPTED"

    def _outcomes(self, results: list[Any]) -> list[tuple[str, str]]:
        return sorted((file.name, file.outcome) for result in results for seal in result.seals for file in seal.files)

    @invariant()
    def the_register_says_what_the_model_says(self) -> None:
        rows = self.exchange.rows("file")
        contents = {(row["file_name"], row["sha256"]): row["state"] for row in rows if row["file_type"] == "TXN"}
        assert contents == {
            (name, digest): state for name, by_digest in self.model.items() for digest, state in by_digest.items()
        }
        # A seal is done with once it is judged, and every one was answered.
        assert {row["state"] for row in rows if row["file_type"] == "SEAL"} <= {"READ"}
        events = self.exchange.rows("file_event", event="READ")
        assert len(events) == self.judged
        answered = self.exchange.rows("audit_event", action="file.collect")
        assert len(answered) == self.judged

    @invariant()
    def one_version_of_a_batch_is_in_force_and_the_newest(self) -> None:
        for batch in (1, 2):
            rows = self.exchange.rows("file", file_type="TXN", batch=batch)
            in_force = [row["version"] for row in rows if row["state"] in IN_FORCE]
            superseded = [row["version"] for row in rows if row["state"] == "SUPERSEDED"]
            assert len(in_force) <= 1
            assert not in_force or all(version < in_force[0] for version in superseded)

    @invariant()
    def what_is_quarantined_is_told_to_the_desk_once(self) -> None:
        quarantined = [row["file_name"] for row in self.exchange.rows("file", state="QUARANTINED")]
        told = [alert["subject"] for alert in self.exchange.rows("alert", rule="FILE_QUARANTINED")]
        assert set(quarantined) <= set(told)

    @invariant()
    def nothing_is_lost(self) -> None:
        """Each content that a seal named lies in the archive, under its digest."""
        kept = {row["sha256"]: row["archive_ref"] for row in self.exchange.rows("file") if row["archive_ref"]}
        for data in self.sent:
            digest = sha256(data)
            if digest in kept:
                assert self.exchange.ports.archive.read(kept[digest]) == data
        assert self.exchange.taken() == []

    @invariant()
    def every_step_is_legal_and_the_history_ends_where_the_register_stands(self) -> None:
        histories: dict[tuple[str, str], list[str]] = defaultdict(list)
        for event in self.exchange.rows("file_event"):
            assert event["actor"] in ("system", "li")
            if event["event"] not in ("SAME_AGAIN", "READ"):
                histories[event["file_name"], event["sha256"]].append(event["event"])
        promises = {promise_name(row): row for row in self.exchange.rows("expected_file")}
        by_name: dict[str, list[str]] = defaultdict(list)
        for (name, digest), steps in histories.items():
            if name in promises:
                continue
            for before, after in itertools.pairwise([None, *steps]):
                assert after in CONTENT[before], (name, steps)
            row = self._row(name, digest)
            assert row is None or row["state"] == steps[-1]
        for event in self.exchange.rows("file_event", file_name=sorted(promises) or [""]):
            by_name[event["file_name"]].append(event["event"])
        for name, steps in by_name.items():
            for before, after in itertools.pairwise([None, *steps]):
                assert after in PROMISE[before], (name, steps)
            assert promises[name]["state"] == steps[-1]

    def _row(self, name: str, digest: str) -> Row | None:
        rows = self.exchange.rows("file", file_name=name, sha256=digest)
        return rows[0] if rows else None

    @invariant()
    def a_promise_is_kept_by_what_is_in_force(self) -> None:
        for promise in self.exchange.rows("expected_file", party=PARTY, file_type="TXN", custody_date=DAY):
            rows = self.exchange.rows("file", party=PARTY, file_type="TXN", custody_date=DAY, batch=promise["batch"])
            names = [row["file_name"] for row in rows if row["state"] in IN_FORCE]
            assert [promise["file_name"]] == (names or [None])
            assert (promise["state"] in ("ARRIVED", "LATE")) == bool(names)
            assert (promise["state"] == "LATE") <= (promise["misses"] > 0)
            # An alert is open exactly while the file is missing.
            open_ = [a for a in self.exchange.rows("alert", subject=promise_name(promise)) if a["state"] != "CLOSED"]
            assert len(open_) == (promise["state"] == "MISSING")


def run(exchange: Exchange, examples: int) -> None:
    machine = type("Files", (FilesInAnyOrder,), {"exchange": exchange})
    many = int(os.environ.get("CUSTODY_SEEDS", "1"))
    chosen = settings(
        max_examples=examples * many, stateful_step_count=20, deadline=None, derandomize=many == 1,
        suppress_health_check=list(HealthCheck), print_blob=False, database=None,
    )  # fmt: skip
    run_state_machine_as_test(machine, settings=chosen)


@pytest.fixture
def on_postgres(tmp_path: Path, postgres_url: str) -> Iterator[Exchange]:
    made = make_home(tmp_path / "home", {"register.url": postgres_url})
    with DropServer(made) as server:
        opened = open_exchange(with_port(made, server.port))
        yield opened
        opened.close()


def test_in_any_order_it_ends_as_the_rules_say(builtin: Exchange) -> None:
    run(builtin, 15)


@pytest.mark.real
def test_on_postgresql_too(on_postgres: Exchange) -> None:
    run(on_postgres, 4)


@pytest.mark.real
def test_over_the_machines_sshd_too(sshd: RealSshd, openssh: Exchange) -> None:
    run(openssh, 2)
