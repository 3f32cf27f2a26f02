"""An alert's life in the register: raised once, answered by a person, closed with a reason or by itself, open again when that did not
last (domain.md §8). Who is told of what happens, custody.services.alert_messages says.

OPEN → ACKNOWLEDGED → CLOSED. It is OPEN again when it grows graver, when its condition comes back, and by time: acknowledged and
not closed, or closed by a person though the condition lasts (custody.services.alert_messages.pass_on).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import TypeVar

from custody.alert_rules import weight
from custody.digest import canonical_json, digest_of_json
from custody.errors import UsageError
from custody.ports import Register, RegisterTx, Row
from custody.services.access import permitted_transaction

_T = TypeVar("_T")
OPEN, ACKNOWLEDGED, CLOSED = "OPEN", "ACKNOWLEDGED", "CLOSED"
STATES = (OPEN, ACKNOWLEDGED, CLOSED)
# What happens to an alert. CLOSED: by a person; ENDED: by itself.
RAISED, GRAVER, PASSED_ON, SEEN, SHUT, ENDED, REOPENED = (
    "RAISED",
    "GRAVER",
    "PASSED_ON",
    "ACKNOWLEDGED",
    "CLOSED",
    "ENDED",
    "REOPENED",
)
LONGEST_NOTE = 500
_AT_ONCE = 500
_SHORTEST_PREFIX = 8
# Nobody is waited for any more.
ANSWERED: Row = {"answer_by": None}
NOT_CLOSED: Row = {
    "closed_by": None,
    "closed_reason": None,
    "closed_seen_on": None,
    "ended_at": None,
    "ended_en": None,
    "ended_zh": None,
}
# Nobody has answered yet: the first one of its rule gets a turn when he is told.
_UNANSWERED: Row = {"state": OPEN, "turn": 0, "duty": None, "answer_by": None}


def alerts(tx: RegisterTx, state: str | None, **equals: object) -> list[Row]:
    """By state, date and party; a condition that is empty does not restrict."""
    wanted = {name: value for name, value in {"state": state, **equals}.items() if value}
    return tx.find("alert", ("state", "raised_on", "platform", "alert_id"), **wanted)


def alert_named(tx: RegisterTx, alert_id: str) -> Row:
    """By its id or the beginning of it, of eight characters at least. Raises UsageError for none, or for several."""
    row = tx.get("alert", alert_id=alert_id)
    if row is None and len(alert_id) >= _SHORTEST_PREFIX and alert_id.isalnum():
        # Ids are hexadecimal: all that begin so lie below this.
        found = tx.page("alert", ["-alert_id"], 0, 2, {"alert_id": f"{alert_id}g"})
        begin_so = [one for one in found if one["alert_id"].startswith(alert_id)]
        if len(begin_so) > 1:
            raise UsageError(f"several alerts begin with {alert_id!r}: write more of the id")
        row = begin_so[0] if begin_so else None
    if row is None:
        raise UsageError(f"no alert {alert_id[:64]!r}; see: custody alert list")
    return row


def history(tx: RegisterTx, alert_id: str) -> list[Row]:
    return tx.find("alert_event", ("event_no",), alert_id=alert_id)


def acknowledge(register: Register, actor: str, alert_id: str, note: str = "") -> str:
    """Say that a person has seen it and answers for it; returns its whole id. Acknowledging again changes nothing."""
    with permitted_transaction(register, actor, "alert.acknowledge", alert_id) as tx:
        row = alert_named(tx, alert_id)
        if row["state"] == OPEN:
            change = {"state": ACKNOWLEDGED, "acknowledged_by": actor, **ANSWERED}
            tx.update("alert", {"alert_id": row["alert_id"]}, change)
            said = _note(note, needed=False)
            record(tx, actor, row, SEEN, (said, said), told=True)
            tx.audit(actor, "alert.acknowledge", row["alert_id"], {"rule": row["rule"], "subject": row["subject"], "note": said})
        return str(row["alert_id"])


def close(register: Register, actor: str, alert_id: str, reason: str) -> str:
    """A person says why it is done with; returns its whole id. Closing what is closed changes nothing. Raises UsageError without a
    reason, NotPermitted."""
    said = _note(reason, needed=True)
    with permitted_transaction(register, actor, "alert.close", alert_id) as tx:
        row = alert_named(tx, alert_id)
        if row["state"] != CLOSED:
            change = {
                "state": CLOSED,
                "closed_by": actor,
                "closed_reason": said,
                "closed_seen_on": row["last_seen_on"],
                **ANSWERED,
            }
            tx.update("alert", {"alert_id": row["alert_id"]}, change)
            record(tx, actor, row, SHUT, (said, said))
            tx.audit(actor, "alert.close", row["alert_id"], {"rule": row["rule"], "subject": row["subject"], "reason": said})
        return str(row["alert_id"])


def _note(text: str, needed: bool) -> str:
    said = text.strip()
    if (needed and not said) or len(said) > LONGEST_NOTE or not said.isprintable():
        raise UsageError(f"say why, in 1 to {LONGEST_NOTE} printable characters / 请填写原因（不超过 {LONGEST_NOTE} 字）")
    return said


def raise_alert(
    register: Register, actor: str, rule: str, subject: str, on: date, english: str, chinese: str, occurrence: str = ""
) -> str:
    """Raise an operational alert (a task failed, a report is due); returns its id. The same one again only ages.

    The same is: rule, subject and ``occurrence``. A condition that lasts (a report is overdue) has no occurrence and is
    raised once, however many days it lasts; of what happens anew (a task fails) the occurrence says which time it was.
    """
    with permitted_transaction(register, actor, "alert.raise", f"{rule}|{subject}") as tx:
        return put_alert(tx, actor, rule, subject, on, (english, chinese), "HIGH", "", occurrence)


def alert_id_of(rule: str, subject: str, occurrence: str) -> str:
    """``occurrence``: what tells two alerts of one rule on one subject apart."""
    return digest_of_json([rule, subject, occurrence])


def put_alert(
    tx: RegisterTx,
    actor: str,
    rule: str,
    subject: str,
    on: date,
    words: tuple[str, str],
    severity: str,
    platform: str,
    occurrence: str,
) -> str:
    """The same within a transaction whose actor may raise it. ``words`` and ``severity`` count when it is first raised."""
    alert_id = alert_id_of(rule, subject, occurrence)
    standing = tx.get("alert", alert_id=alert_id)
    if standing is not None:
        tx.update("alert", {"alert_id": alert_id}, _seen_again(tx, actor, standing, on))
        return alert_id
    facts = {"rule": rule, "platform": platform, "subject": subject, "severity": str(severity), "figures": canonical_json({})}
    row = _new({"alert_id": alert_id, **facts, "words_en": words[0], "words_zh": words[1]}, on)
    tx.insert("alert", row)
    record(tx, actor, row, RAISED, words)
    tx.audit(actor, "alert.raise", alert_id, {"rule": rule, "subject": subject, "occurrence": occurrence})
    return alert_id


def _new(facts: Row, on: date) -> Row:
    return {**facts, "raised_on": on, "last_seen_on": on, **_UNANSWERED}


def _seen_again(tx: RegisterTx, actor: str, row: Row, on: date) -> Row:
    """The columns that change when an alert that stands is found again on a date."""
    change: Row = {"last_seen_on": max(on, row["last_seen_on"])}
    if row["state"] == CLOSED and row["ended_at"] is not None:
        record(tx, actor, row, REOPENED, (f"found again on {on}", f"{on} 再次出现"))
        return change | _UNANSWERED | NOT_CLOSED
    if row["state"] == CLOSED and on > row["closed_seen_on"]:
        # Whether it has lasted too long for that, its rule says when the next messages are sent.
        return change | {"answer_by": tx.moment()}
    return change


def escalate(tx: RegisterTx, actor: str, alert_id: str, severity: str, words: tuple[str, str]) -> bool:
    """What it warns of has grown graver: it is told anew, and waits for a person again. False when it says so already, or has ended."""
    row = tx.get("alert", alert_id=alert_id)
    if row is None or row["state"] == CLOSED or row["severity"] == severity:
        return False
    change = {"severity": str(severity), "words_en": words[0], "words_zh": words[1], **_UNANSWERED}
    tx.update("alert", {"alert_id": alert_id}, change)
    record(tx, actor, row | change, GRAVER, words)
    tx.audit(actor, "alert.escalate", alert_id, {"rule": row["rule"], "subject": row["subject"], "severity": severity})
    return True


def end_alert(tx: RegisterTx, actor: str, at: str, alert_id: str, words: tuple[str, str]) -> None:
    """What it warned of is over, by ``words``: it closes itself, and whoever was told is told so. Ending again changes nothing."""
    row = tx.get("alert", alert_id=alert_id)
    if row is None or row["state"] == CLOSED:
        return
    tx.update(
        "alert", {"alert_id": alert_id}, {"state": CLOSED, "ended_at": at, "ended_en": words[0], "ended_zh": words[1], **ANSWERED}
    )
    record(tx, actor, row, ENDED, words)
    tx.audit(actor, "alert.end", alert_id, {"rule": row["rule"], "subject": row["subject"], "words": words[0]})


def follow(
    tx: RegisterTx,
    actor: str,
    on: date,
    found: Sequence[Row],
    lasting: Iterable[str],
    judged: Callable[[Row], bool] = lambda alert: True,
) -> None:
    """The alerts that a custody date found: new ones are raised, standing ones brought up to date, graver where they are, and those of
    the rules ``lasting`` that it no longer finds end. A date that is assessed again after a later one changes nothing that the later
    one knows better.

    ``judged``: whether the date could tell if such an alert's condition lasts (a file may not have come); one of which it could not
    stays. ``found``: alert_id, rule, platform, subject, severity, figures, words_en, words_zh.
    """
    standing = {
        row["alert_id"]: row for ids in _chunks([one["alert_id"] for one in found]) for row in tx.find("alert", alert_id=ids)
    }
    new = [_new(dict(one), on) for one in found if one["alert_id"] not in standing]
    for rows in _chunks(new):
        tx.insert_all("alert", rows)
        tx.insert_all("alert_event", [_event(tx, actor, row, RAISED, (row["words_en"], row["words_zh"])) for row in rows])
    changes: dict[object, Row] = {}
    for one in found:
        row = standing.get(one["alert_id"])
        if row is None or row["last_seen_on"] > on:
            continue
        facts = {name: one[name] for name in ("severity", "figures", "words_en", "words_zh")}
        change = facts | _seen_again(tx, actor, row, on)
        if weight(one["severity"]) > weight(row["severity"]):
            if row["state"] != OPEN or row["answer_by"] is not None:
                change |= _UNANSWERED | NOT_CLOSED
            record(tx, actor, row | facts, GRAVER, (one["words_en"], one["words_zh"]))
        # Found as it stands already: an assessment that is published once more says nothing new.
        if any(row[name] != value for name, value in change.items()):
            changes[one["alert_id"]] = change
    tx.update_all("alert", "alert_id", changes)
    still = {one["alert_id"] for one in found}
    for row in tx.find("alert", ("alert_id",), rule=list(lasting), state=[OPEN, ACKNOWLEDGED]):
        if row["alert_id"] not in still and row["last_seen_on"] <= on and judged(row):
            end_alert(
                tx, actor, tx.moment(), row["alert_id"], (f"not found any more at the end of {on}", f"{on} 日终未再发现该情形")
            )
    if new or changes:
        tx.audit(actor, "alert.follow", on.isoformat(), {"raised": len(new), "changed": len(changes)})


def _chunks(items: list[_T]) -> Iterable[list[_T]]:
    return (items[start : start + _AT_ONCE] for start in range(0, len(items), _AT_ONCE))


def record(tx: RegisterTx, actor: str, row: Mapping[str, object], event: str, words: tuple[str, str], told: bool = False) -> None:
    """``told``: nobody has to be told of it."""
    tx.insert("alert_event", _event(tx, actor, row, event, words, told))


def _event(tx: RegisterTx, actor: str, row: Mapping[str, object], event: str, words: tuple[str, str], told: bool = False) -> Row:
    return {
        "alert_id": row["alert_id"], "at": tx.moment(), "actor": actor, "event": event, "severity": row["severity"],
        "words_en": words[0], "words_zh": words[1], "told": told,
    }  # fmt: skip
