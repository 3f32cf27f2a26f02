"""The lake's fast content digest says exactly what the standard-library one says, over every type of cell."""

from datetime import UTC, date, datetime

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from connectors.lake import content_digest
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
