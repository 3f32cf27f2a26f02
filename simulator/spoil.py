"""What arrives, and when, instead of a party's sound file sets: faults of whole files, of seals and of delivery (domain.md §5).

Pure functions. ``spoil`` is called once for each party and custody date, with the sets as they would have been sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta

from custody.money import format_amount, parse_amount
from schemas.exchange import ExchangeName, Seal, SealedFile, parse_name, sha256_hex
from schemas.layout import load_layout
from simulator.edits import FaultPlan

Sent = tuple[SealedFile, bytes]  # a file: what its seal says of it, and its bytes


@dataclass(frozen=True, slots=True)
class FileSet:
    """What one seal closes. ``named_only``: entries of files that nobody delivers. ``seal``: bytes sent in place of the seal
    that follows from the files. ``is_sealed``: False when no seal is sent."""

    name: ExchangeName
    files: tuple[Sent, ...]
    named_only: tuple[SealedFile, ...] = ()
    seal: bytes | None = None
    is_sealed: bool = True

    def contents(self) -> dict[str, bytes]:
        """Each file's bytes by name, the seal last."""
        out = {entry.name: data for entry, data in self.files}
        if self.is_sealed:
            out[str(self.name)] = self.seal if self.seal is not None else self.true_seal().to_bytes()
        return out

    def true_seal(self) -> Seal:
        return Seal(
            party=self.name.party,
            custody_date=self.name.custody_date.isoformat(),
            batch=self.name.batch,
            version=self.name.version,
            files=[*(entry for entry, _ in self.files), *self.named_only],
        )

    def file(self, name: str) -> Sent:
        return next(sent for sent in self.files if sent[0].name == name)

    def holds(self, file_type: str) -> str | None:
        """The name of its file of that type."""
        parsed = ((entry.name, parse_name(entry.name)) for entry, _ in self.files)
        return next((name for name, parts in parsed if parts is not None and parts.file_type == file_type), None)

    def with_file(self, name: str, sent: Sent | None) -> FileSet:
        """Another file in the place of ``name``; None takes it away."""
        kept = [(sent if one[0].name == name else one) for one in self.files]
        return replace(self, files=tuple(one for one in kept if one is not None))

    def only(self, name: ExchangeName, sent: Iterable[Sent]) -> FileSet:
        """A set of these files alone, their names following the new seal's batch and version."""
        return FileSet(name, tuple((entry.model_copy(update={"name": renamed(entry.name, name)}), data) for entry, data in sent))


Arrival = tuple[int, FileSet]  # days after the custody date's own delivery
FileSpoiler = Callable[[FileSet, str, int], list[Arrival]]  # (set, file name, a batch number nobody uses)
SetSpoiler = Callable[[FileSet], list[Arrival]]


def spoil(plan: FaultPlan, party: str, day: date, sets: list[FileSet]) -> list[tuple[date, FileSet]]:
    """(delivery date, set) of all that arrives; sets that share name and delivery date are one. Sound sets pass unchanged, and so does
    what is sent that day of an earlier date: a month's figures."""
    now = [s for s in sets if s.name.custody_date == day]
    beside = [(day, s) for s in sets if s.name.custody_date != day]
    later: dict[tuple[int, ExchangeName], FileSet] = {}

    def settle(index: int, arrivals: list[Arrival]) -> None:
        # The first arrival stands in the set's own place, unless all of it comes later.
        own = [s for delay, s in arrivals if delay == 0]
        now[index] = own[0] if own else replace(now[index], files=(), is_sealed=False)
        for delay, arriving in [*((0, s) for s in own[1:]), *((d, s) for d, s in arrivals if d)]:
            before = later.get((delay, arriving.name))
            later[delay, arriving.name] = arriving if before is None else replace(before, files=before.files + arriving.files)

    free_batch = max((s.name.batch for s in now), default=0) + 1
    for (of, file_type, on), kind in plan.files.items():
        if (of, on) == (party, day):
            index = next(i for i, s in enumerate(now) if s.holds(file_type))
            name = now[index].holds(file_type)
            assert name is not None
            settle(index, FILE_SPOILERS[kind](now[index], name, free_batch))
    if (party, day) in plan.sets:
        settle(0, SET_SPOILERS[plan.sets[party, day]](now[0]))
    arrived = [(day, s) for s in now if s.files or s.is_sealed]
    return arrived + beside + [(day + timedelta(days=delay), s) for (delay, _), s in later.items()]


def renamed(name: str, like: ExchangeName) -> str:
    parts = parse_name(name)
    assert parts is not None
    return str(replace(parts, batch=like.batch, version=like.version))


def _next_version(name: ExchangeName) -> ExchangeName:
    return replace(name, version=name.version + 1)


def _spoilt(change: Callable[[SealedFile, bytes], Sent]) -> FileSpoiler:
    """The file arrives spoilt; as it should have been it comes the day after, as the next version."""

    def spoiler(whole: FileSet, name: str, free_batch: int) -> list[Arrival]:
        sound = whole.file(name)
        return [(0, whole.with_file(name, change(*sound))), (1, whole.only(_next_version(whole.name), [sound]))]

    return spoiler


def _late(days: int) -> FileSpoiler:
    """The file is not in its set; it comes later in a batch of its own."""

    def spoiler(whole: FileSet, name: str, free_batch: int) -> list[Arrival]:
        alone = whole.only(replace(whole.name, batch=free_batch), [whole.file(name)])
        return [(0, whole.with_file(name, None)), (days, alone)]

    return spoiler


def _truncated(entry: SealedFile, data: bytes) -> Sent:
    last_line = data.rstrip(b"\n").rfind(b"\n") + 1
    return entry, data[: last_line + (len(data) - last_line) // 2]


def _other_digit(entry: SealedFile, data: bytes) -> Sent:
    """One digit differs from what was sealed: the size holds, the digest does not."""
    place = max(data.rfind(b"%d" % digit) for digit in range(10))
    other = b"%d" % ((int(data[place : place + 1]) + 1) % 10)
    return entry, data[:place] + other + data[place + 1 :]


def _said(**figures: object) -> Callable[[SealedFile, bytes], Sent]:
    return lambda entry, data: (entry.model_copy(update=figures), data)


def _total(entry: SealedFile, data: bytes) -> Sent:
    name = load_layout(entry.layout).totals[0]
    wrong = format_amount(parse_amount(entry.totals[name]) + 1)
    return entry.model_copy(update={"totals": entry.totals | {name: wrong}}), data


def _total_left_out(entry: SealedFile, data: bytes) -> Sent:
    name = load_layout(entry.layout).totals[0]
    return entry.model_copy(update={"totals": {n: v for n, v in entry.totals.items() if n != name}}), data


def _resealed(entry: SealedFile, data: bytes) -> Sent:
    """Bytes that were spoilt before the sender sealed them: size and digest hold."""
    return entry.model_copy(update={"bytes": len(data), "sha256": sha256_hex(data)}), data


def _no_header(entry: SealedFile, data: bytes) -> Sent:
    return _resealed(entry, data.partition(b"\n")[2])


def _other_header(entry: SealedFile, data: bytes) -> Sent:
    """The first two columns' names stand in each other's place."""
    header, _, rest = data.partition(b"\n")
    first, second, *others = header.split(b",")
    return _resealed(entry, b",".join((second, first, *others)) + b"\n" + rest)


def _cut_before_seal(entry: SealedFile, data: bytes) -> Sent:
    """The sender's own copy was cut: the seal is of the shorter file, whose last line has no end."""
    return _resealed(entry, _truncated(entry, data)[1])


def _announced_only(whole: FileSet, name: str, free_batch: int) -> list[Arrival]:
    sound = whole.file(name)
    now = replace(whole.with_file(name, None), named_only=(*whole.named_only, sound[0]))
    return [(0, now), (1, whole.only(_next_version(whole.name), [sound]))]


def _named(change: Callable[[ExchangeName, str], str]) -> FileSpoiler:
    """Beside the sound files the seal names one under a name that is not its own; the day after nothing more comes."""

    def spoiler(whole: FileSet, name: str, free_batch: int) -> list[Arrival]:
        entry, _ = whole.file(name)
        foreign = entry.model_copy(update={"name": change(whole.name, name)})
        return [(0, replace(whole, named_only=(*whole.named_only, foreign)))]

    return spoiler


def _sent_again(whole: FileSet, name: str, free_batch: int) -> list[Arrival]:
    """The day after, the same file comes once more under the same seal's name."""
    return [(0, whole), (1, replace(whole, files=(whole.file(name),)))]


def _other_content_again(whole: FileSet, name: str, free_batch: int) -> list[Arrival]:
    """The day after, a file of the same name comes with other bytes."""
    again = _resealed(*_other_digit(*whole.file(name)))
    return [(0, whole), (1, replace(whole, files=(again,)))]


def _restated(whole: FileSet, name: str, free_batch: int) -> list[Arrival]:
    """The day after, the next version comes, in which one row is left out."""
    entry, data = whole.file(name)
    layout = load_layout(entry.layout)
    lines = data.rstrip(b"\n").split(b"\n")
    cells = dict(
        zip(layout.header.split(layout.delimiter), lines.pop().decode(entry.encoding).split(layout.delimiter), strict=True)
    )
    totals = {n: format_amount(parse_amount(entry.totals[n]) - parse_amount(cells[n])) for n in layout.totals}
    shorter = entry.model_copy(update={"rows": entry.rows - 1, "totals": totals})
    restated = whole.only(_next_version(whole.name), [_resealed(shorter, b"\n".join(lines) + b"\n")])
    return [(0, whole), (1, restated)]


def _sent_early(whole: FileSet, name: str, free_batch: int) -> list[Arrival]:
    """The day before its custody date the file comes alone, in a batch of its own; in time it comes as it should."""
    return [(0, whole), (-1, whole.only(replace(whole.name, batch=free_batch), [whole.file(name)]))]


# What a seal names beside its own files, from its name and the name of one of its files.
NAMES_IN_SEAL: dict[str, Callable[[ExchangeName, str], str]] = {
    "name_of_other_party": lambda seal, name: "ZZ99" + name[name.index("_") :],
    "name_of_other_date": lambda seal, name: name.replace(f"_{seal.custody_date:%Y%m%d}_", "_20180229_"),
    "name_with_path": lambda seal, name: f"../{name}",
}

FILE_SPOILERS: dict[str, FileSpoiler] = {
    "file_truncated": _spoilt(_truncated),
    "file_digest": _spoilt(_other_digit),
    "file_cut_before_seal": _spoilt(_cut_before_seal),
    "seal_digest": _spoilt(_said(sha256="0" * 64)),
    "seal_size": _spoilt(lambda entry, data: (entry.model_copy(update={"bytes": entry.bytes + 1}), data)),
    "seal_row_count": _spoilt(lambda entry, data: (entry.model_copy(update={"rows": entry.rows + 1}), data)),
    "seal_encoding": _spoilt(_said(encoding="big5")),
    "control_total": _spoilt(_total),
    "control_total_absent": _spoilt(_total_left_out),
    "layout_version": _spoilt(
        lambda entry, data: (entry.model_copy(update={"layout": entry.layout.partition("/")[0] + "/9"}), data)
    ),
    "layout_of_other_type": _spoilt(_said(layout="channel_settlement/1")),
    "header_missing": _spoilt(_no_header),
    "header_columns": _spoilt(_other_header),
    "file_announced_only": _announced_only,
    "missing_file": _late(1),
    "late_file": _late(2),
    **{kind: _named(change) for kind, change in NAMES_IN_SEAL.items()},
    "file_sent_again": _sent_again,
    "file_other_content": _other_content_again,
    "file_restated": _restated,
    "file_of_tomorrow": _sent_early,
}


def _sealed_late(whole: FileSet) -> list[Arrival]:
    """The files come without their seal, which follows the day after."""
    return [(0, replace(whole, is_sealed=False)), (1, replace(whole, files=(), seal=whole.true_seal().to_bytes()))]


def _seal_spoilt(change: Callable[[Seal], bytes]) -> SetSpoiler:
    """The seal is of no use; the day after, the same files are sealed rightly under the same name."""

    def spoiler(whole: FileSet) -> list[Arrival]:
        return [(0, replace(whole, seal=change(whole.true_seal()))), (1, whole)]

    return spoiler


def _seal_says(**figures: object) -> SetSpoiler:
    return _seal_spoilt(lambda seal: seal.model_copy(update=figures).to_bytes())


def _twice(seal: Seal) -> bytes:
    return seal.model_copy(update={"files": [*seal.files, seal.files[0]]}).to_bytes()


SET_SPOILERS: dict[str, SetSpoiler] = {
    "seal_missing": _sealed_late,
    "seal_unreadable": _seal_spoilt(lambda seal: seal.to_bytes()[:-20]),
    "seal_unknown_field": _seal_spoilt(lambda seal: b'{"remark":"",' + seal.to_bytes()[1:]),
    "seal_of_other_party": _seal_says(party="ZZ99"),
    "seal_of_other_date": _seal_says(custody_date="2018-02-28"),
    "seal_names_twice": _seal_spoilt(_twice),
    "batches_out_of_order": lambda whole: [(1, whole)],
    "set_sent_again": lambda whole: [(0, whole), (1, whole)],
}
