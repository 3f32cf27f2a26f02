"""How the system is, as figures for Prometheus: files, rows, breaks, lag, durations, and what waits for whom.

Worked out anew for each question from register and sealed tables; no figure is kept between two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from itertools import pairwise
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily

from connectors.bootstrap import Wiring
from custody.calendar import CHINA, custody_date_of
from custody.ports import RegisterTx
from custody.services.outputs import days_begun, newest_seals
from custody.services.promises import promised_on
from custody.steps import STEPS

CLOSED = "CLOSED"
_BUCKETS = ("matched", "broken", "carried", "rejected", "withdrawn")


def metrics_text(wiring: Wiring) -> bytes:
    """The figures of this moment in Prometheus' text format, sorted."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(list(_families(wiring))))
    return generate_latest(registry)


class _Collected:
    def __init__(self, families: list[GaugeMetricFamily]) -> None:
        self._families = families

    def collect(self) -> list[GaugeMetricFamily]:
        return self._families


def _families(wiring: Wiring) -> Iterator[GaugeMetricFamily]:
    now = wiring.clock.now().astimezone(CHINA)
    with wiring.register.transaction() as tx:
        begun = days_begun(tx)
        yield from _of_the_days(wiring, tx, begun, custody_date_of(now))
        yield _gauge("custody_files", "Files by state, of all dates.", ["state"], tx.count("file", ["state"]))
        open_cases = tx.count("recon_case", ["kind", "severity"], {"state": CLOSED})
        yield _gauge("custody_cases_open", "Cases that are not closed.", ["kind", "severity"], open_cases)
        alerts = tx.count("alert", ["rule", "severity", "state"], {"state": CLOSED})
        yield _gauge("custody_alerts_open", "Alerts that are not closed.", ["rule", "severity", "state"], alerts)
        waiting = tx.count("proposal", ["kind"], state="PROPOSED")
        yield _gauge("custody_decisions_waiting", "Proposals that wait for a second person.", ["kind"], waiting)
        oldest: dict[tuple[str, ...], float] = {}
        for row in tx.page("proposal", ["proposed_at"], 0, 1, state="PROPOSED"):
            oldest[()] = (now - datetime.fromisoformat(row["proposed_at"])).total_seconds()
        yield _gauge("custody_decision_oldest_seconds", "Age of the proposal that waits longest.", [], oldest)
        owed = tx.count("outbound", ["state"])
        yield _gauge("custody_outbound_files", "Files for parties by state of delivery.", ["state"], owed)
        messages = tx.count("alert_message", ["channel", "state"])
        yield _gauge("custody_messages", "Messages about alerts by channel and state.", ["channel", "state"], messages)


def _of_the_days(wiring: Wiring, tx: RegisterTx, begun: list[date], today: date) -> Iterator[GaugeMetricFamily]:
    """How far the days are, and the newest one's files, steps and rows."""
    closed = sorted(row["custody_date"] for row in tx.find("step_output", step="close"))
    lag = {(): (today - closed[-1]).days} if closed else {}
    yield _gauge("custody_day_lag_days", "Days from the newest closed custody date to today (1: yesterday is closed).", [], lag)
    yield _gauge(
        "custody_days_not_closed", "Custody dates that were cut off and are not closed.", [], {(): len(set(begun) - set(closed))}
    )
    if not begun:
        return
    on = begun[-1]
    promised = {(party, state): number for party, states in promised_on(tx, on).items() for state, number in states.items()}
    yield _gauge("custody_files_promised", "Files of the newest custody date by party and state.", ["party", "state"], promised)
    committed = {
        row["step"]: datetime.fromisoformat(row["committed_at"]) for row in tx.find("step_output", ["version"], custody_date=on)
    }
    done = [step for step in STEPS if step in committed]
    at = {(step,): committed[step].timestamp() for step in done}
    yield _gauge("custody_step_committed_timestamp_seconds", "When the newest custody date's steps were sealed.", ["step"], at)
    order = sorted(done, key=lambda step: committed[step])
    took = {(b,): (committed[b] - committed[a]).total_seconds() for a, b in pairwise(order)}
    yield _gauge("custody_step_interval_seconds", "From the seal of the step before to this one's.", ["step"], took)
    reconciled = newest_seals(tx, "reconcile")
    if not reconciled:
        return
    proof = wiring.lake.rows(reconciled[-1].path, "proof")
    rows: dict[tuple[str, ...], int] = {}
    for row in proof:
        rows |= {(row["relation"], row["side"], bucket): row[bucket] for bucket in _BUCKETS}
    words = "Rows of the newest reconciled date by relation, side and bucket; they add up to what came."
    yield _gauge("custody_rows", words, ["relation", "side", "bucket"], rows)
    holds = {(): float(all(row["holds"] for row in proof))}
    yield _gauge("custody_proof_holds", "1 where the completeness proof of the newest reconciled date holds.", [], holds)


def _gauge(name: str, words: str, labels: list[str], figures: Mapping[Any, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, words, labels=labels)
    for values, figure in sorted(figures.items()):
        family.add_metric([str(value) for value in values], figure)
    return family
