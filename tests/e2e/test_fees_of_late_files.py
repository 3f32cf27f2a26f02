"""A month is charged, and then its last day's instructions come, and its first day's are restated: the difference is charged under the
period's number with R1, then given back under R2; each cites the first charge, and is explained down to the rows of the file."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hand_made import Day, P, hand_made_instance, put, run_ledger
from instance_kit import Instance, opened
from test_restated_days import accept, send
from typer.testing import CliRunner

from console.cli import app
from console.fee_view import standing
from custody.names import TxnType
from custody.services import restatements
from custody.services.fee_periods import due_charges

FIRST, LAST, HOLIDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY, MONDAY = (
    date(2019, 12, 30), date(2019, 12, 31), *(date(2020, 1, day) for day in (1, 2, 3, 4, 5, 6)),
)  # fmt: skip
LENDER = ("LENDER", "U1")
C = f"{P}-2019-12"
# 1.5 per mille a year of what lies there, over 365 days, and 0.20 for each recharge; 6 % of VAT.
A_DAY = 1.5 / 1000 / 365
MONEY = 365_000_000


def at(on: date, *recharges: tuple[str, int]) -> Day:
    day = Day(on)
    for number, amount in recharges:
        day.sends(TxnType.RECHARGE, number, amount, payee=LENDER)
    return day


def charged(instance: Instance, day: Day) -> list[str]:
    """The desk charges what is due; the core answers each try on the same day as it is asked."""
    tries = instance.charge_fees(day.on)
    for number in tries:
        (one,) = instance.find("fee_attempt", request_no=number)
        (of,) = instance.find("fee_charge", charge_no=one["charge_no"])
        terms = {"direction": "IN" if of["gross_minor"] < 0 else "OUT", "fee_minor": one["vat_minor"], "originator": "BANK"}
        day.sends(TxnType.CUSTODY_FEE, number, one["amount_minor"], **terms)
    return tries


def explained(home: Path, period: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["fees", "explain", P, period, "--json"], env={"CUSTODY_HOME": str(home)})
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("late-fees")
    home = hand_made_instance(folder / "home", folder / "world", FIRST)
    with opened(home) as instance:
        first, last = at(FIRST, ("R1", MONEY), ("R2", MONEY)), at(LAST, ("R3", MONEY))
        first.opens(*LENDER, 1)
        run_ledger(instance, first)
        # The gateway is silent on the month's last day.
        run_ledger(instance, last, parties=[P])
        run_ledger(instance, at(HOLIDAY))
        day = at(THURSDAY)
        assert charged(instance, day) == [f"{C}-1"]
        put(instance, last, ["GW"])
        run_ledger(instance, day)
        # On Friday the first difference is charged, and R2 of the first day turns out never to have been.
        day = at(FRIDAY)
        assert charged(instance, day) == [f"{C}-R1-1"]
        with instance.wiring.register.transaction() as tx:
            base = restatements.base_of(tx)
        name = send(
            instance, "GW", "INSTRUCTION", FIRST, 2, [row for row in first.rows["INSTRUCTION"] if row["request_no"] != "R2"]
        )
        accept(instance, name, restatements.Effect(base, "", {}))
        run_ledger(instance, day)
        for on in (SATURDAY, SUNDAY):
            run_ledger(instance, at(on))
        day = at(MONDAY)
        assert charged(instance, day) == [f"{C}-R2-1"]
        run_ledger(instance, day)
    return home


def gross(net: float) -> tuple[int, int]:
    """(net, with VAT), rounded once."""
    whole = round(net)
    return whole, whole + round(whole * 0.06)


def test_each_difference_is_a_charge_that_cites_the_first_and_is_settled(story: Path) -> None:
    first, late, restated = gross(4 * MONEY * A_DAY + 40), gross(5 * MONEY * A_DAY + 60), gross(3 * MONEY * A_DAY + 40)
    with opened(story) as instance:
        found = {row["charge_no"]: row for row in instance.find("fee_charge")}
        assert {
            n: (r["net_minor"], r["gross_minor"], r["cites"], r["state"], r["collected_minor"]) for n, r in found.items()
        } == {
            C: (*first, None, "COLLECTED", first[1]),
            f"{C}-R1": (late[0] - first[0], late[1] - first[1], C, "COLLECTED", late[1] - first[1]),
            f"{C}-R2": (restated[0] - late[0], restated[1] - late[1], C, "GIVEN_BACK", restated[1] - late[1]),
        }
        assert json.loads(found[f"{C}-R1"]["components"]) == {"balance": 1_500, "transaction.RECHARGE": 20}
        assert json.loads(found[f"{C}-R2"]["components"]) == {"balance": -3_000, "transaction.RECHARGE": -20}
        with instance.wiring.register.transaction() as tx:
            assert due_charges(tx, MONDAY) == []
        assert not [a for a in instance.find("alert") if a["rule"].startswith("FEE_")]


def test_the_notices_say_what_they_correct(story: Path) -> None:
    with opened(story) as instance:
        sent = [row["file_name"] for row in instance.find("outbound") if row["party"] == P and "FEE_NOTICE" in row["file_name"]]
    assert sent == [f"{P}_FEE_NOTICE_{on:%Y%m%d}_01_v1.csv" for on in (THURSDAY, FRIDAY, MONDAY)]


def test_a_difference_is_explained_down_to_the_row_of_the_late_and_of_the_restated_file(story: Path) -> None:
    late, restated = explained(story, "2019-12-R1"), explained(story, "2019-12-R2")
    # What came late concerns its own day and nothing before.
    assert {change["accrual_date"] for change in late["changes"]} == {str(LAST)}
    (of,) = (change for change in late["changes"] if change["component"] == "transaction.RECHARGE")
    assert (of["before"], of["now"]) == ("0", "20")
    assert [(row["request_no"], row["file_name"], row["posted_on"]) for row in of["rows"]] == [
        ("R3", f"GW_INSTRUCTION_{LAST:%Y%m%d}_01_v1.csv", str(THURSDAY))
    ]
    # What never was lay there on both days, and was counted once.
    assert [(change["accrual_date"], change["component"]) for change in restated["changes"]] == [
        (str(FIRST), "balance"), (str(FIRST), "transaction.RECHARGE"), (str(LAST), "balance"),
    ]  # fmt: skip
    (of,) = (change for change in restated["changes"] if change["component"] == "transaction.RECHARGE")
    assert (of["before"], of["now"], [row["posted_on"] for row in of["rows"]]) == ("40", "20", [str(FRIDAY)])


def test_what_is_accrued_is_charged_and_what_is_charged_is_collected_every_day(story: Path) -> None:
    with opened(story) as instance:
        for on in (THURSDAY, FRIDAY, MONDAY):
            (row,) = instance.lake_rows(on, "fees", "fee_positions")
            # The core answered on the day on which it was asked.
            assert row["charged_minor"] == row["collected_minor"] + row["written_off_minor"] != 0, on
        (now,) = (one for one in standing(instance.wiring) if one.platform == P)
        assert (now.outstanding_minor, now.surplus_minor, now.to_give_back_minor) == (0, 0, 0)
        assert now.accrued_minor == now.charged_minor + now.to_be_charged_minor
        assert instance.damage() == []
