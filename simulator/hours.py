"""When what happens: each kind of event has its own hours of the day, so that cause precedes effect. Seconds after midnight."""

from __future__ import annotations

Hours = tuple[int, int]


def _hours(first: str, before: str) -> Hours:
    (h1, m1), (h2, m2) = (map(int, clock.split(":")) for clock in (first, before))
    return h1 * 3600 + m1 * 60, h2 * 3600 + m2 * 60


OPENINGS = _hours("07:00", "07:40")
GRANTS = _hours("07:45", "07:55")
OWN_MONEY = _hours("08:00", "08:04")
PLATFORM_MONEY = _hours("08:05", "08:09")
RECHARGES = _hours("08:10", "09:20")
SETTLEMENT = _hours("09:30", "09:40")
INTEREST = _hours("09:40", "09:42")
INTEREST_SHARES = _hours("09:43", "09:45")
LAST_WORDS = _hours("09:50", "09:55")
RELEASES_AFTER = _hours("09:56", "09:59")
CUSTODY_FEES = _hours("10:00", "10:04")
TENDERS = _hours("10:05", "11:50")
RECEIPTS = _hours("11:00", "12:00")
CANCELS = _hours("13:00", "13:50")
DISBURSALS = _hours("14:00", "14:30")
ENTRUSTED = _hours("14:35", "14:55")
FREEZES = _hours("15:00", "15:40")
PAYOUTS = _hours("15:45", "16:30")
ORDERS_END = _hours("16:32", "16:36")
ORDERS_BEGIN = _hours("16:36", "16:40")
RETURNS = _hours("16:40", "16:55")
EVENING_MONEY = _hours("17:00", "17:30")
COMMISSIONS = _hours("17:40", "17:55")
REPAY_FREEZES = _hours("18:00", "18:15")
REPAYMENTS = _hours("18:20", "18:40")
COMPENSATIONS = _hours("18:45", "18:59")
ASSIGNMENTS = _hours("19:00", "19:20")
ASSIGNMENT_FEES = _hours("19:25", "19:40")
BONUSES = _hours("20:00", "20:30")
CORRECTIONS = _hours("20:35", "20:55")
CHANGES = _hours("21:00", "21:30")
REVOCATIONS = _hours("21:30", "21:40")
CLOSINGS = _hours("21:40", "22:00")
LATE = _hours("23:40", "23:59")
LAST = _hours("23:50", "23:59")
ALL_DAY = _hours("08:10", "23:30")
