"""The lake's fast content digest says exactly what the standard-library one says, over every type of cell."""

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.table_digest import TableDigest, content_digest, row_hashes
from custody.digest import digest_of_rows

_FROM, _TO = datetime(1900, 1, 1), datetime(2200, 1, 1)  # noqa: DTZ001
_COLUMNS = {
    "text": (pa.string(), st.text(max_size=12)),
    "int": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "bool": (pa.bool_(), st.booleans()),
    "date": (pa.date32(), st.dates(date(1, 1, 1), date(9999, 12, 31))),
    # Hypothesis asks for naive bounds and adds the zone itself.
    "time": (pa.timestamp("us", tz="UTC"), st.datetimes(_FROM, _TO, timezones=st.just(UTC))),
}
_ROW = st.tuples(*(st.none() | values for _, values in _COLUMNS.values()))


@given(st.lists(_ROW, max_size=20))
def test_arrow_and_plain_python_give_one_digest(rows: list[tuple[object, ...]]) -> None:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(_COLUMNS)
    arrays = [pa.array(values, type=kind) for values, (kind, _) in zip(columns, _COLUMNS.values(), strict=True)]
    assert content_digest(pa.table(dict(zip(_COLUMNS, arrays, strict=True)))) == digest_of_rows(rows)


@pytest.mark.parametrize(
    "texts", [["x" * 999], ["x" * 1_000], ["文" * 70_000, None, "y"], [None, "", "a" * 1_000, "文"], [None, None], ["文", "文"]]
)
def test_texts_of_any_length_shared_or_missing(texts: list[str | None]) -> None:
    table = pa.table(
        {"number": pa.array(range(len(texts))), "text": pa.array(texts, pa.string()), "same": pa.array(["s"] * len(texts))}
    )
    assert content_digest(table) == digest_of_rows([[n, text, "s"] for n, text in enumerate(texts)])


@given(
    shares=st.lists(st.lists(st.text(max_size=3), max_size=30), max_size=6),
    run_rows=st.integers(1, 40),
)
def test_hashes_that_were_spilled_in_runs_give_the_same_digest(shares: list[list[str]], run_rows: int) -> None:
    digest = TableDigest(run_rows)
    for share in shares:
        digest.add(row_hashes(pa.table({"text": pa.array(share, pa.string())})))
    assert digest.root() == digest_of_rows([[text] for share in shares for text in share])
