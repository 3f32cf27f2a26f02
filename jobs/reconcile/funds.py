"""The use of funds, a day of it: the day's moves are traced on from what lay open yesterday, sums follow, and contested loans are judged.

Each day costs what it moved: legs and lots of earlier days are read again for the few loans alone that are found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from connectors.lake import arrow_schema
from custody.case_evidence import FIGURES
from custody.errors import StopRun
from custody.funds_paths import GOES_ON, Way
from custody.names import BreakKind
from custody.ports import Row
from custody.use_of_funds import BASIS_POINTS, WRONG_ENDS, Finding, LoanFunds, PaidOn, days_of_interest, in_question, judge
from jobs.reconcile.breaks import Breaks
from jobs.reconcile.day import Day
from jobs.reconcile.evidence import Object, key_of_request
from jobs.reconcile.funds_queues import LOTS, OPENING_COLUMNS, PERSON_COLUMNS, DayMoves, Rows, trace_day
from schemas.tables import TABLES

_LOAN = ("platform", "loan_id")
_OF_LOAN = (*_LOAN, "purpose", "disbursed_on", "payee", "borrower", "guarantor")
SUMS = pa.schema(
    [(name, pa.string()) for name in (*_LOAN, "way")] + [("amount_minor", pa.int64()), ("from_borrower_minor", pa.int64())]
)
LoanKey = tuple[str, str]


@dataclass(frozen=True)
class Funds:
    """``sums``: of all days, by loan and way."""

    legs: pa.Table
    lots: pa.Table
    sums: pa.Table


def trace_funds(day: Day) -> Funds:
    """Raises StopRun when the path of some loan does not add up to what was lent."""
    before = _of_yesterday(day, "funds_lots", LOTS)
    traced = trace_day(day.today, before, _moves_of(day))
    sums = add_sums(_of_yesterday(day, "funds_sums", SUMS), traced.legs)
    prove_paths(sums, traced.lots)
    return Funds(traced.legs, traced.lots, sums)


def _moves_of(day: Day) -> DayMoves:
    seal, lake = day.context.seal("post"), day.context.wiring.lake
    assert seal is not None
    path = seal.path

    def of(table: str, columns: Sequence[str]) -> Rows:
        return lambda first, last: lake.pieces(path, table, {"platform": (first, last)}, columns)

    def moves(columns: Sequence[str]) -> Iterator[pa.Table]:
        return lake.pieces(path, "journal", {}, columns)

    return DayMoves(moves, of("balances", OPENING_COLUMNS), of("sub_accounts", PERSON_COLUMNS))


def write_funds(day: Day, funds: Funds) -> None:
    for name, table in (("funds_paths", funds.legs), ("funds_lots", funds.lots), ("funds_sums", funds.sums)):
        schema = arrow_schema(TABLES[name])
        day.context.write(name, table.select(schema.names).cast(schema))


def add_use_of_funds(day: Day, breaks: Breaks, funds: Funds) -> None:
    """What the path of each loan's money that moved today, or is due to have moved, says against its stated use."""
    rules = day.reference.rules
    found: dict[LoanKey, list[Finding]] = defaultdict(list)
    for loan in _loans_in_question(day, funds, days_of_interest(rules.red_lines())):
        for finding in judge(loan, rules.red_lines(), day.today, day.reference.related_parties(loan.platform)):
            found[loan.platform, loan.loan_id].append(finding)
    paths = _paths(day, funds, found)
    standing = {(row["platform"], row["subject"]): row["amount_minor"] for row in day.breaks_before}
    for key, findings in sorted(found.items()):
        lent = sum(leg["amount_minor"] for _, leg in paths[key] if leg["way"] == Way.LENT)
        legs = [_leg(leg, on, lent) for on, leg in paths[key]]
        for finding in findings:
            said, amount = rules.rule(finding.rule_id), in_question(finding, standing)
            figures = {
                "side": FIGURES,
                "rule": said.id,
                "words_en": said.words_en,
                "words_zh": said.words_zh,
                "amount_minor": amount,
                "lent_minor": lent,
                "share_bp": amount * BASIS_POINTS // lent,
            }
            evidence = [figures, *legs]
            breaks.add(finding.platform, "B", finding.subject, BreakKind.USE_OF_FUNDS, amount, evidence, finding.rule_id)


def _of_yesterday(day: Day, name: str, schema: pa.Schema) -> pa.Table:
    found = day.context.table("reconcile", name, on=day.yesterday)
    return schema.empty_table() if found is None else found.select(schema.names).cast(schema)


def add_sums(before: pa.Table, legs: pa.Table) -> pa.Table:
    """All days' sums by loan and way, today's legs among them."""
    of_borrower = pc.if_else(pc.equal(legs["hop"], 1), legs["amount_minor"], 0)
    today = legs.append_column("from_borrower_minor", of_borrower).select(SUMS.names).cast(SUMS)
    key = [*_LOAN, "way"]
    summed = pa.concat_tables([before, today]).group_by(key)
    added = summed.aggregate([("amount_minor", "sum"), ("from_borrower_minor", "sum")])
    return added.rename_columns([*key, "amount_minor", "from_borrower_minor"]).select(SUMS.names).cast(SUMS)


def prove_paths(sums: pa.Table, lots: pa.Table) -> None:
    """Of each loan: lent = ended + lying. Raises StopRun naming those of which it is not so."""
    ended = sums.filter(pc.invert(pc.is_in(sums["way"], pa.array(sorted(map(str, GOES_ON)), pa.string()))))
    is_lent = pc.equal(ended["way"], str(Way.LENT))
    signed = pc.if_else(is_lent, ended["amount_minor"], pc.negate(ended["amount_minor"]))
    left = ended.select(_LOAN).append_column("minor", signed)
    lying = lots.select(_LOAN).append_column("minor", pc.negate(lots["amount_minor"]))
    by_loan = pa.concat_tables([left, lying]).group_by(list(_LOAN)).aggregate([("minor", "sum")])
    wrong = by_loan.filter(pc.not_equal(by_loan["minor_sum"], 0))
    if wrong.num_rows:
        raise StopRun(f"the path of loans' money does not add up to what was lent: {wrong.slice(0, 5).to_pylist()}")


def _loans_in_question(day: Day, funds: Funds, ages: frozenset[int]) -> Iterator[LoanFunds]:
    """Those whose money went today where it can be wrong, and those whose age is asked for."""
    legs = funds.legs
    looked_at = pa.array(sorted(map(str, WRONG_ENDS | {Way.LENT, Way.PAID_ON})), pa.string())
    told: dict[LoanKey, list[Row]] = defaultdict(list)
    for leg in legs.filter(pc.is_in(legs["way"], looked_at)).to_pylist():
        told[leg["platform"], leg["loan_id"]].append(leg)
    loans = day.context.table("post", "loans", columns=_OF_LOAN)
    assert loans is not None
    dates = pa.array([day.today - timedelta(days=age) for age in sorted(ages)], pa.date32())
    names = pa.array([loan_id for _, loan_id in told], pa.string())
    asked = loans.filter(pc.or_(pc.is_in(loans["loan_id"], names), pc.is_in(loans["disbursed_on"], dates))).to_pylist()
    asked = [loan for loan in asked if loan["disbursed_on"] is not None]
    persons = _persons(day, [*asked, *(leg for of_loan in told.values() for leg in of_loan)])
    sums = _by_loan(funds.sums, [loan["loan_id"] for loan in asked])
    for loan in asked:
        key = loan["platform"], loan["loan_id"]
        rows, of_today = sums[key], told[key]
        yield LoanFunds(
            platform=loan["platform"],
            loan_id=loan["loan_id"],
            purpose=loan["purpose"],
            disbursed_on=loan["disbursed_on"],
            payee=loan["payee"],
            borrower=persons.get(loan["borrower"]),
            guarantor=persons.get(loan["guarantor"]),
            sums={Way(row["way"]): row["amount_minor"] for row in rows},
            left_minor=sum(row["from_borrower_minor"] for row in rows),
            entrusted_minor=sum(row["from_borrower_minor"] for row in rows if row["way"] == Way.PAID_ON),
            ways=frozenset(Way(leg["way"]) for leg in of_today),
            paid_on=tuple(
                PaidOn(leg["target"], persons.get(leg["target"]), leg["amount_minor"])
                for leg in of_today
                if leg["way"] == Way.PAID_ON
            ),
        )


def _persons(day: Day, named_in: list[Row]) -> dict[str | None, str]:
    """The customer behind each account that is named."""
    names = {row.get(column) for row in named_in for column in ("borrower", "guarantor", "target")} - {None}
    if not names:
        return {}
    accounts = day.context.table("post", "sub_accounts", columns=["sub_account", "customer_id"])
    assert accounts is not None
    some = accounts.filter(pc.is_in(accounts["sub_account"], pa.array(sorted(map(str, names)), pa.string())))
    return dict(zip(some["sub_account"].to_pylist(), some["customer_id"].to_pylist(), strict=True))


def _by_loan(table: pa.Table, loan_ids: list[str]) -> dict[LoanKey, list[Row]]:
    found: dict[LoanKey, list[Row]] = defaultdict(list)
    for row in table.filter(pc.is_in(table["loan_id"], pa.array(loan_ids, pa.string()))).to_pylist():
        found[row["platform"], row["loan_id"]].append(row)
    return found


def _paths(day: Day, funds: Funds, found: Mapping[LoanKey, list[Finding]]) -> dict[LoanKey, list[tuple[date, Row]]]:
    """The whole way so far, but for what repaid the loan itself, of those that are found."""
    paths: dict[LoanKey, list[tuple[date, Row]]] = defaultdict(list)
    if not found:
        return paths
    days = [
        (seal.custody_date, day.context.wiring.lake.read(seal.path, "funds_paths")) for seal in day.context.seals_of("reconcile")
    ]
    for on, legs in [*days, (day.today, funds.legs)]:
        for key, of_loan in _by_loan(legs, [loan_id for _, loan_id in found]).items():
            told = [leg for leg in of_loan if leg["way"] != Way.REPAID_OWN]
            paths[key] += [(on, leg) for leg in sorted(told, key=lambda leg: (leg["hop"], leg["entry_no"], leg["source"]))]
    return paths


def _leg(leg: Row, on: date, lent_minor: int) -> Object:
    where: Object = {"side": "B"}
    if leg["request_no"] is not None:
        where |= {"row_ref": f"journal:{leg['entry_no']}", "store_key": key_of_request(leg["platform"], leg["request_no"])}
    return where | {
        "custody_date": on.isoformat(),
        "hop": leg["hop"],
        "way": leg["way"],
        "request_no": leg["request_no"],
        "from_account": leg["source"],
        "to_account": leg["target"],
        "other_loan": leg["other_loan"],
        "amount_minor": leg["amount_minor"],
        "share_bp": leg["amount_minor"] * BASIS_POINTS // lent_minor,
    }
