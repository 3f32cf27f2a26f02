"""Adjusting entries that two people approved for a case, as instructions of the day whose cut-off sealed the decision (domain.md §3).

The original entry is never edited. An adjustment moves money between accounts of one platform by the posting rules of ADJUSTMENT and
REVERSAL; what they refuse is refused here as everywhere, and is a finding.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date, time
from typing import Any

from custody.calendar import at
from custody.errors import UsageError
from custody.ledger import kind_of
from custody.money import MAX_MINOR
from custody.names import Originator, Role, TxnStatus, TxnType, platform_of
from custody.posting_rules import RULES, SUSPENSE

Row = dict[str, Any]

KIND = "adjustment"
# That an approved one is not to be posted after all: two people again.
WITHDRAWAL = "adjustment_withdrawal"
# Where such a leg stands instead of in a file: no sender's file has a name with a colon.
DECISION = "decision:"
_BANK = "BANK"
# Behind all that happened on its date: what the day brought is there to be adjusted.
_LAST = time(23, 59, 59)
# What an adjustment says nothing of.
_NOTHING = (
    "loan_id",
    "principal_minor",
    "interest_minor",
    "penalty_minor",
    "coupon_minor",
    "channel",
    "settlement_batch",
    "direction",
    "fee_minor",
)
_ACCOUNT = re.compile(rf"[A-Z0-9]+(\.({'|'.join(Role)})\.[A-Za-z0-9_-]{{1,40}}|:[A-Z_]+)")


def rule_for(from_account: str, to_account: str, related_request_no: str | None) -> TxnType:
    """REVERSAL gives a bonus back to the platform, ADJUSTMENT is everything else. Raises UsageError when no posting rule allows it."""
    for account in (from_account, to_account):
        if not _ACCOUNT.fullmatch(account):
            raise UsageError(f"{account!r} is no account such as P001.LENDER.U1 or P001:P_MARKETING")
    if from_account == to_account:
        raise UsageError("an adjustment moves money between two accounts: they are the same")
    if platform_of(from_account) != platform_of(to_account):
        raise UsageError("an adjustment moves money within one platform: no money passes from one to another")
    payer, payee = kind_of(from_account), kind_of(to_account)
    variant = SUSPENSE if payer == SUSPENSE else "owned"
    for txn_type in (TxnType.ADJUSTMENT, TxnType.REVERSAL):
        rule = RULES[txn_type, variant]
        # What leaves for the core is instructed, not adjusted.
        if rule.core is None and payer in rule.payer and payee in rule.payee:
            if "related_request_no" in rule.needs and not related_request_no:
                raise UsageError("name the request that this puts right: --related")
            return txn_type
    raise UsageError(
        f"no posting rule adjusts {from_account} to {to_account}: a customer's sub-account, P_MARKETING or SUSPENSE pays"
    )


def check_amount(amount_minor: int) -> None:
    """Raises UsageError for what no entry can carry."""
    if not 0 < amount_minor <= MAX_MINOR:
        raise UsageError("an adjustment moves more than nothing, and no more than an amount may be")


def request_of(proposal_id: str) -> str:
    """The request number under which a decided adjustment is posted."""
    return f"ADJ{proposal_id}"


def authorisation(proposal_id: str, case_id: str, evidence_digest: str) -> str:
    """What authorises the leg: the proposal, the case, and the evidence that two people saw."""
    return f"{proposal_id}/{case_id}/{evidence_digest}"


def authorised(authorisation_id: str) -> tuple[str, str, str]:
    """(proposal, case, evidence digest) of what ``authorisation`` gave."""
    proposal_id, case_id, evidence_digest = authorisation_id.split("/")
    return proposal_id, case_id, evidence_digest


def decided_adjustments(decisions: Iterable[Mapping[str, Any]], custody_date: date) -> list[Row]:
    """Approved adjustments as landed instructions, in order of decision, but those that were withdrawn before the same cut-off.
    Without a value date they happen on the custody date."""
    rows = []
    decisions = list(decisions)
    gone = withdrawn(decisions)
    found = (d for d in decisions if d["kind"] == KIND and d["outcome"] == "APPROVED" and d["proposal_id"] not in gone)
    for decision in sorted(found, key=lambda d: int(d["decision_no"])):
        said, proposal_id = json.loads(decision["payload"]), decision["proposal_id"]
        value_date = date.fromisoformat(said["value_date"]) if said["value_date"] else custody_date
        rows.append(
            {
                "party": _BANK,
                "file_name": f"{DECISION}{proposal_id}",
                "line_no": decision["decision_no"],
                "custody_date": custody_date,
                "platform": platform_of(said["from_account"]),
                "request_no": request_of(proposal_id),
                "leg": 1,
                "txn_type": said["txn_type"],
                "originator": str(Originator.BANK),
                "authorisation_id": authorisation(proposal_id, decision["subject"], said["evidence_digest"]),
                **dict.fromkeys(_NOTHING),
                **_account("from", said["from_account"]),
                **_account("to", said["to_account"]),
                "amount_minor": said["amount_minor"],
                "currency": "CNY",
                "related_request_no": said["related_request_no"],
                "status": str(TxnStatus.SUCCESS),
                "event_time": at(value_date, _LAST),
            }
        )
    return rows


def withdrawn(decisions: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Proposals of adjustments that two people withdrew."""
    found = (d for d in decisions if d["kind"] == WITHDRAWAL and d["outcome"] == "APPROVED")
    return frozenset(json.loads(d["payload"])["adjustment"] for d in found)


def _account(side: str, account: str) -> Row:
    """As an instruction names it: role and user number, or PLATFORM and the account's name."""
    if "." in account:
        _, role, user_no = account.split(".")
    else:
        role, user_no = "PLATFORM", account.partition(":")[2]
    return {f"{side}_role": role, f"{side}_user_no": user_no}
