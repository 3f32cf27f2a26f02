"""Where alerts leave the system: a spool folder that the bank's SMS and mail gateways read, one file for each alert."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from connectors.archive import write_durably
from custody.digest import canonical_json
from custody.errors import DiskFull, RetryLater

_SENT = ("alert_id", "rule", "platform", "subject", "severity", "words_en", "words_zh", "state")
_ENDED = ("ended_at", "ended_en", "ended_zh")


class AlertSpool:
    """Implements custody.ports.AlertGateway. No personal data is in an alert: subjects are ids of ours."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, alert: Mapping[str, object]) -> None:
        names = (*_SENT, *_ENDED) if alert["ended_at"] else _SENT
        body = canonical_json({name: alert[name] for name in names}) + "\n"
        # That an alert ended is a message of its own, where its beginning has left already.
        suffix = ".ended.json" if alert["ended_at"] and alert["sent_at"] else ".json"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_durably(self._folder / f"{alert['alert_id']}{suffix}", body.encode(), 0o640)
        except (OSError, DiskFull) as error:
            raise RetryLater(f"the alert spool is away: {error}") from error
