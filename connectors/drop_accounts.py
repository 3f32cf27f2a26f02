"""The drop's folders and who may log in to them: what the register says of the parties, put where the server looks.

``authorized/<user>`` holds the user's OpenSSH public keys; ``drop/<PARTY>/in`` and ``out`` are the party's folders.
"""

from __future__ import annotations

from collections.abc import Iterable

from connectors.archive import write_durably
from connectors.settings import Settings
from connectors.ssh_keys import make_key, public_key_line
from custody.services.organisations import LIVE, Party

FOLDERS = ("in", "out")


def make_server_keys(settings: Settings) -> None:
    """Host key and collector key where absent, and the collector's right to log in."""
    sftp = settings.sftp
    for path in (sftp.host_key, sftp.collector_key):
        make_key(settings.path(path))
    settings.path(sftp.drop_root).mkdir(parents=True, exist_ok=True)
    _authorise(settings, sftp.collector_user, public_key_line(settings.path(sftp.collector_key)))


def admit(settings: Settings, parties: Iterable[Party]) -> None:
    """Make folders and log-ins follow the register; repeating is harmless. Who is not live is locked out; his files stay.

    The server reads the keys at each log-in, so that no restart is needed.
    """
    for party in parties:
        for folder in FOLDERS:
            (settings.path(settings.sftp.drop_root) / party.party / folder).mkdir(parents=True, exist_ok=True)
        if party.status == LIVE:
            _authorise(settings, party.party, party.public_key)
        else:
            (settings.path(settings.sftp.authorized_keys) / party.party).unlink(missing_ok=True)


def _authorise(settings: Settings, user: str, public_key: str) -> None:
    folder = settings.path(settings.sftp.authorized_keys)
    folder.mkdir(parents=True, exist_ok=True)
    write_durably(folder / user, f"{public_key}\n".encode("ascii"), 0o600)
