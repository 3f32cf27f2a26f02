"""What became of a customer, by date: accounts, changes of his data without the data, decisions, and who looked at him."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from custody.calendar import CHINA, custody_date_of
from custody.customer_decisions import ADD, CHANGE, DELETE, MERGE
from custody.personal import Said, changed_fields
from custody.ports import RegisterTx, Row
from custody.services.access import check_permission
from custody.services.customer_ports import CustomerPorts
from custody.services.customers import VIEW, view_of

_KINDS = (ADD, CHANGE, MERGE, DELETE)
REVEAL, EXPORT = "customer.reveal", "customer.export"
_LOOKED = {REVEAL: ("personal data shown in clear", "查看明文"), EXPORT: ("everything exported", "导出全部资料")}
_FIELDS = {"id_type": "证件类型", "id_no": "证件号码", "name": "姓名", "phone": "手机号", "card_no": "银行卡号"}
_STATES = {"PROPOSED": "已提出", "APPROVED": "已复核", "REJECTED": "已拒绝"}
_NAMED = {ADD: "新增", CHANGE: "变更", MERGE: "合并", DELETE: "删除"}


@dataclass(frozen=True)
class HistoryEvent:
    """``subject``: the sub-account, party or proposal; ``source``: file and line, proposal, or who."""

    on: date
    what: str
    subject: str
    source: str
    words_en: str
    words_zh: str


def history(ports: CustomerPorts, actor: str, customer_id: str) -> list[HistoryEvent]:
    """By date. Raises NotPermitted; UsageError when there is no such customer."""
    check_permission(ports.register, actor, VIEW, customer_id)
    view_of(ports, customer_id)
    events = [*_accounts(ports.ledger.account_history(customer_id), customer_id), *_said(ports.persons.said(customer_id))]
    with ports.register.transaction() as tx:
        events += [*_decisions(tx, customer_id), *_looks(tx, customer_id)]
    return sorted(events, key=lambda e: (e.on, e.what, e.subject, e.source))


def proposals_about(tx: RegisterTx, customer_id: str) -> list[Row]:
    """Every proposal of which he is the subject, or which a row of a form is about, or who he is merged into."""
    found = tx.find("proposal", ("proposed_at", "proposal_id"), kind=list(_KINDS))
    return [row for row in found if row["subject"] == customer_id or customer_id in named_in(json.loads(row["payload"]))]


def named_in(payload: dict[str, object]) -> set[str]:
    """The customers whom a proposal's payload names."""
    rows = payload.get("rows", [])
    assert isinstance(rows, list)
    return {str(row["customer_id"]) for row in rows} | ({str(payload["into"])} if "into" in payload else set())


def _accounts(states: list[Row], customer_id: str) -> Iterator[HistoryEvent]:
    before: dict[str, Row] = {}
    for row in states:
        account, last = row["sub_account"], before.get(row["sub_account"])
        before[account] = row
        source = f"post of {row['as_of']}"
        if last is None and row["opened_on"] == row["as_of"]:
            yield HistoryEvent(row["opened_on"], "OPENED", account, source, "sub-account opened", "子账户开户")
        elif last is None:
            yield HistoryEvent(
                row["as_of"], "TAKEN_OVER", account, source, "sub-account is his from now on", "子账户自此归其名下"
            )
        if last is not None and row["held_by"] != customer_id:
            words = f"sub-account passed to {row['held_by']}", f"子账户转至 {row['held_by']} 名下"
            yield HistoryEvent(row["as_of"], "PASSED_ON", account, source, *words)
        elif row["closed_on"] is not None and (last is None or last["closed_on"] is None):
            yield HistoryEvent(row["closed_on"], "CLOSED", account, source, "sub-account closed", "子账户销户")


def _said(said: list[Said]) -> Iterator[HistoryEvent]:
    before: dict[str, Said] = {}
    for word in said:
        changed = changed_fields(before.get(word.party), word)
        what = "CHANGED" if word.party in before else "SAID"
        before[word.party] = word
        english = ", ".join(changed) or "nothing new"
        chinese = "、".join(_FIELDS[name] for name in changed) or "无变化"
        words = f"{word.party} says of him: {english}", f"{word.party} 报送：{chinese}"
        yield HistoryEvent(word.on, what, word.party, ", ".join(word.sources), *words)


def _decisions(tx: RegisterTx, customer_id: str) -> Iterator[HistoryEvent]:
    for row in proposals_about(tx, customer_id):
        about = row["kind"].removeprefix("customer_")
        for state, at, who in (("PROPOSED", row["proposed_at"], row["maker"]), (row["state"], row["decided_at"], row["checker"])):
            if at is not None:
                words = f"{about} {state.lower()} by {who}", f"{_NAMED[row['kind']]}{_STATES[state]}（{who}）"
                yield HistoryEvent(_day(at), state, row["proposal_id"], who, *words)


def _looks(tx: RegisterTx, customer_id: str) -> Iterator[HistoryEvent]:
    for row in tx.find("audit_event", subject=customer_id, action=list(_LOOKED)):
        yield HistoryEvent(_day(row["at"]), row["action"], customer_id, row["actor"], *_LOOKED[row["action"]])


def _day(at: str) -> date:
    return custody_date_of(datetime.fromisoformat(at).astimezone(CHINA))
