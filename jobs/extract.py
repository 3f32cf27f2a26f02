"""extract: the bank core's flows and balances of the date, read once into the lake and sealed (design.md §2).

A flow may reach the core's table after its own date was extracted. Each extract therefore looks back some days and takes
what no earlier extract has; a flow that was changed since is taken again and shows as a second row for its reference.
"""

from __future__ import annotations

from datetime import timedelta

from custody.ports import Row
from jobs.step import Step, StepContext


def _run(context: StepContext) -> None:
    core, on = context.wiring.core, context.custody_date
    settings = context.wiring.settings
    known = {
        (r["account"], r["core_date"], r["seq"], r["amount_minor"], r["core_ref"])
        for seal in context.seals_of("extract")
        for r in context.wiring.lake.rows(seal.path, "core_flow")
    }
    first = max(settings.instance.go_live, on - timedelta(days=settings.stores.core_lookback_days))
    flows: list[Row] = []
    for back in range((on - first).days, -1, -1):
        for flow in core.flows(on - timedelta(days=back)):
            key = (flow["account"], flow["core_date"], flow["seq"], flow["amount_minor"], flow["core_ref"])
            if key not in known:
                flows.append({**flow, "extracted_for": on})
    context.write("core_flow", flows)
    context.write("core_balance", list(core.balances(on)))


STEP = Step("extract", _run)
