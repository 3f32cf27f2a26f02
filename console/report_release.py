"""Releases from sealed drafts: what lies behind a draft, what a correction changes, and the package that goes out (custody.services.releases
asks for these; command line, pages and the approval call the same)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from connectors.bootstrap import Wiring
from custody.calendar import ONE_DAY, custody_date_of
from custody.errors import SealBroken, SettingsError
from custody.ports import RegisterTx, Row
from custody.release_checks import Fact, Facts, FigureValue
from custody.report_terms import ReleaseTerms
from custody.services.deliveries import deliver_pending
from custody.services.outputs import days_begun
from custody.services.releases import (
    Due,
    Handing,
    ReportKey,
    all_versions,
    dues,
    follow_deliveries,
    hand_over,
    released_before,
    sealed_inputs,
)
from custody.services.report_receipts import collect_receipts
from reports.catalogue import load_catalogue
from reports.definition import ReportDefinition, load_definition, load_definitions
from reports.difference import Change, InputChange, figure_changes, input_changes, render, row_changes
from reports.package import make_package, package_name
from reports.periods import period_ending
from reports.release_terms import release_terms
from schemas.exchange import sha256_hex
from schemas.report_receipt import MAX_BYTES, SUFFIX, parse_receipt

_FIGURES = "report_figures"
_LIES_STILL = timedelta(days=20)


@dataclass
class SealedDrafts:
    """Implements custody.services.releases.DraftContents over the lake; each output is read once."""

    wiring: Wiring
    # By output, and in it by report, period and party.
    _figures: dict[str, dict[tuple[str, str, str], list[Row]]] = field(default_factory=dict)

    def figures(self, row: Row) -> list[Row]:
        """The draft's rows of report_figures."""
        path = row["path"]
        if path not in self._figures:
            known = self.wiring.lake.manifest(path).tables
            found: dict[tuple[str, str, str], list[Row]] = {}
            for one in self.wiring.lake.rows(path, _FIGURES) if _FIGURES in known else ():
                found.setdefault((one["report"], one["period"], one["party"]), []).append(one)
            self._figures[path] = found
        return self._figures[path].get((row["report_id"], row["period"], row["scope"]), [])

    def facts(self, row: Row) -> Facts:
        """Every figure by what tells it apart; of a table that narrows its rows none, since its figures mean something else."""
        definition, catalogue = load_definition(row["report_id"]), load_catalogue()
        tables = {table.id: table for table in definition.tables if table.where is None}
        scope = (("platform", row["scope"]),) if row["scope"] else ()
        found: dict[Fact, FigureValue] = {}
        for one in self.figures(row):
            table = tables.get(one["table_id"])
            if table is None or one["value"] is None:
                continue
            by = () if one["is_total"] else tuple(zip(table.by or (), json.loads(one["key"]), strict=True))
            _, figure = catalogue.figure(one["figure"])
            fact = Fact(one["figure"], tuple(sorted((*scope, *by))))
            found[fact] = FigureValue(one["unit"], one["value"], figure.is_additive)
        return found

    def damage(self, row: Row) -> list[str]:
        wrong = []
        for name, (size, sha256) in sorted(json.loads(row["files"]).items()):
            try:
                data = self.wiring.lake.file(row["path"], name)
            except (SealBroken, KeyError) as error:
                wrong.append(f"{name}: {error}")
                continue
            if (len(data), sha256_hex(data)) != (size, sha256):
                wrong.append(f"{name} is not what its seal says")
        return wrong

    def terms(self, report_id: str) -> ReleaseTerms:
        return release_terms(report_id)

    def file(self, row: Row, name: str) -> bytes:
        """Raises SealBroken when it is not as it was sealed, KeyError when the draft has none of that name."""
        return self.wiring.lake.file(row["path"], name)


@dataclass(frozen=True)
class Difference:
    """What a draft changes of the release that it corrects."""

    corrected: Row
    inputs: list[InputChange]
    changes: list[Change]


def difference(wiring: Wiring, row: Row, drafts: SealedDrafts | None = None) -> Difference | None:
    """None where nothing of the report and period was released before this draft."""
    drafts = drafts or SealedDrafts(wiring)
    with wiring.register.transaction() as tx:
        before = released_before(tx, row)
        if before is None:
            return None
        inputs = input_changes(sealed_inputs(before), sealed_inputs(row), _reasons(tx))
    definition = load_definition(row["report_id"])
    changes = figure_changes(drafts.figures(before), drafts.figures(row), inputs, steps_of(definition))
    changes += _of_rows(definition, drafts, before, row, inputs)
    return Difference(before, inputs, changes)


def steps_of(definition: ReportDefinition) -> dict[str, frozenset[str]]:
    """From which steps' tables each of its figures, and each of its tables of rows, is made."""
    catalogue, found = load_catalogue(), dict[str, frozenset[str]]()
    for table in definition.tables:
        for name in table.figures:
            found[name] = frozenset(use.step for use in catalogue.figure(name)[0].tables.values() if use.step)
        if table.rows is not None:
            found[table.id] = frozenset(use.step for use in catalogue.row_set(table.rows).tables.values() if use.step)
    return found


def _reasons(tx: RegisterTx) -> dict[tuple[str, str, int], str]:
    rows = tx.find("step_output")
    return {(row["custody_date"].isoformat(), row["step"], row["version"]): row["reason"] for row in rows}


def _of_rows(
    definition: ReportDefinition, drafts: SealedDrafts, before: Row, now: Row, inputs: list[InputChange]
) -> Iterator[Change]:
    names = [json.loads(one["files"]) for one in (before, now)]
    for table in definition.tables:
        if table.rows is None:
            continue
        ending = f"_{table.id}.csv"
        files = [next((name for name in of if name.endswith(ending)), None) for of in names]
        if files[0] is not None and files[1] is not None:
            data = [drafts.file(one, name) for one, name in zip((before, now), files, strict=True) if name is not None]
            yield from row_changes(files[1], table.id, data[0], data[1], inputs, steps_of(definition)[table.id])


def difference_name(row: Row) -> str:
    return f"{row['seal_name'].removesuffix('_seal.json')}_differences.csv"


# --- handing over


def send(wiring: Wiring, on: date, actor: str) -> dict[str, Any]:
    """Hand over what was approved, deliver it, see what has arrived, take receipts. Doing it again sends nothing twice.

    Raises NotPermitted.
    """
    handed, nobody = hand_over(wiring.register, wiring.clock, actor, on, _handing(wiring))
    delivery = deliver_pending(wiring.exchange_ports)
    delivered = follow_deliveries(wiring.register, actor)
    receipts, troubles = collect_receipts(wiring.exchange_ports, actor, on, SUFFIX, MAX_BYTES, parse_receipt)
    return {
        "date": on.isoformat(),
        "handed_over": handed,
        "nobody_gets": nobody,
        "delivered": delivered,
        "receipts": [list(one) for one in receipts],
        "troubles": [list(one) for one in [*delivery.failed, *troubles]],
    }


def _handing(wiring: Wiring) -> Handing:
    def keep(data: bytes) -> tuple[str, str]:
        sha256 = sha256_hex(data)
        return sha256, wiring.archive.keep(data, sha256)

    return Handing(lambda row, before: package(wiring, row), keep, release_terms)


def package(wiring: Wiring, row: Row) -> tuple[str, bytes]:
    """Name and bytes of an approved draft's package. Raises SealBroken when a file of it is not as it was sealed."""
    drafts = SealedDrafts(wiring)
    wrong = drafts.damage(row)
    if wrong:
        raise SealBroken("; ".join(wrong))
    files = {name: drafts.file(row, name) for name in [*json.loads(row["files"]), row["seal_name"]]}
    changed = difference(wiring, row, drafts)
    if changed is not None:
        files[difference_name(row)] = render(changed.changes)
    with wiring.register.transaction() as tx:
        proposal = tx.get("proposal", proposal_id=row["proposal_id"])
    assert proposal is not None
    before = changed.corrected if changed is not None else None
    release = {
        "report_id": row["report_id"],
        "period": row["period"],
        "party": row["scope"],
        "release_no": row["release_no"],
        "corrects": None if before is None else {"release_no": before["release_no"], "package_sha256": before["package_sha256"]},
        "because": [] if changed is None else [one.words for one in changed.inputs],
        "sealed_in": {name: str(row[name]) for name in ("custody_date", "step_version", "manifest_digest")},
        "maker": proposal["maker"],
        "checker": proposal["checker"],
        "proposed_at": proposal["proposed_at"],
        "decided_at": proposal["decided_at"],
        "stands_out": json.loads(proposal["payload"])["findings"],
        "explanations": json.loads(row["explanations"]),
    }
    return package_name(row["report_id"], row["period"], row["scope"], row["release_no"]), make_package(files, release)


# --- due dates


def due_reports(wiring: Wiring, on: date) -> list[Due]:
    """Every report of every period that is over by then and has a due date, from the instance's first date on."""
    ends: list[tuple[ReleaseTerms, str, date]] = []
    with wiring.register.transaction() as tx:
        begun = days_begun(tx)
        known = all_versions(tx)
    # An instance that lies still since (a sample, a copy) owes nothing for ever.
    until = min(on, (begun[-1] if begun else wiring.settings.instance.go_live) + _LIES_STILL)
    drafted = wiring.settings.instance.reports
    for definition in load_definitions().values():
        if definition.id not in drafted and "*" not in drafted:
            continue
        if definition.due is None or definition.on_request:
            continue
        terms = release_terms(definition.id)
        if definition.occasion is not None:
            # Due where there was something to report.
            of = {(row["period"], row["period_end"]) for row in known if row["report_id"] == definition.id}
            ends += [(terms, period_name, last) for period_name, last in sorted(of)]
            continue
        day = wiring.settings.instance.go_live
        while day < until:
            period = period_ending(definition.period, day)
            if period is not None:
                ends.append((terms, period.name, period.last))
            day += ONE_DAY
    with wiring.register.transaction() as tx:
        return dues(tx, ends)


def today(wiring: Wiring) -> date:
    return custody_date_of(wiring.clock.now())


def titles(report_id: str) -> tuple[str, str]:
    """A report's title in both languages; its id where it is no longer defined."""
    try:
        title = load_definition(report_id).title
    except SettingsError:
        return report_id, report_id
    return title.en, title.zh


def shown_key(row: Mapping[str, Any]) -> str:
    return ReportKey.of(row).subject.replace("|", " ")


def report_files(wiring: Wiring) -> list[dict[str, Any]]:
    """Every file of every report's newest draft, with the state of that draft and where it lies."""
    with wiring.register.transaction() as tx:
        newest_of = {ReportKey.of(row): row for row in all_versions(tx)}
    found = []
    for row in newest_of.values():
        for name in sorted([*json.loads(row["files"]), row["seal_name"]]):
            path = wiring.lake.url(f"{row['path']}/files/{name}").removeprefix("file://")
            found.append({"period": row["period"], "name": name, "state": row["state"], "path": path})
    return sorted(found, key=lambda one: (one["period"], one["name"]))
