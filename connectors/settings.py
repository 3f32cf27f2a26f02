"""One settings file says where everything is: ``$CUSTODY_HOME/settings.toml``. There are no defaults.

A relative path is under CUSTODY_HOME, so that an instance can be moved as one folder.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from custody.errors import SettingsError

# In the drop, beside the parties' folders: where the collector moves what it takes. No party is named so.
TAKEN = ".taken"
HOME_VARIABLE = "CUSTODY_HOME"
FILE_NAME = "settings.toml"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Instance(_Section):
    bank: str
    go_live: date
    risk_horizon_business_days: Annotated[int, Field(ge=1, le=60)]
    # Ids of the reports that the bank drafts (reports/definitions); "*": all that the program ships.
    reports: list[str]


class RegisterSettings(_Section):
    # sqlite:///FILE under CUSTODY_HOME, or postgresql+psycopg://USER@HOST:PORT/DATABASE (a password belongs in a passfile).
    url: str


class Stores(_Section):
    # A folder, file:///FOLDER, or hdfs://HOST:PORT/FOLDER.
    lake: str
    archive: str
    # A folder: what was signed of each closed day.
    seals: str
    # A folder: LMDB. hbase://HOST:PORT/NAMESPACE: HBase by its Thrift server.
    keyed: str
    core: str
    map_size_gib: Annotated[int, Field(ge=1, le=4096)]
    core_lookback_days: Annotated[int, Field(ge=0, le=30)]
    # Processes that read the core's salt ranges side by side; 1 reads them in the step's own process.
    core_processes: Annotated[int, Field(ge=1, le=16)]


class HbaseSettings(_Section):
    # One answer may take this long; then the connection is made anew and the work repeated, up to the second figure in all.
    timeout_seconds: Annotated[int, Field(ge=1, le=600)]
    give_up_after_seconds: Annotated[int, Field(ge=1, le=3600)]


class EngineSettings(_Section):
    # Empty: Sail inside the process. sc://host:port: a Spark Connect server (Apache Spark is the engine of record).
    url: str


class SftpSettings(_Section):
    # "builtin": custody serve-sftp. "openssh": the machine's sshd; each party then has an account of the system, named
    # account_prefix + party.
    server: Literal["builtin", "openssh"]
    account_prefix: Annotated[str, Field(pattern=r"^([a-z][a-z0-9]{0,15}-)?$")]
    host: str
    port: Annotated[int, Field(ge=0, le=65535)]
    known_hosts: str
    collector_user: str
    collector_key: str
    drop_root: str
    host_key: str
    authorized_keys: str
    timeout_seconds: Annotated[int, Field(ge=1, le=600)]
    max_file_bytes: Annotated[int, Field(ge=1)]
    # How fast one party's file is read; how many parties are swept at once; how long a sweep stays with one of them: what is left
    # of its files then waits for the next sweep, which goes on where this one stopped.
    max_bytes_per_second: Annotated[int, Field(ge=1)]
    sweep_threads: Annotated[int, Field(ge=1, le=64)]
    party_seconds: Annotated[int, Field(ge=1)]
    # How many parties' own hosts are dialled at once.
    dial_threads: Annotated[int, Field(ge=1, le=64)]

    def account(self, user: str) -> str:
        """The name by which a party or the collector logs in."""
        return f"{self.account_prefix}{user}" if self.server == "openssh" else user


class OutboundSettings(_Section):
    # A delivery that failed is tried again after so long, then after twice that, up to the longest; given up, and handed to a person,
    # after so many hours in all. Beyond the deadline it is an alert. For so many days we look whether the party took it.
    first_retry_seconds: Annotated[int, Field(ge=0)]
    longest_retry_seconds: Annotated[int, Field(ge=0)]
    deadline_hours: Annotated[int, Field(ge=1)]
    give_up_hours: Annotated[int, Field(ge=1)]
    watch_days: Annotated[int, Field(ge=0)]


class KeySettings(_Section):
    identity_key: str
    master_key: str
    # The bank's own OpenPGP key, with which it opens what comes in and signs what goes out where a contract asks; one message may take so
    # long to be read or made.
    openpgp_key: str
    openpgp_seconds: Annotated[int, Field(ge=1)]
    # A folder: the bank's private keys by which it signs the days' roots.
    seal_keys: str


class LandSettings(_Section):
    processes: Annotated[int, Field(ge=1, le=256)]


class PostSettings(_Section):
    # Processes that post platforms side by side; 1 posts all in the step's own process.
    processes: Annotated[int, Field(ge=1, le=256)]
    # A folder of the instance for what a run needs on disk meanwhile: some three hundred octets a leg.
    scratch: str


class BackupSettings(_Section):
    # A folder on another disk, better of another machine, than the instance's; how many states are kept there.
    folder: str
    keep: Annotated[int, Field(ge=1, le=1000)]


class LogSettings(_Section):
    # What commands did, for the bank's log collector: a file a day, and for how many days they are kept.
    folder: str
    keep_days: Annotated[int, Field(ge=1, le=3660)]


class LeaseSettings(_Section):
    seconds: Annotated[int, Field(ge=5, le=3600)]


class AlertSettings(_Section):
    # Where SMS go: http(s)://HOST/PATH, or spool:FOLDER for a program of the bank's that reads files. A file with the gateway's token, or
    # empty; a file of certificates to trust, or empty for the machine's own. The same of mail: smtp://HOST:PORT, or spool:FOLDER.
    sms_gateway: Annotated[str, Field(pattern=r"^(https?://|spool:).+$")]
    sms_token: str
    sms_ca: str
    mail_gateway: Annotated[str, Field(pattern=r"^(smtp://[^/:]+:\d+|spool:.+)$")]
    mail_tls: Literal["none", "starttls", "implicit"]
    mail_ca: str
    mail_sender: Annotated[str, Field(pattern=r"^[!-?A-~]+@[!-?A-~]+$")]
    # Empty: no log-in; else the password's file.
    mail_user: str
    mail_password: str
    # How long a gateway may take to answer; when a message that failed is tried again, and given up after so many hours in all.
    timeout_seconds: Annotated[int, Field(ge=1, le=600)]
    first_retry_seconds: Annotated[int, Field(ge=0)]
    longest_retry_seconds: Annotated[int, Field(ge=0)]
    give_up_hours: Annotated[int, Field(ge=1)]


class Settings(_Section):
    instance: Instance
    register_: Annotated[RegisterSettings, Field(alias="register")]
    stores: Stores
    hbase: HbaseSettings
    engine: EngineSettings
    sftp: SftpSettings
    outbound: OutboundSettings
    keys: KeySettings
    land: LandSettings
    post: PostSettings
    lease: LeaseSettings
    backup: BackupSettings
    log: LogSettings
    alerts: AlertSettings
    home: Path

    def path(self, relative: str) -> Path:
        return self.home / relative

    @property
    def register_url(self) -> str:
        """``sqlite:///register.db`` is under CUSTODY_HOME; any other URL stands as it is."""
        prefix = "sqlite:///"
        url = self.register_.url
        return f"{prefix}{self.home / url.removeprefix(prefix)}" if url.startswith(prefix) else url


def home_from_environment() -> Path:
    home = os.environ.get(HOME_VARIABLE)
    if not home:
        raise SettingsError(f"set {HOME_VARIABLE} to the instance's folder (custody init makes one)")
    return Path(home).resolve()


def load_settings(home: Path) -> Settings:
    """Raises SettingsError naming the file, the setting and what is wrong with it."""
    return read_settings(home / FILE_NAME, home)


def read_settings(path: Path, home: Path) -> Settings:
    """The settings in this file, for an instance in ``home``: as `load_settings`, before the file is in its place."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{path} does not exist: run custody init") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: {error}") from error
    try:
        return Settings.model_validate({**raw, "home": home})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"{path}: {where}: {first['msg']}") from error


def changed(text: str, changes: Mapping[str, str | int]) -> str:
    """A settings file's text with ``section.name`` set to other values. Raises SettingsError for a name it does not have."""
    section, lines, left = "", [], dict(changes)
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        name = line.partition(" = ")[0]
        value = left.pop(f"{section}.{name}", None)
        # JSON's texts and integers are TOML's too.
        lines.append(line if value is None else f"{name} = {json.dumps(value, ensure_ascii=False)}")
    if left:
        raise SettingsError(f"no such setting: {', '.join(sorted(left))}")
    return "\n".join(lines) + "\n"


_INITIAL = """\
# One settings file for the instance; relative paths are under this folder. Every setting must stand here.

[instance]
bank = "{bank}"
go_live = {go_live}
risk_horizon_business_days = 1
reports = ["*"]

[register]
url = "sqlite:///register.db"

[stores]
lake = "lake"
archive = "archive"
seals = "seals"
keyed = "keyed"
core = "core"
map_size_gib = 16
core_lookback_days = 7
core_processes = 1

[hbase]
timeout_seconds = 20
give_up_after_seconds = 120

[engine]
url = ""

[sftp]
server = "builtin"
account_prefix = ""
host = "127.0.0.1"
port = {sftp_port}
known_hosts = "keys/known_hosts"
collector_user = "collector"
collector_key = "keys/collector"
drop_root = "drop"
host_key = "keys/sftp_host"
authorized_keys = "keys/authorized"
timeout_seconds = 20
max_file_bytes = 1073741824
max_bytes_per_second = 100000000
sweep_threads = 4
party_seconds = 300
dial_threads = 8

[outbound]
first_retry_seconds = 60
longest_retry_seconds = 14400
deadline_hours = 12
give_up_hours = 120
watch_days = 30

[keys]
identity_key = "keys/identity.key"
master_key = "keys/master.key"
openpgp_key = "keys/openpgp.asc"
openpgp_seconds = 120
seal_keys = "keys/seals"

[land]
processes = 2

[post]
processes = 2
scratch = "scratch/post"

[lease]
seconds = 60

[backup]
folder = "backups"
keep = 7

[log]
folder = "logs"
keep_days = 90

[alerts]
sms_gateway = "spool:spool/sms"
sms_token = ""
sms_ca = ""
mail_gateway = "spool:spool/mail"
mail_tls = "none"
mail_ca = ""
mail_sender = "alerts@bank.invalid"
mail_user = ""
mail_password = ""
timeout_seconds = 20
first_retry_seconds = 60
longest_retry_seconds = 3600
give_up_hours = 120
"""


def initial_settings(bank: str, go_live: date, sftp_port: int) -> str:
    """The settings file of a new embedded instance; ``changed`` makes another of it."""
    return _INITIAL.format(bank=json.dumps(bank, ensure_ascii=False)[1:-1], go_live=go_live.isoformat(), sftp_port=sftp_port)
