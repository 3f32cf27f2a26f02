"""The page of results: what it says of a date is what the view gathered, and a wrong date is answered in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

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


def test_two_days_make_a_plot_and_a_table_of_the_same_figures(desk: Desk) -> None:
    # Brings Airflow, whose home a fixture has to name first.
    from console.pages.render import page
    from console.pages.results import ResultsView

    with opened(desk.home) as instance:
        results = results_of(instance.wiring, GO_LIVE)
    before = GO_LIVE - timedelta(days=1)
    longer = replace(results, trend={p: [(before, 3), *days] for p, days in results.trend.items()})
    shown = page("results.html", form_token="t", view=ResultsView(longer, [before, GO_LIVE], {}), sections=[], may=lambda _: True)
    assert f"<title>{before}: {3 * len(longer.trend)}</title>" in shown
    assert read(shown).tables[-1][-1] == [before.isoformat(), *["3"] * len(longer.trend)]
