"""``custody report``: drafts and what became of them, their release, and where a figure comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from console.new_files import write_new_files
from console.output import ActorOption, ActorSystem, DateOption, JsonOption, NoteOption, command, emit, parse_date, wired
from custody.errors import UsageError
from custody.ports import Row
from custody.release_checks import explained
from custody.services import releases
from custody.services.access import SYSTEM
from custody.services.releases import ReportKey
from custody.services.restated_reports import told_of

ReportArgument = Annotated[str, typer.Argument(help="Report id. 报表编号")]
PeriodArgument = Annotated[str, typer.Argument(help="2019-12, 2019-Q4, 2019 or 2019-12-31. 报告期")]
PartyOption = Annotated[str, typer.Option("--party", help="The platform that it is about. 所涉平台")]
VersionOption = Annotated[int | None, typer.Option("--draft", help="Number of the draft; else the newest. 版本")]


@command
def list_them(
    state: Annotated[str, typer.Option("--state", help="DRAFT, PROPOSED, APPROVED ... 状态")] = "",
    report: Annotated[str, typer.Option("--report", help="Report id. 报表编号")] = "",
    files: Annotated[bool, typer.Option("--files", help="The newest drafts' files, with their places. 列出文件")] = False,
    as_json: JsonOption = False,
) -> int:
    """Reports by period, each with the draft that is newest and what became of it. 报表清单"""
    from console.report_release import report_files, shown_key

    with wired() as wiring:
        if files:
            found = report_files(wiring)
            words = [f"{r['period']} {r['name']:<40} {r['state']:<10} {r['path']}" for r in found]
            emit({"reports": found}, as_json, words or ["none 无"])
            return 0
        with wiring.register.transaction() as tx:
            newest = {ReportKey.of(row): row for row in releases.all_versions(tx, report_id=report)}
    rows = [_short(row) for row in newest.values() if state in ("", row["state"])]
    words = [f"{shown_key(r):<44} draft {r['draft_no']} {r['state']:<10} {_number(r)}" for r in rows]
    emit({"reports": rows}, as_json, words or ["none 无"])
    return 0


def _short(row: Row) -> Row:
    return {
        **row,
        "files": json.loads(row["files"]),
        "inputs": json.loads(row["inputs"]),
        "explanations": json.loads(row["explanations"]),
    }


def _number(row: Row) -> str:
    return f"release {row['release_no']}" if row["release_no"] else ""


@command
def show(
    report: ReportArgument,
    period: PeriodArgument,
    party: PartyOption = "",
    draft: VersionOption = None,
    as_json: JsonOption = False,
) -> int:
    """One report: its checks, files, recipients, versions and history. 报表详情"""
    from console.report_release import SealedDrafts

    key = ReportKey(report, period, party)
    with wired() as wiring, wiring.register.transaction() as tx:
        row = releases.version(tx, key, draft)
        found = releases.assess(tx, row, SealedDrafts(wiring), wiring.settings.instance.go_live)
        deliveries, history, since = releases.deliveries_of(tx, row), releases.history(tx, key), told_of(tx, row)
    said = json.loads(row["explanations"])
    result = {
        **_short(row), "deliveries": deliveries, "history": history, "restated": [[one["words_en"], one["words_zh"]] for one in since],
        "checks": [[one.check, one.subject, one.english, one.chinese, explained(one, said)] for one in found.findings],
    }  # fmt: skip
    words = [
        f"{key.subject} draft {row['draft_no']} {row['state']} {_number(row)}",
        f"  sealed in report of {row['custody_date']} v{row['step_version']}",
    ]
    words += [f"  {name}  {size} bytes  {sha256}" for name, (size, sha256) in sorted(json.loads(row["files"]).items())]
    words += [
        f"  {one.check}: {one.english} / {one.chinese}"
        + (f"  [{explained(one, said) or 'explain it'}]" if one.explainable else "")
        for one in found.findings
    ]
    words += [f"  since: {one['words_en']} / {one['words_zh']}" for one in since]
    words += [f"  to {one['party']}: {one['delivery']} {one['outcome'] or ''} {one['reason'] or ''}" for one in deliveries]
    words += [f"  {one['at'][:19]} draft {one['draft_no']} {one['state']} by {one['actor']}" for one in history]
    emit(result, as_json, words)
    return 1 if found.findings else 0


@command
def release(
    report: ReportArgument,
    period: PeriodArgument,
    actor: ActorOption,
    note: NoteOption,
    party: PartyOption = "",
    explain: Annotated[
        list[str] | None,
        typer.Option("--explain", help="SUBJECT=words for what stands out: P001/volume=..., P001=..., bank=... 变动说明"),
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Propose the release of the newest draft; another person approves it. 报表发布

    What stands out (custody report show) is explained, else the proposal is refused.
    """
    from console.report_release import SealedDrafts

    key, said = ReportKey(report, period, party), dict[str, str]()
    for one in explain or []:
        subject, equals, words = one.rpartition("=") if "/" not in one else _after_figure(one)
        if not equals:
            raise UsageError(f"--explain {one!r}: write SUBJECT=words")
        said[subject] = words
    with wired() as wiring:
        proposal = releases.propose_release(
            wiring.register, wiring.clock, actor, key, SealedDrafts(wiring), wiring.settings.instance.go_live, said, note
        )
    emit({"proposal": proposal}, as_json, [f"proposal {proposal}"])
    return 0


def _after_figure(text: str) -> tuple[str, str, str]:
    """``channel=CH01/volume=words``: the subject ends with the figure, whose id has no equals sign."""
    place, _, rest = text.partition("/")
    figure, equals, words = rest.partition("=")
    return f"{place}/{figure}", equals, words


@command
def differences(
    report: ReportArgument,
    period: PeriodArgument,
    party: PartyOption = "",
    draft: VersionOption = None,
    as_json: JsonOption = False,
) -> int:
    """What a draft changes of the release that it corrects: every figure and row, old and new, and why. 差异报告"""
    from console.report_release import difference

    with wired() as wiring:
        with wiring.register.transaction() as tx:
            row = releases.version(tx, ReportKey(report, period, party), draft)
        found = difference(wiring, row)
    if found is None:
        emit({"corrects": None, "changes": []}, as_json, ["it corrects nothing that was released 非更正版本"])
        return 0
    changes = [vars(one) for one in found.changes]
    words = [f"corrects release {found.corrected['release_no']} (draft {found.corrected['draft_no']})"]
    words += [f"  because {one.words}" for one in found.inputs]
    words += [
        f"  {c.table} {c.key} {c.figure} {c.cell_now or c.cell_before}: {c.before or '–'} → {c.now or '–'}" for c in found.changes
    ]
    emit(
        {"corrects": found.corrected["release_no"], "because": [one.words for one in found.inputs], "changes": changes},
        as_json,
        words,
    )
    return 0


@command
def download(
    report: ReportArgument,
    period: PeriodArgument,
    into: Annotated[str, typer.Option("--into", help="Folder. 目录")],
    party: PartyOption = "",
    draft: VersionOption = None,
    as_json: JsonOption = False,
) -> int:
    """A draft's files with their seal, and of a release its package too, into a folder. 下载"""
    from console.report_release import SealedDrafts

    folder = Path(into)
    folder.mkdir(parents=True, exist_ok=True)
    with wired() as wiring:
        with wiring.register.transaction() as tx:
            row = releases.version(tx, ReportKey(report, period, party), draft)
        drafts = SealedDrafts(wiring)
        files = {name: drafts.file(row, name) for name in [*json.loads(row["files"]), row["seal_name"]]}
        if row["package_ref"]:
            files[row["package_name"]] = wiring.archive.read(row["package_ref"])
    for name, data in files.items():
        (folder / name).write_bytes(data)
    emit({"files": sorted(files)}, as_json, [str(folder / name) for name in sorted(files)])
    return 0


@command
def make(
    report: ReportArgument,
    period: PeriodArgument,
    into: Annotated[str, typer.Option("--into", help="Folder. 目录")],
    actor: ActorOption,
    party: PartyOption = "",
    as_json: JsonOption = False,
) -> int:
    """Any report of any sealed period, made anew for whoever asks; it is no draft and is released by nobody. 按需生成"""
    from jobs.reporting.request import report_on_request

    with wired() as wiring:
        files = report_on_request(wiring, actor, report, period, party)
    written = write_new_files(into, files)
    emit({"files": sorted(files)}, as_json, written)
    return 0


@command
def trace(
    file: Annotated[str, typer.Argument(help="A report's file, on disk or by name. 报表文件")],
    cell: Annotated[str, typer.Argument(help="Of a workbook Sheet!C5, of a CSV file the number of the line. 单元格或行号")],
    page: Annotated[int, typer.Option("--page", min=1, help="Page. 页")] = 1,
    size: Annotated[int, typer.Option("--size", min=1, max=10_000, help="Rows on a page. 每页行数")] = 50,
    row: Annotated[int | None, typer.Option("--row", min=1, help="All that is behind this row. 某一行的全部来源")] = None,
    as_json: JsonOption = False,
) -> int:
    """From a figure to the sealed rows that it sums, and to the files and lines that these came from. 报表数字溯源"""
    from console.trace_view import as_json_tree, lines
    from jobs.reporting.trace import trace as trace_it

    with wired() as wiring:
        found = trace_it(wiring, file, cell, page, size, row)
    emit(as_json_tree(found), as_json, lines(found))
    return 0


@command
def send(date_: DateOption = "", actor: ActorSystem = SYSTEM, as_json: JsonOption = False) -> int:
    """Hand over what two people released, see what has arrived, take the recipients' receipts. 报送与回执"""
    from console import report_release

    with wired() as wiring:
        on = parse_date(date_) if date_ else report_release.today(wiring)
        done = report_release.send(wiring, on, actor)
    words = [f"handed over {name}" for name in done["handed_over"]]
    words += [
        f"nobody gets {s}: onboard a reporting platform (kind REPORTING, contract term reports)" for s in done["nobody_gets"]
    ]
    words += [f"delivered {subject}" for subject in done["delivered"]]
    words += [f"{party}: {name} {became}" for party, name, became in done["receipts"]]
    words += [f"{name}: {why}; will be tried again" for name, why in done["troubles"]]
    emit(done, as_json, words or ["nothing to send, no receipt 无待报送，无回执"])
    return 1 if done["nobody_gets"] or any(became != "ACCEPTED" for _, _, became in done["receipts"]) else 0


@command
def due(date_: DateOption, as_json: JsonOption = False) -> int:
    """Reports that are due soon or overdue on a date and not released; each raises an alert once. 应报送报表"""
    from console.report_release import due_reports

    with wired() as wiring:
        on = parse_date(date_)
        found = releases.tell_due(wiring.register, SYSTEM, on, due_reports(wiring, on))
    rows = [
        {"report": d.key.report_id, "period": d.key.period, "party": d.key.scope, "due": d.due_on, "state": d.state or "NOT_DRAFTED",
         "overdue": d.due_on is not None and d.due_on < on}
        for d in found
    ]  # fmt: skip
    words = [
        f"{d['report']} {d['period']} {d['party']} due {d['due']} {d['state']}{' OVERDUE' if d['overdue'] else ''}" for d in rows
    ]
    emit({"due": rows}, as_json, words or ["nothing is due 无到期报表"])
    return 1 if rows else 0
