"""What platforms do, by columns; what the rules say of it is custody.compliance_platforms'."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.lake import arrow_schema
from custody.compliance import MOST_ROWS, Behind, Finding, Source
from custody.compliance_platforms import (
    Waiting,
    fills_that_never_were,
    near_guarantors,
    near_related,
    new_for_old,
    packaged,
    platform_payouts,
    pooled,
    related_guarantors,
    related_lenders,
    super_lenders,
)
from custody.funds_paths import Way
from custody.names import FileType, LoanState, TxnType
from custody.ports import Row
from jobs.compliance.columns import crowded, heavy, is_one_of, plain, rows_of
from jobs.compliance.day import ComplianceDay
from jobs.compliance.shares import IdRange, of_platforms, together
from schemas.tables import TABLES

_PLATFORM_DAYS = plain(arrow_schema(TABLES["platform_days"]).empty_table()).schema
_LENT_STATES = (LoanState.FULL, LoanState.DISBURSED, LoanState.REPAYING, LoanState.OVERDUE, LoanState.SETTLED)
_KEY = ["platform", "customer_id"]
_COMPENSATION = ":P_COMPENSATION"
_LEG = ("platform", "txn_type", "from_account", "to_account", "amount_minor", "outcome", "entry_no", "file_name", "line_no")


def platforms(day: ComplianceDay, contacts: pa.Table, repaid: pa.Table) -> Iterator[Finding]:
    """``repaid``: today's platform_days."""
    if "packaged_assignment" in day.rules:
        yield from packaged(day.walked.sales, day.figures("packaged_assignment"), day.today)
    if "pooling" in day.rules:
        yield from pooled(_waiting(day, day.figures("pooling")["days"]), day.figures("pooling"))
    if "new_for_old" in day.rules:
        yield from _new_for_old(day, repaid)
    if "lender_is_related" in day.rules:
        yield from related_lenders(_positions_of_related(day), day.related, day.figures("lender_is_related"), day.today)
    if "borrower_near_related" in day.rules:
        keys = ["field", "digest"]
        yield from near_related(rows_of(contacts, keys, crowded(contacts, keys, 2)), day.related)
    if "borrower_near_guarantor" in day.rules:
        yield from _near_guarantors(day, contacts)
    if {"guarantee_by_related", "platform_compensation"} & set(day.rules):
        yield from _payouts(day)
    if "fill_that_never_was" in day.rules:
        yield from _fills(day)


def long_lenders(day: ComplianceDay, among: IdRange, window: pa.Table) -> Iterator[Finding]:
    """``window``: what moved on accounts of some customers, as jobs.compliance.weeks gives it."""
    if "super_lender" in day.rules:
        window, figures = day.looked_back_to(window), day.figures("super_lender")
        picked = heavy(window, _KEY, "lent_minor", figures["lent_minor"])
        sales, lent = day.split
        mine = [row for row in sales if among.has(row["seller"])]
        yield from super_lenders(rows_of(window, _KEY, picked), figures, day.today, mine, lent)


def platform_days(day: ComplianceDay) -> pa.Table:
    """What was repaid today on each platform, and what of it came out of other loans."""
    repaid = _sums(day.walked.repaid, "repaid_minor")
    by_new = _sums(_new_money(day, day.today), "repaid_by_new_minor")
    names = _PLATFORM_DAYS.names
    summed = pa.concat_tables([repaid, by_new]).group_by(["platform"]).aggregate([(name, "sum") for name in names[1:]])
    return summed.rename_columns(names).select(names).cast(_PLATFORM_DAYS)


def _sums(moves: pa.Table, name: str) -> pa.Table:
    by = moves.group_by(["platform"]).aggregate([("amount_minor", "sum")])
    nothing = pa.array([0] * by.num_rows, pa.int64())
    columns = {"platform": by["platform"]}
    columns |= {n: by["amount_minor_sum"] if n == name else nothing for n in _PLATFORM_DAYS.names[1:]}
    return pa.table(columns).cast(_PLATFORM_DAYS)


def _new_money(day: ComplianceDay, on: date) -> pa.Table:
    """The legs by which loans' money repaid other loans."""
    legs = day.context.table(
        "reconcile", "funds_paths", on=on, columns=("platform", "way", "entry_no", "other_loan", "amount_minor")
    )
    assert legs is not None
    return legs.filter(pc.equal(legs["way"], str(Way.REPAID_OTHER)))


def _new_for_old(day: ComplianceDay, today: pa.Table) -> Iterator[Finding]:
    figures = day.figures("new_for_old")
    lake = day.context.wiring.lake
    days = [(day.today, today), *((s.custody_date, lake.read(s.path, "platform_days")) for s in day.earlier("compliance"))]
    rows = [row | {"on": on} for on, table in days for row in table.filter(pc.greater(table["repaid_minor"], 0)).to_pylist()]
    suspects = {finding.platform for finding in new_for_old(rows, [], figures, day.today)}
    if not suspects:
        return
    rows = [row for row in rows if row["platform"] in suspects]
    since = day.today - timedelta(days=figures["days"] - 1)
    legs: list[Row] = []
    for on, _ in days:
        if on >= since:
            moved = _new_money(day, on)
            legs += [leg | {"on": on} for leg in moved.filter(is_one_of(moved["platform"], suspects)).to_pylist()]
    yield from new_for_old(rows, legs, figures, day.today)


def _waiting(day: ComplianceDay, days: int) -> list[Waiting]:
    """Of each lender who lends nothing what has lain longer than so many days: no more of it can have come since. Who lent within the
    window waits for his next loan."""
    figures = day.figures("pooling")
    if day.today - timedelta(days=days) < day.context.wiring.settings.instance.go_live:
        return []  # nothing can have lain so long here
    exposures = day.exposures.filter(pc.greater(day.exposures["funded_minor"], 0))
    lent = exposures.group_by(["platform"]).aggregate([("minor", "sum")])
    owed = dict(zip(lent["platform"].to_pylist(), lent["minor_sum"].to_pylist(), strict=True))
    found = []
    for held in _held(day, owed):
        idle = _idle(day, held, days)
        by = idle.group_by(["platform"]).aggregate([("idle_minor", "sum"), ("idle_minor", "count")])
        for row in by.to_pylist():
            one = Waiting(row["platform"], row["idle_minor_sum"], row["idle_minor_count"], owed.get(row["platform"], 0), ())
            if list(pooled([one], figures)):
                most = idle.filter(pc.equal(idle["platform"], one.platform)).sort_by(
                    [("idle_minor", "descending"), ("account", "ascending")]
                )
                rows = tuple(
                    Behind(Source.ACCOUNT, one.platform, r["account"], day.today, r["idle_minor"])
                    for r in most.slice(0, MOST_ROWS).to_pylist()
                )
                found.append(replace(one, rows=rows))
    return sorted(found, key=lambda one: one.platform)


def _held(day: ComplianceDay, owed: Mapping[str, int]) -> Iterator[pa.Table]:
    """What lenders hold that is not frozen (platform, account, closing_minor), where it is more than nothing: of some platforms at a time,
    whole, and of those alone where it might be too much if all of it waited."""
    figures = day.figures("pooling")

    def of_lenders() -> Iterator[pa.Table]:
        for piece in day.post_pieces("balances", ("platform", "account", "closing_minor")):
            some = piece.filter(pc.greater(piece["closing_minor"], 0))
            yield some.filter(
                pc.and_(pc.ends_with(some["account"], ":available"), pc.match_substring(some["account"], ".LENDER."))
            )

    for _, held in of_platforms(of_lenders(), day.share_rows):
        all_of_it = held.group_by(["platform"]).aggregate([("closing_minor", "sum"), ("closing_minor", "count")])
        rows = zip(*(all_of_it[n].to_pylist() for n in ("platform", "closing_minor_sum", "closing_minor_count")), strict=True)
        all_wait = (Waiting(platform, minor, lenders, owed.get(platform, 0), ()) for platform, minor, lenders in rows)
        may_be = [one.platform for one in all_wait if list(pooled([one], figures))]
        if may_be:
            yield plain(held.filter(is_one_of(held["platform"], may_be)))


def _idle(day: ComplianceDay, held: pa.Table, days: int) -> pa.Table:
    """Of what lenders hold, where they lent nothing, what cannot have come since so many days: platform, account, idle_minor."""
    bounds = pc.min_max(held["platform"]).as_py()
    owners = pc.utf8_slice_codeunits(held["account"], 0, -len(":available"))
    held = held.set_column(held.schema.get_field_index("account"), "account", owners)
    since, first = day.today - timedelta(days=days), day.today - timedelta(days=day.window_days - 1)
    lent = np.zeros(held.num_rows, bool)
    came = np.zeros(held.num_rows, np.int64)
    wanted = held["account"].combine_chunks()
    within, platforms = {"platform": (bounds["min"], bounds["max"])}, pc.unique(held["platform"])

    def of_these() -> Iterator[pa.Table]:
        for on, piece in day.days(("platform", "account", "lent_minor", "credit_minor"), within):
            if on >= first:
                some = piece.filter(pc.is_in(piece["platform"], platforms))
                yield some.append_column("posted_on", pa.repeat(pa.scalar(on, pa.date32()), some.num_rows))

    for moved in together(of_these(), day.share_rows):
        place = pc.index_in(moved["account"], wanted)
        mine, at = moved.filter(pc.is_valid(place)), pc.drop_null(place).to_numpy()
        lent[at[mine["lent_minor"].to_numpy() > 0]] = True
        new = pc.greater(mine["posted_on"], pa.scalar(since, pa.date32())).to_numpy()
        np.add.at(came, at[new], mine["credit_minor"].to_numpy()[new])
    idle = held["closing_minor"].to_numpy() - came
    return held.append_column("idle_minor", pa.array(idle)).filter(pa.array((idle > 0) & ~lent))


def _positions_of_related(day: ComplianceDay) -> list[Row]:
    mine = day.walked.related.select(["sub_account", "customer_id"])
    if not mine.num_rows:
        return []
    positions = day.context.table("post", "positions", columns=("platform", "holder", "loan_id", "principal_minor"))
    assert positions is not None
    rows: list[Row] = positions.join(mine.rename_columns(["holder", "customer_id"]), "holder", join_type="inner").to_pylist()
    return rows


def _near_guarantors(day: ComplianceDay, contacts: pa.Table) -> Iterator[Finding]:
    """Loans whose borrower and guarantor are one person or share a number: found by number, since most loans that are guaranteed are by
    strangers."""
    loans = day.exposures.filter(pc.and_(pc.is_valid(day.exposures["guarantor"]), pc.greater(day.exposures["funded_minor"], 0)))
    if not loans.num_rows:
        return
    people = day.walked.guarantors.select(["sub_account", "customer_id"]).rename_columns(["guarantor", "guarantor_id"])
    loans = loans.rename_columns([("borrower_id" if name == "customer_id" else name) for name in loans.schema.names])
    loans = loans.join(people, "guarantor", join_type="inner")
    names = ["platform", "loan_id", "since", "minor", "borrower", "guarantor", "borrower_id", "guarantor_id"]
    keys = ["field", "digest"]
    said = contacts.select(["sub_account", *keys])
    shared = loans.select(["platform", "loan_id", "borrower", "guarantor"])
    shared = shared.join(said, "borrower", "sub_account", join_type="inner")
    shared = shared.join(said, ["guarantor", *keys], ["sub_account", *keys], join_type="left semi")
    near = loans.join(shared.select(["platform", "loan_id"]).group_by(["platform", "loan_id"]).aggregate([]), ["platform", "loan_id"], join_type="left semi")  # fmt: skip
    same = loans.filter(pc.equal(loans["borrower_id"], loans["guarantor_id"]))
    rows = {(row["platform"], row["loan_id"]): row for table in (near, same) for row in table.select(names).to_pylist()}
    accounts = pa.array(sorted({row[side] for row in rows.values() for side in ("borrower", "guarantor")}), pa.string())
    of_them = contacts.filter(pc.is_in(contacts["sub_account"], accounts)).to_pylist()
    yield from near_guarantors(rows.values(), of_them, day.figures("borrower_near_guarantor"))


def _payouts(day: ComplianceDay) -> Iterator[Finding]:
    legs = _legs(day)
    if "platform_compensation" in day.rules:
        out = pc.and_(pc.ends_with(legs["from_account"], _COMPENSATION), pc.match_substring(legs["to_account"], "."))
        paid = legs.filter(pc.and_(pc.fill_null(out, False), pc.not_equal(legs["outcome"], "REPEATED")))
        yield from platform_payouts([row | {"account": row["to_account"]} for row in paid.to_pylist()], day.today)
    if "guarantee_by_related" in day.rules:
        is_paid = pc.and_(pc.equal(legs["txn_type"], str(TxnType.COMPENSATION)), pc.equal(legs["outcome"], "POSTED"))
        # Who is related to nobody is none that the rule asks for.
        people = day.walked.related.select(["sub_account", "customer_id"]).rename_columns(["from_account", "customer_id"])
        moves = legs.filter(is_paid).join(people, "from_account", join_type="inner").to_pylist()
        moves = [row | {"account": row["from_account"]} for row in moves]
        yield from related_guarantors(moves, day.related, day.figures("guarantee_by_related"), day.today)


def _legs(day: ComplianceDay) -> pa.Table:
    """Those of today's legs that pay in a borrower's place, or out of a compensation account."""
    seal = day.context.seal("post")
    assert seal is not None
    kept = [arrow_schema(TABLES["ledger_txn"]).empty_table().select(_LEG)]
    for piece in day.context.wiring.lake.pieces(seal.path, "ledger_txn", {}, _LEG):
        in_place = pc.equal(piece["txn_type"], str(TxnType.COMPENSATION))
        kept.append(piece.filter(pc.or_(in_place, pc.fill_null(pc.ends_with(piece["from_account"], _COMPENSATION), False))))
    return plain(pa.concat_tables(kept))


def _fills(day: ComplianceDay) -> Iterator[Finding]:
    """Judged only when all instructions of the date are there: else what was bid is not known yet."""
    outcomes = day.context.rows("land", "file_outcomes")
    if any(row["file_type"] == FileType.INSTRUCTION and row["outcome"] == "EXPECTED" for row in outcomes):
        return
    figures, keys = day.figures("fill_that_never_was"), ["platform", "loan_id"]
    said = day.claimed.filter(is_one_of(day.claimed["state"], map(str, _LENT_STATES)))
    ours = said.join(day.loans.select([*keys, "funded_minor"]), keys, join_type="inner").join(
        day.bids, keys, join_type="left outer"
    )
    bid = pc.add(ours["funded_minor"], pc.fill_null(ours["held_minor"], 0))
    ours = ours.append_column("ours_minor", bid)
    lacking = ours.filter(pc.greater_equal(pc.subtract(ours["raised_minor"], bid), figures["minor"]))
    if not lacking.num_rows:
        return
    legs = day.context.table("post", "ledger_txn", columns=("platform", "loan_id", "outcome"))
    assert legs is not None
    waiting = legs.filter(pc.equal(legs["outcome"], "WAITING")).select(keys).to_pylist()
    not_yet = {(row["platform"], row["loan_id"]) for row in waiting}
    yield from fills_that_never_were(
        [row for row in lacking.to_pylist() if (row["platform"], row["loan_id"]) not in not_yet], figures
    )
