"""Whoever stands on a list is held from the cut-off that sealed it: what would leave waits, crash or not, until two people release him."""

from __future__ import annotations

import json
import signal
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hand_made import Day, hand_made_instance, run_ledger
from instance_kit import Instance, copy_of, opened
from kill_kit import start
from typer.testing import CliRunner

from console.cli import app
from custody.names import TxnType
from custody.services.access import SYSTEM
from custody.steps import LEDGER_STEPS
from jobs.post.scratch import Spool
from jobs.registry import step_named
from jobs.step import run_step

FIRST = date(2019, 12, 30)
SECOND, THIRD, FOURTH = (FIRST + timedelta(days=n) for n in (1, 2, 3))
LENDER, OTHER, LATER = ("LENDER", "U1"), ("LENDER", "U2"), ("LENDER", "U3")
MONEY = 1_000_00


class Desk:
    def __init__(self, home: Path) -> None:
        self._home = home

    def __call__(self, *arguments: str, ends: int = 0) -> Any:
        done = CliRunner().invoke(app, [*arguments, "--json"], env={"CUSTODY_HOME": str(self._home)})
        assert done.exit_code == ends, done.output
        return json.loads(done.stdout.splitlines()[-1]) if ends == 0 else done.output

    def decides(self, *proposed: str, by: str) -> None:
        self("proposal", "approve", self("compliance", *proposed)["proposal"], "--as", by, "--note", "n")


def lets_in(desk: Desk, folder: Path, *numbers: int) -> None:
    people = Day(FIRST)
    for number in numbers:
        people.opens(*LENDER, number)
    entries = [{"entry": str(n), "id_type": "ID", "id_no": row["id_no"]} for n, row in enumerate(people.rows["CUSTOMER"], 1)]
    path = folder / "list.yaml"
    path.write_text(json.dumps({"list": "un", "valid_from": str(FIRST), "source": "circular", "entries": entries}))
    desk.decides("watch", str(path), "--as", "maker", "--note", "n", by="checker")


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lender with money, listed on the second day; a third person on the list is no customer yet."""
    folder = tmp_path_factory.mktemp("held")
    home = hand_made_instance(folder / "home", folder / "world", FIRST)
    day = Day(FIRST)
    for number, who in enumerate((LENDER, OTHER), start=1):
        day.opens(*who, number)
        day.sends(TxnType.RECHARGE, f"R{number}", MONEY, payee=who)
    with opened(home) as instance:
        run_ledger(instance, day)
    desk = Desk(home)
    lets_in(desk, folder, 1, 3)
    day = Day(SECOND)
    day.opens(*LATER, 3)
    for number, who in enumerate((LENDER, OTHER, LATER), start=1):
        day.sends(TxnType.RECHARGE, f"Q{number}", 500, payee=who)
        day.sends(TxnType.WITHDRAW_FREEZE, f"W{number}", 400, payer=who)
    with opened(home) as instance:
        run_ledger(instance, day, LEDGER_STEPS[:1])
    return home


def outcomes(instance: Instance, on: date) -> dict[str, str]:
    return {row["request_no"]: row["outcome"] for row in instance.lake_rows(on, "post", "ledger_txn")}


def after(home: Path, on: date) -> dict[str, str]:
    """The outcomes of a day on which nothing comes."""
    with opened(home) as instance:
        run_ledger(instance, Day(on))
        return outcomes(instance, on)


def step(instance: Instance, name: str, on: date) -> None:
    run_step(instance.wiring, step_named(name), on, SYSTEM, among=LEDGER_STEPS)


@pytest.fixture(scope="module")
def second(held: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = copy_of(held, tmp_path_factory.mktemp("second") / "home")
    with opened(home) as instance:
        for name in LEDGER_STEPS:
            step(instance, name, SECOND)
    return home


def test_no_money_of_his_leaves_from_the_day_on_which_he_is_listed(second: Path, tmp_path: Path) -> None:
    home = copy_of(second, tmp_path / "home")
    with opened(home) as instance:
        assert outcomes(instance, SECOND) == {
            "Q1": "POSTED",
            "Q2": "POSTED",
            "Q3": "POSTED",
            "W1": "WAITING",
            "W2": "POSTED",
            "W3": "WAITING",
        }
        told = {row["request_no"]: row for row in instance.lake_rows(SECOND, "post", "posting_findings")}
        assert {row["rule"] for row in told.values()} == {"not_carried_out"} and set(told) == {"W1", "W3"}
        assert {row["figures"] for row in told.values()} == {'{"txn_type":"WITHDRAW_FREEZE"}'}
        assert instance.damage() == []
    desk = Desk(home)
    listed = desk("compliance", "holds", "--as", "risk")["holds"]
    assert [(row["entry"], row["state"], row["held_from"]) for row in listed] == [
        ("1", "HELD", str(SECOND)),
        ("2", "HELD", str(SECOND)),
    ]
    assert "may not" in desk("compliance", "holds", "--as", "maker", ends=2)
    number = listed[0]["hold_id"]
    desk("compliance", "release", number, "--as", "maker", "--note", "n", ends=2)
    desk.decides("report", listed[1]["hold_id"], "--as", "risk", "--note", "n", by="risk2")
    proposal = desk("compliance", "release", number, "--as", "risk", "--note", "another of that name")["proposal"]
    for nobody in ("risk", "checker"):
        desk("proposal", "approve", proposal, "--as", nobody, "--note", "n", ends=2)
    # What was decided holds from the next cut-off: then his withdrawal goes, and who is reported stays held.
    assert after(home, THIRD) == {"W1": "WAITING", "W3": "WAITING"}
    desk("proposal", "approve", proposal, "--as", "risk2", "--note", "n")
    assert after(home, FOURTH) == {"W1": "POSTED", "W3": "WAITING"}
    desk("compliance", "release", number, "--as", "risk", "--note", "n", ends=2)
    with opened(home) as instance:
        looked = [row["actor"] for row in instance.find("audit_event", action="aml_hold.view")]
        names = str([row["payload"] for row in instance.find("proposal", kind="aml_hold")])
    assert "risk" in looked and listed[0]["customer_id"] not in names


def test_a_crash_neither_forgets_nor_doubles_a_hold(
    held: Path, second: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Landing is killed when it has committed and not published; posting dies when the first account has been posted."""
    torn = copy_of(held, tmp_path / "torn")
    child = start(torn, "land", SECOND, "committed")
    child.communicate(timeout=120)
    assert child.returncode == -signal.SIGKILL
    with opened(torn) as instance, monkeypatch.context() as patched:
        step(instance, "land", SECOND)
        patched.setattr(Spool, "write", _disk_is_gone)
        with pytest.raises(OSError, match="gone"):
            step(instance, "post", SECOND)
    with opened(second) as one, opened(torn) as other:
        assert not other.find("step_output", custody_date=SECOND, step="post")
        step(other, "post", SECOND)
        for name in ("land", "post"):
            (mine,), (his,) = (i.find("step_output", custody_date=SECOND, step=name) for i in (one, other))
            assert mine["manifest_digest"] == his["manifest_digest"]


def _disk_is_gone(*_: object) -> None:
    raise OSError("gone")
