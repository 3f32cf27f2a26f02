"""A little market over two month ends: the bank's statistics of the second month beside those of the first, which was restated meanwhile.
Each figure against what the sealed rows and the months' days come to in plain Python."""

from __future__ import annotations

import io
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

import openpyxl
import pytest
from instance_kit import Instance, make_instance, make_world, opened
from soak import in_soak_only
from test_restated_days import restate, rows_of

from custody.calendar import ONE_DAY, dates
from custody.names import TxnType
from custody.reversals import REVERSAL

# The first month has one day, and the second is the year's shortest.
FIRST = date(2019, 1, 31)
DAYS = list(dates(FIRST, 29))
LAST = DAYS[-1]
PLATFORMS = ("P001", "P002")
# Customers' money that changed hands, entered or left.
COUNTED = {
    TxnType.RECHARGE, TxnType.BACKROLL_RECHARGE, TxnType.WITHDRAW, TxnType.WITHDRAW_RETURN, TxnType.TENDER_SETTLE, TxnType.ENTRUSTED_PAYMENT,
    TxnType.REPAYMENT, TxnType.COMPENSATION, TxnType.COMPENSATION_REPAYMENT, TxnType.CREDIT_ASSIGNMENT, TxnType.COMMISSION, TxnType.MARKETING,
    TxnType.BANK_INTEREST,
}  # fmt: skip
# By platform, then of both together.
Figures = dict[str, int]

pytestmark = in_soak_only("minutes of processor time")


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """On the second month's first day the gateway says of one of the first month's recharges that it was larger."""
    folder = tmp_path_factory.mktemp("two_months")
    world = make_world(folder / "world", [], seed=3, start=FIRST, platforms=2, channels=1, lenders=4, loans=2, days=len(DAYS))
    with opened(make_instance(folder / "home", world, FIRST, reports=("bank_statistics",))) as made:
        for on in DAYS:
            if on == FIRST + ONE_DAY:
                rows = rows_of(world, "GW", "INSTRUCTION", FIRST)
                recharge = next(row for row in rows if row["txn_type"] == "RECHARGE")
                changed = [{**row, "amount_minor": row["amount_minor"] + 7} if row is recharge else row for row in rows]
                restate(made, "GW", "INSTRUCTION", FIRST, 2, changed)
            made.deliver(world, on)
            made.run_day(on)
        yield made


def volumes(instance: Instance, days: Sequence[date]) -> Figures:
    found: Figures = defaultdict(int)
    for on in days:
        for row in instance.lake_rows(on, "post", "ledger_txn"):
            if row["outcome"] == "POSTED" and row["txn_type"] in COUNTED:
                for of in (row["platform"], "*"):
                    found[of] += row["amount_minor"]
    return dict(found)


def owed(instance: Instance, on: date) -> Figures:
    found: Figures = defaultdict(int)
    for row in instance.lake_rows(on, "post", "claims"):
        for of in (row["platform"], "*"):
            found[of] += row["principal_minor"]
    return {of: found[of] for of in (*PLATFORMS, "*")}


def reported(instance: Instance, on: date, figure: str) -> Figures:
    rows = [
        r for r in instance.lake_rows(on, "report", "report_figures") if (r["table_id"], r["figure"]) == ("platforms", figure)
    ]
    assert {row["period"] for row in rows} == {f"{on:%Y-%m}"}
    return {"*" if row["is_total"] else json.loads(row["key"])[0]: row["value"] for row in rows}


def test_the_months_differ_and_the_first_was_restated(instance: Instance) -> None:
    legs = [row for row in instance.lake_rows(FIRST + ONE_DAY, "post", "ledger_txn") if row["value_date"] == FIRST]
    assert {row["txn_type"] for row in legs if row["file_name"].startswith(REVERSAL)} == {"REVERSAL"}
    assert "RECHARGE" in {row["txn_type"] for row in legs if row["file_name"].endswith("_v2.csv")}
    assert instance.failing_proofs() == []
    first, second = volumes(instance, DAYS[:1]), volumes(instance, DAYS[1:])
    assert set(first) == {*PLATFORMS, "*"} and all(second[of] != first[of] > 0 for of in first)
    assert owed(instance, FIRST) != owed(instance, LAST)


def test_each_month_says_what_its_own_days_come_to(instance: Instance) -> None:
    """What was restated is the second month's, on whose day it was posted; what was said of the first stands."""
    assert reported(instance, FIRST, "volume") == volumes(instance, DAYS[:1])
    assert reported(instance, LAST, "volume") == volumes(instance, DAYS[1:])
    for on in (FIRST, LAST):
        assert reported(instance, on, "loan_balance") == owed(instance, on)


def compared(instance: Instance) -> None:
    """The second month's workbook: each figure, then the month before, and how much more it is."""
    sealed = instance.find("step_output", custody_date=LAST, step="report")[-1]
    (name,) = [name for name in instance.wiring.lake.manifest(sealed["path"]).files if name.endswith(".xlsx")]
    book = openpyxl.load_workbook(io.BytesIO(instance.wiring.lake.file(sealed["path"], name)), data_only=True)
    (page,) = [page for page in book if page.title.startswith("分平台")]
    head, *rows = [row for row in page.iter_rows(min_row=4, values_only=True) if row[0] is not None]
    for title, now, before in (
        ("Transaction volume", volumes(instance, DAYS[1:]), volumes(instance, DAYS[:1])),
        ("Loan balance", owed(instance, LAST), owed(instance, FIRST)),
    ):
        (at,) = [number for number, text in enumerate(head) if text.endswith(title)]
        told = {}
        for row in rows[: len(PLATFORMS) + 1]:
            of = next((platform for platform in PLATFORMS if str(row[0]).startswith(platform)), "*")
            told[of] = tuple(Decimal(str(cell)) if isinstance(cell, int | float) else cell for cell in row[at : at + 5])
        assert told == {
            of: (
                Decimal(now[of]) / 100,
                Decimal(before[of]) / 100,
                (Decimal(now[of] - before[of]) / before[of]).quantize(Decimal("0.0001"), ROUND_HALF_EVEN) if before[of] else "–",
                # Nothing was sealed a year before.
                "–",
                "–",
            )
            for of in (*PLATFORMS, "*")
        }, title


def test_month_on_month(instance: Instance) -> None:
    compared(instance)


def test_another_version_of_the_first_month_is_what_the_second_is_compared_with(instance: Instance) -> None:
    before = {on: instance.find("step_output", custody_date=on, step="report")[-1]["manifest_digest"] for on in (FIRST, LAST)}
    again = {on: instance.step("report", on, reason="asked for again").seal for on in (FIRST, LAST)}
    assert [seal.version for seal in again.values()] == [2, 2]
    # The first month is of the same inputs, hence the same; so is what is compared with it.
    assert {on: seal.manifest_digest for on, seal in again.items()} == before
    compared(instance)
