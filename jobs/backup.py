"""All that cannot be found again, in one folder, and an instance made from it that seals what was sealed.

Copied are the register, the lake's committed outputs, the archive, the signed statements and who the customers are. The ledger's part of
the keyed store is projected again from the lake. **Keys are never in it**: they are kept apart, and without them it says nothing of a
person or of a file. The bank core's tables are the bank's own.

What never changes once it is written (lake, archive) is copied once and shared by all states; what the archive has destroyed since is
destroyed here too. A state is committed by the file that names its files and their digests, which is put in place last.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgpack

from connectors.archive import sync_folder, write_durably
from connectors.bootstrap import Wiring
from connectors.disk import room_for
from connectors.lease import DAY_LEASE, held
from connectors.register_copy import fill_register, is_empty, register_copy
from connectors.settings import FILE_NAME, Settings
from custody.digest import canonical_json
from custody.errors import SealBroken, StopRun, UsageError
from custody.services.access import check_permission
from schemas.store_keys import PERSON_TABLES

FORMAT = 1
_EVENT = "store.backup"
_STATE = "state-"
_NAMES = "backup.json"
_RESTORING = "restoring"
_LAKE, _ARCHIVE, _SEALS, _REGISTER, _PERSONS = "lake", "archive", "seals", "register", "persons.gz"
_PIECE = 1 << 20
_ALL_KEYS = (b"", b"\xff" * 64)
_ROOM = 64 << 20


@dataclass(frozen=True)
class Backup:
    """A committed state. ``files``: by name below the backup's folder, size and SHA-256; ``rows``: of each register table."""

    state: str
    revision: str
    closed: str
    root: str
    rows: dict[str, int]
    files: dict[str, tuple[int, str]]


def back_up(wiring: Wiring, actor: str, folder: Path, keep: int, told: Callable[[str], None]) -> Backup:
    """A new state in ``folder``; older ones but the newest ``keep`` in all are removed. No day runs meanwhile, for the moment that the
    register takes: what is large was copied before. Where nothing happened since the newest state, that is the one (a run that was ended may have
    made it, told or not).
    Raises RetryLater while a day runs, DiskFull, UsageError."""
    if keep < 1:
        raise UsageError("keep one state at least / 至少保留一份")
    check_permission(wiring.register, actor, "store.backup", folder.name)
    folder.mkdir(parents=True, exist_ok=True)
    known = states(folder)
    before = {name: said for state in known for name, said in state.files.items()}
    copier = _Copier(folder, before)
    _copy_unchanging(wiring, copier)
    told(f"{copier.copied} files of lake and archive copied, {len(copier.names) - copier.copied} were here")
    with held(wiring.register, DAY_LEASE, wiring.settings.lease.seconds):
        _copy_unchanging(wiring, copier)
        with register_copy(wiring.settings.register_url) as register:
            state = f"{_STATE}{_next_number(folder):06d}"
            place = folder / f".{state}"
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            rows = {
                table: copier.lines(place, state, f"{_REGISTER}/{table}.gz", register.lines(table)) for table in register.tables
            }
            revision = register.revision
        told(f"register: {sum(rows.values())} rows of {len(rows)} tables")
        people = copier.lines(place, state, _PERSONS, _persons(wiring))
        told(f"who the customers are: {people} rows")
        _copy_seals(wiring, copier, place, state)
        copier.bytes(place, state, FILE_NAME, (wiring.settings.home / FILE_NAME).read_bytes())
        with wiring.register.transaction() as tx:
            closes = tx.find("step_output", ("custody_date", "version"), step="close")
    last = closes[-1] if closes else None
    done = Backup(
        state, revision, str(last["custody_date"]) if last else "", last["manifest_digest"] if last else "", rows, copier.names
    )
    if (
        known
        and _says_the_same(known[-1], done, is_told := _is_told(wiring, known[-1]))
        and not any(faults_of(folder, known[-1]))
    ):
        shutil.rmtree(place)
        _forget(folder, keep)
        told(f"nothing has happened since {known[-1].state}, which is whole")
        return known[-1] if is_told else _tell(wiring, actor, known[-1])
    said = {"format": FORMAT, **vars(done), "files": {name: list(said) for name, said in sorted(done.files.items())}}
    write_durably(place / _NAMES, canonical_json(said).encode(), 0o444)
    place.rename(folder / state)
    sync_folder(folder)
    _forget(folder, keep)
    return _tell(wiring, actor, done)


def _says_the_same(newest: Backup, done: Backup, is_told: bool) -> bool:
    """Whether another state would differ in nothing but the lease under which it was made, and in the newest one's having been told."""

    def files(of: Backup) -> dict[str, tuple[int, str]]:
        own = {f"{of.state}/{_REGISTER}/{table}.gz" for table in ("lease", "audit_event")}
        return {name.removeprefix(f"{of.state}/"): said for name, said in of.files.items() if name not in own}

    # Nobody takes an event away: as many are the same ones, and one more is that of ``_tell`` (see _is_told).
    more = done.rows["audit_event"] - newest.rows["audit_event"]
    return more == int(is_told) and files(newest) == files(done)


def _is_told(wiring: Wiring, newest: Backup) -> bool:
    with wiring.register.transaction() as tx:
        return bool(tx.find("audit_event", action=_EVENT, subject=newest.state))


def _tell(wiring: Wiring, actor: str, done: Backup) -> Backup:
    with wiring.register.transaction() as tx:
        tx.audit(actor, _EVENT, done.state, {"closed": done.closed, "root": done.root, "files": len(done.files)})
    return done


def states(folder: Path) -> list[Backup]:
    """The committed states, the oldest first."""
    return [_read(path) for path in sorted(folder.glob(f"{_STATE}*/{_NAMES}"))]


def faults_of(folder: Path, backup: Backup) -> Iterator[str]:
    """Files of a state that are missing or not what they were, but for what the archive has destroyed since."""
    newest = states(folder)[-1].files
    for name, (size, sha256) in sorted(backup.files.items()):
        path = folder / name
        if not path.is_file():
            if name in newest or not name.startswith(f"{_ARCHIVE}/"):
                yield f"{name} is missing"
        elif path.stat().st_size != size or _sha256(path) != sha256:
            yield f"{name} is not what was backed up"


def restore_stores(
    settings: Settings, folder: Path, backup: Backup, migrate: Callable[[Settings, str], None], told: Callable[[str], None]
) -> None:
    """Everything of a state but the ledger's part of the keyed store, into an instance that has keys and settings and nothing else.
    ``migrate``: brings the register's tables to a revision. A run that was ended is gone on with by another of the same state. Raises
    SealBroken for a backup that is not whole, StopRun where something stands already."""
    wrong = list(faults_of(folder, backup))
    if wrong:
        raise SealBroken(
            f"{len(wrong)} files of the backup are not whole: {'; '.join(wrong[:5])}. Take another copy of the backup, or name an older "
            "state with --state / 备份文件不完整：请改用其他副本，或以 --state 指定更早的备份"
        )
    told(f"{len(backup.files)} files are whole")
    mark = settings.home / _RESTORING
    if not mark.exists() or mark.read_text(encoding="utf-8") != backup.root + backup.state:
        migrate(settings, backup.revision)
        if not is_empty(settings.register_url):
            raise StopRun(
                "the register has rows: a backup is put back into an instance that is empty. Let CUSTODY_HOME and settings.toml name an "
                "empty folder and an empty database / 登记库非空：请将 CUSTODY_HOME 与 settings.toml 指向空目录与空数据库"
            )
        write_durably(mark, f"{backup.root}{backup.state}".encode(), 0o644)
    if is_empty(settings.register_url):

        def lines_of(table: str) -> Iterator[bytes]:
            with gzip.open(folder / backup.state / _REGISTER / f"{table}.gz") as file:
                yield from file

        fill_register(settings.register_url, lines_of, backup.rows)
    migrate(settings, "head")
    told(f"register: {sum(backup.rows.values())} rows")
    wiring = Wiring(settings)
    try:
        for name in backup.files:
            if not (folder / name).exists():
                continue  # destroyed with its key, in the archive too
            top, _, below = name.partition("/")
            if top == _LAKE:
                wiring.lake.files.write(below, (folder / name).read_bytes())
            elif top == _ARCHIVE:
                _put(folder / name, settings.path(settings.stores.archive) / below, 0o400)
            elif name.startswith(f"{backup.state}/{_SEALS}/"):
                _put(folder / name, settings.path(settings.stores.seals) / Path(name).name, 0o444)
        told("lake, archive and seals are back")
        with held(wiring.register, DAY_LEASE, settings.lease.seconds) as lease:
            for table, rows in _persons_of(folder / backup.state / _PERSONS):
                wiring.keyed.put_many(table, rows, lease.fence)
    finally:
        wiring.close()


def restored(settings: Settings) -> None:
    """The instance stands."""
    (settings.home / _RESTORING).unlink(missing_ok=True)


class _Copier:
    """Copies below ``folder`` and remembers what stands there by name."""

    def __init__(self, folder: Path, before: dict[str, tuple[int, str]]) -> None:
        self._folder, self._before = folder, before
        self.names: dict[str, tuple[int, str]] = {}
        self.outputs: set[str] = set()
        self.copied = 0

    def unchanging(self, name: str, data: Callable[[], Iterable[bytes]]) -> None:
        """What is written once: copied where it is not here yet."""
        if name in self.names:
            return
        if name in self._before and (self._folder / name).is_file():
            self.names[name] = self._before[name]
            return
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        staged = path.with_name(f".{path.name}.new")
        sha256, size = hashlib.sha256(), 0
        with room_for("a backup", path, _ROOM), staged.open("wb") as file:
            for piece in data():
                file.write(piece)
                sha256.update(piece)
                size += len(piece)
        staged.rename(path)
        self.names[name] = (size, sha256.hexdigest())
        self.copied += 1

    def lines(self, place: Path, state: str, name: str, lines: Iterable[bytes]) -> int:
        """A compressed file of the new state; the same lines give the same bytes. Returns how many."""
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        number = 0
        with (
            room_for("a backup", path, _ROOM),
            path.open("wb") as raw,
            gzip.GzipFile("", "wb", 6, cast(BinaryIO, raw), 0) as file,
        ):
            for line in lines:
                file.write(line)
                number += 1
        self._name(path, f"{state}/{name}")
        return number

    def bytes(self, place: Path, state: str, name: str, data: bytes) -> None:
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with room_for("a backup", path, _ROOM):
            path.write_bytes(data)
        self._name(path, f"{state}/{name}")

    def _name(self, path: Path, name: str) -> None:
        self.names[name] = (path.stat().st_size, _sha256(path))


def _copy_unchanging(wiring: Wiring, copier: _Copier) -> None:
    with wiring.register.transaction() as tx:
        outputs = tx.find("step_output", ("path",))
    # An output never changes: one that was looked through is not listed again.
    for row in [row for row in outputs if row["path"] not in copier.outputs]:
        copier.outputs.add(row["path"])
        for below in wiring.lake.files.names(row["path"]):
            path = f"{row['path']}/{below}"
            copier.unchanging(f"{_LAKE}/{path}", lambda path=path: [wiring.lake.files.read(path)])  # type: ignore[misc]
    for kept in _archived(wiring):
        name = kept.relative_to(_archive_of(wiring))
        copier.unchanging(f"{_ARCHIVE}/{name}", lambda kept=kept: _pieces(kept))  # type: ignore[misc]


def _archive_of(wiring: Wiring) -> Path:
    return wiring.settings.path(wiring.settings.stores.archive)


def _archived(wiring: Wiring) -> Iterator[Path]:
    """Kept files; what is still arriving is its sender's yet."""
    root = _archive_of(wiring)
    for path in sorted(root.glob("[0-9a-f][0-9a-f]/*")):
        if path.suffix in (".key", ".enc"):
            yield path


def _copy_seals(wiring: Wiring, copier: _Copier, place: Path, state: str) -> None:
    root = wiring.settings.path(wiring.settings.stores.seals)
    for path in sorted(path for path in root.iterdir() if path.is_file() and not path.name.startswith(".")):
        copier.bytes(place, state, f"{_SEALS}/{path.name}", path.read_bytes())


def _persons(wiring: Wiring) -> Iterator[bytes]:
    """Sealed under each person's own key as they lie in the store."""
    for table in PERSON_TABLES:
        for key, columns in wiring.keyed.scan(table, *_ALL_KEYS):
            yield cast(bytes, msgpack.packb([table, key, columns]))


def _persons_of(path: Path) -> Iterator[tuple[str, Iterator[tuple[bytes, dict[bytes, bytes]]]]]:
    """Table by table."""
    with gzip.open(path) as file:
        rows = msgpack.Unpacker(cast(Any, file), strict_map_key=False, raw=False)
        for table, of_table in groupby(rows, key=itemgetter(0)):
            yield table, ((key, columns) for _, key, columns in of_table)


def _forget(folder: Path, keep: int) -> None:
    """Older states, and what no state that is left names: so is destroyed here what the archive destroyed."""
    kept = states(folder)[-keep:]
    named = {name for state in kept for name in state.files}
    newest = set(kept[-1].files)
    for path in sorted(folder.glob(f"{_STATE}*")):
        if path.name not in {state.state for state in kept}:
            shutil.rmtree(path)
    for top in (_LAKE, _ARCHIVE):
        for path in [p for p in (folder / top).rglob("*") if p.is_file()]:
            name = str(path.relative_to(folder))
            # A key that the archive has destroyed is destroyed in every state.
            if name not in named or (path.suffix == ".key" and name not in newest):
                path.unlink()


def _next_number(folder: Path) -> int:
    return max((int(path.name.removeprefix(_STATE)) for path in folder.glob(f"{_STATE}*")), default=0) + 1


def _read(path: Path) -> Backup:
    said = json.loads(path.read_bytes())
    if said.pop("format") != FORMAT:
        raise StopRun(f"{path} is of another format than this program's")
    files = {name: (size, sha256) for name, (size, sha256) in said.pop("files").items()}
    return Backup(**said, files=files)


def _put(source: Path, target: Path, mode: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    write_durably(target, source.read_bytes(), mode)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
