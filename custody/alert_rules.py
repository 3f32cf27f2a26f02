"""Who is told of an alert, by what, when, and how long he has to answer: rules of the rule book (schemas/rules/alerts.yaml,
domain.md §8), read strictly.

What no rule may say is refused here: an alert of the anti money laundering kind reaches neither the platform nor the customer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from types import MappingProxyType

from custody.calendar import CHINA, ONE_DAY, SettlementCalendar, at
from custody.declared import BadDeclaration, Declared
from custody.permissions import Duty

SEVERITIES = ("LOW", "MEDIUM", "HIGH", "CRITICAL")
ANY = "*"
# Every alert of this nature is named so; nothing of it is disclosed (domain.md §8), whatever a rule says. CONFIDENTIAL: that something
# waits for the risk officer (jobs/compliance).
AML = "AML_"
CONFIDENTIAL = "CONFIDENTIAL"
# A stretch of quiet hours ends within so many days, or the rules never let anything out.
_LONGEST_QUIET_DAYS = 40


class Whom(StrEnum):
    """DUTY: whoever has the duty whose turn it is; PLATFORM: the party that the alert is about; CUSTOMER: the borrower it names."""

    DUTY = "DUTY"
    PLATFORM = "PLATFORM"
    REGULATOR = "REGULATOR"
    CUSTOMER = "CUSTOMER"


class Channel(StrEnum):
    PAGE = "PAGE"
    MAIL = "MAIL"
    SMS = "SMS"
    FILE = "FILE"


class Mode(StrEnum):
    IMMEDIATE = "IMMEDIATE"
    DIGEST = "DIGEST"


# Those outside the bank are told where the platform's contract names them.
OUTSIDE = (Whom.PLATFORM, Whom.REGULATOR, Whom.CUSTOMER)
DISCLOSED_TO = frozenset({Whom.PLATFORM, Whom.CUSTOMER})
# A file goes to a party's folder and the page is the bank's own; of a customer we know no mail address.
REACHED_BY: Mapping[Whom, frozenset[Channel]] = MappingProxyType(
    {
        Whom.DUTY: frozenset({Channel.PAGE, Channel.MAIL, Channel.SMS}),
        Whom.PLATFORM: frozenset({Channel.FILE, Channel.MAIL, Channel.SMS}),
        Whom.REGULATOR: frozenset({Channel.MAIL, Channel.SMS}),
        Whom.CUSTOMER: frozenset({Channel.SMS}),
    }
)
LANGUAGES = ("zh", "en")
_TURNS = (
    Duty.OPERATOR,
    Duty.SUPERVISOR,
    Duty.RISK_OFFICER,
    Duty.FEE_OFFICER,
    Duty.REPORT_OFFICER,
    Duty.ADMINISTRATOR,
)


def weight(severity: str) -> int:
    """The higher, the graver."""
    return SEVERITIES.index(severity)


@dataclass(frozen=True)
class Route:
    """One recipient of alerts from a severity on; ``contact``: the role in which a party's contact is called, "" for others."""

    whom: Whom
    channels: tuple[Channel, ...]
    mode: Mode
    least: str
    languages: tuple[str, ...]
    contact: str


@dataclass(frozen=True)
class AlertTerms:
    """What holds for the alerts named (a name that ends in ``*`` means all that begin so): who is told; whose turn it is to answer, one
    after the other, each for so many minutes by severity; and after how many days an answer that ended nothing counts no more."""

    alerts: tuple[str, ...]
    turns: tuple[str, ...]
    minutes: Mapping[str, int]
    reopen_days: int
    to: tuple[Route, ...]

    def covers(self, alert: str) -> bool:
        return any(_matches(pattern, alert) for pattern in self.alerts)

    @property
    def words(self) -> tuple[str, str]:
        """(English, Chinese)"""
        told = "; ".join(
            f"{r.whom} {'/'.join(r.channels)} {r.mode.lower()} ≥ {r.least} ({'+'.join(r.languages)})" for r in self.to
        )
        turns = " → ".join(self.turns)
        minutes = ", ".join(f"{level} {n}" for level, n in self.minutes.items())
        names = ", ".join(self.alerts)
        return (
            f"{names}: {told}; turns: {turns}; minutes to answer: {minutes}; reopened after {self.reopen_days} days",
            f"{names}：{told}；处理顺序：{turns}；应答时限（分钟）：{minutes}；{self.reopen_days} 天未办结重新打开",
        )


@dataclass(frozen=True)
class QuietHours:
    """From ``start`` to ``end`` (over midnight where it is the earlier one; equal: all day) on every day or on holidays, what weighs less
    than ``below`` waits on these channels until they end."""

    start: time
    end: time
    on_holidays_only: bool
    below: str
    channels: tuple[Channel, ...]

    def until(self, moment: datetime, calendar: SettlementCalendar) -> datetime | None:
        """When the stretch ends that holds at a moment, UTC+8; None when none does."""
        local = moment.astimezone(CHINA)
        for begun in (local.date() - ONE_DAY, local.date()):
            if self.on_holidays_only and calendar.is_business_day(begun):
                continue
            first = at(begun, self.start)
            last = at(begun, self.end) if self.end > self.start else at(begun + ONE_DAY, self.end)
            if first <= local < last:
                return last
        return None

    @property
    def words(self) -> tuple[str, str]:
        """(English, Chinese)"""
        span, by = f"{self.start:%H:%M}–{self.end:%H:%M}", "/".join(self.channels)
        days = ("on holidays", "休息日") if self.on_holidays_only else ("every day", "每日")
        return (
            f"{span} {days[0]}: {by} below {self.below} waits until then",
            f"{days[1]} {span}：{self.below} 以下的 {by} 推迟至结束后发送",
        )


@dataclass(frozen=True)
class DigestTime:
    """When what may wait goes out together."""

    clock: time
    business_days_only: bool

    def next_after(self, moment: datetime, calendar: SettlementCalendar) -> datetime:
        """Strictly after a moment. Raises CalendarUnknown where the bank's calendar does not reach."""
        day = moment.astimezone(CHINA).date()
        if at(day, self.clock) <= moment or (self.business_days_only and not calendar.is_business_day(day)):
            day = calendar.next_business_day(day) if self.business_days_only else day + ONE_DAY
        return at(day, self.clock)

    @property
    def words(self) -> tuple[str, str]:
        """(English, Chinese)"""
        days = ("on business days", "工作日") if self.business_days_only else ("every day", "每日")
        return f"digests at {self.clock:%H:%M} {days[0]}", f"汇总通知：{days[1]} {self.clock:%H:%M}"


@dataclass(frozen=True)
class Secrecy:
    """Alerts that some never learn of."""

    alerts: tuple[str, ...]
    never: tuple[Whom, ...]

    @property
    def words(self) -> tuple[str, str]:
        """(English, Chinese)"""
        names, whom = ", ".join(self.alerts), ", ".join(self.never)
        return f"{names}: never to {whom}", f"{names}：不得告知 {whom}"


AlertCondition = AlertTerms | QuietHours | DigestTime | Secrecy
ALERT_FORMS = ("alert", "quiet", "digest", "secrecy")
# Entries without which no alert could leave, or one might leave that must not: they may be changed, never withdrawn.
ALERTS_NEEDED = ("alert_secrecy", "alert_digest", "alert_other")


def read_alert_condition(form: str, d: Declared) -> AlertCondition:
    """What an entry of one of ALERT_FORMS says. Raises BadDeclaration."""
    if form == "alert":
        return _terms(d)
    if form == "quiet":
        channels = tuple(Channel(one) for one in _words(d, "channels", (Channel.MAIL, Channel.SMS)))
        only = d.one_of("days", ("EVERY_DAY", "HOLIDAYS")) == "HOLIDAYS"
        return QuietHours(_clock(d, "from"), _clock(d, "until"), only, d.one_of("below", SEVERITIES), channels)
    if form == "digest":
        return DigestTime(_clock(d, "at"), d.one_of("days", ("EVERY_DAY", "BUSINESS_DAYS")) == "BUSINESS_DAYS")
    secret = Secrecy(_patterns(d), tuple(Whom(one) for one in _words(d, "never", tuple(Whom))))
    if f"{AML}{ANY}" in secret.alerts and set(secret.never) >= DISCLOSED_TO:
        return secret
    raise d.wrong(
        f"alerts must list {AML}{ANY} and {CONFIDENTIAL}, never must list {', '.join(sorted(DISCLOSED_TO))}: suspicion of money laundering is disclosed to "
        "neither (domain.md §8); add others, take away none"
    )


def _terms(d: Declared) -> AlertTerms:
    alerts = _patterns(d)
    minutes = d.part("minutes")
    found = {level: _within(minutes, level, 1, 30 * 24 * 60) for level in SEVERITIES}
    minutes.close()
    to = tuple(_route(one) for one in d.parts("to"))
    if not any(route.whom == Whom.DUTY and Channel.PAGE in route.channels for route in to):
        raise d.wrong("to: no DUTY is told on the PAGE: somebody of the bank must see every alert")
    told = {route.whom for route in to} & DISCLOSED_TO
    if told and any(_is_secret(pattern) for pattern in alerts):
        raise d.wrong(f"to: {', '.join(sorted(told))} must not learn of {AML}{ANY}: leave them out (domain.md §8)")
    return AlertTerms(alerts, _words(d, "turns", _TURNS), MappingProxyType(found), _within(d, "reopen_days", 1, 366), to)


def _route(d: Declared) -> Route:
    whom = Whom(d.one_of("whom", tuple(Whom)))
    channels = tuple(Channel(one) for one in _words(d, "channels", tuple(Channel)))
    strange = [str(one) for one in channels if one not in REACHED_BY[whom]]
    if strange:
        raise d.wrong(
            f"channels: {', '.join(strange)} does not reach a {whom}; what does is {', '.join(sorted(REACHED_BY[whom]))}"
        )
    needs_contact = whom == Whom.PLATFORM and any(one in (Channel.MAIL, Channel.SMS) for one in channels)
    route = Route(
        whom,
        channels,
        Mode(d.one_of("when", tuple(Mode))),
        d.one_of("from", SEVERITIES),
        _words(d, "languages", LANGUAGES),
        d.need("contact", str) if needs_contact else "",
    )
    d.close()
    return route


def _patterns(d: Declared) -> tuple[str, ...]:
    found = d.texts("alerts")
    wrong = [one for one in found if not re.fullmatch(r"[A-Z][A-Z0-9_]*\*?|\*", one)]
    if not found or wrong:
        raise d.wrong(f"alerts lists {', '.join(map(repr, wrong)) or 'none'}; write names such as FILE_MISSING, AML_* or *")
    return found


def _words(d: Declared, key: str, known: Iterable[str]) -> tuple[str, ...]:
    known = tuple(str(one) for one in known)
    found = d.texts(key)
    wrong = [one for one in found if one not in known]
    if not found or wrong or len(set(found)) != len(found):
        raise d.wrong(f"{key} lists {', '.join(found) or 'nothing'}; write some of {', '.join(known)}, each once")
    return found


def _within(d: Declared, key: str, least: int, most: int) -> int:
    found = d.need(key, int)
    if isinstance(found, bool) or not least <= found <= most:
        raise d.wrong(f"{key} is {found}; write a whole number from {least} to {most}")
    return found


def _clock(d: Declared, key: str) -> time:
    found = d.need(key, str)
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", found):
        raise d.wrong(f"{key} is {found!r}; write a time of day HH:MM (UTC+8) in quotes")
    return time.fromisoformat(found)


# Of a platform's contract: whom outside the bank its alerts reach ("to"), and in which languages where not in the rule's ("languages").
TERM = "alerts"


def contract_faults(contract: Mapping[str, object]) -> list[str]:
    """What is wrong with a contract's term about alerts, in words."""
    term = contract.get(TERM, {"to": [OUTSIDE[0]]})
    if not isinstance(term, Mapping) or not set(term) <= {"to", "languages"} or "to" not in term:
        return [f'{TERM} must be an object with "to" and, where they are not the rule\'s, "languages"']
    faults = []
    for name, known in (("to", tuple(str(one) for one in OUTSIDE)), ("languages", LANGUAGES)):
        said = term.get(name, list(known))
        if not isinstance(said, (list, tuple)) or not said or not all(one in known for one in said):
            faults.append(f"{TERM}: {name} must list some of {', '.join(known)}")
    return faults


def contract_terms(contract: Mapping[str, object]) -> tuple[frozenset[str], tuple[str, ...]]:
    """(whom outside the bank alerts reach, in which languages: empty where as the rule says). Nobody where the contract names none."""
    term = contract.get(TERM, {})
    assert isinstance(term, Mapping)  # contract_faults demanded it
    return frozenset(term.get("to", ())), tuple(term.get("languages", ()))


def _matches(pattern: str, alert: str) -> bool:
    return alert.startswith(pattern[:-1]) if pattern.endswith(ANY) else alert == pattern


def _is_secret(pattern: str) -> bool:
    """Whether it means some alert of the secret kind; the last rule's ``*`` does too, and is asked of only what no other covers."""
    if pattern == ANY:
        return False
    return pattern.startswith(AML) or any(_matches(pattern, name) for name in (AML, CONFIDENTIAL))


def is_disclosed_never(alert: str, whom: Whom, secrecy: Secrecy) -> bool:
    """Whether somebody must not learn of an alert: by the rule in force, and by law whatever the rule says."""
    by_law = (alert.startswith(AML) or alert == CONFIDENTIAL) and whom in DISCLOSED_TO
    return by_law or (whom in secrecy.never and any(_matches(pattern, alert) for pattern in secrecy.alerts))


@dataclass(frozen=True)
class AlertRules:
    """The rules of alerts in force on a date. ``terms``: (rule and version, what it says), in order of priority."""

    on: date
    terms: tuple[tuple[str, AlertTerms], ...]
    quiet: tuple[QuietHours, ...]
    digest: DigestTime
    secrecy: Secrecy

    @classmethod
    def of(cls, on: date, rules: Iterable[tuple[str, object]]) -> AlertRules:
        """From the (id, condition) of all rules in force, in order of priority. Raises BadDeclaration where a needed one lacks."""
        found = list(rules)
        terms = tuple((name, says) for name, says in found if isinstance(says, AlertTerms))
        quiet = tuple(says for _, says in found if isinstance(says, QuietHours))
        digests = [says for _, says in found if isinstance(says, DigestTime)]
        secrets = [says for _, says in found if isinstance(says, Secrecy)]
        if len(digests) != 1 or len(secrets) != 1 or not any(ANY in says.alerts for _, says in terms):
            raise BadDeclaration(
                f"on {on} alerts need exactly one rule of form digest, one of form secrecy, and one of form alert for {ANY!r}"
            )
        return cls(on, terms, quiet, digests[0], secrets[0])

    def for_alert(self, alert: str) -> tuple[str, AlertTerms]:
        """(rule and version, terms): the first rule that names it."""
        return next((name, says) for name, says in self.terms if says.covers(alert))

    def not_before(self, channel: Channel, mode: Mode, severity: str, now: datetime, calendar: SettlementCalendar) -> datetime:
        """When a message may go: now, with the next digest, or when the quiet hours are over. Raises CalendarUnknown."""
        moment = self.digest.next_after(now, calendar) if mode == Mode.DIGEST else now
        for _ in range(_LONGEST_QUIET_DAYS * max(1, len(self.quiet))):
            ends = [
                end
                for one in self.quiet
                if channel in one.channels
                and weight(severity) < weight(one.below)
                and (end := one.until(moment, calendar)) is not None
            ]
            if not ends:
                break
            moment = max(ends)
        return moment
