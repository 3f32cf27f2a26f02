"""What a rule's condition says, in words for people: (English, Chinese)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from custody.alert_rules import AlertTerms, DigestTime, QuietHours, Secrecy
from custody.counting import counted
from custody.figure_words import figure_words
from custody.match_rules import Rule
from custody.matching import PairRule
from custody.money import format_amount
from custody.rule_forms import (
    AgeLimits,
    ComplianceTerms,
    Figures,
    Forecast,
    Levels,
    RelationTerms,
    RiskFigures,
    Steps,
    Unseen,
    Window,
)

Words = tuple[str, str]
STATES: dict[str, Words] = {
    "IN_FORCE": ("in force", "生效"),
    "TO_COME": ("to come", "待生效"),
    "PAST": ("past", "已失效"),
    "WITHDRAWN": ("withdrawn", "已撤销"),
}
# What becomes of a break under a trial's rules (custody.rule_trial).
CHANGES: dict[str, Words] = {
    "APPEARS": ("would appear", "新增差异"),
    "VANISHES": ("would vanish", "不再出现"),
    "KIND": ("would be of another kind", "类型改变"),
    "AMOUNT": ("would have another amount", "金额改变"),
    "CAUSE": ("would have another probable cause", "可能原因改变"),
    "WEIGHT": ("would have another severity or due time", "级别或时限改变"),
}


# What becomes of what people are told under a trial's rules of alerts (custody.services.alert_trial).
TOLD_CHANGES: dict[str, Words] = {
    "APPEARS": ("would be told", "新增通知"),
    "VANISHES": ("would not be told", "不再通知"),
    "WHEN": ("would be told at another time", "通知时间改变"),
}


def told_of(message: Mapping[str, Any]) -> str:
    """Whom a trial's line is about, of what, and by what."""
    return f"{message['whom']} {message['recipient']} {message['channel']}: {message['rule']} {message['event']}".replace(
        "  ", " "
    )


def condition_words(rule: Rule) -> Words:
    """The condition as a reader takes it in; the owner's own words are in ``words_en`` and ``words_zh``."""
    says = rule.says
    if isinstance(says, PairRule):
        tests_en = [f"{' or '.join(says.differs)} differ"] if says.differs else []
        tests_zh = [f"{' 或 '.join(says.differs)} 不一致"] if says.differs else []
        if says.swapped:
            tests_en.append(f"{' and '.join(says.swapped)} stand exchanged")
            tests_zh.append(f"{' 与 '.join(says.swapped)} 互换")
        excuses = [(f" unless {says.unless}", f"（{says.unless} 时除外）")] if says.unless else []
        excuses += [(f" or explained until {says.until}", f"（至 {says.until} 可解释时除外）")] if says.until else []
        en, zh = ("".join(words) for words in zip(*excuses, strict=True)) if excuses else ("", "")
        return f"{' or '.join(tests_en)}{en}: {says.kind}", f"{'，或 '.join(tests_zh)}{zh}：{says.kind}"
    if isinstance(says, RelationTerms):
        how = ("summed by key", "按键汇总") if says.nets else ("one to one", "一对一")
        return (
            f"{how[0]}; alone: {says.missing_right} (left), {says.missing_left} (right)",
            f"{how[1]}；单边：{says.missing_right}（左），{says.missing_left}（右）",
        )
    if isinstance(says, Window):
        return f"within {says.minutes} minutes of midnight UTC+8", f"零点（东八区）前后 {says.minutes} 分钟内"
    if isinstance(says, Steps):
        shown = ", ".join(f"≥ {least}: {weight}" for least, weight in says.steps)
        return f"weight by step: {shown}", f"按档计分：{shown}"
    if isinstance(says, (Levels, AgeLimits)):
        shown = ", ".join(f"{level} {days}" for level, days in says.business_days.items())
        return f"business days: {shown}", f"工作日：{shown}"
    if isinstance(says, Unseen):
        return (
            f"not to be seen in flows: {says.citation.regulation}, {says.citation.article}",
            f"资金流水无法显示：{says.citation.regulation} {says.citation.article}",
        )
    if isinstance(says, Forecast):
        return f"{says.business_days} business days ahead", f"未来 {says.business_days} 个工作日"
    if isinstance(says, (AlertTerms, DigestTime, QuietHours, Secrecy)):
        return says.words
    if isinstance(says, ComplianceTerms):
        en, zh = figure_words(says.figures)
        told_en, told_zh = says.disclosure.words
        cited = f"{says.citation.regulation} {says.citation.article}"
        return f"{says.severity}; figures: {en}; {told_en}; {cited}", f"{says.severity}；参数：{zh}；{told_zh}；{cited}"
    shown = ", ".join(f"{name} {value}" for name, value in says.figures.items()) or "–"
    if isinstance(says, (Figures, RiskFigures)):
        return f"figures: {shown}", f"参数：{shown}"
    terms = ", ".join(says.terms) or "–"
    return f"figures: {shown}; words: {terms}", f"参数：{shown}；用语：{terms}"


def trial_words(found: Mapping[str, Any]) -> list[str]:
    """What a trial showed, a line for each sort of difference, for whoever decides about the rule."""
    span = f"{found['from']} … {found['to']}"
    if not found["days"]:
        return [f"trial {span}: nothing would have been different / 试算：无差异"]
    lines = []
    for day in found["days"]:
        place = f"trial {day['date']} {day['platform']}"
        for one in day["breaks"]:
            kinds = " → ".join(one[side] or "–" for side in ("before", "after"))
            en, zh = CHANGES[one["what"]]
            lines.append(f"{place}: {counted(one['count'], 'break')} {en} / {zh}: {kinds}, {format_amount(one['amount_minor'])}")
        for one in day.get("findings", []):
            en, zh = CHANGES[one["what"]]
            lines.append(
                f"{place}: {counted(one['count'], 'finding')} {en} / {zh}: {one['rule']}, {format_amount(one['amount_minor'])}"
            )
        for one in day.get("messages", []):
            en, zh = TOLD_CHANGES[one["what"]]
            lines.append(f"{place}: {one['count']} × {told_of(one)} {en} / {zh}")
        for one in day["rows"]:
            moved = f"{one['relation']} {one['side']} {one['before']} → {one['after']}"
            lines.append(f"{place}: {counted(one['count'], 'row')} / 明细 {moved}, {format_amount(one['amount_minor'])}")
    return lines
