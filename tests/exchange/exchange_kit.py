"""A small exchange for the tests: a real SFTP server, a real register, two parties that send."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from connectors.archive import FolderArchive
from connectors.clock import SystemClock
from connectors.drop_accounts import follow_register, make_server_keys
from connectors.external_hosts import SftpHosts
from connectors.openpgp import SequoiaOpenPgp, make_bank_key
from connectors.register import SqlRegister
from connectors.register_tables import metadata
from connectors.secrets import FileSecrets, make_key_file
from connectors.settings import FILE_NAME, TAKEN, Settings, changed, initial_settings, load_settings
from connectors.sftp_drop import PartyClient, SftpDrop
from connectors.ssh_keys import make_key, pin_host, public_key_line
from custody.calendar import custody_date_of
from custody.ports import Outgoing, Row
from custody.services.contract_changes import CONTRACT as CONTRACT_CHANGE
from custody.services.contract_changes import propose_contract
from custody.services.dialling import DialledDrop
from custody.services.four_eyes import approve
from custody.services.intake import CollectLimits, CollectResult, TakenSeal, collect
from custody.services.intake_checks import ExchangeRules
from custody.services.organisations import ONBOARD, propose_party
from custody.services.outbound import SEAL_SUFFIX, DeliveryPolicy, ExchangePorts
from schemas.exchange import MAX_SEAL_BYTES, Seal, SealedFile, parse_name, parse_seal
from schemas.layout import layouts_for

DAY = date(2019, 12, 30)
TODAY = date(2019, 12, 31)
RULES = ExchangeRules(parse_name, parse_seal, MAX_SEAL_BYTES, layouts_for)
FEE_CONTRACT: dict[str, object] = {
    "valid_from": "2019-01-01",
    "valid_to": None,
    "currency": "CNY",
    "per_mille_year": "1.5",
    "day_count": "actual/365",
    "per_transaction_minor": {"RECHARGE": 20},
    "vat_rate": "0.06",
    "rounding": "half_even",
    "charged": "monthly",
    "charge_business_day": 1,
}
CONTRACT: dict[str, object] = {
    "encoding": "utf-8",
    "layouts": {"TXN": ["platform_txn/1"], "CLAIM": ["platform_claim/1"]},
    "dialect": {},
    "file_types": ["TXN", "CLAIM"],
    "core_model": "HUB",
    "fee_contract": FEE_CONTRACT,
}
# What failed is tried again by the next run.
POLICY = DeliveryPolicy(timedelta(0), timedelta(0), timedelta(hours=12), timedelta(days=5), timedelta(days=30), 4)
_TIMES = {
    "received_at",
    "queued_at",
    "sent_at",
    "proved_at",
    "taken_at",
    "at",
    "hash",
    "previous_hash",
    "proposed_at",
    "decided_at",
}
REPEATABLE_TABLES = ("file", "file_event", "outbound", "audit_event")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def outgoing(data: bytes) -> Outgoing:
    return Outgoing(len(data), sha256(data), lambda start: [data[start:]])


def entry(name: str, data: bytes, **other: Any) -> SealedFile:
    """A seal's truthful entry for this data, but for what ``other`` says."""
    layout = "platform_claim/1" if "_CLAIM_" in name else "platform_txn/1"
    body: dict[str, Any] = {
        "name": name,
        "layout": layout,
        "encoding": "utf-8",
        "bytes": len(data),
        "rows": data.count(b"\n"),
        "sha256": sha256(data),
        "totals": {"amount": "0.00"},
        "batches": 1,
    }
    return SealedFile(**body | other)


def seal_of(party: str, *files: SealedFile, day: date = DAY, batch: int = 1, version: int = 1) -> dict[str, bytes]:
    """One seal: its name and bytes."""
    seal = Seal(party=party, custody_date=day.isoformat(), batch=batch, version=version, files=list(files))
    return {f"{party}_SEAL_{day:%Y%m%d}_{batch:02d}_v{version}.json": seal.to_bytes()}


def file_name(file_type: str, party: str = "P001", day: date = DAY, version: int = 1) -> str:
    return f"{party}_{file_type}_{day:%Y%m%d}_01_v{version}.csv"


@dataclass
class Exchange:
    """The instance under test. ``settings`` carry the port on which its server listens."""

    settings: Settings

    @cached_property
    def register(self) -> SqlRegister:
        return SqlRegister(self.settings.register_url, SystemClock())

    @cached_property
    def drop(self) -> DialledDrop:
        return DialledDrop(SftpDrop(self.settings), SftpHosts(self.settings), self.register, SystemClock(), POLICY)

    @cached_property
    def ports(self) -> ExchangePorts:
        keys = self.settings.keys
        secrets = FileSecrets(self.settings.path(keys.identity_key), self.settings.path(keys.master_key))
        archive = FolderArchive(self.settings.path(self.settings.stores.archive), secrets)
        return ExchangePorts(
            self.register, SystemClock(), archive, self.drop, POLICY, SequoiaOpenPgp(self.settings.path(keys.openpgp_key), 60)
        )

    def client(self, party: str = "P001") -> PartyClient:
        return PartyClient(self.settings, party, self.settings.home / "party_keys" / party)

    def send(self, files: Mapping[str, bytes], seals: Mapping[str, bytes], party: str = "P001") -> None:
        client = self.client(party)
        client.put_set(files, seals)
        client.close()

    def collect(self, ports: ExchangePorts | None = None, today: date = TODAY) -> CollectResult:
        sftp = self.settings.sftp
        limits = CollectLimits(sftp.max_file_bytes, sftp.sweep_threads, sftp.dial_threads, sftp.party_seconds)
        return collect(ports or self.ports, RULES, "system", today, limits)

    def collect_one(self) -> TakenSeal:
        result = self.collect()
        assert result.troubles == []
        (seal,) = result.seals
        return seal

    def folder(self, party: str = "P001", which: str = "in") -> Path:
        return self.settings.path(self.settings.sftp.drop_root) / party / which

    def waiting(self, party: str = "P001") -> list[str]:
        return sorted(p.name for p in self.folder(party).iterdir())

    def taken_folder(self, party: str = "P001") -> Path:
        return self.settings.path(self.settings.sftp.drop_root) / TAKEN / party

    def taken(self, party: str = "P001") -> list[str]:
        """Names that the collector has moved aside and not yet removed, without their marks."""
        return sorted(p.name.partition(".")[2] for p in self.taken_folder(party).iterdir())

    def receipt(self, name: str, party: str = "P001") -> dict[str, Any]:
        body: dict[str, Any] = json.loads((self.folder(party, "out") / name).read_bytes())
        return body

    def rows(self, table: str, **equals: object) -> list[Row]:
        with self.register.transaction() as tx:
            return tx.find(table, (), **equals)

    def state(self, name: str) -> list[tuple[str, str | None]]:
        """(state, rule) of each content under this name."""
        return sorted((row["state"], row["rule"]) for row in self.rows("file", file_name=name))

    def snapshot(self) -> dict[str, list[Row]]:
        """All that must be the same on every run: register rows without times."""
        return {
            table: [{k: v for k, v in row.items() if k not in _TIMES} for row in self.rows(table)] for table in REPEATABLE_TABLES
        }

    def outbound_bytes(self, party: str = "P001") -> dict[str, bytes]:
        """What lies in out/ with a seal of its own that tells the truth; the seals are left out."""
        lying = {p.name: p.read_bytes() for p in sorted(self.folder(party, "out").iterdir())}
        seals = {name.removesuffix(SEAL_SUFFIX): json.loads(lying.pop(name)) for name in [*lying] if name.endswith(SEAL_SUFFIX)}
        assert seals == {
            name: {"party": party, "name": name, "bytes": len(data), "sha256": sha256(data)} for name, data in lying.items()
        }
        return lying

    def close(self) -> None:
        self.drop.close()
        self.register.close()


def people(register: SqlRegister) -> None:
    roles = {"wang": "operator", "li": "supervisor", "zhao": "auditor", "chen": "operator,supervisor"}
    with register.transaction() as tx:
        for person, duties in roles.items():
            row = {"person_id": person, "display_name": person, "roles": json.dumps(duties.split(",")), "active": True}
            tx.insert("person", row)


def onboard(exchange: Exchange, party: str, contract: Mapping[str, object]) -> None:
    """By two people, and with a key of the party's own."""
    clock = exchange.ports.clock
    key = exchange.settings.home / "party_keys" / party
    make_key(key)
    proposal = propose_party(
        exchange.register,
        clock,
        "wang",
        party,
        "PLATFORM",
        party,
        "平台",
        contract,
        public_key_line(key),
        "new",
        live_untested=True,
    )
    approve(exchange.register, clock, "li", ONBOARD, proposal, "checked")
    follow_register(exchange.settings, exchange.register, custody_date_of(clock.now()))


def agree(exchange: Exchange, party: str, contract: Mapping[str, object]) -> None:
    """By two people: a contract for a party that stands, or a new party with it."""
    if not exchange.rows("party", party=party):
        onboard(exchange, party, contract)
        return
    clock = exchange.ports.clock
    proposal = propose_contract(exchange.register, clock, "wang", party, contract, None, "as agreed")
    approve(exchange.register, clock, "li", CONTRACT_CHANGE, proposal, "checked")


def make_home(home: Path, changes: Mapping[str, str | int] | None = None) -> Settings:
    """Settings, keys and an empty register, as init makes them."""
    home.mkdir(parents=True, exist_ok=True)
    text = initial_settings("Test bank", date(2019, 12, 30), 0)
    (home / FILE_NAME).write_text(changed(text, {"sftp.max_file_bytes": 100_000, **(changes or {})}))
    settings = load_settings(home)
    for name in (settings.keys.identity_key, settings.keys.master_key):
        make_key_file(settings.path(name))
    make_bank_key(settings.path(settings.keys.openpgp_key), "Test bank")
    make_server_keys(settings)
    return settings


def open_exchange(settings: Settings) -> Exchange:
    """``settings`` name the port on which the server listens."""
    sftp = settings.sftp
    pin_host(settings.path(sftp.known_hosts), sftp.host, sftp.port, settings.path(sftp.host_key))
    exchange = Exchange(settings)
    metadata.create_all(exchange.register.engine)
    people(exchange.register)
    for party in ("P001", "P002"):
        onboard(exchange, party, CONTRACT)
    return exchange


def with_drop(ports: ExchangePorts, drop: Any) -> ExchangePorts:
    return replace(ports, drop=drop)
