"""The terms of a report's release: from its definition, and from release_terms.yaml what stands out in it."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Annotated

from pydantic import Field

from custody.release_checks import ChangeTerms
from custody.report_terms import ReleaseTerms
from reports.catalogue import Strict, load_catalogue, read_yaml
from reports.definition import ReportDefinition, load_definition

Number = Annotated[int, Field(ge=0)]


class _Change(Strict):
    percent: Number
    least_minor: Number
    least_count: Number
    least_share: Number


class _Terms(Strict):
    change: _Change
    warn_business_days: Number


class _File(Strict):
    basis: str
    usual: _Terms
    reports: dict[str, _Terms]


@cache
def _file() -> _File:
    text = files("reports").joinpath("release_terms.yaml").read_text(encoding="utf-8")
    return read_yaml(text, _File, "reports/release_terms.yaml")


def release_terms(report_id: str) -> ReleaseTerms:
    """Raises SettingsError for a report that is not defined."""
    definition, said = load_definition(report_id), _file()
    of = said.reports.get(report_id, said.usual)
    change = ChangeTerms(of.change.percent, of.change.least_minor, of.change.least_count, of.change.least_share)
    return ReleaseTerms(
        report_id=report_id,
        english=definition.title.en,
        chinese=definition.title.zh,
        due_business_days=definition.due.business_days if definition.due else None,
        warn_business_days=of.warn_business_days,
        to_regulator="regulator" in definition.addressees,
        to_platform="platform" in definition.addressees and definition.scope == "platform",
        daily_steps=_daily_steps(definition),
        change=change,
    )


def _daily_steps(definition: ReportDefinition) -> frozenset[str]:
    """The steps of which a table of its row sets is read over all days of the period."""
    uses = (use for row_set in definition.row_sets(load_catalogue()).values() for use in row_set.tables.values())
    return frozenset(use.step for use in uses if use.step is not None and use.of == "days")
