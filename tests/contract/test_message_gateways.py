"""Messages through real gateways of this machine: slow ones, ones that answer 5xx, take a message and hang up, are away for hours, and a
sender that dies over it. Nothing is lost; nothing is doubled where the protocol can tell, and what it cannot tell is counted."""

from __future__ import annotations

import os
import ssl
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from alert_kit import PHONES, AlertDesk
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from gateway_kit import MailServer, SetClock, SmsServer, gateways

from connectors.register import SqlRegister
from connectors.register_tables import metadata
from custody.alert_rules import Channel
from custody.calendar import CHINA
from custody.errors import AnswerLost, RetryLater
from custody.ports import Answer, LeavingMessage, MessageChannel
from custody.services.alerts import acknowledge, put_alert

MORNING = datetime(2019, 12, 30, 9, 0, tzinfo=CHINA)
# Six hours.
_HALF_HOURS = 12
MESSAGE = LeavingMessage("m" * 64, "13800001234", "主题 subject", "文字 words\n.dot\n")
TO_MAIL = LeavingMessage("n" * 64, "desk@bank.test", "主题 subject", "文字 words\n.dot\n")


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[SmsServer, MailServer]]:
    with gateways(tmp_path / "gateway") as found:
        yield found


def desk_at(folder: Path, clock: SetClock, channels: Mapping[Channel, MessageChannel]) -> AlertDesk:
    register = SqlRegister(f"sqlite:///{folder / 'register.db'}", clock)
    metadata.create_all(register.engine)
    with register.transaction() as tx:
        if tx.get("person", person_id="op1") is None:
            tx.insert("person", {"person_id": "op1", "display_name": "op1", "roles": '["operator"]', "active": True})
    return AlertDesk(register, clock, folder, channels)


def put(desk: AlertDesk, subject: str, severity: str = "HIGH") -> str:
    with desk.register.transaction() as tx:
        words = (f"{subject} is missing", f"{subject} 缺失")
        return put_alert(tx, "system", "FILE_MISSING", subject, date(2019, 12, 30), words, severity, "P001", "1")


def test_an_sms_is_taken_once_however_often_it_is_handed_over(both: tuple[SmsServer, MailServer]) -> None:
    server, _ = both
    gateway = server.channel()
    proofs = {gateway.send(MESSAGE).proof for _ in range(3)}
    assert proofs == {"202 N1"}
    (taken,) = server.taken()
    assert (taken["to"], taken["text"], taken["key"]) == (MESSAGE.address, MESSAGE.text, MESSAGE.message_id)
    assert {one["token"] for one in server.asked()} == {"Bearer token-1"}


@pytest.mark.parametrize(
    ("mode", "error"),
    [
        ("503", RetryLater),
        ("401", RetryLater),
        ("302", RetryLater),
        ("slow", AnswerLost),
        ("lost", AnswerLost),
        ("drop", AnswerLost),
    ],
)
def test_an_sms_gateway_that_says_nothing_of_the_message(
    both: tuple[SmsServer, MailServer], mode: str, error: type[Exception]
) -> None:
    server, _ = both
    server.be(mode)
    with pytest.raises(error) as raised:
        server.channel(timeout_seconds=1).send(MESSAGE)
    assert type(raised.value) is error
    server.be("ok")
    assert server.channel().send(MESSAGE).proof and len(server.taken()) == 1


@pytest.mark.parametrize(("mode", "later"), [("400", False), ("422", False), ("429", True)])
def test_an_sms_gateway_that_refuses_the_message(both: tuple[SmsServer, MailServer], mode: str, later: bool) -> None:
    server, _ = both
    server.be(mode)
    answer = server.channel().send(MESSAGE)
    assert (answer.proof, answer.later) == ("", later) and mode in answer.why and server.taken() == []


def test_an_sms_gateway_that_is_not_there(both: tuple[SmsServer, MailServer]) -> None:
    server, _ = both
    server.stop()
    with pytest.raises(RetryLater) as raised:
        server.channel().send(MESSAGE)
    assert not isinstance(raised.value, AnswerLost)


def test_a_mail_arrives_whole_under_its_message_id(both: tuple[SmsServer, MailServer]) -> None:
    _, server = both
    answer = server.channel().send(TO_MAIL)
    (mail,) = server.box.got
    assert (
        mail["Message-ID"] == f"<{TO_MAIL.message_id}@bank.test>" and mail["Message-ID"] in answer.proof and "M1" in answer.proof
    )
    assert (mail["Subject"], mail.get_content().replace("\r\n", "\n"), mail["To"]) == (
        TO_MAIL.subject,
        TO_MAIL.text,
        TO_MAIL.address,
    )
    assert server.box.senders == ["alerts@bank.test"]


@pytest.mark.parametrize(("mode", "later"), [("451", True), ("550", False)])
def test_a_mail_server_that_refuses_the_recipient(both: tuple[SmsServer, MailServer], mode: str, later: bool) -> None:
    _, server = both
    server.box.mode = mode
    answer = server.channel().send(TO_MAIL)
    assert (answer.proof, answer.later, server.box.got) == ("", later, []) and mode in answer.why


def test_a_mail_server_that_is_away_or_hangs_up_over_the_mail(both: tuple[SmsServer, MailServer]) -> None:
    _, server = both
    server.box.mode = "lost"
    with pytest.raises(AnswerLost):
        server.channel().send(TO_MAIL)
    server.stop()
    with pytest.raises(RetryLater) as raised:
        server.channel().send(TO_MAIL)
    assert not isinstance(raised.value, AnswerLost)


def test_mail_goes_encrypted_to_a_server_whose_certificate_is_trusted_and_to_no_other(tmp_path: Path) -> None:
    good, other = certificate(tmp_path / "good"), certificate(tmp_path / "other")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(good)
    server = MailServer.new(context).start()
    try:
        assert server.channel(str(good)).send(TO_MAIL).proof and len(server.box.got) == 1
        with pytest.raises(RetryLater, match="CERTIFICATE_VERIFY_FAILED"):
            server.channel(str(other)).send(TO_MAIL)
        assert len(server.box.got) == 1
    finally:
        server.stop()


def certificate(path: Path) -> Path:
    """A file with a key and a certificate for localhost that it signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True).sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    return path


def test_outage_drill_hours_away_lose_and_double_nothing(
    both: tuple[SmsServer, MailServer], tmp_path: Path, record_property: pytest.RecordProperty
) -> None:
    """Both gateways go away for six hours while alerts go on; they come back sick, then well. What was to be told is told once."""
    sms, mail = both
    clock = SetClock(MORNING)
    desk = desk_at(tmp_path, clock, {Channel.SMS: sms.channel(1), Channel.MAIL: mail.channel()})
    desk.name_everybody()
    log: list[str] = []
    numbers: list[str] = []

    def look(what: str) -> None:
        done = desk.send()
        for number in numbers:  # somebody is at the page all the time: nothing is passed on
            acknowledge(desk.register, "op1", number)
        away = ",".join(sorted(done.away)) or "-"
        log.append(
            f"{clock.now():%H:%M} {what:<28} sent {done.sent:>3} waiting {done.waiting:>3} away {away:<8} "
            f"SMS at telephones {len(sms.taken()):>3} mails in boxes {len(mail.box.got):>3}"
        )

    numbers.append(put(desk, "before"))
    look("both are there")
    sms.stop()
    mail.stop()
    for half_hour in range(_HALF_HOURS):
        numbers.append(put(desk, f"F{half_hour:02d}"))
        look("both are away")
        clock.forward(minutes=30)
    assert (len(sms.taken()), len(mail.box.got)) == (1, 1)
    waiting = desk.messages(state="QUEUED")
    assert len(waiting) == 2 * _HALF_HOURS
    sms.start()
    mail.start()
    sms.be("mixed")  # hangs up before and after it took one, 503, well: by turns
    for _ in range(8):
        clock.forward(minutes=20)
        look("SMS is there, and sick")
    sms.be("ok")
    clock.forward(hours=1)
    look("both are well")
    assert desk.messages(state="QUEUED") == desk.messages(state="FAILED") == []
    wanted = {"before", *(f"F{half_hour:02d}" for half_hour in range(_HALF_HOURS))}
    texts = [taken["text"].split()[0] for taken in sms.taken()]
    assert Counter(texts) == Counter(wanted), "each SMS once"
    told = [str(one["Subject"]) + one.get_content() for one in mail.box.got]
    assert len(told) == _HALF_HOURS + 1 and all(sum(f"{subject} is missing" in text for text in told) == 1 for subject in wanted)
    assert {taken["to"] for taken in sms.taken()} == {PHONES["operator"]}
    assert all(row["proof"] and row["sent_at"] for row in desk.messages(state="SENT"))
    assert len(sms.asked()) > len(sms.taken()), "some were handed over more than once"
    record_property("outage drill", "\n".join(log))
    report = os.environ.get("OUTAGE_TRANSCRIPT")
    if report:
        Path(report).write_text("\n".join(log) + "\n", encoding="utf-8")


class DiesBehind:
    """The real gateway, in a process that stops right after it took the message."""

    def __init__(self, gateway: MessageChannel) -> None:
        self._gateway, self.repeats_safely = gateway, gateway.repeats_safely

    def send(self, message: LeavingMessage) -> Answer:
        self._gateway.send(message)
        os._exit(9)


def send_and_die(folder: Path, clock: SetClock, channels: Mapping[Channel, MessageChannel]) -> None:
    child = os.fork()
    if child == 0:
        desk_at(folder, clock, channels).send()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 9


def test_killed_between_sending_and_saying_so(both: tuple[SmsServer, MailServer], tmp_path: Path) -> None:
    """An SMS is one; of a mail SMTP cannot tell: it comes twice under one Message-ID, and the register counts the doubt."""
    sms, mail = both
    clock = SetClock(MORNING)
    channels: dict[Channel, MessageChannel] = {Channel.SMS: sms.channel(), Channel.MAIL: mail.channel()}
    desk = desk_at(tmp_path, clock, channels)
    desk.name_everybody()
    put(desk, "F1")
    desk.register.close()
    for channel in (Channel.SMS, Channel.MAIL):
        send_and_die(tmp_path, clock, channels | {channel: DiesBehind(channels[channel])})
    desk = desk_at(tmp_path, clock, channels)
    assert len(desk.messages(state="SENT")) == 2  # the page, and the SMS that the second process handed over again
    assert desk.send().sent == 1
    rows = {row["channel"]: row for row in desk.messages()}
    assert {row["state"] for row in rows.values()} == {"SENT"}
    assert len(sms.asked()) == 2 and len(sms.taken()) == 1 and rows["SMS"]["in_doubt"] == 0
    assert rows["MAIL"]["in_doubt"] == 1
    # The mail server of this test runs in the parent alone, so the child's mail is in the same box.
    assert len({one["Message-ID"] for one in mail.box.got}) == 1 and len(mail.box.got) == 2


def test_two_instances_give_one_gateway_different_numbers(both: tuple[SmsServer, MailServer], tmp_path: Path) -> None:
    sms, mail = both
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        desk = desk_at(tmp_path / name, SetClock(MORNING), {Channel.SMS: sms.channel(), Channel.MAIL: mail.channel()})
        desk.name_everybody()
        put(desk, "F1")
        desk.send()
    assert len(sms.taken()) == 2
