"""``custody backup`` and ``custody restore``: all that cannot be found again, and an instance made from it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from connectors.archive import write_durably
from connectors.settings import FILE_NAME, home_from_environment, load_settings
from console.commands.instance import bring_register_to_newest
from console.output import ActorOption, ActorSystem, JsonOption, command, emit, progress, wired
from custody.counting import counted
from custody.errors import UsageError
from custody.services.access import SYSTEM

FolderOption = Annotated[str, typer.Option("--in", help="The backups' folder, on another disk than the instance's. 备份目录")]


def add_backup(app: typer.Typer) -> None:
    app.command("backup")(backup)
    app.command("restore")(restore)


@command
def backup(
    actor: ActorSystem = SYSTEM,
    as_json: JsonOption = False,
) -> int:
    """Register, lake, archive, seals and who the customers are, as one state in settings' backup.folder. Keys are not in it. 备份

    Keep keys/ apart, in the bank's own safe: without it a backup says nothing of a person or of a file, and cannot be restored.
    """
    from jobs.backup import back_up

    with wired() as wiring:
        said = wiring.settings.backup
        done = back_up(wiring, actor, wiring.settings.path(said.folder), said.keep, progress)
    size = sum(size for size, _ in done.files.values())
    told = f"{done.state}: {counted(len(done.files), 'file')}, {counted(size, 'byte')}, up to the close of {done.closed or '-'} 备份完成"
    emit(
        {"state": done.state, "closed": done.closed, "root": done.root, "files": len(done.files), "bytes": size}, as_json, [told]
    )
    return 0


@command
def restore(
    folder: FolderOption,
    actor: ActorOption,
    state: Annotated[str, typer.Option("--state", help="Which state; else the newest. 备份编号")] = "",
    as_json: JsonOption = False,
) -> int:
    """Make the instance in CUSTODY_HOME, which holds its keys and nothing else, from a backup; then prove it. 恢复

    Settings that lie there already are taken (another machine's addresses), else the backup's. At the end the ledger is projected anew
    and everything is verified against its seals: what differs is said, and the exit code is 1. Killed, it is run again.
    """
    from jobs.backup import restore_stores, restored, states
    from jobs.store_rebuild import rebuild
    from jobs.verification import verify_instance

    home, source = home_from_environment(), Path(folder)
    known = {each.state: each for each in states(source)}
    if not known:
        raise UsageError(f"{folder} has no backup / 目录中无备份")
    chosen = known.get(state) if state else known[max(known)]
    if chosen is None:
        raise UsageError(f"{state!r} is none of {', '.join(known)} / 无此备份")
    if not (home / FILE_NAME).exists():
        home.mkdir(parents=True, exist_ok=True)
        write_durably(home / FILE_NAME, (source / chosen.state / FILE_NAME).read_bytes(), 0o644)
    settings = load_settings(home)
    lacking = [key for key in (settings.keys.identity_key, settings.keys.master_key) if not settings.path(key).is_file()]
    if lacking:
        raise UsageError(f"put the instance's keys in their place first: {', '.join(lacking)} / 请先放回密钥")
    restore_stores(settings, source, chosen, bring_register_to_newest, progress)
    with wired() as wiring:
        done = rebuild(wiring, actor, f"restored from {chosen.state}", progress)
        faults = [fault.words[0] for fault in done.faults]
        faults += [f"{fault.part}: {fault.words}" for fault in verify_instance(wiring, None, False, progress).faults]
    restored(settings)
    told = f"{chosen.state} is restored up to the close of {chosen.closed or '-'}, and equals its seals 恢复完成，与封签一致"
    emit({"state": chosen.state, "closed": chosen.closed, "root": chosen.root, "wrong": faults}, as_json, faults or [told])
    return 1 if faults else 0
