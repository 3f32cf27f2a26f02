"""What a platform's accounts are short of, how grave that is, and which charging periods' fees are due still."""

from datetime import date, timedelta

from custody.platform_funds import Concern, FundsDay, Item, PeriodDue, alerts_of, periods_due
from custody.risk_alerts import RULES, Severity

THURSDAY = date(2020, 1, 2)
FRIDAY, MONDAY = THURSDAY + timedelta(1), THURSDAY + timedelta(4)


def days(concern: Concern, *lacking: int, platform: str = "P001", account: str = "CORE_CASH") -> list[FundsDay]:
    name = f"{platform}:{account}"
    return [
        FundsDay(platform, concern, name, "CNY", on, 1_000 - short, 1_000)
        for on, short in zip((THURSDAY, FRIDAY, MONDAY), lacking, strict=True)
    ]


def test_an_alert_says_the_first_day_of_shortage_and_the_most_that_lacks() -> None:
    (alert,) = alerts_of(days(Concern.COVER, 0, 5, 900), THURSDAY, FRIDAY)
    assert (alert.rule, alert.platform, alert.subject, alert.severity) == ("COVER_SHORT", "P001", "P001:CORE_CASH", Severity.HIGH)
    assert alert.figures == {
        "currency": "CNY", "account": "P001:CORE_CASH", "short_on": "2020-01-03", "have_minor": 995, "need_minor": 1_000,
        "shortfall_minor": 5, "most_short_minor": 900,
    }  # fmt: skip
    english, chinese = alert.words
    assert english == "Custody money of P001: 10.00 CNY owed, 9.95 of cash and good receivables on 2020-01-03, short of 0.05"
    assert "9.95" in chinese and "0.05" in chinese


def test_the_nearer_the_graver_and_customers_money_before_the_platforms() -> None:
    for lacking, concern, severity in (
        ((1, 1, 1), Concern.COVER, Severity.CRITICAL),
        ((1, 1, 1), Concern.PAYOUT, Severity.CRITICAL),
        ((1, 1, 1), Concern.OWN_FUNDS, Severity.HIGH),
        ((0, 1, 1), Concern.ADVANCE, Severity.HIGH),
        ((0, 0, 1), Concern.COVER, Severity.MEDIUM),
    ):
        (alert,) = alerts_of(days(concern, *lacking), THURSDAY, FRIDAY)
        assert alert.severity == severity, (concern, lacking)
    assert alerts_of(days(Concern.COVER, 0, 0, -7), THURSDAY, FRIDAY) == []


def test_it_is_the_same_alert_while_it_is_short_whatever_the_day() -> None:
    first = alerts_of(days(Concern.COVER, 0, 0, 1), THURSDAY, FRIDAY)
    later = alerts_of(days(Concern.COVER, 3, 0, 0), THURSDAY, FRIDAY)
    other = alerts_of(days(Concern.PAYOUT, 3, 0, 0), THURSDAY, FRIDAY) + alerts_of(
        days(Concern.COVER, 3, 0, 0, platform="P002"), THURSDAY, FRIDAY
    )
    assert first[0].alert_id == later[0].alert_id
    assert len({alert.alert_id for alert in first + other}) == 3


def test_every_question_has_a_rule_that_does_not_count_before_its_date() -> None:
    for concern in Concern:
        (alert,) = alerts_of(days(concern, 1, 1, 1), THURSDAY, FRIDAY)
        assert all(alert.words) and all(RULES[concern.rule].citation)
        assert alerts_of(days(concern, 1, 1, 1), date(2016, 1, 4), FRIDAY) == []


NOVEMBER = PeriodDue("2019-11", date(2019, 11, 30), date(2019, 12, 3), 100, 100)
DECEMBER = PeriodDue("2019-12", date(2019, 12, 31), THURSDAY, 200, 200)
JANUARY = PeriodDue("2020-01", date(2020, 1, 31), date(2020, 2, 4), 11, 0)


def left(found: list[PeriodDue]) -> list[tuple[str, int]]:
    return [(one.period, one.left_minor) for one in found]


def test_what_was_collected_went_to_the_oldest_period() -> None:
    both = [NOVEMBER, DECEMBER]
    assert left(periods_due(both, JANUARY, 311)) == [("2019-11", 100), ("2019-12", 200), ("2020-01", 11)]
    assert left(periods_due(both, JANUARY, 300)) == [("2019-11", 89), ("2019-12", 200), ("2020-01", 11)]
    assert left(periods_due(both, JANUARY, 150)) == [("2019-12", 139), ("2020-01", 11)]
    assert left(periods_due(both, JANUARY, 0)) == [("2020-01", 0)]
    # What no period explains is the oldest one's; what more of the same period has accrued takes its place.
    assert left(periods_due(both, JANUARY, 400)) == [("2019-11", 189), ("2019-12", 200), ("2020-01", 11)]
    assert left(periods_due([DECEMBER], PeriodDue("2019-12", DECEMBER.ends_on, THURSDAY, 250, 0), 250)) == [("2019-12", 250)]


def test_accrued_noticed_in_arrear() -> None:
    assert DECEMBER.item(date(2019, 12, 31)) == Item.FEE_ACCRUED
    assert DECEMBER.item(date(2020, 1, 1)) == DECEMBER.item(THURSDAY) == Item.FEE_NOTICED
    assert DECEMBER.item(FRIDAY) == Item.FEE_ARREAR
