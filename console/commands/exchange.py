"""Files in and out: collecting the drop, playing the parties, results for platforms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from console.commands.restatements import add_restatements
from console.output import DateOption, JsonOption, command, emit, parse_date, progress, wired
from custody.services import files as file_service
from custody.services.access import SYSTEM

ActorSystem = Annotated[str, typer.Option("--as", help="Who runs it. 操作人", envvar="CUSTODY_ACTOR")]


def add_exchange(app: typer.Typer) -> None:
    app.command("collect", help="Sweep the SFTP drop once; archive, check, answer. 收取文件")(collect)
    app.command("results", help="Send each platform its results of the date. 发送对账结果")(results)
    app.command("deliver", help="Play the parties of a simulated world for one date. 模拟报送")(deliver)
    file_app = typer.Typer(help="The register of files. 文件登记簿", no_args_is_help=True)
    file_app.command("list", help="Files of a date, party or state. 文件列表")(file_list)
    file_app.command("show", help="One file's whole history. 文件历史")(file_show)
    app.add_typer(file_app, name="file")
    add_restatements(app, file_app)


@command
def collect(actor: ActorSystem = SYSTEM, as_json: JsonOption = False) -> int:
    from custody.services.intake import collect as sweep

    with wired() as wiring:
        today = wiring.clock.now().date()
        result = sweep(wiring.exchange_ports, wiring.exchange_rules, actor, today, wiring.collect_limits)
    for seal in result.seals:
        for outcome in seal.files:
            progress(f"{seal.party} {outcome.name}: {outcome.outcome} ({outcome.rule})")
    for party, why in result.troubles:
        progress(f"{party}: {why}; will be tried again")
    summary = {
        "files": result.counts(),
        "receipts": len(result.delivered),
        "troubles": [list(t) for t in result.troubles],
        "waiting": [list(w) for w in result.waiting],
        "unsafe": [list(u) for u in result.unsafe],
    }
    emit(summary, as_json)
    if result.troubles and not result.seals:
        return 3
    return 1 if result.unsafe or any(state in ("REFUSED", "QUARANTINED") for state in result.counts()) else 0


@command
def results(date_: DateOption, actor: ActorSystem = SYSTEM, as_json: JsonOption = False) -> int:
    from jobs.results import send_results

    with wired() as wiring:
        sent = send_results(wiring, parse_date(date_), actor)
    emit(sent, as_json)
    return 3 if sent["failed"] else 0


@command
def deliver(
    world: Annotated[str, typer.Option("--from", help="Folder that custody simulate wrote. 模拟数据目录")],
    date_: DateOption,
    silent: Annotated[
        list[str] | None,
        typer.Option("--silent", help="A platform that does not confirm yesterday's result. 不确认对账结果的平台"),
    ] = None,
    as_json: JsonOption = False,
) -> int:
    from console.deliver import deliver as play

    with wired() as wiring:
        on = parse_date(date_)
        sent = play(Path(world), on, wiring.settings, silent or ())
        folder = Path(world) / on.isoformat() / "CORE"
        flows, balances = (
            [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]
            for name in ("flow.jsonl", "balance.jsonl")
        )
        core = wiring.core.load((_core_row(r) for r in flows), (_core_row(r) for r in balances))
    summary = {"parties": sent.parties, "files": sent.files, "seals": sent.seals, "bytes": sent.bytes}
    emit({**summary, "core_flows": core[0], "core_balances": core[1]}, as_json)
    return 0


def _core_row(row: dict[str, object]) -> dict[str, object]:
    return {**row, "core_date": row["custody_date"]}


@command
def file_list(
    date_: Annotated[str, typer.Option("--date", help="Custody date. 账务日期")] = "",
    party: Annotated[str, typer.Option("--party", help="Sender. 报送机构")] = "",
    state: Annotated[str, typer.Option("--state", help="State. 状态")] = "",
    as_json: JsonOption = False,
) -> int:
    with wired() as wiring, wiring.register.transaction() as tx:
        rows = file_service.listing(tx, parse_date(date_) if date_ else None, party or None, state or None)
    words = [f"{r['file_name']:<44} {r['state']:<12} {r['rule'] or ''}" for r in rows]
    emit({"files": rows}, as_json, words or ["no files 无文件"])
    return 0


@command
def file_show(name: Annotated[str, typer.Argument(help="File name. 文件名")], as_json: JsonOption = False) -> int:
    with wired() as wiring, wiring.register.transaction() as tx:
        history = file_service.history(tx, name)
    emit(
        {"files": list(history.versions), "events": list(history.events), "decisions": history.audit, "others": history.others},
        as_json,
    )
    return 0
