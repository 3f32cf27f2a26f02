"""Choosing where faults go. Victims are drawn by the seed; no subject carries two faults; each label says what must be found."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from datetime import date
from itertools import islice
from random import Random
from typing import Any

from custody.calendar import SettlementCalendar
from custody.names import MONTHLY, FileType, PartyKind
from schemas.layout import load_layout
from simulator.edits import FaultPlan, FileKey, LineEdit, RowEdit, RowKey, apply_row_edits
from simulator.fault_kinds import FAULT_KINDS, FaultKind
from simulator.faults import FaultRequest, check_request
from simulator.files import OF_A_MONTH, key_columns, rows_of
from simulator.movement import DayTruth, Row
from simulator.parties import Honesty, SendingParty, profile
from simulator.victim import CORE, Expect, Line, Scene, Victim, file_name, row_place

_MANY = 20
# How much rather a fault that may be anywhere is planted on such a platform.
_WEIGHTS = {Honesty.SOUND: 1, Honesty.CARELESS: 3, Honesty.DISHONEST: 6}
_VAST_MINOR = 1_000_000_000  # ten million yuan


def plant_faults(
    *, seed: int, parties: list[SendingParty], days: list[DayTruth], requests: list[FaultRequest], batch_of: Mapping[str, int]
) -> FaultPlan:
    """A plan for all requested faults. ``batch_of``: platform -> number of the gateway's and the channels' batch that has its
    rows. Raises FaultRequestError when this world has no place left for a fault."""
    known = {party.party: party.kind.value for party in parties} | {CORE: CORE}
    for request in requests:
        check_request(request, known, [truth.day for truth in days])
    return _Planter(seed, parties, days, batch_of).plant(requests)


class _Planter:
    def __init__(self, seed: int, parties: list[SendingParty], days: list[DayTruth], batch_of: Mapping[str, int]) -> None:
        self.seed, self.days, self.batch_of = seed, days, batch_of
        self.parties = {party.party: party for party in parties}
        platforms = [party.party for party in parties if party.kind is PartyKind.PLATFORM]
        self.numbers = {platform: number for number, platform in enumerate(platforms, start=1)}
        self.plan = FaultPlan()
        self.planted: list[tuple[FaultKind, Scene, Victim]] = []
        # What no second fault may touch; rows that were shifted, which may be shifted again and not changed; files that must
        # arrive whole; files of which nobody else edits rows.
        self.taken: set[str] = set()
        self.shifted: set[str] = set()
        self.sound: set[FileKey] = set()
        self.alone: set[FileKey] = set()

    def plant(self, requests: list[FaultRequest]) -> FaultPlan:
        # What has few places goes before what has many: what is pinned first, then by places counted in the untouched world.
        def order(numbered: tuple[int, FaultRequest]) -> tuple[int, int, int]:
            number, request = numbered
            return (request.date is None) + (request.party is None), self._places(request), number

        for number, request in sorted(enumerate(requests), key=order):
            rng = Random(f"{self.seed}|fault|{number}|{request.kind}")
            for count in range(request.count):
                self._plant_one(request, rng, count)
        labels = [self._label(*one) for one in self.planted]
        labels.sort(key=lambda label: (label["custody_date"], label["platform"], label["kind"], str(label["keys"])))
        self.plan.labels = [{"fault_id": f"F{n:04d}", **label} for n, label in enumerate(labels, start=1)]
        return self.plan

    def _places(self, request: FaultRequest) -> int:
        """On how many dates of how many parties the fault could be planted; from _MANY on they are not told apart."""
        rng = Random(f"{self.seed}|places|{request.kind}")
        having = (1 for scene in self._scenes(FAULT_KINDS[request.kind], request, rng) if self._victims(request, scene))
        return sum(islice(having, _MANY))

    def _victims(self, request: FaultRequest, scene: Scene) -> list[Victim]:
        named = (None, scene.party.party)
        victims = FAULT_KINDS[request.kind].victims(scene)
        if scene.party.has_e_accounts:
            victims = (victim for victim in victims if not _posts_more(victim))
        return [victim for victim in victims if request.party in (*named, victim.party) and self._is_free(victim)]

    def _plant_one(self, request: FaultRequest, rng: Random, count: int) -> None:
        kind = FAULT_KINDS[request.kind]
        for scene in self._scenes(kind, request, rng):
            victims = self._victims(request, scene)
            if victims:
                # Of whole files the first is taken, TXN where it fits: drawn at random, few worlds would lose a TXN file.
                self._take(kind, scene, victims[0] if len(kind.senders) > 1 else rng.choice(victims))
                return
        where = f"date {request.date or 'any'}, party {request.party or 'any'}"
        raise request.refused(
            f"no place for {request.kind} ({where}): {count} of {request.count} could be planted; "
            "name another date or party, ask for fewer faults, or make a larger world"
        )

    def _scenes(self, kind: FaultKind, request: FaultRequest, rng: Random) -> Iterator[Scene]:
        """Dates and senders in an order drawn at random, those of dishonest platforms rather early: by Efraimidis and Spirakis a
        slot of weight w comes before one of weight 1 with odds of w to 1."""
        senders = [party for party in self.parties.values() if party.kind in kind.senders]
        if request.party in {party.party for party in senders}:
            senders = [self.parties[request.party]]  # type: ignore[index]
        slots = [
            (index, party) for index, truth in enumerate(self.days) if request.date in (None, truth.day) for party in senders
        ]
        drawn = [(-math.log(1.0 - rng.random()) / self._weight(party), index, party) for index, party in slots]
        slots = [(index, party) for _, index, party in sorted(drawn, key=lambda one: one[0])]
        calendar = SettlementCalendar()
        for index, party in slots:
            yield Scene(self.days, index, party, self.parties, rng, request.amount_minor, calendar, max(self.batch_of.values()))

    def _weight(self, party: SendingParty) -> int:
        if party.kind is not PartyKind.PLATFORM:
            return _WEIGHTS[Honesty.SOUND]
        return _WEIGHTS[profile(self.seed, self.numbers[party.party]).honesty]

    def _is_free(self, victim: Victim) -> bool:
        if self.taken.intersection(_subjects(victim)):
            return False
        if victim.alone is not None and self.plan.rows.get(victim.alone):
            return False
        for file, edit in victim.rows:
            place = row_place(file, edit.key)
            if (
                place in self.taken
                or file in self.alone
                or (edit.action != "shift" and (place in self.shifted or self._is_spoilt(file)))
            ):
                return False
        if any(self._is_spoilt(file) for file in (*victim.sound, *(line.file for line in victim.lines))):
            return False
        whole = [victim.file] if victim.file is not None else []
        if victim.whole_set is not None:
            party, day = victim.whole_set
            whole = [(party, file_type.value, day) for file_type in self.parties[party].file_types]
        return not any(self._is_spoilt(file) or self._is_edited(file) or file in self.sound for file in whole)

    def _is_spoilt(self, file: FileKey) -> bool:
        return file in self.plan.files or (file[0], file[2]) in self.plan.sets

    def _is_edited(self, file: FileKey) -> bool:
        """Edits of rows that are compared on the file's own date; what is shifted on both sides may come late."""
        lined = any(line.file == file for _, _, victim in self.planted for line in victim.lines)
        return lined or any(edit.action != "shift" for edit in self.plan.rows.get(file, []))

    def _take(self, kind: FaultKind, scene: Scene, victim: Victim) -> None:
        if victim.file is not None:
            self.plan.files[victim.file] = victim.spoils or kind.name
        if victim.whole_set is not None:
            self.plan.sets[victim.whole_set] = kind.name
        for file, edit in victim.rows:
            self.plan.rows.setdefault(file, []).append(replace(edit, platform=scene.party.party))
            (self.shifted if edit.action == "shift" else self.taken).add(row_place(file, edit.key))
        for day, core_edit in victim.core:
            self.plan.core.setdefault(day, []).append(core_edit)
        for day, e_edit in victim.e_core:
            self.plan.e_core.setdefault(day, []).append(e_edit)
        self.taken |= _subjects(victim)
        self.sound |= set(victim.sound)
        if victim.alone is not None:
            self.alone.add(victim.alone)
        self.planted.append((kind, scene, victim))

    def _label(self, kind: FaultKind, scene: Scene, victim: Victim) -> dict[str, Any]:
        """Every edit of rows is planned by now: the lines stand."""
        of = scene.party.party
        rejected = [Expect(file[0], "FILE", "REJECTED_ROW", f"ROW|{self._place(of, file, key)}") for file, key in victim.rejected]
        for line in victim.lines:
            self._spoil_line(of, line)
        # What is left out has no line, and of balances that follow from a movement the accounts are enough.
        edited = dict.fromkeys(
            (file, edit.key) for file, edit in victim.rows if edit.action != "drop" and not _follows(file, edit)
        )
        edited |= dict.fromkeys((line.file, line.key) for line in victim.lines)
        lines = [self._place(of, file, key, ":") for file, key in edited]
        keys = {name: _text(value) for name, value in victim.keys.items()}
        moved = dict.fromkeys(".".join(map(str, edit.key)) for file, edit in victim.rows if _follows(file, edit))
        what = ", ".join(f"{name} {value}" for name, value in keys.items() if not isinstance(value, list))
        return {
            "kind": kind.name,
            "party": victim.party,
            "platform": of,
            "custody_date": scene.day.isoformat(),
            "known_by": victim.known_by.isoformat(),
            "keys": keys | {name: places for name, places in (("lines", lines), ("balances", list(moved))) if places},
            "expects": [asdict(expect) for expect in (*rejected, *victim.expects)],
            "allows": [asdict(allowed) for allowed in (*victim.allows, *_whole_batches(victim))],
            "follows": [asdict(following) for following in victim.follows],
            "words_en": f"{victim.party}: {kind.en} ({what})",
            "words_zh": f"{victim.party}：{kind.zh}（{what}）",
        }

    def _edited(self, platform: str, file: FileKey) -> tuple[list[Row], tuple[str, ...]]:
        """The rows of that file, or of its batch that has the platform's, with all edits; and the names of their key."""
        party, file_type = self.parties[file[0]], FileType(file[1])
        columns = key_columns(load_layout(party.layout(file_type)))
        truth = next(truth for truth in self.days if truth.day == file[2])
        if file[0] not in truth.platforms:
            same = self.batch_of[platform]
            truth = DayTruth(truth.day, {of: own for of, own in truth.platforms.items() if self.batch_of[of] == same})
        rows = apply_row_edits(rows_of(party, file_type, truth), columns, self.plan.rows_about(file, truth.platforms))
        return rows, columns

    def _line(self, platform: str, file: FileKey, key: RowKey) -> int:
        """The last line with that key; line 1 is the header."""
        rows, columns = self._edited(platform, file)
        return max(i for i, row in enumerate(rows) if tuple(row[c] for c in columns) == key) + 2

    def _place(self, platform: str, file: FileKey, key: RowKey, between: str = "|") -> str:
        batch = 1 if file[0] in self.batch_of else self.batch_of[platform]
        if FileType(file[1]) in MONTHLY:
            batch = OF_A_MONTH.number
        return f"{file_name(file, batch)}{between}{self._line(platform, file, key)}"

    def _spoil_line(self, platform: str, line: Line) -> None:
        layout = load_layout(self.parties[line.file[0]].layout(FileType(line.file[1])))
        line_no = self._line(platform, line.file, line.key)
        cell = next(i for i, f in enumerate(layout.fields) if f.column == line.column)
        text = layout.fields[cell].format(self._edited(platform, line.file)[0][line_no - 2][line.column])
        edit = LineEdit(line_no, cell, line.spoil(text, self.parties[line.file[0]].encoding))
        self.plan.lines.setdefault(line.file, []).append(edit)


def _posts_more(victim: Victim) -> bool:
    """Whether its instructions are posted, so that the core of a platform with e-accounts, which shows what was truly done, would lack
    them: such faults are planted elsewhere."""
    instructs = any(FileType(file[1]) is FileType.INSTRUCTION for file, _ in victim.rows)
    return instructs and not any(expect.subject.startswith("POSTING|") for expect in victim.expects)


def _follows(file: FileKey, edit: RowEdit) -> bool:
    return edit.action == "shift" and FileType(file[1]) is FileType.BALANCE


def _whole_batches(victim: Victim) -> Iterator[Expect]:
    """What a fault in rows may raise about the file they stand in as a whole: small files show one row in many."""
    for file, rule in dict.fromkeys(
        [
            *((file, "batch_rejected") for file, _ in victim.rejected),
            *((file, "batch_repeated") for file, edit in victim.rows if edit.action == "repeat"),
            *((file, "batch_amounts") for file, edit in victim.rows if _whole(edit.values.get("amount_minor")) >= _VAST_MINOR),
        ]
    ):
        yield Expect(file[0], "FILE", "BATCH", f"BATCH|{file[1]}|{file[2].isoformat()}|{rule}")


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _subjects(victim: Victim) -> set[str]:
    places = {row_place(file, key) for file, key in victim.rejected}
    return {expect.about for expect in (*victim.expects, *victim.allows)} | set(victim.touches) | places


def _text(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value
