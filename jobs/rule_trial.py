"""Changed rules on past days, before anybody adopts them: the reconcile step itself runs again on what the days sealed.

Nothing is written to lake, register or keyed store. The step writes into a folder of the trial's own, which is removed at the end;
what it writes for one day is what the next trial day takes in.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from connectors.bootstrap import Wiring
from connectors.lake import Lake
from connectors.lake_files import LakeFiles, lake_files
from connectors.lease import DAY_LEASE, Lease
from connectors.settings import Settings
from custody.calendar import dates
from custody.declared import BadDeclaration
from custody.digest import canonical_json, digest_of_json
from custody.errors import StopRun, UsageError
from custody.match_rules import Rule, RuleBook, RuleSet, read_rule
from custody.ports import Row
from custody.rule_forms import ComplianceTerms, Unseen
from custody.rule_trial import Outcome, day_difference, findings_difference
from custody.services.alert_trial import is_of_alerts, try_alert_rules
from custody.services.outputs import Seal, days_begun, latest_seal
from custody.services.rules import rule_book
from custody.steps import StepRef
from jobs.registry import step_named
from jobs.step import StepContext, code_digest, resolve_inputs
from schemas.rule_book import shipped_rules

_STEP, _COMPLIANCE = "reconcile", "compliance"
_TRIAL = "trial"
_DONE = {_STEP: "reconciled", _COMPLIANCE: "assessed for compliance"}


@dataclass(frozen=True)
class TrialDay:
    """One date's reconciliation, as it was sealed and as the trial's rules have it."""

    on: date
    sealed: Seal
    tried: Seal


class _TrialFiles:
    """Implements LakeFiles: the lake to read, and beside it a folder of the trial's own, which alone is written to."""

    def __init__(self, sealed: LakeFiles, own: LakeFiles) -> None:
        self._sealed, self._own = sealed, own

    def fresh(self, folder: str) -> None:
        self._writable(folder).fresh(folder)

    def remove(self, folder: str) -> None:
        self._writable(folder).remove(folder)

    def write(self, path: str, data: bytes) -> None:
        self._writable(path).write(path, data)

    def read(self, path: str) -> bytes:
        return self._of(path).read(path)

    def open(self, path: str) -> pa.NativeFile:
        return self._of(path).open(path)

    def names(self, folder: str) -> list[str]:
        return self._of(folder).names(folder)

    def url(self, path: str) -> str:
        return self._of(path).url(path)

    def _of(self, path: str) -> LakeFiles:
        return self._own if path.startswith(f"{_TRIAL}/") else self._sealed

    def _writable(self, path: str) -> LakeFiles:
        if self._of(path) is self._sealed:
            raise StopRun(f"a trial writes nothing to the lake: {path}")
        return self._own


@dataclass
class _TrialContext(StepContext):
    """A day as the reconcile step sees it, but for the rules: those of the trial stand in what the cut-off sealed."""

    changed: tuple[Rule, ...] = ()
    since: date = date.min

    def rows(self, step: str, table: str, on: date | None = None) -> list[Row]:
        found = super().rows(step, table, on)
        if (step, table) != ("cut_off", "reference") or not found or not self.changed:
            return found
        others = [row for row in found if row["kind"] != "rule"]
        if len(others) == len(found):
            raise StopRun(f"the cut-off of {on or self.custody_date} sealed no rules: a trial needs days that did")
        book = trial_book([_rule_of(row) for row in found if row["kind"] == "rule"], self.changed, self.since)
        return others + [{"kind": "rule", "id": r.id, "payload": canonical_json(dict(r.entry))} for r in book.rules]


def _rule_of(row: Row) -> Rule:
    """A rule as a cut-off sealed it."""
    return read_rule(json.loads(row["payload"]), "what the cut-off sealed")


def trial_book(sealed: Sequence[Rule], changed: Sequence[Rule], since: date) -> RuleBook:
    """The sealed versions, with each changed rule in force from ``since`` on in place of any later version of it."""
    ids = {rule.rule_id for rule in changed}
    kept = [rule for rule in sealed if rule.rule_id not in ids or rule.valid_from < since]
    made = []
    for rule in changed:
        version = max((r.version for r in kept if r.rule_id == rule.rule_id), default=0) + 1
        entry = {n: v for n, v in rule.entry.items() if n != "valid_to"}
        made.append(read_rule({**entry, "version": version, "valid_from": since.isoformat()}, f"trial of {rule.id}"))
    return RuleBook.of([*kept, *made])


def try_rules(
    wiring: Wiring,
    changed: Sequence[Rule],
    first: date,
    last: date,
    examples: int,
    progress: Callable[[str], None] = lambda words: None,
) -> dict[str, Any]:
    """What would have been different on the sealed days from ``first`` to ``last``: by day and platform, with its digest.

    Raises UsageError when a day is not reconciled, or when the rules may not be.
    """
    of_compliance = {isinstance(rule.says, (ComplianceTerms, Unseen)) for rule in changed}
    if of_compliance == {True, False}:
        raise UsageError("rules of compliance and of reconciliation are judged by different steps: try them one after the other")
    if of_compliance == {True}:
        with trial_days(wiring, changed, first, last, progress, _COMPLIANCE) as (lake, days):
            return _summary(days, changed, [one for day in days for one in findings_difference(day.on, *_findings(lake, day))])
    of_alerts = {is_of_alerts(rule) for rule in changed}
    if of_alerts == {True, False}:
        raise UsageError("rules of alerts are tried on past alerts, others on past days: try them one after the other")
    if of_alerts == {True}:
        return _on_alerts(wiring, changed, first, last)
    with trial_days(wiring, changed, first, last, progress) as (lake, days):
        return told(wiring, lake, days, changed, examples)


def _findings(lake: Lake, day: TrialDay) -> tuple[list[Row], list[Row]]:
    return lake.rows(day.sealed.path, "compliance_findings"), lake.rows(day.tried.path, "compliance_findings")


def told(wiring: Wiring, lake: Lake, days: Sequence[TrialDay], changed: Sequence[Rule], examples: int) -> dict[str, Any]:
    """The difference of the days that a trial has judged."""
    first = days[0].on
    found: list[dict[str, Any]] = []
    for day in days:
        rules = _sealed_rules(wiring, day.on)
        sealed = _outcome(lake, day.sealed, RuleBook.of(rules).rules_on(day.on))
        tried = _outcome(lake, day.tried, trial_book(rules, changed, first).rules_on(day.on))
        found += day_difference(day.on, sealed, tried, _opened_on(wiring, day.on), examples)
    return _summary(days, changed, found)


def _on_alerts(wiring: Wiring, changed: Sequence[Rule], first: date, last: date) -> dict[str, Any]:
    """Rules that say who is told of what judge no day: they are tried on the alerts that were raised on these dates."""
    with wiring.register.transaction() as tx:
        begun = [on for on in days_begun(tx) if first <= on <= last]
        if not begun:
            raise UsageError(f"no custody date from {first} to {last} was begun: there are no alerts to try rules on")
        try:
            found = try_alert_rules(tx, rule_book(tx, shipped_rules()), changed, first, last)
        except BadDeclaration as why:
            raise UsageError(f"these rules cannot be in force together: {why}") from why
    return _told_as(changed, begun[0], begun[-1], found)


def _summary(days: Sequence[TrialDay], changed: Sequence[Rule], found: list[dict[str, Any]]) -> dict[str, Any]:
    return _told_as(changed, days[0].on, days[-1].on, found)


def _told_as(changed: Sequence[Rule], first: date, last: date, found: list[dict[str, Any]]) -> dict[str, Any]:
    body = {
        "rules": [{"id": rule.id, "digest": rule.digest} for rule in changed],
        "from": first.isoformat(),
        "to": last.isoformat(),
        "days": found,
    }
    return {**body, "differs": bool(found), "digest": digest_of_json(body)}


@contextmanager
def trial_days(
    wiring: Wiring,
    changed: Sequence[Rule],
    first: date,
    last: date,
    progress: Callable[[str], None] = lambda words: None,
    step: str = _STEP,
) -> Iterator[tuple[Lake, list[TrialDay]]]:
    """Run the days; the lake that is yielded reads what was sealed and, until the block ends, what the trial made.

    Days that another version of the program sealed are judged again under their own rules too, so that what differs is the
    rules' doing alone.
    """
    seals = _sealed_days(wiring, first, last, step)
    for on in seals:
        _refuse_impossible(wiring, changed, first, on)
    own_program = _sealed_by_this_program(wiring, first, last, step)
    with _own_files(wiring.settings) as own:
        lake = Lake(_TrialFiles(lake_files(wiring.settings.stores.lake, wiring.settings.home), own))
        inner = Wiring(wiring.settings)
        inner.__dict__["lake"] = lake  # fills the cached property; the register is never opened
        if step == _COMPLIANCE:
            # It asks who said what of whom, and a process may open that store but once.
            inner.__dict__["keyed"] = wiring.keyed
        sealed = seals if own_program else _judged(wiring, inner, f"{_TRIAL}/sealed", seals, (), first, progress, step)
        tried = _judged(wiring, inner, f"{_TRIAL}/tried", seals, tuple(changed), first, progress, step)
        yield lake, [TrialDay(on, sealed[on], tried[on]) for on in seals]


def _judged(
    wiring: Wiring,
    inner: Wiring,
    folder: str,
    days: dict[date, Seal],
    changed: tuple[Rule, ...],
    since: date,
    progress: Callable[[str], None],
    step: str,
) -> dict[date, Seal]:
    made: dict[date, Seal] = {}
    for on in days:
        inputs = resolve_inputs(wiring, step, on)
        inputs |= {StepRef(earlier, step): seal for earlier, seal in made.items()}
        context = _TrialContext(inner, on, inputs, Lease(DAY_LEASE, "trial", 0), changed=changed, since=since)
        path = f"{folder}/{on.isoformat()}"
        context.writer = inner.lake.writer(path)
        step_named(step).run(context)
        made[on] = Seal(on, step, 0, context.writer.finish().digest, path)
        progress(f"{on} {'judged by the changed rules' if changed else 'judged again by its own rules'}")
    return made


def _sealed_days(wiring: Wiring, first: date, last: date, step: str) -> dict[date, Seal]:
    if last < first:
        raise UsageError(f"the trial ends on {last}, before it begins on {first}")
    found: dict[date, Seal] = {}
    with wiring.register.transaction() as tx:
        for on in dates(first, (last - first).days + 1):
            seal = latest_seal(tx, on, step)
            if seal is None:
                raise UsageError(f"{on} is not {_DONE[step]}: a trial runs on sealed days only; see: custody day status")
            found[on] = seal
    return found


def _sealed_by_this_program(wiring: Wiring, first: date, last: date, step: str) -> bool:
    with wiring.register.transaction() as tx:
        rows = tx.find("step_output", ("custody_date", "version"), step=step)
    newest = {row["custody_date"]: row["code_digest"] for row in rows if first <= row["custody_date"] <= last}
    return set(newest.values()) == {code_digest()}


def _refuse_impossible(wiring: Wiring, changed: Sequence[Rule], since: date, on: date) -> None:
    """Look at the rules of every day before any is judged, in the proposer's words."""
    try:
        trial_book(_sealed_rules(wiring, on), changed, since).rules_on(on)
    except BadDeclaration as why:
        raise UsageError(f"these rules cannot be in force together on {on}: {why}") from why


def _sealed_rules(wiring: Wiring, on: date) -> list[Rule]:
    with wiring.register.transaction() as tx:
        seal = latest_seal(tx, on, "cut_off")
    assert seal is not None  # a reconciled day is cut off
    return [_rule_of(row) for row in wiring.lake.rows(seal.path, "reference") if row["kind"] == "rule"]


def _outcome(lake: Lake, seal: Seal, rules: RuleSet) -> Outcome:
    return Outcome(lake.rows(seal.path, "breaks"), lake.rows(seal.path, "matches"), rules)


def _opened_on(wiring: Wiring, on: date) -> Callable[[str], date]:
    """Since when a case stands, as the register knows; one that only the trial has is of the day itself."""
    with wiring.register.transaction() as tx:
        opened = {row["case_id"]: row["opened_on"] for row in tx.find("recon_case")}
    return lambda case_id: min(opened.get(case_id, on), on)


@contextmanager
def _own_files(settings: Settings) -> Iterator[LakeFiles]:
    """A folder that ends with the trial: of this machine, or beside the lake where its engine cannot read this machine's."""
    location = settings.stores.lake
    if location.startswith("hdfs://"):
        beside = lake_files(f"{location.rstrip('/')}-trials/{socket.gethostname()}-{os.getpid()}", settings.home)
        try:
            yield beside
        finally:
            beside.remove(_TRIAL)
        return
    with tempfile.TemporaryDirectory(prefix="custody-trial-") as folder:
        yield lake_files(f"file://{Path(folder).resolve()}", settings.home)
