"""What the risk step warns of: its rules as data, each dated, with its citation and its words, and an alert of one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from custody.counting import told
from custody.digest import digest_of_json
from custody.money import format_amount


class Severity(StrEnum):
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"
    CRITICAL = "CRITICAL"


@dataclass(frozen=True)
class RiskRule:
    """A monitoring rule as data: dated, with its citation and words in (English, Chinese)."""

    rule: str
    valid_from: date
    citation: tuple[str, str]
    words: tuple[str, str]


@dataclass(frozen=True)
class Alert:
    """A rule met by a subject. ``figures`` hold amounts in minor units (suffix ``_minor``) and dates as text."""

    alert_id: str
    rule: str
    platform: str
    subject: str
    severity: Severity
    figures: dict[str, str | int]

    @property
    def words(self) -> tuple[str, str]:
        """(English, Chinese), amounts in major units."""
        currency = str(self.figures["currency"])
        shown = {
            name.removesuffix("_minor"): format_amount(int(value), currency) if name.endswith("_minor") else value
            for name, value in self.figures.items()
        } | {"platform": self.platform}
        english, chinese = RULES[self.rule].words
        return told(english, {"subject": self.subject, **shown}), chinese.format(subject=self.subject, **shown)


RULES: dict[str, RiskRule] = {
    rule.rule: rule
    for rule in (
        RiskRule(
            "BORROWER_SHORT",
            # The first supervision system of this kind went live in June 2015: no instance watches an earlier day.
            date(2015, 6, 1),
            (
                "The bank's own monitoring rule: instalments due against the borrower's available balance",
                "本行监测规则：应还款项与借款人可用余额比对",
            ),
            (
                "Loan {subject}: {owed} {currency} is due on {due}, the account {borrower} is short of {shortfall}",
                "标的 {subject}：{due} 应还 {owed} {currency}，账户 {borrower} 尚缺 {shortfall}",
            ),
        ),
        RiskRule(
            "DAYS_PAST_DUE",
            date(2015, 6, 1),
            (
                "The bank's own monitoring rule (buckets 1, 30, 60, 90, 180 days); overdue figures and those over 90 days are"
                " what a platform publishes under the disclosure guideline (CBRC General Office 2017 no. 113)",
                "本行监测规则（逾期 1、30、60、90、180 天分档）；逾期及逾期 90 天以上数据为平台按"
                "《网络借贷信息中介机构业务活动信息披露指引》（银监办发〔2017〕113号）披露事项",
            ),
            (
                "Loan {subject}: {overdue} {currency} overdue since {due}, {days_past_due} days past due (bucket {bucket})",
                "标的 {subject}：自 {due} 起逾期 {overdue} {currency}，逾期 {days_past_due} 天（{bucket} 天档）",
            ),
        ),
        RiskRule(
            "OWN_FUNDS_SHORT",
            date(2017, 2, 22),
            (
                "The bank's own monitoring rule: own funds against fees due; the custody guideline (CBRC General Office 2017 no. 21) keeps a"
                " platform's own money apart, and no fee falls on customers'",
                "本行监测规则：平台自有资金与应付费用比对；《网络借贷资金存管业务指引》（银监办发〔2017〕21号）要求自有资金与客户资金分账管理",
            ),
            (
                "Own funds of {account}: {have} {currency} against {need} of fees due by {short_on}, short of {shortfall}",
                "{account} 自有资金 {have} {currency}，截至 {short_on} 应付费用 {need}，缺口 {shortfall}",
            ),
        ),
        RiskRule(
            "ADVANCE_SHORT",
            date(2017, 2, 22),
            (
                "Invariant 12: withdrawals are covered by settled money and the platform's advance; custody guideline 2017 no. 21",
                "不变式 12：提现不得超过已清算资金与垫付资金之和；《网络借贷资金存管业务指引》（银监办发〔2017〕21号）",
            ),
            (
                "Withdrawals in flight of {platform} come to {need} {currency}, settled money and advance to {have} on {short_on}: short of {shortfall}",
                "{platform} 在途提现 {need} {currency}，{short_on} 已清算与垫付资金 {have}，缺口 {shortfall}",
            ),
        ),
        RiskRule(
            "OWN_ACCOUNT_SHORT",
            date(2017, 2, 22),
            (
                "The bank's own monitoring rule: a platform's account against what it withdraws from it",
                "本行监测规则：平台账户余额与在途提现比对",
            ),
            (
                "{account} holds {have} {currency} against {need} that are being withdrawn: short of {shortfall}",
                "{account} 余额 {have} {currency}，在途提现 {need}，缺口 {shortfall}",
            ),
        ),
        RiskRule(
            "COVER_SHORT",
            date(2017, 2, 22),
            (
                "Invariant 13: what is owed under custody is covered by cash and receivables that are neither disputed nor late; custody"
                " guideline 2017 no. 21",
                "不变式 13：存管应付须由现金及无争议、未逾期的应收覆盖；《网络借贷资金存管业务指引》（银监办发〔2017〕21号）",
            ),
            (
                "Custody money of {platform}: {need} {currency} owed, {have} of cash and good receivables on {short_on}, short of {shortfall}",
                "{platform} 存管资金：应付 {need} {currency}，{short_on} 现金及有效应收 {have}，缺口 {shortfall}",
            ),
        ),
        RiskRule(
            "PAYOUT_SHORT",
            date(2017, 2, 22),
            (
                "The bank's own monitoring rule: pay-outs against cash and what channels are to settle",
                "本行监测规则：待付资金与现金及渠道待清算款比对",
            ),
            (
                "Pay-outs of {platform} by {short_on} come to {need} {currency}, cash and what channels settle to {have}: short of {shortfall}",
                "{platform} 截至 {short_on} 待付 {need} {currency}，现金及渠道清算款 {have}，缺口 {shortfall}",
            ),
        ),
        RiskRule(
            "REPEATED_COMPENSATION",
            date(2016, 8, 17),
            (
                "The bank's own monitoring rule: the same borrower's instalments are paid by others; compensation is published under the"
                " disclosure guideline (CBRC General Office 2017 no. 113)",
                "本行监测规则：同一借款人反复由他人代偿；代偿金额为《网络借贷信息中介机构业务活动信息披露指引》（银监办发〔2017〕113号）披露事项",
            ),
            (
                "Others paid {times:#time} within {days:#day} for borrower {subject}, {paid} {currency} on {loans:#loan}, last on {last_on}",
                "借款人 {subject} {days} 日内被代偿 {times} 次，涉及 {loans} 个标的共 {paid} {currency}，最近一次 {last_on}",
            ),
        ),
        RiskRule(
            "RESERVE_GROWS",
            date(2017, 12, 1),
            (
                "A platform's compensation account only runs off: Office of the P2P rectification working group 2017 no. 57; Interim Measures 2016,"
                " art. 10 (3)",
                "平台风险备付金只减不增：整治办函〔2017〕57号；《网络借贷信息中介机构业务活动管理暂行办法》第十条第三项",
            ),
            (
                "{subject} grew by {grown} {currency} on {on}, from {before} to {closing}: it may only run off",
                "{subject} 于 {on} 增加 {grown} {currency}（{before} → {closing}），备付金只减不增",
            ),
        ),
    )
}
# Rules of the rule book whose reasoning is code of the risk step, and the figures that each needs.
NEEDS: Mapping[str, tuple[str, ...]] = MappingProxyType({"repeated_compensation": ("times", "days")})


def alert_id(rule: str, platform: str, subject: str, due: date | None) -> str:
    """The alert's identity: rule, platform, subject and the due date of the instalment that met the rule, None of what has none.

    Neither the day of the run nor the figures are part of it, so an alert is raised once while its condition lasts and is
    escalated in place as its severity grows; the next instalment that goes wrong is a new alert.
    """
    return digest_of_json([rule, platform, subject, due.isoformat() if due is not None else ""])
