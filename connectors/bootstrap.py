"""Wires the ports to what the settings name. Each part opens when it is first used, so that a command pays for what it needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from datetime import timedelta
from functools import cached_property
from pathlib import Path

from connectors.account_rows import StoreAccountRows
from connectors.archive import FolderArchive
from connectors.clock import SystemClock
from connectors.core_tables import CoreTables
from connectors.lake import Lake
from connectors.lake_files import lake_files
from connectors.lease import DAY_LEASE, held
from connectors.ledger_reader import StoreLedgerReader
from connectors.person_store import KeyedPersonStore
from connectors.register import SqlRegister
from connectors.seal_folder import SealFolder
from connectors.secrets import FileSecrets
from connectors.settings import Settings, load_settings
from connectors.surroundings import LakeSurroundings
from custody.calendar import custody_date_of
from custody.personal import latest
from custody.ports import Drop, KeyedStore, LedgerReader, OpenPgp, SealedTransactions
from custody.services.alert_messages import AlertPorts, RetryPolicy
from custody.services.customer_ports import CustomerPorts
from custody.services.intake import CollectLimits
from custody.services.intake_checks import ExchangeRules
from custody.services.outbound import DeliveryPolicy, ExchangePorts
from custody.services.rules import alert_rules
from custody.services.status_changes import Books
from schemas.customer_form import form_of, judge_form
from schemas.exchange import MAX_SEAL_BYTES, parse_name, parse_seal
from schemas.layout import layouts_for
from schemas.rule_book import shipped_rules
from schemas.store_keys import CORE_SCHEMA_VERSION, SCHEMA_VERSION


class Wiring:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = SystemClock()

    @cached_property
    def register(self) -> SqlRegister:
        return SqlRegister(self.settings.register_url, self.clock)

    @cached_property
    def lake(self) -> Lake:
        return Lake(lake_files(self.settings.stores.lake, self.settings.home))

    def with_lake(self, lake: Lake) -> Wiring:
        """The same stores but for another lake, for a trial; it is closed with this one."""
        register = self.register
        other = copy(self)
        other.__dict__ |= {"lake": lake, "register": register}  # fills the cached properties
        return other

    @cached_property
    def secrets(self) -> FileSecrets:
        keys = self.settings.keys
        return FileSecrets(self.settings.path(keys.identity_key), self.settings.path(keys.master_key))

    @cached_property
    def archive(self) -> FolderArchive:
        return FolderArchive(self.settings.path(self.settings.stores.archive), self.secrets)

    @property
    def seals(self) -> SealFolder:
        settings = self.settings
        return SealFolder(settings.path(settings.stores.seals), settings.path(settings.keys.seal_keys))

    @cached_property
    def keyed(self) -> KeyedStore:
        return self._store(self.settings.stores.keyed, SCHEMA_VERSION)

    @property
    def ledger_reader(self) -> LedgerReader:
        """A new one each time: what it answers is of the moment when it is first asked."""
        return StoreLedgerReader(self.keyed)

    @property
    def books(self) -> Books:
        from connectors.books import LakeBooks

        return LakeBooks(self.register, self.lake)

    @property
    def sealed_transactions(self) -> SealedTransactions:
        from connectors.sealed_transactions import LakeTransactions

        return LakeTransactions(self.lake, self.register)

    @cached_property
    def persons(self) -> KeyedPersonStore:
        return KeyedPersonStore(self.keyed, self.secrets)

    @property
    def customer_ports(self) -> CustomerPorts:
        return CustomerPorts(
            self.register,
            self.clock,
            self.secrets,
            self.persons,
            self.ledger_reader,
            self._day_lease,
            judge_form,
            lambda values: form_of(values, self.clock.now().strftime("%Y-%m-%dT%H:%M:%S")),
            StoreAccountRows(self.keyed),
            LakeSurroundings(self.register, self.lake),
        )

    @contextmanager
    def _day_lease(self) -> Iterator[int]:
        with held(self.register, DAY_LEASE, self.settings.lease.seconds) as lease:
            yield lease.fence

    @cached_property
    def core(self) -> CoreTables:
        # The core's tables are the bank's, not ours: an environment of their own.
        return CoreTables(self._store(self.settings.stores.core, CORE_SCHEMA_VERSION))

    @cached_property
    def drop(self) -> Drop:
        from connectors.external_hosts import SftpHosts
        from connectors.sftp_drop import SftpDrop
        from custody.services.dialling import DialledDrop

        own, hosts = SftpDrop(self.settings), SftpHosts(self.settings)
        return DialledDrop(own, hosts, self.register, self.clock, self.delivery_policy)

    @cached_property
    def exchange_ports(self) -> ExchangePorts:
        return ExchangePorts(self.register, self.clock, self.archive, self.drop, self.delivery_policy, self.openpgp)

    @cached_property
    def openpgp(self) -> OpenPgp:
        from connectors.openpgp import SequoiaOpenPgp

        keys = self.settings.keys
        return SequoiaOpenPgp(self.settings.path(keys.openpgp_key), keys.openpgp_seconds)

    @property
    def delivery_policy(self) -> DeliveryPolicy:
        out = self.settings.outbound
        return DeliveryPolicy(
            timedelta(seconds=out.first_retry_seconds),
            timedelta(seconds=out.longest_retry_seconds),
            timedelta(hours=out.deadline_hours),
            timedelta(hours=out.give_up_hours),
            timedelta(days=out.watch_days),
            self.settings.sftp.sweep_threads,
        )

    @property
    def collect_limits(self) -> CollectLimits:
        sftp = self.settings.sftp
        return CollectLimits(sftp.max_file_bytes, sftp.sweep_threads, sftp.dial_threads, sftp.party_seconds)

    @cached_property
    def exchange_rules(self) -> ExchangeRules:
        return ExchangeRules(parse_name, parse_seal, MAX_SEAL_BYTES, layouts_for)

    @cached_property
    def alert_ports(self) -> AlertPorts:
        from connectors.message_channels import message_channels

        out = self.settings.alerts
        policy = RetryPolicy(
            timedelta(seconds=out.first_retry_seconds),
            timedelta(seconds=out.longest_retry_seconds),
            timedelta(hours=out.give_up_hours),
        )
        return AlertPorts(
            self.exchange_ports,
            self.secrets,
            lambda tx: alert_rules(tx, shipped_rules(), custody_date_of(self.clock.now())),
            self._phone_of,
            message_channels(self.settings),
            policy,
            self.settings.instance.bank,
        )

    @contextmanager
    def sending_alerts(self) -> Iterator[None]:
        """The right to send alerts, for one process at a time; raises RetryLater while another has it."""
        with held(self.register, "alerts", self.settings.lease.seconds):
            yield

    def _phone_of(self, sub_account: str) -> str | None:
        """What any party said last of the customer whose account it is; of several parties the first by name."""
        row = self.ledger_reader.sub_account(sub_account)
        words = latest(self.persons.said(row["customer_id"])) if row is not None else {}
        return next((phone for _, said in sorted(words.items()) if (phone := said.fields.get("phone"))), None)

    def adopt_keyed(self) -> None:
        """Open the keyed store whatever its schema version is, to make it anew."""
        if "keyed" not in self.__dict__:
            self.__dict__["keyed"] = self._store(self.settings.stores.keyed, SCHEMA_VERSION, any_version=True)

    def _store(self, location: str, version: int, any_version: bool = False) -> KeyedStore:
        if location.startswith("hbase://"):
            from connectors.hbase_store import HbaseStore

            return HbaseStore.at(location, self.settings.hbase, version, any_version)
        from connectors.lmdb_store import LmdbStore

        return LmdbStore(self.settings.path(location), self.settings.stores.map_size_gib, version, any_version)

    def close(self) -> None:
        for name in ("register", "keyed", "core", "drop"):
            if name in self.__dict__:
                self.__dict__[name].close()


def wire(home: Path) -> Wiring:
    """The wiring of the instance in this folder. Raises SettingsError."""
    return Wiring(load_settings(home))
