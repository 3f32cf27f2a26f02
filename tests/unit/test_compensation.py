"""Borrowers for whom others pay again and again, and compensation accounts that grow."""

from datetime import date, timedelta

from custody.compensation import Compensated, Reserve, growing, repeated

TODAY = date(2020, 1, 31)
FIGURES = {"times": 3, "days": 90}


def paid(number: int, days_ago: int, borrower: str = "P001.BORROWER.b1", loan: str = "L1") -> Compensated:
    on = TODAY - timedelta(days_ago)
    return Compensated("P001", loan, f"R{number}", borrower, "P001.GUARANTOR.g1", "CNY", on, 10_000)


def test_three_times_within_the_days_is_one_alert_and_fewer_are_none() -> None:
    times = [paid(1, 89), paid(2, 30, loan="L2"), paid(3, 0)]
    (alert,) = repeated([*times, paid(4, 5, "P001.BORROWER.b2"), paid(5, 4, "P001.BORROWER.b2")], FIGURES, TODAY)
    assert (alert.rule, alert.subject, alert.platform) == ("REPEATED_COMPENSATION", "P001.BORROWER.b1", "P001")
    assert {name: alert.figures[name] for name in ("times", "loans", "compensators", "paid_minor", "last_on")} == {
        "times": 3, "loans": 2, "compensators": 1, "paid_minor": 30_000, "last_on": "2020-01-31",
    }  # fmt: skip
    assert "300.00 CNY on 2 loans" in alert.words[0] and "3 次" in alert.words[1]
    # The first of them is too old a day later; a fourth makes no other alert.
    assert repeated(times, FIGURES, TODAY + timedelta(1)) == []
    (later,) = repeated([*times, paid(6, 0)], FIGURES, TODAY)
    assert later.alert_id == alert.alert_id


def test_an_account_that_only_runs_off_must_not_grow() -> None:
    (alert,) = growing([Reserve("P001", "CNY", 500, 500), Reserve("P002", "CNY", 500, 120), Reserve("P003", "CNY", 0, 7)], TODAY)
    assert (alert.rule, alert.subject, alert.figures["grown_minor"]) == ("RESERVE_GROWS", "P003:P_COMPENSATION", 7)
    assert growing([Reserve("P003", "CNY", 0, 7)], date(2017, 11, 30)) == []
    assert growing([Reserve("P003", "CNY", 0, 7)], TODAY + timedelta(1))[0].alert_id != alert.alert_id
