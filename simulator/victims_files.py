"""Whole files, seals and deliveries that could be spoilt (simulator.spoil does it), and what a custody day must then show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

from custody.names import UNDER_WAY, BreakKind, FileType, PartyKind
from schemas.exchange import ExchangeName, parse_name
from simulator.movement import Row
from simulator.victim import Expect, Scene, Victim, file_name, tomorrow

# What is spoilt first where it fits; other types when these are spoilt already, or would do harm.
_RATHER = {FileType.TXN: 0, FileType.BALANCE: 1}

Victims = Callable[[Scene], Iterator[Victim]]


def _late(scene: Scene, file_type: FileType) -> Expect:
    subject = f"LATE|{scene.party.party}|{file_type.value}|{scene.day.isoformat()}"
    return Expect(scene.party.party, "FILE", BreakKind.LATE_FILE.value, subject)


def _refused(scene: Scene, name: str) -> Expect:
    return Expect(scene.party.party, "FILE", BreakKind.CONTROL_TOTAL.value, f"FILE|{name}")


def _intake(scene: Scene, event: str, name: str) -> Expect:
    return Expect(scene.party.party, "INTAKE", event, f"FILE|{name}")


def _rows(scene: Scene, file_type: FileType) -> list[Row] | None:
    """The rows of a file that may be late without harm to other files' postings; None where it would do harm."""
    if scene.party.kind is PartyKind.CHANNEL:
        return _settled(scene) if scene.batches == 1 else None
    if scene.party.kind is not PartyKind.PLATFORM:
        return None
    own, before = scene.own, scene.before
    if file_type is FileType.TXN:
        # A file that brings a movement of the day before is spared: that movement would fall due twice. So is one with a
        # movement under way: late, it would meet that movement's end, and the two rows of each side be taken for one too many.
        is_fit = all(move.event_time.date() == scene.day and move.status not in UNDER_WAY for move in own.txn)
        return [move.txn_row() for move in own.txn] if is_fit else None
    if file_type is FileType.CUSTOMER:
        # An account or a loan that the bank does not know yet brings its movements to a halt.
        return None if any(row["action"] == "OPEN" for row in own.customers) else own.customers
    if file_type is FileType.LOAN:
        known = {row["loan_id"] for row in before.loans} if before is not None else set()
        return own.loans if all(row["loan_id"] in known for row in own.loans) else None
    return {FileType.BALANCE: own.balances, FileType.CLAIM: own.claims}[file_type]


def _settled(scene: Scene) -> list[Row]:
    return [row for own in scene.truth.platforms.values() for row in own.settlements[scene.party.party]]


def _batches(scene: Scene) -> tuple[str, ...]:
    """A channel's file stands for its batches: no other fault touches them."""
    if scene.party.kind is not PartyKind.CHANNEL:
        return ()
    rows = _settled(scene)
    return tuple(sorted({f"{row['platform']}|INV|INV_09|{row['settlement_batch']}" for row in rows}))


def _one_file(
    scene: Scene,
    days_needed: int,
    expects: Callable[[FileType, str], tuple[Expect, ...]],
    known_days: int = 0,
    totals: bool = False,
) -> Iterator[Victim]:
    """Each file that holds rows, on dates that leave ``days_needed`` for what comes later; negative: days before it."""
    if scene.days_left < days_needed or scene.index < -days_needed:
        return
    for file_type in sorted(scene.party.file_types, key=lambda one: _RATHER.get(one, len(_RATHER))):
        if totals and file_type in (FileType.CUSTOMER, FileType.MANDATE):
            continue  # their layouts have no control totals
        if not _rows(scene, file_type):
            continue
        key = scene.key(file_type)
        yield Victim(
            party=scene.party.party,
            keys={"file": file_name(key)},
            expects=expects(file_type, file_name(key)),
            known_by=scene.day + timedelta(days=known_days),
            file=key,
            touches=_batches(scene),
        )


def refused_and_late(scene: Scene) -> Iterator[Victim]:
    """The file is refused, and missing until its next version comes the day after."""
    return _one_file(scene, 1, lambda file_type, name: (_refused(scene, name), _late(scene, file_type)))


def cut_before_seal(scene: Scene) -> Iterator[Victim]:
    """What is left of the last line may be refused too."""
    for victim in refused_and_late(scene):
        assert victim.file is not None
        last = len(_rows(scene, FileType(victim.file[1])) or []) + 1  # line 1 is the header
        half = Expect(scene.party.party, "FILE", "REJECTED_ROW", f"ROW|{file_name(victim.file)}|{last}")
        yield replace(victim, allows=(half,))


def refused_by_totals(scene: Scene) -> Iterator[Victim]:
    return _one_file(scene, 1, lambda file_type, name: (_refused(scene, name), _late(scene, file_type)), totals=True)


def late_a_day(scene: Scene) -> Iterator[Victim]:
    return _one_file(scene, 1, lambda file_type, name: (_late(scene, file_type),))


def late_two_days(scene: Scene) -> Iterator[Victim]:
    return _one_file(scene, 2, lambda file_type, name: (_late(scene, file_type),))


def foreign_name(change: Callable[[ExchangeName, str], str]) -> Victims:
    def victims(scene: Scene) -> Iterator[Victim]:
        seal = ExchangeName(scene.party.party, "SEAL", scene.day, 1, 1)
        # The register keeps what is no name of the sender's own under the sender's code.
        return _one_file(scene, 0, lambda _, name: (_refused(scene, f"{scene.party.party}:{change(seal, name)}"),))

    return victims


def same_again(scene: Scene) -> Iterator[Victim]:
    return _one_file(scene, 1, lambda _, name: (_intake(scene, "SAME_AGAIN", name),), known_days=1)


def other_content(scene: Scene) -> Iterator[Victim]:
    return _one_file(scene, 1, lambda _, name: (_refused(scene, name),), known_days=1)


def restated(scene: Scene) -> Iterator[Victim]:
    def expects(file_type: FileType, name: str) -> tuple[Expect, ...]:
        parts = parse_name(name)
        assert parts is not None
        return (_intake(scene, "RESTATEMENT_PENDING", str(replace(parts, version=2))),)

    return _one_file(scene, 1, expects, known_days=1)


def sent_early(scene: Scene) -> Iterator[Victim]:
    def expects(file_type: FileType, name: str) -> tuple[Expect, ...]:
        parts = parse_name(name)
        assert parts is not None
        return (_refused(scene, str(replace(parts, batch=2))),)

    return _one_file(scene, -1, expects)


def _whole_set(scene: Scene) -> bool:
    return scene.days_left >= 1 and all(_rows(scene, file_type) is not None for file_type in scene.party.file_types)


def _set_victim(scene: Scene, expects: tuple[Expect, ...], known_days: int = 0) -> Victim:
    return Victim(
        party=scene.party.party,
        keys={"seal": _seal_name(scene)},
        expects=expects,
        known_by=scene.day if not known_days else tomorrow(scene.day),
        whole_set=(scene.party.party, scene.day),
        touches=_batches(scene),
    )


def _seal_name(scene: Scene) -> str:
    return str(ExchangeName(scene.party.party, "SEAL", scene.day, 1, 1))


def set_late(scene: Scene) -> Iterator[Victim]:
    if _whole_set(scene):
        yield _set_victim(scene, tuple(_late(scene, file_type) for file_type in scene.party.file_types))


def seal_refused(scene: Scene) -> Iterator[Victim]:
    if _whole_set(scene):
        late = tuple(_late(scene, file_type) for file_type in scene.party.file_types)
        yield _set_victim(scene, (_refused(scene, _seal_name(scene)), *late))


def set_again(scene: Scene) -> Iterator[Victim]:
    if scene.days_left >= 1 and scene.party.kind is not PartyKind.GATEWAY:
        again = (_intake(scene, "SAME_AGAIN", file_name(scene.key(file_type))) for file_type in scene.party.file_types)
        yield _set_victim(scene, tuple(again), known_days=1)


def batches_out_of_order(scene: Scene) -> Iterator[Victim]:
    """The last batch of a date comes in time, the first one the day after: until then the type is not there."""
    if scene.party.kind is PartyKind.CHANNEL and scene.batches > 1 and scene.days_left >= 1 and _settled(scene):
        yield _set_victim(scene, (_late(scene, FileType.SETTLEMENT),))
