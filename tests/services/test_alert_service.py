"""Alerts: raised once, acknowledged by a person, and never lost while the gateway is away."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest
from stepping_clock import SteppingClock

from connectors.alert_spool import AlertSpool
from connectors.register import SqlRegister
from custody.errors import NotPermitted, UsageError
from custody.ports import Row
from custody.services.alerts import acknowledge, alerts, raise_alert, send_waiting

DAY = date(2019, 12, 30)


def raised(register: SqlRegister, subject: str = "close", day: date = DAY) -> str:
    return raise_alert(register, "system", "task_failed", subject, day, "a task failed", "任务失败")


def listed(register: SqlRegister, state: str | None = None) -> list[Row]:
    with register.transaction() as tx:
        return alerts(tx, state)


def test_an_alert_is_raised_once(register: SqlRegister) -> None:
    first = raised(register)
    assert raised(register) == first
    assert raised(register, "land") != first
    again = raise_alert(register, "system", "task_failed", "close", DAY, "a task failed", "任务失败", occurrence="2")
    assert again != first
    assert len(listed(register)) == 3
    with register.transaction() as tx:
        assert [e["action"] for e in tx.find("audit_event")] == ["alert.raise"] * 3


def test_an_alert_that_lasts_only_ages(register: SqlRegister) -> None:
    first = raised(register)
    assert raised(register, day=date(2020, 1, 2)) == first
    assert raised(register, day=date(2019, 12, 31)) == first
    (row,) = listed(register)
    assert (row["raised_on"], row["last_seen_on"]) == (DAY, date(2020, 1, 2))


def test_a_person_acknowledges_and_the_first_one_counts(register: SqlRegister) -> None:
    number = raised(register)
    acknowledge(register, "risk1", number)
    acknowledge(register, "sup1", number)
    (row,) = listed(register, "ACKNOWLEDGED")
    assert row["acknowledged_by"] == "risk1"
    assert listed(register, "OPEN") == []


@pytest.mark.parametrize("actor", ["system", "audit1", "reg1", "gone"])
def test_who_may_not_acknowledge(register: SqlRegister, actor: str) -> None:
    number = raised(register)
    with pytest.raises(NotPermitted):
        acknowledge(register, actor, number)
    assert len(listed(register, "OPEN")) == 1


def test_an_unknown_alert_or_raiser(register: SqlRegister) -> None:
    with pytest.raises(UsageError, match="no alert"):
        acknowledge(register, "op1", "nope")
    with pytest.raises(NotPermitted):
        raise_alert(register, "audit1", "r", "s", DAY, "w", "词")
    with register.transaction() as tx:
        assert [(e["actor"], e["action"]) for e in tx.find("audit_event")] == [("audit1", "refused:alert.raise")]


def test_who_may_not_send(register: SqlRegister, clock: SteppingClock, tmp_path: Path) -> None:
    raised(register)
    with pytest.raises(NotPermitted):
        send_waiting(register, clock, "audit1", AlertSpool(tmp_path / "spool"))
    assert not (tmp_path / "spool").exists()
    assert listed(register)[0]["sent_at"] is None


def test_alerts_outlive_a_gateway_that_is_away(register: SqlRegister, clock: SteppingClock, tmp_path: Path) -> None:
    numbers = {raised(register), raised(register, "land")}
    spool = tmp_path / "spool"
    spool.write_text("a file stands where the folder should be")
    assert send_waiting(register, clock, "system", AlertSpool(spool)) == (0, 2)
    assert [r["sent_at"] for r in listed(register)] == [None, None]
    spool.unlink()
    assert send_waiting(register, clock, "system", AlertSpool(spool)) == (2, 0)
    assert {p.stem for p in spool.iterdir()} == numbers
    assert send_waiting(register, clock, "system", AlertSpool(spool)) == (0, 0)
    assert all("任务失败" in p.read_text(encoding="utf-8") for p in spool.iterdir())


class _Interrupted(Exception):
    pass


def test_an_alert_sent_before_a_crash_is_sent_again_under_its_own_name(
    register: SqlRegister, clock: SteppingClock, tmp_path: Path
) -> None:
    class Dies(AlertSpool):
        """The real spool, on a machine that stops right after the file was written."""

        def send(self, alert: Mapping[str, object]) -> None:
            super().send(alert)
            raise _Interrupted

    raised(register)
    with pytest.raises(_Interrupted):
        send_waiting(register, clock, "system", Dies(tmp_path / "spool"))
    assert send_waiting(register, clock, "system", AlertSpool(tmp_path / "spool")) == (1, 0)
    assert len(list((tmp_path / "spool").iterdir())) == 1
