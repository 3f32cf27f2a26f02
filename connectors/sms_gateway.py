"""An SMS gateway spoken to by HTTP. What differs from gateway to gateway is an SmsProtocol; the rest is the same for all."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from typing import Protocol

import httpx

from custody.errors import AnswerLost, RetryLater
from custody.ports import Answer, LeavingMessage

_SHOWN = 200
# What a gateway says of one message and another try may cure: it is not the gateway that is away.
_LATER = frozenset({425, 429})


class SmsProtocol(Protocol):
    """How one kind of gateway wants a message, and what its answer means."""

    def request(self, message: LeavingMessage) -> tuple[dict[str, str], bytes]:
        """(headers, body), the same in every try of one message."""

    def number_of(self, body: bytes) -> str:
        """The gateway's own number for what it took; "" where its answer has none."""


class JsonSms:
    """POST of {id, to, text}; the id stands in Idempotency-Key too, by which the gateway takes a message once. It answers 2xx with
    {"number": …}, and the same for a message that it has."""

    def __init__(self, token: str) -> None:
        self._token = token

    def request(self, message: LeavingMessage) -> tuple[dict[str, str], bytes]:
        headers = {"Content-Type": "application/json; charset=utf-8", "Idempotency-Key": message.message_id}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        said = {"id": message.message_id, "to": message.address, "text": message.text}
        return headers, json.dumps(said, ensure_ascii=False, sort_keys=True).encode()

    def number_of(self, body: bytes) -> str:
        try:
            said = json.loads(body)
        except ValueError:
            return ""
        number = said.get("number") if isinstance(said, dict) else None
        return str(number) if isinstance(number, (str, int)) else ""


@dataclass(frozen=True)
class SmsGateway:
    """Implements custody.ports.MessageChannel. ``ca``: a file of certificates to trust, None for the machine's own."""

    url: str
    protocol: SmsProtocol
    timeout_seconds: int
    ca: str | None

    # By the idempotency key.
    repeats_safely = True

    def send(self, message: LeavingMessage) -> Answer:
        headers, body = self.protocol.request(message)
        verify: ssl.SSLContext | bool = ssl.create_default_context(cafile=self.ca) if self.url.startswith("https:") else False
        try:
            # Not by a proxy of the environment: what is sent names a person.
            with httpx.Client(timeout=self.timeout_seconds, verify=verify, trust_env=False) as client:
                answer = client.post(self.url, content=body, headers=headers)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol) as error:
            raise RetryLater(f"the SMS gateway is away: {error}") from error
        except httpx.HTTPError as error:
            raise AnswerLost(f"the SMS gateway did not answer: {type(error).__name__} {error}".rstrip()) from error
        said = answer.text[:_SHOWN].strip()
        if answer.is_success:
            return Answer(proof=f"{answer.status_code} {self.protocol.number_of(answer.content) or said}".strip())
        if answer.status_code in _LATER:
            return Answer(why=f"the SMS gateway wants it later: {answer.status_code} {said}", later=True)
        if answer.is_client_error and answer.status_code not in (401, 403, 404, 407, 408):
            return Answer(why=f"the SMS gateway refused it: {answer.status_code} {said}")
        # 5xx, a redirect, and what says that we are not known there: nothing about this message.
        raise RetryLater(f"the SMS gateway takes nothing: {answer.status_code} {said}")
