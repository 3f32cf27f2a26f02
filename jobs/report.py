"""report: drafts of every report that is drafted on this custody date, each with its seal (domain.md §9; reports/README.md).

On a date on which nothing is, the output is sealed empty and the engine is not asked. A draft is released later by two people
(custody.services.releases).
"""

from __future__ import annotations

from connectors.engine import engine
from custody.services.access import SYSTEM
from custody.services.outputs import Seal
from custody.services.releases import take_drafts
from custody.services.restated_reports import tell_restated
from jobs.reference import load_reference
from jobs.reporting.drafts import Draft, drafts, files_of
from jobs.reporting.made import made_tables
from jobs.reporting.restated import restated_since
from jobs.reporting.sources import Sources
from jobs.step import Step, StepContext
from reports.catalogue import load_catalogue
from reports.definition import load_definitions
from reports.drafts import drafts_of
from reports.periods import periods_drafted_on

_FIGURES = "report_figures"
ALL = "*"


def _run(context: StepContext) -> None:
    assert context.writer is not None
    reference, catalogue = load_reference(context), load_catalogue()
    wanted = [
        (definition, made)
        for definition in load_definitions().values()
        if not definition.on_request and (definition.id in reference.reports or ALL in reference.reports)
        for period in periods_drafted_on(definition.period, definition.drafted, context.custody_date, reference.calendar)
        if period.last >= context.wiring.settings.instance.go_live
        for made in [made_tables(context, reference, definition, period)]
        # A report of an event is made when there was one.
        if definition.occasion is None or made[definition.occasion.made].num_rows
    ]
    if not wanted:
        return
    drafted: list[Draft] = []
    with engine(context.wiring.settings) as spark:
        views: set[str] = set()
        for definition, made in wanted:
            sources = Sources(context, spark, made.period, made, views)
            drafted += drafts(sources, catalogue, definition, reference)
    for _, files in files_of(drafted, catalogue):
        for name, data in files.items():
            context.writer.file(name, data)
    context.write(_FIGURES, [row for draft in drafted for row in draft.figures])


def _publish(context: StepContext, seal: Seal) -> None:
    """The desk learns of the drafts (custody.services.releases), and of restated files that came too late for a period."""
    lake = context.wiring.lake
    found = drafts_of(seal, lake.manifest(seal.path).files, lambda name: lake.file(seal.path, name))
    ends = [draft.period_end for draft in found if draft.period_end < seal.custody_date]
    restated = restated_since(context, min(ends, default=None))
    with context.wiring.register.transaction() as tx:
        context.lease.check(tx)
        take_drafts(tx, SYSTEM, found)
        tell_restated(tx, seal.custody_date, restated)


STEP = Step("report", _run, _publish)
