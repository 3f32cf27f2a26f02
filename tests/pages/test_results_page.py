"""The page of results: what it says of a date is what the view gathered, and a wrong date is answered in words."""

from __future__ import annotations

from instance_kit import GO_LIVE, opened
from pages_kit import Desk, read

from console.results_view import results_of


def test_each_platforms_line_is_the_results(desk: Desk) -> None:
    with opened(desk.home) as instance:
        results = results_of(instance.wiring, GO_LIVE)
    shown = read(desk.get("results", date=GO_LIVE.isoformat()).text)
    lines = {row[0]: row for row in shown.tables[0][1:]}
    assert set(lines) == {p.platform for p in results.platforms}
    for p in results.platforms:
        counts = [f"{p.rows[bucket]:,}" for bucket in ("MATCHED", "BREAK", "CARRIED", "REJECTED")]
        assert lines[p.platform][1:5] == counts
    some = next(p for p in results.platforms if p.kinds)
    alone = read(desk.get("results", date=GO_LIVE.isoformat(), platform=some.platform).text)
    kinds = [row[0] for row in alone.tables[1][1:]]
    assert kinds == [kind.kind for kind in some.kinds]


def test_a_date_that_is_not_reconciled_is_said_so(desk: Desk) -> None:
    answer = desk.get("results", date="2031-01-01")
    assert answer.status_code == 400 and "is not reconciled" in answer.text
    assert desk.get("results", date="tomorrow").status_code == 400
