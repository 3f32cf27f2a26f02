"""Alerts in the register: raised once, acknowledged by a person, sent when the gateway is there (domain.md §8)."""

from __future__ import annotations

from datetime import date

from custody.digest import canonical_json, digest_of_json
from custody.errors import RetryLater, UsageError
from custody.ports import AlertGateway, Clock, Register, RegisterTx, Row
from custody.services.access import check_permission, permitted_transaction

CLOSED = "CLOSED"


def alerts(tx: RegisterTx, state: str | None) -> list[Row]:
    return tx.find("alert", ("state", "raised_on", "platform", "alert_id"), **({"state": state} if state else {}))


def acknowledge(register: Register, actor: str, alert_id: str) -> None:
    """Say that a person has seen it. Acknowledging again changes nothing."""
    with permitted_transaction(register, actor, "alert.acknowledge", alert_id) as tx:
        row = tx.get("alert", alert_id=alert_id)
        if row is None:
            raise UsageError(f"no alert {alert_id!r}; see: custody alert list")
        if row["state"] == "OPEN":
            tx.update("alert", {"alert_id": alert_id}, {"state": "ACKNOWLEDGED", "acknowledged_by": actor})
            tx.audit(actor, "alert.acknowledge", alert_id, {"rule": row["rule"], "subject": row["subject"]})


def raise_alert(
    register: Register, actor: str, rule: str, subject: str, on: date, english: str, chinese: str, occurrence: str = ""
) -> str:
    """Raise an operational alert (a task failed, a report is due); returns its id. The same one again only ages.

    The same is: rule, subject and ``occurrence``. A condition that lasts (a report is overdue) has no occurrence and is
    raised once, however many days it lasts; of what happens anew (a task fails) the occurrence says which time it was.
    """
    with permitted_transaction(register, actor, "alert.raise", f"{rule}|{subject}") as tx:
        return put_alert(tx, actor, rule, subject, on, (english, chinese), "HIGH", "", occurrence)


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
    alert_id = digest_of_json([rule, subject, occurrence])
    standing = tx.get("alert", alert_id=alert_id)
    if standing is not None:
        tx.update("alert", {"alert_id": alert_id}, {"last_seen_on": max(on, standing["last_seen_on"])})
        return alert_id
    row = {
        "alert_id": alert_id,
        "rule": rule,
        "platform": platform,
        "subject": subject,
        "severity": severity,
        "raised_on": on,
        "last_seen_on": on,
        "figures": canonical_json({}),
        "words_en": words[0],
        "words_zh": words[1],
        "state": "OPEN",
    }
    tx.insert("alert", row)
    tx.audit(actor, "alert.raise", alert_id, {"rule": rule, "subject": subject, "occurrence": occurrence})
    return alert_id


def escalate(tx: RegisterTx, actor: str, alert_id: str, severity: str, words: tuple[str, str]) -> bool:
    """What it warns of has grown graver: it is sent anew, and waits for a person again. False when it says so already, or has ended."""
    row = tx.get("alert", alert_id=alert_id)
    if row is None or row["state"] == CLOSED or row["severity"] == severity:
        return False
    change = {"severity": severity, "words_en": words[0], "words_zh": words[1], "state": "OPEN", "sent_at": None}
    tx.update("alert", {"alert_id": alert_id}, change)
    tx.audit(actor, "alert.escalate", alert_id, {"rule": row["rule"], "subject": row["subject"], "severity": severity})
    return True


def end_alert(tx: RegisterTx, actor: str, at: str, alert_id: str, words: tuple[str, str]) -> None:
    """What it warned of is over, by ``words``: it closes itself, and whoever was told is told so. Ending again changes nothing."""
    row = tx.get("alert", alert_id=alert_id)
    if row is None or row["state"] == CLOSED:
        return
    tx.update("alert", {"alert_id": alert_id}, {"state": CLOSED, "ended_at": at, "ended_en": words[0], "ended_zh": words[1]})
    tx.audit(actor, "alert.end", alert_id, {"rule": row["rule"], "subject": row["subject"], "words": words[0]})


def send_waiting(register: Register, clock: Clock, actor: str, gateway: AlertGateway) -> tuple[int, int]:
    """Send every alert that has not left yet, and of those that left and have ended, that they have; returns (sent, still waiting).
    Sending again after a crash is harmless: the gateway names the message by the alert's id. Raises NotPermitted."""
    check_permission(register, actor, "alert.send", "alerts")
    with register.transaction() as tx:
        waiting = tx.find("alert", ("raised_on", "alert_id"), sent_at=None)
        waiting += [row for row in tx.find("alert", ("raised_on", "alert_id"), state=CLOSED, end_sent_at=None) if row["sent_at"]]
    sent = 0
    for row in waiting:
        try:
            gateway.send(row)
        except RetryLater:
            break  # the gateway is away: the alerts wait for the next sweep
        now = clock.now().isoformat(timespec="microseconds")
        # One that ended before it ever left is told whole in one message.
        done = {"sent_at": row["sent_at"] or now} | ({"end_sent_at": now} if row["ended_at"] else {})
        with register.transaction() as tx:
            # What happened to it meanwhile is still to be told.
            tx.update("alert", {"alert_id": row["alert_id"], "severity": row["severity"], "ended_at": row["ended_at"]}, done)
            tx.audit(actor, "alert.send", row["alert_id"], {"rule": row["rule"], "subject": row["subject"]})
        sent += 1
    return sent, len(waiting) - sent
