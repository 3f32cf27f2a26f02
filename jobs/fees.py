"""fees: the day's custody fee of each platform by its dated contract, accrued to the fen with the residue carried (§7).

The base is customers' sub-accounts only, at the end of every calendar day. Facts are sums of columns, piece by piece, so that memory follows
platforms; only their rating is Python, once for each platform. The accrual enters the BANK book with the next day's posting, under its
own value date. Beside it the balance-days are carried, by which the bank's own interest is owned.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from connectors.lake import arrow_schema
from custody.fee_contract import ACCOUNT_OPENED, FeeContract, transactions, volume
from custody.fee_usage import usage_of
from custody.fees import DayFacts, FeeAccrual, FeeState, accrue, passed, period_name, state_into
from custody.names import Book, PartyKind, TxnStatus, TxnType
from custody.ports import Row
from custody.services.fee_charges import take_answers
from custody.services.outputs import Seal
from jobs.reference import load_reference
from jobs.step import Step, StepContext
from schemas.tables import TABLES

# Whose money earns the bank's interest: customers, and the platform's accounts under custody; SUSPENSE is nobody's.
_OWNERS = r"^[^.:]+(\.|:P_)"


def _run(context: StepContext) -> None:
    write_accruals(context)
    write_balance_days(context)


def write_accruals(context: StepContext) -> None:
    """Tables fee_accruals and fee_lines."""
    reference = load_reference(context)
    today, yesterday = context.custody_date, context.custody_date - timedelta(days=1)
    states = {r["platform"]: r["state"] for r in context.rows("fees", "fee_accruals", on=yesterday)}
    facts = _facts(context)
    accruals: list[Row] = []
    lines: list[Row] = []
    for platform in reference.of_kind(PartyKind.PLATFORM):
        if reference.is_closed(platform):
            continue
        contract = FeeContract.parse(reference.parties[platform]["contract"]["fee_contract"])
        previous = FeeState.parse(states[platform]) if platform in states else None
        if contract.in_force(today):
            found = accrue(contract, today, facts[platform], state_into(contract, today, previous))
            accruals.append(_accrual(platform, found))
            lines += [
                {"platform": platform, "line_no": number, "component": line.component, "quantity": line.quantity,
                 "terms": line.terms, "remaining": str(line.left), "fee": str(line.fee)}
                for number, line in enumerate(found.lines, start=1)
            ]  # fmt: skip
        elif previous is not None:
            accruals.append(_nothing(platform, today, passed(today, previous)))
    context.write("fee_accruals", accruals)
    context.write("fee_lines", lines)


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


def _facts(context: StepContext) -> dict[str, DayFacts]:
    """What each platform's fee is computed from; of one without any, nothing."""
    base: dict[str, int] = defaultdict(int)
    for part in _parts(context, "balances", ("platform", "book", "account", "closing_minor")):
        # A sub-account's id has a dot; P_* and the platform's other accounts have none.
        customers = pc.and_(pc.equal(part["book"], str(Book.CUSTODY)), pc.match_substring(part["account"], "."))
        sums = part.filter(customers).group_by("platform").aggregate([("closing_minor", "sum")])
        for platform, minor in zip(*(sums[name].to_pylist() for name in ("platform", "closing_minor_sum")), strict=True):
            base[platform] += minor
    quantities: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for part in _parts(context, "ledger_txn", ("platform", "txn_type", "outcome", "amount_minor")):
        posted = part.filter(pc.equal(part["outcome"], "POSTED")).group_by(["platform", "txn_type"])
        for row in posted.aggregate([("amount_minor", "sum"), ("amount_minor", "count")]).to_pylist():
            quantities[row["platform"]][transactions(row["txn_type"])] += row["amount_minor_count"]
            quantities[row["platform"]][volume(row["txn_type"])] += row["amount_minor_sum"]
    for part in _parts(context, "sub_accounts", ("platform", "opened_on")):
        opened = part.filter(pc.equal(part["opened_on"], pa.scalar(context.custody_date, pa.date32())))
        for row in opened.group_by("platform").aggregate([("opened_on", "count")]).to_pylist():
            quantities[row["platform"]][ACCOUNT_OPENED] += row["opened_on_count"]
    for platform, component, count in usage_of(context.rows("cut_off", "decisions")):
        quantities[platform][component] += count
    found: dict[str, DayFacts] = defaultdict(lambda: DayFacts(0))
    return found | {p: DayFacts(base[p], quantities[p]) for p in {*base, *quantities}}


def _parts(context: StepContext, table: str, columns: Sequence[str]) -> Iterator[pa.Table]:
    """A table of the posted day in pieces of bounded size."""
    seal = context.seal("post")
    assert seal is not None
    yield from context.wiring.lake.pieces(seal.path, table, {}, list(columns))


def write_balance_days(context: StepContext) -> None:
    """Table balance_days: what each customer's sub-account and each P_* account held at the end of each day since its platform's last
    credit of bank interest, summed (custody.bank_interest). The credit's own day begins the next quarter."""
    legs = context.table("post", "ledger_txn", columns=["platform", "txn_type", "direction", "outcome"])
    assert legs is not None
    schema = arrow_schema(TABLES["balance_days"])
    days = [schema.empty_table()]
    for part in _parts(context, "balances", ("platform", "book", "account", "closing_minor")):
        part = part.filter(pc.equal(part["book"], str(Book.CUSTODY)))
        part = part.filter(pc.match_substring_regex(part["account"], _OWNERS))
        owners = pc.replace_substring_regex(part["account"], ":(available|frozen)$", "")
        days.append(pa.table({"platform": part["platform"], "account": owners, "minor_days": part["closing_minor"]}, schema))
    before = context.table("fees", "balance_days", on=context.custody_date - timedelta(days=1))
    if before is not None:
        credit = pc.and_(pc.equal(legs["txn_type"], str(TxnType.BANK_INTEREST)), pc.equal(legs["direction"], "IN"))
        credited = legs.filter(pc.and_(credit, pc.equal(legs["outcome"], "POSTED")))["platform"].unique()
        days.append(before.filter(pc.invert(pc.is_in(before["platform"], credited))))
    # In one thread, so that rows come in one order whatever the machine.
    summed = pa.concat_tables(days).group_by(["platform", "account"], use_threads=False).aggregate([("minor_days", "sum")])
    summed = summed.rename_columns({"minor_days_sum": "minor_days"})
    context.write("balance_days", summed.filter(pc.not_equal(summed["minor_days"], 0)))


def _publish(context: StepContext, seal: Seal) -> None:
    """What the core answered to our charges, as the day posted it."""
    legs: list[Row] = []
    for part in _parts(
        context,
        "ledger_txn",
        ("platform", "txn_type", "direction", "request_no", "amount_minor", "currency", "status", "outcome"),
    ):
        of_fees = pc.and_(pc.equal(part["txn_type"], str(TxnType.CUSTODY_FEE)), pc.equal(part["direction"], "OUT"))
        # What failed moves nothing, and is an answer all the same; what is under way is none yet.
        answered = pc.or_(pc.equal(part["outcome"], "POSTED"), pc.equal(part["status"], str(TxnStatus.FAIL)))
        legs += part.filter(pc.fill_null(pc.and_(of_fees, answered), False)).to_pylist()
    with context.wiring.register.transaction() as tx:
        context.lease.check(tx)
        take_answers(tx, seal.custody_date, legs)


STEP = Step("fees", _run, _publish)
