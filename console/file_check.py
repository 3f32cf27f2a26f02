"""What a platform finds out about a file before it sends it: the intake's and the landing's own rules, on its own machine.

Needs no instance: the file, its layout, and the seal where there is one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from custody.declared import BadDeclaration
from custody.digest import digest_of
from custody.errors import UsageError
from custody.findings import FileFault, RowFault
from custody.services.intake_checks import digest_rule, seal_fault
from custody.texts import text
from schemas.exchange import ExchangeName, SealedFile, parse_name, parse_seal, sha256_hex
from schemas.layout import (
    Layout,
    UnknownLayout,
    all_layouts,
    layouts_for,
    layouts_named,
    load_declaration,
    load_layout,
)
from schemas.layout_file import control_totals, parse_file

# What the bank sends does not come through the drop, so its names are its own.
_BANK = "bank"
# Faults that lie between the file and its seal: the file itself was read whole.
_AGAINST_SEAL = frozenset({"row_count", "control_total"})


@dataclass(frozen=True)
class FileCheck:
    """``entry`` is the seal entry that describes the file (None while it has faults of its own: what it should say is not
    known); ``seal`` the seal that was read, by name, or None; ``name_fits`` whether the drop takes a file of this name."""

    layout: Layout
    encoding: str
    rows: int
    good: int
    file_faults: tuple[FileFault, ...]
    row_faults: tuple[RowFault, ...]
    entry: SealedFile | None
    seal: str | None
    name_fits: bool

    @property
    def name_words(self) -> tuple[str, str]:
        """How a file is named in the drop; a dialect's own name has to be changed to it."""
        return text("name", {})

    @property
    def is_good(self) -> bool:
        return not self.file_faults and not self.row_faults


def check_file(file: Path, layout_id: str | None, encoding: str | None, on: date | None, seal_path: Path | None) -> FileCheck:
    """Check one file. What is not said comes from its seal and its name. Raises UsageError where neither says it."""
    if not file.is_file():
        raise UsageError(f"{file} is not a file")
    name = parse_name(file.name)
    seal_file = _seal_file(file, name, seal_path)
    announced, faults = _announced(file.name, seal_file) if seal_file is not None else (None, [])
    layout = _layout(file.name, name, layout_id, announced)
    used = _encoding(layout, encoding, announced)
    day = on or (name.custody_date if name is not None else _date_in_own_name(layout, file.name))
    if day is None and layout.needs_date:
        raise UsageError(f"{layout.id} has dates without a year, or checks against the file's date: name it with --date")
    data = file.read_bytes()
    if announced is not None:
        faults += _announcement_faults(announced, layout, used, data)
    expected = (announced.rows, announced.totals) if announced is not None else (None, None)
    parsed = parse_file(layout, file.name, data, used, day, *expected)
    entry = None
    if not parsed.faults and {fault.rule for fault in parsed.file_faults} <= _AGAINST_SEAL:
        entry = SealedFile(
            name=file.name,
            layout=layout.id,
            encoding=used,
            bytes=len(data),
            rows=parsed.rows_seen,
            sha256=sha256_hex(data),
            totals=control_totals(layout, parsed.rows),
            batches=announced.batches if announced is not None else (name.batch if name is not None else 1),
        )
    return FileCheck(
        layout=layout,
        encoding=used,
        rows=parsed.rows_seen,
        good=len(parsed.rows),
        file_faults=(*faults, *parsed.file_faults),
        row_faults=tuple(parsed.faults),
        entry=entry,
        seal=seal_file.name if seal_file is not None else None,
        name_fits=name is not None or layout.sender == _BANK,
    )


def _seal_file(file: Path, name: ExchangeName | None, said: Path | None) -> Path | None:
    """The seal that was named, else the one that would close the file's set, where it lies beside the file."""
    if said is not None:
        if not said.is_file():
            raise UsageError(f"{said} is not a file")
        return said
    if name is None or name.is_seal:
        return None
    beside = file.with_name(str(ExchangeName(name.party, "SEAL", name.custody_date, name.batch, name.version)))
    return beside if beside.is_file() else None


def _layout(file_name: str, name: ExchangeName | None, layout_id: str | None, announced: SealedFile | None) -> Layout:
    """By the option, else as the seal says, else by the name when exactly one layout has such names."""
    if layout_id is None and announced is not None and announced.layout in all_layouts():
        layout_id = announced.layout
    if layout_id is None:
        known = layouts_for(name.file_type) if name is not None else layouts_named(file_name)
        own = [layout for layout in known if load_layout(layout).lands is None] if name is not None else known
        if not own:
            raise UsageError(f"{file_name}: its name says no file type; name the layout with --layout")
        if len({layout.partition("/")[0] for layout in own}) > 1 or (name is None and len(own) > 1):
            raise UsageError(f"{file_name} can be of {', '.join(own)}: name the layout with --layout")
        layout_id = own[-1]
    return layout_of(layout_id)


def layout_of(said: str) -> Layout:
    """The layout of that id, or the one that a YAML file declares: a new one can be tried before it is ours."""
    try:
        return load_declaration(Path(said)) if said.endswith(".yaml") else load_layout(said)
    except UnknownLayout:
        raise UsageError(f"no layout {said!r}; custody layout list has them") from None
    except (BadDeclaration, OSError) as why:
        raise UsageError(f"{said}: {why}") from None


def _date_in_own_name(layout: Layout, file_name: str) -> date | None:
    """The date in a dialect's own name, where its pattern says which part that is."""
    found = re.fullmatch(layout.file_name.pattern, file_name) if layout.file_name is not None else None
    text = found.groupdict().get("date") if found is not None else None
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None


def _encoding(layout: Layout, said: str | None, announced: SealedFile | None) -> str:
    """By the option, else as the seal says, else the layout's first."""
    if said is None:
        known = announced is not None and announced.encoding in layout.encodings
        return announced.encoding if announced is not None and known else layout.encodings[0]
    if said not in layout.encodings:
        raise UsageError(f"{layout.id} is read as {' or '.join(layout.encodings)}, not as {said!r}")
    return said


def _announced(file_name: str, seal_file: Path) -> tuple[SealedFile | None, list[FileFault]]:
    """What the seal says of the file, and what makes the seal itself unusable at the bank."""
    seal = parse_seal(seal_file.read_bytes())
    if isinstance(seal, str):
        return None, [FileFault(file_name, "seal_unreadable", {"why": seal})]
    parts = parse_name(seal_file.name)
    if parts is None or not parts.is_seal:
        return None, [FileFault(file_name, "seal_unreadable", {"why": f"{seal_file.name} is not a seal's name"})]
    wrong = seal_fault(parts.party, parts, seal)
    faults = [FileFault(file_name, wrong[1], wrong[2])] if wrong is not None else []
    entry = next((entry for entry in seal.files if entry.name == file_name), None)
    return entry, faults if entry is not None else [*faults, FileFault(file_name, "no_seal")]


def _announcement_faults(said: SealedFile, layout: Layout, encoding: str, data: bytes) -> list[FileFault]:
    faults = []
    algorithm, expected = said.digest
    digest = digest_of(algorithm, [data])
    if said.layout != layout.id:
        figures: dict[str, object] = {"layout": said.layout, "file_type": layout.file_type, "known": layout.id}
        faults.append(FileFault(said.name, "unknown_layout", figures))
    if said.encoding != encoding:
        faults.append(FileFault(said.name, "encoding", {"encoding": said.encoding}))
    if said.bytes != len(data):
        faults.append(FileFault(said.name, "size", {"found": len(data), "expected": said.bytes}))
    if digest != expected:
        faults.append(FileFault(said.name, digest_rule(algorithm), {"found": digest, "expected": expected}))
    return faults
