"""Changed rules of alerts on past alerts: who would have been told, by what and when, beside who is by the rules as they are.

Both sides are reckoned the same way, from what happened to the alerts (raised, graver, answered, closed, ended, open again), as if the sender
looked at each moment at once: what was passed on because nobody answered follows from the rules, so it is reckoned, not read. Nothing is
written. Nobody's address is looked up and no customer is named.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from custody.alert_rules import ALERT_FORMS, AlertRules, Channel, Mode, Whom
from custody.calendar import CHINA, SettlementCalendar
from custody.match_rules import Rule, RuleBook, RuleSet
from custody.ports import RegisterTx, Row
from custody.rule_trial import APPEARS, VANISHES
from custody.services.alert_messages import Routes, Target
from custody.services.alerts import ENDED, GRAVER, PASSED_ON, RAISED, REOPENED, SEEN, SHUT
from custody.services.calendars import settlement_calendar

# The same person is told by the same way, at another moment.
WHEN = "WHEN"
_TELLS = (RAISED, GRAVER, REOPENED)
_EXAMPLES = 5


@dataclass(frozen=True)
class Telling:
    """Somebody told of something once. ``which``: of an alert's happenings of one kind the first, second, …; ``when``: not before."""

    alert_id: str
    event: str
    which: int
    whom: str
    recipient: str
    channel: str
    when: datetime
    languages: str

    @property
    def same(self) -> tuple[str, str, int, str, str, str]:
        """What tells it from any other telling of the same history."""
        return self.alert_id, self.event, self.which, self.whom, self.recipient, self.channel


RulesAt = Callable[[date], AlertRules]


def try_alert_rules(tx: RegisterTx, book: RuleBook, changed: Sequence[Rule], first: date, last: date) -> list[dict[str, Any]]:
    """For each custody date from ``first`` to ``last`` and platform of alerts raised then: what would be told, no more, or at another time, by
    alert, recipient and way. Raises BadDeclaration, as the rules together may not be; CalendarUnknown."""
    calendar = settlement_calendar(tx)
    alerts = [row for row in tx.find("alert", ("raised_on", "alert_id")) if first <= row["raised_on"] <= last]
    events: dict[str, list[Row]] = defaultdict(list)
    for start in range(0, len(alerts), 500):
        ids = [row["alert_id"] for row in alerts[start : start + 500]]
        for event in tx.find("alert_event", ("event_no",), alert_id=ids):
            events[event["alert_id"]].append(event)
    histories = [(row, events[row["alert_id"]]) for row in alerts]
    rules_of = _memory(lambda on: book.rules_on(on).alerts)
    tried_of = _memory(lambda on: _with(book, changed, on))
    before = {one.same: one for one in _told(tx, histories, rules_of, calendar)}
    after = {one.same: one for one in _told(tx, histories, tried_of, calendar)}
    return _difference({row["alert_id"]: row for row in alerts}, before, after)


def _memory(rules: RulesAt) -> RulesAt:
    known: dict[date, AlertRules] = {}

    def of(on: date) -> AlertRules:
        if on not in known:
            known[on] = rules(on)
        return known[on]

    return of


def _with(book: RuleBook, changed: Sequence[Rule], on: date) -> AlertRules:
    """The rules of a date with the changed ones in the place of their earlier versions, as if they had always been."""
    ids = {rule.rule_id for rule in changed}
    kept = [rule for rule in book.rules_on(on).rules if rule.rule_id not in ids]
    rules = [*kept, *(rule for rule in changed if not rule.withdrawn)]
    whole = RuleSet(on, tuple(sorted(rules, key=lambda r: (r.form, r.relation or "", r.priority, r.rule_id))))
    return whole.alerts


def _told(
    tx: RegisterTx, histories: Iterable[tuple[Row, list[Row]]], rules_at: RulesAt, calendar: SettlementCalendar
) -> Iterator[Telling]:
    for alert, events in histories:
        yield from _History(tx, alert, rules_at, calendar).tellings(events)


class _History:
    """One alert from its beginning."""

    def __init__(self, tx: RegisterTx, alert: Row, rules_at: RulesAt, calendar: SettlementCalendar) -> None:
        self._tx, self._alert, self._rules_at, self._calendar = tx, dict(alert), rules_at, calendar
        self._so_far: dict[Target, None] = {}
        self._deadline: datetime | None = None
        self._times: dict[str, int] = defaultdict(int)

    def tellings(self, events: Sequence[Row]) -> Iterator[Telling]:
        """Passed on is reckoned up to the last thing that happened."""
        for event in events:
            now = datetime.fromisoformat(event["at"]).astimezone(CHINA)
            yield from self._passed_on(now)
            kind = event["event"]
            if kind in _TELLS:
                self._alert |= {"turn": 0, "severity": event["severity"]}
                yield from self._tell(kind, event["severity"], now)
            elif kind in (ENDED, SHUT):
                yield from self._each(kind, event["severity"], now, list(self._so_far))
            if kind in (ENDED, SHUT, SEEN):
                self._deadline = None

    def _passed_on(self, until: datetime) -> Iterator[Telling]:
        while self._deadline is not None and self._deadline <= until:
            now, turn = self._deadline, self._alert["turn"] + 1
            if turn >= len(self._rules(now).for_alert(self._alert["rule"])[1].turns):
                self._deadline = None
                return
            self._alert["turn"] = turn
            yield from self._tell(PASSED_ON, self._alert["severity"], now)

    def _tell(self, kind: str, severity: str, now: datetime) -> Iterator[Telling]:
        rules = self._rules(now)
        targets = list(Routes(rules).targets(self._tx, {"event": kind, "severity": severity}, self._alert))
        self._so_far |= dict.fromkeys(targets)
        told = list(self._each(kind, severity, now, targets))
        starts = [one.when for one in told if one.whom == Whom.DUTY and one.channel != Channel.PAGE]
        minutes = rules.for_alert(self._alert["rule"])[1].minutes[severity]
        self._deadline = min(starts, default=now) + timedelta(minutes=minutes)
        yield from told

    def _each(self, kind: str, severity: str, now: datetime, targets: Sequence[Target]) -> Iterator[Telling]:
        self._times[kind] += 1
        for target in targets:
            channel, mode = Channel(target.channel), Mode(target.mode)
            when = now if channel == Channel.PAGE else self._rules(now).not_before(channel, mode, severity, now, self._calendar)
            recipient = target.recipient if target.whom == Whom.DUTY else ""
            yield Telling(
                self._alert["alert_id"], kind, self._times[kind], target.whom, recipient, target.channel, when, target.languages
            )

    def _rules(self, now: datetime) -> AlertRules:
        return self._rules_at(now.date())


_Same = tuple[str, str, int, str, str, str]


def _difference(
    alerts: Mapping[str, Row], before: Mapping[_Same, Telling], after: Mapping[_Same, Telling]
) -> list[dict[str, Any]]:
    groups: dict[tuple[date, str], dict[tuple[str, ...], list[tuple[Telling | None, Telling | None]]]] = defaultdict(dict)
    for same in sorted({*before, *after}):
        was, would = before.get(same), after.get(same)
        what = APPEARS if was is None else VANISHES if would is None else WHEN if was != would else None
        if what is not None:
            alert = alerts[same[0]]
            _, event, _, whom, recipient, channel = same
            key = what, alert["rule"], event, whom, recipient, channel
            groups[alert["raised_on"], alert["platform"]].setdefault(key, []).append((was, would))
    return [
        {
            "date": on.isoformat(), "platform": platform, "breaks": [], "rows": [],
            "messages": [
                {"what": key[0], "rule": key[1], "event": key[2], "whom": key[3], "recipient": key[4], "channel": key[5], "count": len(pairs),
                 "examples": [_example(was, would) for was, would in pairs[:_EXAMPLES]]}
                for key, pairs in sorted(found.items())
            ],
        }
        for (on, platform), found in sorted(groups.items())
    ]  # fmt: skip


def _example(was: Telling | None, would: Telling | None) -> dict[str, str | None]:
    one = would or was
    assert one is not None
    return {
        "alert": one.alert_id[:12],
        "before": was.when.isoformat(timespec="minutes") if was is not None else None,
        "after": would.when.isoformat(timespec="minutes") if would is not None else None,
    }


def is_of_alerts(rule: Rule) -> bool:
    """Whether a rule says who is told of what."""
    return rule.form in ALERT_FORMS
