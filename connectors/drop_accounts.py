"""The drop's folders and who may log in to them: what the register says of the parties, put where the server looks.

``authorized/<account>`` holds a user's OpenSSH public keys; ``drop/<PARTY>/in`` and ``out`` are the party's folders, ``drop/.taken/<PARTY>``
is where the collector moves its files. Our own server needs no more; for the machine's sshd each user is an account of the
system besides (connectors.system_accounts).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from connectors import system_accounts
from connectors.archive import exclusive, write_durably
from connectors.authorized_keys import as_file, authorized_line
from connectors.settings import TAKEN, Settings
from connectors.ssh_keys import make_key, public_key_line
from connectors.system_accounts import Login
from custody.party_status import PartyStatus
from custody.ports import Register, RegisterTx
from custody.services.organisations import parties
from custody.services.party_keys import KeyUse, PartyKey, keys

FOLDERS = ("in", "out")
_LOCK = "log-ins.lock"


def make_server_keys(settings: Settings) -> None:
    """Host key and collector key where absent, and the collector's right to log in. Raises StopRun, as `admit`."""
    sftp = settings.sftp
    for path in (sftp.host_key, sftp.collector_key):
        make_key(settings.path(path))
    collector = Login(sftp.collector_user, (public_key_line(settings.path(sftp.collector_key)),))
    if sftp.server == "openssh":
        system_accounts.admit_accounts(settings, [collector])
    else:
        settings.path(sftp.drop_root).mkdir(parents=True, exist_ok=True)
        _admit_here(settings, collector)


def follow_register(settings: Settings, register: Register, today: date) -> None:
    """Make folders and log-ins what the register says of this date. Raises StopRun when this takes an administrator.

    Making accounts takes minutes where there are thousands, so that the register is read first and its lock let go. One process at
    a time does it, by a lock of the machine that ends with its process: what an earlier one read never covers what a later one did.
    After a crash anywhere, the next one brings about what is left.
    """
    with exclusive(settings.home / _LOCK):
        with register.transaction() as tx:
            logins = logins_of(tx, today)
        admit(settings, logins)


def logins_of(tx: RegisterTx, today: date) -> list[Login]:
    """Every party with the SSH keys that work on this date; who is closed has none."""
    working: dict[str, list[PartyKey]] = {}
    for key in keys(tx, use=KeyUse.SSH):
        if key.works_on(today):
            working.setdefault(key.party, []).append(key)
    return [
        Login(one.party, () if one.status == PartyStatus.CLOSED else tuple(map(authorized_line, working.get(one.party, ()))))
        for one in parties(tx, today)
    ]


def admit(settings: Settings, logins: Iterable[Login]) -> None:
    """Make folders and log-ins follow ``logins``; repeating is harmless. Who has no key is locked out; his files stay.

    The server reads the keys at each log-in, so that no restart is needed. Raises StopRun when this takes an administrator.
    """
    if settings.sftp.server == "openssh":
        system_accounts.admit_accounts(settings, logins)
        return
    for login in logins:
        drop = settings.path(settings.sftp.drop_root)
        for folder in (*(drop / login.user / name for name in FOLDERS), drop / TAKEN / login.user):
            folder.mkdir(parents=True, exist_ok=True)
        _admit_here(settings, login)


def remove_accounts(settings: Settings) -> None:
    """Take the accounts of this instance off the machine; its files stay. Raises StopRun when this takes an administrator."""
    if settings.sftp.server == "openssh":
        system_accounts.remove_accounts(settings)


def _admit_here(settings: Settings, login: Login) -> None:
    path = settings.path(settings.sftp.authorized_keys) / login.user
    if not login.lines:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    wanted = as_file(login.lines).encode("ascii")
    if not path.is_file() or path.read_bytes() != wanted:
        write_durably(path, wanted, 0o600)
