"""What the engine computes and what the core computes are the same rule: compared on many rows, in one batch each."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from instance_kit import seeds

from connectors.lake import table_of
from custody.declared import BadDeclaration
from custody.match_rules import RuleSet, read_rule
from custody.matching import Relation, netted_kind, pair_kind
from custody.money import round_minor
from custody.names import BreakKind
from custody.rule_forms import SIDES
from jobs.reconcile.engine_rules import clean_pair_sql
from jobs.reconcile.relations import in_window_sql, items_sql
from schemas.rule_book import book_with
from schemas.tables import ITEM_COLUMNS, TABLES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DAY = date(2019, 12, 30)
PAIRS_PER_RELATION = 3_000
SHIPPED = book_with([]).rules_on(DAY)
_ARROW = {"text": pa.string(), "int": pa.int64(), "bool": pa.bool_(), "date": pa.date32(), "time": pa.timestamp("us", tz="UTC")}
_COLUMNS = {name: kind for name, _, kind in (word.partition(":") for word in ITEM_COLUMNS.split())}
# Small worlds, so that equal, swapped and null cells all come up often.
_CELLS: dict[str, list[Any]] = {
    "text": [None, "a", "b"],
    "int": [None, 0, 1, -1, 10**15],
    "date": [DAY, date(2019, 12, 31)],
    "bool": [True, False],
    "time": [None],
}


Pairs = list[tuple[Relation, dict[str, Any], dict[str, Any]]]


def pairs() -> Pairs:
    """Random pairs of one key; the right side differs from the left in none to three columns, or has two swapped."""
    random = Random(20191230)
    made = []
    for relation in SHIPPED.relations:
        for _ in range(PAIRS_PER_RELATION):
            left = {name: random.choice(_CELLS[kind.rstrip("?")]) for name, kind in _COLUMNS.items()}
            for name, kind in _COLUMNS.items():
                if not kind.endswith("?") and left[name] is None:
                    left[name] = "a" if kind == "text" else 1
            right = dict(left)
            if random.random() < 0.2:
                right["from_account"], right["to_account"] = left["to_account"], left["from_account"]
            if random.random() < 0.2:
                # The one rule with an excuse: dates that differ, and either side in the window.
                right["item_date"] = DAY if left["item_date"] != DAY else date(2019, 12, 31)
                right["in_window"] = random.choice([True, False])
                right["settle_date"] = random.choice([None, DAY, date(2019, 12, 31)])
            for name in random.sample(sorted(_COLUMNS), random.randint(0, 3)):
                kind = _COLUMNS[name]
                right[name] = random.choice([c for c in _CELLS[kind.rstrip("?")] if c is not None or kind.endswith("?")])
            left |= {"relation": relation.name, "side": relation.left}
            right |= {"relation": relation.name, "side": relation.right}
            made.append((relation, left, right))
    return made


def view(spark: "SparkSession", name: str, rows: list[dict[str, Any]]) -> None:
    columns: dict[str, Any] = {"n": pa.array(range(len(rows)), pa.int64())}
    columns |= {c: pa.array([row[c] for row in rows], _ARROW[kind.rstrip("?")]) for c, kind in _COLUMNS.items()}
    spark.createDataFrame(pa.table(columns)).createOrReplaceTempView(name)


def arbitrary_rules(random: Random) -> RuleSet:
    """Any rule set that may be: pair rules withdrawn, narrowed, added and in another order, under other kinds. What may not be is
    drawn again."""
    while True:
        changes = []
        for relation in ("AB_TXN", "BC_CHANNEL"):
            pairs = [dict(rule.entry) for rule in SHIPPED.rules if rule.relation == relation and rule.form == "pair"]
            order = random.sample(range(10, 10 * len(pairs) + 10, 10), len(pairs))
            for priority, pair in zip(order, pairs, strict=True):
                changes.append({**pair, "priority": priority, "withdrawn": random.random() < 0.1})
                if "differs" in pair and "unless" not in pair and random.random() < 0.3:
                    changes[-1]["differs"] = random.sample(pair["differs"], random.randint(1, len(pair["differs"])))
                if random.random() < 0.2:
                    columns = random.sample(SIDES[relation].columns, random.randint(1, 4))
                    own = {"rule": f"{pair['rule']}_more", "kind": random.choice(list(BreakKind)), "differs": columns}
                    extra = {n: v for n, v in pair.items() if n not in ("swapped", "unless", "until")}
                    changes.append({**extra, **own, "priority": priority + random.randint(1, 9)})
        rules = [{**c, "version": 1 if c["rule"].endswith("_more") else 2, "valid_from": DAY.isoformat()} for c in changes]
        try:
            return book_with([read_rule(rule, "drawn") for rule in rules]).rules_on(DAY)
        except BadDeclaration as refused:
            assert "no rule compares" in str(refused), refused


def engine_answers(spark: "SparkSession", rules: RuleSet) -> list[bool]:
    """Of each pair whether the engine finds it clean."""
    clean = " ".join(f"when l.relation = '{r.name}' then {clean_pair_sql(r, 'l', 'r')}" for r in rules.relations)
    rows = spark.sql(f"select case {clean} end as clean from lefts l join rights r on l.n = r.n order by l.n")
    answers: list[bool] = rows.toArrow()["clean"].to_pylist()
    return answers


def is_clean(rules: RuleSet, relation: Relation, left: dict[str, Any], right: dict[str, Any]) -> bool:
    """By the core: no rule is broken, none needs its excuse, and date, amount and currency are one."""
    ours = rules.relation(relation.name)
    strict = replace(ours, rules=tuple(replace(rule, unless=None, until=None) for rule in ours.rules))
    same = all(left[name] == right[name] for name in ("item_date", "amount_minor", "currency"))
    clean = same and pair_kind(strict, left, right) is None
    # What the core would match is never less than what the engine seals.
    assert not clean or (pair_kind(ours, left, right) is None and netted_kind([left], [right]) is None)
    return clean


def wrong_pairs(rules: RuleSet, made: Pairs, found: list[bool]) -> list[object]:
    assert len(found) == len(made)
    return [(pair[0].name, clean, *pair[1:]) for pair, clean in zip(made, found, strict=True) if is_clean(rules, *pair) != clean]


def test_a_pair_is_clean_on_the_engine_when_it_is_by_the_core(spark: "SparkSession") -> None:
    made = pairs()
    view(spark, "lefts", [left for _, left, _ in made])
    view(spark, "rights", [right for _, _, right in made])
    assert wrong_pairs(SHIPPED, made, engine_answers(spark, SHIPPED)) == []
    # The batch is worth its name: every rule of every relation decided some pair, and some pairs matched.
    decided = {(relation.name, pair_kind(relation, left, right)) for relation, left, right in made}
    for relation in SHIPPED.relations:
        assert {kind for name, kind in decided if name == relation.name} == {None, *(rule.kind for rule in relation.rules)}


def test_under_any_rule_set_the_engine_and_the_core_agree(spark: "SparkSession") -> None:
    made = pairs()[::3]
    view(spark, "lefts", [left for _, left, _ in made])
    view(spark, "rights", [right for _, _, right in made])
    answers = set()
    for seed in seeds(20):
        rules = arbitrary_rules(Random(seed))
        found = engine_answers(spark, rules)
        assert (seed, wrong_pairs(rules, made, found)) == (seed, [])
        answers.add(tuple(found))
    assert len(answers) > 5


def test_every_window_counts_minutes_from_the_nearer_midnight(spark: "SparkSession") -> None:
    random = Random(3)
    edges = [timedelta(minutes=m, microseconds=u) for m in (0, 1, 30, 35, 36, 60, 719, 720) for u in (-1, 0, 1)]
    midnight = datetime(2019, 12, 30, 16, 0, tzinfo=UTC)
    times = [midnight + sign * edge for edge in edges for sign in (1, -1)]
    times += [midnight + timedelta(seconds=random.randrange(86_400)) for _ in range(200)]
    columns = {"n": pa.array(range(len(times)), pa.int64()), "event_time": pa.array(times, pa.timestamp("us", tz="UTC"))}
    spark.createDataFrame(pa.table(columns)).createOrReplaceTempView("times")
    for minutes in (0, 1, 30, 35, 36, 60, 300, 719, 720):
        found = spark.sql(f"select n, {in_window_sql(minutes)} as inside from times order by n").toArrow().to_pylist()
        away = [(time - midnight) % timedelta(days=1) for time in times]
        nearest = [min(after, timedelta(days=1) - after) for after in away]
        assert [row["inside"] for row in found] == [near <= timedelta(minutes=minutes) for near in nearest], minutes


def fee_rates() -> list[tuple[str, int, int]]:
    random = Random(7)
    fixed = [
        (0, 0),
        (0, 25),
        (1, 0),
        (5_000, 0),
        (2_500, 0),
        (2_500, 100),
        (3_000, 200),
        (999_999, 0),
        (1_000_000, 0),
        (333_333, 1),
    ]
    drawn = [(random.randint(1, 20_000), random.choice([0, 0, 1, 50, 200])) for _ in range(30)]
    return [(f"CH{n:02d}", rate, least) for n, (rate, least) in enumerate(fixed + drawn)]


def amounts(rate: int, random: Random) -> list[int]:
    """Amounts around every kind of tie of a rate in millionths, small and large ones."""
    ties = [n for n in range(1, 4_001) if 2 * (n * rate % 10**6) == 10**6][:12]
    near = [n + d for n in ties for d in (-1, 1) if n + d > 0]
    half = [500_000 * odd for odd in (1, 3, 5, 7)]
    return ties + near + half + [1, 2, 99, 100, 101] + [random.randint(1, 10 ** random.randint(1, 12)) for _ in range(60)]


def ledger_row(n: int, channel: str, txn_type: str, amount: int) -> dict[str, Any]:
    return {
        "platform": "P001", "request_no": f"R{n}", "leg": 1, "txn_type": txn_type, "from_account": None, "to_account": None,
        "amount_minor": amount, "currency": "CNY", "loan_id": None, "principal_minor": 0, "interest_minor": 0,
        "penalty_minor": 0, "coupon_minor": 0, "related_request_no": None, "channel": channel, "status": "SUCCESS",
        "event_time": datetime(2019, 12, 30, 2, 0, tzinfo=UTC), "originator": "CUSTOMER", "settlement_batch": None,
        "direction": None, "fee_minor": 0, "file_name": "F", "line_no": n, "value_date": DAY, "settle_date": DAY,
        "content_hash": "h", "outcome": "POSTED", "entry_no": n, "txn_no": n, "authorisation_id": "A",
    }  # fmt: skip


def test_the_expected_channel_fee_is_the_contracts_half_even_with_its_minimum(spark: "SparkSession", tmp_path: Path) -> None:
    random, rates = Random(11), fee_rates()
    rows: list[dict[str, Any]] = []
    expected: dict[str, int] = {}
    tied = 0
    for channel, rate, least in rates:
        for amount in amounts(rate, random):
            exact = Fraction(amount * rate, 10**6)
            tied += exact.denominator == 2
            expected[f"F:{len(rows)}"] = max(round_minor(exact, "half_even"), least)
            rows.append(ledger_row(len(rows), channel, "RECHARGE", amount))
        expected[f"F:{len(rows)}"] = 0
        rows.append(ledger_row(len(rows), channel, "WITHDRAW", 10**6 + 1))
        expected[f"F:{len(rows)}"] = 0
        rows.append(ledger_row(len(rows), channel, "WITHDRAW_RETURN", 10**6 + 1))
    assert tied > 100
    for name in ("land_txn", "land_settlement", "journal", "core_flow", "ledger_txn"):
        content = rows if name == "ledger_txn" else []
        pq.write_table(table_of(TABLES[name], content), tmp_path / f"{name}.parquet")
        spark.read.parquet(str(tmp_path / f"{name}.parquet")).createOrReplaceTempView(name)
    schema = "fee_channel string, rate_millionths bigint, min_fee_minor bigint"
    spark.createDataFrame(rates, schema).createOrReplaceTempView("fee_rates")
    query = f"select row_ref, fee_minor from ({items_sql(30, 'GW')}) where relation = 'BC_CHANNEL' and side = 'B'"
    found = {row["row_ref"]: row["fee_minor"] for row in spark.sql(query).toArrow().to_pylist()}
    wrong = {
        ref: (rows[int(ref[2:])]["amount_minor"], fee, found.get(ref)) for ref, fee in expected.items() if found.get(ref) != fee
    }
    assert wrong == {}
    assert found.keys() == expected.keys()
