"""A register whose alerts are told: with people to call at the bank, a party with its contract, and gateways of the test's choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

from connectors.message_spool import MessageSpool
from connectors.secrets import FileSecrets, make_key_file
from custody.alert_rules import Channel
from custody.calendar import custody_date_of
from custody.digest import canonical_json
from custody.permissions import READ_ONLY, Duty
from custody.ports import Clock, MessageChannel, Register, Row
from custody.services.alert_messages import AlertPorts, RetryPolicy, Sending, send_alerts
from custody.services.organisations import BEGINNING
from custody.services.outbound import ExchangePorts
from custody.services.party_contacts import BANK, REGULATOR, Contact, seal_contact
from custody.services.rules import alert_rules
from schemas.rule_book import shipped_rules

PHONES = {str(duty): f"1380000{number:04d}" for number, duty in enumerate(Duty, start=1)}


class KeptBytes:
    """Implements what of custody.ports.Archive queueing asks for."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def keep(self, data: bytes, sha256: str) -> str:
        self.kept[sha256] = data
        return sha256


@dataclass
class AlertDesk:
    register: Register
    clock: Clock
    folder: Path
    channels: Mapping[Channel, MessageChannel] = field(default_factory=dict)
    phones: dict[str, str] = field(default_factory=dict)
    archive: KeptBytes = field(default_factory=KeptBytes)

    def __post_init__(self) -> None:
        for name in ("identity.key", "master.key"):
            make_key_file(self.folder / name)
        self.secrets = FileSecrets(self.folder / "identity.key", self.folder / "master.key")
        if not self.channels:
            spools = {channel: MessageSpool(self.folder / channel.lower()) for channel in (Channel.SMS, Channel.MAIL)}
            self.channels = spools
        unused: dict[str, Any] = dict.fromkeys(one.name for one in fields(ExchangePorts))
        exchange = ExchangePorts(**unused | {"register": self.register, "clock": self.clock, "archive": self.archive})
        self.ports = AlertPorts(
            exchange,
            self.secrets,
            lambda tx: alert_rules(tx, shipped_rules(), custody_date_of(self.clock.now())),
            self.phones.get,
            self.channels,
            RetryPolicy(timedelta(minutes=1), timedelta(hours=1), timedelta(hours=120)),
            "示范银行",
        )

    def name_everybody(self) -> None:
        """Somebody to call for each duty of the bank, and at the regulator."""
        for duty in Duty:
            if duty not in READ_ONLY and duty != Duty.SYSTEM:
                self.contact(BANK, duty.upper(), PHONES[duty], f"{duty}@bank.test")
        self.contact(REGULATOR, REGULATOR, "02100000000", "watch@regulator.test")

    def contact(self, party: str, role: str, phone: str, mail: str) -> None:
        row = seal_contact(self.secrets, party, Contact(role, 1, "张三", phone, mail))
        with self.register.transaction() as tx:
            tx.delete("party_contact", party=party, role=role, rank=1)
            tx.insert("party_contact", {"party": party, **row, "shown": canonical_json(row["shown"])})

    def party(self, party: str, **contract: Any) -> None:
        rows: dict[str, Row] = {
            "party": {"kind": "PLATFORM", "name_en": party, "name_zh": party},
            "party_status": {"valid_from": BEGINNING, "status": "LIVE"},
            "party_contract": {"valid_from": BEGINNING, "contract": canonical_json(contract)},
        }
        with self.register.transaction() as tx:
            for table, row in rows.items():
                tx.delete(table, party=party)
                tx.insert(table, {"party": party, **row})

    def send(self) -> Sending:
        return send_alerts(self.ports, "system")

    def rows(self, table: str, **equals: object) -> list[Row]:
        with self.register.transaction() as tx:
            return tx.find(table, (), **equals)

    def messages(self, **equals: object) -> list[Row]:
        with self.register.transaction() as tx:
            return tx.find("alert_message", ("queued_at", "channel", "message_id"), **equals)

    def alert(self, **equals: object) -> Row:
        (row,) = self.rows("alert", **equals)
        return row

    def events(self, alert_id: str) -> list[str]:
        with self.register.transaction() as tx:
            return [row["event"] for row in tx.find("alert_event", ("event_no",), alert_id=alert_id)]
