"""What the desk sees at a glance, gathered from sealed steps and the register: for the command line and the pages alike."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.bootstrap import Wiring
from connectors.lake import is_word, without_rows
from custody.calendar import CalendarUnknown
from custody.names import BreakKind, HoldKind, PartyKind, TxnStatus
from custody.platform_funds import Concern, Item
from custody.ports import RegisterTx, Row
from custody.services.calendars import settlement_calendar
from custody.services.intake import FILE_QUARANTINED
from custody.services.outputs import Seal, days_begun, seals_of_day, seals_of_step
from custody.services.promises import FILE_MISSING, promised_on
from custody.services.verifications import Verification, last_verification
from custody.steps import day_state

# A plot over more days than these shows no trend that a person could act on.
_TREND_DAYS = 30
# Of a list the day shows no more rows: the lists' own pages have all.
MOST_LISTED = 50


@dataclass(frozen=True)
class TrendPoint:
    """One custody date; None where it is not reconciled. ``carried``: rows whose counterpart may still come."""

    on: date
    breaks: int | None
    carried: int | None


@dataclass(frozen=True)
class Found:
    """How many rows there are of something, their sum in each currency where they have one, and the first rows, which alone are made."""

    count: int
    minor: Mapping[str, int]
    rows: list[Row]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Found:
        minor: Counter[str] = Counter()
        for row in rows:
            if "currency" in row:
                minor[row["currency"]] += row["amount_minor"]
        return cls(len(rows), minor, list(rows[:MOST_LISTED]))

    @classmethod
    def first(cls, table: pa.Table, order: Sequence[tuple[str, str]]) -> Found:
        """Of a table, in this order."""
        shown = table.take(pc.sort_indices(table, sort_keys=list(order))[:MOST_LISTED])
        minor = {}
        if {"currency", "amount_minor"} <= set(table.schema.names):
            sums = table.group_by("currency", use_threads=False).aggregate([("amount_minor", "sum")]).to_pylist()
            minor = {row["currency"]: row["amount_minor_sum"] for row in sums}
        return cls(table.num_rows, minor, shown.to_pylist())


@dataclass(frozen=True)
class Day:
    """One custody date as the desk's page shows it, in the order of domain.md §10. Rows are as the lake has them."""

    on: date
    begun: list[date]
    # None where the bank's calendar does not reach.
    business_day: bool | None
    seals: Mapping[str, Seal]
    state: str
    platforms: list[dict[str, Any]]
    # Those that are no platforms: channels, payment companies, the bank's own.
    other_parties: Set[str]
    files_missing: Found
    # Of the validate step, the gravest first; and how many batches nobody could compare with the usual yet.
    batch_findings: Found
    batches_without_history: int
    shortfalls: Found
    channel_cash: Found
    # By platform what can be paid out on the bank business day after the date (see payout_liquidity), and for how many that is too little.
    liquidity: Found
    liquidity_short: int
    unknown_withdrawals: Found
    # What has no owner yet, and pay-outs that came back and are not settled: what, since when, until when, what is left (see waiting_money).
    waiting_money: Found
    # Legal orders that are not carried out in full, and money that stands frozen under one (see legal_matters).
    legal_matters: Found
    new_breaks: Found
    carried_breaks: Found
    # The risk step's own of this date; and what the register says of the work itself (a task failed, a report is due).
    risk_alerts: Found
    operational_alerts: Found
    approvals: Found
    proof: list[Row]
    trend: list[TrendPoint]
    # The last one of this date, and the last one of all dates with the keyed store.
    verified: Verification | None
    verified_whole: Verification | None

    @property
    def proof_holds(self) -> bool | None:
        """None while the day is not reconciled."""
        return all(row["holds"] for row in self.proof) if self.proof else None


def day_at_a_glance(wiring: Wiring, on: date) -> dict[str, Any]:
    """A date's state, and for each party: files landed of those expected, breaks, alerts."""
    with wiring.register.transaction() as tx:
        seals = seals_of_day(tx, on)
        promised = promised_on(tx, on)
    return {"date": on, "state": day_state(seals), "platforms": _platform_rows(Sealed(wiring, seals), on, promised)}


@dataclass(frozen=True)
class Sealed:
    """What a date's committed steps sealed: a table of a step that is not committed has no rows. ``words``: as of Lake.pieces."""

    wiring: Wiring
    seals: Mapping[str, Seal]

    def table(self, step: str, table: str, columns: Sequence[str] | None = None, words: Collection[str] = ()) -> pa.Table:
        seal = self.seals.get(step)
        if seal is None:
            return without_rows(table, columns, words)
        return self.wiring.lake.read(seal.path, table, columns, words)

    def rows(self, step: str, table: str) -> list[Row]:
        rows: list[Row] = self.table(step, table).to_pylist()
        return rows


def the_day(wiring: Wiring, on: date) -> Day:
    """All that the day's page shows. A date that was never begun gives a Day in state OPEN with nothing in it."""
    yesterday = on - timedelta(days=1)
    with wiring.register.transaction() as tx:
        begun = days_begun(tx)
        seals = seals_of_day(tx, on)
        shown = [day for day in begun if day <= on][-_TREND_DAYS:]
        reconciled = seals_of_step(tx, "reconcile", [*shown, yesterday])
        business_day = _business_day(tx, on)
        operational = tx.find("alert", ("rule", "subject", "alert_id"), platform="", raised_on=on)
        operational += tx.find("alert", ("rule", "subject", "alert_id"), rule=[FILE_MISSING, FILE_QUARANTINED], raised_on=on)
        approvals = tx.find("proposal", ("proposed_at", "proposal_id"), state="PROPOSED")
        others = {party for (party,) in tx.count("party", ["party"], {"kind": str(PartyKind.PLATFORM)})}
        verified, verified_whole = last_verification(tx, on), last_verification(tx, None)
        promised = promised_on(tx, on)

    sealed = Sealed(wiring, seals)
    breaks = sealed.table("reconcile", "breaks", words=("kind",))
    known = wiring.lake.read(reconciled[yesterday].path, "breaks", ["case_id"])["case_id"] if yesterday in reconciled else []
    is_known = pc.is_in(breaks["case_id"], value_set=pa.array(known, pa.string()))
    liquidity = payout_liquidity(sealed)
    return Day(
        on=on,
        begun=begun,
        business_day=business_day,
        seals=seals,
        state=day_state(seals),
        platforms=_platform_rows(sealed, on, promised),
        other_parties=others,
        files_missing=Found.of(_files_wanting(sealed)),
        batch_findings=Found.first(sealed.table("validate", "batch_findings"), _GRAVITY),
        batches_without_history=sealed.table("validate", "batch_statistics", ["usual_rows"])["usual_rows"].null_count,
        shortfalls=Found.first(breaks.filter(pc.is_in(breaks["kind"], pa.array(_SHORTFALL_KINDS))), _LARGEST),
        channel_cash=_channel_cash(sealed),
        liquidity=Found.first(liquidity, _LEAST_LEFT),
        liquidity_short=pc.sum(pc.less(liquidity["left_minor"], 0)).as_py() or 0,
        unknown_withdrawals=Found.of(_unknown(sealed)),
        waiting_money=Found.of(
            waiting_money(sealed.rows("post", "suspense"), breaks.filter(is_word(breaks["kind"], BreakKind.RETURNED)).to_pylist())
        ),
        legal_matters=Found.of(legal_matters(sealed)),
        new_breaks=Found.first(breaks.filter(pc.invert(is_known)), _LARGEST),
        carried_breaks=Found.first(breaks.filter(is_known), _LARGEST),
        risk_alerts=Found.first(sealed.table("risk", "alerts"), _BY_PLATFORM),
        operational_alerts=Found.of(operational),
        approvals=Found.of(approvals),
        proof=sealed.rows("reconcile", "proof"),
        trend=[_trend_point(wiring, day, reconciled.get(day)) for day in shown],
        verified=verified,
        verified_whole=verified_whole,
    )


def waiting_money(suspense: Iterable[Row], breaks: Iterable[Row]) -> list[Row]:
    """The oldest first: ``what`` (SUSPENSE or RETURNED), platform, request_no, ``since``, ``due_on`` (None where no limit is named), amount_minor."""
    found = [
        {"what": "SUSPENSE", "platform": row["platform"], "request_no": row["request_no"], "since": row["received_on"],
         "due_on": row["due_on"], "amount_minor": row["left_minor"], "currency": "CNY"}
        for row in suspense
        if row["left_minor"]
    ]  # fmt: skip
    found += [
        {"what": "RETURNED", "platform": row["platform"], "request_no": row["subject"].split("|")[1], "since": _first_seen(row),
         "due_on": None, "amount_minor": row["amount_minor"], "currency": "CNY"}
        for row in breaks
        if row["kind"] == BreakKind.RETURNED
    ]  # fmt: skip
    return sorted(found, key=lambda row: (row["since"], row["platform"], row["request_no"]))


def _first_seen(row: Row) -> date:
    """The first date of the rows behind a break; the date that found it where none says one."""
    said = [date.fromisoformat(one["item_date"]) for one in json.loads(row["evidence"]) if one.get("item_date")]
    return min(said, default=row["as_of"])


def legal_matters(sealed: Sealed) -> list[Row]:
    """``what`` (an order's action, or FROZEN), platform, ``number``, account, ``since`` (None of an order), amount_minor: what is ordered and not done,
    or what stands frozen. Chosen by Arrow: both tables keep what has been done with."""
    orders = sealed.table("post", "legal_orders")
    open_ = orders.filter(pc.greater(orders["amount_minor"], orders["used_minor"])).to_pylist()
    columns = ("platform", "hold_id", "account", "kind", "amount_minor", "placed_on")
    holds = sealed.table("post", "holds", columns, ("platform", "kind"))
    frozen = holds.filter(is_word(holds["kind"], HoldKind.JUDICIAL)).to_pylist()
    found = [
        {"what": row["action"], "platform": row["platform"], "number": row["order_no"], "account": row["account"], "since": None,
         "amount_minor": row["amount_minor"] - row["used_minor"]}
        for row in open_
    ]  # fmt: skip
    found += [
        {"what": "FROZEN", "platform": row["platform"], "number": row["hold_id"], "account": row["account"], "since": row["placed_on"],
         "amount_minor": row["amount_minor"]}
        for row in frozen
    ]  # fmt: skip
    return sorted(found, key=lambda row: (row["what"] == "FROZEN", row["since"] or date.min, row["platform"], row["number"]))


# Of withdrawals under way, how far each has come; REQUESTED: not handed on yet.
UNDER_WAY = (Item.UNKNOWN, Item.REMITTING, Item.ACCEPTED, Item.REQUESTED, Item.IN_FLIGHT)


def payout_liquidity(sealed: Sealed) -> pa.Table:
    """Of each platform, minor units: ``cash_minor`` at the bank core, ``due_minor`` that channels are to settle by the next bank business day,
    ``payable_minor`` that is paid out to channels by then, what is under way by status, and ``left_minor`` of all that.

    No rows while the date's risk is not assessed, or where it was by a program before these tables.
    """
    risk = sealed.seals.get("risk")
    if risk is None or "platform_funds_items" not in sealed.wiring.lake.manifest(risk.path).tables:
        return pa.table({name: pa.array([], type_) for name, type_ in (("platform", pa.string()), ("left_minor", pa.int64()))})
    days = _of_payout(sealed, "platform_funds", ("platform", "currency", "on_date", "have_minor", "need_minor"))
    names = days["platform"]
    # Each platform's second day: the first is the end of the date itself.
    as_before = pc.equal(names[1:], names[:-1])
    second = pc.and_not(as_before[1:], as_before[:-1])
    days = days.slice(1).filter(pa.concat_arrays([as_before[:1], second]))
    days = pa.table({name: days[name] for name in days.schema.names})
    items = _of_payout(sealed, "platform_funds_items", ("platform", "item", "due_on", "amount_minor"))
    of = pc.index_in(items["platform"], days["platform"])
    is_due = pc.fill_null(pc.less_equal(items["due_on"], days["on_date"].take(of)), False)
    items = pa.table({"of": of, "item": items["item"], "amount_minor": items["amount_minor"]}).filter(is_due)
    of_every = pa.array(range(days.num_rows), pa.int32())

    def summed(item: Item) -> pa.Array:
        """Of each platform, nought where it has none."""
        sums = items.filter(is_word(items["item"], item)).group_by("of", use_threads=False).aggregate([("amount_minor", "sum")])
        at = pc.index_in(of_every, sums["of"])
        return pc.fill_null(sums["amount_minor_sum"].combine_chunks().take(at), 0)

    return pa.table(
        {
            "platform": days["platform"],
            "currency": days["currency"],
            "on_date": days["on_date"],
            "cash_minor": summed(Item.CASH),
            "due_minor": summed(Item.RECEIVABLE),
            "payable_minor": summed(Item.PAYABLE),
            **{str(status): summed(status) for status in UNDER_WAY},
            "left_minor": pc.subtract(days["have_minor"], days["need_minor"]),
        }
    )


def _of_payout(sealed: Sealed, table: str, columns: Sequence[str]) -> pa.RecordBatch:
    found = sealed.table("risk", table, ["concern", *columns], ("concern", "platform", "currency", "item"))
    found = found.filter(is_word(found["concern"], Concern.PAYOUT)).select(list(columns))
    # By platform one is put beside the other.
    of = found.schema.get_field_index("platform")
    found = found.set_column(of, "platform", found["platform"].cast(pa.string()))
    return pa.record_batch([column.combine_chunks() for column in found.columns], names=found.schema.names)


def _channel_cash(sealed: Sealed) -> Found:
    """What each channel is to settle of each platform's receivable, summed over the requests that make it up (invariant 1): by account."""
    items = sealed.table("post", "receivables", ["account", "amount_minor"], ["account"])
    sums = items.group_by("account", use_threads=False).aggregate([("amount_minor", "sum")])
    account, amount = sums["account"].cast(pa.string()), pc.abs(sums["amount_minor_sum"])
    sums = pa.table({"account": account, "amount_minor": amount, "currency": pa.repeat("CNY", sums.num_rows)})
    sums = sums.filter(pc.and_(pc.match_substring(account, ":CHANNEL_RECEIVABLE/"), pc.greater(amount, 0)))
    return Found.first(sums, [("account", "ascending")])


def _unknown(sealed: Sealed) -> list[Row]:
    """Withdrawals whose end nobody knows."""
    columns = ("platform", "request_no", "txn_type", "amount_minor", "currency", "status", "since")
    way = sealed.table("post", "under_way", columns, ("status",))
    found = way.filter(is_word(way["status"], TxnStatus.UNKNOWN)).to_pylist()
    return [{**w, "subject": f"{w['txn_type']}|{w['request_no']}", "item_date": w["since"]} for w in found]


def _files_wanting(sealed: Sealed) -> list[Row]:
    """``files_wanting`` of the parties and types of which anything but one landing is said: of thousands of files that is little."""
    columns = ("party", "file_type", "custody_date", "outcome", "file_name", "words_en", "words_zh")
    outcomes = sealed.table("land", "file_outcomes", columns, ("outcome",))
    odd = outcomes.filter(pc.invert(is_word(outcomes["outcome"], "LANDED")))
    parties = pc.unique(odd["party"])
    return files_wanting(outcomes.filter(pc.is_in(outcomes["party"], parties)).to_pylist())


# The gravest first: "fail" comes before "warn".
_GRAVITY = [(name, "ascending") for name in ("severity", "party", "file_type", "custody_date", "rule")]
_LARGEST = [("amount_minor", "descending"), ("case_id", "ascending")]
_LEAST_LEFT = [("left_minor", "ascending"), ("platform", "ascending")]
_BY_PLATFORM = [(name, "ascending") for name in ("platform", "rule", "subject")]


def files_wanting(outcomes: Iterable[Row]) -> list[Row]:
    """One outcome for each file (party, type, custody date) of which no version landed: its last refusal, else that it is
    expected. A file that was refused is expected still, and is one thing to do; one that is not due yet is none."""
    by_file: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for outcome in outcomes:
        by_file[outcome["party"], outcome["file_type"], outcome["custody_date"]].append(outcome)
    wanting = []
    for _, of_file in sorted(by_file.items()):
        if not any(o["outcome"] == "LANDED" for o in of_file) and any(o["outcome"] != "AWAITED" for o in of_file):
            refused = [o for o in of_file if o["outcome"] == "REFUSED"]
            # Names of one file differ in batch and version: a longer one has the higher number (v10 after v9).
            wanting.append(max(refused, key=lambda o: (len(o["file_name"]), o["file_name"])) if refused else of_file[0])
    return wanting


def _business_day(tx: RegisterTx, on: date) -> bool | None:
    try:
        return settlement_calendar(tx).is_business_day(on)
    except CalendarUnknown:
        return None


# The bank's cash against what it owes the customers, in the custody account and in the platforms' own.
_SHORTFALL_KINDS = ("INV_01", "SHORTFALL")


def _platform_rows(sealed: Sealed, on: date, promised: Mapping[str, dict[str, int]]) -> list[dict[str, Any]]:
    """``promised``: how many of the files that contracts promise stand in which state now. ``balanced``: reconciled without a break. It and ``breaks`` are None while the date is not reconciled, ``alerts``
    while its risk is not assessed. ``untrusted``: batches (a file type of a date) with a finding of severity fail; ``unusual``:
    those with warnings only; None while the date is not validated."""
    outcomes = sealed.table("land", "file_outcomes", ["party", "custody_date", "outcome"], ["party", "outcome"])
    outcomes = outcomes.filter(pc.equal(outcomes["custody_date"], pa.scalar(on, pa.date32())))
    landed_rows = is_word(outcomes["outcome"], "LANDED")
    landed = _counted(outcomes.filter(landed_rows)["party"])
    expected = _counted(outcomes.filter(pc.or_(landed_rows, is_word(outcomes["outcome"], "EXPECTED")))["party"])
    findings = sealed.table("validate", "batch_findings", ["party", "file_type", "custody_date", "severity"])
    findings = findings.append_column("fails", pc.equal(findings["severity"], "fail"))
    batches = findings.group_by(["party", "file_type", "custody_date"], use_threads=False).aggregate([("fails", "any")])
    untrusted = _counted(batches.filter(batches["fails_any"])["party"])
    unusual = _counted(batches.filter(pc.invert(batches["fails_any"]))["party"])
    breaks = _counted(sealed.table("reconcile", "breaks", ["platform"], ["platform"])["platform"])
    alerts = _counted(sealed.table("risk", "alerts", ["platform"], ["platform"])["platform"])
    is_validated, is_reconciled, is_assessed = (step in sealed.seals for step in ("validate", "reconcile", "risk"))
    return [
        {
            "platform": p,
            "expected": expected.get(p, 0),
            "landed": landed.get(p, 0),
            "promised": promised.get(p, {}),
            "untrusted": untrusted.get(p, 0) if is_validated else None,
            "unusual": unusual.get(p, 0) if is_validated else None,
            "balanced": p not in breaks if is_reconciled else None,
            "breaks": breaks.get(p, 0) if is_reconciled else None,
            "alerts": alerts.get(p, 0) if is_assessed else None,
        }
        for p in sorted({*promised, *expected, *untrusted, *unusual, *breaks, *alerts})
    ]


def _counted(column: pa.ChunkedArray) -> dict[str, int]:
    """How often each value stands in a column."""
    found = pc.value_counts(column)
    # As plain texts first: from words each would be looked up by itself.
    return dict(zip(found.field("values").cast(pa.string()).to_pylist(), found.field("counts").to_pylist(), strict=True))


def _trend_point(wiring: Wiring, on: date, reconcile: Seal | None) -> TrendPoint:
    """From the manifest alone, so that a month costs thirty small files."""
    if reconcile is None:
        return TrendPoint(on, None, None)
    tables = wiring.lake.manifest(reconcile.path).tables
    return TrendPoint(on, tables["breaks"]["rows"], tables["open_items"]["rows"])
