"""A folder in the place of a gateway: the bank's own program reads it, one JSON file for each message, named by its id."""

from __future__ import annotations

from pathlib import Path

from connectors.archive import write_durably
from custody.digest import canonical_json
from custody.errors import DiskFull, RetryLater
from custody.ports import Answer, LeavingMessage


class MessageSpool:
    """Implements custody.ports.MessageChannel. Files are readable by their group, addresses being personal data."""

    repeats_safely = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, message: LeavingMessage) -> Answer:
        body = canonical_json(vars(message)) + "\n"
        name = f"{message.message_id}.json"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_durably(self._folder / name, body.encode(), 0o640)
        except (OSError, DiskFull) as error:
            raise RetryLater(f"the spool {self._folder.name} is away: {error}") from error
        return Answer(proof=f"spool {name}")
