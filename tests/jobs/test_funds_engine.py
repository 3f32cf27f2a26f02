"""The engine follows loans' money as the plain rule of custody.funds_paths does, over days that carry open lots."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from funds_kit import DAY, KINDS, PERSON, journal_of, move_of
from instance_kit import seeds

from custody.funds_paths import Leg, Lot, Way, trace
from jobs.reconcile.funds_engine import LEGS, LOTS, trace_day

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def on_engine(
    spark: SparkSession, rows: list[dict[str, Any]], opening: dict[str, int], lots: list[Lot], today: date
) -> tuple[list[Leg], list[Lot]]:
    texts = ("platform", "book", "txn_type", "request_no", "loan_id", "from_account", "to_account")
    schema = pa.schema([(n, pa.string()) for n in texts] + [(n, pa.int64()) for n in ("entry_no", "move_no", "amount_minor")])
    # A day without any move has a journal too; this one touches nobody.
    rows = rows or [dict.fromkeys(schema.names) | {"book": "OWN", "from_account": "x", "to_account": "y"}]
    spark.createDataFrame(pa.Table.from_pylist(rows, schema)).createOrReplaceTempView("funds_journal")
    balances = {"account": [f"{a}:available" for a in opening], "opening_minor": list(opening.values())}
    spark.createDataFrame(pa.table(balances)).createOrReplaceTempView("funds_balances")
    people = {"platform": ["P1"] * len(PERSON), "sub_account": list(PERSON), "customer_id": list(PERSON.values())}
    spark.createDataFrame(pa.table(people)).createOrReplaceTempView("funds_sub_accounts")
    before = pa.Table.from_pylist([{"platform": "P1", **lot._asdict()} for lot in lots], LOTS)
    traced = trace_day(spark, today, before)
    assert traced.legs.schema == LEGS and traced.lots.schema == LOTS
    assert set(traced.legs["platform"].to_pylist()) | set(traced.lots["platform"].to_pylist()) <= {"P1"}
    legs = [Leg(**{**row, "way": Way(row["way"])}) for row in traced.legs.drop_columns(["platform"]).to_pylist()]
    return sorted(legs, key=order), sorted(Lot(**row) for row in traced.lots.drop_columns(["platform"]).to_pylist())


def order(leg: Leg) -> tuple[Any, ...]:
    return (*leg[:5], leg.request_no or "", leg.target or "", leg.other_loan or "")


@pytest.mark.parametrize("seed", seeds(2), ids=lambda seed: f"seed{seed}")
def test_the_engine_traces_as_the_rule_says(seed: int, spark: SparkSession) -> None:
    assert days_agree(spark, seed) > 2, "the days are worth comparing"


def days_agree(spark: SparkSession, seed: int) -> int:
    """Three days of one market traced by both; returns how many hops its money went."""
    rng, today = Random(seed), DAY
    held: dict[str, int] = dict.fromkeys(PERSON, 0)
    lots: list[Lot] = []
    hops = 0
    for number in range(1, 4):
        # Now and then longer than a card remembers.
        today += timedelta(days=rng.choice((1, 1, 2, 31)))
        accounts, loans = range(len(PERSON)), ("L1", "L2")
        drafts = [
            (rng.randrange(len(KINDS)), rng.choice(accounts), rng.choice(accounts), rng.randrange(1, 41), rng.choice(loans))
            for _ in range(80)
        ]
        opening = dict(held)
        rows = journal_of(drafts, held, number)
        legs, after = trace([move_of(row) for row in rows], lots, opening, today)
        assert on_engine(spark, rows, opening, lots, today) == (sorted(legs, key=order), after)
        lots, hops = after, max([hops, *(leg.hop for leg in legs)])
    return hops
