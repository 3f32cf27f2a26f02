"""The receipt that answers a seal: what became of each file, why, and what the sender has to do (domain.md §5).

A receipt has no time of its own: the same files, contract and register give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from custody.texts import text

_NOTHING = ("nothing to do", "无需处理")
_SEE_VALIDATION = (
    "nothing now; the VALIDATION file of the day says whether every row is good",
    "暂无需处理；当日 VALIDATION 文件会说明每一行是否合格",
)
_SEE_ACCEPTANCE = (
    "nothing now; the ACCEPTANCE file says whether every sample is good",
    "暂无需处理；ACCEPTANCE 文件会说明各样本文件是否合格",
)
_SEND_AGAIN = (
    "send the file again under the same name, then its seal",
    "请以相同文件名重新发送该文件，随后发送封签文件",
)
_CORRECT = (
    "correct the file and send it with a seal that describes it",
    "请更正文件，并随相符的封签文件重新发送",
)
_NEXT_VERSION = (
    "if this is a correction, send it under the next version; else ask the bank",
    "如为更正，请以下一版本号发送；否则请联系银行",
)
_WRAP = (
    "encrypt to the bank's key and sign with your own as the contract asks, then send the file again with a new seal",
    "请按合同约定用银行公钥加密、用本方密钥签名，随新的封签文件重新发送",
)
_REGISTER_KEY = (
    "sign with a key that is registered here and works today, or have this one registered, then send the file again",
    "请使用已在银行登记且当日有效的密钥签名，或先登记该密钥，然后重新发送",
)
_ASK = ("ask the bank's operations desk", "请联系银行运营人员")
_WAIT = ("wait for the bank's decision", "请等待银行复核结果")
_NEW_SEAL = ("write the seal again and send it; the data files are still in place", "请重新生成并发送封签文件；数据文件仍在原处")
_LATER = ("send the file again when its custody date has come", "请在该账务日期到来后重新发送")

# rule -> what the sender has to do, in (English, Chinese)
_TO_DO: dict[str, tuple[str, str]] = {
    "taken": _SEE_VALIDATION,
    "taken_overdue": _SEE_VALIDATION,
    "taken_late": _SEE_VALIDATION,
    "taken_held": _NOTHING,
    "taken_sample": _SEE_ACCEPTANCE,
    "same_again": _NOTHING,
    "same_content": _NOTHING,
    "restatement": _WAIT,
    "announced_missing": _SEND_AGAIN,
    "size": _SEND_AGAIN,
    "digest": _SEND_AGAIN,
    "digest_sm3": _SEND_AGAIN,
    "not_a_file": _SEND_AGAIN,
    "name": _CORRECT,
    "too_large": _CORRECT,
    "unknown_layout": _CORRECT,
    "encoding": _CORRECT,
    "same_name_other_digest": _NEXT_VERSION,
    "older_version": _NEXT_VERSION,
    "future_date": _LATER,
    "party_not_live": _ASK,
    "openpgp_missing": _WRAP,
    "openpgp_not_agreed": _WRAP,
    "openpgp_not_encrypted": _WRAP,
    "openpgp_not_for_us": _WRAP,
    "openpgp_unreadable": _WRAP,
    "openpgp_too_large": _CORRECT,
    "openpgp_unsigned": _WRAP,
    "openpgp_bad_signature": _WRAP,
    "openpgp_unknown_key": _REGISTER_KEY,
    "openpgp_other_party": _REGISTER_KEY,
    "openpgp_key_not_in_force": _REGISTER_KEY,
    "party_closed": _ASK,
    "seal_unreadable": _NEW_SEAL,
    "seal_name": _NEW_SEAL,
    "wrong_party": _ASK,
}


@dataclass(frozen=True)
class Outcome:
    """What became of one file: ``outcome`` is a state of the register, or SAME_AGAIN."""

    name: str
    sha256: str
    outcome: str
    rule: str
    figures: dict[str, object] = field(default_factory=dict)


def receipt_bytes(party: str, seal: Outcome, custody_date: str, files: Sequence[Outcome]) -> bytes:
    """The receipt as JSON text, in UTF-8. Every figure is text or integer."""
    body = {
        "receipt_for": seal.name,
        "party": party,
        "custody_date": custody_date,
        "seal": _entry(seal),
        "files": [_entry(outcome) for outcome in files],
    }
    return (json.dumps(body, ensure_ascii=False, indent=1) + "\n").encode()


def to_do(rule: str) -> tuple[str, str] | None:
    """What the sender has to do about a rule of intake, in (English, Chinese); None for a rule of another step."""
    return _TO_DO.get(rule)


def _entry(outcome: Outcome) -> dict[str, object]:
    english, chinese = text(outcome.rule, outcome.figures)
    to_do_english, to_do_chinese = _TO_DO[outcome.rule]
    return {
        "name": outcome.name,
        "sha256": outcome.sha256,
        "outcome": outcome.outcome,
        "rule": outcome.rule,
        "figures": outcome.figures,
        "words_en": english,
        "words_zh": chinese,
        "to_do_en": to_do_english,
        "to_do_zh": to_do_chinese,
    }
