"""Gateways that a test starts, stops and spoils: the SMS gateway is a process, the mail server aiosmtpd's on a socket of this machine."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from connectors.mail_gateway import MailGateway
from connectors.sms_gateway import JsonSms, SmsGateway
from custody.calendar import CHINA

_SCRIPT = Path(__file__).with_name("sms_server.py")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass
class SmsServer:
    """``start`` after ``stop`` knows what it took before: a gateway that was away, not a new one."""

    folder: Path
    port: int
    _process: subprocess.Popen[bytes] | None = None

    @classmethod
    def new(cls, folder: Path) -> SmsServer:
        folder.mkdir(parents=True)
        server = cls(folder, free_port())
        server.be("ok")
        return server

    def start(self) -> SmsServer:
        (self.folder / "port").unlink(missing_ok=True)
        self._process = subprocess.Popen([sys.executable, str(_SCRIPT), str(self.folder), str(self.port)])
        until = time.monotonic() + 20
        while not (self.folder / "port").exists():
            assert self._process.poll() is None and time.monotonic() < until, "the SMS gateway did not start"
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        """As a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def be(self, mode: str) -> None:
        (self.folder / "mode").write_text(mode)

    def channel(self, timeout_seconds: int = 2) -> SmsGateway:
        return SmsGateway(f"http://127.0.0.1:{self.port}/sms", JsonSms("token-1"), timeout_seconds, None)

    def taken(self) -> list[dict[str, Any]]:
        return self._lines("taken.jsonl")

    def asked(self) -> list[dict[str, Any]]:
        return self._lines("asked.jsonl")

    def _lines(self, name: str) -> list[dict[str, Any]]:
        path = self.folder / name
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


@dataclass
class Mailbox:
    """aiosmtpd's handler: ``mode`` is ok, 451, 550 (of a recipient), lost (takes it, and closes without an answer)."""

    mode: str = "ok"
    got: list[EmailMessage] = field(default_factory=list)
    senders: list[str] = field(default_factory=list)

    async def handle_RCPT(self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]) -> str:
        if self.mode in ("451", "550"):
            return f"{self.mode} so it was told"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.got.append(mail)
        self.senders.append(str(envelope.mail_from))
        if self.mode == "lost":
            assert server.transport is not None
            server.transport.abort()
        return f"250 queued as M{len(self.got)}"


@dataclass
class MailServer:
    box: Mailbox
    port: int
    tls: ssl.SSLContext | None = None
    _controller: Controller | None = None

    @classmethod
    def new(cls, tls: ssl.SSLContext | None = None) -> MailServer:
        return cls(Mailbox(), free_port(), tls)

    def start(self) -> MailServer:
        wanted: dict[str, Any] = {"tls_context": self.tls, "require_starttls": True} if self.tls else {}
        self._controller = Controller(self.box, hostname="127.0.0.1", port=self.port, **wanted)
        self._controller.start()
        return self

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def channel(self, ca: str | None = None) -> MailGateway:
        tls = "starttls" if self.tls else "none"
        return MailGateway("localhost" if self.tls else "127.0.0.1", self.port, tls, "alerts@bank.test", "", "", 5, ca)  # type: ignore[arg-type]


@contextmanager
def gateways(folder: Path) -> Iterator[tuple[SmsServer, MailServer]]:
    sms, mail = SmsServer.new(folder).start(), MailServer.new().start()
    try:
        yield sms, mail
    finally:
        sms.stop()
        mail.stop()


class SetClock:
    """A clock that stands until it is moved."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at

    def to(self, year: int, month: int, day: int, hour: int, minute: int = 0) -> None:
        self._at = datetime(year, month, day, hour, minute, tzinfo=CHINA)

    def forward(self, **by: float) -> None:
        self._at += timedelta(**by)
