"""``custody replay``: the ledger rebuilt from the archive and the sealed decisions, and held against the live one."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connectors.archive import write_durably
from connectors.bootstrap import wire
from connectors.settings import FILE_NAME, Settings, changed, load_settings
from console.commands.instance import bring_register_to_newest
from console.output import JsonOption, command, emit, parse_date, progress, wired
from custody.counting import counted
from custody.errors import UsageError
from custody.steps import LEDGER_STEPS

if TYPE_CHECKING:
    from rich.console import RenderableType

    from jobs.replay import Compared


def add_replay(app: typer.Typer) -> None:
    app.command("replay")(replay_ledger)


@command
def replay_ledger(
    into: Annotated[str, typer.Option("--into", help="A new folder for the rebuilt instance. 重建到的新目录")],
    until: Annotated[str, typer.Option("--until", help="Last custody date to replay, YYYY-MM-DD. 截止账务日")] = "",
    as_json: JsonOption = False,
) -> int:
    """Rebuild the whole ledger from the archive and the sealed decisions alone; compare it digest for digest. 重放账本

    The rebuilt instance has a lake, register and keyed store of its own and no personal data; it reads the live archive with
    the live keys. Each date and step whose content differs is named, with the rows that are only live or only rebuilt. A run
    that was ended is gone on with by the same command.
    """
    from jobs.replay import replay

    last = parse_date(until) if until else None
    steps: list[dict[str, Any]] = []
    differing: list[Compared] = []
    with wired() as live:
        home = _home_for(live.settings, Path(into).resolve())
        with closing(wire(home)) as rebuilt:
            started = time.monotonic()
            for one in replay(live, rebuilt, last):
                seconds, started = time.monotonic() - started, time.monotonic()
                progress(f"{one.custody_date} {one.step}: {_said(one)} in {seconds:.1f} s ({counted(one.rows, 'row')})")
                steps.append({**asdict(one), "equal": one.is_equal, "seconds": round(seconds, 2)})
                if not one.is_equal:
                    differing.append(one)
    result = {"into": str(home), "equal": not differing, "steps": steps}
    if as_json:
        emit(result, as_json)
    else:
        _show(steps, differing)
    return 1 if differing else 0


def _home_for(live: Settings, home: Path) -> Path:
    """The rebuilt instance's folder, made or gone on with. Raises UsageError for a folder with anything else in it."""
    names = {
        "stores.archive": live.stores.archive,
        "keys.identity_key": live.keys.identity_key,
        "keys.master_key": live.keys.master_key,
    }
    body = changed(
        (live.home / FILE_NAME).read_text(encoding="utf-8"),
        {
            "register.url": "sqlite:///register.db",
            "stores.lake": "lake",
            "stores.keyed": "keyed",
            "stores.core": "core",
            "post.scratch": "scratch/post",
            # Keys and raw bytes are read where they lie: a copy would be one more to guard.
            **{name: str(live.path(where)) for name, where in names.items()},
            # It must never empty the drop of the live instance.
            "sftp.collector_key": "a replay collects nothing",
        },
    )
    path = home / FILE_NAME
    if home.exists() and (not path.is_file() or path.read_text(encoding="utf-8") != body) and any(home.iterdir()):
        raise UsageError(f"{home} is not empty and no replay of this instance: name a new folder")
    home.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        write_durably(path, body.encode(), 0o644)
    bring_register_to_newest(load_settings(home))
    return home


def _said(one: Compared) -> str:
    if one.is_equal:
        return "equal"
    tables = ", ".join(f"{d.table} (+{d.only_live} live, +{d.only_replay} replayed)" for d in one.differences)
    return f"DIFFERS: {tables or 'rows not known'}{f'; {one.why}' if one.why else ''}"


def _show(steps: list[dict[str, Any]], differing: list[Compared]) -> None:
    from rich.console import Console

    screen = Console()
    screen.print(_table(steps))
    for one in differing:
        screen.print(f"[red]differs 不一致[/]  {one.custody_date} {one.step}  {one.why}", soft_wrap=True)
        for table in one.differences:
            for side, count, keys in (
                ("live 现有", table.only_live, table.live_keys),
                ("replayed 重放", table.only_replay, table.replay_keys),
            ):
                words = f"    {table.table}: {counted(count, 'row')} only {side}"
                screen.print(f"{words}  {'; '.join(keys)}", soft_wrap=True, markup=False, highlight=False)
    dates = sorted({step["custody_date"] for step in steps})
    span = f"{dates[0]} … {dates[-1]}" if dates else "no date"
    rows = sum(step["rows"] for step in steps)
    if differing:
        screen.print(f"[bold red]{len(differing)} of {len(steps)} outputs differ[/] ({span}) / 重放与现有账本不一致")
    else:
        screen.print(f"[bold green]the ledger is rebuilt, digest for digest[/] ({span}, {rows} rows) / 重放与现有账本逐项一致")


def _table(steps: list[dict[str, Any]]) -> RenderableType:
    from rich.box import SIMPLE
    from rich.table import Table

    table = Table(title="Replayed and live / 重放与现有账本", box=SIMPLE, pad_edge=False)
    table.add_column("date 账务日", no_wrap=True)
    for step in LEDGER_STEPS:
        table.add_column(step, no_wrap=True)
    by_date: dict[str, dict[str, str]] = {}
    for one in steps:
        style = "green" if one["equal"] else "bold red"
        by_date.setdefault(str(one["custody_date"]), {})[one["step"]] = f"[{style}]{one['replay_digest'][:8]}[/]"
    for on, shown in by_date.items():
        table.add_row(on, *(shown.get(step, "-") for step in LEDGER_STEPS))
    return table
