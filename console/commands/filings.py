"""``custody compliance filing``: large values and suspicious transactions as files for filing, two people for each, and their receipts."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from console.filing_view import StandingFiling, filing_named, standing_filings
from console.output import ActorOption, JsonOption, NoteOption, command, emit, emit_proposal, wired
from custody.calendar import custody_date_of
from custody.services.access import SYSTEM

FilingArgument = Annotated[str, typer.Argument(help="Its number, as custody compliance filing list shows it. 报送编号")]


def add_filings(group: typer.Typer) -> None:
    filing = typer.Typer(help="Files for the authority against money laundering. 反洗钱报送", no_args_is_help=True)
    filing.command("list")(list_them)
    filing.command("propose")(propose)
    filing.command("send")(send_them)
    filing.command("receipt")(receipt)
    group.add_typer(filing, name="filing")


@command
def list_them(actor: ActorOption, as_json: JsonOption = False) -> int:
    """What is to be filed by when, and what was. 报送清单"""
    with wired() as wiring:
        found = [_row(one) for one in standing_filings(wiring, actor)]
    words = [
        f"{row['filing']:<28} {row['type']:<12} due {row['due_on']}  {row['rows']:>6} rows  {row['state']} {row['file']}"
        + (f": {row['reason']}" if row["reason"] else "") + ("  changed since 内容已变" if row["is_changed"] else "")
        for row in found
    ]  # fmt: skip
    emit({"filings": found}, as_json, words or ["nothing is to be filed 无待报送事项"])
    return 0


def _row(one: StandingFiling) -> dict[str, Any]:
    filing, stands = one.filing, one.stands
    return {
        "filing": filing.filing_no, "type": str(filing.file_type), "date": filing.on.isoformat(), "due_on": filing.due_on.isoformat(),
        "rows": len(filing.rows), "state": one.state, "file": stands.file_name, "reason": stands.reason, "is_changed": one.is_changed,
    }  # fmt: skip


@command
def propose(filing: FilingArgument, actor: ActorOption, note: NoteOption, as_json: JsonOption = False) -> int:
    """Propose to file it; another risk officer approves, and it goes out. 提议报送"""
    from custody.services.aml_filings import propose_filing

    with wired() as wiring:
        one = filing_named(wiring, actor, filing).filing
        proposal = propose_filing(wiring.register, wiring.clock, actor, one, note)
    emit_proposal(proposal, as_json)
    return 0


@command
def send_them(
    actor: Annotated[str, typer.Option("--as", help="Who acts. 操作人", envvar="CUSTODY_ACTOR")] = SYSTEM,
    as_json: JsonOption = False,
) -> int:
    """Send what was approved and has not gone out; sending again sends nothing twice. 发送已复核报送

    Exits 1 where what was approved is not what its date says now.
    """
    from jobs.filings import send

    with wired() as wiring:
        result = send(wiring, custody_date_of(wiring.clock.now()), actor)
    emit(result, as_json, [*result["sent"], *result["stay"]] or ["nothing waits 无待发送"])
    return 1 if result["stay"] else 0


@command
def receipt(
    filing: FilingArgument,
    outcome: Annotated[str, typer.Option("--outcome", help="ACCEPTED or REFUSED. 回执结果")],
    actor: ActorOption,
    reason: Annotated[str, typer.Option("--reason", help="Of a refusal. 拒绝原因")] = "",
    as_json: JsonOption = False,
) -> int:
    """Record the receipt; what was refused may be proposed again. 登记回执"""
    from custody.services.aml_filings import answer

    with wired() as wiring:
        answer(wiring.register, actor, filing, outcome, reason)
    emit({"filing": filing, "outcome": outcome}, as_json, [f"{filing} {outcome}"])
    return 0
