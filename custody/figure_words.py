"""What the figures of rules and findings are called and how they are shown, for people: (English, Chinese). Amounts stand with their
currency, shares in per cent."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from custody.compliance import BASIS_POINTS, CURRENCY
from custody.money import grouped_amount

Words = tuple[str, str]
_MINOR, _SHARE, _CHINESE = "_minor", "_bp", "_zh"
# Of these currencies Chinese readers have a word for the unit.
_UNITS_ZH = {"CNY": "元"}

# By the name as rules and findings have it.
LABELS: Mapping[str, Words] = MappingProxyType(
    {
        # of rules
        "accounts": ("accounts", "账户数"),
        "alone_bp": ("share of a loan lent alone", "单笔标的独自出借占比"),
        "amount_bp": ("amounts differ by at most", "金额差异上限"),
        "borrowers": ("borrowers", "借款人数"),
        "buyers": ("buyers", "受让人数"),
        "card_borrowers": ("borrowers with one card", "同卡借款人数"),
        "company_minor": ("legal person", "法人"),
        "days": ("days", "天数"),
        "few": ("few loans", "较少标的数"),
        "few_minor": ("amount of few loans", "较少标的金额"),
        "file_business_days": ("business days to file", "报送期限（工作日）"),
        "gap_days": ("days between", "间隔天数"),
        "lenders": ("lenders", "出借人数"),
        "lent_minor": ("lent", "出借金额"),
        "loans": ("loans", "标的数"),
        "minor": ("amount", "金额"),
        "pair_amount_bp": ("amounts of two differ by at most", "两笔金额差异上限"),
        "pair_days": ("days that each of two runs at most", "两笔各自期限上限（天）"),
        "pair_gap_days": ("days between two", "两笔间隔天数"),
        "person_minor": ("natural person", "自然人"),
        "rate_bp": ("rate a year", "年利率"),
        "sales": ("assignments", "转让笔数"),
        "share_bp": ("share", "占比"),
        "sold_bp": ("share sold", "转让占比"),
        "split_minor": ("sold in parts", "拆分转让金额"),
        "sum_bp": ("together, of the threshold", "合计占标准之比"),
        "times": ("times", "次数"),
        # of findings
        "borrower": ("borrower", "借款人"),
        "came_minor": ("came in", "转入"),
        "cap_bp": ("most a year", "年利率上限"),
        "claimed_minor": ("claimed", "平台称已募集"),
        "customer": ("customer", "客户"),
        "customers": ("customers", "客户数"),
        "due_on": ("to be filed by", "报送期限"),
        "entry": ("entry of the list", "名单条目"),
        "field": ("what is shared", "共用信息"),
        "finding": ("finding", "合规发现"),
        "first": ("from", "起始日"),
        "from_new_minor": ("out of other loans", "来自其他标的"),
        "guarantor": ("guarantor", "担保人"),
        "held_minor": ("held in the accounts", "账户余额"),
        "idle_minor": ("waiting", "滞留资金"),
        "last": ("until", "截止日"),
        "last_on": ("last act", "最近交易日"),
        "least": ("loans each took at least", "每人受让标的数下限"),
        "left_minor": ("went out", "转出"),
        "limit_minor": ("limit", "上限"),
        "list": ("list", "名单"),
        "low_minor": ("counted from", "计入起点"),
        "moved_minor": ("moved", "交易金额"),
        "on": ("on", "日期"),
        "ours_minor": ("bid here", "账面投标"),
        "owed_minor": ("owed", "借款余额"),
        "paid_minor": ("paid", "代偿金额"),
        "platforms": ("platforms", "平台数"),
        "quiet_days": ("days without an act", "无交易天数"),
        "rate": ("rate a year", "年利率"),
        "related": ("related party", "关联方"),
        "repaid_minor": ("repaid", "还款金额"),
        "rows_in_all": ("rows behind it", "依据行数"),
        "since": ("since", "自"),
        "sold_minor": ("sold", "转让金额"),
        "spent_minor": ("lent or spent here", "在此使用"),
        "split": ("in parts", "拆分"),
        "state": ("state", "状态"),
        "threshold_minor": ("threshold", "报告标准"),
        "transactions": ("transactions", "交易笔数"),
        "way": ("way", "方向"),
        # of the risk step's alerts
        "account": ("account", "账户"),
        "available_minor": ("available", "可用余额"),
        "before_minor": ("before", "前一日余额"),
        "bucket": ("days past due from", "逾期档（天）"),
        "closing_minor": ("at the end of the day", "日终余额"),
        "compensators": ("compensators", "代偿人数"),
        "days_past_due": ("days past due", "逾期天数"),
        "due": ("due", "到期日"),
        "grown_minor": ("grown by", "增加额"),
        "have_minor": ("there", "可用资金"),
        "most_short_minor": ("most that is short", "最大缺口"),
        "need_minor": ("needed", "所需资金"),
        "overdue_minor": ("overdue", "逾期金额"),
        "short_on": ("short on", "缺口日"),
        "shortfall_minor": ("short by", "缺口"),
    }
)


def label_of(name: str) -> Words:
    """A figure of another kind of rule keeps the name that its rule gives it, without the unit."""
    plain = name.removesuffix(_MINOR).replace("_", " ")
    return LABELS.get(name, (plain, plain))


def money_words(minor: int, currency: str = CURRENCY) -> Words:
    """CNY 200,000.00 / 200,000.00 元"""
    amount = grouped_amount(minor, currency, "−")
    return f"{currency} {amount}", f"{amount} {_UNITS_ZH.get(currency, currency)}"


def value_words(name: str, value: object, currency: str = CURRENCY) -> Words:
    """One figure as a person reads it, by what its name says that it is."""
    if isinstance(value, int) and f"_{name}".endswith(_MINOR):
        return money_words(value, currency)
    if isinstance(value, int) and name.endswith(_SHARE):
        per_cent = f"{(Decimal(value) * 100 / BASIS_POINTS).normalize():f} %"
        return per_cent, per_cent
    return str(value), str(value)


def figure_words(figures: Mapping[str, object]) -> Words:
    """All figures of a rule in a line; "–" of a rule that needs none."""
    shown = [(label_of(name), value_words(name, value)) for name, value in figures.items()]
    english = ", ".join(f"{label[0]} {said[0]}" for label, said in shown)
    chinese = "，".join(f"{label[1]} {said[1]}" for label, said in shown)
    return english or "–", chinese or "–"


def told_figures(figures: Mapping[str, object]) -> list[tuple[Words, Words]]:
    """(what it is called, what it is) of each figure of a finding: what is said in two languages once, nothing that says nothing."""
    currency = str(figures.get("currency") or CURRENCY)
    found = []
    for name, value in figures.items():
        if name.endswith(_CHINESE) or name == "currency" or value in (None, ""):
            continue
        chinese = figures.get(f"{name}{_CHINESE}")
        said = value_words(name, value, currency)
        found.append((label_of(name), (said[0], str(chinese)) if chinese else said))
    return found
