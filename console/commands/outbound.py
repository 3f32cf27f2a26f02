"""Files that go out: what was delivered, what is owed still and why, and what a person may do about it."""

from __future__ import annotations

from typing import Annotated

import typer

from console.output import ActorOption, ActorSystem, JsonOption, NoteOption, command, emit, progress, wired
from custody.errors import UsageError
from custody.ports import Row
from custody.services import outbound as service
from custody.services.access import SYSTEM
from custody.services.outbound import STATES, UNDELIVERED

NameArgument = Annotated[str, typer.Argument(help="File name. 文件名")]


def add_outbound(app: typer.Typer) -> None:
    group = typer.Typer(help="Files that go out, and their delivery. 发出文件", no_args_is_help=True)
    group.command("list", help="Deliveries of a party or state; else what is not delivered. 送达清单")(outbound_list)
    group.command("show", help="One file's delivery: tries, proof, taken or not. 送达详情")(outbound_show)
    group.command("send", help="Deliver what is due, see what was taken, raise alerts. 发送到期文件")(outbound_send)
    group.command("again", help="Deliver a file once more, given up or not. 重新发送")(outbound_again)
    app.add_typer(group, name="outbound")


@command
def outbound_list(
    party: Annotated[str, typer.Option("--party", help="Receiver. 接收机构")] = "",
    state: Annotated[str, typer.Option("--state", help=f"{', '.join(STATES)}. 状态")] = "",
    as_json: JsonOption = False,
) -> int:
    if state and state not in STATES:
        raise UsageError(f"--state must be one of {', '.join(STATES)}")
    wanted = [state] if state else None if party else list(UNDELIVERED)
    with wired() as wiring, wiring.register.transaction() as tx:
        rows = service.deliveries(tx, party or None, wanted)
    emit({"deliveries": rows}, as_json, [_line(row) for row in rows] or ["none 无"])
    return 0


@command
def outbound_show(name: NameArgument, as_json: JsonOption = False) -> int:
    with wired() as wiring, wiring.register.transaction() as tx:
        row = service.delivery(tx, name)
    emit(row, as_json)
    return 0


@command
def outbound_send(actor: ActorSystem = SYSTEM, as_json: JsonOption = False) -> int:
    from custody.services.deliveries import watch

    with wired() as wiring:
        found = watch(wiring.exchange_ports, actor)
    for name, why in found.failed:
        progress(f"{name}: {why}; will be tried again")
    emit({"delivered": found.delivered, "failed": [list(f) for f in found.failed], "taken": found.taken}, as_json)
    return 1 if found.failed else 0


@command
def outbound_again(name: NameArgument, actor: ActorOption, note: NoteOption = "", as_json: JsonOption = False) -> int:
    with wired() as wiring:
        service.send_again(wiring.register, wiring.clock, actor, name, note)
    emit({"file": name, "state": service.QUEUED}, as_json)
    return 0


def _line(row: Row) -> str:
    tries = (
        f"{row['attempts']} tries failed, next {row['next_attempt_at'] or '-'}: {row['last_reason']}" if row["attempts"] else ""
    )
    return f"{row['party']:<10} {row['file_name']:<52} {row['state']:<7} {row['proved_at'] or ''} {tries}".rstrip()
