"""Mutated files through the real intake, in a process of its own: claim, seal, archive, landing, validation; and what must hold then.

    python tests/kit/fuzz_intake.py --seed 7 --files 2000 --home FOLDER

prints one line of JSON: counts by mutation, outcome and rule, times, peak memory, and ``broken``: each thing that did not hold, in words.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import os
import re
import signal
import time
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

from fuzz_market import DAY, SENDERS, STRAYS, Fuzzer, SealedSet, good_file, mutated, write_world
from instance_kit import Instance, MemoryDrop, make_instance, opened

from connectors.sftp_session import PART, is_safe_name
from console.file_check import check_file
from custody.ports import Archive, Inbox, Row
from custody.services.access import SYSTEM
from custody.services.intake import CollectResult, collect
from custody.texts import to_do
from jobs.land_files import Landed, Task, land_files
from schemas.layout import all_layouts, load_layout
from simulator.memory import peak_mib

# No file of at most a megabyte may take longer, on a machine that others use too.
SECONDS_A_FILE = 20
# Receipts that explain, in both languages.
_TOLD = ("rule", "words_en", "words_zh", "to_do_en", "to_do_zh")


class TooSlow(Exception):
    """A file took longer than SECONDS_A_FILE."""


@dataclass
class FuzzDrop(MemoryDrop):
    """In memory, and it lists names as the collector's SFTP client does: what is no safe name is shown and never taken."""

    def inbox(self, party: str) -> Inbox:
        found = super().inbox(party)
        seen = [name for name in found.waiting if not name.startswith(".") and not name.endswith(PART)]
        return Inbox(
            {n: found.waiting[n] for n in seen if is_safe_name(n)}, found.taken, [n for n in seen if not is_safe_name(n)]
        )


@dataclass
class Found:
    """What a run saw. ``broken``: what did not hold."""

    broken: list[str] = field(default_factory=list)
    mutations: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    files: int = 0
    seals: int = 0
    bytes: int = 0
    amounts: int = 0
    slowest_s: float = 0.0

    def add(self, other: Found) -> None:
        self.broken += other.broken
        for name in ("mutations", "outcomes", "rules", "files", "seals", "bytes", "amounts"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.slowest_s = max(self.slowest_s, other.slowest_s)

    def check(self, holds: bool, words: Callable[[], str]) -> None:
        if not holds:
            self.broken.append(words()[:500])


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Raises TooSlow."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooSlow(f"more than {seconds} s")

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def instance_of_senders(home: Path) -> Path:
    return make_instance(home, write_world(home.with_name(f"{home.name}-world")), DAY)


def sweep(instance: Instance, seconds: int) -> CollectResult:
    wiring = instance.wiring
    limits = replace(wiring.collect_limits, threads=1, party_seconds=seconds)
    with within(seconds):
        return collect(wiring.exchange_ports, wiring.exchange_rules, SYSTEM, DAY, limits)


def run(home: Path, seed: int, files: int) -> tuple[Found, dict[str, object]]:
    """(what was found, what must be the same on every run of one instance's copies)"""
    found, sound = Found(), set[tuple[str, str]]()
    drop = FuzzDrop()
    delivered: dict[str, dict[str, set[bytes]]] = defaultdict(lambda: defaultdict(set))
    with opened(home, drop) as instance:
        results = []
        for number, chosen in enumerate(Fuzzer(seed).sets(files)):
            _put(drop, delivered, chosen)
            found.mutations.update(kind for kinds in chosen.mutations.values() for kind in kinds)
            if not chosen.mutations.keys() & chosen.seals.keys():
                unharmed = [name for name in chosen.files if not chosen.mutations[name]]
                sound |= {(name, hashlib.sha256(chosen.files[name]).hexdigest()) for name in unharmed}
            found.files += len(chosen.files)
            found.seals += len(chosen.seals)
            found.bytes += sum(map(len, (*chosen.files.values(), *chosen.seals.values())))
            if number % 25 == 24:
                results.append(sweep(instance, 25 * SECONDS_A_FILE))
        for name in STRAYS:
            text = name.decode("utf-8", "backslashreplace")
            drop.put("P001", text, name)
            delivered["P001"][text].add(name)
        results.append(sweep(instance, 25 * SECONDS_A_FILE))
        again = sweep(instance, SECONDS_A_FILE)
        found.check(
            not again.seals and not again.troubles,
            lambda: f"a sweep with nothing new did something: {again.counts()} {again.troubles}",
        )
        check_exchange(found, drop, delivered, results, instance.wiring.archive, instance.find("file"))
        digests = _run_steps(instance, found, sound)
        same = {"register": _digest(instance.register_rows()), "steps": digests}
    return found, same


def _put(drop: FuzzDrop, delivered: dict[str, dict[str, set[bytes]]], chosen: SealedSet) -> None:
    for name, data in (*chosen.files.items(), *chosen.seals.items()):
        # A party that writes over a file that was not taken yet has lost it itself.
        if old := drop.arrived.get(chosen.party, {}).get(name):
            delivered[chosen.party][name].discard(old)
        drop.put(chosen.party, name, data)
        delivered[chosen.party][name].add(data)


def check_exchange(
    found: Found, drop: MemoryDrop, delivered: Mapping[str, Mapping[str, set[bytes]]], results: list[CollectResult], archive: Archive,
    files: list[Row],
) -> None:  # fmt: skip
    """Nothing is lost, and everybody is told why."""
    archived = {row["sha256"]: row["archive_ref"] for row in files if row["archive_ref"] is not None}
    for party, names in delivered.items():
        for name, contents in names.items():
            for data in contents:
                sha256 = hashlib.sha256(data).hexdigest()
                kept = sha256 in archived and archive.read(archived[sha256]) == data
                there = drop.arrived.get(party, {}).get(name) == data or any(
                    (one, bytes_) == (name, data) for (_, one), bytes_ in drop.taken.get(party, {}).items()
                )
                found.check(kept or there, lambda n=name, p=party: f"lost: {n!r} of {p}")  # type: ignore[misc]
    for party in {*drop.arrived, *drop.taken}:
        found.check(not drop.taken.get(party), lambda p=party: f"{p}: files are taken and left")  # type: ignore[misc]
    told = {name for result in results[-1:] for _, name in (*result.waiting, *result.unsafe)}
    for party, names in drop.arrived.items():
        for name in names:
            hidden = name.startswith(".") or name.endswith(PART)
            found.check(hidden or name in told, lambda n=name, p=party: f"{p}: {n!r} lies in the drop and nobody says so")  # type: ignore[misc]
    for result in results:
        found.check(not result.troubles, lambda r=result: f"troubles: {r.troubles[:2]}")  # type: ignore[misc]
    answered = 0
    for party in drop.sent:
        for receipt in drop.receipts(party):
            answered += 1
            for entry in (receipt["seal"], *receipt["files"]):
                _check_words(found, entry, f"receipt of {party}: {entry['name']}")
    found.check(answered > 0, lambda: "no seal was answered")
    for row in files:
        found.outcomes[f"{'SEAL' if row['file_type'] == 'SEAL' else 'FILE'} {row['state']}"] += 1
        if row["rule"] is not None:
            found.rules[row["rule"]] += 1


def _check_words(found: Found, entry: Mapping[str, Any], what: str) -> None:
    for part in _TOLD:
        words = entry.get(part)
        holds = (
            isinstance(words, str)
            and bool(words)
            and words.isprintable()
            and len(words) < 2_000
            and not re.search(r"\{[a-z_]+\}", words)
        )
        found.check(holds, lambda p=part, w=words: f"{what}: {p} is {w!r}")  # type: ignore[misc]


def _run_steps(instance: Instance, found: Found, sound: set[tuple[str, str]]) -> dict[str, str]:
    """``sound``: (name, SHA-256) of the files that nobody mutated, nor their seal."""
    contracts = {row["party"]: json.loads(row["contract"]) for row in instance.find("party_contract")}
    digests = {}
    for step in ("cut_off", "land", "validate"):
        with within(600):
            digests[step] = instance.step(step, DAY).seal.manifest_digest
    outcomes = {
        (row["file_name"], row["sha256"]): row for row in instance.lake_rows(DAY, "land", "file_outcomes") if row["sha256"]
    }
    rejected: dict[str, list[Row]] = defaultdict(list)
    for row in instance.lake_rows(DAY, "land", "rejected_rows"):
        rejected[row["file_name"]].append(row)
        found.rules[row["rule"]] += 1
        words = {**row, **dict(zip(("to_do_en", "to_do_zh"), to_do(row["rule"]), strict=True))}
        _check_words(found, words, f"{row['file_name']}:{row['line_no']}")
        # What is shown may come from anywhere in the file: whoever reads it must not be hurt by it either.
        quoted = row["value"] + row["shown"]
        found.check(
            row["line_no"] >= 1 and len(quoted) <= 2_200 and quoted.isprintable(), lambda r=row: f"a finding is unbounded: {r}"
        )  # type: ignore[misc]
    accepted = instance.lake_rows(DAY, "cut_off", "accepted_files")
    landed = {
        name: instance.lake_rows(DAY, "land", f"land_{name.lower()}") for name in sorted({f["file_type"] for f in accepted})
    }
    by_file: dict[str, list[Row]] = defaultdict(list)
    for rows in landed.values():
        for row in rows:
            by_file[row["file_name"]].append(row)
    found.check({(f["file_name"], f["sha256"]) for f in accepted} <= set(outcomes), lambda: "an accepted file has no outcome")
    for file in accepted:
        outcome = outcomes[file["file_name"], file["sha256"]]
        found.outcomes[f"LAND {outcome['outcome']}"] += 1
        _check_alone(
            instance,
            found,
            file,
            contracts[file["party"]]["dialect"],
            outcome,
            rejected[file["file_name"]],
            len(by_file[file["file_name"]]),
        )
        _check_landed(instance.wiring.archive, found, file, outcome, by_file[file["file_name"]], rejected[file["file_name"]])
        clean = (outcome["outcome"], outcome["rows_rejected"]) == ("LANDED", 0)
        found.check(
            clean or (file["file_name"], file["sha256"]) not in sound, lambda o=outcome: f"a sound file was not landed whole: {o}"
        )  # type: ignore[misc]
    found.check(any((file["file_name"], file["sha256"]) in sound for file in accepted), lambda: "no sound file was accepted")
    return digests


def _check_alone(
    instance: Instance, found: Found, file: Row, dialect: Mapping[str, Any], outcome: Row, rejected: list[Row], rows: int
) -> None:
    """The file by itself says what it said among the others, in bounded time."""
    started = time.perf_counter()
    with within(SECONDS_A_FILE):
        alone: Landed = land_files(
            instance.wiring, Task(file["file_type"], (file,), {(file["party"], file["custody_date"]): dialect}, {})
        )
    found.slowest_s = max(found.slowest_s, time.perf_counter() - started)
    name = file["file_name"]
    found.check(alone.outcomes == [outcome], lambda: f"{name} alone: {alone.outcomes} among others: {outcome}")
    said = [row for table in alone.rejected for row in table.to_pylist()]
    found.check(_in_order(said) == _in_order(rejected), lambda: f"{name} alone has other findings: {said[:1]} {rejected[:1]}")
    found.check(sum(part.rows for part in alone.parts) == rows, lambda: f"{name} alone has other rows")


def _in_order(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row["line_no"], row["fault_no"]))


def _check_landed(archive: Archive, found: Found, file: Row, outcome: Row, rows: list[Row], rejected: list[Row]) -> None:
    name = file["file_name"]
    if outcome["outcome"] == "REFUSED":
        found.rules[outcome["rule"]] += 1
        _check_words(
            found, {**outcome, **dict(zip(("to_do_en", "to_do_zh"), to_do(outcome["rule"]), strict=True))}, f"{name} refused"
        )
        found.check(not rows, lambda: f"{name} is refused and has rows")
        return
    lines = {row["line_no"] for row in rejected}
    found.check(outcome["rows_landed"] == len(rows), lambda: f"{name}: rows are not those of its outcome")
    found.check(len(rows) + len(lines) == file["rows"], lambda: f"{name}: {len(rows)} + {len(lines)} rows of {file['rows']}")
    found.check(not lines & {row["line_no"] for row in rows}, lambda: f"{name}: a rejected line landed")
    whole = outcome["landed_minor"] + outcome["rejected_minor"] == outcome["total_minor"]
    found.check(whole, lambda: f"{name}: money is not whole: {outcome}")
    sent = AsSent(file["layout"], archive.read(file["archive_ref"]), file["encoding"])
    for row in rows:
        try:
            amounts = sent.amounts(row["line_no"])
        except (ArithmeticError, ValueError, KeyError, AssertionError) as why:
            found.check(False, lambda r=row, w=why: f"{name}:{r['line_no']} landed, and another reader finds no amounts: {w!r}")  # type: ignore[misc]
            continue
        for column, said in amounts.items():
            found.amounts += 1
            found.check(
                row[column] == said, lambda r=row, c=column, s=said: f"{name}:{r['line_no']} {c} landed as {r[c]}, sent as {s}"
            )  # type: ignore[misc]


class AsSent:
    """A second reading of what was sent, which shares nothing with ours but the layout's declaration: amounts by line and landed column."""

    def __init__(self, layout_id: str, data: bytes, encoding: str) -> None:
        self._layout, self._encoding = load_layout(layout_id), encoding
        if layout_id.startswith("baofoo"):
            data = base64.b64decode(self._member(data, layout_id))
        if layout_id.startswith(("baofoo", "unionpay")):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                wanted = ".*\\.txt" if layout_id.startswith("baofoo") else "INN.*"
                (entry,) = [
                    e for e in archive.infolist() if re.fullmatch(wanted, e.filename.replace("\\", "/").rpartition("/")[2])
                ]
                data = archive.read(entry)
        self._lines = data.split(b"\n")

    def _member(self, data: bytes, layout_id: str) -> bytes:
        (found,) = [part.partition(b"=")[2] for part in data.split(b"&") if part.startswith(b"resp_body=")]
        return found

    def amounts(self, line_no: int) -> dict[str, int | None]:
        line = self._lines[line_no - 1].removesuffix(b"\r")
        if self._layout.format == "fixed_width":
            return self._fixed(line)
        text = line.decode(self._encoding).removeprefix("\ufeff")
        if self._layout.id == "wechat_all/1":
            cells = dict(zip(self._headings(), text.removeprefix("`").split(",`"), strict=True))
            incoming = cells["交易状态"] == "SUCCESS"
            gross, fee = _fen(cells["应结订单金额" if incoming else "退款金额"]), _fen(cells["手续费"])
        elif self._layout.id.startswith("baofoo"):
            cells = dict(zip((f.heading for f in self._layout.fields), text.split("|"), strict=True))
            incoming = self._layout.id == "baofoo_fi/1" and cells["交易子类型"] == "00"
            if self._layout.id != "baofoo_fi/1":
                return {}
            gross, fee = _fen(cells["交易金额"]), _fen(cells["手续费"])
        else:
            fields = self._layout.fields
            cells = dict(zip((f.name for f in fields), text.split(self._layout.delimiter), strict=True))
            return {f.column: _fen(cells[f.name]) for f in fields if f.type == "amount"}
        assert gross is not None and fee is not None
        return {"gross_minor": gross, "fee_minor": fee, "net_minor": gross - fee if incoming else gross}

    def _headings(self) -> list[str]:
        return self._lines[0].removesuffix(b"\r").decode().removeprefix("\ufeff").split(",")

    def _fixed(self, line: bytes) -> dict[str, int | None]:
        """UnionPay's, of which one filler byte stands between two fields."""
        at, cells = 0, {}
        for f in self._layout.fields:
            cells[f.name] = line[at : at + f.width]
            at += f.width + 1
        gross, fee = int(cells["amount"]), int(cells["merchant_fee"].replace(b"D", b"").replace(b"C", b"-"))
        return {"gross_minor": gross, "fee_minor": fee, "net_minor": gross - fee if line[:3] == b"S22" else gross}


def _fen(cell: str) -> int | None:
    if not cell:
        return None
    minor = Decimal(cell) * 100
    assert minor == int(minor), cell
    return int(minor)


def check_before_sending(folder: Path, seed: int, each: int) -> Found:
    """Files of layouts that nothing lands yet, read as `custody check-file` does: every finding explained, the same twice."""
    taken = {layout for sender in SENDERS for layout in sender.layouts.values()}
    layouts = sorted(set(all_layouts()) - taken)
    found, rng = Found(), Random(f"check {seed}")
    path = folder / "file.dat"
    for layout_id in layouts:
        layout = load_layout(layout_id)
        for _ in range(each):
            encoding = rng.choice(layout.encodings)
            done, data = mutated(rng, layout, good_file(layout, layout.encodings[0]), encoding)
            found.files += 1
            found.bytes += len(data)
            found.mutations.update(done)
            path.write_bytes(data)
            started = time.perf_counter()
            with within(SECONDS_A_FILE):
                answers = [check_file(path, layout_id, encoding, DAY, None) for _ in range(2)]
            found.slowest_s = max(found.slowest_s, time.perf_counter() - started)
            found.check(answers[0] == answers[1], lambda d=done, i=layout_id: f"{i} after {d}: two answers")  # type: ignore[misc]
            for fault in (*answers[0].file_faults, *answers[0].row_faults):
                english, chinese = fault.words
                todo = to_do(fault.rule)
                entry = {"rule": fault.rule, "words_en": english, "words_zh": chinese, "to_do_en": todo[0], "to_do_zh": todo[1]}
                _check_words(found, entry, f"{layout_id} after {done}")
                found.rules[fault.rule] += 1
    return found


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, default=str, sort_keys=True).encode()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--files", type=int, required=True)
    parser.add_argument("--home", type=Path, required=True, help="a new instance of the senders, or a folder to make it in")
    asked = parser.parse_args()
    # As in the tests' own process: nobody cuts the power here.
    os.fsync = lambda _: None
    if not asked.home.exists():
        instance_of_senders(asked.home)
    started = time.perf_counter()
    found, same = run(asked.home, asked.seed, asked.files)
    found.add(check_before_sending(asked.home.parent, asked.seed, max(asked.files // 100, 1)))
    seconds = round(time.perf_counter() - started, 1)
    print(json.dumps({**vars(found), "same": same, "seconds": seconds, "peak_mib": peak_mib()}))


if __name__ == "__main__":
    main()
