"""The pages of loans: what they list, and one loan's life as the service tells it, page by page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from instance_kit import GO_LIVE, opened
from pages_kit import Desk, read
from typer.testing import CliRunner

from console.cli import app
from console.loan_funds import funds_of
from console.pages.listing import ROWS_ON_A_PAGE, listing
from console.pages.plot import money_plot
from console.pages.render import amount
from custody.calendar import ONE_DAY
from custody.funds_paths import Way
from custody.masking import mask_user_numbers
from custody.ports import Row
from custody.services.loans import loan_life


@pytest.fixture
def loans(desk: Desk) -> Iterator[list[Row]]:
    with opened(desk.home) as instance:
        yield instance.lake_rows(GO_LIVE, "post", "loans")


def test_the_list_has_every_loan_once_over_its_pages(desk: Desk, loans: list[Row]) -> None:
    shown = read(desk.get("loans").text)
    (table,) = shown.tables
    assert {row[0] for row in table[1:]} == {loan["loan_id"] for loan in loans}
    by_amount = read(desk.get("loans", sort="amount", desc="1").text).tables[0][1:]
    assert [row[4] for row in by_amount] == [amount(n) for n in sorted((loan["amount_minor"] for loan in loans), reverse=True)]


@pytest.mark.parametrize("way", ["", "1"])
def test_the_list_is_in_the_order_of_its_words(desk: Desk, loans: list[Row], way: str) -> None:
    by_state = read(desk.get("loans", sort="state", desc=way).text).tables[0][1:]
    assert [row[1].split()[0] for row in by_state] == sorted((loan["state"] for loan in loans), reverse=bool(way))


def test_filters_are_kept_in_the_links_and_hold_together(desk: Desk, loans: list[Row]) -> None:
    one = next(loan for loan in loans if loan["state"] == "DISBURSED")
    wanted = [x["loan_id"] for x in loans if (x["platform"], x["state"]) == (one["platform"], "DISBURSED")]
    shown = read(desk.get("loans", platform=one["platform"], state="DISBURSED").text)
    assert [row[0] for row in shown.tables[0][1:]] == sorted(wanted)
    sorting = [link for link in shown.links if "sort=" in link]
    assert sorting and all(f"platform={one['platform']}&state=DISBURSED" in link for link in sorting)
    assert "None is so" in desk.get("loans", id="no such").text


def test_a_life_is_the_services_with_its_sums_and_links(desk: Desk, loans: list[Row]) -> None:
    # Brings Airflow, whose home a fixture has to name first.
    from console.pages.loans import LoanView

    one = max(loans, key=lambda loan: loan["funded_minor"])
    with opened(desk.home) as instance:
        life = loan_life(instance.wiring.ledger_reader, one["platform"], one["loan_id"])
        view = LoanView(instance.wiring, life, {})
    assert life.claims and life.agrees
    html = desk.get("loan", platform=one["platform"], id=one["loan_id"]).text
    rows = read(html).rows
    for claim in life.claims[:ROWS_ON_A_PAGE]:
        cells = [claim.claim_id, mask_user_numbers(claim.holder), amount(claim.original_minor), amount(claim.principal_minor)]
        assert any(row[:4] == cells for row in rows)
    for check in life.checks:
        assert any(row[0] == check.rule and row[4] == "✓ yes 是" for row in rows)
    assert view.owed[-1][1] == life.outstanding.principal_minor


def test_where_its_money_went_is_shown_leg_by_leg(desk: Desk, loans: list[Row]) -> None:
    one = max(loans, key=lambda loan: loan["funded_minor"])
    with opened(desk.home) as instance:
        path = funds_of(instance.wiring, one["platform"], one["loan_id"])
    assert path.agrees and path.lent_minor == one["funded_minor"] and path.findings == ()
    lent = [leg for place in path.places for leg in place.legs if leg.way is Way.LENT]
    assert sum(leg.amount_minor for leg in lent) == path.lent_minor
    rows = read(desk.get("loan", platform=one["platform"], id=one["loan_id"]).text).rows
    for place in path.places:
        for leg in place.legs:
            assert any(row[4:6] == [leg.request_no, amount(leg.amount_minor)] for row in rows), leg
    asked = ["loan", "funds", one["platform"], one["loan_id"]]
    said = CliRunner().invoke(app, [*asked, "--json"], env={"CUSTODY_HOME": str(desk.home)})
    assert said.exit_code == 0, said.output
    told = json.loads(said.stdout.splitlines()[-1])
    assert (told["lent_minor"], told["lies_minor"], told["agrees"]) == (path.lent_minor, path.lies_minor, True)
    shown = CliRunner().invoke(app, asked, env={"CUSTODY_HOME": str(desk.home)}).stdout
    assert "lenders 出借人" in shown and one["borrower"] not in shown


def test_claims_come_page_by_page_each_once(desk: Desk, loans: list[Row]) -> None:
    rows = [{"n": n} for n in range(2 * ROWS_ON_A_PAGE + 1)]
    seen, links = [], []
    for page in ("1", "2", "3"):
        part = listing(rows, {"n": lambda row: row["n"]}, {"page": page, "id": "x"}, "loan")
        seen += part.rows
        links += [part.back_link, part.onward_link]
    assert seen == rows and part.pages == 3
    assert links[1:5] == [f"loan?id=x{page}&sort=n" for page in ("&page=2", "", "&page=3", "&page=2")]


@pytest.mark.parametrize("said", ["0", "-1", "99", "x", "9" * 30, "²"])
def test_a_page_that_does_not_exist_is_answered_by_one_that_does(said: str) -> None:
    part = listing([1, 2], {"n": lambda n: n}, {"page": said, "sort": "nothing"}, "loan")
    assert part.rows == [1, 2] and part.page == 1


def test_nothing_sorts_before_something_and_turns_round() -> None:
    rows = [(2, None), (1, 5), (3, 4)]
    columns = {"id": lambda r: r[0], "left": lambda r: r[1]}
    assert list(listing(rows, columns, {"sort": "left"}, "x").rows) == [(2, None), (3, 4), (1, 5)]
    turned = listing(rows, columns, {"sort": "left", "desc": "1"}, "x")
    assert list(turned.rows) == [(1, 5), (3, 4), (2, None)] and turned.sorted_by("left") == "x?sort=left"


@pytest.mark.parametrize(
    ("rate", "shown"), [("0.072", "7.2 %"), ("0.12", "12 %"), ("0.0003", "0.03 %"), ("0", "0 %"), ("1.5", "150 %")]
)
def test_a_rate_is_shown_exactly(airflow_home: Path, rate: str, shown: str) -> None:
    from console.pages.loans import percent

    assert percent(rate) == shown


def test_a_sum_stands_until_it_changes() -> None:
    """Steps over the calendar, not a slope between two figures."""
    plot = money_plot([(GO_LIVE, 100), (GO_LIVE + ONE_DAY, 40)], GO_LIVE + 4 * ONE_DAY)
    assert plot is not None
    points = [tuple(map(float, point.split(","))) for point in plot.points.split()]
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = points
    assert y0 == y1 < y2 == y3 and x1 == x2 and x0 < x1 < x3 == plot.right
    assert (x1 - x0) * 3 == pytest.approx(x3 - x2, abs=0.5)
    assert money_plot([(GO_LIVE, 100)], GO_LIVE) is None and money_plot([], GO_LIVE) is None
