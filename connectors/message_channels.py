"""The gateways that the settings name: SMS and mail, or folders in their place."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from connectors.mail_gateway import MailGateway
from connectors.message_spool import MessageSpool
from connectors.settings import Settings
from connectors.sms_gateway import JsonSms, SmsGateway
from custody.alert_rules import Channel
from custody.errors import SettingsError
from custody.ports import MessageChannel

_SPOOL = "spool:"


def message_channels(settings: Settings) -> dict[Channel, MessageChannel]:
    """Raises SettingsError for a file that is named and cannot be read."""
    return {Channel.SMS: _sms(settings), Channel.MAIL: _mail(settings)}


def _sms(settings: Settings) -> MessageChannel:
    said = settings.alerts
    if said.sms_gateway.startswith(_SPOOL):
        return MessageSpool(settings.path(said.sms_gateway.removeprefix(_SPOOL)))
    token = _secret(settings, "sms_token", said.sms_token)
    return SmsGateway(said.sms_gateway, JsonSms(token), said.timeout_seconds, _file(settings, "sms_ca", said.sms_ca))


def _mail(settings: Settings) -> MessageChannel:
    said = settings.alerts
    if said.mail_gateway.startswith(_SPOOL):
        return MessageSpool(settings.path(said.mail_gateway.removeprefix(_SPOOL)))
    place = urlsplit(said.mail_gateway)
    if place.hostname is None or place.port is None:
        raise SettingsError(f"alerts.mail_gateway is {said.mail_gateway!r}; write smtp://HOST:PORT")
    password = _secret(settings, "mail_password", said.mail_password)
    ca = _file(settings, "mail_ca", said.mail_ca)
    return MailGateway(
        place.hostname, place.port, said.mail_tls, said.mail_sender, said.mail_user, password, said.timeout_seconds, ca
    )


def _secret(settings: Settings, name: str, relative: str) -> str:
    path = _file(settings, name, relative)
    return "" if path is None else Path(path).read_text(encoding="utf-8").strip()


def _file(settings: Settings, name: str, relative: str) -> str | None:
    """None where none is named."""
    if not relative:
        return None
    path = settings.path(relative)
    if not path.is_file():
        raise SettingsError(f"alerts.{name} names {path}, which is no file")
    return str(path)
