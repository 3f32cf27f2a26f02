"""The drop's folders and who may log in to them: what the register says of the parties, put where the server looks.

``authorized/<account>`` holds a user's OpenSSH public key; ``drop/<PARTY>/in`` and ``out`` are the party's folders, ``drop/.taken/<PARTY>``
is where the collector moves its files. Our own server needs no more; for the machine's sshd each user is an account of the
system besides (connectors.system_accounts).
"""

from __future__ import annotations

from collections.abc import Iterable

from connectors import system_accounts
from connectors.archive import write_durably
from connectors.settings import TAKEN, Settings
from connectors.ssh_keys import make_key, public_key_line
from connectors.system_accounts import Login
from custody.services.organisations import LIVE, Party

FOLDERS = ("in", "out")


def make_server_keys(settings: Settings) -> None:
    """Host key and collector key where absent, and the collector's right to log in. Raises StopRun, as `admit`."""
    sftp = settings.sftp
    for path in (sftp.host_key, sftp.collector_key):
        make_key(settings.path(path))
    collector = Login(sftp.collector_user, public_key_line(settings.path(sftp.collector_key)))
    if sftp.server == "openssh":
        system_accounts.admit_accounts(settings, [collector])
    else:
        settings.path(sftp.drop_root).mkdir(parents=True, exist_ok=True)
        _admit_here(settings, collector)


def admit(settings: Settings, parties: Iterable[Party]) -> None:
    """Make folders and log-ins follow the register; repeating is harmless. Who is not live is locked out; his files stay.

    The server reads the keys at each log-in, so that no restart is needed. Raises StopRun when this takes an administrator.
    """
    logins = [Login(party.party, party.public_key if party.status == LIVE else None) for party in parties]
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
    if login.public_key is None:
        path.unlink(missing_ok=True)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, f"{login.public_key}\n".encode("ascii"), 0o600)
