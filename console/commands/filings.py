"""``custody compliance filing``: large values and suspicious transactions as files for filing, two people for each, and their receipts."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from connectors.bootstrap import Wiring
from console.output import ActorOption, JsonOption, NoteOption, command, emit, emit_proposal, wired
from custody.calendar import custody_date_of
from custody.names import FileType
from custody.services.aml_filings import DUE, Filing, standing

FilingArgument = Annotated[str, typer.Argument(help="Its number, as custody compliance filing list shows it. 报送编号")]


def add_filings(group: typer.Typer) -> None:
    filing = typer.Typer(help="Files for the authority against money laundering. 反洗钱报送", no_args_is_help=True)
    filing.command("list")(list_them)
    filing.command("propose")(propose)
    filing.command("send")(send_them)
    filing.command("receipt")(receipt)
    group.add_typer(filing, name="filing")


def standing_filings(wiring: Wiring) -> list[dict[str, Any]]:
    """Every filing of every assessed date, the newest version of each, as it stands."""
    from console.compliance_view import assessed_days
    from jobs.filings import filings_on

    found: dict[str, Filing] = {}
    for on in assessed_days(wiring):
        found |= {one.filing_no: one for one in filings_on(wiring, on)}
    with wiring.register.transaction() as tx:
        stands = {number: standing(tx, number) for number in found}
    return [
        {
            "filing": number, "type": str(one.file_type), "date": one.on.isoformat(), "due_on": one.due_on.isoformat(),
            "rows": len(one.rows), "state": _state(one, stands[number].state), "file": stands[number].file_name,
            "reason": stands[number].reason, "is_changed": stands[number].content not in ("", one.content),
        }
        for number, one in sorted(found.items(), key=lambda item: (item[1].due_on, item[0]))
    ]  # fmt: skip


def _state(one: Filing, state: str) -> str:
    """Whether a suspicion is to be reported at all, nobody has said before it is proposed."""
    return "UNDECIDED" if one.file_type is FileType.SUSPICIOUS and state == DUE else state


@command
def list_them(actor: ActorOption, as_json: JsonOption = False) -> int:
    """What is to be filed by when, and what was. 报送清单"""
    from custody.services.aml_filings import look

    with wired() as wiring:
        look(wiring.register, actor)
        found = standing_filings(wiring)
    words = [
        f"{row['filing']:<28} {row['type']:<12} due {row['due_on']}  {row['rows']:>6} rows  {row['state']} {row['file']}"
        + (f": {row['reason']}" if row["reason"] else "") + ("  changed since 内容已变" if row["is_changed"] else "")
        for row in found
    ]  # fmt: skip
    emit({"filings": found}, as_json, words or ["nothing is to be filed 无待报送事项"])
    return 0


@command
def propose(filing: FilingArgument, actor: ActorOption, note: NoteOption, as_json: JsonOption = False) -> int:
    """Propose to file it; another risk officer approves, and it goes out. 提议报送"""
    from console.compliance_view import assessed_days
    from custody.services.aml_filings import look, propose_filing
    from jobs.filings import filing_named

    with wired() as wiring:
        look(wiring.register, actor)
        one = filing_named(wiring, filing, assessed_days(wiring))
        proposal = propose_filing(wiring.register, wiring.clock, actor, one, note)
    emit_proposal(proposal, as_json)
    return 0


@command
def send_them(actor: ActorOption, as_json: JsonOption = False) -> int:
    """Send what was approved and has not gone out; sending again sends nothing twice. 发送已复核报送"""
    from jobs.filings import send

    with wired() as wiring:
        result = send(wiring, custody_date_of(wiring.clock.now()), actor)
    emit(result, as_json, result["sent"] or ["nothing waits 无待发送"])
    return 0


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
