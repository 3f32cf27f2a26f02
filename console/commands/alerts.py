"""``custody alert``: what people are warned of, who answers, who was told, and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from console.alert_view import AlertView, refuse_unknown, shown, spoken, view_alert
from console.output import ActorOption, ActorSystem, DateOption, JsonOption, NoteOption, command, emit, parse_date, wired
from custody.alert_rules import SEVERITIES, Channel
from custody.alert_words import (
    CHANNEL_WORDS,
    EVENT_WORDS,
    MESSAGE_STATES,
    MODE_WORDS,
    SEVERITY_WORDS,
    STATE_WORDS,
    WHOM_WORDS,
    rule_words,
)
from custody.counting import counted
from custody.handbook import COMPLIANCE, HANDBOOK, Entry
from custody.masking import mask_user_numbers
from custody.ports import Row
from custody.rule_words import condition_words
from custody.services import alert_messages
from custody.services import alerts as alert_service
from custody.services.access import SYSTEM

ReaderOption = Annotated[str, typer.Option("--as", help="Who reads it: findings' rows are for who may see them. 查看人")]
AlertArgument = Annotated[str, typer.Argument(help="Alert id, or its beginning. 预警编号")]


def add_alerts(app: typer.Typer) -> None:
    group = typer.Typer(help="Alerts: list, answer, close, send, and who was told. 预警", no_args_is_help=True)
    commands: dict[str, Callable[..., None]] = {
        "list": list_them,
        "show": show,
        "explain": explain,
        "acknowledge": acknowledge,
        "ack": acknowledge,
        "close": close,
        "raise": raise_one,
        "send": send,
        "messages": messages,
        "handbook": handbook,
    }
    for verb, function in commands.items():
        group.command(verb)(function)
    app.add_typer(group, name="alert")


@command
def list_them(
    state: Annotated[str, typer.Option("--state", help="OPEN, ACKNOWLEDGED, CLOSED; else those not closed. 状态")] = "",
    severity: Annotated[str, typer.Option("--severity", help="LOW, MEDIUM, HIGH, CRITICAL. 级别")] = "",
    rule: Annotated[str, typer.Option("--rule", help="Rule, e.g. FILE_MISSING. 规则")] = "",
    platform: Annotated[str, typer.Option("--platform", help="Party. 机构")] = "",
    duty: Annotated[str, typer.Option("--duty", help="Whose turn it is. 处理岗位")] = "",
    every: Annotated[bool, typer.Option("--all", help="Closed ones too. 含已关闭")] = False,
    as_json: JsonOption = False,
) -> int:
    """Alerts, the gravest first. 预警清单"""
    refuse_unknown("state", state, alert_service.STATES)
    refuse_unknown("severity", severity, SEVERITIES)
    with wired() as wiring, wiring.register.transaction() as tx:
        rows = alert_service.alerts(tx, state or None, severity=severity, rule=rule, platform=platform, duty=duty)
    rows = [row for row in rows if state or every or row["state"] != alert_service.CLOSED]
    rows.sort(key=lambda row: (-SEVERITIES.index(row["severity"]), row["raised_on"], row["alert_id"]))
    emit({"alerts": rows}, as_json, [_line(row) for row in rows] or ["no alerts 无预警"])
    return 0


def _line(row: Row) -> str:
    turn = f"  {row['duty']} until {row['answer_by'][:16].replace('T', ' ')}" if row["duty"] and row["answer_by"] else ""
    words = mask_user_numbers(f"{row['words_en']} / {row['words_zh']}")
    return f"{row['alert_id'][:12]}  {row['severity']:<8} {row['state']:<12} {row['raised_on']}  {words}{turn}"


@command
def show(alert_id: AlertArgument, as_json: JsonOption = False) -> int:
    """One alert: what happened to it, and who was told. 预警详情"""
    with wired() as wiring:
        view = view_alert(wiring, alert_id)
    emit(
        {"alert": view.row, "history": view.history, "messages": view.messages},
        as_json,
        _head(view) + _history(view) + _told(view),
    )
    return 0


@command
def explain(alert_id: AlertArgument, actor: ReaderOption = "", as_json: JsonOption = False) -> int:
    """Which rule, in which version and by whose word, which figures, and the rows behind them. 预警说明"""
    with wired() as wiring:
        view = view_alert(wiring, alert_id, actor)
    en, zh = condition_words(view.route)
    words = _head(view)
    words += [f"source 依据  {view.source[0]}", f"             {view.source[1]}"]
    words += [f"told by 通知规则  {view.route.id}, owner {view.route.owner}: {view.route.words_en} / {view.route.words_zh}"]
    words += [f"   {en}", f"   {zh}", f"   {view.route.basis}"]
    words += [f"figure 数据  {line}" for line in _figures(view)]
    for part in view.behind:
        words.append(f"rows 明细  {part.place}")
        words += [f"   {spoken(row)}" for row in part.rows]
    if "finding" in view.figures and not view.behind:
        words.append(
            f"rows 明细  custody alert explain {view.row['alert_id'][:12]} --as NAME (who may see findings of compliance)"
        )
    found: dict[str, Any] = {
        "alert": view.row, "figures": view.figures, "source_en": view.source[0], "source_zh": view.source[1],
        "rule": {"id": view.route.id, "digest": view.route.digest, **view.route.entry},
        "rows": [{"place": part.place, "rows": [shown(row) for row in part.rows]} for part in view.behind],
    }  # fmt: skip
    emit(found, as_json, words)
    return 0


def _figures(view: AlertView) -> list[str]:
    """Amounts in yuan; what is said twice, in two languages, once."""
    names = [name for name in view.figures if not name.endswith("_zh")]
    return [spoken({name: view.figures[name], "currency": view.figures.get("currency")}).partition(", currency")[0].replace(" ", " = ", 1)
            for name in names if view.figures[name] is not None]  # fmt: skip


def _head(view: AlertView) -> list[str]:
    row = view.row
    state, level = STATE_WORDS[row["state"]], SEVERITY_WORDS[row["severity"]]
    lines = [
        f"{row['alert_id']}  {row['rule']} {' '.join(rule_words(row['rule']))}",
        f"{' '.join(level)} · {' '.join(state)} · raised {row['raised_on']}, last seen {row['last_seen_on']}",
        mask_user_numbers(row["words_en"]),
        mask_user_numbers(row["words_zh"]),
    ]
    if row["closed_by"]:
        lines.append(f"closed by {row['closed_by']}: {row['closed_reason']}")
    return lines


def _history(view: AlertView) -> list[str]:
    return [
        f"   {one['at'][:19].replace('T', ' ')}  {one['actor']:<10} {' '.join(EVENT_WORDS[one['event']])}"
        f"  {mask_user_numbers(one['words_en'])}"
        for one in view.history
    ]


def _told(view: AlertView) -> list[str]:
    return [_message_line(row) for row in view.messages]


def _message_line(row: Row) -> str:
    who = f"{WHOM_WORDS[row['whom']][0]} {mask_user_numbers(row['recipient'])}"
    by = f"{CHANNEL_WORDS[row['channel']][0]}, {MODE_WORDS[row['mode']][0]}"
    when = row["sent_at"] or row["next_attempt_at"] or row["not_before"]
    doubt = f"  may have come {row['in_doubt'] + 1} times" if row["in_doubt"] else ""
    said = row["proof"] or row["last_reason"] or ""
    return f"   {row['message_id'][:12]}  {row['state']:<7} {who} by {by}  {when[:19].replace('T', ' ')}  tries {row['attempts']}  {said}{doubt}"


@command
def acknowledge(
    alert_id: AlertArgument,
    actor: ActorOption,
    note: Annotated[str, typer.Option("--note", help="What is done about it. 说明")] = "",
    as_json: JsonOption = False,
) -> int:
    """Say that you have seen it and answer for it. 确认"""
    with wired() as wiring:
        whole = alert_service.acknowledge(wiring.register, actor, alert_id, note)
    emit({"alert": whole, "state": alert_service.ACKNOWLEDGED}, as_json, [f"{whole[:12]} acknowledged 已确认"])
    return 0


@command
def close(alert_id: AlertArgument, actor: ActorOption, note: NoteOption, as_json: JsonOption = False) -> int:
    """Say why it is done with; whoever was told is told so. 关闭"""
    with wired() as wiring:
        whole = alert_service.close(wiring.register, actor, alert_id, note)
    emit({"alert": whole, "state": alert_service.CLOSED}, as_json, [f"{whole[:12]} closed 已关闭"])
    return 0


@command
def raise_one(
    rule: Annotated[str, typer.Option("--rule", help="Rule id. 规则")],
    subject: Annotated[str, typer.Option("--subject", help="What it is about. 对象")],
    date_: DateOption,
    actor: ActorSystem = SYSTEM,
    as_json: JsonOption = False,
) -> int:
    """Say that something happened on a date; the same rule, subject and date again is the same alert. 登记预警"""
    with wired() as wiring:
        on = parse_date(date_)
        words = (f"{rule}: {subject}", f"{rule}：{subject}")
        alert_id = alert_service.raise_alert(wiring.register, actor, rule, subject, on, *words, occurrence=on.isoformat())
    emit({"alert": alert_id}, as_json)
    return 0


@command
def send(actor: ActorSystem = SYSTEM, as_json: JsonOption = False) -> int:
    """Pass on what nobody answered in time, and hand over every message that may go: SMS, mail, file, page. 发送预警

    Exits 3 when a gateway is away (run it again, nothing is lost or doubled), 1 when messages have nobody to go to or were given up.
    """
    with wired() as wiring, wiring.sending_alerts():
        done = alert_messages.send_alerts(wiring.alert_ports, actor)
    words = [f"sent 已发 {done.sent}, waiting 待发 {done.waiting}, failed 失败 {done.failed}, passed on 升级 {done.passed_on}"]
    words += [f"{channel} is away 网关不可用: {why}" for channel, why in done.away.items()]
    if done.unreachable:
        words.append(
            f"{counted(done.unreachable, 'message')} without anybody to go to 无收件人: custody alert messages --state QUEUED; custody org contact set BANK ..."
        )
    emit(vars(done), as_json, words)
    return 3 if done.away else 1 if done.unreachable or done.failed else 0


@command
def messages(
    alert_id: Annotated[str, typer.Option("--alert", help="Of one alert. 预警编号")] = "",
    state: Annotated[str, typer.Option("--state", help="QUEUED, SENT, FAILED. 状态")] = "",
    channel: Annotated[str, typer.Option("--channel", help="PAGE, MAIL, SMS, FILE. 渠道")] = "",
    as_json: JsonOption = False,
) -> int:
    """Who was told, by what, when, with which proof; and what waits. 通知清单"""
    refuse_unknown("state", state, tuple(MESSAGE_STATES))
    refuse_unknown("channel", channel, tuple(Channel))
    with wired() as wiring, wiring.register.transaction() as tx:
        of = alert_service.alert_named(tx, alert_id)["alert_id"] if alert_id else None
        rows = alert_messages.messages(tx, of, state=state, channel=channel)
    emit({"messages": rows}, as_json, [_message_line(row) for row in rows] or ["none 无"])
    return 0


@command
def handbook(
    rule: Annotated[str, typer.Option("--rule", help="One rule, e.g. FILE_MISSING. 规则")] = "", as_json: JsonOption = False
) -> int:
    """What each alert means, what to do about it, and by what it is over. 值班手册"""
    known: dict[str, Entry] = {**HANDBOOK, "COMPLIANCE": COMPLIANCE}
    refuse_unknown("rule", rule, list(known))
    chosen = {rule: known[rule]} if rule else known
    words = []
    for name, entry in chosen.items():
        words += [f"{name}  {' '.join(rule_words(name))}", *(f"    {said}" for said in entry.means)]
        words += [f"  {number}. {en}\n     {zh}" for number, (en, zh) in enumerate(entry.steps, start=1)]
        words += [f"  over 解除: {' '.join(entry.ends)}", ""]
    emit({"rules": {name: vars(entry) for name, entry in chosen.items()}}, as_json, words)
    return 0
