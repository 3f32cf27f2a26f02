"""What the desk sees at a glance, gathered from sealed steps and the register: for the command line and the pages alike."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.bootstrap import Wiring
from custody.calendar import CalendarUnknown
from custody.names import BreakKind, HoldKind, PartyKind, TxnStatus
from custody.platform_funds import Concern, Item
from custody.ports import RegisterTx, Row
from custody.services.calendars import settlement_calendar
from custody.services.intake import FILE_QUARANTINED
from custody.services.outputs import Seal, days_begun, newest_seals, seals_of_day
from custody.services.promises import FILE_MISSING, standing
from custody.services.verifications import Verification, last_verification
from custody.steps import day_state

# A plot over more days than these shows no trend that a person could act on.
_TREND_DAYS = 30


@dataclass(frozen=True)
class TrendPoint:
    """One custody date; None where it is not reconciled. ``carried``: rows whose counterpart may still come."""

    on: date
    breaks: int | None
    carried: int | None


@dataclass(frozen=True)
class Day:
    """One custody date as the desk's page shows it, in the order of domain.md §10. Lists hold rows as the lake has them."""

    on: date
    begun: list[date]
    # None where the bank's calendar does not reach.
    business_day: bool | None
    seals: Mapping[str, Seal]
    state: str
    platforms: list[dict[str, Any]]
    # Of each party, whether it is a platform.
    kinds: Mapping[str, PartyKind]
    files_missing: list[Row]
    # Of the validate step, the gravest first; and how many batches nobody could compare with the usual yet.
    batch_findings: list[Row]
    batches_without_history: int
    shortfalls: list[Row]
    channel_cash: list[Row]
    # By platform what can be paid out on the bank business day after the date (see payout_liquidity).
    liquidity: list[Row]
    unknown_withdrawals: list[Row]
    # What has no owner yet, and pay-outs that came back and are not settled: what, since when, until when, what is left (see waiting_money).
    waiting_money: list[Row]
    # Legal orders that are not carried out in full, and money that stands frozen under one (see legal_matters).
    legal_matters: list[Row]
    new_breaks: list[Row]
    carried_breaks: list[Row]
    # The risk step's own of this date; and what the register says of the work itself (a task failed, a report is due).
    risk_alerts: list[Row]
    operational_alerts: list[Row]
    approvals: list[Row]
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
    return {"date": on, "state": day_state(seals), "platforms": _platform_rows(wiring, on, seals)}


def the_day(wiring: Wiring, on: date) -> Day:
    """All that the day's page shows. A date that was never begun gives a Day in state OPEN with nothing in it."""
    with wiring.register.transaction() as tx:
        begun = days_begun(tx)
        seals = seals_of_day(tx, on)
        every = {seal.custody_date: seal for seal in newest_seals(tx, "reconcile")}
        before = every.get(on - timedelta(days=1))
        reconciled = {day: every.get(day) for day in [day for day in begun if day <= on][-_TREND_DAYS:]}
        business_day = _business_day(tx, on)
        operational = tx.find("alert", ("rule", "subject", "alert_id"), platform="", raised_on=on)
        operational += tx.find("alert", ("rule", "subject", "alert_id"), rule=[FILE_MISSING, FILE_QUARANTINED], raised_on=on)
        approvals = tx.find("proposal", ("proposed_at", "proposal_id"), state="PROPOSED")
        kinds = {party: PartyKind(kind) for party, kind in tx.count("party", ["party", "kind"])}
        verified, verified_whole = last_verification(tx, on), last_verification(tx, None)

    def rows(step: str, table: str) -> list[Row]:
        return wiring.lake.rows(seals[step].path, table) if step in seals else []

    breaks = sorted(rows("reconcile", "breaks"), key=lambda b: (-b["amount_minor"], b["case_id"]))
    known = set(wiring.lake.read(before.path, "breaks", ["case_id"])["case_id"].to_pylist()) if before else set()
    return Day(
        on=on,
        begun=begun,
        business_day=business_day,
        seals=seals,
        state=day_state(seals),
        platforms=_platform_rows(wiring, on, seals),
        kinds=kinds,
        files_missing=_files_wanting(wiring, seals.get("land")),
        batch_findings=sorted(rows("validate", "batch_findings"), key=_gravity),
        batches_without_history=_without_history(wiring, seals.get("validate")),
        shortfalls=[b for b in breaks if b["kind"] in _SHORTFALL_KINDS],
        channel_cash=_channel_cash(wiring, seals.get("post")),
        liquidity=payout_liquidity(wiring, seals.get("risk")),
        unknown_withdrawals=[
            {**w, "subject": f"{w['txn_type']}|{w['request_no']}", "item_date": w["since"]}
            for w in _unknown(wiring, seals.get("post"))
        ],
        waiting_money=waiting_money(rows("post", "suspense"), breaks),
        legal_matters=legal_matters(wiring, seals.get("post")),
        new_breaks=[b for b in breaks if b["case_id"] not in known],
        carried_breaks=[b for b in breaks if b["case_id"] in known],
        risk_alerts=sorted(rows("risk", "alerts"), key=lambda a: (a["platform"], a["rule"], a["subject"])),
        operational_alerts=operational,
        approvals=approvals,
        proof=rows("reconcile", "proof"),
        trend=[_trend_point(wiring, day, seal) for day, seal in reconciled.items()],
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


def legal_matters(wiring: Wiring, post: Seal | None) -> list[Row]:
    """``what`` (an order's action, or FROZEN), platform, ``number``, account, ``since`` (None of an order), amount_minor: what is ordered and not done,
    or what stands frozen. Chosen by Arrow: both tables keep what has been done with."""
    if post is None:
        return []
    orders, holds = wiring.lake.read(post.path, "legal_orders"), wiring.lake.read(post.path, "holds")
    open_ = orders.filter(pc.greater(orders["amount_minor"], orders["used_minor"])).to_pylist()
    frozen = holds.filter(pc.equal(holds["kind"], str(HoldKind.JUDICIAL))).to_pylist()
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


def payout_liquidity(wiring: Wiring, risk: Seal | None) -> list[Row]:
    """Of each platform, minor units: ``cash_minor`` at the bank core, ``due_minor`` that channels are to settle by the next bank business day,
    ``payable_minor`` that is paid out to channels by then, what is under way by status, and ``left_minor`` of all that; the least first.

    None while the date's risk is not assessed, or where it was by a program before these tables.
    """
    if risk is None or "platform_funds_items" not in wiring.lake.manifest(risk.path).tables:
        return []
    days = _of_payout(wiring, risk, "platform_funds", ("platform", "currency", "on_date", "have_minor", "need_minor"))
    names = days["platform"].combine_chunks()
    # Each platform's second day: the first is the end of the date itself.
    as_before = pc.equal(names[1:], names[:-1])
    second = pc.and_not(as_before[1:], as_before[:-1])
    days = days.slice(1).filter(pa.concat_arrays([as_before[:1], second])).combine_chunks()
    items = _of_payout(wiring, risk, "platform_funds_items", ("platform", "item", "due_on", "amount_minor"))
    of = pc.index_in(items["platform"], days["platform"])
    items = items.filter(pc.fill_null(pc.less_equal(items["due_on"], days["on_date"].take(of)), False))
    sums = items.group_by(["platform", "item"], use_threads=False).aggregate([("amount_minor", "sum")])
    found = {
        "platform": days["platform"],
        "currency": days["currency"],
        "on_date": days["on_date"],
        "cash_minor": _summed(sums, Item.CASH, days["platform"]),
        "due_minor": _summed(sums, Item.RECEIVABLE, days["platform"]),
        "payable_minor": _summed(sums, Item.PAYABLE, days["platform"]),
        **{str(status): _summed(sums, status, days["platform"]) for status in UNDER_WAY},
        "left_minor": pc.subtract(days["have_minor"], days["need_minor"]),
    }
    rows: list[Row] = pa.table(found).sort_by([("left_minor", "ascending"), ("platform", "ascending")]).to_pylist()
    return rows


def _summed(sums: pa.Table, item: Item, platforms: pa.ChunkedArray) -> pa.ChunkedArray:
    """The sum of one kind of item for each of the platforms, nought where it has none."""
    of = sums.filter(pc.equal(sums["item"], item))
    return pc.fill_null(of["amount_minor_sum"].combine_chunks().take(pc.index_in(platforms, of["platform"])), 0)


def _of_payout(wiring: Wiring, risk: Seal, table: str, columns: Sequence[str]) -> pa.Table:
    found = wiring.lake.read(risk.path, table, ["concern", *columns])
    return found.filter(pc.equal(found["concern"], Concern.PAYOUT)).select(list(columns))


def _channel_cash(wiring: Wiring, post: Seal | None) -> list[Row]:
    """What each channel is to settle of each platform's receivable, summed over the requests that make it up (invariant 1): by account."""
    if post is None:
        return []
    items = wiring.lake.read(post.path, "receivables", ["account", "amount_minor"])
    items = items.filter(pc.match_substring(items["account"], ":CHANNEL_RECEIVABLE/"))
    sums = items.group_by("account", use_threads=False).aggregate([("amount_minor", "sum")]).sort_by("account").to_pylist()
    return [
        {"account": s["account"], "amount_minor": abs(s["amount_minor_sum"]), "currency": "CNY"}
        for s in sums
        if s["amount_minor_sum"]
    ]


def _unknown(wiring: Wiring, post: Seal | None) -> list[Row]:
    """Withdrawals whose end nobody knows."""
    if post is None:
        return []
    way = wiring.lake.read(post.path, "under_way")
    found: list[Row] = way.filter(pc.equal(way["status"], TxnStatus.UNKNOWN)).to_pylist()
    return found


def _files_wanting(wiring: Wiring, land: Seal | None) -> list[Row]:
    """``files_wanting`` of the parties and types of which anything but one landing is said: of thousands of files that is little."""
    if land is None:
        return []
    outcomes = wiring.lake.read(land.path, "file_outcomes")
    odd = outcomes.filter(pc.not_equal(outcomes["outcome"], "LANDED"))
    parties = pc.unique(odd["party"])
    return files_wanting(outcomes.filter(pc.is_in(outcomes["party"], parties)).to_pylist())


def _gravity(finding: Row) -> tuple[object, ...]:
    return finding["severity"] != "fail", finding["party"], finding["file_type"], finding["custody_date"], finding["rule"]


def _without_history(wiring: Wiring, validate: Seal | None) -> int:
    return wiring.lake.read(validate.path, "batch_statistics")["usual_rows"].null_count if validate else 0


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
_SHORTFALL_KINDS = frozenset({"INV_01", "SHORTFALL"})


def _platform_rows(wiring: Wiring, on: date, seals: Mapping[str, Seal]) -> list[dict[str, Any]]:
    """``promised``: how many of the files that the contract promises stand in which state now. ``balanced``: reconciled without a break. It and ``breaks`` are None while the date is not reconciled, ``alerts``
    while its risk is not assessed. ``untrusted``: batches (a file type of a date) with a finding of severity fail; ``unusual``:
    those with warnings only; None while the date is not validated."""
    with wiring.register.transaction() as tx:
        promised = {party: states for (party, _), states in standing(tx, custody_date=on).items()}
    expected: Counter[str] = Counter()
    landed: Counter[str] = Counter()
    batches: dict[str, set[tuple[Any, ...]]] = {"fail": set(), "warn": set()}
    breaks: Counter[str] = Counter()
    alerts: Counter[str] = Counter()
    land, validate, reconcile, risk = (seals.get(step) for step in ("land", "validate", "reconcile", "risk"))
    if land:
        outcomes = wiring.lake.read(land.path, "file_outcomes", ["party", "custody_date", "outcome"])
        outcomes = outcomes.filter(pc.equal(outcomes["custody_date"], pa.scalar(on, pa.date32())))
        expected.update(_counted(outcomes.filter(pc.is_in(outcomes["outcome"], pa.array(["LANDED", "EXPECTED"])))["party"]))
        landed.update(_counted(outcomes.filter(pc.equal(outcomes["outcome"], "LANDED"))["party"]))
    if validate:
        for f in wiring.lake.rows(validate.path, "batch_findings"):
            batches[f["severity"]].add((f["party"], f["file_type"], f["custody_date"]))
    untrusted = Counter(batch[0] for batch in batches["fail"])
    unusual = Counter(batch[0] for batch in batches["warn"] - batches["fail"])
    if reconcile:
        breaks.update(_counted(wiring.lake.read(reconcile.path, "breaks", ["platform"])["platform"]))
    if risk:
        alerts.update(_counted(wiring.lake.read(risk.path, "alerts", ["platform"])["platform"]))
    return [
        {
            "platform": p,
            "expected": expected[p],
            "landed": landed[p],
            "promised": promised.get(p, {}),
            "untrusted": untrusted[p] if validate else None,
            "unusual": unusual[p] if validate else None,
            "balanced": not breaks[p] if reconcile else None,
            "breaks": breaks[p] if reconcile else None,
            "alerts": alerts[p] if risk else None,
        }
        for p in sorted(set(promised) | set(expected) | set(untrusted) | set(unusual) | set(breaks) | set(alerts))
    ]


def _counted(column: pa.ChunkedArray) -> dict[str, int]:
    """How often each value stands in a column."""
    return {found["values"]: found["counts"] for found in pc.value_counts(column).to_pylist()}


def _trend_point(wiring: Wiring, on: date, reconcile: Seal | None) -> TrendPoint:
    """From the manifest alone, so that a month costs thirty small files."""
    if reconcile is None:
        return TrendPoint(on, None, None)
    tables = wiring.lake.manifest(reconcile.path).tables
    return TrendPoint(on, tables["breaks"]["rows"], tables["open_items"]["rows"])
