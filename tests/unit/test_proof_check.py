"""The checker that a third party runs shares no code with the system; here the two are held to one result."""

from __future__ import annotations

from datetime import UTC, date

from hypothesis import given
from hypothesis import strategies as st

from custody import digest
from custody.day_seal import FORMAT as STATEMENT
from custody.day_seal import NAMESPACE, SIGNER
from reports import proof_check

_CELLS = st.one_of(
    st.none(),
    st.text(),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.dates(),
    st.datetimes(timezones=st.just(UTC)),
)


@given(st.lists(_CELLS, max_size=6))
def test_rows_have_one_hash(row: list[object]) -> None:
    assert proof_check.row_hash([digest.canonical_text(cell) for cell in row]) == digest.row_hash(row)


def test_tables_have_one_digest() -> None:
    for count in (0, 1, 20_000):
        rows = [[f"P001.LENDER.{n}", n % 7, None] for n in range(count)]
        texts = [[digest.canonical_text(cell) for cell in row] for row in rows]
        assert proof_check.digest_of_rows(texts) == digest.digest_of_rows(rows)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_json_has_one_spelling(value: object) -> None:
    assert proof_check.spelled(value) == digest.canonical_json(value).encode()


def test_the_names_are_the_same() -> None:
    assert (proof_check.STATEMENT, proof_check.NAMESPACE, proof_check.SIGNER) == (STATEMENT, NAMESPACE, SIGNER)
    assert proof_check.BUCKETS == digest.BUCKETS
    assert digest.canonical_text(date(2019, 12, 31)) == "2019-12-31"
