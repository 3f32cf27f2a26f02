"""``custody``: the one command line (design.md §5)."""

from __future__ import annotations

import typer

from console.commands.alerts import add_alerts
from console.commands.backup import add_backup
from console.commands.cases import add_cases
from console.commands.compliance import add_compliance
from console.commands.customers import add_customers
from console.commands.desk import add_desk
from console.commands.exchange import add_exchange
from console.commands.expectations import add_expectations
from console.commands.instance import add_instance
from console.commands.layouts import add_layouts
from console.commands.ledger import add_ledger
from console.commands.metrics import add_metrics
from console.commands.organisations import add_organisations
from console.commands.outbound import add_outbound
from console.commands.proofs import add_proofs
from console.commands.replay import add_replay
from console.commands.rules import add_rules
from console.commands.seals import add_seals
from console.commands.simulation import add_simulation
from console.commands.steps import add_steps
from console.commands.store import add_store

app = typer.Typer(
    help="Bank-side fund supervision: the custody day, its cases, fees, alerts and reports. 银行资金存管监管系统",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
add_instance(app)
add_simulation(app)
add_exchange(app)
add_outbound(app)
add_layouts(app)
add_steps(app)
add_compliance(app)
add_desk(app)
add_alerts(app)
add_organisations(app)
add_cases(app)
add_rules(app)
add_ledger(app)
add_customers(app)
add_expectations(app)
add_replay(app)
add_store(app)
add_seals(app)
add_proofs(app)
add_metrics(app)
add_backup(app)


def main() -> None:
    app()
