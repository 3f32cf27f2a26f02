"""A verdict is one of three buckets, does not depend on order, and never passes a pair that differs in what counts."""

from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from custody.matching import Bucket, Relation, judge_group, pair_kind
from custody.names import BreakKind
from schemas.rule_book import book_with

DAYS = st.sampled_from([date(2019, 12, 30), date(2019, 12, 31), date(2020, 1, 1)])
FEW = st.sampled_from([None, "a", "b"])
FILES = st.sampled_from([None, "P001|TXN|2019-12-31", "P001|TXN|2020-01-01"])
AMOUNTS = st.sampled_from([1, 2, 3, -3, 10**15])
ITEM = st.fixed_dictionaries(
    {
        "match_key": st.just("k"), "item_date": DAYS, "expected_on": st.one_of(st.none(), DAYS), "amount_minor": AMOUNTS,
        "currency": st.sampled_from(["CNY", "USD"]), "from_account": FEW, "to_account": FEW, "loan_id": FEW, "status": FEW,
        "fee_minor": st.one_of(st.none(), AMOUNTS), "principal_minor": AMOUNTS, "interest_minor": AMOUNTS,
        "penalty_minor": AMOUNTS, "coupon_minor": AMOUNTS,
        "counterpart_file": FILES, "in_window": st.booleans(), "txn_type": FEW,
        "settle_date": st.one_of(st.none(), DAYS),
    }
)  # fmt: skip
# What decides, for each relation that pairs; a difference in anything else is no break.
COUNTS = {
    "AB_TXN": (
        "currency",
        "from_account",
        "to_account",
        "loan_id",
        "txn_type",
        "amount_minor",
        "principal_minor",
        "interest_minor",
        "penalty_minor",
        "coupon_minor",
        "status",
    ),
    "BC_CHANNEL": ("currency", "amount_minor", "fee_minor", "status"),
}
RULES = book_with([]).rules_on(date(2019, 12, 30))
AB_TXN, BC_CORE, BC_CHANNEL, _ = RULES.relations
RELATIONS = st.sampled_from(RULES.relations)
PAIRING = st.sampled_from([AB_TXN, BC_CHANNEL])
Item = dict[str, Any]


@given(PAIRING, ITEM, ITEM)
def test_a_pair_matches_exactly_when_all_that_counts_is_equal(relation: Relation, left: Item, right: Item) -> None:
    same = all(left[name] == right[name] for name in COUNTS[relation.name])
    if relation is AB_TXN:
        last = right["settle_date"] or left["settle_date"]
        lag = last is not None and right["item_date"] <= left["item_date"] <= last
        same = same and (left["item_date"] == right["item_date"] or left["in_window"] or right["in_window"] or lag)
    assert (pair_kind(relation, left, right) is None) == same
    assert pair_kind(relation, left, left) is None
    # But for time, where only a claim may lag behind, it is the same seen from either side.
    on = {"item_date": left["item_date"]}
    assert pair_kind(relation, left, right | on) == pair_kind(relation, right | on, left)


@given(
    RELATIONS,
    st.lists(st.tuples(st.booleans(), ITEM), min_size=1, max_size=5),
    DAYS,
    st.frozensets(FILES.filter(lambda name: name is not None)),
    st.booleans(),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_a_group_gets_one_verdict_whatever_the_order(
    relation: Relation,
    sided: list[tuple[bool, Item]],
    as_of: date,
    missing: frozenset[str],
    before: bool,
    waiting: bool,
    random: Any,
) -> None:
    items = [item | {"side": relation.left if left else relation.right} for left, item in sided]
    sides = {item["side"] for item in items}
    found = judge_group(relation, items, as_of, missing, before, waiting)
    assert found.bucket in Bucket
    if len(items) == 1 or len(sides) == 2 or not relation.nets:
        shuffled = list(items)
        random.shuffle(shuffled)
        assert judge_group(relation, shuffled, as_of, missing, before, waiting) == found
    if found.bucket == Bucket.MATCHED:
        assert len(sides) == 2
        assert not before
        assert relation.nets or len(items) == 2
    if found.bucket == Bucket.BREAK:
        assert found.rule in set(BreakKind)
    if found.bucket == Bucket.CARRIED:
        assert len(sides) == 1


@given(st.lists(AMOUNTS, min_size=1, max_size=4), st.lists(AMOUNTS, min_size=1, max_size=4))
def test_netting_matches_exactly_when_the_sums_agree(ours: list[int], theirs: list[int]) -> None:
    items = [
        {"side": side, "match_key": "k", "currency": "CNY", "amount_minor": a, "item_date": date(2019, 12, 30)}
        for side, amounts in (("B", ours), ("C", theirs))
        for a in amounts
    ]
    found = judge_group(BC_CORE, items, date(2019, 12, 30), frozenset(), False, False)
    assert (found.bucket == Bucket.MATCHED) == (sum(ours) == sum(theirs))
