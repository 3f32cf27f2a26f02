"""Why the sides of a case differ, by named rules over its evidence: the first that its figures prove.

A rule that cannot show it in figures says nothing: most breaks have no named cause, and a person looks. A cause is its word, or
its word and the figures that prove it: ``transposed_digits:12340/13240``. Which rules hold and in which order is the rule book's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from custody.case_links import FOLLOWS
from custody.cause_proofs import PROOFS, Facts, Figures

Words = tuple[str, str]


class Told(NamedTuple):
    """What happened, with the figures, and what to do next."""

    what: Words
    next_step: Words


def probable_cause(facts: Facts, rules: Sequence[tuple[str, Figures]]) -> str | None:
    """The first of ``rules`` (id, its numbers) that holds."""
    for word, figures in rules:
        proved = PROOFS[word][0](facts, figures)
        if proved is not None:
            return _bounded(f"{word}:{proved}") if proved else word
    return None


# As much as the register's column takes. Figures may be many: a sum that was booked in a hundred parts.
LONGEST = 200


def _bounded(cause: str) -> str:
    return cause if len(cause) <= LONGEST else f"{cause[: LONGEST - 1]}…"


def is_derived(cause: str) -> bool:
    """Whether the evidence alone leads to this cause, so that it is found anew whenever the evidence is."""
    return cause.partition(":")[0] in (*PROOFS, FOLLOWS)


def cause_words(cause: str | None) -> Told | None:
    """None for a cause that is no rule of ours (a refusal has words of its own)."""
    word, _, figures = (cause or "").partition(":")
    if word not in TOLD:
        return None
    what, next_step = TOLD[word]
    return Told((what[0].format(figures=figures), what[1].format(figures=figures)), next_step)


_ASK_PLATFORM: Words = ("ask the platform for its voucher and a corrected file", "请平台提供凭证并重报更正文件")
_ASK_SENDER: Words = ("ask the sender to correct its row; the instruction stands", "请报送方更正该行；以授权指令为准")
TOLD: dict[str, Told] = {
    FOLLOWS: Told(
        (
            "it follows from the movements of other cases, which add up to it: {figures}",
            "由其他案件的交易差异造成，合计相符：{figures}",
        ),
        ("put those right first; what then still stands is settled by itself", "先处理相关案件；其后仍存在的差异另行结案"),
    ),
    # Landing proves this one: it knows the row that it refused. Its counterpart's case carries it from then on.
    "row_rejected": Told(
        ("the other side's row was rejected at landing: {figures}", "对方该行在入库时被拒：{figures}"),
        ("ask the sender to correct the row and send it again", "请报送方改正该行后重新报送"),
    ),
    # The form of the core's tables is the contract's, and reconciliation sees which one they have.
    "core_shows_no_e_account": Told(
        (
            "the contract says that the core shows e-accounts, and it shows none: our postings wait for its rows",
            "合同约定核心提供电子账户数据，但当日未提供：本方入账结转等待核心流水",
        ),
        (
            "ask the core for the date's rows; where its form has not changed yet, correct core_model_from in the contract",
            "向核心催要当日数据；如核心尚未切换，更正合同中的 core_model_from",
        ),
    ),
    "core_shows_nothing": Told(
        (
            "the core shows neither balance nor flow of the platform's accounts for the date: our postings wait for it, balances are not compared",
            "核心当日未提供该平台账户的余额与流水：本方入账结转等待，余额暂不核对",
        ),
        (
            "ask the core for the date; what it brings later is taken with the next day",
            "向核心催要当日数据；后到数据于下一账务日纳入",
        ),
    ),
    "contract_without_e_accounts": Told(
        (
            "the core shows e-accounts on dates on which the contract says HUB: they were counted, and not compared",
            "合同约定为总账户模式（HUB），但核心提供了电子账户数据：已计数，未参与对账",
        ),
        (
            "if the core has changed its form, adopt a contract with core_model E_ACCOUNT and its first date",
            "如核心已切换，请复核生效 core_model 为 E_ACCOUNT 的合同并写明起始日",
        ),
    ),
    "late_file": Told(
        ("the file has not come: {figures}", "文件未到：{figures}"),
        ("remind the sender; rows that it would match are carried until it comes", "催报；相关对手行结转至文件到达"),
    ),
    "duplicate_send": Told(
        ("the same row was sent twice: {figures}", "同一行重复报送：{figures}"),
        ("confirm with the sender that it happened once, then settle", "与报送方确认仅发生一次后结案"),
    ),
    "batch_split": Told(
        ("one row here, several there, of one sum: {figures}", "一方一笔、另一方拆分为多笔，合计相等：{figures}"),
        ("settle after comparing the vouchers; ask for rows leg by leg", "核对凭证后结案；要求逐笔报送"),
    ),
    "key_reused": Told(
        ("one number stands for two different rows: {figures}", "同一流水号对应不同内容：{figures}"),
        ("ask the sender for a number of its own for each movement", "要求报送方为每笔交易使用唯一流水号"),
    ),
    "swapped_accounts": Told(("payer and payee are exchanged", "付款方与收款方互换"), _ASK_SENDER),
    "sign": Told(("the sign is turned round: {figures}", "金额正负号相反：{figures}"), _ASK_SENDER),
    "yuan_for_fen": Told(
        ("one side is a hundred times the other (yuan and fen): {figures}", "两方相差一百倍（元与分）：{figures}"),
        ("ask the sender to correct the unit of all its rows", "要求报送方统一更正金额单位"),
    ),
    "net_for_gross": Told(
        ("the difference is the fee: net was written for gross: {figures}", "差额等于手续费：以净额代替全额：{figures}"),
        _ASK_SENDER,
    ),
    "fee_changed": Told(
        ("the fee follows another contracted rate: {figures}", "手续费按另一合同费率计算：{figures}"),
        ("compare the contract and its dates with the channel", "与渠道核对合同费率及生效日"),
    ),
    "held_elsewhere": Told(
        ("the same money in all, frozen on one side only: {figures}", "总额相等，仅一方冻结：{figures}"),
        ("compare the open holds with the platform's", "与平台核对未释放的冻结"),
    ),
    "transposed_digits": Told(("two neighbouring digits are exchanged: {figures}", "相邻两位数字颠倒：{figures}"), _ASK_PLATFORM),
    "single_digit": Told(("one digit is wrong: {figures}", "一位数字有误：{figures}"), _ASK_PLATFORM),
    "cut_off": Told(
        ("filed under the neighbouring day, the event lies near midnight: {figures}", "临近日切，计入相邻账务日：{figures}"),
        ("settle, and remind the sender of the cut-off", "结案并提示报送方遵守日切时间"),
    ),
    "filed_late": Told(
        ("filed under another day than its event's: {figures}", "未计入交易发生日：{figures}"),
        ("ask the sender why it was not in its own day's file, then settle", "询问报送方漏报原因后结案"),
    ),
}
# Every cause's word, with what it is called.
CAUSES: dict[str, Words] = {word: (word.replace("_", " "), told.what[1].partition("：")[0]) for word, told in TOLD.items()}
