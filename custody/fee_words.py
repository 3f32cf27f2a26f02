"""A custody fee told to a person, in (English, Chinese): what each component of a day or a period came to, and how."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from custody.fee_contract import ACCOUNT_OPENED, BALANCE, FLAT, IDENTITY_CHECK, ONBOARDING, SMS, shown
from custody.fees import ANNUAL_MINIMUM, MAXIMUM, MINIMUM
from custody.money import MINOR_DIGITS, format_amount
from custody.txn_words import TXN_TYPES

_NAMES = {
    BALANCE: ("balance", "按余额"),
    FLAT: ("flat fee", "固定费"),
    ONBOARDING: ("onboarding", "接入费"),
    ACCOUNT_OPENED: ("accounts opened", "开户费"),
    SMS: ("text messages", "短信费"),
    IDENTITY_CHECK: ("identity checks", "身份核验费"),
    MAXIMUM: ("above the maximum", "超出上限减免"),
    MINIMUM: ("up to the minimum", "补足最低收费"),
    ANNUAL_MINIMUM: ("up to the annual minimum", "补足年度最低收费"),
}
_KINDS = {"transaction": ("transactions", "笔数费"), "volume": ("volume", "金额费")}
# Digits behind the currency's own that an exact figure is shown with; it stands exactly beside what is sealed.
_MORE_DIGITS = 4


def component_words(component: str) -> tuple[str, str]:
    """The component's name; of one by transaction type with the type."""
    if component in _NAMES:
        return _NAMES[component]
    kind, _, txn_type = component.partition(".")
    english, chinese = _KINDS[kind]
    return f"{english} {txn_type}", f"{TXN_TYPES[txn_type]}{chinese}"


def exact_amount(exact: Fraction, currency: str) -> str:
    """Exact minor units in major units, cut (not rounded) behind some digits more than the currency has; ``...`` where it was cut."""
    digits = MINOR_DIGITS[currency] + _MORE_DIGITS
    scaled = abs(exact) * 10**_MORE_DIGITS
    text = str(scaled.numerator // scaled.denominator).rjust(digits + 1, "0")
    sign = "-" if exact < 0 else ""
    return f"{sign}{text[:-digits]}.{text[-digits:]}{'...' if scaled.denominator != 1 else ''}"


def line_words(line: Mapping[str, object], currency: str) -> tuple[str, str]:
    """A row of table fee_lines: what came in, by which terms, what was left to pay, and the exact fee."""
    component, quantity = str(line["component"]), int(str(line["quantity"]))
    english, chinese = component_words(component)
    exact = exact_amount(Fraction(str(line["fee"])), currency)
    is_money = component == BALANCE or component.startswith("volume.")
    much = format_amount(quantity, currency) if is_money else str(quantity)
    if not line["terms"]:
        return f"{english}: {exact} {currency}", f"{chinese}：{exact} {currency}"
    left = Fraction(str(line["remaining"]))
    off, let_off = ("", "") if left == 1 else (f", {shown((1 - left) * 100)}% let off", f"，减免 {shown((1 - left) * 100)}%")
    return (
        f"{english}: {much} x {line['terms']} = {exact} {currency}{off}",
        f"{chinese}：{much} × {line['terms']} = {exact} {currency}{let_off}",
    )


def day_words(accrual: Mapping[str, object], lines: Iterable[Mapping[str, object]]) -> list[tuple[str, str]]:
    """How a day's accrual came about: rows of fee_accruals and fee_lines."""
    currency = str(accrual["currency"])
    net, vat, gross = (format_amount(int(str(accrual[name])), currency) for name in ("net_minor", "vat_minor", "gross_minor"))
    percent, rounding = shown(Fraction(str(accrual["vat_rate"])) * 100), accrual["rounding"]
    return [line_words(line, currency) for line in lines] + [
        (
            f"{accrual['accrual_date']}: net {net} (the period to date, rounded {rounding}, less what was accrued before), "
            f"VAT {percent}% {vat}, gross {gross} {currency}",
            f"{accrual['accrual_date']}：不含税 {net}（本期累计按 {rounding} 舍入，减去已计提），增值税 {percent}% {vat}，"
            f"价税合计 {gross} {currency}",
        )
    ]
