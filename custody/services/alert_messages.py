"""Telling people of alerts: each happening becomes a message for each recipient and channel that the rules name, and messages leave
when they may (domain.md §8).

A happening and the messages about it are rows of the register, so a gateway that is away loses nothing. A message's id and words are
fixed before it is first handed over, and it is said in the register that a try begins. So a crash in between leaves a message that is
handed over again under the same id: an SMS gateway that knows the id takes it once, a file's name is written once; SMTP knows no such
thing, so such a mail may come twice, under one Message-ID, and the row counts it (``in_doubt``). One process at a time sends.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from custody.alert_rules import (
    OUTSIDE,
    AlertRules,
    Channel,
    Mode,
    Route,
    Whom,
    contract_terms,
    is_disclosed_never,
    weight,
)
from custody.alert_words import Told, notice, render
from custody.calendar import CHINA, SettlementCalendar, custody_date_of
from custody.errors import AnswerLost, RetryLater
from custody.masking import mask
from custody.ports import Answer, LeavingMessage, MessageChannel, RegisterTx, Row, Secrets
from custody.services.access import check_permission
from custody.services.alerts import (
    ACKNOWLEDGED,
    ENDED,
    NOT_CLOSED,
    OPEN,
    PASSED_ON,
    REOPENED,
    SEEN,
    SHUT,
    put_alert,
    record,
)
from custody.services.calendars import settlement_calendar
from custody.services.organisations import party
from custody.services.outbound import ExchangePorts, doubled, queue_answer
from custody.services.party_contacts import BANK, REGULATOR, address_of

QUEUED, SENT, FAILED = "QUEUED", "SENT", "FAILED"
MESSAGE_STATES = (QUEUED, SENT, FAILED)
ACTION = "alert.send"
UNDELIVERED = "ALERT_UNDELIVERED"
_AT_ONCE = 200


@dataclass(frozen=True)
class RetryPolicy:
    """When a message that failed is tried again (the first delay doubles up to the longest), and when it is given up."""

    first: timedelta
    longest: timedelta
    give_up: timedelta

    def delay(self, failed: int) -> timedelta:
        return doubled(self.first, self.longest, failed)


@dataclass(frozen=True)
class AlertPorts:
    """What telling people works over. ``rules``: those in force; ``phone_of``: of a customer's sub-account, None where none is known;
    ``channels``: the gateways; ``bank``: its name, which begins what a message says."""

    exchange: ExchangePorts
    secrets: Secrets
    rules: Callable[[RegisterTx], AlertRules]
    phone_of: Callable[[str], str | None]
    channels: Mapping[Channel, MessageChannel]
    policy: RetryPolicy
    bank: str

    def now(self) -> datetime:
        return self.exchange.clock.now().astimezone(CHINA)


@dataclass
class Sending:
    """What one look came to. ``away``: channels whose gateway is away; ``unreachable``: messages that have nobody to go to; ``later``:
    that wait for their time."""

    passed_on: int = 0
    queued: int = 0
    sent: int = 0
    failed: int = 0
    waiting: int = 0
    unreachable: int = 0
    away: dict[str, str] = field(default_factory=dict)


def send_alerts(ports: AlertPorts, actor: str) -> Sending:
    """Pass on what nobody answered in time, queue what people are to be told, and hand over what may go. Repeating is harmless.

    The caller holds the right to send: two at once would hand messages over twice. Raises NotPermitted; StopRun and CalendarUnknown
    as the rules and the calendar do.
    """
    register = ports.exchange.register
    check_permission(register, actor, ACTION, "alerts")
    done = Sending()
    with register.transaction() as tx:
        rules, calendar = ports.rules(tx), settlement_calendar(tx)
        done.passed_on = pass_on(tx, actor, rules, ports.now())
    while True:
        with register.transaction() as tx:
            count = _queue_some(tx, _Plan(ports, rules, calendar, ports.now()), done)
        if count < _AT_ONCE:
            break
    for channel in (Channel.FILE, Channel.SMS, Channel.MAIL):
        _Channel(ports, actor, channel, done).send()
    with register.transaction() as tx:
        done.waiting = sum(tx.count("alert_message", ["state"], state=QUEUED).values())
    return done


def pass_on(tx: RegisterTx, actor: str, rules: AlertRules, now: datetime) -> int:
    """What was not answered in time is the next duty's; what was answered and not closed, or closed though it lasts, is open again."""
    moved = 0
    for row in tx.find("alert", ("alert_id",), state=ACKNOWLEDGED, answer_by=None):
        days = rules.for_alert(row["rule"])[1].reopen_days
        tx.update("alert", {"alert_id": row["alert_id"]}, {"answer_by": _text(now + timedelta(days=days))})
    due: list[Row] = []
    while page := tx.page("alert", ["alert_id"], len(due), _AT_ONCE, {"answer_by": _text(now)}):
        due += page
    for row in due:
        terms = rules.for_alert(row["rule"])[1]
        key = {"alert_id": row["alert_id"]}
        if row["state"] == OPEN:
            if row["turn"] + 1 >= len(terms.turns):
                tx.update("alert", key, {"answer_by": None})  # the last one's: the page shows that nobody answered
                continue
            turn = {"turn": row["turn"] + 1, "duty": terms.turns[row["turn"] + 1], "answer_by": None}
            tx.update("alert", key, turn)
            record(tx, actor, row, PASSED_ON, (row["words_en"], row["words_zh"]))
        elif row["state"] == ACKNOWLEDGED:
            words = (
                f"acknowledged by {row['acknowledged_by']}, and not closed since",
                f"{row['acknowledged_by']} 已确认，至今未办结",
            )
            _open_again(tx, actor, row, words)
        elif row["closed_seen_on"] is not None and (row["last_seen_on"] - row["closed_seen_on"]).days >= terms.reopen_days:
            by = row["closed_by"]
            words = (f"closed by {by}, and found still on {row['last_seen_on']}", f"{by} 已关闭，{row['last_seen_on']} 仍存在")
            _open_again(tx, actor, row, words)
        else:
            tx.update("alert", key, {"answer_by": None})
            continue
        moved += 1
        tx.audit(actor, "alert.pass_on", row["alert_id"], {"rule": row["rule"], "subject": row["subject"], "from": row["state"]})
    return moved


def _open_again(tx: RegisterTx, actor: str, row: Row, words: tuple[str, str]) -> None:
    change: Row = {"state": OPEN, "turn": 0, "duty": None, "answer_by": None, **NOT_CLOSED}
    tx.update("alert", {"alert_id": row["alert_id"]}, change)
    record(tx, actor, row, REOPENED, words)


def _queue_some(tx: RegisterTx, plan: _Plan, done: Sending) -> int:
    """Queue messages of at most so many happenings; returns how many there were."""
    events = tx.page("alert_event", ["event_no"], 0, _AT_ONCE, told=False)
    ids = sorted({event["alert_id"] for event in events})
    of = {row["alert_id"]: row for row in tx.find("alert", alert_id=ids)} if ids else {}
    for event in events:
        done.queued += plan.queue(tx, event, of[event["alert_id"]])
    tx.update_all("alert_event", "event_no", {event["event_no"]: {"told": True} for event in events})
    return len(events)


@dataclass(frozen=True)
class Target:
    """One recipient, the way he is told, and in which languages."""

    whom: str
    recipient: str
    contact: str
    channel: str
    languages: str
    mode: str

    def columns(self) -> Row:
        return {name: str(value) for name, value in vars(self).items()}


class Routes:
    """Whom the rules of a date name for what happens to an alert."""

    def __init__(self, rules: AlertRules) -> None:
        self._rules = rules

    def targets(self, tx: RegisterTx, event: Row, alert: Row) -> Iterable[Target]:
        """Of a happening (its kind and severity) to an alert, whose turn it is."""
        terms = self._rules.for_alert(alert["rule"])[1]
        duty = terms.turns[min(alert["turn"], len(terms.turns) - 1)]
        passed_on = event["event"] == PASSED_ON
        for route in terms.to:
            if weight(event["severity"]) < weight(route.least) or (passed_on and route.whom != Whom.DUTY):
                continue
            if is_disclosed_never(alert["rule"], route.whom, self._rules.secrecy):
                continue
            found = self._recipient(tx, route, alert, duty)
            if found is None:
                continue
            recipient, languages = found
            # What was not answered does not wait for the next digest once more.
            mode = Mode.IMMEDIATE if passed_on else route.mode
            for channel in route.channels:
                yield Target(str(route.whom), recipient, route.contact, str(channel), "+".join(languages), str(mode))

    def _recipient(self, tx: RegisterTx, route: Route, alert: Row, duty: str) -> tuple[str, tuple[str, ...]] | None:
        """(recipient, languages); None for whom the platform's contract does not name, or where there is none."""
        if route.whom not in OUTSIDE:
            return duty, route.languages
        of = party(tx, alert["platform"], alert["last_seen_on"]) if alert["platform"] else None
        if of is None:
            return None
        to, languages = contract_terms(of.contract)
        if route.whom not in to:
            return None
        recipient = {Whom.PLATFORM: of.party, Whom.REGULATOR: REGULATOR, Whom.CUSTOMER: customer_of(alert)}[route.whom]
        return None if recipient is None else (recipient, languages or route.languages)


class _Plan:
    """Who is told of what, at one moment."""

    def __init__(self, ports: AlertPorts, rules: AlertRules, calendar: SettlementCalendar, now: datetime) -> None:
        self._ports, self._rules, self._calendar, self._now = ports, rules, calendar, now

    def queue(self, tx: RegisterTx, event: Row, alert: Row) -> int:
        """Returns how many messages it became, those included that another happening waits in already."""
        if event["event"] in (ENDED, SHUT):
            targets = told_so_far(tx, alert["alert_id"])
        elif event["event"] == SEEN:
            targets = []
        else:
            targets = list(Routes(self._rules).targets(tx, event, alert))
        starts = [self._put(tx, target, event) for target in targets]
        if alert["state"] == OPEN and event["event"] not in (ENDED, SHUT, SEEN):
            self._wait_for(
                tx,
                alert,
                [
                    at
                    for target, at in zip(targets, starts, strict=True)
                    if target.whom == Whom.DUTY and target.channel != Channel.PAGE
                ],
            )
        return len(targets)

    def _wait_for(self, tx: RegisterTx, alert: Row, starts: Sequence[datetime]) -> None:
        """Whose turn it is has so many minutes from when he could first know, by a message or else by the page."""
        terms = self._rules.for_alert(alert["rule"])[1]
        turn = min(alert["turn"], len(terms.turns) - 1)
        until = min(starts, default=self._now) + timedelta(minutes=terms.minutes[alert["severity"]])
        tx.update("alert", {"alert_id": alert["alert_id"]}, {"turn": turn, "duty": terms.turns[turn], "answer_by": _text(until)})

    def _put(self, tx: RegisterTx, target: Target, event: Row) -> datetime:
        """Into a message that waits and has not been tried, else into one of its own; returns when that may go."""
        waits = self._waiting(tx, target, event["alert_id"])
        if waits is None:
            severity = event["severity"]
            start = self._rules.not_before(Channel(target.channel), Mode(target.mode), severity, self._now, self._calendar)
            waits = {**self._new(target, event, start)}
            tx.insert("alert_message", waits)
        elif weight(event["severity"]) > weight(waits["severity"]):
            start = self._rules.not_before(
                Channel(target.channel), Mode(target.mode), event["severity"], self._now, self._calendar
            )
            waits |= {"severity": event["severity"], "not_before": min(waits["not_before"], _text(start))}
            tx.update(
                "alert_message", {"message_id": waits["message_id"]}, {name: waits[name] for name in ("severity", "not_before")}
            )
        told = {"message_id": waits["message_id"], "event_no": event["event_no"], "alert_id": event["alert_id"]}
        tx.insert("alert_told", told)
        return datetime.fromisoformat(waits["not_before"])

    def _waiting(self, tx: RegisterTx, target: Target, alert_id: str) -> Row | None:
        if target.channel == Channel.PAGE:
            return None
        same = target.columns() | {"state": QUEUED, "body": None}
        if target.mode == Mode.DIGEST:
            return next(iter(tx.find("alert_message", ("queued_at", "message_id"), **same)), None)
        ids = [told["message_id"] for told in tx.find("alert_told", alert_id=alert_id)]
        return next(iter(tx.find("alert_message", ("queued_at", "message_id"), message_id=ids, **same)), None) if ids else None

    def _new(self, target: Target, event: Row, start: datetime) -> Row:
        # Keyed, so that no two instances give one gateway the same number.
        number = "|".join((str(event["event_no"]), event["alert_id"], *target.columns().values()))
        now = _text(self._now)
        row: Row = {
            "message_id": self._ports.secrets.index_digest("alert_message", number), **target.columns(), "severity": event["severity"],
            "state": QUEUED, "queued_at": now, "not_before": _text(start), "attempts": 0, "in_doubt": 0, "gateway_away": False,
        }  # fmt: skip
        if target.channel == Channel.PAGE:  # the row is the page's
            row |= {"state": SENT, "sent_at": now, "proof": "page"}
        return row


def told_so_far(tx: RegisterTx, alert_id: str) -> list[Target]:
    """Whoever was told of an alert, or waits to be."""
    ids = [told["message_id"] for told in tx.find("alert_told", alert_id=alert_id)]
    rows = tx.find("alert_message", ("queued_at", "message_id"), message_id=ids) if ids else []
    names = ("whom", "recipient", "contact", "channel", "languages", "mode")
    return list(dict.fromkeys(Target(**{name: row[name] for name in names}) for row in rows if row["state"] != FAILED))


def customer_of(alert: Row) -> str | None:
    """The sub-account whose owner an alert is about."""
    borrower = json.loads(alert["figures"]).get("borrower")
    return borrower if isinstance(borrower, str) else None


class _Channel:
    """One channel's turn: the gravest first. While its gateway is away one message in each look tries it; what waits goes as soon as one
    comes through."""

    def __init__(self, ports: AlertPorts, actor: str, channel: Channel, done: Sending) -> None:
        self._ports, self._actor, self._channel, self._done = ports, actor, channel, done

    def send(self) -> None:
        now = self._ports.now()
        with self._ports.exchange.register.transaction() as tx:
            rows = tx.find("alert_message", ("queued_at", "message_id"), state=QUEUED, channel=str(self._channel))
        rows = [row for row in rows if row["not_before"] <= _text(now)]
        rows.sort(key=lambda row: -weight(row["severity"]))
        due = [row for row in rows if row["next_attempt_at"] is None or row["next_attempt_at"] <= _text(now)]
        kept_back = [row for row in rows if row not in due and row["gateway_away"]]
        came_through = False
        try:
            for row in due:
                came_through |= self._hand_over(row["message_id"])
            for row in kept_back if came_through else ():
                self._hand_over(row["message_id"])
        except RetryLater as away:
            self._done.away[str(self._channel)] = str(away)

    def _hand_over(self, message_id: str) -> bool:
        """Whether it came through. Raises RetryLater when the gateway is away, which is noted."""
        row = self._begin(message_id)
        if row is None:
            return False
        if self._channel == Channel.FILE:
            self._done.sent += 1
            return True
        address = self._address(row)
        if address is None:
            self._done.unreachable += 1
            self._failed(row, f"nobody to go to: {_who_to_name(row)}", later=True)
            return False
        gateway = self._ports.channels[self._channel]
        try:
            answer = gateway.send(LeavingMessage(message_id, address, row["subject"], row["body"]))
        except RetryLater as away:
            doubt = isinstance(away, AnswerLost) and not gateway.repeats_safely
            self._failed(row, str(away), later=True, away=True, doubt=doubt)
            raise
        if answer.proof:
            self._sent(row, answer, address)
            return True
        self._failed(row, answer.why, later=answer.later)
        return False

    def _begin(self, message_id: str) -> Row | None:
        """Fix what it says, and say that a try begins; a file is queued with that. None when another has it done already."""
        now = self._ports.now()
        with self._ports.exchange.register.transaction() as tx:
            row = tx.get("alert_message", message_id=message_id)
            if row is None or row["state"] != QUEUED:
                return None
            told = told_in(tx, message_id)
            change: Row = {"tried_at": _text(now)}
            if row["body"] is None:
                words = render(row["whom"], row["channel"], row["languages"].split("+"), told, self._ports.bank)
                change |= {"subject": words.subject, "body": words.text}
            gateway = self._ports.channels.get(self._channel)
            if row["tried_at"] is not None and gateway is not None and not gateway.repeats_safely:
                change["in_doubt"] = row["in_doubt"] + 1  # we died over it: it may have left
            if self._channel == Channel.FILE:
                change |= self._as_file(tx, row, told, now)
            tx.update("alert_message", {"message_id": message_id}, change)
            return row | change

    def _as_file(self, tx: RegisterTx, row: Row, told: Sequence[Told], now: datetime) -> Row:
        """Its delivery is custody.services.deliveries' from here on; both are one transaction, so it is queued once."""
        to = row["recipient"]
        data = (json.dumps(notice(to, row["message_id"], told), ensure_ascii=False, indent=1) + "\n").encode()
        on = custody_date_of(datetime.fromisoformat(row["not_before"]))
        name = queue_answer(tx, self._ports.exchange, to, f"{to}_ALERT_NOTICE_{on:%Y%m%d}_{row['message_id'][:8]}_v1", data)
        tx.audit(self._actor, "alert.message", row["message_id"], {"channel": "FILE", "to": to, "file": name})
        return {
            "state": SENT,
            "sent_at": _text(now),
            "tried_at": None,
            "address": f"{to}/out",
            "proof": name,
            "last_reason": None,
        }

    def _address(self, row: Row) -> str | None:
        """In clear; it stays here."""
        field_name = "phone" if self._channel == Channel.SMS else "mail"
        if row["whom"] == Whom.CUSTOMER:
            return self._ports.phone_of(row["recipient"])
        place, role = {
            Whom.DUTY: (BANK, row["recipient"].upper()),
            Whom.REGULATOR: (REGULATOR, REGULATOR),
            Whom.PLATFORM: (row["recipient"], row["contact"]),
        }[Whom(row["whom"])]
        with self._ports.exchange.register.transaction() as tx:
            contact = address_of(tx, self._ports.secrets, place, role)
        return None if contact is None else str(getattr(contact, field_name))

    def _sent(self, row: Row, answer: Answer, address: str) -> None:
        change = {
            "state": SENT, "sent_at": _text(self._ports.now()), "tried_at": None, "proof": answer.proof, "address": masked(address),
            "next_attempt_at": None, "last_reason": None, "gateway_away": False,
        }  # fmt: skip
        with self._ports.exchange.register.transaction() as tx:
            tx.update("alert_message", {"message_id": row["message_id"]}, change)
            tx.audit(
                self._actor,
                "alert.message",
                row["message_id"],
                {"channel": row["channel"], "whom": row["whom"], "proof": answer.proof},
            )
        self._done.sent += 1

    def _failed(self, row: Row, why: str, later: bool, away: bool = False, doubt: bool = False) -> None:
        now, attempts = self._ports.now(), row["attempts"] + 1
        policy = self._ports.policy
        over = not later or now - datetime.fromisoformat(row["not_before"]) > policy.give_up
        change: Row = {
            "attempts": attempts, "last_reason": why, "tried_at": None, "gateway_away": away, "in_doubt": row["in_doubt"] + doubt,
            "state": FAILED if over else QUEUED, "next_attempt_at": None if over else _text(now + policy.delay(attempts)),
        }  # fmt: skip
        with self._ports.exchange.register.transaction() as tx:
            tx.update("alert_message", {"message_id": row["message_id"]}, change)
            if over:
                self._done.failed += 1
                self._tell_the_desk(tx, row, why)

    def _tell_the_desk(self, tx: RegisterTx, row: Row, why: str) -> None:
        """One alert for each recipient, channel and day."""
        on = custody_date_of(self._ports.now())
        place = f"{row['whom']}|{row['recipient']}|{row['channel']}"
        words = (
            f"a message by {row['channel']} to {row['whom']} {row['recipient']} was given up: {why}",
            f"发给 {row['whom']} {row['recipient']} 的 {row['channel']} 通知已放弃：{why}",
        )
        put_alert(tx, self._actor, UNDELIVERED, place, on, words, "HIGH", "", on.isoformat())
        tx.audit(self._actor, "alert.given_up", row["message_id"], {"channel": row["channel"], "whom": row["whom"], "why": why})


def told_in(tx: RegisterTx, message_id: str) -> list[Told]:
    """What a message tells of, in order."""
    numbers = [told["event_no"] for told in tx.find("alert_told", message_id=message_id)]
    events = tx.find("alert_event", ("event_no",), event_no=numbers)
    of = {row["alert_id"]: row for row in tx.find("alert", alert_id=sorted({event["alert_id"] for event in events}))}
    return [Told(event, of[event["alert_id"]]) for event in events]


def messages(tx: RegisterTx, alert_id: str | None = None, **equals: object) -> list[Row]:
    """Of one alert or of all, oldest first; a condition that is empty does not restrict."""
    wanted: dict[str, object] = {name: value for name, value in equals.items() if value}
    if alert_id is not None:
        wanted["message_id"] = [told["message_id"] for told in tx.find("alert_told", alert_id=alert_id)]
        if not wanted["message_id"]:
            return []
    return tx.find("alert_message", ("queued_at", "message_id"), **wanted)


def masked(address: str) -> str:
    """A telephone number or mail address as the register keeps it beside what was sent."""
    name, at, host = address.partition("@")
    return f"{name[:1]}***@{host}" if at else mask(address)


def _who_to_name(row: Row) -> str:
    if row["whom"] == Whom.CUSTOMER:
        return "no telephone number of the customer is known"
    place, role = (
        (BANK, row["recipient"].upper()) if row["whom"] == Whom.DUTY else (row["recipient"], row["contact"] or REGULATOR)
    )
    return f"custody org contact set {place} {role} --name ... --phone ... --mail ..."


def _text(moment: datetime) -> str:
    return moment.astimezone(CHINA).isoformat(timespec="microseconds")
