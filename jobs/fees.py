"""fees: the day's custody fee of each platform by its dated contract, accrued to the fen with the residue carried (§7).

The base is customers' sub-accounts only, at the end of every calendar day. Facts are sums of columns (jobs.fee_facts); only their rating
is Python, once for each platform, and again of days of which something new is known (jobs.fee_rerating). What accrued enters the BANK
book with the next day's posting, under its own value date. Beside it stands since when balances count for the bank's own interest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from custody.fee_positions import Entry, Position, WriteOff, moved, position_of
from custody.fees import DayFacts, FeeAccrual, FeeState, Line, accrue, passed, period_name, state_into
from custody.names import PartyKind, TxnStatus, TxnType
from custody.ports import Row
from custody.posting_rules import RECOVER
from custody.services.fee_answers import take_answers
from custody.services.fee_periods import Period, rated_periods
from custody.services.outputs import Seal
from jobs.fee_facts import by_day, facts_of
from jobs.fee_rerating import Terms, amendments_until, rated_anew, touched
from jobs.reference import load_reference
from jobs.step import Step, StepContext


def _run(context: StepContext) -> None:
    reference = load_reference(context)
    today, yesterday = context.custody_date, context.custody_date - timedelta(days=1)
    decisions = context.rows("cut_off", "decisions")
    posted = context.seal("post")
    assert posted is not None
    facts = facts_of(context.wiring.lake, posted, decisions, {s.custody_date: s for s in context.seals_of("post")})
    context.write("fee_facts", facts)
    states = {r["platform"]: FeeState.parse(r["state"]) for r in context.rows("fees", "fee_accruals", on=yesterday)}
    amended, amendments = amendments_until(context)
    terms = Terms(reference, amendments)
    anew = rated_anew(context, facts, touched(context, facts, amendments), states, terms)
    of_today = by_day(facts.filter(pc.equal(facts["fact_date"], pa.scalar(today, pa.date32()))))
    accruals: list[Row] = []
    lines: list[Row] = []
    for platform in reference.of_kind(PartyKind.PLATFORM):
        if reference.is_closed(platform):
            continue
        contract, previous = terms.on(platform, today), anew.states.get(platform, states.get(platform))
        if contract is not None:
            day_facts = of_today.get((platform, today), DayFacts(0))
            found = accrue(contract, today, day_facts, state_into(contract, today, previous))
            accruals.append(_accrual(platform, found))
            lines += line_rows(platform, found.lines)
        elif previous is not None:
            accruals.append(_nothing(platform, today, passed(today, previous)))
    context.write("fee_accruals", accruals)
    context.write("fee_lines", lines)
    context.write("fee_amendments", amended)
    context.write("fee_reratings", anew.reratings)
    context.write("fee_rerated_lines", anew.lines)
    _write_interest_since(context, facts, reference.of_kind(PartyKind.PLATFORM))
    _write_positions(context, facts, decisions, {row["platform"]: row["accrued_minor"] for row in accruals}, anew.entries)


def _write_interest_since(context: StepContext, facts: pa.Table, platforms: Sequence[str]) -> None:
    """Since which day balances count for the next credit of bank interest: from the day of the last one, or of the first posting."""
    today = context.custody_date
    since = {r["platform"]: r["since"] for r in context.rows("fees", "interest_since", on=today - timedelta(days=1))}
    credited_today = _has(facts, TxnType.BANK_INTEREST)
    for part in _parts(context, "ledger_txn", ("platform", "txn_type", "direction", "outcome")) if credited_today else ():
        credit = pc.and_(pc.equal(part["txn_type"], str(TxnType.BANK_INTEREST)), pc.equal(part["direction"], "IN"))
        credited = part.filter(pc.and_(credit, pc.equal(part["outcome"], "POSTED")))["platform"].unique().to_pylist()
        since |= dict.fromkeys(credited, today)
    context.write("interest_since", [{"platform": p, "since": since.get(p, today)} for p in platforms])


def line_rows(platform: str, lines: Sequence[Line]) -> list[Row]:
    return [
        {"platform": platform, "line_no": number, "component": line.component, "quantity": line.quantity,
         "terms": line.terms, "remaining": str(line.left), "fee": str(line.fee)}
        for number, line in enumerate(lines, start=1)
    ]  # fmt: skip


def _has(facts: pa.Table, txn_type: TxnType) -> bool:
    """Whether the day posted any of a type; else its legs need not be looked for."""
    return bool(pc.any(pc.equal(facts["component"], str(txn_type))).as_py())


def _write_positions(
    context: StepContext, facts: pa.Table, decisions: list[Row], accrued: dict[str, int], differences: list[Entry]
) -> None:
    """INV_11 as of the evening, and what the bank itself enters the next day."""
    yesterday = context.custody_date - timedelta(days=1)
    before = [position_of(row) for row in context.rows("fees", "fee_positions", on=yesterday)]
    written_off = [WriteOff(**row) for row in context.rows("fees", "fee_write_offs", on=yesterday)]
    legs = _legs_of_fees(context) if _has(facts, TxnType.CUSTODY_FEE) else []
    found = moved(before, written_off, decisions, [leg for leg in legs if leg["outcome"] == "POSTED"])
    positions = found.positions | {p: found.positions.get(p, Position(p)) for p in accrued}
    rows = [vars(positions[p]) | {"accrued_minor": accrued.get(p, positions[p].accrued_minor)} for p in sorted(positions)]
    context.write("fee_positions", rows)
    context.write("fee_write_offs", [asdict(of) for _, of in sorted(found.write_offs.items()) if of.left_minor])
    entries = sorted((*differences, *found.entries), key=lambda e: (e.platform, e.request_no, e.leg))
    context.write("fee_entries", [asdict(entry) for entry in entries])


def _accrual(platform: str, found: FeeAccrual) -> Row:
    return {
        "platform": platform,
        "accrual_date": found.accrual_date,
        "period": period_name(found.state.first, found.state.last),
        "base_minor": found.base_minor,
        "net_minor": found.net_minor,
        "vat_minor": found.vat_minor,
        "gross_minor": found.gross_minor,
        "accrued_minor": found.state.accrued_minor,
        "currency": found.currency,
        "vat_rate": str(found.vat_rate),
        "rounding": found.rounding,
        "state": found.state.as_text(),
    }


def _nothing(platform: str, today: date, state: FeeState) -> Row:
    """A day without a contract in force, between two or after the last."""
    zeros = dict.fromkeys(("base_minor", "net_minor", "vat_minor", "gross_minor"), 0)
    return {
        "platform": platform, "accrual_date": today, "period": period_name(state.first, state.last), **zeros,
        "accrued_minor": state.accrued_minor, "currency": state.currency, "vat_rate": "0", "rounding": "half_even",
        "state": state.as_text(),
    }  # fmt: skip


def _parts(context: StepContext, table: str, columns: Sequence[str]) -> Iterator[pa.Table]:
    """A table of the posted day in pieces of bounded size."""
    seal = context.seal("post")
    assert seal is not None
    yield from context.wiring.lake.pieces(seal.path, table, {}, list(columns))


def _publish(context: StepContext, seal: Seal) -> None:
    """What periods come to and what the core answered to our charges, as the day says."""
    lake = context.wiring.lake
    recovered = {
        (row["platform"], row["request_no"]): row["amount_minor"]
        for row in lake.rows(seal.path, "fee_entries")
        if row["direction"] == RECOVER
    }
    with context.wiring.register.transaction() as tx:
        context.lease.check(tx)
        rated_periods(tx, seal, _ended_periods(context, seal))
        take_answers(tx, seal.custody_date, _legs_of_fees(context), recovered)


def _ended_periods(context: StepContext, seal: Seal) -> Iterator[Period]:
    """Periods that ended with the day, and those that ended before and were rated anew on it."""
    lake, on = context.wiring.lake, seal.custody_date
    for row in lake.rows(seal.path, "fee_accruals"):
        state = FeeState.parse(row["state"])
        if state.last == on:
            yield Period(row["platform"], state, on)
    for row in lake.rows(seal.path, "fee_reratings"):
        if row["rated_on"] == on:
            yield Period(row["platform"], FeeState.parse(row["state"]), on)


def _legs_of_fees(context: StepContext) -> list[Row]:
    """What the core collected or gave back, or could not."""
    legs: list[Row] = []
    names = ("platform", "txn_type", "direction", "request_no", "leg", "amount_minor", "currency", "status", "outcome")
    for part in _parts(context, "ledger_txn", names):
        part = part.filter(pc.equal(part["txn_type"], str(TxnType.CUSTODY_FEE)))
        # What failed moves nothing, and is an answer all the same; what is under way is none yet.
        answered = pc.or_(pc.equal(part["outcome"], "POSTED"), pc.equal(part["status"], str(TxnStatus.FAIL)))
        legs += part.filter(answered).to_pylist()
    return legs


STEP = Step("fees", _run, _publish)
