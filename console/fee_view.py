"""A platform's custody fee of a period or a day, down to the rows that it was computed from, and what is to be charged: from sealed
steps, for the command line and the pages alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

import pyarrow as pa
import pyarrow.compute as pc

from connectors.bootstrap import Wiring
from custody.errors import UsageError
from custody.fee_contract import ACCOUNT_OPENED, BALANCE, FeeContract
from custody.fee_usage import COUNTED, usage_of
from custody.fees import FeeState, named_period, period_name, whole_lines
from custody.masking import mask_user_numbers
from custody.names import Book
from custody.ports import Row
from custody.services.calendars import settlement_calendar
from custody.services.fee_charges import Charge, Position, due_day, positions
from custody.services.organisations import dated_parties
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
    """What is to be charged by ``on``: each platform's periods that have ended, whose business day has come, that came to something, and
    that are not charged yet; by platform and period."""
    with wiring.register.transaction() as tx:
        calendar = settlement_calendar(tx)
        charged = {row["charge_no"] for row in tx.find("fee_charge")}
        dated = {one.row["party"]: one for one in dated_parties(tx)}
        # A period ends with a month.
        ends = [seal for seal in newest_seals(tx, "fees") if (seal.custody_date + timedelta(days=1)).day == 1]
    found = []
    for seal in ends:
        for row in wiring.lake.rows(seal.path, "fee_accruals"):
            state = FeeState.parse(row["state"])
            if state.last != seal.custody_date or row["platform"] not in dated:
                continue
            contract = FeeContract.parse(dated[row["platform"]].on(state.last).contract["fee_contract"])
            charge = _charge(row["platform"], seal, state, due_day(calendar, state.last, contract.charge_business_day))
            if charge.due_on <= on and charge.gross_minor > 0 and charge.charge_no not in charged:
                found.append(charge)
    return sorted(found, key=lambda charge: (charge.platform, charge.accrued_on, charge.period))


def _charge(platform: str, seal: Seal, state: FeeState, due_on: date) -> Charge:
    components = whole_lines(state.totals(), state.net_minor)
    name = period_name(state.first, state.last)
    return Charge(
        platform, name, state.currency, state.net_minor, state.vat_minor, components, state.last, seal.manifest_digest, due_on
    )


def standing(wiring: Wiring) -> list[Position]:
    """Invariant 11 by platform, as of the newest accruals."""
    with wiring.register.transaction() as tx:
        seals = newest_seals(tx, "fees")
    accrued = {r["platform"]: r["accrued_minor"] for r in wiring.lake.rows(seals[-1].path, "fee_accruals")} if seals else {}
    with wiring.register.transaction() as tx:
        return positions(tx, accrued)


def base_rows(wiring: Wiring, platform: str, on: date, component: str) -> list[Row]:
    """What a component of one day was computed from: accounts with their balances at its end, the transactions or openings that were
    priced with file and line, or decisions. User numbers masked. Raises UsageError for a component without rows of its own."""
    step = "cut_off" if component in COUNTED else "post"
    seals = list(_seals(wiring, step, on, on))
    if not seals:
        return []
    if component == BALANCE:
        rows = _of(wiring, seals[0], "balances", platform)
        customers = pc.and_(pc.equal(rows["book"], str(Book.CUSTODY)), pc.match_substring(rows["account"], "."))
        rows = rows.filter(pc.and_(customers, pc.not_equal(rows["closing_minor"], 0)))
        return [{"account": mask_user_numbers(r["account"]), "minor": r["closing_minor"]} for r in rows.to_pylist()]
    if component.startswith(_BY_TYPE):
        rows = _of(wiring, seals[0], "ledger_txn", platform)
        rows = rows.filter(pc.and_(pc.equal(rows["outcome"], "POSTED"), pc.equal(rows["txn_type"], component.partition(".")[2])))
        names = ("request_no", "leg", "amount_minor", "value_date", "file_name", "line_no")
        found: list[Row] = rows.select(names).to_pylist()
        return found
    if component == ACCOUNT_OPENED:
        rows = _of(wiring, seals[0], "sub_accounts", platform)
        rows = rows.filter(pc.equal(rows["opened_on"], pa.scalar(on, pa.date32())))
        return [{"account": mask_user_numbers(account)} for account in rows["sub_account"].to_pylist()]
    if component in COUNTED:
        decisions = wiring.lake.rows(seals[0].path, "decisions")
        return [
            {"proposal": d["proposal_id"], "maker": d["maker"], "checker": d["checker"], "pieces": count}
            for d in decisions
            for of, name, count in usage_of([d])
            if (of, name) == (platform, component)
        ]
    raise UsageError(f"{component} has no rows of its own: it follows from the contract and the other components")


def _seals(wiring: Wiring, step: str, first: date, last: date) -> Sequence[Seal]:
    with wiring.register.transaction() as tx:
        return [seal for seal in newest_seals(tx, step) if first <= seal.custody_date <= last]


def _of(wiring: Wiring, seal: Seal, table: str, platform: str) -> pa.Table:
    pieces = list(wiring.lake.pieces(seal.path, table, {"platform": (platform, platform)}))
    if not pieces:
        return wiring.lake.read(seal.path, table).slice(0, 0)
    found = pa.concat_tables(pieces)
    return found.filter(pc.equal(found["platform"], platform))
