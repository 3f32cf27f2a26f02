"""report: drafts of every report that is drafted on this custody date, each with its seal (domain.md §9; reports/README.md).

On a date on which nothing is, the output is sealed empty and the engine is not asked. A draft is released later by two people
(custody.services.releases).
"""

from __future__ import annotations

from connectors.engine import engine
from custody.ports import Row
from custody.services.access import SYSTEM
from custody.services.outputs import Seal
from custody.services.releases import take_drafts
from jobs.reference import load_reference
from jobs.reporting.drafts import drafts
from jobs.reporting.made import made_tables
from jobs.reporting.sources import Sources
from jobs.step import Step, StepContext
from reports.catalogue import load_catalogue
from reports.definition import ReportDefinition, load_definitions
from reports.drafts import drafts_of
from reports.periods import Period, periods_drafted_on

_FIGURES = "report_figures"


def _run(context: StepContext) -> None:
    assert context.writer is not None
    reference, catalogue = load_reference(context), load_catalogue()
    wanted = [
        (definition, period)
        for definition in load_definitions().values()
        if not definition.on_request
        for period in periods_drafted_on(definition.period, definition.drafted, context.custody_date, reference.calendar)
        if period.last >= context.wiring.settings.instance.go_live and _occurred(context, definition)
    ]
    if not wanted:
        return
    figures: list[Row] = []
    with engine(context.wiring.settings) as spark:
        sources: dict[Period, Sources] = {}
        for definition, period in wanted:
            if period not in sources:
                sources[period] = Sources(context, spark, period, made_tables(context, reference))
            # Each report cites what it was made from and nothing else.
            sources[period].used.clear()
            for draft in drafts(sources[period], catalogue, definition, reference):
                figures += draft.figures
                for name, data in draft.files.items():
                    context.writer.file(name, data)
    context.write(_FIGURES, figures)


def _occurred(context: StepContext, definition: ReportDefinition) -> bool:
    """A report of an event is made when there was one."""
    occasion = definition.occasion
    if occasion is None:
        return True
    table = context.table(occasion.step, occasion.table, columns=[occasion.column])
    return table is not None and not set(occasion.values).isdisjoint(table[occasion.column].to_pylist())


def _publish(context: StepContext, seal: Seal) -> None:
    """The desk learns of the drafts (custody.services.releases)."""
    lake = context.wiring.lake
    found = drafts_of(seal, lake.manifest(seal.path).files, lambda name: lake.file(seal.path, name))
    with context.wiring.register.transaction() as tx:
        context.lease.check(tx)
        take_drafts(tx, SYSTEM, found)


STEP = Step("report", _run, _publish)
