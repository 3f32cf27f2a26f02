"""Files in and out: collecting the drop, playing the parties, results for platforms."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from connectors.bootstrap import Wiring
from connectors.run_log import log_of
from console.commands.organisations import test_party
from console.commands.restatements import add_restatements
from console.output import ActorSystem, DateOption, JsonOption, command, emit, parse_date, progress, wired
from custody.calendar import custody_date_of
from custody.errors import UsageError
from custody.services import files as file_service
from custody.services import promises
from custody.services.acceptance import to_be_tested
from custody.services.access import SYSTEM
from custody.services.deliveries import deliver_pending
from custody.services.file_moves import promise_name
from custody.services.intake import CollectResult
from custody.texts import text

# How a list of files may be ordered, by the register's columns.
_SORTS: dict[str, tuple[str, ...]] = {
    "date": ("custody_date", "party", "file_name", "sha256"),
    "party": ("party", "custody_date", "file_name"),
    "state": ("state", "custody_date", "party"),
    "received": ("received_at", "file_name"),
    "rows": ("rows", "file_name"),
    "bytes": ("bytes", "file_name"),
}


def add_exchange(app: typer.Typer) -> None:
    app.command("collect", help="Sweep the SFTP drop once; archive, check, answer. 收取文件")(collect)
    app.command("results", help="Send each platform its results of the date. 发送对账结果")(results)
    app.command("deliver", help="Play the parties of a simulated world for one date. 模拟报送")(deliver)
    file_app = typer.Typer(help="The register of files. 文件登记簿", no_args_is_help=True)
    file_app.command("list")(file_list)
    file_app.command("expected")(file_expected)
    file_app.command("show")(file_show)
    app.add_typer(file_app, name="file")
    add_restatements(app, file_app)


@command
def collect(actor: ActorSystem = SYSTEM, as_json: JsonOption = False) -> int:
    from custody.services.intake import collect as sweep

    with wired() as wiring:
        today = custody_date_of(wiring.clock.now())
        result = sweep(wiring.exchange_ports, wiring.exchange_rules, actor, today, wiring.collect_limits)
        unseen = {party for party, _ in (*result.troubles, *result.unread)}
        judged = promises.judge_deadlines(wiring.exchange_ports, actor, wiring.settings.instance.go_live, unseen)
        if judged.notices:
            delivery = deliver_pending(wiring.exchange_ports)
            result.delivered += delivery.delivered
        with wiring.register.transaction() as tx:
            waiting = to_be_tested(tx)
        tested = [test_party(wiring, actor, party) for party in waiting]
        _log_sweep(wiring, result, judged.missing)
    for test in tested:
        progress(f"{test.party}: acceptance test {test.test_no} {test.outcome}, told in {test.report}")
    for seal in result.seals:
        for outcome in seal.files:
            progress(f"{seal.party} {outcome.name}: {outcome.outcome} ({outcome.rule})")
    for party, why in result.troubles:
        progress(f"{party}: {why}; will be tried again")
    for name in judged.missing:
        progress(f"{name}: MISSING")
    summary = {
        "files": result.counts(),
        "receipts": len(result.delivered),
        "expected": judged.opened,
        "missing": judged.missing,
        "not_looked_for": judged.unseen,
        "tested": {test.party: test.outcome for test in tested},
        "troubles": [list(t) for t in result.troubles],
        "waiting": [list(w) for w in result.waiting],
        "unsafe": [list(u) for u in result.unsafe],
    }
    emit(summary, as_json)
    if result.troubles and not result.seals:
        return 3
    refused = any(state in ("REFUSED", "QUARANTINED") for state in result.counts())
    return 1 if result.unsafe or result.troubles or judged.missing or refused else 0


def _log_sweep(wiring: Wiring, result: CollectResult, missing: Sequence[str]) -> None:
    log = log_of(wiring.settings)
    for seal in result.seals:
        for one in seal.files:
            log.info("file", party=seal.party, file=one.name, sha256=one.sha256, outcome=one.outcome, rule=one.rule)
    for party, why in result.troubles:
        log.warning("party not reached", party=party, words=why)
    for name in missing:
        log.warning("file missing", file=name)


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
    file_type: Annotated[str, typer.Option("--type", help="File type; SEAL for seals. 文件类型")] = "",
    sort: Annotated[str, typer.Option("--sort", help=f"{', '.join(_SORTS)}. 排序")] = "date",
    descending: Annotated[bool, typer.Option("--desc", help="Downwards. 降序")] = False,
    page: Annotated[int, typer.Option("--page", min=1, help="Which page. 页码")] = 1,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Rows on a page. 每页行数")] = 200,
    as_json: JsonOption = False,
) -> int:
    """What came and what became of it. 收到的文件及处理结果"""
    if sort not in _SORTS:
        raise UsageError(f"--sort is one of {', '.join(_SORTS)}, not {sort[:20]!r}")
    order = [f"-{name}" if descending else name for name in _SORTS[sort]]
    with wired() as wiring, wiring.register.transaction() as tx:
        found = file_service.listing(tx, order, (page - 1) * limit, limit, **_asked(date_, party, file_type, state))
    words = [f"{r['file_name']:<44} {r['state']:<12} {r['rule'] or ''}" for r in found.rows]
    summary = {"files": found.rows, "total": found.total, "page": page, "pages": max(1, -(-found.total // limit))}
    emit(summary, as_json, [*words, _paged(summary)] if words else ["no files 无文件"])
    return 0


def _paged(summary: dict[str, Any]) -> str:
    return f"{summary['total']} in all, page {summary['page']} of {summary['pages']} 共 {summary['total']} 条"


def _asked(date_: str, party: str, file_type: str, state: str) -> dict[str, object]:
    """What was asked for, as columns and their values."""
    asked: dict[str, object] = {"party": party, "file_type": file_type, "state": state}
    return {name: value for name, value in asked.items() if value} | ({"custody_date": parse_date(date_)} if date_ else {})


@command
def file_expected(
    date_: Annotated[str, typer.Option("--date", help="Custody date. 账务日期")] = "",
    party: Annotated[str, typer.Option("--party", help="Sender. 报送机构")] = "",
    state: Annotated[str, typer.Option("--state", help="EXPECTED, ARRIVED, LATE, MISSING, GIVEN_UP. 状态")] = "",
    file_type: Annotated[str, typer.Option("--type", help="File type. 文件类型")] = "",
    page: Annotated[int, typer.Option("--page", min=1, help="Which page. 页码")] = 1,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Rows on a page. 每页行数")] = 200,
    as_json: JsonOption = False,
) -> int:
    """What contract and calendar promise, and which file keeps it. 应报文件及到达情况"""
    asked = _asked(date_, party, file_type, state)
    with wired() as wiring, wiring.register.transaction() as tx:
        rows = promises.listing(tx, (page - 1) * limit, limit, **asked)
        counts = promises.by_state(tx, **asked)
    words = [f"{promise_name(r):<32} {r['state']:<9} due {r['due_at'][:16]}  {r['file_name'] or '-'}" for r in rows]
    summary = {"expected": rows, "states": counts, "total": sum(counts.values()), "page": page}
    summary["pages"] = max(1, -(-sum(counts.values()) // limit))
    emit(summary, as_json, [*words, _paged(summary)] if words else ["nothing is written down as expected 无应报记录"])
    return 0


@command
def file_show(
    name: Annotated[str, typer.Argument(help="File name, or the same without version and suffix. 文件名（可不含版本及后缀）")],
    as_json: JsonOption = False,
) -> int:
    """Every content, the promise that it keeps, every event, every decision. 文件全部历史"""
    with wired() as wiring, wiring.register.transaction() as tx:
        history = file_service.history(tx, name)
    promised = [] if history.promise is None else [history.promise]
    words = [f"{promise_name(p)} {p['state']}: due {p['due_at'][:16]}, kept by {p['file_name'] or '-'}" for p in promised]
    words += [f"{r['file_name']} {r['sha256'][:12]} {r['state']} {r['rule'] or ''}" for r in history.versions]
    for event in history.events:
        said = json.loads(event["details"])
        english, chinese = text(said["rule"], said["figures"])
        words.append(f"  {event['at'][:19]} {event['event']:<20} {event['actor'] or '-':<8} {english} / {chinese}")
    words += [f"  {row['at'][:19]} {row['action']:<20} {row['actor']}" for row in history.audit]
    words += [f"  also {row['file_name']} {row['state']}" for row in history.others]
    summary = {
        "files": history.versions, "promise": history.promise, "events": history.events, "decisions": history.audit,
        "others": history.others,
    }  # fmt: skip
    emit(summary, as_json, words)
    return 0
