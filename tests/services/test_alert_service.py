"""An alert's life: raised once, answered, closed with a reason or by itself, and open again when that did not last."""

from datetime import date, timedelta
from typing import Any

import pytest
from stepping_clock import SteppingClock

from connectors.register import SqlRegister
from custody.errors import NotPermitted, UsageError
from custody.ports import Row
from custody.services.alerts import acknowledge, alert_named, alerts, close, end_alert, follow, history, put_alert, raise_alert

DAY = date(2019, 12, 30)
LASTING = ("DAYS_PAST_DUE",)


def raised(register: SqlRegister, subject: str = "close", day: date = DAY) -> str:
    return raise_alert(register, "system", "task_failed", subject, day, "a task failed", "任务失败")


def listed(register: SqlRegister, state: str | None = None) -> list[Row]:
    with register.transaction() as tx:
        return alerts(tx, state)


def events(register: SqlRegister, alert_id: str) -> list[tuple[str, str]]:
    with register.transaction() as tx:
        return [(row["event"], row["actor"]) for row in history(tx, alert_id)]


def found(subject: str = "L1", severity: str = "MEDIUM") -> Row:
    words = {"words_en": f"{subject} is overdue", "words_zh": f"{subject} 逾期"}
    return {"alert_id": f"{subject:a>64}".lower(), "rule": "DAYS_PAST_DUE", "platform": "P001", "subject": subject, "severity": severity,
            "figures": "{}", **words}  # fmt: skip


def followed(register: SqlRegister, day: date, *rows: Row) -> None:
    with register.transaction() as tx:
        follow(tx, "system", day, rows, LASTING)


def test_an_alert_is_raised_once(register: SqlRegister) -> None:
    first = raised(register)
    assert raised(register) == first
    assert raised(register, "land") != first
    again = raise_alert(register, "system", "task_failed", "close", DAY, "a task failed", "任务失败", occurrence="2")
    assert again != first
    assert len(listed(register)) == 3
    with register.transaction() as tx:
        assert [e["action"] for e in tx.find("audit_event")] == ["alert.raise"] * 3
    assert events(register, first) == [("RAISED", "system")]


def test_an_alert_that_lasts_only_ages(register: SqlRegister) -> None:
    first = raised(register)
    assert raised(register, day=date(2020, 1, 2)) == first
    assert raised(register, day=date(2019, 12, 31)) == first
    (row,) = listed(register)
    assert (row["raised_on"], row["last_seen_on"]) == (DAY, date(2020, 1, 2))


def test_a_person_acknowledges_and_the_first_one_counts(register: SqlRegister) -> None:
    number = raised(register)
    acknowledge(register, "risk1", number, "I call them")
    acknowledge(register, "sup1", number)
    (row,) = listed(register, "ACKNOWLEDGED")
    assert row["acknowledged_by"] == "risk1"
    assert listed(register, "OPEN") == []
    assert events(register, number) == [("RAISED", "system"), ("ACKNOWLEDGED", "risk1")]


def test_a_person_closes_with_a_reason_and_the_first_one_counts(register: SqlRegister) -> None:
    number = raised(register)
    assert close(register, "op1", number[:10], "restarted by hand") == number
    close(register, "sup1", number, "another word")
    (row,) = listed(register, "CLOSED")
    assert (row["closed_by"], row["closed_reason"], row["closed_seen_on"]) == ("op1", "restarted by hand", DAY)
    assert events(register, number) == [("RAISED", "system"), ("CLOSED", "op1")]
    # Found again, it stays closed: the rules say after how many days it is open again.
    raised(register)
    assert listed(register, "CLOSED")


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "a\x1b[2Jb"])
def test_a_reason_is_words(register: SqlRegister, reason: str) -> None:
    number = raised(register)
    with pytest.raises(UsageError, match="say why"):
        close(register, "op1", number, reason)
    assert len(listed(register, "OPEN")) == 1


@pytest.mark.parametrize("actor", ["system", "audit1", "reg1", "gone"])
@pytest.mark.parametrize("deed", ["acknowledge", "close"])
def test_who_may_neither_acknowledge_nor_close(register: SqlRegister, actor: str, deed: str) -> None:
    number = raised(register)
    with pytest.raises(NotPermitted):
        acknowledge(register, actor, number) if deed == "acknowledge" else close(register, actor, number, "done")
    assert len(listed(register, "OPEN")) == 1


def test_an_unknown_alert_or_raiser(register: SqlRegister) -> None:
    with pytest.raises(UsageError, match="no alert"):
        acknowledge(register, "op1", "nope")
    with pytest.raises(NotPermitted):
        raise_alert(register, "audit1", "r", "s", DAY, "w", "词")
    with register.transaction() as tx:
        assert [(e["actor"], e["action"]) for e in tx.find("audit_event")] == [("audit1", "refused:alert.raise")]


def test_an_alert_is_named_by_the_beginning_of_its_id(register: SqlRegister) -> None:
    numbers = [raised(register, subject) for subject in ("a", "b", "c")]
    with register.transaction() as tx:
        for number in numbers:
            assert alert_named(tx, number[:12])["alert_id"] == number
        for too_short in (numbers[0][:7], "f" * 12, ""):
            with pytest.raises(UsageError, match="no alert"):
                alert_named(tx, too_short)
        tx.insert("alert", {**tx.get("alert", alert_id=numbers[0]), "alert_id": numbers[0][:20] + "0" * 44})  # type: ignore[dict-item]
        with pytest.raises(UsageError, match="several"):
            alert_named(tx, numbers[0][:12])


def test_what_ended_by_itself_and_comes_back_is_open_again(register: SqlRegister, clock: SteppingClock) -> None:
    with register.transaction() as tx:
        number = put_alert(tx, "system", "FILE_MISSING", "F", DAY, ("missing", "缺失"), "MEDIUM", "P001", "1")
        end_alert(tx, "system", clock.now().isoformat(), number, ("it came", "已到"))
        end_alert(tx, "system", clock.now().isoformat(), number, ("again", "再次"))
        put_alert(tx, "system", "FILE_MISSING", "F", DAY + timedelta(1), ("missing", "缺失"), "MEDIUM", "P001", "1")
    (row,) = listed(register, "OPEN")
    assert (row["ended_at"], row["ended_en"]) == (None, None)
    assert [event for event, _ in events(register, number)] == ["RAISED", "ENDED", "REOPENED"]


def test_a_day_raises_keeps_and_ends(register: SqlRegister) -> None:
    followed(register, DAY, found("L1"), found("L2"))
    followed(register, DAY, found("L1"), found("L2"))  # repeated: nothing changes
    followed(register, DAY + timedelta(1), found("L2"), found("L3"))
    assert {row["subject"]: (row["state"], row["last_seen_on"]) for row in listed(register)} == {
        "L1": ("CLOSED", DAY), "L2": ("OPEN", DAY + timedelta(1)), "L3": ("OPEN", DAY + timedelta(1)),
    }  # fmt: skip
    (ended,) = listed(register, "CLOSED")
    assert "2019-12-31" in ended["ended_en"] and "2019-12-31" in ended["ended_zh"]
    assert [event for event, _ in events(register, ended["alert_id"])] == ["RAISED", "ENDED"]


def test_a_day_that_is_assessed_again_after_a_later_one_changes_nothing_of_it(register: SqlRegister) -> None:
    followed(register, DAY + timedelta(1), found("L1", "HIGH"))
    followed(register, DAY, found("L1", "MEDIUM"))
    followed(register, DAY)
    (row,) = listed(register)
    assert (row["state"], row["severity"], row["last_seen_on"]) == ("OPEN", "HIGH", DAY + timedelta(1))


@pytest.mark.parametrize(("answer", "state"), [(acknowledge, "ACKNOWLEDGED"), (close, "CLOSED")])
def test_what_grows_graver_waits_for_a_person_again(register: SqlRegister, answer: Any, state: str) -> None:
    followed(register, DAY, found())
    number = found()["alert_id"]
    answer(register, "risk1", number, "I know")
    followed(register, DAY + timedelta(1), found())
    assert listed(register)[0]["state"] == state
    followed(register, DAY + timedelta(2), found(severity="CRITICAL"))
    (row,) = listed(register, "OPEN")
    assert (row["severity"], row["closed_by"], row["turn"], row["duty"]) == ("CRITICAL", None, 0, None)
    followed(register, DAY + timedelta(3), found(severity="LOW"))  # milder: nobody is told
    assert [event for event, _ in events(register, number)][-1] == "GRAVER"
