"""Choosing where faults go. Victims are drawn by the seed; no subject carries two faults; each label says what must be found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from custody.names import FileType, PartyKind
from schemas.layout import load_layout
from simulator.faults import (
    CORE_KINDS,
    FILE_KINDS,
    KINDS,
    LINE_KINDS,
    FaultPlan,
    FaultRequest,
    FaultRequestError,
    LineEdit,
    apply_row_edits,
)
from simulator.files import key_columns, rows_of
from simulator.movement import DayTruth, PlatformDay
from simulator.parties import SendingParty
from simulator.victims import ROW_VICTIMS, Victim, core_victims, file_name, file_victims, line_victims


@dataclass(frozen=True, slots=True)
class Slot:
    """A platform on a date: where a fault may go. ``index`` counts dates from 0."""

    index: int
    truth: DayTruth
    party: SendingParty

    @property
    def own(self) -> PlatformDay:
        return self.truth.platforms[self.party.party]


def plant_faults(*, seed: int, parties: list[SendingParty], days: list[DayTruth], requests: list[FaultRequest]) -> FaultPlan:
    """A plan for all requested faults. Raises FaultRequestError when this world has no place left for one."""
    return _Planter(seed, parties, days).plant(requests)


class _Planter:
    def __init__(self, seed: int, parties: list[SendingParty], days: list[DayTruth]) -> None:
        self.seed, self.days = seed, days
        self.parties = {party.party: party for party in parties}
        self.platforms = [party for party in parties if party.kind is PartyKind.PLATFORM]
        self.plan = FaultPlan()
        self.used: set[str] = set()

    def plant(self, requests: list[FaultRequest]) -> FaultPlan:
        # By phase (whole files, rows, core, bytes of lines); within one, what is pinned to a place goes before what is free.
        order = {kind: (kind not in FILE_KINDS, kind in LINE_KINDS) for kind in KINDS}
        planned = sorted(enumerate(requests), key=lambda p: (order[p[1].kind], p[1].date is None, p[1].platform is None, p[0]))
        for number, request in planned:
            rng = Random(f"{self.seed}|fault|{number}|{request.kind}")
            for _ in range(request.count):
                self._plant_one(request, rng)
        labels = sorted(self.plan.labels, key=lambda label: (label["custody_date"], label["platform"], label["subject"]))
        self.plan.labels = [{"fault_id": f"F{n:04d}", **label} for n, label in enumerate(labels, start=1)]
        return self.plan

    def _plant_one(self, request: FaultRequest, rng: Random) -> None:
        slots = [
            Slot(index, truth, party)
            for index, truth in enumerate(self.days)
            for party in self.platforms
            if request.date in (None, truth.day) and request.platform in (None, party.party)
        ]
        rng.shuffle(slots)
        for slot in slots:
            victims = [victim for victim in self._victims(request.kind, slot, rng) if self._is_free(victim)]
            if victims:
                # Of whole files the first is taken, TXN where it fits: drawn at random, few worlds would lose a TXN file.
                self._spoil(request.kind, slot, victims[0] if request.kind in FILE_KINDS else rng.choice(victims))
                return
        raise FaultRequestError(
            f"no place for {request.kind} (date {request.date or 'any'}, platform {request.platform or 'any'}): "
            "name another date or platform, ask for fewer faults, or make a larger world"
        )

    def _victims(self, kind: str, slot: Slot, rng: Random) -> Iterator[Victim]:
        if kind in FILE_KINDS:
            yield from file_victims(kind, slot.own, slot.index, len(self.days), slot.truth.day)
        elif kind in CORE_KINDS:
            yield from core_victims(kind, slot.own, slot.truth.day, rng)
        elif kind in LINE_KINDS:
            before = self.days[slot.index - 1].platforms[slot.party.party] if slot.index else None
            yield from line_victims(kind, slot.own, before, slot.truth.day)
        else:
            yield from ROW_VICTIMS[kind](slot.own, slot.truth.day, rng)

    def _is_free(self, victim: Victim) -> bool:
        is_spoilt_file = victim.file in self.plan.files or (victim.whole_file and victim.file in self.plan.rows)
        return not is_spoilt_file and not self.used.intersection(subject for _, _, subject in victim.expects)

    def _spoil(self, kind: str, slot: Slot, victim: Victim) -> None:
        expects = list(victim.expects)
        if victim.whole_file:
            assert victim.file is not None
            self.plan.files[victim.file] = kind
        elif victim.core is not None:
            self.plan.core.setdefault(slot.truth.day, []).append(victim.core)
        elif victim.row is not None:
            assert victim.file is not None
            self.plan.rows.setdefault(victim.file, []).append(victim.row)
        else:
            expects.insert(0, ("FILE", "REJECTED_ROW", self._spoil_line(slot, victim)))
        self.used.update(subject for _, _, subject in expects)
        self.plan.labels.append(
            {
                "kind": kind,
                "custody_date": slot.truth.day.isoformat(),
                "platform": slot.party.party,
                "subject": expects[0][2],
                "expects": [{"sides": sides, "kind": found, "subject": subject} for sides, found, subject in expects],
            }
        )

    def _spoil_line(self, slot: Slot, victim: Victim) -> str:
        """Plan the spoilt bytes and return the ROW subject. All edits of rows are planned by now, so the line stands."""
        assert victim.file is not None and victim.line is not None
        file_type = FileType(victim.file[1])
        layout = load_layout(slot.party.layout(file_type))
        columns = key_columns(layout)
        rows = apply_row_edits(rows_of(slot.party, file_type, slot.truth), columns, self.plan.rows.get(victim.file, []))
        key, column, spoil = victim.line
        places = [i for i, row in enumerate(rows) if tuple(row[c] for c in columns) == key]
        line_no = places[0] + 2  # line 1 is the header
        cell = next(i for i, f in enumerate(layout.fields) if f.column == column)
        text = layout.fields[cell].format(rows[places[0]][column])
        self.plan.lines.setdefault(victim.file, []).append(LineEdit(line_no, cell, spoil(text, slot.party.encoding)))
        return f"ROW|{file_name(victim.file)}|{line_no}"
