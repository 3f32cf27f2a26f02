"""Custody fees for the fee desk: how a period or a day came about, down to its base rows."""

from __future__ import annotations

from typing import Annotated

import typer

from console.output import JsonOption, command, emit, parse_date, wired

PlatformArgument = Annotated[str, typer.Argument(help="Platform. 平台")]
PeriodArgument = Annotated[str, typer.Argument(help="YYYY-MM, YYYY-Qn, or one day YYYY-MM-DD. 收费期间或单日")]
ComponentOption = Annotated[str, typer.Option("--component", help="balance, flat, transaction.RECHARGE, ... 计费项")]
# Of many base rows a screen shows these; --json has them all.
_MOST = 40


@command
def explain(
    platform: PlatformArgument, period: PeriodArgument, component: ComponentOption = "", as_json: JsonOption = False
) -> int:
    """How a period's fee came about, day by day; of one day and a component the rows behind it. 费用溯源"""
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
    words += ["  " + "  ".join(f"{name} {value}" for name, value in row.items()) for row in rows[:_MOST]]
    if len(rows) > _MOST:
        words.append(f"  ... and {len(rows) - _MOST} more: --json  其余见 --json")
    emit({**accrual, "lines": lines, "explanation": said, "rows": rows}, as_json, words)
    return 0
