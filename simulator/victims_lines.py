"""Cells whose bytes could be spoilt, so that landing must refuse the line and keep it with its reason (domain.md §5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from custody.names import BreakKind, FileType
from simulator.edits import RowEdit, RowKey
from simulator.movement import Row
from simulator.victim import Line, Scene, Victim, tomorrow
from simulator.victims_txn import keys, subject

Spoil = Callable[[str, str], bytes]  # (the cell's text, the file's encoding) -> the bytes that are sent
Victims = Callable[[Scene], Iterator[Victim]]


def txn_cell(column: str, spoil: Spoil) -> Victims:
    """A cell of a claimed movement: the line is refused, and the movement is missing on the platform's side."""

    def victims(scene: Scene) -> Iterator[Victim]:
        file = scene.key(FileType.TXN)
        for move in scene.claimed():
            key: RowKey = (move.request_no, move.leg)
            yield Victim(
                party=scene.platform,
                keys=keys(move),
                expects=(scene.ab(BreakKind.MISSING_IN_PLATFORM.value, subject(move)),),
                follows=scene.chains_of(move),
                known_by=scene.day,
                lines=(Line(file=file, key=key, column=column, spoil=spoil),),
                rejected=((file, key),),
            )

    return victims


def _known_loans(scene: Scene) -> list[Row]:
    """Loans of an earlier file: one first shown in a line that cannot be read would be unknown to the bank."""
    known = {row["loan_id"] for row in scene.before.loans} if scene.before is not None else set()
    return [row for row in scene.own.loans if row["loan_id"] in known]


def loan_purpose(spoil: Spoil) -> Victims:
    """The purpose of a loan: its line is refused, what is registered of it stands. Where not even the line's key can be read, the
    loan is left out."""

    def victims(scene: Scene) -> Iterator[Victim]:
        file = scene.key(FileType.LOAN)
        for row in _known_loans(scene):
            key: RowKey = (row["loan_id"],)
            yield Victim(
                party=scene.platform,
                keys={"loan": row["loan_id"]},
                expects=(),
                follows=(scene.ab(BreakKind.LOAN_TERMS.value, f"LOAN|{row['loan_id']}"),),
                known_by=scene.day,
                lines=(Line(file=file, key=key, column="purpose", spoil=spoil),),
                rejected=((file, key),),
                touches=(f"{scene.platform}|LOAN|{row['loan_id']}",),
            )

    return victims


def wrong_encoding(scene: Scene) -> Iterator[Victim]:
    """The loans known from earlier are written in the other encoding; refused are the lines that are not valid in the agreed one,
    the others state another purpose."""
    known = _known_loans(scene)
    agreed = scene.party.encoding
    other = "gb18030" if agreed == "utf-8" else "utf-8"
    refused = [row for row in known if not _reads_as(str(row["purpose"]).encode(other), agreed)]
    if not refused:
        return
    file = scene.key(FileType.LOAN)
    yield Victim(
        party=scene.platform,
        keys={"file": FileType.LOAN.value, "encoding": other, "loans": [row["loan_id"] for row in known]},
        expects=(),
        follows=tuple(scene.ab(BreakKind.LOAN_TERMS.value, f"LOAN|{row['loan_id']}") for row in known),
        known_by=scene.day,
        lines=tuple(
            Line(file=file, key=(row["loan_id"],), column="purpose", spoil=lambda text, _: text.encode(other)) for row in known
        ),
        rejected=tuple((file, (row["loan_id"],)) for row in refused),
        touches=tuple(f"{scene.platform}|LOAN|{row['loan_id']}" for row in known),
    )


def _reads_as(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def event_of_tomorrow(scene: Scene) -> Iterator[Victim]:
    """A movement claims to be of the day after its file's custody date."""
    file = scene.key(FileType.TXN)
    for move in scene.claimed():
        key: RowKey = (move.request_no, move.leg)
        moment = move.event_time.replace(
            year=tomorrow(scene.day).year, month=tomorrow(scene.day).month, day=tomorrow(scene.day).day
        )
        yield Victim(
            party=scene.platform,
            keys=keys(move),
            expects=(scene.ab(BreakKind.MISSING_IN_PLATFORM.value, subject(move)),),
            follows=scene.chains_of(move),
            known_by=scene.day,
            rows=((file, RowEdit("change", key, {"event_time": moment})),),
            rejected=((file, key),),
        )


def bad_byte(text: str, encoding: str) -> bytes:
    # 0xFF begins no character, neither in UTF-8 nor in GB18030; put first, no lead byte can swallow it.
    return b"\xff" + text.encode(encoding)


def impossible_date(text: str, encoding: str) -> bytes:
    return f"2020-02-30{text[10:]}".encode(encoding)


def instead(text: str) -> Spoil:
    return lambda _, encoding: text.encode(encoding)


def before(text: str) -> Spoil:
    return lambda own, encoding: (text + own).encode(encoding)


def after(text: str) -> Spoil:
    return lambda own, encoding: (own + text).encode(encoding)


def full_width(text: str, encoding: str) -> bytes:
    return "".join(chr(ord(char) + 0xFEE0) if char.isdigit() else char for char in text).encode(encoding)
