"""A platform's custody fee of a period or a day, down to the rows that it was computed from, and what is to be charged: from sealed
steps, for the command line and the pages alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.bootstrap import Wiring
from connectors.fee_rows import late_moves, taken_back
from custody.errors import UsageError
from custody.fee_contract import ACCOUNT_OPENED, BALANCE
from custody.fee_positions import Position, position_of
from custody.fee_usage import COUNTED, usage_of
from custody.fees import FeeState, named_period, whole_lines
from custody.masking import mask_user_numbers
from custody.names import Book, TxnType
from custody.ports import Row
from custody.services import fee_periods
from custody.services.fee_charges import RATED, Charge
from custody.services.outputs import Seal, newest_seals

_BY_TYPE = ("transaction.", "volume.")


@dataclass(frozen=True)
class FeeDay:
    """A row of fee_accruals, and its rows of fee_lines."""

    accrual: Row
    lines: list[Row]


@dataclass(frozen=True)
class FeePeriod:
    """``days``: those that were accrued so far. ``totals``: the period's exact figure of each component and of what the bill as a whole adds;
    ``whole``: the same in minor units that sum to the net."""

    platform: str
    state: FeeState
    days: Sequence[FeeDay]

    @property
    def totals(self) -> Mapping[str, Fraction]:
        return self.state.totals()

    @property
    def whole(self) -> Mapping[str, int]:
        return whole_lines(self.totals, self.state.net_minor)


def fee_days(wiring: Wiring, platform: str, first: date, last: date) -> list[FeeDay]:
    """What each day from ``first`` to ``last`` accrued, in order; days without an accrual are not there."""
    found = []
    for seal in _seals(wiring, "fees", first, last):
        for accrual in _of(wiring, seal, "fee_accruals", platform).to_pylist():
            found.append(FeeDay(accrual, _of(wiring, seal, "fee_lines", platform).to_pylist()))
    return found


def fee_period(wiring: Wiring, platform: str, period: str) -> FeePeriod:
    """Raises UsageError where nothing was accrued, or the platform was charged by another cycle."""
    first, last = named_period(period)
    days = [day for day in fee_days(wiring, platform, first, last) if day.accrual["period"] == period]
    if not days:
        raise UsageError(f"no fee of {platform} was accrued for {period}")
    return FeePeriod(platform, FeeState.parse(days[-1].accrual["state"]), days)


def due_charges(wiring: Wiring, on: date) -> list[Charge]:
    """What is to be charged by ``on`` (custody.services.fee_periods)."""
    with wiring.register.transaction() as tx:
        return fee_periods.due_charges(tx, on)


def standing(wiring: Wiring) -> list[Position]:
    """Invariant 11 by platform, as of the newest accruals."""
    with wiring.register.transaction() as tx:
        seals = newest_seals(tx, "fees")
    return [position_of(row) for row in wiring.lake.rows(seals[-1].path, "fee_positions")] if seals else []


def base_rows(wiring: Wiring, platform: str, on: date, component: str, known_on: date | None = None) -> list[Row]:
    """What a component of one day was computed from, as was known on ``known_on`` (the day itself unless another is named): accounts with
    their balances at its end, the transactions or openings that were priced with file and line, or lists that were counted. What a
    later day posted for it says so (``posted_on``). User numbers masked. Raises UsageError for a component without rows of its own."""
    until = known_on or on
    if component == BALANCE:
        return _balances(wiring, platform, on) + _late_moves(wiring, platform, on, until)
    if component.startswith(_BY_TYPE):
        return _transactions(wiring, platform, on, until, component.partition(".")[2])
    if component == ACCOUNT_OPENED:
        found = [_of(wiring, seal, "sub_accounts", platform) for seal in _seals(wiring, "post", on, on)]
        accounts = [rows.filter(pc.equal(rows["opened_on"], pa.scalar(on, pa.date32())))["sub_account"] for rows in found]
        return [{"account": mask_user_numbers(account)} for of in accounts for account in of.to_pylist()]
    if component in COUNTED:
        return [
            {"proposal": u.proposal, "maker": u.maker, "checker": u.checker, "file_name": u.file_name, "line_no": u.line_no,
             "pieces": u.pieces, "used_on": u.used_on, "posted_on": seal.custody_date}
            for seal in _seals(wiring, "cut_off", on, until)
            for u in usage_of(wiring.lake.rows(seal.path, "decisions"))
            if (u.platform, u.component, min(u.used_on, seal.custody_date)) == (platform, component, on)
        ]  # fmt: skip
    raise UsageError(f"{component} has no rows of its own: it follows from the contract and the other components")


def _balances(wiring: Wiring, platform: str, on: date) -> list[Row]:
    found: list[Row] = []
    for seal in _seals(wiring, "post", on, on):
        rows = _of(wiring, seal, "balances", platform)
        customers = pc.and_(pc.equal(rows["book"], str(Book.CUSTODY)), pc.match_substring(rows["account"], "."))
        rows = rows.filter(pc.and_(customers, pc.not_equal(rows["closing_minor"], 0)))
        found += [{"account": mask_user_numbers(r["account"]), "minor": r["closing_minor"]} for r in rows.to_pylist()]
    return found


def _late_moves(wiring: Wiring, platform: str, on: date, until: date) -> list[Row]:
    """What days after ``on`` posted for it or for an earlier day, which the balance of ``on`` should have had."""
    found: list[Row] = []
    for seal in _seals(wiring, "post", on + timedelta(days=1), until):
        journal = _of(wiring, seal, "journal", platform, value_date=(date.min, on))
        for part in late_moves(
            [journal.filter(pc.less_equal(journal["value_date"], pa.scalar(on, pa.date32())))], seal.custody_date
        ):
            found += [
                {"request_no": r["request_no"], "leg": r["leg"], "value_date": r["value_date"], "minor": r["change"], "posted_on": r["posting_date"]}
                for r in part.to_pylist()
            ]  # fmt: skip
    return found


def _transactions(wiring: Wiring, platform: str, on: date, until: date, txn_type: str) -> list[Row]:
    found: list[Row] = []
    names = ("request_no", "leg", "amount_minor", "value_date", "file_name", "line_no")
    earlier = {seal.custody_date: seal for seal in _seals(wiring, "post", on, until)}
    for day, seal in earlier.items():
        rows = _of(wiring, seal, "ledger_txn", platform, value_date=(on, date.max if day == on else on))
        rows = rows.filter(pc.equal(rows["outcome"], "POSTED"))
        of_day = pc.equal(pc.min_element_wise(rows["value_date"], pa.scalar(day, pa.date32())), pa.scalar(on, pa.date32()))
        rows = rows.filter(of_day)
        mine = rows.filter(pc.equal(rows["txn_type"], txn_type))
        found += [{**row, "posted_on": day} for row in mine.select(names).to_pylist()]
        undone = rows.filter(pc.equal(rows["txn_type"], str(TxnType.REVERSAL))).to_pylist()
        for leg, original in taken_back(wiring.lake, seal, {d: s for d, s in earlier.items() if d < day}, undone):
            if original["txn_type"] == txn_type:
                taken = {name: leg[name] for name in names}
                found.append({**taken, "posted_on": day, "takes_back": original["request_no"]})
    return found


@dataclass(frozen=True)
class Change:
    """A component of a day that came to something else: exact minor units before and now, and the rows that became known between."""

    accrual_date: date
    component: str
    before: Fraction
    now: Fraction
    rows: Sequence[Row]


@dataclass(frozen=True)
class Difference:
    """What a period comes to beyond what was charged for it: net and VAT before and now in minor units, by what was known on which date.
    ``cites``: the charge that was drawn from the first."""

    platform: str
    period: str
    cites: str
    currency: str
    before_on: date
    rated_on: date
    before_minor: tuple[int, int]
    now_minor: tuple[int, int]
    changes: Sequence[Change]


def fee_difference(wiring: Wiring, platform: str, period: str, number: int | None = None) -> Difference:
    """Of the charge with this number of the period (1: the first correction), or of what it comes to now. Raises UsageError."""
    with wiring.register.transaction() as tx:
        charged = tx.find("fee_charge", ("accrued_on", "charge_no"), platform=platform, period=period, kind=RATED)
        row = tx.get("fee_period", platform=platform, period=period)
    if row is None or not charged or (number is not None and not 0 < number < len(charged)):
        raise UsageError(f"no such difference of {platform} for {period}: custody fee list")
    upto = len(charged) if number is None else number
    before_on, now_on = charged[upto - 1]["accrued_on"], row["rated_on"] if number is None else charged[number]["accrued_on"]
    was = _summed(charged[:upto])
    is_now = (row["net_minor"], row["vat_minor"]) if number is None else _summed(charged[: number + 1])
    first, last = named_period(period)
    old, new = (_lines_known(wiring, platform, period, first, last, on) for on in (before_on, now_on))
    changes = []
    for key in sorted({*old, *new}):
        was_of, now_of = old.get(key, Fraction(0)), new.get(key, Fraction(0))
        if was_of != now_of:
            rows = [r for r in _rows_of(wiring, platform, *key, now_on) if before_on < r.get("posted_on", date.min)]
            changes.append(Change(*key, was_of, now_of, rows))
    return Difference(platform, period, charged[0]["charge_no"], row["currency"], before_on, now_on, was, is_now, changes)


def _summed(charges: Sequence[Row]) -> tuple[int, int]:
    return sum(c["net_minor"] for c in charges), sum(c["vat_minor"] for c in charges)


def _rows_of(wiring: Wiring, platform: str, on: date, component: str, known_on: date) -> list[Row]:
    try:
        return base_rows(wiring, platform, on, component, known_on)
    except UsageError:
        return []


def _lines_known(
    wiring: Wiring, platform: str, period: str, first: date, last: date, known_on: date
) -> dict[tuple[date, str], Fraction]:
    """By day and component the exact fee of a period, as was known on a date."""
    rated_on = None
    for seal in _seals(wiring, "fees", known_on, known_on):
        for row in _of(wiring, seal, "fee_reratings", platform).to_pylist():
            rated_on = row["rated_on"] if row["period"] == period else rated_on
    if rated_on is None:
        days = fee_days(wiring, platform, first, last)
        rows = [{"accrual_date": day.accrual["accrual_date"], **line} for day in days for line in day.lines]
    else:
        (seal,) = _seals(wiring, "fees", rated_on, rated_on)
        rows = [r for r in _of(wiring, seal, "fee_rerated_lines", platform).to_pylist() if first <= r["accrual_date"] <= last]
    found: dict[tuple[date, str], Fraction] = {}
    for row in rows:
        key = row["accrual_date"], row["component"]
        found[key] = found.get(key, Fraction(0)) + Fraction(row["fee"])
    return found


def _seals(wiring: Wiring, step: str, first: date, last: date) -> Sequence[Seal]:
    with wiring.register.transaction() as tx:
        return [seal for seal in newest_seals(tx, step) if first <= seal.custody_date <= last]


def _of(wiring: Wiring, seal: Seal, table: str, platform: str, **within: tuple[Any, Any]) -> pa.Table:
    pieces = list(wiring.lake.pieces(seal.path, table, {"platform": (platform, platform), **within}))
    if not pieces:
        return wiring.lake.read(seal.path, table).slice(0, 0)
    found = pa.concat_tables(pieces)
    return found.filter(pc.equal(found["platform"], platform))
