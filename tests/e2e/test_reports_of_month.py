"""Every report that ships, over two sealed days of a faulted market: figures agree across reports, with the books as plain Python sums
them, and with what was sealed of the month before; the files are the same whenever they are made.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from instance_kit import Instance, copy_of, opened

from connectors.engine import engine
from connectors.lease import DAY_LEASE, Lease
from custody.errors import UsageError
from custody.names import PartyKind
from custody.services.access import SYSTEM
from custody.services.outputs import Seal
from custody.steps import StepRef
from jobs.reference import Reference, load_reference
from jobs.reporting.drafts import Draft, drafts
from jobs.reporting.made import made_tables
from jobs.reporting.request import report_on_request
from jobs.reporting.sources import Sources, rows_behind
from jobs.step import StepContext, resolve_inputs
from reports.build import ten_thousandths
from reports.catalogue import load_catalogue
from reports.definition import load_definition, load_definitions
from reports.periods import parse_period

LAST, PERIOD = date(2019, 12, 31), parse_period("2019-12")
CATALOGUE = load_catalogue()
# (report, platform, table, key, figure) -> value; a total has the key ("*",).
Figures = dict[tuple[str, str, str, tuple[str, ...], str], int | None]


class Month:
    """The instance after its last day, with one engine for all questions, and the month before as a report once sealed it."""

    def __init__(self, instance: Instance, spark: Any) -> None:
        self.instance, self.spark = instance, spark
        inputs = resolve_inputs(instance.wiring, "report", LAST)
        inputs[StepRef(date(2019, 11, 30), "report")] = self._november()
        self.context = StepContext(instance.wiring, LAST, inputs, Lease(DAY_LEASE, "test", 0))
        self.reference: Reference = load_reference(self.context)
        self.views: set[str] = set()
        self.drafts: list[Draft] = []
        for definition in load_definitions().values():
            period = PERIOD if definition.period == "month" else parse_period(LAST.isoformat())
            made = made_tables(self.context, self.reference, definition, period)
            sources = Sources(self.context, spark, period, made, self.views)
            self.drafts += drafts(sources, CATALOGUE, definition, self.reference)
        self.figures: Figures = {}
        for row in (row for draft in self.drafts for row in draft.figures):
            key = ("*",) if row["is_total"] else tuple(json.loads(row["key"]))
            self.figures[row["report"], row["party"], row["table_id"], key, row["figure"]] = row["value"]

    def _november(self) -> Seal:
        figure = {
            "report": "bank_statistics", "version": 1, "period": "2019-11", "party": "", "table_id": "platforms", "figure": "volume",
            "unit": "amount", "file_name": "f.xlsx", "cell": "s!B5",
        }  # fmt: skip
        writer = self.instance.wiring.lake.writer("november")
        writer.table(
            "report_figures",
            [
                {**figure, "key": '["P001"]', "is_total": False, "value": 1_000_000},
                {**figure, "key": "[]", "is_total": True, "value": 4_000_000},
            ],
        )
        return Seal(date(2019, 11, 30), "report", 1, writer.finish().digest, "november")

    def named(self, figure: str) -> dict[tuple[str, str, str, tuple[str, ...]], int | None]:
        return {place[:4]: value for place, value in self.figures.items() if place[4] == figure}


@pytest.fixture(scope="module")
def month(two_days: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Month]:
    with (
        opened(copy_of(two_days.home, tmp_path_factory.mktemp("month") / "home")) as instance,
        engine(instance.wiring.settings) as spark,
    ):
        yield Month(instance, spark)


def platforms(month: Month) -> list[str]:
    return month.reference.of_kind(PartyKind.PLATFORM)


def test_the_loan_balance_is_one_in_all_reports(month: Month) -> None:
    claims = defaultdict(int)
    for row in month.context.rows("post", "claims"):
        claims[row["platform"]] += row["principal_minor"]
    whole = sum(claims.values())
    assert whole > 0
    seen = defaultdict(set)
    # By claims, by loans, and by what is due: three ways to one sum.
    for figure in ("loan_balance", "outstanding"):
        for (report, party, table, key), value in month.named(figure).items():
            if table in ("overdue",) or "branches" in table:
                continue
            of = party or (key[0] if key and key[0] != "*" else "")
            assert value == (claims[of] if of else whole), (report, table, key)
            seen[figure].add((report, table))
    assert seen["loan_balance"] == {
        ("custody_monthly", "summary"), ("custody_monthly", "platforms"), ("platform_monthly", "summary"), ("platform_daily", "summary"),
        ("bank_statistics", "summary"), ("bank_statistics", "platforms"), ("disclosure", "loans"), ("major_event", "standing"),
    }  # fmt: skip
    assert seen["outstanding"] == {("disclosure", "loans")}


def test_parts_add_up_to_the_whole_in_every_table(month: Month) -> None:
    """Of figures that add up the rows make the total, and equal the report's figure of the whole where it states one."""
    summed: dict[tuple[str, str, str, str], int] = defaultdict(int)
    for (report, party, table, key, figure), value in month.figures.items():
        if key and key != ("*",):
            summed[report, party, table, figure] += value or 0
    checked = 0
    for (report, party, table, figure), value in summed.items():
        if not CATALOGUE.figure(figure)[1].is_additive:
            continue
        total = month.figures.get((report, party, table, ("*",), figure))
        whole = month.figures.get((report, party, "summary", (), figure))
        assert total in (None, value), (report, table, figure)
        where = load_definition(report).table(table).where
        assert where or whole in (None, value), (report, table, figure)
        checked += (total is not None) + (whole is not None)
    assert checked > 40


def test_one_figure_has_one_value_wherever_it_stands(month: Month) -> None:
    """Of the same thing: the whole bank, or one platform, in a table that nothing narrows."""
    found: dict[tuple[str, str, str], set[int | None]] = defaultdict(set)
    for (report, party, table, key, figure), value in month.figures.items():
        defined = load_definition(report).table(table)
        if defined.where or load_definition(report).period != "month":
            continue
        if not key or key == ("*",):
            found[party, "", figure].add(value)
        elif defined.by == ["platform"]:
            found[key[0], "", figure].add(value)
    assert {place: values for place, values in found.items() if len(values) > 1} == {}
    assert len(found) > 60


def test_the_books_summed_by_plain_python_say_the_same(month: Month) -> None:
    platform, days = platforms(month)[0], [seal.custody_date for seal in month.context.seals_of("post")] + [LAST]
    legs = [
        row
        for day in sorted(set(days))
        for row in month.context.rows("post", "ledger_txn", on=day)
        if row["platform"] == platform and row["outcome"] == "POSTED"
    ]
    ours = {table: month.figures["custody_monthly", "", "by_platform_and_type", (platform, table), "type_volume"] for table in
            {row["txn_type"] for row in legs}}  # fmt: skip
    sums: dict[str, int] = defaultdict(int)
    for row in legs:
        sums[row["txn_type"]] += row["amount_minor"]
    assert ours == dict(sums)
    balances = [r for r in month.context.rows("post", "balances") if r["platform"] == platform and r["book"] == "CUSTODY"]
    customers = sum(row["closing_minor"] for row in balances if "." in row["account"])
    assert month.figures["custody_monthly", "", "platforms", (platform,), "custody_customers"] == customers
    accounts = {row["sub_account"]: row for row in month.context.rows("post", "sub_accounts")}
    lenders = {
        accounts[row["holder"]]["customer_id"]
        for row in month.context.rows("post", "claims")
        if row["principal_minor"] and row["platform"] == platform and accounts[row["holder"]]["role"] == "LENDER"
    }
    assert month.figures["platform_monthly", platform, "summary", (), "lenders"] == len(lenders)
    # What is in custody, less what channels owe and are owed, is what the core has: invariant 1 of domain.md §4.
    assets = sum(-row["closing_minor"] for row in balances if ":CORE_CASH" in row["account"] or "RECEIVABLE" in row["account"])
    payable = sum(row["closing_minor"] for row in balances if "CHANNEL_PAYABLE" in row["account"])
    assert month.figures["custody_monthly", "", "platforms", (platform,), "custody_total"] == assets - payable


def test_the_rows_behind_a_figure_make_it(month: Month) -> None:
    made = made_tables(month.context, month.reference, load_definition("custody_monthly"), PERIOD)
    sources = Sources(month.context, month.spark, PERIOD, made, month.views)
    platform = platforms(month)[0]
    for table, key in (
        ("platforms", {"platform": platform}),
        ("by_platform_and_type", {"platform": platform, "txn_type": "RECHARGE"}),
    ):
        defined = load_definition("custody_monthly").table(table)
        for name in defined.figures:
            row_set, figure = CATALOGUE.figure(name)
            rows = rows_behind(sources, row_set, figure, defined, key)
            value = month.figures["custody_monthly", "", table, tuple(key.values()), name]
            if figure.sum is not None:
                assert sum(row[figure.sum] for row in rows) == value, name
            elif figure.distinct is not None:
                assert len({row[figure.distinct] for row in rows}) == value, name
            else:
                assert len(rows) == value, name
            assert all(row[column] is not None for row in rows for column in row_set.place), name


def test_month_on_month_is_by_what_was_sealed_then(month: Month) -> None:
    (statistics,) = [draft for draft in month.drafts if draft.definition.id == "bank_statistics"]
    (table,) = [table for table in statistics.report.tables if table.id == "platforms"]
    now = month.figures["bank_statistics", "", "platforms", ("P001",), "volume"]
    assert now is not None
    assert [getattr(cell, "minor", None) for cell in table.rows[0][1:3]] == [now, 1_000_000]
    assert getattr(table.rows[0][3], "ten_thousandths", None) == ten_thousandths(now - 1_000_000, 1_000_000)
    assert table.total is not None
    assert getattr(table.total[2], "minor", None) == 4_000_000
    # The second platform was not there in November.
    assert not hasattr(table.rows[1][2], "minor")


def test_each_platform_reads_of_itself_alone(month: Month) -> None:
    for draft in month.drafts:
        if draft.definition.scope == "platform":
            others = [p for p in platforms(month) if p != draft.name.party]
            said = repr([(table.rows, table.total) for table in draft.report.tables])
            assert draft.name.party and not any(other in said for other in others), draft.name


def test_a_report_cites_what_it_was_made_from(month: Month) -> None:
    cited = {draft.definition.id: {str(seal["step"]) for seal in draft.report.seals} for draft in month.drafts}
    assert cited["custody_monthly"] == {"cut_off", "post", "reconcile"}
    assert cited["fee_income"] == {"cut_off", "post", "fees"}
    assert cited["disclosure"] == {"cut_off", "land", "post", "reconcile", "risk"}
    assert cited["limit_breaches"] == {"cut_off", "compliance"}


def test_on_request_the_bytes_are_those_of_the_draft(month: Month) -> None:
    """Of the one report that the step drafted on these days."""
    wiring = month.instance.wiring
    (sealed,) = month.instance.find("step_output", custody_date=LAST, step="report")
    names = wiring.lake.manifest(sealed["path"]).files
    made = report_on_request(wiring, "maker", "custody_monthly", "2019-12")
    assert made == {name: wiring.lake.file(sealed["path"], name) for name in names}
    with pytest.raises(UsageError, match="not assessed"):
        report_on_request(wiring, "maker", "custody_monthly", "2020-01")
    with pytest.raises(UsageError, match="is of a month"):
        report_on_request(wiring, SYSTEM, "custody_monthly", "2019-12-31")


def test_nothing_of_money_laundering_is_told(month: Month) -> None:
    finding = {
        "rule": "limit_on_all", "version": 1, "platform": "", "subject": "C1", "occurrence": "", "severity": "HIGH", "amount_minor": 1,
        "figures": "{}", "words_en": "w", "words_zh": "w", "rows_in_all": 1,
    }  # fmt: skip
    writer = month.instance.wiring.lake.writer("findings")
    told = [("a", "AML"), ("b", "BANK"), ("c", "PLATFORM")]
    writer.table("compliance_findings", [{**finding, "finding_id": name, "disclosure": to} for name, to in told])
    seal = Seal(LAST, "compliance", 1, writer.finish().digest, "findings")
    context = StepContext(
        month.instance.wiring, LAST, month.context.inputs | {StepRef(LAST, "compliance"): seal}, Lease(DAY_LEASE, "test", 0)
    )
    made = made_tables(context, month.reference, load_definition("limit_breaches"), PERIOD)
    sources = Sources(context, month.spark, PERIOD, made)
    assert [row["finding_id"] for row in sources.rows(sources.sql(CATALOGUE.row_set("findings")) + " order by finding_id")] == [
        "b",
        "c",
    ]


def test_a_period_without_any_day_is_a_report_of_nothing(month: Month) -> None:
    period = parse_period("2019-10")
    for name in ("custody_monthly", "fee_income", "suspense_ageing"):
        definition = load_definition(name)
        sources = Sources(month.context, month.spark, period, made_tables(month.context, month.reference, definition, period))
        (draft,) = drafts(sources, CATALOGUE, definition, month.reference)
        assert draft.report.tables and not any(row["value"] for row in draft.figures)
