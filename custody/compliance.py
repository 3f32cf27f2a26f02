"""What a detector of compliance finds: which rule, of whom, by which figures, and the rows behind it (domain.md §8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from custody.counting import told
from custody.digest import digest_of_json
from custody.money import format_amount

BASIS_POINTS = 10_000
# A finding shows so many of the rows behind it at most, and says how many there are.
MOST_ROWS = 50
CURRENCY = "CNY"

Figures = Mapping[str, int]


class Source(StrEnum):
    """What a row behind a finding is. Of MONEY_IN and MONEY_OUT ``ref`` is the account, ``on`` the date on which it was posted: the
    entries behind it are looked up there."""

    LOAN = "LOAN"
    ACCOUNT = "ACCOUNT"
    MONEY_IN = "MONEY_IN"
    MONEY_OUT = "MONEY_OUT"
    SALE = "SALE"
    ENTRY = "ENTRY"
    FILE = "FILE"
    LIST = "LIST"


@dataclass(frozen=True)
class Behind:
    """One row behind a finding. ``entry_no`` of the journal, ``file_name`` and ``line_no`` where it stands, if it does."""

    source: Source
    platform: str
    ref: str
    on: date
    amount_minor: int
    entry_no: int | None = None
    file_name: str | None = None
    line_no: int | None = None


@dataclass(frozen=True)
class Finding:
    """``platform``: "" where it is about a customer over all of them. ``subject``: whom or what it is about; ``occurrence``: which time
    it is, "" of a condition that lasts and is one finding for as long. Amounts in ``figures`` are fen, their names end in ``_minor``."""

    rule_id: str
    platform: str
    subject: str
    occurrence: str
    amount_minor: int
    figures: Mapping[str, int | str]
    behind: tuple[Behind, ...]

    @property
    def finding_id(self) -> str:
        """The same on every day on which it is the same, whatever the rule's version."""
        return digest_of_json([self.rule_id, self.platform, self.subject, self.occurrence])[:24]

    @property
    def words(self) -> tuple[str, str]:
        """(English, Chinese), amounts in yuan."""
        shown: dict[str, object] = {
            name.removesuffix("_minor"): format_amount(int(value), CURRENCY) if name.endswith("_minor") else value
            for name, value in self.figures.items()
        }
        english, chinese = WORDS[self.rule_id]
        shown |= {"subject": self.subject, "platform": self.platform}
        return told(english, shown), chinese.format(**shown)


WORDS: Mapping[str, tuple[str, str]] = {
    "limit_on_platform": (
        "{subject} owes or asks for {owed} on {platform} in {loans:#loan}; {limit} is the most",
        "{subject} 在 {platform} 的 {loans} 笔借款余额（含在投）{owed}，上限 {limit}",
    ),
    "limit_on_all": (
        "{subject} owes or asks for {owed} in {loans:#loan} on {platforms:#platform}; {limit} is the most",
        "{subject} 在 {platforms} 个平台共 {loans} 笔借款余额（含在投）{owed}，上限 {limit}",
    ),
    "rate_cap": (
        "loan {subject} of {since} bears {rate} a year; {cap_bp} basis points are the most that is protected",
        "标的 {subject}（{since}）年利率 {rate}，超过上限 {cap_bp} 个基点",
    ),
    "term_splitting": (
        "{loans:#loan} of {borrower} for one purpose follow one another from {first} to {last}, {lent} in all",
        "{borrower} 同一用途 {loans} 笔标的自 {first} 至 {last} 首尾相接，合计 {lent}",
    ),
    "shared_contact": (
        "{borrowers:#borrower} on {platforms:#platform} share one {field}",
        "{platforms} 个平台的 {borrowers} 名借款人共用同一{field_zh}",
    ),
    "shared_identity": (
        "{accounts:#borrower} of {platform} are one person, {subject}",
        "{platform} 的 {accounts} 名借款人为同一人 {subject}",
    ),
    "large_value": (
        "{customer}: {moved} {way} on {on} in {transactions:#transaction} on {platforms:#platform}; to be reported by {due_on}",
        "{customer} 于 {on} 在 {platforms} 个平台{way_zh} {transactions} 笔共 {moved}，须于 {due_on} 前报告",
    ),
    "structuring": (
        "{customer}: on {times:#day} within {days} between {low} and less than {threshold} {way}, {moved} in all",
        "{customer}：{days} 日内有 {times} 日{way_zh}金额介于 {low} 与 {threshold} 之间，合计 {moved}",
    ),
    "fast_in_out": (
        "{subject}: {came} came and {left} left within {days:#day}, {spent} was lent or spent here",
        "{subject}：{days} 日内转入 {came}、转出 {left}，在此使用仅 {spent}",
    ),
    "dormant_active": (
        "{subject}: nothing since {last_on}, {quiet_days:#day}; then {came} in and {left} out in one day",
        "{subject}：自 {last_on} 起 {quiet_days} 日无交易，当日转入 {came}、转出 {left}",
    ),
    "watch_list": (
        "{subject} stands on list {list} (entry {entry}) with accounts on {platforms:#platform}, {held} in them: {state} since {since}",
        "{subject} 命中名单 {list} 第 {entry} 条，涉及 {platforms} 个平台账户，余额 {held}，自 {since} 起{state_zh}",
    ),
    "super_lender": (
        "{subject} lent {lent} on {platform} within {days:#day} and sold {sold} of claims in {sales:#assignment}{split}",
        "{subject} {days} 日内在 {platform} 出借 {lent}，并以 {sales} 笔转让债权 {sold}{split_zh}",
    ),
    "packaged_assignment": (
        "{subject} sold claims on {loans:#loan} of {platform} in one piece on {on}, {sold} in all, to {buyers:#buyer} who each took at least {least}",
        "{subject} 于 {on} 在 {platform} 将 {loans} 笔标的的债权打包转让，合计 {sold}，{buyers} 名受让人各受让不少于 {least} 笔",
    ),
    "pooling": (
        "on {platform} {idle} of {lenders:#lender} has waited {days:#day} without a loan; loans outstanding {lent}",
        "{platform} {lenders} 名出借人的 {idle} 已滞留 {days} 日未匹配标的；在贷余额 {lent}",
    ),
    "new_for_old": (
        "of {repaid} repaid on {platform} within {days:#day} {from_new} came out of other loans",
        "{platform} {days} 日内还款 {repaid}，其中 {from_new} 来自其他标的借款（借新还旧）",
    ),
    "lender_is_related": (
        "{subject}, a related party of {platform}, holds {lent} of claims there",
        "{platform} 的关联方 {subject} 持有债权 {lent}",
    ),
    "borrower_near_related": (
        "borrower {subject} of {platform} has the {field} of its related party {related}",
        "{platform} 的借款人 {subject} 与其关联方 {related} 共用{field_zh}",
    ),
    "borrower_near_guarantor": (
        "borrower {subject} of {platform} has the {field} of {guarantor}, who answers for {loans} of his loans, {owed} outstanding",
        "{platform} 的借款人 {subject} 与其标的担保人 {guarantor} 同{field_zh}，涉及 {loans} 笔标的，未还本金 {owed}",
    ),
    "guarantee_by_related": (
        "{subject}, a related party of {platform}, paid {paid} to lenders in borrowers' place",
        "{platform} 的关联方 {subject} 代偿 {paid}",
    ),
    "platform_compensation": (
        "{platform} paid {paid} to {customers} customers out of its compensation account on {on}",
        "{platform} 于 {on} 以代偿账户向 {customers} 名客户赔付 {paid}",
    ),
    "fill_that_never_was": (
        "{platform} says {claimed} was raised for loan {subject} ({state}); {ours} was bid here",
        "{platform} 称标的 {subject}（{state}）已募集 {claimed}，账面投标仅 {ours}",
    ),
}
