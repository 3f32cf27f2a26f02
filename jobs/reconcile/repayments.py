"""What borrowers paid, loan by loan, held against our own computation: due, paid, its parts as instructed and as we tell them.

The day's payments are summed over their legs on the engine; the loans of which something was paid today are told anew from their first
payment on (custody.payment_parts), so that one that was posted late takes its place. All others are carried as they are. What
differs is ALLOCATION; its subject is ``PARTS|loan|request``. Which legs get which share of a request is compared where it is posted,
and here of requests whose legs come by and by (custody.begun_requests), once they are whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from connectors.lake import arrow_schema, table_of
from custody.allocation import Share, allocate
from custody.begun_requests import BegunLeg, BegunRequest, BegunState, begun_of
from custody.case_evidence import FIGURES
from custody.errors import UsageError
from custody.ledger_state import Claim
from custody.names import BreakKind, DayCount, LoanState, RepaymentMethod, TxnType
from custody.payment_parts import Paid, Verdict, order_words, tell_payments
from custody.ports import Row
from custody.repayment import PartName, Parts, Terms
from custody.texts import text
from jobs.post.refusals import allocation
from jobs.reconcile.breaks import Breaks
from jobs.reconcile.day import Day
from jobs.reconcile.evidence import Object, key_of_loan, key_of_request
from schemas.tables import TABLES

RULE = "payment_parts"
_PAYING = (TxnType.REPAYMENT, TxnType.COMPENSATION, TxnType.COMPENSATION_REPAYMENT)
_SCHEMA = arrow_schema(TABLES["repayments"])
# An instruction that comes later than this after its loan was settled finds the loan's history gone, and is not judged.
_KEPT_AFTER_SETTLEMENT = timedelta(days=31)
# Of a request's legs that do not get our share, so many stand in the evidence.
_SHOWN_LEGS = 20
_PARTS = ("principal_minor", "interest_minor", "penalty_minor")
_JUDGED = (Verdict.AGREES, Verdict.DIFFERS)
_OF_DAY = f"""
select platform, loan_id, request_no, txn_type, min(value_date) as paid_on, min(event_time) as paid_at,
       cast(sum(if(outcome = 'POSTED', 1, 0)) as bigint) as legs,
       cast(sum(if(outcome = 'POSTED', amount_minor, 0)) as bigint) as amount_minor,
       {", ".join(f"cast(sum(if(outcome = 'POSTED', {part}, 0)) as bigint) as {part}" for part in _PARTS)},
       cast(sum(if(outcome = 'WAITING', 1, 0)) as bigint) as waiting,
       cast(sum(if(outcome = 'REFUSED', 1, 0)) as bigint) as refused
from ledger_txn
where txn_type in ({", ".join(f"'{t}'" for t in _PAYING)}) and loan_id is not null and outcome in ('POSTED', 'WAITING', 'REFUSED')
group by platform, loan_id, request_no, txn_type
"""
_LEGS = """
select platform, loan_id, request_no, leg, to_account, principal_minor, interest_minor, penalty_minor, amount_minor,
       file_name, line_no
from ledger_txn where outcome = '{outcome}' and txn_type in ({types}) and request_no in ({requests})
"""
LoanKey = tuple[str, str]


@dataclass(frozen=True)
class Repayments:
    """``rows``: the table; ``legs``: today's, of the requests whose parts are found to differ today; ``split``: requests whose legs came
    by and by and that are whole today."""

    rows: pa.Table
    found: list[Row]
    legs: list[Row]
    split: list[BegunRequest]


def tell_repayments(day: Day, spark: SparkSession) -> Repayments:
    """The view ledger_txn holds the day's legs."""
    context, today = day.context, day.today
    new: dict[LoanKey, list[Row]] = defaultdict(list)
    for row in _of_day(spark):
        new[row["platform"], row["loan_id"]].append(row)
    begun = begun_of(context.rows("post", "begun_requests"))
    for request in begun.values():
        # One that has become whole is told though nothing of it was posted today.
        new[request.platform, request.loan_id] += []
    before = context.table("reconcile", "repayments", on=day.yesterday)
    before = _SCHEMA.empty_table() if before is None else before
    loans = context.table("post", "loans")
    assert loans is not None
    names, known = _keys(before), _keys(loans)
    touched = pa.array(sorted("|".join(key) for key in new), pa.string())
    settled = known.filter(pc.equal(loans["state"], str(LoanState.SETTLED)))
    old = pc.less(before["paid_on"], pa.scalar(today - _KEPT_AFTER_SETTLEMENT, pa.date32()))
    # What guarantors ever paid is disclosed as long as the platform lives.
    done = pc.and_(pc.and_(pc.is_in(names, settled), old), pc.not_equal(before["txn_type"], str(TxnType.COMPENSATION)))
    told_anew = pc.is_in(names, touched)
    kept = before.filter(pc.and_(pc.invert(told_anew), pc.invert(done)))
    history: dict[LoanKey, list[Row]] = defaultdict(list)
    for row in before.filter(told_anew).to_pylist():
        history[row["platform"], row["loan_id"]].append(row)
    terms = {(loan["platform"], loan["loan_id"]): loan for loan in loans.filter(pc.is_in(known, touched)).to_pylist()}
    rows: list[Row] = []
    for key in sorted(new):
        rows += tell_loan(
            today, day.reference.repayment_order(key[0]), terms.get(key), history[key], new[key], _states(begun, key[0])
        )
    split = [request for _, request in sorted(begun.items()) if request.state is BegunState.WHOLE]
    found = [row for row in rows if row["verdict"] == Verdict.DIFFERS and row["told_on"] == today]
    requests = {row["request_no"] for row in found}
    table = pa.concat_tables([kept, table_of(TABLES["repayments"], rows)])
    return Repayments(table, found, _legs(spark, requests, "POSTED"), split)


def _of_day(spark: SparkSession) -> list[Row]:
    """The day's payments; ``refused``: legs of which no attempt was posted."""
    rows: list[Row] = spark.sql(_OF_DAY).toArrow().to_pylist()
    requests = {row["request_no"] for row in rows if row["refused"]}
    posted = {(leg["platform"], leg["request_no"], leg["leg"]) for leg in _legs(spark, requests, "POSTED")}
    refused = [leg for leg in _legs(spark, requests, "REFUSED") if (leg["platform"], leg["request_no"], leg["leg"]) not in posted]
    lacking = {(leg["platform"], leg["request_no"]) for leg in refused}
    return [{**row, "refused": (row["platform"], row["request_no"]) in lacking} for row in rows]


def add_allocations(day: Day, breaks: Breaks, repayments: Repayments) -> None:
    """A payment whose parts are not ours: both splits, and the legs that get another share."""
    legs: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for leg in repayments.legs:
        legs[leg["platform"], leg["loan_id"], leg["request_no"]].append(leg)
    for row in sorted(repayments.found, key=_key):
        own = legs[row["platform"], row["loan_id"], row["request_no"]]
        evidence = [_figures(day, row), *_totals(row), *_shares(day, row, own)]
        moved = sum(abs(row[part] - row[f"our_{part}"]) for part in _PARTS)
        breaks.add(row["platform"], "B", subject_of(row), BreakKind.ALLOCATION, -(-moved // 2), evidence, RULE)
    for request in repayments.split:
        for wrong, share in request.wrong_shares():
            _add_share(breaks, request, wrong, share)


def _add_share(breaks: Breaks, request: BegunRequest, leg: BegunLeg, share: Share | None) -> None:
    """As posting finds it of a request whose legs come at once."""
    refusal = allocation(share)
    english, chinese = text(refusal.rule, refusal.figures)
    evidence = {
        "side": "B",
        "row_ref": f"{leg.file_name}:{leg.line_no}",
        "store_key": key_of_request(request.platform, request.request_no, leg.leg),
        "rule": refusal.rule,
        "words_en": english,
        "words_zh": chinese,
    }
    subject = f"POSTING|{request.request_no}|{leg.leg}"
    breaks.add(request.platform, "B", subject, refusal.kind, leg.amount_minor, [evidence], refusal.rule)


def told_today(day: Day, rows: pa.Table) -> frozenset[tuple[str, str]]:
    """(platform, subject) of the payments on which today has another word than yesterday."""
    found = rows.filter(pc.equal(rows["told_on"], pa.scalar(day.today, pa.date32())))
    return frozenset((row["platform"], subject_of(row)) for row in found.to_pylist())


def subject_of(row: Row) -> str:
    return f"PARTS|{row['loan_id']}|{row['request_no']}"


def _states(begun: Mapping[tuple[str, str], BegunRequest], platform: str) -> dict[str, BegunState]:
    return {request.request_no: request.state for request in begun.values() if request.platform == platform}


def _keys(table: pa.Table) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(table["platform"], table["loan_id"], "|")


def _key(row: Row) -> tuple[str, ...]:
    return row["platform"], row["loan_id"], row["request_no"], row["txn_type"]


def _merged(history: Sequence[Row], new: Sequence[Row]) -> list[Row]:
    """A loan's payments in the order in which they were made; the legs of one request that were posted on several days are one."""
    merged = {_key(row): {**row, "waiting": 0, "refused": False} for row in history}
    for row in new:
        before = merged.get(_key(row))
        if before is None:
            merged[_key(row)] = {**row, "verdict": None, "told_on": None}
            continue
        for name in ("legs", "amount_minor", *_PARTS):
            before[name] += row[name]
        if row["legs"]:
            before["paid_on"], before["paid_at"] = min(before["paid_on"], row["paid_on"]), min(before["paid_at"], row["paid_at"])
        before["waiting"], before["refused"] = row["waiting"], row["refused"]
    paid = (row for row in merged.values() if row["legs"])
    return sorted(paid, key=lambda row: (row["paid_on"], row["paid_at"], row["request_no"], row["txn_type"]))


def tell_loan(
    today: date,
    order: Sequence[PartName],
    loan: Row | None,
    history: Sequence[Row],
    new: Sequence[Row],
    begun: Mapping[str, BegunState] = MappingProxyType({}),
) -> list[Row]:
    """A loan's rows of the table: ``history`` as an earlier day left them, ``new`` as ``_of_day`` sums them; ``loan``: its snapshot;
    ``begun``: by request, how those stand whose legs come by and by. The row's ``told_on`` is the day on which what we say of it last
    changed."""
    before = {_key(row): row for row in history}
    rows = _merged(history, new)
    for row in rows:
        state = begun.get(row["request_no"])
        row["waiting"] = row["waiting"] or int(state is BegunState.OPEN)
        row["refused"] = row["refused"] or state is BegunState.REJECTED
    told: list[Row] = []
    for row, (verdict, due, ours) in zip(rows, _verdicts(order, loan, rows), strict=True):
        said: Row = {name: row[name] for name in _SCHEMA.names if name in row}
        said |= {f"due_{name}": getattr(due, name) for name in _PARTS}
        said |= {f"our_{name}": None if ours is None else getattr(ours, name) for name in _PARTS}
        said |= {"verdict": str(verdict), "told_on": today}
        was = before.get(_key(row))
        if was is not None and {**was, "told_on": None} == {**said, "told_on": None}:
            said["told_on"] = was["told_on"]
        told.append(said)
    return told


def _verdicts(order: Sequence[PartName], loan: Row | None, rows: Sequence[Row]) -> list[tuple[Verdict, Parts, Parts | None]]:
    found: dict[int, tuple[Verdict, Parts, Parts | None]] = dict.fromkeys(range(len(rows)), (Verdict.COMPENSATOR, Parts(), None))
    to_lenders = [n for n, row in enumerate(rows) if row["txn_type"] != TxnType.COMPENSATION_REPAYMENT]
    terms = None if loan is None else terms_of(loan, rows)
    if terms is None:
        found |= {n: _as_before(rows[n]) for n in to_lenders}
        return [found[n] for n in range(len(rows))]
    whole = next((at for at, n in enumerate(to_lenders) if rows[n]["waiting"]), len(to_lenders))
    paid = [Paid(rows[n]["paid_on"], _parts(rows[n]), rows[n]["txn_type"] == TxnType.COMPENSATION) for n in to_lenders[:whole]]
    for n, told in zip(to_lenders, tell_payments(terms, paid, order), strict=False):
        lacks_a_leg = rows[n]["refused"] and rows[n]["verdict"] not in _JUDGED
        if told.ours is None:
            verdict = Verdict.OFF_SCHEDULE
        elif lacks_a_leg or rows[n]["verdict"] == Verdict.REFUSED_LEG:
            verdict = Verdict.REFUSED_LEG
        else:
            verdict = Verdict.AGREES if told.ours == _parts(rows[n]) else Verdict.DIFFERS
        found[n] = (verdict, told.due, told.ours)
    found |= {n: (Verdict.OPEN, Parts(), None) for n in to_lenders[whole:]}
    return [found[n] for n in range(len(rows))]


def _as_before(row: Row) -> tuple[Verdict, Parts, Parts | None]:
    """What was said of a payment while the whole history was known."""
    if row["verdict"] not in _JUDGED:
        return Verdict.NO_HISTORY, Parts(), None
    due, ours = (Parts(**{name: row[f"{side}_{name}"] for name in _PARTS}) for side in ("due", "our"))
    return Verdict(row["verdict"]), due, ours


def terms_of(loan: Row, rows: Sequence[Row]) -> Terms | None:
    """None where our own books do not hold all that was lent and paid, or hold no schedule."""
    repaid = [row for row in rows if row["txn_type"] != TxnType.COMPENSATION]
    known = sum(row["principal_minor"] for row in repaid), sum(row["interest_minor"] for row in repaid)
    if loan["disbursed_on"] is None or known != (loan["principal_repaid_minor"], loan["interest_repaid_minor"]):
        return None
    terms = Terms(
        loan["funded_minor"],
        loan["annual_rate"],
        loan["periods"],
        loan["every"],
        RepaymentMethod(loan["method"]),
        DayCount(loan["day_count"]),
        loan["disbursed_on"],
        loan["penalty_rate"],
    )
    try:
        terms.schedule()
    except UsageError:
        return None
    return terms


def is_told(row: Row) -> bool:
    """Whether what lenders are owed after the payment follows from it."""
    return row["verdict"] not in (Verdict.OPEN, Verdict.NO_HISTORY, Verdict.OFF_SCHEDULE)


def paid_to_lenders(rows: Sequence[Row]) -> list[Paid]:
    """A loan's rows of the table in the order in which they were paid, but for what compensators got back."""
    told = sorted(rows, key=lambda row: (row["paid_on"], row["paid_at"], row["request_no"], row["txn_type"]))
    kinds = TxnType.COMPENSATION, TxnType.COMPENSATION_REPAYMENT
    return [Paid(row["paid_on"], _parts(row), row["txn_type"] == kinds[0]) for row in told if row["txn_type"] != kinds[1]]


def _parts(row: Row) -> Parts:
    return Parts(**{name: row[name] for name in _PARTS})


def _legs(spark: SparkSession, requests: Iterable[str], outcome: str) -> list[Row]:
    """Today's legs of these requests with that outcome."""
    named = ", ".join(f"'{request}'" for request in sorted(set(requests)))
    if not named:
        return []
    types = ", ".join(f"'{t}'" for t in _PAYING)
    rows: list[Row] = spark.sql(_LEGS.format(outcome=outcome, types=types, requests=named)).toArrow().to_pylist()
    return sorted(rows, key=lambda leg: (leg["platform"], leg["request_no"], leg["leg"]))


def _figures(day: Day, row: Row) -> Object:
    english, chinese = order_words(day.reference.repayment_order(row["platform"]))
    due = {f"due_{name}": row[f"due_{name}"] for name in _PARTS}
    named = {"loan_id": row["loan_id"], "paid_on": row["paid_on"].isoformat()}
    return {"side": FIGURES, "rule": RULE, "words_en": english, "words_zh": chinese, **named, **due}


def _totals(row: Row) -> list[Object]:
    """The request as the platform split it, and as we do."""
    request = {"row_ref": f"request:{row['request_no']}", "store_key": key_of_request(row["platform"], row["request_no"])}
    theirs: Object = {"side": "A", **request, **{name: row[name] for name in ("amount_minor", *_PARTS)}}
    ours: Object = {
        "side": "B",
        "row_ref": f"computed:{row['loan_id']}",
        "store_key": key_of_loan(row["platform"], row["loan_id"]),
    }
    amount = sum(row[f"our_{name}"] for name in _PARTS)
    return [theirs, ours | {"amount_minor": amount} | {name: row[f"our_{name}"] for name in _PARTS}]


def _shares(day: Day, row: Row, legs: Sequence[Row]) -> list[Object]:
    """Legs whose parts are not the share that their payee's claim has in ours, each beside it; none where the claims at the moment
    of the payment are not those of the day before less what it repaid."""
    if not legs or len(legs) != row["legs"]:
        return []
    before, after = (_claims(day, on, row) for on in (day.yesterday, day.today))
    if sum(c.principal_minor for c in before) - row["principal_minor"] != sum(c.principal_minor for c in after):
        return []
    shares: dict[str, list[Share]] = defaultdict(list)
    for one in allocate(before, *(row[f"our_{name}"] for name in _PARTS)) if before else []:
        if any(one.parts):
            shares[one.holder].append(one)
    shown: list[Object] = []
    for leg in legs:
        own = shares[leg["to_account"]]
        share = own.pop(0) if own else None
        ours = dict(zip(_PARTS, share.parts if share else (0, 0, 0), strict=True))
        theirs = {name: leg[name] for name in _PARTS}
        if ours != theirs and len(shown) < 2 * _SHOWN_LEGS:
            place = {"row_ref": f"{leg['file_name']}:{leg['line_no']}"}
            key = key_of_request(leg["platform"], leg["request_no"], leg["leg"])
            shown.append({"side": "A", **place, "store_key": key, "holder": leg["to_account"], **theirs})
            claim = share.claim_id if share else "-"
            shown.append({"side": "B", "row_ref": f"share:{claim}", "store_key": None, "holder": leg["to_account"], **ours})
    return shown


def _claims(day: Day, on: Any, row: Row) -> list[Claim]:
    table = day.context.table("post", "claims", on=on)
    if table is None:
        return []
    mine = table.filter(pc.and_(pc.equal(table["platform"], row["platform"]), pc.equal(table["loan_id"], row["loan_id"])))
    return [Claim(**claim) for claim in mine.to_pylist() if claim["principal_minor"]]
