"""A report of any sealed period, made when somebody asks for it: the same figures and bytes as a draft, which it is not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from connectors.bootstrap import Wiring
from connectors.engine import engine
from connectors.lease import DAY_LEASE, Lease
from custody.errors import UsageError
from custody.services.access import permitted_transaction
from jobs.reference import load_reference
from jobs.reporting.drafts import drafts, files_of
from jobs.reporting.made import made_tables
from jobs.reporting.sources import Sources
from jobs.step import StepContext, resolve_inputs
from reports.catalogue import load_catalogue
from reports.definition import load_definition
from reports.periods import parse_period


def report_on_request(wiring: Wiring, actor: str, report_id: str, period: str, platform: str = "") -> Mapping[str, bytes]:
    """The files by name; ``platform``: of a report for each platform that one alone.

    Its inputs are those that the period's last date has now, or the newest sealed date after it where the report is drafted later.
    Raises NotPermitted, SettingsError, OutOfOrder, and UsageError for a period that is not sealed or not of the report's kind.
    """
    definition, asked = load_definition(report_id), parse_period(period)
    if definition.period != asked.kind:
        raise UsageError(f"report {report_id} is of a {definition.period}, and {period} is a {asked.kind}")
    with permitted_transaction(wiring.register, actor, "report.draft.view", f"{report_id}|{period}") as tx:
        # What a report reads is there once the date's risk step is: the last but its own.
        sealed = {row["custody_date"] for row in tx.find("step_output", step="risk")}
    # Holidays may lie between: a report that is drafted later waits for at most so many days.
    until = asked.last + timedelta(days=3 * definition.drafted)
    days = sorted(day for day in sealed if asked.last <= day <= until)
    if not days:
        raise UsageError(f"{asked.last}, the last date of {period}, is not assessed yet")
    context = StepContext(wiring, days[-1], resolve_inputs(wiring, "report", days[-1]), Lease(DAY_LEASE, "request", 0))
    reference, catalogue = load_reference(context), load_catalogue()
    if platform and platform not in reference.parties:
        raise UsageError(f"no platform is called {platform!r}")
    with engine(wiring.settings) as spark:
        sources = Sources(context, spark, asked, made_tables(context, reference, definition, asked))
        made = drafts(sources, catalogue, definition, reference, platform)
    return {name: data for _, files in files_of(made, catalogue) for name, data in files.items()}
