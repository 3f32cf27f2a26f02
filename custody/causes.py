"""Why the sides of a case differ, by named rules over its evidence: the first that its figures prove.

A rule that cannot show it in figures says nothing: most breaks have no named cause, and a person looks. A cause is its word, or
its word and the figures that prove it: ``transposed_digits:12340/13240``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from typing import Any

from custody.calendar import at, custody_date_of
from custody.case_evidence import FIGURES, Evidence, side_of, told_by
from custody.money import round_minor
from custody.names import BreakKind

Words = tuple[str, str]
# Below this many digits one that is wrong or two that changed places are as likely chance.
_LEAST_DIGITS = 4
_FEN = 100
# How far from midnight a platform's own day may end; beyond, a row was not filed on its day for another reason.
_NEAR_MIDNIGHT = timedelta(hours=2)


@dataclass(frozen=True)
class Rate:
    """A contracted channel fee, and whose: millionths of the gross, at least so much."""

    channel: str
    millionths: int
    least_minor: int

    def fee_of(self, gross_minor: int) -> int:
        """What it asks for a payment, in whole fen."""
        return max(round_minor(Fraction(gross_minor * self.millionths, 1_000_000), "half_even"), self.least_minor)


@dataclass(frozen=True)
class Facts:
    kind: str
    subject: str
    evidence: Evidence
    rates: Sequence[Rate] = ()


@dataclass(frozen=True)
class CauseRule:
    """``proof``: the figures that prove it ("" where the rows alone do), None where it does not hold."""

    word: str
    proof: Callable[[Facts], str | None]
    words: Words
    next_step: Words


def probable_cause(facts: Facts) -> str | None:
    """The first rule that holds, by priority."""
    for rule in RULES:
        figures = rule.proof(facts)
        if figures is not None:
            return f"{rule.word}:{figures}" if figures else rule.word
    return None


def is_derived(cause: str) -> bool:
    """Whether the evidence alone leads to this cause, so that it is found anew whenever the evidence is."""
    return cause.partition(":")[0] in {rule.word for rule in RULES}


def cause_words(cause: str | None) -> tuple[Words, Words] | None:
    """What happened, and what to do next; None for a cause that is no rule of ours (a refusal has words of its own)."""
    word, _, figures = (cause or "").partition(":")
    for rule in (ROW_REJECTED, *RULES):
        if rule.word == word:
            english, chinese = (text.format(figures=figures) for text in rule.words)
            return (english, chinese), rule.next_step
    return None


def _late_file(facts: Facts) -> str | None:
    return facts.subject.removeprefix("LATE|") if facts.kind == BreakKind.LATE_FILE else None


def _duplicate_send(facts: Facts) -> str | None:
    """Two rows of one side that say the same; or one alone, whose key had matched on an earlier day."""
    if facts.kind != BreakKind.DUPLICATE:
        return None
    for rows in _by_side(facts.evidence).values():
        if len(rows) > 1 and len({_content(row) for row in rows}) == 1:
            return f"{rows[0]['row_ref']}/{rows[1]['row_ref']}"
    return str(facts.evidence[0].get("row_ref")) if len(facts.evidence) == 1 else None


def _key_reused(facts: Facts) -> str | None:
    """Rows of one side under one number that do not say the same."""
    if facts.kind != BreakKind.DUPLICATE:
        return None
    for rows in _by_side(facts.evidence).values():
        if len({_content(row) for row in rows}) > 1:
            return f"{rows[0]['row_ref']}/{rows[1]['row_ref']}"
    return None


def _batch_split(facts: Facts) -> str | None:
    """One row here, several there, of the same sum."""
    sides = list(_by_side(facts.evidence).values())
    if len(sides) != 2 or {len(rows) > 1 for rows in sides} != {True, False}:
        return None
    one, many = sorted(([int(row.get("amount_minor") or 0) for row in rows] for rows in sides), key=len)
    # A part that is nothing, or the whole, is no split.
    if one[0] != sum(many) or 0 in many or one[0] in many:
        return None
    return f"{one[0]}={'+'.join(str(amount) for amount in many)}"


def _swapped_accounts(facts: Facts) -> str | None:
    payer, payee = _pair(facts, "from_account"), _pair(facts, "to_account")
    if payer is None or payee is None or payer[0] == payer[1]:
        return None
    return "" if payer == (payee[1], payee[0]) else None


def _sign(facts: Facts) -> str | None:
    pair = _pair(facts, "amount_minor")
    return f"{pair[0]}/{pair[1]}" if pair and pair[0] and pair[0] == -pair[1] else None


def _yuan_for_fen(facts: Facts) -> str | None:
    """One amount is a hundred times the other: yuan were written where fen are meant, or the other way round."""
    for left, right in _figures(facts):
        small, large = sorted((left, right), key=abs)
        if small and small * _FEN == large:
            return f"{left}/{right}"
    return None


def _net_for_gross(facts: Facts) -> str | None:
    pair = _pair(facts, "amount_minor")
    if pair is None or pair[0] == pair[1]:
        return None
    for fee in told_by(facts.evidence, "fee_minor").values():
        if isinstance(fee, int) and fee and abs(pair[0] - pair[1]) == fee:
            return f"{pair[0]}/{pair[1]} fee {fee}"
    return None


def _fee_changed(facts: Facts) -> str | None:
    """The fee is what another contracted rate would give, and by that rate alone differs from ours."""
    fees, gross = _pair(facts, "fee_minor"), _pair(facts, "amount_minor")
    if facts.kind != BreakKind.FEE or fees is None or gross is None or gross[0] != gross[1] or fees[0] == fees[1]:
        return None
    for rate in facts.rates:
        if rate.fee_of(gross[0]) == fees[1]:
            return f"{fees[1]} = {gross[0]} × {rate.millionths}/1000000 ({rate.channel})"
    return None


def _transposed_digits(facts: Facts) -> str | None:
    return next((f"{left}/{right}" for left, right in _figures(facts) if _is_transposed(str(left), str(right))), None)


def _single_digit(facts: Facts) -> str | None:
    return next((f"{left}/{right}" for left, right in _figures(facts) if _is_one_digit_off(str(left), str(right))), None)


def _held_elsewhere(facts: Facts) -> str | None:
    """The same money in all, frozen on one side and available on the other."""
    free, held = _pair(facts, "available_minor"), _pair(facts, "frozen_minor")
    if free is None or held is None or free[0] == free[1] or free[0] + held[0] != free[1] + held[1]:
        return None
    return f"{held[0]}/{held[1]}"


def _cut_off(facts: Facts) -> str | None:
    """Filed under the next day or the day before, and it happened within hours of the midnight between."""
    found = _neighbouring(facts)
    return found[1] if found and found[0] <= _NEAR_MIDNIGHT else None


def _filed_late(facts: Facts) -> str | None:
    """Filed a day away from its event, which was not near midnight."""
    found = _neighbouring(facts)
    return found[1] if found and found[0] > _NEAR_MIDNIGHT else None


def _neighbouring(facts: Facts) -> tuple[timedelta, str] | None:
    """Only the dates differ, by one day, and the event happened on one of them: how far from midnight, and the figures."""
    said = told_by(facts.evidence, "item_date")
    if facts.kind != BreakKind.TIMING or len(said) != 2:
        return None
    left, right = (date.fromisoformat(str(on)) for on in said.values())
    events = {str(when) for when in told_by(facts.evidence, "event_time").values() if when is not None}
    if abs(left - right) != timedelta(days=1) or len(events) != 1:
        return None
    (happened,) = events
    moment = datetime.fromisoformat(happened)
    if custody_date_of(moment) not in (left, right):
        return None
    between = at(max(left, right), time())
    return abs(moment - between), f"{happened} {left}/{right}"


def _by_side(evidence: Evidence) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in evidence:
        if side_of(row) != FIGURES:
            found.setdefault(side_of(row), []).append(row)
    return found


def _content(row: Mapping[str, Any]) -> str:
    return repr(sorted((name, value) for name, value in row.items() if name != "row_ref"))


def _pair(facts: Facts, name: str) -> tuple[Any, Any] | None:
    """What the two sides say, in order of side; None unless two sides say something."""
    said = [value for _, value in sorted(told_by(facts.evidence, name).items())]
    return (said[0], said[1]) if len(said) == 2 and None not in said else None


_AMOUNTS = ("amount_minor", "available_minor", "frozen_minor", "fee_minor", "principal_minor", "raised_minor")


def _figures(facts: Facts) -> list[tuple[int, int]]:
    """Amounts of which one row on each side says something else."""
    if any(len(rows) > 1 for rows in _by_side(facts.evidence).values()):
        return []
    pairs = (_pair(facts, name) for name in _AMOUNTS)
    return [pair for pair in pairs if pair is not None and pair[0] != pair[1]]


def _is_transposed(left: str, right: str) -> bool:
    if len(left) != len(right) or len(left) < _LEAST_DIGITS:
        return False
    off = [n for n in range(len(left)) if left[n] != right[n]]
    return len(off) == 2 and off[1] == off[0] + 1 and left[off[0]] == right[off[1]] and left[off[1]] == right[off[0]]


def _is_one_digit_off(left: str, right: str) -> bool:
    if len(left) != len(right) or len(left) < _LEAST_DIGITS:
        return False
    off = [n for n in range(len(left)) if left[n] != right[n]]
    return len(off) == 1 and "-" not in (left[off[0]], right[off[0]])


# Landing proves this one: it knows the row that it refused. Its counterpart's case carries it from then on.
ROW_REJECTED = CauseRule(
    "row_rejected",
    lambda _: None,
    ("the other side's row was rejected at landing: {figures}", "对方该行在入库时被拒：{figures}"),
    ("ask the sender to correct the row and send it again", "请报送方改正该行后重新报送"),
)
_ASK_PLATFORM: Words = ("ask the platform for its voucher and a corrected file", "请平台提供凭证并重报更正文件")
_ASK_SENDER: Words = ("ask the sender to correct its row; the instruction stands", "请报送方更正该行；以授权指令为准")

# By priority: what the rows prove as such, then what their figures prove.
RULES = (
    CauseRule(
        "late_file",
        _late_file,
        ("the file has not come: {figures}", "文件未到：{figures}"),
        ("remind the sender; rows that it would match are carried until it comes", "催报；相关对手行结转至文件到达"),
    ),
    CauseRule(
        "duplicate_send",
        _duplicate_send,
        ("the same row was sent twice: {figures}", "同一行重复报送：{figures}"),
        ("confirm with the sender that it happened once, then settle", "与报送方确认仅发生一次后结案"),
    ),
    CauseRule(
        "batch_split",
        _batch_split,
        ("one row here, several there, of one sum: {figures}", "一方一笔、另一方拆分为多笔，合计相等：{figures}"),
        ("settle after comparing the vouchers; ask for rows leg by leg", "核对凭证后结案；要求逐笔报送"),
    ),
    CauseRule(
        "key_reused",
        _key_reused,
        ("one number stands for two different rows: {figures}", "同一流水号对应不同内容：{figures}"),
        ("ask the sender for a number of its own for each movement", "要求报送方为每笔交易使用唯一流水号"),
    ),
    CauseRule("swapped_accounts", _swapped_accounts, ("payer and payee are exchanged", "付款方与收款方互换"), _ASK_SENDER),
    CauseRule("sign", _sign, ("the sign is turned round: {figures}", "金额正负号相反：{figures}"), _ASK_SENDER),
    CauseRule(
        "yuan_for_fen",
        _yuan_for_fen,
        ("one side is a hundred times the other (yuan and fen): {figures}", "两方相差一百倍（元与分）：{figures}"),
        ("ask the sender to correct the unit of all its rows", "要求报送方统一更正金额单位"),
    ),
    CauseRule(
        "net_for_gross",
        _net_for_gross,
        ("the difference is the fee: net was written for gross: {figures}", "差额等于手续费：以净额代替全额：{figures}"),
        _ASK_SENDER,
    ),
    CauseRule(
        "fee_changed",
        _fee_changed,
        ("the fee follows another contracted rate: {figures}", "手续费按另一合同费率计算：{figures}"),
        ("compare the contract and its dates with the channel", "与渠道核对合同费率及生效日"),
    ),
    CauseRule(
        "held_elsewhere",
        _held_elsewhere,
        ("the same money in all, frozen on one side only: {figures}", "总额相等，仅一方冻结：{figures}"),
        ("compare the open holds with the platform's", "与平台核对未释放的冻结"),
    ),
    CauseRule(
        "transposed_digits",
        _transposed_digits,
        ("two neighbouring digits are exchanged: {figures}", "相邻两位数字颠倒：{figures}"),
        _ASK_PLATFORM,
    ),
    CauseRule("single_digit", _single_digit, ("one digit is wrong: {figures}", "一位数字有误：{figures}"), _ASK_PLATFORM),
    CauseRule(
        "cut_off",
        _cut_off,
        ("filed under the neighbouring day, the event lies near midnight: {figures}", "临近日切，计入相邻账务日：{figures}"),
        ("settle, and remind the sender of the cut-off", "结案并提示报送方遵守日切时间"),
    ),
    CauseRule(
        "filed_late",
        _filed_late,
        ("filed under another day than its event's: {figures}", "未计入交易发生日：{figures}"),
        ("ask the sender why it was not in its own day's file, then settle", "询问报送方漏报原因后结案"),
    ),
)
# Every cause's word, with what it is called.
CAUSES: dict[str, Words] = {
    rule.word: (rule.word.replace("_", " "), rule.words[1].partition("：")[0]) for rule in (ROW_REJECTED, *RULES)
}
