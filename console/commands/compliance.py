"""``custody compliance``: the step itself, its findings for those who may see them, and one of them explained down to its rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from console.commands.filings import add_filings
from console.commands.steps import step_callback
from console.output import (
    ActorOption,
    DateOption,
    JsonOption,
    NoteOption,
    command,
    emit,
    emit_proposal,
    parse_date,
    progress,
    wired,
)
from custody.errors import UsageError
from custody.watch_list import HoldState

FindingArgument = Annotated[str, typer.Argument(help="Its number, as list and alerts name it. 发现编号")]
OptionalDate = Annotated[str, typer.Option("--date", help="As it stood on this custody date; else on the last one. 账务日期")]


def add_compliance(app: typer.Typer) -> None:
    group = typer.Typer(help="Limits, red lines and suspicious patterns. 合规监测", invoke_without_command=True)
    group.callback()(step_callback("compliance"))
    group.command("list")(list_them)
    group.command("explain")(explain)
    group.command("watch")(watch)
    group.command("holds")(list_holds)
    group.command("release")(release)
    group.command("report")(report)
    group.command("score")(score)
    add_filings(group)
    app.add_typer(group, name="compliance")


@command
def list_them(date_: DateOption, actor: ActorOption, as_json: JsonOption = False) -> int:
    """The findings of a date that one may see; confidential ones are shown to risk officer and auditor alone. 合规发现

    Exits 1 when there are any.
    """
    from console.compliance_view import findings_on

    with wired() as wiring:
        found = findings_on(wiring, actor, parse_date(date_))
    if as_json:
        emit({"date": date_, "findings": found}, True)
    else:
        from console.compliance_tables import show_findings

        show_findings(found)
    return 1 if found else 0


@command
def score(
    truth: Annotated[str, typer.Option("--truth", help="The truth folder of a world with behaviours. 真值目录")],
    curves: Annotated[str, typer.Option("--curves", help="CSV file for recall and precision over each degree. 曲线文件")] = "",
    plots: Annotated[str, typer.Option("--plots", help="Folder for a picture (SVG) of each of these curves. 曲线图目录")] = "",
    as_json: JsonOption = False,
) -> int:
    """What people and platforms did against what was found; of kinds that are a matter of degree the curve behind. 行为检出率

    Exits 1 when anything was missed, came late or was raised for nothing: of degrees that is so by choice.
    """
    from rich.console import Console

    from console.behaviour_scoring import CURVES, behaviour_labels, behaviour_score
    from console.behaviour_scoring import curves as curve_points
    from console.scoring import show

    with wired() as wiring:
        labels = behaviour_labels(wiring, Path(truth))
        result, up_to = behaviour_score(wiring, labels)
        points = curve_points(wiring, labels, CURVES, progress) if curves or plots else []
    if plots:
        from console.behaviour_scoring import draw_curves

        draw_curves(points, Path(plots))
    if curves:
        import csv

        with Path(curves).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(points[0]))
            writer.writeheader()
            writer.writerows(points)
    if as_json:
        emit({"as_of": up_to, **result.as_json(), "curves": points}, True)
    else:
        show(Console(), result)
        for p in points:
            mark = "  <- operating point 运行点" if p["operating"] else ""
            print(f"{p['kind']:<16} {p['figure']:<10} {p['value']:>10}  recall {p['recall']}  precision {p['precision']}{mark}")
    return 0 if result.is_perfect else 1


@command
def watch(
    file: Annotated[str, typer.Argument(help="YAML: list, valid_from, source, entries of {entry, id_type, id_no}. 名单文件")],
    actor: ActorOption,
    note: NoteOption,
    as_json: JsonOption = False,
) -> int:
    """Propose a watch list; approved by another person it holds from the next cut-off, in place of its earlier version. 监控名单"""
    import yaml

    from custody.services.watch_lists import propose_list
    from custody.watch_list import read_list

    path = Path(file)
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as why:
        raise UsageError(f"{path.name}: {type(why).__name__}: a watch list is a YAML file in UTF-8") from None
    with wired() as wiring:
        said = read_list(raw, path.name, wiring.secrets.identity_digest)
        proposal = propose_list(wiring.register, wiring.clock, actor, said, note)
    emit_proposal(proposal, as_json)
    return 0


HoldArgument = Annotated[str, typer.Argument(help="The hold's number, as custody compliance holds shows it. 止付编号")]


@command
def list_holds(actor: ActorOption, as_json: JsonOption = False) -> int:
    """Who stands on a watch list, and what became of the hold on his money. 名单止付"""
    from console.hold_view import holds

    with wired() as wiring:
        found = holds(wiring, actor)
    words = [
        f"{row['hold_id']}  {row['state']:<9} {row['customer_id']}  {row['list']} {row['entry']}  since {row['held_from']}"
        + "".join(f"  {p['proposal_id']} proposed by {p['maker']}" for p in row["proposals"])
        for row in found
    ]
    emit({"holds": found}, as_json, words or ["nobody is watched 无名单客户"])
    return 0


def _propose(hold: str, actor: str, note: str, as_json: bool, outcome: HoldState) -> int:
    from console.hold_view import hold_named
    from custody.services.aml_holds import propose_outcome

    with wired() as wiring:
        proposal = propose_outcome(wiring.register, wiring.clock, actor, hold_named(wiring, actor, hold), outcome, note)
    emit_proposal(proposal, as_json)
    return 0


@command
def release(hold: HoldArgument, actor: ActorOption, note: NoteOption, as_json: JsonOption = False) -> int:
    """Propose that a watched customer's money may leave again: from the next cut-off, once another has approved. 提议解除止付"""
    return _propose(hold, actor, note, as_json, HoldState.RELEASED)


@command
def report(hold: HoldArgument, actor: ActorOption, note: NoteOption, as_json: JsonOption = False) -> int:
    """Propose to turn the hit into a suspicious transaction report; the money stays held. 提议转为可疑交易报告"""
    return _propose(hold, actor, note, as_json, HoldState.REPORTED)


@command
def explain(finding: FindingArgument, actor: ActorOption, date_: OptionalDate = "", as_json: JsonOption = False) -> int:
    """One finding: its rule with the text it follows from, its figures, and the rows behind it. 解释合规发现"""
    from console.compliance_view import explained

    with wired() as wiring:
        found = explained(wiring, actor, finding, parse_date(date_) if date_ else None)
    if as_json:
        cited = {"regulation": found.terms.citation.regulation, "article": found.terms.citation.article}
        rule = {"id": found.rule.id, "figures": dict(found.terms.figures), "citation": cited, "basis": found.rule.basis}
        emit({"date": found.on, "finding": found.finding | {"figures": found.figures}, "rule": rule, "rows": found.rows}, True)
    else:
        from console.compliance_tables import show_explained

        show_explained(found)
    return 0
