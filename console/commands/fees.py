"""Custody fees for the fee desk: how a period or a day came about, down to its base rows; and the charge of a period, from its proposal
to what the core answered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from console.output import ActorOption, DateOption, JsonOption, NoteOption, command, emit, emit_proposal, parse_date, wired
from custody.ports import Row
from custody.services.access import SYSTEM

PlatformArgument = Annotated[str, typer.Argument(help="Platform. 平台")]
PeriodArgument = Annotated[str, typer.Argument(help="YYYY-MM, YYYY-Qn, one day YYYY-MM-DD, or YYYY-MM-R1. 收费期间、单日或差额")]
ComponentOption = Annotated[str, typer.Option("--component", help="balance, flat, transaction.RECHARGE, ... 计费项")]
_DIFFERENCE = re.compile(r"(.+)-R([1-9][0-9]?)?", re.ASCII)
# Of many base rows a screen shows these; --json has them all.
_MOST = 40


@command
def explain(
    platform: PlatformArgument, period: PeriodArgument, component: ComponentOption = "", as_json: JsonOption = False
) -> int:
    """How a period's fee came about, day by day; of one day and a component the rows behind it; of a period that was rated anew, the
    difference: YYYY-MM-R1 of a charge, YYYY-MM-R of what is not charged yet. 费用溯源"""
    if (of := _DIFFERENCE.fullmatch(period)) is not None:
        return _difference(platform, of[1], int(of[2]) if of[2] else None, as_json)
    if len(period) == len("2020-01-01"):
        return _day(platform, period, component, as_json)
    from console.fee_view import fee_period
    from custody.fee_words import component_words, exact_amount
    from custody.money import format_amount

    with wired() as wiring:
        found = fee_period(wiring, platform, period)
    state, whole = found.state, found.whole
    days = [
        {"date": day.accrual["accrual_date"], "base_minor": day.accrual["base_minor"], "net_minor": day.accrual["net_minor"],
         "vat_minor": day.accrual["vat_minor"], "lines": [line for line in day.lines if component in ("", line["component"])]}
        for day in found.days
    ]  # fmt: skip
    components = {
        name: {"exact_minor": str(exact), "minor": whole[name]} for name, exact in found.totals.items() if component in ("", name)
    }
    result = {
        "platform": platform, "period": period, "through": state.through, "complete": state.through == state.last, "currency": state.currency,
        "net_minor": state.net_minor, "vat_minor": state.vat_minor, "gross_minor": state.gross_minor, "components": components, "days": days,
    }  # fmt: skip
    words = [f"{platform} {period}, through 截至 {state.through}"]
    for name, figures in components.items():
        english, chinese = component_words(name)
        exact = exact_amount(found.totals[name], state.currency)
        words.append(f"  {english} {chinese}: {format_amount(int(str(figures['minor'])), state.currency)} ({exact})")
    net, vat, gross = (format_amount(m, state.currency) for m in (state.net_minor, state.vat_minor, state.gross_minor))
    words.append(f"  net 不含税 {net} + VAT 增值税 {vat} = gross 价税合计 {gross} {state.currency}")
    for day in found.days:
        row = day.accrual
        base, of_day = (format_amount(row[name], row["currency"]) for name in ("base_minor", "net_minor"))
        parts = ", ".join(
            f"{line['component']} {exact_amount_of(line['fee'], row['currency'])}"
            for line in day.lines
            if component in ("", line["component"])
        )
        words.append(f"  {row['accrual_date']}  base 余额 {base}  net 计提 {of_day}  {parts}")
    emit(result, as_json, words)
    return 0


def exact_amount_of(fee: str, currency: str) -> str:
    from fractions import Fraction

    from custody.fee_words import exact_amount

    return exact_amount(Fraction(fee), currency)


def _day(platform: str, day: str, component: str, as_json: bool) -> int:
    from console.fee_view import base_rows, fee_days
    from custody.errors import UsageError
    from custody.fee_words import day_words

    on = parse_date(day)
    with wired() as wiring:
        found = fee_days(wiring, platform, on, on)
        if not found:
            raise UsageError(f"no fee of {platform} was accrued on {on}")
        rows = base_rows(wiring, platform, on, component) if component else []
    accrual, lines = found[0].accrual, [line for line in found[0].lines if component in ("", line["component"])]
    said = day_words(accrual, lines)
    words = [f"{english}\n  {chinese}" for english, chinese in said]
    words += _shown(rows)
    emit({**accrual, "lines": lines, "explanation": said, "rows": rows}, as_json, words)
    return 0


def _shown(rows: Sequence[Row]) -> list[str]:
    from console.alert_view import spoken

    words = [
        "  " + spoken({("amount_minor" if name == "minor" else name): value for name, value in row.items()})
        for row in rows[:_MOST]
    ]
    return words + ([f"  ... and {len(rows) - _MOST} more: --json  其余见 --json"] if len(rows) > _MOST else [])


def _difference(platform: str, period: str, number: int | None, as_json: bool) -> int:
    from dataclasses import asdict

    from console.fee_view import fee_difference
    from custody.fee_words import component_words, exact_amount
    from custody.money import format_amount

    with wired() as wiring:
        found = fee_difference(wiring, platform, period, number)
    (net, vat), (net_now, vat_now) = found.before_minor, found.now_minor
    figures = [format_amount(m, found.currency) for m in (net, vat, net_now, vat_now, net_now + vat_now - net - vat)]
    words = [
        f"{found.cites}: by what was known on 截至 {found.before_on} net 不含税 {figures[0]} VAT 增值税 {figures[1]}; "
        f"on 截至 {found.rated_on} {figures[2]} and {figures[3]}; difference with VAT 差额 {figures[4]} {found.currency}"
    ]
    for change in found.changes:
        before, now = (exact_amount(exact, found.currency) for exact in (change.before, change.now))
        words.append(f"  {change.accrual_date}  {' '.join(component_words(change.component))}: {before} -> {now}")
        words += ["  " + line for line in _shown(change.rows)]
    changes = [asdict(change) | {"before": str(change.before), "now": str(change.now)} for change in found.changes]
    emit(asdict(found) | {"changes": changes}, as_json, words)
    return 0


@command
def due(date_: DateOption, as_json: JsonOption = False) -> int:
    """Periods that have ended, whose bank business day has come, and that are not charged yet. 应收未收"""
    from dataclasses import asdict

    from console.fee_view import due_charges
    from custody.money import format_amount

    with wired() as wiring:
        found = due_charges(wiring, parse_date(date_))
    rows = [asdict(charge) | {"charge_no": charge.charge_no, "gross_minor": charge.gross_minor} for charge in found]
    words = [
        f"{c.charge_no}  {format_amount(c.gross_minor, c.currency)} {c.currency} (VAT 增值税 {format_amount(c.vat_minor, c.currency)})  due 扣收日 {c.due_on}"
        for c in found
    ]
    emit({"due": rows}, as_json, words or ["nothing is due 无应收"])
    return 1 if rows else 0


@command
def propose(
    date_: DateOption,
    actor: ActorOption,
    platform: Annotated[str, typer.Option("--platform", help="One platform only. 仅一个平台")] = "",
    note: NoteOption = "",
    as_json: JsonOption = False,
) -> int:
    """Propose the charge of each period that is due; another person approves: custody proposal approve. 提出收费"""
    from console.fee_view import due_charges
    from custody.services.fee_charges import propose_charge

    with wired() as wiring:
        charges = [c for c in due_charges(wiring, parse_date(date_)) if platform in ("", c.platform)]
        made = {c.charge_no: propose_charge(wiring.register, wiring.clock, actor, c, note) for c in charges}
    words = [f"{number}  proposal 提案 {proposal}" for number, proposal in made.items()]
    emit({"proposals": made}, as_json, words or ["nothing is due 无应收"])
    return 0


@command
def send(
    date_: Annotated[str, typer.Option("--date", help="Bank business day; else today. 银行工作日，默认今天")] = "",
    actor: Annotated[str, typer.Option("--as", help="Who acts. 操作人", envvar="CUSTODY_ACTOR")] = SYSTEM,
    as_json: JsonOption = False,
) -> int:
    """Send what was approved, and what is in arrears, to the core; each platform gets its notice. Repeating sends nothing twice. 发送扣收文件"""
    from custody.calendar import custody_date_of
    from jobs.charges import send as send_all

    with wired() as wiring:
        result = send_all(wiring, parse_date(date_) if date_ else custody_date_of(wiring.clock.now()), actor)
    words = [f"{one['request_no']}  {one['amount_minor']} minor units 最小货币单位" for one in result["tries"]]
    emit(result, as_json, words or ["nothing to send 无待发"])
    return 3 if result["failed"] else 0


@command
def list_charges(
    platform: Annotated[str, typer.Option("--platform", help="Platform. 平台")] = "",
    state: Annotated[
        str, typer.Option("--state", help="APPROVED, SENT, ARREARS, COLLECTED, GIVEN_BACK, OVERPAID, WRITTEN_OFF. 状态")
    ] = "",
    as_json: JsonOption = False,
) -> int:
    """Charges with what was collected, and whether accrued = charged + to be charged holds (INV_11). 收费清单"""
    from dataclasses import asdict

    from console.fee_view import standing
    from custody.compliance import CURRENCY
    from custody.money import format_amount
    from custody.services.fee_charges import charges

    with wired() as wiring:
        with wiring.register.transaction() as tx:
            rows = charges(tx, platform, state)
        where = [p for p in standing(wiring) if platform in ("", p.platform)]
    words = [
        f"{r['charge_no']:<16} {r['state']:<10} {format_amount(r['gross_minor'], r['currency']):>14} collected 已收 "
        f"{format_amount(r['collected_minor'], r['currency'])}  tries 次数 {r['attempts']}"
        for r in rows
    ]
    for p in where:
        accrued, charged, left, written_off, outstanding, back, surplus = (
            format_amount(minor, CURRENCY)
            for minor in (
                p.accrued_minor, p.charged_minor, p.to_be_charged_minor, p.written_off_minor, p.outstanding_minor, p.to_give_back_minor,
                p.surplus_minor,
            )
        )  # fmt: skip
        words.append(
            f"{p.platform}: accrued 计提 {accrued} = charged 已计费 {charged} + to be charged 待计费 {left}; written off 核销 {written_off} "
            f"outstanding 未收 {outstanding} to give back 待退 {back} surplus 多收 {surplus}"
        )
    positions = [
        asdict(p)
        | {
            "to_be_charged_minor": p.to_be_charged_minor,
            "outstanding_minor": p.outstanding_minor,
            "surplus_minor": p.surplus_minor,
        }
        for p in where
    ]
    emit({"charges": rows, "positions": positions}, as_json, words or ["no charges 无收费"])
    return 0


ChargeArgument = Annotated[str, typer.Argument(help="Charge number. 收费编号")]


@command
def write_off(charge: ChargeArgument, actor: ActorOption, note: NoteOption = "", as_json: JsonOption = False) -> int:
    """Propose that what is left of a charge is given up; another person approves. 提出核销"""
    from custody.services.fee_surplus import propose_write_off

    with wired() as wiring:
        emit_proposal(propose_write_off(wiring.register, wiring.clock, actor, charge, note), as_json)
    return 0


@command
def give_back(
    number: Annotated[str, typer.Argument(help="Charge, or number of what nobody asked for. 收费编号或无主扣收的请求号")],
    date_: DateOption,
    actor: ActorOption,
    note: NoteOption = "",
    as_json: JsonOption = False,
) -> int:
    """Propose that the core gives back what it took too much, from the next bank business day; another person approves. 提出退还"""
    from custody.services.fee_surplus import propose_give_back

    with wired() as wiring:
        on = parse_date(date_)
        emit_proposal(propose_give_back(wiring.register, wiring.clock, actor, number, on, note), as_json)
    return 0


@command
def amend(
    platform: PlatformArgument,
    terms: Annotated[Path, typer.Option("--terms", help="A fee contract as JSON. 收费条款 JSON")],
    since: Annotated[str, typer.Option("--from", help="First day, YYYY-MM-DD. 起始日")],
    until: Annotated[str, typer.Option("--to", help="Last day, YYYY-MM-DD. 截止日")],
    actor: ActorOption,
    note: NoteOption = "",
    as_json: JsonOption = False,
) -> int:
    """Propose fee terms for days that have passed; another person approves, and the difference is charged or given back. 追溯调整收费条款"""
    import json

    from custody.errors import UsageError
    from custody.services.fee_amendments import propose_amendment

    try:
        said = json.loads(terms.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{terms.name}: {error}: a fee contract is a JSON object in UTF-8") from None
    if not isinstance(said, dict):
        raise UsageError(f"{terms.name} holds a {type(said).__name__}: a fee contract is a JSON object")
    days = parse_date(since), parse_date(until)
    with wired() as wiring:
        emit_proposal(propose_amendment(wiring.register, wiring.clock, actor, platform, said, *days, note), as_json)
    return 0


@command
def usage(
    platform: PlatformArgument,
    path: Annotated[Path, typer.Option("--file", help="CSV: used_on,component,pieces,reference. 用量清单")],
    actor: ActorOption,
    note: NoteOption = "",
    as_json: JsonOption = False,
) -> int:
    """Propose the text messages and identity checks that a component counted; another person approves. 提交短信与核验用量"""
    from custody.errors import UsageError
    from custody.services.access import check_permission
    from custody.services.fee_usages import USAGE, propose_usage, read_usage
    from schemas.exchange import sha256_hex

    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path.name}: {error.strerror}") from None
    rows = read_usage(data, path.name)
    sha256 = sha256_hex(data)
    with wired() as wiring:
        check_permission(wiring.register, actor, USAGE.propose_action, platform)
        kept = wiring.archive.keep(data, sha256)
        emit_proposal(propose_usage(wiring.register, wiring.clock, actor, platform, path.name, sha256, kept, rows, note), as_json)
    return 0


@command
def show(charge: ChargeArgument, as_json: JsonOption = False) -> int:
    """One charge: its components, each try and what the core answered. 收费详情"""
    import json

    from custody.fee_words import component_words
    from custody.money import format_amount
    from custody.services.fee_charges import charge_of, left_of

    with wired() as wiring, wiring.register.transaction() as tx:
        found = charge_of(tx, charge)
    row = found.row
    words = [f"{row['charge_no']}  {row['state']}  due 扣收日 {row['due_on']}  seal 封存 {row['seal'][:16]}"]
    for name, minor in json.loads(row["components"]).items():
        words.append(f"  {' '.join(component_words(name))}: {format_amount(minor, row['currency'])}")
    words.append(
        f"  VAT 增值税 {format_amount(row['vat_minor'], row['currency'])}  gross 价税合计 {format_amount(row['gross_minor'], row['currency'])}"
    )
    for one in found.tries:
        said = (
            f"answered 应答 {one['answered_on']}: {format_amount(one['collected_minor'], row['currency'])}"
            if one["answered_on"]
            else "unanswered 未应答"
        )
        words.append(
            f"  {one['request_no']}  sent 发送 {one['sent_on']} {one['file_name']}  {format_amount(one['amount_minor'], row['currency'])}  {said}"
        )
    for name, english, chinese in (("set_off_minor", "set off", "抵减"), ("written_off_minor", "written off", "核销")):
        if row[name]:
            words.append(f"  {english} {chinese} {format_amount(row[name], row['currency'])}")
    words.append(
        f"  left 剩余 {format_amount(left_of(row), row['currency'])}" + (f"  cites 更正 {row['cites']}" if row["cites"] else "")
    )
    emit({**row, "left_minor": left_of(row), "tries": found.tries, "answers": found.answers}, as_json, words)
    return 0
