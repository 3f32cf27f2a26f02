"""Reports that a healthy market leaves empty, over two days made by hand: a reserve that grows and runs off, borrowers over their limits.
Each figure against what the days' own rows come to."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal

import pytest
from compliance_day import FIRST, SECOND, TERMS, YUAN, first_day
from hand_made import Day, P, hand_made_instance, put
from instance_kit import Instance, opened

from custody.names import TxnType
from custody.steps import STEPS
from jobs.reporting.request import report_on_request
from schemas.rule_book import shipped_rules

PERIOD = "2019-12"
RESERVE = ("PLATFORM", "P_COMPENSATION")
UNTIL = STEPS[: STEPS.index("risk") + 1]


def days() -> tuple[Day, Day]:
    """The reserve takes in what it should not, and pays back to the platform. One borrower has two loans, each within the limit and both
    together not; another one too large; a third just what he may."""
    first, second = first_day(), Day(SECOND)
    first.sends(TxnType.OWN_FUNDS_MOVEMENT, "O1", 100_000 * YUAN, direction="IN")
    first.sends(TxnType.PLATFORM_RECHARGE, "C1", 50_000 * YUAN, payee=RESERVE)
    first.sends(TxnType.PLATFORM_RECHARGE, "C2", 1, payee=RESERVE)
    second.sends(TxnType.PLATFORM_WITHDRAW, "C3", 20_000 * YUAN + 1, payer=RESERVE)
    second.sends(TxnType.PLATFORM_RECHARGE, "C4", 1_000 * YUAN, payee=RESERVE)
    for loan, borrower, yuan in (("L1", "B1", 300_000), ("L4", "B2", 120_000), ("L5", "B3", 200_000), ("L6", "B2", 90_000)):
        second.loan(
            loan_id=loan, borrower_user_no=borrower, raised_minor=0, state="BIDDING", **TERMS | {"amount_minor": yuan * YUAN}
        )
    return first, second


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    folder = tmp_path_factory.mktemp("filled")
    with opened(hand_made_instance(folder / "home", folder / "world", FIRST)) as made:
        for day in days():
            put(made, day)
            made.run_day(day.on, STEPS if day.on == FIRST else UNTIL)
        yield made


def files(instance: Instance, report: str) -> Mapping[str, bytes]:
    return report_on_request(instance.wiring, "maker", report, PERIOD)


def lines(found: Mapping[str, bytes], ending: str) -> list[dict[str, str]]:
    (data,) = (data for name, data in found.items() if name.endswith(ending))
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def minor(amount: str) -> int:
    return int(Decimal(amount) * YUAN)


def test_a_reserve_is_told_by_its_movements_day_by_day(instance: Instance) -> None:
    moved: dict[tuple[str, TxnType], int] = defaultdict(int)
    for day in days():
        for row in day.rows["INSTRUCTION"]:
            if RESERVE in ((row["from_role"], row["from_user_no"]), (row["to_role"], row["to_user_no"])):
                moved[str(day.on), row["txn_type"]] += row["amount_minor"]
    entered = {on: moved[on, TxnType.PLATFORM_RECHARGE] for on in (str(FIRST), str(SECOND))}
    left = {on: moved[on, TxnType.PLATFORM_WITHDRAW] for on in (str(FIRST), str(SECOND))}
    closing = entered[str(FIRST)] - left[str(FIRST)]
    assert all(entered.values()) and closing
    found = files(instance, "reserve_runoff")
    told = [
        (row["on_date"], *(minor(row[f"{name}_minor"]) for name in ("opening", "in", "out", "closing")))
        for row in lines(found, "_days.csv")
    ]
    assert told == [
        (str(FIRST), 0, entered[str(FIRST)], left[str(FIRST)], closing),
        (str(SECOND), closing, entered[str(SECOND)], left[str(SECOND)], closing + entered[str(SECOND)] - left[str(SECOND)]),
    ]
    figures = {(row["table"], row["platform"], row["figure_id"]): minor(row["value"]) for row in lines(found, "_v1.csv")}
    assert figures == {
        (table, of, figure): value
        for of in (P, "*")
        for table, figure, value in (
            ("balances", "p_compensation", told[-1][-1]),
            ("moved", "reserve_in", sum(entered.values())),
            ("moved", "reserve_out", sum(left.values())),
        )
    }


def test_borrowers_over_their_limit_are_told_one_by_one(instance: Instance) -> None:
    (rule,) = (rule for rule in shipped_rules() if rule.rule_id == "limit_on_platform" and rule.version == 1)
    most = rule.entry["figures"]["person_minor"]
    asked: dict[str, list[int]] = defaultdict(list)
    for row in days()[1].rows["LOAN"]:
        asked[row["borrower_user_no"]].append(row["amount_minor"])
    beyond = sorted((sum(of) - most, len(of)) for of in asked.values() if sum(of) > most)
    assert beyond == [(10_000 * YUAN, 2), (100_000 * YUAN, 1)] and most in map(sum, asked.values())
    found = files(instance, "limit_breaches")
    told = lines(found, "_breaches.csv")
    assert sorted((minor(row["amount_minor"]), int(row["rows_in_all"])) for row in told) == beyond
    # By the number at the bank, not the platform's; in both languages.
    assert {row["subject"] for row in told} == {
        row["customer_id"] for row in instance.lake_rows(SECOND, "post", "sub_accounts") if row["user_no"] in ("B1", "B2")
    }
    assert all("200000.00" in row["words_en"] and "200000.00" in row["words_zh"] for row in told)
    figures = {(row["platform"], row["rule"]): row["value"] for row in lines(found, "_v1.csv")}
    assert figures == {(P, "limit_on_platform"): "2", ("*", "*"): "2"}
