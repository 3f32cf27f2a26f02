"""A report's files and its figures' rows, from what the engine answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from custody.calendar import SettlementCalendar
from custody.names import PartyKind
from custody.ports import Row
from custody.services.outputs import Seal
from jobs.reference import Reference
from jobs.reporting.sources import Sources, answers
from jobs.step import StepContext
from reports import csv_file, pdf, xlsx
from reports.build import PREVIOUS, TOTAL, YEAR_BEFORE, Circumstances, Key, build
from reports.catalogue import Catalogue, Words
from reports.definition import ReportDefinition
from reports.font import font_for
from reports.model import Report
from reports.naming import ReportName
from reports.periods import Period, drafted_on, previous, year_before
from reports.seal import make_seal
from reports.terms import load_terms

# Layouts admit no other (ARCHITECTURE.md, non-goals).
_CURRENCY = "CNY"


@dataclass(frozen=True)
class Draft:
    """``figures``: rows of table report_figures."""

    name: ReportName
    definition: ReportDefinition
    report: Report
    figures: Sequence[Row]


def drafts(
    sources: Sources, catalogue: Catalogue, definition: ReportDefinition, reference: Reference, only: str = ""
) -> list[Draft]:
    """The report of the sources' period, or one for each platform (``only`` one of them)."""
    context, period = sources.context, sources.period
    platforms = [p for p in reference.of_kind(PartyKind.PLATFORM) if not only or p == only]
    said = answers(sources, catalogue, definition, platforms)
    reference_seal = context.seal("cut_off")
    seals = [*([reference_seal] if reference_seal else []), *(sources.used[key] for key in sorted(sources.used))]
    told = Circumstances(
        bank_name=reference.bank,
        currency=_CURRENCY,
        days_covered=sources.days(),
        seals=[_as_input(seal) for seal in dict.fromkeys(seals)],
        terms=load_terms(),
        party_names={p: Words(en=body["name_en"], zh=body["name_zh"]) for p, body in reference.parties.items()},
    )
    earlier = {
        PREVIOUS: _sealed_figures(context, definition, previous(period), reference.calendar),
        YEAR_BEFORE: _sealed_figures(context, definition, year_before(period), reference.calendar),
    }
    found = []
    for party, tables in said.items():
        compared = {
            name: replace(answer, earlier={against: figures.get((party, name), {}) for against, figures in earlier.items()})
            for name, answer in tables.items()
        }
        report = build(definition, catalogue, period, party, compared, told)
        name = ReportName(definition.id, period.name, party, definition.version)
        found.append(Draft(name, definition, report, _figure_rows(name, report)))
    return found


def files_of(drafted: Sequence[Draft], catalogue: Catalogue) -> Iterator[tuple[Draft, Mapping[str, bytes]]]:
    """Each draft's files by name, its seal among them. They are set together, since cutting the font costs more than a document."""
    with font_for(text for draft in drafted for text in pdf.texts(draft.report)) as font:
        for draft in drafted:
            yield draft, _files(draft, catalogue, font)


def _files(draft: Draft, catalogue: Catalogue, font: Path) -> dict[str, bytes]:
    name, report, definition = draft.name, draft.report, draft.definition
    files = {name.file(".xlsx"): xlsx.render(report)}
    figures = csv_file.render_figures(report, definition)
    if figures is not None:
        files[name.file(".csv")] = figures
    for table, defined in zip(report.tables, definition.tables, strict=True):
        if defined.rows is not None:
            files[name.file(f"_{table.id}.csv")] = csv_file.render_rows(report, table)
    files[name.file("_dictionary.csv")] = csv_file.render_dictionary(definition, catalogue)
    for language in definition.pdf:
        files[name.file(f"_{language}.pdf")] = pdf.render(report, language, font)
    files[name.file("_seal.json")] = make_seal(files, report.seals, definition.id, report.period.name)
    return files


def _figure_rows(name: ReportName, report: Report) -> list[Row]:
    return [
        {
            "report": name.report,
            "version": name.version,
            "period": name.period,
            "party": name.party,
            "table_id": table.id,
            "key": json.dumps(place.key, ensure_ascii=False),
            "is_total": place.row is None,
            "figure": place.figure.id,
            "unit": place.figure.unit,
            "value": place.value,
            "file_name": name.file(".xlsx"),
            "cell": xlsx.address(table, place),
        }
        for table in report.tables
        for place in table.places
    ]


def _sealed_figures(
    context: StepContext, definition: ReportDefinition, period: Period, calendar: SettlementCalendar
) -> dict[tuple[str, str], dict[tuple[Key, str], int]]:
    """By (party, table): each figure by (key, figure), as the report of that period was last drafted; none where it was not."""
    found: dict[tuple[str, str], dict[tuple[Key, str], int]] = {}
    if not any(table.compare for table in definition.tables):
        return found
    for row in report_figures(context, drafted_on(period, definition.drafted, calendar)):
        if (row["report"], row["period"]) == (definition.id, period.name) and row["value"] is not None:
            of_table = found.setdefault((row["party"], row["table_id"]), {})
            of_table[TOTAL if row["is_total"] else tuple(json.loads(row["key"])), row["figure"]] = row["value"]
    return found


def report_figures(context: StepContext, on: date) -> list[Row]:
    """What the report step of an earlier date sealed; none where it drafted nothing, or lies before the first date."""
    seal = context.seal("report", on)
    if seal is None or "report_figures" not in context.wiring.lake.manifest(seal.path).tables:
        return []
    return context.rows("report", "report_figures", on=on)


def _as_input(seal: Seal) -> dict[str, str | int]:
    return {
        "custody_date": seal.custody_date.isoformat(),
        "step": seal.step,
        "version": seal.version,
        "manifest_digest": seal.manifest_digest,
    }
