"""``custody proof``: what somebody outside the bank checks without our system."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from connectors.archive import write_durably
from connectors.bootstrap import Wiring
from console.output import ActorOption, DateOption, JsonOption, command, emit, parse_date, wired
from custody.counting import counted
from custody.errors import UsageError
from custody.services.access import permitted_transaction
from schemas.exchange import sha256_hex

OutOption = Annotated[str, typer.Option("--out", help="A new folder, or NAME.zip. 输出目录或 ZIP 文件")]


def add_proofs(app: typer.Typer) -> None:
    group = typer.Typer(help="Proofs that are checked without our system. 对外证明", no_args_is_help=True)
    group.command("report")(report)
    group.command("row")(row)
    app.add_typer(group, name="proof")


@command
def report(
    file: Annotated[str, typer.Argument(help="The name of one of the report's files. 报表文件名")],
    out: OutOption,
    actor: ActorOption,
    as_json: JsonOption = False,
) -> int:
    """A report: its files, the days that it was made from, the bank's signatures, and what checks them. 报表证明"""
    from jobs.proof import report_proof

    return _make(out, actor, file, as_json, lambda wiring: report_proof(wiring, file))


@command
def row(
    date_: DateOption,
    step: Annotated[str, typer.Argument(help="The step that sealed it: post, statement... 步骤")],
    table: Annotated[str, typer.Argument(help="The table: journal, statement_lines... 表")],
    where: Annotated[list[str], typer.Argument(help="column=value, as many as name one row. 列=值")],
    out: OutOption,
    actor: ActorOption,
    as_json: JsonOption = False,
) -> int:
    """One row of a sealed table: that it stood there when the day was closed, and has not changed since. 单行证明"""
    from jobs.proof import row_proof

    wanted = {}
    for text in where:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"{text!r} is not column=value")
        wanted[name] = value
    on = parse_date(date_)
    return _make(out, actor, f"{on} {step} {table}", as_json, lambda wiring: row_proof(wiring, on, step, table, wanted))


def _make(out: str, actor: str, subject: str, as_json: bool, made: Callable[[Wiring], dict[str, bytes]]) -> int:
    """Who took what out of the house is recorded, by the digest of what he took, before he has it."""
    from jobs.proof import zipped

    target = Path(out)
    if target.exists():
        raise UsageError(f"{out} is there already: name another")
    with wired() as wiring:
        with permitted_transaction(wiring.register, actor, "proof.view", subject):
            pass
        files = made(wiring)
        whole = zipped(files)
        with wiring.register.transaction() as tx:
            tx.audit(actor, "proof.made", subject, {"sha256": sha256_hex(whole)})
    if target.suffix == ".zip":
        write_durably(target, whole, 0o644)
    else:
        for name, data in files.items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            write_durably(target / name, data, 0o644)
    result = {"out": out, "files": sorted(files), "bytes": len(whole), "sha256": sha256_hex(whole)}
    words = [
        f"{out}: {counted(len(files), 'file')}, {counted(len(whole), 'byte')}; to check it: python3 -I verify.py 核验命令见 README.md"
    ]
    emit(result, as_json, words)
    return 0
