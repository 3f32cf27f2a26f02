"""Mail by SMTP. A message goes out under one Message-ID however often it is tried; SMTP itself does not know it again, so a mail
whose acceptance we did not hear may reach its reader twice."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from typing import Literal

from custody.errors import AnswerLost, RetryLater
from custody.ports import Answer, LeavingMessage

_PERMANENT = 500
# What SMTP allows: a Message-ID stays in one line.
_LONGEST_LINE = 998


@dataclass(frozen=True)
class MailGateway:
    """Implements custody.ports.MessageChannel. ``user`` "": no log-in; ``ca``: a file of certificates to trust, None for the machine's."""

    host: str
    port: int
    tls: Literal["none", "starttls", "implicit"]
    sender: str
    user: str
    password: str
    timeout_seconds: int
    ca: str | None

    repeats_safely = False

    def send(self, message: LeavingMessage) -> Answer:
        mail = self._mail(message)
        with self._session() as session:
            try:
                code, said = session.mail(self.sender, ["SMTPUTF8"] if session.has_extn("smtputf8") else [])
                if code >= 400:
                    raise RetryLater(f"the mail server does not take our sender: {code} {_text(said)}")
                code, said = session.rcpt(message.address)
                if code >= 400:
                    return Answer(why=f"the mail server refused the recipient: {code} {_text(said)}", later=code < _PERMANENT)
            except (OSError, smtplib.SMTPException) as error:
                raise RetryLater(f"the mail server is away: {_text(error)}") from error
            try:
                code, said = session.data(mail)
            except smtplib.SMTPDataError as error:
                # Before anything was said of what it carries.
                return Answer(
                    why=f"the mail server refused it: {error.smtp_code} {_text(error.smtp_error)}",
                    later=error.smtp_code < _PERMANENT,
                )
            except (OSError, smtplib.SMTPException) as error:
                raise AnswerLost(f"the mail server went away over it: {_text(error)}") from error
            if code != 250:
                return Answer(why=f"the mail server refused it: {code} {_text(said)}", later=code < _PERMANENT)
            # What it said counts; whether it hears our good-bye does not.
            with suppress(OSError, smtplib.SMTPException):
                session.quit()
            return Answer(proof=f"{code} {_text(said)} {mail_id(message.message_id, self.sender)}")

    def _mail(self, message: LeavingMessage) -> bytes:
        """The same bytes in every try: no time of day is in it, the server sets the date."""
        mail = EmailMessage(policy=SMTP_POLICY.clone(max_line_length=_LONGEST_LINE))
        mail["From"] = self.sender
        mail["To"] = message.address
        mail["Subject"] = message.subject
        mail["Message-ID"] = mail_id(message.message_id, self.sender)
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text, cte="base64")
        return mail.as_bytes()

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        session: smtplib.SMTP | None = None
        try:
            trusted = None if self.tls == "none" else ssl.create_default_context(cafile=self.ca)
            if self.tls == "implicit":
                session = smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout_seconds, context=trusted)
            else:
                session = smtplib.SMTP(self.host, self.port, timeout=self.timeout_seconds)
            if self.tls == "starttls":
                session.starttls(context=trusted)
            session.ehlo_or_helo_if_needed()
            if self.user:
                session.login(self.user, self.password)
        except (OSError, smtplib.SMTPException) as error:
            if session is not None:
                session.close()
            raise RetryLater(f"the mail server is away: {_text(error)}") from error
        try:
            yield session
        finally:
            session.close()


def mail_id(message_id: str, sender: str) -> str:
    return f"<{message_id}@{sender.rpartition('@')[2]}>"


def _text(said: object) -> str:
    return said.decode("ascii", "backslashreplace") if isinstance(said, bytes) else f"{type(said).__name__} {said}"
