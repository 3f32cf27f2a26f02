"""``custody rules``: the rule book, what a changed rule would have done on past days, and the proposal to adopt it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from connectors.bootstrap import Wiring
from console.output import ActorOption, JsonOption, NoteOption, command, emit, emit_proposal, parse_date, progress, wired
from custody.calendar import dates
from custody.errors import UsageError
from custody.match_rules import Rule
from custody.rule_words import condition_words
from custody.services import rules as rule_service
from custody.services.access import check_permission
from custody.services.outputs import days_begun
from schemas.rule_book import rule_file, shipped_rules

FileArgument = Annotated[str, typer.Argument(help="A YAML file in the language of schemas/rules/README.md. 规则文件")]
FromOption = Annotated[str, typer.Option("--from", help="First sealed date of the trial. 试算起始账务日")]
ToOption = Annotated[str, typer.Option("--to", help="Last sealed date of the trial. 试算截止账务日")]
ExamplesOption = Annotated[int, typer.Option("--examples", help="How many of each sort are shown. 每类示例数", min=0, max=100)]


def add_rules(app: typer.Typer) -> None:
    group = typer.Typer(help="Reconciliation rules: dated, versioned, owned. 对账规则", no_args_is_help=True)
    group.command("show")(show)
    group.command("try")(try_them)
    group.command("propose")(propose)
    group.command("adopt", help="The same as propose. 同 propose")(propose)
    app.add_typer(group, name="rules")


@command
def show(
    rule: Annotated[str, typer.Argument(help="One rule, all its versions; else all in force or to come. 规则")] = "",
    date_: Annotated[
        str, typer.Option("--date", help="In force on this date; else on the next one to be cut off. 账务日期")
    ] = "",
    as_json: JsonOption = False,
) -> int:
    """Rules with their versions, owners and sources, and what they say. 查看规则"""
    with wired() as wiring, wiring.register.transaction() as tx:
        begun = days_begun(tx)
        on = parse_date(date_) if date_ else _next_open(wiring, begun)
        _, known = rule_service.rules_with_state(tx, shipped_rules(), on)
    shown = [(r, state) for r, state in known if (r.rule_id == rule if rule else state in ("IN_FORCE", "TO_COME"))]
    if not shown:
        raise UsageError(f"no rule {rule!r}; see: custody rules show")
    if as_json:
        emit({"date": on.isoformat(), "rules": [_as_json(r, state) for r, state in shown]}, True)
        return 0
    from console.rule_tables import show_rule, show_rules

    if not rule:
        show_rules(shown)
        return 0
    for version, state in shown:
        show_rule(version, state)
    return 0


def _next_open(wiring: Wiring, begun: list[date]) -> date:
    return list(dates(begun[-1], 2))[-1] if begun else wiring.settings.instance.go_live


def _as_json(rule: Rule, state: str) -> dict[str, Any]:
    en, zh = condition_words(rule)
    return {
        **rule.entry,
        "state": state,
        "digest": rule.digest,
        "condition_en": en,
        "condition_zh": zh,
    }


@command
def try_them(
    file: FileArgument, first: FromOption, last: ToOption, examples: ExamplesOption = 5, as_json: JsonOption = False
) -> int:
    """Run changed rules on sealed days and show what would have been different; nothing is written. 试算

    Exits 1 when anything would have been.
    """
    proposed = rule_file(Path(file))
    with wired() as wiring:
        found = _tried(wiring, proposed, first, last, examples)
    if as_json:
        emit(found, True)
    else:
        from console.rule_tables import show_trial

        show_trial(found)
    return 1 if found["differs"] else 0


@command
def propose(
    file: FileArgument,
    first: FromOption,
    last: ToOption,
    actor: ActorOption,
    note: NoteOption,
    examples: ExamplesOption = 5,
    as_json: JsonOption = False,
) -> int:
    """Propose the file's one rule, with a trial of it that the second person sees too. 提议采用规则"""
    proposed = rule_file(Path(file))
    if len(proposed) != 1:
        raise UsageError(f"{file} has {len(proposed)} rules: propose one at a time, so that each is decided by itself")
    with wired() as wiring:
        # A trial takes minutes: first whether it can come to anything.
        check_permission(wiring.register, actor, "rule.propose", proposed[0].id)
        with wiring.register.transaction() as tx:
            rule_service.check_change(tx, shipped_rules(), proposed[0])
        found = _tried(wiring, proposed, first, last, examples)
        args = (wiring.register, wiring.clock, actor, shipped_rules(), proposed[0], found, note)
        proposal = rule_service.propose_rule(*args)
    if not as_json:
        from console.rule_tables import show_trial

        show_trial(found)
    emit_proposal(proposal, as_json)
    return 0


def _tried(wiring: Wiring, proposed: list[Rule], first: str, last: str, examples: int) -> dict[str, Any]:
    from jobs.rule_trial import try_rules

    return try_rules(wiring, proposed, parse_date(first), parse_date(last), examples, progress)
