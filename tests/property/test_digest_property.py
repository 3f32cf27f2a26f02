"""A content digest says what rows there are: not their order, not their grouping, and never the same for other rows."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from custody.digest import ContentDigest, canonical_json, digest_of_json, digest_of_rows, row_hash

CELLS = st.one_of(st.none(), st.text(max_size=6), st.sampled_from(["~", "1:a,", "", ",", "~~"]))
ROWS = st.lists(st.lists(CELLS, min_size=1, max_size=4).map(tuple), max_size=12)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=8,
)
Row = tuple[str | None, ...]


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_count(rows: list[Row], random: Random) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert digest_of_rows(shuffled) == digest_of_rows(rows)
    collected = ContentDigest()
    for row in shuffled:
        collected.add_hash(row_hash(row))
    assert (collected.root(), collected.rows) == (digest_of_rows(rows), len(rows))


@given(ROWS, ROWS)
def test_two_tables_agree_only_when_their_rows_do(left: list[Row], right: list[Row]) -> None:
    def order(row: Row) -> str:
        return repr(row)

    assert (digest_of_rows(left) == digest_of_rows(right)) == (sorted(left, key=order) == sorted(right, key=order))


@given(st.lists(CELLS, max_size=4), st.lists(CELLS, max_size=4))
def test_no_two_rows_share_a_preimage(left: list[str | None], right: list[str | None]) -> None:
    assert (row_hash(left) == row_hash(right)) == (left == right)


@given(JSON)
def test_json_has_one_spelling_whatever_the_insertion_order(value: object) -> None:
    def reversed_keys(node: object) -> object:
        if isinstance(node, dict):
            return {key: reversed_keys(node[key]) for key in reversed(node)}
        return [reversed_keys(item) for item in node] if isinstance(node, list) else node

    assert canonical_json(reversed_keys(value)) == canonical_json(value)
    assert digest_of_json(reversed_keys(value)) == digest_of_json(value)
