"""What contract and calendar promise, held against what came: in time, late or missing (domain.md §5; design.md §2, late).

A date's promises are written down as it begins, by the contracts of that moment. What came keeps them, in the same transaction
in which it is judged; what has not come when its grace is over is called missing, once: bank operations get an alert that says
who, what, since when and what to do, the sender a FILE_NOTICE in his out/. The alert grows graver when the date is cut off without
the file, and closes itself when the file comes.

A file is late when it comes after it was called missing, not by its own clock: nobody is called missing before the sweep has
looked into his folder, so a collector that was down makes no sender late.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from custody.calendar import CHINA, ONE_DAY, CalendarUnknown, SettlementCalendar, at, custody_date_of, dates
from custody.errors import StopRun
from custody.file_life import ANNOUNCED, ARRIVED, EXPECTED, GIVEN_UP, IN_FORCE, LANDED, LATE, MISSING, PROMISE, check_step
from custody.file_schedule import ExpectedFile, expected_on
from custody.party_status import is_awaited
from custody.ports import RegisterTx, Row
from custody.risk_alerts import Severity
from custody.services.access import permitted_transaction
from custody.services.alerts import end_alert, escalate, put_alert
from custody.services.calendars import settlement_calendar
from custody.services.file_moves import Happening, event_row, move_promise, promise_name
from custody.services.files import is_cut_off
from custody.services.organisations import DatedParty, Party, dated_parties, parties
from custody.services.outbound import ExchangePorts, queue_answer
from custody.texts import text

ACTION = "file.collect"
FILE_MISSING = "FILE_MISSING"
# A sweep that was down for so long writes down what it missed; older dates are judged by their cut-off alone.
_LOOK_BACK_DAYS = 7
# An instance whose last cut-off lies further back lives in the past: a sample, or one that catches up. No clock judges its dates.
_KEEPS_PACE_DAYS = 30
# So many promises are judged in one transaction, so that a night without any file holds up nobody.
_AT_ONCE = 100
_KEY = ("party", "file_type", "custody_date", "batch")


@dataclass
class Judged:
    """What one look at the deadlines did. ``missing``: names of what was called missing now; ``graver``: alerts that grew so;
    ``notices``: names of what was queued for the senders; ``unseen``: parties whose promises wait since their folder could not be
    read."""

    opened: int = 0
    missing: list[str] = field(default_factory=list)
    graver: int = 0
    notices: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)


def judge_deadlines(ports: ExchangePorts, actor: str, go_live: date, unseen: Collection[str]) -> Judged:
    """Write down the promises of the dates that have begun, and call missing what is not here when its grace is over.

    ``unseen``: parties into whose folders the sweep could not look: nothing of theirs is called missing. Repeating is harmless.
    Raises NotPermitted; StopRun when the bank's calendar does not reach.
    """
    now = ports.clock.now().astimezone(CHINA)
    judged = Judged()
    with permitted_transaction(ports.register, actor, ACTION, "deadlines") as tx:
        cut_off = [on for (on,) in tx.count("step_output", ["custody_date"], step="cut_off")]
    today = custody_date_of(now)
    if today - max(cut_off, default=go_live) > timedelta(days=_KEEPS_PACE_DAYS):
        return judged
    first = max(go_live, today - timedelta(days=_LOOK_BACK_DAYS))
    for on in dates(first, (today - first).days + 1):
        with ports.register.transaction() as tx:
            judged.opened += open_date(tx, Happening(actor, _text(now)), on)
    _call_missing(ports, actor, now, now, unseen, judged)
    return judged


def judge_at_cut_off(ports: ExchangePorts, actor: str, on: date) -> Judged:
    """The same for a date that was just cut off, whatever clock the instance lives by: of a past date it is the end of the next one.
    Alerts on what the date still lacks grow graver. Repeating is harmless."""
    now = ports.clock.now().astimezone(CHINA)
    judged = Judged()
    with ports.register.transaction() as tx:
        judged.opened += open_date(tx, Happening(actor, _text(now)), on)
    _call_missing(ports, actor, now, min(now, at(on + 2 * ONE_DAY, time(0, 0))), (), judged)
    with ports.register.transaction() as tx:
        for row in tx.find("expected_file", state=MISSING, custody_date=on):
            if row["alert_id"] is not None:
                judged.graver += escalate(tx, actor, row["alert_id"], Severity.HIGH, _alert_words(tx, row))
    return judged


def open_date(tx: RegisterTx, of: Happening, on: date) -> int:
    """Write down what the contracts promise of a date, but of parties whose promises stand already; returns how many.

    What has come before is held against them at once.
    """
    known = {party for (party,) in tx.count("expected_file", ["party"], custody_date=on)}
    new = [one for one in parties(tx, on) if one.party not in known]
    promised = list(promises_of(new, on, settlement_calendar(tx)))
    if not promised:
        return 0
    came = _in_force(tx.find("file", custody_date=on, state=list(IN_FORCE)))
    rows, events = [], []
    for row in map(_row, promised):
        events.append(event_row(of, promise_name(row), "", EXPECTED, "expected", {"due": _moment(row["due_at"])}))
        step = _next_step(row, came.get((row["party"], row["file_type"]), {}))
        if step is not None:
            check_step(PROMISE, EXPECTED, step.state, promise_name(row))
            row |= {**step.values, "state": step.state}
            events.append(event_row(of, promise_name(row), row["sha256"], step.state, step.rule, step.figures))
        rows.append(row)
    tx.insert_all("expected_file", rows)
    tx.insert_all("file_event", events)
    return len(rows)


def promises_of(of: Iterable[Party], on: date, calendar: SettlementCalendar) -> Iterable[ExpectedFile]:
    """What the contracts promise of parties whose files are awaited on a date, as they are on it. Raises StopRun when the bank's calendar does not reach."""
    try:
        for party in sorted(of, key=lambda one: one.party):
            if is_awaited(party.kind, party.status):
                yield from expected_on(party.party, party.contract, on, calendar)
    except CalendarUnknown as error:
        raise StopRun(f"what is due of {on} cannot be said: {error}; see: custody calendar propose") from error


def _row(one: ExpectedFile) -> Row:
    return {
        "party": one.party, "file_type": one.file_type, "custody_date": one.custody_date, "batch": one.batch, "state": EXPECTED,
        "cut_off_at": _text(one.cut_off_at), "due_at": _text(one.due_at), "missing_from": _text(one.missing_from),
        "file_name": None, "sha256": None, "misses": 0, "missed_at": None, "alert_id": None,
    }  # fmt: skip


@dataclass(frozen=True)
class _Step:
    """What becomes of a promise: its state, the words for it, and the columns that change with it."""

    state: str
    rule: str
    figures: Mapping[str, object]
    values: Row


def hold_against(tx: RegisterTx, of: Happening, party: str, on: date) -> None:
    """Hold the promises of a party's date against what is in force.

    A promise is kept by a file of its batch, or by as many batches as the last of them says there are in all.
    """
    promised = tx.find("expected_file", party=party, custody_date=on)
    if not promised:
        return
    in_force = _in_force(tx.find("file", party=party, custody_date=on, state=list(IN_FORCE)))
    for row in promised:
        step = _next_step(row, in_force.get((party, row["file_type"]), {}))
        if step is None:
            continue
        if step.state == row["state"]:
            tx.update("expected_file", {name: row[name] for name in _KEY}, step.values)
            continue
        move_promise(tx, of, row, step.state, step.rule, step.figures, step.values)
        if row["alert_id"] is not None and step.state == LATE:
            end_alert(tx, of.actor, of.at, row["alert_id"], text(step.rule, dict(step.figures)))


def _in_force(files: Iterable[Row]) -> dict[tuple[str, str], dict[int, Row]]:
    """(party, type) -> batch -> the one that is in force."""
    found: dict[tuple[str, str], dict[int, Row]] = defaultdict(dict)
    for file in files:
        found[file["party"], file["file_type"]][file["batch"]] = file
    return found


def _next_step(row: Row, files: Mapping[int, Row]) -> _Step | None:
    """None while nothing changes. ``files``: those of its type in force, by batch."""
    file = _keeps(files, row["batch"])
    is_here = row["state"] in (ARRIVED, LATE)
    if file is None:
        none: Row = {"file_name": None, "sha256": None}
        return _Step(EXPECTED, "expected_again", {"file": row["file_name"]}, none) if is_here else None
    kept: Row = {name: file[name] for name in ("file_name", "sha256")}
    if is_here:
        return None if all(row[name] == value for name, value in kept.items()) else _Step(row["state"], "came", {}, kept)
    figures = {"file": file["file_name"], "due": _moment(row["due_at"])}
    is_late = row["misses"] > 0 or row["state"] == GIVEN_UP
    return _Step(LATE, "came_late", figures, kept) if is_late else _Step(ARRIVED, "came", figures, kept)


def _keeps(files: Mapping[int, Row], batch: int) -> Row | None:
    if batch in files:
        return files[batch]
    for file in files.values():
        if file["batches"] is not None and file["batches"] <= len(files) and file["batches"] < batch:
            return file
    return None


def give_up(tx: RegisterTx, of: Happening, party: str, file_type: str, on: date) -> None:
    """Two people decided that a file will not come: nobody waits for what of it is not here."""
    for row in tx.find("expected_file", party=party, file_type=file_type, custody_date=on, state=[EXPECTED, MISSING]):
        move_promise(tx, of, row, GIVEN_UP, "given_up", {}, {})
        if row["alert_id"] is not None:
            end_alert(tx, of.actor, of.at, row["alert_id"], text("given_up", {}))


def _call_missing(
    ports: ExchangePorts, actor: str, now: datetime, until: datetime, unseen: Collection[str], judged: Judged
) -> None:
    """Judge by the moment ``until``; ``now`` is when it happens."""
    start = 0
    # Read once: there may be thousands, and the look lasts as long as one moment.
    dated: dict[str, DatedParty] = {}
    while True:
        with ports.register.transaction() as tx:
            due = tx.page(
                "expected_file", ["party", "custody_date"], start, _AT_ONCE, {"missing_from": _text(until)}, state=EXPECTED
            )
            kept_waiting = [row for row in due if row["party"] in unseen]
            start += len(kept_waiting)
            judged.unseen += sorted({row["party"] for row in kept_waiting} - set(judged.unseen))
            if due and not dated:
                dated = {one.row["party"]: one for one in dated_parties(tx)}
            told: dict[tuple[str, date], list[Row]] = defaultdict(list)
            for row in due:
                if row["party"] in unseen:
                    continue
                of = dated[row["party"]]
                if not is_awaited(of.row["kind"], of.status_on(row["custody_date"])):
                    # Its files are refused: that they do not come is nobody's fault, and no news.
                    start += 1
                    continue
                _miss(tx, Happening(actor, _text(now)), row)
                judged.missing.append(promise_name(row))
                told[row["party"], row["custody_date"]].append(row)
            for (party, on), rows in sorted(told.items()):
                judged.notices.append(_notify(tx, ports, party, on))
                tx.audit(actor, "file.missing", f"{party}|{on}", {"files": [promise_name(row) for row in rows]})
        if len(due) < _AT_ONCE:
            return


def _miss(tx: RegisterTx, of: Happening, row: Row) -> None:
    misses = row["misses"] + 1
    words = _alert_words(tx, row)
    severity = Severity.HIGH if is_cut_off(tx, row["custody_date"]) else Severity.MEDIUM
    alert_id = put_alert(
        tx, of.actor, FILE_MISSING, promise_name(row), row["custody_date"], words, severity, row["party"], str(misses)
    )
    values = {"misses": misses, "missed_at": of.at, "alert_id": alert_id}
    move_promise(tx, of, row, MISSING, "missing", {"due": _moment(row["due_at"])}, values)


def _alert_words(tx: RegisterTx, row: Row) -> tuple[str, str]:
    """Who is late, with which file, since when, what is known of it, and what to do."""
    on = row["custody_date"].isoformat()
    figures = {
        "party": row["party"], "file_type": row["file_type"], "date": on, "batch": row["batch"],
        "due": _moment(row["due_at"]), "since": _moment(row["missing_from"]),
    }  # fmt: skip
    states = [text("alert_missing", figures), _known_of(tx, row)]
    if is_cut_off(tx, row["custody_date"]):
        states.append(text("alert_missing_cut_off", {"date": on}))
    states.append(text("alert_missing_to_do", figures))
    english, chinese = zip(*states, strict=True)
    return " ".join(english), "".join(chinese)


def _known_of(tx: RegisterTx, row: Row) -> tuple[str, str]:
    """What the register knows of the file that is missing."""
    seen = tx.find("file", ("received_at", "file_name"), **{name: row[name] for name in _KEY})
    if not seen:
        return text("missing_unheard", {})
    last = seen[-1]
    if last["state"] in (ANNOUNCED, LANDED):
        return text("missing_announced", {"seal": last["seal_name"]})
    english, chinese = text(last["rule"], json.loads(last["figures"])) if last["rule"] else ("", "")
    return (f"{last['file_name']} is {last['state']}: {english}.", f"{last['file_name']} 状态为 {last['state']}：{chinese}。")


def _notify(tx: RegisterTx, ports: ExchangePorts, party: str, on: date) -> str:
    """Queue the sender's FILE_NOTICE of a date: what of it was ever called missing, and how that stands. Returns its name."""
    rows = [row for row in tx.find("expected_file", party=party, custody_date=on) if row["misses"]]
    body = {
        "notice": "FILE_NOTICE",
        "party": party,
        "custody_date": on.isoformat(),
        "files": [_notice_entry(row) for row in rows],
    }
    data = (json.dumps(body, ensure_ascii=False, indent=1) + "\n").encode()
    return queue_answer(tx, ports, party, f"{party}_FILE_NOTICE_{on:%Y%m%d}_01_v1", data)


def _notice_entry(row: Row) -> dict[str, object]:
    """One file of a notice: no time of the run is in it, so that the same facts give the same bytes."""
    name = f"{promise_name(row)}_v1.csv"
    rule = {MISSING: "notice_missing", LATE: "notice_late"}.get(row["state"], "notice_settled")
    figures = {"name": name, "due": _moment(row["due_at"])}
    english, chinese = text(rule, figures)
    to_do_english, to_do_chinese = text("notice_to_do", figures) if row["state"] == MISSING else text("notice_nothing", {})
    return {
        "file_type": row["file_type"], "batch": row["batch"], "state": row["state"], "due": row["due_at"],
        "words_en": english, "words_zh": chinese, "to_do_en": to_do_english, "to_do_zh": to_do_chinese,
    }  # fmt: skip


def by_state(tx: RegisterTx, **equals: object) -> dict[str, int]:
    """How many promises with these column values stand in which state."""
    return {state: number for (state,), number in tx.count("expected_file", ["state"], **equals).items()}


def listing(tx: RegisterTx, start: int, limit: int, **equals: object) -> list[Row]:
    """At most ``limit`` of them from the ``start``-th on, by custody date, party, type and batch."""
    return tx.page("expected_file", ["custody_date", "party", "file_type", "batch"], start, limit, **equals)


def standing(tx: RegisterTx, **equals: object) -> dict[tuple[str, date], dict[str, int]]:
    """By (party, custody date): how many promises stand in which state, of those with these column values."""
    counts: dict[tuple[str, date], dict[str, int]] = defaultdict(dict)
    for (party, on, state), number in tx.count("expected_file", ["party", "custody_date", "state"], **equals).items():
        counts[party, on][state] = number
    return dict(counts)


def promised_on(tx: RegisterTx, on: date) -> dict[str, dict[str, int]]:
    """The same of one date, by party."""
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for (party, state), number in tx.count("expected_file", ["party", "state"], custody_date=on).items():
        counts[party][state] = number
    return dict(counts)


def not_here(tx: RegisterTx, on: date, party: str | None = None, file_type: str | None = None) -> Sequence[Row]:
    """Promises of a date that no file keeps, by party, type and batch; of a date that was not begun what contracts would promise."""
    wanted = {name: value for name, value in (("party", party), ("file_type", file_type)) if value is not None}
    if tx.count("expected_file", ["custody_date"], custody_date=on):
        return tx.find("expected_file", custody_date=on, state=[EXPECTED, MISSING], **wanted)
    rows = [_row(one) for one in promises_of(parties(tx, on), on, settlement_calendar(tx))]
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def _text(moment: datetime) -> str:
    return moment.astimezone(CHINA).isoformat(timespec="microseconds")


def _moment(text_: str) -> str:
    """As people read it: UTC+8, to the minute."""
    return text_[:16].replace("T", " ")
