"""What waits is the same by whole columns as by the core's judgement of each key."""

from datetime import date
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from connectors.lake import arrow_schema
from custody.matching import Bucket
from jobs.reconcile.flow_verdicts import judge_rest
from jobs.reconcile.waiting import split_waiting
from schemas.rule_book import book_with
from schemas.tables import TABLES

TODAY = date(2019, 12, 31)
LATE = "P001|TXN|2019-12-30"
DAYS = st.sampled_from([date(2019, 12, 30), TODAY, date(2020, 1, 1)])
RELATIONS = book_with([]).rules_on(TODAY).relations
SIDES = st.sampled_from([(r.name, side) for r in RELATIONS for side in (r.left, r.right)])
ITEM = st.fixed_dictionaries(
    {
        "place": SIDES, "match_key": st.sampled_from([None, "k1", "k2", "k3", "k4", "k5"]), "item_date": DAYS,
        "expected_on": st.one_of(st.none(), DAYS), "counterpart_file": st.sampled_from([None, LATE, "P001|TXN|2019-12-31"]),
        "in_window": st.booleans(), "amount_minor": st.sampled_from([1, 2]),
    }
)  # fmt: skip
KEYS = st.frozensets(st.sampled_from(["k1", "k2", "k3"]), max_size=2)


def row(number: int, drawn: dict[str, Any]) -> dict[str, Any]:
    (relation, side), plain = drawn["place"], {n: v for n, v in drawn.items() if n != "place"}
    same = {"platform": "P001", "subject": "TXN|k|1", "currency": "CNY", "status": "SUCCESS", "fee_minor": 0}
    return {"relation": relation, "side": side, "row_ref": f"F:{number}", **same, **plain}


@given(st.lists(ITEM, max_size=12), KEYS, KEYS)
def test_the_columns_wait_for_what_the_core_carries(
    drawn: list[dict[str, Any]], before: frozenset[str], posting: frozenset[str]
) -> None:
    schema = pa.schema([pa.field(f.name, f.type) for f in arrow_schema(TABLES["open_items"])])
    rest = pa.Table.from_pylist([row(n, one) for n, one in enumerate(drawn)], schema)
    seen = frozenset((relation.name, key) for relation in RELATIONS for key in before)
    waits, others = split_waiting(rest, TODAY, frozenset({LATE}), seen, posting)
    found = {(r["row_ref"], r["rule"]) for r in waits.to_pylist()}

    def judged(rows: pa.Table) -> set[tuple[str, str, str]]:
        groups = judge_rest(RELATIONS, rows.to_pylist(), TODAY, frozenset({LATE}), seen, posting)
        return {(item["row_ref"], str(v.bucket), str(v.rule)) for _, items, v in groups for item in items}

    assert {(ref, str(Bucket.CARRIED), rule) for ref, rule in found} | judged(others) == judged(rest)
    assert waits.num_rows + others.num_rows == rest.num_rows
