"""What the lake lays by of an item, what the engine reads of it and what the core judges are the same: compared on many rows."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from instance_kit import seeds

from connectors.item_index import BESIDE_THE_PRINT, NUMBERS, column, indexed, numbers_of
from connectors.lake import table_of
from custody.cause_proofs import Rate
from custody.declared import BadDeclaration
from custody.match_rules import RuleSet, read_rule
from custody.matching import Relation, netted_kind, pair_kind
from custody.money import round_minor
from custody.names import BreakKind
from custody.rule_forms import SIDES
from jobs.reconcile.key_history import key_hash_sql
from jobs.reconcile.prints import SEALED_SIDES, expected_fees
from jobs.reconcile.relations import FLOW_VIEWS, in_window_sql, items_sql, side_queries
from jobs.reconcile.totals import ROW_HASH
from schemas.rule_book import book_with
from schemas.tables import ITEM_COLUMNS, TABLES
from schemas.xxhash64 import xxhash64

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


def alike(made: Pairs) -> list[bool]:
    """Of each pair whether its rows have the same numbers: what is clean at matching."""
    found = {}
    for relation in SHIPPED.relations:
        mine = [(n, pair) for n, (of, *pair) in enumerate(made) if of is relation]
        left, right = (_arrow([pair[side] for _, pair in mine]) for side in (0, 1))
        names = ["key", "print_high", "print_low"]
        a, b = (numbers_of(relation.name, rows).select(names).to_pylist() for rows in (left, right))
        beside = BESIDE_THE_PRINT.get(relation.name)
        for (n, pair), x, y in zip(mine, a, b, strict=True):
            found[n] = x == y and (beside is None or pair[0][beside] == pair[1][beside])
    return [found[n] for n in range(len(made))]


def _arrow(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.table({c: pa.array([row[c] for row in rows], _ARROW[kind.rstrip("?")]) for c, kind in _COLUMNS.items()})


def is_clean(rules: RuleSet, relation: Relation, left: dict[str, Any], right: dict[str, Any]) -> bool:
    """By the core: no rule is broken, none needs its excuse, and date, amount and currency are one."""
    ours = rules.relation(relation.name)
    strict = replace(ours, rules=tuple(replace(rule, unless=None, until=None) for rule in ours.rules))
    same = all(left[name] == right[name] for name in ("item_date", "amount_minor", "currency"))
    clean = same and pair_kind(strict, left, right) is None
    # What the core would match is never less than what is clean.
    assert not clean or (pair_kind(ours, left, right) is None and netted_kind([left], [right]) is None)
    return clean


def test_a_pair_is_alike_when_no_rule_that_may_be_could_tell_its_rows_apart() -> None:
    made = pairs()
    assert alike(made) == [
        left["match_key"] == right["match_key"]
        and all(left[n] == right[n] for n in (*SIDES[relation.name].columns, "amount_minor", "item_date"))
        for relation, left, right in made
    ]
    assert {True, False} == set(alike(made))
    # The batch is worth its name: every rule of every relation decided some pair, and some pairs matched.
    decided = {(relation.name, pair_kind(relation, left, right)) for relation, left, right in made}
    for relation in SHIPPED.relations:
        assert {kind for name, kind in decided if name == relation.name} == {None, *(rule.kind for rule in relation.rules)}


def test_under_any_rule_set_what_is_alike_is_clean_to_the_core() -> None:
    made = pairs()
    same = [pair for pair, is_alike in zip(made, alike(made), strict=True) if is_alike]
    assert len(same) > 100
    for seed in seeds(20):
        rules = arbitrary_rules(Random(seed))
        assert all(is_clean(rules, *pair) for pair in same), seed


# What a cell may be where it decides what an item is; small worlds, so that all kinds come up.
_TOLD: dict[str, list[Any]] = {
    "party": ["P001", "CH01"], "platform": ["P001", "P02"], "request_no": ["R1", "R|1", "流水"], "leg": [1, 2],
    "from_role": [None, "PLATFORM", "LENDER"], "to_role": [None, "PLATFORM", "BORROWER"],
    "from_account": [None, "P001.LENDER.u1", "P001:P_FEE", "P001:CORE_CASH", "P001:OWN_CASH", "P001:SUSPENSE", "P001:POOL"],
    "to_account": [None, "P001.BORROWER.u1.frozen", "P001:P_FEE", "P001:CORE_CASH", "P001:OWN_CASH"],
    "file_name": ["P001_TXN_20191230_01_v1.csv", "decision:a", "reversal:b", "decisions.csv"],
    "outcome": ["POSTED", "NO_POSTING", "REFUSED", "WAITING", "REPEATED"], "settle_date": [None, DAY],
    "txn_type": ["RECHARGE", "WITHDRAW", "WITHDRAW_RETURN", "BONUS"], "account": ["P001:CUSTODY", "P02:OWN"],
    "core_ref": [None, "", "  ", " R1 ", "R1", "\tR1"], "channel": [None, "CH00", "CH01"], "direction": ["IN", "OUT"],
    "status": ["SUCCESS", "PROCESSING"],
}  # fmt: skip


def drawn(table: str, random: Random, many: int) -> pa.Table:
    rows = []
    for number in range(many):
        row: dict[str, Any] = {}
        for spec in TABLES[table].columns:
            cells = _TOLD.get(spec.name) or _CELLS[spec.type] + ([datetime(2019, 12, 30, 2, tzinfo=UTC)] * (spec.type == "time"))
            row[spec.name] = random.choice([cell for cell in cells if cell is not None or spec.nullable])
        rows.append(row | {name: number for name in ("line_no", "seq", "entry_no") if name in row})
    return table_of(replace(TABLES[table], unique=False), rows)


def test_what_lies_by_is_what_the_engine_would_read(spark: "SparkSession") -> None:
    random = Random(5)
    tables = {table: drawn(table, random, 3_000) for _, table in FLOW_VIEWS}
    for name, rows in tables.items():
        spark.createDataFrame(rows).createOrReplaceTempView(name)
    schema = "fee_channel string, rate_millionths bigint, min_fee_minor bigint"
    spark.createDataFrame([("CH00", 2_500, 100), ("CH02", 1, 0)], schema).createOrReplaceTempView("fee_rates")
    for (relation, side), sealed in SEALED_SIDES.items():
        query = side_queries(30, "GW")[relation, side]
        items = spark.sql(query).toDF(*TABLES["open_items"].names).toArrow()
        expected = numbers_of(relation, items).append_column("row_ref", items["row_ref"]).sort_by("row_ref")
        lying = indexed(sealed.table, tables[sealed.table])
        names = [column(relation, number) for number in NUMBERS]
        found = lying.filter(lying[column(relation, "row")].is_valid()).select(names)
        assert found.num_rows == expected.num_rows > 200
        by_row = [(n, "ascending") for n in ("row", "key")]
        assert (
            found.rename_columns(list(NUMBERS)).sort_by(by_row).equals(expected.select(NUMBERS).sort_by(by_row).combine_chunks())
        )
        # The engine's own hashes, too.
        items_with = spark.createDataFrame(items)
        items_with.createOrReplaceTempView("items_drawn")
        hashes = f"select {key_hash_sql('i.match_key')} as key, {ROW_HASH.format('i')} as row from items_drawn i"
        engines = spark.sql(hashes).toArrow()
        keyless = items["match_key"].is_null().to_pylist()
        rows = zip(engines["key"].to_pylist(), engines["row"].to_pylist(), keyless, strict=True)
        mine = zip(*(numbers_of(relation, items)[n].to_pylist() for n in ("key", "row")), strict=True)
        assert [(None if no_key else key, row) for key, row, no_key in rows] == list(mine)


def test_columns_hash_as_the_engine_hashes_them(spark: "SparkSession") -> None:
    random = Random(64)
    # Of every length about the steps in which a text is taken in, in octets of one to four a character; nulls; the ends of integers.
    texts = ["".join(random.choice("a|7中é😀") for _ in range(n)) for n in range(140) for _ in range(12)] + [None] * 60
    ints = [random.choice([None, 0, -1, 2**63 - 1, -(2**63), random.getrandbits(40)]) for _ in texts]
    others = random.sample(texts, len(texts))
    drawn_columns = {"a": pa.array(texts), "b": pa.array(others), "c": pa.array(ints, pa.int64())}
    spark.createDataFrame(pa.table(drawn_columns)).createOrReplaceTempView("to_hash")
    found = spark.sql("select a, b, c, xxhash64(a) as one, xxhash64(a, b, c) as all, xxhash64(c) as int from to_hash").toArrow()
    for name, columns in (("one", ["a"]), ("all", ["a", "b", "c"]), ("int", ["c"])):
        assert xxhash64(*(found[column] for column in columns)).tolist() == found[name].to_pylist()
    assert xxhash64(pa.array([], pa.string())).tolist() == []


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
    # The same by columns, as matching reckons it.
    ledger = table_of(TABLES["ledger_txn"], rows)
    fees = expected_fees(ledger, ledger["amount_minor"].to_numpy(), [Rate(*rate, DAY) for rate in rates])
    assert dict(zip((f"F:{n}" for n in ledger["line_no"].to_pylist()), fees.tolist(), strict=True)) == expected
