"""Alerts in the register: raised once, acknowledged by a person, sent when the gateway is there (domain.md §8)."""

from __future__ import annotations

from datetime import date

from custody.digest import canonical_json, digest_of_json
from custody.errors import RetryLater, UsageError
from custody.ports import AlertGateway, Clock, Register, RegisterTx, Row
from custody.services.access import check_permission, permitted_transaction


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
    alert_id = digest_of_json([rule, subject, occurrence])
    with permitted_transaction(register, actor, "alert.raise", f"{rule}|{subject}") as tx:
        standing = tx.get("alert", alert_id=alert_id)
        if standing is not None:
            tx.update("alert", {"alert_id": alert_id}, {"last_seen_on": max(on, standing["last_seen_on"])})
            return alert_id
        row = {
            "alert_id": alert_id,
            "rule": rule,
            "platform": "",
            "subject": subject,
            "severity": "HIGH",
            "raised_on": on,
            "last_seen_on": on,
            "figures": canonical_json({}),
            "words_en": english,
            "words_zh": chinese,
            "state": "OPEN",
        }
        tx.insert("alert", row)
        tx.audit(actor, "alert.raise", alert_id, {"rule": rule, "subject": subject, "occurrence": occurrence})
    return alert_id


def send_waiting(register: Register, clock: Clock, actor: str, gateway: AlertGateway) -> tuple[int, int]:
    """Send every alert that has not left yet; returns (sent, still waiting). Sending again after a crash is harmless:
    the gateway names the message by the alert's id. Raises NotPermitted."""
    check_permission(register, actor, "alert.send", "alerts")
    with register.transaction() as tx:
        waiting = tx.find("alert", ("raised_on", "alert_id"), sent_at=None)
    sent = 0
    for row in waiting:
        try:
            gateway.send(row)
        except RetryLater:
            break  # the gateway is away: the alerts wait for the next sweep
        with register.transaction() as tx:
            tx.update("alert", {"alert_id": row["alert_id"]}, {"sent_at": clock.now().isoformat(timespec="microseconds")})
            tx.audit(actor, "alert.send", row["alert_id"], {"rule": row["rule"], "subject": row["subject"]})
        sent += 1
    return sent, len(waiting) - sent
